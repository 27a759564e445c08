# SPDX-License-Identifier: Apache-2.0
"""The course of one seed: harm, start, ask, push, ask, flush, restart, ask, repair, ask; and the verdict
on each thing seen.

Allowed: the right answer; an answer with a warning that names the harm; a refusal with the command that
helps; a 5xx for the affected period only.  Never: 200 with wrong or short data and no warning, the loss
of anything that was not harmed, a crash loop, a second crash.  Exempt is harm that looks exactly like a
torn tail of the newest log group that nothing witnesses."""
import random
import re
import shutil
import traceback

import harm as h
from life import Ended, Life
from model import TENANTS, Writer, push
from questions import all_questions
from halogi import NS

# What a seed comes to, mildest first.
OUTCOMES = ("right", "torn", "warned", "reported", "5xx", "refused", "crashed once", "VIOLATION")
COMMAND = re.compile(r"halogi (rebuild-index|fsck)((?: --?[a-z-]+)*)")


class Violation(Exception):
    pass


class Prepared:
    """What all seeds of a state share: questions, and the answers before and after the push."""

    def __init__(self, state):
        self.state = state
        newest = max(e.ts_ns for e in state.entries)
        writer = Writer("new")
        writer.number = 900_000
        self.new = {t: writer.entries(t, 5, newest + 60 * NS, NS) for t in TENANTS}
        self.questions = all_questions(state.entries)
        self.wanted = {}

    def answer(self, question, entries_key, entries):
        """Cached by a key, as most seeds ask the same of the same."""
        if entries_key is None:
            return question.wanted(entries)
        key = id(question), entries_key
        if key not in self.wanted:
            self.wanted[key] = question.wanted(entries)
        return self.wanted[key]


class Result:
    """What a seed came to; of a violation what was seen."""

    def __init__(self, seed, state_name):
        self.seed, self.state_name = seed, state_name
        self.kind = self.text = ""
        self.classes, self.seen, self.outcome, self.violations, self.log = [], set(), "right", [], ""

    def note(self, outcome):
        self.seen.add(outcome)
        self.outcome = max(self.outcome, outcome, key=OUTCOMES.index)

    def violate(self, what):
        self.note("VIOLATION")
        self.violations.append(what)


class Course:
    def __init__(self, prepared, binary, work, seed, kinds, has_fsck):
        self.prepared, self.state, self.binary, self.work = prepared, prepared.state, binary, work
        self.random = random.Random(f"course/{seed}")
        self.kinds, self.has_fsck = kinds, has_fsck
        self.data = work / "data"
        self.result = Result(seed, self.state.name)
        self.entries = list(self.state.entries)  # acknowledged
        self.maybe = []  # pushed, not acknowledged
        self.pushed = False
        self.n_crashes, self.reported, self.told = 0, False, ""
        self.harm = self.life = None
        self.healed = False

    def run(self):
        """A Result; never an exception, but Unable."""
        try:
            self.set_up()
            self.go()
        except Violation as e:
            self.result.violate(str(e))
        except Ended as e:
            self.result.violate(str(e))
        finally:
            if self.life:
                self.life.kill()
                self.result.log = self.life.log(whole=True) if self.result.violations else ""
        return self.result

    # --- harm ---

    def set_up(self):
        if not self.data.exists():
            shutil.copytree(self.state.data, self.data)
        self.harm = None
        for attempt in range(50):
            kind = self.random.choice(self.kinds)
            damager = h.Damager(self.state, self.data, f"{self.result.seed}/{attempt}")
            self.harm = h.EVERY_KIND[kind](damager)
            if self.harm:
                break
        h.account(self.harm, self.state, self.data)
        self.result.kind, self.result.text, self.result.classes = self.harm.kind, self.harm.text, self.harm.classes
        self.life = Life(self.binary, self.work, self.data, as_others=self.harm.kind == "permissions")

    # --- the course ---

    def go(self):
        clean = self.first_fsck()
        if not self.start():
            return
        self.through(self.ask_all)
        if clean and self.result.seen - {"right", "torn"}:
            raise Violation("fsck found nothing, but the server did")
        self.through(self.push_some)
        self.through(self.ask_all)
        if self.random.random() < 0.5:
            self.through(self.flush)
            self.through(self.ask_all)
        self.end()
        if self.harm.heal:
            self.harm.heal()
            self.healed = True
        if not self.start():
            return
        self.through(self.ask_all)
        self.last_fsck()

    def through(self, step):
        """A step; once in a seed the process may crash in one, and then it is taken again."""
        while True:
            try:
                return step()
            except Ended as e:
                code = self.life.process.poll()
                if code is None:
                    raise
                if not self.life.crashed():
                    raise Violation(f"ended by itself with {code} while serving: {e}") from e
                self.note_crash(str(e))
                if not self.start():
                    raise Violation("it refuses after a crash, and names nothing that helps") from e

    def note_crash(self, where):
        self.n_crashes += 1
        self.result.note("crashed once")
        if self.n_crashes > 1:
            raise Violation(f"a second crash ({signal_of(self.life)}): {where}")
        if not self.harm.paths:
            raise Violation(f"a crash ({signal_of(self.life)}) where nothing was damaged: {where}")

    def end(self):
        self.watch_log()
        if self.random.random() < 0.5:
            self.life.kill()
            return
        status = self.life.stop()
        if self.life.crashed():
            self.note_crash("at the stop")
        elif status != 0 and not self.may_refuse():
            raise Violation(f"exit status {status} at the stop")

    def start(self):
        """True: it serves.  False: it refuses for good, and that is allowed."""
        for _ in range(4):
            if self.life.start():
                self.watch_log()
                return True
            if self.life.crashed():
                self.life.disconnect()
                self.note_crash("at the start")
                continue
            self.life.kill()
            self.result.note("refused")
            if not self.help_it():
                return False
        raise Violation("it refuses again after the command that should help")

    def may_refuse(self):
        """A disk that is full, and a mode that forbids, are helped by other hands than a command."""
        return self.harm.heal is not None and not self.healed

    def help_it(self):
        """Does what the refusal says.  False: there is nothing more to do, by its own word."""
        text = self.life.log()
        if self.may_refuse() and re.search("Permission denied|No space left|disk", text):
            self.harm.heal()
            self.healed = True
            return True
        found = COMMAND.search(text)
        if not found:
            raise Violation("refused without a command that helps")
        command = [found.group(1), *found.group(2).split()]
        status, said = self.life.run(*command)
        self.told += said
        if status < 0 or "Sanitizer" in said:
            raise Violation(f"{' '.join(command)} crashed ({status}): {said[-300:]}")
        if status != 0:
            raise Violation(f"{' '.join(command)} does not help: {said[-300:]}")
        return True

    # --- fsck ---

    def first_fsck(self):
        """True when it says that all is well."""
        if not self.has_fsck or self.harm.kind == "full disk":
            return False
        status, said = self.life.run("fsck")
        if status not in (0, 1, 2):
            raise Violation(f"fsck ended with {status}: {said[-300:]}")
        return status == 0

    def last_fsck(self):
        if not self.has_fsck or self.result.violations:
            return
        self.end()
        status, said = self.life.run("fsck")
        if status == 1:
            _, told = self.life.run("fsck", "--repair")
            self.told += told
            status, said = self.life.run("fsck")
        if status != 0:
            raise Violation(f"fsck is not clean after repair ({status}): {said[-300:]}")
        if self.start():
            self.through(self.ask_all)

    # --- pushes ---

    def push_some(self):
        for entries in self.prepared.new.values():
            if entries[0] in self.entries:
                continue  # before a crash
            status, text = push(self.life, entries)
            if status == 204:
                self.entries += entries
            elif status >= 500 and (self.harm.hits("wal", "catalog", "lock", "disk") or self.harm.heal):
                self.maybe += entries
                self.result.note("5xx")
            else:
                raise Violation(f"a push is refused: {status} {text[:200].decode(errors='replace')}")
        self.pushed = not self.maybe

    def flush(self):
        status, text = self.life.request("POST", "/flush", {"X-Scope-OrgID": TENANTS[0]}, b"")
        if status == 204:
            return
        if status < 500 or not (self.harm.paths or self.harm.heal):
            raise Violation(f"a flush is refused: {status} {text[:200].decode(errors='replace')}")
        self.result.note("5xx")

    # --- questions ---

    def watch_log(self):
        """What the server says of the log by itself: it has no answer to put it into."""
        text = self.life.log()
        if re.search(r"corrupt=[1-9]|level=error.*(WAL|log).*(lost|corrupt|missing|damaged|hole|gap)", text):
            self.reported = True
        if re.search("corrupt=[1-9]", text) and self.life.process.poll() is None:
            _, metrics = self.life.request("GET", "/metrics", {})
            if not re.search(rb"^loki_ingester_wal_corruptions_total [1-9]", metrics, re.M):
                raise Violation("a corruption of the log is reported, but not counted")

    def ask_all(self):
        key = None if self.maybe else len(self.entries) if self.pushed else 0
        for question in self.prepared.questions:
            self.ask(question, key)
        self.watch_log()

    def ask(self, question, key):
        status, body = question.ask(self.life)
        if status == 200:
            wanted = self.prepared.answer(question, key, self.entries)
            got, warning = question.read(body)
            if got == wanted:
                self.result.note("right")
            else:
                self.explain(question, got, wanted, warning)
        elif status >= 500 and question.touches(self.harm.pairs) and not self.healed:
            self.result.note("5xx")
        else:
            raise Violation(f"{of(question)} is answered {status}: {body[:300].decode(errors='replace')}")

    def explain(self, question, got, wanted, warning):
        """A 200 that is not the whole."""
        lost = {} if self.healed else self.harm.lost
        left = [e for e in self.entries if e.number not in lost]
        torn_away = [e for e in self.entries if e.number not in self.harm.torn]
        least, most = question.wanted(left), question.wanted(self.entries + self.maybe)
        most = question.wanted_most(self.entries + self.maybe) if hasattr(question, "wanted_most") else most
        if self.maybe and question.form.lies_between(got, wanted, most):
            return self.result.note("right")  # what was refused may be there or not
        if not question.form.lies_between(got, least, most):
            raise Violation(f"{of(question)}: {difference(got, least, most)}" +
                            (f"; it warns: {warning[:200]}" if warning else ""))
        if warning:
            if not any(name in warning for name in self.harm.names()):
                raise Violation(f"{of(question)}: the warning does not name the harm: {warning[:300]}")
            self.result.note("warned")
        elif self.harm.torn and question.form.lies_between(got, question.wanted(torn_away), most):
            self.result.note("torn")
        elif set(lost.values()) <= {"wal"} and self.reported:
            self.result.note("reported")
        elif self.told and all(name.split("/")[-1] in self.told for name in set(lost.values()) - {"wal"}):
            self.result.note("reported")
        else:
            raise Violation(f"{of(question)}: harmed data is missing without a warning: "
                            f"{difference(got, wanted, most)}")

def of(question):
    return f"'{question.name}' of {question.tenant}"


def signal_of(life):
    code = life.process.returncode
    return f"signal {-code}" if code < 0 else f"exit {code}"


def difference(got, least, most):
    """Where an answer is not between two others, shortly."""
    if isinstance(got, dict) and any(isinstance(v, list) for answer in (got, most) for v in answer.values()):
        got, least, most = ({(k, *value) for k, values in answer.items() for value in values}
                            for answer in (got, least, most))
    if isinstance(got, set):
        missing, foreign = least - got, got - most
        return f"{len(missing)} of {len(least)} missing, {len(foreign)} foreign" + \
            (f", such as {min(missing or foreign)}" if missing or foreign else ", or out of order")
    wrong = [k for k in got.keys() | most.keys() if not least.get(k, 0) <= got.get(k, 0) <= most.get(k, -1)]
    return "; ".join(f"{k}: {got.get(k)}, not {least.get(k)}" for k in sorted(wrong, key=str)[:2])


def run_seed(prepared, binary, work, seed, kinds, has_fsck):
    """In a folder of its own, which the caller removes.  Errors of this machine come as violations."""
    course = Course(prepared, binary, work, seed, kinds, has_fsck)
    try:
        return course.run()
    except h.Unable:
        raise
    except Exception:
        course.result.violate("the machine itself failed: " + traceback.format_exc()[-1500:])
        return course.result
