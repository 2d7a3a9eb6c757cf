"""Seals made elsewhere: one sheet is uploaded, what it would enter is shown, and entered after a yes.

The file lies in the page's state, readable by its owner alone, until it is answered; another file of the same user takes its place.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from pipeline.domain.masking import mask_text
from pipeline.domain.roster import ROSTER_SUFFIXES
from pipeline.errors import EsignImportError, UsageError
from pipeline.intake.read_rosters import MAX_BYTES
from pipeline.reports.presenter import Presenter
from pipeline.resolution.adoption import Adoption, open_adoption, require_no_lost_ledger
from pipeline.support.atomic_files import create_private_file, make_folder
from pipeline.web.access import Role
from pipeline.web.check_child import Checks
from pipeline.web.security import SESSION, Body, RequestRefused, Route
from pipeline.web.site import Site
from pipeline.web.view import PageView, choose_language
from pipeline.web.words import name_controls

NAME_HEADER = "X-File-Name"  # percent-encoded
SCRIPT = "adopt.js"
IDLE_SECONDS = 30.0  # for which the next bytes of a file are waited for
MAX_SHOWN = 500  # seals, and refused rows
MAX_WHY = 300  # characters
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class UploadedSheet:
    """A sheet that waits for a yes."""

    token: str
    path: Path = field(repr=False)
    name: str = field(repr=False)  # as the user's computer has it, masked


class AdoptPages:
    """The upload, what it would enter, and the yes."""

    def __init__(self, site: Site, view: PageView, checks: Checks) -> None:
        self._site = site
        self._view = view
        self._checks = checks
        self._folder = site.state / "adopt"
        self._sheets: dict[str, UploadedSheet] = {}  # by user
        shutil.rmtree(self._folder, ignore_errors=True)  # of a server that was killed

    def list_routes(self) -> Iterator[Route]:
        """Yield the routes."""
        yield Route("GET", "/adopt", Role.CLERK, self._show)
        yield Route("POST", "/adopt/file", Role.CLERK, self._receive, Body.FILE)
        yield Route("POST", "/adopt/enter", Role.CLERK, self._enter)
        yield Route("POST", "/adopt/forget", Role.CLERK, self._forget)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        return self._render(request)

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        """Keep one file, and show what it would enter; nothing is entered."""
        user, site = request[SESSION].user, self._site
        try:
            await site.read(require_no_lost_ledger, site.config)
            sheet = await self._keep(request, user)
            preview = await site.read(self._read_preview, sheet, Presenter(choose_language(request)))
        except EsignImportError as error:
            refused = self._sheets.get(user)
            await site.read(self._remove, user)
            return self._render_fault(request, error, refused)
        return self._render(request, preview=preview)

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        """Enter what was shown, and nothing else."""
        user, form, site = request[SESSION].user, await request.post(), self._site
        sheet = self._sheets.get(user)
        if sheet is None or form.get("sheet") != sheet.token:
            raise RequestRefused(409, "web.adopt.gone")
        why = mask_text(str(form.get("why", "")).strip()[:MAX_WHY]) or f"adopt {sheet.name}"
        presenter = Presenter(choose_language(request))
        try:
            done = await site.read(self._enter_seen, sheet, str(form.get("seen", "")), user, why, presenter)
        except EsignImportError as error:
            return self._render_fault(request, error, sheet)
        await site.read(self._remove, user)
        self._checks.start()
        return self._render(request, done=done)

    async def _forget(self, request: web.Request) -> web.StreamResponse:
        await self._site.read(self._remove, request[SESSION].user)
        return self._render(request)

    def _render(
        self,
        request: web.Request,
        *,
        preview: dict[str, object] | None = None,
        done: str = "",
        fault: str = "",
        status: int = 200,
    ) -> web.Response:
        presenter = Presenter(choose_language(request))
        return self._view.render(
            request,
            "adopt.html",
            fragment="adopt_preview.html",
            status=status,
            scripts=(SCRIPT,),
            title=presenter.render("web.adopt.title"),
            suffixes=",".join(sorted(ROSTER_SUFFIXES)),
            preview=preview,
            done=done,
            fault=fault,
        )

    def _render_fault(
        self, request: web.Request, error: EsignImportError, sheet: UploadedSheet | None = None
    ) -> web.Response:
        """Return why nothing was entered; the file is named as its user knows it."""
        presenter = Presenter(choose_language(request))
        text = error.render(presenter.language)
        if sheet is not None:
            text = text.replace(str(sheet.path), sheet.name)
        text = name_controls(presenter.mask_text(text), presenter)
        return self._render(request, fault=text, status=409)

    async def _keep(self, request: web.Request, user: str) -> UploadedSheet:
        """Write the bytes of a request into a file of its own name. UsageError for what is no table, or is too large."""
        name = unquote(request.headers.get(NAME_HEADER, "").encode("utf-8", "replace").decode())
        suffix = next((one for one in ROSTER_SUFFIXES if name.lower().endswith(one)), None)
        if suffix is None:
            raise UsageError("web.adopt.no_table", name=mask_text(name[-100:]))
        await self._site.read(self._remove, user)
        token = secrets.token_hex(16)
        path = make_folder(self._folder) / f"{token}{suffix}"
        create_private_file(path)
        sheet = self._sheets[user] = UploadedSheet(
            token, path, mask_text(name.replace("\\", "/").rpartition("/")[2])
        )
        size = 0
        with path.open("wb") as file:
            while chunk := await self._read_chunk(request):
                size += len(chunk)
                if size > MAX_BYTES:
                    raise UsageError("web.adopt.too_large", limit=MAX_BYTES // 2**20)
                await self._site.read(file.write, chunk)
        return sheet

    async def _read_chunk(self, request: web.Request) -> bytes:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                return await request.content.read(_CHUNK)
        except TimeoutError:
            raise UsageError("web.adopt.too_slow") from None

    def _remove(self, user: str) -> None:
        """Remove the sheet of a user."""
        sheet = self._sheets.pop(user, None)
        if sheet is not None:
            with suppress(OSError):
                sheet.path.unlink(missing_ok=True)

    def _read_preview(self, sheet: UploadedSheet, presenter: Presenter) -> dict[str, object]:
        site = self._site
        with open_adoption(
            site.config, site.clock, sheet.path, changes=False, invocation=site.invocation
        ) as adoption:
            return _describe(adoption, sheet, presenter)

    def _enter_seen(self, sheet: UploadedSheet, seen: str, user: str, why: str, presenter: Presenter) -> str:
        """Enter the seals of a sheet, and return the sentence on it. UsageError where they are not those that were shown."""
        site = self._site
        require_no_lost_ledger(site.config)
        with open_adoption(
            site.config, site.clock, sheet.path, changes=True, invocation=site.invocation
        ) as adoption:
            if adoption.compute_digest() != seen:
                raise UsageError("web.adopt.changed")
            seals = adoption.adoptable.seals
            site.record_change(user, "adopt", seals=len(seals), file=sheet.name)
            adoption.enter(user, why)
            return presenter.render("adopted", n=len(seals), others=adoption.adoptable.describe_others())


def _describe(adoption: Adoption, sheet: UploadedSheet, presenter: Presenter) -> dict[str, object]:
    """Return what would be entered and what is refused, numbers masked."""
    adoptable, language = adoption.adoptable, presenter.language
    refused = [
        (
            presenter.mask_text(address.as_message().render(language)),
            name_controls(presenter.mask_text(reason.render(language)), presenter),
        )
        for address, reason in adoptable.refused.items()
    ]
    return {
        "sheet": sheet.token,
        "seen": adoption.compute_digest(),
        "name": sheet.name,
        "seals": adoptable.seals[:MAX_SHOWN],
        "total": len(adoptable.seals),
        "others": presenter.render_text(adoptable.describe_others()),
        "refused": refused[:MAX_SHOWN],
        "left_out": max(0, len(adoptable.seals) - MAX_SHOWN) + max(0, len(refused) - MAX_SHOWN),
    }
