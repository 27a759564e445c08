# SPDX-License-Identifier: Apache-2.0
"""Replays what Loki 3.7.6 answered.  See README.md in this folder."""
import base64
import gzip
import json
import math
import pathlib
import re
import sys
import time

import pytest
import snappy

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here.parent / "e2e"))
from halogi import Server, pb_push  # noqa: E402

CASES = [json.loads(line) for line in gzip.open(here / "cases.jsonl.gz", "rt")]
PUSHES = [json.loads(line) for line in open(here / "push.jsonl")]
QUIRKS = dict(line.split(None, 1) for line in (here / "quirks.txt").read_text().splitlines()
              if line.strip() and not line.startswith("#"))
TIES = {line.strip() for line in (here / "ties.txt").read_text().splitlines() if not line.startswith("#")}


@pytest.fixture(scope="module", params=["memory", "stored"])
def reader(request):
    config = {"limits_config": {
        "max_entries_limit_per_query": 5000, "max_query_length": "0s",
        "reject_old_samples": False, "split_queries_by_interval": "0s",
        "max_query_series": 500}}
    with Server(config) as server:
        data = json.loads((here / "data.json").read_text())
        for stream in data["streams"]:
            answer = server.post("/loki/api/v1/push", json.dumps({"streams": [stream]}),
                                 {"Content-Type": "application/json"})
            assert answer.status_code == 204, answer.text
        if request.param == "stored":
            server.flush()
            server.restart()
        yield server


PATHS = {"range": "query_range", "instant": "query", "labels": "labels", "series": "series",
         "format": "format_query"}


def ask(server, case):
    params = dict(case["params"])
    if case["kind"] == "label_values":
        path = f"label/{params.pop('name')}/values"
    else:
        path = PATHS[case["kind"]]
    if case["kind"] == "series":
        params["match[]"] = json.loads(params.pop("match"))
    return server.get("/loki/api/v1/" + path, **params)


def normal(case, body):
    """An answer in the shape of expect.data."""
    if case["kind"] == "format":
        return body["data"]
    if case["kind"] in ("labels", "label_values"):
        return sorted(body.get("data") or [])
    if case["kind"] == "series":
        return sorted(body["data"], key=lambda s: json.dumps(s, sort_keys=True))
    kind, result = body["data"]["resultType"], body["data"]["result"]
    if kind == "scalar":
        return {"type": kind, "result": result}
    rows = [{"labels": r.get("stream", r.get("metric")),
             "values": r["values"] if "values" in r else [r["value"]]} for r in result]
    if not (kind == "vector" and case["group"] in ("sort", "topk")):
        rows.sort(key=lambda r: json.dumps(r["labels"], sort_keys=True))
    return {"type": kind, "result": rows}


def same_number(a, b):
    x, y = float(a), float(b)
    return x == y or (math.isnan(x) and math.isnan(y)) or math.isclose(x, y, rel_tol=1e-9)


def same(case, want, got):
    if not isinstance(want, dict) or "type" not in want:
        return want == got
    if want["type"] != got["type"]:
        return False
    if want["type"] == "scalar":  # the recorded time is a thousand times too large
        return same_number(want["result"][1], got["result"][1])
    if want["type"] == "streams":
        return want["result"] == got["result"]
    if case["id"] in TIES:
        want, got = by_time(want), by_time(got)
    want, got = in_order(want), in_order(got)
    return len(want["result"]) == len(got["result"]) and all(
        w["labels"] == g["labels"] and len(w["values"]) == len(g["values"]) and
        all(same_number(p[0], q[0]) and same_number(p[1], q[1])
            for p, q in zip(w["values"], g["values"]))
        for w, g in zip(want["result"], got["result"]))


def in_order(data):
    """Points of one time, which stand there when label sets fell together, come in any order."""
    return {**data, "result": [{**r, "values": sorted(r["values"], key=lambda p: (p[0], float(p[1])))}
                               for r in data["result"]]}


def by_time(data):
    """The values of each time, whichever series of equal value they come from."""
    points = sorted((p for r in data["result"] for p in r["values"]), key=lambda p: (p[0], float(p[1])))
    return {**data, "result": [{"labels": {}, "values": points}]}


def prefix(text):
    """What stands before the first colon; for positions, line and column with it."""
    at = re.match(r"parse error at line \d+, col \d+", text)
    return at.group(0) if at else text.split(":")[0].strip()


def expected(case):
    """expect.data in the order of normal()."""
    want = case["expect"]["data"]
    if case["kind"] == "series":
        return sorted(want, key=lambda s: json.dumps(s, sort_keys=True))
    if case["kind"] in ("labels", "label_values"):
        return sorted(want or [])
    if isinstance(want, dict) and want.get("type") not in (None, "scalar") and not (
            want["type"] == "vector" and case["group"] in ("sort", "topk")):
        return {**want, "result": sorted(want["result"], key=lambda r: json.dumps(r["labels"], sort_keys=True))}
    return want


def check(case, answer):
    expect = case["expect"]
    if expect["status"] == 200:
        assert answer.status_code == 200, (case["params"], answer.text)
        want, got = expected(case), normal(case, answer.json())
        assert same(case, want, got), f"{case['params']}\nwant {str(want)[:1500]}\ngot  {str(got)[:1500]}"
        return
    assert answer.status_code == (400 if expect["status"] == 500 else expect["status"]), \
        (case["params"], answer.status_code, answer.text[:300])
    if expect["status"] != 500:
        assert prefix(answer.text) == prefix(expect["error"]), (case["params"], answer.text)


@pytest.mark.parametrize("case", CASES, ids=[f"{c['group']}-{c['id']}" for c in CASES])
def test_answer(reader, case):
    answer = ask(reader, case)
    if case["id"] not in QUIRKS:
        check(case, answer)
        return
    assert answer.status_code == 200, answer.text
    with pytest.raises(AssertionError):  # once it agrees, it has no place in the list
        check(case, answer)


def test_at_least_99_percent_of_the_cases_are_equal():
    assert len(QUIRKS) <= 0.01 * len(CASES)
    assert set(QUIRKS) | TIES <= {c["id"] for c in CASES}


# --- pushes ---


@pytest.fixture(scope="module")
def writer():
    with Server() as server:
        yield server


def rfc3339(ts_ns):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ts_ns // 10**9)) + f".{ts_ns % 10**9:09}Z"


def request_body(push, now):
    def at(text):
        return now + int(text.replace("now", "") or 0)
    if "text" in push:
        text = re.sub(r"\{\{now([+-]\d+)?\}\}", lambda m: str(now + int(m.group(1) or 0)), push["text"])
        # The legacy shape writes its times out; they were recorded around this one.
        text = re.sub(r"2005-03-18T01:58:31\.(\d{9})Z", lambda m: rfc3339(now + int(m.group(1))), text)
        data = text.encode()
    else:
        data = pb_push([(s["labels"], [
            (at(e["time"]), base64.b64decode(e["line_base64"]),
             [(m["name"], m["value"]) for m in e.get("structuredMetadata", [])])
            for e in s["entries"]]) for s in push["protobuf"]["streams"]])
    for wrap in push.get("then", []):
        data = snappy.compress(data) if wrap == "snappy" else gzip.compress(data)
    return data


def shorten(value):
    """As the recorder did: long texts by their first 20 characters, long metadata by its length."""
    if isinstance(value, str) and len(value) >= 200:
        return f"{value[:20]}..{len(value)}"
    if isinstance(value, dict):
        return {k: shorten(v) if k != "structuredMetadata" or len(json.dumps(v)) < 200
                else f"..{len(json.dumps(v))}" for k, v in value.items()}
    if isinstance(value, list):
        return [shorten(v) for v in value]
    return value


@pytest.mark.parametrize("push", PUSHES, ids=[p["name"] for p in PUSHES])
def test_push(writer, push):
    now = time.time_ns()
    body = request_body(push, now)
    headers = dict(push.get("headers", {}))
    if not headers.get("Content-Type"):
        headers["Content-Type"] = None  # none is sent
    answer = writer.post(push["path"], body, headers)
    expect = push["expect"]
    status = 400 if expect["status"] == 500 else expect["status"]
    assert answer.status_code == status, answer.text
    if "held" not in expect:
        return
    data = writer.query_range('{pc="%s"}' % push["name"],
                              {"X-Loki-Response-Encoding-Flags": "categorize-labels"},
                              start=now - 200 * 3600 * 10**9, end=now + 3600 * 10**9, limit=5000)
    held = [{"stream": s["stream"],
             "values": [[int(v[0]) - now, v[1], v[2]] for v in s["values"]]} for s in data["result"]]

    def ordered(streams):
        return sorted((json.dumps({"stream": s["stream"], "values": sorted(
            s["values"], key=lambda v: json.dumps(v, sort_keys=True))}, sort_keys=True)
            for s in shorten(streams)))
    assert ordered(held) == ordered(expect["held"])
