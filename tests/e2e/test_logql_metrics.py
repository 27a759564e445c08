# SPDX-License-Identifier: Apache-2.0
"""Metric queries, row by row of the LogQL facts, section 4, with the errors of 3.12 that fail them."""
import pytest

from logql_rows import NS, T0, Row, check, filled_with, of_each

NAN, INF = float("nan"), float("inf")


def of(*values, label="pay", field="v"):
    """Entries each 10 s with field=value."""
    return [({"svc": label}, [((i + 1) * 10, f"{field}={v}") for i, v in enumerate(values)])]


TEN = [({"svc": "pay"}, [(10, "a"), (20, "bb"), (30, "ccc"), (40, "dddd")])]
A_B = [({"t": "a", "e": "p", "pod": "1"}, [(10, "v=2")]), ({"t": "a", "e": "p", "pod": "2"}, [(10, "v=6")]),
       ({"t": "b", "e": "p", "svc": "b"}, [(10, "v=4")])]
A = 'sum by (e,pod) (sum_over_time({ROW,t="a"} | logfmt | unwrap v [1m]))'
B = 'sum by (e) (sum_over_time({ROW,t="b"} | logfmt | unwrap v [1m]))'
THREE = [({"g": "x", "pod": "1"}, [(10, "v=1")]), ({"g": "x", "pod": "2"}, [(10, "v=5")]), ({"g": "y", "pod": "3"}, [(10, "v=3")])]
V = "sum by (g,pod) (sum_over_time({ROW} | logfmt | unwrap v [1m]))"
BROKEN = [({"svc": "pay"}, [(10, '{"a":"1","n":1}'), (20, "broken"), (30, '{"a":"1","n":2}')])]
at = lambda name, data, query, want, t=60, **how: Row(name, data, query, want, at=t, **how)  # noqa: E731


def unwrapped(function, values, want, q=""):
    return at(f"4.3 {function} of {values}", of(*values), f"{function}({q}{{ROW}} | logfmt | unwrap v [1m])", {'svc="pay"': want})


MODEL = [
    at("4.1 the window is open on the left and closed on the right", TEN, "count_over_time({ROW}[20s])", {'svc="pay"': 2}, 40),
    at("4.1 offset moves the window back", TEN, "count_over_time({ROW}[20s] offset 20s)", {'svc="pay"': 2}, 40),
    at("4.1 a negative offset looks forward", TEN, "count_over_time({ROW}[20s] offset -20s)", {'svc="pay"': 2}, 20),
    at("4.1 nanoseconds decide", [({"svc": "pay"}, [(10, "a"), (20.000000001, "b")])], "count_over_time({ROW}[10s])", {}, 20),
    Row("4.1 steps from start to end, both included", TEN, "count_over_time({ROW}[20s])", {'svc="pay"': {20: 2, 40: 2}}, over=(0, 60, 20)),
    Row("4.1 start goes down and end up to a multiple of the step", TEN, "count_over_time({ROW}[20s])", {'svc="pay"': {20: 2, 40: 2}}, over=(7, 55, 20)),
    Row("4.1 no sample, no point", TEN, "count_over_time({ROW}[5s])", {'svc="pay"': {10: 1, 20: 1, 30: 1, 40: 1}}, over=(0, 60, 5)),
    at("4.1 identity holds metadata and parsed labels", [({"svc": "pay"}, [(10, "a=1", {"m": "x"}), (20, "a=2", {"m": "x"}), (30, "a=1")])],
       "count_over_time({ROW} | logfmt [1m])",
       {'a="1", m="x", svc="pay"': 1, 'a="2", m="x", svc="pay"': 1, 'a="1", svc="pay"': 1}),
    at("4.1 an empty parsed label is part of it", [({"svc": "pay"}, [(10, "a="), (20, "b=1")])], "count_over_time({ROW} | logfmt --keep-empty | keep a, row [1m])",
       {'a=""': 1, "": 1}),
    at("4.1 a literal is a scalar", [], "1.5", 1.5),
    Row("4.1 a literal over a range is one series without labels", [], "2", {"": {0: 2, 60: 2, 120: 2}}, over=(0, 120, 60)),
    at("4.1 vector is a sample without labels", [], "vector(7)", {"": 7}),
    at("4.1 an empty result is an empty list", TEN, 'count_over_time({ROW} |= "none" [1m])', {}),
    Row("4.1 steps over 11,000 are refused", TEN, "count_over_time({ROW}[20s])", "exceeded maximum resolution", over=(0, 22002, 2)),
]

EXTRACTION = [
    at("4.2 bytes are those of the line after the pipeline", TEN, 'bytes_over_time({ROW} | line_format "12345" [1m])', {'svc="pay"': 20}),
    at("4.2 bytes do not count metadata", [({"svc": "pay"}, [(10, "abc", {"m": "xxxx"})])], "bytes_over_time({ROW}[1m])", {'m="xxxx", svc="pay"': 3}),
    at("4.2 bytes, not characters", [({"svc": "pay"}, [(10, "\u00e9\u00e9")])], "bytes_over_time({ROW}[1m])", {'svc="pay"': 4}),
    at("4.2 unwrap of a plain number", of("0x1p3", "1e1", "-2", "1_0"), "sum_over_time({ROW} | logfmt | unwrap v [1m])", {'svc="pay"': 26}),
    at("4.2 unwrap duration gives seconds", of("1m1.5s", "500ms"), "sum_over_time({ROW} | logfmt | unwrap duration(v) [1m])", {'svc="pay"': 62}),
    at("4.2 unwrap duration_seconds is the same", of("1m1.5s", "500ms"), "sum_over_time({ROW} | logfmt | unwrap duration_seconds(v) [1m])", {'svc="pay"': 62}),
    at("4.2 unwrap bytes", of("1KiB", "2kb", "1,5"), "sum_over_time({ROW} | logfmt | unwrap bytes(v) [1m])", {'svc="pay"': 3039}),
    at("4.2 unwrap of metadata", [({"svc": "pay"}, [(10, "x", {"n": "4"}), (20, "x", {"n": "5"})])], "sum_over_time({ROW} | unwrap n [1m])", {'svc="pay"': 9}),
    at("4.2 unwrap of a stream label", [({"svc": "pay", "n": "4"}, [(10, "x"), (20, "y")])], "sum_over_time({ROW} | unwrap n [1m])", {'svc="pay"': 8}),
    at("4.2 filters behind unwrap", of("1", "x", "3"), 'sum_over_time({ROW} | logfmt | unwrap v | __error__="" [1m])', {'svc="pay"': 4}),
    at("4.2 by keeps exactly the listed labels present, the unwrapped one too", [({"svc": "pay"}, [(10, "v=3 a=1"), (20, "v=3 b=2")])],
       "avg_over_time({ROW} | logfmt | unwrap v [1m]) by (v,a,zz)", {'a="1", v="3"': 3, 'v="3"': 3}),
    at("4.2 by () gives one series", [({"svc": "pay"}, [(10, "v=3 a=1"), (20, "v=5 a=2")])], "avg_over_time({ROW} | logfmt | unwrap v [1m]) by ()", {"": 4}),
    at("4.2 without takes away", [({"svc": "pay"}, [(10, "v=3 a=1"), (20, "v=5 a=2")])], "max_over_time({ROW} | logfmt | unwrap v [1m]) without (a)", {'svc="pay"': 5}),
    at("4.2 without () keeps all but the unwrapped one", [({"svc": "pay"}, [(10, "v=3 a=1"), (20, "v=5 a=2")])],
       "max_over_time({ROW} | logfmt | unwrap v [1m]) without ()", {'a="1", svc="pay"': 3, 'a="2", svc="pay"': 5}),
    at("4.2 a sum outside gives the same", [({"svc": "pay"}, [(10, "v=3 a=1"), (20, "v=5 a=2"), (30, "v=1 a=1")])],
       "sum by (a) (sum_over_time({ROW} | logfmt | unwrap v [1m]))", {'a="1"': 4, 'a="2"': 5}),
    at("4.2 a number out of range is an error", of("1e999"), "sum_over_time({ROW} | logfmt | unwrap v [1m])", "pipeline error: 'SampleExtractionErr'"),
]

FUNCTIONS = [
    at("4.3 count_over_time counts", TEN, "count_over_time({ROW}[1m])", {'svc="pay"': 4}),
    at("4.3 rate divides by the range", TEN, "rate({ROW}[20s])", {'svc="pay"': .1}, 40),
    at("4.3 rate of unwrapped samples has no counter logic", of(3, 7), "rate({ROW} | logfmt | unwrap v [10s])", {'svc="pay"': .7}, 20),
    at("4.3 bytes_over_time adds", TEN, "bytes_over_time({ROW}[1m])", {'svc="pay"': 10}),
    at("4.3 bytes_rate divides", TEN, "bytes_rate({ROW}[1m])", {'svc="pay"': 10 / 60}),
    unwrapped("sum_over_time", [1, 2.5], 3.5), unwrapped("sum_over_time", ["Inf", "-Inf"], NAN),
    unwrapped("avg_over_time", [1, 2, 6], 3), unwrapped("avg_over_time", ["Inf", 1], INF), unwrapped("avg_over_time", ["Inf", "-Inf"], NAN),
    unwrapped("avg_over_time", [1, "NaN"], NAN), unwrapped("avg_over_time", ["-Inf", 1], -INF),
    unwrapped("min_over_time", [3, "NaN", 2], 2), unwrapped("max_over_time", ["NaN", 3, 2], 3),
    unwrapped("min_over_time", ["NaN", "NaN"], NAN), unwrapped("max_over_time", ["NaN"], NAN),
    unwrapped("stdvar_over_time", [2, 4], 1), unwrapped("stddev_over_time", [2, 4], 1), unwrapped("stddev_over_time", [1, 2, 6], (14 / 3) ** .5),
    unwrapped("stdvar_over_time", [5], 0),
    unwrapped("quantile_over_time", [4, 1, 3, 2], 3.7, "0.9,"), unwrapped("quantile_over_time", [4, 1, 3], 3, "0.5,"),
    unwrapped("quantile_over_time", ["NaN", 1, 3], NAN, "0,"), unwrapped("quantile_over_time", [3, "NaN"], 3, "1,"),
    unwrapped("quantile_over_time", [7], INF, "1.5,"),
    unwrapped("first_over_time", ["NaN", 2], NAN), unwrapped("last_over_time", [1, "NaN"], NAN), unwrapped("first_over_time", [5, 2], 5),
    unwrapped("last_over_time", [5, 2], 2),
    unwrapped("rate_counter", [7], 0),
    at("4.9 rate_counter of 10, 30 and 5", of(10, 30, 5), "rate_counter({ROW} | logfmt | unwrap v [30s])", {'svc="pay"': 25 * 28 / 20 / 30}, 30),
    at("4.3 rate_counter far from the ends of the window adds half a step", of(0, 10, 20), "rate_counter({ROW} | logfmt | unwrap v [100s])",
       {'svc="pay"': 20 * (20 + 0 + 5) / 20 / 100}, 60),
    at("4.3 rate_counter that does not rise is not drawn to zero", of(5, 5), "rate_counter({ROW} | logfmt | unwrap v [1m])", {'svc="pay"': 0}, 20),
]

ABSENT = [
    at("4.4 nothing where there are entries", TEN, "absent_over_time({ROW}[1m])", {}),
    at("4.4 one where there are none", TEN, 'absent_over_time({ROW,svc="pay"}[1m])', {'svc="pay"': 1}, 300),
    at("4.4 labels come from equalities only", TEN, 'absent_over_time({ROW,svc="none",env=~".+",a!="x"} | logfmt | b="1" [1m])', {'svc="none"': 1}),
    at("4.4 a name matched twice is left out", TEN, 'absent_over_time({ROW,svc="none",svc!="x",a="1",b="1",b="1"}[1m])', {'a="1"': 1}),
    at("4.4 lines that the pipeline drops are absent", TEN, 'absent_over_time({ROW} |= "none" [1m])', {"": 1}),
    at("4.4 over all series", THREE, 'absent_over_time({ROW}[1m])', {}),
    Row("4.4 at every step", TEN, "absent_over_time({ROW}[20s])", {"": {0: 1, 60: 1}}, over=(0, 60, 20)),
]

VECTOR = [
    at("4.5 sum", THREE, f"sum({V})", {"": 9}), at("4.5 count", THREE, f"count({V})", {"": 3}), at("4.5 avg", THREE, f"avg({V})", {"": 3}),
    at("4.5 min", THREE, f"min({V})", {"": 1}), at("4.5 max", THREE, f"max({V})", {"": 5}),
    at("4.5 stdvar is of the population", THREE, f"stdvar({V})", {"": 8 / 3}), at("4.5 stddev", THREE, f"stddev({V})", {"": (8 / 3) ** .5}),
    at("4.5 by keeps the listed labels that are there", THREE, f"sum by (g,zz) ({V})", {'g="x"': 6, 'g="y"': 3}),
    at("4.5 without takes away", THREE, f"sum without (pod) ({V})", {'g="x"': 6, 'g="y"': 3}),
    at("4.5 by () is no clause", THREE, f"sum by () ({V})", {"": 9}),
    at("4.5 NaN gives way in min", of("NaN", 1, label="a") + of(2, label="b"), "min(last_over_time({ROW} | logfmt | unwrap v [15s] offset 50s))",
       {"": 2}),
    at("4.5 min of NaN and a number", of("NaN", label="a") + of(2, label="b"), "min(sum_over_time({ROW} | logfmt | unwrap v [1m]))", {"": 2}),
    at("4.5 max of NaN and a number", of("NaN", label="a") + of(2, label="b"), "max(sum_over_time({ROW} | logfmt | unwrap v [1m]))", {"": 2}),
    at("4.5 avg with infinities", of("Inf", label="a") + of("2", label="b"), "avg(sum_over_time({ROW} | logfmt | unwrap v [1m]))", {"": INF}),
    at("4.5 topk keeps labels", THREE, f"topk(2, {V})", {'g="x", pod="2"': 5, 'g="y", pod="3"': 3}),
    at("4.5 topk per group", THREE, f"topk by (g) (1, {V})", {'g="x", pod="2"': 5, 'g="y", pod="3"': 3}),
    at("4.5 bottomk", THREE, f"bottomk(1, {V})", {'g="x", pod="1"': 1}),
    at("4.5 topk: a tie is the first by label", [({"pod": str(i)}, [(10, "v=1")]) for i in (3, 1, 2)],
       "topk(1, sum by (pod) (sum_over_time({ROW} | logfmt | unwrap v [1m])))", {'pod="1"': 1}),
    at("4.5 topk: NaN loses", of("NaN", label="a") + of(-5, label="b"), "topk(1, sum_over_time({ROW} | logfmt | unwrap v [1m]))", {'svc="b"': -5}),
    Row("4.5 topk per step", [({"pod": "1"}, [(10, "v=1"), (70, "v=9")]), ({"pod": "2"}, [(10, "v=5"), (70, "v=2")])],
        "topk(1, sum by (pod) (sum_over_time({ROW} | logfmt | unwrap v [1m])))", {'pod="2"': {60: 5}, 'pod="1"': {120: 9}}, over=(60, 120, 60)),
    at("4.5 approx_topk is exact", THREE, f"approx_topk(2, {V})", {'g="x", pod="2"': 5, 'g="y", pod="3"': 3}),
    Row("4.5 approx_topk only at an instant", THREE, f"approx_topk(2, {V})", "count min sketches are only supported on instant queries", over=(0, 60, 60)),
    at("4.5 sort", THREE, f"sort({V})", {'g="x", pod="1"': 1, 'g="y", pod="3"': 3, 'g="x", pod="2"': 5}, ordered=True),
    at("4.5 sort_desc", THREE, f"sort_desc({V})", {'g="x", pod="2"': 5, 'g="y", pod="3"': 3, 'g="x", pod="1"': 1}, ordered=True),
    at("4.5 sort stays sorted through an operator", THREE, f"sort({V}) + 1", {'g="x", pod="1"': 2, 'g="y", pod="3"': 4, 'g="x", pod="2"': 6}, ordered=True),
    at("4.5 without sort by label", THREE, V, {'g="x", pod="1"': 1, 'g="x", pod="2"': 5, 'g="y", pod="3"': 3}, ordered=True),
    at("4.5 NaN goes last in sort", of("NaN", label="a") + of(2, label="b"), "sort(sum_over_time({ROW} | logfmt | unwrap v [1m]))",
       {'svc="b"': 2, 'svc="a"': NAN}, ordered=True),
    at("4.5 NaN goes last in sort_desc", of("NaN", label="a") + of(2, label="b"), "sort_desc(sum_over_time({ROW} | logfmt | unwrap v [1m]))",
       {'svc="b"': 2, 'svc="a"': NAN}, ordered=True),
    Row("4.5 sort has no effect over a range", THREE, f"sort_desc({V})",
        {'g="x", pod="1"': {60: 1}, 'g="x", pod="2"': {60: 5}, 'g="y", pod="3"': {60: 3}}, over=(60, 60, 60), ordered=True),
]


def scalars(pairs):
    return [at(f"4.6 {query}", [], query, want) for query, want in pairs]


def on_a_b(pairs):
    return [at(f"4.6 {query}", A_B, query.replace("A", A).replace("B", B), want) for query, want in pairs]


P1, P2 = 'e="p", pod="1"', 'e="p", pod="2"'
BINARY = scalars([
    ("1 + 2 * 3 ^ 2 % 5", 1 + 2 * 9 % 5), ("7 % 4", 3), ("-7 % 4", -3), ("1 / 0", NAN), ("0 / 0", NAN), ("-1 / 0", NAN), ("1 % 0", NAN),
    ("2 ^ 0.5", 2 ** .5), ("1 > 2", 0), ("2 > bool 1", 1), ("1 == 1", 1), ("1 != 1", 0), ("2 >= 2", 1), ("2 <= 1", 0), ("1 < 2", 1),
]) + on_a_b([
    ("A + 1", {P1: 3, P2: 7}), ("1 - A", {P1: -1, P2: -5}), ("A / 0", {P1: NAN, P2: NAN}), ("A % 0", {P1: NAN, P2: NAN}),
    ("0 / (A - A)", {P1: NAN, P2: NAN}), ("A % 4", {P1: 2, P2: 2}), ("2 ^ A", {P1: 4, P2: 64}), ("(A / 0) ^ 0", {P1: 1, P2: 1}),
    ("A > 3", {P2: 6}), ("A > bool 3", {P1: 0, P2: 1}), ("3 < A", {P2: 6}), ("3 < bool A", {P1: 0, P2: 1}), ("A == 2", {P1: 2}),
    ("A != 2", {P2: 6}), ("A >= 2", {P1: 2, P2: 6}), ("A <= 2", {P1: 2}), ("(A / 0) == (A / 0)", {}), ("(A / 0) != 1", {P1: NAN, P2: NAN}),
    ("(A / 0) != bool 1", {P1: 1, P2: 1}), ("(A / 0) > bool 1", {P1: 0, P2: 0}),
    ("A + A", {P1: 4, P2: 12}), ("A / on(e) B", "many-to-one matching must be explicit"),
    ("B / on(e) A", "found duplicate series on the right hand-side"), ("A / on(e) group_left B", {P1: .5, P2: 1.5}),
    ("B / on(e) group_right A", {P1: 2, P2: 4 / 6}), ("A > on(e) group_left B", {P2: 6}), ("A > bool on(e) group_left B", {P1: 0, P2: 1}),
    ("B < on(e) group_right A", {P2: 4}), ("A / on(e) group_right A", "found duplicate series on the left hand-side"),
    ("A + ignoring(pod) group_left B", {P1: 6, P2: 10}), ("(A > 3) + on(e) B", {'e="p"': 10}), ("(A > 3) + ignoring(pod) B", {'e="p"': 10}),
    ("A + on(e) group_left(pod) B", "grouping labels must ensure unique matches"), ("(A > 3) + on(e) group_left(pod) B", {'e="p"': 10}),
    ("A + B", {}), ("A > on(e) B", "many-to-one matching must be explicit"),
    ("A and on(e) B", {P1: 2, P2: 6}), ("A and B", {}), ("A and on() B", {P1: 2, P2: 6}), ("A unless on(e) B", {}), ("A unless (A > 3)", {P1: 2}),
    ("(A > 3) or A", {P1: 2, P2: 6}), ("A or B", {P1: 2, P2: 6, 'e="p"': 4}), ("A or on(e) B", {P1: 2, P2: 6}), ("A and ignoring(pod) B", {P1: 2, P2: 6}),
    ("sum(A) or vector(0)", {"": 8}), ('sum(A > 100) or vector(0)', {"": 0}), ("A + bool A", {P1: 4, P2: 12}),
]) + [
    at("4.6 group_left copies a label of the one side",
       [({"t": "a", "e": "p", "pod": "1"}, [(10, "v=2")]), ({"t": "b", "e": "p", "team": "red"}, [(10, "v=4")])],
       f"{A} * on(e) group_left(team) " + 'sum by (e,team) (sum_over_time({ROW,t="b"} | logfmt | unwrap v [1m]))', {'e="p", pod="1", team="red"': 8}),
    Row("4.6 or vector fills the steps without data", TEN, "sum(count_over_time({ROW}[20s])) or vector(0)", {"": {0: 0, 20: 2, 40: 2, 60: 0}}, over=(0, 60, 20)),
    at("2.4 a literal alone is no vector for sum", [], "sum(5)", "a number is no vector"),
]


def replaced(pairs):
    return [at(f"4.7 {args}", TEN, "label_replace(count_over_time({ROW}[1m]), %s)" % args, want) for args, want in pairs]


REPLACE = replaced([
    ('"x", "$1-${1}", "svc", "(p)ay"', {'svc="pay", x="p-p"': 4}), ('"x", "${n}", "svc", "(?P<n>pa).*"', {'svc="pay", x="pa"': 4}),
    ('"x", "$$", "svc", ".*"', {'svc="pay", x="$"': 4}), ('"x", "v", "svc", "pa"', {'svc="pay"': 4}), ('"x", "v", "zz", ""', {'svc="pay", x="v"': 4}),
    ('"svc", "", "svc", ".*"', {"": 4}), ('"svc", "$2", "svc", "(.*)"', {"": 4}), ('"svc", "new", "svc", "pay"', {'svc="new"': 4}),
    ('"x y", "v", "svc", "pay"', {'svc="pay", x y="v"': 4}),
])

C = "count_over_time({ROW} | json [1m])"
ERRORS = [
    at("3.12 a sample with an error fails the query", BROKEN, C, "pipeline error: 'JSONParserErr' for series:"),
    at("3.12 the hint is given", BROKEN, C, "__error__="),
    at("3.12 lines outside of the window do no harm", BROKEN, C, {'a="1", n="1", svc="pay"': 1}, 15),
    at("3.12 filtered errors do no harm", BROKEN, 'count_over_time({ROW} | json | __error__="" [1m])', {'a="1", n="1", svc="pay"': 1, 'a="1", n="2", svc="pay"': 1}),
    at("3.12 dropped errors do no harm", BROKEN, "sum(count_over_time({ROW} | json | drop __error__ [1m]))", {"": 3}),
    at("3.12 nobody needs the parser", BROKEN, "sum(count_over_time({ROW} | json [1m]))", {"": 3}),
    at("3.12 a needed label shows the error", BROKEN, "sum by (a) (count_over_time({ROW} | json [1m]))", "pipeline error: 'JSONParserErr'"),
    at("3.12 parsing stops when the needed labels are found", [({"svc": "pay"}, [(10, '{"a":"1","b":')])], "sum by (a) (count_over_time({ROW} | json [1m]))", {'a="1"': 1}),
    at("3.12 without parses all", BROKEN, "sum without (a) (count_over_time({ROW} | json [1m]))", "pipeline error: 'JSONParserErr'"),
    at("3.12 other aggregations parse all", BROKEN, "max(count_over_time({ROW} | json [1m]))", "pipeline error: 'JSONParserErr'"),
    at("3.12 absent_over_time needs no parser", BROKEN, "absent_over_time({ROW} | json [1m])", {}),
    at("3.12 grouped by __error__ it is a label", BROKEN, "sum by (__error__) (count_over_time({ROW} | json [1m]))", {"": 2, '__error__="JSONParserErr"': 1}),
    at("3.12 filtered on, it is not fatal under sum", BROKEN, 'sum(count_over_time({ROW} | json | __error__!="" [1m]))', {"": 1}),
    at("3.12 without the sum it is", BROKEN, 'count_over_time({ROW} | json | __error__!="" [1m])', "pipeline error: 'JSONParserErr'"),
    at("3.12 the other kinds stay fatal", of("x"), 'sum(count_over_time({ROW} | logfmt | v > 5 | __error__!="" [1m]))', "pipeline error: 'LabelFilterErr'"),
    at("3.12 templates that fail are fatal", TEN, 'count_over_time({ROW} | line_format "{{div 1 0}}" [1m])', "pipeline error: 'TemplateFormatErr'"),
    at("3.12 an unwrap that fails is fatal", of("x"), "sum_over_time({ROW} | logfmt | unwrap v [1m])", "pipeline error: 'SampleExtractionErr'"),
    at("3.12 a missing or empty unwrap label is skipped", [({"svc": "pay"}, [(10, "v=1"), (20, "w=1"), (30, "v=")])],
       "sum_over_time({ROW} | logfmt --keep-empty | keep v, svc | unwrap v [1m])", {'svc="pay"': 1}),
    at("3.12 logfmt --strict fails the query", [({"svc": "pay"}, [(10, "a=b=c")])], "count_over_time({ROW} | logfmt --strict [1m])", "pipeline error: 'LogfmtParserErr'"),
    at("3.12 unpack replaces the line for bytes", [({"svc": "pay"}, [(10, '{"_entry":"abc"}')])], "sum(bytes_over_time({ROW} | unpack [1m]))", {"": 3}),
    at("3.13 metadata splits series", [({"svc": "pay"}, [(10, "a", {"m": "1"}), (20, "b", {"m": "2"})])], "count_over_time({ROW}[1m])",
       {'m="1", svc="pay"': 1, 'm="2", svc="pay"': 1}),
    at("3.13 metadata is grouped by", [({"svc": "pay"}, [(10, "a", {"m": "1"}), (20, "b", {"m": "2"}), (30, "c", {"m": "1"})])],
       "sum by (m) (count_over_time({ROW}[1m]))", {'m="1"': 2, 'm="2"': 1}),
]

EXAMPLES = [
    Row("4.9 points of a range query", TEN, "count_over_time({ROW}[20s])", {'svc="pay"': {20: 2, 40: 2}}, over=(0, 60, 20)),
    at("4.9 rate", TEN, "rate({ROW}[20s])", {'svc="pay"': .1}, 40),
    at("4.9 rate of 3 and 7", [({"svc": "pay"}, [(1, "v=3"), (2, "v=7")])], "rate({ROW} | logfmt | unwrap v [10s])", {'svc="pay"': 1}, 10),
]

ROWS = MODEL + EXTRACTION + FUNCTIONS + ABSENT + VECTOR + BINARY + REPLACE + ERRORS + EXAMPLES
filled = filled_with(ROWS)


@of_each(ROWS)
def test_a_row_of_the_metrics(filled, n):
    check(filled, n, ROWS[n])


def test_values_print_short_without_an_exponent_and_times_in_seconds(filled):
    data = filled.get("/loki/api/v1/query", query="vector(1e21) + 0.5 * 0", time=T0 + NS // 2).json()["data"]
    assert data["result"] == [{"metric": {}, "value": [T0 / NS + .5, "1000000000000000000000"]}]
    values = {"1e-7": "0.0000001", "vector(0.1) + 0.2": "0.30000000000000004", "vector(1) / 0": "NaN",
              "vector(2) ^ 2000": "+Inf", "vector(0) - 2 ^ 2000": "-Inf"}
    for query, want in values.items():
        result = filled.get("/loki/api/v1/query", query=query).json()["data"]["result"]
        assert (result[1] if query == "1e-7" else result[0]["value"][1]) == want, query


@pytest.mark.parametrize("step, want", [("0", "zero or negative query resolution step"), ("-1", "zero or negative query resolution step")])
def test_a_step_must_be_positive(filled, step, want):
    answer = filled.get("/loki/api/v1/query_range", query="vector(1)", start=T0, end=T0 + NS, step=step)
    assert answer.status_code == 400 and want in answer.text


def test_the_default_step_is_a_250th_of_the_span_but_a_second_at_least(filled):
    for seconds, step in ((100, 1), (1000, 4), (2600, 10)):
        data = filled.query_range("vector(1)", start=T0, end=T0 + seconds * NS)
        times = [t for t, _ in data["result"][0]["values"]]
        assert times[1] - times[0] == step
