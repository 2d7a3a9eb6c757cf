"""What a reply proves: readings of whole replies to a create, an upload and a call that reads.

An answer that was seen before is none, and an id that was given once is not given again. A cache, a proxy that repeats
calls or a service that confuses two of them can answer a call with the answer to another one. Each answer has a RequestId of
its own, each FileId was given for known bytes (`SeenAnswers`), each SealId is of one seal. The ledger refuses the RequestIds
and SealIds of earlier runs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field

from pipeline.domain.masking import Masker
from pipeline.domain.run import REPEATED, SEAL_ID_REUSED
from pipeline.domain.seals import MAX_SEAL_ID, Verdict, VerdictKind, is_seal_id
from pipeline.domain.service_codes import Meaning, get_create_meaning, get_upload_meaning

HTTP_OK = 200
FILE_ID_SECONDS = 600  # how long a FileId is valid when its answer names no Deadline
MAX_DEPRECATION = 500  # characters
REUSED_FILE_ID = "reused_file_id"  # code of ours
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
class CreateResponse:
    """A create's verdict, and what its code means for the run (None for a success or an unreadable answer)."""

    verdict: Verdict
    meaning: Meaning | None = None

    @property
    def counted_as(self) -> str:
        """The word under which run.json counts it: ok, a service code, http_502, unreadable."""
        return self.verdict.code or "ok"


@dataclass(frozen=True, slots=True)
class UploadResponse:
    """An upload's FileId with the unix second at which it expires, or why there is none."""

    file_id: str | None = None
    expires_at: float = 0.0
    meaning: Meaning | None = None  # None with a FileId; "unknown" where the answer proves nothing
    code: str | None = None
    message: str | None = None
    request_id: str | None = None

    @property
    def counted_as(self) -> str:
        """The word under which run.json counts it: ok, a service code, http_502, unreadable, no_file_id."""
        return self.code or "ok"


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


def read_create(
    reply: Reply,
    *,
    sent: Collection[str],
    masker: Masker,
) -> CreateResponse:
    """Read a create's reply: success is status 200, a body that parses, no Error, a SealId that can be one.

    ``sent`` are the texts of the call. The SealId of a repeated answer is another seal's. ``masker`` takes personal data out of
    what is kept of a SealId that can be none.
    """
    content, answer = reply.content, reply.answer
    request_id = content.request_id if content else None
    seal_id = content.get_text("SealId") if content and content.code is None else None
    is_usable = seal_id is not None and is_seal_id(seal_id, (*sent, request_id))
    evidence = seal_id if is_usable else _clean_evidence(seal_id, masker)
    code, message = reply.fault, None
    if is_usable and reply.status == HTTP_OK and reply.is_repeated:
        code = SEAL_ID_REUSED
    elif answer is not None and answer.code is not None:
        return _read_error(answer.code, answer.message or "", request_id)
    elif answer is not None and is_usable:
        return CreateResponse(Verdict("sealed", seal_id, request_id, http_status=reply.status))
    elif answer is not None:
        code = "no_seal_id"
    elif reply.is_repeated and content is not None and content.code is not None:
        message = f"{content.code} {content.message}".strip()
    return CreateResponse(Verdict("unknown", evidence, request_id, code, message, reply.status))


def _read_error(code: str, message: str, request_id: str | None) -> CreateResponse:
    """Return what an error answer to a create proves."""
    meaning = get_create_meaning(code, message)
    verdict = Verdict(_verdict_kind(meaning), None, request_id, code, message, HTTP_OK)
    return CreateResponse(verdict, meaning)


def _verdict_kind(meaning: Meaning) -> VerdictKind:
    match meaning:
        case "row":
            return "refused"
        case "exists":
            return "exists"
        case "unknown":
            return "unknown"
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


def read_upload(reply: Reply, *, now: float, answers: SeenAnswers, owner: Hashable) -> UploadResponse:
    """Read the reply to an upload. An upload creates no seal, so it is repeated after every unproven reply.

    ``owner`` identifies person and picture; a FileId that ``answers`` know for another one is not used. The FileId of a
    repeated answer is entered as well, because another call may have received it.
    """
    file_id = _get_file_id(reply.content) if reply.status == HTTP_OK else None
    is_own = file_id is None or answers.claim_file(file_id, owner)
    answer = reply.answer
    if answer is None:
        request_id = reply.content.request_id if reply.content else None
        return UploadResponse(meaning="unknown", code=reply.fault, request_id=request_id)
    if answer.code is not None:
        message = answer.message or ""
        meaning = get_upload_meaning(answer.code, message)
        return UploadResponse(
            meaning=meaning, code=answer.code, message=message, request_id=answer.request_id
        )
    if file_id is None or not is_own:
        code = "no_file_id" if file_id is None else REUSED_FILE_ID
        return UploadResponse(meaning="unknown", code=code, request_id=answer.request_id)
    deadline = answer.fields.get("Deadline")
    expires_at = now + FILE_ID_SECONDS
    if isinstance(deadline, int) and not isinstance(deadline, bool) and deadline > 0:
        expires_at = float(deadline)
    return UploadResponse(file_id, expires_at, request_id=answer.request_id)


def _get_file_id(answer: Answer | None) -> str | None:
    ids = answer.fields.get("FileIds") if answer is not None else None
    if not isinstance(ids, list) or len(ids) != 1 or not isinstance(ids[0], str):
        return None
    return ids[0] or None


def read_liveness(reply: Reply) -> tuple[str, bool]:
    """Return the code under which a read-only call is counted, and whether the service is alive.

    A refusal is an answer, too.
    """
    answer = reply.answer
    if answer is None:
        return reply.fault, False
    if answer.code is None:
        return "ok", True
    return answer.code, get_create_meaning(answer.code, answer.message or "") != "unknown"


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
