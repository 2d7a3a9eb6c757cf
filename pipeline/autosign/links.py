"""`autosign links`: makes a link for each doctor who cannot sign yet, by the newest state that is known.

A doctor who has not opened auto-sign, or opened it without a seal, gets a link to open it; one who is open with another
seal gets a link to choose the seal. A link stands in the sheet alone, and nothing is sent to a doctor. Making a link
changes nothing else, so that the call is repeated on any doubt.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.autosign.calls import (
    CallObserver,
    CallResources,
    PersonCall,
    send_person_call,
    send_to_all,
)
from pipeline.autosign.doctors import SealedDoctor
from pipeline.clock import shown, stamp
from pipeline.domain.auto_sign import DAY, NEEDED_KINDS, AutoSignRecord, LinkKind
from pipeline.domain.roster import Field
from pipeline.domain.run import Halt, Traffic
from pipeline.esign.auto_sign_calls import (
    NO_URL,
    LinkReading,
    build_enable_link,
    build_seal_link,
    read_link,
)
from pipeline.esign.products import ESSBASIC, Product
from pipeline.esign.responses import Reading, Reply
from pipeline.reports.explanations import describe_code
from pipeline.reports.presenter import Presenter
from pipeline.reports.seal_list import write_table_workbook
from pipeline.sending.exchange import Exchange

LOG = logging.getLogger(__name__)
LINK_SECONDS = 29 * DAY  # the service takes 30 days at most, counted by its own clock
END_POINT = "HTTP_SHORT_URL"  # a short address: a message holds it


@dataclass(frozen=True, slots=True)
class DoctorLink:
    """A doctor who needs a link, and what came of the call for it."""

    doctor: SealedDoctor = field(repr=False)
    kind: LinkKind
    reading: Reading | None = field(default=None, repr=False)  # None: its turn did not come
    until: float = 0.0  # when the link expires, unix seconds
    others: Collection[str] = field(default=(), repr=False)  # names of doctors who were given the same link

    @property
    def url(self) -> str | None:
        """The link; None where there is none, or other doctors were given the same."""
        return self.reading.url if isinstance(self.reading, LinkReading) and not self.others else None

    def explain_missing(self, presenter: Presenter) -> str:
        """Return why there is no link, and what to do."""
        if self.others:
            names = ", ".join(sorted(self.others))
            return presenter.render("autosign.missing.shared", names=names)
        if self.reading is None:
            return presenter.render("autosign.missing.not_reached")
        code = self.reading.code or ""
        if code == NO_URL:
            return presenter.render("autosign.missing.no_url")
        # by its name the advice for both products is found
        words = describe_code(code, presenter, name_action(ESSBASIC, self.kind))
        return presenter.render(
            "autosign.missing.refused" if self.reading.meaning == "row" else "autosign.missing.no_answer",
            code=code or "—",
            words=words or presenter.render("autosign.no_words"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the doctor as `autosign links --json` shows one; the link itself stands in the sheet alone."""
        return {
            "name": self.doctor.name,
            "department": self.doctor.department,
            "kind": self.kind,
            "until": stamp(self.until) if self.url else None,
        }


@dataclass(frozen=True, slots=True)
class LinksReport:
    """The links of a set of doctors, and how the calls went."""

    doctors: Sequence[DoctorLink] = ()
    halt: Halt | None = None
    signal: int | None = None  # that stopped the calls
    traffic: Traffic = field(default_factory=Traffic)

    @property
    def links(self) -> list[DoctorLink]:
        """The doctors with a link."""
        return [link for link in self.doctors if link.url is not None]

    @property
    def missing(self) -> list[DoctorLink]:
        """The doctors without a link."""
        return [link for link in self.doctors if link.url is None]


def name_action(product: Product, kind: LinkKind) -> str:
    """Return the call that makes a link."""
    return product.auto_sign_seal_url if kind == "seal_link" else product.auto_sign_enable_url


def list_needs(
    doctors: Sequence[SealedDoctor], records: Mapping[str, AutoSignRecord], *, now: float
) -> list[DoctorLink]:
    """Return the doctors who need a link by the newest state; who was never asked for is none of them."""
    needs = []
    for doctor in doctors:
        record = records.get(doctor.key)
        kind = NEEDED_KINDS.get(record.get_state(now)) if record else None
        if kind is not None:
            needs.append(DoctorLink(doctor, kind))
    return needs


def make_links(resources: CallResources, needs: Sequence[DoctorLink], observer: CallObserver) -> LinksReport:
    """Make the links, as many at once as the pace needs."""
    made: dict[str, DoctorLink] = {}

    async def make(exchange: Exchange, need: DoctorLink) -> None:
        link = await _make_link(exchange, need)
        if link is not None:
            made[need.doctor.key] = link
            observer.advance()

    actions = sorted({name_action(resources.product, need.kind) for need in needs})
    halt, traffic = asyncio.run(send_to_all(resources, actions, needs, make, observer))
    doctors = _refuse_shared_links([made.get(need.doctor.key, need) for need in needs])
    return LinksReport(doctors, halt, resources.stop.signal, traffic)


async def _make_link(exchange: Exchange, need: DoctorLink) -> DoctorLink | None:
    """Return what came of a doctor's call; None where it was stopped."""
    signer, agent = need.doctor.signer, exchange.agent
    until = int(exchange.client.service_time() + LINK_SECONDS)
    build = build_seal_link if need.kind == "seal_link" else build_enable_link
    body = build(agent, signer, expires_at=until, end_point=END_POINT)

    def read(reply: Reply) -> Reading:
        return read_link(reply, signer, masker=exchange.masker)

    call = PersonCall(name_action(exchange.product, need.kind), body, read)
    reading = await send_person_call(exchange, call)
    if reading is None:
        return None
    facts = {"key": need.doctor.key, "code": reading.code, "request_id": reading.request_id}
    LOG.info(need.kind, extra=facts)
    return replace(need, reading=reading, until=until)


def _refuse_shared_links(doctors: Sequence[DoctorLink]) -> list[DoctorLink]:
    """Take a link that several doctors were given from all of them."""
    given: defaultdict[str | None, list[DoctorLink]] = defaultdict(list)
    for link in doctors:
        given[link.url].append(link)
    given.pop(None, None)
    return [
        replace(link, others=[other.doctor.name for other in given.get(link.url, ()) if other is not link])
        for link in doctors
    ]


def write_link_workbook(path: Path, report: LinksReport, presenter: Presenter) -> Path:
    """Write a row a link, and on a second sheet who needs one and has none, with the reason."""
    render = presenter.render
    links, missing = report.links, report.missing
    sheets = {
        render("autosign.links.sheet"): {
            **_list_doctors(links, presenter),
            render("autosign.links.kind"): [render(f"autosign.links.{link.kind}") for link in links],
            render("autosign.links.link"): [link.url or "" for link in links],
            render("autosign.links.until"): [shown(stamp(link.until)) for link in links],
        }
    }
    if missing:
        sheets[render("autosign.links.missing")] = {
            **_list_doctors(missing, presenter),
            render("autosign.links.reason"): [link.explain_missing(presenter) for link in missing],
        }
    return write_table_workbook(path, sheets, presenter)


def _list_doctors(links: Sequence[DoctorLink], presenter: Presenter) -> dict[str, list[str]]:
    doctors = [link.doctor for link in links]
    return {
        presenter.name_field(Field.NAME): [doctor.name for doctor in doctors],
        presenter.name_field(Field.STAFF_NO): [doctor.doctor.staff_no or "" for doctor in doctors],
        presenter.name_field(Field.DEPARTMENT): [doctor.department or "" for doctor in doctors],
    }
