#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmark's queries: wall time, server CPU and a checksum of each answer."""
import argparse
import hashlib
import json
import statistics
import time
import urllib.parse
import urllib.request

from push import cpu_seconds

QUERIES = {
    "rare string": ('{app=~".+"} |= "NEEDLE"', {"limit": 100}),
    "count by app, 1m": ('sum by (app) (count_over_time({app=~".+"}[1m]))', {"step": 60}),
    "(?i)exception counted": ('sum(count_over_time({app=~".+"} |~ "(?i)exception" [1m]))', {"step": 60}),
    "newest 100": ('{app=~".+"}', {"limit": 100}),
    "substring counted": ('sum(count_over_time({app=~".+"} |= "error" [1m]))', {"step": 60}),
    "regex counted": ('sum(count_over_time({kind="text"} |~ `(?i)(warn|fatal).*connection` [1m]))', {"step": 60}),
    "bytes_rate by app": ('sum by (app) (bytes_rate({app=~".+"}[5m]))', {"step": 60}),
    "json, sum by status": ('sum by (status) (count_over_time({kind="json"} | json [1m]))', {"step": 60}),
    "logfmt, quantile": ('quantile_over_time(0.99, {kind="logfmt"} | logfmt | unwrap duration(duration) [1m]) by (method)', {"step": 60}),
    "pattern": ('sum by (method) (count_over_time({kind="logfmt"} | pattern "<_> method=<method> <_>" [1m]))', {"step": 60}),
    "line_format": ('{kind="logfmt"} | logfmt | line_format "{{.method}} {{.path}}"', {"limit": 1000}),
    "trace id in json, none": ('{kind="json"} | json | trace_id="0123456789abcdef0123456789abcdef"', {"limit": 100}),
    "trace id in json, one line": ('{kind="json"} | json | trace_id="TRACE_ID"', {"limit": 100}),
    "24 h, step 15 s, [5m]": ('sum by (app) (rate({app=~".+"}[5m]))', {"step": 15, "hours": 24}),
    "24 h, step 15 s, [5m], unwrapped avg": (
        'avg_over_time({kind="logfmt"} | logfmt | unwrap duration(duration) [5m]) by (method)',
        {"step": 15, "hours": 24}),
    "24 h, step 15 s, [5m], unwrapped quantile": (
        'quantile_over_time(0.99, {kind="logfmt"} | logfmt | unwrap duration(duration) [5m]) by (method)',
        {"step": 15, "hours": 24}),
    "10,000 series": ('sum by (user) (count_over_time({kind="logfmt"} | logfmt [1m]))', {"step": 60}),
}


def ask(url, query, start_ns, end_ns, params, tenant=None):
    params = dict(params)
    hours = params.pop("hours", None)
    if hours:
        start_ns = end_ns - hours * 3600 * 10**9
    text = urllib.parse.urlencode({"query": query, "start": start_ns, "end": end_ns, **params})
    request = urllib.request.Request(f"{url}/loki/api/v1/query_range?{text}",
                                     headers={"X-Scope-OrgID": tenant} if tenant else {})
    with urllib.request.urlopen(request, timeout=300) as answer:
        return answer.read()


def checksum(answer):
    """Of the result alone, in an order that no server chooses."""
    rows = sorted(json.dumps(row, sort_keys=True) for row in answer["data"]["result"])
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:12]


def measure(url, made, start_ns, end_ns, pid=None, runs=7, only=None):
    """made: "needle" and "trace_id" of the data."""
    results = {}
    for name, (query, params) in QUERIES.items():
        if only and only not in name:
            continue
        query = query.replace("NEEDLE", made["needle"]).replace("TRACE_ID", made["trace_id"])
        try:
            ask(url, query, start_ns, end_ns, params)  # warm
            walls, cpu = [], cpu_seconds(pid) if pid else 0
            for _ in range(runs):
                begun = time.monotonic()
                text = ask(url, query, start_ns, end_ns, params)
                walls.append((time.monotonic() - begun) * 1000)
        except urllib.error.HTTPError as error:
            results[name] = {"error": error.read(300).decode(errors="replace")}
            continue
        cpu = (cpu_seconds(pid) - cpu) * 1000 / runs if pid else None
        answer = json.loads(text)
        stats = answer["data"].get("stats", {}).get("summary", {})
        results[name] = {
            "median_ms": round(statistics.median(walls), 2), "min_ms": round(min(walls), 2),
            "server_ms": round(1000 * stats.get("execTime", 0), 2),
            "cpu_ms": round(cpu, 1) if pid else None,
            "series": len(answer["data"]["result"]), "bytes": len(text), "checksum": checksum(answer)}
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--needle", default="needle-7f3a9c51d2e84b06")
    parser.add_argument("--trace-id", default="0123456789abcdef0123456789abcdef", help="as bench_gen printed it")
    parser.add_argument("--start-ns", type=int, required=True)
    parser.add_argument("--end-ns", type=int, required=True)
    parser.add_argument("--pid", type=int)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only")
    a = parser.parse_args()
    of_data = {"needle": a.needle, "trace_id": a.trace_id}
    for name, row in measure(a.url, of_data, a.start_ns, a.end_ns, a.pid, a.runs, a.only).items():
        print(f"{name:<24} {json.dumps(row)}")
