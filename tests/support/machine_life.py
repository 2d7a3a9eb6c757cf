"""A hospital's folder, its sandbox and its command line, with the model beside them: what test_machine.py plays on."""

import csv
import io
import json
import os
import shutil
import time
import urllib.request
from asyncio import all_tasks
from collections import Counter
from contextlib import redirect_stderr
from pathlib import Path

import openpyxl
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize
from machine_model import (
    CREATE,
    FAULTS,
    LATE,
    UNSEALED,
    End,
    Person,
    State,
    fault_file,
    needs_picture_alone,
    spare,
)
from run_support import QuickClock, draw_seal, newest_results

from pipeline.cli.app import main
from pipeline.config.settings import Config
from pipeline.domain.site_key import SiteKey
from pipeline.ledger.disk import key_path
from pipeline.messages.catalogue import render
from pipeline.sandbox.actions import Rules, Seal
from pipeline.sandbox.faults import Faults, parse_faults

LONG = os.environ.get("MACHINE")
FILES = ("a.csv", "乙院.csv", "c.csv", "d.xlsx")
HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室")
MOST = 8  # doctors
ROWS = 9  # of ten and more a guard would miss those that are gone
GRAVITY = (4, 5, 3, 0)


class SimulatedHospital(RuleBasedStateMachine):
    """A hospital's folder, its sandbox, and what the model says of both."""

    def __init__(self, hospital, zygote, home: Path):
        super().__init__()
        self.hospital, self.zygote, self.service = hospital, zygote, hospital.service
        hospital.folder = self.folder = home / f"life{sum(1 for _ in home.glob('life*'))}"
        (self.folder / "seals").mkdir(parents=True)
        shutil.copytree(home / "secrets", self.folder / "secrets")
        shutil.copyfile(home / "config.yaml", self.folder / "config.yaml")
        hospital.forget_ledger()  # the life before was the same tenant's
        self.doctors: list[Person] = []
        self.files = [0, 1]  # which of FILES the rosters of the first and the second ward are
        self.lines: dict[tuple[str, int], Person] = {}  # (file, row) of the rosters as they are now
        self.dirty = True
        self.reported_rows: list[tuple[Person, dict]] = []  # rows of the results of the last run or retry
        self.must_retry: set[Person] | None = (
            None  # whom a bare retry certainly takes up; None: it finds no run
        )
        self.backup: Path | None = None
        self.names = 0  # seal names given by hand so far

    # -- the world

    @initialize(names=st.sampled_from(["off", "code", "bare"]), doctors=st.integers(3, 5))
    def begin(self, names, doctors):
        self.enforced = names != "off"
        self.service.rules = Rules(limiter="none", unique_names=names)
        self.service.reset()
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
        mine = [seal for seal in list(self.service.seals) if seal.number == person.number]
        return [seal for seal in mine if seal.seal_id not in person.given_up]

    # -- rosters

    def hire(self, files=(0,)):
        person = Person(len(self.doctors) + 1, files=files)
        self.doctors.append(person)
        self.draw(person)
        self.dirty = True

    def draw(self, person):
        picture_path = self.folder / "seals" / f"{person.staff_no}.png"
        picture_path.unlink(missing_ok=True)
        if person.picture is not None:
            draw_seal(picture_path, person.picture)

    def write(self):
        """Put the rosters on the disk where they differ from it."""
        if not self.dirty:
            return
        inbox = self.folder / "inbox"
        shutil.rmtree(inbox, ignore_errors=True)
        inbox.mkdir()
        self.lines = {}
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

    def go(self, *arguments, clock=None) -> tuple[int, str]:
        """Run the command line; return its exit code and what it said."""
        self.write()
        shown = io.StringIO()
        arguments = ["--config", str(self.folder / "config.yaml"), "--lang", "en", *arguments]
        self.hospital.service_clock.ahead = getattr(clock, "passed", 0.0)
        with redirect_stderr(shown):
            code = main(arguments, clock=clock or QuickClock())
        self.hospital.service_clock.ahead = 0.0
        assert "bug" not in shown.getvalue(), shown.getvalue()
        return code, shown.getvalue()

    def creates(self) -> int:
        return sum(call.action == CREATE for call in list(self.service.received))

    def rows(self, file="outcomes.jsonl") -> list[dict]:
        text = (newest_results(self.folder / "out") / file).read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def ends(self, faults, *, again=False):
        return {
            person: person.ends(faults.get(person), enforced=self.enforced, again=again)
            for person in self.doctors
            if person.files
        }

    def draw_faults(self, dice) -> dict[Person, str]:
        kinds = [*FAULTS, *(LATE if LONG else ())]
        if not self.enforced:
            kinds.remove("lie")  # a service that makes a seal, denies it and takes a second: nothing helps
        # somebody for whom a create may be sent: a fault strikes nobody else
        people = [p for p in self.doctors if p.is_read and any(state.kind == "free" for state in p.states)]
        struck = dice.sample(people, min(len(people), dice.choice([0, 1, 2, 3, 3])))
        faults = {person: dice.choice(kinds) for person in struck}
        uploads = dice.choice([[], [], ["reset_after"], ["throttle"], [{"http_502": "before"}]])
        upload = [{"match": {"action": "UploadFiles", "nth": [1]}, "do": do} for do in uploads]
        note(f"{faults}, uploads: {uploads}")
        self.strike([*fault_file(faults), *upload])
        return faults

    def run_and_judge(self, faults, *arguments, limit=None):
        expected = self.ends(faults)
        sent = self.creates()
        code, stderr_text = self.go("run", *arguments)
        self.quiet()
        self.strike([])
        rows = self.judge(expected, limit=limit, halts="halt" in faults.values())
        least, most = self.learn(expected, rows)
        assert least <= self.creates() - sent <= most, (
            f"{self.creates() - sent} creates, not {least} to {most}"
        )
        self.must_retry = {p for p, row in rows.items() if row["status"] in UNSEALED}
        self.next_steps(code, stderr_text, limit)

    def judge(self, expected, *, limit, halts) -> dict[Person, dict]:
        """Hold the results against the rosters: every row once, the sums, each doctor's possible ends."""
        self.reported_rows = [(self.lines[row["file"], row["row"]], row) for row in self.rows()]
        record = self.hospital.record()
        assert (
            len({(row["file"], row["row"]) for _, row in self.reported_rows})
            == len(self.reported_rows)
            == len(self.lines)
        )
        assert record["rows"] == len(self.reported_rows)
        statuses = Counter(row["status"] for _, row in self.reported_rows)
        assert {status: n for status, n in record["statuses"].items() if n} == statuses
        reported = {}
        for person, ends in expected.items():
            mine = [row for who, row in self.reported_rows if who is person]
            speaking, copies = spare(mine)
            allowed = {end.status for end in ends}
            if limit is not None or halts:
                allowed |= {"not_sent" for end in ends if end.creates}
            assert {row["status"] for row in speaking} <= allowed, f"{person}: {speaking}, not {allowed}"
            # of two rows without a picture neither is valid, so neither is the other's spare copy
            alike = not copies and len({row["status"] for row in mine}) == 1
            assert len(speaking) == 1 or (alike and (person.content.picture is None or not person.sound))
            reported[person] = speaking[0]
            self.real(person, speaking[0])
        return reported

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
                    End("not_sent", state)
                    for state, end in zip(person.states, expected[person], strict=True)
                    if end.creates
                ]
            if row["status"] == "not_sent":  # struck by the code that stops a run, or held up by it
                fitting += [End("not_sent", end.state) for end in fitting if end.creates]
            least += min(end.creates for end in fitting)
            most += max(end.creates for end in fitting)
            states = [end.state for end in fitting]
            if row["seal_id"]:
                states = [State("live", state.content, seal_id=row["seal_id"]) for state in states]
            person.states = tuple(dict.fromkeys(states))
        return least, most

    def next_steps(self, code, reported, limit):
        """The exit code and the last words follow from the rows."""
        statuses = Counter(row["status"] for _, row in self.reported_rows if not spare([row])[1])
        halted = self.hospital.record()["halted"]
        codes = {0, 4 if halted else 0}
        codes |= {3} if set(statuses) & {"unknown", "exists", "changed", "failed", "rejected"} else set()
        codes |= {5} if statuses["not_sent"] and (limit is None or halted) else set()
        assert code == min(codes, key=GRAVITY.index), reported
        sheets = {entry: render(f"sheet.{entry}", "en") for entry in ("fix", "unknown", "all")}
        folder = self.folder / "seals"
        pictures = sum(needs_picture_alone(row) for _, row in self.reported_rows if not spare([row])[1])
        missing = [row for _, row in self.reported_rows if "IMAGE_MISSING" in row["codes"]]
        # one step for IT in place of those on single pictures
        has_no_pictures = not any(folder.iterdir()) and any(row["status"] == "rejected" for row in missing)
        for key, n, more in (
            (
                "next.pictures",
                0 if has_no_pictures else pictures,
                {"sheet": sheets["fix"], "tasks": "…"},
            ),
            # a run that has to be repeated sends the corrected rows, too
            (
                "next.fix",
                0 if halted or statuses["not_sent"] or has_no_pictures else statuses["rejected"] - pictures,
                {"sheet": sheets["fix"]},
            ),
            ("next.unknown", statuses["unknown"] + statuses["exists"], {"sheet": sheets["unknown"]}),
            (
                "next.changed",
                statuses["changed"],
                {"sheet": sheets["all"], "status": render("status.changed", "en")},
            ),
            ("next.again", statuses["not_sent"] if not halted else 0, {}),
            ("next.failed", statuses["failed"], {"sheet": sheets["fix"]}),
            ("next.halted", 1 if halted else 0, {}),
            (
                "next.nothing",
                0 if set(statuses) - {"sealed", "unchanged"} or self.absent(reported) else 1,
                {},
            ),
        ):
            parts = render(key, "en", n=n, **more).split("…")
            assert all(part in reported for part in parts) == bool(n), f"{key}: {reported}"

    def absent(self, reported) -> int:
        """People with an open create whom the rosters do not name: told, and as many as there are."""
        away = [person for person in self.doctors if not person.is_read]
        surely = sum({state.kind for state in person.states} == {"open"} for person in away)
        perhaps = sum(any(state.kind == "open" for state in person.states) for person in away)
        message = [n for n in range(1, MOST + 1) if render("next.absent", "en", n=n) in reported]
        count = message[0] if message else 0
        assert surely <= count <= perhaps, f"{count} told, {surely} to {perhaps} are away"
        return count

    def cut_short(self, dice, point, count, **order) -> dict:
        """Let something happen at a point of a run; return how it ended. What it did not tell may be any way."""
        faults = self.draw_faults(dice)
        self.write()
        ended = self.zygote.run(self.hospital, **{"name": point, "pass": count}, unguarded=True, **order)
        self.quiet()
        self.strike([])
        assert ended["code"] in {None, 0, 3, 4, 5, 74, 143}, ended
        for person, ends in self.ends(faults).items():
            person.cut_short(ends)
        self.reported_rows = []
        if self.must_retry is not None or ended["code"] is not None:
            self.must_retry = set()
        return ended

    def key(self, person) -> str:
        tenant = Config.load(self.folder / "config.yaml", environment={}).tenant
        secret = key_path(self.folder / "state" / "ledger.sqlite3").read_bytes()
        return SiteKey(secret, tenant).person(person.number)

    def by_hand(self, person):
        self.names += 1
        seal = Seal(
            f"yD{person.serial:015d}{self.names:015d}", self.service.tenants[0].organization_open_id, person.number,
            person.name, "ID_CARD", f"旧章{self.names}", "", "file_id", None, None, None, None, None, None, "", 0.0,
        )  # fmt: skip
        self.service.restore_seals([seal])
