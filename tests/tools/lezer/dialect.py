# SPDX-License-Identifier: Apache-2.0
"""Where Grafana's grammar for highlighting knows less of the language than the language has.

`translated(text)` says a query in the words of that grammar: a token or a construct that it lacks
becomes one that it has and that means the same.  It returns the new text and the set of things
that were translated, each a key of NARROWER, which says why."""
import re

from grammar import FUNCTIONS
from tree import plain_name

NARROWER = {
    "comment": "only # begins a comment there; the language also has // and /* */ (1.1)",
    "mark": "a byte order mark is skipped (1.1)",
    "letter": "names there are ASCII; the language takes Unicode letters and digits (1.3)",
    "case": "range functions, conversions and ip are lower case there; keywords have no case (1.3)",
    "name": "vector and label_replace are reserved there; they are words of context (1.3)",
    "number": "digit separators and hexadecimal floats are missing there (1.5)",
    "duration": "units there must descend, and fractions need digits on both sides; Go's notation is free (1.6)",
    "zero": "a range of 0 has no unit (1.6)",
    "size": "one-letter and two-letter units are missing there (1.7)",
    "juxtaposed": "filters side by side are a conjunction (2.3)",
    "ip chain": "after ip(...) no `or` may follow there but at the start of the filters (2.1 line_filter)",
    "unwrap in parentheses": "( selector pipeline unwrap ) RANGE is missing there (2.1 log_range)",
    "unwrap and offset": "pipeline unwrap RANGE offset is missing there (2.1 log_range)",
}

TOKEN = re.compile(r"""
    (?P<blank>[ \t\r\n]+)
  | (?P<comment>\#[^\n]*|//[^\n]*|/\*.*?\*/)
  | (?P<STRING>"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`)
  | (?P<RANGE>\[[^\]]*\])
  | (?P<FLAG>--[a-z][a-z-]*)
  | (?P<DURATION>-?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h|d|w|y))+(?![\w.]))
  | (?P<BYTES>(?:\d+(?:\.\d*)?|\.\d+)(?:[kK]i?B?|[MGTP]i?B?|B)(?![\w.]))
  | (?P<NUMBER>0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?\d+)?|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?)
  | (?P<IDENT>[^\W\d]\w*)
  | (?P<OP>[=!|<>]=|[=!|]~|[|!]>|.)
""", re.X | re.S)

OPERATORS = "{ } ( ) [ ] , . = == != =~ !~ |= |~ |> !> | + - * / % ^ > >= < <=".split()
NANOSECONDS = {"ns": 1, "us": 1000, "\u00b5s": 1000, "\u03bcs": 1000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
               "d": 86400 * 10**9, "w": 7 * 86400 * 10**9, "y": 365 * 86400 * 10**9}
DESCENDING = re.compile(r"(-?)(?=.)(\d+y)?(\d+w)?(\d+d)?" + "".join(
    r"(\d+(\.\d+)?%s)?" % unit for unit in ("h", "m", "s", "ms", "[u\u00b5]s", "ns")))
RESERVED = set("""by without bool on ignoring group_left group_right offset unwrap or and unless json logfmt regexp pattern
    unpack label_format line_format decolorize drop keep""".split())


def tokens_of(text):
    """[kind, text] of each token, without blanks; comments are left in."""
    return [[m.lastgroup, m.group()] for m in TOKEN.finditer(text) if m.lastgroup != "blank"]


def nanoseconds(text):
    sum_ns = 0
    for whole, fraction, unit in re.findall(r"(\d*)(?:\.(\d*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d|w|y)", text):
        ns = NANOSECONDS[unit]
        sum_ns += int(whole or 0) * ns + int(fraction or 0) * ns // 10 ** len(fraction)
    return "%s%dns" % ("-" if text[0] == "-" else "", sum_ns)


def n_bytes(text):
    number, letter, binary = re.fullmatch(r"([\d.]+)([kKMGTP]?)(i?)B?", text).groups()
    return "%dB" % int(float(number) * (1024 if binary else 1000) ** " KMGTP".index(letter.upper() or " "))


def translated(text):
    found = set()
    tokens = tokens_of(text.lstrip("\ufeff"))
    if any(kind == "OP" and word not in OPERATORS for kind, word in tokens):
        return text, found
    if text.startswith("\ufeff"):
        found.add("mark")
    if any(kind == "comment" and word[0] == "/" for kind, word in tokens):
        found.add("comment")
    tokens = [t for t in tokens if t[0] != "comment"]
    for token, after in zip(tokens, [*tokens[1:], ["", ""]]):
        token[1] = word_there(*token, after[1], found)
    join_filters(tokens, found)
    loosen_ip(tokens, found)
    move_unwrap(tokens, found)
    return " ".join(word for _, word in tokens), found


def word_there(kind, word, after, found):
    new, what = word, ""
    if word == "[0]":
        new, what = "[0s]", "zero"
    if kind == "IDENT":
        new, what = name_there(word, after)
    elif kind == "NUMBER" and ("_" in word or "p" in word.lower()):
        new, what = number_there(word), "number"
    elif kind == "DURATION" and not DESCENDING.fullmatch(word):
        new, what = nanoseconds(word), "duration"
    elif kind == "BYTES" and not re.fullmatch(r"\d+(\.\d+)?([kKMGTP]?B|[KMGTP]iB)", word):
        new, what = n_bytes(word), "size"
    if new != word:
        found.add(what)
    return new


def name_there(word, after):
    if after == "(" or word.lower() in FUNCTIONS and after.lower() in ("by", "without"):
        return (word.lower(), "case") if word.lower() in FUNCTIONS else (word, "")
    return plain_name(word), "name" if word.isascii() else "letter"


def number_there(word):
    try:
        return repr(float.fromhex(word) if "x" in word.lower() else float(word))
    except ValueError:
        return word


def join_filters(tokens, found):
    """Puts a comma where a label filter follows another with nothing between."""
    depth = None  # of parentheses in the filter we are in
    i = 1
    while i < len(tokens):
        before, (kind, word) = tokens[i - 1], tokens[i]
        starts = kind == "IDENT" and word.lower() not in RESERVED or word == "("
        if before[1] == "|" and starts:
            depth = 0
        elif depth is not None and starts and (before[0] in ("STRING", "NUMBER", "DURATION", "BYTES") or before[1] == ")"):
            tokens.insert(i, ["OP", ","])
            found.add("juxtaposed")
            i += 1
        if depth is not None:
            depth += (word == "(") - (word == ")")
            if depth < 0 or kind == "RANGE" or word[0] == "|" and kind == "OP":
                depth = None
        i += 1


def is_ip_at(tokens, i):
    return len(tokens) > i + 3 and tokens[i][1] == "ip" and tokens[i + 1][1] == "(" and tokens[i + 2][0] == "STRING" \
        and tokens[i + 3][1] == ")"


def loosen_ip(tokens, found):
    """ip("x") in a chain of `or` is written "x"; the trees are then compared without it."""
    i = 1
    while i < len(tokens):
        chained = tokens[i - 1][1].lower() == "or" or len(tokens) > i + 4 and tokens[i + 4][1].lower() == "or"
        in_line_filter = tokens[i - 1][1].lower() in ("|=", "!=", "or") and (i < 2 or tokens[i - 2][0] != "IDENT")
        if is_ip_at(tokens, i) and chained and in_line_filter:
            tokens[i:i + 4] = [tokens[i + 2]]
            found.add("ip chain")
        i += 1


def move_unwrap(tokens, found):
    """Drops the parentheses around an unwrap, then puts its offset into the form that exists."""
    for i in range(len(tokens) - 1, 0, -1):
        if tokens[i][0] != "RANGE" or tokens[i - 1][1] != ")":
            continue
        begin = opening(tokens, i - 1)
        inside = [word.lower() for _, word in tokens[begin:i]]
        if begin >= 0 and "unwrap" in inside and inside[1] == "{" and inside.count("{") == 1:
            tokens[begin][1] = tokens[i - 1][1] = ""
            found.add("unwrap in parentheses")
    tokens[:] = [t for t in tokens if t[1]]
    i = 0
    while i < len(tokens):
        if tokens[i][0] == "RANGE" and [t[0] for t in tokens[i + 1:i + 3]] == ["IDENT", "DURATION"]:
            begin = i
            while begin > 0 and tokens[begin][1] != "}":
                begin -= 1
            if "unwrap" in [word.lower() for _, word in tokens[begin:i]]:
                moved = tokens[i:i + 3]
                del tokens[i:i + 3]
                tokens[begin + 1:begin + 1] = moved
                found.add("unwrap and offset")
                i += 2
        i += 1


def opening(tokens, i):
    """Where the parenthesis that closes at i begins; -1 if nowhere."""
    depth = 0
    while i >= 0:
        depth += (tokens[i][1] == ")") - (tokens[i][1] == "(")
        if depth == 0:
            return i
        i -= 1
    return -1
