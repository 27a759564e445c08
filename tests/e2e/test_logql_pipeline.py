# SPDX-License-Identifier: Apache-2.0
"""The pipeline of a log query, row by row of the LogQL facts, section 3."""
import time

from logql_rows import T0, Row, check, filled_with, of_each

JSON_ERR, LOGFMT_ERR, FILTER_ERR, TEMPLATE_ERR = (
    {"__error__": name} for name in ("JSONParserErr", "LogfmtParserErr", "LabelFilterErr", "TemplateFormatErr"))
NO_DETAILS = {"NO_DETAILS": ""}
K = {}  # kept as it was
SM = lambda **labels: labels  # noqa: E731


def both(plain, negated, lines, keeps):
    """The same filter with both signs: `keeps` of the plain one."""
    def outcome(wanted):
        return [K if keep == wanted else None for keep in keeps]
    return [(plain, lines, outcome(True)), (negated, lines, outcome(False))]


def filters(name, pairs):
    return [Row(f"{name} {i}: {query}", lines, "{ROW} " + query, want) for i, (query, lines, want) in enumerate(pairs)]


LABEL_MODEL = [
    Row("3.1 metadata that clashes with a stream label becomes name_extracted", [("x", SM(svc="m", tid="t"))], "{ROW}",
        [{"svc_extracted": "m", "tid": "t"}]),
    Row("3.1 a parsed name that clashes with stream or metadata takes the suffix", [('{"svc":"p","tid":"q"}', SM(tid="t"))],
        "{ROW} | json", [{"svc_extracted": "p", "tid": "t", "tid_extracted": "q"}]),
    Row("3.1 parsed and metadata under one suffix: the parsed value stays", [('{"svc":"p"}', SM(svc="m"))], "{ROW} | json",
        [{"svc_extracted": "p"}]),
    Row("3.1 the suffix is given once and not checked again", ['{"svc":"p","svc_extracted":"q"}'], "{ROW} | json", [{"svc_extracted": "p"}]),
    Row("3.1 a dropped stream label keeps its name", ['{"svc":"p"}'], "{ROW} | drop svc | json", [{"svc": None, "svc_extracted": "p"}]),
    Row("3.1 a renamed stream label keeps its name", ['{"svc":"p"}'], "{ROW} | label_format x=svc | json",
        [{"svc": None, "x": "pay", "svc_extracted": "p"}]),
    Row("3.1 the first extraction wins over a later parser", ['{"a":"1"} a=2'], "{ROW} | json | logfmt", [{"a": "1"}]),
    Row("3.1 the first extraction wins over later duplicate keys", ["a=1 a=2"], "{ROW} | logfmt", [{"a": "1"}]),
    Row("3.1 the first extraction wins even after it was dropped", ['{"a":"1"} a=2'], "{ROW} | json | drop a | logfmt", [K]),
    Row("3.1 label_format is an extraction too", ['{"a":"1"}'], '{ROW} | label_format a="f" | json', [{"a": "f"}]),
    Row("3.1 json with expressions overwrites", ['{"a":"1","b":"2"}'], '{ROW} | json | json a="b"', [{"a": "2", "b": "2"}]),
    Row("3.1 logfmt with expressions overwrites", ["a=1 b=2"], '{ROW} | logfmt | logfmt a="b"', [{"a": "2", "b": "2"}]),
    Row("3.1 label_format overwrites", ["a=1"], '{ROW} | logfmt | label_format a="n"', [{"a": "n"}]),
    Row("3.1 a deleted stream label reads as absent", ["x"], '{ROW} | drop svc | svc=""', [{"svc": None}]),
    Row("3.1 an empty parsed value is a value", ['{"a":""}'], '{ROW} | json | a=""', [{"a": ""}]),
    Row("3.1 an empty metadata value was left out at the push", [("x", SM(m=""))], '{ROW} | m=""', [K]),
    Row("3.1 __error__ is read by string filters", ["x"], '{ROW} | json | __error__="JSONParserErr"', [JSON_ERR]),
    Row("3.1 __error__ is read by templates", ["x"], '{ROW} | json | line_format "{{.__error__}}!"', [("JSONParserErr!", JSON_ERR)]),
    Row("3.1 __error_details__ is read by templates", ["x"], '{ROW} | json | line_format "{{if .__error_details__}}some{{end}}"',
        [("some", JSON_ERR)]),
    Row("3.1 label_format from __error__ is a no-op", ["x"], "{ROW} | json | label_format e=__error__", [JSON_ERR]),
    Row("3.2 stages run from left to right", ["a=1"], '{ROW} | logfmt | line_format "{{.a}}2" |= "12" != "a="', [("12", {"a": "1"})]),
    Row("3.2 errors do not drop lines", ["x", '{"a":"1"}'], "{ROW} | json", [JSON_ERR, {"a": "1"}]),
    Row("3.2 a line filter does not move over line_format", ["abc"], '{ROW} | line_format "xyz" |= "abc"', [None]),
    Row("3.2 a line filter does not move over unpack", ['{"_entry":"in"}'], '{ROW} | unpack |= "_entry"', [None]),
    Row("3.2 a line filter does not move over decolorize", ["a\x1b[1mb"], '{ROW} | decolorize |= "ab"', [("ab", K)]),
]

WORDS = ["an error", "an ERROR", "fine", "", "a\nb"]
LINE_FILTERS = filters("3.3", [
    *both('|= "error"', '!= "error"', WORDS[:4], [True, False, False, False]),
    *both('|~ "err.r"', '!~ "err.r"', WORDS[:4], [True, False, False, False]),
    *both('|~ "(?i)ERR"', '!~ "(?i)ERR"', WORDS[:4], [True, True, False, False]),
    *both('|~ "a.b"', '!~ "a.b"', ["a\nb", "a b"], [False, True]),
    *both('|~ "(?s)a.b"', '!~ "(?s)a.b"', ["a\nb", "a b"], [True, True]),
    *both('|~ "^fine$"', '!~ "^fine$"', ["fine", "fine!"], [True, False]),
    *both('|= ""', '!= ""', ["x", ""], [True, True]),
    *both('|~ ""', '!~ ""', ["x", ""], [True, True]),
    *both('|= "a" or "b"', '!= "a" or "b"', ["a", "b", "c", "ab"], [True, True, False, True]),
    *both('|~ "a+" or "b+"', '!~ "a+" or "b+"', ["aa", "b", "c"], [True, True, False]),
    *both('|> "<_>a" or "<_>b"', '!> "<_>a" or "<_>b"', ["xa", "xb", "xc"], [True, True, False]),
    *both('|= "a" or ip("10.0.0.0/8") or "b"', '!= "a" or ip("10.0.0.0/8") or "b"', ["a", "on 10.1.2.3", "b", "1.2.3.4"], [True, True, True, False]),
    ('|= "a" |= "b" != "c"', ["ab", "abc", "a"], [K, None, None]),
    ('!= "a" != "b"', ["a", "b", "c", "ab"], [None, None, K, None]),
    ('|= "" or "x"', ["y", "x"], [K, K]),  # the plain rule: an operand that matches everything counts
    ('|~ ".+"', ["x", ""], [K, None]),
    ('|= "tab\\there"', ["tab\there", "tab here"], [K, None]),
    ('|~ "a|b|cd"', ["xcdx", "x"], [K, None]),
    ('|~ ".*lit.*"', ["a lit b", "li t"], [K, None]),
    # patterns
    *both('|> ""', '!> ""', ["", "x"], [True, False]),
    *both('|> "abc"', '!> "abc"', ["abc", "xabc", "abcx", "", "xabcabc"], [True, True, False, False, False]),
    *both('|> "<_>abc"', '!> "<_>abc"', ["xabc", "abc", "xabcabc", ""], [True, False, False, False]),
    *both('|> "abc<_>"', '!> "abc<_>"', ["abcx", "abc", "xabcy"], [True, False, True]),
    *both('|> "a<_>b"', '!> "a<_>b"', ["axb", "ab", "axbx", "aab"], [True, False, False, True]),
    *both('|> "<_>"', '!> "<_>"', ["x", ""], [True, False]),
    *both('|> "a<_>b<_>c"', '!> "a<_>b<_>c"', ["axbyc", "axbc", "abyc", "axbycc"], [True, False, False, False]),
])

ADDRESSES = filters("3.3 ip", [
    *both('|= ip("10.0.0.1")', '!= ip("10.0.0.1")',
          ["10.0.0.1", "10.0.0.1:80", "x10.0.0.1y", "10.0.0.2,10.0.0.1", "10.0.0.1.", "10.0.0.1.5", "10.0.0.01", "ab:10.0.0.1", "no address",
           "::ffff:10.0.0.1", "10.0.0.12", ""],
          [True, True, True, True, False, False, False, False, False, False, False, False]),
    *both('|= ip("10.0.0.9/24")', '!= ip("10.0.0.9/24")', ["10.0.0.255", "10.0.1.0"], [True, False]),
    *both('|= ip("10.0.0.5-10.0.0.7")', '!= ip("10.0.0.5-10.0.0.7")', ["10.0.0.5", "10.0.0.7", "10.0.0.8"], [True, True, False]),
    *both('|= ip("::1")', '!= ip("::1")', ["[::1]:80", "::1", "0:0:0:0:0:0:0:1", "::2"], [True, True, True, False]),
    *both('|= ip("2001:db8::/32")', '!= ip("2001:db8::/32")', ["from 2001:DB8::7 to", "2001:db9::1"], [True, False]),
    *both('|= ip("fd00::1-fd00::3")', '!= ip("fd00::1-fd00::3")', ["fd00::2", "fd00::4"], [True, False]),
    ('|~ ip("10.0.0.1")', ["x"], "ip: invalid operation"),
    ('|= ip("10.0.0.1 - 10.0.0.2")', ["x"], 'ip: invalid pattern: "10.0.0.1 - 10.0.0.2"'),
    ('|= ip("10.0.0.2-10.0.0.1")', ["x"], "ip: invalid pattern"),
    ('|= ip("10.0.0.1-::1")', ["x"], "ip: invalid pattern"),
    ('|= ip("10.0.0.256")', ["x"], "ip: invalid pattern"),
    ('|= ip("10.0.0.0/33")', ["x"], "ip: invalid pattern"),
    ('|= ip("")', ["x"], "ip: invalid pattern"),
])

N = ["n=5", "n=7.0", "m=1", "n=x", "n=0x1p3", "n=1_0", "n=Inf", "n=NaN", "n=-1e1", 'n=" 7"', "n="]
n = lambda v, **more: {"n": v, **more}  # noqa: E731
ODD = [n("x", **FILTER_ERR), n(" 7", **FILTER_ERR)]


def numeric(op, keeps):
    """N under `| n op 7`; the two that are no numbers stay with an error, the absent are dropped."""
    texts = ["5", "7.0", None, "x", "0x1p3", "1_0", "Inf", "NaN", "-1e1", " 7", None]
    want = [ODD[0] if t == "x" else ODD[1] if t == " 7" else n(t) if keep else None for t, keep in zip(texts, keeps)]
    return f"| logfmt | n {op} 7", N, want


T, F = True, False
LABEL_FILTERS = filters("3.4", [
    # strings
    ('| logfmt | a="x"', ["a=x", "a=y", "b=x"], [{"a": "x"}, None, None]),
    ('| logfmt | a!="x"', ["a=x", "a=y", "b=x"], [None, {"a": "y"}, {"b": "x"}]),
    ('| logfmt | a=""', ["a=x", "b=x"], [None, {"b": "x"}]),
    ('| logfmt | a=~"x|y"', ["a=x", "a=xy", "b=x"], [{"a": "x"}, None, None]),
    ('| logfmt | a!~"x|y"', ["a=x", "a=xy", "b=x"], [None, {"a": "xy"}, {"b": "x"}]),
    ('| logfmt | a=~"foo.*"', ["a=foobar", "a=xfoo"], [{"a": "foobar"}, None]),
    ('| logfmt | a=~"b|ba|bar"', ["a=ba", "a=xbarx"], [{"a": "ba"}, None]),
    ('| logfmt | a=~""', ["a=x", "b=x"], [None, {"b": "x"}]),
    ('| json | a=~"x.y"', ['{"a":"x\\ny"}', '{"a":"x-y"}'], [None, {"a": "x-y"}]),
    ('| json | a=~"(?s)x.y"', ['{"a":"x\\ny"}'], [{"a": "x\ny"}]),
    # numbers
    numeric("==", [F, T, F, F, F, F, F, F, F, F, F]), numeric("=", [F, T, F, F, F, F, F, F, F, F, F]),
    numeric("!=", [T, F, F, F, T, T, T, T, T, F, F]), numeric(">", [F, F, F, F, T, T, T, F, F, F, F]),
    numeric(">=", [F, T, F, F, T, T, T, F, F, F, F]), numeric("<", [T, F, F, F, F, F, F, F, T, F, F]),
    numeric("<=", [T, T, F, F, F, F, F, F, T, F, F]),
    ('| logfmt | n="7"', ["n=7", "n=7.0"], [n("7"), None]),
    # durations
    ("| logfmt | d > 1s", ["d=1500ms", "d=1s", "e=1", "d=90", "d=0", "d=1d", "d=1h1ns", "d=-5s"],
     [{"d": "1500ms"}, None, None, {"d": "90", **FILTER_ERR}, None, {"d": "1d", **FILTER_ERR}, {"d": "1h1ns"}, None]),
    ("| logfmt | d = 1m1s", ["d=61s", "d=1m1s", "d=1.5m"], [{"d": "61s"}, {"d": "1m1s"}, None]),
    ("| logfmt | d != 1s", ["d=1000ms", "d=2s", "e=1"], [None, {"d": "2s"}, None]),
    ("| logfmt | d <= -1s", ["d=-2s", "d=1s"], [{"d": "-2s"}, None]),
    ("| logfmt | d < 1d", ["d=23h", "d=25h"], [{"d": "23h"}, None]),
    # sizes
    ("| json | b > 1KB", ['{"b":"1,001"}', '{"b":"1 kb"}', '{"c":1}', '{"b":"x"}', '{"b":"1KiB"}', '{"b":"-2KB"}', '{"b":"1eb"}'],
     [{"b": "1,001"}, None, None, {"b": "x", **FILTER_ERR}, {"b": "1KiB"}, {"b": "-2KB", **FILTER_ERR}, {"b": "1eb"}]),
    ("| logfmt | b == 1KiB", ["b=1024", "b=1000", "b=1kib"], [{"b": "1024"}, None, {"b": "1kib"}]),
    ("| logfmt | b = 1B", ["b=1.9b", "b=2"], [{"b": "1.9b"}, None]),
    ("| logfmt | b != 1KB", ["b=1000", "b=2", "c=1"], [None, {"b": "2"}, None]),
    # addresses
    ('| logfmt | a=ip("10.0.0.0/8")', ["a=10.1.2.3", "a=11.1.1.1", "b=1", "a=none", "a=x10.0.0.1:80"],
     [{"a": "10.1.2.3"}, None, None, None, {"a": "x10.0.0.1:80"}]),
    ('| logfmt | a!=ip("10.0.0.0/8")', ["a=10.1.2.3", "a=11.1.1.1", "b=1", "a=none"], [None, {"a": "11.1.1.1"}, None, {"a": "none"}]),
    ('| json | a=ip("10.0.0.0/8")', ["broken"], [JSON_ERR]),
    ('| json | a!=ip("10.0.0.0/8")', ["broken"], [JSON_ERR]),
    # errors
    ('| json | __error__=""', ["broken", '{"a":"1"}'], [None, {"a": "1"}]),
    ('| json | __error__!=""', ["broken", '{"a":"1"}'], [JSON_ERR, None]),
    ('| json | __error__=~"JSON.*"', ["broken", '{"a":"1"}'], [JSON_ERR, None]),
    ('| json | __error_details__=""', ["broken", '{"a":"1"}'], [JSON_ERR, {"a": "1"}]),
    ('| json | __error_details__!=""', ["broken", '{"a":"1"}'], [None, None]),
    ("| json | __error__ > 5", ["broken", '{"a":"1"}'], [None, None]),
    ("| json | __error__ != 5", ["broken", '{"a":"1"}'], [None, None]),
    ("| json | a > 5", ['{"a":"x"'], [{"a": "x", **JSON_ERR}]),  # no error overwrites an earlier one
    # connectives
    ('| logfmt | n > 5 or a="1"', ["n=6", "n=x", "a=1", "n=1 a=1", "n=1 a=2"],
     [n("6"), n("x", **FILTER_ERR), {"a": "1"}, n("1", a="1"), None]),
    ('| logfmt | a="1" or n > 5', ["a=1 n=x", "a=2 n=x", "a=2 n=9", "a=2"],
     [n("x", a="1"), n("x", a="2", **FILTER_ERR), n("9", a="2"), None]),
    ('| logfmt | a="1" and n > 5', ["a=1 n=x", "a=2 n=x", "a=1 n=9", "a=1 n=1", "a=1"],
     [n("x", a="1", **FILTER_ERR), None, n("9", a="1"), None, None]),
    ('| logfmt | a="1", n > 5', ["a=1 n=9", "a=1 n=1"], [n("9", a="1"), None]),
    ('| logfmt | a="1" n > 5', ["a=1 n=9", "a=1 n=1"], [n("9", a="1"), None]),
    ('| logfmt | a="1", b="1" or c="1"', ["a=1 c=1", "b=1", "a=1 b=1", "c=1"], [{"a": "1", "c": "1"}, None, {"a": "1", "b": "1"}, None]),
    ('| logfmt | a="1" or b="1" and c="1"', ["a=1", "b=1", "b=1 c=1"], [{"a": "1"}, None, {"b": "1", "c": "1"}]),
    ('| logfmt | a="1" and b="1" or c="1"', ["a=1", "a=1 b=1", "c=1"], [None, {"a": "1", "b": "1"}, {"c": "1"}]),
    ('| logfmt | (a="1" or b="1") and c="1"', ["a=1", "a=1 c=1"], [None, {"a": "1", "c": "1"}]),
    ('| json | label_format k="new" | k="new"', ['{"k":"old"}'], [{"k": "new"}]),  # left to right
    ('| m="1"', [("x", SM(m="1")), ("y", SM(m="2"))], [{"m": "1"}, None]),
    ('| svc="pay" | svc!~"p.*"', ["x"], [None]),
])

JSON = filters("3.5", [
    ("| json", [r'{"a":"\ud83d\ude00\u00e9\n\"\\\/"}'], [{"a": "\U0001f600\u00e9\n\"\\/"}]),
    ("| json", [r'{"a":"x\q","b":"1"}'], [{"a": "", "b": "1"}]),
    ("| json", ['{"a":"x\ufffdy"}'], [{"a": "x y"}]),
    ("| json", ['{"a":1.50,"b":1e5,"c":12345678901234567890,"d":-0,"e":01}'],
     [{"a": "1.50", "b": "1e5", "c": "12345678901234567890", "d": "-0", "e": "01"}]),
    ("| json", ['{"a":true,"b":false,"c":null}'], [{"a": "true", "b": "false"}]),
    ("| json", ['{"a":[1,{"x":2}],"b":1}'], [{"b": "1"}]),
    ("| json", ['{"a":{"b":{"c":1},"d":"x"},"e":{}}'], [{"a_b_c": "1", "a_d": "x"}]),
    ("| json", ['{" k ":1,"9z":1,"é":2,"a.b-c":3,"a b":4}'], [{"k": "1", "_9z": "1", "_": "2", "a_b_c": "3", "a_b": "4"}]),
    ("| json", ['{"a":{"9z":1}}'], [{"a_9z": "1"}]),
    ("| json", ['{"":1,"n":{"":5}}'], [{"n": "5"}]),
    ("| json", ['{"a.b":1,"a_b":2,"a-b":3}'], [{"a_b": "1"}]),
    ("| json", ['{"a":{"b":1},"a_b":2}'], [{"a_b": "1"}]),
    ("| json", ['  {"a":1} trailing'], [{"a": "1"}]),
    ("| json", ['{"svc":{"x":1},"svc_x":2}'], [{"svc_x": "1"}]),
    ("| json", ["plain", "[1]", '"x"', "5", "", '{"a":1,', '{"a":1,"b":'],
     [JSON_ERR, JSON_ERR, JSON_ERR, JSON_ERR, JSON_ERR, {"a": "1", **JSON_ERR}, {"a": "1", **JSON_ERR}]),
    ('| json a="m.n", b="q", c="m"', ['{"m": {"n": "1"}}'], [{"a": "1", "b": "", "c": '{"n": "1"}'}]),
    ('| json a="l[0]", b="l[1].k", c="l", d="l[9]"', [r'{"l":["x",{"k":true}]}'], [{"a": "x", "b": "true", "c": '["x",{"k":true}]', "d": ""}]),
    (r'| json a="[\"k.k\"]", b="o[\"x y\"]", c="[0]"', ['{"k.k":"1","o":{"x y":"2"}}'], [{"a": "1", "b": "2", "c": ""}]),
    ('| json a="[0]", b="[1].x"', ['["p",{"x":5}]'], [{"a": "p", "b": "5"}]),
    ("| json a", ['{"a":"1","b":"2"}'], [{"a": "1"}]),
    ('| json a=" m . n "', ['{"m":{"n":1}}'], [{"a": "1"}]),
    ('| json a="K"', ['{"k":1,"K":2,"K":3}'], [{"a": "2"}]),
    ('| json a="s", n="z", t="t", f="x"', [r'{"s":"q\"\u00e9","z":null,"t":true,"x":1.50}'], [{"a": 'q"\u00e9', "n": "", "t": "true", "f": "1.50"}]),
    ('| json o="o"', [r'{"o":{"a":"\u00e9"}}'], [{"o": r'{"a":"\u00e9"}'}]),
    ('| json l="l"', [r'{"l":["\u00e9"]}'], [{"l": '["\u00e9"]'}]),
    ('| json svc="a", tid="b"', [('{"a":"1","b":"2"}', SM(tid="t"))], [{"svc_extracted": "1", "tid": "t", "tid_extracted": "2"}]),
    ('| json svc="gone", tid="gone", x="gone"', [('{"a":1}', SM(tid="t"))], [{"tid": "t", "x": ""}]),
    ('| json a="k", b="k"', ['{"k":1}'], [{"a": "1", "b": "1"}]),
    ('| json a="k"', ["plain", ' {"k":1}', "", '{"k":1', "[1]", '"x"'],
     [{**JSON_ERR, **NO_DETAILS}, {**JSON_ERR, **NO_DETAILS}, K, {"a": "1"}, {"a": ""}, {"a": ""}]),
    *[(f"| json a={path!r}".replace("'", "`"), ["{}"], "cannot parse expression") for path in (
        "", ".a", "a..b", "a.", "a.0", 'a.["k"]', "a[-1]", "a[*]", "a[x]", "a[", "$", "$.a", "-", "a b", "0")],
])

LOGFMT = filters("3.6", [
    ("| logfmt", ['a=1\tb=2\x01c=3  d=4'], [{"a": "1", "b": "2", "c": "3", "d": "4"}]),
    ("| logfmt", ["flag a=1 b="], [{"a": "1"}]),
    ("| logfmt", ["=x a=1", 'q"x a=1', "a=b=c d=1", 'a=x"y d=1'], [{"a": "1"}, {"a": "1"}, {"d": "1"}, {"d": "1"}]),
    ("| logfmt", [r'm="a \"b\" \\ \/ \n \t \u00e9" x=1'], [{"m": 'a "b" \\ / \n \t \u00e9', "x": "1"}]),
    ("| logfmt", [r'm="bad \q" x=1', 'm="open x=1'], [{"x": "1"}, K]),
    ("| logfmt", ['g="x"y=2'], [{"g": "x", "y": "2"}]),
    ("| logfmt", ["lvl= lvl=warn lvl=err"], [{"lvl": "warn"}]),
    ("| logfmt", ["k.v=1 9z=2 é=3"], [{"k_v": "1", "_9z": "2", "_": "3"}]),
    ("| logfmt", ["a=x\ufffdy"], [{"a": "x y"}]),
    ("| logfmt", ["plain words only"], [K]),
    ("| logfmt --keep-empty", ['flag a= b="" c=1'], [{"flag": "", "a": "", "b": "", "c": "1"}]),
    ("| logfmt --keep-empty", ["a= a=1"], [{"a": ""}]),
    ("| logfmt --strict", ["a=1 x=y=z b=2", "a=1", '=x', 'a="open'],
     [{"a": "1", **LOGFMT_ERR}, {"a": "1"}, LOGFMT_ERR, LOGFMT_ERR]),
    ("| logfmt --strict --keep-empty", ["a= x=y=z"], [{"a": "", **LOGFMT_ERR}]),
    ('| logfmt --strict | __error_details__="" | line_format "{{.__error_details__}}"', ["a=1 x=y=z"],
     [("logfmt syntax error at pos 8 : unexpected '='", {"a": "1", **LOGFMT_ERR})]),
    ('| logfmt lv="lvl", gone', ["lvl=a lvl=b"], [{"lv": "b", "gone": ""}]),
    ("| logfmt a", ["a=1 b=2"], [{"a": "1"}]),
    ('| logfmt a="k_x"', ["k.x=1"], [{"a": "1"}]),
    ('| logfmt a="b"', ["a=own b=src", "b=src a=own"], [{"a": "src"}, {"a": "own"}]),
    ('| logfmt svc="a", tid="b", svc2="zz"', [("a=1 b=2", SM(tid="t"))], [{"svc_extracted": "1", "tid": "t", "tid_extracted": "2", "svc2": ""}]),
    ('| logfmt svc="zz"', ["a=1"], [K]),
    ('| logfmt --keep-empty a', ["a= b="], [{"a": ""}]),
    ('| logfmt --strict a', ["a=1 x=y=z"], [{"a": "1", **LOGFMT_ERR}]),
    ('| logfmt a="k v"', ["a=1"], "cannot parse expression"),
    ('| logfmt a="a.b"', ["a=1"], "cannot parse expression"),
    ('| logfmt a=""', ["a=1"], "cannot parse expression"),
])

OTHER_PARSERS = filters("3.7", [
    ('| regexp "(?P<a>\\\\w)=(?P<b>\\\\w)?"', ["x a= b=2", "none"], [{"a": "a", "b": ""}, K]),
    ('| regexp "(?P<a>x)|(?P<b>y)"', ["y x"], [{"a": "", "b": "y"}]),
    ('| regexp "(?<a>x)(y)"', ["xy"], [{"a": "x"}]),
    ('| regexp "(?P<svc>x)"', ["x"], [{"svc_extracted": "x"}]),
    ('| regexp "(\\\\w+)"', ["x"], "at least one named capture must be supplied"),
    ('| regexp "(?P<a>x)(?P<a>y)"', ["x"], "duplicate"),
    ('| regexp "(?P<a>x"', ["x"], "error parsing regexp"),
]) + filters("3.8", [
    ('| pattern "<a>-<b>:<c>"', ["x-y", "x-y:z:w", "-:"], [{"a": "x", "b": "y"}, {"a": "x", "b": "y", "c": "z:w"}, {"a": "", "b": "", "c": ""}]),
    ('| pattern "id=<id> <_> ms=<ms>"', ["xid=7 foo ms=12", "id=7 foo ms=12"], [K, {"id": "7", "ms": "12"}]),
    ('| pattern "<a> end"', ["x end of it"], [{"a": "x"}]),
    ('| pattern "<1x><a-b><>:<v>"', ["<1x><a-b><>:7"], [{"v": "7"}]),
    ('| pattern "<_> <a> <_>"', ["p q r"], [{"a": "q"}]),
    ('| pattern "<svc>"', ["x"], [{"svc_extracted": "x"}]),
    ('| pattern ""', ["x"], "invalid pattern parser"),
    ('| pattern "x"', ["x"], "at least one capture is required"),
    ('| pattern "<_>"', ["x"], "at least one capture is required"),
    ('| pattern "<a><b>"', ["x"], "invalid pattern parser"),
    ('| pattern "<a> <a>"', ["x"], "invalid pattern parser"),
]) + filters("3.9", [
    ("| unpack", ['{"pod":"p1","n":5,"_entry":"hello"}'], [("hello", {"pod": "p1"})]),
    ("| unpack", ['{"_entry":"","a":"1"}'], [("", {"a": "1"})]),
    ("| unpack", [r'{"_entry":"a\n\u00e9","k-v":"w","svc":"s"}'], [("a\n\u00e9", {"k_v": "w", "svc_extracted": "s"})]),
    ("| unpack", ['{"a":"1"}', ' {"_entry":"x"}', "plain", "", '{"_entry":"x"'], [K, JSON_ERR, JSON_ERR, K, JSON_ERR]),
    ("| unpack", ['{"o":{"_entry":"in"},"_entry":"out"}'], [("out", K)]),
    ("| unpack | logfmt", ['{"_entry":"a=1"}'], [("a=1", {"a": "1"})]),
]) + filters("3.10", [
    ("| decolorize", ["a\x1b[31mred\x1b[0m b\x9b1mc", "\x1b]0;title\x07x", "\x1b[1;32mx\x1b[K", "plain"],
     [("ared bc", K), ("x", K), ("x", K), K]),
    ("| drop svc", ["x"], [{"svc": None}]),
    ("| logfmt | drop a, b", ["a=1 b=2 c=3"], [{"c": "3"}]),
    ("| drop m", [("x", SM(m="1"))], [K]),
    ('| logfmt | drop a="1"', ["a=1", "a=2"], [K, {"a": "2"}]),
    ('| logfmt | drop a!="1", b=~"x.*", c!~"y"', ["a=1 b=xx c=y", "a=2 b=ax c=z"], [{"a": "1", "c": "y"}, {"b": "ax"}]),
    ('| logfmt | drop zz=""', ["a=1"], [{"a": "1"}]),
    ("| json | drop __error__", ["broken"], [{"__error_details__": "?"}]),
    ("| json | drop __error_details__", ["broken"], [{**JSON_ERR, **NO_DETAILS}]),
    ("| json | drop __error__, __error_details__", ["broken"], [K]),
    ("| logfmt | keep a", ["a=1 b=2"], [{"svc": None, "a": "1"}]),
    ('| logfmt | keep svc, a="1"', ["a=1 b=2", "a=2 b=2"], [{"a": "1"}, K]),
    ("| json | keep svc", ["broken"], [JSON_ERR]),
    ("| keep m", [("x", SM(m="1", k="2"))], [{"svc": None, "m": "1"}]),
])

FORMATTING = filters("3.11", [
    ('| logfmt | line_format "{{.a}}-{{.svc}}-{{.m}}-{{.zz}}"', [("a=1", SM(m="2"))], [("1-pay-2-", {"a": "1", "m": "2"})]),
    ('| line_format "1" | line_format "{{__line__}}2"', ["x"], [("12", K)]),
    ('| line_format "one" | regexp "(?P<a>o.)" | line_format "two" | line_format "three"', ["x"], [("three", {"a": "on"})]),
    ('| line_format "a=1" | logfmt | line_format "b=2" | logfmt | line_format "c=3" | logfmt', ["x"], [("c=3", {"a": "1", "b": "2", "c": "3"})]),
    ('| unpack | line_format "<{{__line__}}>"', ['{"_entry":"in"}'], [("<in>", K)]),
    ('| line_format "{{__timestamp__.Unix}}"', ["x"], [("%d" % (T0 // 10**9 + 1), K)]),
    ('| logfmt | line_format "{{div 1 0}}"', ["a=1"], [{"a": "1", **TEMPLATE_ERR}]),
    ('| logfmt | line_format "{{lt .a 5}}"', ["a=1"], [{"a": "1", **TEMPLATE_ERR}]),
    ('| line_format "{{div 1 0}}" | line_format "{{.__error_details__}}."', ["x"],
     [("template: line:1:2: executing \"line\" at <div 1 0>: error calling div: runtime error: integer divide by zero.", TEMPLATE_ERR)]),
    ('| json | line_format "{{.__error__}}"', ["broken"], [("JSONParserErr", JSON_ERR)]),  # the plain rule
    ('| json | line_format "{{.__error__}} "', ["broken"], [("JSONParserErr ", JSON_ERR)]),
    ("| logfmt | label_format b=a", ["a=1"], [{"b": "1"}]),
    ("| logfmt | label_format b=zz", ["a=1 b=2"], [{"a": "1", "b": "2"}]),
    ("| logfmt | label_format a=a", ["a=1"], [K]),
    ("| label_format a=a | logfmt", [("a=1 b=2", SM(a="m"))], [{"b": "2"}]),  # removed, but its name is taken
    ("| logfmt | label_format a=b,b=a", ["a=1 b=2"], [{"b": "2"}]),
    ('| label_format x=""', ["y"], [{"x": ""}]),
    ('| logfmt | label_format b=a, c="{{.a}}{{.b}}"', ["a=1"], [{"b": "1", "c": "1"}]),
    ('| logfmt | label_format x="{{.a}}", y="{{.x}}{{.a}}"', ["a=1"], [{"a": "1", "x": "1", "y": "1"}]),
    ('| logfmt | label_format x="{{.a}}", b=a, y="{{.b}}"', ["a=1"], [{"x": "1", "b": "1", "y": ""}]),
    ('| logfmt | label_format x="{{div 1 0}}", y="{{.a}}"', ["a=1 x=old"], [{"a": "1", "x": "old", "y": "1", **TEMPLATE_ERR}]),
    ('| label_format svc="{{.svc}}2", old="{{.svc}}"', ["x"], [{"svc": "pay2", "old": "pay"}]),
    ('| label_format a="{{repeat 99999999 `x`}}"', ["y"], [TEMPLATE_ERR]),
    ('| line_format "{{printf `%9999999d` 1}}"', ["y"], [TEMPLATE_ERR]),
    ('| line_format "{{range 999999999}}x{{end}}"', ["y"], [TEMPLATE_ERR]),
    ("| label_format a=b,a=c", ["x"], "multiple label name 'a' not allowed in a single format operation"),
    ('| label_format __error__="x"', ["x"], "parse error"),
    ('| line_format "{{.a"', ["x"], "unclosed action"),
    ('| label_format a="{{nope}}"', ["x"], 'function "nope" not defined'),
])

ERRORS = filters("3.12", [
    ("| json | label_format b=\"{{div 1 0}}\"", ["broken"], [TEMPLATE_ERR]),  # later stages overwrite
    ("| logfmt --strict | json", ["a=b=c"], [JSON_ERR]),
    ("| json | logfmt --strict", ["a=b=c"], [LOGFMT_ERR]),
    ("| json | svc > 5", ["broken"], [JSON_ERR]),  # label filters do not
    ('| __error__="" | json', ["broken"], [JSON_ERR]),
])

# The worked examples of 3.14, in their order.
EXAMPLES = filters("3.14", [
    ("| json", [('{"svc":"x","tid":"y","a":{"b":[1],"c":null,"d":false},"9z":1e3}', SM(tid="t9"))],
     [{"svc_extracted": "x", "tid_extracted": "y", "a_d": "false", "_9z": "1e3", "tid": "t9"}]),
    ("| logfmt", [r'lvl= lvl=warn lvl=err k.v=1 flag msg="a \"b\"" x=y=z w=1'], [{"lvl": "warn", "k_v": "1", "msg": 'a "b"', "w": "1"}]),
    ("| logfmt --keep-empty", [r'lvl= lvl=warn lvl=err k.v=1 flag msg="a \"b\"" x=y=z w=1'],
     [{"lvl": "", "k_v": "1", "flag": "", "msg": 'a "b"', "w": "1"}]),
    ("| logfmt --strict", ["lvl=warn x=y=z w=1"], [{"lvl": "warn", **LOGFMT_ERR}]),
    ('| regexp "(?P<k>\\\\w+)=(?P<v>\\\\w+)?"', ["a= b=2"], [{"k": "a", "v": ""}]),
    ("| logfmt | n > 5", ["n=x", "m=1"], [{"n": "x", **FILTER_ERR}, None]),
    ("| drop svc | json", ['{"svc":"n"}'], [{"svc": None, "svc_extracted": "n"}]),
    ("| drop tid | json", [('{"tid":"n"}', SM(tid="t"))], [{"tid": "n"}]),
    ('|> "<_> took <_>ms"', ["call took 12ms", "took 12ms", "call took 12ms!"], [K, None, None]),
])

STRINGS = filters("1.2", [
    (r'|= "\a\b\f\v\r\n\t\\\"\101\x41\u00e9\U0001F600"', ["\a\b\f\v\r\n\t\\\"AA\u00e9\U0001f600", "x"], [K, None]),
    ("|= `\\n`", ["a\\nb", "a\nb"], [K, None]),
    ("|= `a\nb`", ["a\nb", "a b"], [K, None]),
    (r'|= "\xff"', ["\u00ff"], [None]),
    (r'|= "\xc3\xbf"', ["\u00ff"], [K]),
])

ROWS = (LABEL_MODEL + LINE_FILTERS + ADDRESSES + LABEL_FILTERS + JSON + LOGFMT + OTHER_PARSERS + FORMATTING + ERRORS + EXAMPLES + STRINGS)
filled = filled_with(ROWS)


@of_each(ROWS)
def test_a_row_of_the_pipeline(filled, n):
    check(filled, n, ROWS[n])


def test_the_rows_lie_in_the_past():
    assert T0 + 3600 * 10**9 < time.time_ns()
