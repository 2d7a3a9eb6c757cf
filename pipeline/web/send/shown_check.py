"""What a check showed, for the page that sends: the preview, the record, and the rows that can be sent. Read once a check."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from pipeline.config.settings import Config
from pipeline.domain.run import RunPreview
from pipeline.ledger.protocol import RunRecord
from pipeline.reports.earlier_results import PLAN
from pipeline.reports.records import read_preview
from pipeline.web.check_child import COMMAND
from pipeline.workflow.recorded_runs import RUN, RUN_FOLDER, load_record


@dataclass(frozen=True, slots=True)
class ReadyRow:
    """A row that can be sent."""

    line: int  # of plan.jsonl
    name: str = field(repr=False)
    staff_no: str = field(repr=False)
    seal_name: str = field(repr=False)
    position: str = field(repr=False)

    def fits(self, query: str) -> bool:
        """Return whether a row is among those that are searched for, in small letters."""
        return query in self.name.casefold() or query in self.staff_no.casefold()


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


class CheckReader:
    """Reads checks, and keeps the last one: its files do not change."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last: ShownCheck | None = None

    def read(self, folder: Path) -> ShownCheck | None:
        """Return what a check showed; None where an earlier version made it, or its folder is gone."""
        with self._lock:
            if self._last is None or self._last.run != folder.name:
                self._last = None
                with suppress(OSError, ValueError, KeyError, TypeError):
                    self._last = _read_check(folder)
            return self._last


def _read_check(folder: Path) -> ShownCheck:
    preview = read_preview(folder, folder.name)
    positions = {row.line: row.position for row in preview.requests}
    rows = []
    with (folder / PLAN).open(encoding="utf-8") as lines:
        for number, text in enumerate(lines, start=1):
            if number in positions:
                line = json.loads(text)
                values = (line["name"] or "", line["staff_no"] or "", line["seal_name"] or "")
                rows.append(ReadyRow(number, *values, positions[number]))
    return ShownCheck(
        folder.name, load_record(folder, json.loads((folder / RUN).read_text("utf-8"))), preview, rows
    )


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
