# SPDX-License-Identifier: Apache-2.0
"""One harm to a copy of a folder, chosen by a seed, and what it took.

The kinds: a bit flipped, a file cut, a file or folder gone, a file or folder of an hour ago, two files
that changed places, a page of zeros, writes that came never, something there twice, permissions, a
full disk.  To any file: log, local segments, objects, catalog, tables, locks."""
import contextlib
import os
import pathlib
import random
import shutil
import subprocess

from model import DAY_NS
from regions import PAGE

CLASSES = ("wal", "witness", "local", "object", "catalog", "table", "lock")
WEIGHTS = {"wal": 3, "witness": 1, "local": 2, "object": 2, "catalog": 2, "table": 3, "lock": 1}  # of a choice
FOLDERS = {"wal": "wal", "witness": "wal.witness", "local": "segments", "object": "objects", "catalog": "catalog", "table": "index"}
SECTOR = 512
# Of what the harm may be called by a warning, beside the names of its files.
WORDS = {"wal": ["write-ahead log", "WAL", "log file"], "witness": ["WAL"], "catalog": ["catalog"], "table": ["index", "table"],
         "lock": ["lock"], "local": [], "object": []}


def class_of(name):
    """name: below the data folder."""
    if name == "lock" or name.endswith("lock.mdb"):
        return "lock"
    return {folder: c for c, folder in FOLDERS.items()}[name.split("/")[0]]


def files_of(data):
    return sorted(str(p.relative_to(data)) for p in data.rglob("*") if p.is_file())


class Harm:
    """paths: what it touched, below the data folder.  lost: {number: file} of entries whose home it took;
    torn: those that a crash may take as well; pairs: (tenant, day) where a 5xx may be the answer."""

    def __init__(self, kind, text, paths):
        self.kind, self.text, self.paths = kind, text, paths
        self.lost, self.torn, self.pairs = {}, set(), set()
        self.classes = sorted({class_of(p) for p in paths}) if kind != "full disk" else ["disk"]
        self.heal = None  # undoes it, where that can be

    def hits(self, *classes):
        return any(c in self.classes for c in classes)

    def names(self):
        """What a warning of it may hold."""
        out = {pathlib.PurePath(p).stem for p in self.paths} - {"data", "lock"}
        out |= {part for p in self.paths for part in p.split("/")[:-1] if any(c.isdigit() for c in part)}
        return sorted(out | {w for c in self.classes for w in WORDS.get(c, [])})


# --- the choice ------------------------------------------------------------------------------


class Damager:
    def __init__(self, state, data, seed):
        self.state, self.data = state, pathlib.Path(data)
        self.random = random.Random(f"harm/{seed}")
        self.files = files_of(self.data)

    def file(self, classes=CLASSES, fits=lambda name: True):
        """A class first, so that each has its share."""
        by_class = {}
        for name in self.files:
            if class_of(name) in classes and fits(name):
                by_class.setdefault(class_of(name), []).append(name)
        if not by_class:
            return None
        classes = sorted(by_class)
        chosen = self.random.choices(classes, [WEIGHTS[c] for c in classes])[0]
        return self.random.choice(by_class[chosen])

    def of_content(self, name):
        """A place in the file that is not in the midst of zeros; often in the first pages of LMDB."""
        raw = (self.data / name).read_bytes()
        if name.endswith("data.mdb") and self.random.random() < 0.3:
            return self.random.randrange(2 * PAGE)
        if self.random.random() < 0.1:
            return self.random.randrange(len(raw))
        blocks = [at for at in range(0, len(raw), 64) if any(raw[at:at + 64])]
        return min(self.random.choice(blocks) + self.random.randrange(64), len(raw) - 1)

    def filled(self, name):
        return any((self.data / name).read_bytes())

    def earlier_of(self, name):
        """Copies of an hour ago that are different."""
        now = (self.data / name).read_bytes()
        return [p / name for p in self.state.earlier if (p / name).is_file() and (p / name).read_bytes() != now]

    # --- the kinds: each returns a Harm, or None where this folder has nothing for it ---

    def flip(self):
        name = self.file(fits=self.filled)
        if not name:
            return None
        at, bit = self.of_content(name), self.random.randrange(8)
        with open(self.data / name, "r+b") as f:
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 1 << bit]))
        return Harm("flip", f"bit {bit} of byte {at} of {name}", [name])

    def truncate(self):
        name = self.file(fits=lambda n: (self.data / n).stat().st_size > 0)
        size = (self.data / name).stat().st_size
        to = self.random.choice([0, self.of_content(name) if self.filled(name) else 0, self.random.randrange(size),
                                 size - 1, size // PAGE // 2 * PAGE])
        os.truncate(self.data / name, to)
        return Harm("truncate", f"{name} cut from {size} to {to}", [name])

    def missing(self):
        name = self.file()
        folder = str(pathlib.PurePath(name).parent)
        if self.random.random() < 0.25 and folder != ".":
            gone = [n for n in self.files if n.startswith(folder + "/")]
            shutil.rmtree(self.data / folder)
            return Harm("missing", f"the folder {folder}", gone)
        (self.data / name).unlink()
        return Harm("missing", name, [name])

    def old(self):
        if self.random.random() < 0.3:
            return self.old_folder()
        name = self.file(fits=self.earlier_of)
        if not name:
            return None
        then = self.random.choice(self.earlier_of(name))
        shutil.copyfile(then, self.data / name)
        return Harm("old", f"{name} of {then.relative_to(self.state.folder)}", [name])

    def old_folder(self):
        tops = self.random.choice([["wal"], ["segments"], ["objects"], ["catalog"], ["index"], ["catalog", "index"]])
        then = self.random.choice(self.state.earlier)
        if not all((then / top).is_dir() for top in tops):
            return None
        before = {n for n in self.files if n.split("/")[0] in tops}
        for top in tops:
            shutil.rmtree(self.data / top, ignore_errors=True)
            shutil.copytree(then / top, self.data / top)
        after = {n for n in files_of(self.data) if n.split("/")[0] in tops}
        return Harm("old", f"{' and '.join(tops)} of {then.relative_to(self.state.folder)}", sorted(before | after))

    def swap(self):
        one = self.file(("wal", "local", "object", "table", "catalog"), lambda n: n.endswith((".wal", ".seg", "data.mdb")))
        same = class_of(one) if self.random.random() < 0.8 else None  # else any file of that form
        suffix = one.rpartition(".")[2]
        others = [n for n in self.files if n.endswith(suffix) and n != one and class_of(n) in (same or CLASSES) and
                  class_of(n) != "lock"]
        if not others:
            return None
        other = self.random.choice(others)
        a, b, aside = self.data / one, self.data / other, self.data / "aside"
        a.rename(aside)
        b.rename(a)
        aside.rename(b)
        return Harm("swap", f"{one} with {other}", [one, other])

    def zero(self):
        name = self.file(fits=self.filled)
        at = self.of_content(name) // PAGE * PAGE
        with open(self.data / name, "r+b") as f:
            f.seek(at)
            n = min(PAGE, (self.data / name).stat().st_size - at)
            f.write(bytes(n))
        return Harm("zero", f"bytes {at} to {at + n} of {name}", [name])

    def last_writes(self):
        """Of what was written since an earlier copy some blocks are as they were."""
        name = self.file(fits=self.earlier_of)
        if not name:
            return None
        then = self.earlier_of(name)[-1]
        old, new = then.read_bytes(), bytearray((self.data / name).read_bytes())
        block = self.random.choice([SECTOR, PAGE])
        differ = [at for at in range(0, len(new), block) if new[at:at + block] != old[at:at + block]]
        lost = [at for at in differ if self.random.random() < 0.5] or differ[-1:]
        for at in lost:
            n = min(block, len(new) - at)
            new[at:at + n] = old[at:at + n].ljust(n, b"\0")
        (self.data / name).write_bytes(new)
        return Harm("last writes", f"{len(lost)} of {len(differ)} blocks of {block} bytes of {name} since "
                    f"{then.relative_to(self.state.folder)}", [name])

    def twice(self):
        which = self.random.choice(["file", "file", "place", "table", "folder"])
        return getattr(self, "twice_" + which)()

    def twice_file(self):
        name = self.file(("wal", "local", "object"))
        if not name:
            return None
        path = self.data / name
        other = path.with_name(f"{90 + self.random.randrange(9):08}.wal" if name.endswith(".wal") else
                               f"{self.random.getrandbits(32):08x}-0000-4000-8000-000000000000.seg")
        shutil.copy2(path, other)
        return Harm("twice", f"{name} as {other.name} too", [])

    def twice_place(self):
        """An object among the local segments, or the other way."""
        name = self.file(("local", "object"))
        if not name:
            return None
        top, rest = name.split("/", 1)
        other = self.data / {"segments": "objects", "objects": "segments"}[top] / rest
        other.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(self.data / name, other)
        return Harm("twice", f"{name} also in {other.parent.parent.name}", [])

    def twice_table(self):
        name = self.file(("table",))
        if not name:
            return None
        folder = (self.data / name).parent
        begin, length = folder.name.rsplit("-", 1)
        other = folder.with_name(self.random.choice([f"{int(begin) - DAY_NS}-{length}", f"{int(begin) + 9 * DAY_NS}-{length}",
                                                     folder.name + ".new", folder.name + ".copy"]))
        if other.exists():
            return None
        shutil.copytree(folder, other)
        return Harm("twice", f"the folder {folder.name} as {other.name} too", [])

    def twice_folder(self):
        """The whole in itself, as a copy that went wrong leaves it."""
        to = self.random.choice(["data", "catalog.new", "wal/data", "index/data", "segments/data", "objects/data"])
        shutil.copytree(self.data, self.data.parent / "whole")
        (self.data.parent / "whole").rename(self.data / to)
        return Harm("twice", f"the whole folder as {to} too", [])

    def permissions(self):
        name = self.file()
        path = pathlib.PurePath(name)
        if self.random.random() < 0.3 and len(path.parts) > 1:
            name = str(path.parent)
        mode = self.random.choice([0, 0o400, 0o500])
        before = os.stat(self.data / name).st_mode
        hit = [n for n in self.files if n == name or n.startswith(name + "/")]
        os.chmod(self.data / name, mode)
        harm = Harm("permissions", f"{name} has mode {mode:o}", hit)
        harm.heal = lambda: allow(self.data / name, before)
        return harm

    def full_disk(self):
        """The folder moves to a disk of its own that has a little room left."""
        used = sum((self.data / n).stat().st_blocks * 512 for n in self.files) + (64 << 10)
        slack = self.random.choice([0, 0, 16 << 10, 80 << 10, 300 << 10, 700 << 10])
        aside = self.data.with_name("aside")
        self.data.rename(aside)
        self.data.mkdir()
        size = (used + slack) // PAGE * PAGE
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", self.data], capture_output=True)
        if mount.returncode != 0:
            raise Unable("full disk: " + mount.stderr.decode().strip())
        shutil.copytree(aside, self.data, dirs_exist_ok=True)
        shutil.rmtree(aside)
        harm = Harm("full disk", f"{size} bytes of disk, {slack} left or a little more", [])
        harm.heal = lambda: subprocess.run(["mount", "-o", f"remount,size={64 << 20}", self.data], check=True)
        return harm

    def none(self):
        """To see that a folder is sound, and this machine too."""
        return Harm("none", "nothing", [])


def allow(path, mode):
    """A merge may have moved it away."""
    with contextlib.suppress(FileNotFoundError):
        os.chmod(path, mode)


class Unable(Exception):
    """This machine cannot make that harm."""


KINDS = {"flip": Damager.flip, "truncate": Damager.truncate, "missing": Damager.missing, "old": Damager.old,
         "swap": Damager.swap, "zero": Damager.zero, "last writes": Damager.last_writes, "twice": Damager.twice,
         "permissions": Damager.permissions, "full disk": Damager.full_disk}
EVERY_KIND = {**KINDS, "none": Damager.none}


def unmount(data):
    """A disk of full_disk(), if there is one."""
    if os.path.ismount(data):
        subprocess.run(["umount", "-l", data], check=True)


# --- what it took ----------------------------------------------------------------------------


def account(harm, state, data):
    """Fills in what the harm took of the entries."""
    by_number = {e.number: e for e in state.entries}
    unfiltered = {}
    if harm.kind == "permissions":
        take_all_of(harm, state)
    else:
        harm.lost, unfiltered = state.map.lost_of_segments(data)
        of_log, harm.torn = state.map.lost_of_log(data)
        harm.lost.update(dict.fromkeys(of_log, "wal"))
    every = {(e.tenant, e.day) for e in state.entries}
    harm.pairs = {(by_number[n].tenant, by_number[n].day) for n in harm.lost.keys() | unfiltered.keys()}
    if harm.hits("catalog", "disk") or (harm.hits("lock") and "lock" in harm.paths):
        harm.pairs = every
    if harm.hits("wal"):
        harm.pairs |= {(e.tenant, e.day) for e in state.entries if state.map.home[e.number] == "wal"}
    for path in harm.paths:
        if path.startswith("index/"):
            begin, _, length = path.split("/")[1].rpartition("-")
            first = int(begin) // DAY_NS
            harm.pairs |= {(t, d) for t, d in every if first <= d < first + int(length) // DAY_NS}


def take_all_of(harm, state):
    """What lies in files that may not be read, as long as that is so."""
    for number, home in state.map.home.items():
        if home in harm.paths or (home == "wal" and harm.hits("wal")):
            harm.lost[number] = home
