"""Pictures that no row matched: each large, next to the doctors without a picture, to one of whom it is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aiohttp import web

from pipeline.domain.seals import PictureDecision
from pipeline.errors import EsignImportError, RosterChanged
from pipeline.reports.presenter import Presenter
from pipeline.web.access import Role
from pipeline.web.check_child import Checks
from pipeline.web.rows.checked_rows import CheckedPicture, CheckedRow, NewestRows, RowFilter
from pipeline.web.rows.doctor_pictures import DoctorPictures
from pipeline.web.rows.row_cards import describe_doctor, name_doctor
from pipeline.web.security import SESSION, RequestRefused, Route
from pipeline.web.site import Site
from pipeline.web.view import PageView, choose_language

MAX_PICTURES = 50  # on a page
MAX_DOCTORS = 100  # listed; the others are found by name or staff number
MAX_WORD = 100  # characters of a search


class PicturePages:
    """The pictures that no row matched, and the decisions to whom they belong."""

    def __init__(
        self, site: Site, view: PageView, checks: Checks, newest: NewestRows, pictures: DoctorPictures
    ) -> None:
        self._site, self._view, self._checks = site, view, checks
        self._newest, self._pictures = newest, pictures

    def list_routes(self) -> Iterator[Route]:
        """Yield the routes."""
        yield Route("GET", "/rows/pictures", Role.LOOK, self._show)
        yield Route("POST", "/rows/pictures", Role.LOOK, self._search)
        yield Route("GET", "/rows/pictures/{sha256}", Role.LOOK, self._send_picture)
        yield Route("POST", "/rows/pictures/give", Role.CLERK, self._give)
        yield Route("POST", "/rows/pictures/withdraw", Role.CLERK, self._withdraw)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        return await self._render(request)

    async def _search(self, request: web.Request) -> web.StreamResponse:
        return await self._render(request)

    async def _render(
        self, request: web.Request, *, notice: str = "", is_good: bool = False
    ) -> web.StreamResponse:
        presenter = Presenter(choose_language(request))
        checked = await self._site.read(self._newest.get)
        now_given = self._pictures.list_given_since(checked)
        pictures = checked.unmatched if checked else ()
        waiting = [picture for picture in pictures if picture.sha256 not in now_given]
        lacking = [row for row in checked.rows if row.lacks_picture] if checked else []
        free = [row for row in lacking if row.key not in now_given.values()]
        query = str((await request.post()).get("query", ""))[:MAX_WORD] if request.method == "POST" else ""
        doctors = list(filter(RowFilter(query=query).matches, free))
        given = await self._site.read(self._pictures.list_given)
        return self._view.render(
            request,
            "rows_pictures.html",
            fragment="rows_pictures_part.html",
            scripts=("pictures.js",),
            title=presenter.render("rows.pictures"),
            pictures=[_describe_picture(picture, free, presenter) for picture in waiting[:MAX_PICTURES]],
            more=max(0, len(waiting) - MAX_PICTURES),
            doctors=[_describe_doctor(row, presenter) for row in doctors[:MAX_DOCTORS]],
            lacking=len(free),
            more_doctors=max(0, len(doctors) - MAX_DOCTORS),
            query=query,
            given=_describe_given(given, presenter),
            is_clerk=request[SESSION].role >= Role.CLERK,
            is_checking=self._checks.progress is not None,
            notice=notice,
            is_good=is_good,
        )

    async def _send_picture(self, request: web.Request) -> web.StreamResponse:
        """Send the bytes that would be sent of a picture."""
        checked = await self._site.read(self._newest.get)
        sent = await self._site.read(self._pictures.read_sent, checked, request.match_info["sha256"])
        if sent is None:
            raise RequestRefused(404, "web.no_file")
        return web.Response(body=sent[0], content_type=sent[1])

    async def _give(self, request: web.Request) -> web.StreamResponse:
        """Enter that a picture is the doctor's of a row; start the check."""
        form, user = await request.post(), request[SESSION].user
        presenter = Presenter(choose_language(request))
        checked = await self._site.read(self._newest.get)
        row = checked.by_key.get(str(form.get("key", ""))) if checked else None
        pictures = {picture.sha256: picture for picture in checked.unmatched} if checked else {}
        picture = pictures.get(str(form.get("picture", "")))
        is_free = row is not None and row.key not in self._pictures.list_given_since(checked).values()
        if checked is None or row is None or picture is None or not (is_free and row.lacks_picture):
            raise RequestRefused(409, "rows.gone")
        try:
            await self._site.read(self._pictures.give, checked, row, picture, user)
        except RosterChanged:
            self._checks.start(presenter.language)
            return await self._render(request, notice=presenter.render("rows.changed"))
        except EsignImportError as error:
            return await self._render(request, notice=presenter.mask_text(error.render(presenter.language)))
        self._checks.start(presenter.language)
        notice = presenter.render("picture.given", name=name_doctor(row, presenter))
        return await self._render(request, notice=notice, is_good=True)

    async def _withdraw(self, request: web.Request) -> web.StreamResponse:
        """Enter that a picture is no longer given to a doctor; start the check."""
        form, user = await request.post(), request[SESSION].user
        presenter = Presenter(choose_language(request))
        key, picture = str(form.get("key", "")), str(form.get("picture", ""))
        try:
            await self._site.read(self._pictures.withdraw, key, picture, user)
        except EsignImportError as error:
            return await self._render(request, notice=presenter.mask_text(error.render(presenter.language)))
        self._checks.start(presenter.language)
        return await self._render(request, notice=presenter.render("picture.withdrawn"), is_good=True)


def _describe_doctor(row: CheckedRow, presenter: Presenter) -> dict[str, str]:
    return {"key": row.key, "name": name_doctor(row, presenter), "who": describe_doctor(row)}


def _describe_picture(
    picture: CheckedPicture, doctors: Sequence[CheckedRow], presenter: Presenter
) -> dict[str, object]:
    """Return a picture with the doctors whose rows its name resembles: a suggestion alone."""
    named = set(picture.similar)
    similar = [_describe_doctor(row, presenter) for row in doctors if row.position in named] if named else []
    return {"sha256": picture.sha256, "name": picture.name, "similar": similar}


def _describe_given(given: Sequence[PictureDecision], presenter: Presenter) -> list[dict[str, str]]:
    """Return the pictures that were given, with name and row of the doctor at that time, the newest first."""
    described = {}
    for one in reversed(given):
        name = one.shown_name or presenter.render("who.nameless")
        ids = {"key": one.key, "picture": one.picture}
        described[one.key, one.picture] = {"name": name, "who": one.position, **ids}
    return list(described.values())
