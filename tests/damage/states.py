# SPDX-License-Identifier: Apache-2.0
"""The folders that are harmed: each is written once, the same way each time, with copies of how it
was on the way (the files of an hour ago).  Small, so that a copy costs little."""
import contextlib
import os
import shutil
import time
import zlib

import shim as s
from life import Ended, Life
from model import DAY0, DAY_NS, TENANTS, Writer, push
from halogi import NS
from regions import Map

EVENING = DAY0 + DAY_NS - 7200 * NS
AT_ONCE = {"head_max_age": "1ms"}


class State:
    """A finished folder: data, its map, its entries, its earlier copies (oldest first)."""

    def __init__(self, name, folder, entries, map_, strays):
        self.name, self.folder, self.entries, self.map, self.strays = name, folder, entries, map_, strays

    @property
    def data(self):
        return self.folder / "data"

    @property
    def earlier(self):
        return sorted((self.folder / "earlier").iterdir())


class Builder:
    """Pushes, and ends the process in ways; a copy is taken before each end."""

    def __init__(self, binary, folder, name, libraries):
        self.binary, self.folder, self.name = binary, folder, name
        self.libraries = libraries
        self.writer, self.entries, self.life, self.n_lives = Writer(name), [], None, 0
        self.at_ns = {t: EVENING for t in TENANTS}
        self.n_pushes = 0
        (folder / "earlier").mkdir(parents=True)
        (folder / "work/disk").mkdir(parents=True)

    @property
    def data(self):
        return self.folder / "work/disk/data"

    def start(self, ingester=(), preload="", env=None):
        self.n_lives += 1
        env = {"FIXED_RANDOM": str(hash_of(f"{self.name}/{self.n_lives}")), **(env or {})}
        env["LD_PRELOAD"] = ":".join(filter(None, [preload, self.libraries["random"]]))
        options = os.environ.get("ASAN_OPTIONS", "")
        env["ASAN_OPTIONS"] = ":".join(filter(None, [options, "verify_asan_link_order=0"]))
        self.life = Life(self.binary, self.folder / "work", self.data, ingester, env)
        if not self.life.start():
            raise RuntimeError(f"{self.name}: the server does not start:\n{self.life.log()}")

    def write(self, n=40, step_ns=20 * NS, line_bytes=60, pushes=3, tenants=TENANTS):
        """Some pushes of each tenant, each behind the one before."""
        for _ in range(pushes):
            for tenant in tenants:
                made = self.writer.entries(tenant, n, self.at_ns[tenant], step_ns, line_bytes)
                self.at_ns[tenant] = made[-1].ts_ns + NS
                status, text = push(self.life, made, self.n_pushes)
                assert status == 204, (status, text)
                self.entries += made
                self.n_pushes += 1

    def flush(self):
        status, text = self.life.request("POST", "/flush", {"X-Scope-OrgID": TENANTS[0]}, b"")
        assert status == 204, (status, text)
        self.await_text("msg=\"local segments became objects\"")

    def keep(self):
        shutil.copytree(self.data, self.folder / "earlier" / f"{len(list((self.folder / 'earlier').iterdir())):02}")

    def end(self, how="kill"):
        self.life.stop() if how == "stop" else self.life.kill()
        self.life.kill()
        self.keep()

    def spill(self):
        """What is in the log becomes a local segment: a start replays it, and all of it is too old."""
        self.start(AT_ONCE)
        self.await_text('msg="head written"')
        self.end()

    def await_text(self, text, seconds=20):
        end = time.monotonic() + seconds
        while text not in self.life.log():
            assert time.monotonic() < end, f"{self.name}: no {text}:\n{self.life.log()}"
            time.sleep(0.005)

    def die_spilling(self):
        """A start that replays, spills, and dies when the segment has its name."""
        shim = s.Shim(self.folder / "work")
        shim.kill_in(1, s.KILL_AFTER, s.RENAME)
        with contextlib.suppress(RuntimeError):
            self.start(AT_ONCE, self.libraries["shim"], shim.env)
        self.await_death()

    def die_merging(self):
        """The same with the object of a merge, where nothing is left to spill."""
        shim = s.Shim(self.folder / "work")
        self.start((), self.libraries["shim"], shim.env)
        shim.kill_in(1, s.KILL_AFTER, s.RENAME)
        with contextlib.suppress(Ended):
            self.life.request("POST", "/flush", {"X-Scope-OrgID": TENANTS[0]}, b"")
        self.await_death()

    def await_death(self):
        assert self.life.process.wait(20) == -9, self.life.log()
        self.life.disconnect()
        self.keep()

    def segments(self):
        return {str(p.relative_to(self.data)) for p in self.data.glob("*/*/*.seg")}

    def finish(self, strays=()):
        self.data.rename(self.folder / "data")
        shutil.rmtree(self.folder / "work")
        numbers = [e.number for e in self.entries]
        return State(self.name, self.folder, self.entries, Map(self.folder / "data", numbers, strays), sorted(strays))


def hash_of(text):
    return zlib.crc32(text.encode()) << 16 | 0x5EED


# --- the states ------------------------------------------------------------------------------


def fresh(b):
    """A head in the log, nothing else."""
    b.start()
    b.write(pushes=2)
    b.keep()
    b.write(pushes=3)
    b.end()


def stopped(b):
    """The same after a clean stop, and one start more: several files of the log."""
    b.start()
    b.write()
    b.end("stop")
    b.start()
    b.write()
    b.end("stop")


def local(b):
    """Local segments and a log."""
    for _ in range(2):
        b.start()
        b.write()
        b.end()
        b.spill()
    b.start()
    b.write()
    b.end()


def mid_spill(b):
    """It died when the segment had its name and nobody knew it."""
    local(b)
    before = b.segments()
    b.die_spilling()
    return b.segments() - before


def merged(b):
    """Objects, a local segment, a log."""
    for _ in range(2):
        b.start()
        b.write()
        b.flush()
        b.end()
    b.start()
    b.write()
    b.end()
    b.spill()
    b.start()
    b.write()
    b.end()


def mid_merge(b):
    """It died when the object had its name and the catalog named its sources."""
    for _ in range(3):
        b.start()
        b.write()
        b.end()
        b.spill()
    before = b.segments()
    b.die_merging()
    return b.segments() - before


def days(b):
    """Six days, in objects, a local segment and the log."""
    for day in range(5):
        b.start()
        b.at_ns = {t: EVENING + day * DAY_NS for t in TENANTS}
        b.write(n=25, step_ns=300 * NS, pushes=2)
        if day in (1, 2):
            b.flush()
        b.end()
        if day == 3:
            b.spill()


def large(b):
    """Several chunks in one part, and a log whose files are in use for the second time."""
    b.start()
    b.write(n=600, step_ns=NS, line_bytes=220, pushes=5, tenants=TENANTS[:1])
    b.write(pushes=1)
    b.flush()
    b.end()
    for _ in range(2):
        b.start()
        b.write(n=300, step_ns=2 * NS, line_bytes=220, pushes=1)
        b.end()


STATES = {f.__name__: f for f in (fresh, stopped, local, mid_spill, merged, mid_merge, days, large)}
