"""The corrections made on the page that a dropped roster would undo, as far as the page's log and the two files show them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.domain.masking import mask_text
from pipeline.domain.roster import Field, Row
from pipeline.operations.correct_roster import RosterCorrector
from pipeline.web.drop.listing import StoredFile, WaitingFile
from pipeline.web.site import PAGE_LOG, Site

_REPLACING = frozenset({"drop", "replace", "remove"})  # actions after which a file holds no corrections
_KEPT = 50  # answers

_Position = tuple[str | None, str]  # sheet (masked) and cell


@dataclass(frozen=True, slots=True)
class LostCorrections:
    """How many corrected cells a dropped roster holds otherwise, and which is the first of them."""

    cells: int
    name: str = field(repr=False)  # of the first one's doctor
    address: str
    field: Field | None


class CorrectionReader:
    """Reads them from the two files, once. Its methods block."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._corrector = RosterCorrector(site.config, site.clock)
        self._kept: dict[tuple[str, str, int], LostCorrections | None] = {}

    def get_lost(self, waiting: WaitingFile) -> LostCorrections | None:
        """Return what would be lost; None where nothing was corrected, or the dropped roster has it as well."""
        if waiting.former is None or waiting.is_picture:
            return None
        log = self._site.state / PAGE_LOG
        size = log.stat().st_size if log.exists() else 0
        known = (waiting.id, waiting.stamp, size)
        if known not in self._kept:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[known] = self._compare(
                waiting.former, waiting.new, _list_corrected(log, waiting.target)
            )
        return self._kept[known]

    def _compare(
        self, former: StoredFile, new: StoredFile, corrected: Mapping[_Position, str]
    ) -> LostCorrections | None:
        if not corrected:
            return None
        rows, texts = self._read_cells(former.path)
        _, new_texts = self._read_cells(new.path)
        lost = [position for position in corrected if texts.get(position, "") != new_texts.get(position, "")]
        if not lost:
            return None
        first = lost[0]
        row = rows.get(first)
        name = row.fields.get(Field.NAME) if row else None
        named = next((one for one in Field if one.value == corrected[first]), None)
        return LostCorrections(len(lost), name.display_text if name else "", first[1], named)

    def _read_cells(self, path: Path) -> tuple[Mapping[_Position, Row], Mapping[_Position, str]]:
        """Return the row and the text of each cell of a roster; none of one that cannot be read."""
        rows: dict[_Position, Row] = {}
        texts: dict[_Position, str] = {}
        for row in self._corrector.read(path).rows:
            sheet = mask_text(row.origin.sheet) if row.origin.sheet else None
            for cell in row.cells:
                position = (sheet, row.address_of(cell))
                rows[position], texts[position] = row, cell.display_text
        return rows, texts


def _list_corrected(log: Path, target: Path) -> dict[_Position, str]:
    """Return the fields of the cells that were corrected since the roster took its place, in the order of their first correction."""
    corrected: dict[_Position, str] = {}
    stem = mask_text(target.stem)
    with suppress(OSError), log.open(encoding="utf-8") as lines:
        for text in lines:
            with suppress(ValueError):
                line = json.loads(text)
                if (
                    Path(str(line.get("file"))).stem != stem
                ):  # another format becomes an .xlsx by a correction
                    continue
                if line["action"] == "correct":
                    corrected.setdefault((line["sheet"], line["cell"]), line["field"])
                elif line["action"] in _REPLACING:
                    corrected.clear()
    return corrected
