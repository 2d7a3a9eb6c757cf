"""Who gets which link, by the newest state that is known.

A doctor who has not opened auto-sign, or opened it without a seal, gets a link to open it; one who is open with another
seal gets a link to choose the seal. A link that can still be opened is shown again. An SMS goes with the making of a link to open
auto-sign, and only there: a doctor whose link was made without one gets another link with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.autosign.doctors import SealedDoctor
from pipeline.autosign.journalled_calls import CallsReport, PersonCall
from pipeline.domain.auto_sign import (
    DAY,
    NEEDED_KINDS,
    AutoSignCall,
    AutoSignRecord,
    AutoSignState,
    LinkKind,
)
from pipeline.domain.masking import Masker
from pipeline.esign.auto_sign_calls import (
    CallReading,
    build_enable_link,
    build_seal_link,
    read_link,
)
from pipeline.esign.products import Agent, Product
from pipeline.esign.responses import Reply
from pipeline.reports.link_list import ListedLink

LONGEST_LINK = 30 * DAY  # the service's limit, counted by its own clock at the call's arrival
RESERVE = 300.0  # seconds by which a link of the longest life ends earlier: clocks differ
END_POINT = "HTTP_SHORT_URL"  # a short address: a message holds it, and its QR code is coarse


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCall(PersonCall):
    """A call that makes a link to open auto-sign or to choose the seal."""

    seconds: float  # for which the link can be opened

    def build(self, agent: Agent, service_time: float) -> tuple[bytes, float | None]:
        """Return the body and when the link expires."""
        until = int(service_time + self.seconds)
        if self.kind == "seal_link":
            return build_seal_link(agent, self.signer, expires_at=until, end_point=END_POINT), until
        body = build_enable_link(
            agent, self.signer, expires_at=until, end_point=END_POINT, by_sms=self.by_sms
        )
        return body, until

    def read(self, reply: Reply) -> CallReading:
        """Return the link."""
        return read_link(reply, self.signer, masker=self.masker)


@dataclass(frozen=True, slots=True)
class LinkNeed:
    """A doctor who needs a link, and what is there of it."""

    doctor: SealedDoctor = field(repr=False)
    kind: LinkKind
    calls: Sequence[AutoSignCall]  # for links of this kind, oldest first
    now: float
    renew: bool
    wants_sms: bool

    def build_call(self, product: Product, link_seconds: float, masker: Masker) -> PersonCall:
        """Return the call that makes the link."""
        is_seal = self.kind == "seal_link"
        return LinkCall(
            kind=self.kind,
            action=product.auto_sign_seal_url if is_seal else product.auto_sign_enable_url,
            key=self.doctor.key,
            signer=self.doctor.signer,
            masker=masker,
            by_sms=self.gets_sms,
            seconds=min(link_seconds, LONGEST_LINK - RESERVE),
        )

    def list_link(self) -> ListedLink | None:
        """Return the link as people see it, None where there is none."""
        link = self.good_link
        if link is None or link.url is None or link.until is None:
            return None
        name, department, seal_name = self.doctor.name, self.doctor.department, self.doctor.seal.seal_name
        return ListedLink(name, department, self.kind, link.url, link.until, seal_name, link.by_sms)

    @property
    def last_call(self) -> AutoSignCall | None:
        """The newest call for a link of this kind."""
        return self.calls[-1] if self.calls else None

    @property
    def good_link(self) -> AutoSignCall | None:
        """The newest link that can still be opened."""
        good = [call for call in self.calls if call.is_good(self.now)]
        return good[-1] if good else None

    @property
    def has_sms(self) -> bool:
        """Whether an SMS may have been sent: one without a verdict counts for ever, one with a link as long as the link."""
        return any(
            call.by_sms and (call.verdict in {None, "unknown"} or call.is_good(self.now))
            for call in self.calls
        )

    @property
    def gets_sms(self) -> bool:
        """Whether an SMS is sent now: only the call for a link to open can send one."""
        may = self.kind == "enable_link" and bool(self.doctor.signer.mobile) and not self.has_sms
        return self.wants_sms and may and (self.renew or not self.is_spent)

    @property
    def is_spent(self) -> bool:
        """Whether the link that was made is expired or used: another one is made on request only."""
        was_made = any(call.verdict == "done" for call in self.calls)
        return was_made and self.good_link is None

    @property
    def is_due(self) -> bool:
        """Whether a link is made now."""
        if self.gets_sms:
            return True
        return self.good_link is None and (self.renew or not self.is_spent)


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """Which doctors need a link, and how many of the others are in which state."""

    needs: tuple[LinkNeed, ...]
    others: Mapping[AutoSignState | None, int]  # None: the service was never asked

    @property
    def due(self) -> list[LinkNeed]:
        """Those for whom a link is made now."""
        return [need for need in self.needs if need.is_due]

    def count_sms(self) -> int:
        """Return how many get an SMS."""
        return sum(need.gets_sms for need in self.needs)


def plan_links(
    doctors: Sequence[SealedDoctor],
    records: Mapping[str, AutoSignRecord],
    calls: Sequence[AutoSignCall],
    *,
    now: float,
    renew: bool = False,
    wants_sms: bool = False,
) -> LinkPlan:
    """Decide by the newest state who needs which link."""
    calls_of: dict[tuple[str, str], list[AutoSignCall]] = {}
    for call in calls:
        calls_of.setdefault((call.key, call.kind), []).append(call)
    needs: list[LinkNeed] = []
    others: Counter[AutoSignState | None] = Counter()
    for doctor in doctors:
        record = records.get(doctor.key)
        state = record.get_state(now) if record else None
        kind = NEEDED_KINDS.get(state) if state else None
        if kind is None:
            others[state] += 1
            continue
        needs.append(LinkNeed(doctor, kind, calls_of.get((doctor.key, kind), ()), now, renew, wants_sms))
    return LinkPlan(tuple(needs), others)


@dataclass(frozen=True, slots=True)
class LinksReport:
    """The links that there are after the calls, and who needs one and has none."""

    plan: LinkPlan  # of after the calls
    calls: CallsReport

    @property
    def links(self) -> list[ListedLink]:
        """The links that can be opened."""
        return [link for need in self.plan.needs if (link := need.list_link()) is not None]

    @property
    def made(self) -> int:
        """How many of the links were made now."""
        done = {key for key, end in self.calls.ends.items() if end.verdict == "done"}
        return sum(need.good_link is not None and need.doctor.key in done for need in self.plan.needs)

    @property
    def missing(self) -> list[LinkNeed]:
        """The doctors without a link."""
        return [need for need in self.plan.needs if need.good_link is None]
