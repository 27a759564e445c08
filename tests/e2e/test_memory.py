# SPDX-License-Identifier: Apache-2.0
"""Bodies that mean more than they weigh: bombs, floods of next to nothing, and what is left of them
after a kill."""
import gzip
import json
import threading
import time
import zlib

import pytest
import snappy

from halogi import NS, Server, field, pb_entry, pb_push

JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}
MIB = 1 << 20


def status_of(server, key):
    for line in open(f"/proc/{server.process.pid}/status"):
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024


def sanitized(server):
    return status_of(server, "VmPeak") > 1 << 40


def gzip_of_zeros(n):
    """Blocks that hang together in nothing, so that one is made and repeated.  The length at the end is
    right; nobody gets as far as the checksum before it, which is not."""
    packer = zlib.compressobj(1, wbits=31)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    assert packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH) == block
    return head + block * (n // MIB) + packer.flush()[:-4] + n.to_bytes(4, "little")


BOMB = gzip_of_zeros(1024 * MIB)  # a few MiB of gzip


def test_tiny_entries_survive_a_kill(server):
    """Each costs the server several times its bytes: the log must take them as the push did."""
    n, now = 150_000, time.time_ns() - 60 * NS
    body = '{"streams":[{"stream":{"t":"tiny"},"values":[' + \
        ",".join(f'["{now + i}",""]' for i in range(n)) + "]}]}"
    answer = server.post("/loki/api/v1/push", body, JSON)
    assert answer.status_code == 204, answer.text
    entries = b"".join(field(2, pb_entry(now + n + i, "")) for i in range(n))
    packed = snappy.compress(field(1, field(1, b'{t="tiny"}') + entries))
    answer = server.post("/loki/api/v1/push", packed, PROTOBUF)
    assert answer.status_code == 204, answer.text
    server.kill()
    server.start()
    data = server.query('sum(count_over_time({t="tiny"}[10m]))')
    assert data["result"][0]["value"][1] == str(2 * n)


def test_a_wasteful_body_survives_a_kill(server):
    """A gzip of a snappy block that is longer than its text."""
    text = pb_push([('{t="waste"}', [(time.time_ns(), "x" * 100)])])
    block = bytes([len(text) & 127 | 128, len(text) >> 7]) + b"".join(b"\xf0\x00" + text[i:i + 1] for i in range(len(text)))
    assert snappy.uncompress(block) == text
    answer = server.post("/loki/api/v1/push", gzip.compress(block), {**PROTOBUF, "Content-Encoding": "gzip"})
    assert answer.status_code == 204, answer.text
    server.kill()
    server.start()
    assert [line for _, line in server.lines('{t="waste"}')] == ["x" * 100]


@pytest.mark.parametrize("body, headers", [
    (BOMB, {**JSON, "Content-Encoding": "gzip"}),
    (BOMB, {**PROTOBUF, "Content-Encoding": "gzip"}),
    (b"\xff\xff\xff\xff\x0f" + b"x" * 1000, PROTOBUF),
    (snappy.compress(field(1, field(1, b'{a="b"}') + b"\x12\x00" * (8 * MIB))), PROTOBUF),
], ids=["gzip json", "gzip protobuf", "claim", "empty entries"])
def test_bombs_are_refused_within_the_memory(body, headers):
    with Server({"server": {"memory_ceiling": "256MB"}}) as server:
        before = status_of(server, "VmHWM")
        answer = server.post("/loki/api/v1/push", body, headers)
        assert answer.status_code in (400, 413), answer.text
        assert sanitized(server) or status_of(server, "VmHWM") < before + 400 * MIB


def test_many_bombs_at_once_leave_the_server_within_its_ceiling():
    with Server({"server": {"memory_ceiling": "256MB", "worker_threads": 8}}) as server:
        seen, before = [], status_of(server, "VmHWM")

        def throw():
            for _ in range(3):
                answer = server.post("/loki/api/v1/push", BOMB, {**JSON, "Content-Encoding": "gzip"})
                seen.append((answer.status_code, answer.text[:40]))

        threads = [threading.Thread(target=throw) for _ in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(seen) == 36 and {code for code, _ in seen} <= {413, 503}, seen
        assert sanitized(server) or status_of(server, "VmHWM") < before + 300 * MIB
        server.push([({"t": "after"}, [(time.time_ns(), "fine")])])
        assert json.loads(server.get("/loki/api/v1/labels").text)["status"] == "success"
