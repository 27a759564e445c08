#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The damage machine: folders in many states, one harm each, and what the server makes of it.

    run.py --binary build/halogi --seeds 0-999 [--workers 4] [--keep-failures DIR]
           [--kinds flip,zero] [--states-only merged,days] [--states DIR]

A seed fixes state, harm and course.  Each that fails is a line with the harm, what was seen, and how to
run it alone.  Ends with 1 when there was a violation.  README.md says what is allowed."""
import argparse
import collections
import multiprocessing
import os
import pathlib
import pickle
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / name) for name in ("crash", "e2e", "formats")]
import course  # noqa: E402
import harm as h  # noqa: E402
import states  # noqa: E402
from halogi import memory_folder  # noqa: E402


def arguments(argv):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--binary", required=True, type=pathlib.Path)
    p.add_argument("--seeds", required=True, help="FROM-TO, both included, or one")
    p.add_argument("--workers", type=int, default=os.cpu_count())
    p.add_argument("--keep-failures", type=pathlib.Path, metavar="DIR", help="the harmed folder and the log of each")
    p.add_argument("--kinds", default=",".join(h.KINDS), help="of: " + ", ".join(h.EVERY_KIND))
    p.add_argument("--states-only", default=",".join(states.STATES), metavar="NAMES",
                   help="of: " + ", ".join(states.STATES))
    p.add_argument("--states", type=pathlib.Path, metavar="DIR", help="keep the folders there, or use those that are")
    p.add_argument("--libraries", type=pathlib.Path, metavar="DIR",
                   help="where the preloaded libraries were built; default: tests/ beside the binary")
    p.add_argument("--verbose", action="store_true", help="a line for each seed")
    return p.parse_args(argv)


def seeds_of(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def libraries(tests):
    """tests: the folder of that name where the tests were built."""
    found = {"shim": tests / "crash/libcrash_shim.so", "random": tests / "damage/libfixed_random.so"}
    for path in found.values():
        if not path.exists():
            sys.exit(f"{path} is missing: build the tests, or name --libraries")
    return {name: str(path) for name, path in found.items()}


# --- states ----------------------------------------------------------------------------------


def build_state(task):
    binary, where, name, libs = task
    folder = where / name
    if not (folder / "state").exists():
        shutil.rmtree(folder, ignore_errors=True)
        builder = states.Builder(binary, folder, name, libs)
        try:
            made = builder.finish(states.STATES[name](builder) or ())
        finally:
            if builder.life:
                builder.life.kill()
        (folder / "state").write_bytes(pickle.dumps((made.entries, made.strays)))
    return name


def prepare(binary, libs, where, names, workers):
    """Folders below where, as many at a time, and what is asked of each."""
    with multiprocessing.Pool(workers) as pool:
        pool.map(build_state, [(binary, where, name, libs) for name in names], chunksize=1)
    return {name: course.Prepared(load_state(where, name)) for name in names}


def load_state(where, name):
    folder = where / name
    entries, strays = pickle.loads((folder / "state").read_bytes())
    return states.State(name, folder, entries, states.Map(folder / "data", [e.number for e in entries], strays), strays)


# --- seeds -----------------------------------------------------------------------------------

Shared = collections.namedtuple("Shared", "prepared names binary kinds has_fsck root keep")
shared = None  # of a worker, by fork


def state_of(seed, names):
    return random.Random(f"state/{seed}").choice(sorted(names))


def one_seed(seed):
    work = pathlib.Path(tempfile.mkdtemp(prefix=f"seed-{seed}-", dir=shared.root))
    try:
        prepared = shared.prepared[state_of(seed, shared.names)]
        result = course.run_seed(prepared, shared.binary, work, seed, shared.kinds, shared.has_fsck)
        if result.violations and shared.keep:
            keep(prepared, seed, result)
        return result
    except h.Unable as e:
        return str(e)
    finally:
        clear(work)


def clear(work):
    h.unmount(work / "data")
    shutil.rmtree(work, ignore_errors=True)


def keep(prepared, seed, result):
    """The folder as it was when the server first came to it, made once more."""
    to = shared.keep / f"seed-{seed}"
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    again = course.Course(prepared, shared.binary, to, seed, shared.kinds, False)
    again.set_up()
    (to / "seen.txt").write_text("\n".join([f"{result.state_name}: {result.kind}: {result.text}",
                                            *result.violations, ""]))
    (to / "log").write_text(result.log)
    h.unmount(to / "data")


def commands_of(binary):
    return subprocess.run([binary, "-help"], capture_output=True, text=True).stdout


# --- the report ------------------------------------------------------------------------------


class Report:
    def __init__(self, options):
        self.options = options
        self.table = collections.defaultdict(collections.Counter)  # kind: outcomes
        self.by_class = collections.defaultdict(collections.Counter)
        self.n, self.unable = 0, collections.Counter()

    def add(self, result):
        if isinstance(result, str):
            self.unable[result] += 1
            return
        self.n += 1
        self.table[result.kind][result.outcome] += 1
        self.by_class["+".join(result.classes) or "-"][result.outcome] += 1
        if result.violations:
            print(f"seed {result.seed}: {result.state_name}: {result.kind}: {result.text}: "
                  f"{'; '.join(result.violations)}\n    {self.replay(result)}", flush=True)
        elif self.options.verbose:
            print(f"seed {result.seed}: {result.state_name}: {result.kind}: {result.text}: {result.outcome}", flush=True)

    def replay(self, result):
        extra = [f"--kinds '{self.options.kinds}'"] if self.options.kinds != ",".join(h.KINDS) else []
        extra += [f"--states-only {self.options.states_only}"] if self.options.states_only != ",".join(states.STATES) else []
        extra += [f"--states {self.options.states}"] if self.options.states else []
        return " ".join([f"tests/damage/run.py --binary {self.options.binary} --seeds {result.seed}", *extra])

    def print_table(self, table, title):
        used = [o for o in course.OUTCOMES if any(row[o] for row in table.values())]
        print(f"\n{title:28}" + "".join(f"{o:>13}" for o in used) + f"{'all':>8}")
        for name in sorted(table) + ["all"]:
            row = sum(table.values(), collections.Counter()) if name == "all" else table[name]
            print(f"{name:28}" + "".join(f"{row[o]:13}" for o in used) + f"{sum(row.values()):8}")

    def violations(self):
        return sum(row["VIOLATION"] for row in self.table.values())

    def end(self, seconds):
        self.print_table(self.table, "harm")
        self.print_table(self.by_class, "to")
        for text, n in self.unable.items():
            print(f"\n{n} seeds were left out: {text}")
        print(f"\n{self.n} seeds, {self.violations()} with violations, in {seconds:.1f} s: "
              f"{self.n / max(seconds, 0.001):.1f} seeds per second with {self.options.workers} workers")


def run(argv):
    global shared
    options = arguments(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # workers too: each ends its server and its disk
    root = pathlib.Path(tempfile.mkdtemp(prefix="halogi-damage-", dir=memory_folder()))
    try:
        binary, libs = str(options.binary.resolve()), libraries(options.libraries or options.binary.resolve().parent / "tests")
        where = options.states or root / "states"
        where.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        names = options.states_only.split(",")
        needed = sorted({state_of(seed, names) for seed in seeds_of(options.seeds)})
        prepared = prepare(binary, libs, where, needed, options.workers)
        print(f"{len(needed)} folders in {time.monotonic() - begun:.1f} s", flush=True)
        shared = Shared(prepared, names, binary, options.kinds.split(","), "fsck" in commands_of(binary), root,
                        options.keep_failures)
        report, begun = Report(options), time.monotonic()
        with multiprocessing.Pool(options.workers) as pool:
            for result in pool.imap_unordered(one_seed, seeds_of(options.seeds)):
                report.add(result)
        report.end(time.monotonic() - begun)
        return 1 if report.violations() else 0
    finally:
        for mounted in root.glob("seed-*/data"):
            h.unmount(mounted)
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
