"""Writes an empty roster with the titles that are known, text cells for numbers, and drop-down lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import Field
from pipeline.messages.catalogue import render

LAST_ROW = 5000  # of the drop-down lists
TEXT_FORMAT = "@"
_NEEDED = PatternFill("solid", fgColor="1F4E78")
_OPTIONAL = PatternFill("solid", fgColor="5B7083")
_WIDTHS: Mapping[Field, int] = {  # in characters
    Field.NAME: 14,
    Field.NUMBER: 24,
    Field.ID_TYPE: 26,
    Field.MOBILE: 16,
    Field.STAFF_NO: 14,
    Field.DEPARTMENT: 18,
    Field.SEAL_NAME: 24,
    Field.PICTURE: 24,
}


def write_roster_template(path: Path, language: str) -> None:
    """Write the template as .xlsx; every cell is text, so that Excel rounds no number and drops no zero."""
    workbook = Workbook()
    sheet = workbook.active
    assert isinstance(sheet, Worksheet)
    sheet.title = render("init.sheet", language)
    for column, (field, width) in enumerate(_WIDTHS.items(), 1):
        letter = get_column_letter(column)
        words = FIELDS[field].words
        title = sheet.cell(1, column, words[0] if language == "zh" else words[1].capitalize())
        title.font = Font(bold=True, color="FFFFFF")
        title.fill = _NEEDED if field in {Field.NAME, Field.NUMBER} else _OPTIONAL
        title.alignment = Alignment(horizontal="center", vertical="center")
        title.comment = Comment(
            render(f"init.note.{field.value}", language), "esign-import", height=110, width=260
        )
        title.number_format = TEXT_FORMAT
        sheet.column_dimensions[letter].width = width
        sheet.column_dimensions[letter].number_format = TEXT_FORMAT
    sheet.row_dimensions[1].height = 24
    sheet.freeze_panes = "A2"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    _add_list(sheet, language)
    _add_number_check(sheet, language)
    workbook.save(path)


def _column_range(field: Field) -> str:
    letter = get_column_letter([*_WIDTHS].index(field) + 1)
    return f"{letter}2:{letter}{LAST_ROW}"


def _add_list(sheet: Worksheet, language: str) -> None:
    """Offer the card types; a blank cell is allowed, and the type then follows from the number."""
    choices = DataValidation(
        type="list", formula1=f'"{render("init.card_types", language)}"', allow_blank=True
    )
    choices.error = render("init.note.id_card_type", language)
    choices.showErrorMessage = True
    choices.add(_column_range(Field.ID_TYPE))
    sheet.add_data_validation(choices)


def _add_number_check(sheet: Worksheet, language: str) -> None:
    """Warn of a number that is not as long as a card's: 18 characters, 9 of a permit."""
    first = _column_range(Field.NUMBER).partition(":")[0]
    lengths = DataValidation(
        type="custom", formula1=f"OR(LEN({first})=18,LEN({first})=9)", allow_blank=True, errorStyle="warning"
    )
    lengths.error = render("init.note.id_card_number", language)
    lengths.showErrorMessage = True
    lengths.add(_column_range(Field.NUMBER))
    sheet.add_data_validation(lengths)
