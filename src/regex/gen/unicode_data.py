#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes unicode_data.c from the Unicode character database (Debian: unicode-data).

    gen/unicode_data.py /usr/share/unicode > unicode_data.c
"""
import os
import sys

LAST = 0x10FFFF


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] + 1 == c:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def categories(folder):
    cats = {}
    first = None
    for line in open(os.path.join(folder, "UnicodeData.txt"), encoding="utf-8"):
        f = line.split(";")
        code, name, cat = int(f[0], 16), f[1], f[2]
        if name.endswith(", First>"):
            first = code
            continue
        start = first if name.endswith(", Last>") else code
        first = None
        for key in (cat, cat[0]):
            cats.setdefault(key, set()).update(range(start, code + 1))
    return cats


def scripts(folder):
    out = {}
    for line in open(os.path.join(folder, "Scripts.txt"), encoding="utf-8"):
        line = line.split("#")[0].strip()
        if not line:
            continue
        span, name = [x.strip() for x in line.split(";")]
        lo, _, hi = span.partition("..")
        out.setdefault(name, set()).update(range(int(lo, 16), int(hi or lo, 16) + 1))
    return out


def fold_orbits(folder):
    """Rune -> the next one of those that fold to the same, in a ring."""
    groups = {}
    for line in open(os.path.join(folder, "CaseFolding.txt"), encoding="utf-8"):
        f = [x.strip() for x in line.split("#")[0].split(";")]
        if len(f) >= 3 and f[1] in ("C", "S"):
            groups.setdefault(int(f[2], 16), set()).add(int(f[0], 16))
    following = {}
    for target, sources in groups.items():
        ring = sorted(sources | {target})
        for i, c in enumerate(ring):
            following[c] = ring[(i + 1) % len(ring)]
    return following


def main():
    folder = sys.argv[1]
    out = ["/* SPDX-License-Identifier: Apache-2.0 */",
           "/* Made by gen/unicode_data.py from the Unicode character database 15.0; not to be",
           " * edited.  clang-format off: tables. */",
           "/* clang-format off */",
           '#include "regex/unicode.h"', ""]
    tables = {}
    for name, points in list(categories(folder).items()) + list(scripts(folder).items()):
        tables[name] = ranges(points)
    names = sorted(tables, key=lambda n: n.encode())
    for name in names:
        cells = ["{0x%x, 0x%x}" % tuple(r) for r in tables[name]]
        out.append("static const struct rune_range r_%s[] = {" % name)
        for i in range(0, len(cells), 5):
            out.append("    " + ", ".join(cells[i:i + 5]) + ",")
        out.append("};")
    out += ["", "const struct unicode_table unicode_tables[] = {"]
    out += ['    {"%s", r_%s, %d},' % (n, n, len(tables[n])) for n in names]
    out += ["};", "const size_t n_unicode_tables = %d;" % len(names), ""]
    orbits = fold_orbits(folder)
    cells = ["{0x%x, 0x%x}" % (c, orbits[c]) for c in sorted(orbits)]
    out.append("const struct unicode_fold unicode_folds[] = {")
    for i in range(0, len(cells), 5):
        out.append("    " + ", ".join(cells[i:i + 5]) + ",")
    out += ["};", "const size_t n_unicode_folds = %d;" % len(cells)]
    print("\n".join(out))


main()
