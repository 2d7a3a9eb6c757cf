"""What the To fix sheet checks while somebody types: card types from a list, the lengths that numbers have.

All of it warns and nothing forbids: intake judges what is written, and knows more ways of writing than a list.
"""

from __future__ import annotations

from collections.abc import Mapping

from xlsxwriter.utility import xl_col_to_name

from pipeline.domain.roster import CardType, Field
from pipeline.messages.results import CARD_WORDS
from pipeline.reports.presenter import Presenter
from pipeline.reports.styles import Worksheet
from pipeline.reports.to_fix_layout import Layout

_CHECKED = (Field.ID_TYPE, Field.NUMBER, Field.MOBILE, Field.SEAL_NAME)


def add_checks(sheet: Worksheet, layout: Layout, mapped: Mapping[Field, int], presenter: Presenter) -> None:
    """Put the checks on the columns of a sheet whose rows are written; ``mapped`` tells where each field stands."""
    for field in _CHECKED:
        place = mapped.get(field)
        rule = None if place is None else _rule(field, _letters(place), layout)
        if place is None or rule is None:
            continue
        options = {
            **rule,
            "error_type": "warning",
            "error_title": presenter.render(f"fix.check.{field}"),
            "error_message": presenter.render(f"fix.check.{field}.text"),
        }
        sheet.data_validation(1, place, len(layout.rows), place, options)


def _rule(field: Field, letters: str, layout: Layout) -> dict[str, object] | None:
    length = f'LEN(SUBSTITUTE({letters}2," ",""))'  # numbers may be written in groups
    if field is Field.ID_TYPE:
        return {"validate": "list", "source": list(CARD_WORDS.values())}
    if field is Field.SEAL_NAME:
        return {"validate": "length", "criteria": "between", "minimum": 1, "maximum": 50}
    if field is Field.MOBILE:
        return {"validate": "custom", "value": f"={length}=11"}
    if any(outcome.doctor.id_type is CardType.OTHER_CARD_TYPE for outcome, _ in layout.rows):
        return None
    return {"validate": "custom", "value": f"=OR({length}=18,{length}=11)"}


def _letters(place: int) -> str:
    name: str = xl_col_to_name(place)
    return name
