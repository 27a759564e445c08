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


# --- wrong requests, endpoint by endpoint ---

V1 = "/loki/api/v1/"


@pytest.mark.parametrize("path, params, text", [
    ("query_range", {"query": '{app="pay"}', "end": "tomorrow"}, "could not parse 'end' parameter"),
    ("query_range", {"query": '{app="pay"}', "since": "1x"}, "could not parse 'since' parameter"),
    ("query_range", {"query": '{app="pay"}', "step": "abc"}, 'cannot parse "abc" to a valid duration'),
    ("query_range", {"query": '{app="pay"}', "step": "-1"}, "zero or negative query resolution step widths"),
    ("query_range", {"query": '{app="pay"}', "interval": "-1"}, "interval must be >= 0"),
    ("query_range", {"query": '{app="pay"}', "limit": "-1"}, "limit must be a positive value"),
    ("query_range", {"query": '{app="pay"}', "limit": "many"}, 'parsing "many": invalid syntax'),
    ("query_range", {}, "parse error : syntax error: unexpected $end"),
    ("query_range", {"query": '{app="pay"} |~ "("'}, "error parsing regexp: missing closing ): `(`"),
    ("query_range", {"query": '{app="pay"} | json x="a["'}, "cannot parse expression [a[]"),
    ("query_range", {"query": '{app="pay"} | line_format "{{nope}}"'}, 'function "nope" not defined'),
    ("query_range", {"query": '{app="pay"}[5m]'}, "syntax error"),
    ("query_range", {"query": "x" * 131072}, "input size too long"),
    ("query_range", {"query": "(" * 5000 + "1" + ")" * 5000}, "nests deeper than"),
    ("query_range", {"query": 'count_over_time({app="pay"} | json [1h])', "step": "600"},
     "pipeline error: 'JSONParserErr' for series: '"),
    ("query", {"query": "1+", "time": "4"}, "parse error"),
    ("query", {"query": "1", "time": "noon"}, "could not parse 'time' parameter"),
    ("query", {"query": "1", "direction": "up"}, "invalid direction 'up'"),
    ("query", {"query": 'count_over_time({app="pay"}[1h]) * on (app) count_over_time({app="pay"}[1h])'}, "many"),
    ("labels", {"start": "x"}, "could not parse 'start' parameter"),
    ("labels", {"query": "{}"}, "queries require at least one regexp or equality matcher"),
    ("labels", {"query": "rate({a=\"b\"}[1m])"}, "only label matchers are supported"),
    ("label/app/values", {"query": "{app="}, "parse error at line 1, col 6"),
    ("series", {"match[]": ["{app=\"pay\"}", "{}"]}, "0 matchers in group: {}"),
    ("series", {"match[]": "{app=\"pay\"} | json"}, "only label matchers are supported"),
    ("series", {"match[]": "{app"}, "parse error"),
    ("series", {"end": "x"}, "could not parse 'end' parameter"),
    ("index/stats", {}, "parse error"),
    ("index/stats", {"query": '{app="pay"} |= "x"'}, "only label matchers are supported"),
    ("index/stats", {"query": "{}"}, "queries require at least one regexp or equality matcher"),
    ("index/volume", {"query": '{app="pay"}', "aggregateBy": "color"}, "invalid aggregation option"),
    ("index/volume", {"query": '{app="pay"}', "limit": "few"}, "limit must be a positive value"),
    ("index/volume", {"query": '{app="pay"} | json'}, "only label matchers are supported"),
    ("index/volume_range", {"query": '{app="pay"}', "step": "0"}, "zero or negative query resolution step widths"),
    ("index/volume_range", {"query": '{app="pay"}', "step": "1ms"}, "exceeded maximum resolution of 11,000 points"),
    ("index/volume_range", {"query": '{app="pay"}', "start": "20", "end": "10"}, "end timestamp must not be before"),
])
def test_wrong_requests_are_400_with_the_cause(filled, path, params, text):
    answer = filled.session.post(filled.url + V1 + path, data=params, timeout=60)
    assert answer.status_code == 400 and text in answer.text, answer.text[:500]
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["query", "query_range", "labels", "label", "label/app/values", "series",
                                  "index/stats", "index/volume", "index/volume_range", "format_query"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_405(filled, path, method):
    answer = filled.session.request(method, filled.url + V1 + path, timeout=10)
    assert (answer.status_code, answer.text) == (405, "")


def test_a_form_and_the_url_are_read_together(filled):
    answer = filled.session.post(filled.url + V1 + "query_range?limit=7&query=%7Bapp%3D%22cart%22%7D",
                                 data={"limit": "2", "start": BASE, "end": NOW}, timeout=10)
    assert len(log_lines(answer.json()["data"])) == 2  # the form goes first
    answer = filled.session.post(filled.url + V1 + "query_range?query=%7Bapp%3D%22cart%22%7D",
                                 data={"query": '{app="pay"}', "limit": 1000, "start": BASE, "end": NOW}, timeout=10)
    assert len(log_lines(answer.json()["data"])) == 100
    raw = filled.session.post(filled.url + V1 + "query_range", data=b'query={app="pay"}',
                              headers={"Content-Type": "text/plain"}, timeout=10)
    assert raw.status_code == 400  # not a form: there is no query
    big = filled.session.post(filled.url + V1 + "query_range", data={"query": "x" * 11_000_000}, timeout=30)
    assert big.status_code == 413


def test_format_query(filled):
    good = filled.get(V1 + "format_query", query='{app="pay"}|="x"')
    assert good.json() == {"status": "success", "data": '{app="pay"} |= "x"'}
    assert good.headers["Content-Type"] == "application/json; charset=utf-8"
    bad = filled.get(V1 + "format_query", query='{app="pay"')
    assert bad.status_code == 400 and bad.headers["Content-Type"] == "application/json; charset=utf-8"
    assert bad.json() == {"status": "invalid-query",
                          "error": "parse error at line 1, col 11: syntax error: unexpected $end, expecting } or ,"}


@pytest.mark.parametrize("path, params, content_type", [
    ("query_range", {"query": '{app="pay"}'}, "application/json; charset=UTF-8"),
    ("query_range", {"query": 'rate({app="pay"}[1m])'}, "application/json"),
    ("query", {"query": "1"}, "application/json"),
    ("labels", {}, "application/json; charset=UTF-8"),
    ("series", {}, "application/json; charset=UTF-8"),
    ("index/stats", {"query": '{app="pay"}'}, "application/json; charset=UTF-8"),
])
def test_content_types(filled, path, params, content_type):
    answer = filled.get(V1 + path, **params)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == content_type
    assert answer.text.endswith("\n")


def test_no_result_is_an_empty_list(filled):
    assert filled.query_range('{app="none"}')["result"] == []
    assert filled.query_range('rate({app="none"}[1m])')["result"] == []
    assert filled.query('rate({app="none"}[1m])')["result"] == []
    assert filled.get(V1 + "series", **{"match[]": '{app="none"}'}).json() == {"status": "success", "data": []}
    assert filled.get(V1 + "labels", query='{app="none"}').json() == {"status": "success", "data": []}
    assert filled.get(V1 + "index/stats", query='{app="none"}').json() == {
        "streams": 0, "chunks": 0, "bytes": 0, "entries": 0}
    assert filled.get(V1 + "index/volume", query='{app="none"}').json()["data"] == {
        "resultType": "vector", "result": [], "stats": {}}
    assert filled.get("/api/prom/query", query='{app="none"}').json()["streams"] == []
    assert filled.get("/api/prom/label", query='{app="none"}').json() == {"values": []}


def test_the_statistics_object_is_complete(filled):
    stats = filled.query_range('{app="pay"}')["stats"]
    store = {"totalChunksRef", "totalChunksDownloaded", "chunksDownloadTime", "queryReferencedStructuredMetadata",
             "queryUsedV2Engine", "chunk", "chunkRefsFetchTime", "congestionControlLatency",
             "pipelineWrapperFilteredLines", "dataobj"}
    assert set(stats) == {"summary", "querier", "ingester", "cache", "index"}
    assert set(stats["summary"]) == {
        "bytesProcessedPerSecond", "linesProcessedPerSecond", "totalBytesProcessed", "totalLinesProcessed",
        "execTime", "queueTime", "subqueries", "totalEntriesReturned", "splits", "shards", "totalPostFilterLines",
        "totalStructuredMetadataBytesProcessed"}
    assert set(stats["querier"]["store"]) == set(stats["ingester"]["store"]) == store
    assert set(stats["cache"]) == {"chunk", "index", "result", "statsResult", "volumeResult", "seriesResult",
                                   "labelResult", "instantMetricResult", "logResult", "taskResult"}
    for value in list(stats["index"].values()) + list(stats["querier"]["store"]["chunk"].values()):
        assert isinstance(value, (int, float))
    assert 0 < stats["summary"]["execTime"] < 60 and stats["summary"]["queueTime"] >= 0


def volume(filled, path="index/volume", **params):
    data = filled.get(V1 + path, **{"start": BASE, "end": NOW, **params}).json()["data"]
    return data["resultType"], [(s["metric"], s.get("value", s.get("values"))) for s in data["result"]]


def test_volumes(filled):
    pay = sum(len(f"line {i} status={200 + i % 3}") for i in range(100))
    cart = sum(len(f"cart {i} error") for i in range(10))
    at = int(NOW / NS * 1000) / 1000
    assert volume(filled, query='{app=~".+"}') == ("vector", [
        ({"app": "pay"}, [pytest.approx(at, abs=0.002), str(pay)]), ({"app": "cart"}, [pytest.approx(at, abs=0.002), str(cart)])])
    assert [v[0] for v in volume(filled, query="{}")[1]] == [
        {"app": "pay", "env": "prod", "service_name": "pay"}, {"app": "cart", "env": "dev", "service_name": "cart"}]
    assert volume(filled, query='{app=~".+"}', limit=1)[1] == [({"app": "pay"}, [pytest.approx(at, abs=0.002), str(pay)])]
    by_target = volume(filled, query='{app=~".+"}', targetLabels="env,service_name")[1]
    assert [v[0] for v in by_target] == [{"env": "prod", "service_name": "pay"}, {"env": "dev", "service_name": "cart"}]
    assert volume(filled, query='{app=~".+"}', targetLabels="absent")[1] == []
    by_name = volume(filled, query="{}", aggregateBy="labels")[1]
    assert [(m, v[1]) for m, v in by_name] == [({name: ""}, str(pay + cart)) for name in ("app", "env", "service_name")]
    kind, over_time = volume(filled, "index/volume_range", query='{app="pay"}', step=30)
    assert kind == "matrix" and len(over_time) == 1
    assert abs(sum(int(v) for _, v in over_time[0][1]) - pay) <= 1
    assert 3 <= len(over_time[0][1]) <= 5
    assert all(round(ts % 30, 3) == 29.999 or ts == pytest.approx(at, abs=0.002) for ts, _ in over_time[0][1])


# --- what clients do ---


def test_grafanas_requests(filled):
    headers = {"X-Query-Tags": "Source=datasample", "X-Loki-Response-Encoding-Flags": "categorize-labels",
               "Accept-Encoding": "gzip"}
    probe = filled.get(V1 + "query", headers, query="vector(1)+vector(1)", time=4 * NS, direction="backward", limit=1000)
    # Ten digits are seconds, here as in Loki; Grafana looks at the value alone.
    assert probe.json()["data"]["result"] == [{"metric": {}, "value": [4 * NS, "2"]}]
    histogram = filled.query_range(
        'sum by (level, detected_level) (count_over_time({app="pay"} | drop __error__[30s]))', headers,
        start=BASE, end=NOW, step="30000ms", direction="backward")
    assert histogram["resultType"] == "matrix" and "encodingFlags" not in histogram
    assert [s["metric"] for s in histogram["result"]] == [{"detected_level": "unknown"}]
    assert sum(int(v) for _, v in histogram["result"][0]["values"]) == 100
    explore = filled.query_range('{app="pay"} |= ``', headers, start=BASE, end=NOW, limit=1000, direction="backward")
    assert len(log_lines(explore)) == 100 and all(len(v) == 3 for s in explore["result"] for v in s["values"])
    browser = filled.get(V1 + "label/env/values", headers, start=BASE, end=NOW, query='{app="pay"}')
    assert browser.json()["data"] == ["prod"]
    series = filled.get(V1 + "series", headers, **{"match[]": '{app="pay"}', "start": BASE, "end": NOW})
    assert series.json()["data"] == [{"app": "pay", "env": "prod", "service_name": "pay"}]
    middle = BASE + 50 * NS
    newer = filled.query_range('{app="pay"}', headers, start=middle, end=middle + 7200 * NS, direction="forward", limit=10)
    assert sorted(log_lines(newer)) == sorted(f"line {i} status={200 + i % 3}" for i in range(50, 60))
    older = filled.query_range('{app="pay"}', headers, start=middle - 7200 * NS, end=middle, direction="backward", limit=10)
    assert sorted(log_lines(older)) == sorted(f"line {i} status={200 + i % 3}" for i in range(40, 50))


@pytest.mark.parametrize("direction", ["BACKWARD", "FORWARD"])
def test_logcli_pages_through_everything_once(filled, direction):
    """Batches overlap by one time, whose entries the client compares; see its paging."""
    seen, start, end, last = [], BASE - NS, NOW, []
    for _ in range(100):
        data = filled.query_range('{app=~".+"}', {"User-Agent": "loki-logcli/3.7.6"}, limit=7, start=start, end=end,
                                  direction=direction)
        batch = sorted(((int(v[0]), v[1]) for s in data["result"] for v in s["values"]), reverse=direction == "BACKWARD")
        new = [e for e in batch if e not in last]
        seen += new
        if len(batch) < 7 or not new:
            break
        at = batch[-1][0]
        last = [e for e in batch if e[0] == at]
        if direction == "BACKWARD":
            end = at + 1
        else:
            start = at
    assert len(seen) == 110 and len(set(seen)) == 110
    assert seen == sorted(seen, reverse=direction == "BACKWARD")
