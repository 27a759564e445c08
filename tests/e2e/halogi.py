# SPDX-License-Identifier: Apache-2.0
"""Starts a server on a free port for black-box tests, and speaks to it as clients do."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import requests
import yaml

BINARY = os.environ.get("HALOGI", "build/halogi")
# The short form of a suite is for everyday, the long one for ./check; tests/README.md names both.
LONG = os.environ.get("TESTS_LONG") == "1"
NS = 1_000_000_000


def how_many(name, short, long):
    """$name where it is set, else what this form of the suite does."""
    return int(os.environ.get(name) or (long if LONG else short))


def memory_folder():
    """Where data folders cost no disk, if there is room; else None, which means the usual place."""
    shm = "/dev/shm"
    return shm if os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > 4 << 30 else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def merged(base, extra):
    out = dict(base)
    for key, value in extra.items():
        out[key] = merged(out.get(key, {}), value) if isinstance(value, dict) else value
    return out


class Server:
    """A halogi process with its own data folder.  `config` is merged over a small default."""

    def __init__(self, config=None, folder=None, env=None, wait=True):
        self.temporary = None
        if folder is None:
            self.temporary = tempfile.TemporaryDirectory(prefix="halogi-", dir=memory_folder())
            folder = self.temporary.name
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = env or {}
        self.config = merged({
            "auth_enabled": False,
            "server": {"http_listen_address": "127.0.0.1", "http_listen_port": self.port},
            "common": {"path_prefix": str(self.folder / "data")},
        }, config or {})
        self.session = requests.Session()
        self.process = None
        self.start(wait)

    def start(self, wait=True):
        path = self.folder / "halogi.yaml"
        path.write_text(yaml.safe_dump(self.config))
        self.log = open(self.folder / "halogi.log", "ab")
        self.process = subprocess.Popen([BINARY, f"-config.file={path}"], stdout=self.log,
                                        stderr=self.log, env={**os.environ, **self.env})
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.tail()}")
            try:
                if requests.get(self.url + "/ready", timeout=2).status_code == 200:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.01)
        raise AssertionError("the server did not get ready:\n" + self.tail())

    def tail(self, n_bytes=4000):
        return (self.folder / "halogi.log").read_bytes()[-n_bytes:].decode(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.session.close()
        self.session = requests.Session()

    def stop(self, seconds=30):
        """SIGTERM; returns the exit status, which must be 0."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self.session.close()
        self.session = requests.Session()
        assert status == 0, f"exit status {status}:\n{self.tail()}"
        return status

    def restart(self):
        self.stop()
        self.start()

    def close(self):
        try:
            self.stop()
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self.log.close()
            if self.temporary:
                self.temporary.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    # --- requests ---

    def post(self, path, body, headers=None, **kw):
        return self.session.post(self.url + path, data=body, headers=headers, timeout=60, **kw)

    def get(self, path, headers=None, **params):
        return self.session.get(self.url + path, params=params, headers=headers, timeout=60)

    def push(self, streams, headers=None):
        """streams: [(labels, [(ts_ns, line[, metadata])])]; expects 204."""
        answer = self.push_raw(streams, headers)
        assert answer.status_code == 204, (answer.status_code, answer.text)

    def push_raw(self, streams, headers=None):
        body = {"streams": [{"stream": labels,
                             "values": [[str(v[0]), *v[1:]] for v in values]}
                            for labels, values in streams]}
        return self.post("/loki/api/v1/push", json.dumps(body),
                         {"Content-Type": "application/json", **(headers or {})})

    def query_range(self, query, headers=None, **params):
        answer = self.get("/loki/api/v1/query_range", headers, query=query, **params)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()["data"]

    def query(self, query, headers=None, **params):
        answer = self.get("/loki/api/v1/query", headers, query=query, **params)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()["data"]

    def lines(self, query, **params):
        """All lines of a log query, oldest first, as (ts_ns, line)."""
        data = self.query_range(query, **{"limit": 5000, "direction": "forward", **params})
        return sorted((int(v[0]), v[1]) for s in data["result"] for v in s["values"])

    def flush(self):
        assert self.post("/flush", b"").status_code == 204


# --- snappy protobuf, written by hand: the encoder must not share code with the server ---


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def pb_entry(ts_ns, line, metadata=()):
    seconds, nanos = divmod(ts_ns, NS)
    stamp = b"\x08" + varint(seconds & (1 << 64) - 1) + b"\x10" + varint(nanos)
    data = field(1, stamp) + field(2, line if isinstance(line, bytes) else line.encode())
    for name, value in metadata:
        pair = field(1, name.encode()) + field(2, value if isinstance(value, bytes) else value.encode())
        data += field(3, pair)
    return data


def pb_push(streams):
    """streams: [(label text, [(ts_ns, line[, [(name, value)]])])] -> PushRequest bytes."""
    out = b""
    for labels, entries in streams:
        data = field(1, labels.encode())
        for entry in entries:
            data += field(2, pb_entry(*entry))
        out += field(1, data)
    return out
