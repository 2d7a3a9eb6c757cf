"""The lists of seals as workbooks, as `export` writes them: all of them, those of one run, those of doctors who left."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from aiohttp import hdrs, web

from pipeline.operations.export import collect_seals, get_run_record, list_seal_notes, name_seal_workbook
from pipeline.reports.presenter import Presenter
from pipeline.reports.seal_list import write_seal_workbook
from pipeline.web.access import Role
from pipeline.web.run_files import SHEET_TYPE
from pipeline.web.security import RequestRefused, Route
from pipeline.web.site import Site
from pipeline.web.view import choose_language


class SealLists:
    """Sends the lists; each is made when it is asked for."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def list_routes(self) -> Iterator[Route]:
        yield Route("GET", "/seals/all.xlsx", Role.LOOK, self._send_all)
        yield Route("GET", "/seals/leavers.xlsx", Role.LOOK, self._send_leavers)
        yield Route("GET", "/seals/of/{run}.xlsx", Role.LOOK, self._send_of_run)

    async def _send_all(self, request: web.Request) -> web.StreamResponse:
        return await self._send(request)

    async def _send_leavers(self, request: web.Request) -> web.StreamResponse:
        return await self._send(request, leavers=True)

    async def _send_of_run(self, request: web.Request) -> web.StreamResponse:
        site, run = self._site, request.match_info["run"]
        if await site.read(get_run_record, site.config, site.clock, run) is None:
            raise RequestRefused(404, "web.no_run")
        return await self._send(request, run=run)

    async def _send(
        self, request: web.Request, *, run: str | None = None, leavers: bool = False
    ) -> web.StreamResponse:
        presenter = Presenter(choose_language(request))
        content = await self._site.read(self._make_workbook, presenter, run=run, leavers=leavers)
        name = name_seal_workbook(self._site.clock, run=run, leavers=leavers)
        headers = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"'}
        return web.Response(body=content, content_type=SHEET_TYPE, headers=headers)

    def _make_workbook(self, presenter: Presenter, *, run: str | None, leavers: bool) -> bytes:
        """Return the bytes of a workbook. Raises UsageError for leavers before a complete run."""
        seals = collect_seals(self._site.config, self._site.clock, run=run, leavers=leavers)
        notes = list_seal_notes(seals, presenter, run=run, leavers=leavers)
        with tempfile.TemporaryDirectory() as folder:
            return write_seal_workbook(Path(folder) / "seals.xlsx", seals, presenter, notes).read_bytes()
