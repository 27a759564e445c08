# SPDX-License-Identifier: Apache-2.0
"""`halogi rebuild-index` that dies, or loses power, at any operation: the folder works as it is, or
says that it wants the command again; then all is there.  CRASH_REBUILDS: how many times (2, in
the long form 4)."""
import os
import pathlib
import random
import shutil
import signal
import time

import pytest

import scene
import shim as s
from book import Book, Clients, check
from disk import CHOICES, Disk
from halogi import how_many

REBUILDS = how_many("CRASH_REBUILDS", 2, 4)
SEED = os.environ.get("CRASH_SEED") or str(time.time_ns())


@pytest.fixture(scope="module")
def crashed():
    """A folder as a kill left it, with local segments, objects and a log; and its book."""
    with scene.folder("rebuild") as where:
        book = Book()
        server = scene.start(where)
        try:
            with Clients(book, server, range(4), SEED):
                time.sleep(1)
                server.post("/flush", b"", {"X-Scope-OrgID": "tenant0"})
                time.sleep(1)
                server.kill()
        finally:
            server.process.kill()
        yield where, book


def die_rebuilding(where, choose):
    """Leaves where/disk as it is after that; true when it came to its end."""
    shim = s.Shim(where)
    disk = Disk(shim.root)
    shim.kill_in(choose.randint(2, 160), choose.choice([s.KILL_AFTER, s.KILL_BEFORE]))
    done = scene.run_rebuild(where, shim)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    if choose.random() < 0.5:
        return done.returncode == 0
    for r in shim.records():  # the power goes as well
        disk.apply(r)
    name = choose.choice(list(CHOICES))
    shutil.rmtree(where / "disk")
    disk.write_image(where / "disk", CHOICES[name](choose))
    return False


def start_or_rebuild(where):
    try:
        return scene.start(where)
    except AssertionError as e:
        assert "rebuild-index" in str(e), e
        (where / "halogi.log").unlink()  # its refusal is an error that we want
        scene.rebuild_index(where)
        return scene.start(where)


@pytest.mark.parametrize("n", range(REBUILDS))
def test_a_rebuild_may_be_cut_short(crashed, n):
    where, book = crashed
    choose = random.Random(f"{SEED}/{n}")
    print(f"CRASH_SEED={SEED}")
    copy = pathlib.Path(where) / f"copy{n}"
    shutil.copytree(where / "disk", copy / "disk")
    while not die_rebuilding(copy, choose) and choose.random() < 0.5:
        pass
    if choose.random() < 0.3:
        scene.rebuild_index(copy)
    server = start_or_rebuild(copy)
    try:
        check(server, book)
        assert not scene.errors_in_log(server)
    finally:
        server.process.kill()
        server.process.wait()
    shutil.rmtree(copy)
