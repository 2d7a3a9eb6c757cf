"""What a check showed, for the page that sends: the preview, the record, and the rows that can be sent."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.domain.roster import Field
from pipeline.domain.row_record import RowLine
from pipeline.domain.run import RunPreview
from pipeline.ledger.records import RunRecord
from pipeline.reports.records import read_preview
from pipeline.web.check_child import COMMAND
from pipeline.web.rows.checked_rows import CheckedRows, NewestRows
from pipeline.web.rows.row_cards import describe_doctor
from pipeline.workflow.recorded_runs import RUN, RUN_FOLDER


@dataclass(frozen=True, slots=True)
class ReadyRow:
    """A row that can be sent."""

    line: int  # of plan.jsonl
    doctor: RowLine = field(repr=False)

    @property
    def name(self) -> str:
        return self.doctor.get(Field.NAME) or ""

    @property
    def who(self) -> str:
        """How its doctor differs from others of the name."""
        return describe_doctor(self.doctor)

    @property
    def seal_name(self) -> str | None:
        """The name of the seal that would be created."""
        return self.doctor.get(Field.SEAL_NAME)

    def fits(self, query: str) -> bool:
        """Return whether a row is among those that are searched for, in small letters."""
        staff_no = self.doctor.get(Field.STAFF_NO) or ""
        return query in self.name.casefold() or query in staff_no.casefold()


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """A check that ended."""

    run: str
    record: RunRecord
    preview: RunPreview
    rows: Sequence[ReadyRow]

    def list_rows(self, query: str, chosen: Collection[int], limit: int) -> list[ReadyRow]:
        """Return the chosen rows and, up to a limit, those that fit a query."""
        wanted = query.strip().casefold()
        fitting = [row for row in self.rows if row.line not in chosen and row.fits(wanted)]
        return [*(row for row in self.rows if row.line in chosen), *fitting[:limit]]


class ShownChecks:
    """Shows the newest check, as it is read once."""

    def __init__(self, newest: NewestRows) -> None:
        self._newest = newest
        self._last: ShownCheck | None = None

    def get(self) -> ShownCheck | None:
        """Return what the newest check showed; None where there is none, or an earlier version made it."""
        checked = self._newest.get()
        if checked is None:
            return None
        last = self._last
        if last is None or last.run != checked.run:
            last = None
            with suppress(OSError, ValueError, KeyError, TypeError):
                last = self._last = _show_check(checked)
        return last


def _show_check(checked: CheckedRows) -> ShownCheck:
    preview = read_preview(checked.folder, checked.run)
    ready = {row.line for row in preview.requests}
    rows = [ReadyRow(number, line) for number, line in enumerate(checked.lines, start=1) if number in ready]
    return ShownCheck(checked.run, checked.record, preview, rows)


def has_later_run(config: Config, check: str) -> bool:
    """Return whether a run began after a check: what the check showed may be sealed by now."""
    out = config.resolve_path(config.out)
    with suppress(OSError):
        later = [path for path in out.iterdir() if RUN_FOLDER.fullmatch(path.name) and path.name > check]
        return not all(map(_is_check, later))
    return False


def _is_check(folder: Path) -> bool:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return bool(json.loads((folder / RUN).read_text("utf-8"))["command"] == COMMAND)
    return False
