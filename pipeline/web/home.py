"""Home: what the last run did, what needs a person now; it renews itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from aiohttp import web

from pipeline.domain.run import EndedRow
from pipeline.errors import EsignImportError
from pipeline.ledger.records import RunRecord
from pipeline.reports.next_steps import NextStep
from pipeline.reports.presenter import Presenter
from pipeline.reports.totals import describe_auto_sign
from pipeline.resolution.ledger_status import (
    LastRun,
    LedgerStatus,
    describe_command_line,
    read_last_run,
    read_open_rows,
    read_status,
)
from pipeline.resolution.status_steps import list_status_steps
from pipeline.web.access import Role
from pipeline.web.rows.checked_rows import NewestRows
from pipeline.web.run_values import NOT_BEGUN, count_unread_files, describe_record
from pipeline.web.security import IS_BEHIND, Route
from pipeline.web.site import Site
from pipeline.web.todo import choose_place, list_entries
from pipeline.web.view import PageView, choose_language

SECONDS_WITH_RUN, SECONDS_WITHOUT = 2, 20  # after which the page asks again
ENDED_WELL = frozenset({0, 3, 7})  # exit codes of runs that came to their end


class HomePage:
    """The first page."""

    def __init__(self, site: Site, view: PageView, newest: NewestRows) -> None:
        self._site = site
        self._view = view
        self._newest = newest

    def list_routes(self) -> Iterator[Route]:
        yield Route("GET", "/", Role.LOOK, self._show)
        yield Route("GET", "/now", Role.LOOK, self._renew)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        presenter = Presenter(choose_language(request))
        values = await self._collect_values(request, presenter)
        title = presenter.render("web.nav.home")
        return self._view.render(request, "home.html", title=title, now=values)

    async def _renew(self, request: web.Request) -> web.StreamResponse:
        """Return the part that changes; nothing where the browser has it as it is."""
        values = await self._collect_values(request, Presenter(choose_language(request)))
        if request.query.get("seen") == values["digest"]:
            return web.Response(status=204)
        return self._view.render(request, "home_now.html", now=values)

    async def _collect_values(self, request: web.Request, presenter: Presenter) -> dict[str, object]:
        site = self._site
        status: LedgerStatus | None = None
        todo: list[dict[str, object]] = []
        fault, last_run = None, None
        try:
            status, todo = await site.read(self._read_status, presenter)
        except EsignImportError as error:
            fault = presenter.mask_text(error.render(presenter.language))
            last_run = await site.read(read_last_run, site.config, site.clock, NOT_BEGUN)
        if status is not None:
            last_run = status.last_run
        is_under_way = last_run is not None and last_run.under_way
        values: dict[str, object] = {
            "fault": fault,
            "is_under_way": is_under_way,
            "last": describe_record(last_run.record, presenter, is_under_way=is_under_way)
            if last_run
            else None,
            "auto_sign": describe_auto_sign(status.auto_sign, presenter)
            if status and status.auto_sign
            else None,
            "people": asdict(status.people) if status and status.ledger else None,
            "todo": todo,
            "is_empty": last_run is None and not fault and self._newest.get() is None,
            "seconds": SECONDS_WITH_RUN if is_under_way else SECONDS_WITHOUT,
        }
        text = json.dumps([presenter.language, request.get(IS_BEHIND), values], sort_keys=True)
        return {**values, "digest": hashlib.sha256(text.encode()).hexdigest()[:16]}

    def _read_status(self, presenter: Presenter) -> tuple[LedgerStatus, list[dict[str, object]]]:
        """Return what `status` shows, and what is to be done: about a run that stopped, then about rows.

        The rows are those of the newest check where it is newer than the last run that read rosters, else those that this
        run left open.
        """
        site = self._site
        status = read_status(site.config, site.clock, NOT_BEGUN)
        last, checked, unresolved = status.last_run, self._newest.get(), len(status.unknown)
        row_run = status.row_run
        is_checked_since = checked is not None and (row_run is None or checked.run > row_run.run)
        has_ended_well = last is None or (not last.under_way and last.exit in ENDED_WELL)
        todo: list[dict[str, object]] = []
        record: RunRecord | None = None
        rows: Sequence[EndedRow] = ()
        if not (has_ended_well and is_checked_since):
            record, rows = read_open_rows(site.config, site.clock, status)
        if last is not None and not has_ended_well:
            command_line = describe_command_line(site.config, site.invocation)
            steps = list_status_steps(
                record, command_line, rows=(), unresolved=0, is_under_way=last.under_way
            )
            todo += [self._describe_step(step, last, presenter) for step in steps]
        if checked is not None and is_checked_since:
            outcomes = [row.outcome for row in checked.rows]
            todo += list_entries(outcomes, unresolved, checked.unread_files, presenter)
        elif row_run is not None and last is not None and not last.under_way:
            todo += list_entries(rows, unresolved, count_unread_files(row_run), presenter)
        return status, todo

    def _describe_step(
        self, step: NextStep, last_run: LastRun | None, presenter: Presenter
    ) -> dict[str, object]:
        """Return a step with the page where it is done, else the run that it is about."""
        page = choose_place(step, self._site.invocation, presenter)
        if not step.commands and not page["address"] and last_run is not None and not last_run.under_way:
            page = {"address": f"/runs/{last_run.run}", "place": presenter.render("web.to_run")}
        return {
            "text": step.render(presenter.language),
            "commands": step.render_commands(presenter.language),
            **page,
        }
