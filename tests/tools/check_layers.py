#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the include arrows of tests/layers.txt: a file may include what its row names, a row may
name only what it uses, and an arrow never goes up.

A row is a folder, or a path below it down to one file without its ending (`query/env`); of a file's
rows the longest counts.  Rows are in order: each may name only rows above it, so that the arrows
cannot form a ring.

Some calls have one place of their own, since what every read must pass stands there (a tenant's
read scope, deletes, one pinned view): only query/plan/selection.c asks the index and the recent
source; beside it only their owners, the index itself and the ingester, may name those calls."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
src = root / "src"
rows, order, bad = {}, [], []
for line in (root / "tests/layers.txt").read_text().splitlines():
    if not line.strip() or line.startswith("#"):
        continue
    name, _, names = line.partition(":")
    for other in names.split():
        if other not in order:
            bad.append(f"layers.txt: '{name}' names '{other}', which has no row above it")
    rows[name.strip()] = set(names.split())
    order.append(name.strip())


def row_of(path):
    """The longest row that the path begins with, by whole names."""
    parts = path.removesuffix(".h").removesuffix(".c").split("/")
    for n in range(len(parts), 0, -1):
        if "/".join(parts[:n]) in rows:
            return "/".join(parts[:n])
    return None


own_places = [  # calls, and what the paths that may name them begin with
    (re.compile(r"\bindex_(?:select|series|label_names|label_values|stats)\s*\("),
     ("store/index/", "query/plan/selection.c")),
    (re.compile(r"\brecent\s*(?:\.|->)\s*open\b|\brecent_open\s*\("),
     ("ingester/", "query/plan/selection.c")),
]
used, seen = {name: set() for name in rows}, set()
for path in sorted(src.rglob("*.[ch]")):
    own = row_of(path.relative_to(src).as_posix())
    seen.add(own)
    if own is None:
        bad.append(f"{path}: no row in tests/layers.txt")
        continue
    below_src = path.relative_to(src).as_posix()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        bad += [f"{path}:{number}: only {' and '.join(places)} may call this: {line.strip()}"
                for calls, places in own_places
                if calls.search(line) and not below_src.startswith(places)]
        include = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not include:
            continue
        if not (src / include.group(1)).exists():
            bad.append(f"{path}:{number}: '{include.group(1)}' is no path below src")
            continue
        other = row_of(include.group(1))
        used[own].add(other)
        if other != own and other not in rows[own]:
            bad.append(f"{path}:{number}: {own} may not include {other}")
for name in rows:
    bad += [f"layers.txt: '{name}' names '{other}' and does not include it"
            for other in sorted(rows[name] - used[name])]
    if name not in seen:
        bad.append(f"layers.txt: '{name}' has no file")
print("\n".join(bad) or f"{len(rows)} rows keep to their arrows")
sys.exit(1 if bad else 0)
