# SPDX-License-Identifier: Apache-2.0
"""What a log query returns, row by row of the LogQL facts, section 5."""
import pytest

from logql_rows import NS, T0, Row, ask, filled_with, log_entries, of_each, own

TWO = [({"svc": "a"}, [(10, "a1"), (30, "a3"), (50, "a5")]), ({"svc": "b"}, [(20, "b2"), (40, "b4")])]
ROWS = []  # (row, check of its answer's data)


def row(name, streams, query, **how):
    def keep(check):
        ROWS.append((Row(name, streams, query, None, **how), check))
        return check
    return keep


def lines(data):
    """In the order of time, streams apart."""
    return [line for _, line, _ in log_entries(data)]


@row("5 start is included and the end is not", TWO, "{ROW}", over=(10, 40, 1))
def _(data):
    assert lines(data) == ["a1", "b2", "a3"]


@row("5 backward is newest first within a stream", TWO, '{ROW,svc="a"}', direction="backward")
def _(data):
    assert [v[1] for v in data["result"][0]["values"]] == ["a5", "a3", "a1"]


@row("5 forward is oldest first", TWO, '{ROW,svc="a"}', direction="forward")
def _(data):
    assert [v[1] for v in data["result"][0]["values"]] == ["a1", "a3", "a5"]


@row("5 names of directions know no case", TWO, '{ROW,svc="a"}', direction="FoRwArD")
def _(data):
    assert [v[1] for v in data["result"][0]["values"]] == ["a1", "a3", "a5"]


@row("5 the limit is global: the newest of all streams", TWO, "{ROW}", direction="backward", limit=3)
def _(data):
    assert lines(data) == ["a3", "b4", "a5"]


@row("5 the limit is global: the oldest of all streams", TWO, "{ROW}", direction="forward", limit=3)
def _(data):
    assert lines(data) == ["a1", "b2", "a3"]


@row("5 dropped lines do not count", TWO, '{ROW} != "3"', direction="forward", limit=3)
def _(data):
    assert lines(data) == ["a1", "b2", "b4"]


@row("5 streams that become equal merge", TWO, "{ROW} | drop svc", direction="forward")
def _(data):
    (stream,) = data["result"]
    assert own(stream["stream"]) == {} and [v[1] for v in stream["values"]] == ["a1", "b2", "a3", "b4", "a5"]


@row("5 a stream splits by metadata and parsed labels", [({"svc": "a"}, [(1, "x=1", {"m": "1"}), (2, "x=1", {"m": "2"}), (3, "x=2", {"m": "1"}),
                                                                        (4, "x=1", {"m": "1"})])], "{ROW} | logfmt", direction="forward")
def _(data):
    assert [(own(s["stream"]), [v[1] for v in s["values"]]) for s in data["result"]] == [
        ({"m": "1", "svc": "a", "x": "1"}, ["x=1", "x=1"]), ({"m": "1", "svc": "a", "x": "2"}, ["x=2"]), ({"m": "2", "svc": "a", "x": "1"}, ["x=1"])]


@row("5 error labels are part of the set", [({"svc": "a"}, [(1, "broken"), (2, "{}")])], "{ROW} | json | drop __error_details__", direction="forward")
def _(data):
    assert [own(s["stream"]) for s in data["result"]] == [{"__error__": "JSONParserErr", "svc": "a"}, {"svc": "a"}]


@row("5 result streams are ordered by their label string", [({"svc": s}, [(10, s)]) for s in ("b", "a", "a,", "a\"", "c")], "{ROW}")
def _(data):
    def text(labels):
        return "{" + ", ".join('%s="%s"' % (k, v.replace('"', '\\"')) for k, v in sorted(labels.items())) + "}"
    texts = [text(s["stream"]) for s in data["result"]]
    assert len(texts) == 5 and texts == sorted(texts)


@row("5 an entry is its time in nanoseconds and its line", [({"svc": "a"}, [(1.000000001, "x")])], "{ROW}")
def _(data):
    assert data["result"][0]["values"] == [[str(T0 + NS + 1), "x"]] and "encodingFlags" not in data


CATEGORIZE = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}


@row("5 categorized: stream labels apart from metadata and parsed", [({"svc": "a"}, [(1, "x=1", {"m": "1"}), (2, "x=2"), (3, "plain")])],
     "{ROW} | logfmt", direction="forward", headers=CATEGORIZE)
def _(data):
    (stream,) = data["result"]
    assert own(stream["stream"]) == {"svc": "a"} and data["encodingFlags"] == ["categorize-labels"]
    assert [v[2] for v in stream["values"]] == [{"structuredMetadata": {"m": "1"}, "parsed": {"x": "1"}}, {"parsed": {"x": "2"}}, {}]


@row("5 categorized: what is formatted is parsed", [({"svc": "a"}, [(1, "x")])], '{ROW} | label_format svc="n"', headers=CATEGORIZE)
def _(data):
    (stream,) = data["result"]
    assert own(stream["stream"]) == {} and stream["values"][0][2] == {"parsed": {"svc": "n"}}


@row("5 categorized: errors are parsed", [({"svc": "a"}, [(1, "x")])], "{ROW} | json | drop __error_details__", headers=CATEGORIZE)
def _(data):
    assert data["result"][0]["values"][0][2] == {"parsed": {"__error__": "JSONParserErr"}}


SAME_TIME = [({"svc": "a"}, [(10, "first"), (10, "second"), (10, "first"), (10, "third", {"m": "1"}), (10, "third")])]


@row("5 equal times keep the order of arrival, exact repeats are one", SAME_TIME, "{ROW} | drop m", direction="forward")
def _(data):
    assert [v[1] for v in data["result"][0]["values"]] == ["first", "second", "third", "third"]


@row("5 equal times are exactly reversed backward", SAME_TIME, "{ROW} | drop m", direction="backward")
def _(data):
    assert [v[1] for v in data["result"][0]["values"]] == ["third", "third", "second", "first"]


MANY = [({"svc": "a"}, [(t, f"a{t}") for t in range(0, 60, 2)]), ({"svc": "b"}, [(t, f"b{t}") for t in range(1, 60, 2)])]


@row("5 the interval is one cursor over all streams", MANY, "{ROW}", direction="forward", interval="10s")
def _(data):
    assert lines(data) == ["a0", "a10", "a20", "a30", "a40", "a50"]


@row("5 the interval goes back from the newest", MANY, "{ROW}", direction="backward", interval=10)
def _(data):
    assert lines(data) == ["b9", "b19", "b29", "b39", "b49", "b59"]


@row("5 the limit cuts before the interval thins, as recorded", MANY, "{ROW}", direction="forward", interval="10s", limit=12)
def _(data):
    assert lines(data) == ["a0", "a10"]


filled = filled_with([r for r, _ in ROWS])


@of_each([r for r, _ in ROWS])
def test_a_row_of_the_results(filled, n):
    row_, check = ROWS[n]
    answer = ask(filled, n, row_)
    assert answer.status_code == 200, answer.text
    check(answer.json()["data"])


@pytest.mark.parametrize("params, want", [
    ({"direction": "sideways"}, "invalid direction 'sideways'"),
    ({"limit": 0}, "limit"),
    ({"limit": -1}, "limit"),
    ({"interval": -1}, "interval"),
])
def test_parameters_that_are_refused(filled, params, want):
    answer = filled.get("/loki/api/v1/query_range", query='{svc="a"}', **params)
    assert answer.status_code == 400 and want in answer.text


def test_log_queries_are_no_instant_queries(filled):
    answer = filled.get("/loki/api/v1/query", query='{svc="a"}')
    assert answer.status_code == 400
    assert "log queries are not supported as an instant query type, please change your query to a range query type" in answer.text


def test_the_default_limit_is_100_and_the_default_direction_backward(filled):
    filled.push([({"svc": "hundred"}, [(T0 + i * NS, f"line {i}") for i in range(150)])])
    data = filled.query_range('{svc="hundred"}', start=T0, end=T0 + 600 * NS)
    assert [v[1] for v in data["result"][0]["values"]] == [f"line {i}" for i in range(149, 49, -1)]


def test_metric_queries_ignore_limit_direction_and_interval(filled):
    plain = filled.query_range('count_over_time({svc="a"}[1m])', start=T0, end=T0 + 600 * NS, step=60)
    for params in ({"limit": 1}, {"direction": "forward"}, {"interval": 120}):
        assert filled.query_range('count_over_time({svc="a"}[1m])', start=T0, end=T0 + 600 * NS, step=60, **params)["result"] == plain["result"]
