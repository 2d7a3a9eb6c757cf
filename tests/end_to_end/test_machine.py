"""Random years of a hospital: rosters edited, runs with faults and kills, decisions, lost ledgers and journals.

The real command line against the real sandbox; machine_model.py says what may come of it. After each step nobody has a
seal too many, what is told as a seal is one and the right doctor's, and what nobody was told is open.
"""

import errno
import os
import shutil
import sys
from collections import Counter
from functools import partial, wraps
from random import Random

from crash_support import Zygote, read_places
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test
from machine_life import FILES, LONG, MOST, ROWS, SimulatedHospital
from machine_model import CREATE, VERSIONS, Content, State, spare
from resolution_support import LaterClock
from run_support import QuickClock

from pipeline.planning import guards

POINTS = (
    "ledger: before the journals",
    "journal: before the append",
    "journal: before the fsync",
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
# where a create is in the air; what was carried out and not yet told is the worst of it
IN_THE_AIR = (
    *(point for point in POINTS if point.startswith(("a piece", "ledger", "journal", "create"))),
    *(3 * [point for point in POINTS if point.startswith(CREATE)]),
)
WRITES = tuple(
    point
    for point in POINTS
    if point.endswith(("before the append", "before the fsync", "before the commit")) or "results" in point
)


# One die a step: where a kill hits is the machine's chance, so what is drawn from hypothesis must not hang on it.
DICE = st.builds(Random, st.integers(0, 2**32 - 1))

# what becomes of the ledger, its folder or one place of the journals
CARES = ("back up", "older", "older", "deleted", "scrambled", "folder lost", "state lost", "share lost")


def when(condition):
    """Let a step pass over a hospital to which it cannot happen."""

    def perhaps(step):
        @wraps(step)
        def taken(self, **drawn):
            if condition(self):
                step(self, **drawn)

        return taken

    return perhaps


class Hospital(SimulatedHospital):
    """What may happen to a hospital."""

    @rule(dice=DICE)
    def edit(self, dice):
        """A row more or less, a cell changed, a picture changed, taken away or put back, the files sorted or renamed."""
        what = dice.choice(["hire", "name", "mobile", "picture", "no picture", "number", "files", "order"])
        self.dirty |= what not in {"picture", "no picture"}
        rows = sum(len(person.files) for person in self.doctors)
        if what == "hire" and len(self.doctors) < MOST and rows < ROWS:
            return self.hire((dice.randint(0, 1),))
        if what == "order":
            self.doctors = dice.sample(self.doctors, len(self.doctors))
            self.files = dice.sample(range(len(FILES)), 2)
            return None
        person = dice.choice(self.doctors)
        versions = {
            "name": person.content.name,
            "mobile": person.content.mobile,
            "picture": person.content.picture,
        }
        if what in versions:
            versions[what] = dice.randint(0, VERSIONS - 1)
        elif what == "no picture":
            versions["picture"] = None
        elif what == "number":
            person.sound = not person.sound
        elif what == "files":
            choices = [(), (0,), (1,), (0, 1)]
            person.files = dice.choice(choices if rows < ROWS else choices[:2])
        person.content = Content(**versions)
        self.draw(person)
        return None

    @rule(dice=DICE)
    @when(SimulatedHospital.has_rows)
    def run(self, dice):
        """Run to the end."""
        self.run_and_judge(self.draw_faults(dice))

    @rule(dice=DICE, limit=st.integers(1, 3))
    @when(SimulatedHospital.has_rows)
    def run_with_a_limit(self, dice, limit):
        self.run_and_judge(self.draw_faults(dice), "--limit", str(limit), limit=limit)

    @rule(dice=DICE)
    def a_run_cut_short(self, dice):
        """kill -9, most often; a disk that fails; SIGTERM: at a point of a run that has something to send."""
        rows = sum(len(person.files) for person in self.doctors)
        if rows < ROWS and not any(person.is_read and State() in person.states for person in self.doctors):
            self.hire()
        if not self.has_rows():
            return
        count = dice.choice([1, 1, 1, 2, 3])
        sent = len(self.service.received)
        match dice.choice(["kill", "kill", "kill", "kill", "disk", "signal"]):
            case "kill":
                ended = self.cut_short(dice, dice.choice(IN_THE_AIR), count)
                assert ended["signal"] in {None, 9}
            case "disk":
                fault = dice.choice([errno.ENOSPC, errno.EIO])
                ended = self.cut_short(dice, dice.choice(WRITES), count, fail=fault)
                assert ended["signal"] is None
            case _:
                ended = self.cut_short(dice, dice.choice(POINTS), count, signals=[15])
                drained = ended["signal"] is None or len(self.service.received) == sent
                assert drained, "once anything may be sent, a signal drains"

    @rule(dice=DICE)
    @when(lambda self: self.has_rows() and self.has_ledger())
    def retry(self, dice):
        """A bare retry: whom the last run left undone is sent, and nobody is sent whom it may not touch."""
        faults = self.draw_faults(dice)
        expected = self.ends(faults, again=True)
        before = set(self.folder.glob("out/2*"))
        code, stderr_text = self.go("retry")
        self.quiet()
        self.strike([])
        if code == 2:
            assert self.must_retry in (None, set()), stderr_text
            return
        rows = self.judge(expected, limit=1, halts=True)
        for person, row in rows.items():
            if person in (self.must_retry or ()) and "halt" not in faults.values():
                ends = {end.status for end in expected[person]}
                assert row["status"] in ends, f"{person}: {row}, not {ends}"
        self.learn(expected, rows)
        assert len(set(self.folder.glob("out/2*")) - before) == 1
        assert code in {0, 3, 4, 5}

    @rule()
    @when(SimulatedHospital.has_rows)
    def check(self):
        """What `check` says is what a run would find, and nothing is sent."""
        received = len(self.service.received)
        code, stderr_text = self.go("check")
        assert code in {0, 3}, stderr_text
        assert len(self.service.received) == received
        self.reported_rows = []
        row_by_line = {(row["file"], row["row"]): row for row in self.rows("plan.jsonl")}
        assert row_by_line.keys() == self.lines.keys()
        for person, ends in self.ends({}).items():
            mine = [row for line, row in row_by_line.items() if self.lines[line] is person]
            allowed = {"ready" if end.creates else end.status for end in ends}
            assert {row["status"] for row in spare(mine)[0]} <= allowed, f"{person}: {mine}, not {allowed}"

    # -- decisions

    @rule(dice=DICE)
    @when(lambda self: self.waits() and self.has_ledger())
    def settle(self, dice):
        """Somebody looks into the console some minutes later and says truly what is there."""
        person = dice.choice([p for p in self.doctors if any(state.kind == "open" for state in p.states)])
        self.quiet()
        if {state.kind for state in person.states} == {"open"}:
            self.slip(dice, person, "--sure", "--seal-id", f"yD{dice.randrange(10**30):030d}")
        made = self.seals(person)
        options = ["--sure", "--seal-id", made[-1].seal_id] if made else ["--not-created", "--sure"]
        if not made and dice.random() < 0.5:
            code, _ = self.go("resolve", self.key(person), *options, clock=QuickClock())
            assert code == 2, "before the signature has expired it cannot be known"
            return
        code, stderr_text = self.go("resolve", self.key(person), *options, clock=LaterClock())
        assert code in ({0} if {state.kind for state in person.states} == {"open"} else {0, 2}), stderr_text
        was_open = [state for state in person.states if state.kind == "open"]
        if code == 0:
            after = [state.settled(made[-1].seal_id if made else None) for state in was_open]
        else:
            after = [state for state in person.states if state.kind != "open"]
        person.states = tuple(dict.fromkeys(after))

    @rule(dice=DICE)
    @when(lambda self: any(person.differs and person.is_read for person in self.doctors))
    def decide(self, dice):
        """The row differs from its seal: keep the seal, or give it up for a new one."""
        person = dice.choice([p for p in self.doctors if p.differs and p.is_read])
        known = person.known
        self.slip(dice, person, "--keep")
        if dice.random() < 0.5:
            code, stderr_text = self.go("resolve", self.key(person), "--keep")
            picture = known.content.picture if person.content.picture is None else person.content.picture
            kept = Content(person.content.name, person.content.mobile, picture)
            person.states = (State("live", kept, seal_id=known.seal_id),)
        else:
            self.names += 1
            name = "新" + "".join("〇一二三四五六七八九"[int(digit)] for digit in f"{self.names:02d}") + "章"
            code, stderr_text = self.go("resolve", self.key(person), "--replace", "--seal-name", name)
            person.allowed += 1
            person.given_up |= {seal.seal_id for seal in self.seals(person)}
            person.states = (State(),)
        assert code == 0, stderr_text

    def slip(self, dice, person, *options):
        """Sometimes a decision is wrong, and withdrawn before the next run: nothing is different."""
        if dice.random() < 0.4:
            for words in (options, ("--withdraw",)):
                code, stderr_text = self.go("resolve", self.key(person), *words, clock=LaterClock())
                assert code == 0, stderr_text

    @rule(dice=DICE, options=st.sampled_from([("--keep",), ("--seal-id",), ("--not-created", "--sure")]))
    @when(lambda self: self.has_ledger())
    def a_mistake(self, dice, options):
        """A decision about somebody who waits for none, or another doctor's SealId, enters nothing."""
        person = dice.choice(self.doctors)
        others = [
            seal.seal_id
            for doctor in self.doctors
            if doctor.known and doctor.known.kind == "live" and doctor is not person
            for seal in self.seals(doctor)
        ]
        opened = any(state.kind == "open" for state in person.states)
        if (options == ("--keep",) and (person.differs or person.known is None)) or (
            options == ("--not-created", "--sure") and opened
        ):
            return
        if options == ("--seal-id",):
            if not others:
                return
            options = (*options, others[0], "--sure")
        code, stderr_text = self.go("resolve", self.key(person), *options, clock=LaterClock())
        assert code == 2, stderr_text

    @rule(dice=DICE)
    def adopt(self, dice):
        """Seals made by hand are entered; those of doctors who have one here, or wait for one, are not."""
        people = [p for p in dice.sample(self.doctors, min(2, len(self.doctors))) if p.known]
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
            got, stderr_text = self.go("adopt", str(self.folder / "old.xlsx"))
            assert got == code, stderr_text

    # -- the ledger

    @rule(how=st.sampled_from(CARES))
    @when(SimulatedHospital.has_ledger)
    def care(self, how):
        """The ledger, its folder or one place of the journals is lost, damaged or older: the next command knows the same."""
        ledger_path = self.folder / "state" / "ledger.sqlite3"
        if how == "back up" or (how == "older" and self.backup is None):
            self.backup = self.folder / f"backup{len(list(self.folder.glob('backup*')))}"
            assert self.go("ledger", "backup", str(self.backup))[0] == 0
            return
        places = read_places(self.folder)
        if how in {"state lost", "share lost"}:
            if self.has_rows():
                shutil.rmtree(places.lock_base if how == "state lost" else places.share)
                assert self.go("ledger", "check")[0] == 74
                self.run_and_judge({})  # it writes what the place lacks
        elif how == "folder lost":
            shutil.rmtree(self.folder / "state")
        elif how == "scrambled":
            for side in ("-wal", "-shm"):
                ledger_path.with_name(ledger_path.name + side).unlink(missing_ok=True)
            ledger_path.write_bytes(ledger_path.read_bytes()[:4096] + os.urandom(9000))
            if self.go("ledger", "check")[0] == 74:  # after a kill one journal may hold a line more
                self.hospital.lose_ledger()
        else:
            self.hospital.lose_ledger()
            if how == "older":
                assert self.go("ledger", "restore", str(self.backup))[0] == 0
        code, stderr_text = self.go("ledger", "check")
        is_empty = all(person.states == (State(),) for person in self.doctors)
        assert code in ({0, 2} if is_empty else {0}), stderr_text

    # -- what always holds

    @invariant()
    def every_seal_has_a_reason(self):
        count = Counter(seal.number for seal in list(self.service.seals))
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
                person.content = Content(person.content.name, person.content.mobile, 0)
                self.draw(person)
        self.dirty = True
        self.run_and_judge({})
        for person in self.doctors:
            kinds = {state.kind for state in person.states}
            assert len(kinds) == 1, f"after a whole run there is no doubt about {person}"
            if kinds == {"live"}:
                assert {seal.seal_id for seal in self.seals(person)} == {person.states[0].seal_id}
        received = len(self.service.received)
        before = [
            (row["file"], row["row"], row["status"].replace("sealed", "unchanged"))
            for _, row in self.reported_rows
        ]
        self.run_and_judge({})
        assert len(self.service.received) == received, "an unchanged run makes no call"
        assert [(row["file"], row["row"], row["status"]) for _, row in self.reported_rows] == before
        assert self.go("ledger", "check")[0] == 0
        self.service.reset()
        shutil.rmtree(self.folder, ignore_errors=True)


def test_random_runs_of_a_hospital(hospital_with, tmp_path, monkeypatch):
    monkeypatch.setattr(guards, "EXISTING_NAMES", sys.maxsize)  # the model knows no guards
    hospital = hospital_with(api={"timeout_seconds": 2})
    profile = settings(
        max_examples=int(LONG or 0) or 3,
        stateful_step_count=40 if LONG else 11,
        derandomize=not LONG,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=[
            Phase.generate
        ],  # an example of thirty runs shrinks for an hour; its steps are printed as they are
    )
    with Zygote() as zygote:
        run_state_machine_as_test(partial(Hospital, hospital, zygote, tmp_path), settings=profile)
