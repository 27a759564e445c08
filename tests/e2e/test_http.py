# SPDX-License-Identifier: Apache-2.0
"""What the network may send: torn, huge, slow and senseless requests.  Afterwards the server still
serves, holds no connection and has not grown."""
import gzip
import json
import random
import socket
import threading
import time

import pytest

from halogi import LONG, NS, Server

PUSH = b"POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def server():
    # Short patience, so that the tests are short.
    with Server({"server": {"http_server_read_timeout": "1s", "http_server_idle_timeout": "1s"}}) as s:
        yield s


def push_body(t, line="x"):
    return json.dumps({"streams": [{"stream": {"t": t}, "values": [[str(time.time_ns()), line]]}]}).encode()


def dial(server, timeout=20):
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout)


def talk(server, data, half_close=False):
    """Everything that comes back until the server closes."""
    with dial(server) as s:
        got = b""
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            while piece := s.recv(65536):
                got += piece
        except OSError:  # reset, or closed before we were done
            pass
        return got


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else None


def memory_kib(server):
    for line in open(f"/proc/{server.process.pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])


def connections(server):
    for line in server.get("/metrics").text.splitlines():
        if line.startswith("loki_tcp_connections"):
            return int(line.rsplit(" ", 1)[1])


def test_a_request_in_single_bytes_is_a_request(server):
    body = push_body("bytes")
    data = PUSH + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with dial(server) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(data)):
            s.sendall(data[i:i + 1])
        assert status(s.recv(65536)) == 204
    assert [line for _, line in server.lines('{t="bytes"}')] == ["x"]


@pytest.mark.parametrize("sizes", [[1] * 40, [3, 1000, 7], [65536]])
def test_chunked_bodies_are_joined(server, sizes):
    t = f"chunks {len(sizes)}"
    body, data = push_body(t, "y" * sum(sizes)), b""
    at = 0
    for n in sizes:
        piece = body[at:at + n]
        at += n
        if piece:
            data += b"%x\r\n%s\r\n" % (len(piece), piece)
    if body[at:]:
        data += b"%x\r\n%s\r\n" % (len(body[at:]), body[at:])
    answer = talk(server, PUSH + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + data + b"0\r\n\r\n")
    assert status(answer) == 204
    assert [len(line) for _, line in server.lines('{t="%s"}' % t)] == [sum(sizes)]


def test_a_body_cut_short_stores_nothing(server):
    body = push_body("cut")
    for cut in (0, 1, len(body) // 2, len(body) - 1):
        answer = talk(server, PUSH + b"Content-Length: %d\r\n\r\n" % len(body) + body[:cut], half_close=True)
        assert status(answer) in (None, 400, 408)
    assert server.lines('{t="cut"}') == []


# None: closed, or reset while we were still sending, which throws the answer away.
@pytest.mark.parametrize("data, want", [
    (b"GET /ready\r\n\r\n", {400, None}),
    (b"GET /ready HTTP/1.1\r\n\r\n", {400}),
    (b"GET /ready HTTP/9.9\r\nHost: x\r\n\r\n", {400, 505}),
    (b"\r\n\r\n\r\n", {400, None}),
    (b"GET  \r\n\r\n", {400, 505, None}),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400, None}),
    (b"\x00" * 1000 + b"\r\n\r\n", {400, 405, 505, None}),
    (b"GET /ready HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 5000 + b"\r\n", {431, None}),
    (b"GET /ready HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 200000 + b"\r\n\r\n", {431, None}),
    (b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {414, None}),
    (PUSH + b"Content-Length: -1\r\n\r\n", {400, 413}),
    (PUSH + b"Content-Length: 99999999999999999999999\r\n\r\n", {400, 413}),
    (PUSH + b"Content-Length: 1e3\r\n\r\n", {400, 413}),
    (PUSH + b"Content-Length: 999999999999\r\n\r\n", {413}),
    (PUSH + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", {400, None}),
    (PUSH + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", {400, 413, None}),
    (PUSH + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", {400}),
    (PUSH + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
], ids=range(18))
def test_senseless_requests_are_refused(server, data, want):
    assert status(talk(server, data, half_close=True)) in want
    assert server.get("/ready").status_code == 200


def test_a_thousand_matchers_in_the_url_are_answered(server):
    query = "&".join('match[]={t="%d"}' % i for i in range(1500)).replace("{", "%7B").replace('"', "%22")
    answer = talk(server, b"GET /loki/api/v1/series?" + query.encode() +
                  b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert status(answer) in (200, 400), answer[:200]


def test_pipelined_pushes_are_all_stored(server):
    data = b""
    for i in range(100):
        body = push_body("pipeline", f"line {i}")
        data += PUSH + (b"Connection: close\r\n" if i == 99 else b"") + \
            b"Content-Length: %d\r\n\r\n" % len(body) + body
    answer = talk(server, data)
    assert answer.count(b"HTTP/1.1 204") == 100
    assert {line for _, line in server.lines('{t="pipeline"}')} == {f"line {i}" for i in range(100)}


def test_a_client_that_waits_for_100_continue_gets_it(server):
    body = push_body("expect")
    with dial(server) as s:
        s.sendall(PUSH + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert s.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n")
        s.sendall(body)
        assert status(s.recv(1000)) == 204
    with dial(server) as s:  # and is refused before it sends
        s.sendall(PUSH + b"Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n")
        assert status(s.recv(1000)) == 413


def test_slow_senders_are_cut_and_hold_up_nobody(server):
    begun, slow = time.monotonic(), []
    for i in range(60):
        s = dial(server)
        s.sendall((b"", b"GET /re", PUSH, PUSH + b"Content-Length: 1000\r\n\r\n{")[i % 4])
        slow.append(s)
    worst = 0
    while time.monotonic() - begun < 1.5:
        for s in slow:
            try:
                s.sendall(b"x")
            except OSError:
                pass
        at = time.monotonic()
        assert server.get("/ready").status_code == 200
        worst = max(worst, time.monotonic() - at)
        time.sleep(0.1)
    assert worst < 2
    for s in slow:
        try:
            while s.recv(1000):
                pass
        except OSError:
            pass
        s.close()
    assert time.monotonic() - begun < 15


def mutated(r, data):
    for _ in range(r.randint(1, 4)):
        at = r.randrange(len(data) + 1)
        kind = r.random()
        if kind < .4:
            data = data[:at] + bytes([r.randrange(256)]) + data[at + 1:]
        elif kind < .6:
            data = data[:at] + data[at + r.randint(1, 20):]
        elif kind < .8:
            data = data[:at] + r.choice([b"\r\n", b"\r\n\r\n", b": ", b"%", b"?", b"\0", b"chunked", b"0"]) + data[at:]
        else:
            data = data[:at]
    return data


def test_garbage_leaves_the_server_as_it_was(server):
    r = random.Random(11)
    body = push_body("garbage")
    seeds = [
        PUSH + b"Content-Length: %d\r\n\r\n" % len(body) + body,
        PUSH + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
        PUSH + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(gzip.compress(body)) + gzip.compress(body),
        b"GET /loki/api/v1/query_range?query=%7Bt%3D%22garbage%22%7D&limit=5 HTTP/1.1\r\nHost: x\r\nX-Scope-OrgID: a\r\n\r\n",
        b"POST /loki/api/v1/labels HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 9\r\n\r\nstart=1&e",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n",
        b"GET /loki/api/v1/label/t%2Fx/values HTTP/1.0\r\n\r\n",
    ]

    seeds = [s.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n") for s in seeds]

    def some(n):
        for _ in range(n):
            talk(server, mutated(r, r.choice(seeds)), half_close=True)

    def many(n):
        threads = [threading.Thread(target=some, args=(n,)) for _ in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    many(2)
    before = memory_kib(server)
    many(22 if LONG else 6)
    assert server.process.poll() is None, server.tail()
    assert server.get("/ready").status_code == 200
    server.push([({"t": "after"}, [(time.time_ns() - NS, "fine")])])
    assert [line for _, line in server.lines('{t="after"}')] == ["fine"]
    end = time.monotonic() + 10
    while connections(server) > 3 and time.monotonic() < end:
        time.sleep(0.1)
    assert connections(server) <= 3
    # a sanitizer keeps freed memory for a while
    assert memory_kib(server) < before * 1.5 + 30000


def test_an_answer_that_nobody_reads_blocks_nobody():
    """Forty clients ask for a large answer and read none of it."""
    with Server({"limits_config": {"ingestion_burst_size_mb": 100}}) as server:
        now = time.time_ns() - 60 * NS
        for i in range(4):
            server.push([({"t": "large"}, [(now + i * 1000 + k, "z" * 2000) for k in range(1000)])])
        asks = []
        for _ in range(40):
            s = dial(server)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(b"GET /loki/api/v1/query_range?query=%7Bt%3D%22large%22%7D&limit=5000 HTTP/1.1\r\n"
                      b"Host: x\r\n\r\n")
            asks.append(s)
        worst = 0
        for i in range(20):
            at = time.monotonic()
            server.push([({"t": "beside"}, [(now + i, "x")])])
            worst = max(worst, time.monotonic() - at)
        assert worst < 5
        for s in asks:
            s.close()
        assert len(server.lines('{t="large"}')) == 4000
