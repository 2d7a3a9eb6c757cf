"""Decides what to do next after a run.

The answers are values: texts in both languages and commands to type. The callers only render them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.domain.masking import mask_text
from pipeline.domain.results_format import COPIES, WORKBOOK
from pipeline.domain.roster import Field
from pipeline.domain.run import (
    PLAN_GUARDS,
    SEAL_ID_REUSED,
    UNRESOLVED_STATUSES,
    RowOutcome,
    RunReport,
    Status,
    has_doubtful_picture,
    has_held_picture,
    needs_fixing,
    waits_for_review,
)
from pipeline.messages.catalogue import Localizable, make_phrase
from pipeline.support.terminal_text import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.domain.masking import Masker
    from pipeline.domain.roster import FileReport, Problem
    from pipeline.domain.service_codes import ResponsibleRole
    from pipeline.ledger.protocol import RunRecord

REVIEW_PAGE, REPORT_PAGE = "review.html", "report.html"
# time alone does not remove what stopped these runs
LASTING_HALTS = frozenset({"DISK", "LEDGER", "SAME_REFUSAL", "SEALS_EXIST", "TOO_MANY_UNKNOWN"})
_CORRECTED = (Status.REJECTED, Status.FAILED)  # rows that a person corrects
EXIT_HALTED = 4


@dataclass(frozen=True, slots=True)
class NextStep:
    """One thing to do. Each command is typed as it stands, except for words in capitals."""

    text: Localizable
    commands: tuple[str, ...] = ()
    who: ResponsibleRole | None = None  # who acts; None for no particular person
    notes: tuple[Localizable, ...] = ()
    is_decision: bool = False  # each command is a decision that needs a look at the service or the card first

    @property
    def command(self) -> str | None:
        """The first command."""
        return self.commands[0] if self.commands else None

    def render(self, language: str) -> str:
        """Return the text with its notes."""
        return " ".join(part.render(language) for part in (self.text, *self.notes))


def make_step(key: str, /, *commands: str, **detail: object) -> NextStep:
    """Return a step with a text of the catalogue."""
    return NextStep(make_phrase(key, **detail), commands)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """How the program is called, and the rosters and pictures that it reads by default."""

    invocation: str
    rosters: tuple[str, ...] = ()
    seals: str | None = None

    def build(self, *words: str) -> str:
        """Return a command line."""
        return " ".join((self.invocation, *(quote(word) for word in words)))

    def build_for_path(self, command: str, paths: Iterable[Path], masker: Masker) -> str | None:
        """Return the command on the first path that can be shown; a masked path cannot be typed."""
        typable = next((str(path) for path in paths if masker.mask_path(path) == str(path)), None)
        return None if typable is None else self.build(command, typable)

    def repeat_run(self, record: RunRecord | None) -> str:
        """Return the `run` that reads the rosters of an earlier run again."""
        if record is None or record.command != "run" or set(record.rosters) == set(self.rosters):
            return self.build("run")
        seals = ("--seals", record.seals) if record.seals and record.seals != self.seals else ()
        words = (*record.rosters, *seals)
        if not all(map(_can_be_typed, words)):
            return self.build("retry")  # reads the same rosters, and names none
        return self.build("run", *words)

    def repeat(self, record: RunRecord) -> str:
        """Return the command that does again what an earlier command did."""
        if record.command == "retry":
            workbooks = record.rosters[:1] if record.context else ()
            return self.build("retry", *filter(_can_be_typed, workbooks))
        return self.build("resolve") if record.command == "resolve" else self.repeat_run(record)


def _can_be_typed(word: str) -> bool:
    """Return whether a word of a recorded command may be shown and means what it meant: the path of a file that is gone is masked."""
    return mask_text(word) == word and "*" not in word


def list_run_steps(report: RunReport, masker: Masker) -> list[NextStep]:
    """Return the steps after a run, at least one: what blocks everything, then rows to correct, then decisions."""
    return _RunSteps(report, masker).list_steps()


def build_review_command(report: RunReport) -> str:
    """Return the command that reads what was judged on the run's review page."""
    return _build_with_arguments(report, "run", "--review", name_review_file(report.run))


def name_review_file(run: str) -> str:
    """Return the name under which the judgements of a review page are saved."""
    return f"review-{run}.json"


def _is_typable(report: RunReport) -> bool:
    """Return whether the rosters and folders that were named may be shown: a masked name cannot be typed."""
    return mask_text(report.arguments) == report.arguments


def _build_with_arguments(report: RunReport, command: str, *options: str) -> str:
    """Return a command on the rosters and folders of a run, without them if they may not be shown."""
    arguments = report.arguments if _is_typable(report) else ""
    return " ".join(filter(None, (report.invocation, command, arguments, *options)))


class _RunSteps:
    def __init__(self, report: RunReport, masker: Masker) -> None:
        self.report, self.masker = report, masker
        self.command_line = CommandLine(report.invocation)
        self.halt_code = report.halt.code if report.halt else ""
        self.cannot_rerun = report.halt is not None and report.halt.exit == EXIT_HALTED
        self.stopped_by_guard = self.halt_code in PLAN_GUARDS
        self.repeated_command = "check" if report.command == "check" else "run"
        self.unread = [problem for outcome in report.outcomes if (problem := _find_unread(outcome))]
        self.statuses = Counter(outcome.status for outcome in report.outcomes)

    def list_steps(self) -> list[NextStep]:
        steps = [
            *self._list_halt_steps(),
            *self._list_file_steps(),
            *self._list_picture_steps(),
            *self._list_correction_steps(),
            *self._list_decision_steps(),
            *self._list_send_steps(),
        ]
        return steps or [self._step_with_arguments("next.nothing", self.repeated_command)]

    def _list_halt_steps(self) -> Iterator[NextStep]:
        if self.halt_code == SEAL_ID_REUSED:
            yield make_step("next.untrusted", self.command_line.build("resolve"))
        elif self.cannot_rerun:
            yield self._step_to_send_again("next.halted")
        if self.stopped_by_guard:
            yield self._step_with_arguments("next.guarded", "run", "--accept-guards")
        if self.report.halt is not None and self.report.halt.is_of_existing_names:
            yield make_step("next.adopt", self.command_line.build("adopt", "--help"))

    def _list_file_steps(self) -> Iterator[NextStep]:
        deferred = [file_report for file_report in self.report.files if file_report.status == "deferred"]
        if deferred:
            yield make_step("next.deferred", self._retry_file(deferred[0]), n=len(deferred))
        refused = [file_report for file_report in self.report.files if file_report.needs_correction]
        if not refused:
            return
        if self.report.command != "retry":
            yield self._step_with_arguments("next.files", self.repeated_command, n=len(refused))
        elif marked := next(filter(_has_damaged_tokens, refused), None):
            name = self.masker.mask_text(marked.path.name)
            yield make_step("next.marks", self._retry_file(marked), file=name)
        else:
            yield make_step("next.files", self._retry_file(refused[0]), n=len(refused))

    def _list_picture_steps(self) -> Iterator[NextStep]:
        """Yield what IT does for pictures: the roster's owner cannot give rights, or a folder that is missing."""
        folder = self.report.missing_seals if self.report.seals is None else None
        if folder is not None:
            rejected = [outcome for outcome in self.report.outcomes if outcome.status is Status.REJECTED]
            if n := sum(
                any(error.code == "IMAGE_MISSING" for error in outcome.errors) for outcome in rejected
            ):
                yield self._step_to_repeat("next.no_seals", n=n, folder=self.masker.mask_path(folder))
        if self.unread:
            first = self.unread[0]
            file = self.masker.mask_text(first.detail["file"])
            yield self._step_to_repeat(
                "next.unread", n=len(self.unread), file=file, user=first.detail["user"]
            )

    def _step_to_repeat(self, key: str, **detail: object) -> NextStep:
        """Return how the rows of this run are read again."""
        if self.report.command == "check":
            return self._step_with_arguments(key, "check", **detail)
        return self._step_to_send_again(key, **detail)

    def _retry_file(self, file_report: FileReport) -> str:
        command = self.command_line.build_for_path("retry", [file_report.path], self.masker)
        return command or self.command_line.build("retry", "--help")

    def _build_for_workbook(self, command: str) -> str | None:
        """Return a command on the run's workbook or its copy, None if neither path may be shown."""
        copies = [self.report.latest / WORKBOOK] if self.report.latest else []
        workbooks = [self.report.out / self.report.workbook, *copies]
        return self.command_line.build_for_path(command, workbooks, self.masker)

    def _list_correction_steps(self) -> Iterator[NextStep]:
        outcomes = [outcome for outcome in self.report.outcomes if not has_held_picture(outcome)]
        to_fix = [outcome for outcome in outcomes if needs_fixing(outcome)]
        pictures = 0
        if self.report.seals is not None:  # without a picture folder there is a step for IT
            pictures = sum(map(_needs_picture_alone, to_fix))
            to_fix = [outcome for outcome in to_fix if not _needs_picture_alone(outcome)]
        if self.report.seals is not None and pictures:
            folder = self.masker.mask_path(self.report.seals)
            yield make_step("next.pictures", n=pictures, sheet=make_phrase("sheet.fix"), folder=folder)
        if self.report.command == "check":
            yield from self._list_check_steps(to_fix, pictures)
            return
        rows = Counter(outcome.status for outcome in to_fix)
        rejected, failed = rows[Status.REJECTED], rows[Status.FAILED]
        if rejected + failed:
            yield self._step_for_clerk([outcome for outcome in to_fix if outcome.status in _CORRECTED])
        retry = self._build_for_workbook("retry")
        if retry is not None:
            yield from _list_retry_steps(retry, pictures, rejected, failed)
        elif rejected + failed:
            yield make_step("next.fix_roster", self.command_line.build("retry"), n=rejected + failed)

    def _list_check_steps(self, to_fix: Sequence[RowOutcome], pictures: int) -> Iterator[NextStep]:
        if to_fix:
            key = "next.check_copy" if self._are_copied(to_fix) else "next.check"
            detail = {"folder": self._name_folders(to_fix), "copies": self._name_copies()}
            yield self._step_with_arguments(key, "check", sheet=make_phrase("sheet.fix"), **detail)
        elif pictures:
            yield self._step_with_arguments("next.check_pictures", "check")

    def _step_for_clerk(self, to_fix: Sequence[RowOutcome]) -> NextStep:
        """Return what the roster's owner does with rows to correct: nothing has to be typed."""
        if self._are_copied(to_fix):
            key = "next.clerk_copy"
        else:  # what was named may be files, beside which nothing is read
            key = "next.clerk_roster" if self.report.arguments else "next.clerk_fix"
        return make_step(
            key,
            n=len(to_fix),
            sheet=make_phrase("sheet.fix"),
            workbook=self.report.workbook,
            copies=self._name_copies(),
            # one results workbook corrects the rows of all rosters, whichever of the folders it lies in
            folder=self._name_folders(to_fix[:1] if key == "next.clerk_fix" else to_fix),
        )

    def _are_copied(self, outcomes: Iterable[RowOutcome]) -> bool:
        """Return whether each of these rows stands in a marked copy."""
        return all(outcome.doctor.row.display_origin.path in self.report.copies for outcome in outcomes)

    def _name_copies(self) -> str:
        return self.masker.mask_path(self.report.out / COPIES)

    def _name_folders(self, outcomes: Iterable[RowOutcome]) -> str:
        """Return the folders of the rosters of these rows."""
        paths = (outcome.doctor.row.display_origin.path.parent for outcome in outcomes)
        return ", ".join(dict.fromkeys(self.masker.mask_path(path) for path in paths))

    def _list_decision_steps(self) -> Iterator[NextStep]:
        listing = self.command_line.build("resolve")
        if unresolved := sum(self.statuses[status] for status in UNRESOLVED_STATUSES):
            yield make_step("next.unknown", listing, n=unresolved, sheet=make_phrase("sheet.unknown"))
        if changed := self.statuses[Status.CHANGED]:
            sheet, status = make_phrase("sheet.all"), make_phrase("status.changed")
            yield make_step("next.changed", listing, n=changed, sheet=sheet, status=status)
        if doubtful := sum(map(has_doubtful_picture, self.report.outcomes)):
            words = {"sheet": make_phrase("sheet.all"), "status": make_phrase("status.unchanged")}
            words["reason"] = make_phrase("col.reason")
            yield self._step_to_repeat("next.doubtful", n=doubtful, **words)
        pictures = sum(map(has_held_picture, self.report.outcomes))
        numbers = sum(
            outcome.row_plan.possibly_same is not None and not has_held_picture(outcome)
            for outcome in self.report.outcomes
        )
        if numbers:
            yield make_step("next.possibly_same", listing, n=numbers)
        if pictures:
            yield make_step("next.held_pictures", listing, n=pictures)
        if absent := self.report.absent_unresolved:
            yield make_step("next.absent", self.command_line.build("status"), n=absent)

    def _list_send_steps(self) -> Iterator[NextStep]:
        page = self.masker.mask_path(self.report.out / REVIEW_PAGE)
        review = build_review_command(self.report)
        to_review = sum(map(waits_for_review, self.report.outcomes))
        if to_review:
            yield self._note_unshown(make_step("next.review", review, n=to_review, page=page))
        unsent = self.statuses[Status.NOT_SENT] - to_review
        unsent -= sum(
            outcome.status is Status.NOT_SENT and _find_unread(outcome) is not None
            for outcome in self.report.outcomes
        )
        if unsent and not self.stopped_by_guard and not self.cannot_rerun:
            key = "next.again_after" if self.halt_code in LASTING_HALTS else "next.again"
            yield self._step_to_send_again(key, n=unsent)
        ready = self.statuses[Status.READY]
        if ready and self.report.tenant is None:
            yield make_step("next.configure", n=ready)
        elif ready:
            yield self._step_with_arguments("next.run", "run", n=ready)
            if self.report.review_mark and not to_review:
                yield self._note_unshown(make_step("next.look", review, page=page))

    def _step_to_send_again(self, key: str, **detail: object) -> NextStep:
        """Return how unsent rows go on: with the arguments of this run, or by `retry`, which needs none of them."""
        if self.report.command == "retry":
            command = self._build_for_workbook("retry")
        else:
            command = _build_with_arguments(self.report, "run") if _is_typable(self.report) else None
        return make_step(key, command or self.command_line.build("retry"), **detail)

    def _step_with_arguments(self, key: str, command: str, *options: str, **detail: object) -> NextStep:
        """Return a step with a command on the rosters and folders of this run; a note if they may not be shown."""
        words = options if _is_typable(self.report) else ("--help",)
        return self._note_unshown(
            make_step(key, _build_with_arguments(self.report, command, *words), **detail)
        )

    def _note_unshown(self, step: NextStep) -> NextStep:
        """Add the note that the rosters and folders of this run may not be shown, where that is so."""
        return step if _is_typable(self.report) else replace(step, notes=(make_phrase("next.unshown"),))


def _find_unread(outcome: RowOutcome) -> Problem | None:
    """Return the problem of a picture that the user who runs may not read."""
    unread = (problem for problem in outcome.problems if problem.code == "IMAGE_NOT_READ")
    return next((problem for problem in unread if problem.detail.get("user")), None)


def _list_retry_steps(retry: str, pictures: int, rejected: int, failed: int) -> Iterator[NextStep]:
    """Yield how rows are sent at once that lack a picture alone, that are rejected, or that the service refused."""
    sheet = make_phrase("sheet.fix")
    if rejected:
        yield make_step("next.fix", retry, n=rejected, sheet=sheet)
    if failed:
        key, *commands = ("next.failed_too",) if rejected else ("next.failed", retry)
        yield make_step(key, *commands, n=failed, sheet=sheet)
    if pictures and not rejected + failed:
        yield make_step("next.pictures_now", retry, n=pictures)


def _needs_picture_alone(outcome: RowOutcome) -> bool:
    """Return whether a row waits for a picture in the folder alone: it has no cell to be corrected."""
    return outcome.status is Status.REJECTED and all(
        error.field is Field.PICTURE and error.code.startswith("IMAGE_") and error.cell is None
        for error in outcome.errors
    )


def _has_damaged_tokens(file_report: FileReport) -> bool:
    """Return whether a results workbook was refused for the row tokens of its rows."""
    problems = file_report.problems
    return any(problem.code == "FILE_SUSPICIOUS" and problem.detail.get("to_fix_row") for problem in problems)
