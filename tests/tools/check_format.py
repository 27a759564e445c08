#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when clang-format would change a C file.  Generated tables say `clang-format off`."""
import pathlib
import subprocess
import sys

clang_format, root = sys.argv[1], pathlib.Path(sys.argv[2])
files = sorted(str(path) for folder in ("src", "tests", "bench")
               for path in (root / folder).rglob("*.[ch]"))
done = subprocess.run([clang_format, "--dry-run", "-Werror", *files], capture_output=True, text=True)
print(done.stderr[-4000:] or f"{len(files)} files are formatted")
sys.exit(done.returncode)
