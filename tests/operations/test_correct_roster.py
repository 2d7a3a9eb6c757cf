"""Correcting a cell of a roster: nothing but the cell changes, in every format, whatever happens at the same time."""

import io
import shutil
import stat

import openpyxl
import pytest
from end_to_end.conftest import HEADERS
from end_to_end.test_plain_copies import FORMS, make_page
from format_support import Page, write_xlsx
from manual_clock import ManualClock
from openpyxl.chart import BarChart
from openpyxl.comments import Comment
from openpyxl.drawing.image import Image as Drawing
from openpyxl.worksheet.datavalidation import DataValidation
from people import make_row, number
from run_support import draw_seal

from pipeline.config.settings import Config
from pipeline.domain.roster import CellKind, Field
from pipeline.errors import NotCopied, RosterChanged
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers.xlsx.copying import collect_exact_sheets
from pipeline.intake.readers.xlsx.package import Package
from pipeline.operations.correct_roster import RosterCorrector, change_cell
from pipeline.support import failpoints

RIGHT = number(5)
SUFFIXES = {"html": ".xls", "xml2003": ".xml"}


class Inbox:
    """A roster folder, and what corrects in it."""

    def __init__(self, folder):
        self.folder, self.state = folder / "inbox", folder / "state"
        self.folder.mkdir()
        config = Config(base=folder)
        self.corrector = RosterCorrector(config, ManualClock())

    def write(self, name, data):
        (self.folder / name).write_bytes(data)
        return self.read(name)

    def read(self, name):
        return self.corrector.read(self.folder / name)

    def correct(self, roster, line=5, field=Field.NUMBER, text=RIGHT):
        row = next(row for row in roster.rows if row.origin.row == line)
        return self.corrector.correct(roster, row, field, text)

    @property
    def files(self):
        return sorted(path.name for path in self.folder.iterdir())

    @property
    def kept(self):
        return [path.read_bytes() for path in sorted((self.state / "replaced").glob("*"))]


@pytest.fixture
def inbox(tmp_path):
    return Inbox(tmp_path)


def list_cells(rows):
    return [
        (row.origin.row, row.hidden, [(cell.column, cell.header, cell.display_text) for cell in row.cells])
        for row in rows
    ]


def list_looks(cell):
    note = cell.comment and (cell.comment.text, cell.comment.width, cell.comment.height)
    return [
        cell.value,
        cell.number_format,
        note,
        *map(repr, (cell.font, cell.fill, cell.border, cell.alignment)),
    ]


def save(book):
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def make_book():
    """Return a workbook with what a clerk's roster has: formats, a formula, a note, rules, a hidden sheet, widths."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "内科"
    sheet.append(["某某医院医师名单"])
    sheet.append([*HEADERS, "年龄"])
    for serial in range(3, 9):
        sheet.append([*make_row(serial), f"=2026-MID(B{serial},7,4)"])
    sheet["B5"].value = number(5)[:17]
    sheet["D6"].value, sheet["D6"].number_format = 9, "00000"
    sheet["C7"].comment = Comment("问过本人", "王")
    sheet.add_data_validation(DataValidation("list", formula1='"内科,外科"', sqref="E3:E9"))
    sheet.merge_cells("A1:E1")
    sheet.auto_filter.ref = "A2:F8"
    sheet.column_dimensions["B"].width = 24
    hidden = book.create_sheet("旧")
    hidden["A1"].value = 1.1
    hidden.sheet_state = "hidden"
    return book


def test_a_workbook_differs_in_the_cell_alone(inbox):
    before = save(make_book())
    roster = inbox.write("名单.xlsx", before)
    (inbox.folder / "名单.xlsx").chmod(0o664)
    after = inbox.correct(roster)
    assert inbox.files == ["名单.xlsx"]
    assert stat.S_IMODE((inbox.folder / "名单.xlsx").stat().st_mode) == 0o664, "others may read it as before"
    assert inbox.kept == [before]
    expected = [change_cell(row, Field.NUMBER, RIGHT) if row.origin.row == 5 else row for row in roster.rows]
    assert list_cells(after.rows) == list_cells(expected)
    assert after.report.skipped == roster.report.skipped
    written = (inbox.folder / "名单.xlsx").read_bytes()
    exact = (
        [[{**sheet.cells, "B5": ""}, sheet.notes] for sheet in collect_exact_sheets(Package(before))],
        [[{**sheet.cells, "B5": ""}, sheet.notes] for sheet in collect_exact_sheets(Package(written))],
    )
    assert exact[0] == exact[1], "the XML of formulas, numbers, notes"
    book, former = openpyxl.load_workbook(io.BytesIO(written)), openpyxl.load_workbook(io.BytesIO(before))
    cell = book["内科"]["B5"]
    assert (cell.value, cell.data_type, cell.number_format) == (RIGHT, "s", "@")
    for sheet, old in zip(book.worksheets, former.worksheets, strict=True):
        for line, old_line in zip(sheet.iter_rows(), old.iter_rows(), strict=True):
            for new, was in zip(line, old_line, strict=True):
                if new.coordinate != "B5":
                    assert list_looks(new) == list_looks(was), new.coordinate
        assert sheet.merged_cells.ranges == old.merged_cells.ranges
        assert sheet.auto_filter.ref == old.auto_filter.ref
        assert sheet.column_dimensions["B"].width == old.column_dimensions["B"].width
        assert sheet.sheet_state == old.sheet_state
    assert (
        book["内科"].data_validations.dataValidation[0].sqref
        == former["内科"].data_validations.dataValidation[0].sqref
    )


@pytest.mark.parametrize("form", ["xlsx", *sorted(FORMS)])
def test_each_format_gives_the_corrected_row_and_all_others_as_before(inbox, form):
    page = make_page(form)
    data = write_xlsx(page) if form == "xlsx" else FORMS[form](page)
    roster = inbox.write(f"名单{SUFFIXES.get(form, f'.{form}')}", data)
    assert roster.rows
    for name, text in ((Field.NUMBER, RIGHT), (Field.MOBILE, "15400000077"), (Field.DEPARTMENT, "")):
        if name is Field.DEPARTMENT and form == "xlsx":
            continue
        try:
            after = inbox.correct(inbox.read(inbox.files[0]), line=9, field=name, text=text)
        except NotCopied:
            pytest.fail(f"{form} {name}")
        (row,) = [row for row in after.rows if row.origin.row == 9]
        assert row.fields[name].display_text == text
    assert inbox.files == ["名单.xlsx"]
    assert data in inbox.kept
    before = {row.origin.row: list_cells([row]) for row in roster.rows if row.origin.row != 9}
    for line, cells in before.items():
        (row,) = [row for row in after.rows if row.origin.row == line]
        numbers = [cell for cell in list_cells([row])[0][2] if cell not in cells[0][2]]
        assert all("E+" in text or text.startswith("#") for _, _, text in numbers), (line, numbers)


def test_what_only_excel_can_write_is_left_to_excel(inbox, tmp_path):
    pictured, formula, charted = make_book(), make_book(), make_book()
    draw_seal(tmp_path / "seal.png", 1)
    pictured.active.add_image(Drawing(io.BytesIO((tmp_path / "seal.png").read_bytes())), "G5")
    formula.active["A5"].value = '=IF(TRUE,"钱安海","")'
    charted.active.add_chart(BarChart(), "H2")
    for name, book, line in (("图.xlsx", pictured, 5), ("式.xlsx", formula, 5), ("表.xlsx", charted, 5)):
        data = save(book)
        roster = inbox.write(name, data)
        if not roster.rows:
            continue
        with pytest.raises(NotCopied):
            inbox.correct(roster, line=line)
        assert (inbox.folder / name).read_bytes() == data
    assert inbox.kept == []


def test_a_merged_department_that_is_several_doctors_is_left_to_excel(inbox):
    book = make_book()
    book.active.merge_cells("E3:E5")
    data = save(book)
    roster = inbox.write("名单.xlsx", data)
    for line in (3, 5):
        with pytest.raises(NotCopied):
            inbox.correct(roster, line=line, field=Field.DEPARTMENT, text="外科")
    assert (inbox.folder / "名单.xlsx").read_bytes() == data


def test_an_open_workbook_is_not_written(inbox):
    roster = inbox.write("名单.xlsx", save(make_book()))
    (inbox.folder / "~$名单.xlsx").write_bytes(b"x")
    with pytest.raises(NotCopied) as refusal:
        inbox.correct(roster)
    assert refusal.value.why.key == "rows.open"


@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_a_roster_that_changed_is_not_written(inbox, form):
    page = Page("内科", {1: dict(enumerate(HEADERS)), 5: dict(enumerate(make_row(5, number=number(5)[:17])))})
    roster = inbox.write(f"名单.{form}", write_xlsx(page) if form == "xlsx" else FORMS[form](page))
    changed = Page("内科", {**page.cells, 6: dict(enumerate(make_row(6)))})
    data = write_xlsx(changed) if form == "xlsx" else FORMS[form](changed)
    (inbox.folder / f"名单.{form}").write_bytes(data)
    with pytest.raises(RosterChanged):
        inbox.correct(roster)
    # also where it changes while it is being written
    roster = inbox.read(f"名单.{form}")
    hit = []

    def change(point):
        if "名单" in point and not hit:
            hit.append(point)
            (inbox.folder / f"名单.{form}").write_bytes(data + b"\r\n")

    failpoints.enable_failpoint(change)
    try:
        with pytest.raises(RosterChanged):
            inbox.correct(roster)
    finally:
        failpoints.enable_failpoint(None)
    assert hit
    assert inbox.files == [f"名单.{form}"]
    assert (inbox.folder / f"名单.{form}").read_bytes() == data + b"\r\n"


def test_what_reads_otherwise_is_never_put_in_place(inbox, monkeypatch):
    before = save(make_book())
    roster = inbox.write("名单.xlsx", before)
    monkeypatch.setattr(RosterCorrector, "_digest_other_cells", lambda *words: (words[2], None))
    with pytest.raises(NotCopied):
        inbox.correct(roster)
    assert (inbox.folder / "名单.xlsx").read_bytes() == before
    assert inbox.files == ["名单.xlsx"]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_killed_at_any_point_a_run_reads_the_former_or_the_new_roster(tmp_path, form):
    page = Page("内科", {1: dict(enumerate(HEADERS)), 5: dict(enumerate(make_row(5, number=number(5)[:17])))})
    data = write_xlsx(page) if form == "xlsx" else FORMS[form](page)
    texts = []
    while (text := correct_until_killed(tmp_path / str(len(texts)), form, data, points=len(texts))) != "done":
        texts.append(text)
    assert len(texts) >= 3
    assert texts[0] == number(5)[:17]
    assert set(texts) <= {number(5)[:17], RIGHT}
    if form == "csv":
        assert texts[-1] == RIGHT, "both files are there, and one is read"


def correct_until_killed(folder, form, data, *, points):
    """Correct a roster, killed after so many points; return what a run then reads of it, "done" where it ends before."""
    folder.mkdir()
    inbox = Inbox(folder)
    roster = inbox.write(f"名单.{form}", data)
    passed = []

    def act(point):
        passed.append(point)
        if len(passed) > points:
            # what tidies up after an exception does not run in a process that is killed
            shutil.copytree(inbox.folder, folder / "frozen", dirs_exist_ok=True)
            raise Killed(point)

    failpoints.enable_failpoint(act)
    try:
        inbox.correct(roster)
    except Killed:
        rows, _ = read_rosters([folder / "frozen"])
        (text,) = [row.fields[Field.NUMBER].display_text for row in rows]
        return text
    finally:
        failpoints.enable_failpoint(None)
    return "done"


def test_a_text_that_begins_like_a_formula_is_a_text(inbox):
    roster = inbox.write("名单.xlsx", save(make_book()))
    after = inbox.correct(roster, field=Field.DEPARTMENT, text="=1+1")
    (row,) = [row for row in after.rows if row.origin.row == 5]
    assert (row.fields[Field.DEPARTMENT].kind, row.fields[Field.DEPARTMENT].display_text) == (
        CellKind.TEXT,
        "=1+1",
    )
    book = openpyxl.load_workbook(inbox.folder / "名单.xlsx")
    assert book.active["E5"].data_type == "s"
