#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What each stage costs in a whole server: server CPU per line of a query with the stage, less that of
the same query without it.  Asks a server that holds the data of bench/run (see --keep there).

  bench/stages.py URL --pid PID --start-ns N --end-ns N [--runs 7]
"""
import argparse
import json

from push import cpu_seconds
from query import ask

# Keeps all lines and reads them: what stages are added to.
READ = '!= "no line has this"'
JSON, LOGFMT = '{kind="json"}', '{kind="logfmt"}'
BY_LEVEL = "by (level)"
DROP_JSON = "| drop pod, path, bytes, took_ms, remote, trace_id"
DROP_LOGFMT = "| drop pod, caller, path, duration, size, user, request_id"
ROWS = [  # what, selector, grouping, the stages without it, the stages with it
    ("json, one field", JSON, BY_LEVEL, READ, "| json"),
    ("json, all 8 fields, 6 dropped", JSON, None, READ, "| json " + DROP_JSON),
    ('json l="level"', JSON, "by (l)", READ, '| json l="level"'),
    ("logfmt, one field", LOGFMT, BY_LEVEL, READ, "| logfmt"),
    ("logfmt, all 10 fields, 7 dropped", LOGFMT, None, READ, "| logfmt " + DROP_LOGFMT),
    ("pattern, 3 captures", LOGFMT, "by (level, method)", READ,
     '| pattern "level=<level> <_> method=<method> path=<path> <_>"'),
    ("regexp, 2 captures", LOGFMT, "by (method)", READ, r"| regexp `method=(?P<method>\w+) path=(?P<path>\S+)`"),
    ("unpack", JSON, "by (app)", READ, "| unpack"),
    ("decolorize", JSON, "by (app)", READ, "| decolorize"),
    ("label filter, string", JSON, BY_LEVEL, "| json", '| json | status!="599"'),
    ("label filter, regex", JSON, BY_LEVEL, "| json", '| json | status!~"59[0-9]"'),
    ("label filter, number", JSON, BY_LEVEL, "| json", "| json | status<599"),
    ("label filter, duration", LOGFMT, BY_LEVEL, "| logfmt", "| logfmt | duration<2h"),
    ("label filter, bytes", LOGFMT, BY_LEVEL, "| logfmt", "| logfmt | size<1GB"),
    ('label filter, level="error" (one line of six)', JSON, BY_LEVEL, "| json", '| json | level="error"'),
    ('label filter, level="fatal" (no line)', JSON, BY_LEVEL, "| json", '| json | level="fatal"'),
    ("line_format, 2 labels", LOGFMT, BY_LEVEL, "| logfmt", '| logfmt | line_format "{{.method}} {{.path}}"'),
    ("label_format, template", LOGFMT, "by (x)", "| logfmt", '| logfmt | label_format x="{{.method}}"'),
    ("label_format, rename", LOGFMT, "by (x)", "| logfmt", "| logfmt | label_format x=method"),
    ("line filter behind line_format", LOGFMT, BY_LEVEL, '| logfmt | line_format "{{.method}}"',
     '| logfmt | line_format "{{.method}}" |= "T"'),
]


class Server:
    def __init__(self, options):
        self.o = options

    def ask(self, query):
        return ask(self.o.url, query, self.o.start_ns, self.o.end_ns, {"step": 60})

    def cpu_ns(self, query):
        """The least of some runs: what others on the machine add is no cost of ours."""
        self.ask(query)  # warm
        best = float("inf")
        for _ in range(self.o.runs):
            before = cpu_seconds(self.o.pid)
            for _ in range(self.o.repeat):
                self.ask(query)
            best = min(best, (cpu_seconds(self.o.pid) - before) * 1e9 / self.o.repeat)
        return best

    def lines(self, selector):
        answer = json.loads(self.ask(f"sum(count_over_time({selector}[1m]))"))
        return sum(float(v) for _, v in answer["data"]["result"][0]["values"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--start-ns", type=int, required=True)
    parser.add_argument("--end-ns", type=int, required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=3, help="queries of a run: CPU time is told in 10 ms")
    options = parser.parse_args()
    server, known = Server(options), {}
    lines = {selector: server.lines(selector) for selector in (JSON, LOGFMT)}

    def ns(selector, grouping, stages):
        query = f"count_over_time({selector} {stages} [1m])"
        if grouping:  # without one, all labels are needed
            query = f"sum {grouping} ({query})"
        if query not in known:
            known[query] = server.cpu_ns(query) / lines[selector]
        return known[query]

    print("| stage | query without it, ns a line | with it | the stage | ratio |\n|---|---|---|---|---|")
    for what, selector, grouping, without, stages in ROWS:
        before, after = ns(selector, "by (app)" if without == READ else grouping, without), ns(selector, grouping, stages)
        print(f"| {what} | {before:.0f} | {after:.0f} | {after - before:.0f} | {after / before:.1f} |", flush=True)


if __name__ == "__main__":
    main()
