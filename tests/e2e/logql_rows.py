# SPDX-License-Identifier: Apache-2.0
"""Rows of the LogQL facts as cases: a few lines, a query, what it answers.  All lines of a file are
pushed once, to memory and to an object; a case finds its own by the stream label `row`, which `ROW`
in its query stands for and which is left out of what is compared."""
import json
import re
import time

import pytest

from halogi import NS, Server

T0 = time.time_ns() // (3600 * NS) * 3600 * NS - 2 * 3600 * NS  # a full hour, in the past
CONFIG = {"limits_config": {"discover_service_name": [], "discover_log_levels": False, "split_queries_by_interval": "0s",
                            "reject_old_samples": False},
          "query_range": {"align_queries_with_step": True}}


class Row:
    """streams: [(labels, [(offset in seconds, line[, metadata])])]; lists of lines are one stream
    {svc="pay"} with a line each second."""

    def __init__(self, name, data, query, want, **how):
        self.name, self.query, self.want, self.how = name, query, want, how
        if data and not isinstance(data[0], tuple) or data and isinstance(data[0][0], str):
            data = [({"svc": "pay"}, [(i + 1, *(e if isinstance(e, tuple) else (e,))) for i, e in enumerate(data)])]
        self.streams = data


def server_with(rows, kind):
    server = Server(CONFIG)
    for n, row in enumerate(rows):
        for labels, entries in row.streams:
            server.push([({**labels, "row": str(n)}, [(T0 + int(e[0] * NS), *e[1:]) for e in entries])])
    if kind == "object":
        server.flush()
    return server


def filled_with(rows):
    @pytest.fixture(scope="module", params=["memory", "object"])
    def filled(request):
        server = server_with(rows, request.param)
        yield server
        server.close()
    return filled


def of_each(rows):
    names = [row.name for row in rows]
    assert len(set(names)) == len(names), "two rows with one name: " + ", ".join(
        sorted({n for n in names if names.count(n) > 1}))
    return pytest.mark.parametrize("n", range(len(rows)), ids=[re.sub(r"[^\w.]+", "-", name) for name in names])


def ask(server, n, row):
    """The answer of the row's query over ten minutes, or at the instant `at` (seconds)."""
    query = row.query.replace("ROW", f'row="{n}"')
    if "at" in row.how:
        params = {"time": T0 + int(row.how["at"] * NS)}
        return server.get("/loki/api/v1/query", query=query, **params)
    start, end, step = row.how.get("over", (0, 600, 60))
    params = {"start": T0 + int(start * NS), "end": T0 + int(end * NS), "step": step, "limit": row.how.get("limit", 1000),
              "direction": row.how.get("direction", "forward")}
    if "interval" in row.how:
        params["interval"] = row.how["interval"]
    return server.get("/loki/api/v1/query_range", row.how.get("headers"), query=query, **params)


def own(labels):
    return {k: v for k, v in labels.items() if k != "row"}


def log_entries(data):
    """[(offset in seconds, line, labels)] by time."""
    out = [((int(v[0]) - T0) / NS, v[1], own(s["stream"])) for s in data["result"] for v in s["values"]]
    return sorted(out, key=lambda e: (e[0], e[1], json.dumps(e[2], sort_keys=True)))


def check_error(answer, want):
    assert answer.status_code == 400, (answer.status_code, answer.text)
    assert want in answer.text, answer.text


def check_kept(answer, row):
    """want: for each line None (dropped), the labels, or (line, labels).  Labels lack svc="pay"
    unless they name it; __error_details__ goes with __error__ unless it is named."""
    assert answer.status_code == 200, (answer.status_code, answer.text)
    (_, entries), = row.streams
    want = []
    for (offset, line, *_), outcome in zip(entries, row.want):
        if outcome is None:
            continue
        if isinstance(outcome, tuple):
            line, outcome = outcome
        labels = {"svc": "pay", **outcome}
        want.append((float(offset), line, {k: v for k, v in labels.items() if v is not None}))
    got = log_entries(answer.json()["data"])
    for (_, _, labels), (_, _, wanted) in zip(got, want):
        if wanted.get("__error_details__") == "?":
            assert labels.pop("__error_details__", ""), "no details: %r" % labels
            del wanted["__error_details__"]
        elif "__error__" in wanted and "__error_details__" not in wanted and "NO_DETAILS" not in wanted:
            assert labels.pop("__error_details__", ""), "no details: %r" % labels
        wanted.pop("NO_DETAILS", None)
    assert len(row.want) == len(entries)
    assert got == want


def number(text):
    return float(text)


def same(a, b):
    return a == b or (a != a and b != b) or abs(a - b) <= 1e-9 * max(abs(a), abs(b))


def check_series(answer, row):
    """want: {labels: value} of an instant query, labels as `a="1", b="2"`; of a range query
    {labels: {offset: value}}; a number for a scalar."""
    assert answer.status_code == 200, (answer.status_code, answer.text)
    data = answer.json()["data"]
    if data["resultType"] == "scalar":
        assert same(number(data["result"][1]), row.want)
        return
    got = {}
    for s in data["result"]:
        key = ", ".join('%s="%s"' % kv for kv in sorted(own(s["metric"]).items()))
        assert key not in got, "the labels {%s} twice" % key
        got[key] = number(s["value"][1]) if "value" in s else {
            round(float(t) - T0 / NS, 3): number(v) for t, v in s["values"]}
    assert got.keys() == row.want.keys(), got
    if row.how.get("ordered"):
        assert list(got) == list(row.want)
    for key, wanted in row.want.items():
        if isinstance(wanted, dict):
            assert got[key].keys() == wanted.keys(), (key, got[key])
            for t, v in wanted.items():
                assert same(got[key][t], v), (key, t, got[key][t])
        else:
            assert same(got[key], wanted), (key, got[key])


def check(server, n, row):
    answer = ask(server, n, row)
    if isinstance(row.want, str):
        check_error(answer, row.want)
    elif isinstance(row.want, list):
        check_kept(answer, row)
    else:
        check_series(answer, row)
