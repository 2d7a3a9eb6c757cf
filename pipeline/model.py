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

SAME_NAME = re.compile("同名|重名|已存在")  # in a bare FailedOperation: the seal name is taken
Severity = Literal["error", "warning"]
ContractName = Literal["file_id", "inline"]
VerdictKind = Literal["sealed", "refused", "not_executed", "unknown", "exists"]
HaltExit = Literal[1, 4, 5, 74]  # a bug, somebody must act, a rerun helps, ledger or disk


class Field(StrEnum):
    """A column the program understands; the values are the names used in files and in ``columns:``."""

    NAME = "name"
    NUMBER = "id_card_number"
    ID_TYPE = "id_card_type"
    MOBILE = "mobile"
    STAFF_NO = "staff_no"
    DEPARTMENT = "department"
    SEAL_NAME = "seal_name"
    PICTURE = "picture"
    SCENE_KEY = "scene_key"
    ENABLE_AUTO_SIGN = "enable_auto_sign"
    LICENSE_TYPE = "license_type"
    SEAL_IMAGE_COMPRESS = "seal_image_compress"


class CellKind(StrEnum):
    """The type a cell has in its file, before anything is converted."""

    EMPTY = "empty"
    TEXT = "text"
    NUMBER = "number"
    BOOL = "bool"
    DATE = "date"
    ERROR = "error"  # #N/A and its kin
    NO_VALUE = "no_value"  # a formula that no program has computed yet


class CardType(StrEnum):
    """IdCardType (api.md §1.1)."""

    ID_CARD = "ID_CARD"
    HONGKONG_AND_MACAO = "HONGKONG_AND_MACAO"
    HONGKONG_MACAO_AND_TAIWAN = "HONGKONG_MACAO_AND_TAIWAN"
    OTHER_CARD_TYPE = "OTHER_CARD_TYPE"


class Status(StrEnum):
    """Where a row ends: exactly one of these (DESIGN §5); READY occurs in ``check`` alone."""

    SEALED = "sealed"
    UNCHANGED = "unchanged"
    CHANGED = "changed"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXISTS = "exists"
    NOT_SENT = "not_sent"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a row stands: the row Excel shows, or the physical line on which a text record starts."""

    path: Path = _field(repr=False)  # as given by the caller: relative stays relative
    sheet: str | None
    row: int

    @property
    def file(self) -> str:
        """The base name."""
        return self.path.name


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as its file holds it; ``header`` is the heading as written."""

    column: str  # letter: A, B, …, AA
    header: str
    value: object = _field(repr=False)
    kind: CellKind
    shown: str = _field(repr=False)  # what a person sees, number format applied where the file tells it


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a roster: every cell in sheet order, and which of them mean something."""

    origin: Origin
    cells: tuple[Cell, ...] = _field(repr=False)
    fields: Mapping[Field, Cell] = _field(repr=False)
    ticket: str | None = None  # row_id that a row of our own To fix sheet carries
    hidden: bool = False

    def address(self, name: Field) -> str | None:
        """Return the address of a field's cell, as Excel writes it (``C12``), or None without that column."""
        cell = self.fields.get(name)
        return f"{cell.column}{self.origin.row}" if cell else None


@dataclass(frozen=True, slots=True)
class Problem:
    """One trouble of one row: a code of the catalogue, its place, and the words that fill its sentence."""

    code: str
    severity: Severity
    field: Field | None = None
    cell: str | None = None  # C12
    detail: Mapping[str, str] = _field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """A normalisation that was applied to a field: what stood there, what is used, why (a short token)."""

    field: Field
    before: str = _field(repr=False)
    after: str = _field(repr=False)
    why: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file by its bytes: ``sha256`` identifies it, the path only finds it."""

    path: Path = _field(repr=False)
    sha256: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture that was decoded whole and lies on disk as it will be sent, byte for byte."""

    source: Picture
    path: Path = _field(repr=False)  # source.path itself when nothing had to be done
    sha256: str  # of the bytes to send
    size: int  # bytes
    format: Literal["PNG", "JPEG"]
    width: int  # pixels
    height: int
    pixels: str  # digest of the decoded source, turned upright: equal for equal pictures
    problems: tuple[Problem, ...] = ()  # warnings alone


@dataclass(frozen=True, slots=True)
class FileStat:
    """What is remembered of a file so that an unchanged one need not be opened (ledger table file_stat)."""

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Doctor:
    """What one row says once it is read: normalised values, its picture, and all its troubles at once.

    A value that could not be used is None and an error stands in ``problems``.
    """

    row: Row
    row_id: str | None
    key: str | None  # the person; None where the number is unusable or no site key is at hand
    name: str | None = _field(repr=False)
    number: str | None = _field(repr=False)
    id_type: CardType | None
    mobile: str | None = _field(repr=False)
    staff_no: str | None
    department: str | None
    seal_name: str | None  # the roster's own, if it has one
    scene_key: str | None
    enable_auto_sign: bool | None
    license_type: int | None
    seal_image_compress: bool | None
    picture: Picture | None = _field(default=None, repr=False)
    evidence: str | None = None  # column | id_card_number | staff_no | name
    problems: tuple[Problem, ...] = ()
    changes: tuple[Change, ...] = _field(default=(), repr=False)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The troubles that keep the row from being sent."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


@dataclass(frozen=True, slots=True)
class SkippedLine:
    """Lines of a sheet that are no doctor, and why; blank stretches are one entry."""

    sheet: str | None
    first: int
    last: int
    why: str  # title | header | blank | total | note


@dataclass(frozen=True, slots=True)
class SheetReport:
    """One sheet of a roster file."""

    sheet: str | None
    status: Literal["read", "hidden", "no_header", "empty"]
    rows: int = 0


@dataclass(frozen=True, slots=True)
class FileReport:
    """One roster file: a line of files.jsonl (DESIGN §7)."""

    path: Path
    sha256: str | None
    status: Literal["read", "refused", "deferred"]
    codes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    rows: int = 0
    sheets: tuple[SheetReport, ...] = ()
    skipped: tuple[SkippedLine, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What a seal was made from, as the ledger keeps it: digests in place of numbers (DESIGN §5)."""

    name: str = _field(repr=False)
    number: str  # HMAC of the whole number: a renewed permit differs, its person does not
    id_type: str
    scene_key: str | None
    mobile: str | None  # HMAC
    seal_name: str | None  # the roster's own; a template's name is no content
    picture: str  # sha256 of the source bytes
    pixels: str | None  # digest of the decoded pixels


@dataclass(frozen=True, slots=True)
class Try:
    """A create that was sent for a person and has a verdict (an open one counts as unknown)."""

    uuid: str  # sent as X-TC-TraceId
    run: str
    verdict: str  # see Verdict.kind
    at: float  # unix seconds, signed time
    host: str
    content: Content
    code: str | None = None
    message: str | None = _field(default=None, repr=False)
    request_id: str | None = None
    seal_id: str | None = None  # stood in an answer that proves nothing: evidence for whoever settles it
    upload: bool = False  # refused before its create: nothing can have been made

    @property
    def suspect(self) -> bool:
        """Whether a refusal proves less than it says: a bare FailedOperation may hide a seal (DESIGN §5)."""
        return not self.upload and self.code == "FailedOperation" and not SAME_NAME.search(self.message or "")


@dataclass(frozen=True, slots=True)
class LiveSeal:
    """The one seal a person has."""

    seal_id: str
    seal_name: str
    run: str
    at: float
    content: Content
    request_id: str | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """All that the ledger knows of one person and a night needs."""

    key: str
    seal_name: str | None = None  # frozen at the first attempt
    seal: LiveSeal | None = None
    unsettled: Try | None = None  # verdict unknown or exists: nothing is sent until it is settled
    refusals: tuple[Try, ...] = ()  # oldest first, since the last seal
    creates: int = 0  # ever sent


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The ledger at one moment: people by key, and who owns each seal name."""

    people: Mapping[str, Past]
    seal_names: Mapping[str, str]  # seal name -> key


@dataclass(frozen=True, slots=True)
class SealRequest:
    """One create with every parameter of the API page (api.md §1.1) but the ids, which a night has once."""

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
    content: Content


@dataclass(frozen=True, slots=True)
class Planned:
    """A row after roster and ledger met: the status it has already, or READY and what will be sent."""

    doctor: Doctor
    status: Status
    seal_name: str | None
    past: Past | None
    request: SealRequest | None = None  # with READY alone
    problems: tuple[Problem, ...] = ()  # the doctor's and the plan's


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one create after it (DESIGN §5, "Evidence").

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
class Outcome:
    """How a row ended: a line of outcomes.jsonl and of the workbook."""

    planned: Planned
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


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went over the wire tonight."""

    requests: Mapping[str, Mapping[str, int]] = _field(default_factory=dict)  # action -> code ("ok") -> calls
    limit: float = 0.0  # calls a second granted to each action
    used_share: float = 0.0  # of the limit, creates, first to last
    throttled: int = 0
    max_in_second: int = 0  # most creates in any rolling second


@dataclass(frozen=True, slots=True)
class Night:
    """One run, told after its end (run.json, DESIGN §7)."""

    run: str
    command: str
    started: float
    finished: float
    exit: int
    tenant: str | None
    contract: ContractName | None
    outcomes: Sequence[Outcome]
    files: Sequence[FileReport]
    unclaimed: Sequence[Path]
    traffic: Traffic
    halted: Halt | None
    out: Path
    seals: Path | None = None
    absent: int = 0  # people whose last create has no verdict and who are not in these rosters
    invocation: str = "esign-import"  # how the program is called, for the commands that are suggested
    arguments: str = ""  # rosters and folders that were named


@dataclass(frozen=True, slots=True)
class Ask:
    """What one run is asked to do; paths are resolved."""

    command: str  # check | run | retry
    run: str  # its id
    rosters: tuple[Path, ...]
    seals: Path | None
    out: Path
    limit: int | None = None  # at most so many people created
    to_fix_only: bool = False  # the rosters are results workbooks: their To fix rows and no others
    context: tuple[Path, ...] = ()  # rosters whose other rows are compared with, and never sent
    of_run: str | None = None  # retry: only rows that this run left failed, rejected or not sent
    invocation: str = "esign-import"
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a night is about to do, told before the first call."""

    rows: int
    creates: int
    licences: int  # personal licences that the creates will bind: each is paid
    heavy: int  # inline pictures over 2 MB without seal_image_compress
    seconds: float  # at the granted rate
