"""What the clerk of a hospital does between two runs: list doctors, name their pictures, enter seals made elsewhere, decide."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import openpyxl
from attack.marks import draw_mark
from attack.stage import CREATE, HEADERS, Ended, Person, Stage, person, read_lines
from openpyxl.drawing.image import Image as Drawing
from page_support import judge_pictures
from run_support import newest_results

ENTRY = "印章图片"
COLLEAGUES = (21, 22, 23)  # who stand in every roster and whose pictures are their own
GUARD = "guards: {new_rows: 0}\n"


@dataclass
class Clerk:
    """Writes one roster; every row may name a picture in its column or hold one in its cell."""

    stage: Stage
    file: str = "roster.xlsx"
    people: tuple[Person, ...] = ()
    entries: dict[int, str] = field(default_factory=dict)  # serial -> entry of the picture column
    drawn: dict[int, int] = field(default_factory=dict)  # serial -> drawing of the picture in the row's cell
    has_colleagues: bool = True

    @property
    def seals(self) -> Path:
        return self.stage.folder / "seals"

    def list(self, *people: Person) -> None:
        """Write the roster: the colleagues, then these people."""
        self.people = people
        for member in people:
            self.stage.know(member.serial)
        colleagues = [person(serial) for serial in COLLEAGUES] if self.has_colleagues else []
        for member in colleagues:
            self.stage.know(member.serial)
            if not (self.seals / f"{member.staff_no}.png").exists():
                self.stage.draw(member.serial)
        listed = [*colleagues, *people]
        has_column = bool(self.entries or self.drawn)
        headers = (*HEADERS, ENTRY) if has_column else HEADERS
        rows = [
            (*member.cells, self.entries.get(member.serial)) if has_column else member.cells
            for member in listed
        ]
        if self.file.endswith(".csv"):
            path = self.stage.folder / "inbox" / self.file
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                csv.writer(file).writerows([headers, *rows])
            return
        path = self.stage.roster(rows, headers=headers, file=self.file)
        if self.drawn:
            self._draw_in_cells(path, {row: member.serial for row, member in enumerate(listed, 2)})

    def _draw_in_cells(self, path: Path, serials: Mapping[int, int]) -> None:
        book = openpyxl.load_workbook(path)
        for row, serial in serials.items():
            if serial in self.drawn:
                mark, drawing = divmod(self.drawn[serial], 16)
                picture = self.stage.folder / f"cell{row}.png"
                draw_mark(mark, drawing).save(picture)
                floating = Drawing(str(picture))
                floating.width, floating.height = 36, 16
                book.active.add_image(floating, f"F{row}")
        book.save(path)

    def put_in_cell(self, row_of: int, mark: int, drawing: int = 0) -> None:
        """Put a doctor's mark into the cell of a row."""
        self.drawn[row_of] = mark * 16 + drawing

    def adopt(self, *people: Person) -> None:
        """Enter seals that were made elsewhere."""
        book = openpyxl.Workbook()
        book.active.append(("姓名", "身份证号", "工号", "印章ID"))
        for member in people:
            seal_id = f"yD{member.serial:030d}"
            self.stage.know(member.serial)
            self.stage.adopted[seal_id] = member.serial
            book.active.append((member.name, member.number, member.staff_no, seal_id))
        path = self.stage.folder / "seals-of-old.xlsx"
        book.save(path)
        ended = self.stage.go("adopt", str(path), "--why", "the old system")
        assert ended.code == 0, ended.output

    def run(self, *words: str, code: int | None = None, **order: object) -> Ended:
        """Run, and compare the exit code where one is expected."""
        ended = self.stage.go("run", *words, **order)
        assert code is None or ended.code == code, (ended.code, self.describe(), ended.output[-2000:])
        return ended

    def zip(self, serial: int, entry: str, *, drawing: int = 0) -> None:
        """Put a doctor's mark into a zip in the picture folder."""
        picture = self.stage.folder / "zipped.png"
        draw_mark(serial, drawing).save(picture)
        with zipfile.ZipFile(self.seals / "pictures.zip", "w") as archive:
            archive.write(picture, entry)

    def strike(self, member: Person, do: object) -> None:
        """Let the service meet the create of one doctor with a fault."""
        self.stage.strike({"match": {"action": CREATE, "user_name": member.name}, "do": do})

    def guard(self) -> None:
        """Let a guard stop every run that would send anything."""
        with (self.stage.folder / "config.yaml").open("a", encoding="utf-8") as config:
            config.write(GUARD)

    def unguard(self) -> None:
        path = self.stage.folder / "config.yaml"
        path.write_text(path.read_text("utf-8").replace(GUARD, ""), "utf-8")

    # -- what the results hold

    def row_of(self, serial: int, *, file: str = "outcomes.jsonl") -> dict[str, Any]:
        """Return the row of a doctor in the last results, by the end of the identity number."""
        ending = person(serial).number[-4:]
        rows = read_lines(newest_results(self.stage.folder / "out") / file)
        (row,) = [row for row in rows if (row["id_masked"] or "")[-4:] == ending]
        return row

    def describe(self) -> list[tuple]:
        """Return the rows of the last results that a failed test shows."""
        rows = self.stage.outcomes()
        return [
            (row["name"], row["staff_no"], row["status"], row["codes"])
            for row in rows
            if len(rows) < 50 or row["status"] not in {"sealed", "unchanged"}
        ]

    # -- decisions

    def judge(self, *serials: int, word: str = "right") -> None:
        """Check, and judge the pictures of these doctors on the page."""
        self.stage.go("check")
        names = [next(one.name for one in self.people if one.serial == serial) for serial in serials]
        judge_pictures(self.stage.folder / "config.yaml", dict.fromkeys(names, word))


# -- what became of a doctor's row in an earlier run

Fate = Callable[[Clerk, Person], None]
TAKEN = {"code": {"code": "FailedOperation.ExistSameSealName"}}
REFUSED = {"code": {"code": "InvalidParameter.CardNumber", "message": "证件号不合法。"}}


def see_sealed(clerk: Clerk, member: Person) -> None:
    clerk.list(member)
    clerk.run(code=0)


def see_adopted(clerk: Clerk, member: Person) -> None:
    clerk.adopt(member)
    clerk.list(member)
    clerk.run(code=0)


def enter_adopted(clerk: Clerk, member: Person) -> None:
    clerk.adopt(member)


def _see_struck(clerk: Clerk, member: Person, do: object, status: str) -> None:
    clerk.list(member)
    clerk.strike(member, do)
    clerk.run(code=3)
    clerk.stage.strike()
    assert clerk.row_of(member.serial)["status"] == status


def see_unknown(clerk: Clerk, member: Person) -> None:
    _see_struck(clerk, member, "reset_after", "unknown")


def see_existing(clerk: Clerk, member: Person) -> None:
    _see_struck(clerk, member, TAKEN, "exists")


def see_failed(clerk: Clerk, member: Person) -> None:
    _see_struck(clerk, member, REFUSED, "failed")


def see_not_sent(clerk: Clerk, member: Person) -> None:
    clerk.list(member)
    clerk.run("--limit", str(len(COLLEAGUES)), code=0)
    assert clerk.row_of(member.serial)["status"] == "not_sent"


def see_stopped(clerk: Clerk, member: Person) -> None:
    """A guard stopped the run before its first call."""
    clerk.list()
    clerk.run(code=0)
    clerk.guard()
    clerk.list(member)
    clerk.run(code=5)
    clerk.unguard()


def _see_damaged(clerk: Clerk, member: Person, **damage: str | None) -> None:
    clerk.list(replace(member, **damage))
    clerk.run(code=3)
    assert "rejected" in [row["status"] for row in clerk.stage.outcomes()]


def see_bad_mobile(clerk: Clerk, member: Person) -> None:
    _see_damaged(clerk, member, mobile=member.mobile[:6])


def see_short_number(clerk: Clerk, member: Person) -> None:
    _see_damaged(clerk, member, number=member.number[:-1])


def see_wrong_digit(clerk: Clerk, member: Person) -> None:
    _see_damaged(clerk, member, number=f"{member.number[:10]}9{member.number[11:]}")


def see_no_number(clerk: Clerk, member: Person) -> None:
    _see_damaged(clerk, member, number="")


FATES: dict[str, Fate] = {
    "sealed": see_sealed,
    "adopted": see_adopted,
    "unknown": see_unknown,
    "exists": see_existing,
    "failed": see_failed,
    "not sent": see_not_sent,
    "stopped": see_stopped,
    "bad mobile": see_bad_mobile,
    "short number": see_short_number,
    "wrong digit": see_wrong_digit,
    "no number": see_no_number,
}


def list_held(rows: Iterable[Mapping[str, Any]], codes: frozenset[str]) -> set[str]:
    """Return the endings of the identity numbers of rows that are held for one of these codes."""
    return {row["id_masked"][-4:] for row in rows if row["status"] == "rejected" and codes & {*row["codes"]}}
