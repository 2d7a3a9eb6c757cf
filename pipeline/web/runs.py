"""Runs: the history, and one run with its numbers and files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import hdrs, web

from pipeline.operations.export import ListedRun, collect_runs, get_run_record
from pipeline.reports.presenter import Presenter
from pipeline.reports.styles import STATUSES_OF_FILES
from pipeline.resolution.ledger_status import read_last_run
from pipeline.web.access import Role
from pipeline.web.run_files import RunFile, list_run_files
from pipeline.web.run_values import NOT_BEGUN, count_rows, describe_record, describe_run_end
from pipeline.web.security import SESSION, RequestRefused, Route
from pipeline.web.site import Site
from pipeline.web.view import PageView, choose_language

MAX_RUNS = 100
KIB = 1024
_LINKS = '<nav class="pages"'  # of a report: to the other files


class RunPages:
    """The list of runs, one run, and the files of its folder."""

    def __init__(self, site: Site, view: PageView) -> None:
        self._site = site
        self._view = view

    def list_routes(self) -> Iterator[Route]:
        yield Route("GET", "/runs", Role.LOOK, self._show_runs)
        yield Route("GET", "/runs/{run}", Role.LOOK, self._show_run)
        yield Route("GET", "/runs/{run}/{file}", Role.LOOK, self._send_file)

    async def _show_runs(self, request: web.Request) -> web.StreamResponse:
        presenter, site = Presenter(choose_language(request)), self._site
        runs = await site.read(collect_runs, site.config, site.clock, MAX_RUNS)
        listed = [_describe_listed_run(run, presenter) for run in runs]
        title = presenter.render("web.nav.runs")
        return self._view.render(request, "runs.html", title=title, runs=listed, limit=MAX_RUNS)

    async def _show_run(self, request: web.Request) -> web.StreamResponse:
        presenter, site = Presenter(choose_language(request)), self._site
        record = await site.read(get_run_record, site.config, site.clock, request.match_info["run"])
        if record is None:
            raise RequestRefused(404, "web.no_run")
        files = await site.read(list_run_files, record)
        last = await site.read(read_last_run, site.config, site.clock, NOT_BEGUN)
        return self._view.render(
            request,
            "run.html",
            title=presenter.render("web.run.title", run=record.run),
            last=describe_record(record, presenter),
            files=[_describe_file(file, presenter) for file in files if request[SESSION].role >= file.role],
            has_seals=bool(record.content.get("statuses", {}).get("sealed")),
            rosters=[
                _describe_roster(roster, site.config.base.absolute(), presenter)
                for roster in record.content.get("files", ())
            ],
            is_last=last is not None and last.run == record.run,
            rate=record.content.get("rate", {}),
            requests=record.content.get("requests", {}),
        )

    async def _send_file(self, request: web.Request) -> web.StreamResponse:
        """Send a file of the list, never what a path names; the names of the list are compared with that of the request."""
        site = self._site
        record = await site.read(get_run_record, site.config, site.clock, request.match_info["run"])
        files = await site.read(list_run_files, record) if record is not None else []
        wanted = request.match_info["file"]
        file = next((file for file in files if file.name == wanted), None)
        if record is None or file is None:
            raise RequestRefused(404, "web.no_file")
        session = request[SESSION]
        if session.role < file.role:
            raise RequestRefused(403, "web.no_role")
        if file.kind == "copy":  # it holds whole numbers
            await site.read(
                site.record_change, session.user, "marked copy", run=record.run, file=file.path.name
            )
        policy = await site.read(file.read_own_policy)
        headers: dict[str, str] = {hdrs.CONTENT_TYPE: file.content_type}
        if policy is None:
            name = quote(file.path.name, safe="", errors="replace")
            headers[hdrs.CONTENT_DISPOSITION] = f"attachment; filename*=UTF-8''{name}"
            return web.FileResponse(file.path, headers=headers)
        headers["Content-Security-Policy"] = f"{policy}; frame-ancestors 'none'"
        presenter = Presenter(choose_language(request))
        text = await site.read(_add_way_back, file.path, f"/runs/{quote(record.run)}", presenter)
        return web.Response(body=text.encode(), headers=headers)


def _add_way_back(path: Path, address: str, presenter: Presenter) -> str:
    """Return a report with a link to the page of its run; the file itself stays as it is."""
    head, start, rest = path.read_text("utf-8").partition(_LINKS)
    link = f'<a href="{address}">{escape(presenter.render("web.back"))}</a>'
    opening, end, links = rest.partition(">")
    return f"{head}{start}{opening}{end}\n{link}{links}" if start else head


def _describe_listed_run(run: ListedRun, presenter: Presenter) -> dict[str, object]:
    return {
        **describe_run_end(run, presenter),
        "files": run.files,
        "statuses": count_rows(run, presenter),
        "user": run.user,
        "accepted": run.accepted_guards,
    }


def _describe_file(file: RunFile, presenter: Presenter) -> dict[str, object]:
    size = file.size / KIB
    shown_name = presenter.mask_text(file.path.name)
    return {
        "name": file.name,
        "kind": file.kind,
        "what": presenter.render(f"web.file.{file.kind}"),
        "shown": shown_name,
        "size": f"{size / KIB:.1f} MB" if size >= KIB else f"{max(1, round(size))} KB",
    }


def _describe_roster(roster: Mapping[str, Any], base: Path, presenter: Presenter) -> dict[str, object]:
    """Return a roster of a run; below ``base`` by its path from there, elsewhere by its name."""
    path = Path(roster["path"])
    shown_path = path.relative_to(base) if path.is_relative_to(base) else Path(path.name)
    return {
        "path": presenter.mask_path(shown_path),
        "word": presenter.render(f"file.{roster['status']}"),
        "colour": STATUSES_OF_FILES[roster["status"]].value,
        "rows": roster.get("rows", 0),
        "codes": roster.get("codes", ()),
    }
