#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints "PASSED FAILED" of a meson test log: the cases that cmocka and pytest counted, a test
program without such a count as one.  A skipped program or case counts as failed: in ./check every
prerequisite is installed, so nothing may skip, save the cases that name their reason (quirks)."""
import json
import re
import sys

passed = failed = 0
for line in open(sys.argv[1]):
    test = json.loads(line)
    text = test.get("stdout", "") + test.get("stderr", "")
    cases = [int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test\(s\)", text)]
    pytest = re.findall(r"^(?:=+ )?(?:(\d+) failed, )?(\d+) passed.* in [\d.]+s", text, re.M)
    ok = test["result"] in ("OK", "EXPECTEDFAIL")
    bad = [int(n) for n in re.findall(r"\[  FAILED  \] (\d+) test\(s\)", text)]
    bad += [int(f or 0) for f, _ in pytest]
    good = sum(cases) + sum(int(p) for _, p in pytest)
    if ok:
        passed += good or 1
    else:
        passed += good
        failed += max(sum(bad), 1)
print(passed, failed)
