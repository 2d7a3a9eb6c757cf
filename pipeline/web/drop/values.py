"""What the page for drops shows: questions that wait, the newest check, and what is in the folders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pipeline.clock import shown, stamp
from pipeline.domain.roster import format_size
from pipeline.domain.run import Status
from pipeline.messages.problems import load_dumped_problem, render_problem
from pipeline.reports.presenter import Presenter
from pipeline.reports.styles import STATUSES_OF_FILES
from pipeline.web.check_child import CheckEnd, CheckProgress, Checks
from pipeline.web.drop.listing import StoredFile, WaitingFile, list_folder_content
from pipeline.web.drop.lost_corrections import CorrectionReader, LostCorrections
from pipeline.web.rows.checked_rows import NewestRows
from pipeline.web.run_values import describe_record
from pipeline.web.site import Site

MAX_QUESTIONS = 20  # that are listed one by one
SECONDS_WITH_CHECK, SECONDS_WITHOUT = 1, 10  # after which the page asks again


class DropValues:
    """Collects it."""

    def __init__(self, site: Site, checks: Checks, newest: NewestRows) -> None:
        self._site, self._checks = site, checks
        self._newest = newest
        self._corrections = CorrectionReader(site)

    def collect(self, presenter: Presenter, *, is_due: bool = False) -> dict[str, object]:
        """Return the values of the part that changes, with their digest; ``is_due``: a check is about to start."""
        content = list_folder_content(self._site.config)
        progress, end = self._checks.progress, self._checks.end
        if progress is None and is_due:
            progress = CheckProgress(self._site.clock.now())
        newest = self._newest.get()
        files = {str(line["sha256"] or line["file"]): line for line in newest.files} if newest else {}
        values: dict[str, object] = {
            "waiting": [
                _describe_waiting(waiting, self._corrections.get_lost(waiting), presenter)
                for waiting in content.waiting[:MAX_QUESTIONS]
            ],
            "waiting_total": len(content.waiting),
            "waiting_digest": content.waiting_digest,
            "checking": None if progress is None else _describe_progress(progress, presenter),
            "failure": _describe_failure(end, presenter) if end and end.run is None else None,
            "check": describe_record(newest.record, presenter) if newest else None,
            "refused": [
                {
                    "file": line["file"],
                    "reasons": [_render_problem(problem, presenter) for problem in line["problems"]],
                }
                for line in files.values()
                if line.get("problems")
            ],
            "ready": Status.READY.value,
            "rosters": [_describe_roster(roster, files, presenter) for roster in content.rosters],
            "seconds": SECONDS_WITHOUT if progress is None else SECONDS_WITH_CHECK,
        }
        text = json.dumps([presenter.language, values], sort_keys=True)
        return {**values, "digest": hashlib.sha256(text.encode()).hexdigest()[:16]}


def _render_problem(stored: Mapping[str, Any], presenter: Presenter) -> str:
    return render_problem(load_dumped_problem(stored), presenter.language)


def _describe_progress(progress: CheckProgress, presenter: Presenter) -> dict[str, object]:
    """Return the step that a check has reached, in words, and how much of it is done."""
    step, numbers = progress.step or "begin", {"n": progress.done or 0, "total": progress.total or 0}
    moment = shown(stamp(progress.started), to=19)[11:]
    words = presenter.render(f"web.drop.step.{step}", **numbers)
    return {"words": presenter.render("web.drop.checking", moment=moment, step=words), **numbers}


def _describe_failure(end: CheckEnd, presenter: Presenter) -> str:
    """Return why a check failed: what it printed, or how it ended where it printed nothing."""
    return end.errors or presenter.render("web.drop.check_broke", exit=end.exit)


def _describe_waiting(
    waiting: WaitingFile, lost: LostCorrections | None, presenter: Presenter
) -> dict[str, object]:
    """Return a question: the file that is there, the one that waits, and the corrections that would be lost."""
    return {
        "id": waiting.id,
        "name": presenter.mask_text(waiting.target.name),
        "stamp": waiting.stamp,
        "former": _describe_size(waiting.former) if waiting.former else None,
        "new": _describe_size(waiting.new),
        "is_open": waiting.is_open,
        "is_picture": waiting.is_picture,
        "lost": _describe_lost(lost, presenter) if lost else "",
    }


def _describe_lost(lost: LostCorrections, presenter: Presenter) -> str:
    cell = presenter.name_field(lost.field) if lost.field else ""
    name = presenter.mask_text(lost.name) or presenter.render("who.nameless")
    return presenter.render(
        "web.drop.loses_corrections", n=lost.cells, name=name, field=cell, cell=lost.address
    )


def _describe_size(stored: StoredFile) -> str:
    return f"{format_size(stored.size)}, {shown(stamp(stored.modified))}"


def _describe_roster(
    roster: StoredFile, files: Mapping[str, Mapping[str, Any]], presenter: Presenter
) -> dict[str, object]:
    """Return a roster, with what the newest check found in these bytes of it."""
    try:
        line = files.get(roster.digest())
    except OSError:
        line = None
    return {
        "id": roster.id,
        "stamp": roster.stamp,
        "name": presenter.mask_text(roster.path.name),
        "size": _describe_size(roster),
        "rows": line["rows"] if line else None,
        "word": presenter.render(f"file.{line['status']}")
        if line
        else presenter.render("web.drop.not_checked"),
        "colour": STATUSES_OF_FILES[line["status"]].value if line else Status.NOT_SENT.value,
    }
