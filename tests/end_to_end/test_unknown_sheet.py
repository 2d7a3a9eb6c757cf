"""The Unknown sheet as clerks send it back: sorted in part, pasted, shifted. No SealId goes to another doctor."""

import pytest
from resolution_support import find_unknown_rows, list_made_seals, run_later
from result_sheet import ResultSheet
from run_support import make_row
from wire_support import fault

LOST = (2, 3, 4)
ID = "yD" + "a1B2" * 7 + "zz"


@pytest.fixture
def unsettled(hospital_with):
    hospital = hospital_with(faults=[fault("reset_after", nth=LOST)])
    hospital.doctors(5)
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "unknown": len(LOST)})
    return hospital


class UnknownSheet(ResultSheet):
    """The Unknown sheet of the last results, opened to be filled in."""

    def __init__(self, hospital, file="results.xlsx"):
        self.hospital = hospital
        super().__init__(hospital.folder / "out" / "latest" / file, "sheet.unknown")

    def rotate(self, *titles):
        """Move the cells of some columns one line down, as a sort of these alone does."""
        for title in titles:
            *values, last = self.read_column(title)
            self.paste_column(title, [last, *values])

    def fill_by_name(self):
        """Write beside each name the SealId that the console shows for it."""
        for row in self.rows:
            self.write(row, "SealId", list_made_seals(self.hospital)[self.read(row, "Name")])

    def answer(self, answers):
        """Fill in SealId and conclusion beside each name: name -> (SealId, conclusion); the others stay empty."""
        for row in self.rows:
            seal_id, conclusion = answers.get(self.read(row, "Name"), (None, None))
            self.write(row, "SealId", seal_id)
            self.write(row, "Conclusion", conclusion)
        return self

    def enter(self) -> int:
        return run_later(self.hospital, "resolve", str(self.save(self.hospital.folder / "filled.xlsx")))


VISIBLE = ("Name", "Status", "Seal name", "Identity no.", "Sent at", "How to resolve it")


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


def test_a_sheet_that_was_sorted_in_part_is_refused_whole(unsettled, capsys):
    for titles in SORTED_IN_PART:
        sheet = UnknownSheet(unsettled)
        sheet.rotate(*titles)
        sheet.fill_by_name()
        assert sheet.enter() == 2, titles
        stderr_text = capsys.readouterr().err
        assert "row 2" in stderr_text or "row_id 2" in stderr_text, titles
    assert unsettled.go("run") == 3
    assert len(find_unknown_rows(unsettled)) == len(LOST), "nothing of it was entered"


def test_a_sheet_that_was_sorted_as_a_whole_is_entered(unsettled):
    sheet = UnknownSheet(unsettled)
    sheet.rotate(*[title for title in sheet.heads if title])
    sheet.fill_by_name()
    assert sheet.enter() == 0
    assert unsettled.go("run") == 0
    assert {row["name"]: row["seal_id"] for row in unsettled.outcomes()} == list_made_seals(unsettled)


def test_one_line_that_disagrees_refuses_the_right_ones_as_well(unsettled):
    sheet = UnknownSheet(unsettled)
    sheet.fill_by_name()
    sheet.write(4, "TraceId", sheet.read(3, "TraceId"))
    assert sheet.enter() == 2
    assert unsettled.go("run") == 3
    assert len(find_unknown_rows(unsettled)) == len(LOST)


@pytest.mark.parametrize("title", ["TraceId", "row_id"])
def test_a_line_without_its_token_refuses_the_sheet(unsettled, title):
    sheet = UnknownSheet(unsettled)
    sheet.fill_by_name()
    sheet.write(3, title, None)
    assert sheet.enter() == 2


def test_a_row_that_was_corrected_meanwhile_still_agrees(unsettled):
    """Its token, name and seal name in the ledger are the older ones, or the newer; the person is the same."""
    first = UnknownSheet(unsettled)
    unsettled.roster([make_row(n, mobile=f"155{n:08d}", department="外科") for n in range(1, 6)])
    assert unsettled.go("run") == 3
    first.fill_by_name()
    first.write(3, "SealId", None)
    first.write(4, "SealId", None)
    assert first.enter() == 0
    second = UnknownSheet(unsettled)
    made = list_made_seals(unsettled)
    second.answer({who: (made[who], None) for who in (first.read(3, "Name"), first.read(4, "Name"))})
    assert second.enter() == 0


def test_the_ledger_from_its_receipts_still_knows_the_lines(unsettled):
    (unsettled.folder / "state" / "ledger.sqlite3").unlink()
    assert unsettled.go("ledger", "rebuild") == 0
    sheet = UnknownSheet(unsettled)
    sheet.fill_by_name()
    assert sheet.enter() == 0


@pytest.mark.parametrize(
    ("conclusion", "seal_id", "expected"),
    [("Created", "", "but the SealId is missing"), ("Not created", "yD1", "the conclusion is not “created”")],
)
def test_half_an_answer_is_refused_by_name_with_what_is_missing(
    unsettled, capsys, conclusion, seal_id, expected
):
    sheet = UnknownSheet(unsettled)
    (row, *_) = sheet.rows
    sheet.write(row, "Conclusion", conclusion)
    sheet.write(row, "SealId", seal_id)
    assert sheet.enter() == 3
    stderr_text = capsys.readouterr().err
    assert expected in stderr_text
    assert sheet.read(row, "Name") in stderr_text


def test_created_and_not_created_rows_are_entered_by_one_sheet(unsettled, capsys):
    lost, never, third = find_unknown_rows(unsettled)
    made = list_made_seals(unsettled)
    answers = {lost: (made[lost], "created"), never: (None, "未创建（确定）"), third: (made[third], None)}
    assert UnknownSheet(unsettled).answer(answers).enter() == 0
    assert "Rows recorded: 3" in capsys.readouterr().err
    filled = str(unsettled.folder / "filled.xlsx")
    assert run_later(unsettled, "resolve", filled) == 3, "the second time none is open"
    assert UnknownSheet(unsettled).answer({}).enter() == 0, "an empty sheet enters nothing"


def test_one_seal_id_copied_to_two_doctors_is_entered_for_neither(unsettled, capsys):
    """Filled down in Excel: the first of them would get the other's seal."""
    one, other, third = find_unknown_rows(unsettled)
    made = list_made_seals(unsettled)
    answers = dict.fromkeys((one, other), (made[other], "created")) | {third: (made[third], None)}
    assert UnknownSheet(unsettled).answer(answers).enter() == 3
    assert capsys.readouterr().err.count("more than one doctor") == 2
    assert unsettled.go("run") == 3
    assert set(find_unknown_rows(unsettled)) == {one, other}


def test_a_line_that_contradicts_itself_is_not_entered(unsettled):
    who = next(iter(find_unknown_rows(unsettled)))
    for answer in ((None, "已创建"), (ID, "未创建"), ("?", "已创建"), (ID, "maybe")):
        assert UnknownSheet(unsettled).answer({who: answer}).enter() == 3, answer
    assert who in find_unknown_rows(unsettled)


def test_a_damaged_sheet_and_another_workbook_are_refused(unsettled):
    sheet = UnknownSheet(unsettled)
    for row in sheet.rows:
        sheet.write(row, "check", "00000000")
    assert sheet.enter() == 2
    assert run_later(unsettled, "resolve", str(unsettled.folder / "inbox" / "roster.xlsx")) == 2


@pytest.fixture
def on_two_rows(unsettled):
    """Two rows with different errors are no copies of each other: an unknown doctor has two lines."""
    for serial in range(1, 6):
        (unsettled.folder / "seals" / f"{serial:05d}.png").unlink()
    unsettled.roster([make_row(serial, mobile="154") for serial in range(1, 6)], file="again.xlsx")
    assert unsettled.run_to_end("run") == (3, {"unchanged": 4, "unknown": 6})
    return unsettled


def test_the_two_lines_of_a_doctor_give_one_answer(on_two_rows, capsys):
    lost, never, third = find_unknown_rows(on_two_rows)
    made = list_made_seals(on_two_rows)
    sheet = UnknownSheet(on_two_rows).answer(
        {lost: (made[lost], "created"), never: (None, "未创建（确定）"), third: (ID, "created")}
    )
    row = next(row for row in sheet.rows if sheet.read(row, "Name") == third)
    sheet.write(row, "SealId", "yX" + ID[2:])
    assert sheet.enter() == 3
    assert "contradict each other" in capsys.readouterr().err
    assert run_later(on_two_rows, "resolve", third) == 3, "it is still open"
    assert on_two_rows.go("run") == 3
    assert set(find_unknown_rows(on_two_rows)) == {third}
