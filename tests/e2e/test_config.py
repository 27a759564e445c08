# SPDX-License-Identifier: Apache-2.0
"""Configuration: where settings come from, what is wrong with them, and what may change while the
server runs."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest
import yaml

import halogi
from halogi import NS, Server, free_port

BINARY = os.path.abspath(halogi.BINARY)  # some run in another folder
DOCS = pathlib.Path(__file__).parent.parent.parent / "docs" / "configuration.md"

# What a Loki of our users may start with; most of it has no meaning here.
LOKI_YAML = """
auth_enabled: false
server:
  http_listen_port: 0
  grpc_listen_port: 9096
  grpc_server_max_recv_msg_size: 8388608
  log_level: info
common:
  instance_addr: 127.0.0.1
  path_prefix: {folder}/loki
  storage:
    filesystem:
      chunks_directory: {folder}/loki/chunks
      rules_directory: {folder}/loki/rules
  replication_factor: 1
  ring:
    kvstore:
      store: inmemory
query_range:
  results_cache:
    cache:
      embedded_cache:
        enabled: true
        max_size_mb: 100
schema_config:
  configs:
    - from: 2024-04-01
      store: tsdb
      object_store: filesystem
      schema: v13
      index:
        prefix: index_
        period: 24h
ingester:
  chunk_idle_period: 30m
  chunk_target_size: 1572864
  lifecycler:
    ring:
      replication_factor: 1
  wal:
    enabled: true
    checkpoint_duration: 5m
storage_config:
  tsdb_shipper:
    active_index_directory: /loki/index
limits_config:
  allow_structured_metadata: true
  max_query_length: 721h
  retention_period: 744h
  split_queries_by_interval: 15m
  tsdb_max_bytes_per_shard: 600MB
pattern_ingester:
  enabled: true
ruler:
  alertmanager_url: http://localhost:9093
frontend:
  encoding: protobuf
analytics:
  reporting_enabled: false
"""


def run(*args, env=None, cwd=None):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=60, cwd=cwd,
                          env={**os.environ, **(env or {})})


def verify(tmp_path, text, *args, env=None):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return run(f"-config.file={path}", "-verify-config", *args, env=env)


def config_of(*args, env=None, cwd=None):
    """What is in force with these arguments, as /config would show it: printed by a start that fails
    on purpose, since its port is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(*args, "-print-config-stderr", "-server.http_listen_address=127.0.0.1",
                   f"-server.http_listen_port={taken.getsockname()[1]}", env=env, cwd=cwd)
    assert done.returncode == 1 and "Address already in use" in done.stderr, done.stderr
    return yaml.safe_load("\n".join(line for line in done.stderr.splitlines() if not line.startswith("ts=")))


def until(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


# --- what is printed ---


def test_the_reference_page_is_up_to_date():
    printed = run("-print-config-docs")
    assert printed.returncode == 0
    assert printed.stdout == DOCS.read_text(), "run: halogi -print-config-docs > docs/configuration.md"


def keys_of(tree, prefix=""):
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from keys_of(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def test_every_key_has_a_row_in_the_reference_page():
    defaults = yaml.safe_load(run("-print-config-defaults").stdout)
    text = DOCS.read_text()
    keys = list(keys_of(defaults))
    assert len(keys) > 100
    for key in keys:
        names = [f"`{key[at:]}`" for at in [0, *(m.end() for m in re.finditer(r"\.", key))]]
        assert any(name in text for name in names), key


def test_the_defaults_are_a_configuration_that_loads(tmp_path):
    printed = run("-print-config-defaults").stdout
    done = verify(tmp_path, printed)
    assert done.returncode == 0 and done.stderr == "" and "valid" in done.stdout


def test_version_and_help():
    assert re.match(r"halogi \d+\.\d+\.\d+ ", run("-version").stdout)
    for flag in ("-h", "-help", "--help"):
        assert run(flag).returncode == 0 and "-config.file" in run(flag).stdout


def test_the_config_page_shows_all_the_difference_or_the_defaults():
    with Server({"limits_config": {"max_line_size": "1KB"}, "ingester": {"wal": {"dir": "log"}}}) as server:
        whole, diff, defaults = (yaml.safe_load(server.get("/config", mode=mode).text)
                                 for mode in ("", "diff", "defaults"))
        assert whole["limits_config"]["max_line_size"] == "1KB"
        assert whole["limits_config"]["max_query_series"] == 500
        assert diff["limits_config"] == {"max_line_size": "1KB"}
        assert diff["ingester"] == {"wal": {"dir": "log"}}
        assert defaults["limits_config"]["max_line_size"] == "256KB"
        assert defaults == yaml.safe_load(run("-print-config-defaults").stdout)
        assert server.get("/config").headers["Content-Type"].startswith("text/plain")


# --- what is wrong ---


@pytest.mark.parametrize("text, parts", [
    ("limits_config:\n\n  # a comment\n  max_lin_size: 1\n", ["line 4", "max_lin_size", "max_line_size"]),
    ("ingester:\n  wal:\n    dri: x\n", ["line 3", "dri", "dir"]),
    ("querrier: {}\n", ["line 1", "querrier", "querier"]),
    ("server:\n- 1\n", ["line 1", "server"]),
    ("server: yes\n", ["line 1", "server"]),
    ("auth_enabled: maybe\n", ["line 1", "auth_enabled", "maybe"]),
    ("limits_config:\n  retention_period: 5 days\n", ["line 2", "retention_period", "5 days"]),
    ("limits_config:\n  max_line_size: -1\n", ["line 2", "max_line_size", "-1"]),
    ("limits_config:\n  max_query_series: 1.5\n", ["line 2", "max_query_series", "1.5"]),
    ("limits_config:\n  max_query_series: 99999999999999999999\n", ["line 2", "max_query_series"]),
    ("ingester:\n  chunk_idle_period: 1d\n", ["line 2", "chunk_idle_period", "1d"]),
    ("server:\n  http_listen_port: 65536\n", ["http_listen_port", "65536", "65535"]),
    ("server:\n  log_level: loud\n", ["log_level", "loud"]),
    ("target: everything\n", ["target", "everything"]),
    ("common:\n  path_prefix: ''\n", ["path_prefix"]),
    ("limits_config:\n  deletion_mode: maybe\n", ["deletion_mode", "maybe", "filter-only"]),
    ("limits_config:\n  block_ingestion_until: tomorrow\n", ["block_ingestion_until", "tomorrow"]),
    ("limits_config:\n  discover_service_name: {a: b}\n", ["line 2", "discover_service_name"]),
    ("no_auth_tenant: 'a|b'\nauth_enabled: false\n", ["no_auth_tenant", "a|b"]),
    ("a: &x [*x]\n", ["line 1"]),
    ("\tserver: {}\n", ["line 1"]),
    ("server: {}\n---\nserver: {}\n", ["document"]),
])
def test_a_wrong_configuration_is_told_where_and_what(tmp_path, text, parts):
    done = verify(tmp_path, text)
    assert done.returncode == 1
    for part in parts:
        assert part in done.stderr, (part, done.stderr)
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("halogi: ")


@pytest.mark.parametrize("flag, parts", [
    ("-server.http_listen_prt=1", ["-server.http_listen_prt", "server.http_listen_port"]),
    ("-server.http_listen_port=x", ["http_listen_port", "'x'"]),
    ("-server.http_listen_port", ["http_listen_port"]),
    ("-config.file=/nowhere.yaml", ["/nowhere.yaml", "No such file"]),
    ("-verify-config=perhaps", ["verify-config", "perhaps"]),
    ("stray", ["stray"]),
])
def test_a_wrong_flag_is_told(flag, parts):
    done = run(flag)
    assert done.returncode == 1
    for part in parts:
        assert part in done.stderr, (part, done.stderr)


def test_a_loki_configuration_starts_with_one_warning_a_key(tmp_path):
    text = LOKI_YAML.replace("{folder}", str(tmp_path))
    done = verify(tmp_path, text)
    assert done.returncode == 0, done.stderr
    warnings = done.stderr.splitlines()
    for key in ("grpc_listen_port", "grpc_server_max_recv_msg_size", "instance_addr", "schema_config",
                "storage_config", "pattern_ingester", "ruler", "analytics", "chunk_target_size",
                "lifecycler", "checkpoint_duration", "tsdb_max_bytes_per_shard", "results_cache"):
        assert sum(bool(re.search(rf"\b{key}\b", line)) for line in warnings) == 1, key
    assert all("level=warn" in line for line in warnings)
    assert not any("retention_period" in line or "chunk_idle_period" in line for line in warnings)


# --- where settings come from ---


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("limits_config:\n  max_query_series: 1\n  max_line_size: 1KB\n  volume_max_series: 1\n")
    config = config_of(f"-config.file={path}", "--limits-config.max-query-series", "3",
                       env={"HALOGI_LIMITS_CONFIG_MAX_QUERY_SERIES": "2",
                            "HALOGI_LIMITS_CONFIG_VOLUME_MAX_SERIES": "2"})
    limits = config["limits_config"]
    assert (limits["max_query_series"], limits["volume_max_series"], limits["max_line_size"]) == (3, 2, "1KB")


def test_a_wrong_value_in_the_environment_is_told(tmp_path):
    done = verify(tmp_path, "", env={"HALOGI_LIMITS_CONFIG_MAX_QUERY_SERIES": "many"})
    assert done.returncode == 1 and "HALOGI_LIMITS_CONFIG_MAX_QUERY_SERIES" in done.stderr


def test_variables_are_replaced_when_asked(tmp_path):
    text = "limits_config:\n  max_query_series: ${N}\n  volume_max_series: ${M:-7}\n"
    path = tmp_path / "c.yaml"
    path.write_text(text)
    config = config_of(f"-config.file={path}", "-config.expand-env=true", env={"N": "5"})
    assert config["limits_config"]["max_query_series"] == 5
    assert config["limits_config"]["volume_max_series"] == 7
    assert verify(tmp_path, text).returncode == 1  # not asked: the text itself is no number


def test_the_first_file_that_exists_is_used(tmp_path):
    (tmp_path / "b.yaml").write_text("limits_config:\n  max_query_series: 2\n")
    (tmp_path / "c.yaml").write_text("limits_config:\n  max_query_series: 3\n")
    files = ",".join(str(tmp_path / name) for name in ("a.yaml", "b.yaml", "c.yaml"))
    assert config_of(f"-config.file={files}")["limits_config"]["max_query_series"] == 2


def test_without_a_file_tenancy_is_off_and_with_one_on(tmp_path):
    assert config_of(cwd=tmp_path)["auth_enabled"] is False
    (tmp_path / "c.yaml").write_text("{}\n")
    assert config_of(f"-config.file={tmp_path}/c.yaml", cwd=tmp_path)["auth_enabled"] is True


def test_the_port_that_is_taken_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("-server.http_listen_address=127.0.0.1", f"-server.http_listen_port={port}", cwd=tmp_path)
    assert done.returncode == 1 and str(port) in done.stderr and "Address already in use" in done.stderr


def test_a_data_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    done = run(f"-common.path_prefix={tmp_path}/file", f"-server.http_listen_port={free_port()}",
               "-server.http_listen_address=127.0.0.1")
    assert done.returncode == 1 and f"{tmp_path}/file" in done.stderr


def test_settings_take_effect():
    with Server({"server": {"http_path_prefix": "/logs", "log_level": "error"},
                 "limits_config": {"max_line_size": "10B", "discover_service_name": []}}, wait=False) as server:
        server.url += "/logs"
        server.wait_ready()
        now = time.time_ns()
        assert server.push_raw([({"t": "x"}, [(now, "x" * 11)])]).status_code == 400
        server.push([({"t": "x"}, [(now, "x" * 10)])])
        assert server.query_range('{t="x"}')["result"][0]["stream"] == \
            {"t": "x", "detected_level": "unknown"}
        server.url = server.url[:-len("/logs")]
        assert server.get("/ready").status_code == 404
        assert server.tail() == ""


# --- what may change while it runs ---


def max_line(server, n, tenant="team-a"):
    """Whether a line of n bytes passes."""
    return server.push_raw([({"t": "o"}, [(time.time_ns(), "x" * n)])],
                           {"X-Scope-OrgID": tenant}).status_code == 204


def overriding(tmp_path, text, period="100ms", names=("o.yaml",), **config):
    for name in names:
        (tmp_path / name).write_text(text)
    return Server({"auth_enabled": True, "limits_config": {"max_line_size": "50B"},
                   "runtime_config": {"file": ",".join(str(tmp_path / n) for n in names), "period": period},
                   **config})


def test_overrides_hold_for_their_tenant(tmp_path):
    with overriding(tmp_path, "overrides:\n  team-a:\n    max_line_size: 100B\n  team-b: null\n") as server:
        assert max_line(server, 100) and not max_line(server, 101)
        assert max_line(server, 50, "team-b") and not max_line(server, 51, "team-b")
        assert not max_line(server, 51, "team-c")
        assert server.post("/loki/api/v1/push", b"{}", {"Content-Type": "application/json"}).text == "no org id\n"
        mine = server.get("/config/tenant/v1/limits", {"X-Scope-OrgID": "team-a"})
        assert mine.status_code == 200


def test_overrides_are_reread_and_a_broken_file_keeps_them(tmp_path):
    path = tmp_path / "o.yaml"
    with overriding(tmp_path, "overrides:\n  team-a:\n    max_line_size: 100B\n") as server:
        path.write_text("overrides:\n  team-a:\n    max_line_size: 200B\n")
        until(lambda: max_line(server, 200))
        for broken, part in [("overrides: [", "o.yaml"), ("overrides:\n  team-a:\n    max_lin_size: 1\n", "max_lin_size"),
                             ("overrides:\n  team-a:\n    max_line_size: big\n", "big"), ("x: 1\n", "'x'")]:
            path.write_text(broken)
            until(lambda: "overrides not loaded, the old values stay" in server.tail(2000) and part in server.tail(2000))
            assert max_line(server, 200)
        text = server.get("/metrics").text
        assert "loki_runtime_config_last_reload_successful 0" in text
        path.unlink()
        time.sleep(0.5)
        assert max_line(server, 200)
        before = server.tail(100000).count("No such file")
        time.sleep(0.5)
        assert server.tail(100000).count("No such file") == before == 1  # told once
        path.write_text("{}\n")
        until(lambda: not max_line(server, 51))
        until(lambda: "loki_runtime_config_last_reload_successful 1" in server.get("/metrics").text)


def test_a_signal_rereads_at_once(tmp_path):
    with overriding(tmp_path, "overrides: {}\n", period="1h") as server:
        assert not max_line(server, 51)
        (tmp_path / "o.yaml").write_text("overrides:\n  team-a:\n    max_line_size: 60B\n")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: max_line(server, 60))
        assert server.process.poll() is None


def test_several_files_are_merged_left_to_right(tmp_path):
    with overriding(tmp_path, "overrides: {}\n", names=("o.yaml", "p.yaml")) as server:
        (tmp_path / "o.yaml").write_text("overrides:\n  team-a:\n    max_line_size: 60B\n    max_query_series: 7\n"
                                         "  team-b:\n    max_line_size: 70B\n")
        (tmp_path / "p.yaml").write_text("overrides:\n  team-a:\n    max_line_size: 80B\n")
        until(lambda: max_line(server, 80))
        assert max_line(server, 70, "team-b") and not max_line(server, 71, "team-b")
        limits = server.get("/loki/api/v1/drilldown-limits", {"X-Scope-OrgID": "team-a"}).json()["limits"]
        assert limits["max_query_series"] == 7


def test_overrides_that_are_broken_at_the_start_stop_it(tmp_path):
    (tmp_path / "o.yaml").write_text("overrides:\n  a:\n    max_lin_size: 1\n")
    (tmp_path / "c.yaml").write_text(
        f"runtime_config:\n  file: {tmp_path}/o.yaml\ncommon:\n  path_prefix: {tmp_path}/data\n"
        f"server:\n  http_listen_address: 127.0.0.1\n  http_listen_port: {free_port()}\n")
    done = run(f"-config.file={tmp_path}/c.yaml")
    assert done.returncode == 1
    assert "max_lin_size" in done.stderr and "o.yaml" in done.stderr and "line 3" in done.stderr


def test_the_log_level_changes_while_it_runs():
    with Server() as server:
        def logged():
            server.push_raw([({}, [(1, "x")])])
            return "level=debug" in server.tail()
        assert not logged()
        answer = server.post("/log_level", {"log_level": "debug"})
        assert (answer.status_code, answer.json()) == \
            (200, {"status": "success", "message": "Log level set to debug"})
        until(logged)
        assert server.post("/log_level", {"log_level": "shout"}).json()["status"] == "failed"
        assert server.get("/log_level").json() == {"message": "Current log level is debug"}


def test_a_blocked_tenant_is_told_until_when(tmp_path):
    until_ns = time.time_ns() + 3600 * NS
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until_ns // NS))
    with overriding(tmp_path, f"overrides:\n  team-a:\n    block_ingestion_until: '{text}'\n") as server:
        answer = server.push_raw([({"t": "x"}, [(time.time_ns(), "x")])], {"X-Scope-OrgID": "team-a"})
        assert answer.status_code == 260
        assert answer.text == f"ingestion blocked for user 'team-a' until '{text}' with status code '260'\n"
        assert max_line(server, 10, "team-b")


def test_the_limits_page_publishes_what_may_be_seen():
    with Server({"limits_config": {"max_query_series": 77, "retention_period": "14d"},
                 "tenant_limits_allow_publish": ["max_query_series", "retention_period"]}) as server:
        got = server.get("/loki/api/v1/drilldown-limits").json()
        assert got["limits"] == {"max_query_series": 77, "retention_period": "2w"} or \
            got["limits"] == {"max_query_series": 77, "retention_period": "14d"}
        assert json.loads(json.dumps(got))["pattern_ingester_enabled"] is False
