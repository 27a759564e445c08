#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up meson test logs and ends with the plain line "N passed, N failed".

    count_results.py [--failed NAME]... [--not-run NAME]... BUILD...

BUILD is a build folder in which `meson test` ran; --failed names a step that never got that far,
--not-run a test that was left out, which is listed and counts as nothing.
A case of cmocka or pytest counts as one, a program without cases as one.  A program that failed
counts at least one failure, whatever it printed.  A program that meson skipped is a failure, since
./check installs what every test needs; a skipped case is listed and counts as nothing."""
import json
import pathlib
import re
import sys

OK = ("OK", "EXPECTEDFAIL")
MAX_NOTES = 20  # of one program


def cmocka(text):
    """(passed, names that failed, names skipped), from the line of each case: they come even when
    the program dies before its summary."""
    return (len(re.findall(r"^\[       OK \] ", text, re.M)),
            sorted(set(re.findall(r"^\[  FAILED  \] (?!\d+ test\(s\))(\S+)", text, re.M))),
            re.findall(r"^\[  SKIPPED \] (?!\d+ test\(s\))(\S+)", text, re.M))


def pytest(text):
    passed = failed = 0
    for line in re.findall(r"^=*\s*((?:\d+ [a-z]+,? ?)+)in [\d.]+s", text, re.M):
        for n, what in re.findall(r"(\d+) ([a-z]+)", line):
            passed += int(n) if what in ("passed", "xfailed") else 0
            failed += int(n) if what in ("failed", "error", "errors", "xpassed") else 0
    names = re.findall(r"^(?:FAILED|ERROR) (?:\S*::)(.*?)(?: - .*)?$", text, re.M)
    skipped = re.findall(r"^SKIPPED (.*)$", text, re.M)
    return passed, failed, names, skipped


def count_program(test):
    """(passed, failed, lines to print)"""
    text = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
    good, bad_names, skipped = cmocka(text)
    py_good, py_bad, py_names, py_skipped = pytest(text)
    passed, failed = good + py_good, len(bad_names) + py_bad
    notes = [f"failed: {name}" for name in bad_names + py_names]
    notes += [f"skipped: {name}" for name in skipped + py_skipped]
    if test["result"] not in OK and not failed:
        failed = 1
        notes.append(f"failed: {test['result']}, exit status {test.get('returncode')}")
    if test["result"] in OK and not passed and not failed:
        passed = 1
    if len(notes) > MAX_NOTES:
        notes[MAX_NOTES:] = [f"and {len(notes) - MAX_NOTES} more"]
    return passed, failed, notes


def count_build(build):
    log = build / "meson-logs" / "testlog.json"
    if not log.exists():
        return 0, 1, [f"{build.name}: no tests ran"]
    passed = failed = 0
    notes = []
    for line in log.read_text(errors="replace").splitlines():
        test = json.loads(line)
        p, f, n = count_program(test)
        passed, failed = passed + p, failed + f
        notes += [f"{build.name}: {test['name'].split(' / ')[-1]}: {note}" for note in n]
    return passed, failed or int(passed == 0), notes


def main(args):
    passed = failed = 0
    while args:
        word = args.pop(0)
        if word == "--failed":
            failed += 1
            print(f"{args.pop(0)}: failed")
            continue
        if word == "--not-run":
            print(f"not run: {args.pop(0)}")
            continue
        p, f, notes = count_build(pathlib.Path(word))
        passed, failed = passed + p, failed + f
        print("\n".join(notes + [f"{pathlib.Path(word).name}: {p} passed, {f} failed"]))
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
