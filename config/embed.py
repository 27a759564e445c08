#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""embed.py IN OUT NAME: a text file as a C string."""
import sys

with open(sys.argv[1], encoding="utf-8") as f:
    lines = f.read().splitlines()
with open(sys.argv[2], "w", encoding="utf-8") as out:
    out.write(f'#include "app_conf.h"\n\nconst char {sys.argv[3]}[] =\n')
    for line in lines:
        quoted = line.replace("\\", "\\\\").replace('"', '\\"')
        out.write(f'    "{quoted}\\n"\n')
    out.write("    ;\n")
