"""A hospital whose clerks work on the page: rosters that move under open tabs, and what is true of everything in them.

The hospital knows what no program can see: which human each row means, and whose mark each picture shows.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

import openpyxl
from attack.marks import draw_mark
from attack.random_hospital import CORRECTED, DEPARTMENTS, SPELLINGS
from attack.stage import HEADERS, Stage
from people import name, number

FIELDS = ("name", "number", "mobile", "staff_no", "department")  # in the order of a roster's columns
FILES = ("roster.xlsx", "second.xlsx")
IDENTIFYING = ("name", "number")
HABITS = ("scan", "scan", "scan", "staff_no", "name", "number")


@dataclass
class Human:
    """A doctor as he is; whatever else a row or a picture says is a slip, or old."""

    serial: int
    name: str
    number: str
    mobile: str
    staff_no: str
    department: str
    habit: str
    drawing: int = 0
    names: set[str] = field(default_factory=set)  # that he has borne

    def __str__(self) -> str:
        return f"{self.serial} {self.name} {self.staff_no} …{self.number[-4:]}"


@dataclass
class Line:
    """A row of a roster: whom it means, and what is written in it."""

    human: Human
    cells: dict[str, str]

    @property
    def slips(self) -> list[str]:
        """The fields in which something else is written than is true."""
        return [key for key in FIELDS if self.cells[key] != getattr(self.human, key)]

    @property
    def is_slip(self) -> bool:
        """Whether the row names another human than it means, or none."""
        return any(key in IDENTIFYING for key in self.slips)


def write_down(human: Human) -> Line:
    """Return the row that is true of a human now."""
    return Line(human, {key: getattr(human, key) for key in FIELDS})


class PageHospital:
    """The rosters, the pictures and the humans of one hospital, and what may happen to them without the page."""

    def __init__(self, stage: Stage, dice: Random, size: int | None = None) -> None:
        self.stage, self.dice = stage, dice
        self.rosters: dict[str, list[Line]] = {FILES[0]: []}
        self.humans: list[Human] = []
        self.pictures: dict[str, int] = {}  # sha256 of a picture -> whose mark it shows
        self.versions: list[tuple[str, list[Line]]] = []  # rosters that were dropped
        self.log: list[str] = []
        self._serials, self._staff_numbers, self._scans = count(1), count(101), count(1)
        for _ in range(dice.randint(6, 9) if size is None else size):
            self.join()
        for file in self.rosters:
            self.write(file)

    # -- what is there

    @property
    def lines(self) -> list[Line]:
        return [line for lines in self.rosters.values() for line in lines]

    @property
    def slips(self) -> list[Line]:
        return [line for line in self.lines if line.is_slip]

    def get_human(self, serial: int) -> Human:
        return next(human for human in self.humans if human.serial == serial)

    def find_line(self, shown_name: str, shown: str) -> Line | None:
        """Return the row that a card of the page shows: by its name, and by what else is shown of it."""
        lines = [line for line in self.lines if line.cells["name"] == shown_name]
        if len(lines) > 1:
            lines = [line for line in lines if line.cells["staff_no"] in shown.split()]
        return lines[0] if len(lines) == 1 else None

    def find_human(self, shown_name: str, shown: str) -> Human | None:
        """Return whom a clerk sees in a name; of several of the name the one whose staff number or number is shown."""
        named = [human for human in self.humans if shown_name in human.names]
        if len(named) > 1:
            words = shown.split()
            named = [human for human in named if human.staff_no in words or human.number[-4:] in words]
        return named[0] if len(named) == 1 else None

    def write(self, file: str) -> None:
        """Write a roster as somebody does who has it open in Excel."""
        rows = [[line.cells[key] for key in FIELDS] for line in self.rosters[file]]
        self.stage.roster(rows, file=file)

    def read(self, file: str) -> list[dict[str, str]]:
        """Return the cells of a roster as they are on the disk."""
        book = openpyxl.load_workbook(self.stage.folder / "inbox" / file)
        rows = list(book.active.iter_rows(values_only=True))
        places = [rows[0].index(header) for header in HEADERS]
        return [
            {key: str(row[column] or "") for key, column in zip(FIELDS, places, strict=True)}
            for row in rows[1:]
        ]

    def take_versions(self) -> None:
        """Find which of the rosters that were dropped have taken their place."""
        for file, lines in list(self.rosters.items()):
            cells = self.read(file)
            versions = [lines, *(version for name, version in self.versions if name == file)]
            self.rosters[file] = next(one for one in versions if [line.cells for line in one] == cells)

    def describe(self) -> str:
        return "; ".join(
            f"{file}: " + ", ".join(f"{line.human.serial}={'/'.join(line.cells.values())}" for line in lines)
            for file, lines in self.rosters.items()
        )

    # -- pictures

    def draw(self, human: Human) -> bytes:
        """Return the picture of a human as bytes, and remember whose it is."""
        stream = io.BytesIO()
        draw_mark(human.serial, human.drawing).save(stream, "PNG")
        data = stream.getvalue()
        self.pictures[hashlib.sha256(data).hexdigest()] = human.serial
        return data

    def name_picture(self, human: Human) -> str:
        """Return the path by which a human's picture comes: a scan tells nothing of its owner."""
        if human.habit == "scan":
            return f"scan_{next(self._scans):04d}.png"
        return f"{getattr(human, human.habit)}.png"

    def put_picture(self, path: str, data: bytes) -> None:
        target = self.stage.folder / "seals" / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)

    def list_scans(self) -> list[Path]:
        return sorted((self.stage.folder / "seals").glob("scan_*.png"))

    def make_zip(self, humans: Sequence[Human]) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for human in humans:
                archive.writestr(self.name_picture(human), self.draw(human))
        return stream.getvalue()

    # -- what happens without the page

    def join(self, **changes: str) -> Human:
        """Let a newcomer join at the top, the end or anywhere of a roster."""
        dice, serial = self.dice, next(self._serials)
        human = Human(
            serial,
            dice.choice(list(SPELLINGS)) if dice.random() < 0.1 else name(serial),
            number(serial),
            f"154{serial:08d}",
            f"{next(self._staff_numbers):05d}",
            dice.choice(DEPARTMENTS),
            dice.choice(HABITS),
        )
        for key, value in changes.items():
            setattr(human, key, value)
        human.names.add(human.name)
        self.stage.know(serial)
        self.humans.append(human)
        lines = self.rosters[dice.choice(list(self.rosters))]
        lines.insert(dice.choice([0, len(lines), dice.randint(0, len(lines))]), write_down(human))
        return human

    def change_roster(self) -> None:
        """Let something happen to a roster, and save it under its name."""
        file = self.dice.choice([file for file, lines in self.rosters.items() if lines])
        weights = {**CHANGES, "mend": MENDED if any(line.slips for line in self.lines) else 0}
        (change,) = self.dice.choices(list(weights), list(weights.values()))
        if getattr(self, change)(self.rosters[file]):
            for written in self.rosters:
                self.write(written)
            self.log.append(f"  {change} {file}: {self.describe()}")

    def sort(self, lines: list[Line]) -> bool:
        self.dice.shuffle(lines)
        return True

    def insert(self, lines: list[Line]) -> bool:
        human = self.join()
        line = next(line for line in self.lines if line.human is human)
        self._list_of(line).remove(line)
        lines.insert(0, line)
        return True

    def leave(self, lines: list[Line]) -> bool:
        if len(lines) < 4:
            return False
        lines.pop(self.dice.randrange(len(lines) - 1))
        return True

    def come_back(self, lines: list[Line]) -> bool:
        """Let somebody who left come back, at the top."""
        listed = {line.human.serial for line in self.lines}
        gone = [human for human in self.humans if human.serial not in listed]
        if gone:
            lines.insert(0, write_down(self.dice.choice(gone)))
        return bool(gone)

    def swap(self, lines: list[Line], key: str) -> bool:
        """Exchange a cell of two rows by a slip."""
        if len(lines) < 2 or self.slips:
            return False
        one, other = self.dice.sample(lines, 2)
        one.cells[key], other.cells[key] = other.cells[key], one.cells[key]
        return True

    def swap_numbers(self, lines: list[Line]) -> bool:
        return self.swap(lines, "number")

    def swap_names(self, lines: list[Line]) -> bool:
        return self.swap(lines, "name")

    def shift(self, lines: list[Line]) -> bool:
        """Move the numbers of some rows down by one, as a column that is sorted or filled by itself."""
        if len(lines) < 4 or self.slips:
            return False
        start = self.dice.randrange(len(lines) - 3)
        part = lines[start : start + 4]
        numbers = [line.cells["number"] for line in part]
        for line, shifted in zip(part, numbers[-1:] + numbers[:-1], strict=True):
            line.cells["number"] = shifted
        return True

    def take_number(self, lines: list[Line]) -> bool:
        """Let a row bear the number of somebody who is in no roster: one who left, or one who joins later."""
        listed = {line.human.serial for line in self.lines}
        others = [human for human in self.humans if human.serial not in listed]
        if self.slips or not lines:
            return False
        if not others:
            self.join()
            line = next(line for line in self.lines if line.human is self.humans[-1])
            self._list_of(line).remove(line)
            others = [line.human]
        free = [line for line in lines if line.human is not others[0]]
        if free:
            self.dice.choice(free).cells["number"] = self.dice.choice(others).number
        return bool(free)

    def damage(self, lines: list[Line]) -> bool:
        line = self.dice.choice(lines)
        number_ = line.human.number
        ways = [("number", number_[:-1]), ("number", f"{number_[:10]}9{number_[11:]}"), ("mobile", "1381234")]
        key, text = self.dice.choice(ways)
        line.cells[key] = text
        return True

    def mend(self, lines: list[Line]) -> bool:  # noqa: ARG002 - as the other changes
        """Write all rows of all rosters as they are true."""
        for line in self.lines:
            line.cells = write_down(line.human).cells
        return True

    def rename(self, lines: list[Line]) -> bool:
        line = self.dice.choice(lines)
        human = line.human
        human.name = name(human.serial + 500)
        human.names.add(human.name)
        line.cells["name"] = human.name
        return True

    def renumber(self, lines: list[Line]) -> bool:
        line = self.dice.choice(lines)
        line.human.staff_no = line.cells["staff_no"] = f"{next(self._staff_numbers):05d}"
        return True

    def correct_number(self, lines: list[Line]) -> bool:
        """Enter another number of a human: the first one was a mistake."""
        line = self.dice.choice(lines)
        human = line.human
        human.number = line.cells["number"] = number(human.serial + CORRECTED)
        self.stage.know(human.serial, number(human.serial), human.number)
        return True

    def join_namesake(self, lines: list[Line]) -> bool:
        """Let a newcomer have the name of somebody in the roster, or of one who left."""
        self.join(
            name=self.dice.choice(
                self.humans if self.dice.random() < 0.5 else [one.human for one in lines]
            ).name
        )
        return True

    def split(self, lines: list[Line]) -> bool:
        if len(self.rosters) > 1 or len(lines) < 4:
            return False
        self.rosters[FILES[1]] = lines[::2]
        self.rosters[FILES[0]] = lines[1::2]
        return True

    def merge(self, lines: list[Line]) -> bool:  # noqa: ARG002 - as the other changes
        if len(self.rosters) < 2:
            return False
        self.rosters = {FILES[0]: self.rosters[FILES[1]] + self.rosters[FILES[0]]}
        (self.stage.folder / "inbox" / FILES[1]).unlink()
        return True

    def exchange_pictures(self, lines: list[Line]) -> bool:  # noqa: ARG002 - as the other changes
        """Save the pictures of two scans under each other's name."""
        scans = self.list_scans()
        if len(scans) < 2:
            return False
        one, other = self.dice.sample(scans, 2)
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)
        return True

    def _list_of(self, line: Line) -> list[Line]:
        return next(lines for lines in self.rosters.values() if line in lines)


CHANGES = {  # and how often each happens; a slip is mended soon
    "sort": 4, "insert": 4, "leave": 3, "come_back": 2, "swap_numbers": 3, "swap_names": 2, "shift": 2,
    "take_number": 2, "damage": 2, "rename": 1, "renumber": 1, "correct_number": 1, "join_namesake": 2,
    "split": 1, "merge": 1, "exchange_pictures": 2,
}  # fmt: skip
MENDED = 5  # how often that is mended, where there is a slip
