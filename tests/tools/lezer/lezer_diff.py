#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the parser of src/logql with Grafana's grammar on generated queries.

    lezer_diff.py PROBE LEZER_PROBE NPM_FOLDER [FIRST_SEED [QUERIES]]

Each seed makes one query from grammar.py, every other one then broken by mutate().  Both sides say
whether it parses and what its tree is.  That grammar is for highlighting: dialect.py translates
what it lacks, LAXER lists what it lets pass.  A difference that neither explains fails, and so does
an explanation, or a point of the grammar, that no query has met."""
import collections
import os
import random
import shutil
import subprocess
import sys

import dialect
import grammar
import laxer
import mutate
import tree

ENOUGH = 6000  # queries, from which on every point and explanation must be met


OPERATIONS = "it puts + and - before comparisons before and before or before * before ^; the language does not (2.2)"
FILTERS = "a comma is an `and` there; in the language all that follows is its right side (2.3)"


class Side:
    """A program that answers one line for each query."""

    def __init__(self, *command):
        self.command = command

    def ask(self, queries):
        data = "".join(q.hex() + "\n" for q in queries)
        done = subprocess.run(self.command, input=data.encode(), stdout=subprocess.PIPE, check=True)
        answers = done.stdout.decode().splitlines()
        if len(answers) != len(queries):
            sys.exit("%s: %d answers to %d queries" % (self.command[0], len(answers), len(queries)))
        return answers


def make(seeds):
    rules = grammar.Grammar()
    queries = []
    for seed in seeds:
        r = random.Random(seed)
        tokens = rules.query(r)
        valid = seed % 2 == 0
        queries.append((grammar.joined(r, tokens).encode() if valid else mutate.mutate(r, tokens), valid))
    return rules, queries


def first_difference(a, b):
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return next((first_difference(x, y) for x, y in zip(a, b) if x != y), None)
    return "%s against %s" % (a, b)


class Judge:
    def __init__(self):
        self.met = collections.Counter()
        self.verdicts = collections.Counter()

    def same_tree(self, ours, theirs, found):
        """Whether the trees are equal, told after the loosest reading that was needed."""
        a, b = tree.read(ours[2:]), tree.read(theirs[2:])
        if "ip chain" in found:
            a, b = tree.without_ip(a), tree.without_ip(b)
        for operations, filters in ((False, False), (False, True), (True, False), (True, True)):
            if a == tree.grouped(b, operations, filters):
                self.met.update(what for what, needed in ((OPERATIONS, operations), (FILTERS, filters)) if needed)
                return True
        return False

    def judge(self, query, valid, ours, theirs, translation, found):
        """None when all is explained, else what is wrong."""
        self.verdicts[("ours takes" if ours[0] == "O" else "ours refuses",
                       "theirs takes" if theirs[0] == "O" else "theirs refuses")] += 1
        if ours[0] == "R":
            return "prints wrong: " + bytes.fromhex(ours[2:]).decode(errors="replace")
        if ours[0] == "O":
            if theirs[0] == "E" and translation[0] == "O":
                self.met.update(found)
                theirs = translation
            if theirs[0] == "E":
                return "theirs refuses at %s, %r translated to %s" % (theirs[2:], sorted(found), translation)
            return None if self.same_tree(ours, theirs, found) else "trees differ: %s" % (first_difference(
                tree.read(ours[2:]), tree.grouped(tree.read(theirs[2:]), True, True)),)
        error = bytes.fromhex(ours[2:]).decode(errors="replace")
        if valid:
            return "valid, but we say: " + error
        if theirs[0] == "E" and translation[0] == "E":
            return None
        reason = laxer.reason(error, query.decode(errors="replace"))
        if not reason:
            return "we say: " + error
        self.met[reason] += 1
        return None


def main():
    if not os.path.exists(os.path.join(sys.argv[3], "complete")) or not shutil.which("node"):
        print("skipped: no node, or no npm packages in %s; ./check installs both, "
              "or run tests/tools/lezer/install %s" % (sys.argv[3], sys.argv[3]))
        sys.exit(77)
    ours, theirs = Side(sys.argv[1]), Side("node", sys.argv[2], sys.argv[3])
    first = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    n = int(os.environ.get("LEZER_SEEDS") or (sys.argv[5] if len(sys.argv) > 5 else 6000))
    rules, queries = make(range(first, first + n))
    texts = [q for q, _ in queries]
    translations = [dialect.translated(q.decode(errors="replace")) for q in texts]
    answers = zip(queries, ours.ask(texts), theirs.ask(texts), theirs.ask([t.encode() for t, _ in translations]), translations)
    judge, bad = Judge(), 0
    for seed, ((query, valid), a, b, c, (said, found)) in enumerate(answers, first):
        fault = judge.judge(query, valid, a, b, c, found)
        if fault:
            bad += 1
            if bad <= int(os.environ.get("SHOW", "10")):
                print("seed %d: %r\n  said there %r\n  %s" % (seed, query, said, fault))
    for what, count in sorted(judge.met.items()):
        print("%6d  %s" % (count, dialect.NARROWER.get(what, what)))
    missed = [] if n < ENOUGH else ["explanation never met: " + what for what in (*dialect.NARROWER, *laxer.REASONS, OPERATIONS, FILTERS)
                                    if not judge.met[what]] + ["grammar never used: " + p for p in rules.never_used()]
    print("\n".join(missed + ["%6d  %s, %s" % (count, *pair) for pair, count in sorted(judge.verdicts.items())]))
    print("%d queries, %d unexplained" % (n, bad))
    sys.exit(bool(bad or missed))


if __name__ == "__main__":
    sys.setrecursionlimit(20000)
    main()
