"""Asks a reading action page by page: each call at the pace of the quota, repeated a few times where no answer came."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.domain.message import Message
from pipeline.domain.service_codes import get_create_meaning, parse_stated_rate
from pipeline.esign.client import Client, NoAnswer, NotSent
from pipeline.esign.reply_faults import describe_reply_fault
from pipeline.esign.responses import Answer
from pipeline.messages.catalogue import make_message
from pipeline.reports.explanations import describe_failure
from pipeline.resolution.evidence import Asking
from pipeline.resolution.service_calls import ServiceAccess

MAX_SENDS = 4  # of one page
BACK_OFF_SECONDS = 1.0  # doubled each time


@dataclass
class RepeatedCalls:
    """The calls of one question. They read alone, so that one without an answer may be sent again."""

    service: ServiceAccess
    client: Client
    action: str
    _asked_at: float = field(init=False)
    _service_at: float | None = None
    _pages: int = 0
    _request_id: str | None = None

    def __post_init__(self) -> None:
        self._asked_at = self.service.clock.now()

    @property
    def asking(self) -> Asking:
        """When the question was asked, and how many pages were answered."""
        return Asking(self._asked_at, self._service_at, self._pages, self._request_id)

    async def send(self, body: bytes) -> Answer | str:
        """Return the answer to one page, or why there is none."""
        why: str = ""
        for send_index in range(MAX_SENDS):
            if send_index:
                await self.service.clock.sleep(BACK_OFF_SECONDS * 2 ** (send_index - 1))
            try:
                reply = await self.service.send_single_call(self.client, self.action, body)
            except (NotSent, NoAnswer) as error:
                why = error.args[0]
                continue
            if self._service_at is None and reply.is_from_service and reply.skew is not None:
                self._service_at = self._asked_at + reply.skew
            answer = reply.answer
            if answer is None:
                why = describe_reply_fault(reply)
                continue
            self._request_id = answer.request_id
            if answer.code is None:
                self._pages += 1
                return answer
            why = describe_failure(answer.code, self.service.keys, self.action)
            if get_create_meaning(answer.code, answer.message or "") != "throttle":
                return why
            self.service.limiter.record_throttle(self.action, *parse_stated_rate(answer.message or ""))
        return why

    def refuse_answer(self) -> Message:
        """Return that an answer lacks what is documented of it."""
        return make_message("evidence.odd_answer", request_id=self._request_id or "—")
