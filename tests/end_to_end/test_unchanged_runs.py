"""A run that repeats what the last one found ends as one that judges everything anew, whatever changed between them.

Each run here is done twice from the same state of the hospital: as it comes, and without what the last run kept.
"""

import json
import os
import random
import shutil
import sqlite3
import zipfile
from contextlib import closing
from functools import partial
from types import MappingProxyType

import openpyxl
import pytest
from roster_support import write_roster
from run_support import QuickClock, draw_seal, make_row, name, number

from pipeline.messages.results import RESULT_TEXTS
from pipeline.workflow import unchanged_run

HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室", "备注", "印章名称", "印章图片")
DAY = 86_400
DOCTORS = range(1, 13)
# what is odd about some of them; the others are clean
ODD = MappingProxyType(
    {
        2: {"number": f"{number(2)[:6]} {number(2)[6:14]} {number(2)[14:]}"},
        3: {"mobile": None},
        4: {"mobile": "138 0013 8000", "department": "内　科 "},
        5: {"department": "外科（一）"},
    }
)


class StillClock(QuickClock):
    """A clock that stands: runs at the same moment have the same id."""

    def __init__(self, moment: float) -> None:
        self._moment = moment

    def now(self) -> float:
        return self._moment


class Nights:
    """A hospital of a dozen doctors that have their seals, and of some rows that never get one."""

    def __init__(self, hospital, monkeypatch) -> None:
        self.hospital, self.folder, self.moment = hospital, hospital.folder, QuickClock().now()
        self.rows = [[*make_row(serial, **ODD.get(serial, {})), "备", None, None] for serial in DOCTORS]
        self.recalled = None
        recall = unchanged_run.RunMemory.recall

        def watch(memory, inputs):
            self.recalled = recall(memory, inputs) is not None
            return recall(memory, inputs)

        monkeypatch.setattr(unchanged_run.RunMemory, "recall", watch)
        for serial in DOCTORS:
            draw_seal(self.seals / f"{serial:05d}.png", serial)
        (self.seals / "00006.png").rename(self.seals / f"{number(6)}.png")
        (self.seals / "00007.png").rename(self.seals / f"{name(7)}印章.png")
        self.write()
        assert hospital.go("-q", "run") == 0
        self.rows += [
            [*make_row(20), "没有图片", None, None],
            [*make_row(21, number=f"110199{2010}0101001"[:17] + "X"), "", None, None],
            [*make_row(22, number="11019919900101001"), "", None, None],
            [*make_row(1), "再一次", None, None],
            [*make_row(23, number=make_minor()), "", None, None],
            ["合计：15人", *[None] * 7],
        ]
        self.rows[7][2] = "15400000999"  # another mobile: a person decides
        draw_seal(self.seals / "没有人.png", 30)
        draw_seal(self.seals / "00021.png", 21)
        self.write()
        self.settle()

    @property
    def seals(self):
        return self.folder / "seals"

    @property
    def kept(self):
        return self.folder / "state" / "work" / unchanged_run.FILE

    def write(self, file="roster.xlsx", rows=None, headers=HEADERS) -> None:
        (self.folder / "inbox").mkdir(exist_ok=True)
        write_roster(self.folder / "inbox" / file, [headers, *(rows or self.rows)])

    def go(self, *arguments: str) -> int:
        return self.hospital.go("-q", *arguments, clock=StillClock(self.moment))

    def settle(self) -> None:
        """Run until a run repeats the one before it."""
        for _ in range(4):
            self.moment += DAY
            self.go("run")
            if self.recalled:
                return
        raise AssertionError("no run repeated the one before it")

    def run_both_ways(self, capsys, *arguments: str) -> bool:
        """Run with what the last run kept and without it; return whether it was used, once both are the same."""
        self.moment += DAY
        shutil.copytree(self.folder / "state", self.folder / "state-before", symlinks=True)
        before = len(self.hospital.service.received)
        capsys.readouterr()
        ends = []
        for _ in range(2):
            shutil.rmtree(self.folder / "out")
            code = self.hospital.go("run", *arguments, clock=StillClock(self.moment))
            screen = capsys.readouterr().err.replace(self.hospital.runs[-1].name, "RUN").splitlines()
            ends.append((code, screen, self.read_results(), self.read_ledger()))
            if len(ends) == 1:
                was_recalled = self.recalled
                shutil.rmtree(self.folder / "state")
                (self.folder / "state-before").rename(self.folder / "state")
                self.kept.unlink()
        assert not self.recalled
        for one, other in zip(*ends, strict=True):
            require_same(one, other)
        assert len(self.hospital.service.received) == before, "nothing was sent"
        return was_recalled

    def read_results(self) -> dict:
        """Return the text of every file, and of every part of a workbook, without the run's id."""
        run = self.hospital.runs[-1].name.encode()
        texts = {}
        for path in sorted((self.folder / "out").rglob("*")):
            if not path.is_file() or path.name == "log.jsonl" or path.suffix == ".sha256":
                continue
            parts = {"": path.read_bytes()}
            if path.suffix == ".xlsx":
                with zipfile.ZipFile(path) as book:
                    parts = {part: book.read(part) for part in book.namelist()}
            name = str(path.relative_to(self.folder / "out")).replace(run.decode(), "RUN")
            texts |= {(name, part): text.replace(run, b"RUN") for part, text in parts.items()}
        return texts

    def read_ledger(self) -> dict:
        with closing(sqlite3.connect(self.folder / "state" / "ledger.sqlite3")) as ledger:
            tables = ("run", "person", "attempt", "seal", "decision", "row_line", "row_seen", "file_stat")
            rows = {table: ledger.execute(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables}
            run = self.hospital.runs[-1].name
            return {table: repr(list(cursor)).replace(run, "RUN") for table, cursor in rows.items()}


def require_same(one, other) -> None:
    """Compare what two runs left, part by part."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert one[key] == other[key], key
    else:
        assert one == other


def make_minor() -> str:
    """Return a valid number of a person who comes of age in some years."""
    first = "11019920150101001"
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(first))
    return first + "10X98765432"[total % 11]


@pytest.fixture
def nights(hospital, monkeypatch):
    return Nights(hospital, monkeypatch)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_run_without_changes_is_repeated(nights, capsys, language):
    statuses = nights.hospital.statuses()
    assert statuses == {"unchanged": 11, "changed": 1, "rejected": 5}
    assert nights.run_both_ways(capsys, "--lang", language)
