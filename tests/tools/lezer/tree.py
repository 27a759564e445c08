# SPDX-License-Identifier: Apache-2.0
"""The trees of the two probes, made comparable: nested lists from S-expressions, the order of
operators set by the rules of the language, literals folded."""
import math
import re

LEVELS = {"or": 1, "and": 2, "unless": 2, **dict.fromkeys(["==", "!=", ">", ">=", "<", "<="], 3),
          "+": 4, "-": 4, "*": 5, "/": 5, "%": 5, "^": 6}


def read(text):
    stack = [[]]
    for word in re.findall(r"[()]|[^()\s]+", text):
        if word == "(":
            stack.append([])
        elif word == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(atom(word))
    return stack[0][0]


def atom(word):
    if word.startswith("n:"):
        return Number(float(word[2:]))
    return plain_name(word)


class Number:
    """Equal to another but for what folding in another order of instructions changes."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        a, b = self.value, getattr(other, "value", None)
        return b is not None and (a == b or a != a and b != b or math.isclose(a, b, rel_tol=1e-12))

    def __repr__(self):
        return repr(self.value)


def plain_name(word):
    """Names that Grafana's grammar does not take, as names that it does."""
    if not word.isascii():
        return "u" + word.encode().hex()
    return word + "_w" if word.lower() in ("vector", "label_replace") else word


def without_ip(node):
    """Line filters whose ip("x") is "x"."""
    if not isinstance(node, list):
        return node
    if node[0] == "ip" and len(node) == 2:
        return node[1]
    return [without_ip(part) for part in node]


def grouped(node, operations, filters):
    """The tree without parentheses and with literals folded.  Operations, and filters, are either
    left as the other side groups them or grouped anew from the order they stand in."""
    if not isinstance(node, list) or not node:
        return node
    if node[0] == "paren":
        return grouped(node[1], operations, filters)
    if node[0] == "bin" and operations:
        return climb([grouped(part, True, filters) if is_operand(part) else part for part in flat(node, ("bin",))], 1)
    if is_joined(node) and filters:
        return filter_tree([grouped(part, operations, True) if is_operand(part) else part for part in flat(node, CONNECTIVES)], 0)
    inner = [grouped(part, operations, filters) for part in node]
    if node[0] == "bin":
        return folded(inner)
    return ["and", *inner[1:]] if is_joined(node) and node[0] == "," else inner


CONNECTIVES = ("and", "or", ",")


def is_joined(node):
    return node[0] in CONNECTIVES and len(node) == 3 and isinstance(node[1], list)


def flat(node, heads):
    """Operands in turn with what stands between them: (head, [modifier...])."""
    if isinstance(node, list) and node and node[0] in heads and (node[0] == "bin" or is_joined(node)):
        return [*flat(node[-2], heads), tuple(node[:-2]), *flat(node[-1], heads)]
    return [node]


def is_operand(part):
    return not isinstance(part, tuple)


def climb(items, least):
    left = items.pop(0)
    while items and LEVELS[items[0][1]] >= least:
        op = items.pop(0)
        level = LEVELS[op[1]]
        left = folded([*op, left, climb(items, level if op[1] == "^" else level + 1)])
    return left


def folded(node):
    left, right = node[-2:]
    if isinstance(left, Number) and isinstance(right, Number):
        return Number(apply(node[1], left.value, right.value))
    return node


def signed_infinity(a, b):
    return math.copysign(math.inf, a) if b % 2 == 1 else math.inf


def power(a, b):
    try:
        return math.pow(a, b)
    except ValueError:
        return signed_infinity(a, b) if a == 0 else math.nan
    except OverflowError:
        return signed_infinity(a, b)


def apply(op, a, b):
    if op in ("/", "%"):
        if b == 0:
            return math.nan
        return a / b if op == "/" else math.nan if math.isinf(a) else math.fmod(a, b)
    if op == "^":
        return power(a, b)
    return float({"+": a + b, "-": a - b, "*": a * b, "==": a == b, "!=": a != b, ">": a > b, ">=": a >= b,
                  "<": a < b, "<=": a <= b}[op])


def filter_tree(items, above):
    """`or` is level 1, `and` 2; a comma has none and takes all that follows."""
    left = items.pop(0)
    while items:
        if items[0] == (",",):
            items.pop(0)
            left = ["and", left, filter_tree(items, 0)]
        elif items[0] == ("or",) and above < 1:
            items.pop(0)
            left = ["or", left, filter_tree(items, 1)]
        elif items[0] == ("and",) and above < 2:
            items.pop(0)
            left = ["and", left, filter_tree(items, 2)]
        else:
            break
    return left
