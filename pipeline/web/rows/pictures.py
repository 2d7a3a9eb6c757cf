"""Pictures that no doctor has: each large, next to the doctors without a picture, to one of whom it is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aiohttp import web

from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Field
from pipeline.domain.seals import PictureDecision
from pipeline.errors import EsignImportError, RosterChanged
from pipeline.messages.problems import render_positions
from pipeline.reports.presenter import Presenter
from pipeline.web.access import Role
from pipeline.web.check_child import Checks
from pipeline.web.rows.checked_rows import CheckedPicture, CheckedRow, CheckedRows, NewestRows, RowFilter
from pipeline.web.rows.doctor_pictures import DoctorPictures, PictureOffer, stamp_given
from pipeline.web.rows.roster_cells import RosterCells
from pipeline.web.rows.row_cards import RowCards, describe_doctor, name_doctor, name_doctors
from pipeline.web.security import SESSION, RequestRefused, Route
from pipeline.web.shown import ShownChanged
from pipeline.web.site import Site
from pipeline.web.view import PageView, choose_language

MAX_PICTURES = 50  # on a page
MAX_DOCTORS = 100  # listed; the others are found by name or staff number
MAX_WORD = 100  # characters of a search
OK, CHANGED = 200, 409


class PicturePages:
    """The pictures that no doctor has, and the decisions to whom they belong."""

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
        self._site, self._view, self._checks = site, view, checks
        self._newest, self._rosters, self._pictures = newest, rosters, pictures

    def list_routes(self) -> Iterator[Route]:
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
        self, request: web.Request, *, notice: str = "", status: int = 200
    ) -> web.StreamResponse:
        presenter = Presenter(choose_language(request))
        checked = await self._site.read(self._newest.get)
        offer = await self._site.read(self._pictures.make_offer, checked) if checked else None
        pictures = list(offer.free.values()) if offer else []
        now_given = self._pictures.list_given_since(checked).values()
        lacking = [row for row in checked.rows if row.lacks_picture] if checked else []
        free = [row for row in lacking if row.key not in now_given]
        query = str((await request.post()).get("query", ""))[:MAX_WORD] if request.method == "POST" else ""
        doctors = list(filter(RowFilter(query=query).matches, free))
        given = await self._site.read(self._pictures.list_given)
        cards = RowCards(presenter, self._rosters)
        return self._view.render(
            request,
            "rows_pictures.html",
            fragment="rows_pictures_part.html",
            status=status,
            scripts=("pictures.js",),
            title=presenter.render("rows.pictures"),
            pictures=[
                _describe_picture(picture, free, offer, presenter) for picture in pictures[:MAX_PICTURES]
            ],
            more=max(0, len(pictures) - MAX_PICTURES),
            doctors=[cards.describe(row, is_saved=False, offer=offer) for row in doctors[:MAX_DOCTORS]],
            lacking=len(free),
            more_doctors=max(0, len(doctors) - MAX_DOCTORS),
            query=query,
            given=_describe_given(given, checked, presenter),
            is_clerk=request[SESSION].role >= Role.CLERK,
            is_checking=self._checks.progress is not None,
            notice=notice,
            is_good=status == OK,
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
        try:
            if checked is None:
                raise ShownChanged
            row, picture = str(form.get("row", "")), str(form.get("picture", ""))
            doctor = await self._site.read(self._pictures.give, checked, row, picture, user)
        except RosterChanged:
            self._checks.start(presenter.language)
            return await self._render(request, notice=presenter.render("rows.changed"), status=CHANGED)
        except EsignImportError as error:
            notice = presenter.mask_text(error.render(presenter.language))
            return await self._render(request, notice=notice, status=CHANGED)
        self._checks.start(presenter.language)
        notice = RowCards(presenter, self._rosters).describe_given(doctor)
        return await self._render(request, notice=notice)

    async def _withdraw(self, request: web.Request) -> web.StreamResponse:
        """Enter that a picture is no longer given to a doctor; start the check."""
        form, user = await request.post(), request[SESSION].user
        presenter = Presenter(choose_language(request))
        try:
            await self._site.read(self._pictures.withdraw, str(form.get("given", "")), user)
        except EsignImportError as error:
            notice = presenter.mask_text(error.render(presenter.language))
            return await self._render(request, notice=notice, status=CHANGED)
        self._checks.start(presenter.language)
        return await self._render(request, notice=presenter.render("picture.withdrawn"))


def _describe_picture(
    picture: CheckedPicture, doctors: Sequence[CheckedRow], offer: PictureOffer | None, presenter: Presenter
) -> dict[str, object]:
    """Return a picture with the doctors whose rows its name resembles: a suggestion alone."""
    rivals = offer.by_candidate.get(picture.sha256, ()) if offer else ()
    return {
        "sha256": picture.sha256,
        "name": picture.name,
        "rivals": name_doctors([row.line for row in rivals], presenter),
        "similar": [_describe_doctor(row, presenter) for row in doctors if picture.resembles(row)],
    }


def _describe_doctor(row: CheckedRow, presenter: Presenter) -> dict[str, str]:
    return {"stamp": row.stamp, "name": name_doctor(row.line, presenter), "who": describe_doctor(row.line)}


def _describe_given(
    given: Sequence[PictureDecision], checked: CheckedRows | None, presenter: Presenter
) -> list[dict[str, str]]:
    """Return the pictures that were given, each once, the newest first.

    A doctor whom the check does not have under that number and name is described by the row at that time.
    """
    lines = checked.lines if checked else ()
    doctors = {(line.key, make_name_key(line.get(Field.NAME) or "")): line for line in lines}
    described: dict[tuple[str, str], dict[str, str]] = {}
    for one in reversed(given):
        name = one.shown_name or presenter.render("who.nameless")
        line = doctors.get((one.key, make_name_key(one.shown_name)))
        who = describe_doctor(line) if line else render_positions(one.position, presenter.language)
        values = {"stamp": stamp_given(one), "picture": one.picture, "name": name, "who": who}
        described.setdefault((one.key, one.picture), values)
    return list(described.values())
