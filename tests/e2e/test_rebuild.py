# SPDX-License-Identifier: Apache-2.0
"""halogi rebuild-index: whatever happened to catalog and index, segments and WAL give it all back."""
import os
import re
import shutil
import subprocess
import time

import pytest

from halogi import BINARY, NS, Server

NOW = time.time_ns()
BASE = NOW - 1800 * NS


def rebuild(server, status=0):
    done = subprocess.run([BINARY, "rebuild-index", f"-config.file={server.folder}/halogi.yaml"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def push_some(server, first, n):
    server.push([({"app": f"a{k}"}, [(BASE + i * NS, f"line {i} of {k}") for i in range(first, first + n)])
                 for k in range(3)])


def everything(server):
    return server.lines('{app=~".+"}', start=BASE - NS, end=NOW + NS)


def counted(server):
    return server.query('sum(count_over_time({app=~".+"}[2h]))', time=NOW)["result"][0]["value"][1]


def filled(flush):
    """Two objects or none, and more in the WAL alone."""
    server = Server()
    push_some(server, 0, 20)
    if flush:
        server.flush()
        push_some(server, 20, 20)
        server.flush()
    push_some(server, 40, 20)
    return server


def data_of(server):
    return server.folder / "data"


def set_aside(server):
    return sorted(p.name for p in data_of(server).iterdir() if ".before-" in p.name)


@pytest.mark.parametrize("lost", [["catalog", "index"], ["catalog"], ["index"], []])
@pytest.mark.parametrize("flush", [True, False])
def test_all_entries_are_there_again_once(lost, flush):
    with filled(flush) as server:
        before = everything(server)
        assert len(before) == (180 if flush else 120)
        server.kill()
        for name in lost:
            shutil.rmtree(data_of(server) / name)
        report = rebuild(server)
        assert f"{2 if flush else 0} live segments with {120 if flush else 0} rows" in report
        assert len(set_aside(server)) == 2 - len(lost)
        server.start()
        assert everything(server) == before
        push_some(server, 100, 5)
        server.flush()
        server.restart()
        assert len(everything(server)) == len(before) + 15
        assert counted(server) == str(len(before) + 15)


def test_local_segments_that_the_wal_has_no_more_come_back():
    """A spill that no merge took yet: everything is in segments/, nothing in objects/."""
    with Server({"ingester": {"head_max_bytes": "2MB"}}) as server:
        for first in range(0, 6000, 500):
            server.push([({"app": "a"}, [(BASE + i * 1000, f"line {i} " + "x" * 300) for i in range(first, first + 500)])])
        for _ in range(100):
            if list(data_of(server).glob("segments/*/*.seg")):
                break
            time.sleep(0.1)
        assert counted(server) == "6000"
        server.kill()
        n_local = len(list(data_of(server).glob("segments/*/*.seg")))
        assert n_local > 0
        shutil.rmtree(data_of(server) / "catalog")
        shutil.rmtree(data_of(server) / "index")
        assert f"{n_local} live segments" in rebuild(server)
        server.start()
        assert counted(server) == "6000"


def test_the_installation_stays_the_same():
    with filled(True) as server:
        server.kill()
        first = re.search(r"installation (\S+),", rebuild(server)).group(1)
        server.start()
        push_some(server, 60, 10)
        server.flush()
        server.stop()
        shutil.rmtree(data_of(server) / "wal")
        assert re.search(r"installation (\S+),", rebuild(server)).group(1) == first
        server.start()
        assert len(everything(server)) == 210


def objects_of(server):
    return sorted(data_of(server).glob("objects/*/*.seg"), key=lambda p: p.stat().st_mtime_ns)


def damage(path):
    raw = bytearray(path.read_bytes())
    raw[100] ^= 1  # in the first chunk
    path.write_bytes(raw)
    return bytes(raw)


@pytest.mark.parametrize("which", [0, 1])
def test_a_damaged_object_is_left_out_named_and_kept(which):
    with filled(True) as server:
        server.stop()
        shutil.rmtree(data_of(server) / "wal")
        damaged = objects_of(server)[which]
        raw = damage(damaged)
        report = rebuild(server)
        assert "1 live segments" in report and "1 damaged and left out" in report
        assert f"damaged: object {damaged.parent.name}/{damaged.name}: " in report
        server.start()
        assert len(everything(server)) == 60
        server.flush()
        assert (damaged.parent / (damaged.name + ".damaged")).read_bytes() == raw
        assert not damaged.exists()


@pytest.mark.parametrize("which", [0, 1])
def test_what_a_damaged_object_held_comes_from_the_wal_where_it_is_still_there(which):
    with filled(True) as server:
        before = everything(server)
        server.kill()
        damage(objects_of(server)[which])
        rebuild(server)
        server.start()
        assert everything(server) == before
        assert counted(server) == str(len(before))
        server.flush()
        assert everything(server) == before
        server.stop()
        # The new object claims what the damaged one held, and not what the other has.
        assert "2 live segments" in rebuild(server)
        server.start()
        assert everything(server) == before


def test_a_damaged_local_segment_is_out_of_reach_of_the_next_start():
    with filled(False) as server:
        server.kill()
        folder = data_of(server) / "segments" / "2026-01-01"
        folder.mkdir()
        (folder / "x.seg").write_bytes(b"no segment")
        report = rebuild(server)
        assert "damaged: segment 2026-01-01/x.seg: " in report
        (folder / "x.seg").write_bytes(b"another")
        rebuild(server)
        kept = sorted(folder.iterdir())
        assert [(p.name, p.read_bytes()) for p in kept] == [
            ("x.seg.damaged", b"no segment"), ("x.seg.damaged.2", b"another")]
        assert "0 damaged" in rebuild(server)
        server.start()
        server.flush()
        assert sorted(folder.iterdir()) == kept


def test_it_refuses_while_a_server_runs():
    with filled(False) as server:
        assert "another halogi works in" in rebuild(server, status=1)
        assert len(everything(server)) == 120


def test_it_makes_no_data_folder(tmp_path):
    done = subprocess.run([BINARY, "rebuild-index", f"-common.path_prefix={tmp_path}/none"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"there is no folder '{tmp_path}/none'" in done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("flush", [True, False])
def test_a_start_without_catalog_names_the_command_that_helps(flush):
    with filled(flush) as server:
        before = everything(server)
        server.kill()
        if flush:
            shutil.rmtree(data_of(server) / "wal")
            before = before[:120]
        shutil.rmtree(data_of(server) / "catalog")
        server.start(wait=False)
        assert server.process.wait(10) == 1
        assert "rebuild-index" in server.tail()
        assert not (data_of(server) / "catalog").exists()
        rebuild(server)
        server.start()
        assert everything(server) == before


def test_a_log_whose_headers_are_damaged_is_not_taken_for_none():
    with filled(False) as server:
        before = everything(server)
        server.kill()
        for path in (data_of(server) / "wal").glob("*.wal"):
            raw = bytearray(path.read_bytes())
            raw[20] ^= 1
            path.write_bytes(raw)
        shutil.rmtree(data_of(server) / "catalog")
        server.start(wait=False)
        assert server.process.wait(10) == 1
        assert "rebuild-index" in server.tail()
        assert "are damaged" in rebuild(server)
        server.start()
        assert everything(server) == before


def test_an_interrupted_rebuild_leaves_the_old_index_in_use():
    with filled(True) as server:
        before = everything(server)
        server.kill()
        (data_of(server) / "catalog.rebuilding").mkdir()
        (data_of(server) / "index.rebuilding").mkdir()
        server.start()
        assert everything(server) == before
        server.kill()
        rebuild(server)
        assert not (data_of(server) / "catalog.rebuilding").exists()
        server.start()
        assert everything(server) == before


def everything_soon(server, seconds=20):
    """Once the index is whole again; until then queries over its day are told so with 503."""
    until = time.monotonic() + seconds
    while True:
        answer = server.get("/loki/api/v1/labels", start=BASE - NS, end=NOW + NS)
        if answer.status_code == 200:
            return everything(server)
        assert answer.status_code == 503 and "rebuilt" in answer.text, answer.text
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("harm", ["missing", "empty folder", "zeroed page", "cut off"])
def test_a_table_of_the_index_that_is_not_sound_is_made_again_alone(harm):
    with filled(True) as server:
        before = everything(server)
        server.kill()
        table, = (data_of(server) / "index").iterdir()
        data = table / "data.mdb"
        raw = bytearray(data.read_bytes())
        if harm == "missing":
            shutil.rmtree(table)
        elif harm == "empty folder":
            data.unlink()
        elif harm == "zeroed page":
            raw[3 * 4096:4 * 4096] = bytes(4096)
            data.write_bytes(raw)
        else:
            data.write_bytes(raw[:len(raw) // 2])
        server.start()
        assert everything_soon(server) == before
        server.stop()
        server.start()
        assert everything(server) == before
