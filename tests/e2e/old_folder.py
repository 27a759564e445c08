# SPDX-License-Identifier: Apache-2.0
"""Makes a data folder as one version of the server leaves it, with that version's answers, for
test_old_folder.py to open with the server as it is now.  Run once for each version that is released:

    HALOGI=path/to/its/halogi python3 tests/e2e/old_folder.py 0.1.0

writes data/0.1.0.tar.gz and data/0.1.0.json.  All times are of March 2026 and stand in the questions,
so that nothing depends on when it is asked."""
import contextlib
import gzip
import hashlib
import json
import pathlib
import random
import sys
import tarfile
import tempfile
import time

import snappy

from halogi import NS, Server, pb_push

HERE = pathlib.Path(__file__).parent / "data"
DAY1 = 1772323200 * NS  # 2026-03-01T00:00:00Z
NOON, MIDNIGHT = DAY1 + 12 * 3600 * NS, DAY1 + 24 * 3600 * NS
CONFIG = {
    "auth_enabled": True,
    "limits_config": {"reject_old_samples": False, "max_query_length": "0s", "max_line_size": "1MB",
                      "ingestion_rate_mb": 100, "ingestion_burst_size_mb": 100, "per_stream_rate_limit": "100MB",
                      "per_stream_rate_limit_burst": "100MB"},
    # Nothing moves by age: what lies where stays there while it is asked.
    "ingester": {"head_max_age": "24h", "flush_local_age": "240000h", "wal": {"file_size": "1MB"}},
}
CATEGORIZED = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
LEVELS = ["debug", "info", "warn", "error"]
WORDS = "GET POST /api/v1/items /health timeout refused upstream cache miss hit user retry".split()


# --- what is in it ---------------------------------------------------------------------------


def line_of(choose, i):
    level, took = choose.choice(LEVELS), choose.randrange(900)
    way = i % 4
    if way == 0:
        return f'level={level} took={took}ms path=/api/v{i % 3} msg="{choose.choice(WORDS)} {i}"'
    if way == 1:
        return json.dumps({"level": level, "took": took / 1000, "user": {"id": i % 7}, "msg": choose.choice(WORDS)})
    if way == 2:
        return f"10.0.{i % 5}.{i % 200} - {choose.choice(WORDS)} ü {200 + i % 4 * 100} {took}"
    return " ".join(choose.choices(WORDS, k=6)) + f" {i}"


def entries(choose, begin_ns, n, metadata=True):
    out, ts_ns = [], begin_ns
    for i in range(n):
        if i % 9:  # else a tie
            ts_ns += choose.randrange(1, 40 * NS)
        pairs = {"pod": f"p{i // 3 % 3}", "trace": f"{choose.getrandbits(48):012x}"} if metadata and i % 3 == 0 else {}
        out.append((ts_ns, line_of(choose, i), pairs))
    return out


def json_push(server, tenant, streams, gzipped=False):
    body = json.dumps({"streams": [{"stream": labels, "values": [[str(t), line, pairs] for t, line, pairs in values]}
                                   for labels, values in streams]}).encode()
    headers = {"Content-Type": "application/json", "X-Scope-OrgID": tenant}
    if gzipped:
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
    accepted(server.post("/loki/api/v1/push", body, headers))


def proto_push(server, tenant, streams):
    body = pb_push([("{" + ", ".join(f'{k}="{v}"' for k, v in labels.items()) + "}",
                     [(t, line, list(pairs.items())) for t, line, pairs in values]) for labels, values in streams])
    accepted(server.post("/loki/api/v1/push", snappy.compress(body),
                         {"Content-Type": "application/x-protobuf", "X-Scope-OrgID": tenant}))


def accepted(answer):
    assert answer.status_code == 204, (answer.status_code, answer.text)


def push_all(server, choose, begin_ns, n):
    """Both tenants, six streams, each body in another form; the last stream spans its n entries."""
    def streams(names, **more):
        return [({"app": name, "zone": f"z{k}", **more}, entries(choose, begin_ns + k * NS, n))
                for k, name in enumerate(names)]
    json_push(server, "alpha", streams(["shop", "pay"], env="prod"))
    proto_push(server, "alpha", streams(["shop", "cart"], env="dev"))
    json_push(server, "beta", streams(["shop"], job="batch"), gzipped=True)
    proto_push(server, "beta", [({"app": "raw"}, [(begin_ns + 5, b"bytes \xff\xfe \x80", {}),
                                                  (begin_ns + 5, "two\nlines \x1b[31mred\x1b[0m", {"k": "v"})])])


def huge_push(server):
    """Over 8 MiB: the log keeps it in its own form."""
    json_push(server, "beta", [({"app": "huge"}, [(MIDNIGHT + 3 * 3600 * NS + i, f"{i} " + "padding " * 90_000, {})
                                                  for i in range(12)])])


SPILLING = {"head_max_age": "200ms", "flush_check_period": "100ms"}


def partly_refused_push(server):
    """The log keeps the body whole, and which of its entries count."""
    lines = [(MIDNIGHT + 3600 * NS + i * NS, f"judged {i}") for i in range(6)]
    lines[3] = (MIDNIGHT - 3600 * NS, "too late")
    answer = server.push_raw([({"app": "judged"}, lines)], {"X-Scope-OrgID": "beta"})
    assert answer.status_code == 400 and "1 out of 6" in answer.text


def fill(folder):
    """Objects, one of them merged from several segments; local segments; a head in the log, where a kill
    leaves it.  Each step holds some entries of the step before once more."""
    choose = random.Random("old folder")
    with started(folder, SPILLING) as server:
        for step in range(2):
            push_step(server, choose, NOON + step * 3600 * NS)
            wait_for_spills(server, step + 1)
        server.post("/flush", b"", {"X-Scope-OrgID": "alpha"})
    with started(folder) as server:
        push_step(server, choose, NOON + 4 * 3600 * NS)
        server.post("/flush", b"", {"X-Scope-OrgID": "alpha"})
    with started(folder, SPILLING) as server:
        for step in range(2):  # over midnight
            push_step(server, choose, MIDNIGHT - (600 - step * 300) * NS)
            wait_for_spills(server, step + 1)
    with started(folder) as server:
        push_step(server, choose, MIDNIGHT + 3600 * NS)
        huge_push(server)
        partly_refused_push(server)
        push_step(server, choose, MIDNIGHT + 2400 * NS)  # behind the end of the step before


def push_step(server, choose, begin_ns):
    push_all(server, choose, begin_ns, 60)
    json_push(server, "alpha", [({"app": "again", "env": "prod"},
                                 [(NOON + i * NS, f"again {i}", {"n": str(i)}) for i in range(10)])])


def wait_for_spills(server, n):
    """n since it was started; what was pushed before is then in segments."""
    end = time.monotonic() + 30
    while f"halogi_ingester_spills_total {n}" not in server.get("/metrics").text:
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.5)


@contextlib.contextmanager
def started(folder, ingester=()):
    server = Server({**CONFIG, "ingester": {**CONFIG["ingester"], **dict(ingester)}}, folder)
    try:
        yield server
    finally:
        server.kill()
        server.log.close()


# --- what is asked ---------------------------------------------------------------------------

SPAN = {"start": DAY1, "end": DAY1 + 48 * 3600 * NS}
INSTANT = {"time": DAY1 + 40 * 3600 * NS}
ALL = '{app=~".+", app!="huge"}'


def log(query, **more):
    return "query_range", {"query": query, "limit": 12, **SPAN, **more}


def at(query):
    return "query", {"query": query, **INSTANT}


def steps(query, step="2h"):
    return "query_range", {"query": query, "step": step, **SPAN}


QUESTIONS = {
    "the newest": log(ALL),
    "the oldest": log(ALL, direction="forward"),
    "around midnight": log('{app="shop"}', start=MIDNIGHT - 3 * NS, end=MIDNIGHT + 30 * NS, limit=100),
    "a text": log('{app="shop", env="prod"} |= "timeout" != "miss"'),
    "a regex": log('{app=~"shop|pay"} |~ "(?i)UPSTREAM.*hit" | line_format "{{.zone}} {{__line__}}"'),
    "metadata": log('{env=~".+"} | pod="p1" | drop trace'),
    "levels": log('{env="dev"} | detected_level="error"'),
    "logfmt": log('{app="pay"} | logfmt | took > 700ms | line_format "{{.took}} {{.msg}}"'),
    "json": log('{app="cart"} | json | user_id = 3'),
    "a pattern": log('{app="shop"} |> "10.0.<_> - <_> 400 <_>"'),
    "raw bytes": log('{app="raw"}'),
    "long lines": log('{app="huge"} | line_format `{{len __line__}}`'),
    "repeats": log('{app="again"}', limit=100),
    "a count for each series": at(f"count_over_time({ALL} | drop trace [48h])"),
    "bytes": at('sum by (app, env) (bytes_over_time({app=~".+"}[48h]))'),
    "top": at(f'topk(2, sum by (app) (count_over_time({ALL} |= "retry" [48h])))'),
    "quantiles": at('quantile_over_time(0.9, {app="shop"} | logfmt | unwrap duration(took) | __error__="" [48h]) by (env)'),
    "first": at('first_over_time({app="pay"} | json | unwrap took | __error__="" [48h]) by (level)'),
    "a quotient": steps(f'sum(count_over_time({ALL} |= "error" [2h])) / sum(count_over_time({ALL}[2h]))'),
    "rates": steps(f"sum by (app) (rate({ALL}[2h]))"),
    "levels in time": steps(f"sum by (detected_level) (count_over_time({ALL}[4h]))", "4h"),
    "label names": ("labels", SPAN),
    "label names of one day": ("labels", {**SPAN, "end": MIDNIGHT - 3 * 3600 * NS}),
    "values": ("label/app/values", SPAN),
    "values of some": ("label/zone/values", {**SPAN, "query": '{env="dev"}'}),
    "series": ("series", {**SPAN, "match[]": ['{env="prod"}', '{app="raw"}']}),
    "statistics": ("index/stats", {**SPAN, "query": ALL}),
    "volume": ("index/volume", {**SPAN, "query": ALL}),
    "volume in time": ("index/volume_range", {**SPAN, "query": ALL, "step": "6h", "targetLabels": "app"}),
}
# What depends on where entries lie, and how often.
BY_PLACE = {"statistics", "volume", "volume in time"}


def normal(answer):
    """Without the cost of the answer."""
    body = answer.json()
    if isinstance(body.get("data"), dict):
        body["data"].pop("stats", None)
    return body


def ask(server, tenant, name):
    path, params = QUESTIONS[name]
    answer = server.get("/loki/api/v1/" + path, {"X-Scope-OrgID": tenant, **CATEGORIZED}, **params)
    assert answer.status_code == 200, (name, answer.status_code, answer.text)
    return normal(answer)


def whole(server, tenant):
    """Of all that is there, byte for byte."""
    answer = server.get("/loki/api/v1/query_range", {"X-Scope-OrgID": tenant, **CATEGORIZED}, query=ALL, limit=5000,
                        direction="forward", **SPAN)
    body = normal(answer)
    n_lines = sum(len(stream["values"]) for stream in body["data"]["result"])
    return {"lines": n_lines, "sha256": hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()}


def answers(server):
    return {tenant: {**{name: ask(server, tenant, name) for name in QUESTIONS}, "all": whole(server, tenant)}
            for tenant in ("alpha", "beta")}


def written(found):
    """As JSON, a line for each answer."""
    def of_tenant(tenant):
        return ",\n".join(f"{json.dumps(name)}: {json.dumps(answer, sort_keys=True)}"
                          for name, answer in found[tenant].items())
    return "{" + ",\n".join(f"{json.dumps(tenant)}: {{\n{of_tenant(tenant)}}}" for tenant in found) + "}\n"


def main(version):
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        fill(work)
        with tarfile.open(HERE / f"{version}.tar.gz", "w:gz") as tar:
            tar.add(work / "data", "data")
        with started(work) as server:
            (HERE / f"{version}.json").write_text(written(answers(server)))


if __name__ == "__main__":
    main(sys.argv[1])
