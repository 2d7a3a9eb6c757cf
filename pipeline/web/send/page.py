"""Send: the preview of the newest check, the question, and the run that is under way."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from pipeline.clock import shown
from pipeline.domain.run import PLAN_CHANGED, PLAN_GUARDS
from pipeline.ledger.records import RunRecord
from pipeline.ledger.tenant import get_service_environment
from pipeline.operations.export import get_run_record, summarize_record
from pipeline.reports.explanations import describe_recorded_halt
from pipeline.reports.presenter import Presenter
from pipeline.web.access import Role
from pipeline.web.check_child import Checks
from pipeline.web.rows.checked_rows import NewestRows
from pipeline.web.rows.row_cards import name_doctors
from pipeline.web.run_values import count_rows, describe_record
from pipeline.web.security import SESSION, RequestRefused, Route
from pipeline.web.send.live_run import RowNames, describe_live, digest_state
from pipeline.web.send.run_child import RunChild, RunUnderWay, RunView
from pipeline.web.send.shown_check import ReadyRow, ShownCheck, ShownChecks, has_later_run
from pipeline.web.site import Site
from pipeline.web.view import PageView, choose_language, make_redirect
from pipeline.workflow.run_preview import describe_preview, describe_target

PATH, SCRIPT = "/send", "send.js"
MAX_LISTED, MAX_CHOSEN = (
    50,
    200,
)  # rows without the chosen ones; rows that one command line takes on every system
MAX_CHANGES = 20
MAX_ERRORS = 5  # lines
DAY_SECONDS = 24 * 3600.0
MAX_QUERY = 200
ACCEPTABLE_GUARDS = PLAN_GUARDS - {PLAN_CHANGED}  # as --accept-guards
PRODUCTION = "production"
STREAM_HEADERS = {
    "Content-Type": "text/event-stream",
    "X-Accel-Buffering": "no",
}  # nginx holds a stream back else
STREAM_SECONDS = 60  # after which a browser asks again, and its session is examined again


@dataclass(frozen=True, slots=True)
class Order:
    """What a user has filled in."""

    check: str = ""
    is_choice: bool = False  # the ticked rows alone
    lines: frozenset[int] = frozenset()
    accept_guards: bool = False
    organization: str = ""
    query: str = ""


class SendPage:
    """Shows what would be sent, starts the run, shows it and stops it."""

    def __init__(self, site: Site, view: PageView, checks: Checks, newest: NewestRows) -> None:
        self._site = site
        self._view = view
        self._checks = checks
        self._child = RunChild(site, self._start_check)
        self._newest = newest
        self._shown = ShownChecks(newest)
        self._names = RowNames(site)
        self._is_closing = False

    def list_routes(self) -> Iterator[Route]:
        yield Route("GET", PATH, Role.LOOK, self._show)
        yield Route("GET", f"{PATH}/now", Role.LOOK, self._renew)
        yield Route("GET", f"{PATH}/events", Role.LOOK, self._stream)
        yield Route("POST", f"{PATH}/rows", Role.SEND, self._list_rows)
        yield Route("POST", f"{PATH}/check", Role.CLERK, self._check)
        yield Route("POST", PATH, Role.SEND, self._send)
        yield Route("POST", f"{PATH}/stop", Role.SEND, self._stop)

    async def close(self, _: web.Application) -> None:
        """End the streams: the page stops, the run goes on."""
        self._is_closing = True

    def _start_check(self) -> None:
        """Check once more: a run has ended, and what the last check showed may be sealed."""
        if not self._is_closing:
            self._checks.start()

    # -- the page

    async def _show(self, request: web.Request) -> web.StreamResponse:
        return await self._render(request, Order())

    async def _render(
        self, request: web.Request, order: Order, *, fault: str | None = None, status: int = 200
    ) -> web.Response:
        presenter = Presenter(choose_language(request))
        view, check, is_stale = await self._site.read(self._read)
        session = request[SESSION]
        values: dict[str, Any] = {
            "fault": fault,
            "may_send": session.role >= Role.SEND,
            "may_check": session.role >= Role.CLERK,
            "state": digest_state(view, self._name_check()),
            "order": order,
            "live": None,
            "last": None,
            "check": None,
            "is_checking": self._checks.progress is not None,
        }
        if view.is_under_way:
            values["live"] = await self._describe_live(view, presenter)
        else:
            values["last"] = await self._site.read(self._describe_end, view, presenter)
            values["holder"] = describe_live(view, {}, presenter)["holder"]
            if check is not None and not values["is_checking"]:
                values["check"] = self._describe_check(check, order, presenter, is_stale=is_stale)
        title = presenter.render("web.nav.send")
        return self._view.render(
            request, "send.html", title=title, status=status, scripts=(SCRIPT,), **values
        )

    def _read(self) -> tuple[RunView, ShownCheck | None, bool]:
        """Return the run under way, the newest check, and whether a run began after it."""
        view, check = self._child.read(), self._shown.get()
        return view, check, check is not None and has_later_run(self._site.config, check.run)

    def _name_check(self) -> str:
        """Return what stands for the newest check, and for one under way."""
        folder = self._checks.newest
        return f"{folder.name if folder else ''} {self._checks.progress is not None}"

    def _describe_check(
        self, check: ShownCheck, order: Order, presenter: Presenter, *, is_stale: bool
    ) -> dict[str, Any]:
        config, language = self._site.config, presenter.language
        record, preview = check.record, check.preview
        halted = record.content.get("halted")
        texts = [presenter.mask_text(text.render(language)) for text in preview.changes]
        is_same = order.check in {"", check.run}
        chosen = order.lines if is_same else frozenset()
        return {
            "run": check.run,
            "moment": shown(record.content["finished"]),
            "target": describe_target(config).render(language),
            "environment": get_service_environment(config.api.endpoint),
            "organization": self._site.config.api.hospital if self._needs_name() else None,
            "forecast": [text.render(language) for text in describe_preview(preview, language)],
            "statuses": count_rows(summarize_record(record), presenter),
            "total": preview.rows,
            "creates": preview.creates,
            "first_names": name_doctors([row.doctor for row in check.rows], presenter),
            "guard": presenter.mask_text(describe_recorded_halt(halted, presenter)) if halted else None,
            "is_guard_acceptable": halted is not None and halted["code"] in ACCEPTABLE_GUARDS,
            "changes": texts[: MAX_CHANGES + 1],
            "more_changes": max(0, len(texts) - MAX_CHANGES - 1),
            "is_stale": is_stale,
            **self._describe_rows(check, order.query, chosen),
        }

    def _describe_rows(self, check: ShownCheck, query: str, chosen: Collection[int]) -> dict[str, Any]:
        rows: Sequence[ReadyRow] = check.list_rows(query, chosen, MAX_LISTED)
        return {
            "rows": rows,
            "chosen": chosen,
            "ready": len(check.rows),
            "is_cut": len(rows) < len(check.rows),
            "query": query,
        }

    def _needs_name(self) -> bool:
        return get_service_environment(self._site.config.api.endpoint) == PRODUCTION

    async def _list_rows(self, request: web.Request) -> web.StreamResponse:
        """Return the rows that fit the search; those that are ticked stay."""
        order = await _read_order(request)
        _, check, _ = await self._site.read(self._read)
        if check is None or check.run != order.check:
            raise RequestRefused(409, "web.send.new_check")
        rows = self._describe_rows(check, order.query, order.lines)
        return self._view.render(request, "send_rows.html", check=rows)

    async def _check(self, request: web.Request) -> web.StreamResponse:
        await self._site.read(self._site.record_change, request[SESSION].user, "check")
        self._checks.start(choose_language(request))
        return make_redirect(PATH)

    # -- the start

    async def _send(self, request: web.Request) -> web.StreamResponse:
        """Start the run; where something is missing, show the page with what it is."""
        order, user = await _read_order(request), request[SESSION].user
        presenter = Presenter(choose_language(request))
        view, check, is_stale = await self._site.read(self._read)
        key = self._get_fault(order, view, check, is_stale=is_stale)
        if key is not None:
            text = presenter.render(key, n=MAX_CHOSEN, name=self._site.config.api.hospital)
            return await self._render(request, order, fault=text, status=409)
        lines = sorted(order.lines) if order.is_choice else None
        try:
            await self._site.read(
                self._child.start,
                user,
                order.check,
                lines,
                accept_guards=order.accept_guards,
                language=presenter.language,
            )
        except RunUnderWay as refused:
            text = _describe_refusal(refused.view, presenter)
            return await self._render(request, order, fault=text, status=409)
        return make_redirect(PATH)

    def _get_fault(
        self, order: Order, view: RunView, check: ShownCheck | None, *, is_stale: bool
    ) -> str | None:
        """Return the key of what is missing for a run; of a run under way `RunChild.start` names who holds the ledger."""
        if view.is_under_way:
            return None
        if check is None or check.run != order.check:
            return "web.send.new_check"
        guard = (check.record.content.get("halted") or {}).get("code")
        is_guard_accepted = order.accept_guards and guard in ACCEPTABLE_GUARDS
        ready = {row.line for row in check.rows}
        is_possible = len(order.lines) <= MAX_CHOSEN and order.lines <= ready
        is_named = not self._needs_name() or order.organization.strip() == self._site.config.api.hospital
        faults = {
            "web.send.stale": is_stale,
            "web.send.nothing": not ready,
            "web.send.guard_not_accepted": guard is not None and not is_guard_accepted,
            "web.send.none_chosen": order.is_choice and not order.lines,
            "web.send.too_many_chosen": order.is_choice and not is_possible,
            "web.send.wrong_name": not is_named,
        }
        return next((key for key, is_there in faults.items() if is_there), None)

    async def _stop(self, request: web.Request) -> web.StreamResponse:
        """Ask the run to end. A second time it is asked only where the user has read what that does."""
        form = await request.post()
        run, again = str(form.get("run", "")), form.get("again") == "yes"
        try:
            await self._site.read(self._child.stop, request[SESSION].user, run, again=again)
        except PermissionError:
            raise RequestRefused(403, "web.send.other_user") from None
        return make_redirect(PATH)

    def _describe_end(self, view: RunView, presenter: Presenter) -> dict[str, Any] | None:
        """Return how the last run that the page started has ended, for a day."""
        start, run, site = view.start, view.own_run, self._site
        if (
            start is None
            or site.clock.now() - datetime.fromisoformat(start.started).timestamp() > DAY_SECONDS
        ):
            return None
        record = get_run_record(site.config, site.clock, run) if run is not None else None
        return {
            "user": start.user,
            "moment": shown(start.started),
            "record": describe_record(record, presenter) if record is not None else None,
            "errors": view.errors.splitlines()[:MAX_ERRORS] if record is None else (),
            "differing": self._name_differing(record, presenter) if record is not None else "",
        }

    def _name_differing(self, record: RunRecord, presenter: Presenter) -> str:
        """Return the doctors for whom a run would have sent something other than its check showed."""
        people = (record.content.get("halted") or {}).get("people", "").split()
        checked = self._newest.get()
        lines = [line for line in checked.lines if line.key in people] if checked else []
        return name_doctors(lines, presenter)

    # -- live

    async def _describe_live(self, view: RunView, presenter: Presenter) -> dict[str, Any]:
        run = view.own_run if view.is_own else None
        names = await self._site.read(self._names.read, run) if run and view.numbers else {}
        return describe_live(view, names, presenter)

    async def _renew(self, request: web.Request) -> web.StreamResponse:
        """Return the numbers; where more than they has changed, have the browser load the page again."""
        view = await self._site.read(self._child.read)
        if request.query.get("state") != digest_state(view, self._name_check()):
            return web.Response(status=204, headers={"HX-Redirect": PATH})
        presenter = Presenter(choose_language(request))
        live = await self._describe_live(view, presenter) if view.is_under_way else None
        return self._view.render(request, "send_live.html", live=live)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Send the numbers whenever they have changed, and once when the page is to be loaded again."""
        presenter = Presenter(choose_language(request))
        response = web.StreamResponse(headers=STREAM_HEADERS)
        await response.prepare(request)
        with suppress(ConnectionError):  # the browser has gone
            await self._write_events(request, response, presenter)
        return response

    async def _write_events(
        self, request: web.Request, response: web.StreamResponse, presenter: Presenter
    ) -> None:
        sent = ""
        for _ in range(STREAM_SECONDS):
            view = await self._site.read(self._child.read)
            if request.query.get("state") != digest_state(view, self._name_check()):
                await response.write(b"event: other\ndata:\n\n")
                return
            live = await self._describe_live(view, presenter) if view.is_under_way else None
            text = self._view.render_part(presenter.language, "send_live.html", live=live)
            if text != sent:
                sent = text
                lines = "".join(f"data: {line}\n" for line in text.splitlines())
                await response.write(f"{lines}\n".encode())
            if self._is_closing:
                return
            await self._site.clock.sleep(1.0)


async def _read_order(request: web.Request) -> Order:
    form = await request.post()
    ticked = [str(value) for value in form.getall("row", [])]
    return Order(
        check=str(form.get("check", "")),
        is_choice=form.get("which") == "chosen",
        lines=frozenset(
            int(value) for value in ticked if value.isascii() and value.isdigit() and len(value) < 9
        ),
        accept_guards=form.get("accept") == "yes",
        organization=str(form.get("organization", "")),
        query=str(form.get("query", ""))[:MAX_QUERY],
    )


def _describe_refusal(view: RunView, presenter: Presenter) -> str:
    """Return who holds the ledger."""
    if view.holder is not None:
        return presenter.mask_text(view.holder.explain().render(presenter.language))
    assert view.start is not None
    return presenter.render("web.send.starting", user=view.start.user, moment=shown(view.start.started))
