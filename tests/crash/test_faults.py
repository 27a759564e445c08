# SPDX-License-Identifier: Apache-2.0
"""A disk that fails or is full: pushes are refused with a reason, queries go on, nothing that was
acknowledged is lost, and when the disk is well again so is the server.
CRASH_FAULTS: how many faults at random (1, in the long form 2; from 10 on also more places of a
fault); CRASH_SEED: others.  The short form leaves out what differs only in the place of one call."""
import contextlib
import errno
import os
import random
import subprocess
import time

import pytest

import power_loss
import scene
import shim as s
from book import Book, Clients, Gate, Client, check, send
from halogi import LONG, how_many, merged

FAULTS = how_many("CRASH_FAULTS", 1, 2)
SEED = os.environ.get("CRASH_SEED") or str(time.time_ns())


# Spills and merges come so soon that most of the time goes by in what is tested: failing and waiting
# to try again.
HASTY = {"ingester": {"head_max_age": "100ms", "flush_local_age": "100ms", "flush_check_period": "20ms"}}


class Patient:
    """A watched server, one client that pushes on request, and its book."""

    def __init__(self, where, config=None):
        self.shim = s.Shim(where)
        self.begin = power_loss.Disk(self.shim.root)
        self.book = Book(lambda: self.shim.seq)
        self.server = scene.start(where, merged(HASTY, config or {}), self.shim)
        self.client = Client(self.book, 0, None, Gate(), SEED)
        self.where = where

    def push(self):
        """The answer's status."""
        return send(self.book, self.server.url, self.client.next_push(), self.server.session)

    def push_until(self, status, seconds=20):
        end = time.monotonic() + seconds
        while (got := self.push()) != status:
            assert time.monotonic() < end, f"still {got}, not {status}\n{self.server.tail()}"
            time.sleep(0.02)

    def refusal(self):
        """The text of a push's 503."""
        push = self.client.next_push()
        answer = self.server.post(push.path, push.body, push.headers)
        assert answer.status_code == 503, (answer.status_code, answer.text)
        return answer.text

    def check(self):
        assert self.server.process.poll() is None, self.server.tail()
        check(self.server, self.book)
        self.book.check_calm()

    def recover(self):
        """The disk is well: pushes are taken again; then all is there, also for the next process."""
        self.shim.heal()
        self.push_until(204)
        self.check()
        self.server.kill()
        self.server.start()
        self.check()
        self.push_until(204)
        self.check()


@contextlib.contextmanager
def patient(config=None):
    with scene.folder("faults") as where:
        p = Patient(where, config)
        try:
            for _ in range(5):
                assert p.push() == 204
            yield p
        finally:
            p.server.process.kill()
            p.server.process.wait()


@pytest.mark.parametrize("ops, code", [
    (s.FAULT_SYNC, errno.EIO), (s.FAULT_WRITE, errno.EIO), (s.FAULT_WRITE, errno.ENOSPC)])
def test_one_failure_of_the_log_is_survived_without_help(ops, code):
    with patient() as p:
        p.shim.fail(ops, code, count=1, path="/wal/")
        assert p.push() == 503
        p.push_until(204)  # the head went to a segment, the log goes on in a new file
        p.check()
        p.recover()


def test_after_a_failed_sync_power_loss_takes_nothing_either():
    with patient() as p:
        for _ in range(3):
            p.shim.fail(s.FAULT_SYNC, errno.EIO, skip=2, count=1, path="/wal/")
            for _ in range(4):
                p.push()
            p.push_until(204)
        p.server.kill()
        run = power_loss.Run(p.where, p.begin, p.book, p.shim)
        power_loss.check_images(run, 8, SEED)


def test_a_full_disk_refuses_pushes_with_the_reason_and_answers_queries():
    with patient() as p:
        p.shim.fail(s.FAULT_WRITE | s.FAULT_ALLOCATE | s.FAULT_CREATE, errno.ENOSPC, short=50)
        assert p.push() == 503
        assert "No space left on device" in p.refusal()
        p.check()
        time.sleep(1)  # spills and repairs fail meanwhile
        assert p.push() == 503
        p.check()
        p.recover()


def test_over_the_watermark_pushes_get_503_before_anything_fails():
    with patient() as p:
        p.shim.control.disk_used_permille = 950
        p.push_until(503)
        assert "disk" in p.refusal() and "0.9" in p.refusal()
        p.check()
        assert p.server.get("/ready").status_code == 200
        p.shim.control.disk_used_permille = 500
        p.recover()


@contextlib.contextmanager
def small_disk(where, megabytes):
    (where / "disk").mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none",
                                            where / "disk"], capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk; the injected ENOSPC above is what remains")
    try:
        yield where / "disk"
    finally:
        subprocess.run(["umount", "-l", where / "disk"], check=True)


@pytest.mark.parametrize("threshold", [0, 0.9] if LONG else [0])
def test_a_small_disk_that_is_really_full(threshold):
    with scene.folder("small") as where, small_disk(where, 40) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(20 << 20))
        book = Book()
        server = scene.start(where, {"ingester": {"wal": {"disk_full_threshold": threshold}}})
        client = Client(book, 0, None, Gate(), SEED)
        try:
            end = time.monotonic() + 60
            while (status := send(book, server.url, client.huge_push(), server.session)) == 204:
                assert time.monotonic() < end
            assert status == 503
            check(server, book)
            assert server.process.poll() is None
            ballast.unlink()
            end = time.monotonic() + 20
            while send(book, server.url, client.next_push(), server.session) != 204:
                assert time.monotonic() < end, server.tail()
                time.sleep(0.05)
            check(server, book)
            server.kill()
            server.start()
            check(server, book)
            book.check_calm()
        finally:
            server.process.kill()
            server.process.wait()


@pytest.mark.parametrize("path", ["/segments/", "/catalog/data.mdb", "/index/"])
@pytest.mark.parametrize("ops", [s.FAULT_WRITE, s.FAULT_SYNC])
def test_a_spill_that_fails_is_tried_again(path, ops):
    with patient() as p:
        p.shim.fail(ops, errno.EIO, path=path)
        p.push_until(204)
        p.shim.wait_for_hits(2)
        p.check()  # pushes may be taken or not: what is acknowledged is there
        p.push()
        p.recover()
        flushed(p)


@pytest.mark.parametrize("path", ["/catalog/data.mdb", "/index/"])
@pytest.mark.parametrize("skip", [1, 2, 3] if LONG else [1, 3])
def test_the_last_write_of_a_commit_may_fail_too(path, skip):
    """LMDB writes its pages, syncs, and writes one page more; a failure there is another path."""
    with patient() as p:
        flushed(p)
        for _ in range(1 if FAULTS < 10 else 5):
            p.shim.fail(s.FAULT_WRITE, errno.EIO, skip=skip, count=1, path=path)
            end = time.monotonic() + 20
            while p.shim.control.fault_hits == 0:
                assert p.push() in (204, 503) and time.monotonic() < end
                time.sleep(0.02)
            p.check()
            p.shim.heal()
            flushed(p)
        p.recover()


@pytest.mark.parametrize("ops, path", [
    (s.FAULT_WRITE, "/objects/"), (s.FAULT_RENAME, "objects/"), *([
        (s.FAULT_SYNC_DIR, "/objects/"), (s.FAULT_CREATE, "objects/")] if LONG else [])])
def test_a_failing_object_store_does_not_block_pushes(ops, path):
    with patient() as p:
        p.shim.fail(ops, errno.EIO, path=path)
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            assert p.push() == 204
            time.sleep(0.01)
        p.shim.wait_for_hits(1)
        p.check()
        p.recover()
        flushed(p)


def flushed(p, seconds=20):
    """At first it may say what failed just now."""
    end = time.monotonic() + seconds
    while (answer := p.server.post("/flush", b"", {"X-Scope-OrgID": "tenant0"})).status_code != 204:
        assert answer.status_code == 503 and time.monotonic() < end, (answer.status_code, answer.text)
        time.sleep(0.05)
    p.check()


@pytest.mark.parametrize("ops", [s.FAULT_WRITE, s.FAULT_SYNC, s.FAULT_CREATE, s.FAULT_SYNC_DIR, s.FAULT_ALLOCATE])
@pytest.mark.parametrize("skip", range(12) if FAULTS >= 10 else [0, 4] if LONG else [0])
def test_a_start_on_a_failing_disk_says_so_and_harms_nothing(ops, skip):
    with patient() as p:
        p.server.kill()
        p.shim.fail(ops, errno.EIO, skip=skip)
        p.server.start(wait=False)
        end = time.monotonic() + 1
        while time.monotonic() < end and p.server.process.poll() is None:
            if p.push() == 204:
                break  # it needed nothing of what fails
            time.sleep(0.05)
        status = p.server.process.poll()
        assert status in (None, 1), f"ended with {status}\n{p.server.tail()}"
        assert status is None or "Input/output error" in p.server.tail()
        p.server.kill()
        p.shim.heal()
        p.server.start()
        p.recover()


@pytest.mark.parametrize("n", range(FAULTS))
def test_faults_at_random_lose_nothing(n):
    choose = random.Random(f"{SEED}/{n}")
    print(f"CRASH_SEED={SEED}")
    with scene.folder("faults") as where:
        shim = s.Shim(where)
        begin, book = power_loss.Disk(shim.root), Book(lambda: shim.seq)
        server = scene.start(where, shim=shim)
        try:
            with Clients(book, server, range(3), f"{SEED}/{n}") as clients:
                for _ in range(3):
                    shim.fail(choose.choice([1, 2, 4, 8, 16, 32, 64, 127]), choose.choice([errno.EIO, errno.ENOSPC]),
                              skip=choose.randint(0, 40), count=choose.choice([1, 1, 3, 100]),
                              short=choose.choice([0, 50, 90]))
                    time.sleep(choose.random())
                    shim.heal()
                clients.hold()
                assert server.process.poll() is None, server.tail()
                check(server, book)
            server.kill()
            server.start()
            check(server, book)
            server.kill()
            book.check_calm()
            power_loss.check_images(power_loss.Run(where, begin, book, shim), 3, f"{SEED}/{n}")
        finally:
            server.process.kill()
            server.process.wait()
