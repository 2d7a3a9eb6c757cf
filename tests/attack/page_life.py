"""The life of a hospital on the page: two clerks with old tabs, rosters that move under them, commands between, faults.

The judge is what the service was sent.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random

from attack.clerk import REFUSED, TAKEN
from attack.marks import read_mark
from attack.page_clerk import Clerk, Intent
from attack.page_hospital import Human, PageHospital, write_down
from attack.page_stage import PageStage
from attack.stage import CREATE, read_lines

LATER = 640.0  # seconds, after which no late copy of a create is accepted
FAULTS = ("reset_after", "reset_before", "throttle", TAKEN, REFUSED)
KEPT = 8  # tabs that a clerk leaves open
ACTS = {
    "change_roster": 9, "look": 10, "leave_open": 8, "send_old_tab": 8, "drop_pictures": 5, "drop_roster": 1,
    "drop_zip": 1, "command": 4, "send": 3, "strike": 4, "wait": 1,
}  # fmt: skip
PAGES = {"pictures": 6, "rows": 6, "review": 3, "cases": 6, "decisions": 3, "send": 2, "drop": 2}


@dataclass
class PageLifeCounts:
    """What came of one hospital."""

    profile: str = "page"
    seed: int = 0
    steps: int = 0
    runs: int = 0
    rows: int = 0  # of the last run
    people: int = 0
    seals: int = 0
    wrong: int = 0
    only_checks: int = 0  # wrong, and no run had read a row of the picture's owner
    second: int = 0
    false: int = 0
    lost: int = 0  # results that lack rows, or have too many
    slips_sent: int = 0  # seals made of rows that named two humans
    needless: int = 0  # rows held at the end though the picture lies under the own number
    needless_people: int = 0
    remarks: list[str] = field(default_factory=list)
    held_doctors: list[str] = field(default_factory=list)


class PageLife:
    """One hospital from its first check to the run that leaves nothing to wish for."""

    def __init__(self, pages: PageStage, dice: Random, *, size: int | None = None) -> None:
        self.stage, self.pages, self.dice = pages.stage, pages, dice
        self.counts = PageLifeCounts()
        self.hospital = PageHospital(self.stage, dice, size)
        self.clerks = [Clerk(name, self.hospital, pages, dice) for name in ("Li", "Wu")]
        self.seen_by_run: set[int] = set()
        self.judged: set[str] = set()  # folders of results
        self.known_seals: set[str] = set()

    def live(self, steps: int) -> None:
        """Play the life."""
        self.drop_zip(len(self.hospital.humans) // 2)
        self.command("check")
        for step in range(1, steps + 1):
            self.hospital.log.append(f"step {step}")
            (act,) = self.dice.choices(list(ACTS), list(ACTS.values()))
            getattr(self, act)()
            if self.dice.random() < 0.8:
                self.settle()
            self.counts.steps = step
            if self.counts.wrong or self.stage.counts.remarks:
                break
        self.end()

    # -- acts

    def change_roster(self) -> None:
        self.hospital.change_roster()
        if self.dice.random() < 0.6:
            self.command("check")

    def look(self) -> None:
        """Look at a page, and do at once one or all of what is to be done there."""
        clerk = self.dice.choice(self.clerks)
        intents = self.look_at_some_page(clerk)
        self.dice.shuffle(intents)
        for intent in intents if self.dice.random() < 0.3 else intents[:1]:
            if intent.kind != "send":
                self.do(clerk, intent)

    def look_at_some_page(self, clerk: Clerk) -> list[Intent]:
        """Return what is to be done on the first page, by chance, on which there is something."""
        pages = dict(PAGES)
        while pages:
            (page,) = self.dice.choices(list(pages), list(pages.values()))
            del pages[page]
            if intents := clerk.look(page):
                return intents
        return []

    def leave_open(self) -> None:
        """Look at a page, and leave its forms for later."""
        clerk = self.dice.choice(self.clerks)
        intents = [intent for intent in self.look_at_some_page(clerk) if not intent.is_slip]
        clerk.kept += self.dice.sample(intents, min(len(intents), 3))
        clerk.kept = clerk.kept[-KEPT:]

    def send_old_tab(self) -> None:
        """Do what was left open for some time."""
        clerk = self.dice.choice(self.clerks)
        for _ in range(self.dice.randint(1, 2)):
            if clerk.kept:
                self.do(clerk, clerk.kept.pop(self.dice.randrange(len(clerk.kept))))

    def do(self, clerk: Clerk, intent: Intent) -> None:
        if clerk.send(intent) and intent.is_slip:
            self.take_back(clerk, intent)

    def take_back(self, clerk: Clerk, intent: Intent) -> None:
        """See one's own slip, and withdraw it before anything is sent."""
        self.settle()
        page, kind = ("pictures", "withdraw") if intent.kind == "give" else ("review", "judge")
        for other in clerk.look(page):
            if other.kind == kind and other.picture == intent.picture and not other.is_slip:
                clerk.send(other)

    def drop_pictures(self) -> None:
        """Drop pictures of some doctors: first ones, new scans, and those of doctors who left."""
        clerk, hospital = self.dice.choice(self.clerks), self.hospital
        for human in self.choose_humans(self.dice.randint(1, 3)):
            human.drawing = (human.drawing + (self.dice.random() < 0.2)) % 16
            name = hospital.name_picture(human)
            outcome = clerk.drop(name, hospital.draw(human))
            hospital.log.append(f"  {clerk.name} drops {name} of {human}: {outcome}")

    def choose_humans(self, most: int) -> list[Human]:
        """Return some doctors, those first whose picture nobody has dropped yet."""
        humans = self.dice.sample(self.hospital.humans, len(self.hospital.humans))
        drawn = set(self.hospital.pictures.values())
        return sorted(humans, key=lambda human: human.serial in drawn and self.dice.random() < 0.7)[:most]

    def drop_zip(self, most: int = 3) -> None:
        clerk, hospital = self.dice.choice(self.clerks), self.hospital
        humans = self.choose_humans(most)
        outcome = clerk.drop("pictures.zip", hospital.make_zip(humans))
        hospital.log.append(f"  {clerk.name} drops a zip of {', '.join(map(str, humans))}: {outcome}")

    def drop_roster(self) -> None:
        """Drop a roster as it is now, in another order."""
        clerk, hospital = self.dice.choice(self.clerks), self.hospital
        file = self.dice.choice(list(hospital.rosters))
        former = hospital.rosters[file]
        # a slip that comes later is none of the dropped file's
        lines = [replace(line, cells=dict(line.cells)) for line in self.dice.sample(former, len(former))]
        if self.dice.random() < 0.5:
            lines = [write_down(line.human) for line in lines]
        path = self.stage.folder / "inbox" / file
        kept = path.read_bytes()
        hospital.rosters[file] = lines
        hospital.write(file)
        data = path.read_bytes()
        path.write_bytes(kept)
        hospital.rosters[file] = former
        hospital.versions.append((file, lines))
        outcome = clerk.drop(file, data)
        hospital.log.append(f"  {clerk.name} drops {file}: {outcome}")
        if outcome == "waiting" and self.dice.random() < 0.7:
            for intent in clerk.look("drop"):
                self.do(clerk, intent)

    def command(self, *words: str) -> None:
        """Run a command between the page's own."""
        self.settle()
        if not words:
            some = ("run", "--accept-guards", "--limit", str(self.dice.randint(1, 4)))
            words = self.dice.choice([("check",), ("run", "--accept-guards"), some, ("retry",), ("run",)])
        ended = self.stage.go(*words, later=self.pages.clock.ahead)
        self.hospital.log.append(f"  {' '.join(words)}: {ended.code}")
        if ended.code not in {0, 3, 5, *([2] if words[0] == "retry" else [])}:
            self.stage.counts.remarks.append(
                f"{' '.join(words)} ended with {ended.code}: {ended.output[-300:]}"
            )
        self.judge()

    def send(self) -> None:
        """Send from the page, after a look at it or from an old tab."""
        clerk = self.dice.choice(self.clerks)
        intents = clerk.look("send")
        if intents:
            self.do(clerk, self.dice.choice(intents))
        self.settle()

    def strike(self) -> None:
        """Let the service meet the creates of some doctors with faults, or with none any more."""
        struck = self.dice.sample(self.hospital.lines, min(len(self.hospital.lines), self.dice.randint(0, 4)))
        faults = [(line.cells["name"], self.dice.choice(FAULTS)) for line in struck]
        self.stage.strike(
            *({"match": {"action": CREATE, "user_name": name}, "do": do} for name, do in faults)
        )
        self.hospital.log.append(f"  strikes {faults}")

    def wait(self) -> None:
        self.pages.clock.ahead += LATER

    def settle(self) -> None:
        self.pages.settle()
        self.judge()

    # -- the judge

    def judge(self) -> None:
        """Compare what was sent and written since the last look with what is true."""
        hospital, out = self.hospital, self.stage.folder / "out"
        rows = Counter(
            (file, row) for file, lines in hospital.rosters.items() for row in range(2, len(lines) + 2)
        )
        has_run = False
        for folder in (
            sorted(path for path in out.iterdir() if (path / "files.jsonl").exists()) if out.exists() else []
        ):
            record = json.loads((folder / "run.json").read_text("utf-8"))
            if folder.name == "latest" or folder.name in self.judged or record["command"] == "retry":
                continue
            self.judged.add(folder.name)
            is_run = record["command"] == "run"
            has_run |= is_run
            self.counts.runs += is_run
            lines = read_lines(folder / ("outcomes.jsonl" if is_run else "plan.jsonl"))
            listed = Counter((line["file"], line["row"]) for line in lines)
            if listed != rows:
                self.counts.lost += 1
                hospital.log.append(f"  LOST {folder.name}: {rows - listed}, too many {listed - rows}")
        if has_run:
            self.seen_by_run |= {line.human.serial for line in hospital.lines}
            self.judge_seals()

    def judge_seals(self) -> None:
        """Look at each new seal: whose number it bears, and whose mark."""
        counts, stage, hospital = self.counts, self.stage, self.hospital
        for seal in list(stage.service.seals):
            if seal.seal_id in self.known_seals:
                continue
            self.known_seals.add(seal.seal_id)
            owner, mark = stage.owner(seal.number), read_mark(stage.service.pictures[seal.picture])
            human = next(one for one in hospital.humans if one.serial == owner)
            hospital.log.append(f"  seal of {human} under the name {seal.name}: mark {mark}")
            if seal.name not in human.names:
                counts.slips_sent += 1
            elif mark != owner and mark in self.seen_by_run:
                counts.wrong += 1
                hospital.log[-1] += " WRONG"
            elif mark != owner:
                counts.only_checks += 1
                hospital.log[-1] += " ONLY CHECKS SAW THE OWNER"
        counts.second = sum(len(seals) - 1 for seals in stage.seals_of().values())
        counts.false = len(stage.false_claims())

    def end(self) -> None:
        """Write everything as it is true and run; name each picture by its doctor's number, and run a last time."""
        hospital, counts = self.hospital, self.counts
        self.stage.strike()
        self.settle()
        hospital.log.append("end")
        hospital.mend([])
        for file in hospital.rosters:
            hospital.write(file)
        self.wait()
        self.command("run", "--accept-guards")
        for line in hospital.lines:
            hospital.put_picture(f"{line.human.number}.png", hospital.draw(line.human))
        self.command("run", "--accept-guards")
        rows = self.stage.outcomes()
        held = [row for row in rows if row["status"] == "rejected"]
        counts.rows, counts.people = len(rows), len(hospital.humans)
        counts.seals = len(self.stage.service.seals)
        counts.needless = counts.needless_people = len(held)
        counts.held_doctors = [f"the end: {row['name']} {row['staff_no']} {row['codes']}" for row in held]

    def assert_clean(self) -> None:
        """Fail unless nobody has another's picture or a second seal, nothing false was claimed and no row was lost."""
        counts, log = self.counts, "\n".join(self.hospital.log)
        assert (counts.wrong, counts.second, counts.false, counts.lost) == (0, 0, 0, 0), log
        assert not self.stage.counts.remarks, f"{self.stage.counts.remarks}\n{log}"
