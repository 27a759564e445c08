# SPDX-License-Identifier: Apache-2.0
"""What the crash tests share: folders in memory, and a server that spills, merges and recycles all
the time, so that a crash seldom meets it idle."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import yaml

from book import LIMITS
from halogi import BINARY, Server, memory_folder, merged

# Heads of 4 MB spill after a few hundred pushes or half a second, local segments merge at once, and
# the log's files are small, so that each is used again and again.
BUSY = {
    "auth_enabled": True,
    "limits_config": LIMITS,
    "ingester": {"head_max_bytes": "4MB", "head_max_age": "500ms", "flush_local_bytes": "200KB",
                 "flush_local_age": "1s", "flush_object_bytes": "200KB", "flush_check_period": "100ms", "chunk_idle_period": "2s",
                 "wal": {"file_size": "256KB"}},
}


@contextlib.contextmanager
def folder(name):
    """In memory where there is room; kept when the test fails, and named."""
    made = pathlib.Path(tempfile.mkdtemp(prefix=f"halogi-{name}-", dir=memory_folder()))
    try:
        yield made
    except BaseException:
        print(f"what the disk held is kept in {made}", file=sys.stderr)
        raise
    shutil.rmtree(made)


def settings(where, config=None):
    return merged(merged(BUSY, {"common": {"path_prefix": str(where / "disk" / "data")}}), config or {})


def start(where, config=None, shim=None, wait=True):
    """A server with its data in <where>/disk/data, watched by the shim if there is one."""
    where = pathlib.Path(where)
    (where / "disk").mkdir(parents=True, exist_ok=True)
    return Server(settings(where, config), where, shim.env if shim else None, wait)


def run_rebuild(where, shim=None):
    (where / "rebuild.yaml").write_text(yaml.safe_dump(settings(where)))
    return subprocess.run([BINARY, "rebuild-index", f"-config.file={where}/rebuild.yaml"], capture_output=True,
                          text=True, timeout=120, env={**os.environ, **(shim.env if shim else {})})


def rebuild_index(where):
    """No server runs on it.  Catalog and index are made again from the segments alone."""
    done = run_rebuild(where)
    assert done.returncode == 0, done.stdout + done.stderr


def metric(server, name):
    """The sum of a metric's samples; 0 where it is absent."""
    return sum(float(line.split()[-1]) for line in server.get("/metrics").text.splitlines()
               if line.split("{")[0].split(" ")[0] == name)


def errors_in_log(server):
    return [line for line in server.tail(1 << 20).splitlines() if "level=error" in line]


def revive(server):
    """After the process ended by itself: the same folder, a new process."""
    server.process.wait()
    server.session.close()
    server.start()
