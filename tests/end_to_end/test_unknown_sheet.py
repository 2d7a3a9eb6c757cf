"""The Unknown sheet as clerks send it back: sorted in part, pasted, shifted. No SealId goes to another doctor."""

import openpyxl
import pytest
from night_support import name, number
from resolution_support import find_unknown_rows, list_made_seals, run_later
from wire_support import fault

from pipeline.messages.results import WORDS

LOST = (2, 3, 4)


@pytest.fixture
def night(hospital_with):
    hospital = hospital_with(faults=[fault("reset_after", nth=LOST)])
    hospital.doctors(5)
    assert hospital.go("run") == 3
    assert hospital.statuses() == {"sealed": 2, "unknown": len(LOST)}
    return hospital


class Sheet:
    """The Unknown sheet of the last results, opened to be filled in."""

    def __init__(self, hospital, file="results.xlsx"):
        self.hospital = hospital
        self.book = openpyxl.load_workbook(hospital.folder / "out" / "latest" / file)
        self.sheet = next(sheet for sheet in self.book if sheet.title in WORDS["sheet.unknown"])
        self.titles = {cell.value: cell.column for cell in self.sheet[1]}
        self.rows = range(2, self.sheet.max_row + 1)

    def read(self, row, title):
        return self.sheet.cell(row, self.titles[title]).value

    def write(self, row, title, value):
        self.sheet.cell(row, self.titles[title]).value = value

    def rotate(self, *titles):
        """Move the cells of some columns one line down, as a sort of these alone does."""
        for title in titles:
            values = [self.read(row, title) for row in self.rows]
            for row, value in zip(self.rows, [values[-1], *values[:-1]], strict=True):
                self.write(row, title, value)

    def fill_by_name(self):
        """Write beside each name the SealId that the console shows for it."""
        for row in self.rows:
            self.write(row, "SealId", list_made_seals(self.hospital)[self.read(row, "Name")])

    def enter(self) -> int:
        self.book.save(self.hospital.folder / "filled.xlsx")
        return run_later(self.hospital, "resolve", str(self.hospital.folder / "filled.xlsx"))


VISIBLE = ("Name", "Status", "Seal name", "Identity no.", "Sent at", "How to settle it")


SORTED_IN_PART = [
    ("TraceId",),
    ("TraceId", "RequestId"),
    ("TraceId", "row_id", "check"),
    ("row_id", "check"),
    ("row_id",),
    ("check",),
    ("Name",),
    ("Seal name",),
    ("Identity no.",),
    VISIBLE,
    ("Name", "Identity no."),
    ("Seal name", "TraceId"),
]


def test_a_sheet_that_was_sorted_in_part_is_refused_whole(night, capsys):
    for titles in SORTED_IN_PART:
        sheet = Sheet(night)
        sheet.rotate(*titles)
        sheet.fill_by_name()
        assert sheet.enter() == 2, titles
        said = capsys.readouterr().err
        assert "row 2" in said or "row_id 2" in said, titles
    assert night.go("run") == 3
    assert len(find_unknown_rows(night)) == len(LOST), "nothing of it was entered"


def test_a_sheet_that_was_sorted_whole_is_taken(night):
    sheet = Sheet(night)
    sheet.rotate(*[title for title in sheet.titles if title])
    sheet.fill_by_name()
    assert sheet.enter() == 0
    assert night.go("run") == 0
    assert {row["name"]: row["seal_id"] for row in night.outcomes()} == list_made_seals(night)


def test_one_line_that_disagrees_stops_the_right_ones_as_well(night):
    sheet = Sheet(night)
    sheet.fill_by_name()
    sheet.write(4, "TraceId", sheet.read(3, "TraceId"))
    assert sheet.enter() == 2
    assert night.go("run") == 3
    assert len(find_unknown_rows(night)) == len(LOST)


@pytest.mark.parametrize("title", ["TraceId", "row_id"])
def test_a_line_that_has_lost_its_mark_is_not_passed_over(night, title):
    sheet = Sheet(night)
    sheet.fill_by_name()
    sheet.write(3, title, None)
    assert sheet.enter() == 2


def test_a_row_that_was_corrected_meanwhile_still_agrees(night):
    """Its token, name and seal name in the ledger are the older ones, or the newer; the person is the same."""
    first = Sheet(night)
    rows = [(name(each), number(each), f"155{each:08d}", f"{each:05d}", "外科") for each in range(1, 6)]
    night.roster(rows)
    assert night.go("run") == 3
    first.fill_by_name()
    first.write(3, "SealId", None)
    first.write(4, "SealId", None)
    assert first.enter() == 0
    second = Sheet(night)
    for row in second.rows:
        if second.read(row, "Name") in (first.read(3, "Name"), first.read(4, "Name")):
            second.write(row, "SealId", list_made_seals(night)[second.read(row, "Name")])
    assert second.enter() == 0


def test_the_ledger_from_its_receipts_still_knows_the_lines(night):
    (night.folder / "state" / "ledger.sqlite3").unlink()
    assert night.go("ledger", "rebuild") == 0
    sheet = Sheet(night)
    sheet.fill_by_name()
    assert sheet.enter() == 0


@pytest.mark.parametrize(
    ("conclusion", "seal_id", "words"),
    [("Created", "", "but the SealId is missing"), ("Not created", "yD1", "the conclusion is not “created”")],
)
def test_half_an_answer_names_the_doctor_and_what_is_missing(night, capsys, conclusion, seal_id, words):
    sheet = Sheet(night)
    (row, *_) = sheet.rows
    sheet.write(row, "Conclusion", conclusion)
    sheet.write(row, "SealId", seal_id)
    assert sheet.enter() == 3
    told = capsys.readouterr().err
    assert words in told
    assert sheet.read(row, "Name") in told
