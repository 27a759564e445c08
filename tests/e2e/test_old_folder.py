# SPDX-License-Identifier: Apache-2.0
"""A data folder that an older version left behind a kill opens, and answers as that version did; also
with its index made again, and once all of it is in objects.  See old_folder.py."""
import json
import subprocess
import tarfile

import pytest
import yaml

import old_folder
from halogi import BINARY, NS

FOLDERS = sorted(old_folder.HERE.glob("*.tar.gz"))


@pytest.fixture(params=[path.name.removesuffix(".tar.gz") for path in FOLDERS])
def unpacked(request, tmp_path):
    """The folder to start in, and what was answered there."""
    with tarfile.open(old_folder.HERE / f"{request.param}.tar.gz") as tar:
        tar.extractall(tmp_path)
    return tmp_path, json.loads((old_folder.HERE / f"{request.param}.json").read_text())


def check(server, want, left_out=()):
    for tenant, of_tenant in want.items():
        assert len(of_tenant) >= 24
        for name in old_folder.QUESTIONS.keys() - set(left_out):
            assert old_folder.ask(server, tenant, name) == of_tenant[name], (tenant, name)
        assert old_folder.whole(server, tenant) == of_tenant["all"], tenant


def test_an_old_folder_has_its_data_everywhere(unpacked):
    data = unpacked[0] / "data"
    assert len(list(data.glob("objects/*/*.seg"))) == 2
    assert len(list(data.glob("segments/*/*.seg"))) == 2
    assert len(list(data.glob("index/*"))) == 2
    assert any(b"judged 5" in path.read_bytes() for path in data.glob("wal/*"))


def test_an_old_folder_answers_as_it_did(unpacked):
    folder, want = unpacked
    with old_folder.started(folder) as server:
        check(server, want)
        assert "corrupt=0 torn_bytes=0" in server.tail()


def test_an_old_folder_answers_as_it_did_once_its_index_is_made_again(unpacked):
    folder, want = unpacked
    (folder / "rebuild.yaml").write_text(yaml.safe_dump({"common": {"path_prefix": str(folder / "data")}}))
    done = subprocess.run([BINARY, "rebuild-index", f"-config.file={folder}/rebuild.yaml"], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0 and "4 live segments" in done.stdout + done.stderr, done.stdout + done.stderr
    with old_folder.started(folder) as server:
        check(server, want)


def test_an_old_folder_takes_pushes_and_moves_on(unpacked):
    folder, want = unpacked
    with old_folder.started(folder) as server:
        assert server.post("/flush", b"", {"X-Scope-OrgID": "alpha"}).status_code == 204
        check(server, want, old_folder.BY_PLACE)
        last = old_folder.MIDNIGHT + 20 * 3600 * NS
        old_folder.json_push(server, "alpha", [({"app": "new"}, [(last, "one more", {})])])
    with old_folder.started(folder) as server:
        newest = old_folder.ask(server, "alpha", "the newest")["data"]["result"]
        assert [s["values"] for s in newest if s["stream"]["app"] == "new"][0][0][1] == "one more"
        check(server, {"beta": want["beta"]}, old_folder.BY_PLACE)
