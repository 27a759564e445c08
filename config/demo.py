#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loads the bundled log samples into the last hour and shows five queries and their answers."""
import json
import pathlib
import sys
import time
import urllib.error
import urllib.parse
import urllib.request


def get(url, path, **params):
    query = urllib.parse.urlencode(params)
    with urllib.request.urlopen(f"{url}{path}?{query}", timeout=60) as answer:
        return json.load(answer)


def ready(url):
    try:
        with urllib.request.urlopen(url + "/ready", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def load(url, folder):
    """2,000 lines a system, evenly over the last hour; one push a system."""
    now, lines, size = time.time_ns(), 0, 0
    for path in sorted(pathlib.Path(folder).glob("*.log")):
        texts = path.read_text(errors="replace").splitlines()
        step = 3_500_000_000_000 // max(len(texts), 1)
        start = now - step * len(texts)
        values = [[str(start + i * step), text] for i, text in enumerate(texts)]
        stream = {"app": path.name.split("_")[0].lower(), "source": "loghub"}
        body = json.dumps({"streams": [{"stream": stream, "values": values}]}).encode()
        request = urllib.request.Request(url + "/loki/api/v1/push", body,
                                         {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=60).close()
        lines, size = lines + len(texts), size + sum(map(len, texts))
    print(f"\nLoaded {lines:,} lines ({size / 1e6:.1f} MB) of real logs into the last hour.")


def show(url, what, query, **params):
    print(f"\n{what}\n  {query}")
    started = time.monotonic()
    if "limit" in params:
        data = get(url, "/loki/api/v1/query_range", query=query,
                   start=time.time_ns() - 3_600_000_000_000, **params)["data"]
    else:
        data = get(url, "/loki/api/v1/query", query=query)["data"]
    took_ms = (time.monotonic() - started) * 1000
    if data["resultType"] == "streams":
        rows = sorted((int(ts), stream["stream"], line)
                      for stream in data["result"] for ts, line in (v[:2] for v in stream["values"]))
        for ts, labels, line in rows:
            at = time.strftime("%H:%M:%S", time.localtime(ts / 1e9))
            print(f"    {at}  {labels.get('app', ''):<10} {line[:90]}")
    else:
        for series in sorted(data["result"], key=lambda s: -float(s["value"][1])):
            name = ", ".join(f"{k}={v}" for k, v in series["metric"].items()) or "all"
            print(f"    {name:<32} {float(series['value'][1]):>12,.2f}")
    print(f"    ({took_ms:.0f} ms)")


def main():
    if sys.argv[1] == "--ready":
        sys.exit(0 if ready(sys.argv[2]) else 1)
    url, folder = sys.argv[1], sys.argv[2]
    load(url, folder)
    show(url, "The newest five lines that mention an exception:",
         '{source="loghub"} |~ "(?i)exception"', limit=5)
    show(url, "Failed logins on the SSH server, newest three:",
         '{app="openssh"} |= "Failed password"', limit=3)
    show(url, "Lines per system in the last hour:",
         'sum by (app) (count_over_time({source="loghub"}[1h]))')
    show(url, "Three systems that wrote the most bytes per second:",
         'topk(3, sum by (app) (bytes_rate({source="loghub"}[1h])))')
    show(url, "Lines by detected level:",
         'sum by (detected_level) (count_over_time({source="loghub"}[1h]))')


if __name__ == "__main__":
    main()
