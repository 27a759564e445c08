# SPDX-License-Identifier: Apache-2.0
"""A second reader of segments, written from docs/formats.md alone: where it and the page agree but
the program does not, the program is wrong.  Slow and strict: anything odd is a ValueError."""
import struct

import zstandard

FILTER_SLOTS = 245760
SECTIONS = ("SMH", "SMD", "TS", "LEN", "LIN")
M64 = (1 << 64) - 1


def need(ok, what):
    if not ok:
        raise ValueError(what)


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def signed(value):
    """A number modulo 2^64 as i64."""
    value &= M64
    return value - (1 << 64) if value >> 63 else value


class Bytes:
    """Reads forms one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        need(self.at + n <= len(self.data), "cut short")
        piece = self.data[self.at:self.at + n]
        self.at += n
        return piece

    def left(self):
        return len(self.data) - self.at

    def end(self):
        need(self.at == len(self.data), "bytes left over")

    def u8(self):
        return self.take(1)[0]

    def u32(self):
        return struct.unpack("<I", self.take(4))[0]

    def varint(self):
        value = 0
        for k in range(10):
            byte = self.u8()
            value |= (byte & 0x7F) << 7 * k
            if byte < 0x80:
                need(value <= M64, "varint over 64 bits")
                return value
        raise ValueError("varint over 10 bytes")

    def zz(self):
        value = self.varint()
        return value >> 1 if value & 1 == 0 else -((value + 1) >> 1)

    def str(self):
        return self.take(self.varint())


def unzstd(frame, size):
    need(zstandard.frame_content_size(frame) == size, "frame of another size")
    data = zstandard.ZstdDecompressor().decompress(frame, max_output_size=size)
    need(len(data) == size, "frame gave another size")
    return data


def checked(data, crc, what):
    need(crc32c(data) == crc, "checksum of " + what)
    return data


def sections(data, known, required):
    """{type: content} of a section list."""
    found, order, r = {}, [], Bytes(data)
    while r.left():
        kind, encoding, stored = r.u8(), r.u8(), r.varint()
        need(encoding in (0, 1), "encoding")
        size = r.varint() if encoding == 1 else stored
        content = r.take(stored)
        if kind not in known:
            need(kind < 0x80, "a section that must be known")
            continue
        need(kind not in found, "a section twice")
        found[kind] = unzstd(content, size) if encoding == 1 else content
        order.append(kind)
    need(all(kind in found for kind in required), "a section is missing")
    return found, order


def label_pairs(encoded):
    r = Bytes(encoded)
    pairs = [(r.str(), r.str()) for _ in range(r.varint())]
    r.end()
    return pairs


def put_varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def label_set(pairs):
    out = put_varint(len(pairs))
    for name, value in pairs:
        out += put_varint(len(name)) + name + put_varint(len(value)) + value
    return out


# ---- chunks -----------------------------------------------------------------------------------

def read_times(data, rows):
    r = Bytes(data)
    unit = (1, 1000, 1000000, 1000000000)[r.u8()]
    value, exceptions, row = r.zz(), {}, 0
    for _ in range(r.varint()):
        row += r.varint()
        exceptions[row] = r.zz()
    values = [value]
    for first in range(1, rows, 128):
        n = min(128, rows - first)
        width, smallest = r.u8(), r.varint()
        need(width <= 64, "width")
        bits = int.from_bytes(r.take((n * width + 7) // 8), "little")
        for k in range(n):
            number = bits >> k * width & ((1 << width) - 1)
            delta = exceptions.pop(first + k, number + smallest)
            value += delta
            values.append(value)
        need(bits >> n * width == 0, "unused bits")
    r.end()
    need(not exceptions, "exceptions of no row")
    return [signed(value) * unit for value in values]


def planes(r, n):
    width = r.u8()
    need(1 <= width <= 4, "planes")
    return from_planes(r.take(n * width), width, n)


def from_planes(data, width, n):
    return [sum(data[p * n + k] << 8 * p for p in range(width)) for k in range(n)]


def read_lengths(data, rows):
    r = Bytes(data)
    codec = r.u8()
    if codec == 0:
        lengths = [r.varint()] * rows
        r.end()
        return lengths
    need(codec in (1, 2), "length codec")
    width = r.u8()
    need(1 <= width <= 4, "planes")
    rest = r.take(r.left())
    if codec == 2:
        rest = unzstd(rest, width * rows)
    need(len(rest) == width * rows, "planes' size")
    return from_planes(rest, width, rows)


def read_lines(data, chunk, lengths):
    need(chunk["codec"] in (0, 1), "line codec")
    blob = unzstd(data, chunk["raw_bytes"]) if chunk["codec"] == 1 else data
    lines, at = [], 0
    for length in lengths:
        lines.append(blob[at:at + length])
        need(blob[at + length:at + length + 1] == b"\n", "a line without its end")
        at += length + 1
    need(at == len(blob) == chunk["raw_bytes"], "lengths do not add up")
    return lines, blob


def read_list(r, n):
    lengths = planes(r, n)
    values = [r.take(length) for length in lengths]
    r.end()
    return values


def payload(r, smd):
    size, stored = r.varint(), r.varint()
    data = smd.take(stored)
    need(stored <= size, "payload larger than its content")
    return data if stored == size else unzstd(data, size)


def dictionary_numbers(r, n):
    form = r.u8()
    if form == 0:
        numbers = []
        while len(numbers) < n:
            number = r.varint()
            numbers += [number] * r.varint()
        need(len(numbers) == n, "runs of another length")
        return numbers
    need(form in (1, 2, 4, 8), "form")
    bits = int.from_bytes(r.take((n * form + 7) // 8), "little")
    return [bits >> k * form & ((1 << form) - 1) for k in range(n)]


def read_key(smh, smd, rows):
    name, kind = smh.str(), smh.u8()
    some, kind = kind & 0x10, kind & ~0x10
    need(kind in (0, 1, 2), "kind")
    n = smh.varint() if some else rows
    values = None
    if kind == 0:
        values = [smh.str()]
    elif kind == 1:
        values = [smh.str() for _ in range(smh.varint())]
        need(1 <= len(values) <= 256, "dictionary")
    r = Bytes(payload(smh, smd))
    present = list(range(rows))
    if some:
        bitmap = r.take((rows + 7) // 8)
        present = [row for row in range(rows) if bitmap[row // 8] >> row % 8 & 1]
    need(len(present) == n, "another number of rows has the key")
    if kind == 0:
        of_rows = values * n
    elif kind == 1:
        of_rows = [values[number] for number in dictionary_numbers(r, n)]
    else:
        of_rows = read_list(r, n)
    r.end()
    return name, dict(zip(present, of_rows))


def read_metadata(smh, smd, rows):
    """The encoded metadata of each row, and the names of the columns."""
    if not smh:
        need(not smd, "metadata without a header")
        return [b""] * rows, []
    smh, smd = Bytes(smh), Bytes(smd)
    mode = smh.u8()
    if mode == 1:
        whole = read_list(Bytes(payload(smh, smd)), rows)
        smh.end()
        smd.end()
        return whole, None
    need(mode == 0, "metadata mode")
    keys = [read_key(smh, smd, rows) for _ in range(smh.varint())]
    names = [name for name, _ in keys]
    need(1 <= len(keys) <= 1024 and names == sorted(set(names)), "keys")
    smh.end()
    smd.end()
    result = []
    for row in range(rows):
        pairs = [(name, values[row]) for name, values in keys if row in values]
        result.append(label_set(pairs) if pairs else b"")
    return result, names


LEVELS = {b"trace": 1, b"debug": 2, b"info": 3, b"warn": 4, b"error": 5, b"critical": 6,
          b"fatal": 7, b"unknown": 8}


def expected_mask(metadata, names):
    if names is None:
        return 0
    mask = 0
    for encoded in metadata:
        level = dict(label_pairs(encoded)).get(b"detected_level") if encoded else None
        mask |= 1 << (0 if level is None else LEVELS.get(level, 15))
    return mask


def is_utf8(line):
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def expected_flags(lines, names):
    flags = 1 if all(max(line, default=0) < 0x80 for line in lines) else 0
    flags |= 2 if all(is_utf8(line) for line in lines) else 0
    for flag, byte in ((4, b"\n"), (8, b"\\"), (16, b"\x1b")):
        flags |= flag if any(byte in line for line in lines) else 0
    return flags | (32 if names is None else 0)


def slot(gram):
    folded = bytes(c | 0x20 if c & 0x40 else c for c in gram)
    h = (int.from_bytes(folded[:4], "little") * 0x9E3779B1 + folded[4] * 0x85EBCA77) & 0xFFFFFFFF
    return (h >> 4) * 15 >> 14


def check_filter(chunk, bits, blob):
    n = chunk["filter_bits"]
    need(FILTER_SLOTS % n == 0, "bits of a filter")
    for gram in {blob[i:i + 5] for i in range(len(blob) - 4)}:
        bit = slot(gram) % n
        need(bits[bit // 8] >> bit % 8 & 1, "filter denies %r" % gram)


class Chunk:
    """Rows of a chunk, and whether what the directory says of them is so."""

    def __init__(self, part, chunk):
        data, at = {}, chunk["at"]
        for name, size, crc in chunk["sections"]:
            data[name] = checked(part[at:at + size], crc, name) if size else b""
            need(len(data[name]) == size, "a section outside its part")
            at += size
        self.times = read_times(data["TS"], chunk["rows"])
        self.lines, blob = read_lines(data["LIN"], chunk, read_lengths(data["LEN"], chunk["rows"]))
        self.metadata, self.names = read_metadata(data["SMH"], data["SMD"], chunk["rows"])
        need(min(self.times) == chunk["min_ts"] and max(self.times) == chunk["max_ts"], "times")
        need(sum(map(len, self.metadata)) == chunk["sm_bytes"], "metadata bytes")
        need(chunk["unit"] == data["TS"][0], "time unit")
        need(chunk["mask"] == expected_mask(self.metadata, self.names), "level mask")
        need(chunk["flags"] == expected_flags(self.lines, self.names), "flags")
        if chunk["filter_bits"]:
            at, size = chunk["filter_at"], (chunk["filter_bits"] + 7) // 8
            check_filter(chunk, checked(part[at:at + size], chunk["filter_crc"], "filter"), blob)


# ---- directory --------------------------------------------------------------------------------

def read_chunks(data, info):
    r = Bytes(data)
    count, filters_at, filters_bytes = r.varint(), r.varint(), r.varint()
    need(count == info["chunks"] and filters_at % 8 == 0, "chunk list")
    chunks, end, filter_at = [], 0, filters_at
    for _ in range(count):
        c = {"at": (end + 7) // 8 * 8 + 8 * r.varint(), "rows": r.varint(),
             "raw_bytes": r.varint(), "sm_bytes": r.varint()}
        c["min_ts"] = signed(info["min_ts"] + r.zz())
        c["max_ts"] = signed(c["min_ts"] + r.varint())
        c["flags"], c["mask"], c["codec"], c["unit"] = r.varint(), r.varint(), r.u8(), r.u8()
        c["sections"] = []
        for name in SECTIONS:
            size = r.varint()
            c["sections"].append((name, size, r.u32() if size else 0))
        c["filter_bits"] = r.varint()
        if c["filter_bits"]:
            c["filter_crc"], c["filter_at"] = r.u32(), filter_at
            filter_at += (c["filter_bits"] + 7) // 8
        end = c["at"] + sum(size for _, size, _ in c["sections"])
        need(end <= filters_at, "chunks reach into the filters")
        chunks.append(c)
    r.end()
    need(filter_at == filters_at + filters_bytes <= info["directory_at"], "filters")
    return chunks


def read_streams(data, info):
    r = Bytes(data)
    need(r.varint() == info["streams"], "number of streams")
    streams, before = [], b""
    for _ in range(info["streams"]):
        shared = r.varint()
        need(shared <= len(before), "shared bytes")
        before = before[:shared] + r.str()
        streams.append((before, r.varint()))
        need(label_set(label_pairs(before)) == before and streams[-1][1] >= 1, "stream")
    r.end()
    return streams


def read_runs(data, chunks):
    r = Bytes(data)
    runs, chunk, end = [], 0, 0
    for _ in range(r.varint()):
        step = r.zz()
        if step:
            chunk, end = chunk + step, 0
        c = chunks[chunk]
        run = {"chunk": chunk, "first": end + r.zz(), "rows": r.varint(),
               "line_bytes": r.varint(), "sm_bytes": r.varint()}
        run["min_ts"] = signed(c["min_ts"] + r.varint())
        run["max_ts"] = signed(c["max_ts"] - r.varint())
        end = run["first"] + run["rows"]
        need(0 <= run["first"] and 1 <= run["rows"] and end <= c["rows"], "run")
        runs.append(run)
    r.end()
    return runs


def read_names(data):
    r = Bytes(data)
    names = [(r.str(), r.varint()) for _ in range(r.varint())]
    r.end()
    return names


def rows_of_run(run, chunk):
    rows = range(run["first"], run["first"] + run["rows"])
    entries = [(chunk.times[row], chunk.lines[row], chunk.metadata[row]) for row in rows]
    need(run["line_bytes"] == sum(len(line) for _, line, _ in entries), "run's line bytes")
    need(run["sm_bytes"] == sum(len(sm) for _, _, sm in entries), "run's metadata bytes")
    need(run["min_ts"] == min(ts for ts, _, _ in entries), "run's earliest time")
    need(run["max_ts"] == max(ts for ts, _, _ in entries), "run's latest time")
    return entries


def read_part(file, info):
    """[(encoded labels, [(ns, line, encoded metadata)])] of a part."""
    part = file[info["at"]:info["at"] + info["directory_at"] + info["directory_bytes"]]
    directory = checked(part[info["directory_at"]:], info["directory_crc"], "directory")
    found, order = sections(directory, (0x81, 0x82, 0x83, 0x04), (0x81, 0x82, 0x83))
    need(order[:3] == [0x81, 0x82, 0x83], "order of the directory")
    metas = read_chunks(found[0x81], info)
    streams = read_streams(found[0x82], info)
    runs = read_runs(found[0x83], metas)
    chunks = [Chunk(part, meta) for meta in metas]
    counts = {}
    for chunk in chunks:
        for name in chunk.names or []:
            counts[name] = counts.get(name, 0) + 1
    need(read_names(found.get(0x04, b"\0")) == sorted(counts.items()), "metadata names")
    need(len(runs) == sum(n for _, n in streams), "number of runs")
    for field in ("rows", "line_bytes", "sm_bytes"):
        need(sum(run[field] for run in runs) == info[field], field)
    need(min(c["min_ts"] for c in metas) == info["min_ts"], "part's earliest time")
    need(max(c["max_ts"] for c in metas) == info["max_ts"], "part's latest time")
    result, at = [], 0
    for labels, n in streams:
        entries = []
        for run in runs[at:at + n]:
            entries += rows_of_run(run, chunks[run["chunk"]])
        at += n
        result.append((labels, entries))
    return result


# ---- file -------------------------------------------------------------------------------------

def read_parts(data):
    r = Bytes(data)
    parts, start, end = [], 0, 80
    for _ in range(r.varint()):
        p = {"tenant": r.str()}
        start = p["start"] = signed(start + r.zz())
        p["len"] = r.varint()
        p["min_ts"] = signed(start + r.zz())
        p["max_ts"] = signed(p["min_ts"] + r.varint())
        for field in ("rows", "line_bytes", "sm_bytes", "streams", "chunks"):
            p[field] = r.varint()
        p["at"] = end + r.varint()
        p["directory_at"], p["directory_bytes"] = r.varint(), r.varint()
        p["directory_crc"] = r.u32()
        need(p["at"] % 8 == 0 and p["directory_at"] % 8 == 0, "alignment of a part")
        end = p["at"] + p["directory_at"] + p["directory_bytes"]
        parts.append(p)
    r.end()
    keys = [(p["tenant"], p["start"]) for p in parts]
    need(keys == sorted(set(keys)), "order of parts")
    return parts


def read_coverage(data):
    r = Bytes(data)
    ranges = []
    for _ in range(r.varint()):
        source, last = r.take(16), 0
        for k in range(r.varint()):
            step = r.varint()
            need(k == 0 or step >= 2, "coverage is not joined")
            first = last + step
            last = first + r.varint()
            ranges.append((source, first, last))
    r.end()
    need(ranges == sorted(ranges), "coverage is not sorted")
    return ranges


def read_replaced(data):
    r = Bytes(data)
    uuids = [r.take(16) for _ in range(r.varint())]
    r.end()
    return uuids


def read_header(file):
    head = checked(file[:76], struct.unpack("<I", file[76:80])[0], "header")
    magic, major, minor, flags, installation, uuid, created, generation, level = struct.unpack(
        "<8sHHI16s16sqQB", head[:65])
    need(magic == b"HALOGSEG" and major == 1, "version")
    return {"minor": minor, "flags": flags, "installation": installation, "uuid": uuid,
            "created": created, "generation": generation, "level": level}


def read_footer(file):
    trailer = file[-40:]
    footer_at, size, crc, file_bytes, major, minor, own_crc, magic = struct.unpack(
        "<QIIQHHI8s", trailer)
    need(magic == b"HALOGEND" and major == 1 and file_bytes == len(file), "trailer")
    checked(trailer[:28], own_crc, "trailer")
    need(footer_at % 8 == 0 and footer_at + size == len(file) - 40, "place of the footer")
    footer = checked(file[footer_at:footer_at + size], crc, "footer")
    return sections(footer, (0x81, 0x82, 0x83), (0x81, 0x82, 0x83))[0]


def read_segment(file):
    """Everything a segment holds, checked."""
    footer = read_footer(file)
    parts = read_parts(footer[0x81])
    for p in parts:
        p["content"] = read_part(file, p)
    return {"header": read_header(file), "parts": parts,
            "coverage": read_coverage(footer[0x82]), "replaced": read_replaced(footer[0x83])}
