"""Where seals are shown: a clerk looks for a seal that exists and records what the place shows, as `certify` does."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from pipeline.domain.masking import mask_text
from pipeline.errors import EsignImportError, UsageError
from pipeline.reports.presenter import Presenter
from pipeline.resolution.certify_places import certify_asked_place
from pipeline.resolution.decide import (
    ASKED_PLACES,
    SEARCHABLE_PLACES,
    DecisionMaker,
    enter_place,
    get_certificate,
)
from pipeline.resolution.sealed_row import open_sealed_row
from pipeline.web.access import Role
from pipeline.web.security import SESSION, Route
from pipeline.web.site import Site
from pipeline.web.view import PageView, choose_language
from pipeline.web.words import name_controls
from pipeline.workflow.stage_settings import build_agent
from pipeline.workflow.tenant_ledger import open_configured_ledger

MAX_QUERY, MAX_WHY = 100, 300  # characters
ANSWERS = {"shown": True, "not_shown": False}
PLACES = (*SEARCHABLE_PLACES, *ASKED_PLACES)


class CertifyPage:
    """The question, what an answer means, and what is recorded now.

    The second identical create of `certify` is not here: it may make a second seal, and is a run of its own with its record.
    """

    def __init__(self, site: Site, view: PageView) -> None:
        self._site = site
        self._view = view

    def list_routes(self) -> Iterator[Route]:
        """Yield the routes."""
        yield Route("GET", "/certify", Role.CLERK, self._show)
        yield Route("POST", "/certify", Role.CLERK, self._record)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        return await self._render(request)

    async def _record(self, request: web.Request) -> web.StreamResponse:
        presenter, user, form = (
            Presenter(choose_language(request)),
            request[SESSION].user,
            await request.post(),
        )
        query = str(form.get("query", "")).strip()[:MAX_QUERY]
        place_name, answer = str(form.get("place", "")), str(form.get("answer", ""))
        why = mask_text(str(form.get("why", "")).strip()[:MAX_WHY]) or "certify"
        try:
            if place_name in ASKED_PLACES:
                key = await self._site.read(self._ask_service, query, place_name, user, why)
            elif not query or place_name not in SEARCHABLE_PLACES or answer not in ANSWERS:
                raise UsageError("web.certify.bad_form")
            else:
                await self._site.read(self._enter, query, place_name, ANSWERS[answer], user, why)
                key = "certified_shown" if ANSWERS[answer] else "certified_not_shown"
        except EsignImportError as error:
            text = name_controls(presenter.mask_text(error.render(presenter.language)), presenter)
            return await self._render(request, fault=text, query=presenter.mask_text(query), status=409)
        sentence = presenter.render(key, place=presenter.render(f"place.{place_name}"))
        return await self._render(request, done=name_controls(sentence, presenter))

    def _enter(self, query: str, place_name: str, is_shown: bool, user: str, why: str) -> None:
        """Record what a place shows, under the ledger's lock. Raises EsignImportError."""
        site = self._site
        with open_sealed_row(site.config, site.clock, query, invocation=site.invocation) as (
            ledger,
            row_plan,
        ):
            assert row_plan.history is not None
            site.record_change(user, "certify", key=row_plan.history.key, place=place_name, shown=is_shown)
            maker = DecisionMaker.of_user(user, ledger, site.clock, why, build_agent(site.config))
            enter_place(maker, row_plan.history, place_name, shown=is_shown)

    def _ask_service(self, query: str, place_name: str, user: str, why: str) -> str:
        """Ask the service for a seal that exists; return the key of the sentence on what was recorded. Raises EsignImportError."""
        site = self._site
        site.record_change(user, "certify", place=place_name, asked=True)
        answer = certify_asked_place(
            site.config, site.clock, place_name, query or None, user=user, why=why, invocation=site.invocation
        )
        return answer.message_key

    async def _render(
        self, request: web.Request, *, done: str = "", fault: str = "", query: str = "", status: int = 200
    ) -> web.Response:
        presenter, site = Presenter(choose_language(request)), self._site
        shown_places = [presenter.render(f"place.{name}") for name in await site.read(self._read_places)]
        return self._view.render(
            request,
            "certify.html",
            status=status,
            title=presenter.render("web.certify.title"),
            done=done,
            fault=fault,
            query=query,
            places=SEARCHABLE_PLACES,
            asked_places=ASKED_PLACES,
            answers=tuple(ANSWERS),
            certified=presenter.join("comma", *shown_places),
            command=f"{site.invocation} certify",
        )

    def _read_places(self) -> list[str]:
        """Return the places that are recorded to show seals; none where there is no ledger."""
        site = self._site
        try:
            with open_configured_ledger(site.config, site.clock) as (ledger, _):
                now = site.clock.now()
                return [name for name in PLACES if get_certificate(ledger, name, now) is not None]
        except EsignImportError:
            return []
