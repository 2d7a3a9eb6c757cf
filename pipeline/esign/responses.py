"""What a reply proves: readings of whole replies to a create, an upload and a call that reads.

An answer that was seen before is none, and an id that was given once is not given again. A cache, a proxy that repeats
calls or a service that confuses two of them can answer a call with the answer to another one. Each answer has a RequestId of
its own, each FileId was given for known bytes (`SeenAnswers`), each SealId is of one seal. The ledger refuses the RequestIds
and SealIds of earlier runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field, replace

from pipeline.domain.masking import Masker
from pipeline.domain.run import REPEATED, SEAL_ID_REUSED
from pipeline.domain.seals import MAX_SEAL_ID, Verdict, VerdictKind, is_seal_id
from pipeline.domain.service_codes import Meaning, get_create_meaning, get_upload_meaning

HTTP_OK = 200
FILE_ID_SECONDS = 600  # how long a FileId is valid when its answer names no Deadline
MAX_DEPRECATION = 500  # characters
# codes of ours: the headers never left; they left, and no whole answer came; the FileId is another picture's as well
NOT_SENT, NO_ANSWER, REUSED_FILE_ID = "not_sent", "no_answer", "reused_file_id"
_OF_TWO = object()  # in place of the owner of an id that two got


@dataclass(frozen=True, slots=True)
class Answer:
    """The ``Response`` object of a reply: an error's code and message, or the fields of a success."""

    request_id: str | None
    code: str | None  # None without an Error
    message: str | None
    fields: Mapping[str, object]

    @property
    def deprecation(self) -> str | None:
        """The service's warning that this interface will end, None without one."""
        warning = self.fields.get("DeprecatedWarning")
        return _replace_surrogates(str(warning))[:MAX_DEPRECATION] if warning else None

    def get_text(self, name: str) -> str | None:
        """Return a field when it is a non-empty text."""
        value = self.fields.get(name)
        return _replace_surrogates(value) if isinstance(value, str) and value else None


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply: HTTP status, body, and how far the server's clock is ahead (seconds) where it sent a Date.

    ``is_repeated``: an earlier answer had its RequestId, so it is not the answer to this call. ``location`` is where a
    redirect points, which is never followed.
    """

    status: int
    body: bytes
    skew: float | None
    is_repeated: bool = False
    location: str | None = None
    content: Answer | None = field(init=False)  # whatever the status; evidence, no proof

    def __post_init__(self) -> None:
        """Parse the body."""
        object.__setattr__(self, "content", parse_answer(self.body))

    @property
    def answer(self) -> Answer | None:
        """The answer to this call; None where the reply proves nothing."""
        return self.content if self.status == HTTP_OK and not self.is_repeated else None

    @property
    def is_from_service(self) -> bool:
        """Whether the reply is surely the service's own and of this moment, so that its Date can be trusted."""
        return self.content is not None and self.content.request_id is not None and not self.is_repeated

    @property
    def fault(self) -> str:
        """The code of a reply without an answer."""
        if self.status != HTTP_OK:
            return f"http_{self.status}"
        return REPEATED if self.is_repeated else "unreadable"


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of a call: that it was done (``code`` is None), or why not."""

    code: str | None = None
    meaning: Meaning | None = None  # of a refusal; None: done, "unknown": nothing is proven
    message: str | None = field(default=None, repr=False)  # masked
    request_id: str | None = None
    http_status: int | None = None
    seal_id: str | None = None  # evidence where a create is not done

    @property
    def is_done(self) -> bool:
        """Whether the service did what it was asked for, and answered in full."""
        return self.code is None

    @property
    def is_usable(self) -> bool:
        """Whether the service answered, be it with a refusal."""
        return self.meaning != "unknown"

    @property
    def was_sent(self) -> bool:
        """Whether headers left."""
        return self.code != NOT_SENT

    @property
    def counted_as(self) -> str:
        """The word under which run.json counts it: ok, a service code, http_502, unreadable."""
        return self.code or "ok"

    @property
    def verdict(self) -> Verdict:
        """What it proves of a create."""
        kind = _get_verdict_kind(self.meaning) if self.was_sent else "not_executed"
        return Verdict(kind, self.seal_id, self.request_id, self.code, self.message, self.http_status)


def _get_verdict_kind(meaning: Meaning | None) -> VerdictKind:
    match meaning:
        case None:
            return "sealed"
        case "row":
            return "refused"
        case "exists" | "unknown":
            return meaning
        case (
            "throttle"
            | "clock"
            | "credentials"
            | "permission"
            | "account"
            | "quota"
            | "contract"
            | "upload_again"
        ):
            return "not_executed"


@dataclass(frozen=True, slots=True)
class UploadReading(Reading):
    """An upload's FileId, and the unix second at which it expires."""

    file_id: str | None = None
    expires_at: float = 0.0


def parse_answer(body: bytes) -> Answer | None:
    """Return the answer in a body, None when it is not ``{"Response":{…}}``; Content-Type decides nothing."""
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested too deeply
        return None
    response = document.get("Response") if isinstance(document, dict) else None
    if not isinstance(response, dict):
        return None
    request_id = response.get("RequestId")
    error = response.get("Error")
    code = message = None
    if error is not None:
        if not isinstance(error, dict) or not isinstance(error.get("Code"), str) or not error["Code"]:
            return None
        code = _replace_surrogates(error["Code"])
        message = _replace_surrogates(str(error.get("Message") or ""))
    request_id = _replace_surrogates(request_id).strip() if isinstance(request_id, str) else None
    return Answer(request_id or None, code, message, response)


def read_answer(reply: Reply, get_meaning: Callable[[str, str], Meaning], masker: Masker) -> Answer | Reading:
    """Return the answer of a call that was done, else why it was not; ``get_meaning`` reads code and message of an error."""
    answer = reply.answer
    if answer is None:
        request_id = reply.content.request_id if reply.content else None
        return Reading(reply.fault, "unknown", request_id=request_id, http_status=reply.status)
    if answer.code is None:
        return answer
    message = answer.message or ""
    masked = masker.mask_answer(message) if message else None
    meaning = get_meaning(answer.code, message)
    return Reading(answer.code, meaning, masked, answer.request_id, reply.status)


def read_create(reply: Reply, *, sent: Collection[str], masker: Masker) -> Reading:
    """Read a create's reply: success is status 200, a body that parses, no Error, a SealId that can be one.

    ``sent`` are the texts of the call. The SealId of a repeated answer is another seal's. ``masker`` takes personal data out of
    what is kept of a SealId that can be none.
    """
    answer, content = read_answer(reply, get_create_meaning, masker), reply.content
    request_id = content.request_id if content else None
    seal_id = content.get_text("SealId") if content and content.code is None else None
    is_usable = seal_id is not None and is_seal_id(seal_id, (*sent, request_id))
    evidence = seal_id if is_usable else _clean_evidence(seal_id, masker)
    if isinstance(answer, Answer):
        if is_usable:
            return Reading(None, None, None, request_id, reply.status, evidence)
        return Reading("no_seal_id", "unknown", None, request_id, reply.status, evidence)
    if reply.is_repeated and reply.status == HTTP_OK and is_usable:
        return replace(answer, code=SEAL_ID_REUSED, seal_id=evidence)
    if reply.is_repeated and content is not None and content.code is not None:
        return replace(answer, message=masker.mask_answer(f"{content.code} {content.message}".strip()))
    return replace(answer, seal_id=evidence)


def read_upload(
    reply: Reply, *, now: float, answers: SeenAnswers, owner: Hashable, masker: Masker
) -> Reading:
    """Read the reply to an upload. An upload creates no seal, so it is repeated after every unproven reply.

    ``owner`` identifies person and picture; a FileId that ``answers`` know for another one is not used. The FileId of a
    repeated answer is entered as well, because another call may have received it.
    """
    file_id = _get_file_id(reply.content) if reply.status == HTTP_OK else None
    is_own = file_id is None or answers.claim_file(file_id, owner)
    answer = read_answer(reply, get_upload_meaning, masker)
    if isinstance(answer, Reading):
        return answer
    if file_id is None or not is_own:
        code = "no_file_id" if file_id is None else REUSED_FILE_ID
        return Reading(code, "unknown", None, answer.request_id, reply.status)
    deadline = answer.fields.get("Deadline")
    expires_at = now + FILE_ID_SECONDS
    if isinstance(deadline, int) and not isinstance(deadline, bool) and deadline > 0:
        expires_at = float(deadline)
    return UploadReading(request_id=answer.request_id, file_id=file_id, expires_at=expires_at)


def _get_file_id(answer: Answer | None) -> str | None:
    ids = answer.fields.get("FileIds") if answer is not None else None
    if not isinstance(ids, list) or len(ids) != 1 or not isinstance(ids[0], str):
        return None
    return ids[0] or None


def _clean_evidence(seal_id: str | None, masker: Masker) -> str | None:
    """Return a SealId that can be none as printable, short, masked text; None where nothing of it remains."""
    if seal_id is None:
        return None
    shown = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for character in seal_id[:MAX_SEAL_ID]
    )
    return masker.mask_answer(shown).strip() or None


def _replace_surrogates(text: str) -> str:
    """Replace halves of characters: JSON may hold them, no file and no database can."""
    return text.encode("utf-8", "replace").decode()


class SeenAnswers:
    """Which call of this process got which RequestId, and for which picture each FileId was given.

    An id that two got is neither's: it is not known which of both answers was right. The methods may be called from any
    thread: each decides by one operation of a dictionary.
    """

    def __init__(self) -> None:
        self._calls: dict[str, Hashable] = {}  # by RequestId: the trace id
        self._pictures: dict[str, Hashable] = {}  # by FileId: person and picture

    def claim_answer(self, request_id: str | None, trace_id: str) -> bool:
        """Enter which call got a RequestId; return whether no other one got it. An answer without any proves nothing."""
        return request_id is None or _claim(self._calls, request_id, trace_id)

    def is_of_two_calls(self, request_id: str | None) -> bool:
        """Return whether two calls got an answer with this RequestId."""
        return request_id is not None and self._calls.get(request_id) is _OF_TWO

    def claim_file(self, file_id: str, owner: Hashable) -> bool:
        """Enter for which person and picture (``owner``) a FileId was given; return whether it was given for no other one."""
        return _claim(self._pictures, file_id, owner)

    def is_file_of(self, file_id: str, owner: Hashable) -> bool:
        """Return whether a FileId was given for this picture and for no other one."""
        return self._pictures.get(file_id) == owner


def _claim(owners: dict[str, Hashable], entry: str, owner: Hashable) -> bool:
    """Enter the owner of an id; return whether it is its only one."""
    if owners.setdefault(entry, owner) != owner:
        owners[entry] = _OF_TWO
    return owners[entry] == owner


OF_THIS_PROCESS = SeenAnswers()  # shared by all hospitals whose runs this process makes
