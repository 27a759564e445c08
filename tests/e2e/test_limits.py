# SPDX-License-Identifier: Apache-2.0
"""What a tenant's limits say about queries, and who waits for whom."""
import concurrent.futures
import re
import socket
import threading
import time
import urllib.parse

import pytest
import requests
import yaml

from halogi import NS, Server

HOUR = 3600 * NS


def slow_query(weight):
    """An expression without data that computes for long: about a second for 10 on an idle core."""
    leg = "(" + "+".join(["vector(1)"] * 60) + ")"
    return "+".join([leg] * weight)


def ask_slowly(server, weight, headers=None):
    return requests.post(server.url + "/loki/api/v1/query_range", headers=headers, timeout=120,
                         data={"query": slow_query(weight), "start": 0, "end": 11000, "step": 1})


@pytest.fixture(scope="module")
def now():
    return time.time_ns()


@pytest.fixture(scope="module")
def limited(now, tmp_path_factory):
    limits = {
        "entries": {"max_entries_limit_per_query": 10},
        "any-entries": {"max_entries_limit_per_query": 0},
        "length": {"max_query_length": "2h"},
        "lookback": {"max_query_lookback": "1h"},
        "range": {"max_query_range": "1h"},
        "series": {"max_query_series": 3},
        "bytes": {"max_query_bytes_read": "100B"},
        "matchers": {"max_streams_matchers_per_query": 2},
        "required": {"required_labels": ["env", "app"]},
        "number": {"minimum_labels_number": 2},
        "blocked": {"blocked_queries": [{"pattern": ".*secret.*", "regex": True}, {"types": "metric"},
                                        {"query_tags": {"source": "bad"}}]},
        "streams": {"cardinality_limit": 4},
        "chunks": {"max_chunks_per_query": 1},
        "off": {"max_query_parallelism": 0},
        "volume": {"volume_max_series": 2},
        "no-volume": {"volume_enabled": False},
        "plain": {},
    }
    overrides = tmp_path_factory.mktemp("limits") / "overrides.yaml"
    overrides.write_text(yaml.safe_dump({"overrides": limits}))
    with Server({"auth_enabled": True, "runtime_config": {"file": str(overrides)},
                 "querier": {"multi_tenant_queries_enabled": True}}) as server:
        for tenant in limits:
            server.push([({"app": "pay", "env": "prod", "i": str(i)}, [
                (now - 3 * HOUR + k * NS, f"line {k} of {i}") for k in range(5)] + [(now - k * NS, f"new {k}")
                                                                                 for k in range(5)])
                         for i in range(5)], {"X-Scope-OrgID": tenant})
        yield server


def refused(server, tenant, path="query_range", **params):
    answer = server.get("/loki/api/v1/" + path, {"X-Scope-OrgID": tenant}, **params)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8", answer.text
    return answer.status_code, answer.text


def allowed(server, tenant, path="query_range", **params):
    answer = server.get("/loki/api/v1/" + path, {"X-Scope-OrgID": tenant}, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def n_lines(answer):
    return sum(len(s["values"]) for s in answer["data"]["result"])


def test_the_entries_of_a_log_query(limited):
    assert refused(limited, "entries", query='{app="pay"}', limit=11) == (
        400, "max entries limit per query exceeded, limit > max_entries_limit_per_query (11 > 10)")
    assert refused(limited, "entries", query='{app="pay"}')[0] == 400  # the default is 100
    assert n_lines(allowed(limited, "entries", query='{app="pay"}', limit=10)) == 10
    allowed(limited, "entries", query='rate({app="pay"}[1m])', limit=1000)
    assert n_lines(allowed(limited, "any-entries", query='{app="pay"}', limit=1_000_000)) == 25


@pytest.mark.parametrize("path, params", [
    ("query_range", {"query": '{app="pay"}'}), ("query_range", {"query": 'rate({app="pay"}[1m])', "step": 60}),
    ("labels", {}), ("series", {}), ("index/stats", {"query": '{app="pay"}'}),
    ("index/volume", {"query": '{app="pay"}'}),
])
def test_the_length_of_the_range(limited, now, path, params):
    assert refused(limited, "length", path, **params, start=now - 2 * HOUR - NS, end=now) == (
        400, "the query time range exceeds the limit (query length: 2h0m1s, limit: 2h)")
    allowed(limited, "length", path, **params, start=now - 2 * HOUR, end=now)


def test_the_length_is_that_of_the_request_whatever_another_tenant_may_look_back(limited, now):
    for query in ('{app="pay"}', 'rate({app="pay"}[1m])'):
        assert refused(limited, "lookback|length", query=query, step=60, start=now - 3 * HOUR, end=now) == (
            400, "the query time range exceeds the limit (query length: 3h0m0s, limit: 2h)")


def test_the_streams_of_a_selector(limited):
    for query in ('{app="pay"}', 'rate({app="pay"}[1h])'):
        status, text = refused(limited, "streams", query=query)
        assert status == 400 and text.startswith(
            "the query would read too many streams: 5, limit 4 (limits_config.cardinality_limit)")
    allowed(limited, "streams", query='{app="pay", i!="0"}')


def test_the_chunks_of_a_query(limited, now):
    everything = {"query": '{app="pay"}', "start": now - 4 * HOUR, "end": now + NS, "limit": 1000}
    for n in range(2):
        limited.push([({"app": "pay", "n": "1"}, [(now - n * NS, f"line {n}")])], {"X-Scope-OrgID": "chunks"})
        limited.flush()
    status, text = refused(limited, "chunks", **everything)
    assert status == 400 and re.match(
        r"the query would read too many chunks: \d, limit 1 \(limits_config.max_chunks_per_query\)", text)
    assert n_lines(allowed(limited, "plain", **everything)) == 50


def test_the_lookback_moves_the_start(limited, now):
    everything = {"query": '{app="pay"}', "start": now - 4 * HOUR, "end": now + NS, "limit": 1000}
    assert n_lines(allowed(limited, "plain", **everything)) == 50
    assert n_lines(allowed(limited, "lookback", **everything)) == 25
    outside = {**everything, "end": now - 2 * HOUR}
    assert allowed(limited, "lookback", **outside)["data"]["result"] == []
    assert allowed(limited, "lookback", **{**outside, "query": 'rate({app="pay"}[1m])', "step": 60})["data"] | {
        "stats": None} == {"resultType": "matrix", "result": [], "stats": None}
    assert allowed(limited, "lookback", "query", query='count_over_time({app="pay"}[1h])',
                   time=now - 2 * HOUR)["data"]["result"] == []
    assert allowed(limited, "lookback", "labels", start=now - 4 * HOUR, end=now - 2 * HOUR)["data"] == []
    assert allowed(limited, "lookback", "series", start=now - 4 * HOUR, end=now - 2 * HOUR)["data"] == []
    assert allowed(limited, "lookback", "index/stats", query='{app="pay"}', start=now - 4 * HOUR,
                   end=now - 2 * HOUR)["entries"] == 0


def test_the_range_in_brackets(limited):
    for path in ("query", "query_range"):
        assert refused(limited, "range", path, query='sum(rate({app="pay"}[61m])) + 1') == (
            400, "[interval] value exceeds limit: [1h1m] > [1h]")
        allowed(limited, "range", path, query='sum(rate({app="pay"}[60m])) + 1')


def test_the_series_of_a_metric_query(limited):
    query = {"query": 'count_over_time({app="pay"}[1h])'}
    status, text = refused(limited, "series", "query", **query)
    assert status == 400 and text.startswith("maximum number of series (3) reached for a single query; consider")
    allowed(limited, "series", "query", query='sum(count_over_time({app="pay"}[1h]))')
    # The Drilldown app gets what there is, and a warning.
    answer = limited.get("/loki/api/v1/query", {
        "X-Scope-OrgID": "series", "X-Query-Tags": "Source=grafana-lokiexplore-app"}, **query).json()
    assert len(answer["data"]["result"]) == 3
    assert answer["warnings"] == [
        "maximum number of series (3) reached for a single query; returning partial results"]
    assert list(answer) == ["status", "warnings", "data"]


def test_the_bytes_that_it_would_read(limited):
    text_of = r"the query would read too many bytes \(query: (\d+) B, limit: 100 B\); consider"
    status, text = refused(limited, "bytes", query='{app="pay"}')
    estimate = re.match(text_of, text)
    # 125 bytes lie in the hour; what a chunk holds beside them counts by its share of the time.
    assert status == 400 and 125 <= int(estimate.group(1)) <= 200, text
    allowed(limited, "bytes", query='{app="pay", i="1"}')
    status, text = refused(limited, "bytes", "query", query='sum(rate({app="pay"}[4h]))')
    assert status == 400 and re.match(text_of, text).group(1) == "400"


def test_matchers_of_the_selector(limited):
    assert refused(limited, "matchers", query='{app="pay", env="prod", i="1"}') == (
        400, "max streams matchers per query exceeded, matchers-count > limit (3 > 2)")
    assert refused(limited, "required", query='{app="pay", i="1"}') == (
        400, "stream selector is missing required matchers [env], labels present in the query were [app, i]")
    assert refused(limited, "number", query='sum(rate({app="pay"}[1m]))') == (
        400, "stream selector has less label matchers than required: (present: [app], number_present: 1, "
             "required_number_label_matchers: 2)")
    allowed(limited, "required", query='{app="pay", env=~"p.*"}')
    allowed(limited, "number", query='{app="pay", env=~"p.*"}')


def test_blocked_queries(limited):
    blocked = (400, "query blocked by policy")
    assert refused(limited, "blocked", query='{app="pay"} |= "secret"') == blocked
    assert refused(limited, "blocked", "query", query='rate({app="pay"}[1m])') == blocked
    allowed(limited, "blocked", query='{app="pay"} |= "open"')
    allowed(limited, "blocked", "labels", query='{app="secret"}')
    tagged = limited.get("/loki/api/v1/query_range", {"X-Scope-OrgID": "blocked", "X-Query-Tags": "Source=bad"},
                         query='{app="pay"}')
    assert (tagged.status_code, tagged.text) == blocked


def test_queries_may_be_switched_off(limited):
    assert refused(limited, "off", query='{app="pay"}') == (
        429, "querying is disabled, please contact your Loki operator")


def test_volumes_have_limits_of_their_own(limited):
    assert refused(limited, "volume", "index/volume", query='{app="pay"}', targetLabels="i") == (
        400, "the query hit the max number of series limit (limit: 2 series)")
    allowed(limited, "volume", "index/volume", query='{app="pay"}', targetLabels="env")
    assert refused(limited, "no-volume", "index/volume", query='{app="pay"}') == (404, "not found")
    assert refused(limited, "no-volume", "index/volume_range", query='{app="pay"}') == (404, "not found")


def test_a_query_meets_its_deadline():
    with Server({"limits_config": {"query_timeout": "200ms"}}) as server:
        begun = time.monotonic()
        answer = ask_slowly(server, 200)
        assert answer.status_code == 504
        assert answer.text.startswith("request timed out, decrease the duration of the request or add more label "
                                      "matchers")
        assert time.monotonic() - begun < 10
        assert server.query("1+1")["result"][1] == "2"


def test_a_query_meets_its_budget_of_memory():
    with Server({"querier": {"max_query_memory": "1MB"},
                 "limits_config": {"max_entries_limit_per_query": 0}}) as server:
        now = time.time_ns()
        server.push([({"t": "m"}, [(now - i, f"{i} " + "x" * 1000) for i in range(3000)])])
        answer = server.get("/loki/api/v1/query_range", query='{t="m"}', limit=3000)
        assert answer.status_code == 400 and "querier.max_query_memory" in answer.text
        assert len(server.lines('{t="m"}', limit=100)) == 100


def counted(server, status):
    text = server.get("/metrics").text
    return sum(float(v) for v in re.findall(
        r'loki_logql_querystats_latency_seconds_count\{status_code="%s".*?\} (\S+)' % status, text))


def test_a_client_that_hangs_up_ends_its_query():
    with Server({"querier": {"max_concurrent": 1}}) as server:
        body = urllib.parse.urlencode({"query": slow_query(200), "start": 0, "end": 11000, "step": 1}).encode()
        for _ in range(2):  # the second one waits for its turn when it goes
            s = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            s.sendall(b"POST /loki/api/v1/query_range HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
                      b"Content-Type: application/x-www-form-urlencoded\r\n\r\n%s" % (len(body), body))
            time.sleep(0.3)
            s.close()
        begun = time.monotonic()
        assert server.query("1+1")["result"][1] == "2"  # the only place is free again
        while counted(server, 499) + counted(server, 200) < 3 and time.monotonic() - begun < 20:
            time.sleep(0.05)
        assert counted(server, 499) == 2 and counted(server, 200) == 1
        assert time.monotonic() - begun < 20  # the two would have taken longer


def test_more_waiting_queries_than_allowed_are_429():
    with Server({"querier": {"max_concurrent": 1}, "frontend": {"max_outstanding_per_tenant": 2}}) as server:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = [a.result() for a in [pool.submit(ask_slowly, server, 3) for _ in range(8)]]
        statuses = sorted(a.status_code for a in answers)
        assert statuses.count(200) in (2, 3, 4) and statuses.count(429) == 8 - statuses.count(200), statuses
        assert all(a.text == "too many outstanding requests" for a in answers if a.status_code == 429)


def weight_of_a_third_of_a_second(server):
    """Whatever the machine, the build and the load."""
    weight, took = 1, 0
    while took < 0.33:
        weight *= 2
        begun = time.monotonic()
        assert ask_slowly(server, weight, {"X-Scope-OrgID": "greedy"}).status_code == 200
        took = time.monotonic() - begun
    return weight


def test_tenants_take_turns():
    with Server({"auth_enabled": True, "querier": {"max_concurrent": 1}}) as server:
        ended = []

        def ask(tenant, weight):
            assert ask_slowly(server, weight, {"X-Scope-OrgID": tenant}).status_code == 200
            ended.append(tenant)
        weight = weight_of_a_third_of_a_second(server)
        greedy = [threading.Thread(target=ask, args=("greedy", weight)) for _ in range(6)]
        for t in greedy:
            t.start()
        time.sleep(0.2)
        modest = threading.Thread(target=ask, args=("modest", 1))
        modest.start()
        for t in [*greedy, modest]:
            t.join()
        assert ended.index("modest") < 4, ended


def test_lookups_do_not_wait_for_queries():
    with Server({"querier": {"max_concurrent": 1}}) as server:
        server.push([({"t": "l"}, [(time.time_ns(), "x")])])
        slow = threading.Thread(target=ask_slowly, args=(server, 10))
        slow.start()
        time.sleep(0.2)
        begun = time.monotonic()
        assert server.get("/loki/api/v1/label/t/values").json()["data"] == ["l"]
        waited = time.monotonic() - begun
        slow.join()
        assert waited < time.monotonic() - begun  # it came while the query ran
        assert waited < 2


def test_a_sum_without_a_label_of_many_values_needs_no_memory_for_them():
    with Server({"querier": {"max_query_memory": "8MB"}}) as server:
        now = time.time_ns()
        server.push([({"app": "ids"}, [(now - n, f"id=request-{n} kind=k{n % 3}") for n in range(40_000)])])
        many = server.get("/loki/api/v1/query", query='count(count_over_time({app="ids"} | logfmt [5m]))', time=now)
        assert many.status_code == 400 and "querier.max_query_memory" in many.text, many.text
        data = server.query('sum without (id) (count_over_time({app="ids"} | logfmt [5m]))', time=now)
        assert sorted((s["metric"]["kind"], s["value"][1]) for s in data["result"]) == [
            ("k0", "13334"), ("k1", "13333"), ("k2", "13333")]
