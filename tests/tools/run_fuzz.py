#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a libFuzzer target on its corpus for $FUZZ_SECONDS (2), keeping what it finds out of the tree.

    run_fuzz.py TARGET CORPUS

An input that fails is left in the build folder and printed as base64: it belongs into the corpus."""
import base64
import os
import pathlib
import subprocess
import sys
import tempfile

target, corpus = pathlib.Path(sys.argv[1]), sys.argv[2]
seconds = os.environ.get("FUZZ_SECONDS", "2")
found = target.parent / (target.name + ".found")
found.mkdir(exist_ok=True)
for old in found.iterdir():
    old.unlink()
with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
    done = subprocess.run(
        [target, f"-max_total_time={seconds}", "-seed=1", "-timeout=10", "-rss_limit_mb=2048",
         "-max_len=4096", "-print_final_stats=1", f"-artifact_prefix={found}/", scratch, corpus],
        capture_output=True, text=True, errors="replace")
print(done.stderr[-6000:])
for path in sorted(found.iterdir()):
    print(f"{path}: {base64.b64encode(path.read_bytes()).decode()}")
sys.exit(0 if done.returncode == 0 else 1)
