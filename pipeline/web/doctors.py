"""A doctor: the search, and the story that `explain` shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiohttp import web

from pipeline.reports.presenter import Presenter
from pipeline.resolution.cases import compute_decision_digest, describe_person
from pipeline.resolution.explanation import Explanation, collect_story_values, explain_people
from pipeline.resolution.timeline import PersonTimeline
from pipeline.web.access import Role
from pipeline.web.security import SESSION, RequestRefused, Route
from pipeline.web.site import Site
from pipeline.web.todo import choose_place
from pipeline.web.view import PageView, choose_language
from pipeline.web.words import name_controls

MAX_PEOPLE = 20
MAX_QUERY = 100  # characters


class DoctorPages:
    """The search by any word that `explain` takes, and one doctor by key.

    A search is sent as a form: what is typed may be a whole number, and addresses stay in the browser's history.
    """

    def __init__(self, site: Site, view: PageView) -> None:
        self._site = site
        self._view = view

    def list_routes(self) -> Iterator[Route]:
        yield Route("GET", "/doctors", Role.LOOK, self._show_search)
        yield Route("POST", "/doctors", Role.LOOK, self._search)
        yield Route("GET", "/doctors/{key}", Role.LOOK, self._show_doctor)

    async def _show_search(self, request: web.Request) -> web.StreamResponse:
        return self._render(request, Explanation(()), query="")

    async def _search(self, request: web.Request) -> web.StreamResponse:
        query = str((await request.post()).get("query", "")).strip()[:MAX_QUERY]
        explanation = await self._explain(query) if query else Explanation(())
        return self._render(request, explanation, query=query)

    async def _show_doctor(self, request: web.Request) -> web.StreamResponse:
        explanation = await self._explain(request.match_info["key"][:MAX_QUERY])
        if len(explanation.people) != 1:
            raise RequestRefused(404, "web.no_doctor")
        return self._render(request, explanation, query="")

    async def _explain(self, query: str) -> Explanation:
        site = self._site
        return await site.read(explain_people, site.config, site.clock, query.split(), site.invocation)

    def _render(self, request: web.Request, explanation: Explanation, *, query: str) -> web.StreamResponse:
        presenter = Presenter(choose_language(request))
        story: dict[str, object] | None = None
        if explanation.step is not None:
            base = self._site.config.base.absolute()
            story = collect_story_values(explanation, presenter.language, base)
        return self._view.render(
            request,
            "doctors.html",
            fragment="doctors_part.html",
            title=presenter.render("web.nav.doctors"),
            query=presenter.mask_text(query),
            story=story,
            **self._describe_step(explanation, presenter),
            withdrawal=self._make_withdrawal(request, explanation) if story else None,
            people=[_describe_person(person, presenter) for person in explanation.people[:MAX_PEOPLE]],
            more=max(0, len(explanation.people) - MAX_PEOPLE),
            similar=explanation.similar,
        )

    def _describe_step(self, explanation: Explanation, presenter: Presenter) -> dict[str, Any]:
        """Return what comes next for the single doctor in the words of the page, and the page where it is done."""
        step, invocation = explanation.step, self._site.invocation
        if step is None:
            return {}
        text = name_controls(step.text.render(presenter.language), presenter, invocation)
        return {"task": text, "place": choose_place(step, invocation, presenter)}

    def _make_withdrawal(self, request: web.Request, explanation: Explanation) -> dict[str, object] | None:
        """Return the form that withdraws the last decision on the single doctor, where that can be done."""
        doctor, language = explanation.people[0], choose_language(request)
        last = doctor.last_decision
        if last is None or not last.can_be_withdrawn or request[SESSION].role < Role.CLERK:
            return None
        return {
            "key": last.decision.key,
            "person": describe_person(
                last.person.name, doctor.staff_no, (doctor.id_masked or "")[-4:], language
            ),
            "seen": compute_decision_digest(last),
            "shown_at": str(self._site.clock.now()),
            "value": last.decision.id,
        }


def _describe_person(person: PersonTimeline, presenter: Presenter) -> dict[str, object]:
    row_id = person.newest_row.row_id if person.newest_row else None
    return {
        "key": person.key or row_id,
        "name": person.name or presenter.render("who.nameless"),
        "staff_no": person.staff_no,
        "last_four": (person.id_masked or "")[-4:],
        "status": person.status.value,
        "word": presenter.name_status(person.status),
        "seal_name": person.seal_name,
    }
