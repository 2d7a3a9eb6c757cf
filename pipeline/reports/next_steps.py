"""Decides what to do next after a run. `person_step` does so about one doctor, `status_steps` for `status`.

What is known of a run is a `RunState`. The answers are values: texts in both languages and
commands to type. The callers only render them. A step never names an option that overrides a safety check.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.domain.masking import mask_text
from pipeline.domain.message import Message
from pipeline.domain.results_format import COPIES
from pipeline.domain.row_tasks import (
    PictureTask,
    RowTask,
    choose_picture_task,
    choose_task,
    get_unread_problem,
)
from pipeline.domain.run import (
    PLAN_CHANGED,
    PLAN_GUARDS,
    SEAL_ID_REUSED,
    UNRESOLVED_STATUSES,
    EndedRow,
    RunReport,
    Status,
)
from pipeline.messages.catalogue import join_messages, make_message, render
from pipeline.messages.service_errors import is_network_fault
from pipeline.support.terminal_text import join, quote

if TYPE_CHECKING:
    from pipeline.domain.masking import Masker
    from pipeline.domain.roster import FileReport, UnassignedFile
    from pipeline.domain.service_codes import ResponsibleRole
    from pipeline.ledger.records import RunRecord

REVIEW_PAGE, REPORT_PAGE = "review.html", "report.html"
# time alone does not remove what stopped these runs
LASTING_HALTS = frozenset({"DISK", "LEDGER", "SAME_REFUSAL", "SEALS_EXIST", "TOO_MANY_UNKNOWN"})
EXIT_ATTENTION, EXIT_HALTED, EXIT_LATER = 3, 4, 5
FOREIGN_ANSWER = "unreadable"  # code of a row
_FILES_NAMED = 3
_HELP_OF_READING = (" check --help", " run --help", " retry --help")


@dataclass(frozen=True, slots=True)
class NextStep:
    """One thing to do. Each command is typed as it stands, except for words in capitals."""

    text: Message
    commands: tuple[str, ...] = ()
    who: ResponsibleRole | None = None  # who acts; None for no particular person
    notes: tuple[Message, ...] = ()
    is_decision: bool = False  # each command is a decision that needs a look at the service or the card first

    @property
    def command(self) -> str | None:
        return self.commands[0] if self.commands else None

    def render_commands(self, language: str) -> tuple[str, ...]:
        """Return the commands, with what the user finds out or chooses in this language."""
        words = {word: render(f"word.{word}", language) for word in ("SEALID", "NAME")}
        pattern = re.compile(rf"\b({'|'.join(words)})$")
        return tuple(pattern.sub(lambda match: words[match[0]], command) for command in self.commands)

    def render(self, language: str) -> str:
        """Return the text with its notes."""
        return " ".join(part.render(language) for part in (self.text, *self.notes))


def make_step(key: str, /, *commands: str, **detail: object) -> NextStep:
    """Return a step with a text of the catalogue."""
    return NextStep(make_message(key, **detail), commands)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """How the program is called, and the rosters and pictures that it reads by default."""

    invocation: str
    rosters: tuple[str, ...] = ()
    seals: str | None = None

    def build(self, *words: str) -> str:
        """Return a command line."""
        return " ".join((self.invocation, *(quote(word) for word in words)))

    def repeat_run(self, record: RunRecord | None, command: str = "run") -> str:
        """Return the command over the rosters of an earlier run, as they were typed; its help where they may not be shown."""
        if record is None or not is_shown(record):
            return self.build(command, *(() if record is None else ("--help",)))
        return _join_words(self.build(command), record.content.get("arguments", ""))

    def repeat(self, record: RunRecord) -> str:
        """Return the command that does again what an earlier command did."""
        if record.command == "resolve":
            return self.build("resolve")
        return self.repeat_run(record, "retry" if record.command == "retry" else "run")


def is_shown(record: RunRecord) -> bool:
    """Return whether the rosters and folders that a run was given can be typed: a masked name cannot."""
    arguments = record.content.get("arguments", "")
    return mask_text(arguments) == arguments and "*" not in arguments


# -- a run


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """What is known of a run that has ended, or of the last one in the ledger. Paths are masked."""

    command_line: CommandLine
    command: str  # check | run | retry | resolve
    again: str  # the check or run over the same rosters
    send_again: str  # the command that sends what was not sent
    retry: str  # the retry over the same rosters
    rows: Sequence[EndedRow] = ()
    exit: int = 0
    halt_code: str = ""
    is_network_fault: bool = False  # the network, a proxy or a portal stopped the run
    has_foreign_answers: bool = False  # a page or a gateway answered in the service's place
    is_limited_to_people: bool = False  # only those named with --only were sent
    is_of_existing_names: bool = False  # stopped because seals with the names of these rows exist
    file_steps: Sequence[NextStep] = ()  # on rosters that were not read
    unresolved: int = 0  # creates without a verdict
    absent: int = 0  # those of people who are not in these rosters
    copies_folder: str | None = None  # the folder of marked copies that hold every row to correct
    roster_folders: str = ""
    is_roster_open: bool = False  # in Excel or WPS: changes that were not saved were not read
    seals: str | None = None  # the folder of pictures
    missing_seals: str | None = None  # the default folder of pictures, where it is not there
    empty_seals: str | None = None  # the folder of pictures, where it holds none
    are_seals_misread: bool = False  # the locale's encoding is not that of the names in it
    again_without_seals: str = ""  # the same check or run over the configured pictures
    unpaired: Message | None = None  # pictures in the folder that no row matched: the first file names
    has_misspelt_titles: bool = False  # columns were not used, perhaps because of their titles
    unfilled_rosters: str = ""  # those that were read and hold no doctor, where none holds one
    review_page: str | None = None  # review.html, where judgements count for this tenant
    has_tenant: bool = True


def list_steps(state: RunState) -> list[NextStep]:
    """Return the steps after a run, at least one."""
    return list(map(note_unshown, _list_all_steps(state)))


def note_unshown(step: NextStep) -> NextStep:
    """Add the note that the rosters and folders of a run may not be shown, where a step names a command's help in their place."""
    is_help = any(command.endswith(_HELP_OF_READING) for command in step.commands)
    return replace(step, notes=(*step.notes, make_message("next.unshown"))) if is_help else step


def _list_all_steps(state: RunState) -> list[NextStep]:
    """Return the steps after a run.

    The first are on what blocks everything, then on rows that a run sends as they are, rows to correct, and decisions.
    """
    tasks = Counter(map(choose_task, state.rows))
    steps = [
        *_list_saving_steps(state),
        *_list_halt_steps(state),
        *_list_unsent_steps(state, tasks),
        *state.file_steps,
        *_list_picture_steps(state, tasks),
    ]
    state = replace(state, rows=[row for row in state.rows if not _waits_for_folder(state, row)])
    tasks = Counter(map(choose_task, state.rows))
    commands = {command for step in steps for command in step.commands}
    steps += [
        *_list_correction_steps(state, tasks, commands),
        *_list_decision_steps(state, tasks),
        *_list_ready_steps(state, tasks),
    ]
    if steps:
        return steps
    if state.unfilled_rosters:
        return [make_step("next.fill", state.again, files=state.unfilled_rosters)]
    key = {EXIT_ATTENTION: "next.decided", EXIT_LATER: "status_interrupted"}.get(state.exit, "next.nothing")
    return [make_step(key, state.again)]


def _list_saving_steps(state: RunState) -> Iterator[NextStep]:
    """Yield what is done about a roster that is open in Excel or WPS: its unsaved changes come before anything is sent."""
    if state.is_roster_open and state.command == "check":
        yield make_step("next.saved_check", state.again)
    elif state.is_roster_open:
        yield make_step("next.saved", state.send_again)


def _list_halt_steps(state: RunState) -> Iterator[NextStep]:
    if state.halt_code == SEAL_ID_REUSED:
        yield make_step("next.untrusted", state.command_line.build("resolve"))
    elif state.is_network_fault:
        yield make_step("next.network", state.command_line.build("doctor"))
    elif state.exit == EXIT_HALTED:
        yield make_step("next.halted", state.send_again)
    if state.halt_code == PLAN_CHANGED:
        yield make_step("next.plan_changed", state.command_line.build("check"))
    elif state.halt_code in PLAN_GUARDS:
        key = "next.missing_roster" if state.halt_code == "ROSTER_MISSING" else "next.guarded"
        yield make_step(key, state.again)
    if state.is_of_existing_names:
        yield make_step("next.adopt", state.command_line.build("adopt", "--help"))


def _list_picture_steps(state: RunState, tasks: Counter[RowTask]) -> Iterator[NextStep]:
    """Yield what IT does for pictures: the roster's owner cannot give rights, or a folder that is missing."""
    command = state.again if state.command == "check" else state.send_again
    rejected = [row for row in state.rows if row.status is Status.REJECTED]
    without = [row for row in rejected if any(error.code == "IMAGE_MISSING" for error in row.errors)]
    if state.are_seals_misread:
        yield make_step("next.misread", f"LC_ALL=C.UTF-8 {command}")
    elif without and state.missing_seals is not None:
        yield make_step("next.no_seals", command, n=len(without), folder=state.missing_seals)
    elif without and state.empty_seals is not None:
        again = state.again_without_seals or command
        yield make_step("next.empty_seals", again, n=len(without), folder=state.empty_seals)
    if unread := tasks[RowTask.ALLOW_READING]:
        details = [problem.detail for row in state.rows if (problem := get_unread_problem(row))]
        paths = [_locate_unread_image(state, detail) for detail in details]
        files = [mask_text(path) for path in dict.fromkeys(paths)]
        shown = ", ".join(files[:_FILES_NAMED]) + (" …" if len(files) > _FILES_NAMED else "")
        typed = join(["chmod", "u+r", *files[:_FILES_NAMED]])
        user = details[0]["user"]
        yield make_step("next.unread", command, n=unread, files=shown, command=typed, user=user)


def _locate_unread_image(state: RunState, detail: Mapping[str, str]) -> str:
    """Return the path of a picture that could not be read, as it is typed in the folder where the program runs."""
    path = detail.get("path") or detail["file"]
    folder = Path(state.seals or "")
    if Path(path).is_absolute() or Path(path).is_relative_to(folder) or not folder.is_dir():
        return path
    return str(folder / path)


def _waits_for_folder(state: RunState, row: EndedRow) -> bool:
    """Return whether a row lacks nothing but a picture while none could be found: the roster may be right."""
    if not (state.are_seals_misread or state.missing_seals or state.empty_seals):
        return False
    return row.status is Status.REJECTED and {error.code for error in row.errors} == {"IMAGE_MISSING"}


def _list_unsent_steps(state: RunState, tasks: Counter[RowTask]) -> Iterator[NextStep]:
    """Yield what sends the rows whose turn did not come; none needs a correction."""
    unsent = tasks[RowTask.SEND]
    if unsent and state.command == "retry" and not state.halt_code:
        yield make_step("next.left_to_run", state.again, n=unsent)
    elif unsent and state.is_limited_to_people and not state.halt_code:
        yield make_step("next.only", state.send_again, n=unsent)
    elif unsent and not (
        state.halt_code in PLAN_GUARDS
        or state.exit == EXIT_HALTED
        or state.is_network_fault
        or state.is_of_existing_names
    ):
        key = "next.again_after" if state.halt_code in LASTING_HALTS else "next.again"
        if state.has_foreign_answers:
            key = "next.again_network"
        yield make_step(key, state.send_again, n=unsent)


def _list_correction_steps(
    state: RunState, tasks: Counter[RowTask], commands: Collection[str]
) -> Iterator[NextStep]:
    """Yield what the roster's owner corrects, and what sends it then; ``commands`` are those of more urgent steps."""
    to_correct = [row for row in state.rows if choose_task(row) is RowTask.CORRECT]
    pictures, sheet = tasks[RowTask.ADD_PICTURE], make_message("sheet.fix")
    if pictures and state.seals is None:  # without a picture folder there is a step for IT
        to_correct += [row for row in state.rows if choose_task(row) is RowTask.ADD_PICTURE]
        pictures = 0
    if pictures:
        yield make_step("next.pictures", n=pictures, sheet=sheet, tasks=_join_picture_tasks(state))
    if state.command == "check":
        key = "next.check_copy" if state.copies_folder else "next.check"
        if not to_correct:
            key = "next.check_pictures" if pictures else ""
        if key:
            detail = {"folder": state.roster_folders, "copies": state.copies_folder, "sheet": sheet}
            yield make_step(key, state.again, **detail)
        return
    if to_correct:
        yield make_step(
            "next.clerk_copy" if state.copies_folder else "next.clerk_roster",
            n=len(to_correct),
            sheet=sheet,
            copies=state.copies_folder,
            folder=state.roster_folders,
        )
    yield from _list_resend_steps(state, to_correct, pictures, commands)


def _join_picture_tasks(state: RunState) -> Message:
    """Return what is done about the pictures of the rows that need only one, with the number of rows for each task."""
    rows = [row for row in state.rows if choose_task(row) is RowTask.ADD_PICTURE]
    counts = Counter(map(choose_picture_task, rows))
    tasks = [
        make_message(
            "next.pictures.rename"
            if task is PictureTask.PUT_IN and state.unpaired
            else f"next.pictures.{task}",
            n=counts[task],
            folder=state.seals,
            files=state.unpaired,
            unpaired=make_message("sheet.unpaired"),
        )
        for task in PictureTask
        if counts[task]
    ]
    return join_messages(tasks, "separator.semicolon")


def _list_resend_steps(
    state: RunState, to_correct: Sequence[EndedRow], pictures: int, commands: Collection[str]
) -> Iterator[NextStep]:
    """Yield what sends rows once they are corrected: a `run`, or `retry` for those that the service refused."""
    sheet = make_message("sheet.fix")
    failed = sum(row.status is Status.FAILED for row in to_correct)
    rejected = len(to_correct) - failed
    has_command = state.send_again in commands
    if rejected and not has_command:
        yield make_step("next.fix", state.send_again, n=rejected, sheet=sheet)
    elif pictures and not failed and not has_command:
        yield make_step("next.pictures_now", state.send_again, n=pictures)
    if failed and state.command == "retry" and (rejected or has_command):
        yield make_step("next.failed_too", n=failed, sheet=sheet)
    elif failed:
        yield make_step("next.failed", state.retry, n=failed, sheet=sheet)


def _list_decision_steps(state: RunState, tasks: Counter[RowTask]) -> Iterator[NextStep]:
    listing, sheet = state.command_line.build("resolve"), make_message("sheet.all")
    if state.unresolved and not state.is_of_existing_names:
        yield make_resolve_step(state.command_line, state.unresolved)
    if changed := tasks[RowTask.DECIDE]:
        status = make_message("status.changed")
        yield make_step("next.changed", listing, n=changed, sheet=sheet, status=status)
    if doubtful := tasks[RowTask.CHOOSE_PICTURE]:
        status, reason = make_message("status.unchanged"), make_message("col.reason")
        command = state.again if state.command == "check" else state.send_again
        yield make_step("next.doubtful", command, n=doubtful, sheet=sheet, status=status, reason=reason)
    if numbers := tasks[RowTask.JUDGE_PERSON]:
        yield make_step("next.possibly_same", listing, n=numbers)
    if pictures := tasks[RowTask.JUDGE_PICTURE]:
        yield make_step("next.held_pictures", listing, n=pictures)
    if state.absent:
        yield make_step("next.absent", state.command_line.build("status"), n=state.absent)


def make_resolve_step(command_line: CommandLine, unresolved: int) -> NextStep:
    """Return the step on creates that wait for a decision."""
    sheet = make_message("sheet.unknown")
    return make_step("next.unknown", command_line.build("resolve"), n=unresolved, sheet=sheet)


def _list_ready_steps(state: RunState, tasks: Counter[RowTask]) -> Iterator[NextStep]:
    """Yield what sends the rows that a person judges first, and those that passed a check; nothing while each run is stopped."""
    if state.halt_code in {*PLAN_GUARDS, SEAL_ID_REUSED}:
        return
    to_review, ready = tasks[RowTask.REVIEW], tasks[RowTask.TO_BE_SENT]
    if to_review:
        yield make_step("next.review", state.command_line.build("serve", "--open"), n=to_review)
    if ready and not state.has_tenant:
        yield make_step("next.configure", n=ready)
    elif ready and not state.is_roster_open and not state.has_misspelt_titles:
        yield make_step("next.run", state.send_again, n=ready)
        if state.review_page is not None and not to_review:
            yield make_step("next.look", state.command_line.build("serve", "--open"), page=state.review_page)


# -- a run that has just ended


def list_run_steps(report: RunReport, masker: Masker) -> list[NextStep]:
    return list_steps(_make_run_state(report, masker))


def _make_run_state(report: RunReport, masker: Masker) -> RunState:
    """Return what a run's report knows."""
    is_shown = _are_arguments_shown(report)
    instead = () if is_shown else ("--help",)
    command_line = CommandLine(report.invocation)
    repeated = _name_repeated_command(report)
    retry = _build_with_arguments(report, "retry", *instead)
    tasks = {RowTask.CORRECT} if report.seals else {RowTask.CORRECT, RowTask.ADD_PICTURE}
    to_correct = [row for row in report.outcomes if choose_task(row) in tasks]
    paths = [row.doctor.row.origin.path for row in to_correct]
    are_copied = bool(paths) and all(path in report.copies for path in paths)
    return RunState(
        command_line=command_line,
        command=report.command,
        again=_build_with_arguments(report, repeated, *instead),
        send_again=retry if report.command == "retry" else _build_with_arguments(report, "run", *instead),
        retry=retry,
        rows=report.outcomes,
        exit=report.halt.exit if report.halt else 0,
        halt_code=report.halt.code if report.halt else "",
        is_network_fault=report.halt is not None
        and is_network_fault(report.halt.detail.get("cause", report.halt.message)),
        has_foreign_answers=any(
            row.status is Status.NOT_SENT and row.code == FOREIGN_ANSWER for row in report.outcomes
        ),
        is_limited_to_people="--only" in report.restrictions,
        is_of_existing_names=report.halt is not None and report.halt.is_of_existing_names,
        file_steps=list(_list_file_steps(report)),
        unresolved=sum(row.status in UNRESOLVED_STATUSES for row in report.outcomes),
        is_roster_open=any(notice.code == "ROSTER_OPEN" for notice in report.notices),
        absent=report.absent_unresolved,
        copies_folder=masker.mask_path(report.out / COPIES) if are_copied else None,
        roster_folders=", ".join(dict.fromkeys(_name_folder(path.parent, masker) for path in paths)),
        seals=_name_folder(report.seals, masker) if report.seals else None,
        missing_seals=masker.mask_path(report.missing_seals)
        if report.missing_seals and not report.seals
        else None,
        empty_seals=_name_folder(report.seals, masker) if report.seals and report.are_seals_empty else None,
        are_seals_misread=report.are_seals_misread,
        again_without_seals=_build_without_seals(report, repeated) if is_shown else "",
        unpaired=_name_unpaired(report, masker),
        has_misspelt_titles=any(file.misspelt_titles for file in report.files),
        unfilled_rosters=name_files(file.path for file in report.unfilled_rosters),
        review_page=masker.mask_path(report.out / REVIEW_PAGE) if report.site_digest else None,
        has_tenant=report.tenant is not None,
    )


def _name_folder(folder: Path, masker: Masker) -> str:
    """Return a folder as a person may read it; the current folder is named with its whole path, not with a dot."""
    return masker.mask_path(folder if folder.name else folder.absolute())


def _name_unpaired(report: RunReport, masker: Masker) -> Message | None:
    """Return the names of the first files that no row matched.

    Those that resemble rows without a picture come first, those that resemble other rows alone come last.
    """
    without = set()
    for row in report.outcomes:
        if any(error.code == "IMAGE_MISSING" for error in row.errors):
            without.add(row.doctor.row.origin)

    def rank(file: UnassignedFile) -> int:
        if not file.similar:
            return 1
        return 0 if any(doctor.row.origin in without for doctor in file.similar) else 2

    files = sorted(report.unassigned_images, key=rank)
    names = [masker.mask_text(file.path.name) for file in files[:_FILES_NAMED]]
    if len(files) > _FILES_NAMED:
        names[-1] += " …"
    return join_messages(names) if names else None


def _build_with_arguments(report: RunReport, command: str, *options: str) -> str:
    """Return a command on the rosters and folders of a run, without them if they may not be shown."""
    arguments = report.arguments if _are_arguments_shown(report) else ""
    return _join_words(report.invocation, command, arguments, *options)


def _are_arguments_shown(report: RunReport) -> bool:
    """Return whether the rosters and folders that were named can be typed: a masked name cannot."""
    return mask_text(report.arguments) == report.arguments


def _name_repeated_command(report: RunReport) -> str:
    """Return the command that reads the rosters again."""
    return "check" if report.command == "check" else "run"


def _join_words(*words: str) -> str:
    return " ".join(filter(None, words))


def _build_without_seals(report: RunReport, command: str) -> str:
    """Return a command on the rosters of a run and the configured pictures, "" where these were read."""
    named = f"--seals {quote(str(report.seals))}"
    if not report.arguments.endswith(named):
        return ""
    return _join_words(report.invocation, command, report.arguments.removesuffix(named).rstrip())


def _list_file_steps(report: RunReport) -> Iterator[NextStep]:
    """Yield what to do about files that are no rosters, rosters that were not read, and titles that were not understood."""
    refused = [file for file in report.files if file.needs_correction]
    no_rosters = [file for file in refused if file.is_no_roster]
    results = [file for file in no_rosters if any("results" in problem.detail for problem in file.problems)]
    others = [file for file in no_rosters if file not in results]
    rosters = [file for file in refused if file not in no_rosters]
    for file in report.files:
        if file.other_version is not None:
            names = {name: mask_text(str(text)) for name, text in file.other_version.arguments.items()}
            command = _repeat_without(report, no_rosters)
            yield make_step("next.versions", command, roster=mask_text(file.path.name), **names)
    if results:
        folder = ", ".join(dict.fromkeys(mask_text(str(file.path.parent)) for file in results))
        command = _repeat_without(report, no_rosters)
        if report.outcomes and all(row.status in UNRESOLVED_STATUSES for row in report.outcomes):
            command = CommandLine(report.invocation).build("resolve")
        named = name_files(file.path for file in results)
        yield make_step("next.results_as_roster", command, files=named, folder=folder)
    misspelt = [title for file in report.files for title in file.misspelt_titles]
    is_unread = all(file.reading == "refused" for file in rosters)
    of_rosters = "next.unread_files" if is_unread else "next.files"
    of_others = "next.left_out" if any(file.rows for file in report.files) else "next.no_rosters"
    folders = "".join(f" {mask_text(str(folder))}" for folder in report.roster_folders[:1])
    for key, files in ((of_rosters, rosters), (of_others, others)):
        if files:
            named = name_files(file.path for file in files)
            again = _repeat_without(report, no_rosters)
            yield make_step(key, again, n=len(files), files=named, folder=folders)
    if misspelt and report.command != "retry":
        titles = mask_text(", ".join(dict.fromkeys(misspelt)))
        command = _repeat_without(report, no_rosters, command="check")
        yield make_step("next.titles", command, titles=titles)


def _repeat_without(report: RunReport, files: Sequence[FileReport], *, command: str = "") -> str:
    """Return the command that reads the same rosters again, without files that are none; of a run another ``command``."""
    repeated = command or report.command
    if not _are_arguments_shown(report):
        return _build_with_arguments(report, repeated, "--help")
    arguments = f" {report.arguments} "
    for file in files:
        arguments = arguments.replace(f" {quote(str(file.path))} ", " ")
    return _join_words(report.invocation, repeated, arguments.strip())


def name_files(files: Iterable[Path]) -> str:
    names = [mask_text(file.name) for file in files]
    return ", ".join(names[:_FILES_NAMED]) + (" …" if len(names) > _FILES_NAMED else "")
