# SPDX-License-Identifier: Apache-2.0
"""A full head is replayed in moments."""
import os
import random
import time

import requests
import snappy

import scene
from book import LIMITS
from halogi import NS, pb_push
from scene import metric

SANITIZED = os.environ.get("CRASH_SANITIZED") == "1"
LINE_BYTES, LINES_PER_PUSH = 200, 4000
HEAD_BYTES = 64_000_000
BOUND_S = 20 if SANITIZED else 5  # the goal is 2 s on an idle machine; this one may be busy


def body(number, base_ns):
    words = random.Random(number).choices("GET POST /api/v1/push 200 204 500 latency=12ms user=42 id=".split(), k=400)
    pad = " ".join(words)
    streams = [('{app="restart", stream="s%d"}' % i, []) for i in range(200)]
    for i in range(LINES_PER_PUSH):
        at = (i * 37) % (len(pad) - LINE_BYTES)
        streams[i % 200][1].append((base_ns + number * LINES_PER_PUSH + i, f"{number}/{i} {pad[at:at + LINE_BYTES]}"))
    return snappy.compress(pb_push(streams))


def fill(server, base_ns):
    """Up to nine tenths of what makes a head spill; the number of lines."""
    n_pushes = 0
    while n_pushes * LINES_PER_PUSH * (LINE_BYTES + 48) < HEAD_BYTES * 0.9:
        answer = server.post("/loki/api/v1/push", body(n_pushes, base_ns),
                             {"Content-Type": "application/x-protobuf", "X-Scope-OrgID": "t"})
        assert answer.status_code == 204, answer.text
        n_pushes += 1
    return n_pushes * LINES_PER_PUSH


def count(server, base_ns):
    answer = server.get("/loki/api/v1/query", {"X-Scope-OrgID": "t"}, time=base_ns + 60 * NS,
                        query='sum(count_over_time({app="restart"}[1h]))')
    return int(answer.json()["data"]["result"][0]["value"][1])


def test_a_full_head_is_ready_again_in_moments(record_property):
    quiet = {"limits_config": LIMITS, "ingester": {"head_max_bytes": "64MB", "head_max_age": "30m",
                                                   "flush_local_bytes": "32MB", "flush_local_age": "30m"}}
    with scene.folder("restart") as where:
        server = scene.start(where, quiet)
        try:
            base_ns = time.time_ns() - 10 * NS
            n_lines = fill(server, base_ns)
            assert metric(server, "halogi_ingester_spills_total") == 0  # all of it is in the head
            server.kill()
            begun = time.monotonic()
            server.start()
            took_s = time.monotonic() - begun
            print(f"ready {took_s:.2f} s after the start, {n_lines} lines in the log")
            record_property("ready_s", took_s)
            assert count(server, base_ns) == n_lines
            assert took_s < BOUND_S
        finally:
            server.process.kill()
            server.process.wait()


def test_a_stop_in_the_middle_of_a_replay_is_clean_and_loses_nothing():
    with scene.folder("restart") as where:
        server = scene.start(where, {"ingester": {"head_max_bytes": "64MB", "head_max_age": "30m"}})
        try:
            base_ns = time.time_ns() - 10 * NS
            for n in range(12):
                assert server.post("/loki/api/v1/push", body(n, base_ns), {
                    "Content-Type": "application/x-protobuf", "X-Scope-OrgID": "t"}).status_code == 204
            server.kill()
            for delay_s in (0.0, 0.02, 0.05, 0.1, 0.2):
                server.start(wait=False)
                time.sleep(delay_s)
                server.process.terminate()
                # Before it handles signals the process may end by this one: nothing has begun then.
                assert server.process.wait(60) in (0, -15), server.tail()
            server.start()
            assert count(server, base_ns) == 12 * LINES_PER_PUSH
        finally:
            server.process.kill()
            server.process.wait()


def test_ready_says_what_the_replay_is_doing():
    with scene.folder("restart") as where:
        server = scene.start(where, {"ingester": {"head_max_bytes": "64MB", "head_max_age": "30m"}})
        try:
            base_ns = time.time_ns() - 10 * NS
            for n in range(20):
                server.post("/loki/api/v1/push", body(n, base_ns),
                            {"Content-Type": "application/x-protobuf", "X-Scope-OrgID": "t"})
            server.kill()
            server.start(wait=False)
            seen = set()
            end = time.monotonic() + BOUND_S
            while time.monotonic() < end and "ready\n" not in seen:
                try:
                    seen.add(requests.get(server.url + "/ready", timeout=5).text)
                except requests.ConnectionError:
                    pass
            assert "ready\n" in seen
            assert all(text == "ready\n" or "replaying" in text or "starting" in text.lower() for text in seen), seen
        finally:
            server.process.kill()
            server.process.wait()
