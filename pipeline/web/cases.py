"""Waiting decisions: the cases that `resolve` lists, what to look for, and a form for each outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from aiohttp import web

from pipeline.clock import shown
from pipeline.domain.roster import Field
from pipeline.domain.run import Status
from pipeline.domain.seals import Person
from pipeline.errors import EsignImportError
from pipeline.esign.products import ESS
from pipeline.ledger.ledger import Ledger
from pipeline.messages.problems import render_problem
from pipeline.reports.next_steps import CommandLine
from pipeline.reports.presenter import Presenter
from pipeline.resolution.case_reader import CaseReader
from pipeline.resolution.cases import (
    Case,
    WaitingCase,
    describe_case,
    describe_person,
    list_cases,
    was_judged_not_created,
)
from pipeline.resolution.decide import NotSure, SealOfAnother
from pipeline.resolution.explanation import describe_last_decision
from pipeline.resolution.ledger_status import describe_command_line
from pipeline.resolution.open_cases import open_cases
from pipeline.web.access import Role
from pipeline.web.check_child import DelayedCheck
from pipeline.web.decisions import CaseChanged, WantedDecision, enter_decision
from pipeline.web.rows.checked_rows import NewestRows
from pipeline.web.security import SESSION, Route
from pipeline.web.site import Site
from pipeline.web.view import PageView, choose_language
from pipeline.web.words import end_sentence, name_controls
from pipeline.workflow.tenant_ledger import open_configured_ledger

MAX_CASES = 200
MAX_WITHDRAWABLE = 20  # decisions that are listed as those that can be withdrawn


class CasePages:
    """The list of cases, and the forms for decisions. One request at a time reads rosters or enters something."""

    def __init__(self, site: Site, view: PageView, newest: NewestRows, delayed: DelayedCheck) -> None:
        self._site = site
        self._view = view
        self._newest = newest
        self._delayed = delayed
        self._reader = CaseReader()
        self._turn = asyncio.Lock()

    def list_routes(self) -> Iterator[Route]:
        yield Route("GET", "/cases", Role.LOOK, self._show)
        yield Route("GET", "/cases/list", Role.LOOK, self._show_list)
        yield Route("POST", "/cases/decide", Role.CLERK, self._decide)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        """Show the creates without a verdict at once; what follows from the rosters comes after the page."""
        presenter, site = Presenter(choose_language(request)), self._site
        early = await site.read(self._read_open_creates, presenter)
        return self._render(request, presenter, early=early)

    async def _show_list(self, request: web.Request) -> web.StreamResponse:
        presenter = Presenter(choose_language(request))
        async with self._turn:
            listed = await self._site.read(self._read_cases, presenter)
        return self._render(request, presenter, listed=listed)

    def _render(
        self,
        request: web.Request,
        presenter: Presenter,
        *,
        listed: Mapping[str, object] | None = None,
        early: Mapping[str, object] | None = None,
    ) -> web.Response:
        return self._view.render(
            request,
            "cases.html",
            fragment="cases_list.html" if listed else "",
            title=presenter.render("web.nav.cases"),
            listed=listed,
            early=early,
            may_decide=request[SESSION].role >= Role.CLERK,
        )

    async def _decide(self, request: web.Request) -> web.StreamResponse:
        """Enter a decision, or ask for it once more; what was refused is explained next to the form."""
        presenter, user = Presenter(choose_language(request)), request[SESSION].user
        form = await request.post()
        try:
            wanted = WantedDecision.from_form(form)
            questions = wanted.list_questions(presenter)
            if questions:
                return self._answer(request, presenter, questions, fields=wanted.to_fields())
            async with self._turn:
                recorded = await self._site.read(enter_decision, self._site, self._reader, wanted, user)
        except NotSure as error:
            question = presenter.mask_text(error.question.render(presenter.language))
            fields = WantedDecision.from_form(form).to_fields()
            return self._answer(request, presenter, [question], fields=fields)
        except CaseChanged as error:
            sentences = [error.render(presenter.language)]
            response = self._answer(request, presenter, sentences, status=409, doctor=error.doctor)
            return _renew_list(response)
        except EsignImportError as error:
            sentences = [presenter.mask_text(error.render(presenter.language))]
            owner = error.owner if isinstance(error, SealOfAnother) else None
            return self._answer(request, presenter, sentences, status=409, doctor=owner)
        self._delayed.start_soon()
        sentences = recorded.describe(presenter)
        return _renew_list(
            self._answer(request, presenter, sentences, colour="sealed", doctor=recorded.doctor)
        )

    def _answer(
        self,
        request: web.Request,
        presenter: Presenter,
        sentences: Sequence[str],
        *,
        status: int = 200,
        colour: str = "failed",
        fields: Mapping[str, str] | None = None,
        doctor: Person | None = None,
    ) -> web.Response:
        """Return what became of a form; with ``fields`` the question that is answered before anything is entered.

        ``doctor`` is the person whose history is linked.
        """
        return self._view.render(
            request,
            "decided.html",
            fragment="decided_part.html",
            status=status,
            title=presenter.render("web.decide.title"),
            sentences=[name_controls(sentence, presenter) for sentence in sentences],
            colour="rejected" if fields else colour,
            fields=fields,
            doctor=doctor,
        )

    def _read_open_creates(self, presenter: Presenter) -> dict[str, object] | None:
        """Return the cases that the ledger alone shows, without forms; None where there is no ledger."""
        site = self._site
        try:
            with open_configured_ledger(site.config, site.clock) as (ledger, _):
                cases = list_cases((), ledger.snapshot())
                return self._describe_cases(cases, ledger, lambda _: (), presenter)
        except EsignImportError:
            return None  # the list names the fault

    def _read_cases(self, presenter: Presenter) -> dict[str, object]:
        """Return the cases as the template shows them; it reads rosters and ledger, and takes no lock."""
        site = self._site
        with open_cases(
            site.config, site.clock, changes=False, invocation=site.invocation, reader=self._reader
        ) as opened:
            listed = self._describe_cases(opened.cases, opened.ledger, Case.list_kinds, presenter)
            return {
                **listed,
                "hints": _list_hints(opened.cases, presenter, product=opened.config.api.product),
                "withdrawable": [
                    {"key": last.decision.key, **describe_last_decision(last, presenter.language)}
                    for last in opened.ledger.list_withdrawable(MAX_WITHDRAWABLE)
                ],
            }

    def _describe_cases(
        self,
        cases: Sequence[Case],
        ledger: Ledger,
        list_kinds: Callable[[Case], Sequence[str]],
        presenter: Presenter,
    ) -> dict[str, object]:
        site = self._site
        command_line, now = describe_command_line(site.config, site.invocation), site.clock.now()
        checked = self._newest.get()
        shown_images = checked.picture_sizes if checked else ()
        shown_cases = [
            _describe(case, describe_case(ledger, case), command_line, presenter)
            | _describe_picture(case, shown_images, presenter)
            | {
                "shown_at": str(now),
                "ways": _list_ways(case, list_kinds(case)),
                "may_be_own": was_judged_not_created(ledger, case),
            }
            for case in cases[:MAX_CASES]
        ]
        return {"cases": shown_cases, "more": max(0, len(cases) - MAX_CASES)}


def _renew_list(response: web.Response) -> web.Response:
    """Let htmx put an answer above the list, and ask for the list again."""
    response.headers["HX-Retarget"] = "#said"
    response.headers["HX-Reswap"] = "innerHTML show:window:top"
    response.headers["HX-Trigger"] = "cases-changed"
    return response


def _list_ways(case: Case, kinds: Sequence[str]) -> list[dict[str, object]]:
    """Return the forms of a case: the decision, its label, and what it asks for."""
    ways = []
    for kind in kinds:
        text = "keep_picture" if kind == "keep" and case.held_image is not None else kind
        if case.must_choose_seal:
            text = "choose_seal"
        ways.append(
            {
                "kind": kind,
                "text": text,
                "choices": case.history.contradicting_seal_ids if case.must_choose_seal else (),
                "needs_name": kind == "replace" and Field.SEAL_NAME not in case.differing_fields,
                "one_person": case.may_be_another_person and kind in {"keep", "replace"},
            }
        )
    return ways


def _list_hints(cases: Sequence[Case], presenter: Presenter, *, product: str) -> list[str]:
    """Return where seals are looked for, and what not finding one proves, where that concerns a case."""
    hints = []
    if any(case.attempt is not None for case in cases):
        hints.append(presenter.render("resolve_where.ess" if product == ESS.name else "resolve_where"))
    if any(case.status is Status.UNKNOWN and not case.history.is_contested for case in cases):
        hints.append(name_controls(presenter.render("resolve_where_not_found"), presenter))
    return hints


def _describe(
    case: Case, waiting: WaitingCase, command_line: CommandLine, presenter: Presenter
) -> dict[str, object]:
    step = case.choose_step(command_line)
    return {
        "name": case.name or presenter.render("who.nameless"),
        "status": case.status.value,
        "word": presenter.render(_name_kind(case)),
        "person": describe_person(case.name, waiting.staff_no, waiting.last_four, presenter.language),
        "who": waiting.describe_location(presenter.language),
        "reason": _describe_reason(case, presenter),
        "facts": list(_list_facts(waiting, presenter)),
        "task": name_controls(
            end_sentence(step.render(presenter.language), presenter), presenter, command_line.invocation
        ),
        "is_decision": step.is_decision,
        "key": case.key,
        "seen": case.compute_digest(),
    }


def _describe_picture(case: Case, shown_images: Collection[str], presenter: Presenter) -> dict[str, object]:
    """Return the picture that is decided about, where the newest check keeps it."""
    image = case.shown_image
    if image is None or image.sha256 not in shown_images:
        return {"picture": None}
    return {"picture": image.sha256, "picture_name": presenter.mask_text(image.name)}


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
        ("web.case.contradicting", presenter.join("comma", *waiting.contradicting)),
        ("web.case.differs", name_fields(waiting.differs)),
        ("web.case.agrees", name_fields(same.agrees) if same else None),
        ("web.case.other_seal", same.seal_name if same else None),
        ("web.case.other_id", (same.seal_id or same.trace_id) if same else None),
    )
    for key, value in values:
        if value:
            yield presenter.render(key), presenter.mask_text(value)
