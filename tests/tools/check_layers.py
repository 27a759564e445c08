#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when a file of src/<folder> includes a folder that its row in layers.txt does not name."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
rows = [line.split(":") for line in (root / "tests/layers.txt").read_text().splitlines()
        if line.strip() and not line.startswith("#")]
allowed = {name.strip(): {name.strip(), *names.split()} for name, names in rows}
bad = []
for path in sorted((root / "src").rglob("*.[ch]")):
    folder = path.relative_to(root / "src").parts[0]
    if folder.endswith((".c", ".h")):
        continue  # level 5 knows everything
    if folder not in allowed:
        bad.append(f"{path}: folder '{folder}' has no row in tests/layers.txt")
        continue
    for number, line in enumerate(path.read_text().splitlines(), 1):
        include = re.match(r'\s*#\s*include\s+"([^"/]+)/', line)
        if include and include.group(1) not in allowed[folder]:
            bad.append(f"{path}:{number}: {folder} may not include {include.group(1)}")
print("\n".join(bad) or f"{len(allowed)} folders keep to their arrows")
sys.exit(1 if bad else 0)
