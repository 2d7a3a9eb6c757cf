"""What flows through the night: frozen values, no behaviour beyond reading themselves.

Personal fields carry ``repr=False``: a traceback or a log line never shows a number, a name or a picture's path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as _field
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pipeline.domain.roster import CardType, Doctor, FileReport, Prepared, Problem

_SAME_NAME = re.compile("同名|重名|已存在")  # in a bare FailedOperation: a seal of this name exists
SHORTEST, PER_DECADE = (
    0.001,
    20,
)  # of the bins of a Spread: where the first ends in seconds; how fine they are
ContractName = Literal["file_id", "inline"]
VerdictKind = Literal["sealed", "refused", "not_executed", "unknown", "exists"]
Judged = Literal["right", "wrong"]  # by a human who looked at name and picture
# a bug, usage, somebody must act, a rerun helps, another run, ledger or disk, Ctrl-C
HaltExit = Literal[1, 2, 4, 5, 6, 74, 130]


def says_name_exists(code: str, message: str) -> bool:
    """Tell whether an error answer says that a seal of this name exists."""
    bare = code == "FailedOperation" and bool(_SAME_NAME.search(message))
    return bare or code == "FailedOperation.ExistSameSealName"


class Status(StrEnum):
    """Where a row ends: exactly one of these; READY occurs in ``check`` alone."""

    SEALED = "sealed"
    UNCHANGED = "unchanged"
    CHANGED = "changed"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXISTS = "exists"
    NOT_SENT = "not_sent"
    READY = "ready"


# what `retry` covers; READY: the run was cut short
UNDONE = frozenset({Status.FAILED, Status.REJECTED, Status.NOT_SENT, Status.READY})


CHECKED, KEPT = "checked", "kept"  # of Content.sent_size


@dataclass(frozen=True, slots=True)
class SealContent:
    """What a seal was made from, as the ledger keeps it: digests in place of numbers."""

    name: str = _field(repr=False)
    number: str  # HMAC of the whole number: a renewed permit differs, its person does not
    id_type: str
    scene_key: str | None
    mobile: str | None  # HMAC
    seal_name: str | None  # the roster's own; a template's name is no content
    picture: str  # sha256 of the source bytes
    pixels: str | None  # digest of the decoded pixels
    # "200x100", as sent. A seal made before sizes were recorded has None until a run has examined its picture
    # (CHECKED: it was sent whole), or a human has kept the seal (KEPT).
    sent_size: str | None = None


@dataclass(frozen=True, slots=True)
class CreateAttempt:
    """A create that was sent for a person and has a verdict (an open one counts as unknown)."""

    uuid: str  # sent as X-TC-TraceId
    run: str
    verdict: str  # see Verdict.kind
    at: float  # unix seconds, signed time
    host: str
    content: SealContent
    code: str | None = None
    message: str | None = _field(default=None, repr=False)
    request_id: str | None = None
    seal_id: str | None = None  # stood in an answer that proves nothing: evidence for whoever settles it
    upload: bool = False  # refused before its create: nothing can have been made
    dead_at: float = 0.0  # unix seconds, by this machine's clock: no copy of it can be accepted any more


@dataclass(frozen=True, slots=True)
class LiveSeal:
    """The one seal a person has."""

    seal_id: str
    seal_name: str  # "" for an adopted seal whose name is not known
    run: str  # "" for an adopted one
    at: float
    content: SealContent | None  # None for an adopted one: nobody knows what it was made from
    request_id: str | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Marks:
    """What tells a person beside name and number: HMAC of staff number and mobile, "" for none."""

    staff_no: str
    mobile: str


@dataclass(frozen=True, slots=True)
class PersonHistory:
    """All that the ledger knows of one person and a night needs."""

    key: str
    seal_name: str | None = None  # frozen at the first attempt
    seal: LiveSeal | None = None
    unsettled: CreateAttempt | None = None  # verdict unknown or exists: nothing is sent until it is settled
    refusals: tuple[CreateAttempt, ...] = ()  # oldest first, since the last seal
    creates: int = 0  # ever sent
    frozen: bool = False  # one of them may have made a seal: the next one goes under the same seal name
    name: str | None = _field(default=None, repr=False)
    id_masked: str | None = None
    staff_no: str | None = (
        None  # HMAC of the last one seen with the person ("" for none); None: never looked at
    )
    mobile: str | None = None  # HMAC, likewise
    names_of_others: frozenset[str] = frozenset()  # a human found that the seals of these names are not hers


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The ledger at one moment: people by key, and who owns each seal name.

    A spare name's owner was surely refused under it, or may not bear it, and has no seal: it may pass on.
    """

    people: Mapping[str, PersonHistory]
    seal_names: Mapping[str, str]  # seal name -> key
    spare_names: frozenset[str] = frozenset()
    same_persons: Mapping[str, str] = _field(
        default_factory=dict
    )  # key of a corrected number -> its person's key
    other_persons: frozenset[tuple[str, str]] = (
        frozenset()
    )  # a person's key, key of a number that is another's
    former_pictures: Mapping[str, str] = _field(
        default_factory=dict
    )  # sha256 or digest of pixels -> key of the person whose seal was made from it, or compared with it, before


@dataclass(frozen=True, slots=True)
class SealRequest:
    """One create with every parameter of the API page but the ids, which a night has once."""

    key: str
    row_id: str
    name: str = _field(repr=False)
    number: str = _field(repr=False)
    id_type: CardType
    seal_name: str
    mobile: str | None = _field(repr=False)
    scene_key: str | None
    enable_auto_sign: bool | None
    license_type: int | None
    seal_image_compress: bool | None
    content: SealContent
    staff_no: str = ""  # HMAC: never sent, kept beside the person


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a human judged, and when."""

    judged: Judged
    at: float  # unix seconds


@dataclass(frozen=True, slots=True)
class Review:
    """What a human judges of a row: the pairing that ``id`` stands for, and what was judged so far."""

    id: str  # HMAC of key, name, seal name and picture's sha256: the judgement counts while all four are the same
    judged: Judged | None = None


@dataclass(frozen=True, slots=True)
class RowPlan:
    """A row after roster and ledger met: the status it has already, or READY and what will be sent.

    NOT_SENT is a row that waits for a review.
    """

    doctor: Doctor
    status: Status
    seal_name: str | None
    past: PersonHistory | None
    request: SealRequest | None = None  # with READY alone
    problems: tuple[Problem, ...] = ()  # the doctor's and the plan's
    review: Review | None = None  # of a row that would be sent, where there is a site key
    possibly_same: PersonHistory | None = (
        None  # whose corrected number this may be: held until a human decides
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one create after it.

    ``sealed`` and ``refused`` are the service's word; ``not_executed`` is proven; ``unknown`` and ``exists``
    wait for a human.
    """

    kind: VerdictKind
    seal_id: str | None = None
    request_id: str | None = None
    code: str | None = None
    message: str | None = _field(default=None, repr=False)
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """How a row ended: a line of outcomes.jsonl and of the workbook."""

    planned: RowPlan
    status: Status
    seal_id: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    attempts: int = 0  # creates ever sent for the person
    at: float | None = None  # unix seconds of the last attempt
    seconds: float | None = None  # what this row's own calls took tonight
    host: str | None = None
    code: str | None = (
        None  # the service's, or no_answer, not_sent, unreadable, … where it said nothing usable
    )
    message: str | None = _field(default=None, repr=False)
    evidence: str | None = None  # a SealId that stood in an answer which proves nothing
    problems: tuple[Problem, ...] = ()  # final: the plan's and the picture's
    prepared: Prepared | None = _field(default=None, repr=False)

    @property
    def doctor(self) -> Doctor:
        """The row's doctor."""
        return self.planned.doctor


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a night stopped before its end."""

    code: str
    message: str = _field(repr=False)
    exit: HaltExit
    # credentials: where the keys came from that the service refused; host, cause, since, seconds: of an outage
    detail: Mapping[str, str] = _field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class DurationHistogram:
    """How long something took, many times, in seconds; ``bins`` are counts from bin ``first`` on."""

    count: int
    total: float
    longest: float
    median: float
    p95: float
    first: int
    bins: tuple[int, ...]

    @staticmethod
    def edges(place: int) -> tuple[float, float]:
        """Return the seconds between which a bin's times lie: 20 bins, of growing width, up to ten times as long."""
        high = SHORTEST * 10 ** (place / PER_DECADE)
        return (0.0 if place == 0 else SHORTEST * 10 ** ((place - 1) / PER_DECADE)), high


@dataclass(frozen=True, slots=True)
class Timing:
    """How the calls went over time: a value for each of at most 240 steps of ``step`` seconds, from ``began`` on."""

    began: float  # unix seconds
    step: float
    calls: Mapping[str, tuple[int, ...]]  # action -> calls that left
    latency: Mapping[str, tuple[float | None, ...]]  # action -> mean seconds until their answers
    throttled: tuple[int, ...]
    lost: tuple[int, ...]  # calls that left and were not answered
    silent: tuple[float, ...]  # seconds in which nothing was sent because the service did not answer
    sends: Mapping[str, tuple[int, ...]]  # action -> calls that were a row's first send, its second, …
    answers: Mapping[str, DurationHistogram]  # action -> seconds from the first byte sent to the whole answer
    waits: Mapping[str, DurationHistogram]  # slot | back_off | outage -> seconds


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went over the wire tonight."""

    requests: Mapping[str, Mapping[str, int]] = _field(default_factory=dict)  # action -> code ("ok") -> calls
    limit: float = 0.0  # calls a second granted to each action
    used_share: float = 0.0  # of the limit, creates, first to last
    throttled: int = 0
    max_in_second: int = 0  # most creates in any rolling second
    timing: Timing | None = None  # None: nothing was sent, or nobody measured it


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that stops no run and that somebody has to put right (`pipeline.workflow.notices`)."""

    code: str
    detail: Mapping[str, str] = _field(default_factory=dict, repr=False)  # what fills the blanks of its words


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run, told after its end (run.json)."""

    run: str
    command: str
    started: float
    finished: float
    exit: int
    tenant: str | None
    contract: ContractName | None
    outcomes: Sequence[RowOutcome]
    files: Sequence[FileReport]
    unclaimed: Sequence[Path]
    traffic: Traffic
    halted: Halt | None
    out: Path
    seals: Path | None = None
    notices: Sequence[Notice] = ()
    absent: int = 0  # people whose last create has no verdict and who are not in these rosters
    unread: Sequence[tuple[str, str]] = ()  # places of pictures that could not be read, and why
    reviews: str | None = (
        None  # by which a file of judgements is known as this tenant's; None: for looking only
    )
    invocation: str = "esign-import"  # how the program is called, for the commands that are suggested
    arguments: str = ""  # rosters and folders that were named
    latest: Path | None = None  # where a copy of the results lies
    workbook: str = "results.xlsx"  # a numbered sibling's name where a program held that open


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What one run is asked to do; paths are resolved."""

    command: str  # check | run | retry
    run: str  # its id
    rosters: tuple[Path, ...]
    seals: Path | None
    out: Path
    limit: int | None = None  # at most so many people created
    accept_guards: bool = False
    only: frozenset[str] = frozenset()  # keys: nobody else is sent (resolve --probe)
    to_fix_only: bool = False  # the rosters are results workbooks: their To fix rows and no others
    passwords: tuple[str, ...] = _field(default=(), repr=False)  # of encrypted rosters
    context: tuple[Path, ...] = ()  # rosters whose other rows are compared with, and never sent
    guessed: bool = False  # nothing says that the workbook was made of these rosters, or not of them alone
    review: Path | None = None  # a file of judgements, saved by a review page
    of_run: str | None = None  # retry: only rows that this run left failed, rejected or not sent
    invocation: str = "esign-import"
    arguments: str = ""
    absent: tuple[Path, ...] = ()  # default roster folders that are not there


@dataclass(frozen=True, slots=True)
class RunPreview:
    """What a night is about to do, told before the first call."""

    rows: int
    creates: int
    licences: int  # personal licences that the creates will bind: each is paid
    heavy: int  # inline pictures over 2 MB without seal_image_compress
    seconds: float  # at the granted rate
    judged: tuple[int, int, int] | None = None  # of a review: right, wrong, of no row that could be sent
    left: Mapping[Status, int] = _field(default_factory=dict)  # rows that are not sent; READY: not asked for
    guarded: bool = False  # a guard lets nothing through
    unread: bool = False  # there are rosters, and every one was refused
    titles: tuple[str, ...] = ()  # of the columns that were read, as the first row's roster writes them
