"""What an answer proves: pure readings of a whole reply to a create or an upload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.domain.seals import Verdict, VerdictKind
from pipeline.domain.service_codes import Meaning
from pipeline.esign import error_codes
from pipeline.esign.client import Reply
from pipeline.esign.contracts import file_id_of, parse
from pipeline.esign.seal_ids import evidence_of, is_seal_id

HTTP_OK = 200


@dataclass(frozen=True, slots=True)
class CreateResponse:
    """A create's verdict, and what its code means for the run (None for a success or an unreadable answer)."""

    verdict: Verdict
    meaning: Meaning | None
    tally: str  # under what the call is counted in run.json: ok, a service code, http_502, unreadable

    @property
    def from_service(self) -> bool:
        """Whether the answer is surely the service's own, and its Date worth something."""
        return self.verdict.request_id is not None


def of_create(reply: Reply) -> CreateResponse:
    """Read a create's answer: success is status 200, a body that parses, no Error, a SealId that can be one."""
    answer = parse(reply.body)
    if reply.status != HTTP_OK:
        seal_id, request_id = (answer.text("SealId"), answer.request_id) if answer else (None, None)
        return _unknown(reply, f"http_{reply.status}", seal_id, request_id)
    if answer is None:
        return _unknown(reply, "unreadable")
    if answer.code is None:
        seal_id = answer.text("SealId")
        if seal_id is None or not is_seal_id(seal_id):
            return _unknown(reply, "no_seal_id", seal_id, answer.request_id)
        return CreateResponse(
            Verdict("sealed", seal_id, answer.request_id, http_status=reply.status), meaning=None, tally="ok"
        )
    message = answer.message or ""
    meaning = error_codes.of_create(answer.code, message)
    kind: VerdictKind = _KINDS.get(meaning, "not_executed")
    verdict = Verdict(
        kind,
        request_id=answer.request_id,
        code=answer.code,
        message=message,
        http_status=reply.status,
    )
    return CreateResponse(verdict, meaning, answer.code)


_KINDS: Mapping[Meaning, VerdictKind] = {
    "row": "refused",
    "exists": "exists",
    "unknown": "unknown",
}


def _unknown(
    reply: Reply, tally: str, seal_id: str | None = None, request_id: str | None = None
) -> CreateResponse:
    """Keep what little an unreadable answer tells; a SealId in it is evidence, not success."""
    verdict = Verdict("unknown", evidence_of(seal_id), request_id, code=tally, http_status=reply.status)
    return CreateResponse(verdict, None, tally)


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload's answer: a FileId with the unix second of its death, or why there is none."""

    file_id: str | None
    dies: float
    meaning: Meaning | None  # None with a FileId; "unknown" where nothing can be told: sent again
    code: str | None
    message: str | None
    request_id: str | None
    tally: str


def of_upload(reply: Reply, *, now: float) -> Upload:
    """Read an upload's answer; whatever is in doubt is simply uploaded again, for an upload creates nothing."""
    answer = parse(reply.body) if reply.status == HTTP_OK else None
    if answer is None:
        tally = "unreadable" if reply.status == HTTP_OK else f"http_{reply.status}"
        return Upload(None, 0.0, "unknown", tally, None, None, tally)
    if answer.code is not None:
        message = answer.message or ""
        meaning = error_codes.of_upload(answer.code, message)
        return Upload(None, 0.0, meaning, answer.code, message, answer.request_id, answer.code)
    found = file_id_of(answer, now=now)
    if found is None:
        return Upload(None, 0.0, "unknown", "no_file_id", None, answer.request_id, "no_file_id")
    return Upload(found[0], found[1], None, None, None, answer.request_id, "ok")


def of_probe(reply: Reply) -> tuple[str, bool]:
    """Return under what a read-only call is counted, and whether the service is alive: it refuses in its own words, too."""
    answer = parse(reply.body) if reply.status == HTTP_OK else None
    if answer is None:
        return ("unreadable" if reply.status == HTTP_OK else f"http_{reply.status}"), False
    if answer.code is None:
        return "ok", True
    return answer.code, error_codes.of_create(answer.code, answer.message or "") != "unknown"
