"""What the reader should do after a run, in order, each step with the command to type; there is always one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.domain.masking import mask_text
from pipeline.domain.roster import Problem
from pipeline.domain.run import RowOutcome, RunReport, Status
from pipeline.reports.display_values import UNSETTLED
from pipeline.reports.presenter import Presenter
from pipeline.reports.reasons import is_spare_copy, needs_fixing, waits_for_review
from pipeline.support.shell_quoting import quote

WORKBOOK = "results.xlsx"
REVIEW_PAGE, REPORT_PAGE = "review.html", "report.html"
GUARDS = frozenset(
    {"ROSTER_MISSING", "ROSTER_SHRUNK", "TOO_MANY_NEW"}
)  # they look at the plan: as it is, it is stopped again
CAUSED = frozenset(
    {"DISK", "LEDGER", "SAME_REFUSAL", "SEALS_EXIST", "TOO_MANY_UNKNOWN"}
)  # time alone does not remove what stopped them
_WELL = frozenset({Status.SEALED, Status.UNCHANGED, Status.READY})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do; ``command`` is typed as it stands."""

    text: str
    command: str | None = None


def waiting(report: RunReport) -> int:
    """Return how many rows wait for somebody: all but those that are well and the spare copies."""
    return sum(map(needs_somebody, report.outcomes))


def needs_somebody(outcome: RowOutcome) -> bool:
    """Tell whether a row waits for somebody."""
    return outcome.status not in _WELL and not is_spare_copy(outcome)


def verdict(report: RunReport, presenter: Presenter) -> tuple[str, Status]:
    """Return the first sentence about a report, and the status whose colour it has."""
    rows, todo = len(report.outcomes), waiting(report)
    if todo:
        return presenter.render("verdict.people", rows=rows, good=rows - todo, todo=todo), Status.REJECTED
    if any(file_report.status == "refused" for file_report in report.files):
        return presenter.render("verdict.refused_only"), Status.FAILED
    if not rows:
        return presenter.render("verdict.nothing"), Status.UNCHANGED
    if report.command == "check":
        return presenter.render("verdict.ready", rows=rows), Status.SEALED
    return presenter.render("verdict.done", rows=rows), Status.SEALED


def next_steps(report: RunReport, presenter: Presenter) -> Iterator[Step]:
    """Yield the steps: what blocks everything first, then the clerk's, then the console, then decisions."""
    counts = Counter(outcome.status for outcome in report.outcomes)
    faulty = Counter(outcome.status for outcome in report.outcomes if needs_fixing(outcome))
    sheets = {name: presenter.render(f"sheet.{name}") for name in ("all", "fix", "unknown")}
    some = False
    for step in (
        *_before_all(report, presenter),
        *_for_the_clerk(report, faulty, sheets["fix"], presenter),
        *_for_the_rest(report, counts, sheets, presenter),
    ):
        some = True
        yield step
    if not some:
        again = "check" if report.command == "check" else "run"
        yield _step(report, presenter.render("next.nothing"), again, presenter)


def _before_all(report: RunReport, presenter: Presenter) -> Iterator[Step]:
    if report.halt and report.halt.exit == 4:
        yield _sent_again(report, presenter.render("next.halted"), presenter)
    if _guarded(report):
        passed = _step(report, presenter.render("next.guarded"), "run", presenter)
        typed = f"{passed.command} --accept-guards" if _shown(report) else passed.command
        yield replace(passed, command=typed)
    if report.halt and report.halt.code == "SEALS_EXIST":
        yield Step(presenter.render("next.adopt"), f"{report.invocation} adopt --help")
    if deferred := [file_report.path for file_report in report.files if file_report.status == "deferred"]:
        typed = _typed(report, presenter, "retry", deferred[:1]) or f"{report.invocation} retry --help"
        yield Step(presenter.render("next.deferred", n=len(deferred)), typed)
    refused = [file_report for file_report in report.files if file_report.status == "refused"]
    marked = next(
        (file_report.path for file_report in refused if any(map(_is_marks, file_report.problems))), None
    )
    if marked is not None and report.command == "retry":
        typed = _typed(report, presenter, "retry", [marked]) or f"{report.invocation} retry --help"
        yield Step(presenter.render("next.marks", file=presenter.mask_text(marked.name)), typed)
    elif refused and report.command == "retry":
        typed = _typed(report, presenter, "retry", [refused[0].path]) or f"{report.invocation} retry --help"
        yield Step(presenter.render("next.files", n=len(refused)), typed)
    elif refused:
        again = "check" if report.command == "check" else "run"
        yield _step(report, presenter.render("next.files", n=len(refused)), again, presenter)


def _is_marks(problem: Problem) -> bool:
    """Tell whether a results workbook was refused for the hidden marks of its rows."""
    return problem.code == "FILE_SUSPICIOUS" and bool(problem.detail.get("ticket"))


def _guarded(report: RunReport) -> bool:
    """Tell whether a guard let nothing through: a plain run of the same rosters would be stopped again."""
    return report.halt is not None and report.halt.code in GUARDS


def _for_the_clerk(
    report: RunReport, faulty: Counter[Status], sheet: str, presenter: Presenter
) -> Iterator[Step]:
    if report.command == "check":
        if faulty:
            yield _step(report, presenter.render("next.check", sheet=sheet), "check", presenter)
        return
    retry = _typed(report, presenter, "retry", _workbooks(report))
    if retry is None:
        if todo := faulty[Status.REJECTED] + faulty[Status.FAILED]:
            yield Step(presenter.render("next.fix_roster", n=todo), f"{report.invocation} retry")
        return
    if wrong := faulty[Status.REJECTED]:
        yield Step(presenter.render("next.fix", n=wrong, sheet=sheet), retry)
    if refused := faulty[Status.FAILED]:
        key, command = ("next.failed_too", None) if wrong else ("next.failed", retry)
        yield Step(presenter.render(key, n=refused, sheet=sheet), command)


def _for_the_rest(
    report: RunReport, counts: Counter[Status], sheets: dict[str, str], presenter: Presenter
) -> Iterator[Step]:
    unsettled = sum(counts[status] for status in UNSETTLED)
    if unsettled:
        settle = _typed(report, presenter, "resolve", _workbooks(report))
        key = "next.unknown" if settle else "next.unknown_list"
        text = presenter.render(key, n=unsettled, sheet=sheets["unknown"])
        yield Step(text, settle or f"{report.invocation} resolve")
    if changed := counts[Status.CHANGED]:
        word = presenter.name_status(Status.CHANGED)
        listing = f"{report.invocation} resolve"
        yield Step(presenter.render("next.changed", n=changed, sheet=sheets["all"], status=word), listing)
    if held := sum(outcome.row_plan.possibly_same is not None for outcome in report.outcomes):
        yield Step(presenter.render("next.possibly_same", n=held), f"{report.invocation} resolve")
    if report.absent_unresolved:
        yield Step(presenter.render("next.absent", n=report.absent_unresolved), f"{report.invocation} status")
    note = "" if _shown(report) else f" {presenter.render('next.unshown')}"
    reviewable = sum(map(waits_for_review, report.outcomes))
    if reviewable:
        page = presenter.mask_path(report.out / REVIEW_PAGE)
        yield Step(presenter.render("next.review", n=reviewable, page=page) + note, review_command(report))
    waits = counts[Status.NOT_SENT] - reviewable
    if waits and not _guarded(report) and not (report.halt and report.halt.exit == 4):
        key = "next.again_after" if report.halt and report.halt.code in CAUSED else "next.again"
        yield _sent_again(report, presenter.render(key, n=waits), presenter)
    if ready := counts[Status.READY]:
        yield _step(report, presenter.render("next.run", n=ready), "run", presenter)
        if report.review_mark and not reviewable:
            page = presenter.mask_path(report.out / REVIEW_PAGE)
            yield Step(presenter.render("next.look", page=page) + note, review_command(report))


def review_command(report: RunReport) -> str:
    """Return the command that takes up what was judged on the report's review page."""
    run = _command(report, "run") if _shown(report) else f"{report.invocation} run"
    return f"{run} --review {review_file(report.run)}"


def review_file(run: str) -> str:
    """Return the name under which a page's judgements are saved."""
    return f"review-{run}.json"


def _sent_again(report: RunReport, text: str, presenter: Presenter) -> Step:
    """Return how rows that were not sent go on: with tonight's words, or by `retry`, which needs none of them."""
    if report.command == "retry":
        again = _typed(report, presenter, "retry", _workbooks(report))
        return Step(text, again or f"{report.invocation} retry")
    if not _shown(report):
        return Step(text, f"{report.invocation} retry")
    return _step(report, text, "run", presenter)


def _step(report: RunReport, text: str, command: str, presenter: Presenter) -> Step:
    """Return a step with a command as it was called tonight, with the rosters and folders that were named.

    A name that holds a number is masked and cannot be typed: then it is said so.
    """
    if _shown(report):
        return Step(text, _command(report, command))
    return Step(f"{text} {presenter.render('next.unshown')}", f"{report.invocation} {command} --help")


def _shown(report: RunReport) -> bool:
    """Tell whether rosters and folders that were named may be shown as they are."""
    return mask_text(report.arguments) == report.arguments


def _workbooks(report: RunReport) -> list[Path]:
    """Return where the report's workbook lies, and where its copy."""
    return [report.out / report.workbook, *([report.latest / WORKBOOK] if report.latest else [])]


def _typed(report: RunReport, presenter: Presenter, command: str, paths: Sequence[Path]) -> str | None:
    """Return the command on the first path that may be shown as it is; what is masked cannot be typed."""
    told = next((path for path in paths if presenter.mask_path(path) == str(path)), None)
    return None if told is None else f"{report.invocation} {command} {quote(str(told))}"


def _command(report: RunReport, command: str) -> str:
    return " ".join(filter(None, (report.invocation, command, report.arguments)))
