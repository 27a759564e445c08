#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_segments.py WRITE_SEGMENTS: lets the program write segments and reads each by the page."""
import pathlib
import subprocess
import sys
import tempfile

from read_segment import crc32c, read_segment, slot


def unhex(text):
    return b"" if text == "-" else bytes.fromhex(text)


def expected(path):
    """The header and [(tenant, start, len, [(labels, [entry])])] of NAME.txt, empty ones left out."""
    header, parts = None, []
    for line in path.read_text().splitlines():
        kind, *words = line.split(" ")
        if kind == "H":
            header = (unhex(words[0]), unhex(words[1]), *map(int, words[2:]))
        elif kind == "P":
            parts.append((unhex(words[0]), int(words[1]), int(words[2]), []))
        elif kind == "S":
            parts[-1][3].append((unhex(words[0]), []))
        else:
            parts[-1][3][-1][1].append((int(words[0]), unhex(words[1]), unhex(words[2])))
    for part in parts:
        part[3][:] = [stream for stream in part[3] if stream[1]]
    return header, [part for part in parts if part[3]]


def pad(text):
    return text.ljust(16, b"\0")


def check(path):
    got = read_segment(path.read_bytes())
    h = got["header"]
    header, parts = expected(path.with_suffix(".txt"))
    assert header == (h["installation"], h["uuid"], h["generation"], h["created"], h["level"])
    assert parts == [(p["tenant"], p["start"], p["len"], p["content"]) for p in got["parts"]]
    assert got["coverage"] == [(pad(b"another-source!"), 0, 0), (pad(b"source-of-batch"), 10, 25)]
    assert got["replaced"] == [pad(b"first-replaced-"), pad(b"then-replaced--")]
    return sum(p["rows"] for p in got["parts"]), sum(p["chunks"] for p in got["parts"])


def check_page(page):
    """The examples that the page gives."""
    text = page.read_text().replace("\n", " ")
    assert crc32c(b"123456789") == 0xE3069283 and "`123456789` it is 0xe3069283" in text
    for shown, gram in (("`hello`", b"hello"), ("`00000`", b"00000"), ("`{\"a\":`", b'{"a":'),
                        ("bytes ff fe 80 7a 5a", bytes.fromhex("fffe807a5a"))):
        assert f"{shown} {slot(gram):,}" in text, shown


def main():
    check_page(pathlib.Path(__file__).resolve().parents[2] / "docs" / "formats.md")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        files = sorted(pathlib.Path(folder).glob("*.seg"))
        assert len(files) == 15, files
        for path in files:
            rows, chunks = check(path)
            print(f"{path.name}: {rows} rows in {chunks} chunks")


main()
