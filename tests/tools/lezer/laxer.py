# SPDX-License-Identifier: Apache-2.0
"""What Grafana's grammar for highlighting lets pass and the language does not.

A rule is a reason and the error of ours that it explains: each error says why a query is refused,
and the rules are as narrow as those texts.  Numbers are sections of the language's description."""
import re

RULES = [
    ("it does not compile regexes (1.8, 2.4)", r"parse error : (invalid regexp parser: |invalid regex in label_replace: )?error parsing regexp: "),
    ("it does not look into patterns and captures (2.4)", r"parse error : invalid (regexp|pattern) parser: (?!error parsing)"),
    ("it does not build stages (2.4)", r"parse error : stage '"),
    ("it lets a literal stand in a set operation (2.4)", r"parse error : unexpected literal for (left|right) leg of logical/set binary operation"),
    ("it takes a log selector as operand (2.1)", r"parse error : unexpected type for (left|right) leg of binary operation"),
    ("it reads no values, so none is out of range (1.5)", r"parse error : .*strconv.ParseFloat: .*value out of range"),
    ("it takes hexadecimal integers (1.5)", r"parse error : unable to parse literal as a float: .*0x\w+"),
    ("it does not know who takes a parameter (2.4)",
     r"parse error : (parameter (required|\S+ not supported) for operation|unsupported parameter|invalid parameter)"),
    ("it does not know who unwraps (2.4)", r"parse error : invalid aggregation \w+ with(out)? unwrap"),
    ("it does not know who groups (2.4)", r"parse error : (grouping not allowed for|sort and sort_desc doesn't allow grouping)"),
    ("it does not ask for a matcher that is not empty (1.8)", r"parse error : queries require at least one"),
    ("it takes reserved words in the lists of on, ignoring and group_* (1.3)",
     r".*: syntax error: unexpected [a-z_]+, expecting IDENTIFIER( or \))?$"),
    ("it takes some reserved words as names (1.3)", r".*: syntax error: unexpected (by|without|and|or|unless)\b"),
    ("it takes a comma at the end of the lists of on, ignoring and group_* (2.1)", r".*: syntax error: unexpected \), expecting IDENTIFIER$"),
    ("it sees characters, and a bad byte is one (1.1)", r".*: invalid UTF-8 encoding$"),
    ("it takes NUL in strings and comments (1.1)", r".*: invalid character NUL$"),
    ("it takes any escape (1.2)", r".*: invalid char escape$"),
    ("it takes decimal numbers that begin as octal ones (1.5)", r".*: invalid digit '[89]' in octal literal$"),
    ("it takes fractions, signs and Go's units in a range (1.6)", r".*: (not a valid duration string: |unknown unit )"),
]
OTHER_BLANK = "it takes other blanks than the four (1.1)"
FLAG_END = "it ends a flag where it knows one, in the middle of a word too (2.1 parser)"
FUNCTION_COMMENT = "it sees a function where a comment hides the parenthesis (1.3)"
COMMENT_AFTER_WORD = re.compile(r"\w\s*((#|//)[^\n]*\n|/\*.*?\*/)(\s*((#|//)[^\n]*\n|/\*.*?\*/))*\s*$", re.S)
REASONS = [*(why for why, _ in RULES), OTHER_BLANK, FLAG_END, FUNCTION_COMMENT]



def reason(error, query):
    for why, pattern in RULES:
        if re.match(pattern, error):
            return why
    at = re.match(r"parse error at line (\d+), col (\d+): syntax error: unexpected (?:IDENTIFIER|keep|-|\()", error)
    before, rest = split_at(query.lstrip("\ufeff"), *map(int, at.groups())) if at else ("", "")
    if re.match(r"(?i)\w*[ \t\r\n]*(by|without)?[ \t\r\n]*[\v\f\x85\xa0\ufeff]", rest):
        return OTHER_BLANK
    if re.match(r"-{0,2}(strict|keep-empty)[a-z]", rest):
        return FLAG_END
    if re.match(r"(?i)\w+[ \t\r\n]*(by|without)?[ \t\r\n]*(#|/[/*])", rest) or rest[:1] == "(" and COMMENT_AFTER_WORD.search(before):
        return FUNCTION_COMMENT
    return None


def split_at(query, line, col):
    """At the place that an error names."""
    lines = query.split("\n")
    at = sum(len(text) + 1 for text in lines[:line - 1]) + col - 1
    return query[:at], query[at:]
