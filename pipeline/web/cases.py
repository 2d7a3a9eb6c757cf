"""Waiting decisions: the cases that `resolve` lists, each with what is known of it and what to look for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from aiohttp import web

from pipeline.clock import shown
from pipeline.domain.run import Status
from pipeline.messages.problems import render_problem
from pipeline.reports.next_steps import CommandLine
from pipeline.reports.presenter import Presenter
from pipeline.resolution.cases import Case, WaitingCase, describe_case
from pipeline.resolution.ledger_status import describe_command_line
from pipeline.resolution.open_cases import open_cases
from pipeline.web.access import Role
from pipeline.web.security import Route
from pipeline.web.site import Site
from pipeline.web.view import PageView, choose_language, is_fragment

MAX_CASES = 200


class CasePages:
    """The list of cases. It reads the rosters, so it comes after the page, and is made for one request at a time."""

    def __init__(self, site: Site, view: PageView) -> None:
        self._site = site
        self._view = view
        self._turn = asyncio.Lock()

    def list_routes(self) -> Iterator[Route]:
        """Yield the routes."""
        yield Route("GET", "/cases", Role.LOOK, self._show)
        yield Route("GET", "/cases/list", Role.LOOK, self._show_list)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        title = Presenter(choose_language(request)).render("web.nav.cases")
        return self._view.render(request, "cases.html", title=title, listed=None)

    async def _show_list(self, request: web.Request) -> web.StreamResponse:
        presenter = Presenter(choose_language(request))
        async with self._turn:
            listed = await self._site.read(self._read_cases, presenter)
        if is_fragment(request):
            return self._view.render(request, "cases_list.html", listed=listed)
        title = presenter.render("web.nav.cases")
        return self._view.render(request, "cases.html", title=title, listed=listed)

    def _read_cases(self, presenter: Presenter) -> dict[str, object]:
        """Return the cases as the template shows them; it reads rosters and ledger, and takes no lock."""
        site = self._site
        command_line = describe_command_line(site.config, site.invocation)
        with open_cases(site.config, site.clock, changes=False, invocation=site.invocation) as opened:
            shown_cases = [
                _describe(case, describe_case(opened.ledger, case), command_line, presenter)
                for case in opened.cases[:MAX_CASES]
            ]
            return {
                "cases": shown_cases,
                "more": max(0, len(opened.cases) - MAX_CASES),
                "hints": _list_hints(opened.cases, presenter),
            }


def _list_hints(cases: Sequence[Case], presenter: Presenter) -> list[str]:
    """Return where seals are looked for, and what not finding one proves, where that concerns a case."""
    hints = []
    if any(case.attempt is not None for case in cases):
        hints.append(presenter.render("resolve_where"))
    if any(case.status is Status.UNKNOWN for case in cases):
        hints.append(presenter.render("resolve_where_not_found"))
    return hints


def _describe(
    case: Case, waiting: WaitingCase, command_line: CommandLine, presenter: Presenter
) -> dict[str, object]:
    step = case.choose_step(command_line)
    return {
        "name": case.name or presenter.render("who.nameless"),
        "status": case.status.value,
        "word": presenter.render(_name_kind(case)),
        "who": waiting.describe_location(presenter.language),
        "reason": _describe_reason(case, presenter),
        "facts": list(_list_facts(waiting, presenter)),
        "task": step.render(presenter.language),
        "commands": step.render_commands(presenter.language),
        "key": case.key,
    }


def _name_kind(case: Case) -> str:
    """Return the key of the name of a case's kind."""
    if case.attempt is None and case.possibly_same is not None:
        return "web.case.possibly_same"
    if case.attempt is None and case.held_image is not None:
        return "web.case.held"
    return f"status.{case.status.value}"


def _describe_reason(case: Case, presenter: Presenter) -> str:
    """Return why a case waits, where its facts do not show it."""
    if case.attempt is not None or case.row_plan is None:
        return ""
    if case.held_image is not None:
        held = next(problem for problem in case.row_plan.problems if problem.severity == "error")
        return presenter.mask_text(render_problem(held, presenter.language))
    return presenter.render("web.case.another") if case.may_be_another_person else ""


def _list_facts(waiting: WaitingCase, presenter: Presenter) -> Iterator[tuple[str, str]]:
    """Yield what is known of a case: the name of each value, and the value."""

    def name_fields(fields: Sequence[str]) -> str:
        return presenter.join("comma", *map(presenter.name_field, fields))

    same = waiting.possibly_same
    values = (
        ("head.seal_name", waiting.seal_name),
        ("web.case.seal_id", waiting.seal_id),
        ("web.case.sent", shown(waiting.sent) if waiting.sent else None),
        ("web.case.host", waiting.host),
        ("web.case.trace", waiting.trace_id),
        ("web.case.evidence", waiting.seal_id_in_answer),
        ("web.case.differs", name_fields(waiting.differs)),
        ("web.case.agrees", name_fields(same.agrees) if same else None),
        ("web.case.other_seal", same.seal_name if same else None),
        ("web.case.other_id", (same.seal_id or same.trace_id) if same else None),
    )
    for key, value in values:
        if value:
            yield presenter.render(key), presenter.mask_text(value)
