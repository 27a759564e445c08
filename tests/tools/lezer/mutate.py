# SPDX-License-Identifier: Apache-2.0
"""Breaks a query of grammar.py: most results are no query any more, many are another one."""
from grammar import FUNCTIONS, joined

STRAY = ["{", "}", "(", ")", "[5m]", ",", ".", "=", "==", "!=", "=~", "!~", "|", "|=", "|~", "|>", "!>", "+", "-", "*", "/", "%", "^", ">",
         ">=", "<", "<=", "by", "without", "bool", "on", "ignoring", "group_left", "group_right", "offset", "unwrap", "or", "and",
         "unless", "json", "logfmt", "regexp", "pattern", "unpack", "label_format", "line_format", "decolorize", "drop", "keep", "sum",
         "rate", "topk", "sort", "vector", "label_replace", "bytes", "ip", "x", '"s"', "`s`", "5", "1.5", "5m", "1.5d", "2h1d", "10KB",
         "1EB", "-5m", "08", "0x10", "1e", "--strict", "[5]", "[1.5h]", "[ 5m ]", "[5m:1m]", "[30s5m]", "[]", "]", "'x'", '"\\q"', '"', "`",
         "'", "/*", "@", "$", "\\", "\u00a0", "\v", "approx_topk", "count_over_time", "quantile_over_time", "variants", "not"]


# Tokens of one kind: one taken for another leaves the grammar, not the static checks, content.
KINDS = [
    ["sum", "avg", "topk", "approx_topk", "sort", "count"],
    ["rate", "count_over_time", "sum_over_time", "avg_over_time", "quantile_over_time", "absent_over_time"],
    ["and", "or", "unless", "+", "==", "!=", ">", "^", ","],
    ["=", "!=", "=~", "!~", "==", ">", "|=", "|~", "|>", "!>"],
    ['"s"', '""', '".*"', '"("', '"<a><b>"', '"{{"', '"a["', '"\\d"', '"x"'],
    ["[5m]", "[5]", "[1.5h]", "[-5m]", "[ 5m ]", "[5us]", "[30s5m]"],
    ["5", "0", "1.5", "08", "0x10", "1_000", "1e400", "5m", "1KB"],
    ["json", "logfmt", "unpack", "decolorize"],
    ["--strict", "--keep-empty", "--strictly"],
    ["by", "without", "on", "ignoring", "group_left", "group_right"],
]


def kind_of(token):
    for kind in KINDS:
        same = token.lower() in kind or token[0] == kind[0][0] and token[0] in '"[' or token[0].isdigit() and kind[0] == "5"
        if same:
            return kind
    return None


def replace_by_kin(r, tokens, at):
    kinds = [kind for kind in KINDS if any(kind_of(token) is kind for token in tokens)]
    kind = r.choice(kinds or [STRAY])
    at = r.choice([i for i, token in enumerate(tokens) if kind_of(token) is kind] or [at])
    tokens[at] = r.choice(kind)


def misuse(r, tokens, at):
    """One function for another of its kind: takes what it must not, or lacks what it needs."""
    at = r.choice([i for i, token in enumerate(tokens) if kind_of(token) in KINDS[:2] or token.endswith("_over_time")] or [at])
    tokens[at] = r.choice(KINDS[1] if kind_of(tokens[at]) is not KINDS[0] else KINDS[0])


def insert_blank(r, tokens, at):
    """What Unicode calls a blank, a reserved word as a name, a comment behind a function."""
    calls = [i for i, token in enumerate(tokens) if token == "(" and tokens[i - 1].lower() in FUNCTIONS]
    if calls and r.random() < .3:
        tokens.insert(r.choice(calls), "# c\n")
        return
    names = [i for i, token in enumerate(tokens) if token.isidentifier() and tokens[i - 1] in ("{", ",", "|")]
    if names and r.random() < .5:
        tokens[r.choice(names)] = r.choice(["by", "without", "and", "or", "unless"])
    else:
        tokens.insert(at, r.choice(["\u00a0", "\v", "\f", "\x85"]))


def drop_group(r, tokens, at):
    """Leaves out what two parentheses hold, or from a stage to the next."""
    begin = r.choice([i for i, token in enumerate(tokens) if token in ("(", "|")] or [at])
    end = begin + 1
    depth = 1
    while end < len(tokens) and depth and not (tokens[begin] == "|" and tokens[end][0] in "|[)"):
        depth += (tokens[end] == "(") - (tokens[end] == ")")
        end += 1
    del tokens[begin:end]


GROUPS = [["|", "unwrap", "x"], ["|", "json"], ["|=", '"x"'], ["offset", "5m"], ["by", "(", "x", ")"], ["bool"], ["on", "(", ")"],
          ["group_left", "(", "x", ")"], ["or", '"x"'], ["and", "x", "=", '"y"'], ["[5m]"], ["5", ","], ["+", "vector", "(", "1", ")"]]


def insert_group(r, tokens, at):
    """Something whole where something else ended."""
    ends = [i for i, token in enumerate(tokens) if token[0] in ")]}(" or token[-1] in "]\"`"]
    at = r.choice(ends or [at]) + 1
    tokens[at:at] = r.choice(GROUPS)


def append_group(r, tokens, at):
    tokens.extend(r.choice([["by", "(", "x", ")"], ["without", "(", ")"], ["+", "1"], ["or", "1"], ["[5m]"], ["|", "json"]]))


def spoil_list(r, tokens, at):
    """A comma before the parenthesis that closes a list of names, or a reserved word in it."""
    ends = [i for i, token in enumerate(tokens) if token == ")" and tokens[i - 1].isidentifier()]
    end = r.choice(ends or [at])
    if r.random() < .5:
        tokens.insert(end, ",")
    else:
        tokens[end - 1] = r.choice(["json", "drop", "bool", "unwrap", "by", "and", "offset"])


def spoil_string(r, tokens, at):
    strings = [i for i, token in enumerate(tokens) if token[0] == '"']
    captures = [i for i in strings if tokens[i - 1].lower() in ("regexp", "pattern")]
    at = r.choice(captures or strings or [at])
    end = r.choice(["<a><b>", "(?P<a>.)(?P<a>.)"] if captures else ["\0", "\\q", "\n", "\\x4", "(", "{{", "\\"])
    tokens[at] = tokens[at][:-1] + end + tokens[at][-1]


def spoil_flag(r, tokens, at):
    flags = [i for i, token in enumerate(tokens) if token[:2] == "--"]
    if not flags:
        spoil_list(r, tokens, at)
    else:
        last = flags[-1]
        if len(tokens) > last + 1 and tokens[last + 1].isidentifier():
            tokens.insert(last + 1, ",")
        tokens[last] = r.choice(["--strictly", "--keep-emptying"])


def delete(r, tokens, at):
    del tokens[at:at + r.choice([1, 1, 1, 2, 3])]


def double(r, tokens, at):
    tokens[at:at] = tokens[at:at + r.choice([1, 1, 2, 3])]


def swap(r, tokens, at):
    other = min(at + r.choice([1, 1, 2, 5]), len(tokens) - 1)
    tokens[at], tokens[other] = tokens[other], tokens[at]


def replace(r, tokens, at):
    tokens[at] = r.choice(STRAY)


def insert(r, tokens, at):
    tokens.insert(at, r.choice(STRAY))


def move(r, tokens, at):
    tokens.insert(r.randrange(len(tokens)), tokens.pop(at))


def truncate(r, tokens, at):
    del tokens[at + 1:]


def change_byte(r, text):
    at = r.randrange(len(text))
    with_byte = bytes([r.choice(b"{}()[],.=!~|><+-*/%^\"`'\\#_09azAZBim \n\x00\xc3\x80\xff") if r.random() < .7 else r.randrange(256)])
    return text[:at] + with_byte + text[at + r.randrange(2):]


MUTATIONS = [delete, double, swap, replace, replace, insert, move, truncate, drop_group, append_group, spoil_string, spoil_string,
             spoil_flag, insert_blank,
             *[replace_by_kin] * 6, *[insert_group] * 5, *[spoil_list, misuse] * 2, None]


def mutate(r, tokens):
    """Bytes, unlike the query that `tokens` are."""
    tokens = list(tokens)
    how = r.choice(MUTATIONS)
    for rare, words in ((spoil_string, ("regexp", "pattern")), (spoil_flag, ("--strict", "--keep-empty"))):
        if r.random() < .4 and any(token.lower() in words for token in tokens):
            how = rare
    if how:
        how(r, tokens, r.randrange(len(tokens)))
    text = joined(r, tokens or ["x"]).encode()
    return text if how else change_byte(r, text)
