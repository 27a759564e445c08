# SPDX-License-Identifier: Apache-2.0
"""The shim and the replay of its log, against a program that does known operations."""
import copy
import errno
import itertools
import os
import pathlib
import random
import signal
import subprocess

import pytest

import shim as s
from disk import CHOICES, SECTOR, Disk, Everything, Nothing, n_sectors
from shim import Shim

PROBE = os.environ.get("CRASH_PROBE", "build/tests/crash/shim_probe")


class Story:
    """A run of the probe, and every disk that power loss at its end may leave."""

    def __init__(self, folder, name, prepare=lambda shim: None):
        self.shim = Shim(folder)
        self.begin = Disk(self.shim.root)
        self.disk = copy.deepcopy(self.begin)
        self.count = itertools.count()
        prepare(self.shim)
        self.done = subprocess.run([PROBE, name], cwd=self.shim.root, env={**os.environ, **self.shim.env},
                                   capture_output=True, text=True)
        self.records = self.shim.records()

    def image(self, choice, n_records=None):
        for r in self.records[:n_records]:
            self.disk.apply(r, choice)
        to = self.shim.folder / f"image{next(self.count)}"
        self.disk.write_image(to, choice)
        return tree(to)

    def images(self, n_random=200):
        for r in self.records:
            self.disk.apply(r, Nothing())
        self.records = []
        makers = [make for make in CHOICES.values() for _ in range(n_random)]
        return {tuple(sorted(self.image(make(random.Random(i))).items())) for i, make in enumerate(makers)}


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
            for p in pathlib.Path(folder).rglob("*")}


def images_of(*trees):
    return {tuple(sorted(t.items())) for t in trees}


@pytest.fixture
def story(tmp_path):
    def tell(name, prepare=lambda shim: None, expect=0):
        told = Story(tmp_path, name, prepare)
        assert told.done.returncode == expect, told.done.stdout + told.done.stderr
        return told
    return tell


@pytest.mark.parametrize("name", ["append", "replace", "dsync", "sectors", "names", "threads"])
def test_the_whole_log_replays_to_what_the_process_left(story, name):
    told = story(name)
    assert told.image(Everything()) == tree(told.shim.root) != {}


def test_what_was_synced_stays_and_the_rest_may_go(story):
    assert story("append").images() == images_of({"a": b"one"}, {"a": b"onetwo"})


def test_a_name_needs_its_folders_sync(story):
    told = story("append")
    synced = next(r.seq for r in told.records if r.op == s.SYNC)
    assert told.image(Nothing(), synced - 1) == {}
    assert told.image(Nothing(), synced) == {"a": b""}


def test_a_careful_replacement_is_old_or_new_and_a_careless_one_may_be_empty(story):
    assert story("replace").images() == images_of(
        {"a": b"old"}, {"a": b"old", "a.tmp": b""}, {"a": b"old", "a.tmp": b"new"}, {"a": b""}, {"a": b"new"})


def test_at_each_instant_of_a_careful_replacement_the_name_is_whole(story):
    told = story("replace")
    records = told.records
    settled = [r.seq for r in records if r.op == s.SYNC][1]
    for n in range(settled + 1):
        told.disk, told.records = copy.deepcopy(told.begin), []
        for r in records[:n]:
            told.disk.apply(r)
        seen = {image.get("a") for image in map(dict, told.images(20))}
        assert seen <= ({b"old"} if n >= settled else {None, b"old"})


def test_a_synchronous_write_stays_beside_one_that_may_go(story):
    kept, gone = bytearray(1024), bytearray(1024)
    kept[0:1] = b"x"
    kept[512:513] = gone[512:513] = b"y"
    assert story("dsync").images() == images_of({"a": bytes(kept)}, {"a": bytes(gone)})


def test_a_write_tears_at_sectors(story):
    whole = b"a" * 700 + b"b" * 836
    pieces = [(whole[i:i + SECTOR], bytes(SECTOR)) for i in range(0, 1536, SECTOR)]
    want = images_of(*({"a": b"".join(p)} for p in itertools.product(*pieces)))
    assert story("sectors").images() == want


def test_sectors_are_those_of_the_file():
    r = s.Record(s.WRITE, 1, 1, 700, 400, "", "", b"x" * 400)
    assert n_sectors(r) == 2


def test_names_come_and_go_in_order(story):
    files = [{"0": b"", "1": b"", "2": b""}, {"1": b"", "2": b""}, {"2": b"", "4": b""},
             {"2": b"", "4": b"", "5": b""}]
    states = [{}] + [{"d": None, **{f"d/{k}": v for k, v in f.items()}} for f in files]
    assert story("names").images() == images_of(*states)


def test_threads_leave_a_log_without_holes(story):
    told = story("threads")
    for name in "abcd":
        assert told.disk and tree(told.shim.root)[name] == name.encode() * 100
    writes = [r for r in told.records if r.op == s.WRITE]
    syncs = [r for r in told.records if r.op == s.SYNC]
    assert len(writes) == len(syncs) == 400
    for w in writes:  # each write is covered by the next sync of its file, which began behind it
        sync = next(r for r in syncs if r.seq > w.seq and r.ino == w.ino)
        assert sync.a >= w.seq
    image = told.image(Nothing())
    assert image == {}  # no folder was synced


@pytest.mark.parametrize("how", [s.KILL_AFTER, s.KILL_BEFORE, s.KILL_HALF])
def test_the_process_dies_at_the_chosen_operation(story, how):
    # START, CREATE, SYNC of the folder, then the write of "one" is the fourth
    told = story("append", lambda shim: shim.kill_in(4, how), -signal.SIGKILL)
    want = {s.KILL_AFTER: b"one", s.KILL_BEFORE: b"", s.KILL_HALF: b"o"}[how]
    assert told.image(Everything()) == tree(told.shim.root) == {"a": want}


@pytest.mark.parametrize("ops, path, text", [
    (s.FAULT_WRITE, "", "write"), (s.FAULT_SYNC, "", "fdatasync"), (s.FAULT_SYNC_DIR, "", "fsync"),
    (s.FAULT_CREATE, "a", "fd"),
])
def test_a_fault_fails_the_chosen_call(story, ops, path, text):
    told = story("append", lambda shim: shim.fail(ops, errno.ENOSPC, path=path), 1)
    assert text in told.done.stdout and os.strerror(errno.ENOSPC) in told.done.stdout
    assert told.shim.control.fault_hits == 1


def test_a_fault_waits_its_turn_and_ends(story):
    told = story("threads", lambda shim: shim.fail(s.FAULT_WRITE, errno.EIO, skip=399, count=5), 1)
    assert len([r for r in told.records if r.op == s.WRITE]) == 399


def test_after_a_failed_sync_no_later_one_saves_the_write(tmp_path):
    shim = Shim(tmp_path)
    disk = Disk(shim.root)
    write = s.Record(s.WRITE, 2, 7, 0, 3, "", "", b"one")
    for r in [s.Record(s.CREATE, 1, 7, 0, 0, "a", "", b""), write, s.Record(s.SYNC_FAILED, 3, 7, 2, 0, "", "", b""),
              s.Record(s.SYNC, 4, 7, 3, 0, "", "", b""), s.Record(s.SYNC, 5, disk.root, 4, 0, "", "", b"")]:
        disk.apply(r, Nothing())
    disk.write_image(tmp_path / "image", Everything())
    assert tree(tmp_path / "image") == {"a": b""}


def test_a_lying_disk_keeps_nothing(story):
    def lie(shim):
        shim.control.sync_lies = 1
    assert story("append", lie).image(Nothing()) == {}


def test_the_process_dies_at_the_chosen_kind_of_operation(story):
    told = story("replace", lambda shim: shim.kill_in(1, op=s.RENAME), -signal.SIGKILL)
    assert [r.op for r in told.records].count(s.RENAME) == 1 and told.records[-1].op == s.RENAME
