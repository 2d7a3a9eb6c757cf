"""A cell of a copy that is made anew reads as the roster's cell does, and no lost digit comes back."""

from datetime import date, datetime, time

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.domain.roster import Cell, CellKind, Field, Origin, Row, format_number
from pipeline.intake.fields.id_number import read_identity
from pipeline.intake.readers.xlsx.styles import EPOCH_1900, make_formats, styled_number
from pipeline.reports.copies.plain_copy import convert_cell, make_number_format

ALL_KINDS = st.sampled_from(sorted({*CellKind} - {CellKind.PICTURE}))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20)
SHOWN = st.text('0123456789-/.,%年号 A"\\0', max_size=20)


def read_back(value, code):
    (style,) = make_formats(["200"], {"200": code})
    return styled_number(value, style, EPOCH_1900).display_text


@given(st.integers(0, 10**15 - 1), SHOWN)
@example(7, "00007")
@example(13800138000, "138-0013-8000")
@example(1234, "1,234.00")
@example(1010732, "440106199001010732")
def test_a_number_is_shown_as_in_the_roster_or_plainly(value, shown):
    code = make_number_format(value, shown)
    if code:
        assert read_back(value, code) == shown
    else:
        assert convert_cell(CellKind.NUMBER, value, shown)[2] == format_number(float(value))


@given(st.integers(1, 10**12), st.text("0-/号A", max_size=6), st.text("-/号A", max_size=6))
def test_padding_and_words_around_the_digits_are_kept(value, before, after):
    shown = f"{before}{value}{after}"
    assert read_back(value, make_number_format(value, shown)) == shown


@given(NUMBERS, SHOWN)
def test_a_copied_number_is_copied_alike(value, shown):
    once = convert_cell(CellKind.NUMBER, value, shown)
    assert convert_cell(*once) == once


@given(st.floats(1e15, 1e19) | st.integers(10**15, 10**19), st.sampled_from(["", "护照", "身份证", "回乡证"]))
@example(440106199001010732, "")
def test_a_number_whose_digits_were_lost_stays_lost(value, card):
    kind, text, shown = convert_cell(CellKind.NUMBER, value, str(int(value)))
    # a number in a cell with the format of text becomes a text of 18 digits once it is edited, with zeros for those lost
    assert kind is CellKind.TEXT
    assert "E+" in shown
    cells = {
        Field.NUMBER: Cell("B", "证件号码", text, kind, shown),
        Field.ID_TYPE: Cell("C", "证件类型", card, CellKind.TEXT if card else CellKind.EMPTY, card),
    }
    row = Row(Origin("a.xlsx", "内科", 2), tuple(cells.values()), cells)
    identity = read_identity(row, allow_other=True, today=date(2026, 11, 29), is_known=lambda *_: True)
    assert identity.number is None
    assert [problem.code for problem in identity.problems] == ["ID_PRECISION_LOST"]


def test_errors_and_dates_that_no_cell_of_excel_holds():
    assert convert_cell(CellKind.ERROR, "Err:502", "Err:502") == (CellKind.ERROR, "#VALUE!", "#VALUE!")
    assert convert_cell(CellKind.ERROR, "#N/A", "#N/A") == (CellKind.ERROR, "#N/A", "#N/A")
    early = datetime(1899, 1, 1)  # noqa: DTZ001  a sheet's dates have no zone
    assert convert_cell(CellKind.DATE, early, "1899-01-01") == (CellKind.TEXT, "1899-01-01", "1899-01-01")
    assert convert_cell(CellKind.DATE, time(8, 30), "08:30:00")[0] is CellKind.DATE
