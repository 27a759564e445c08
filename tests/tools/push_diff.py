#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the push decoders with a plain reading of the same bodies.

    push_diff.py PROBE [SEED] [BODIES]

A body is made from random content and written in a random style of JSON (blanks, escapes, order of
keys, things to be ignored) or of protobuf (order of fields, unknown ones, split timestamps), in a
random coding; sometimes one byte of it is changed.  What the probe answers must be the content; of a
changed JSON body Python's own parser and the rules below say what must come out, of a changed
protobuf only that an answer comes."""
import datetime
import gzip
import json
import pathlib
import random
import re
import subprocess
import sys
import zlib

import snappy

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))
from halogi import NS, field, varint  # noqa: E402

V1, V0, PROTOBUF = 1, 2, 3
PLAIN, GZIP, DEFLATE = 0, 1, 2
TEXTS = ["", "x", "level=info msg=\"hi\"", "tab\there", "new\nline", "grüße", "🎉", "\u2028", "\x00", "\x7f",
         "back\\slash", "a\"b", "{\"a\":[1]}", "</script>", "é" * 40, "x" * 300, "\ufffd", "\ud7ff", "/"]
NAMES = ["app", "env", "_a", "A9", "pod", "level", "a_b"]
SM_NAMES = ["trace_id", "span", "user", "k9", "Z"]


def text(r):
    return "".join(r.choice(TEXTS) for _ in range(r.choice([0, 1, 1, 2, 5])))


def pairs(r, names, most):
    return {name: text(r) or "v" for name in r.sample(names, r.randint(0, min(most, len(names))))}


def content(r):
    return [[pairs(r, NAMES, 4),
             [[r.choice([0, 1, -1, NS, 1772359200 * NS + r.randint(0, 10 * NS), -5 * NS]), text(r),
               pairs(r, SM_NAMES, 3) if r.random() < .3 else {}]
              for _ in range(r.choice([0, 1, 2, 7]))]]
            for _ in range(r.choice([1, 1, 2, 5]))]


# --- JSON in many styles ---

def blanks(r):
    return "".join(r.choice(" \t\r\n") for _ in range(r.choice([0, 0, 0, 1, 3])))


def string(r, s):
    out = '"'
    for c in s:
        kind = r.random()
        if c in '"\\' or (c < " " and kind < .9) or kind < .05:
            short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "/": "\\/"}.get(c)
            if short and r.random() < .7:
                out += short
            else:
                units = c.encode("utf-16-be", "surrogatepass")
                out += "".join("\\u%s" % r.choice([str.lower, str.upper])(units[i:i + 2].hex())
                               for i in range(0, len(units), 2))
        else:
            out += c
    return out + '"'


def any_value(r, depth=2):
    kind = r.randint(0, 7 if depth else 4)
    if kind == 0:
        return r.choice(["null", "true", "false"])
    if kind <= 2:
        return r.choice(["0", "-1", "1.5", "1e9", "-0.25E-2", "12345678901234567890"])
    if kind <= 4:
        return string(r, text(r))
    if kind <= 5:
        return "[" + ",".join(any_value(r, depth - 1) for _ in range(r.randint(0, 3))) + "]"
    return obj(r, [(text(r), any_value(r, depth - 1)) for _ in range(r.randint(0, 3))])


def obj(r, members):
    return "{" + blanks(r) + ("," + blanks(r)).join(
        string(r, k) + blanks(r) + ":" + blanks(r) + v + blanks(r) for k, v in members) + "}"


def array(r, items):
    return "[" + blanks(r) + ("," + blanks(r)).join(i + blanks(r) for i in items) + "]"


def more(r, members):
    members = list(members)
    r.shuffle(members)
    while r.random() < .2:
        members.insert(r.randint(0, len(members)), ("x" + text(r), any_value(r)))
    return members


def labels_json(r, labels):
    return obj(r, r.sample([(k, string(r, v)) for k, v in labels.items()], len(labels)))


def labels_text(r, labels):
    def value(v):
        if "`" not in v and r.random() < .3:
            return "`" + v + "`"
        return '"' + "".join({"\\": "\\\\", '"': '\\"', "\n": "\\n"}.get(c, c) for c in v) + '"'
    inside = ("," + r.choice(["", " "])).join(
        k + r.choice(["", " "]) + "=" + value(v) for k, v in r.sample(sorted(labels.items()), len(labels)))
    return "{" + inside + (r.choice(["", ","]) if labels else "") + "}"


def v1(r, streams):
    def entry(ts, line, sm):
        items = [string(r, str(ts)), string(r, line)]
        if sm or r.random() < .1:
            items.append(labels_json(r, sm))
            while r.random() < .1:
                items.append(any_value(r))
        return array(r, items)

    def stream(labels, entries):
        values = [entry(*e) for e in entries]
        while r.random() < .1:
            values.insert(r.randint(0, len(values)), "null")
        members = [("stream", labels_json(r, labels))]
        if values or r.random() < .5:
            members.append(("values", array(r, values) if values else r.choice(["[]", "null"])))
        return obj(r, more(r, members))
    return blanks(r) + obj(r, more(r, [("streams", array(r, [stream(*s) for s in streams]))])) + \
        r.choice(["", "\n", " trailing"])


def rfc3339(ts):
    s, ns = divmod(ts, NS)
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=s)
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (".%09d" % ns).rstrip("0").rstrip(".") + "Z"


def v0(r, streams):
    def entry(ts, line, sm):
        members = [("ts", string(r, rfc3339(ts))), ("line", string(r, line))]
        if sm:
            members.append(("structuredMetadata", labels_json(r, sm)))
        return obj(r, more(r, members))

    def stream(labels, entries):
        return obj(r, more(r, [("labels", string(r, labels_text(r, labels))),
                               ("entries", array(r, [entry(*e) for e in entries]))]))
    return obj(r, more(r, [("streams", array(r, [stream(*s) for s in streams]))]))


# --- protobuf in many styles ---

def unknown(r):
    number = r.choice([5, 9, 15, 16, 1000, (1 << 29) - 1])
    kind = r.choice([0, 1, 2, 5])
    tag = varint(number << 3 | kind)
    if kind == 0:
        return tag + varint(r.getrandbits(64))
    if kind == 2:
        data = text(r).encode()
        return tag + varint(len(data)) + data
    return tag + bytes(r.getrandbits(8) for _ in range(8 if kind == 1 else 4))


def mixed(r, parts, keep_order):
    """Parts with unknown fields between; `keep_order` are those whose order means something."""
    rest = list(parts)
    r.shuffle(rest)
    out = list(keep_order)
    for part in rest:
        out.insert(r.randint(0, len(out)), part)
    while r.random() < .2:
        out.insert(r.randint(0, len(out)), unknown(r))
    return b"".join(out)


def protobuf(r, streams):
    def pair(item):
        return field(3, mixed(r, [field(1, item[0].encode()), field(2, item[1].encode())], []))

    def stamp(ts):
        s, ns = divmod(ts, NS)
        parts = [b"\x08" + varint(s & (1 << 64) - 1)] + ([b"\x10" + varint(ns)] if ns or r.random() < .5 else [])
        if r.random() < .1:
            return [field(1, p) for p in parts]
        return [field(1, mixed(r, parts, []))]

    def entry(ts, line, sm):
        parts = stamp(ts) + [pair(p) for p in sm.items()]
        if line or r.random() < .5:
            parts.append(field(2, line.encode()))
        return field(2, mixed(r, parts, []))

    def stream(labels, entries):
        parts = [field(1, labels_text(r, labels).encode())]
        if r.random() < .3:
            parts.append(b"\x18" + varint(r.getrandbits(64)))
        return field(1, mixed(r, parts, [entry(*e) for e in entries]))
    return mixed(r, [field(2, b"f")] if r.random() < .2 else [], [stream(*s) for s in streams])


# --- what must come out ---

def expect_v1(data):
    """The rules for a v1 body that may be broken: content, None for refused, or ... for no opinion."""
    try:
        whole, _ = json.JSONDecoder(strict=False).raw_decode(data.decode().lstrip(" \t\r\n"))
    except (ValueError, RecursionError) as e:
        # What is stepped over is not unescaped, so a malformed escape there goes unseen.
        return ... if "escape" in str(e) else None
    if re.search(r"NaN|Infinity", data.decode()):
        return ...  # Python reads them
    if whole is None:
        return None
    if not isinstance(whole, dict) or not isinstance(whole.get("streams"), (list, type(None))):
        return None
    out = []
    for s in whole.get("streams") or []:
        if not isinstance(s, dict):
            return None
        labels, values = s.get("stream"), s.get("values")
        if not isinstance(labels, (dict, type(None))) or not isinstance(values, (list, type(None))):
            return None
        labels = labels or {}
        if any(not isinstance(v, str) for v in labels.values()):
            return ...
        if any(not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", k) for k in labels):
            return ...  # its text is read again
        entries = []
        for v in values or []:
            if v is None:
                continue
            if not isinstance(v, list):
                return None
            if len(v) < 2:
                return ...
            if not isinstance(v[0], str) or not isinstance(v[1], str):
                return None
            if not re.fullmatch(r"[+-]?[0-9]+", v[0], re.ASCII) or not -1 << 63 <= int(v[0]) < 1 << 63:
                return None
            sm = v[2] if len(v) > 2 else {}
            if not isinstance(sm, dict) or any(not isinstance(x, str) for x in sm.values()):
                return None
            if any(not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*", k) for k in sm):
                return ...  # it is renamed
            entries.append([int(v[0]), v[1], sm])
        out.append([{k: v for k, v in labels.items() if v}, entries])
    return clean(out) if out else None


def clean(streams):
    """As normalisation leaves it: no empty metadata, U+FFFD of a value is a blank."""
    return [[labels, [[ts, line, {k: v.replace("\ufffd", " ") for k, v in sm.items() if v}]
                      for ts, line, sm in entries]] for labels, entries in streams]


def lone_surrogates(data):
    return re.search(rb"\\u[dD][89abAB-F]", data) is not None


def coded(r, kind, data):
    coding = r.choice([PLAIN, PLAIN, GZIP, DEFLATE])
    if kind == PROTOBUF:
        data = snappy.compress(data)
    if coding == GZIP:
        data = gzip.compress(data, r.choice([1, 9]))
    elif coding == DEFLATE:
        packer = zlib.compressobj(r.choice([1, 9]), wbits=-15)
        data = packer.compress(data) + packer.flush()
    return b"%d%d%s" % (kind, coding, data.hex().encode())


def questions(seed, n):
    r = random.Random(seed)
    for _ in range(n):
        streams = content(r)
        kind = r.choice([V1, V1, V0, PROTOBUF, PROTOBUF])
        data = {V1: v1, V0: v0, PROTOBUF: protobuf}[kind](r, streams)
        data = data if kind == PROTOBUF else data.encode()
        want = clean(streams)
        if r.random() < .3:
            at = r.randrange(len(data))
            data = data[:at] + r.choice([b"", b"\"", b"}", b"]", b",", b"0", bytes([r.randint(0, 127)])]) + \
                data[at + r.randint(0, 2):]
            want = ...
            if kind == V1:
                try:
                    data.decode()
                    want = ... if lone_surrogates(data) else expect_v1(data)
                except ValueError:
                    pass
        yield coded(r, kind, data), want, kind, data


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    n = int(sys.argv[3]) if len(sys.argv) > 3 else 4000
    asked = list(questions(seed, n))
    done = subprocess.run([sys.argv[1]], input=b"\n".join(q[0] for q in asked) + b"\n",
                          stdout=subprocess.PIPE, check=True)
    answers = done.stdout.decode().splitlines()
    if len(answers) != len(asked):
        sys.exit(f"{len(answers)} answers to {len(asked)} questions")
    bad = refused = open_ = 0
    for (_, want, kind, data), line in zip(asked, answers):
        got = json.loads(line)
        refused += got is None
        open_ += want is ...
        if want is not ... and got != want:
            bad += 1
            if bad <= 10:
                print(f"format {kind}: {data[:600]!r}\n  want {str(want)[:600]}\n  got  {str(got)[:600]}")
    print(f"{n} bodies, {refused} refused, {open_} without an opinion, {bad} differ")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
