"""What the pages show of a run: how it ended, its rows by status, what it noticed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.clock import shown
from pipeline.domain.run import Notice, Status
from pipeline.ledger.records import RunRecord
from pipeline.messages.areas import is_known
from pipeline.operations.export import ListedRun, summarize_record
from pipeline.reports.explanations import describe_notice, describe_recorded_halt
from pipeline.reports.presenter import Presenter

# codes of runs that did not begin, since they were called wrongly or another one was under way: none is the last run
NOT_BEGUN = frozenset({"USAGE", "LOCKED"})
# exit code -> the status whose colours its sentence has; any other is a fault
_COLOURS = {0: Status.SEALED, 3: Status.REJECTED, 5: Status.REJECTED}


def describe_run_end(
    run: ListedRun, presenter: Presenter, *, is_under_way: bool = False
) -> dict[str, object]:
    """Return when a run was and how it ended, with the colours for it."""
    if run.finished is None or run.exit is None:
        state = "under_way" if is_under_way else "cut"
        colour = Status.READY if is_under_way else Status.FAILED
        words, moment = presenter.render(f"web.run.{state}"), run.started
    else:
        keys = (f"web.exit.{run.exit}", f"exit.{run.exit}")  # nothing is typed on the page
        key = next(filter(is_known, keys), "web.exit")
        words = presenter.render(key, exit=run.exit)
        colour, moment = _COLOURS.get(run.exit, Status.FAILED), run.finished
    command = f"web.command.{run.command}"
    return {
        "run": run.run,
        "command": presenter.render(command) if is_known(command) else run.command,
        "started": shown(run.started),
        "moment": shown(moment),
        "words": words,
        "colour": colour.value,
        "exit": run.exit,
    }


def count_rows(run: ListedRun, presenter: Presenter) -> list[dict[str, object]]:
    """Return the rows of a run by status, as people read them."""
    return [
        {
            "status": status.value,
            "word": presenter.name_status(status),
            "meaning": presenter.render(f"meaning.{status}"),
            "rows": rows,
        }
        for status, rows in run.count_shown_statuses().items()
    ]


def describe_record(
    record: RunRecord, presenter: Presenter, *, is_under_way: bool = False
) -> dict[str, object]:
    """Return all of this of a run that ledger or run.json holds."""
    run = summarize_record(record)
    return {
        **describe_run_end(run, presenter, is_under_way=is_under_way),
        "statuses": count_rows(run, presenter),
        "total": sum(run.statuses.values()),
        "halted": _describe_halt(record.content, presenter),
        "notices": [
            presenter.mask_text(describe_notice(Notice(notice["code"], notice["detail"]), presenter))
            for notice in record.content.get("notices", ())
        ],
    }


def count_unread_files(record: RunRecord) -> int:
    """Return how many rosters a run refused, or sheets and lines of them."""
    return sum(
        file["status"] == "refused" or bool(file.get("codes")) for file in record.content.get("files", ())
    )


def _describe_halt(content: Mapping[str, Any], presenter: Presenter) -> str | None:
    halted = content.get("halted")
    if not halted:
        return None
    message = presenter.mask_answer(describe_recorded_halt(halted, presenter))
    return presenter.render("halted", code=halted["code"], message=message)
