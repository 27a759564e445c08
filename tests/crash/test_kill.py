# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any moment: each acknowledged line is there, once, in order, also while it happens.
CRASH_KILLS: how many (5, in the long form 8; 200 by hand); CRASH_SEED: another course of events."""
import os
import random
import shutil
import time

import pytest

import scene
from book import Book, Clients, Reader, check
from halogi import how_many
from scene import errors_in_log, metric, revive

KILLS = how_many("CRASH_KILLS", 5, 8)
SEED = os.environ.get("CRASH_SEED") or str(time.time_ns())
KILLS_OF_A_GENERATION = 10  # then other clients, so that checks stay quick
N_CLIENTS = 4


def flush(server):
    answer = server.post("/flush", b"", {"X-Scope-OrgID": "tenant0"})
    assert answer.status_code == 204, (answer.status_code, answer.text)


def die_and_come_back(server, clients, choose):
    time.sleep(choose.choice([0.02, 0.2, 0.5]) * (0.5 + choose.random()))
    server.process.kill()
    clients.hold()
    revive(server)
    if choose.random() < 0.2:  # and again, while it recovers or has just begun
        server.kill()
        server.start(wait=False)
        time.sleep(choose.random() * 0.1)
        server.kill()
        server.start()


def check_rebuilt(where, server, book, numbers):
    """A copy of the folder as a kill left it, with its catalog and index made again."""
    server.kill()
    copy = where / "copy"
    shutil.copytree(where / "disk", copy / "disk")
    scene.rebuild_index(copy)
    rebuilt = scene.start(copy)
    try:
        check(rebuilt, book, clients=numbers)
    finally:
        rebuilt.process.kill()
        rebuilt.process.wait()
    shutil.rmtree(copy)
    server.start()


def one_generation(server, book, generation, n_kills, choose):
    numbers = range(generation * N_CLIENTS, (generation + 1) * N_CLIENTS)
    with Clients(book, server, numbers, f"{SEED}/{generation}") as clients, Reader(book, server, SEED) as reader:
        for _ in range(n_kills):
            die_and_come_back(server, clients, choose)
            check(server, book, clients=numbers)
            if choose.random() < 0.2:
                flush(server)
                check(server, book, clients=numbers)
            clients.go_on()
        time.sleep(0.3)
        clients.hold()
        check_rebuilt(server.folder, server, book, numbers)
        check(server, book, clients=numbers)
    return reader.n_checks


@pytest.mark.parametrize("mode", ["interval", "none"])
def test_without_a_sync_before_the_answer_kills_still_lose_nothing(mode):
    """Only power loss may take what these modes acknowledge."""
    book = Book()
    with scene.folder("kill") as where:
        server = scene.start(where, {"ingester": {"wal": {"sync": mode}}})
        try:
            one_generation(server, book, 0, max(1, KILLS // 8), random.Random(SEED))
            book.check_calm()
        finally:
            server.process.kill()
            server.process.wait()


def test_kills_lose_nothing_and_repeat_nothing():
    choose = random.Random(SEED)
    book, n_checks = Book(), 0
    with scene.folder("kill") as where:
        print(f"CRASH_SEED={SEED}")
        server = scene.start(where)
        try:
            for first in range(0, KILLS, KILLS_OF_A_GENERATION):
                n_kills = min(KILLS_OF_A_GENERATION, KILLS - first)
                n_checks += one_generation(server, book, first // KILLS_OF_A_GENERATION, n_kills, choose)
                book.check_calm()
            assert n_checks > KILLS  # the reader did ask
            check(server, book)
            flush(server)
            check(server, book)
            server.restart()
            check(server, book)
            assert metric(server, "loki_ingester_wal_corruptions_total") == 0
            assert not errors_in_log(server)
        finally:
            server.process.kill()
            server.process.wait()
