"""Drop: rosters and pictures in, by the names that they have; a check starts by itself, and its result is shown."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from pipeline.domain.roster import ROSTER_SUFFIXES, format_size
from pipeline.errors import DiskTrouble
from pipeline.reports.presenter import Presenter
from pipeline.web.access import Role
from pipeline.web.check_child import Checks
from pipeline.web.drop import names
from pipeline.web.drop.folders import DropFolders
from pipeline.web.drop.names import (
    LARGEST,
    TOO_LARGE,
    DroppedName,
    DropRefused,
    Kind,
    parse_dropped_path,
    require_size,
)
from pipeline.web.drop.values import DropValues
from pipeline.web.drop.zips import unpack
from pipeline.web.rows.checked_rows import NewestRows
from pipeline.web.security import SESSION, Body, RequestRefused, Route, is_fragment
from pipeline.web.site import Site
from pipeline.web.view import PageView, choose_language, make_redirect

NAME_HEADER = "X-File-Name"  # percent-encoded, with the folders of a dropped folder
CHECK_SECONDS = 1.0  # after the last file of a drop
_CHUNK = 1 << 20


class DropPage:
    """The page for rosters and pictures, and what it takes in."""

    def __init__(self, site: Site, view: PageView, checks: Checks, newest: NewestRows) -> None:
        self._site = site
        self._view = view
        self._checks = checks
        self._folders = DropFolders(site)
        self._values = DropValues(site, checks, newest)
        self._uploads = 0  # under way
        self._language: str | None = None  # of the drop for which a check is to start
        self._is_ending = False
        self._timer: asyncio.TimerHandle | None = None

    def list_routes(self) -> Iterator[Route]:
        yield Route("GET", "/drop", Role.LOOK, self._show)
        yield Route("GET", "/drop/now", Role.LOOK, self._renew)
        yield Route("GET", "/drop/picture/{waiting}/{side}", Role.CLERK, self._send_picture)
        yield Route("POST", "/drop/file", Role.CLERK, self._receive, Body.FILE)
        yield Route("POST", "/drop/answer", Role.CLERK, self._answer)
        yield Route("POST", "/drop/answers", Role.CLERK, self._answer_all)
        yield Route("POST", "/drop/remove", Role.CLERK, self._remove)
        yield Route("POST", "/drop/check", Role.CLERK, self._check)

    async def begin(self, _: web.Application) -> None:
        """Remove what an earlier server left half written."""
        await self._site.read(self._folders.remove_remains)

    async def end(self, _: web.Application) -> None:
        """Let no zip go on when the server ends."""
        self._is_ending = True

    async def _show(self, request: web.Request) -> web.StreamResponse:
        presenter = Presenter(choose_language(request))
        values = await self._site.read(self._values.collect, presenter, is_due=self._timer is not None)
        return self._view.render(
            request,
            "drop.html",
            scripts=("drop.js",),
            title=presenter.render("web.nav.drop"),
            now=values,
            fault="",
            is_clerk=request[SESSION].role >= Role.CLERK,
            limits=json.dumps(_list_limits(presenter)),
        )

    async def _renew(self, request: web.Request, *, fault: str = "", status: int = 200) -> web.StreamResponse:
        """Return the part that changes; nothing where the browser has it as it is."""
        values = await self._site.read(
            self._values.collect, Presenter(choose_language(request)), is_due=self._timer is not None
        )
        if request.query.get("seen") == values["digest"]:
            return web.Response(status=204)
        is_clerk = request[SESSION].role >= Role.CLERK
        return self._view.render(
            request, "drop_now.html", status=status, now=values, is_clerk=is_clerk, fault=fault
        )

    async def _send_picture(self, request: web.Request) -> web.StreamResponse:
        """Send a small copy of a picture that waits, or of the one that it may replace."""
        waiting_id, side = request.match_info["waiting"], request.match_info["side"]
        data = await self._site.read(self._folders.read_preview, waiting_id, side)
        if data is None:
            raise RequestRefused(404, "web.no_file")
        return web.Response(body=data, content_type="image/jpeg")

    # -- files in

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        """Take one file, and return what became of it."""
        presenter = Presenter(choose_language(request))
        try:
            values = await self._take_file(request, presenter)
        except DropRefused as refusal:
            values = {"outcome": "refused", "text": refusal.render(presenter.language)}
        except OSError as error:
            trouble = DiskTrouble.of(error)
            text = presenter.mask_text(trouble.render(presenter.language))
            values = {"outcome": "refused", "text": text}
        return web.json_response(values)

    async def _take_file(self, request: web.Request, presenter: Presenter) -> dict[str, object]:
        path = _read_name(request)
        dropped = parse_dropped_path(path)
        if dropped is None:
            return {"outcome": "passed"}
        session = request[SESSION]
        size = request.content_length or 0
        require_size(dropped.kind, size)
        async with self._count_upload(choose_language(request)), self._open_draft(dropped, size) as draft:
            sha256 = await self._write_body(request, dropped, draft)
            if dropped.kind == "zip":
                return await self._site.read(self._unpack, draft, dropped, session.user, presenter)
            picture_size = draft.stat().st_size if dropped.kind == "picture" else 0
            outcome = await self._site.read(self._folders.store, draft, dropped, sha256, session.user)
            note = self._describe_size(picture_size, presenter)
            notes = {"note": note} if note else {}
            return {"outcome": outcome, **notes, **_describe_name(dropped, path, presenter)}

    def _describe_size(self, picture_size: int, presenter: Presenter) -> str | None:
        """Return that a picture is made smaller before it is sent, None where it is not too large."""
        size, limit = picture_size, self._folders.sent_bytes
        if size <= limit:
            return None
        return presenter.render("web.drop.made_smaller", size=format_size(size), limit=format_size(limit))

    @asynccontextmanager
    async def _open_draft(self, dropped: DroppedName, size: int) -> AsyncIterator[Path]:
        """Yield an empty file in the folder of a kind; it is removed unless the block gives it a name."""
        manager = self._folders.open_draft(dropped.kind, size)
        draft = await self._site.read(manager.__enter__)
        try:
            yield draft
        finally:
            await asyncio.shield(self._site.read(manager.__exit__, None, None, None))

    async def _write_body(self, request: web.Request, dropped: DroppedName, draft: Path) -> str:
        """Write the bytes of a request into a draft, within the limits, and return their SHA-256."""
        digest, size = hashlib.sha256(), 0
        with draft.open("wb") as file:
            while True:
                try:
                    async with asyncio.timeout(names.IDLE_SECONDS):
                        chunk = await request.content.read(_CHUNK)
                except TimeoutError:
                    raise DropRefused("web.drop.too_slow") from None
                if not chunk:
                    break
                size += len(chunk)
                require_size(dropped.kind, size)
                digest.update(chunk)
                await self._site.read(self._folders.write, file, chunk, dropped.kind)
        return digest.hexdigest()

    def _unpack(
        self, draft: Path, dropped: DroppedName, user: str, presenter: Presenter
    ) -> dict[str, object]:
        """Unpack a zip, and return how many files became what, why some were refused, and which pictures are made smaller."""
        counts: Counter[str] = Counter()
        refused: list[dict[str, str]] = []
        notes: list[dict[str, str]] = []
        for file in unpack(self._folders, draft, dropped.name[: -len(".zip")], user):
            if self._is_ending:
                raise DropRefused("web.drop.too_slow")
            if file.refusal is None:
                counts[str(file.outcome)] += 1
                if note := self._describe_size(file.picture_size, presenter):
                    notes.append({"name": presenter.mask_text(file.path), "text": note})
                continue
            text = file.refusal.render(presenter.language)
            refused.append({"name": presenter.mask_text(file.path), "text": text})
        return {"outcome": "unpacked", "counts": counts, "refused": refused, "notes": notes}

    @asynccontextmanager
    async def _count_upload(self, language: str) -> AsyncIterator[None]:
        """Count an upload while the block runs; a check starts a moment after the last one."""
        self._uploads += 1
        if self._timer is not None:
            self._timer.cancel()
        try:
            yield
        finally:
            self._uploads -= 1
            self._start_check_soon(language)

    def _start_check_soon(self, language: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._uploads == 0:
            self._timer = asyncio.get_running_loop().call_later(CHECK_SECONDS, self._start_check, language)

    def _start_check(self, language: str) -> None:
        self._timer = None
        self._checks.start(language)

    # -- what a person decides

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """Replace a file by the one that waits, or leave it."""
        form = await request.post()
        waiting_id, stamp = str(form.get("waiting", "")), str(form.get("stamp", ""))
        answer, user, site = form.get("answer"), request[SESSION].user, self._site
        if answer == "replace":
            if await site.read(self._folders.replace, waiting_id, stamp, user) is None:
                return await self._show_changed(request)
            self._start_check_soon(choose_language(request))
        elif answer == "leave" and not await site.read(self._folders.leave, waiting_id, stamp, user):
            return await self._show_changed(request)
        return await self._show_again(request)

    async def _answer_all(self, request: web.Request) -> web.StreamResponse:
        """Replace all files by those that wait, or leave all."""
        form = await request.post()
        answer, digest = str(form.get("answer")), str(form.get("seen"))
        try:
            is_done = await self._site.read(self._folders.answer_all, answer, digest, request[SESSION].user)
        finally:
            self._start_check_soon(choose_language(request))  # also where the disk refused one in the middle
        if not is_done:
            return await self._show_changed(request)
        return await self._show_again(request)

    async def _remove(self, request: web.Request) -> web.StreamResponse:
        """Move a roster to the replaced files."""
        form = await request.post()
        file_id, stamp = str(form.get("file", "")), str(form.get("stamp", ""))
        user = request[SESSION].user
        if not await self._site.read(self._folders.remove, file_id, stamp, user):
            return await self._show_changed(request)
        self._start_check_soon(choose_language(request))
        return await self._show_again(request)

    async def _check(self, request: web.Request) -> web.StreamResponse:
        """Start a check without a new file."""
        self._checks.start(choose_language(request))
        return await self._show_again(request)

    async def _show_changed(self, request: web.Request) -> web.StreamResponse:
        """Return the part that changes as it is now: a file is not the one that was shown, and nothing was done."""
        if not is_fragment(request):
            raise RequestRefused(409, "web.drop.changed")
        fault = Presenter(choose_language(request)).render("web.drop.changed")
        return await self._renew(request, fault=fault, status=409)

    async def _show_again(self, request: web.Request) -> web.StreamResponse:
        """Return the part that changes to htmx, and lead any other browser back to the page."""
        if not is_fragment(request):
            return make_redirect("/drop")
        return await self._renew(request)


def _read_name(request: web.Request) -> str:
    """Return the path of the file of a request. Raises DropRefused."""
    try:
        return unquote(request.headers.get(NAME_HEADER, ""), errors="strict")
    except UnicodeDecodeError:
        raise DropRefused("web.drop.unreadable_name") from None


def _list_limits(presenter: Presenter) -> dict[str, tuple[int, str]]:
    """Return, by the end of a name, the most bytes of a file and the sentence for more; pictures have any other end."""
    kinds: dict[str, Kind] = {"": "picture", **dict.fromkeys(ROSTER_SUFFIXES, "roster"), ".zip": "zip"}
    return {
        suffix: (
            LARGEST[kind],
            presenter.render(TOO_LARGE[kind], size="%size", limit=format_size(LARGEST[kind])),
        )
        for suffix, kind in kinds.items()
    }


def _describe_name(dropped: DroppedName, path: str, presenter: Presenter) -> dict[str, object]:
    """Return the name under which a file is stored, and whether it is another one than it had."""
    sent = path.rpartition("/")[2] if dropped.kind == "roster" else path
    return {"name": presenter.mask_text(dropped.path), "is_renamed": sent != dropped.path}
