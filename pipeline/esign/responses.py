"""What a reply proves: pure readings of whole replies to a create, an upload and a probe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.domain.seals import Verdict, VerdictKind
from pipeline.domain.service_codes import Meaning, find_create_meaning, find_upload_meaning

HTTP_OK = 200
FILE_ID_SECONDS = 600  # how long a FileId is valid when its answer names no Deadline
MAX_SEAL_ID = 128  # characters; the service's own have 32, no length is documented
MAX_DEPRECATION = 500  # characters


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply: HTTP status, body, and how far the server's clock is ahead (seconds) where it sent a Date."""

    status: int
    body: bytes
    skew: float | None


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
class CreateResponse:
    """A create's verdict, and what its code means for the run (None for a success or an unreadable answer)."""

    verdict: Verdict
    meaning: Meaning | None = None

    @property
    def counted_as(self) -> str:
        """The word under which run.json counts it: ok, a service code, http_502, unreadable."""
        return self.verdict.code or "ok"

    @property
    def is_from_service(self) -> bool:
        """Whether the answer is surely the service's own, so that its Date can be trusted."""
        return self.verdict.request_id is not None


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
    return Answer(
        _replace_surrogates(request_id) if isinstance(request_id, str) else None, code, message, response
    )


def read_create(reply: Reply) -> CreateResponse:
    """Read a create's reply: success is status 200, a body that parses, no Error, a SealId that can be one."""
    answer = parse_answer(reply.body)
    if reply.status != HTTP_OK:
        seal_id, request_id = (answer.get_text("SealId"), answer.request_id) if answer else (None, None)
        return _unknown_create(reply, f"http_{reply.status}", seal_id, request_id)
    if answer is None:
        return _unknown_create(reply, "unreadable")
    if answer.code is None:
        seal_id = answer.get_text("SealId")
        if seal_id is None or not is_seal_id(seal_id):
            return _unknown_create(reply, "no_seal_id", seal_id, answer.request_id)
        sealed = Verdict("sealed", seal_id, answer.request_id, http_status=reply.status)
        return CreateResponse(sealed)
    message = answer.message or ""
    meaning = find_create_meaning(answer.code, message)
    verdict = Verdict(
        _verdict_kind(meaning),
        request_id=answer.request_id,
        code=answer.code,
        message=message,
        http_status=reply.status,
    )
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


def _unknown_create(
    reply: Reply, code: str, seal_id: str | None = None, request_id: str | None = None
) -> CreateResponse:
    """Keep what an unreadable answer holds; a SealId in it is evidence, not success."""
    verdict = Verdict("unknown", _clean_evidence(seal_id), request_id, code=code, http_status=reply.status)
    return CreateResponse(verdict)


def read_upload(reply: Reply, *, now: float) -> UploadResponse:
    """Read an upload's reply; an upload creates nothing, so whatever proves nothing is uploaded again."""
    answer = parse_answer(reply.body) if reply.status == HTTP_OK else None
    if answer is None:
        return UploadResponse(meaning="unknown", code=_code_without_answer(reply))
    if answer.code is not None:
        message = answer.message or ""
        meaning = find_upload_meaning(answer.code, message)
        return UploadResponse(
            meaning=meaning, code=answer.code, message=message, request_id=answer.request_id
        )
    ids = answer.fields.get("FileIds")
    if not isinstance(ids, list) or len(ids) != 1 or not isinstance(ids[0], str) or not ids[0]:
        return UploadResponse(meaning="unknown", code="no_file_id", request_id=answer.request_id)
    deadline = answer.fields.get("Deadline")
    expires_at = now + FILE_ID_SECONDS
    if isinstance(deadline, int) and not isinstance(deadline, bool) and deadline > 0:
        expires_at = float(deadline)
    return UploadResponse(ids[0], expires_at, request_id=answer.request_id)


def read_liveness(reply: Reply) -> tuple[str, bool]:
    """Return the code under which a read-only call is counted, and whether the service is alive.

    A refusal is an answer, too.
    """
    answer = parse_answer(reply.body) if reply.status == HTTP_OK else None
    if answer is None:
        return _code_without_answer(reply), False
    if answer.code is None:
        return "ok", True
    return answer.code, find_create_meaning(answer.code, answer.message or "") != "unknown"


def is_seal_id(text: str) -> bool:
    """Return whether a text can be a SealId: no blanks, no control characters, not too long."""
    return 0 < len(text) <= MAX_SEAL_ID and text.isprintable() and not any(map(str.isspace, text))


def _clean_evidence(seal_id: str | None) -> str | None:
    """Return a SealId that proves nothing as printable, short text; None where nothing of it remains."""
    if seal_id is None:
        return None
    shown = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for character in seal_id[:MAX_SEAL_ID]
    )
    return shown.strip() or None


def _code_without_answer(reply: Reply) -> str:
    return "unreadable" if reply.status == HTTP_OK else f"http_{reply.status}"


def _replace_surrogates(text: str) -> str:
    """Replace halves of characters: JSON may hold them, no file and no database can."""
    return text.encode("utf-8", "replace").decode()
