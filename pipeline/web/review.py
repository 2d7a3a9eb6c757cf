"""Review: the pairings of the newest check as cards; a judgement is in the ledger at once, with who and when.

A run reads it there: a judgement belongs to person, name and picture together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast, get_args

from aiohttp import web

from pipeline.domain.run import REVIEW_REASON
from pipeline.domain.seals import Judged
from pipeline.domain.site_key import SiteKey
from pipeline.errors import DiskTrouble, EsignImportError, UsageError
from pipeline.intake.images.image_files import PREVIEWS
from pipeline.intake.images.prepare import read_preview
from pipeline.ledger.ledger import Ledger
from pipeline.reports.presenter import Presenter
from pipeline.resolution.decide import DecisionMaker
from pipeline.web.access import Role
from pipeline.web.check_child import DelayedCheck
from pipeline.web.review_cards import ALL, FILTERS, UNJUDGED, CheckedPairing, CheckedPairings
from pipeline.web.rows.checked_rows import NewestRows
from pipeline.web.security import SESSION, RequestRefused, Route, is_fragment
from pipeline.web.shown import ShownChanged
from pipeline.web.site import Site
from pipeline.web.view import PageView, choose_language, parse_place
from pipeline.workflow.stage_settings import build_agent
from pipeline.workflow.tenant_ledger import lock_ledger, open_configured_ledger, require_ledger

CARDS = 24  # in one part of the page
MAX_QUERY = 100  # characters
SCRIPT = "review.js"


@dataclass(eq=False, slots=True)
class WantedJudgement:
    """A judgement of a user that waits for the ledger; ``shown`` is what was judged before, as the card shows it."""

    identity: str
    shown: str
    judged: Judged
    user: str
    is_entered: bool = False
    fault: EsignImportError | None = None  # why it could not be entered


class ReviewPages:
    """The cards, their pictures, and the judgements."""

    def __init__(self, site: Site, view: PageView, newest: NewestRows, delayed: DelayedCheck) -> None:
        self._site = site
        self._view = view
        self._newest = newest
        self._delayed = delayed
        self._kept: CheckedPairings | None = None
        self._judgements: tuple[int, Mapping[str, Judged]] = (-1, {})  # with the ledger's state
        self._previews = site.config.work_folder / PREVIEWS
        self._turn = asyncio.Lock()  # for the ledger's lock
        self._waiting: list[WantedJudgement] = []

    def list_routes(self) -> Iterator[Route]:
        yield Route("GET", "/review", Role.LOOK, self._show)
        yield Route("POST", "/review/cards", Role.LOOK, self._show_cards)
        yield Route("GET", "/review/picture/{sha256}", Role.LOOK, self._send_picture)
        yield Route("POST", "/review/judge", Role.CLERK, self._judge)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        checked, judgements = await self._site.read(self._read)
        counts = checked.count(judgements) if checked else {}
        return self._render(request, checked, judgements, UNJUDGED if counts.get(UNJUDGED) else ALL)

    async def _show_cards(self, request: web.Request) -> web.StreamResponse:
        """Show the cards of a filter or a search, or those that follow; a search may be a number: it stands in no address."""
        form = await request.post()
        chosen, first = str(form.get("chosen", "")), str(form.get("first", ""))
        checked, judgements = await self._site.read(self._read)
        return self._render(
            request,
            checked,
            judgements,
            chosen if chosen in FILTERS else ALL,
            query=str(form.get("query", ""))[:MAX_QUERY],
            first=parse_place(first),
        )

    def _render(
        self,
        request: web.Request,
        checked: CheckedPairings | None,
        judgements: Mapping[str, Judged],
        chosen: str,
        *,
        query: str = "",
        first: int = 0,
    ) -> web.Response:
        """Return the page; for htmx the cards from a place on alone."""
        presenter = Presenter(choose_language(request))
        chosen_pairings: Sequence[CheckedPairing] = ()
        if checked is not None:
            chosen_pairings = checked.select(judgements, chosen=chosen, query=query, first=first, most=CARDS)
        return self._view.render(
            request,
            "review.html",
            fragment="review_cards.html",
            scripts=(SCRIPT,),
            title=presenter.render("web.nav.review"),
            say=presenter.render_review,
            has_check=checked is not None,
            is_for_looking=checked is not None and checked.is_for_looking,
            counts=checked.count(judgements) if checked else dict.fromkeys(FILTERS, 0),
            filters=FILTERS,
            chosen=chosen,
            query=presenter.mask_text(query),
            cards=[checked.describe(one, judgements, presenter) for one in chosen_pairings[:CARDS]]
            if checked
            else [],
            more=chosen_pairings[CARDS].index if len(chosen_pairings) > CARDS else None,
            may_judge=request[SESSION].role >= Role.CLERK,
            is_part=False,
        )

    async def _send_picture(self, request: web.Request) -> web.StreamResponse:
        """Send the small copy of what is sent of a picture of the newest check: found by its digest, never by a path."""
        data = await self._site.read(self._read_picture, request.match_info["sha256"])
        if data is None:
            raise RequestRefused(404, "web.no_file")
        return web.Response(body=data, content_type="image/jpeg")

    def _read_picture(self, sha256: str) -> bytes | None:
        checked = self._read_checked()
        if checked is None or sha256 not in checked.sent_by_picture:
            return None
        kept, sent = read_preview(sha256, self._previews), checked.sent_by_picture[sha256]
        return kept[1].data if kept is not None and sent in {None, kept[0]} else None

    async def _judge(self, request: web.Request) -> web.StreamResponse:
        """Enter a judgement, and show its card as it is now; what was refused is explained on the card."""
        presenter, user, form = (
            Presenter(choose_language(request)),
            request[SESSION].user,
            await request.post(),
        )
        identity, judged = str(form.get("id", "")), str(form.get("judged", ""))
        if judged not in get_args(Judged):
            raise RequestRefused(400, "web.review.no_word")
        wanted = WantedJudgement(identity, str(form.get("shown", "")), cast("Judged", judged), user)
        await self._enter_in_turn(wanted)
        fault, status = "", 200
        if wanted.is_entered:
            self._delayed.start_soon()
        if wanted.fault is not None:
            fault, status = presenter.mask_text(wanted.fault.render(presenter.language)), 409
        elif not wanted.is_entered:
            raise RequestRefused(503, "web.review.unsent")
        checked, judgements = await self._site.read(self._read)
        pairing = checked.by_id.get(identity) if checked else None
        if checked is None or pairing is None:
            raise RequestRefused(409, "web.review.gone")
        return self._view.render(
            request,
            "review_judged_page.html",
            fragment="review_judged.html",
            status=status,
            title=presenter.render("web.nav.review"),
            say=presenter.render_review,
            card=checked.describe(pairing, judgements, presenter),
            counts=checked.count(judgements),
            fault=fault,
            is_part=is_fragment(request),
            may_judge=True,
        )

    async def _enter_in_turn(self, wanted: WantedJudgement) -> None:
        """Enter a judgement with all that came while the ledger was opened for those before: that takes longer than a look."""
        self._waiting.append(wanted)
        async with self._turn:
            if wanted not in self._waiting:
                return  # entered with another one
            batch, self._waiting = self._waiting, []
            await self._site.read(self._enter, batch)

    def _enter(self, batch: Sequence[WantedJudgement]) -> None:
        """Enter judgements under the ledger's lock, each for itself; one that cannot be entered has its fault."""
        site, run = self._site, self._kept.run if self._kept else ""
        config, clock = site.config, site.clock
        try:
            require_ledger(config)
            with lock_ledger(config, "review", clock) as (ledger, site_key):
                for wanted in batch:
                    maker = DecisionMaker.of_user(
                        wanted.user, ledger, clock, f"{REVIEW_REASON}{run}", build_agent(config)
                    )
                    try:
                        pairing = self._require_pairing(wanted, site_key, ledger)
                        site.record_change(
                            wanted.user, "judge", judgement=wanted.identity, judged=wanted.judged
                        )
                        maker.enter_judgement(pairing.judge(wanted.judged))
                        wanted.is_entered = True
                    except UsageError as error:
                        wanted.fault = error
                    except OSError as error:
                        wanted.fault = DiskTrouble.of(error)
        except EsignImportError as error:
            for wanted in batch:
                wanted.fault = wanted.fault or error

    def _require_pairing(self, wanted: WantedJudgement, site_key: SiteKey, ledger: Ledger) -> CheckedPairing:
        """Return the pairing of a card.

        UsageError for a card that the newest check does not have, or not as it was shown, or whose check had another ledger.
        """
        checked = self._read_checked()
        pairing = checked.by_id.get(wanted.identity) if checked else None
        if pairing is None or pairing.review.site != site_key.check():
            raise UsageError("web.review.gone")
        if (pairing.get_judged(_list_judgements(ledger)) or "") not in {wanted.shown, wanted.judged}:
            raise ShownChanged
        return pairing

    def _read(self) -> tuple[CheckedPairings | None, Mapping[str, Judged]]:
        """Return the rows of the newest check, and the judgements as the ledger has them now."""
        checked = self._read_checked()
        return checked, self._read_judgements() if checked and checked.pairings else {}

    def _read_checked(self) -> CheckedPairings | None:
        checked = self._newest.get()
        if checked is None:
            return None
        if self._kept is None or self._kept.run != checked.run:
            self._kept = CheckedPairings.of(checked, self._previews)
        return self._kept

    def _read_judgements(self) -> Mapping[str, Judged]:
        """Return the last judgement on each content; read again only where the ledger got further."""
        with open_configured_ledger(self._site.config, self._site.clock) as (ledger, _):
            state = ledger.count_events()
            if self._judgements[0] != state:
                self._judgements = (state, _list_judgements(ledger))
            return self._judgements[1]


def _list_judgements(ledger: Ledger) -> Mapping[str, Judged]:
    decisions = ledger.list_picture_decisions()
    return {one.id: one.decided for one in decisions if one.decided != "given"}
