"""The stage of an attack: a hospital's folder, a sandbox, the command line in a child process, and a judge.

The judge knows only the sandbox's own truth (keyed by identity number) and the files of a run; it never opens a ledger.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from asyncio import all_tasks
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import pytest
from attack.marks import draw_mark, read_mark
from people import name, number
from roster_support import write_roster
from run_support import newest_results, wait_until
from zygote import QuickClock

from pipeline.cli.app import main
from pipeline.clock import Clock
from pipeline.sandbox.actions import Rules, Seal
from pipeline.sandbox.faults import Faults, parse_faults
from pipeline.sandbox.gateway import SANDBOX
from pipeline.sandbox.server import Sandbox, SandboxThread
from pipeline.sandbox.service import FakeService

LONG = bool(os.environ.get("ATTACK"))  # make attack
HOUSE = Path(__file__).parents[2]
CREATE = "ChannelCreatePreparedPersonalEsign"
UPLOAD = "UploadFiles"
HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室")
PATIENCE = 60  # seconds after which a command counts as hung
REFUSED = (2, 74)
ACCEPTED = (0, 3, 5)


@dataclass(frozen=True)
class Person:
    """A doctor of a roster; the fields may be changed for rows that are wrong."""

    serial: int
    name: str
    number: str
    mobile: str
    staff_no: str
    department: str = "内科"

    @property
    def cells(self) -> tuple[str, ...]:
        return self.name, self.number, self.mobile, self.staff_no, self.department


def person(serial: int) -> Person:
    """Return the invented doctor of this serial; his picture is the mark of the same serial."""
    return Person(serial, name(serial), number(serial), f"154{serial:08d}", f"{serial:05d}")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int | None
    signal: int | None
    output: str

    def names(self, command: str) -> bool:
        """Tell whether the output names a command of the program."""
        return f" {command}" in self.output


class ThisProcess:
    """Runs commands here, as a zygote does in its children: each of those costs half as much again."""

    def run(
        self,
        stage: Stage,
        *arguments: str,
        output: str,
        environment: dict[str, str],
        random: float,  # noqa: ARG002 - a command that hangs stops the tests
        later: float = 0.0,
    ) -> dict[str, int | None]:
        """Run the command line over a hospital; what it prints goes to a file."""
        with Path(output).open("w", encoding="utf-8") as printed:
            words = stage.command(*arguments)
            code = run_here(words, printed, printed, environment, clock=QuickClock(later=later))
        return {"code": code, "signal": None}


def run_here(
    words: Sequence[str], output: TextIO, errors: TextIO, environment: Mapping[str, str], *, clock: Clock
) -> int:
    """Run the command line in this process, and return its exit code."""
    handlers = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
    with redirect_stdout(output), redirect_stderr(errors), pytest.MonkeyPatch.context() as monkeypatch:
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        code = main(list(words), clock=clock)
    for kind, handler in handlers.items():
        signal.signal(kind, handler)
    return code


@dataclass
class CaseCounts:
    """What the judge counts in one case."""

    second_seals: int = 0
    unknowable: int = 0  # what nothing on this machine could show: second seals, wrong pictures and SealIds
    wrong_pictures: int = 0
    false_claims: int = 0
    refused_that_wrote: int = 0
    remarks: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.second_seals or self.wrong_pictures or self.false_claims or self.refused_that_wrote)


class Stage:
    """A hospital in ``folder`` and what its clerk and its administrator do with it."""

    def __init__(self, folder: Path, state_home: Path, sandbox: SandboxThread, zygote) -> None:
        self.folder, self.state_home, self.sandbox, self.zygote = folder, state_home, sandbox, zygote
        self.humans: dict[str, int] = {}  # identity number -> serial
        self.adopted: dict[str, int] = {}  # SealId made elsewhere -> serial
        self.replaced: set[str] = set()  # SealIds that a human gave up
        self.unknowable: set[int] = set()  # serials of whom no trace is left
        self.is_beyond_knowledge = (
            False  # whether nothing on this machine could show what is wrong in this case
        )
        self.counts = CaseCounts()
        self.claims: list[str] = []  # what a case itself found to be told wrongly
        for entry in ("seals", "secrets", "inbox"):
            (folder / entry).mkdir(parents=True, exist_ok=True)
        (folder / "secrets" / "tencent__secret_id").write_text(SANDBOX.secret_id)
        (folder / "secrets" / "tencent__secret_key").write_text(SANDBOX.secret_key)
        self.configure()

    # -- the hospital's files

    def configure(self, *, lines: str = "", **api: object) -> None:
        """Write config.yaml."""
        keys = {
            "endpoint": self.sandbox.url,
            "app_id": SANDBOX.app_id,
            "organization_open_id": SANDBOX.organization_open_id,
            "operator_open_id": SANDBOX.operator_open_id,
            "timeout_seconds": 3,
            **api,
        }
        text = "api:\n" + "".join(f"  {key}: {json.dumps(value)}\n" for key, value in keys.items())
        text += "limits: {requests_per_second: 1000, concurrency: 8}\nsecrets_dir: secrets\n"
        (self.folder / "config.yaml").write_text(text + lines, "utf-8")

    def hire(self, *serials: int, file: str = "roster.xlsx", pictures: bool = True) -> None:
        """Write a roster of clean rows, and each doctor's picture under the staff number."""
        self.roster([person(serial).cells for serial in serials], file=file)
        for serial in serials:
            self.know(serial)
            if pictures:
                self.draw(serial)

    def know(self, serial: int, *numbers: str) -> None:
        """Enter the identity numbers of a human; without any, the usual one."""
        for listed_number in numbers or (number(serial),):
            self.humans[listed_number] = serial

    def draw(self, serial: int, path: str | None = None, *, drawing: int = 0, **options: object) -> Path:
        """Draw a doctor's mark below the picture folder, by default under the staff number."""
        picture_path = self.folder / "seals" / (path or f"{serial:05d}.png")
        picture_path.parent.mkdir(parents=True, exist_ok=True)
        draw_mark(serial, drawing).save(picture_path, **options)
        return picture_path

    def roster(
        self, rows: Iterable[Sequence[object]], *, headers: Sequence[str] = HEADERS, file: str = "roster.xlsx"
    ) -> Path:
        path = self.folder / "inbox" / file
        path.parent.mkdir(exist_ok=True)
        write_roster(path, [headers, *rows])
        return path

    # -- commands

    @property
    def environment(self) -> dict[str, str]:
        return {"XDG_STATE_HOME": str(self.state_home), "HOME": str(self.state_home)}

    def command(self, *arguments: str) -> list[str]:
        return ["--config", str(self.folder / "config.yaml"), "--lang", "en", *arguments]

    def go(self, *arguments: str, **order: object) -> Ended:
        """Run a command, in `make attack` in a child of its own; a bug, or one that hangs, fails the case."""
        output = self.folder / "printed.txt"
        output.unlink(missing_ok=True)
        ended = self.zygote.run(
            self,
            *arguments,
            output=str(output),
            environment=self.environment,
            random=PATIENCE,
            **order,
        )
        done = Ended(ended["code"], ended["signal"], output.read_text("utf-8", "replace"))
        self.judge_end(done, arguments)
        return done

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start a command that goes on while the test does something."""
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *self.command(*arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=HOUSE,
            env={**os.environ, **self.environment},
        )

    def finish(self, process: subprocess.Popen, *, seconds: float = PATIENCE) -> Ended:
        """Wait for a started command; one that hangs is killed and fails the case."""
        try:
            _, stderr_text = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            _, stderr_text = process.communicate()
            self.counts.remarks.append("a command hung")
        done = Ended(process.returncode, None, stderr_text)
        self.judge_end(done, process.args[-1:])
        return done

    def judge_end(self, done: Ended, arguments: Sequence[str]) -> None:
        if done.code == 1 or "Traceback" in done.output:
            self.counts.remarks.append(f"{' '.join(arguments)} ended in a bug: {done.output[-300:]}")
        if done.signal is not None:
            self.counts.remarks.append(f"{' '.join(arguments)} hung and was killed")

    # -- the service

    @property
    def service(self) -> FakeService:
        return self.sandbox.service

    def strike(self, *faults: dict) -> None:
        """Let the sandbox meet these faults from now on, counted anew."""
        self.sandbox._sandbox._faults = Faults(parse_faults({"faults": list(faults)}))

    def creates(self) -> int:
        return sum(call.action == CREATE for call in list(self.service.received))

    def move_to_another_machine(self) -> None:
        """Lose the ledger, all results and what the user's state folder holds."""
        for entry in (self.folder / "state", self.folder / "out", self.state_home):
            shutil.rmtree(entry, ignore_errors=True)
        self.state_home.mkdir()

    def wait_until_quiet(self) -> None:
        """Wait until the service has dealt with every call that reached it."""
        wait_until(lambda: len(all_tasks(self.sandbox._loop)) <= 1)

    # -- what a run left

    def outcomes(self) -> list[dict]:
        """Return the rows of the last run's results."""
        out = self.folder / "out"
        path = newest_results(out) / "outcomes.jsonl" if any(out.glob("*/files.jsonl")) else None
        return read_lines(path) if path and path.exists() else []

    def statuses(self) -> dict[str, str]:
        """Return status by staff number in the last run's results."""
        return {row["staff_no"]: row["status"] for row in self.outcomes()}

    def results(self) -> Path:
        return newest_results(self.folder / "out") / "results.xlsx"

    # -- the judge

    def owner(self, number_: str) -> int | None:
        return self.humans.get(number_)

    def seals_of(self) -> dict[int, list[Seal]]:
        """Return the live seals of each human, the adopted ones left out."""
        owned: dict[int, list[Seal]] = {}
        for seal in list(self.service.seals):
            if seal.seal_id not in self.replaced:
                serial = self.owner(seal.number)
                assert serial is not None, f"a seal for a number of no doctor: {seal.number}"
                owned.setdefault(serial, []).append(seal)
        return owned

    def judge(self) -> CaseCounts:
        """Count second seals, wrong pictures and false claims, by the sandbox's truth."""
        counts = self.counts
        counts.second_seals = counts.unknowable = counts.wrong_pictures = 0
        counts.false_claims = 0
        adopted = set(self.adopted.values())
        for serial, seals in self.seals_of().items():
            extra = len(seals) - (serial not in adopted)
            if serial in self.unknowable:
                counts.unknowable += extra
            else:
                counts.second_seals += extra
        for seal in list(self.service.seals):
            data = self.service.pictures.get(seal.picture)
            if data is not None and read_mark(data) != self.owner(seal.number):
                counts.wrong_pictures += 1
        counts.false_claims = len(self.false_claims())
        if self.is_beyond_knowledge:
            counts.unknowable += counts.wrong_pictures + counts.false_claims
            counts.wrong_pictures = counts.false_claims = 0
        return counts

    def false_claims(self) -> list[str]:
        """Return the rows of all results that name a seal which is not that doctor's, or deny one that was made."""
        made = {seal.seal_id: self.owner(seal.number) for seal in list(self.service.seals)} | self.adopted
        sealed = set(made.values())
        endings: dict[str, set[int]] = {}
        for human, serial in self.humans.items():
            endings.setdefault(human[-4:], set()).add(serial)
        findings, refused = [], set()
        out = self.folder / "out"
        for path in sorted(out.glob("*/outcomes.jsonl")) if out.exists() else []:
            for row in read_lines(path):
                people = endings.get((row["id_masked"] or "")[-4:], set())
                if row["seal_id"] and made.get(row["seal_id"]) not in people:
                    findings.append(f"{row['status']} {row['name']} {row['seal_id'][:40]!r}")
                if row["status"] in {"sealed", "unknown", "exists"}:
                    refused -= people  # sent by this run: an earlier failure was true
                if row["status"] == "failed" and len(people) == 1 and people <= sealed:
                    refused |= people
        findings += [f"failed {person(serial).name}, whose seal was made" for serial in refused]
        return sorted(set(findings)) + self.claims

    def assert_clean(self) -> None:
        """Fail the case unless nobody has a second seal or a wrong picture and nothing false was claimed."""
        counts = self.judge()
        assert counts.is_clean, f"{counts}\n{self.false_claims()}"
        assert not counts.remarks, counts.remarks

    def assert_sealed_or_held(self, serials: Iterable[int]) -> None:
        """Fail unless every seal that was made is in the last results by its SealId, or its row is held."""
        seal_ids = {row["seal_id"] for row in self.outcomes() if row["seal_id"]}
        held = {row["name"] for row in self.outcomes() if row["status"] in {"unknown", "exists", "changed"}}
        lost = [
            seal.name
            for serial, seals in self.seals_of().items()
            if serial in set(serials)
            for seal in seals
            if seal.seal_id not in seal_ids and seal.name not in held
        ]
        assert not lost, f"seals that the results do not show: {lost}"


def open_sandbox(*, rules: Rules | None = None, **manners: Any) -> SandboxThread:
    """Return a sandbox that is not started yet; seal names need not differ unless the rules demand it."""
    service = FakeService(rules or Rules(limiter="none", unique_names="off"))
    return SandboxThread(Sandbox(service, **manners))


def read_lines(path: Path) -> list[dict]:
    """Return the objects of a JSON lines file; a line ends at a line feed and at nothing else."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


GUARDED = ("ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3.key")


def digests(folder: Path) -> dict[str, str | None]:
    """Return the digest of each file of a state folder that a refused run must leave alone; None where it is absent.

    An empty -wal is none: SQLite makes one even to read.
    """
    result: dict[str, str | None] = dict.fromkeys(GUARDED)
    for entry in GUARDED:
        path = folder / entry
        if path.exists() and (path.stat().st_size or not entry.endswith("-wal")):
            result[entry] = hashlib.sha256(path.read_bytes()).hexdigest()
    return result


def copy_or_skip(source: Path, target: Path) -> None:
    """Put a copy of a file or folder in its place, or nothing where there is none."""
    if not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)
