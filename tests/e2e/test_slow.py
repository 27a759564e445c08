# SPDX-License-Identifier: Apache-2.0
"""Big answers and slow readers: they hold no thread, no turn, and no push back."""
import contextlib
import gzip
import json
import socket
import statistics
import time

import pytest
import requests

from halogi import NS, Server

N_LINES, LINE_BYTES = 40_000, 400


@pytest.fixture(scope="module")
def big():
    config = {"limits_config": {"max_entries_limit_per_query": 0, "ingestion_rate_mb": 1000,
                                "ingestion_burst_size_mb": 1000, "per_stream_rate_limit": "1GB",
                                "per_stream_rate_limit_burst": "1GB"},
              "querier": {"max_concurrent": 1}}
    with Server(config) as server:
        base = time.time_ns() - 600 * NS
        for at in range(0, N_LINES, 4000):
            server.push([({"t": "big"}, [(base + i, f"{i:06} " + chr(97 + i % 26) * LINE_BYTES)
                                         for i in range(at, at + 4000)])])
        yield server


def slow_get(server, path):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(60)
    s.connect(("127.0.0.1", server.port))
    s.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path.encode())
    return s


PATH = "/loki/api/v1/query_range?query=%7Bt%3D%22big%22%7D&limit=1000000&direction=forward"


def check_lines(body):
    answer = json.loads(body)
    lines = [v[1] for s in answer["data"]["result"] for v in s["values"]]
    assert len(lines) == N_LINES
    assert [int(line[:6]) for line in lines] == list(range(N_LINES))
    assert answer["data"]["stats"]["summary"]["totalEntriesReturned"] == N_LINES


def test_a_big_answer_is_whole(big):
    answer = requests.get(big.url + PATH, headers={"Accept-Encoding": "identity"}, timeout=60)
    assert "Content-Encoding" not in answer.headers
    check_lines(answer.content)


def test_a_big_answer_is_gzipped_when_asked(big):
    answer = requests.get(big.url + PATH, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=60)
    assert answer.headers["Content-Encoding"] == "gzip"
    body = answer.raw.read(decode_content=False)
    assert len(body) < N_LINES * LINE_BYTES / 10
    check_lines(gzip.decompress(body))


def push_latencies(server, n):
    out = []
    for i in range(n):
        begun = time.monotonic()
        server.push([({"t": "small"}, [(time.time_ns(), f"push {i}")])])
        out.append(time.monotonic() - begun)
    return out


def test_slow_readers_hold_nothing_up(big):
    alone = push_latencies(big, 100)
    readers = [slow_get(big, PATH) for _ in range(3)]
    for s in readers:
        assert s.recv(100).startswith(b"HTTP/1.1 200")
    # All three answers are on their way, on a server with a single place for queries.
    assert big.query("1+1")["result"][1] == "2"
    beside = push_latencies(big, 100)
    p99 = statistics.quantiles(beside, n=100)[98]
    assert p99 < max(0.25, 10 * statistics.quantiles(alone, n=100)[98])
    assert last_bytes(readers[0]).endswith((b"}}\n", b"0\r\n\r\n"))
    for s in readers[1:]:
        s.close()
    assert big.query("1+1")["result"][1] == "2"


def last_bytes(s):
    data = b""
    while piece := s.recv(1 << 20):
        data = (data + piece)[-100:]
    return data


def held_by_queries(server):
    for line in server.get("/metrics").text.splitlines():
        if line.startswith("halogi_ledger_queries_bytes "):
            return float(line.split()[1])
    raise AssertionError("no metric of what queries hold")


def test_what_an_answer_held_is_given_back(big):
    s = slow_get(big, PATH)
    assert s.recv(100).startswith(b"HTTP/1.1 200")
    assert held_by_queries(big) > N_LINES * LINE_BYTES / 2
    s.close()
    end = time.monotonic() + 20
    while held_by_queries(big) > 0 and time.monotonic() < end:
        time.sleep(0.1)
    assert held_by_queries(big) == 0


def test_pieces_of_a_big_answer_are_large(big):
    with socket.create_connection(("127.0.0.1", big.port), timeout=60) as s:
        s.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % PATH.encode())
        data = b""
        while piece := s.recv(1 << 20):
            data += piece
    at, sizes = data.index(b"\r\n\r\n") + 4, []
    while True:
        end = data.index(b"\r\n", at)
        size = int(data[at:end], 16)
        at = end + 2 + size + 2
        if size == 0:
            break
        sizes.append(size)
    assert sum(sizes) > N_LINES * LINE_BYTES
    assert min(sizes[:-1]) >= 32 << 10, sizes


def test_a_reader_that_stops_loses_its_answer():
    config = {"limits_config": {"max_entries_limit_per_query": 0, "ingestion_burst_size_mb": 100},
              "server": {"http_server_write_timeout": "500ms"}}
    with Server(config) as server:
        base = time.time_ns() - 600 * NS
        for at in range(0, 20_000, 5000):
            server.push([({"t": "big"}, [(base + i, "x" * 400) for i in range(at, at + 5000)])])
        stuck, slow = slow_get(server, PATH), slow_get(server, PATH)
        assert stuck.recv(100).startswith(b"HTTP/1.1 200")
        begun = time.monotonic()
        data = b""
        while time.monotonic() - begun < 2:  # a little now and then is fine
            data += slow.recv(1 << 14)
            time.sleep(0.02)
        assert held_by_queries(server) > 0
        assert "halogi_http_slow_clients_cut_total 1" in server.get("/metrics").text
        while piece := slow.recv(1 << 20):
            data += piece
        assert data.endswith(b"0\r\n\r\n")
        rest = b""
        with contextlib.suppress(ConnectionError):
            while piece := stuck.recv(1 << 20):
                rest = (rest + piece)[-100:]
        assert not rest.endswith(b"0\r\n\r\n")
        end = time.monotonic() + 20
        while held_by_queries(server) > 0 and time.monotonic() < end:
            time.sleep(0.1)
        assert held_by_queries(server) == 0
