"""The sums of a report, computed and enforced, and what the Summary sheet and the report page show of them.

A result that does not add up is never written.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipeline.clock import shown, stamp
from pipeline.domain.auto_sign import AutoSignCounts, AutoSignState
from pipeline.domain.message import Message
from pipeline.domain.run import (
    RowOutcome,
    RunReport,
    ShownStatus,
    Status,
    get_shown_status,
    has_doubtful_picture,
    is_redundant_copy,
)
from pipeline.errors import EsignImportError
from pipeline.messages.catalogue import join_messages, make_message
from pipeline.messages.problems import get_problem_kind_if_known
from pipeline.messages.service_errors import get_refusal_advice
from pipeline.reports.explanations import (
    count_doubted_numbers,
    describe_halt_of,
    is_service_code,
    name_code,
)
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import SEALED_STATUSES, get_main_code
from pipeline.reports.styles import clean_text

NEEDS_NOTHING = frozenset({Status.SEALED, Status.UNCHANGED, Status.READY})
_MAX_FAULTS = 5  # named in the message
_MAX_REASONS = 12


@dataclass(frozen=True, slots=True)
class ReasonTotal:
    """A reason that keeps rows from their seal, as people read it; without a code it stands for all rarer ones."""

    code: str
    label: str
    rows: int
    who: str = ""  # acts
    task: str = ""  # what a code of the service asks for, or how many of the numbers may be right


class SumsError(EsignImportError):
    """Rows, statuses and files do not add up: a bug, never a fact about the roster."""

    exit_code = 1


def verify_totals(report: RunReport) -> Mapping[Status, int]:
    """Return the rows of each status, zeros included, once every sum holds; else raise ``SumsError``.

    Each (path, sheet, row) occurs once. All rows of a file are in the results (a ``retry`` may hold fewer). Every row with
    the status of a seal has a SealId. ``ready`` occurs only in ``check``.
    """
    faults = list(islice(_list_faults(report), _MAX_FAULTS))
    if faults:
        raise SumsError("usage.sums", faults=join_messages(faults, "separator.semicolon"))
    rows = Counter(outcome.status for outcome in report.outcomes)
    return {
        status: rows[status] for status in Status if status is not Status.READY or report.command == "check"
    }


def count_reasons(outcomes: Iterable[RowOutcome]) -> list[tuple[str, int]]:
    """Count rows by what keeps them from their seal, the commonest first; each row counts once."""
    codes = map(get_main_code, outcomes)
    return Counter(code for code in codes if code is not None).most_common()


def list_reason_totals(report: RunReport, presenter: Presenter) -> Iterator[ReasonTotal]:
    """Yield the commonest reasons, the commonest first, then how many others there are."""
    reasons = count_reasons(report.outcomes)
    for code, rows in reasons[:_MAX_REASONS]:
        advice = get_refusal_advice(code)
        kind = get_problem_kind_if_known(code)
        who = kind.who if kind is not None else advice.who
        task = (
            advice.todo.render(presenter.language)
            if is_service_code(code)
            else count_doubted_numbers(code, report.outcomes, presenter)
        )
        yield ReasonTotal(
            clean_text(code), name_code(code, presenter), rows, presenter.render(f"who.{who}"), task
        )
    if others := reasons[_MAX_REASONS:]:
        label = presenter.render("other.reasons", n=len(others))
        yield ReasonTotal("", label, sum(rows for _, rows in others))


def count_departments(
    outcomes: Iterable[RowOutcome], presenter: Presenter
) -> list[tuple[str, Counter[ShownStatus]]]:
    """Count rows by department and status, the department with most rows first; "" for rows without one."""
    departments: dict[str, Counter[ShownStatus]] = defaultdict(Counter)
    for outcome in outcomes:
        departments[presenter.mask_optional(outcome.doctor.display_department)][
            get_shown_status(outcome)
        ] += 1
    return sorted(departments.items(), key=lambda item: (-item[1].total(), item[0]))


def needs_action(outcome: RowOutcome) -> bool:
    if outcome.status in NEEDS_NOTHING:
        return has_doubtful_picture(outcome)
    return not is_redundant_copy(outcome)


def summarize_run(report: RunReport, presenter: Presenter) -> tuple[str, Status]:
    """Return one sentence on a run, and the status whose colour it has."""
    rows, todo = len(report.outcomes), sum(map(needs_action, report.outcomes))
    if todo:
        return presenter.render("verdict.people", n=rows, good=rows - todo, todo=todo), Status.REJECTED
    if any(file_report.needs_correction for file_report in report.files):
        return presenter.render("verdict.refused_only"), Status.FAILED
    if not rows:
        return presenter.render("verdict.nothing"), Status.UNCHANGED
    if report.command == "check":
        return presenter.render("verdict.ready", n=rows), Status.SEALED
    return presenter.render("verdict.done", n=rows), Status.SEALED


def describe_run(report: RunReport, presenter: Presenter) -> str:
    """Return when the run was, how long it took and its id."""
    kind = presenter.render(f"report.kind.{report.command}") if report.command in {"check", "retry"} else ""
    took = presenter.render("report.took", time=presenter.describe_duration(report.finished - report.started))
    run = presenter.render("report.run", run=report.run)
    return " · ".join(filter(None, (kind, _display_times(report), took, run)))


def describe_auto_sign(counts: AutoSignCounts, presenter: Presenter) -> str:
    """Return how many people with a seal can sign, how many cannot and why, and the command that names them."""
    numbers = {"can_sign": counts.can_sign}
    numbers |= {state.value: counts.get(state) for state in AutoSignState if state is not AutoSignState.OPEN}
    numbers["never"] = counts.never_asked
    parts = [
        make_message(f"autosign.part.{name}", n=n) for name, n in numbers.items() if n or name == "can_sign"
    ]
    asked_at = shown(stamp(counts.asked_at or 0.0))[:16]
    text = presenter.render("autosign.summary", sealed=counts.sealed, parts=join_messages(parts), at=asked_at)
    if counts.get(AutoSignState.OPEN) == counts.sealed:
        return text
    space = "" if presenter.language == "zh" else " "
    return f"{text}{space}{presenter.render('autosign.summary.next')}"


def _display_times(report: RunReport) -> str:
    """Return when a run began and ended."""
    started, finished = stamp(report.started), stamp(report.finished)
    return f"{started[:19].replace('T', ' ')} – {finished[11:19]} ({finished[19:]})"


def describe_early_end(report: RunReport, presenter: Presenter) -> str | None:
    """Return why a run stopped before its end, None if it did not."""
    if report.halt is None:
        return None
    return presenter.render("halted", code=report.halt.code, message=describe_halt_of(report, presenter))


def _list_faults(report: RunReport) -> Iterator[Message]:
    numbers: defaultdict[tuple[Path, str | None], set[int]] = defaultdict(set)  # of rows, by file and sheet
    rows: Counter[Path] = Counter()
    for outcome in report.outcomes:
        origin, status = outcome.row_plan.doctor.row.origin, outcome.status
        numbers_of_sheet = numbers[origin.path, origin.sheet]
        if origin.row in numbers_of_sheet:
            yield make_message("sums.twice", place=_name_row(outcome))
        numbers_of_sheet.add(origin.row)
        rows[origin.path] += 1
        if status in SEALED_STATUSES and not outcome.seal_id:
            yield make_message("sums.no_seal_id", place=_name_row(outcome), status=status.value)
        if status is Status.READY and report.command != "check":
            yield make_message("sums.ready", place=_name_row(outcome), command=report.command)
    yield from _compare_with_files(report, rows)


def _compare_with_files(report: RunReport, outcomes: Mapping[Path, int]) -> Iterator[Message]:
    rows_read: Counter[Path] = Counter()
    for file_report in report.files:
        rows_read[file_report.path] += file_report.rows if file_report.status == "read" else 0
    for number, path in enumerate(dict.fromkeys([*rows_read, *outcomes]), start=1):
        is_short = outcomes[path] < rows_read[path] and report.command != "retry"
        if is_short or outcomes[path] > rows_read[path]:
            yield make_message("sums.file", number=number, read=rows_read[path], found=outcomes[path])


def _name_row(outcome: RowOutcome) -> Message:
    """Name a row without its file's name, which may hold a person's."""
    origin = outcome.doctor.row.origin
    if origin.sheet is None:
        return make_message("sums.row", row=origin.row)
    return make_message("sums.row_of_sheet", row=origin.row, sheet=origin.sheet)
