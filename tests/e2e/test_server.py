# SPDX-License-Identifier: Apache-2.0
"""Starting, stopping, configuration and the status pages."""
import os
import socket
import subprocess
import time

import pytest
import requests
import yaml

from halogi import BINARY, NS, Server


def run(*args, env=None, cwd=None):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=30, cwd=cwd,
                          env={**os.environ, **(env or {})})


def test_a_clean_stop_keeps_everything(server):
    now = time.time_ns()
    server.push([({"t": "stop"}, [(now + i, f"line {i}") for i in range(1000)])])
    server.restart()
    assert len(server.lines('{t="stop"}')) == 1000
    server.flush()
    server.restart()
    assert [line for _, line in server.lines('{t="stop"}')] == [f"line {i}" for i in range(1000)]


def test_a_killed_server_has_every_acknowledged_line(server):
    now = time.time_ns()
    server.push([({"t": "kill"}, [(now + i, f"line {i}") for i in range(1000)])])
    server.kill()
    server.start()
    assert [line for _, line in server.lines('{t="kill"}')] == [f"line {i}" for i in range(1000)]


def test_the_status_pages(shared):
    assert (shared.get("/ready").status_code, shared.get("/ready").text) == (200, "ready\n")
    assert "Running" in shared.get("/services").text
    assert yaml.safe_load(shared.get("/config").text)["server"]["http_listen_port"] == shared.port
    build = shared.get("/loki/api/v1/status/buildinfo").json()
    assert build["version"].count(".") == 2
    assert shared.get("/log_level").json() == {"message": "Current log level is info"}
    assert shared.post("/log_level", {"log_level": "debug"}).json()["status"] == "success"
    assert shared.post("/log_level", {"log_level": "loud"}).status_code == 400
    shared.post("/log_level", {"log_level": "info"})
    limits = shared.get("/loki/api/v1/drilldown-limits").json()
    assert limits["limits"]["max_entries_limit_per_query"] == 5000


def test_metrics_count_pushes(shared):
    shared.push([({"t": "metrics"}, [(time.time_ns(), "12345")])])
    text = shared.get("/metrics").text
    for name in ("loki_distributor_lines_received_total", "loki_distributor_bytes_received_total",
                 "loki_request_duration_seconds_bucket", "loki_ingester_memory_streams", "loki_build_info"):
        assert name in text, name


@pytest.mark.parametrize("text, parts", [
    ("servr:\n  http_listen_port: 1\n", ["line 1", "servr", "server"]),
    ("server:\n  http_listen_prt: 1\n", ["line 2", "http_listen_prt", "http_listen_port"]),
    ("server:\n  http_listen_port: many\n", ["line 2", "http_listen_port", "many"]),
    ("limits_config:\n  max_line_size: 3 bananas\n", ["line 2", "max_line_size", "3 bananas"]),
    ("server: [\n", ["line"]),
    ("limits_config:\n  reject_old_samples_max_age: 5\n  reject_old_samples_max_age: 6\n", ["line 3"]),
])
def test_a_wrong_configuration_names_line_and_key(tmp_path, text, parts):
    (tmp_path / "c.yaml").write_text(text)
    done = run(f"-config.file={tmp_path}/c.yaml", "-verify-config")
    assert done.returncode != 0
    for part in parts:
        assert part in done.stderr + done.stdout


def test_a_loki_configuration_starts_with_one_warning_a_key(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "auth_enabled: false\nserver:\n  http_listen_port: 0\n  grpc_listen_port: 9096\n"
        "common:\n  instance_addr: 127.0.0.1\n  replication_factor: 1\n"
        "  ring:\n    kvstore:\n      store: inmemory\n"
        "schema_config:\n  configs:\n    - from: 2024-04-01\n      store: tsdb\n"
        "      object_store: filesystem\n      schema: v13\n      index:\n        prefix: index_\n"
        "        period: 24h\n")
    done = run(f"-config.file={tmp_path}/c.yaml", "-verify-config")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("grpc_listen_port") == 1


def test_flags_and_environment_override_the_file(tmp_path):
    defaults = run("-print-config-defaults")
    assert defaults.returncode == 0 and yaml.safe_load(defaults.stdout)["limits_config"]["max_line_size"]
    assert run("-version").returncode == 0
    done = run("-server.http_listen_port=abc")
    assert done.returncode != 0 and "abc" in done.stderr


def test_overrides_are_reread_and_a_broken_file_keeps_the_old(tmp_path):
    overrides = tmp_path / "overrides.yaml"
    overrides.write_text("overrides:\n  fake:\n    max_line_size: 100\n")
    with Server({"runtime_config": {"file": str(overrides), "period": "100ms"}}) as server:
        def refused():
            return server.push_raw([({"t": "o"}, [(time.time_ns(), "x" * 150)])]).status_code == 400
        assert refused()
        overrides.write_text("overrides:\n  fake:\n    max_line_size: 1000\n")
        end = time.monotonic() + 10
        while refused() and time.monotonic() < end:
            time.sleep(0.05)
        assert not refused()
        overrides.write_text("overrides: [broken")
        time.sleep(0.5)
        assert not refused() and "overrides.yaml" in server.tail()


@pytest.mark.parametrize("head", [
    b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
    b"Content-Length: 3\r\nContent-Length: 4\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
])
def test_smuggling_shapes_are_refused(shared, head):
    with socket.create_connection(("127.0.0.1", shared.port), timeout=10) as s:
        s.sendall(b"POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + head +
                  b"\r\n")
        assert b" 400 " in s.recv(1000).split(b"\r\n")[0]


def test_a_slow_sender_is_cut_off():
    with Server({"server": {"http_server_read_timeout": "1s"}}) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
            s.sendall(b"POST /loki/api/v1/push HTTP/1.1\r\n")
            begun = time.monotonic()
            try:
                while time.monotonic() - begun < 8:
                    s.sendall(b"x")
                    time.sleep(0.2)
            except OSError:
                pass
            assert time.monotonic() - begun < 6
        assert server.get("/ready").status_code == 200


def test_a_running_server_without_configuration(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen([BINARY, f"-server.http_listen_port={port}"], cwd=tmp_path,
                               stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(500):
            try:
                if requests.get(url + "/ready", timeout=1).status_code == 200:
                    break
            except requests.ConnectionError:
                pass
            time.sleep(0.02)
        body = {"streams": [{"stream": {"t": "bare"}, "values": [[str(time.time_ns()), "hello"]]}]}
        assert requests.post(url + "/loki/api/v1/push", json=body).status_code == 204
        assert (tmp_path / "data").is_dir()
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_old_lines_of_many_days_are_kept_apart_by_period():
    with Server({"limits_config": {"reject_old_samples": False, "max_query_length": "0s"}}) as server:
        start = time.time_ns() - 5 * 24 * 3600 * NS
        server.push([({"t": "days", "day": str(d)}, [(start + d * 24 * 3600 * NS, f"day {d}")]) for d in range(5)])
        server.flush()
        assert [line for _, line in server.lines('{t="days"}', start=start)] == [f"day {d}" for d in range(5)]
        answer = server.push_raw([({"t": "days", "day": str(d)}, [(start - d * 24 * 3600 * NS, "x")])
                                  for d in range(5, 60)])
        assert answer.status_code == 400 and "32" in answer.text
