# SPDX-License-Identifier: Apache-2.0
"""Every kind of question, what it must be answered, and whether another answer can be explained by
what may be missing."""
import json
import re
import urllib.parse
from collections import Counter

from halogi import NS
from model import DAY0, DAY_NS, TENANTS, day_name

BEGIN, END = DAY0, DAY0 + 8 * DAY_NS
HOUR_NS = 3600 * NS
ALL = '{app=~".+"}'
HEADERS = {"X-Loki-Response-Encoding-Flags": "categorize-labels", "Accept-Encoding": "identity"}


# --- forms of an answer ----------------------------------------------------------------------


class Lines:
    """{labels: [(ts, line, n)]}, in order."""

    @staticmethod
    def of_answer(body):
        return {tuple(sorted(s["stream"].items())):
                [(int(v[0]), v[1], v[2].get("structuredMetadata", {}).get("n")) for v in s["values"]]
                for s in body["data"]["result"]}

    @staticmethod
    def of_entries(entries, backward):
        out = {}
        for e in sorted(entries, key=lambda e: e.ts_ns, reverse=backward):
            out.setdefault(e.labels, []).append((e.ts_ns, e.line, e.metadata.get("n")))
        return out

    @staticmethod
    def lies_between(got, least, most):
        def flat(answer):
            return Counter((labels, value) for labels, values in answer.items() for value in values)
        in_order = all(values == sorted(values, reverse=values[0] > values[-1]) for values in got.values())
        return in_order and flat(least) <= flat(got) <= flat(most)


class Numbers:
    """{labels or (labels, time): number}"""

    @staticmethod
    def of_answer(body):
        out = {}
        for s in body["data"]["result"]:
            labels = tuple(sorted(s["metric"].items()))
            for ts, value in [s["value"]] if "value" in s else s["values"]:
                out[(labels, ts) if "values" in s else labels] = float(value)
        return out

    @staticmethod
    def lies_between(got, least, most):
        return got.keys() <= most.keys() and all(least.get(k, 0) <= got.get(k, 0) <= most[k] for k in most)


class Names:
    """A set."""

    @staticmethod
    def of_answer(body):
        return {tuple(sorted(x.items())) if isinstance(x, dict) else x for x in body.get("data") or []}

    @staticmethod
    def lies_between(got, least, most):
        return least <= got <= most


class Statistics(Numbers):
    @staticmethod
    def of_answer(body):
        return {k: body[k] for k in ("streams", "entries")}


# --- questions -------------------------------------------------------------------------------


class Question:
    """expect(entries): the answer where the folder holds these of its tenant."""

    def __init__(self, name, tenant, path, params, form, expect, days=None):
        self.name, self.tenant, self.form, self.expect, self.days = name, tenant, form, expect, days
        self.path = "/loki/api/v1/" + path + "?" + urllib.parse.urlencode(params)
        self.headers = {**HEADERS, "X-Scope-OrgID": tenant}

    def touches(self, pairs):
        """Whether it goes over some (tenant, day) of these."""
        return any(t == self.tenant and (self.days is None or d in self.days) for t, d in pairs)

    def wanted(self, entries):
        return self.expect([e for e in entries if e.tenant == self.tenant])

    def ask(self, life):
        status, body = life.request("GET", self.path, self.headers)
        return status, body

    def read(self, body):
        """The answer, and its warnings."""
        parsed = json.loads(body)
        return self.form.of_answer(parsed), " ".join(parsed.get("warnings") or [])


def log_question(name, tenant, query, keep, backward=False, span=(BEGIN, END), days=None):
    params = {"query": query, "limit": 1_000_000, "start": span[0], "end": span[1],
              "direction": "backward" if backward else "forward"}

    def expect(entries):
        return Lines.of_entries([e for e in entries if keep(e) and span[0] <= e.ts_ns < span[1]], backward)
    return Question(name, tenant, "query_range", params, Lines, expect, days)


def newest_question(tenant, n=7):
    params = {"query": ALL, "limit": n, "start": BEGIN, "end": END}

    class Newest(Lines):
        @staticmethod
        def lies_between(got, least, most):
            flat = [v for values in got.values() for v in values]
            return len(flat) == len(set(flat)) == n and all(set(v) <= set(most.get(k, ())) for k, v in got.items())

    question = Question("newest", tenant, "query_range", params, Newest,
                        lambda entries: Lines.of_entries(sorted(entries, key=lambda e: e.ts_ns)[-n:], True))
    question.wanted_most = lambda entries: Lines.of_entries([e for e in entries if e.tenant == tenant], True)
    return question


def number_question(name, tenant, query, labels, value, keep=lambda e: True, path="query", params=None):
    """A number for each group; an instant query over all time."""
    def expect(entries):
        out = {}
        for e in entries:
            if keep(e):
                key = tuple((k, v) for k, v in e.labels if k in labels)
                out[key] = out.get(key, 0) + value(e)
        return out
    return Question(name, tenant, path, params or {"query": query, "time": END}, Numbers, expect)


def steps_question(tenant):
    begin, end = DAY0 + DAY_NS - 4 * HOUR_NS, DAY0 + DAY_NS + 4 * HOUR_NS

    def expect(entries):
        out = Counter()
        for e in entries:
            if begin - HOUR_NS < e.ts_ns <= end:
                out[((), -(-e.ts_ns // HOUR_NS) * 3600)] += 1
        return dict(out)
    return Question("steps", tenant, "query_range",
                    {"query": f"sum(count_over_time({ALL}[1h]))", "step": "1h", "start": begin, "end": end},
                    Numbers, expect, {DAY0 // DAY_NS, DAY0 // DAY_NS + 1})


SPAN = {"start": BEGIN, "end": END}


def of_tenant(tenant, days):
    """All questions to one tenant; days: those that are asked alone."""
    def size(e):
        return len(e.line.encode())
    yield log_question("log", tenant, ALL, lambda e: True)
    yield newest_question(tenant)
    yield log_question("text", tenant, '{app="web"} |= "needle"', lambda e: e.app == "web" and "needle" in e.line, True)
    yield log_question("regex", tenant, '{app=~"web|db"} |~ "w[0-9]+x"',
                       lambda e: e.app in ("web", "db") and re.search("w[0-9]+x", e.line))
    yield log_question("metadata", tenant, ALL + ' | n=~".*7"', lambda e: e.metadata.get("n", "").endswith("7"))
    for day in days:
        yield log_question("day " + day_name(day), tenant, '{part="p0"}', lambda e: e.part == "p0",
                           span=(day * DAY_NS, (day + 1) * DAY_NS), days={day})
    yield number_question("count", tenant, f"sum by (app, part) (count_over_time({ALL}[8d]))", ("app", "part"), lambda e: 1)
    yield number_question("bytes", tenant, f"sum by (app) (bytes_over_time({ALL}[8d]))", ("app",), size)
    yield number_question("filtered count", tenant, f'sum(count_over_time({ALL} |= "error" [8d]))', (), lambda e: 1,
                          lambda e: "error" in e.line)
    yield number_question("sum", tenant, f"sum by (part) (sum_over_time({ALL} | unwrap n [8d]))", ("part",),
                          lambda e: e.number, lambda e: e.has_metadata)
    yield steps_question(tenant)
    yield Question("labels", tenant, "labels", SPAN, Names, lambda es: {k for e in es for k, _ in e.labels})
    yield Question("values", tenant, "label/app/values", SPAN, Names, lambda es: {e.app for e in es})
    yield Question("series", tenant, "series", {**SPAN, "match[]": '{app=~"web|api"}'}, Names,
                   lambda es: {e.labels for e in es if e.app in ("web", "api")})
    yield Question("statistics", tenant, "index/stats", {**SPAN, "query": ALL}, Statistics,
                   lambda es: {"streams": len({e.labels for e in es}), "entries": len(es)})
    yield number_question("volume", tenant, ALL, ("app",), size, path="index/volume",
                          params={**SPAN, "query": ALL, "targetLabels": "app"})


def all_questions(entries):
    days = sorted({e.day for e in entries})
    some = days if len(days) <= 2 else [days[0], days[len(days) // 2], days[-1]]
    return [q for tenant in TENANTS for q in of_tenant(tenant, some)]
