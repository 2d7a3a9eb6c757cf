"""Seals, creates and persons as the ledger and the service know them, and the form of a SealId.

The form is one rule for answers of the service, `adopt`, `resolve` and the Unknown sheet. The service documents 32
characters and no alphabet. Its own examples have 33 characters with ``=``, or are ``sealid-1``.

Personal fields carry ``repr=False``: a traceback or a log line never shows a number, a name or a picture's path.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import field as _field
from typing import Any, Literal, NamedTuple, Self

from pipeline.domain.fields import FIELDS, value_of
from pipeline.domain.masking import is_personal_number
from pipeline.domain.roster import Doctor, Field

VerdictKind = Literal["sealed", "refused", "not_executed", "unknown", "exists"]
Judged = Literal["right", "wrong"]  # by a human who looked at name and picture
Decided = Judged | Literal["given"]
MAX_SEAL_ID, USUAL_SEAL_ID = 64, 32  # characters
_SEAL_ID = re.compile(rf"[0-9A-Za-z_\-=.+/]{{8,{MAX_SEAL_ID}}}")
_FILLERS = "0_-=.+/"
_NULL_WORDS = frozenset({"", "null", "none", "undefined", "nil", "nan", "true", "false"})


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


AttemptState = Literal[
    "open", "unknown", "exists", "sealed", "ended", "refused", "not_executed", "not_created", "not_theirs"
]
LIVE_STATES: tuple[AttemptState, ...] = ("open", "unknown", "exists", "sealed")
_WAITING = frozenset({"open", "unknown", "exists"})
_UNCLEAR_CODES = frozenset({"", "FailedOperation", "FailedOperation.ExistSameSealName"})
_SAME_NAME = ("同名", "重名", "已存在")
UPLOAD_REFUSED = "upload"  # contract of an attempt that was refused at its upload: no create was sent


@dataclass(frozen=True, slots=True)
class Attempt:
    """One create of a person and what came of it, or a seal that was made elsewhere."""

    uuid: str  # sent as X-TC-TraceId; of an adopted seal the id of its adoption
    key: str
    seal_name: str  # "" where that of an adopted seal is not known
    content: SealContent | None  # None: not known
    signed_at: float  # unix seconds, by the service's clock; of an adopted seal its adoption
    run: str = ""  # "" for an adopted seal
    row_id: str = ""
    contract: str = ""  # "" for an adopted seal
    host: str = ""
    dead_at: float = 0.0  # unix seconds, by the later of both clocks: no copy of it is accepted any more
    event_number: int = 0  # its place in the order of all events
    state: AttemptState = "open"
    is_contested: bool = False  # another create, SealId or seal name contradicts it
    repeats_seal_id: bool = False  # contested, and another create made the seal with its SealId
    verdict: VerdictKind | None = (
        None  # what the answer proved; None: there was none, so that it counts as unknown
    )
    settled_at: float | None = None  # unix seconds, of the answer or of the decision
    http_status: int | None = None
    code: str | None = None
    message: str | None = _field(default=None, repr=False)
    request_id: str | None = None
    seal_id: str | None = None  # while it has no seal: evidence from an answer that proves nothing
    decision: str | None = None  # the id of the one that resolved it, or adopted the seal
    ended_by: str | None = None  # the id of the decision that gave the seal up
    ended_at: float | None = None  # unix seconds

    @property
    def sent_name(self) -> str | None:
        """The doctor's name that was sent; None where it is not known."""
        return self.content.name if self.content is not None else None

    @property
    def source(self) -> str:
        """How a seal came into the ledger: sent, resolved by a person, or adopted."""
        if not self.contract:
            return "adopted"
        return "sent" if self.decision is None else "resolved"

    @property
    def trace_id(self) -> str | None:
        """What was sent as X-TC-TraceId; None for an adopted seal."""
        return self.uuid if self.contract else None

    @property
    def made_at(self) -> float:
        """When the seal was entered, unix seconds."""
        return self.signed_at if self.settled_at is None else self.settled_at

    @property
    def is_live(self) -> bool:
        """Whether it keeps every other create of the person from being sent."""
        return self.state in LIVE_STATES

    @property
    def is_unresolved(self) -> bool:
        """Whether it waits for an answer or a decision, or contradicts another create."""
        return self.is_waiting or (self.is_contested and self.is_live)

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for an answer or a decision."""
        return self.state in _WAITING

    @property
    def has_seal(self) -> bool:
        """Whether it made a seal, also one that was given up."""
        return self.state in {"sealed", "ended"}

    @property
    def has_own_seal(self) -> bool:
        """Whether it made a seal, and no other create has its SealId."""
        return self.has_seal and not self.repeats_seal_id

    @property
    def is_adopted(self) -> bool:
        """Whether it is a seal that was made elsewhere."""
        return not self.contract

    @property
    def is_own(self) -> bool:
        """Whether a create of this program made the seal, as far as is known."""
        is_of_unknown_origin = self.verdict == "exists" and self.content is None
        return bool(self.contract) and not is_of_unknown_origin

    @property
    def was_sent(self) -> bool:
        """Whether a create was sent or may have been; a refused upload and an adopted seal are none."""
        was_sent = self.state != "not_executed" or self.http_status is not None
        return was_sent and self.contract not in {UPLOAD_REFUSED, ""}

    @property
    def made_no_seal(self) -> bool:
        """Whether it surely made none: not executed, or refused for another reason than the name.

        A bare FailedOperation may hide a seal, and a seal of the same name may be the person's own.
        """
        if self.contract == UPLOAD_REFUSED or self.state == "not_executed":
            return True
        is_clear = (self.code or "") not in _UNCLEAR_CODES and not any(
            word in (self.message or "") for word in _SAME_NAME
        )
        return self.state == "refused" and is_clear


class PersonDigests(NamedTuple):
    """HMAC of a person's staff number and mobile, "" for none."""

    staff_no: str
    mobile: str


@dataclass(frozen=True, slots=True)
class Person:
    """One person with all creates, oldest first."""

    key: str
    seal_name: str | None = None  # fixed at the first attempt
    name: str | None = _field(default=None, repr=False)
    id_masked: str | None = None
    staff_no: str = ""  # HMAC of the last one seen with the person; "" for none
    mobile: str = ""  # the same
    attempts: Sequence[Attempt] = ()

    @property
    def live(self) -> Sequence[Attempt]:
        """The creates that keep every other one from being sent; more than one is a contradiction."""
        return [attempt for attempt in self.attempts if attempt.is_live]

    @property
    def seal(self) -> Attempt | None:
        """The one seal that the person has; None while another create contradicts it."""
        seals = (attempt for attempt in self.attempts if attempt.state == "sealed")
        return None if self.is_contested else next(seals, None)

    @property
    def unresolved_attempt(self) -> Attempt | None:
        """The create that waits for a decision, or a contested one: nothing is sent before it is resolved."""
        return next((attempt for attempt in self.attempts if attempt.is_unresolved), None)

    @property
    def is_contested(self) -> bool:
        """Whether two facts contradict each other."""
        return any(attempt.is_contested for attempt in self.attempts)

    @property
    def contradicting_seal_ids(self) -> Sequence[str]:
        """The SealIds of which a person has to say which one counts; none where nothing contradicts."""
        return [one.seal_id for one in self.live if one.seal_id] if self.is_contested else ()

    def get_own_seal(self, seal_id: str) -> Attempt | None:
        """Return the seal with this SealId where it contradicts another create of the person, else None."""
        seals = (one for one in self.live if one.has_own_seal and self.is_contested)
        return next((one for one in seals if fold_seal_id(one.seal_id or "") == fold_seal_id(seal_id)), None)

    @property
    def create_count(self) -> int:
        """How many creates were ever sent, or may have been."""
        return sum(attempt.was_sent for attempt in self.attempts)

    @property
    def since_last_seal(self) -> Sequence[Attempt]:
        """The creates after the last seal."""
        last = max((index for index, one in enumerate(self.attempts) if one.has_seal), default=-1)
        return self.attempts[last + 1 :]

    @property
    def refusals(self) -> Sequence[Attempt]:
        """What the service refused since the last seal, oldest first."""
        return [attempt for attempt in self.since_last_seal if attempt.state == "refused"]

    @property
    def seal_names_of_others(self) -> frozenset[str]:
        """The names of seals of which a person found that they are other doctors'."""
        return frozenset(attempt.seal_name for attempt in self.attempts if attempt.state == "not_theirs")

    @property
    def is_seal_name_locked(self) -> bool:
        """Whether the next create has to have the same seal name.

        It has, while a create since the last seal may have made one; and after a decision to replace the seal until the
        service refused that create, or the seal of the chosen name was found to be another person's.
        """
        if any(attempt.is_live for attempt in self.attempts):
            return True
        since = self.since_last_seal
        if any(not (one.made_no_seal or self.is_disowned(one)) for one in since):
            return True
        was_replaced = any(one.state == "ended" for one in self.attempts)
        is_refused = any(
            (one.state == "refused" or self.is_disowned(one)) and one.contract != UPLOAD_REFUSED
            for one in since
        )
        return was_replaced and not is_refused

    def is_disowned(self, attempt: Attempt) -> bool:
        """Return whether a person found, on this create or a later one, that the seal of its name is another doctor's."""
        later = self.attempts[self.attempts.index(attempt) :]
        return any(one.state == "not_theirs" and one.seal_name == attempt.seal_name for one in later)

    def has_freed(self, seal_name: str) -> bool:
        """Return whether a seal name may pass to another person.

        Before the first seal every create under it was surely refused, or its seal was found to be another's.
        """
        creates = [one for one in self.attempts if one.seal_name == seal_name]
        if not creates or any(one.has_seal for one in creates):
            return False
        before = self.attempts[: self.attempts.index(creates[0])]
        if any(one.has_seal for one in before):
            return False
        return all(one.made_no_seal or self.is_disowned(one) for one in creates)


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """The ledger at one moment: people by key, and the owner of each seal name.

    A seal name is reusable if its owner has no seal and was certainly refused under it, or may not have it.
    """

    people: Mapping[str, Person]
    seal_name_owners: Mapping[str, str]  # seal name -> key
    reusable_seal_names: frozenset[str] = frozenset()
    # key of a corrected number -> the person's key
    same_persons: Mapping[str, str] = _field(default_factory=dict)
    # pairs: a person's key, the key of a number that belongs to another person
    other_persons: frozenset[tuple[str, str]] = frozenset()
    # sha256 or digest of pixels -> key of the person whose former seal was made from it, or compared with it
    former_image_owners: Mapping[str, str] = _field(default_factory=dict)


def are_declared_two(other_persons: Collection[tuple[str, str]], key: str | None, other: str | None) -> bool:
    """Return whether two keys are in ``other_persons`` (`LedgerSnapshot`), in either order."""
    return (key, other) in other_persons or (other, key) in other_persons


@dataclass(frozen=True, slots=True)
class SealRequest:
    """One create: the values that are sent of the doctor, and what the ledger keeps beside them."""

    key: str
    row_id: str
    seal_name: str
    values: Mapping[Field, object] = _field(repr=False)  # see `pipeline.domain.fields.list_sent_values`
    content: SealContent
    staff_no: str = ""  # HMAC: never sent, kept beside the person

    @property
    def name(self) -> str:
        """The doctor's name."""
        return str(self.values[Field.NAME])

    @property
    def number(self) -> str:
        """The doctor's identity number."""
        return str(self.values[Field.NUMBER])


@dataclass(frozen=True, slots=True)
class Verdict:
    """The proven result of one create.

    ``sealed`` and ``refused`` are answers of the service; ``not_executed`` is proven; ``unknown`` and ``exists`` wait for
    a person's decision.
    """

    kind: VerdictKind
    seal_id: str | None = None
    request_id: str | None = None
    code: str | None = None
    message: str | None = _field(default=None, repr=False)
    http_status: int | None = None


def fold_seal_id(text: str) -> str:
    """Return what two SealIds are compared by: case and width make no other one."""
    return unicodedata.normalize("NFKC", text).casefold()


def list_doctor_texts(doctor: Doctor) -> Collection[str]:
    """Return the texts of a row that may stand where its SealId is expected."""
    values = (value_of(doctor, field) for field in FIELDS)
    return frozenset(value for value in values if value and isinstance(value, str))


def is_seal_id(text: str, other_values: Iterable[object]) -> bool:
    """Return whether a text can be a SealId.

    ``other_values`` are those of its request and of the doctor: a SealId is none of them.
    """
    folded = fold_seal_id(text)
    return (
        _SEAL_ID.fullmatch(text) is not None
        and folded.strip(_FILLERS) not in _NULL_WORDS
        and not is_personal_number(text)
        and all(folded != fold_seal_id(value) for value in other_values if isinstance(value, str))
    )


def is_usual_seal_id(text: str) -> bool:
    """Return whether a SealId has about the documented length; the service alone knows which exist."""
    return USUAL_SEAL_ID <= len(text) <= USUAL_SEAL_ID + 1


@dataclass(frozen=True, slots=True)
class PictureDecision:
    """What a person decided on a picture and a doctor: it was given to the doctor, or judged right or wrong in a review.

    ``others`` were shown to the person as well, and not chosen. `pipeline.intake.pairing.decided_pictures` knows for which
    rows a decision holds.
    """

    decided: Decided
    key: str  # of the doctor
    name: str  # HMAC of the doctor's name key
    picture: str  # sha256 of its bytes
    pixels: str = ""  # digest of its upright pixels, "" where it cannot be decoded
    size: int = 0  # of its bytes, where it was given
    others: tuple[str, ...] = ()  # sha256 and, where they are known, digests of pixels
    shown_name: str = _field(default="", repr=False, compare=False)  # as the roster wrote it
    position: str = _field(default="", repr=False, compare=False)  # of the row: a.xlsx 内科 12
    decided_at: float = _field(default=0.0, compare=False)  # unix seconds

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any], decided_at: float) -> Self:
        """Read what `to_dict` returned."""
        return cls(**{**stored, "others": tuple(stored.get("others", ()))}, decided_at=decided_at)

    def to_dict(self) -> dict[str, Any]:
        """Return what the ledger holds beside the moment."""
        values = {name: value for name, value in asdict(self).items() if value}
        values.pop("decided_at", None)
        return values

    @classmethod
    def from_id(cls, identity: str, decided: Decided, **more: Any) -> Self:
        """Return a judgement of the pairing that an `id` names; ``more`` are further fields."""
        key, name, picture, *pixels = identity.split("_")
        return cls(decided, key, name, picture, ":".join(pixels), **more)

    @property
    def id(self) -> str:
        """Person, name and picture in letters, digits and underscores: what a form is about."""
        return "_".join((self.key, self.name, self.picture, *filter(None, self.pixels.split(":"))))


@dataclass(frozen=True, slots=True)
class Bearer:
    """A person with name, staff number and picture, known from a row of an earlier run, an adopted seal or a create.

    It is the evidence over time of which picture is whose.
    Two bearers are equal if these values are equal, independent of the run in which they were first seen.
    """

    key: str = ""  # of the person; "" where the row's number could not be used
    name: str = ""  # HMAC of the name key
    staff_no: str = ""  # HMAC of the comparable staff number
    mobile: str = ""  # HMAC
    # HMACs of what is left of a number that could not be used, sorted and joined by blanks, see `list_number_traces`
    digits: str = ""
    path: str = ""  # HMAC of the picture's path
    picture: str = ""  # sha256 of its bytes
    is_contested: bool = (
        False  # the picture could have been another doctor's as well, and was given to neither
    )
    # digest of the picture's pixels, "" while it is not known: seals and creates hold their own
    pixels: str = _field(default="", compare=False)
    shown_name: str = _field(default="", repr=False, compare=False)  # as the roster writes it
    position: str = _field(default="", repr=False, compare=False)  # of the row: a.xlsx 内科 12
    run: str = _field(default="", compare=False)  # that read it first; "" for an adopted seal
