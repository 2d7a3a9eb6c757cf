"""The files of a run that the page hands out: a list of known names in the run's folder, never a path of a request."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.domain.results_format import COPIES, WORKBOOK
from pipeline.ledger.records import RunRecord
from pipeline.reports.html_pages import build_policy
from pipeline.reports.next_steps import REPORT_PAGE, REVIEW_PAGE
from pipeline.web.access import Role
from pipeline.workflow.recorded_runs import RUN

Kind = Literal["report", "workbook", "copy", "review"]
SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# the workbook, also under the name it has where the former one was open in Excel
_WORKBOOK = re.compile(rf"{re.escape(Path(WORKBOOK).stem)}(?: \(\d{{1,2}}\))?\.xlsx")
_COPY = re.compile(r"[^/\\\x00]+\.xlsx", re.IGNORECASE)
_HEAD = 4096  # characters of a page in which its policy stands


@dataclass(frozen=True, slots=True)
class RunFile:
    """A file that may be handed out; ``name`` is the last part of its address."""

    kind: Kind
    name: str
    path: Path = field(repr=False)
    size: int

    @property
    def role(self) -> Role:
        """The role that it needs: a marked copy holds whole identity numbers."""
        return Role.CLERK if self.kind == "copy" else Role.LOOK

    @property
    def content_type(self) -> str:
        return SHEET_TYPE if self.kind in {"workbook", "copy"} else "text/html"

    def read_own_policy(self) -> str | None:
        """Return the policy under which the report opens in the browser, None where it is only saved.

        It opens only where this version wrote it: then its style and script are the program's own.
        """
        if self.kind != "report":
            return None
        policy = build_policy(REPORT_PAGE)
        with self.path.open(encoding="utf-8", errors="replace") as page:
            head = page.read(_HEAD)
        return policy if f'content="{policy.replace(chr(39), "&#39;")}"' in head else None


def list_run_files(record: RunRecord) -> list[RunFile]:
    """Return what the folder of a run holds of its results; none where another run writes there now."""
    folder = Path(record.out)
    if not record.out or not _is_folder_of(folder, record.run):
        return []
    names = sorted(path.name for path in folder.iterdir())
    files = [_make_file("report", folder / REPORT_PAGE), _make_file("review", folder / REVIEW_PAGE)]
    files += [_make_file("workbook", folder / name) for name in names if _WORKBOOK.fullmatch(name)]
    return [*filter(None, files), *_list_copies(folder / COPIES)]


def _is_folder_of(folder: Path, run: str) -> bool:
    """Return whether a folder holds the results of this run."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads((folder / RUN).read_text("utf-8"))
        return bool(record["run"] == run)
    return False


def _list_copies(folder: Path) -> Iterator[RunFile]:
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if _COPY.fullmatch(path.name):
            # its own name may hold a number, and addresses stay in the browser's history
            name = hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
            file = _make_file("copy", path, name=f"copy-{name}.xlsx")
            if file is not None:
                yield file


def _make_file(kind: Kind, path: Path, *, name: str | None = None) -> RunFile | None:
    """Return a file, None for a link and for what is no file."""
    if path.is_symlink() or not path.is_file():
        return None
    return RunFile(kind, name or path.name, path, path.stat().st_size)
