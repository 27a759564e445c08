#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pushes the bodies of a file over N connections; prints latencies and the server's CPU and memory.

CPU and memory come from /proc of the process given; the run ends when that process has been quiet
for two seconds, so that merges are paid for."""
import argparse
import http.client
import json
import os
import pathlib
import struct
import threading
import time
import urllib.parse

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid, what):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def bodies(path):
    with open(path, "rb") as file:
        while head := file.read(4):
            yield file.read(struct.unpack("<I", head)[0])


def wait_quiet(pid, seconds=2.0, limit=600):
    """Returns when the process used under 2 % of a core for `seconds`."""
    started = time.monotonic()
    while time.monotonic() - started < limit:
        before = cpu_seconds(pid)
        time.sleep(seconds)
        if cpu_seconds(pid) - before <= 0.02 * seconds:
            return
    raise SystemExit("the server did not get quiet")


def push_all(url, path, connections, tenants=()):
    """Sends every body once, in turn to each tenant; returns (wall seconds, latencies in s, failures)."""
    target = urllib.parse.urlsplit(url)
    source, lock = enumerate(bodies(path)), threading.Lock()
    latencies, failures = [], []

    def work():
        link = http.client.HTTPConnection(target.hostname, target.port, timeout=120)
        while True:
            with lock:
                number, body = next(source, (0, None))
            if body is None:
                return
            headers = {"Content-Type": "application/x-protobuf"}
            if tenants:
                headers["X-Scope-OrgID"] = tenants[number % len(tenants)]
            while True:
                begun = time.monotonic()
                link.request("POST", "/loki/api/v1/push", body, headers)
                answer = link.getresponse()
                text = answer.read()
                latencies.append(time.monotonic() - begun)
                if answer.status not in (429, 503):
                    break
                failures.append(answer.status)
                time.sleep(0.1)
            if answer.status != 204:
                failures.append((answer.status, text[:300]))

    started = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - started, sorted(latencies), failures


def measure(url, path, connections, pid, raw_bytes):
    before = cpu_seconds(pid) if pid else 0
    wall, latencies, failures = push_all(url, path, connections)
    result = {"wall_s": round(wall, 2), "mib_per_s": round(raw_bytes / wall / 2**20, 1),
              "pushes": len(latencies), "failures": [str(f) for f in failures[:3]],
              "n_failures": len(failures),
              "p50_ms": round(latencies[len(latencies) // 2] * 1000, 2),
              "p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1000, 2)}
    if pid:
        wait_quiet(pid)
        used = cpu_seconds(pid) - before
        result |= {"cpu_s": round(used, 2), "cpu_s_per_gib": round(used / raw_bytes * 2**30, 2),
                   "rss_mb": round(memory_mb(pid, "VmRSS"), 1),
                   "peak_rss_mb": round(memory_mb(pid, "VmHWM"), 1)}
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("bodies")
    parser.add_argument("--raw-bytes", type=int, required=True)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--pid", type=int)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.url, arguments.bodies, arguments.connections, arguments.pid,
                             arguments.raw_bytes)))
