"""Reads the organisation's list of seals whole, and judges what it shows of a create without a verdict.

The list counts only where it is whole: every page came, none changed while it was read, and there are as many lines as the
service counts. A list that lacks a seal which this program made is not for imported seals, or not whole.

A line confirms a create where everything agrees: its name is the one that was sent, and no other line has it; it was made in the
minutes in which the create could be carried out; it is enabled; it is of the kind of our other seals in the list; no person of
the ledger has its SealId. The name alone is not enough: the hospital may have made a seal of the same name, before or since.

The create is absent where no line has its name and every line since the create is known: a seal may have been renamed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.clock import shown, stamp
from pipeline.domain.message import Message
from pipeline.domain.run import Status
from pipeline.domain.seals import fold_seal_id
from pipeline.esign.organization_seals import (
    ENABLED,
    ListedSeal,
    SealPage,
    build_seal_page_query,
    build_seal_query,
    read_seal_page,
)
from pipeline.messages.catalogue import make_message
from pipeline.resolution.evidence import (
    CLOCK_TOLERANCE,
    Asking,
    Evidence,
    LedgerKnowledge,
    Outcome,
    SoughtCreate,
    fold_seal_name,
)
from pipeline.resolution.repeated_calls import RepeatedCalls
from pipeline.resolution.service_calls import ServiceAccess

LIST = "list"  # the name of the place
MAX_PAGES = 201  # Offset ends at 20,000, a page has 100 seals


@dataclass(frozen=True, slots=True)
class SealListing:
    """The lines of the list; ``fault`` is why it is not whole."""

    seals: Sequence[ListedSeal]
    asking: Asking
    fault: str | None = None


async def query_listed_seal(service: ServiceAccess, seal_id: str) -> tuple[bool | None, Asking, str]:
    """Ask for one seal; return whether the list shows it, None and the reason where no answer came."""
    async with service.open_client() as client:
        calls = RepeatedCalls(service, client, service.product.organization_seals)
        page = await _ask_page(calls, build_seal_query(service.agent, seal_id))
    if isinstance(page, str):
        return None, calls.asking, page
    is_shown = any(fold_seal_id(seal.seal_id) == fold_seal_id(seal_id) for seal in page.seals)
    return is_shown, calls.asking, ""


async def read_listing(service: ServiceAccess) -> SealListing:
    """Ask for every page, one behind the other at the pace of the quota."""
    seals: dict[str, ListedSeal] = {}
    async with service.open_client() as client:
        calls = RepeatedCalls(service, client, service.product.organization_seals)
        fault = await _read_pages(calls, seals)
    return SealListing([*seals.values()], calls.asking, fault)


async def _read_pages(calls: RepeatedCalls, seals: dict[str, ListedSeal]) -> str | None:
    """Add the lines of every page; return why the list is not whole, None where it is."""
    total: int | None = None
    for _ in range(MAX_PAGES):
        service = calls.service
        counts_pages = service.product.counts_pages
        query = build_seal_page_query(service.agent, len(seals), counts_pages=counts_pages)
        page = await _ask_page(calls, query)
        if isinstance(page, str):
            return page
        new = {fold_seal_id(seal.seal_id): seal for seal in page.seals}
        if total not in {None, page.total} or len(new) < len(page.seals) or not seals.keys().isdisjoint(new):
            return make_message("list.changed")
        total = page.total
        seals |= new
        if len(seals) == total:
            return None
        if not new or len(seals) > total:
            return make_message("list.cut_short", n=len(seals), total=total)
    return make_message("list.too_long", n=len(seals), total=total or 0)


async def _ask_page(calls: RepeatedCalls, body: bytes) -> SealPage | str:
    answer = await calls.send(body)
    if isinstance(answer, str):
        return answer
    return read_seal_page(answer) or calls.refuse_answer()


# -- what it proves


def judge_listing(listing: SealListing, sought: SoughtCreate, known: LedgerKnowledge) -> Evidence:
    """Return what the list shows of a create."""
    if listing.fault is not None:
        words = make_message("list.in_part", why=listing.fault, n=len(listing.seals))
        return Evidence(LIST, "nothing", words, listing.asking)
    judged = _JudgedListing(listing.seals, sought, known)
    outcome, words, seal_id = judged.judge()
    others = {fold_seal_id(seal.seal_id) for seal in listing.seals} - {fold_seal_id(seal_id or "")}
    return Evidence(
        LIST,
        outcome,
        words,
        listing.asking,
        seal_id,
        shows_newer=judged.shows_newer(),
        other_seals=frozenset(others),
    )


@dataclass(frozen=True, slots=True)
class _JudgedListing:
    """A whole list, compared with what the ledger knows."""

    seals: Sequence[ListedSeal]
    sought: SoughtCreate
    known: LedgerKnowledge

    def judge(self) -> tuple[Outcome, Message, str | None]:
        """Return the outcome, why, and the SealId of a confirmed create."""
        wanted = fold_seal_name(self.sought.seal_name)
        named = [seal for seal in self.seals if fold_seal_name(seal.name) == wanted]
        if len(named) > 1:
            ids = ", ".join(seal.seal_id for seal in named)
            return "nothing", make_message("list.several", n=len(named), ids=ids), None
        if named:
            (seal,) = named
            reason = self._explain_misfit(seal)
            if reason is not None:
                return "nothing", reason, None
            words = make_message("list.confirms", seal_id=seal.seal_id, moment=_show(seal.created_at))
            return "confirms", words, seal.seal_id
        reason = self._explain_doubt()
        if reason is not None:
            return "nothing", reason, None
        return "absent", make_message("list.absent", n=len(self.seals), own=len(self._list_own())), None

    def _explain_misfit(self, seal: ListedSeal) -> Message | None:  # noqa: PLR0911 - one for each reason
        """Return why the only line of the name is not surely this create's seal."""
        detail = {"seal_id": seal.seal_id, "moment": _show(seal.created_at)}
        kinds = {own.kind for own in self._list_own()}
        if seal.name != self.sought.seal_name:
            return make_message("list.other_spelling", name=seal.name, **detail)
        if self.known.knows(seal.seal_id):
            return make_message("list.known_seal", **detail)
        if fold_seal_name(seal.name) in self.known.other_open_names:
            return make_message("list.shared_name", **detail)
        if seal.created_at is None or not self.sought.is_made_by(seal.created_at):
            return make_message("list.other_time", **detail)
        if seal.status != ENABLED:
            return make_message("list.not_enabled", status=seal.status or "—", **detail)
        if kinds and seal.kind not in kinds:
            return make_message("list.other_kind", kind=seal.kind or "—", **detail)
        stated = self.sought.stated_seal_id
        if stated and fold_seal_id(stated) != fold_seal_id(seal.seal_id):
            return make_message("list.other_id", stated=stated, **detail)
        return None

    def _explain_doubt(self) -> Message | None:
        """Return why the create may have made a seal although no line has its name."""
        if self.sought.status is not Status.UNKNOWN:
            return make_message("list.name_exists")
        own = self._list_own()
        if not own:
            return make_message("list.no_own_seal", n=len(self.seals))
        listed = {fold_seal_id(seal.seal_id) for seal in own}
        missing = [seal for seal in self.known.made_here if fold_seal_id(seal.seal_id) not in listed]
        if missing:
            return make_message("list.own_missing", n=len(missing), seal_id=missing[0].seal_id)
        kinds = {seal.kind for seal in own}
        strange = [seal for seal in self.seals if seal.kind in kinds and self._is_strange(seal)]
        if strange:
            return make_message(
                "list.strange", n=len(strange), name=strange[0].name, seal_id=strange[0].seal_id
            )
        return None

    def _list_own(self) -> list[ListedSeal]:
        """Return the lines of live seals that this program made."""
        made_here = {fold_seal_id(seal.seal_id) for seal in self.known.made_here}
        return [seal for seal in self.seals if fold_seal_id(seal.seal_id) in made_here]

    def _is_strange(self, seal: ListedSeal) -> bool:
        """Return whether a line since the create is neither a seal of the ledger nor that of another open create."""
        if seal.created_at is not None and seal.created_at < self.sought.begins_at:
            return False
        is_of_open_create = fold_seal_name(seal.name) in self.known.other_open_names
        return not is_of_open_create and not self.known.knows(seal.seal_id)

    def shows_newer(self) -> bool:
        """Return whether the list shows a seal of ours that was surely made after the create."""
        newer_than = self.sought.signed_at + CLOCK_TOLERANCE
        return any(seal.created_at is not None and seal.created_at > newer_than for seal in self._list_own())


def _show(moment: float | None) -> str:
    return shown(stamp(moment)) if moment is not None else "—"
