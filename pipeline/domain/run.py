"""One run: what is asked, what is planned for each row, how each row and the run ended, and the run's figures.

Personal fields carry ``repr=False``: a traceback or a log line never shows a number, a name or a picture's path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as _field
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, Protocol, Self

from pipeline.domain.auto_sign import AutoSignCounts
from pipeline.domain.masking import Masker
from pipeline.domain.message import Message
from pipeline.domain.path_digests import PathDigests
from pipeline.domain.roster import (
    Doctor,
    FileReport,
    ImageSize,
    ImageSizes,
    PreparedImage,
    Problem,
    UnassignedFile,
)
from pipeline.domain.seals import Attempt, Judged, Person, SealRequest
from pipeline.domain.service_codes import NAME_EXISTS
from pipeline.domain.site_key import SiteKey

# a bug, usage, a rerun cannot help, a rerun helps, another run, ledger or disk, Ctrl-C
HaltExit = Literal[1, 2, 4, 5, 6, 74, 130]
EXIT_SEVERITY = (1, 4, 74, 2, 6, 5, 7, 3, 0)  # the most severe first; a signal's code outranks them all
COMPLETE_EXITS = frozenset({0, 3, 7})  # of runs that came to their end
SIGNALLED: Final = 128  # from here on exit codes are of signals
INTERRUPTED: Final = 130
# guards that look at the plan, before the first call: the same rosters are stopped again
PLAN_CHANGED: Final = "PLAN_CHANGED"  # what would be sent is not what the named check showed
PLAN_GUARDS = frozenset({PLAN_CHANGED, "ROSTER_MISSING", "ROSTER_SHRUNK", "TOO_MANY_NEW"})
# in place of a reason that a person gives for a decision
PAGE_REASON, REVIEW_REASON = "page", "review of "  # the latter before the id of the run whose review it was
REFUSALS = frozenset({"LOCKED", "LEDGER_REFUSED", "USAGE"})  # halts before a run held its ledger
SEAL_ID_REUSED: Final = "SEAL_ID_REUSED"  # an answer held another person's SealId
REPEATED: Final = "repeated_answer"  # an earlier answer had its RequestId


class Status(StrEnum):
    """The end of a row: exactly one of these; READY occurs in ``check`` alone."""

    SEALED = "sealed"
    UNCHANGED = "unchanged"
    CHANGED = "changed"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXISTS = "exists"
    NOT_SENT = "not_sent"
    READY = "ready"


class Repeat(StrEnum):
    """How people read the status of a row that only repeats another one: it is rejected, and needs no action."""

    DUPLICATE = "duplicate"


ShownStatus = Status | Repeat
SHOWN_STATUSES: Sequence[ShownStatus] = (*Status, *Repeat)

UNRESOLVED_STATUSES = frozenset({Status.UNKNOWN, Status.EXISTS})  # a person decides
TO_FIX_STATUSES = frozenset({Status.REJECTED, Status.FAILED, Status.NOT_SENT})
# what `retry` covers; READY: the run was cut short
RETRYABLE_STATUSES = frozenset({Status.FAILED, Status.REJECTED, Status.NOT_SENT, Status.READY})
# of rows whose outcome repeats nothing of earlier runs
_WITHOUT_HISTORY = frozenset({Status.REJECTED, Status.READY, Status.NOT_SENT})


# rows that can be judged whatever their problems, and the problems that a judgement alone makes
_JUDGED_ANYWAY = frozenset({Status.READY, Status.NOT_SENT, Status.FAILED})
_OF_REVIEW = frozenset({"REVIEW_WRONG", "REVIEW_MISSING"})


@dataclass(frozen=True, slots=True)
class Review:
    """The pairing of a row that a person is to judge, and the judgement so far."""

    id: str  # see `PictureDecision.id`
    judged: Judged | None = None


@dataclass(frozen=True, slots=True)
class RowPlan:
    """A row compared with the ledger: the status it has already, or READY and the request to send.

    NOT_SENT is a row that waits for a review.
    """

    doctor: Doctor
    status: Status
    seal_name: str | None
    history: Person | None
    request: SealRequest | None = None  # with READY alone
    prepared: PreparedImage | None = _field(
        default=None, repr=False
    )  # the picture, of a row that can be sent
    sizes: ImageSizes | None = None  # of the picture; None where it was not opened
    problems: tuple[Problem, ...] = ()  # the doctor's and the plan's
    review: Review | None = None  # of a row that would be sent, where there is a site key
    # this may be their corrected number, or their picture: held until a person decides
    possibly_same: Person | None = None
    index: int = 0  # of the row in its plan
    person: int | None = None  # equal for rows of one person, where the doctors have no keys

    @property
    def create_count(self) -> int:
        """How many creates were sent for the row's person before this run."""
        return self.history.create_count if self.history else 0


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """How a row ended: a line of outcomes.jsonl and of the workbook."""

    row_plan: RowPlan
    status: Status
    seal_id: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    attempts: int = 0  # creates ever sent for the person
    last_attempt_at: float | None = None  # unix seconds of the last attempt
    call_seconds: float | None = None  # duration of this row's own calls in this run
    host: str | None = None
    code: str | None = None  # the service's; without a usable answer no_answer, not_sent, unreadable, …
    message: str | None = _field(default=None, repr=False)
    unproven_seal_id: str | None = None  # from an answer that does not prove the seal
    problems: tuple[Problem, ...] = ()  # final

    @classmethod
    def of_plan(cls, row_plan: RowPlan) -> Self:
        """Return the outcome of a row before anything is sent: what the ledger knows of its person."""
        person, status = row_plan.history, row_plan.status
        if person is None or status in _WITHOUT_HISTORY:
            return cls(row_plan, status, attempts=row_plan.create_count, problems=row_plan.problems)
        if person.seal is not None:
            return cls(
                row_plan,
                status,
                seal_id=person.seal.seal_id,
                request_id=person.seal.request_id,
                trace_id=person.seal.trace_id,
                attempts=person.create_count,
                last_attempt_at=person.seal.made_at,
                problems=row_plan.problems,
            )
        last = person.unresolved_attempt or person.refusals[-1]
        return cls(
            row_plan,
            status,
            attempts=person.create_count,
            problems=row_plan.problems,
            request_id=last.request_id,
            trace_id=last.uuid,
            last_attempt_at=last.signed_at,
            host=last.host,
            code=last.code,
            message=last.message,
            unproven_seal_id=None if last.has_seal else last.seal_id,
        )

    @classmethod
    def not_sent(cls, row_plan: RowPlan) -> Self:
        """Return the outcome of a row whose turn did not come."""
        return cls(row_plan, Status.NOT_SENT, attempts=row_plan.create_count, problems=row_plan.problems)

    @property
    def doctor(self) -> Doctor:
        """The row's doctor."""
        return self.row_plan.doctor

    @property
    def has_held_image(self) -> bool:
        """Whether its picture may be an earlier doctor's."""
        return self.doctor.held_image is not None

    @property
    def sent_image(self) -> str | None:
        """The digest of the bytes that are sent of the picture; None where they were not prepared."""
        return self.row_plan.prepared.sha256 if self.row_plan.prepared else None

    @property
    def image_sizes(self) -> ImageSizes | None:
        """How large the row's picture is; of one that was not opened only the bytes are known."""
        picture = self.doctor.picture
        return self.row_plan.sizes or (ImageSizes(ImageSize(picture.size)) if picture else None)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that kept the row from being sent."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


@dataclass(frozen=True, slots=True)
class Halt:
    """The reason why a run stopped before its end."""

    code: str
    message: str = _field(repr=False)
    exit: HaltExit
    # of refused keys: credentials (their source), secret_id (its ends), id_file, key_file, proxy (one is set); host, cause, since, seconds: of an outage;
    # check, people: the check that was named, and the keys of people who differ from it;
    # empty, missing: the roster folders that hold no roster, and those that are not there
    detail: Mapping[str, str] = _field(default_factory=dict, repr=False)

    @property
    def is_of_existing_names(self) -> bool:
        """Whether seals with the names of these rows exist: they are adopted first."""
        return self.code == "SEALS_EXIST" or (self.code == "SAME_REFUSAL" and NAME_EXISTS in self.message)


@dataclass(frozen=True, slots=True)
class Notice:
    """A fault that stops no run and has to be repaired."""

    code: str
    detail: Mapping[str, str] = _field(default_factory=dict, repr=False)  # fills the blanks of its text


@dataclass(frozen=True, slots=True)
class Durations:
    """What so many durations were, in seconds."""

    count: int
    total: float
    longest: float
    median: float
    p95: float


@dataclass(frozen=True, slots=True)
class Timing:
    """How often a run's calls were sent, and how long their answers and their waits took."""

    sends: Mapping[str, int]  # action -> calls that left
    resends: Mapping[str, int]  # action -> those of them that repeated a call
    lost: int  # calls that left and were not answered
    answers: Mapping[str, Durations]  # action -> from the first byte sent to the whole answer
    waits: Mapping[str, Durations]  # slot | back_off | outage -> how long calls waited


@dataclass(frozen=True, slots=True)
class Traffic:
    """The calls of a run."""

    requests: Mapping[str, Mapping[str, int]] = _field(default_factory=dict)  # action -> code ("ok") -> calls
    limit: float = 0.0  # calls a second granted to each action
    used_share: float = 0.0  # of the limit, creates, first to last
    throttled: int = 0
    max_in_second: int = 0  # most creates in any rolling second
    timing: Timing | None = None  # None: nothing was sent, or it was not measured

    @property
    def waited_seconds(self) -> float:
        """For how long calls waited for their slots, all of them together."""
        slots = self.timing.waits.get("slot") if self.timing else None
        return round(slots.total, 1) if slots else 0.0


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run after its end (run.json)."""

    run: str
    command: str
    started: float
    finished: float
    tenant: str | None
    contract: str | None
    out: Path
    exit: int = 0
    outcomes: Sequence[RowOutcome] = ()
    files: Sequence[FileReport] = ()
    unassigned_images: Sequence[UnassignedFile] = ()
    traffic: Traffic = _field(default_factory=Traffic)
    halt: Halt | None = None
    seals: Path | None = None
    missing_seals: Path | None = None  # the default folder of pictures, where it is not there
    roster_folders: tuple[Path, ...] = ()  # the configured ones
    are_seals_empty: bool = False  # the folder of pictures holds none
    are_seals_misread: bool = False  # the locale's encoding is not that of the names in it
    notices: Sequence[Notice] = ()
    absent_unresolved: int = 0  # people whose last create has no verdict and who are not in these rosters
    unreadable_images: Sequence[tuple[str, str]] = ()  # paths of pictures that could not be read, and reasons
    site_digest: str | None = (
        None  # of the ledger that judgements on its rows belong to; None: for looking only
    )
    invocation: str = "esign-import"  # how the program is called, for the commands that are suggested
    arguments: str = ""  # rosters and folders that were named
    accepted_guards: bool = False  # --accept-guards was given
    restrictions: tuple[str, ...] = ()  # what left rows for a later run: --limit 5, --only, retry
    preview: RunPreview | None = None  # of a check: what a run would do
    is_superseded: bool = False  # another run has taken over the ledger, and publishes its own results
    latest: Path | None = None  # where a copy of the results lies
    workbook: str = "results.xlsx"  # a numbered sibling's name where a program held the file open
    copies: Mapping[Path, Path] = _field(default_factory=dict)  # roster -> its marked copy
    # of the rows' numbers, which the outcomes no longer hold; None: they hold them, it is still to be made
    masker: Masker | None = _field(default=None, repr=False)
    auto_sign: AutoSignCounts | None = None  # of everybody in the ledger; None: the service was never asked

    @property
    def unfilled_rosters(self) -> Sequence[FileReport]:
        """The rosters that were read and hold no doctor, where none holds one."""
        if any(file.rows for file in self.files):
            return ()
        return [file for file in self.files if file.status == "read" and file.sheets]

    @property
    def was_refused(self) -> bool:
        """Whether the run ended before it held its ledger: another run may hold it, or it may be the wrong one."""
        return self.halt is not None and self.halt.code in REFUSALS


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A row that would be sent (`pipeline.planning.checked_plan`)."""

    line: int  # of plan.jsonl
    person: str
    digest: str  # of all that would be sent
    position: str = _field(repr=False)  # file, sheet, row; masked


@dataclass(frozen=True, slots=True)
class CheckedPlan:
    """What a check showed that a run would send."""

    run: str  # the check's id
    rows: Sequence[CheckedRequest]
    has_keys: bool  # its people are named by their keys, not by the rows of their files


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run as the command line or the API asks for it; paths are resolved."""

    command: str  # check | run | retry
    run: str  # its id
    rosters: tuple[Path, ...]
    seals: Path | None
    out: Path
    limit: int | None = None  # at most so many people created
    only: tuple[str, ...] = ()  # names, staff numbers and keys of the people who alone are sent
    checked: CheckedPlan | None = None  # nothing is sent where the plan is not this one
    accept_guards: bool = False
    passwords: tuple[str, ...] = _field(default=(), repr=False)  # of encrypted rosters
    retried_run: str | None = None  # retry: only rows that this run left failed, rejected or not sent
    invocation: str = "esign-import"
    arguments: str = ""
    missing_folders: tuple[Path, ...] = ()  # configured roster folders that are not there
    missing_seals: Path | None = None  # the default folder of pictures, where it is not there
    roster_folders: tuple[Path, ...] = ()  # the configured ones
    config_folder: Path = Path()

    def make_path_digests(self, site_key: SiteKey) -> PathDigests:
        """Return what makes the digests of this run's rosters."""
        return PathDigests(site_key, (self.config_folder, self.out.parent))


@dataclass(frozen=True, slots=True)
class RunPreview:
    """The calls that a run is about to make, shown before the first one."""

    rows: int
    creates: int
    licences: int  # personal licences that the creates will bind: each is paid
    large_images: int  # inline pictures over 2 MB without seal_image_compress
    seconds: float  # at the granted rate
    unsent_rows: Mapping[ShownStatus, int] = _field(default_factory=dict)  # READY: not asked for
    stopped_by_guard: bool = False  # a guard lets nothing through
    all_rosters_refused: bool = False  # there are rosters, and every one was refused
    asks_for_earlier_seals: bool = False  # the first run of a product that may make a second seal of a name
    # how the rosters differ from those of the last run: the count, then a line a person; for an observer that shows it
    changes: Sequence[Message] = ()
    # of a check: the rows that would be sent, and whether their people are named by their keys
    requests: Sequence[CheckedRequest] = ()
    has_keys: bool = False


class RunObserver:
    """Is asked before the first call of a run, and gets its rows as they end; this one agrees and shows nothing."""

    shows_changes = False  # of the rosters since the last run

    def confirm(self, preview: RunPreview) -> bool:
        """Return whether the run may send."""
        del preview
        return True

    def end_row(self, outcome: RowOutcome) -> None:
        """Take note of a row that was to be sent and has ended."""


def is_copy_problem(error: Problem) -> bool:
    """Return whether an error only means that another row stands for the same person with the same content."""
    return error.code == "ROW_DUPLICATE" and not error.detail.get("differs")


def is_held_problem(problem: Problem) -> bool:
    """Return whether a problem is that a picture may be another doctor's: a person decides."""
    words = ("earlier", "other_number", "former")
    return problem.code == "IMAGE_AMBIGUOUS" and any(map(problem.detail.get, words))


class EndedRow(Protocol):
    """A row that ended, now or in an earlier run."""

    @property
    def status(self) -> Status:
        """How it ended."""

    @property
    def problems(self) -> Sequence[Problem]:
        """All its problems."""

    @property
    def errors(self) -> Sequence[Problem]:
        """Those that kept it from being sent."""

    @property
    def has_held_image(self) -> bool:
        """Whether its picture may be an earlier doctor's."""


def is_redundant_copy(outcome: EndedRow) -> bool:
    """Return whether the row was left out only because an equal one is sent, or is listed with the same errors."""
    return (
        outcome.status is Status.REJECTED
        and bool(outcome.errors)
        and all(map(is_copy_problem, outcome.errors))
    )


def get_shown_status(outcome: EndedRow) -> ShownStatus:
    """Return the status of a row as people read and count it."""
    return Repeat.DUPLICATE if is_redundant_copy(outcome) else outcome.status


def count_shown_statuses(outcomes: Iterable[EndedRow]) -> dict[ShownStatus, int]:
    """Count rows as people read them, each status that occurs, in the order of all lists."""
    counts = Counter(map(get_shown_status, outcomes))
    return {status: counts[status] for status in SHOWN_STATUSES if counts[status]}


def waits_for_review(outcome: EndedRow) -> bool:
    """Return whether a row was not sent because it has not been judged right yet."""
    return outcome.status is Status.NOT_SENT and any(
        error.code == "REVIEW_MISSING" for error in outcome.errors
    )


def has_held_picture(outcome: EndedRow) -> bool:
    """Return whether a row was not sent because its picture may be an earlier doctor's."""
    return outcome.status is Status.REJECTED and outcome.has_held_image


def can_be_judged(outcome: RowOutcome) -> bool:
    """Return whether a person can judge a row's pairing: the row may still be sent, or only its judgement keeps it back."""
    if outcome.row_plan.review is None:
        return False
    if outcome.status in _JUDGED_ANYWAY or has_held_picture(outcome):
        return True
    return outcome.status is Status.REJECTED and {error.code for error in outcome.errors} <= _OF_REVIEW


def has_doubtful_picture(outcome: EndedRow) -> bool:
    """Return whether a doctor has a seal, and now there are pictures of which it is not known whether they are the doctor's."""
    # a picture that only overlaps a neighbour row was used: its problem names none
    return outcome.status is Status.UNCHANGED and any(
        problem.code == "IMAGE_AMBIGUOUS" and problem.detail.get("found") for problem in outcome.problems
    )


def needs_fixing(outcome: RowOutcome) -> bool:
    """Return whether the row belongs on the sheet To fix and into ``retry``."""
    return outcome.status in TO_FIX_STATUSES and not is_redundant_copy(outcome)


def compute_exit_code(
    outcomes: Iterable[RowOutcome],
    files: Iterable[FileReport],
    halt: Halt | None,
    *,
    signal: int | None = None,
    left_out: Collection[int] = (),
) -> int:
    """Return the code with which a run ends; ``outcomes`` are those that count.

    ``left_out`` holds the indexes of row plans that were not sent on purpose: by ``--limit``, or by a retry that covers
    other rows.
    """
    if signal is not None:
        return SIGNALLED + signal
    codes = {0, halt.exit if halt else 0}
    if any(report.needs_correction for report in files):
        codes.add(7)
    codes |= {_exit_of_row(outcome) for outcome in outcomes if outcome.row_plan.index not in left_out}
    return next(code for code in EXIT_SEVERITY if code in codes)


def more_severe_exit(one: int, other: int) -> int:
    """Return the more severe of two exit codes; a signal's code wins."""
    return next((code for code in EXIT_SEVERITY if code in {one, other}), 0) if one < SIGNALLED else one


def _exit_of_row(outcome: RowOutcome) -> int:
    match outcome.status:
        case Status.SEALED | Status.UNCHANGED | Status.READY:
            return 0
        case Status.NOT_SENT:
            if any(error.code == "IMAGE_NOT_READ" and error.detail.get("disk") for error in outcome.problems):
                return 74
            return 3 if waits_for_review(outcome) else 5
        case Status.REJECTED:
            return 0 if is_redundant_copy(outcome) else 3
        case Status.CHANGED | Status.FAILED | Status.UNKNOWN | Status.EXISTS:
            return 3


def get_attempt_status(attempt: Attempt) -> Status:
    """Return the status of a row whose person has this unresolved attempt."""
    return Status.EXISTS if attempt.verdict == "exists" else Status.UNKNOWN
