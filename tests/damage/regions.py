# SPDX-License-Identifier: Apache-2.0
"""Which bytes of a data folder hold which entries, by docs/formats.md: of a segment the chunks and
what leads to them, of the log the groups.  So it is known of any harm what it took, and what not."""
import gzip
import pathlib
import re
import struct
from typing import NamedTuple

import read_segment as rs
import snappy

PAGE = 4096
MARK = re.compile(rb"#(\d{6}) ")


class Piece(NamedTuple):
    """All of these bytes are needed for these entries."""
    begin: int
    end: int
    numbers: frozenset
    what: str


def marks_in(data):
    return frozenset(int(m) for m in MARK.findall(data))


# --- segments --------------------------------------------------------------------------------


def chunk_numbers(part, meta):
    at, data = meta["at"], {}
    for name, size, _ in meta["sections"]:
        data[name] = part[at:at + size]
        at += size
    lines, _ = rs.read_lines(data["LIN"], meta, rs.read_lengths(data["LEN"], meta["rows"]))
    return marks_in(b"".join(lines))


def part_pieces(file, info):
    part = file[info["at"]:info["at"] + info["directory_at"] + info["directory_bytes"]]
    found, _ = rs.sections(part[info["directory_at"]:], (0x81, 0x82, 0x83, 0x04), (0x81, 0x82, 0x83))
    of_all, name = frozenset(), f"part of {info['tenant'].decode()}"
    for i, meta in enumerate(rs.read_chunks(found[0x81], info)):
        numbers = chunk_numbers(part, meta)
        begin = info["at"] + meta["at"]
        yield Piece(begin, begin + sum(size for _, size, _ in meta["sections"]), numbers, f"chunk {i}, {name}")
        of_all |= numbers
    begin = info["at"] + info["directory_at"]
    yield Piece(begin, begin + info["directory_bytes"], of_all, f"directory, {name}")


def segment_pieces(file):
    """Filters and gaps are in no piece: no answer may depend on them."""
    pieces = []
    for info in rs.read_parts(rs.read_footer(file)[0x81]):
        pieces += part_pieces(file, info)
    of_all = frozenset().union(*(p.numbers for p in pieces))
    footer_at = struct.unpack("<Q", file[-40:-32])[0]
    return pieces + [Piece(0, 80, of_all, "header"), Piece(footer_at, len(file), of_all, "footer")]


# --- the log ---------------------------------------------------------------------------------


class Group(NamedTuple):
    file: str
    begin: int
    end: int
    lsn: int
    numbers: frozenset


def file_epoch(data):
    """0 where the header is none."""
    if len(data) < 64 or data[:8] != b"HALOGWAL" or rs.crc32c(data[:60]) != struct.unpack("<I", data[60:64])[0]:
        return 0
    return struct.unpack("<Q", data[32:40])[0]


def skip_varint(r, n=1):
    return [r.varint() for _ in range(n)][-1]


def body_text(body):
    """The lines of a record of type 2, uncompressed."""
    r = rs.Bytes(body)
    _, form, coding, _ = r.u8(), r.u8(), r.u8(), r.u8()
    r.take(16)
    r.str()
    r.varint()
    for _ in range(r.varint()):
        r.varint()
    text = r.take(r.left())
    if coding == 1:
        text = gzip.decompress(text)
    return snappy.uncompress(text) if form == 3 else text


def payload_numbers(payload):
    at, out = 0, frozenset()
    while at + 8 <= len(payload):
        size, kind = struct.unpack("<IB", payload[at:at + 5])
        body = payload[at + 8:at + 8 + size]
        out |= marks_in(body_text(body) if kind == 2 else body if kind == 3 else b"")
        at += 8 + (size + 7) // 8 * 8
    return out


def read_groups(name, data):
    """The groups of a sound file, as far as its epoch goes."""
    epoch, at = file_epoch(data), 64
    while epoch and at + 64 <= len(data) and data[at:at + 4] == b"HGRP":
        size, lsn = struct.unpack("<IQ", data[at + 4:at + 16])
        if lsn != epoch << 24 | at:
            break
        end = at + 64 + size
        yield Group(name, at, end, lsn, payload_numbers(data[at + 64:end]))
        at = (end + 63) // 64 * 64


# --- a folder --------------------------------------------------------------------------------


class Map:
    """Of a sound folder: where each entry has its home.  strays: segments that do not count."""

    def __init__(self, data, numbers, strays=()):
        self.data = pathlib.Path(data)
        self.segments, self.groups, self.home = {}, [], {}
        for path in sorted(self.data.glob("segments/*/*.seg")) + sorted(self.data.glob("objects/*/*.seg")):
            name = str(path.relative_to(self.data))
            if name not in strays:
                self.segments[name] = segment_pieces(path.read_bytes())
        for path in sorted(self.data.glob("wal/*.wal")):
            self.groups += read_groups(f"wal/{path.name}", path.read_bytes())
        for name, pieces in self.segments.items():
            for piece in pieces:
                self.home.update(dict.fromkeys(piece.numbers, name))
        in_log = frozenset().union(*(g.numbers for g in self.groups)) if self.groups else frozenset()
        self.home.update(dict.fromkeys(in_log - self.home.keys(), "wal"))
        missing = set(numbers) - self.home.keys()
        assert not missing, f"{len(missing)} entries are nowhere in {data}: {sorted(missing)[:5]}"

    def newest_epoch(self):
        return max((g.lsn >> 24 for g in self.groups), default=0)

    def lost_of_segments(self, data):
        """{number: file} of what a harmed copy of the folder has no more in its place."""
        lost = {}
        for name, pieces in self.segments.items():
            before, path = (self.data / name).read_bytes(), data / name
            after = path.read_bytes() if path.is_file() else b""
            if before == after:
                continue
            for p in pieces:
                if after[p.begin:p.end] != before[p.begin:p.end] or (p.what == "footer" and len(after) != len(before)):
                    lost.update(dict.fromkeys((n for n in p.numbers if self.home[n] == name), name))
        return lost

    def lost_of_log(self, data):
        """What is in no whole group any more, as (numbers, those of it that look like a torn tail)."""
        files = {path: path.read_bytes() for path in data.glob("wal/*.wal")}
        before = {f"wal/{p.name}": p.read_bytes() for p in self.data.glob("wal/*.wal")}
        gone = [g for g in self.groups
                if not any(raw[g.begin:g.end] == before[g.file][g.begin:g.end] for raw in files.values())]
        lost = {n for g in gone for n in g.numbers if self.home[n] == "wal"}
        newest = self.newest_epoch()
        tail = {n for g in torn_tail([g for g in self.groups if g.lsn >> 24 == newest], gone) for n in g.numbers}
        named = any(file_epoch(raw) == newest for raw in files.values())
        return lost, lost & tail if named else set()


def torn_tail(of_newest, gone):
    """The groups at the end behind which none is left: so a crash before their sync leaves them."""
    out = []
    for g in reversed(of_newest):
        if g not in gone:
            break
        out.append(g)
    return out
