# SPDX-License-Identifier: Apache-2.0
"""Who may ask, for whom, and for several at once."""
import time

import pytest

from halogi import NS, Server

NOW = time.time_ns()
READ = ["query_range", "query", "labels", "label", "label/app/values", "series", "index/stats", "index/volume",
        "index/volume_range"]


@pytest.fixture(scope="module", params=["memory", "object"])
def several(request):
    with Server({"auth_enabled": True, "querier": {"multi_tenant_queries_enabled": True}}) as server:
        for tenant, n in (("a", 3), ("b", 2), ("c", 1)):
            server.push([({"app": "pay", "own": tenant}, [
                (NOW - (10 * i + n) * NS, f"{tenant}{i}") for i in range(n)])], {"X-Scope-OrgID": tenant})
        if request.param == "object":
            server.flush()
        yield server


@pytest.mark.parametrize("path", READ)
def test_every_read_endpoint_asks_for_a_tenant(path):
    with Server({"auth_enabled": True}) as server:
        url = "/loki/api/v1/" + path
        for headers in ({}, {"X-Scope-OrgID": ""}, {"X-Scope-OrgID": "|"}):
            answer = server.get(url, headers, query='{app="x"}')
            assert (answer.status_code, answer.text) == (401, "no org id\n")
        for bad, text in (("a/b", "tenant ID 'a/b' contains unsupported character '/'"),
                          ("x" * 151, "tenant ID is too long: max 150 characters"),
                          ("..", "tenant ID is '.' or '..'"),
                          ("a|b", "multiple org IDs present")):
            answer = server.get(url, {"X-Scope-OrgID": bad}, query='{app="x"}')
            assert answer.status_code == 400 and text in answer.text
        assert server.get("/loki/api/v1/format_query", query='{app="x"}').status_code == 200


def test_a_tenant_sees_its_own_alone(several):
    for tenant, n in (("a", 3), ("b", 2), ("c", 1), ("a:suffix=1", 3), ("b|b", 2), ("unknown", 0)):
        data = several.query_range('{app="pay"}', {"X-Scope-OrgID": tenant})
        assert sum(len(s["values"]) for s in data["result"]) == n
        assert all("__tenant_id__" not in s["stream"] for s in data["result"])


def header(tenants):
    return {"X-Scope-OrgID": tenants}


def lines(data):
    return [v[1] for s in data["result"] for v in s["values"]]


def test_log_queries_over_several_tenants(several):
    data = several.query_range('{app="pay"}', header("b|a"))
    assert {s["stream"]["__tenant_id__"]: lines({"result": [s]}) for s in data["result"]} == {
        "a": ["a0", "a1", "a2"], "b": ["b0", "b1"]}
    newest = several.query_range('{app="pay"}', header("a|b|c"), limit=3)
    assert sorted(lines(newest)) == ["a0", "b0", "c0"]
    oldest = several.query_range('{app="pay"}', header("a|b|c"), limit=2, direction="forward")
    assert sorted(lines(oldest)) == ["a1", "a2"]
    apart = several.query_range('{app="pay"}', {**header("a|b"), "X-Loki-Response-Encoding-Flags": "categorize-labels"})
    assert {s["stream"]["__tenant_id__"] for s in apart["result"]} == {"a", "b"}


def test_an_interval_thins_the_lines_of_all_tenants_together(several):
    # In seconds before NOW: a 3, 13, 23; b 2, 12; c 1.
    data = several.query_range('{app="pay"}', header("a|b|c"), interval="5s")
    assert sorted(lines(data)) == ["a2", "b1", "c0"]
    data = several.query_range('{app="pay"}', header("a|b|c"), interval="5s", direction="forward")
    assert sorted(lines(data)) == ["a0", "a1", "a2"]


@pytest.mark.parametrize("matcher, want", [
    ('__tenant_id__="a"', "a"), ('__tenant_id__!="a"', "bc"), ('__tenant_id__=~"a|c"', "ac"),
    ('__tenant_id__!~"a|c"', "b"), ('__tenant_id__="none"', ""), ('__tenant_id__="a",__tenant_id__!="a"', ""),
])
def test_matchers_choose_tenants(several, matcher, want):
    data = several.query_range('{app="pay",%s}' % matcher, header("a|b|c"))
    assert "".join(sorted({s["stream"]["__tenant_id__"] for s in data["result"]})) == want
    count = several.query('sum by (__tenant_id__) (count_over_time({app="pay",%s}[1h]))' % matcher, header("a|b|c"))
    assert "".join(sorted(s["metric"]["__tenant_id__"] for s in count["result"])) == want


@pytest.mark.parametrize("query, want", [
    ('sum(count_over_time({app="pay"}[1h]))', {"": "6"}),
    ('sum by (app) (count_over_time({app="pay"}[1h]))', {"app=pay": "6"}),
    ('sum by (__tenant_id__) (count_over_time({app="pay"}[1h]))',
     {"__tenant_id__=a": "3", "__tenant_id__=b": "2", "__tenant_id__=c": "1"}),
    ('sum by (app) (count_over_time({__tenant_id__="a"}[1h])) / sum by (app) (count_over_time({app="pay",__tenant_id__!="a"}[1h]))',
     {"app=pay": "1"}),
    ('topk(1, count_over_time({app="pay"}[1h]))', None),
    ("vector(2)", {"": "2"}),
])
def test_metric_queries_go_over_all_tenants(several, query, want):
    data = several.query(query, header("a|b|c"))
    got = {",".join(f"{k}={v}" for k, v in s["metric"].items()): s["value"][1] for s in data["result"]}
    if want is None:
        assert list(got.values()) == ["3"] and "__tenant_id__=a" in list(got)[0]
    else:
        assert got == want


def test_lookups_over_several_tenants(several):
    def get(path, **params):
        return several.get("/loki/api/v1/" + path, header("a|b"), **params).json()
    assert get("labels")["data"] == ["__tenant_id__", "app", "own", "service_name"]
    assert get("label/own/values")["data"] == ["a", "b"]
    assert get("label/own/values", query='{__tenant_id__="b"}')["data"] == ["b"]
    assert get("label/__tenant_id__/values")["data"] == ["a", "b"]
    series = get("series", **{"match[]": '{app="pay"}'})["data"]
    assert sorted((s["__tenant_id__"], s["own"]) for s in series) == [("a", "a"), ("b", "b")]
    stats = get("index/stats", query='{app="pay"}')
    assert (stats["streams"], stats["entries"]) == (2, 5)
    volume = get("index/volume", query='{app="pay"}')["data"]["result"]
    assert [(v["metric"], v["value"][1]) for v in volume] == [({"app": "pay"}, "10")]


def test_tenancy_off_means_one_tenant_whatever_the_header_says(server):
    server.push([({"t": "x"}, [(NOW, "x")])], header("someone|else"))
    assert len(server.query_range('{t="x"}', header("another"))["result"]) == 1
