# SPDX-License-Identifier: Apache-2.0
"""One damaged object among several: what it held is left out and named, the rest is as before."""
import hashlib
import re
import time

import pytest

from halogi import NS, Server

ALICE, BOB = {"X-Scope-OrgID": "alice"}, {"X-Scope-OrgID": "bob"}
N_OBJECTS, N_LINES, BAD = 3, 30, 1


def line(tenant, i, k):
    """Does not compress: a chunk of them is larger than what is harmed."""
    return f"{tenant} line {i} {k} {hashlib.sha256(f'{i} {k}'.encode()).hexdigest()}"


def fill(server, base):
    """Returns the objects in the order in which they were written."""
    found = []
    for i in range(N_OBJECTS):
        for tenant, headers in (("alice", ALICE), ("bob", BOB)):
            values = [(base + (100 * i + k) * NS, line(tenant, i, k)) for k in range(N_LINES)]
            server.push([({"app": "x"}, values)], headers)
        server.flush()
        now = set(server.folder.glob("data/**/*.seg"))
        found += now - set(found)
    assert len(found) == N_OBJECTS
    return found


def harm_chunk(path):
    """In alice's chunk, whose part is the first: every section of it."""
    data = bytearray(path.read_bytes())
    for at in range(100, 400):
        data[at] ^= 0x10
    path.write_bytes(data)


def ask(server, query, base, headers):
    return server.get("/loki/api/v1/query_range", headers, query=query, start=base - NS,
                      end=base + 1000 * NS, limit=1000, step="1000s", direction="forward")


def lines_of(answer):
    return sorted(v[1] for s in answer.json()["data"]["result"] for v in s["values"])


def all_lines(tenant, without=()):
    return sorted(line(tenant, i, k) for i in range(N_OBJECTS) for k in range(N_LINES)
                  if i not in without)


@pytest.mark.parametrize("harm", ["chunk", "gone", "footer"])
def test_what_is_damaged_is_left_out_and_named(harm):
    base = (time.time_ns() // (3600 * NS) - 1) * 3600 * NS
    with Server({"auth_enabled": True}) as server:
        victim = fill(server, base)[BAD]
        assert lines_of(ask(server, '{app="x"}', base, ALICE)) == all_lines("alice")
        server.stop()
        whole = victim.read_bytes()
        if harm == "chunk":
            harm_chunk(victim)
        server.start()
        if harm == "gone":
            victim.unlink()
        if harm == "footer":
            victim.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        before = server.get("/services").text
        assert "damaged" not in before

        answer = ask(server, '{app="x"} |= "line"', base, ALICE)
        assert answer.status_code == 200, answer.text
        assert lines_of(answer) == all_lines("alice", {BAD})
        (warning,) = answer.json()["warnings"]
        assert victim.name in warning and "damaged data was left out" in warning
        assert harm != "chunk" or ": chunk 0 of part 0 of" in warning, warning
        assert answer.headers["Cache-Control"] == "no-store"

        answer = ask(server, 'sum(sum_over_time({app="x"} | pattern "<_> line <i> <k> <_>" '
                             '| unwrap k [1000s]))', base, ALICE)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["warnings"]) == 1

        other = ask(server, '{app="x"} |= "line"', base, BOB)
        assert other.status_code == 200
        if harm == "chunk":
            assert lines_of(other) == all_lines("bob")
            assert "warnings" not in other.json()
            assert "Cache-Control" not in other.headers

        (line,) = re.findall("^damaged => (.*)$", server.get("/services").text, re.M)
        assert victim.name in line
        counted = re.search(r"^halogi_querier_damaged_chunks_total (\d+)", server.get("/metrics").text,
                            re.M)
        assert int(counted.group(1)) >= 2

        victim.write_bytes(whole)


def test_strict_queries_fail_with_500():
    base = (time.time_ns() // (3600 * NS) - 1) * 3600 * NS
    config = {"auth_enabled": True, "querier": {"fail_on_damaged_data": True}}
    with Server(config) as server:
        objects = fill(server, base)
        server.restart()
        whole = objects[BAD].read_bytes()
        objects[BAD].unlink()
        for query in ('{app="x"} |= "line"', 'sum(count_over_time({app="x"} |= "line" [1000s]))'):
            answer = ask(server, query, base, ALICE)
            assert answer.status_code == 500, answer.text
            assert objects[BAD].name in answer.text
        objects[BAD].write_bytes(whole)
        assert lines_of(ask(server, '{app="x"} |= "line"', base, ALICE)) == all_lines("alice")
