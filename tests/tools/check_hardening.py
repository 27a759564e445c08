#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when the program was built without what makes an error in it hard to exploit."""
import re
import subprocess
import sys


def readelf(*flags):
    return subprocess.run(["readelf", "-W", *flags, sys.argv[1]], capture_output=True, text=True,
                          check=True).stdout


headers, dynamic, symbols = readelf("-h", "-l"), readelf("-d"), readelf("--dyn-syms")
wanted = {
    "position independent": re.search(r"Type:\s+DYN", headers),
    "a stack that is not executable": re.search(r"GNU_STACK\s+\S+\s+\S+\s+\S+\s+\S+\s+\S+\s+RW\s", headers),
    "relocations read-only after start": "GNU_RELRO" in headers,
    "all symbols bound at start": re.search(r"BIND_NOW|Flags:.*NOW", dynamic),
    "stack canaries": "__stack_chk_fail" in symbols,
    "checked copies (_FORTIFY_SOURCE)": re.search(r"__\w+_chk@", symbols.replace("__stack_chk_fail", "")),
}
missing = [what for what, there in wanted.items() if not there]
print("not hardened: " + ", ".join(missing) if missing else "hardened: " + ", ".join(wanted))
sys.exit(1 if missing else 0)
