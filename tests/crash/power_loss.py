# SPDX-License-Identifier: Apache-2.0
"""Runs a watched server through pushes, kills and restarts; then takes instants of that run, builds
the disks that power loss there may leave, and starts a server on each.

    CRASH_IMAGES=1000 CRASH_SEED=7 pytest tests/crash/test_power_loss.py"""
import bisect
import copy
import pathlib
import random
import shutil
import time

import shim as s
from book import Book, Client, Clients, Push, problems, send
from disk import CHOICES, Disk
from scene import errors_in_log, metric, rebuild_index, revive, start

HUGE_CLIENT = 1000
EVENTS = {s.SYNC, s.SYNC_FAILED, s.RENAME, s.UNLINK, s.CREATE, s.MKDIR, s.RMDIR, s.LINK, s.TRUNCATE, s.ALLOCATE}


class Run:
    """What happened: the disk it began with, the log, the book."""

    def __init__(self, where, begin, book, shim):
        self.where, self.begin, self.book, self.shim = where, begin, book, shim
        self.records = shim.records()


def die_soon(shim, choose, most):
    """At any operation, or just behind a rare one that a sync must follow."""
    if choose.random() < 0.5:
        op = choose.choice([s.MKDIR, s.CREATE, s.RENAME, s.UNLINK, s.ALLOCATE, s.WRITE])
        shim.kill_in(choose.randint(2, most), s.KILL_AFTER, op)
    else:
        shim.kill_in(choose.randint(2, most), choose.choice([s.KILL_AFTER, s.KILL_BEFORE, s.KILL_HALF]))


def act(server, shim, choose, huge):
    """One thing that happens while clients push."""
    what = choose.random()
    if what < 0.5:
        die_soon(shim, choose, 300)
        wait_for_end(server, shim)
        if choose.random() < 0.4:  # it dies again while it recovers
            die_soon(shim, choose, 60)
            server.session.close()
            server.start(wait=False)
            wait_for_end(server, shim)
        revive(server)
    elif what < 0.65:
        server.restart()
    elif what < 0.8:
        server.post("/flush", b"", {"X-Scope-OrgID": "tenant0"})
    elif what < 0.85:
        send(huge.book, server.url, huge.huge_push())
    else:
        time.sleep(choose.random())


def be_born(where, shim, choose):
    """The first start makes folders and files, and may not come to its end either."""
    deaths = choose.choice([0, 0, 1, 3])
    if deaths:
        die_soon(shim, choose, 150)
    server = start(where, shim=shim, wait=not deaths)
    for left in reversed(range(deaths)):
        wait_for_end(server, shim, seconds=0.5)
        if left:
            die_soon(shim, choose, 100)
        server.start(wait=not left)
    return server


def wait_for_end(server, shim, seconds=4):
    """A process that finds nothing to do does not die: then it is ended while it is idle."""
    end = time.monotonic() + seconds
    while server.process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    shim.kill_in(0)
    if server.process.poll() is None:
        server.process.kill()
    server.process.wait()


def record(where, seed, seconds, n_clients=4, first_client=0, book=None, prepare=None):
    """where: its disk may hold what an earlier run left, with that run's book."""
    choose = random.Random(seed)
    shim = s.Shim(where)
    begin = Disk(shim.root)
    if prepare:
        prepare(shim)
    shim.control.sync_delay_us = choose.choice([0, 0, 500, 3000])
    book = book or Book()
    book.place = lambda: shim.seq
    server = be_born(where, shim, choose)
    huge = Client(book, HUGE_CLIENT + first_client, None, None, seed)
    try:
        end = time.monotonic() + seconds
        with Clients(book, server, range(first_client, first_client + n_clients), seed):
            while time.monotonic() < end:
                time.sleep(choose.random() * 0.3)
                act(server, shim, choose, huge)
        server.kill()
    finally:
        server.process.kill()
        server.process.wait()
    book.check_calm()
    return Run(where, begin, book, shim)


# --- instants --------------------------------------------------------------------------------


def weights(records):
    """Of dying right behind each record: changes of state count more than bytes of zeros."""
    out, total = [], 0
    for r in records:
        total += 12 if r.op in EVENTS else 1 if r.op == s.WRITE and not r.data else 6
        out.append(total)
    return out


def instants(run, n, choose):
    """(number of records that took effect, name of the choice), ascending."""
    sums = weights(run.records)
    at = [1 + bisect.bisect(sums, choose.randrange(sums[-1])) for _ in range(n)]
    return sorted((k, choose.choice(list(CHOICES))) for k in at)


# --- images ----------------------------------------------------------------------------------


class Image:
    """A disk after power loss behind record `at`, and a server on it."""

    def __init__(self, run, at, choice, where):
        self.run, self.at, self.choice = run, at, choice
        self.place = run.records[at - 1].seq
        self.where = pathlib.Path(where)

    def name(self):
        return f"power lost behind operation {self.place} ({self.choice}), see {self.where}"

    def retry(self, server, choose):
        """What clients do that had no answer; and some that had one."""
        pushes = [p for p in list(self.run.book.pushes) if p.sent_at <= self.place]
        open_ = [p for p in pushes if not p.acked_by(self.place)][-20:]
        again = open_ + choose.sample(pushes, min(3, len(pushes)))
        for p in again:
            status = send(self.run.book, server.url, Push(p.client, p.parts, p.path, p.headers, p.body, 0))
            assert status == 204, f"{self.name()}: a retry is answered {status}\n{server.tail()}"
        return again

    def check(self, choose):
        if (self.where / "disk/data/catalog/data.mdb").exists() and choose.random() < 0.1:
            rebuild_index(self.where)
            self.choice += ", index rebuilt"
        server = start(self.where)
        try:
            self.check_server(server, choose)
        except Exception as e:
            raise AssertionError(f"{self.name()}: {e}\n{server.tail()}") from e
        finally:
            server.process.kill()
            server.process.wait()
            server.log.close()

    def check_server(self, server, choose):
        self.expect(problems(server, self.run.book, self.place, self.place), server)
        self.expect([f"a corruption is reported: {n}" for n in [metric(server, "loki_ingester_wal_corruptions_total")]
                     if n], server)
        self.expect(errors_in_log(server), server)
        retried = Retried(self.run.book, self.place, self.retry(server, choose))
        self.expect(problems(server, retried, 1, 1), server)
        way = choose.random()
        if way < 0.2:
            assert server.post("/flush", b"", {"X-Scope-OrgID": "tenant0"}).status_code == 204
            self.expect(problems(server, retried, 1, 1), server)
        elif way < 0.4:
            server.kill()
            server.start()
            self.expect(problems(server, retried, 1, 1), server)
        elif way < 0.5:
            server.restart()
            self.expect(problems(server, retried, 1, 1), server)

    def expect(self, found, server):
        assert not found, f"{self.name()}:\n" + "\n".join(found[:10]) + "\n" + server.tail()


class Retried(Book):
    """The book as it stands at an instant, after some pushes were sent once more."""

    def __init__(self, book, place, again):
        super().__init__(base_ns=book.base_ns)
        again = set(map(id, again))
        for p in list(book.pushes):
            if p.sent_at <= place:
                q = Push(p.client, p.parts, p.path, p.headers, p.body, 0)
                q.acked_at = 0 if p.acked_by(place) or id(p) in again else None
                q.late = p.late or not p.acked_by(place)
                self.pushes.append(q)


def images(run, n, seed):
    """Builds one after the other; the folder of one is gone when the next comes."""
    choose = random.Random(seed)
    disk, applied = copy.deepcopy(run.begin), 0
    for k, (at, choice) in enumerate(instants(run, n, choose)):
        for r in run.records[applied:at]:
            disk.apply(r, CHOICES[choice](choose))
        applied = at
        where = pathlib.Path(run.where) / f"image{k}"
        where.mkdir()
        disk.write_image(where / "disk", CHOICES[choice](choose))
        yield Image(run, at, choice, where), choose
        shutil.rmtree(where)


def check_images(run, n, seed):
    for image, choose in images(run, n, seed):
        image.check(choose)


def next_life(run, seed, seconds):
    """The power comes back: a run that begins with what one image of this run holds."""
    for image, _ in images(run, 1, seed):
        where = pathlib.Path(run.where) / f"next{seed}".replace("/", "-")
        shutil.copytree(image.where, where)
        book = Retried(run.book, image.place, [])
        first = 10 + max(p.client for p in book.pushes if p.client < HUGE_CLIENT) if book.pushes else 0
        return record(where, seed, seconds, first_client=first, book=book)
