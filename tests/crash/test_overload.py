# SPDX-License-Identifier: Apache-2.0
"""More than the server can bear: it sheds load with 503 and a time to come back, stays within its
memory, answers the rest right, and never ends.  CRASH_SECONDS: how long it is pressed (2, in the long form 4)."""
import os
import random
import socket
import threading
import time

import requests
import snappy

import scene
from book import ASK, LIMITS
from halogi import NS, how_many, pb_push
from scene import metric

SANITIZED = os.environ.get("CRASH_SANITIZED") == "1"
SECONDS = how_many("CRASH_SECONDS", 2, 4)
CEILING_MB = 64
# Code, stacks, fragmentation and LMDB's pages come on top; a sanitizer's shadow much more.
RSS_BOUND_MB = CEILING_MB + (900 if SANITIZED else 80)
PROTOBUF = {"Content-Type": "application/x-protobuf", "X-Scope-OrgID": "t"}
PRESSED = {"server": {"memory_ceiling": f"{CEILING_MB}MB"}, "limits_config": LIMITS,
           "ingester": {"head_max_bytes": "16MB", "head_max_age": "1s", "flush_local_bytes": "8MB",
                        "push_wait_max_bytes": "16MB"}}


def peak_mb(server):
    with open(f"/proc/{server.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024


class Crowd:
    """Threads that all do their own thing until told to stop, and what they saw."""

    def __init__(self, server):
        self.server, self.over = server, threading.Event()
        self.threads, self.statuses, self.complaints = [], {}, []
        self.mu = threading.Lock()

    def note(self, kind, answer):
        with self.mu:
            key = kind, answer.status_code
            self.statuses[key] = self.statuses.get(key, 0) + 1
            if answer.status_code >= 500 and answer.status_code != 503:
                self.complaints.append(f"{kind}: {answer.status_code} {answer.text[:200]}")
            if answer.status_code == 503 and "Retry-After" not in answer.headers:
                self.complaints.append(f"{kind}: a 503 without Retry-After: {answer.text[:200]}")

    def add(self, n, work):
        for i in range(n):
            self.threads.append(threading.Thread(target=self.run, args=(work, random.Random(i)), daemon=True))

    def run(self, work, choose):
        session = requests.Session()
        while not self.over.is_set():
            try:
                work(self, session, choose)
            except (requests.RequestException, OSError):
                session = requests.Session()
                if self.server.process.poll() is not None:
                    return

    def press(self, seconds):
        for t in self.threads:
            t.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.server.process.poll() is None:
            time.sleep(0.05)
        self.over.set()
        for t in self.threads:
            t.join(90)
        assert self.server.process.poll() is None, "the process ended:\n" + self.server.tail()
        assert not any(t.is_alive() for t in self.threads), "a request hangs"
        assert not self.complaints, "\n".join(self.complaints[:10])


class Pusher:
    """Bodies that cost little to make and much to take: lines that differ in their times alone, and
    long ones that pack well, 12 MB in a few hundred KB."""

    def __init__(self, base_ns):
        self.base_ns, self.n, self.n_acked = base_ns, 0, 0
        self.mu = threading.Lock()
        self.pad = ["%0900x" % random.getrandbits(3600) for _ in range(16)]
        self.fat = ["ffff%d " % i * 30_000 for i in range(4)]

    def body(self, n_lines, fat=False):
        with self.mu:
            first, self.n = self.n, self.n + n_lines
        return snappy.compress(pb_push([('{app="press", part="%d"}' % (first % 50),
                                         [(self.base_ns + first + i, (self.fat if fat else self.pad)[(first + i) % 4])
                                          for i in range(n_lines)])]))

    def push(self, crowd, session, choose):
        n_lines, fat = choose.choice([(1, False), (1000, False), (60, True), (60, True)])
        answer = session.post(crowd.server.url + "/loki/api/v1/push", data=self.body(n_lines, fat),
                              headers=PROTOBUF, timeout=60)
        crowd.note("push", answer)
        if answer.status_code == 204:
            with self.mu:
                self.n_acked += n_lines


def ask(crowd, session, choose):
    query = choose.choice(['{app="press"}', '{app="press"} |= "ffff"', 'sum by (part) (count_over_time({app="press"}[1m]))',
                           '{app=~".+"} |~ "[0-9]{20}"'])
    crowd.note("query", session.get(crowd.server.url + "/loki/api/v1/query_range", timeout=60, headers={
        "X-Scope-OrgID": "t", **ASK}, params={"query": query, "limit": choose.choice([10, 100000])}))


def talk_rubbish(crowd, session, choose):
    url, kind = crowd.server.url, choose.randrange(4)
    if kind == 0:
        crowd.note("rubbish", session.post(url + "/loki/api/v1/push", data=choose.randbytes(choose.randrange(100_000)),
                                           headers=PROTOBUF, timeout=60))
    elif kind == 1:  # a little that says it is much
        crowd.note("rubbish", session.post(url + "/loki/api/v1/push", data=b"\xff\xff\xff\x7f" + bytes(50),
                                           headers=PROTOBUF, timeout=60))
    elif kind == 2:
        crowd.note("rubbish", session.get(url + "/loki/api/v1/query_range", headers=PROTOBUF, timeout=60, params={
            "query": choose.choice(["{", "}" * 5000, '{a="' + "x" * 60000, "(" * 20000, "rate({" * 999])}))
    else:
        with socket.create_connection(("127.0.0.1", crowd.server.port), timeout=10) as s:
            s.sendall(b"POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n" +
                      choose.randbytes(5000))


def read_slowly(crowd, session, choose):
    """Asks for much and takes it by the spoon."""
    with session.get(crowd.server.url + "/loki/api/v1/query_range", stream=True, timeout=60, headers={
            "X-Scope-OrgID": "t", **ASK}, params={"query": '{app="press"}', "limit": 100000}) as answer:
        crowd.note("slow", answer) if answer.status_code != 200 else None
        while not crowd.over.is_set() and answer.raw.read(2000):
            time.sleep(0.02)


def count(server, base_ns):
    answer = server.get("/loki/api/v1/query", {"X-Scope-OrgID": "t"}, time=base_ns + 60 * NS,
                        query='sum(count_over_time({app="press"}[1h]))')
    assert answer.status_code == 200, answer.text
    return int(answer.json()["data"]["result"][0]["value"][1])


def check_nothing_is_owed(server):
    """What requests were charged for has been given back, whatever became of them."""
    end = time.monotonic() + 10
    while True:
        owed = {name: metric(server, f"halogi_ledger_{name}_bytes") for name in ("bodies", "queries", "spill")}
        fds = metric(server, "process_open_fds")
        if not any(owed.values()) and fds < 100:
            return
        assert time.monotonic() < end, (owed, fds)
        time.sleep(0.1)


def test_overload_is_shed_and_survived():
    with scene.folder("overload") as where:
        server = scene.start(where, PRESSED)
        try:
            crowd, pusher = Crowd(server), Pusher(time.time_ns() - 30 * NS)
            crowd.add(8, pusher.push)
            crowd.add(4, ask)
            crowd.add(2, talk_rubbish)
            crowd.press(SECONDS)
            print(crowd.statuses, f"peak {peak_mb(server):.0f} MB, {pusher.n_acked} lines acknowledged")
            assert crowd.statuses.get(("push", 204), 0) > 0
            assert sum(n for (_, status), n in crowd.statuses.items() if status == 503) > 0
            assert peak_mb(server) < RSS_BOUND_MB
            end = time.monotonic() + 30  # it comes to rest, and takes pushes again
            while server.post("/loki/api/v1/push", pusher.body(1), PROTOBUF).status_code != 204:
                assert time.monotonic() < end, server.tail()
                time.sleep(0.1)
            server.post("/flush", b"", {"X-Scope-OrgID": "t"})
            check_nothing_is_owed(server)
            n_lines = count(server, pusher.base_ns)
            assert pusher.n_acked + 1 <= n_lines <= pusher.n
            server.restart()
            assert count(server, pusher.base_ns) == n_lines
        finally:
            server.process.kill()
            server.process.wait()


def test_slow_readers_do_not_hold_up_pushes():
    with scene.folder("slow") as where:
        server = scene.start(where, {"limits_config": LIMITS, "ingester": {"head_max_bytes": "64MB"}})
        try:
            pusher = Pusher(time.time_ns() - 30 * NS)
            for _ in range(10):
                assert server.post("/loki/api/v1/push", pusher.body(1000), PROTOBUF).status_code == 204
            crowd = Crowd(server)
            crowd.add(12, read_slowly)
            took = []

            def push(crowd, session, choose):
                begun = time.monotonic()
                status = session.post(server.url + "/loki/api/v1/push", data=pusher.body(1), headers=PROTOBUF,
                                      timeout=60).status_code
                took.append((time.monotonic() - begun, status))
                time.sleep(0.005)
            crowd.add(1, push)
            crowd.press(SECONDS / 2)
            assert {status for _, status in took} == {204}
            p99 = sorted(took)[len(took) * 99 // 100][0]
            print(f"{len(took)} pushes beside 12 slow readers, p99 {p99 * 1000:.1f} ms, "
                  f"peak {peak_mb(server):.0f} MB")
            assert p99 < (2 if SANITIZED else 0.5)
        finally:
            server.process.kill()
            server.process.wait()
