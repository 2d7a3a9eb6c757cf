"""Seals, creates and persons as the ledger and the service know them, and the form of a SealId.

The form is one rule for answers of the service, `adopt`, `resolve` and the Unknown sheet. The service documents 32
characters and no alphabet. Its own examples have 33 characters with ``=``, or are ``sealid-1``.

Personal fields carry ``repr=False``: a traceback or a log line never shows a number, a name or a picture's path.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from dataclasses import field as _field
from hmac import compare_digest
from typing import Any, Literal, Self

from pipeline.domain.fields import FIELDS, value_of
from pipeline.domain.masking import is_personal_number
from pipeline.domain.roster import Doctor, Field
from pipeline.domain.site_key import SiteKey

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


@dataclass(frozen=True, slots=True)
class CreateAttempt:
    """A create that was sent for a person and has a verdict (an open one counts as unknown)."""

    uuid: str  # sent as X-TC-TraceId
    run: str
    verdict: str  # see Verdict.kind
    signed_at: float  # unix seconds, signed time
    host: str
    content: SealContent
    code: str | None = None
    message: str | None = _field(default=None, repr=False)
    request_id: str | None = None
    # from an answer that proves nothing: evidence for resolving the attempt
    unproven_seal_id: str | None = None
    replayable_until: float = 0.0  # unix seconds, by this machine's clock: no copy of it is accepted later


@dataclass(frozen=True, slots=True)
class LiveSeal:
    """The one seal a person has."""

    seal_id: str
    seal_name: str  # "" for an adopted seal whose name is not known
    run: str  # "" for an adopted one
    created_at: float
    content: SealContent | None  # None for an adopted one, whose content is not known
    request_id: str | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class PersonDigests:
    """HMAC of a person's staff number and mobile, "" for none."""

    staff_no: str
    mobile: str


@dataclass(frozen=True, slots=True)
class PersonHistory:
    """The ledger's knowledge of one person, as far as a run needs it."""

    key: str
    seal_name: str | None = None  # fixed at the first attempt
    seal: LiveSeal | None = None
    # verdict unknown or exists: nothing is sent until it is resolved
    unresolved_attempt: CreateAttempt | None = None
    refusals: tuple[CreateAttempt, ...] = ()  # oldest first, since the last seal
    create_count: int = 0  # ever sent
    seal_name_locked: bool = False  # a create may have made a seal: the next one has the same seal name
    name: str | None = _field(default=None, repr=False)
    id_masked: str | None = None
    # HMAC of the last one seen with the person ("" for none); None: not recorded yet
    staff_no_digest: str | None = None
    mobile_digest: str | None = None
    # a person found that the seals of these names belong to others
    seal_names_of_others: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """The ledger at one moment: people by key, and the owner of each seal name.

    A seal name is reusable if its owner has no seal and was certainly refused under it, or may not have it.
    """

    people: Mapping[str, PersonHistory]
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


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer with a SealId as log.jsonl and outcomes.jsonl keep it, for a verdict that did not reach the ledger.

    Other programs may write in the folder of the results. An answer counts only where ``proof`` is the one that the site
    key makes for the attempt that the ledger holds (`SiteKey.prove_answer`).
    """

    verdict: VerdictKind  # "sealed", or "unknown" where the SealId is evidence alone
    seal_id: str
    request_id: str  # "" for none
    code: str  # "" for none
    proof: str

    @classmethod
    def of_verdict(cls, verdict: Verdict, *, key: str, trace_id: str, site_key: SiteKey) -> Self | None:
        """Return what is kept of an answer to an attempt; None for one without a SealId."""
        if not verdict.seal_id:
            return None
        facts = (verdict.kind, verdict.seal_id, verdict.request_id or "", verdict.code or "")
        return cls(*facts, proof=site_key.prove_answer(key, trace_id, facts))

    @classmethod
    def from_dict(cls, stored: object) -> Self | None:
        """Read what `to_dict` returned; None for anything else."""
        if not isinstance(stored, dict):
            return None
        values: dict[str, Any] = {field.name: stored.get(field.name) for field in fields(cls)}
        if not all(isinstance(value, str) for value in values.values()):
            return None
        return cls(**values) if values["verdict"] in {"sealed", "unknown"} else None

    def to_dict(self) -> dict[str, str]:
        """Return what a line of results holds."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def is_of(self, key: str, trace_id: str, site_key: SiteKey) -> bool:
        """Return whether a process with this site key read the answer to this attempt of this person."""
        facts = (self.verdict, self.seal_id, self.request_id, self.code)
        expected = site_key.prove_answer(key, trace_id, facts)
        return compare_digest(expected.encode(), self.proof.encode("utf-8", "surrogatepass"))

    def to_verdict(self) -> Verdict:
        """Return the verdict that did not reach the ledger."""
        return Verdict(self.verdict, self.seal_id, self.request_id or None, self.code or None)


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
