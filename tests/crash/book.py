# SPDX-License-Identifier: Apache-2.0
"""Clients that push numbered lines, the book of what they sent and what was acknowledged, and the
check that a server has each acknowledged line exactly once and in order."""
import gzip
import itertools
import json
import random
import threading
import time
from typing import NamedTuple

import requests
import snappy

from halogi import NS, pb_push

LIMITS = {"ingestion_rate_mb": 10000, "ingestion_burst_size_mb": 10000, "per_stream_rate_limit": "10GB",
          "per_stream_rate_limit_burst": "10GB", "max_entries_limit_per_query": 10_000_000,
          "max_query_series": 100_000}
ASK = {"X-Loki-Response-Encoding-Flags": "categorize-labels", "Accept-Encoding": "identity"}
N_TENANTS, N_PARTS = 2, 3
DAY_NS = 24 * 3600 * NS


class Line(NamedTuple):
    ts_ns: int
    order: int  # within its client, as sent
    text: str


class Push:
    """One request: what it holds, and when (in places of the book) it went out and was answered."""

    def __init__(self, client, parts, path, headers, body, sent_at):
        self.client, self.parts = client, parts  # parts: {part: [Line]}
        self.path, self.headers, self.body = path, headers, body
        self.sent_at, self.acked_at = sent_at, None
        self.late = False  # sent once more behind later ones: may have arrived behind them

    def acked_by(self, place):
        return self.acked_at is not None and self.acked_at <= place


def begin_of_times():
    """A second before the last midnight, so that lines fall into two periods; or a minute ago."""
    now = time.time_ns()
    return random.choice([now - 60 * NS, now // DAY_NS * DAY_NS - NS])


class Book:
    """place(): a number that only rises; a push acknowledged at a place must survive what comes
    after it."""

    def __init__(self, place=None, base_ns=None):
        counter = itertools.count(1)
        self.place = place or (lambda: next(counter))
        self.base_ns = base_ns or begin_of_times()
        self.pushes = []  # appended by clients only
        self.complaints = []

    def complain(self, text):
        self.complaints.append(text)

    def check_calm(self):
        assert not self.complaints, "\n".join(self.complaints[:20])

    def tenants(self):
        return sorted({tenant_of(p.client) for p in self.pushes})


def tenant_of(client):
    return f"tenant{client % N_TENANTS}"


def labels_of(client, part):
    return {"client": f"c{client}", "part": f"p{part}"}


def label_text(labels):
    return "{" + ", ".join(f'{k}="{v}"' for k, v in sorted(labels.items())) + "}"


# --- bodies ----------------------------------------------------------------------------------


def json_body(client, parts, metadata):
    return json.dumps({"streams": [
        {"stream": labels_of(client, part),
         "values": [[str(line.ts_ns), line.text] + ([{"n": str(line.order)}] if metadata else [])
                    for line in lines]} for part, lines in parts.items()]}).encode()


def proto_body(client, parts, metadata):
    return snappy.compress(pb_push([
        (label_text(labels_of(client, part)),
         [(line.ts_ns, line.text, [("n", str(line.order))] if metadata else []) for line in lines])
        for part, lines in parts.items()]))


ENCODINGS = [
    ({"Content-Type": "application/json"}, json_body),
    ({"Content-Type": "application/json", "Content-Encoding": "gzip"},
     lambda *args: gzip.compress(json_body(*args), 1)),
    ({"Content-Type": "application/x-protobuf"}, proto_body),
]


# --- clients ---------------------------------------------------------------------------------


class Gate:
    """Holds clients while it is shut: between requests, or in the middle of a push's retries."""

    def __init__(self):
        self.changed = threading.Condition()
        self.is_open, self.over, self.n_held = True, False, 0

    def pass_through(self):
        """False: it is over."""
        with self.changed:
            self.n_held += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.is_open or self.over)
            self.n_held -= 1
            return not self.over

    def shut(self, n_clients, seconds=90):
        with self.changed:
            self.is_open = False
            assert self.changed.wait_for(lambda: self.n_held == n_clients, seconds), "a client hangs"

    def open(self):
        with self.changed:
            self.is_open = True
            self.changed.notify_all()

    def end(self):
        with self.changed:
            self.over = True
            self.changed.notify_all()


class Client(threading.Thread):
    """Pushes until told to stop.  A push whose outcome it does not know is sent again, the same
    bytes, until it is acknowledged; now and then it is given up, and may be there or not."""

    def __init__(self, book, number, url, gate, seed, big_share=0.02, pause_s=0.0):
        super().__init__(daemon=True)
        self.book, self.number, self.url, self.gate = book, number, url, gate
        self.random = random.Random(seed)
        self.big_share, self.pause_s = big_share, pause_s
        self.order = 0
        self.last_ts = {part: book.base_ns for part in range(N_PARTS)}
        self.session = requests.Session()

    def run(self):
        try:
            while self.gate.pass_through():
                self.deliver(self.next_push())
                if self.pause_s:
                    time.sleep(self.random.random() * self.pause_s)
        except Exception as e:  # a dead client would make the test easier
            self.book.complain(f"client {self.number}: {e!r}")

    def next_line(self, part, n_bytes):
        self.order += 1
        pick = self.random.random()
        if pick < 0.15:
            ts_ns = self.last_ts[part]  # a tie
        elif pick < 0.25:
            ts_ns = self.book.base_ns + self.order * 1_000_000 - self.random.randrange(3 * NS)
        else:
            ts_ns = self.book.base_ns + self.order * 1_000_000
        self.last_ts[part] = ts_ns
        padding = "%x" % self.random.getrandbits(8 * n_bytes) if n_bytes else ""
        return Line(ts_ns, self.order, f"c{self.number} {self.order} ü {padding}")

    def huge_push(self):
        """Over 8 MiB: the log does not keep such a body as it came, but in pieces."""
        return self.write_down({part: [self.next_line(part, 100_000) for _ in range(24)] for part in range(2)})

    def next_push(self):
        parts = {}
        big = self.random.random() < self.big_share
        for part in self.random.sample(range(N_PARTS), self.random.randint(1, 2)):
            n_lines = self.random.choice([1, 1, 2, 5, 20])
            n_bytes = 20_000 if big else self.random.choice([0, 20, 60, 300])
            parts[part] = [self.next_line(part, n_bytes) for _ in range(n_lines)]
        return self.write_down(parts)

    def write_down(self, parts):
        headers, encode = self.random.choice(ENCODINGS)
        body = encode(self.number, parts, self.random.random() < 0.3)
        push = Push(self.number, parts, "/loki/api/v1/push", {**headers, "X-Scope-OrgID": tenant_of(self.number)},
                    body, self.book.place())
        self.book.pushes.append(push)
        return push

    def deliver(self, push):
        while True:
            status = send(self.book, self.url(), push, self.session)
            if status == 204:
                return
            if status not in (None, 503, 500):
                self.book.complain(f"push of client {self.number} answered {status}")
                return
            if self.random.random() < 0.1 or not self.gate.pass_through():
                return  # given up
            time.sleep(0.02)


def send(book, url, push, session=requests):
    """The status, or None when there was no answer."""
    try:
        answer = session.post(url + push.path, data=push.body, headers=push.headers, timeout=60)
    except (requests.RequestException, OSError):
        return None
    if answer.status_code == 204:
        if push.acked_at is None:
            push.acked_at = book.place()
    elif answer.status_code not in (500, 503):
        book.complain(f"{answer.status_code}: {answer.text[:300]}")
    return answer.status_code


class Clients:
    """Several clients as a context."""

    def __init__(self, book, server, numbers, seed, **options):
        self.gate = Gate()
        self.all = [Client(book, n, lambda: server.url, self.gate, f"{seed}/{n}", **options) for n in numbers]

    def hold(self):
        """Returns when no request is under way."""
        self.gate.shut(len(self.all))

    def go_on(self):
        self.gate.open()

    def __enter__(self):
        for client in self.all:
            client.start()
        return self

    def __exit__(self, *exc):
        self.gate.end()
        for client in self.all:
            client.join(90)
            assert not client.is_alive(), "a client hangs"


# --- the check -------------------------------------------------------------------------------


def read_back(server, tenant, clients, base_ns):
    """{(client, part): [(ts, order, text, metadata)]} in the order of the answer."""
    selector = "|".join(f"c{n}" for n in clients)
    answer = server.get("/loki/api/v1/query_range", {"X-Scope-OrgID": tenant, **ASK},
                        query='{client=~"%s"}' % selector, direction="forward", limit=10_000_000,
                        start=base_ns - 3600 * NS, end=base_ns + 24 * 3600 * NS)
    assert answer.status_code == 200, (answer.status_code, answer.text[:500])
    out = {}
    for stream in answer.json()["data"]["result"]:
        key = int(stream["stream"]["client"][1:]), int(stream["stream"]["part"][1:])
        assert key not in out, f"stream {key} comes twice"
        out[key] = [(int(v[0]), int(v[1].split()[1]), v[1], v[2].get("structuredMetadata", {}))
                    for v in stream["values"]]
    return out


def counts(server, tenant, clients, base_ns):
    selector = "|".join(f"c{n}" for n in clients)
    answer = server.get("/loki/api/v1/query", {"X-Scope-OrgID": tenant}, time=base_ns + 3600 * NS,
                        query='sum by (client, part) (count_over_time({client=~"%s"}[2h]))' % selector)
    assert answer.status_code == 200, (answer.status_code, answer.text[:500])
    return {(int(s["metric"]["client"][1:]), int(s["metric"]["part"][1:])): int(s["value"][1])
            for s in answer.json()["data"]["result"]}


def problems_of_stream(name, got, must, may, late=frozenset()):
    """got: as read; must, may, late: sets of (ts, order, text)."""
    seen = [g[:3] for g in got]
    found = set(seen)
    out = []
    if len(found) != len(seen):
        twice = sorted({g for g in seen if seen.count(g) > 1})[:3]
        out.append(f"{name}: lines come twice: {[t[:2] for t in twice]}")
    if must - found:
        out.append(f"{name}: {len(must - found)} acknowledged lines are lost: "
                   f"{[t[:2] for t in sorted(must - found)][:5]}")
    if found - must - may:
        out.append(f"{name}: lines nobody sent: {sorted(found - must - may)[:3]}")
    in_turn = [g[:2] for g in seen if g not in late]
    for order in ([g[:1] for g in seen], in_turn):
        wrong = [(a, b) for a, b in zip(order, order[1:]) if a > b]
        if wrong:
            out.append(f"{name}: out of order: {wrong[0]}")
    for g in got:
        if g[3].get("n", str(g[1])) != str(g[1]):
            out.append(f"{name}: line {g[1]} has the metadata of another: {g[3]}")
    return out


def expectations(pushes, must_by, may_by):
    must, may = {}, {}
    for p in pushes:
        acked = p.acked_by(must_by)
        if not acked and p.sent_at > may_by:
            continue
        for part, lines in p.parts.items():
            (must if acked else may).setdefault((p.client, part), set()).update(
                (line.ts_ns, line.order, line.text) for line in lines)
    return must, may


def problems(server, book, must_by=float("inf"), may_by=float("inf"), clients=None, counted=True):
    """What is wrong with what the server has, as texts.  Nobody pushes meanwhile if `counted`."""
    out = []
    pushes = [p for p in list(book.pushes) if clients is None or p.client in clients]
    for tenant in sorted({tenant_of(p.client) for p in pushes}):
        own = [p for p in pushes if tenant_of(p.client) == tenant]
        numbers = sorted({p.client for p in own})
        got = read_back(server, tenant, numbers, book.base_ns)
        must, may = expectations(own, must_by, may_by)
        late, _ = expectations([p for p in own if p.late], float("inf"), 0)
        for key in sorted(set(got) | set(must)):
            out += problems_of_stream(f"{tenant} c{key[0]} p{key[1]}", got.get(key, []), must.get(key, set()),
                                      may.get(key, set()), late.get(key, set()))
        if counted:
            out += problems_of_counts(server, book, tenant, numbers, got)
    return out


def problems_of_counts(server, book, tenant, numbers, got):
    """What nobody acknowledged may still turn up between two questions: with a head that is saved
    from a broken log.  Then both are asked again."""
    while True:
        counted, read = counts(server, tenant, numbers, book.base_ns), {key: len(v) for key, v in got.items()}
        if counted == read:
            return []
        again = read_back(server, tenant, numbers, book.base_ns)
        if again == got:
            return [f"{tenant}: counts differ from lines: {counted} {read}"]
        got = again


def check(server, book, **options):
    found = problems(server, book, **options)
    assert not found, "\n".join(found[:20]) + "\n" + server.tail()


class Reader(threading.Thread):
    """Asks all the time: what was acknowledged before the question must be in the answer, once."""

    def __init__(self, book, server, seed):
        super().__init__(daemon=True)
        self.book, self.server = book, server
        self.random = random.Random(seed)
        self.session = requests.Session()
        self.over = threading.Event()
        self.n_checks = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.join(90)

    def get(self, path, headers=None, **params):
        return self.session.get(self.server.url + path, params=params, headers=headers, timeout=60)

    def run(self):
        while not self.over.wait(0.05):
            pushes = list(self.book.pushes)
            if pushes:
                self.ask(self.random.choice(pushes[-100:]).client)

    def of_client(self, client, must_by):
        return expectations([p for p in list(self.book.pushes) if p.client == client], must_by, float("inf"))

    def ask(self, client):
        must, _ = self.of_client(client, float("inf"))
        try:
            got = read_back(self, tenant_of(client), [client], self.book.base_ns)
        except (requests.RequestException, OSError):
            return  # killed meanwhile
        except AssertionError as e:
            if "503" not in str(e):
                self.book.complain(f"reader: {e}")
            return
        _, may = self.of_client(client, -1)
        for key in set(got) | set(must):
            for text in problems_of_stream(f"while pushing, c{key[0]} p{key[1]}", got.get(key, []),
                                           must.get(key, set()), may.get(key, set())):
                self.book.complain(text)
        self.n_checks += 1
