"""Writes the sheet that `autosign disable` reads: doctors who left, with the numbers that are still known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.domain.roster import CardType, Field
from pipeline.reports.presenter import Presenter
from pipeline.reports.seal_list import Table, write_table_workbook


@dataclass(frozen=True, slots=True)
class ListedLeaver:
    """A doctor with a live seal who stands in no roster any more."""

    name: str | None = field(repr=False)
    id_type: CardType | None
    number: str | None = field(repr=False)  # None: no roster that is kept holds it
    id_masked: str | None
    seal_name: str | None


def write_disable_workbook(path: Path, leavers: Sequence[ListedLeaver], presenter: Presenter) -> Path:
    """Write a roster-like sheet; where a number is not known its cell is blank, to be filled in."""
    render = presenter.name_field
    table: Table = {
        render(Field.NAME): [leaver.name or "" for leaver in leavers],
        render(Field.ID_TYPE): [str(leaver.id_type or "") for leaver in leavers],
        render(Field.NUMBER): [leaver.number or "" for leaver in leavers],
        render(Field.SEAL_NAME): [leaver.seal_name or "" for leaver in leavers],
    }
    return write_table_workbook(path, {presenter.render("export.disable.sheet"): table}, presenter)
