# SPDX-License-Identifier: Apache-2.0
"""The damage machine itself: sound folders pass, and it knows what a harm took and sees what is wrong."""
import os
import pathlib
import shutil

import pytest

import course
import harm as h
import regions
import run
import states
from halogi import BINARY, memory_folder
from model import Writer

WORKERS = 2


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    where = pathlib.Path(memory_folder() or tmp_path_factory.mktemp("states")) / f"halogi-states-{os.getpid()}"
    where.mkdir()
    libs = run.libraries(pathlib.Path(os.environ.get("DAMAGE_LIBRARIES") or pathlib.Path(BINARY).parent / "tests"))
    try:
        yield run.prepare(os.path.abspath(BINARY), libs, where, list(states.STATES), WORKERS)
    finally:
        shutil.rmtree(where)


def result_of(prepared, work, seed=0):
    return course.run_seed(prepared, os.path.abspath(BINARY), work, seed, ["none"], False)


@pytest.mark.parametrize("name", states.STATES)
def test_a_sound_folder_is_answered_right(prepared, tmp_path, name):
    result = result_of(prepared[name], tmp_path)
    assert result.seen == {"right"}, (result.violations, result.log)


def with_entries(of, entries):
    state = states.State(of.state.name, of.state.folder, entries, of.state.map, of.state.strays)
    return course.Prepared(state)


def test_an_entry_that_is_missing_is_missed(prepared, tmp_path):
    of = prepared["local"]
    stranger = Writer("stranger").entries("beta", 1, of.state.entries[0].ts_ns, 10)
    stranger[0] = stranger[0]._replace(number=800_000)
    of.state.map.home[800_000] = "wal"
    result = result_of(with_entries(of, of.state.entries + stranger), tmp_path)
    assert result.outcome == "VIOLATION" and "of beta" in result.violations[0]


def test_an_entry_that_nobody_pushed_is_noticed(prepared, tmp_path):
    of = prepared["merged"]
    result = result_of(with_entries(of, of.state.entries[:-1]), tmp_path)
    assert result.outcome == "VIOLATION"


# --- what a harm took ------------------------------------------------------------------------


@pytest.fixture
def taken(prepared, tmp_path):
    """A function: the state's name, and what to do to a copy, to the harm with its account."""
    def take(name, path, change):
        state = prepared[name].state
        shutil.copytree(state.data, tmp_path / "data")
        raw = bytearray((tmp_path / "data" / path).read_bytes())
        (tmp_path / "data" / path).write_bytes(change(raw) or raw)
        harm = h.Harm("flip", "", [path])
        h.account(harm, state, tmp_path / "data")
        return harm
    return take


def flipped(at):
    def change(raw):
        raw[at] ^= 1
    return change


def groups_of_newest(state):
    return [g for g in state.map.groups if g.lsn >> 24 == state.map.newest_epoch()]


def test_a_bit_in_a_group_of_the_log_takes_that_group(prepared, taken):
    group = groups_of_newest(prepared["merged"].state)[1]
    harm = taken("merged", group.file, flipped(group.begin + 70))
    assert harm.lost.keys() == group.numbers and not harm.torn


def test_the_end_of_the_newest_file_may_be_torn(prepared, taken):
    group = groups_of_newest(prepared["merged"].state)[-2]
    harm = taken("merged", group.file, lambda raw: raw[:group.begin + 100])
    assert harm.lost.keys() == harm.torn > group.numbers


def test_no_older_file_may_be_torn(prepared, taken):
    first = prepared["stopped"].state.map.groups[0]
    harm = taken("stopped", first.file, lambda raw: raw[:first.begin])
    assert harm.lost.keys() > first.numbers and not harm.torn


def test_a_header_that_is_damaged_takes_nothing_of_the_log(prepared, taken):
    assert not taken("fresh", "wal/00000001.wal", flipped(33)).lost


def piece_of(state, what):
    name, pieces = next((n, p) for n, p in state.map.segments.items() if n.startswith("objects/"))
    return name, pieces, next(p for p in pieces if p.what.startswith(what))


@pytest.mark.parametrize("what", ["chunk 0", "chunk 1", "directory", "footer"])
def test_a_bit_in_a_segment_takes_what_needs_it(prepared, taken, what):
    name, _, piece = piece_of(prepared["large"].state, what)
    harm = taken("large", name, flipped(piece.begin + 9))
    assert harm.lost.keys() == piece.numbers > set()
    assert {tenant for tenant, _ in harm.pairs} == ({"alpha"} if what.startswith("chunk") or what == "directory" else
                                                    {"alpha", "beta"})


def test_a_bit_in_a_filter_takes_nothing(prepared, taken):
    name, pieces, _ = piece_of(prepared["large"].state, "chunk")
    filters = next(p for p in pieces if p.what == regions.FILTERS)
    assert filters.end - filters.begin > regions.PAGE
    harm = taken("large", name, flipped(filters.begin + 100))
    assert not harm.lost and {tenant for tenant, _ in harm.pairs} == {"alpha"}


def test_a_table_takes_no_entry_but_its_day(prepared, taken):
    state = prepared["days"].state
    path = sorted(n for n in h.files_of(state.data) if n.endswith("data.mdb") and n.startswith("index/"))[1]
    harm = taken("days", path, flipped(5000))
    assert not harm.lost and len({day for _, day in harm.pairs}) == 1
