"""Rows: the table of the newest check's rows, each with its reasons, and the cells that are corrected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from aiohttp import web

from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import Field
from pipeline.domain.run import Status
from pipeline.errors import EsignImportError, NotCopied, RosterChanged
from pipeline.reports.presenter import Presenter
from pipeline.web.access import Role
from pipeline.web.check_child import Checks
from pipeline.web.rows.checked_rows import TO_FIX, CheckedRow, CheckedRows, NewestRows, RowFilter
from pipeline.web.rows.doctor_pictures import DoctorPictures
from pipeline.web.rows.roster_cells import LocatedRow, RosterCells, SavedCorrection, is_editable
from pipeline.web.rows.row_cards import RowCards
from pipeline.web.security import SESSION, RequestRefused, Route, is_fragment
from pipeline.web.shown import CHARS
from pipeline.web.site import Site
from pipeline.web.view import PageView, choose_language, make_redirect, parse_place

RENEW = "renew"  # the button that shows the rows of a newer check
ROWS_SHOWN = 50  # at first, and with each "more"
MAX_OPPONENTS = 4
MAX_WORD = 200  # characters of a filter
MAX_TEXT = 500  # characters of a cell that is typed
_FILTERS = ("status", "code", "department", "file", "query")


class RowPages:
    """The table of rows; a row opens in its place, and its cells are corrected there."""

    def __init__(
        self,
        site: Site,
        view: PageView,
        checks: Checks,
        newest: NewestRows,
        rosters: RosterCells,
        *,
        pictures: DoctorPictures,
    ) -> None:
        self._site = site
        self._view = view
        self._checks = checks
        self._newest = newest
        self._rosters = rosters
        self._pictures = pictures
        # location of a row that was corrected -> the check that shows it as it was
        self._saved: dict[str, str] = {}

    def list_routes(self) -> Iterator[Route]:
        yield Route("GET", "/rows", Role.LOOK, self._show)
        yield Route("POST", "/rows", Role.LOOK, self._filter)
        yield Route("GET", "/rows/state", Role.LOOK, self._show_state)
        yield Route("GET", "/rows/row/{key}", Role.LOOK, self._show_row)
        yield Route("GET", "/rows/cell/{location}/{field}", Role.CLERK, self._open_cell)
        yield Route("POST", "/rows/judge", Role.CLERK, self._judge)
        yield Route("POST", "/rows/save", Role.CLERK, self._save)
        yield Route("POST", "/rows/choose", Role.CLERK, self._choose)

    # -- the table

    async def _show(self, request: web.Request) -> web.StreamResponse:
        return await self._render_table(request, request.query)

    async def _filter(self, request: web.Request) -> web.StreamResponse:
        return await self._render_table(request, await _read_form(request))

    async def _render_table(self, request: web.Request, words: Mapping[str, str]) -> web.StreamResponse:
        """Return the page, or the rows that a filter lets pass, or those that follow after so many."""
        wanted = RowFilter(**{name: words.get(name, "")[:MAX_WORD] for name in _FILTERS})
        first = parse_place(words.get("first", ""))
        cards = self._make_cards(request)
        checked = await self._site.read(self._newest.get)
        if checked is None and self._checks.progress is None and self._checks.end is None:
            self._checks.start(cards.language)
        matching = [row for row in checked.rows if wanted.matches(row)] if checked else []
        shown = matching[first : first + ROWS_SHOWN]
        return self._view.render(
            request,
            "rows.html",
            fragment="rows_more.html" if first else "rows_table.html",
            scripts=("rows.js",),
            title=cards.render("web.nav.rows"),
            wanted=wanted,
            counts=cards.describe_counts(checked) if checked else {},
            is_renewed=request.headers.get("HX-Trigger") == RENEW,
            rows=await self._describe_rows(shown, checked, cards),
            is_clerk=request[SESSION].role >= Role.CLERK,
            total=len(matching),
            is_all_corrected=checked is not None and _is_all_corrected(checked),
            following=first + ROWS_SHOWN if len(matching) > first + ROWS_SHOWN else 0,
            state=self._describe_state(checked, cards),
        )

    async def _describe_rows(
        self,
        rows: Sequence[CheckedRow],
        checked: CheckedRows | None,
        cards: RowCards,
        *,
        shows_others: bool = False,
    ) -> list[dict[str, object]]:
        """Return rows of the table; with the pictures that may be a row's, and whose they are by now."""
        offer = None
        if checked is not None and any(row.candidates or row.lacks_picture for row in rows):
            offer = await self._site.read(self._pictures.make_offer, checked)
        return [
            cards.describe(row, is_saved=self._is_saved(row, checked), offer=offer, shows_others=shows_others)
            for row in rows
        ]

    async def _show_state(self, request: web.Request) -> web.StreamResponse:
        """Return whether a check is under way, and whether there is a newer one than the page shows."""
        cards = self._make_cards(request)
        checked = await self._site.read(self._newest.get)
        state = {**self._describe_state(checked, cards), "seen": request.query.get("seen", "")[:MAX_WORD]}
        response = self._view.render(request, "rows_state.html", state=state)
        if checked is not None and not state["seen"]:
            response.headers["HX-Refresh"] = "true"  # the filters come with the first check
        return response

    def _describe_state(self, checked: CheckedRows | None, cards: RowCards) -> dict[str, object]:
        end = self._checks.end
        failure = end.errors if end is not None and end.run is None else ""
        run = checked.run if checked else ""
        return {
            "run": run,
            "seen": run,
            "checking": self._checks.progress is not None,
            "failure": failure or (cards.render("rows.check_failed") if end and end.run is None else ""),
        }

    # -- one row

    async def _show_row(self, request: web.Request) -> web.StreamResponse:
        checked = await self._site.read(self._newest.get)
        row = checked.by_key.get(request.match_info["key"]) if checked else None
        if checked is None or row is None:  # the list of an earlier check, which is about to be renewed
            return self._render_gone(request, "rows.gone", 200, 404)
        if "closed" in request.query or "pictures" in request.query:
            return await self._render_row(request, checked, row, opened=None)
        return await self._render_opened(request, checked, row)

    async def _render_opened(
        self,
        request: web.Request,
        checked: CheckedRows,
        row: CheckedRow,
        *,
        notice: str = "",
        is_good: bool = True,
    ) -> web.StreamResponse:
        """Return a row with its cells, next to those of the rows with which it is in conflict."""
        together = [row, *checked.list_opponents(row)[:MAX_OPPONENTS]]
        cards = self._make_cards(request)
        opened = [await self._describe_cells(request, checked, one, cards) for one in together]
        return await self._render_row(request, checked, row, opened=opened, notice=notice, is_good=is_good)

    async def _render_row(
        self,
        request: web.Request,
        checked: CheckedRows,
        row: CheckedRow,
        *,
        opened: object,
        notice: str = "",
        is_good: bool = True,
    ) -> web.StreamResponse:
        """Return a row; ``notice`` is what was done, or why nothing was."""
        shows_others = "pictures" in request.query
        cards = self._make_cards(request)
        (described,) = await self._describe_rows([row], checked, cards, shows_others=shows_others)
        return self._view.render(
            request,
            "rows_row.html",
            status=200 if is_good else 409,
            row=described,
            opened=opened,
            notice=notice,
            is_good=is_good,
            is_clerk=request[SESSION].role >= Role.CLERK,
        )

    async def _describe_cells(
        self, request: web.Request, checked: CheckedRows, row: CheckedRow, cards: RowCards
    ) -> dict[str, object]:
        """Return the cells of a row; faulty ones as fields, for who may correct them."""
        is_saved = self._is_saved(row, checked)
        described = cards.describe(row, is_saved=is_saved)
        try:
            located = await self._locate(row)
        except RosterChanged:
            return {"row": described, "cells": [], "is_changed": True}
        faults = await self._site.read(cards.list_faults, located, row, is_saved=is_saved)
        is_clerk = request[SESSION].role >= Role.CLERK
        cells = []
        for name in located.row.fields:
            is_open = is_clerk and name in faults and is_editable(located.row, name)
            if is_open:
                await self._record_look(request, located, name)
            cell = cards.describe_cell(located, row.location, name, faults.get(name, ()), is_open=is_open)
            cells.append({**cell, "can_open": is_clerk and is_editable(located.row, name)})
        cells.sort(key=lambda cell: not cell["faults"])
        return {"row": described, "cells": cells, "is_changed": False}

    async def _open_cell(self, request: web.Request) -> web.StreamResponse:
        """Return one cell as a field with what the roster holds."""
        words = {**request.query, **request.match_info}
        located, name = await self._locate_or_refuse(words)
        await self._record_look(request, located, name)
        cell = self._make_cards(request).describe_cell(located, words["location"], name, (), is_open=True)
        opened = words.get("opened", "")[:MAX_WORD]
        return self._view.render(request, "rows_cell.html", cell=cell, opened=opened)

    async def _judge(self, request: web.Request) -> web.StreamResponse:
        """Answer what a run would say of a cell with the text that is typed."""
        form = await _read_form(request)
        located, name = await self._locate_or_refuse(form)
        problems = await self._site.read(
            self._rosters.judge_text, located, name, _clean(form.get("text", ""))
        )
        judgement = self._make_cards(request).describe_judgement(name, problems)
        return self._view.render(request, "rows_judged.html", judged=judgement)

    async def _save(self, request: web.Request) -> web.StreamResponse:
        """Write a cell, if it and the person are still those that the form was made of; start the check."""
        form, cards = await _read_form(request), self._make_cards(request)
        checked = await self._site.read(self._newest.get)
        row = checked.by_location.get(form.get("location", "")) if checked else None
        opened = checked.by_key.get(form.get("opened", "")) if checked else None
        is_good = False
        try:
            located, name = await self._locate_cell(row, form)
            opened = opened or row
            other = self._get_other_change(located, name, form.get("roster", ""), request[SESSION].user)
            if other is None and located.digest_cell(name) == form.get("seen"):
                notice = await self._write(request, located, name, _clean(form.get("text", "")), cards)
                is_good = notice is None
            else:
                notice = cards.describe_other_change(located, name, other)
        except RosterChanged:
            notice = cards.render("rows.changed")
            self._checks.start(cards.language)
        if checked is None or opened is None:
            return self._render_gone(request, "rows.changed")
        if is_good and row is not None:
            self._saved[row.location] = checked.run
            self._checks.start(cards.language)
        return await self._render_opened(
            request, checked, opened, notice=notice or cards.render("rows.saved"), is_good=is_good
        )

    def _get_other_change(
        self, located: LocatedRow, name: Field, sha256: str, user: str
    ) -> SavedCorrection | None:
        """Return the last correction of the cell since a form was made, else what another user made of name or number."""
        corrections = self._rosters.list_corrections(located, sha256)[::-1]
        of_cell = (saved for saved in corrections if saved.name is name)
        of_person = (saved for saved in corrections if saved.is_of_identity and saved.user != user)
        return next(of_cell, None) or next(of_person, None)

    async def _write(
        self, request: web.Request, located: LocatedRow, name: Field, text: str, cards: RowCards
    ) -> str | None:
        """Write a text into a cell; return why that is not possible, None where it was done."""
        await self._record(request, "correct", located, name)
        try:
            await self._site.read(self._rosters.correct, located, name, text, request[SESSION].user)
        except NotCopied as refusal:
            return cards.describe_refusal(located, name, refusal.why)
        except OSError as error:
            return cards.describe_disk(located, error)
        return None

    async def _choose(self, request: web.Request) -> web.StreamResponse:
        """Give a picture to the doctor of a row, from the row itself; start the check."""
        form, cards, user = await _read_form(request), self._make_cards(request), request[SESSION].user
        stamp, picture = form.get("row", ""), form.get("picture", "")
        checked = await self._site.read(self._newest.get)
        row = checked.by_key.get(stamp[:CHARS]) if checked else None
        if checked is None or row is None:
            return self._render_gone(request, "rows.gone")
        notice = ""
        try:
            await self._site.read(self._pictures.give, checked, stamp, picture, user)
            self._checks.start(cards.language)
        except RosterChanged:
            notice = cards.render("rows.changed")
            self._checks.start(cards.language)
        except EsignImportError as error:
            notice = cards.describe_error(error)
        if not (notice or is_fragment(request)):
            return make_redirect("/rows")
        response = await self._render_row(
            request,
            checked,
            row,
            opened=None,
            notice=notice or cards.describe_given(row),
            is_good=not notice,
        )
        if not notice:  # the rows that show this picture as well are shown anew
            response.headers["HX-Trigger"] = f"chosen-{picture}"
        return response

    # -- finding

    async def _locate(self, row: CheckedRow) -> LocatedRow:
        return await self._site.read(self._rosters.locate, row.line, row.roster)

    async def _locate_cell(
        self, row: CheckedRow | None, words: Mapping[str, str]
    ) -> tuple[LocatedRow, Field]:
        """Return a row of the newest check in its roster, of which a form shows these bytes, and one of its fields.

        Raises RosterChanged where the roster changed since otherwise than by corrections of this page.
        """
        seen = words.get("roster", "")
        if row is None or self._rosters.follow(seen) != self._rosters.follow(row.roster):
            raise RosterChanged
        located = await self._site.read(self._rosters.locate, row.line, seen)
        name = next((name for name in located.row.fields if name.value == words.get("field")), None)
        if name is None or not is_editable(located.row, name):
            raise RequestRefused(404, "rows.gone")
        return located, name

    async def _locate_or_refuse(self, words: Mapping[str, str]) -> tuple[LocatedRow, Field]:
        checked = await self._site.read(self._newest.get)
        row = checked.by_location.get(words.get("location", "")) if checked else None
        try:
            return await self._locate_cell(row, words)
        except RosterChanged as change:
            raise RequestRefused(409, "rows.changed") from change

    def _render_gone(
        self, request: web.Request, key: str, status: int = 409, page_status: int = 409
    ) -> web.Response:
        """Return why nothing was done or is shown, in place of a row that the newest check does not have."""
        if not is_fragment(request):
            raise RequestRefused(page_status, key)
        text = self._make_cards(request).render(key)
        return self._view.render(request, "rows_gone.html", status=status, text=text)

    def _is_saved(self, row: CheckedRow, checked: CheckedRows | None) -> bool:
        """Return whether a row was corrected, or got its picture, after the check that is shown."""
        if checked is None:
            return False
        is_given = row.key in self._pictures.list_given_since(checked).values()
        return is_given or self._saved.get(row.location) == checked.run

    async def _record_look(self, request: web.Request, located: LocatedRow, name: Field) -> None:
        """Write into the page's log that a user looks at a number whole."""
        if FIELDS[name].is_personal:
            await self._record(request, "look", located, name)

    async def _record(self, request: web.Request, action: str, located: LocatedRow, name: Field) -> None:
        """Write into the page's log what a user does with a cell."""
        row, user = located.row, request[SESSION].user
        facts = {
            "file": row.origin.file,
            "sheet": row.origin.sheet,
            "cell": row.address(name),
            "field": name.value,
        }
        await self._site.read(self._site.record_change, user, action, **facts)

    def _make_cards(self, request: web.Request) -> RowCards:
        return RowCards(Presenter(choose_language(request)), self._rosters)


def _is_all_corrected(checked: CheckedRows) -> bool:
    """Return whether nothing is to be corrected, and something can be sent."""
    statuses = checked.counts["status"]
    return TO_FIX not in statuses and bool(statuses.get(Status.READY.value))


async def _read_form(request: web.Request) -> dict[str, str]:
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


def _clean(text: str) -> str:
    """Return what is typed as a cell holds it: one line, without blanks at its ends."""
    return " ".join(text[:MAX_TEXT].splitlines()).strip()
