"""Calls outside a run: the service's time, whether a doctor's auto-sign shows a seal, and a second identical create.

The auto-sign query can confirm a create. It gives the SealId only of doctors who have opened auto-sign, so an empty answer
refutes nothing; and a SealId that the ledger knows already is an older seal.

The second create shows whether this tenant refuses it. It is sent once, for one consenting doctor who has a seal already.
Where it is not refused, the doctor has a second seal afterwards: that is why a person picks the doctor and confirms. The
ledger allows no attempt beside a live seal, so the create is entered as a decision before its first byte leaves.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import cache
from typing import Self

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.fields import list_sent_values
from pipeline.domain.masking import Masker
from pipeline.domain.roster import CardType, PreparedImage
from pipeline.domain.run import RowPlan, Status
from pipeline.domain.seals import SealRequest, fold_seal_id
from pipeline.domain.service_codes import get_create_meaning
from pipeline.errors import UsageError, reason_of
from pipeline.esign.auto_sign_calls import NO_IS_OPEN, Signer, StatusReading, build_status_query, read_status
from pipeline.esign.client import Client, NoAnswer, NotSent
from pipeline.esign.contracts import (
    CreateImage,
    build_liveness_check,
    build_upload,
    list_sent_texts,
)
from pipeline.esign.products import Agent, Product
from pipeline.esign.rate_limiter import Limiter
from pipeline.esign.reply_faults import describe_reply_fault
from pipeline.esign.responses import CreateResponse, Reply, read_create, read_upload
from pipeline.esign.signing import CredentialsSource
from pipeline.intake.images import image_files
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.ledger.protocol import Decision, Ledger
from pipeline.messages.catalogue import make_message
from pipeline.planning import guards
from pipeline.reports.explanations import NO_DETAIL, describe_failure
from pipeline.workflow import stage_settings
from pipeline.workflow.hosts_factory import make_limiter


@dataclass(frozen=True, slots=True)
class ServiceAccess:
    """What a call outside a run needs."""

    config: Config
    credentials: CredentialsSource
    limiter: Limiter
    clock: Clock
    ledger: Ledger | None  # an answer that it knows is none

    @classmethod
    def from_config(cls, config: Config, clock: Clock, ledger: Ledger | None) -> Self:
        """Find the credentials; raises CredentialsMissing."""
        credentials = stage_settings.get_credentials_places(config).find()
        limiter = make_limiter(config, clock)
        return cls(config, credentials, limiter, clock, ledger)

    @property
    def keys(self) -> Mapping[str, str]:
        """What a refusal of the keys is explained with."""
        return stage_settings.describe_keys(self.config, self.credentials)

    @property
    def product(self) -> Product:
        """The product that is called."""
        return stage_settings.get_product(self.config)

    @property
    def agent(self) -> Agent:
        """Who acts."""
        return stage_settings.build_agent(self.config)

    @asynccontextmanager
    async def open_client(self) -> AsyncIterator[Client]:
        """Open a client, and close it with the limiter at the end: it is for one block of calls."""
        with closing(self.limiter):
            async with stage_settings.build_client(
                self.config, self.credentials, self.clock, self.ledger
            ) as client:
                yield client

    async def send_single_call(
        self, client: Client, action: str, body: bytes, *, trace_id: str | None = None
    ) -> Reply:
        """Send a call and return its answer.

        One that is refused for its timestamp is sent once more with the service's time. Raises NotSent or NoAnswer.
        """
        trace_id = trace_id or str(uuid.uuid4())

        async def before_send(_: Callable[[], bool]) -> None:
            await self.limiter.acquire(action)
            await self.limiter.record_departure(action)

        has_adopted_clock = False
        while True:
            reply = await client.call(action, body, trace_id=trace_id, before_send=before_send)
            code = (reply.answer.code if reply.answer is not None else None) or ""
            if get_create_meaning(code, "") != "clock" or has_adopted_clock or reply.skew is None:
                return reply
            has_adopted_clock, client.clock_offset = True, reply.skew


async def ask_service_time(service: ServiceAccess) -> float:
    """Return unix seconds by the service's clock, from the answer to a call that changes nothing.

    Raises UsageError where the service does not answer in its own form.
    """
    body = build_liveness_check(service.agent)
    async with service.open_client() as client:
        try:
            reply = await service.send_single_call(client, service.product.organization_seals, body)
        except (NotSent, NoAnswer) as error:
            raise UsageError("resolve.no_service_time", why=str(error)) from error
    if not reply.is_from_service or reply.skew is None:
        raise UsageError("resolve.no_service_time", why=describe_reply_fault(reply))
    return service.clock.now() + reply.skew


def make_service_clock(config: Config, clock: Clock) -> Callable[[], float]:
    """Return the function that asks the service for its time: once, and only where it is needed.

    It also works inside a running event loop, of a notebook for instance.
    """

    def read_time() -> float:
        return asyncio.run(ask_service_time(ServiceAccess.from_config(config, clock, None)))

    def read_time_anywhere() -> float:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return read_time()
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(read_time).result()

    return cache(read_time_anywhere)


@dataclass(frozen=True, slots=True)
class AutoSignAnswer:
    """The answer to the auto-sign query."""

    seal_id: str | None  # one that may be this create's; None proves nothing
    request_id: str | None
    explanation: object  # the service's code, or why there is no SealId
    is_open: bool = False  # the doctor has opened auto-sign: only then a seal can be shown


async def query_auto_sign(
    row_plan: RowPlan | None, name: str, service: ServiceAccess, *, known: Collection[str]
) -> AutoSignAnswer:
    """Ask once; ``known`` are the SealIds of the ledger.

    Raises UsageError where no roster holds the doctor's number, or the query does not take the card.
    """
    doctor = row_plan.doctor if row_plan else None
    if doctor is None or not (doctor.name and doctor.number and doctor.id_type):
        raise UsageError("resolve.not_in_rosters", name=name)
    if doctor.id_type is CardType.OTHER_CARD_TYPE:  # the query's card types lack it
        raise UsageError("resolve.card_not_queried", name=name)
    signer = Signer.of_doctor(doctor)
    assert signer is not None
    action = service.product.auto_sign_status
    async with service.open_client() as client:
        try:
            reply = await service.send_single_call(client, action, build_status_query(service.agent, signer))
        except (NotSent, NoAnswer) as error:
            return AutoSignAnswer(None, None, str(error))
    reading = read_status(
        reply, sent=signer.list_sent_texts(service.agent), masker=Masker.of_doctors([doctor])
    )
    return _weigh_reading(reading, reply, known, service, action)


def _weigh_reading(
    reading: StatusReading, reply: Reply, known: Collection[str], service: ServiceAccess, action: str
) -> AutoSignAnswer:
    """Return what a reading proves about a create without a verdict."""
    request_id = reading.request_id
    if reply.answer is None:
        return AutoSignAnswer(None, None, describe_reply_fault(reply))
    if reply.answer.code is not None:
        reason = describe_failure(reply.answer.code, service.keys, action)
        return AutoSignAnswer(None, request_id, reason)
    if reading.is_open is False or reading.code == NO_IS_OPEN:
        return AutoSignAnswer(None, request_id, make_message("resolve.auto_sign_not_open"))
    if reading.seal_id is None:
        return AutoSignAnswer(None, request_id, make_message("resolve.no_seal_set"), is_open=True)
    if fold_seal_id(reading.seal_id) in set(map(fold_seal_id, known)):
        older = make_message("resolve.older_seal", seal_id=reading.seal_id)
        return AutoSignAnswer(None, request_id, older, is_open=True)
    return AutoSignAnswer(reading.seal_id, request_id, reading.seal_id, is_open=True)


# -- the second create


def get_sealed_row(row_plans: Sequence[RowPlan], query: str) -> RowPlan:
    """Return the row of the one sealed doctor whom a query means; UsageError for none or several."""
    rows = [row_plan for row_plan in row_plans if _is_sealed_as(row_plan, query)]
    if len(rows) != 1:
        raise UsageError("certify_who" if rows else "certify_nobody", query=query, n=len(rows))
    return rows[0]


def _is_sealed_as(row_plan: RowPlan, query: str) -> bool:
    seal = row_plan.history.seal if row_plan.history else None
    doctor = row_plan.doctor
    return seal is not None and query in (doctor.name, doctor.staff_no, seal.seal_name, seal.seal_id)


def repeat_request(row_plan: RowPlan, images: ImageExaminer) -> tuple[SealRequest, PreparedImage]:
    """Return the create that made a doctor's seal, to the letter; UsageError where the row is not unchanged."""
    doctor, history = row_plan.doctor, row_plan.history
    seal = history.seal if history and row_plan.status is Status.UNCHANGED else None
    if history is None or seal is None or seal.content is None or doctor.errors:
        raise UsageError("resolve.not_unchanged", name=doctor.name)
    prepared = images.examine(doctor.picture).prepared if doctor.picture else None
    if prepared is None:
        raise UsageError("resolve.no_picture", name=doctor.name)
    request = SealRequest(
        key=history.key,
        row_id=doctor.row_id or "",
        seal_name=seal.seal_name,
        values=list_sent_values(doctor),
        content=seal.content,
    )
    return request, prepared


async def certify_create(
    request: SealRequest, prepared: PreparedImage, service: ServiceAccess, *, ledger: Ledger, who: str
) -> CreateResponse:
    """Send the create a second time and record the answer. Raises UsageError where no verdict came.

    A doctor whose second create got no verdict may have a second seal: the error mentions it.
    """
    contract, agent = stage_settings.get_contract(service.config), service.agent
    data = _read_checked(prepared)
    trace_id = str(uuid.uuid4())
    own_seal = ledger.snapshot().people[request.key].seal
    own_seal_id = own_seal.seal_id if own_seal else None

    def enter_decision(kind: str, reason: str, seal_id: str | None = None) -> None:
        now = service.clock.now()
        ledger.record_decision(
            Decision(kind, request.key, now, who, f"{contract.name} {reason}", seal_id=seal_id)
        )

    await service.credentials.get_current()  # a role without keys is found before the decision is entered
    async with service.open_client() as client:
        try:
            file_id = None
            if contract.needs_upload:
                suffix = "png" if prepared.format == "PNG" else "jpg"
                upload = build_upload(agent, f"certify.{suffix}", data)
                reply = await service.send_single_call(client, contract.product.upload, upload)
                owner = request.key, prepared.sha256
                uploaded = read_upload(reply, now=client.service_time(), answers=client.answers, owner=owner)
                if uploaded.file_id is None:
                    raise _not_sent_error(uploaded.counted_as, service.keys)
                file_id = uploaded.file_id
            body = contract.build_create(agent, request, CreateImage(data, file_id))
        except (NotSent, NoAnswer) as error:
            raise _not_sent_error(str(error)) from error
        enter_decision(guards.CERTIFY_SENT, trace_id)
        try:
            reply = await service.send_single_call(client, contract.product.create, body, trace_id=trace_id)
        except NotSent as error:
            enter_decision(guards.CERTIFY_VOID, "not_sent")
            raise _not_sent_error(str(error)) from error
        except NoAnswer as error:
            raise _no_verdict_error(str(error), trace_id) from error
        response = read_create(
            reply,
            sent=list_sent_texts(agent, trace_id, file_id, request=request),
            answers=client.answers,
            masker=Masker(),
            # a service that makes no second seal may name the first one again
            known_seal_id=own_seal_id,
        )
    verdict = response.verdict
    reason = f"{response.counted_as} {verdict.request_id or ''}".strip()
    if verdict.kind == "not_executed":
        enter_decision(guards.CERTIFY_VOID, reason)
        raise _not_sent_error(response.counted_as, service.keys)
    refused = response.meaning == "exists"
    if verdict.kind != "sealed" and not refused:
        raise _no_verdict_error(response.counted_as, trace_id)
    enter_decision(guards.CERTIFIED if refused else guards.NOT_CERTIFIED, reason, verdict.seal_id)
    return response


def _read_checked(prepared: PreparedImage) -> bytes:
    """Return the bytes that were checked. Raises UsageError where they have changed."""
    try:
        data = image_files.read_regular_file(prepared.path)
    except OSError as error:
        raise _not_sent_error(reason_of(error)) from error
    if hashlib.sha256(data).hexdigest() != prepared.sha256:
        raise _not_sent_error(make_message("image.changed_in_run"))
    return data


def _not_sent_error(reason: str, keys: Mapping[str, str] = NO_DETAIL) -> UsageError:
    return UsageError("resolve.nothing_sent", why=describe_failure(reason, keys))


def _no_verdict_error(reason: str, trace_id: str) -> UsageError:
    return UsageError("resolve.no_verdict", why=describe_failure(reason), trace_id=trace_id)
