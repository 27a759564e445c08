# SPDX-License-Identifier: Apache-2.0
"""Equal questions, equal bytes: whatever split_queries_by_interval says, however many workers there
are, wherever the entries lie and with filters off.  ORACLE_SPLIT_SEEDS says how many questions (default
200); the first server is the measure of the others."""
import contextlib
import os

import pytest

import test_oracle as oracle
from halogi import Server, merged

SEEDS = int(os.environ.get("ORACLE_SPLIT_SEEDS", "200"))
FIRST = 7_000_000  # seeds that the oracle does not ask
SHOWN = 5


def in_memory(server, data):
    oracle.push(server, data)


def stored(server, data):
    in_memory(server, data)
    server.flush()


def in_pieces(server, data):
    """Many small segments, and the last entries of each stream in memory."""
    for i in range(5):
        piece = [(base, entries[len(entries) * i // 5:len(entries) * (i + 1) // 5]) for base, entries in data]
        piece = [(base, entries) for base, entries in piece if entries]
        if piece:
            oracle.push(server, piece)
        if i < 4:
            server.flush()


def settings(split, workers, use_filters=True):
    return {"limits_config": {"split_queries_by_interval": split}, "server": {"worker_threads": workers},
            "querier": {"use_filters": use_filters}}


SERVERS = {
    "0s, 1 worker, memory": (settings("0s", 1), in_memory),
    "0s, 4 workers, pieces": (settings("0s", 4), in_pieces),
    "1m, 1 worker, pieces": (settings("1m", 1), in_pieces),
    "1m, 4 workers, stored": (settings("1m", 4), stored),
    "7s, 1 worker, stored": (settings("7s", 1), stored),
    "7s, 4 workers, pieces, no filters": (settings("7s", 4, False), in_pieces),
}


def asked(server, kind, query, params):
    """Status and body without what was measured, which stands last."""
    path = "query" if kind == "instant" else "query_range"
    answer = server.get("/loki/api/v1/" + path, query=query, **params)
    body = answer.content
    if answer.status_code == 200:
        body, found, _ = body.rpartition(b',"stats":{')
        assert found, answer.text
    return answer.status_code, body


@pytest.fixture(scope="module")
def servers():
    with contextlib.ExitStack() as stack:
        yield {name: (stack.enter_context(Server(merged(oracle.CONFIG, config))), load)
               for name, (config, load) in SERVERS.items()}


def difference(servers, seed, number):
    kind, query, params = oracle.generate.question(seed, number)
    (first, want), *others = [(name, asked(server, kind, query, params)) for name, (server, _) in servers.items()]
    for name, got in others:
        if got != want:
            return want[0], "seed %d: %s\n  %s\n  %s: %s\n  %s: %s" % (seed, query, params, first, want, name, got)
    return want[0], None


def test_split_workers_and_place_change_no_byte_of_an_answer(servers):
    different, statuses, number = [], [], None
    for seed in range(FIRST, FIRST + SEEDS):
        if seed // oracle.PER_DATASET != number:
            number = seed // oracle.PER_DATASET
            data = oracle.generate.dataset(number)
            for server, load in servers.values():
                load(server, data)
        status, shown = difference(servers, seed, number)
        statuses.append(status)
        if shown:
            different.append(shown)
            if len(different) == SHOWN:
                break
    assert not different, "\n".join(different)
    assert statuses.count(200) > 0.8 * len(statuses)  # most are answers, not refusals
