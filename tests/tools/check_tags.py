#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds that a tag has one meaning: a struct, enum or union tag is defined once in src/, wherever the
definition stands (within another struct, in a function, behind a macro's condition)."""
import collections
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
ATTRIBUTES = r"(?:\s*__attribute__\s*\(\(.*?\)\))*"
DEFINITION = re.compile(rf"\b(?:struct|enum|union)\b{ATTRIBUTES}\s+(\w+){ATTRIBUTES}\s*\{{", re.DOTALL)


def blank(noise):
    """Comments and literals go, their lines stay: what follows keeps its number."""
    return " " + "\n" * noise.group().count("\n")


places = collections.defaultdict(list)
for path in sorted((root / "src").rglob("*.[ch]")):
    text = NOISE.sub(blank, path.read_text())
    for found in DEFINITION.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        places[found.group(1)].append(f"{path.relative_to(root)}:{line}")
bad = [f"{tag}: {', '.join(where)}" for tag, where in sorted(places.items()) if len(where) > 1]
print("\n".join(bad) or f"{len(places)} tags, each defined once")
sys.exit(1 if bad else 0)
