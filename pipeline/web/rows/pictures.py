"""Pictures that no row matched: each large, next to the doctors without a picture, to one of whom it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from aiohttp import web

from pipeline.domain.roster import Field, ImageFile
from pipeline.domain.seals import GivenPicture
from pipeline.errors import EsignImportError, RosterChanged, UsageError
from pipeline.intake.pairing.image_index import list_images
from pipeline.intake.pairing.image_sources import ImageSources
from pipeline.reports.presenter import Presenter
from pipeline.reports.records import PICTURES
from pipeline.resolution.given_pictures import PictureDecisions, open_picture_decisions
from pipeline.web.access import Role
from pipeline.web.check_child import Checks
from pipeline.web.rows.checked_rows import CheckedRow, CheckedRows, NewestRows, RowFilter
from pipeline.web.rows.roster_cells import RosterCells
from pipeline.web.security import SESSION, RequestRefused, Route
from pipeline.web.site import Site
from pipeline.web.view import PageView, choose_language
from pipeline.workflow.stage_settings import build_image_examiner
from pipeline.workflow.tenant_ledger import open_configured_ledger

MAX_PICTURES = 50  # on a page
MAX_DOCTORS = 100  # listed; the others are found by name or staff number
MAX_WORD = 100  # characters of a search
MAX_KEPT = 20  # pictures that are kept as they are sent
_MISSING = "IMAGE_MISSING"
_IDENTIFYING = frozenset({Field.NAME, Field.NUMBER})


@dataclass(frozen=True, slots=True)
class UnmatchedPicture:
    """A picture of the newest check that no row matched."""

    sha256: str
    size: int
    path: str = field(repr=False)  # masked
    similar: Sequence[str] = field(repr=False)  # positions of the rows that its name resembles


class PicturePages:
    """The pictures that no row matched, and the decisions to whom they belong."""

    def __init__(
        self, site: Site, view: PageView, checks: Checks, newest: NewestRows, rosters: RosterCells
    ) -> None:
        self._site, self._view, self._checks = site, view, checks
        self._newest, self._rosters = newest, rosters
        # sha256 of a picture that was given -> the check that does not know it, and the key of the row
        self._given: dict[str, tuple[str, str]] = {}
        self._kept: tuple[str, Sequence[UnmatchedPicture]] = ("", ())  # of a check
        self._sent: dict[str, tuple[bytes, str]] = {}  # by sha256: the bytes that are sent, and their type

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
        pictures = await self._site.read(self._read_pictures, checked)
        now_given = self._list_given_since(checked)
        waiting = [picture for picture in pictures if picture.sha256 not in now_given]
        lacking = filter(lacks_picture, checked.rows) if checked else ()
        free = [row for row in lacking if row.key not in now_given.values()]
        query = str((await request.post()).get("query", ""))[:MAX_WORD] if request.method == "POST" else ""
        doctors = list(filter(RowFilter(query=query).matches, free))
        given = await self._site.read(self._list_given)
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
            given=_describe_given(given, checked, presenter),
            is_clerk=request[SESSION].role >= Role.CLERK,
            is_checking=self._checks.progress is not None,
            notice=notice,
            is_good=is_good,
        )

    # -- one picture

    async def _send_picture(self, request: web.Request) -> web.StreamResponse:
        """Send the bytes that would be sent of a picture of the newest check: found by its digest, never by a path."""
        checked = await self._site.read(self._newest.get)
        wanted = request.match_info["sha256"]
        pictures = {
            picture.sha256: picture.size for picture in await self._site.read(self._read_pictures, checked)
        }
        pictures |= {given.picture: given.size for given in await self._site.read(self._list_given)}
        if wanted not in pictures:
            raise RequestRefused(404, "web.no_file")
        sent = await self._site.read(self._prepare, wanted, pictures[wanted])
        if sent is None:
            raise RequestRefused(404, "web.no_file")
        return web.Response(body=sent[0], content_type=sent[1])

    def _prepare(self, wanted: str, size: int) -> tuple[bytes, str] | None:
        """Return the bytes that are sent of a picture, and their type; None where it is gone or cannot be sent."""
        if wanted not in self._sent:
            image = self._get_image(wanted, size)
            examined = build_image_examiner(self._site.config).examine(image) if image is not None else None
            if examined is None or examined.prepared is None:
                return None
            data = examined.prepared.path.read_bytes()
            if sha256(data).hexdigest() != examined.prepared.sha256:
                return None
            while len(self._sent) >= MAX_KEPT:
                self._sent.pop(next(iter(self._sent)), None)
            self._sent[wanted] = (data, f"image/{examined.prepared.format.lower()}")
        return self._sent[wanted]

    def _get_image(self, wanted: str, size: int) -> ImageFile | None:
        """Return the file of the picture folder that has these bytes."""
        config = self._site.config
        examiner = build_image_examiner(config)
        with ImageSources({}, examiner.store, self._site.clock.now()) as sources:
            for candidate in list_images(config.resolve_path(config.seals)).candidates:
                image = sources.get_image_if_readable(candidate) if candidate.size == size else None
                if image is not None and image.sha256 == wanted:
                    return image
        return None

    # -- decisions

    async def _give(self, request: web.Request) -> web.StreamResponse:
        """Enter that a picture is the doctor's of a row; start the check."""
        form, user = await request.post(), request[SESSION].user
        presenter = Presenter(choose_language(request))
        checked = await self._site.read(self._newest.get)
        row = checked.by_key.get(str(form.get("key", ""))) if checked else None
        pictures = {one.sha256: one for one in await self._site.read(self._read_pictures, checked)}
        picture = pictures.get(str(form.get("picture", "")))
        is_free = row is not None and row.key not in self._list_given_since(checked).values()
        if checked is None or row is None or picture is None or not (is_free and lacks_picture(row)):
            raise RequestRefused(409, "rows.gone")
        try:
            await self._site.read(self._enter_given, checked, row, picture, user)
        except RosterChanged:
            self._checks.start(presenter.language)
            return await self._render(request, notice=presenter.render("rows.changed"))
        except EsignImportError as error:
            return await self._render(request, notice=presenter.mask_text(error.render(presenter.language)))
        self._given[picture.sha256] = (checked.run, row.key)
        self._checks.start(presenter.language)
        name = row.line.get(Field.NAME) or presenter.render("who.nameless")
        return await self._render(request, notice=presenter.render("picture.given", name=name), is_good=True)

    def _enter_given(
        self, checked: CheckedRows, row: CheckedRow, picture: UnmatchedPicture, user: str
    ) -> None:
        located = self._rosters.locate(row.line, checked.digests.get(row.line.path, ""))
        image = self._get_image(picture.sha256, picture.size)
        if image is None:
            raise UsageError("picture.gone")

        def give(decisions: PictureDecisions) -> None:
            doctor = decisions.identify(located.row)
            self._record(user, "give_picture", row, picture.sha256)
            decisions.give(doctor, image, user)

        self._decide(give)

    async def _withdraw(self, request: web.Request) -> web.StreamResponse:
        """Enter that a picture is no longer given to a doctor; start the check."""
        form, user = await request.post(), request[SESSION].user
        presenter = Presenter(choose_language(request))
        key, picture = str(form.get("key", "")), str(form.get("picture", ""))

        def withdraw(decisions: PictureDecisions) -> None:
            self._site.record_change(user, "withdraw_picture", picture=picture)
            decisions.withdraw(key, picture, user)

        try:
            await self._site.read(self._decide, withdraw)
        except EsignImportError as error:
            return await self._render(request, notice=presenter.mask_text(error.render(presenter.language)))
        self._given.pop(picture, None)
        self._checks.start(presenter.language)
        return await self._render(request, notice=presenter.render("picture.withdrawn"), is_good=True)

    def _decide(self, act: Callable[[PictureDecisions], None]) -> None:
        with open_picture_decisions(self._site.config, self._site.clock) as decisions:
            act(decisions)

    def _record(self, user: str, action: str, row: CheckedRow, picture: str) -> None:
        line = row.line
        self._site.record_change(
            user,
            action,
            file=line.file,
            sheet=line.sheet,
            row=line.row,
            name=line.get(Field.NAME),
            picture=picture,
        )

    # -- what is shown

    def _read_pictures(self, checked: CheckedRows | None) -> Sequence[UnmatchedPicture]:
        """Return the pictures that no row of the check matched, each once; those that resemble a row come first."""
        if checked is None:
            return ()
        if self._kept[0] != checked.run:
            path = self._site.config.resolve_path(self._site.config.out) / checked.run / PICTURES
            try:
                stored = json.loads(path.read_text("utf-8"))["pictures"]
            except OSError:  # of a check of an earlier version
                stored = []
            pictures = {picture["sha256"]: UnmatchedPicture(**picture) for picture in reversed(stored)}
            self._kept = (checked.run, tuple(reversed(pictures.values())))
        return self._kept[1]

    def _list_given(self) -> list[GivenPicture]:
        """Return the pictures that are given to doctors; none where there is no ledger, or it cannot be read now."""
        try:
            with open_configured_ledger(self._site.config, self._site.clock) as (ledger, _):
                return ledger.list_given_pictures()
        except EsignImportError:
            return []

    def _list_given_since(self, checked: CheckedRows | None) -> dict[str, str]:
        """Return the pictures that were given after the check that is shown, with the keys of the rows."""
        run = checked.run if checked else ""
        return {picture: key for picture, (of_run, key) in self._given.items() if of_run == run}


def lacks_picture(row: CheckedRow) -> bool:
    """Return whether a row has no picture, and a name and a number by which a picture can be given to its doctor."""
    errors = row.outcome.errors
    is_known = not any(error.field in _IDENTIFYING for error in errors)
    return is_known and any(error.code == _MISSING for error in errors)


def _describe_doctor(row: CheckedRow, presenter: Presenter) -> dict[str, str]:
    line = row.line
    parts = (line.get(Field.STAFF_NO), line.get(Field.DEPARTMENT), (line.get(Field.NUMBER) or "")[-4:])
    name = line.get(Field.NAME) or presenter.render("who.nameless")
    return {"key": row.key, "name": name, "who": " · ".join(filter(None, parts))}


def _describe_picture(
    picture: UnmatchedPicture, doctors: Sequence[CheckedRow], presenter: Presenter
) -> dict[str, object]:
    """Return a picture with the doctors whose rows its name resembles: a suggestion alone."""
    named = set(picture.similar)
    similar = [_describe_doctor(row, presenter) for row in doctors if row.position in named] if named else []
    name = picture.path.replace("\\", "/").rpartition("/")[2]
    return {"sha256": picture.sha256, "name": name, "similar": similar}


def _describe_given(
    given: Sequence[GivenPicture], checked: CheckedRows | None, presenter: Presenter
) -> list[dict[str, str]]:
    rows = {row.line.key: row for row in checked.rows if row.line.key} if checked else {}
    described = []
    for picture in reversed(given):
        row = rows.get(picture.key)
        doctor = (
            _describe_doctor(row, presenter) if row else {"name": presenter.render("who.nameless"), "who": ""}
        )
        described.append({**doctor, "key": picture.key, "picture": picture.picture})
    return described
