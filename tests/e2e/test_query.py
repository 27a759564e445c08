# SPDX-License-Identifier: Apache-2.0
"""The read endpoints: parameters, shapes, limits, errors, statistics."""
import time

import pytest

from halogi import NS, Server

NOW = time.time_ns()
BASE = NOW - 1800 * NS


@pytest.fixture(scope="module", params=["memory", "object"])
def filled(request):
    with Server() as server:
        server.push([({"app": "pay", "env": "prod"}, [
            (BASE + i * NS, f"line {i} status={200 + i % 3}", {"user": f"u{i % 2}"}) for i in range(100)]),
            ({"app": "cart", "env": "dev"}, [(BASE + i * NS + 5, f"cart {i} error") for i in range(10)])])
        if request.param == "object":
            server.flush()
        yield server


def log_lines(data):
    return [v[1] for s in data["result"] for v in s["values"]]


@pytest.mark.parametrize("start, end", [
    (str(BASE), str(BASE + 10 * NS)),
    (f"{BASE / NS:.3f}", f"{(BASE + 10 * NS) / NS:.3f}"),
    (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(BASE // NS)),
     time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(BASE // NS + 10))),
    (str(BASE // NS), str(BASE // NS + 10)),
])
def test_times_are_read_in_every_form(filled, start, end):
    data = filled.query_range('{app="pay"}', start=start, end=end, limit=1000)
    assert 9 <= len(log_lines(data)) <= 11


def test_the_end_is_exclusive_and_the_start_inclusive(filled):
    data = filled.query_range('{app="pay"}', start=BASE, end=BASE + 3 * NS, direction="forward")
    assert sorted(int(v[0]) for s in data["result"] for v in s["values"]) == [BASE, BASE + NS, BASE + 2 * NS]


def test_limit_and_direction_choose_the_entries(filled):
    newest = filled.query_range('{app=~".+"}', limit=3)
    assert sorted(log_lines(newest)) == ["line 97 status=201", "line 98 status=202", "line 99 status=200"]
    oldest = filled.query_range('{app=~".+"}', limit=3, direction="FORWARD", start=BASE)
    assert sorted(log_lines(oldest)) == ["cart 0 error", "line 0 status=200", "line 1 status=201"]
    assert len(log_lines(filled.query_range('{app="pay"}'))) == 100


@pytest.mark.parametrize("params, text", [
    ({"query": '{app="pay"}', "limit": "0"}, "limit must be a positive value"),
    ({"query": '{app="pay"}', "limit": "5001"},
     "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)"),
    ({"query": '{app="pay"}', "direction": "up"}, "invalid direction 'up'"),
    ({"query": '{app="pay"}', "start": "x"}, "could not parse 'start' parameter"),
    ({"query": '{app="pay"}', "start": "20", "end": "10"},
     "end timestamp must not be before or equal to start time"),
    ({"query": 'rate({app="pay"}[1m])', "step": "0"},
     "zero or negative query resolution step widths are not accepted. Try a positive integer"),
    ({"query": 'rate({app="pay"}[1m])', "step": "1ms"},
     "exceeded maximum resolution of 11,000 points per time series"),
    ({"query": "{"}, "parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }"),
    ({"query": '{app=~".*"}'}, "parse error : queries require at least one regexp or equality matcher"),
    ({"query": ""}, "parse error"),
    ({"query": '{app="pay"}', "start": "0", "end": str(NOW)}, "the query time range exceeds the limit"),
])
def test_bad_parameters_are_named(filled, params, text):
    answer = filled.get("/loki/api/v1/query_range", **params)
    assert answer.status_code == 400 and text in answer.text
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_a_log_query_has_no_instant_form_and_grafanas_probe_works(filled):
    answer = filled.get("/loki/api/v1/query", query='{app="pay"}')
    assert answer.status_code == 400
    assert "log queries are not supported as an instant query type" in answer.text
    probe = filled.query("vector(1)+vector(1)", time="4")
    assert probe["resultType"] == "vector"
    assert probe["result"] == [{"metric": {}, "value": [4, "2"]}]
    assert filled.query("1+1", time="4")["result"] == [4, "2"]


def test_metadata_joins_the_labels_unless_categorized(filled):
    plain = filled.query_range('{app="pay"}', limit=1)
    assert plain["result"][0]["stream"] == {
        "app": "pay", "detected_level": "unknown", "env": "prod", "service_name": "pay", "user": "u1"}
    assert len(plain["result"][0]["values"][0]) == 2
    apart = filled.query_range('{app="pay"}', {"X-Loki-Response-Encoding-Flags": "categorize-labels"}, limit=1)
    assert apart["result"][0]["stream"] == {"app": "pay", "env": "prod", "service_name": "pay"}
    assert apart["result"][0]["values"][0][2] == {
        "structuredMetadata": {"detected_level": "unknown", "user": "u1"}}


def test_key_order_suits_streaming_readers(filled):
    text = filled.get("/loki/api/v1/query_range", {"X-Loki-Response-Encoding-Flags": "categorize-labels"},
                      query='{app="pay"}', limit=1).text
    places = [text.index(key) for key in ('"status"', '"data"', '"resultType"', '"encodingFlags"', '"result"',
                                          '"stream"', '"values"', '"stats"')]
    assert places == sorted(places) and text.endswith("\n")


@pytest.mark.parametrize("query, want", [
    ('sum(count_over_time({app="pay"}[1h]))', {"": "100"}),
    ('sum by (app) (count_over_time({app=~".+"}[1h]))', {"app=cart": "10", "app=pay": "100"}),
    ('sum by (user) (count_over_time({app="pay"}[1h]))', {"user=u0": "50", "user=u1": "50"}),
    ('sum(count_over_time({app="pay"} |= "status=201" [1h]))', {"": "33"}),
    ('sum(count_over_time({app="pay"} |~ "status=20[12]" [1h]))', {"": "66"}),
    ('sum(count_over_time({app="pay"} != "status=201" [1h]))', {"": "67"}),
    ('sum(count_over_time({app="pay"} | user="u1" [1h]))', {"": "50"}),
    ('topk(1, sum by (app) (count_over_time({app=~".+"}[1h])))', {"app=pay": "100"}),
    ('sum(bytes_over_time({app="cart"}[1h]))', {"": "120"}),
    ('max(count_over_time({app=~".+"}[1h]))', {"": "50"}),
    ('count(count_over_time({app=~".+"}[1h]))', {"": "3"}),
])
def test_metric_queries_count_right(filled, query, want):
    got = filled.query(query)
    assert {",".join(f"{k}={v}" for k, v in s["metric"].items()): s["value"][1]
            for s in got["result"]} == want


def test_a_range_query_steps_over_windows(filled):
    data = filled.query_range('sum(count_over_time({app="pay"}[10s]))', start=BASE // NS, end=BASE // NS + 120,
                              step=10)
    values = {ts: int(v) for ts, v in data["result"][0]["values"]}
    assert sum(values.values()) == 100 and max(values.values()) == 10
    assert all(ts % 1 == 0 for ts in values)


def test_labels_values_and_series(filled):
    around = {"start": BASE - NS, "end": NOW}
    assert filled.get("/loki/api/v1/labels", **around).json() == \
        {"status": "success", "data": ["app", "env", "service_name"]}
    assert filled.get("/loki/api/v1/label/app/values", **around).json()["data"] == ["cart", "pay"]
    assert filled.get("/loki/api/v1/label/app/values", query='{env="dev"}', **around).json()["data"] == ["cart"]
    assert filled.get("/loki/api/v1/label/none/values", **around).json() == {"status": "success", "data": []}
    series = filled.get("/loki/api/v1/series", **{"match[]": ['{env="dev"}', '{app="pay"}'], **around}).json()
    assert sorted(s["app"] for s in series["data"]) == ["cart", "pay"]
    before = {"start": BASE - 3600 * NS, "end": BASE - 60 * NS}
    assert filled.get("/loki/api/v1/series", **{"match[]": '{app="pay"}', **before}).json()["data"] == []
    assert filled.get("/loki/api/v1/label/app/values", **before).json()["data"] == []
    bad = filled.get("/loki/api/v1/labels", query='{app="pay"} |= "x"')
    assert bad.status_code == 400 and "only label matchers are supported" in bad.text


def test_index_stats_counts_what_is_there(filled):
    stats = filled.get("/loki/api/v1/index/stats", query='{app="cart"}', start=BASE, end=NOW).json()
    assert stats["streams"] == 1 and stats["entries"] == 10 and stats["bytes"] == 120


def test_a_form_post_asks_the_same(filled):
    answer = filled.post("/loki/api/v1/query_range", {"query": '{app="cart"}', "limit": "2"})
    assert answer.status_code == 200
    assert len(log_lines(answer.json()["data"])) == 2


def test_wrong_methods_and_paths(filled):
    assert filled.post("/loki/api/v1/nothing", b"").status_code == 404
    assert filled.get("/nothing").text == "404 page not found\n"
    answer = filled.get("/loki/api/v1/push")
    assert (answer.status_code, answer.text) == (405, "")


def test_the_statistics_are_true(filled):
    data = filled.query_range('{app="pay"} |= "status=201"', limit=1000)
    summary = data["stats"]["summary"]
    assert summary["totalEntriesReturned"] == 33 and summary["totalPostFilterLines"] == 33
    assert 100 <= summary["totalLinesProcessed"] <= 110  # a chunk may hold the other stream's ten
    count = filled.query_range('sum(count_over_time({app="pay"}[1h]))', step=3600, start=BASE - 7200 * NS)
    store = count["stats"]["querier"]["store"]["chunk"]
    assert store["decompressedBytes"] == 0  # a count reads no lines


def test_big_answers_are_gzipped_when_asked(filled):
    answer = filled.get("/loki/api/v1/query_range", {"Accept-Encoding": "gzip"}, query='{app="pay"}', limit=100)
    assert answer.headers.get("Content-Encoding") == "gzip" and len(log_lines(answer.json()["data"])) == 100
    plain = filled.get("/loki/api/v1/query_range", {"Accept-Encoding": "identity"}, query='{app="pay"}')
    assert "Content-Encoding" not in plain.headers


def test_the_legacy_shapes(filled):
    data = filled.get("/api/prom/query", query='{app="cart"}', limit=1).json()
    assert data["streams"][0]["labels"].startswith('{app="cart"')
    assert data["streams"][0]["entries"][0]["line"] == "cart 9 error"
    assert filled.get("/api/prom/label/app/values", start=BASE, end=NOW).json()["values"] == ["cart", "pay"]
    metric = filled.get("/api/prom/query", query='rate({app="cart"}[1m])')
    assert metric.status_code == 400 and "legacy endpoints only support streams result type" in metric.text
