# SPDX-License-Identifier: Apache-2.0
"""One process of the server on one folder, made for speed: it chooses its port itself, its log says
when it is ready, and all questions go over one connection."""
import ctypes
import http.client
import os
import pathlib
import re
import signal
import subprocess
import time

import yaml

LIMITS = {"ingestion_rate_mb": 10000, "ingestion_burst_size_mb": 10000, "per_stream_rate_limit": "10GB",
          "per_stream_rate_limit_burst": "10GB", "max_entries_limit_per_query": 1_000_000,
          "max_query_series": 100_000, "max_query_length": "0s", "reject_old_samples": False,
          "discover_log_levels": False, "discover_service_name": []}
# Nothing moves by age: what is asked stands where the harm left it, until a flush is asked for.
INGESTER = {"head_max_age": "24h", "flush_local_age": "240000h", "flush_check_period": "20ms",
            "wal": {"file_size": "256KB"}}
READY_S, ANSWER_S, STOP_S = 20, 10, 20
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


class Ended(Exception):
    """The process is gone where it should not be, or hangs."""


def obey_permissions():
    """In the child: root, too, is refused what the mode of a file refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    for cap in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)


def write_config(path, data, ingester=(), threads=2):
    path.write_text(yaml.safe_dump({
        "auth_enabled": True,
        "server": {"http_listen_address": "127.0.0.1", "http_listen_port": 0, "http_threads": 1,
                   "worker_threads": threads},
        "common": {"path_prefix": str(data)},
        "limits_config": LIMITS,
        "ingester": {**INGESTER, **dict(ingester)},
    }))


class Life:
    """path: a folder for configuration and log; data: the data folder, elsewhere."""

    def __init__(self, binary, path, data, ingester=(), env=None, as_others=False):
        self.binary, self.path, self.data = binary, pathlib.Path(path), pathlib.Path(data)
        self.env = {**os.environ, **(env or {})}
        self.preexec = obey_permissions if as_others else None
        self.process, self.connection, self.port = None, None, None
        self.log_path, self.config = self.path / "log", self.path / "config.yaml"
        write_config(self.config, self.data, ingester)
        self.log_path.touch()
        self.log_from = 0

    # --- the process ---

    def start(self):
        """True when it is ready, False when it ended before; Ended when neither comes."""
        self.log_from = self.log_path.stat().st_size
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.binary, f"-config.file={self.config}"], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env=self.env, preexec_fn=self.preexec)
        end = time.monotonic() + READY_S
        while True:
            ended = self.process.poll() is not None
            text = self.log()
            if "msg=ready" in text:
                self.port = int(re.search(r"msg=listening .*port=(\d+)", text).group(1))
                self.connect()
                return True
            if ended:
                return False
            if "recovery failed" in text and time.monotonic() > end - READY_S + 1:
                return False
            if time.monotonic() > end:
                raise Ended("neither ready nor ended after %d s" % READY_S)
            time.sleep(0.002)

    def log(self, whole=False):
        with open(self.log_path, "rb") as f:
            f.seek(0 if whole else self.log_from)
            return f.read().decode(errors="replace")

    def crashed(self):
        """Ended by a signal, or by a sanitizer."""
        code = self.process.poll()
        return code is not None and (code < 0 or "Sanitizer" in self.log() or "runtime error:" in self.log())

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()
        self.disconnect()

    def stop(self):
        """SIGTERM; the exit status."""
        self.disconnect()
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired as e:
            raise Ended(f"does not stop within {STOP_S} s") from e

    def run(self, *args, seconds=60):
        """A command of the binary on this folder: exit status, and all that it says."""
        done = subprocess.run([self.binary, args[0], f"-config.file={self.config}", *args[1:]], capture_output=True,
                              text=True, errors="replace", timeout=seconds, env=self.env, preexec_fn=self.preexec)
        return done.returncode, done.stdout + done.stderr

    # --- the connection ---

    def connect(self):
        self.disconnect()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)

    def disconnect(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def request(self, method, path, headers, body=None):
        """Status and body.  Ended when the process is gone or gives no answer."""
        for attempt in range(2):
            try:
                self.connection.request(method, path, body, headers)
                answer = self.connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException) as e:
                if isinstance(e, TimeoutError):
                    raise Ended(f"no answer to {path[:200]} within {ANSWER_S} s") from e
                # A crash shows a moment later than the end of its connections.
                time.sleep(0.05)
                if attempt or self.process.poll() is not None:
                    self.await_end()
                    raise Ended(f"no answer to {path[:200]}: {e!r}") from e
                self.connect()

    def await_end(self):
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            pass
