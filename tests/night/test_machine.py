"""Years in a hospital's life, drawn by chance: rosters edited, nights with faults and kills, decisions, lost ledgers.

The real command line against the real sandbox; machine_model.py says what may come of it. After each step nobody has a
seal too many, what is told as a seal is one and the right doctor's, and what nobody was told is open.
"""

import csv
import errno
import io
import json
import os
import re
import shutil
import signal
import time
import urllib.request
from asyncio import all_tasks
from collections import Counter
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path

import openpyxl
from crash_support import Zygote
from desk_support import Later
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from machine_model import CREATE, FAULTS, LATE, UNDONE, VERSIONS, Person, State, fault_file, spare
from night_support import draw_seal

from pipeline.cli import main
from pipeline.clock import SystemClock
from pipeline.ledger.sitekey import SiteKey
from pipeline.model import Status
from pipeline.results.words import WORDS, say, status_word
from pipeline.sandbox.fault_file import parse_faults
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.rules import Rules
from pipeline.sandbox.truth import Seal

LONG = os.environ.get("MACHINE")
FILES = ("a.csv", "乙院.csv", "c.csv", "d.xlsx")
HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室")
MOST = 6  # doctors; of ten rows and more a guard would miss those that are gone
POINTS = (
    "ledger: before the receipts",
    "receipts: before the fsync",
    "ledger: before the commit",
    "ledger: after the commit",
    f"{CREATE}: before the headers",
    f"{CREATE}: before the body of the answer",
    f"{CREATE}: answered",
    "UploadFiles: answered",
    "a piece of the body is sent",
    "create: settled",
    "results: before the fsync of outcomes.jsonl",
    "results: before results.xlsx takes its name",
)
WRITES = tuple(
    point
    for point in POINTS
    if point.endswith(("before the fsync", "before the commit")) or "results" in point
)
GRAVITY = (4, 5, 3, 0)


class QuickClock(SystemClock):
    async def sleep(self, seconds):
        await super().sleep(seconds / 50)


class Hospital(RuleBasedStateMachine):
    """A hospital's folder, its sandbox, and what the model says of both."""

    def __init__(self, hospital, zygote, home: Path):
        super().__init__()
        self.hospital, self.zygote, self.world = hospital, zygote, hospital.world
        hospital.folder = self.folder = home / f"life{sum(1 for _ in home.glob('life*'))}"
        for folder in ("secrets", "config.yaml"):
            copy = shutil.copytree if folder == "secrets" else shutil.copy
            copy(home / folder, self.folder / folder) if self.folder.mkdir(exist_ok=True) is None else None
        (self.folder / "seals").mkdir()
        self.doctors: list[Person] = []
        self.files = [0, 1]  # which of FILES the rosters of the first and the second ward are
        self.lines: dict[tuple[str, int], Person] = {}  # (file, row) of the rosters as they are now
        self.dirty = True
        self.told: list[tuple[Person, dict]] = []  # rows of the results that lie in latest/
        self.must_retry: set[Person] | None = (
            None  # whom a bare retry certainly takes up; None: it finds no run
        )
        self.to_fix: list[Person] | None = (
            None  # the To fix sheet in latest/, while the rosters are as they were
        )
        self.backup: Path | None = None
        self.names = 0  # seal names given by hand so far

    # -- the world

    @initialize(names=st.sampled_from(["off", "code", "bare"]), doctors=st.integers(2, 4))
    def begin(self, names, doctors):
        self.enforced = names != "off"
        self.world.rules = Rules(limiter="none", unique_names=names)
        self.world.forget()
        self.strike([])
        for _ in range(doctors):
            self.hire()

    def strike(self, faults):
        """Let the sandbox meet these faults from now on, counted anew."""
        self.hospital.sandbox._sandbox._faults = Faults(parse_faults({"faults": list(faults)}))

    def quiet(self):
        """Wait until the service has dealt with everything that ever reached it."""
        urllib.request.urlopen(
            f"{self.hospital.sandbox.url}/_truth"
        ).read()  # whoever came before has been let in
        until = time.monotonic() + 20
        while len(all_tasks(self.hospital.sandbox._loop)) > 1:
            assert time.monotonic() < until
            time.sleep(0.002)

    def seals(self, person) -> list[Seal]:
        """The seals a doctor really has, without those that a human gave up."""
        mine = [seal for seal in list(self.world.seals) if seal.number == person.number]
        return [seal for seal in mine if seal.seal_id not in person.given_up]

    # -- rosters

    def hire(self, files=(0,)):
        person = Person(len(self.doctors) + 1, files=files)
        self.doctors.append(person)
        self.draw(person)
        self.dirty = True

    def draw(self, person):
        place = self.folder / "seals" / f"{person.staff_no}.png"
        place.unlink(missing_ok=True)
        if person.picture is not None:
            draw_seal(place, person.picture)

    @rule(data=st.data())
    def edit(self, data):
        """A row more or less, a cell changed, a picture changed, taken away or put back, the files sorted or renamed."""
        what = data.draw(
            st.sampled_from(["hire", "name", "mobile", "picture", "no picture", "number", "files", "order"])
        )
        self.dirty |= what not in {"picture", "no picture"}
        if what == "hire" and len(self.doctors) < MOST:
            return self.hire((data.draw(st.integers(0, 1)),))
        if what == "order":
            self.doctors = data.draw(st.permutations(self.doctors))
            self.files = data.draw(st.permutations(range(len(FILES))))[:2]
            return None
        person = data.draw(st.sampled_from(self.doctors))
        versions = {
            "name": person.content.name,
            "mobile": person.content.mobile,
            "picture": person.content.picture,
        }
        if what in versions:
            versions[what] = data.draw(st.integers(0, VERSIONS - 1))
        elif what == "no picture":
            versions["picture"] = None
        elif what == "number":
            person.sound = not person.sound
        elif what == "files":
            person.files = data.draw(st.sampled_from([(), (0,), (1,), (0, 1)]))
        person.content = type(person.content)(**versions)
        self.draw(person)
        return None

    def write(self):
        """Put the rosters on the disk where they differ from it."""
        if not self.dirty:
            return
        inbox = self.folder / "inbox"
        shutil.rmtree(inbox, ignore_errors=True)
        inbox.mkdir()
        self.lines, self.to_fix = {}, None
        for ward in (0, 1):
            people = [person for person in self.doctors if ward in person.files]
            rows = [
                (p.name, p.number if p.sound else "1" + p.number[:-1], p.mobile, p.staff_no, "内科")
                for p in people
            ]
            file = FILES[self.files[ward]]
            if rows:
                self.lines |= {(file, row): person for row, person in enumerate(people, start=2)}
                self.save(inbox / file, [HEADERS, *rows])
        self.dirty = False

    def save(self, path, rows):
        if path.suffix == ".csv":
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                csv.writer(file).writerows(rows)
            return
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(path)

    def has_rows(self):
        return any(person.files for person in self.doctors)

    def has_ledger(self):
        return (self.folder / "state" / "ledger.sqlite3").exists()

    def waits(self):
        return self.has_rows() and any(state.kind == "open" for p in self.doctors for state in p.states)

    # -- commands

    def go(self, *words, clock=None) -> tuple[int, str]:
        """Run the command line; return its exit code and what it said."""
        self.write()
        said = io.StringIO()
        words = ["--config", str(self.folder / "config.yaml"), "--lang", "en", *words]
        with redirect_stderr(said):
            code = main(words, clock=clock or QuickClock())
        assert "bug" not in said.getvalue(), said.getvalue()
        return code, said.getvalue()

    def creates(self) -> int:
        return sum(call.action == CREATE for call in list(self.world.received))

    def rows(self, file="outcomes.jsonl") -> list[dict]:
        text = (self.folder / "out" / "latest" / file).read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def ends(self, faults, *, again=False):
        return {
            person: person.ends(faults.get(person), enforced=self.enforced, again=again)
            for person in self.doctors
            if person.files
        }

    def draw_faults(self, data) -> dict[Person, str]:
        kinds = [*FAULTS, *(LATE if LONG else ())]
        if not self.enforced:
            kinds.remove("lie")  # a service that makes a seal, denies it and takes a second: nothing helps
        people = [person for person in self.doctors if person.is_read]
        count = data.draw(st.integers(0, min(3, len(people))))
        struck = data.draw(st.permutations(people))[:count]
        faults = {person: data.draw(st.sampled_from(kinds)) for person in struck}
        uploads = data.draw(
            st.sampled_from([[], [], ["reset_after"], ["throttle"], [{"http_502": "before"}]])
        )
        upload = [{"match": {"action": "UploadFiles", "nth": [1]}, "do": do} for do in uploads]
        self.strike([*fault_file(faults), *upload])
        return faults

    @precondition(has_rows)
    @rule(data=st.data())
    def run(self, data):
        """A night that comes to its end."""
        self.night(self.draw_faults(data))

    @precondition(has_rows)
    @rule(data=st.data(), limit=st.integers(1, 3))
    def run_with_a_limit(self, data, limit):
        self.night(self.draw_faults(data), "--limit", str(limit), limit=limit)

    def night(self, faults, *words, limit=None):
        expected = self.ends(faults)
        sent = self.creates()
        code, said = self.go("run", *words)
        self.strike([])
        rows = self.judge(expected, limit=limit, halts="halt" in faults.values())
        least, most = self.learn(expected, rows)
        assert least <= self.creates() - sent <= most, (
            f"{self.creates() - sent} creates, not {least} to {most}"
        )
        self.must_retry = {p for p, row in rows.items() if row["status"] in UNDONE}
        self.to_fix = [person for person, row in self.told if row["status"] in UNDONE and not spare([row])[1]]
        self.next_steps(code, said, limit)

    def judge(self, expected, *, limit, halts) -> dict[Person, dict]:
        """Hold the results against the rosters: every row once, the sums, each doctor's possible ends."""
        self.told = [(self.lines[row["file"], row["row"]], row) for row in self.rows()]
        record = self.hospital.record()
        assert len({(row["file"], row["row"]) for _, row in self.told}) == len(self.told) == len(self.lines)
        assert record["rows"] == len(self.told)
        statuses = Counter(row["status"] for _, row in self.told)
        assert {status: n for status, n in record["statuses"].items() if n} == statuses
        told = {}
        for person, ends in expected.items():
            mine = [row for who, row in self.told if who is person]
            speaking, copies = spare(mine)
            allowed = {end.status for end in ends}
            if limit is not None or halts:
                allowed |= {"not_sent" for end in ends if end.creates}
            assert {row["status"] for row in speaking} <= allowed, f"{person}: {speaking}, not {allowed}"
            assert len(speaking) == 1 or (not copies and {row["status"] for row in mine} == {"rejected"})
            told[person] = speaking[0]
            self.real(person, speaking[0])
        return told

    def real(self, person, row):
        """What is told as a seal is one, and this doctor's."""
        assert bool(row["seal_id"]) == (row["status"] in {"sealed", "unchanged", "changed"})
        if row["seal_id"]:
            assert row["seal_id"] in {seal.seal_id for seal in self.seals(person)}, f"{person}: {row}"
            known = {state.seal_id for state in person.states if state.kind == "live"}
            assert row["status"] == "sealed" or known & {None, row["seal_id"]}
        if row["status"] in {"unknown", "exists"}:
            assert row["trace_id"]

    def learn(self, expected, rows) -> tuple[int, int]:
        """Take in what the results tell of each doctor; return how many creates that took, at least and at most."""
        least = most = 0
        for person, row in rows.items():
            fitting = [end for end in expected[person] if end.status == row["status"]]
            if not fitting:  # its turn did not come
                assert row["status"] == "not_sent"
                fitting = [
                    type(end)("not_sent", state)
                    for state, end in zip(person.states, expected[person], strict=True)
                    if end.creates
                ]
            if row["status"] == "not_sent":  # struck by the code that stops a run, or held up by it
                fitting += [type(end)("not_sent", end.state) for end in fitting if end.creates]
            least += min(end.creates for end in fitting)
            most += max(end.creates for end in fitting)
            states = [end.state for end in fitting]
            if row["seal_id"]:
                states = [State("live", state.content, seal_id=row["seal_id"]) for state in states]
            person.states = tuple(dict.fromkeys(states))
        return least, most

    def next_steps(self, code, said, limit):
        """The exit code and the last words follow from the rows."""
        statuses = Counter(row["status"] for _, row in self.told if not spare([row])[1])
        halted = self.hospital.record()["halted"]
        codes = {0, 4 if halted else 0}
        codes |= {3} if set(statuses) & {"unknown", "exists", "changed", "failed", "rejected"} else set()
        codes |= {5} if statuses["not_sent"] and (limit is None or halted) else set()
        assert code == min(codes, key=GRAVITY.index), said
        sheets = {each: say(f"sheet.{each}", "en") for each in ("fix", "unknown", "all")}
        for key, n, more in (
            ("next.fix", statuses["rejected"], {"sheet": sheets["fix"]}),
            ("next.unknown", statuses["unknown"] + statuses["exists"], {"sheet": sheets["unknown"]}),
            (
                "next.changed",
                statuses["changed"],
                {"sheet": sheets["all"], "status": status_word(Status.CHANGED, "en")},
            ),
            ("next.again", statuses["not_sent"] if not halted else 0, {}),
            (
                "next.failed_too" if statuses["rejected"] else "next.failed",
                statuses["failed"],
                {"sheet": sheets["fix"]},
            ),
            ("next.halted", 1 if halted else 0, {}),
            ("next.nothing", 0 if set(statuses) - {"sealed", "unchanged"} or self.absent(said) else 1, {}),
        ):
            assert (say(key, "en", n=n, **more) in said) == bool(n), f"{key}: {said}"

    def absent(self, said) -> int:
        """People with an open create whom the rosters do not name: told, and as many as there are."""
        away = [person for person in self.doctors if not person.is_read]
        surely = sum({state.kind for state in person.states} == {"open"} for person in away)
        perhaps = sum(any(state.kind == "open" for state in person.states) for person in away)
        told = [n for n in range(1, MOST + 1) if say("next.absent", "en", n=n) in said]
        count = told[0] if told else 0
        assert surely <= count <= perhaps, f"{count} told, {surely} to {perhaps} are away"
        return count

    @precondition(has_rows)
    @rule(
        data=st.data(),
        how=st.sampled_from(["kill", "kill", "full", "io", "term"]),
        count=st.integers(1, 5),
    )
    def a_night_cut_short(self, data, how, count):
        """kill -9, a failing disk or SIGTERM at a point of the run."""
        faults = self.draw_faults(data)
        order = {
            "kill": {},
            "full": {"fail": errno.ENOSPC},
            "io": {"fail": errno.EIO},
            "term": {"signals": [15]},
        }[how]
        point = data.draw(st.sampled_from(WRITES if "fail" in order else POINTS))
        self.write()
        sent = len(self.world.received)
        ended = self.zygote.run(self.hospital, **{"name": point, "pass": count}, **order)
        self.quiet()
        self.strike([])
        early = ended["signal"] == 15 and len(self.world.received) == sent  # there was nothing to drain yet
        assert ended["signal"] in {None, *({9} if how == "kill" else ())} or early
        assert ended["code"] in {None, 0, 3, 4, 5, 74, 143}, ended
        for person, ends in self.ends(faults).items():
            person.cut_short(ends)
        self.told, self.to_fix = [], None
        self.must_retry = set() if self.has_ledger() and self.must_retry is not None else self.must_retry
        if self.must_retry is None and ended["code"] is not None:
            self.must_retry = set()

    @precondition(lambda self: self.has_rows() and self.has_ledger())
    @rule(data=st.data())
    def retry(self, data):
        """A bare retry: whom the last run left undone is sent, and nobody is sent whom it may not touch."""
        faults = self.draw_faults(data)
        expected = self.ends(faults, again=True)
        before = set(self.folder.glob("out/2*"))
        code, said = self.go("retry")
        self.strike([])
        if code == 2:
            assert self.must_retry in (None, set()), said
            return
        rows = self.judge(expected, limit=1, halts=True)
        for person, row in rows.items():
            if person in (self.must_retry or ()) and "halt" not in faults.values():
                ends = {end.status for end in expected[person]}
                assert row["status"] in ends, f"{person}: {row}, not {ends}"
        self.learn(expected, rows)
        assert len(set(self.folder.glob("out/2*")) - before) == 1
        assert code in {0, 3, 4, 5}
        self.to_fix = None

    @precondition(lambda self: self.has_rows() and self.to_fix and not self.dirty)
    @rule(data=st.data())
    def retry_the_workbook(self, data):
        """Exactly the rows of the To fix sheet; the others are in the roster beside it."""
        rows_before = Counter(person.serial for person in self.to_fix)
        faults = self.draw_faults(data)
        expected = {p: ends for p, ends in self.ends(faults, again=True).items() if p in self.to_fix}
        code, said = self.go("retry", str(self.folder / "out" / "latest" / "results.xlsx"))
        self.strike([])
        assert code in {0, 3, 4, 5}, said
        told = self.rows()
        assert len(told) == len(self.to_fix)
        by_staff_no = {person.staff_no: person for person in self.doctors}
        self.told = [(by_staff_no[row["staff_no"]], row) for row in told]
        assert Counter(person.serial for person, _ in self.told) == rows_before
        rows = {}
        for person, row in self.told:
            allowed = {end.status for end in expected[person]}
            allowed |= {"not_sent" for end in expected[person] if end.creates and "halt" in faults.values()}
            assert row["status"] in allowed, f"{person}: {row}, not {allowed}"
            self.real(person, row)
            rows[person] = row
        self.learn(expected, rows)
        self.to_fix = None

    @precondition(has_rows)
    @rule()
    def check(self):
        """What `check` says is what a run would find, and nothing is sent."""
        received = len(self.world.received)
        code, said = self.go("check")
        if not self.has_ledger():  # a killed first run left a key and no ledger: still nothing is sent
            assert code in {0, 2, 3}, said
        else:
            assert code in {0, 3}, said
        assert len(self.world.received) == received
        self.told = []
        if code == 2:
            return
        told = {(row["file"], row["row"]): row for row in self.rows("plan.jsonl")}
        assert told.keys() == self.lines.keys()
        for person, ends in self.ends({}).items():
            mine = [row for place, row in told.items() if self.lines[place] is person]
            allowed = {"ready" if end.creates else end.status for end in ends}
            assert {row["status"] for row in spare(mine)[0]} <= allowed, f"{person}: {mine}, not {allowed}"
        self.to_fix = None

    # -- decisions

    def key(self, person) -> str:
        from pipeline.config import load
        from pipeline.ledger.open import read_key
        from pipeline.wiring import tenant_of

        tenant = tenant_of(load(self.folder / "config.yaml", {}))
        return SiteKey(read_key(self.folder / "state" / "ledger.sqlite3"), tenant).person(person.number)

    @precondition(lambda self: self.waits() and self.has_ledger())
    @rule(data=st.data())
    def settle(self, data):
        """Somebody looks into the console some minutes later and says truly what is there."""
        person = data.draw(
            st.sampled_from([p for p in self.doctors if any(state.kind == "open" for state in p.states)])
        )
        self.quiet()
        made = self.seals(person)
        words = ["--seal-id", made[-1].seal_id] if made else ["--not-created"]
        if not made and data.draw(st.booleans()):
            code, _ = self.go("resolve", self.key(person), *words, clock=QuickClock())
            assert code == 2, "before the signature's fence nobody can know"
            return
        code, said = self.go("resolve", self.key(person), *words, clock=Later())
        assert code in ({0} if {state.kind for state in person.states} == {"open"} else {0, 2}), said
        was_open = [state for state in person.states if state.kind == "open"]
        if code == 0:
            after = [
                State("live", state.content, seal_id=made[-1].seal_id)
                if made
                else State("free", refused=state.refused)
                for state in was_open
            ]
        else:
            after = [state for state in person.states if state.kind != "open"]
        person.states = tuple(dict.fromkeys(after))

    @precondition(lambda self: self.told and any(row["status"] == "unknown" for _, row in self.told))
    @rule()
    def settle_by_the_sheet(self):
        """The same for everybody at once, in the Unknown sheet of the last results."""
        self.quiet()
        answers = {
            row["trace_id"]: (
                (self.seals(person)[-1].seal_id, "created") if self.seals(person) else (None, "未创建")
            )
            for person, row in self.told
            if person.known is not None
            and person.known.kind == "open"
            and row["status"] in {"unknown", "exists"}
        }
        people = {row["trace_id"]: person for person, row in self.told if row["trace_id"] in answers}
        book = openpyxl.load_workbook(self.folder / "out" / "latest" / "results.xlsx")
        sheet = next(sheet for sheet in book if sheet.title in WORDS["sheet.unknown"])
        titles = {cell.value: cell.column for cell in sheet[1]}
        filled = 0
        for row in range(2, sheet.max_row + 1):
            trace = next(
                (
                    text
                    for cell in sheet[row]
                    if (text := re.sub(r"\s", "", str(cell.value or ""))) in answers
                ),
                None,
            )
            if trace:
                sheet.cell(row, titles["SealId"], answers[trace][0])
                sheet.cell(row, titles["Conclusion"], answers[trace][1])
                filled += 1
        book.save(self.folder / "filled.xlsx")
        assert filled == len(answers), "whoever is unknown stands on the Unknown sheet"
        code, said = self.go("resolve", str(self.folder / "filled.xlsx"), clock=Later())
        assert code == 0, said
        for trace, person in people.items():
            seal_id, _ = answers[trace]
            state = person.known
            live = State("live", state.content, seal_id=seal_id)
            person.states = (live if seal_id else State("free", refused=state.refused),)

    @precondition(lambda self: any(person.differs and person.is_read for person in self.doctors))
    @rule(data=st.data())
    def decide(self, data):
        """The row differs from its seal: keep the seal, or give it up for a new one."""
        person = data.draw(st.sampled_from([p for p in self.doctors if p.differs and p.is_read]))
        known = person.known
        if data.draw(st.booleans()):
            code, said = self.go("resolve", self.key(person), "--keep")
            picture = known.content.picture if person.content.picture is None else person.content.picture
            kept = type(person.content)(person.content.name, person.content.mobile, picture)
            person.states = (State("live", kept, seal_id=known.seal_id),)
        else:
            self.names += 1
            name = "新" + "".join("〇一二三四五六七八九"[int(digit)] for digit in f"{self.names:02d}") + "章"
            code, said = self.go("resolve", self.key(person), "--replace", "--seal-name", name)
            person.allowed += 1
            person.given_up |= {seal.seal_id for seal in self.seals(person)}
            person.states = (State(),)
        assert code == 0, said

    @precondition(lambda self: self.has_ledger())
    @rule(data=st.data(), words=st.sampled_from([("--keep",), ("--seal-id",), ("--not-created",)]))
    def a_mistake(self, data, words):
        """A decision about somebody who waits for none, or another doctor's SealId, enters nothing."""
        person = data.draw(st.sampled_from(self.doctors))
        others = [
            seal.seal_id
            for each in self.doctors
            if each.known and each.known.kind == "live" and each is not person
            for seal in self.seals(each)
        ]
        opened = any(state.kind == "open" for state in person.states)
        if (words == ("--keep",) and (person.differs or person.known is None)) or (
            words == ("--not-created",) and opened
        ):
            return
        if words == ("--seal-id",):
            if not others:
                return
            words = (*words, others[0])
        code, said = self.go("resolve", self.key(person), *words, clock=Later())
        assert code == 2, said

    @rule(data=st.data())
    def adopt(self, data):
        """Seals made by hand are entered; those of doctors who have one here, or wait for one, are not."""
        people = [p for p in data.draw(st.permutations(self.doctors))[:2] if p.known]
        rows, code = [], 0
        for person in people:
            known = person.known
            if known.kind == "free" and not self.seals(person):
                self.by_hand(person)
                person.states = (State("live", None, seal_id=self.seals(person)[-1].seal_id),)
            elif known.kind == "free":
                continue  # a hidden one: what the clerk copies would be true, too
            elif known.kind == "open":
                code = 3
            seal_id = self.seals(person)[-1].seal_id if self.seals(person) else "yD" + "0" * 30
            rows.append((person.name, person.number, seal_id))
        if rows:
            self.save(self.folder / "old.xlsx", [("姓名", "身份证号", "印章ID"), *rows])
            got, said = self.go("adopt", str(self.folder / "old.xlsx"))
            assert got == code, said

    def by_hand(self, person):
        self.names += 1
        seal = Seal(
            f"yD{person.serial:015d}{self.names:015d}", self.world.tenants[0].organization_open_id, person.number,
            person.name, "ID_CARD", f"旧章{self.names}", "", "file_id", None, None, None, None, None, None, "", 0.0,
        )  # fmt: skip
        self.world.restore([seal])

    # -- the ledger

    def lose(self, *, key=False):
        for each in (self.folder / "state").glob("ledger.sqlite3*"):
            if key or each.suffix not in {".key", ".lock"}:
                each.unlink()
        if self.must_retry is not None:
            self.must_retry = set()

    @precondition(has_ledger)
    @rule(how=st.sampled_from(["lost", "lost", "scrambled", "moved", "back up", "backup"]))
    def care(self, how):
        """The ledger is lost or damaged and comes back from receipts or a backup: the next run knows the same."""
        place = self.folder / "state" / "ledger.sqlite3"
        if how == "back up":
            self.backup = self.folder / f"backup{len(list(self.folder.glob('backup*')))}"
            assert self.go("ledger", "backup", str(self.backup))[0] == 0
            return
        if not (self.folder / "state" / "receipts.jsonl").exists():
            return  # a ledger that `check` made: nothing was ever entered
        if how == "moved":
            path = self.folder / "moving"
            path.unlink(missing_ok=True)
            assert self.go("ledger", "backup", str(path))[0] == 0
            shutil.rmtree(self.folder / "state")
            assert self.go("ledger", "restore", str(path))[0] == 0
        elif how == "scrambled":
            for side in ("-wal", "-shm"):
                place.with_name(place.name + side).unlink(missing_ok=True)
            place.write_bytes(place.read_bytes()[:4096] + os.urandom(9000))
            if self.has_rows():
                assert self.go("run")[0] == 74
            assert self.go("ledger", "rebuild")[0] == 0
            self.lost_runs()
        elif how == "backup" and self.backup is None:
            return
        else:
            self.lose()
            if self.has_rows():
                assert self.go("run")[0] == 2, "a new ledger would make every doctor new"
            code = self.go("ledger", "restore", str(self.backup))[0] if how == "backup" else 2
            assert code in {0, 2}
            if code == 2:
                assert self.go("ledger", "rebuild")[0] == 0
            self.lost_runs()
        code, said = self.go("ledger", "check")
        assert code == 0, said

    def lost_runs(self):
        """Receipts keep what guards the doctors; which runs there were is not among it."""
        self.must_retry = None if self.must_retry is None else set()

    # -- what always holds

    @invariant()
    def nobody_has_a_seal_too_many(self):
        count = Counter(seal.number for seal in list(self.world.seals))
        for person in self.doctors:
            assert count[person.number] <= person.allowed, f"{person} has {count[person.number]} seals"

    @invariant()
    def every_other_seal_is_open(self):
        """A seal that nobody was told of belongs to somebody who may be open, or was refused without a reason."""
        for person in self.doctors:
            if self.seals(person):
                assert any(state.kind != "free" or state.hidden for state in person.states), person

    def teardown(self):
        """In the end everybody is put back: nobody is forgotten, and a second rerun changes nothing."""
        if not self.doctors:
            return
        for person in self.doctors:
            person.sound, person.files = True, person.files or (0,)
            if person.content.picture is None:
                person.content = type(person.content)(person.content.name, person.content.mobile, 0)
                self.draw(person)
        self.dirty = True
        self.night({})
        for person in self.doctors:
            known = person.known
            assert known is not None
            told = {known.seal_id} if known.seal_id else set()
            assert (
                {seal.seal_id for seal in self.seals(person)} - told == set()
                or known.kind == "open"
                or known.hidden
            )
        received = len(self.world.received)
        before = [
            (row["file"], row["row"], row["status"].replace("sealed", "unchanged")) for _, row in self.told
        ]
        self.night({})
        assert len(self.world.received) == received, "an unchanged night makes no call"
        assert [(row["file"], row["row"], row["status"]) for _, row in self.told] == before
        assert self.go("ledger", "check")[0] == 0
        self.world.forget()
        shutil.rmtree(self.folder, ignore_errors=True)


def test_any_life_of_a_hospital(hospital_with, tmp_path):
    hospital = hospital_with(api={"timeout_seconds": 2})
    assert signal.getsignal(signal.SIGTERM) is not None
    profile = settings(
        max_examples=int(LONG or 0) or 8,
        stateful_step_count=30 if LONG else 12,
        derandomize=not LONG,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=[
            Phase.generate
        ],  # a life of thirty nights shrinks for an hour; its steps are printed as they are
    )
    with Zygote() as zygote:
        run_state_machine_as_test(partial(Hospital, hospital, zygote, tmp_path), settings=profile)
