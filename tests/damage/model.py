# SPDX-License-Identifier: Apache-2.0
"""What was pushed and acknowledged, and the bodies that push it."""
import gzip
import json
import random
from typing import NamedTuple

import snappy

from halogi import NS, pb_push

TENANTS = ("alpha", "beta")
DAY_NS = 24 * 3600 * NS
DAY0 = 20513 * DAY_NS  # 2026-03-01
WORDS = ["needle", "hay", "straw", "error", "w17x", "w204x", "timeout"]


class Entry(NamedTuple):
    number: int  # of all in the folder
    tenant: str
    app: str
    part: str
    ts_ns: int
    line: str
    has_metadata: bool

    @property
    def labels(self):
        return (("app", self.app), ("part", self.part))

    @property
    def metadata(self):
        return {"n": str(self.number)} if self.has_metadata else {}

    @property
    def day(self):
        return self.ts_ns // DAY_NS

    @property
    def mark(self):
        """Bytes that stand in this entry's line alone."""
        return b"#%06d " % self.number


def day_name(day):
    import datetime
    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=day)).isoformat()


class Writer:
    """Makes entries, one number after the other, always the same for a name."""

    def __init__(self, name):
        self.random = random.Random(name)
        self.number = 0

    def entries(self, tenant, n, begin_ns, step_ns, line_bytes=60):
        out = []
        for i in range(n):
            self.number += 1
            padding = "".join(self.random.choices("abcdefgh ", k=line_bytes))
            out.append(Entry(self.number, tenant, self.random.choice(["web", "db", "api"]), self.random.choice(["p0", "p1"]),
                             begin_ns + i * step_ns + self.random.randrange(step_ns),
                             f"#{self.number:06} {self.random.choice(WORDS)} ü {padding}", self.random.random() < 0.5))
        return out


def by_stream(entries):
    out = {}
    for e in entries:
        out.setdefault(e.labels, []).append(e)
    return out


def json_body(entries):
    return json.dumps({"streams": [
        {"stream": dict(labels), "values": [[str(e.ts_ns), e.line, e.metadata] for e in of_stream]}
        for labels, of_stream in by_stream(entries).items()]}).encode()


def proto_body(entries):
    return snappy.compress(pb_push([
        ("{" + ", ".join(f'{k}="{v}"' for k, v in labels) + "}",
         [(e.ts_ns, e.line, list(e.metadata.items())) for e in of_stream])
        for labels, of_stream in by_stream(entries).items()]))


ENCODINGS = [
    ({"Content-Type": "application/json"}, json_body),
    ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, lambda e: gzip.compress(json_body(e), 1, mtime=0)),
    ({"Content-Type": "application/x-protobuf"}, proto_body),
]


def push(life, entries, encoding=0):
    """All of one tenant in one request: status and text."""
    headers, encode = ENCODINGS[encoding % len(ENCODINGS)]
    return life.request("POST", "/loki/api/v1/push", {**headers, "X-Scope-OrgID": entries[0].tenant}, encode(entries))
