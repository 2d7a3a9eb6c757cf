"""A hospital of 10 to 15 doctors and what changes in it by chance; the marks in the pictures show whose each one is.

The hospital knows what no program can see: which human every row and every file belongs to. It never opens a ledger.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from random import Random

import openpyxl
from attack.clerk import ENTRY, REFUSED, TAKEN
from attack.stage import CREATE, HEADERS, Stage
from people import name, number

DEPARTMENTS = ("内科", "外科", "骨科")
HABITS = (
    *("staff", "staff", "name", "folder", "entry", "number", "name and staff"),
    *("position and name", "name, department and staff"),
)
POSITION = "序号"  # the row's place in the roster, which changes from run to run
# names in two spellings: with and without the dot, simplified and traditional
SPELLINGS = {
    "阿依古丽·买买提": "阿依古丽买买提",
    "吕布": "呂布",
    "张靓颖": "张靚颖",
    "于飞": "於飞",
    "欧阳娜娜": "歐陽娜娜",
}
FIRST_SPELLING = {other: first for first, other in SPELLINGS.items()} | {first: first for first in SPELLINGS}
CORRECTED = 2000  # added to a serial: the number that a doctor was entered with by mistake
MISTYPED = 4000  # the same, of a number that only a check was shown
FAULTS = ("reset_after", TAKEN, REFUSED)


@dataclass
class Doctor:
    """A human: what is right, what the roster holds in its place, and where the picture lies."""

    serial: int
    name: str
    number: str
    mobile: str
    staff_no: str
    department: str
    habit: str
    path: str | None = None  # below the picture folder; None: no picture yet
    entry: str | None = None
    drawing: int = 0
    damage: dict[str, str] = field(default_factory=dict)  # field -> what the roster holds

    def __str__(self) -> str:
        picture = f"{self.path} drawing {self.drawing}" if self.path else "no picture"
        damage = f", damaged {self.damage}" if self.damage else ""
        return f"{self.serial} {self.name} {self.staff_no} {self.department} {picture}{damage}"

    @property
    def cells(self) -> tuple[str | None, ...]:
        right = {key: getattr(self, key) for key in ("name", "number", "mobile", "staff_no", "department")}
        return (*{**right, **self.damage}.values(), self.entry)


@dataclass(frozen=True)
class Profile:
    """How often what happens between two runs."""

    weights: Mapping[str, int]  # of the kinds of changes
    changes: Callable[[Random, int], int]  # how many changes, of so many doctors
    mend: float  # chance that a damaged cell is corrected, or a missing picture comes
    damage: float  # chance that a cell of a newcomer is damaged
    late: float  # chance that a newcomer's picture comes later
    reissue: float  # chance that a newcomer gets a staff number that another doctor bore
    namesake: float  # chance that a newcomer has the name of another doctor
    neglect: float  # chance that a file is not renamed with its doctor
    fault: float  # chances of a run
    limit: float
    adopt: float
    slip: (
        float  # chance of a doctor that a check before the run shows another number, or another one's picture
    )


WILD = Profile(
    {
        "join": 8, "leave": 3, "return": 2, "rename": 3, "renumber": 4, "move": 3, "rescan": 3, "save_again": 2,
        "correct_number": 2, "damage": 2, "respell": 2, "exchange": 1, "carry": 1,
        "succeed": 5,
    },
    lambda dice, _: dice.randint(2, 5),
    mend=0.4, damage=0.15, late=0.35, reissue=0.6, namesake=0.25, neglect=0.5, fault=0.5, limit=0.2, adopt=0.5, slip=0.1,
)  # fmt: skip
USUAL = Profile(
    {
        "join": 20, "leave": 15, "return": 2, "rename": 2, "renumber": 4, "move": 20, "rescan": 15, "save_again": 3,
        "correct_number": 2, "damage": 4, "respell": 2, "exchange": 1, "carry": 3,
    },
    lambda dice, doctors: sum(dice.random() < 0.01 for _ in range(doctors)),
    mend=0.5, damage=0.05, late=0.05, reissue=0.1, namesake=0.03, neglect=0.2, fault=0.05, limit=0.02, adopt=0.02, slip=0.01,
)  # fmt: skip
PROFILES = {"wild": WILD, "usual": USUAL}


class RandomHospital:
    """The roster, the picture folder and the humans of one hospital, drawn from a seed."""

    def __init__(self, stage: Stage, profile: Profile, dice: Random) -> None:
        self.stage, self.profile, self.dice = stage, profile, dice
        self.habit = dice.choice(HABITS)
        self.files: dict[str, int] = {}  # path -> whose mark it shows
        self.doctors: list[Doctor] = []  # in the order of the roster
        self.gone: list[Doctor] = []
        self.touched: set[int] = set()  # serials of doctors who changed since the last run
        self.serials = iter(range(1, 1000))
        self.staff_numbers = iter(range(101, 1000))
        self.scans = iter(range(1, 1000))
        self.log: list[str] = []
        self.borne: set[str] = set()  # all staff numbers that were ever given
        text = (stage.folder / "config.yaml").read_text("utf-8")
        (stage.folder / "config.yaml").write_text(f"{text}marked_copies: false\n", "utf-8")
        for _ in range(dice.randint(10, 15)):
            self.join()
        if dice.random() < profile.adopt:
            self.adopt(len(self.doctors) // 3)

    # -- the picture folder

    def name_file(self, doctor: Doctor) -> str:
        """Return the path by which this doctor's habit names the picture."""
        stem = {
            "staff": doctor.staff_no,
            "name": doctor.name,
            "folder": f"{doctor.department}/{doctor.name}",
            "entry": f"扫描/IMG_{next(self.scans):04d}",
            "number": doctor.number,
            "name and staff": f"{doctor.name}{doctor.staff_no}",
            "position and name": f"{self.get_position(doctor)}.{doctor.name}",
            "name, department and staff": f"{doctor.name}-{doctor.department}-{doctor.staff_no}",
        }[doctor.habit]
        return f"{stem}.png"

    def get_position(self, doctor: Doctor) -> int:
        """Return a doctor's place in the roster as it is now, for a newcomer the last one."""
        serials = [other.serial for other in self.doctors]
        return serials.index(doctor.serial) + 1 if doctor.serial in serials else len(serials) + 1

    def put_picture(self, doctor: Doctor) -> None:
        """Draw a doctor's picture where the habit names it; one of another doctor there may be written over."""
        path = self.name_file(doctor)
        if self.files.get(path, doctor.serial) != doctor.serial and self.dice.random() < 0.5:
            doctor.path = None  # it comes later
            return
        self.draw(doctor, path)
        doctor.entry = path if doctor.habit == "entry" else None

    def draw(self, doctor: Doctor, path: str) -> None:
        options = {"quality": 88} if path.endswith(".jpg") else {}
        self.stage.draw(doctor.serial, path, drawing=doctor.drawing, **options)
        self.files[path] = doctor.serial
        for other in [*self.doctors, *self.gone]:
            if other.path == path and other is not doctor:
                other.path = None
        doctor.path = path

    def drop_file(self, doctor: Doctor) -> None:
        if doctor.path and self.files.pop(doctor.path, None):
            (self.stage.folder / "seals" / doctor.path).unlink()
        doctor.path = None

    def follow(self, doctor: Doctor) -> None:
        """Rename the picture with its doctor, or forget to."""
        if doctor.path and doctor.habit != "entry" and self.dice.random() >= self.profile.neglect:
            self.drop_file(doctor)
            self.put_picture(doctor)

    # -- changes

    def join(self, **changes: str) -> None:
        """Let a newcomer join, by chance with the staff number or the name of another doctor."""
        dice, profile = self.dice, self.profile
        serial = next(self.serials)
        known = [*self.doctors, *self.gone]
        called = dice.choice(list(SPELLINGS)) if dice.random() < 0.1 else name(serial)
        doctor = Doctor(
            serial,
            called,
            number(serial),
            f"154{serial:08d}",
            f"{next(self.staff_numbers):05d}",
            dice.choice(DEPARTMENTS),
            self.habit if dice.random() < 0.85 else dice.choice(HABITS),
        )
        freed = sorted(self.borne - {other.staff_no for other in self.doctors})
        if changes:
            doctor = replace(doctor, **changes)
        elif known and dice.random() < profile.namesake:
            doctor.name = dice.choice(known).name
        elif freed and dice.random() < profile.reissue:
            doctor.staff_no = dice.choice(freed)
        self.stage.know(serial)
        if dice.random() < profile.damage:
            self.damage_cell(doctor)
        if dice.random() >= profile.late:
            self.put_picture(doctor)
        self.borne.add(doctor.staff_no)
        self.doctors.insert(dice.randint(0, len(self.doctors)), doctor)
        self.touched.add(serial)
        self.log.append(f"  join {doctor}")

    def damage_cell(self, doctor: Doctor) -> None:
        right = doctor.number
        doctor.damage = self.dice.choice(
            [
                {"mobile": doctor.mobile[:6]},
                {"number": right[:-1]},
                {"number": f"{right[:10]}9{right[11:]}"},
                {"number": f"{right[:15]}000"},
                {"number": ""},
            ]
        )

    def change(self, kind: str) -> None:
        """Let one doctor, who has not changed since the last run, change in this way."""
        if kind == "join":
            self.join()
            return
        pool = self.gone if kind == "return" else self.doctors
        free = [doctor for doctor in pool if doctor.serial not in self.touched]
        if not free or (kind == "leave" and len(self.doctors) < 6):
            return
        doctor = self.dice.choice(free)
        self.touched.add(doctor.serial)
        before = str(doctor)
        getattr(self, kind if kind != "return" else "come_back")(doctor)
        self.log.append(f"  {kind} {before} -> {doctor}")

    def leave(self, doctor: Doctor) -> None:
        self.doctors.remove(doctor)
        self.gone.append(doctor)
        if self.dice.random() < 0.3:
            self.drop_file(doctor)

    def come_back(self, doctor: Doctor) -> None:
        self.gone.remove(doctor)
        self.doctors.append(doctor)
        if doctor.staff_no in {other.staff_no for other in self.doctors[:-1]}:
            self.renumber(doctor)

    def rename(self, doctor: Doctor) -> None:
        doctor.name = name(doctor.serial + 500)
        self.follow(doctor)

    def renumber(self, doctor: Doctor) -> None:
        doctor.staff_no = f"{next(self.staff_numbers):05d}"
        self.borne.add(doctor.staff_no)
        self.follow(doctor)

    def move(self, doctor: Doctor) -> None:
        doctor.department = self.dice.choice(DEPARTMENTS)
        self.follow(doctor)

    def rescan(self, doctor: Doctor) -> None:
        if doctor.path:
            doctor.drawing = (doctor.drawing + 1) % 16
            self.draw(doctor, doctor.path)

    def save_again(self, doctor: Doctor) -> None:
        """Save the picture as a JPEG."""
        if doctor.path and doctor.path.endswith(".png"):
            path = f"{doctor.path[:-4]}.jpg"
            if path not in self.files:
                self.drop_file(doctor)
                self.draw(doctor, path)
                doctor.entry = doctor.entry and path

    def correct_number(self, doctor: Doctor) -> None:
        """Enter another valid number: the first one was a mistake."""
        doctor.number = number(doctor.serial + CORRECTED)
        self.stage.know(doctor.serial, number(doctor.serial), doctor.number)
        self.follow(doctor)

    def damage(self, doctor: Doctor) -> None:
        self.damage_cell(doctor)

    def respell(self, doctor: Doctor) -> None:
        doctor.name = SPELLINGS.get(doctor.name) or FIRST_SPELLING.get(doctor.name, doctor.name)

    def exchange(self, doctor: Doctor) -> None:
        """Exchange the staff numbers of two doctors by a slip, or to correct one."""
        others = [other for other in self.doctors if other.serial not in self.touched]
        if others:
            other = self.dice.choice(others)
            self.touched.add(other.serial)
            doctor.staff_no, other.staff_no = other.staff_no, doctor.staff_no

    def carry(self, doctor: Doctor) -> None:
        """Put the picture into another folder."""
        if doctor.path and doctor.habit in {
            "staff",
            "number",
            "name and staff",
            "name, department and staff",
        }:
            path = f"2027/{PurePosixPath(doctor.path).name}"
            if path not in self.files:
                self.drop_file(doctor)
                self.draw(doctor, path)

    def succeed(self, doctor: Doctor) -> None:
        """Let a newcomer take over a doctor's staff number, or name and department; the doctor remains or leaves."""
        dice = self.dice
        staff_no, called, department = doctor.staff_no, doctor.name, doctor.department
        way = dice.choice(
            [self.leave, self.renumber] if dice.random() < 0.6 else [self.leave, self.rename, self.move]
        )
        way(doctor)
        if way == self.move and doctor.department == department:
            return
        changes = (
            {"staff_no": staff_no} if way == self.renumber else {"name": called, "department": department}
        )
        if way == self.leave and dice.random() < 0.5:
            changes = {"staff_no": staff_no}
        self.join(**changes, habit=doctor.habit)

    # -- between two runs

    def prepare(self) -> list[str]:
        """Let the hospital change, write its roster, and set the faults; return the words of the run."""
        dice, profile = self.dice, self.profile
        for doctor in self.doctors:
            if doctor.serial in self.touched:
                continue
            if doctor.damage and dice.random() < profile.mend:
                doctor.damage = {}
                self.touched.add(doctor.serial)
            elif doctor.path is None and dice.random() < profile.mend:
                self.put_picture(doctor)
                self.touched.add(doctor.serial)
        for _ in range(profile.changes(dice, len(self.doctors))):
            self.change(dice.choices(list(profile.weights), list(profile.weights.values()))[0])
        if dice.random() < 0.2:
            dice.shuffle(self.doctors)
        if dice.random() < profile.adopt:
            self.adopt(dice.randint(1, 2))
        self.check_with_slips()
        self.write()
        self.touched.clear()
        struck = dice.sample(self.doctors, dice.randint(1, 2)) if dice.random() < profile.fault else []
        self.stage.strike(
            *(
                {"match": {"action": CREATE, "user_name": doctor.name}, "do": dice.choice(FAULTS)}
                for doctor in struck
            )
        )
        limit = ["--limit", str(dice.randint(1, 4))] if dice.random() < profile.limit else []
        return ["run", "--accept-guards", *limit]

    def check_with_slips(self) -> None:
        """Let the clerk check a roster with slips, see them, and put them right before the run."""
        dice = self.dice
        slipped = [doctor for doctor in self.doctors if dice.random() < self.profile.slip]
        for doctor in slipped:
            others = [
                other for other in self.doctors if other is not doctor and other.path and not other.entry
            ]
            if dice.random() < 0.5 and doctor.path and others:
                self.check_exchanged(doctor, dice.choice(others))
            elif not doctor.damage:
                doctor.damage = {"number": number(doctor.serial + MISTYPED)}
                self.write()
                self.log.append(f"  check {doctor}")
                self.stage.go("check")
                doctor.damage = {}

    def check_exchanged(self, doctor: Doctor, other: Doctor) -> None:
        """Check while each of two doctors' pictures has the other one's file name."""
        first, second = (self.stage.folder / "seals" / one.path for one in (doctor, other))
        kept = first.read_bytes(), second.read_bytes()
        first.write_bytes(kept[1])
        second.write_bytes(kept[0])
        self.write()
        self.log.append(f"  check with exchanged pictures {doctor}, {other}")
        self.stage.go("check")
        first.write_bytes(kept[0])
        second.write_bytes(kept[1])

    def write(self) -> None:
        rows = [doctor.cells for doctor in self.doctors]
        headers = (*HEADERS, ENTRY)
        if not any(doctor.entry for doctor in self.doctors):
            rows, headers = [row[:-1] for row in rows], HEADERS
        rows = [(*row, position) for position, row in enumerate(rows, start=1)]
        headers = (*headers, POSITION)
        self.stage.roster(rows, headers=headers)

    def adopt(self, count: int) -> None:
        """Enter the seals that some doctors got elsewhere."""
        made = {self.stage.owner(seal.number) for seal in list(self.stage.service.seals)}
        free = [
            doctor
            for doctor in self.doctors
            if doctor.serial not in made
            and "number" not in doctor.damage
            and doctor.serial not in self.stage.adopted.values()
        ]
        book = openpyxl.Workbook()
        book.active.append(("姓名", "身份证号", "工号", "印章ID"))
        for doctor in self.dice.sample(free, min(len(free), count)):
            seal_id = f"yD{doctor.serial:030d}"
            self.stage.adopted[seal_id] = doctor.serial
            book.active.append((doctor.name, doctor.number, doctor.staff_no, seal_id))
            self.log.append(f"  adopt {doctor}")
        path = self.stage.folder / "seals-of-old.xlsx"
        book.save(path)
        self.stage.go("adopt", str(path), "--why", "the old system")

    # -- this run's evidence, by the plain rules that a clerk knows

    def list_files(self, doctor: Doctor) -> set[str]:
        """Return the files that a doctor's row finds by entry, identity number, staff number or name."""
        listed_number = doctor.damage.get("number", doctor.number)
        files = {doctor.entry} & self.files.keys()
        for path in self.files:
            folder, stem = PurePosixPath(path).parent.name, PurePosixPath(path).stem
            is_own_folder = folder not in DEPARTMENTS or folder == doctor.department
            by_number = {listed_number, doctor.staff_no, f"{doctor.name}{doctor.staff_no}"}
            by_name = fold(stem) == fold(doctor.name) and is_own_folder
            if stem in by_number or by_name or self.is_composed(doctor, stem):
                files.add(path)
        return files

    def is_composed(self, doctor: Doctor, stem: str) -> bool:
        """Return whether a stem is made of the row's values, or may be but for a place in an older roster."""
        parts = re.split("[.-]", stem)
        if len(parts) == 1:
            return False
        own = {doctor.name, doctor.staff_no, doctor.department, str(self.get_position(doctor))}
        other_marks = {part for part in parts if part in self.borne or part in DEPARTMENTS} - own
        return not other_marks and (doctor.name in parts or (set(parts) <= own and doctor.staff_no in parts))

    def list_clear(self) -> set[int]:
        """Return the doctors whose row finds one file, the own one, which no other row finds."""
        found_by = {doctor.serial: self.list_files(doctor) for doctor in self.doctors}
        uses = Counter(path for files in found_by.values() for path in files)
        return {
            serial
            for serial, files in found_by.items()
            if len(files) == 1 and all(self.files[path] == serial and uses[path] == 1 for path in files)
        }


def fold(text: str) -> str:
    return FIRST_SPELLING.get(text, text)
