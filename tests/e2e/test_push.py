# SPDX-License-Identifier: Apache-2.0
"""What agents send, right and wrong.  Each test keeps to its own label value `t`."""
import gzip
import json
import socket
import time
import zlib

import pytest
import snappy

from halogi import NS, Server, pb_push

JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}
CATEGORIZE = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def json_body(t, *values):
    return json.dumps({"streams": [{"stream": {"t": t}, "values": list(values)}]}).encode()


ENCODINGS = {
    "json": (JSON, lambda t, ts: json_body(t, [str(ts), "hello"])),
    "json with charset": ({"Content-Type": "application/json; charset=utf-8"},
                          lambda t, ts: json_body(t, [str(ts), "hello"])),
    "gzip json": ({**JSON, "Content-Encoding": "gzip"},
                  lambda t, ts: gzip.compress(json_body(t, [str(ts), "hello"]))),
    "deflate json": ({**JSON, "Content-Encoding": "deflate"},
                     lambda t, ts: raw_deflate(json_body(t, [str(ts), "hello"]))),
    "snappy marker on json": ({**JSON, "Content-Encoding": "snappy"},
                              lambda t, ts: json_body(t, [str(ts), "hello"])),
    "protobuf": (PROTOBUF, lambda t, ts: snappy.compress(pb_push([('{t="%s"}' % t, [(ts, "hello")])]))),
    "protobuf of any other type": ({"Content-Type": "text/plain", "Content-Encoding": "snappy"},
                                   lambda t, ts: snappy.compress(pb_push([('{t="%s"}' % t, [(ts, "hello")])]))),
    "gzip around snappy protobuf": ({**PROTOBUF, "Content-Encoding": "gzip"},
                                    lambda t, ts: gzip.compress(snappy.compress(
                                        pb_push([('{t="%s"}' % t, [(ts, "hello")])])))),
    "deflate around snappy protobuf": ({**PROTOBUF, "Content-Encoding": "deflate"},
                                       lambda t, ts: raw_deflate(snappy.compress(
                                           pb_push([('{t="%s"}' % t, [(ts, "hello")])])))),
}


# The legacy path takes JSON in a shape of its own, tested below.
@pytest.mark.parametrize("path, name", [(path, name) for path in ("/loki/api/v1/push", "/api/prom/push")
                                        for name, (headers, _) in ENCODINGS.items()
                                        if path == "/loki/api/v1/push" or "json" not in headers["Content-Type"]])
def test_every_encoding_is_stored(shared, path, name):
    headers, body = ENCODINGS[name]
    t, ts = f"{path} {name}", time.time_ns()
    answer = shared.post(path, body(t, ts), headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert shared.lines('{t="%s"}' % t) == [(ts, "hello")]


def test_the_legacy_json_shape_is_stored(shared):
    body = {"streams": [{"labels": '{t="v0"}', "entries": [
        {"ts": "2026-01-01T10:00:00.000000001Z", "line": "x"}]}]}
    with Server({"limits_config": {"reject_old_samples": False}}) as server:
        assert server.post("/api/prom/push", json.dumps(body), JSON).status_code == 204
        assert server.lines('{t="v0"}', start="2026-01-01T09:00:00Z", end="2026-01-01T11:00:00Z") == \
            [(1767261600000000001, "x")]


@pytest.mark.parametrize("headers, text", [
    ({"Content-Type": None}, "mime: no media type"),
    ({**JSON, "Content-Encoding": "zstd"}, 'Content-Encoding "zstd" not supported'),
    ({**PROTOBUF, "Content-Encoding": "br"}, 'Content-Encoding "br" not supported'),
])
def test_unknown_encodings_are_refused_by_name(shared, headers, text):
    answer = shared.post("/loki/api/v1/push", b"x", headers)
    assert answer.status_code == 400 and text in answer.text
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.text.endswith("\n")


@pytest.mark.parametrize("body, status", [
    (b"", 400), (b"{", 400), (b"[]", 400), (b'{"streams":[]}', 422), (b"{}", 422),
    (json_body("bad", [1, "x"]), 400), (json_body("bad", ["1.5", "x"]), 400),
    (json_body("bad", ["2026-01-01T00:00:00Z", "x"]), 400), (json_body("bad", ["1"]), 400),
    (json_body("bad", ["1", 2]), 400), (json_body("bad", ["1", "x", {"k": 1}]), 400),
    (json_body("bad", ["1", "x", None]), 400), (b"\x00\xff\xfe", 400),
])
def test_broken_json_is_refused_whole(shared, body, status):
    assert shared.post("/loki/api/v1/push", body, JSON).status_code == status
    assert shared.lines('{t="bad"}', start=time.time_ns() - 29 * 24 * 3600 * NS) == []


@pytest.mark.parametrize("body, status", [
    (b"", 400), (b"\xff" * 40, 400), (snappy.compress(b"\x0a\xff\xff\x03abc"), 400),
    (snappy.compress(b"\x0a\x05\x0a\x03{a}"), 400), (snappy.compress(b""), 422),
    (b"\xff\xff\xff\xff\x0f", 413),  # claims four gigabytes
    (gzip.compress(b"no snappy"), 400), (b"\x05abc", 400),
])
def test_broken_protobuf_is_refused(shared, body, status):
    assert shared.post("/loki/api/v1/push", body, PROTOBUF).status_code == status


@pytest.mark.parametrize("headers, body", [
    ({**JSON, "Content-Encoding": "gzip"}, b"not gzip"),
    ({**JSON, "Content-Encoding": "gzip"}, gzip.compress(b'{"streams":[]}')[:-6]),
    ({**JSON, "Content-Encoding": "deflate"}, zlib.compress(b'{"streams":[]}')),
    ({"Content-Type": "application/json;;x"}, b"{}"),
    ({"Content-Type": "/"}, b"{}"),
    ({**JSON, "Content-Encoding": "gzip, snappy"}, b"{}"),
    ({**JSON, "Content-Encoding": "lz4"}, b"{}"),
])
def test_broken_wrappings_are_refused(shared, headers, body):
    assert shared.post("/loki/api/v1/push", body, headers).status_code == 400


@pytest.mark.parametrize("labels, text", [
    ("{a}", "couldn't parse labels"), ("{a=b}", "couldn't parse labels"),
    ('{a=~"b"}', "couldn't parse labels"), ('{a="b"', "couldn't parse labels"), ('a="b"', "couldn't parse labels"),
    ('{a="b", a="c"}', "has duplicate label name: 'a'"),
    ('{%s="x"}' % ("n" * 1025), "has label name too long"),
    ('{a="%s"}' % ("v" * 2049), "has label value too long"),
    ("{%s}" % ",".join(f'l{i}="x"' for i in range(16)), "has 16 label names; limit 15"),
])
def test_wrong_labels_are_named(shared, labels, text):
    body = snappy.compress(pb_push([(labels, [(time.time_ns(), "x")])]))
    answer = shared.post("/loki/api/v1/push", body, PROTOBUF)
    assert answer.status_code == 400 and text in answer.text, answer.text[:300]


@pytest.mark.parametrize("limits, values, text", [
    ({"allow_structured_metadata": False}, {"k": "v"}, "structured metadata"),
    ({"max_structured_metadata_size": "10B"}, {"k": "0123456789"}, "structured metadata"),
    ({"max_structured_metadata_entries_count": 1}, {"k": "v", "l": "w"}, "structured metadata"),
    ({"enforced_labels": ["team"]}, {}, "team"),
    ({"discover_service_name": [], "max_line_size": "1B"}, {}, "max entry size '1' bytes exceeded"),
    ({"block_ingestion_until": "2100-01-01T00:00:00Z", "block_ingestion_status_code": 403}, {}, "ingestion blocked"),
])
def test_limits_of_the_write_path(limits, values, text):
    with Server({"limits_config": limits}) as server:
        answer = server.push_raw([({"t": "l"}, [(time.time_ns(), "line", values)])])
        assert answer.status_code in (400, 403) and text in answer.text, answer.text
        assert (answer.status_code == 403) == ("block_ingestion_until" in limits)
        assert server.lines('{t="l"}') == []


def test_a_stream_needs_a_label_where_none_is_added():
    with Server({"limits_config": {"discover_service_name": []}}) as server:
        answer = server.push_raw([({}, [(time.time_ns(), "x")])])
        assert answer.status_code == 400
        assert "error at least one label pair is required per stream" in answer.text


def test_long_lines_are_cut_where_that_is_asked_for():
    with Server({"limits_config": {"max_line_size": "10B", "max_line_size_truncate": True,
                                   "max_line_size_truncate_identifier": "[cut]"}}) as server:
        server.push([({"t": "cut"}, [(time.time_ns(), "0123456789abcdef")])])
        assert [line for _, line in server.lines('{t="cut"}')] == ["01234[cut]"]


def test_one_streams_rate_is_limited():
    with Server({"limits_config": {"per_stream_rate_limit": "1KB", "per_stream_rate_limit_burst": "2KB"}}) as server:
        now = time.time_ns()
        answer = server.push_raw([({"t": "rate"}, [(now + i, "x" * 1000) for i in range(5)])])
        assert answer.status_code in (400, 429)
        assert "Per stream rate limit exceeded (limit: 1KB/sec) while attempting to ingest for stream" in answer.text


def test_lines_of_any_bytes_come_back(shared):
    ts = time.time_ns() - 10 * NS
    lines = [b"", b"nul \x00 inside", b"new\nline", b'quote " and \\ slash', b"\xff\xfe bad utf-8",
             "grüße 🎉".encode(), b"x" * 256 * 1024, b"tab\t\x1b[31mred"]
    body = snappy.compress(pb_push([('{t="bytes"}', [(ts + i, line) for i, line in enumerate(lines)])]))
    assert shared.post("/loki/api/v1/push", body, PROTOBUF).status_code == 204
    for place in ("memory", "object"):
        got = shared.lines('{t="bytes"}')
        assert [line for _, line in got] == [line.decode(errors="replace") for line in lines], place
        shared.flush()


def test_good_entries_survive_bad_neighbours(shared):
    now = time.time_ns()
    answer = shared.push_raw([
        ({"t": "partial"}, [(now - 3, "good"), (now - 30 * 24 * 3600 * NS, "old"), (now + 3600 * NS, "new")]),
        ({"t": "partial", "long": "v" * 3000}, [(now, "label value too long")]),
        ({"t": "partial", "n": "2"}, [(now - 2, "also good"), (now - 1, "x" * (256 * 1024 + 1))])])
    assert answer.status_code == 400
    for part in ("errors like: ", "has timestamp too old", "has timestamp too new", "label value too long",
                 "max entry size '262144' bytes exceeded"):
        assert part in answer.text
    assert [line for _, line in shared.lines('{t="partial"}')] == ["good", "also good"]


def test_out_of_order_lines_are_sorted_and_repeats_collapse(shared):
    now = time.time_ns() - 60 * NS
    for values in ([(now + 5, "e"), (now + 1, "a")], [(now + 3, "c")], [(now + 3, "c"), (now + 5, "e")],
                   [(now + 3, "d"), (now + 3, "c")]):
        shared.push([({"t": "order"}, values)])
    want = [(now + 1, "a"), (now + 3, "c"), (now + 3, "d"), (now + 5, "e")]

    def forward():
        data = shared.query_range('{t="order"}', direction="forward", limit=100)
        return [(int(v[0]), v[1]) for s in data["result"] for v in s["values"]]
    assert forward() == want
    shared.flush()
    assert forward() == want
    shared.push([({"t": "order"}, [(now + 3, "c"), (now + 4, "between")])])
    assert forward() == want[:3] + [(now + 4, "between"), want[3]]
    count = shared.query('sum(count_over_time({t="order"}[1h]))')
    assert count["result"][0]["value"][1] == "5"


def test_far_behind_entries_are_named(shared):
    now = time.time_ns()
    shared.push([({"t": "behind"}, [(now, "newest")])])
    answer = shared.push_raw([({"t": "behind"}, [(now - 2 * 3600 * NS, "late"), (now - NS, "fine")])])
    assert answer.status_code == 400
    assert "entry too far behind, entry timestamp is: " in answer.text
    assert "total ignored: 1 out of 2 for stream: " in answer.text
    assert [line for _, line in shared.lines('{t="behind"}')] == ["fine", "newest"]


def test_structured_metadata_is_normalised_and_kept(shared):
    now = time.time_ns()
    shared.push([({"t": "sm"}, [(now, "x", {"trace.id": "7f", "9lives": "a", "empty": "", "__keep__": "k"})])])
    for place in ("memory", "object"):
        data = shared.query_range('{t="sm"}', CATEGORIZE)
        assert data["encodingFlags"] == ["categorize-labels"]
        assert data["result"] == [{
            "stream": {"service_name": "unknown_service", "t": "sm"},
            "values": [[str(now), "x", {"structuredMetadata": {
                "__keep__": "k", "detected_level": "unknown", "key_9lives": "a", "trace_id": "7f"}}]]}], place
        shared.flush()


def test_a_chunked_upload_and_expect_continue_work(shared):
    body, ts = None, time.time_ns()
    body = json_body("chunked", [str(ts), "one"])

    def pieces():
        for at in range(0, len(body), 7):
            yield body[at:at + 7]
    assert shared.post("/loki/api/v1/push", pieces(), JSON).status_code == 204
    with socket.create_connection(("127.0.0.1", shared.port), timeout=10) as s:
        body = json_body("chunked", [str(ts + 1), "two"])
        s.sendall(b"POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                  b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert b" 100 " in s.recv(1000)
        s.sendall(body)
        assert b" 204 " in s.recv(1000)
    assert [line for _, line in shared.lines('{t="chunked"}')] == ["one", "two"]


def test_the_rate_limit_is_all_or_nothing():
    with Server({"limits_config": {"ingestion_rate_mb": 0.01, "ingestion_burst_size_mb": 0.02}}) as server:
        now = time.time_ns()
        server.push([({"t": "r"}, [(now, "small")])])
        answer = server.push_raw([({"t": "r"}, [(now + i, "y" * 5000) for i in range(1, 9)])])
        assert answer.status_code == 429
        assert "ingestion rate limit exceeded for user fake (limit: 10485 bytes/sec) while attempting to " \
               "ingest '8' lines totaling '40000' bytes" in answer.text
        server.push([({"t": "r"}, [(now + 100, "small again")])])
        assert [line for _, line in server.lines('{t="r"}')] == ["small", "small again"]


def test_the_stream_limit_leaves_existing_streams_alone():
    with Server({"limits_config": {"max_global_streams_per_user": 3}}) as server:
        now = time.time_ns()
        for i in range(3):
            server.push([({"t": str(i)}, [(now, "x")])])
        answer = server.push_raw([({"t": "3"}, [(now, "x")])])
        assert answer.status_code == 429
        assert "maximum active stream limit exceeded when trying to create stream" in answer.text
        server.push([({"t": "1"}, [(now + 1, "y")])])
        assert len(server.lines('{t=~".+"}')) == 4


def test_tenants_are_apart():
    with Server({"auth_enabled": True}) as server:
        now = time.time_ns()
        answer = server.push_raw([({"t": "x"}, [(now, "x")])])
        assert (answer.status_code, answer.text) == (401, "no org id\n")
        for tenant in ("a", "b"):
            server.push([({"t": "x", "of": tenant}, [(now, f"line of {tenant}")])], {"X-Scope-OrgID": tenant})
        for place in ("memory", "object"):
            for tenant in ("a", "b"):
                data = server.query_range('{t="x"}', {"X-Scope-OrgID": tenant})
                assert [v[1] for s in data["result"] for v in s["values"]] == [f"line of {tenant}"], place
                values = server.get("/loki/api/v1/label/of/values", {"X-Scope-OrgID": tenant}).json()
                assert values["data"] == [tenant]
            server.flush()
        for bad, text in (("a/b", "tenant ID 'a/b' contains unsupported character '/'"),
                          ("x" * 151, "tenant ID is too long: max 150 characters"),
                          ("..", "tenant ID is '.' or '..'")):
            answer = server.push_raw([({"t": "x"}, [(now, "x")])], {"X-Scope-OrgID": bad})
            assert answer.status_code == 400 and text in answer.text
        answer = server.push_raw([({"t": "x"}, [(now, "x")])], {"X-Scope-OrgID": "a|b"})
        assert answer.status_code == 400 and "multiple org IDs present" in answer.text


def test_a_body_over_the_limit_is_413():
    with Server({"distributor": {"max_recv_msg_size": 10000}}) as server:
        answer = server.post("/loki/api/v1/push", json_body("big", ["1", "x" * 20000]), JSON)
        assert answer.status_code == 413 and "message size too large than max" in answer.text
        bomb = gzip.compress(b" " * 50_000_000)
        with Server({"distributor": {"max_decompressed_size": 1_000_000}}) as other:
            answer = other.post("/loki/api/v1/push", bomb, {**JSON, "Content-Encoding": "gzip"})
            assert answer.status_code == 413
            claims = other.post("/loki/api/v1/push", b"\xff\xff\xff\xff\x0f" + b"\0" * 20, PROTOBUF)
            assert claims.status_code in (400, 413)


def test_many_streams_in_one_push(shared):
    now = time.time_ns()
    with Server({"limits_config": {"max_global_streams_per_user": 200000}}) as server:
        server.push([({"t": "many", "i": str(i)}, [(now + i, f"line {i}")]) for i in range(5000)])
        for place in ("memory", "object"):
            count = server.query('sum(count_over_time({t="many"}[1h]))')
            assert count["result"][0]["value"][1] == "5000", place
            assert [line for _, line in server.lines('{t="many",i="4321"}')] == ["line 4321"]
            server.flush()
