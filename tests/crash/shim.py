# SPDX-License-Identifier: Apache-2.0
"""The harness's side of the preloaded shim: its environment, its control file, its log."""
import ctypes
import mmap
import os
import pathlib
import struct
import time
from typing import NamedTuple

LIBRARY = os.environ.get("CRASH_SHIM", "build/tests/crash/libcrash_shim.so")

START, CREATE, MKDIR, WRITE, TRUNCATE, ALLOCATE, RENAME, LINK, UNLINK, RMDIR, SYNC, SYNC_FAILED = range(1, 13)
FAULT_WRITE, FAULT_SYNC, FAULT_RENAME, FAULT_CREATE, FAULT_UNLINK, FAULT_ALLOCATE, FAULT_SYNC_DIR = \
    (1 << i for i in range(7))
KILL_AFTER, KILL_BEFORE, KILL_HALF = range(3)
HEADER = struct.Struct("<IHH4Q4I")


class Control(ctypes.Structure):
    """struct shim_control of shim_log.h, in memory that the server shares."""
    _fields_ = [
        ("seq", ctypes.c_uint64), ("kill_at", ctypes.c_uint64), ("kill_how", ctypes.c_uint32),
        ("fault_ops", ctypes.c_uint32), ("fault_errno", ctypes.c_int32), ("fault_short", ctypes.c_uint32),
        ("fault_skip", ctypes.c_int64), ("fault_count", ctypes.c_int64), ("fault_hits", ctypes.c_uint64),
        ("sync_delay_us", ctypes.c_uint32), ("sync_lies", ctypes.c_uint32),
        ("disk_used_permille", ctypes.c_uint32), ("kill_op", ctypes.c_uint32), ("fault_path", ctypes.c_char * 128),
    ]


class Record(NamedTuple):
    op: int
    seq: int
    ino: int
    a: int
    b: int
    path: str
    path2: str
    data: bytes


def read_log(path):
    raw = memoryview(pathlib.Path(path).read_bytes())
    out, at = [], 0
    while at < len(raw):
        n, op, _, seq, ino, a, b, n_path, n_path2, n_data, _ = HEADER.unpack_from(raw, at)
        p = at + HEADER.size
        q = p + n_path + n_path2
        assert q + n_data == at + n and seq == len(out) + 1, "the log has a hole"
        out.append(Record(op, seq, ino, a, b, bytes(raw[p:p + n_path]).decode(),
                          bytes(raw[p + n_path:q]).decode(), bytes(raw[q:q + n_data])))
        at += n
    return out


class Shim:
    """Watches <folder>/disk; log and control file lie beside it and outlive each process."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.root = self.folder / "disk"
        self.root.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "shim.log"
        self.log.write_bytes(b"")
        control = self.folder / "shim.control"
        control.write_bytes(bytes(4096))
        with open(control, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 4096)
        self.control = Control.from_buffer(self.map)
        options = os.environ.get("ASAN_OPTIONS", "")
        self.env = {
            "LD_PRELOAD": os.path.abspath(LIBRARY), "CRASH_SHIM_FOLDER": str(self.root),
            "CRASH_SHIM_LOG": str(self.log), "CRASH_SHIM_CONTROL": str(control),
            # The sanitizer's own library wants to be first; ours only passes calls on to it.
            "ASAN_OPTIONS": ":".join(filter(None, [options, "verify_asan_link_order=0"])),
        }

    @property
    def seq(self):
        return self.control.seq

    def records(self):
        return read_log(self.log)

    def kill_in(self, n, how=KILL_AFTER, op=0):
        """The process ends at the n-th operation from now, or behind it at the first such `op`; 0: no
        more."""
        self.control.kill_how, self.control.kill_op = how, op
        self.control.kill_at = self.control.seq + n if n else 0

    def fail(self, ops, errno, skip=0, count=1 << 40, path="", short=0):
        c = self.control
        c.fault_ops = 0
        c.fault_errno, c.fault_skip, c.fault_count, c.fault_short = errno, skip, count, short
        c.fault_path, c.fault_hits = path.encode(), 0
        c.fault_ops = ops

    def heal(self):
        self.control.fault_ops = 0

    def wait_for_hits(self, n=1, seconds=20):
        end = time.monotonic() + seconds
        while self.control.fault_hits < n:
            assert time.monotonic() < end, "the fault was not met"
            time.sleep(0.005)
