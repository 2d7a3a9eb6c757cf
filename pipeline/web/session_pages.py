"""The way in and out, the switch of the language, and the files that every page needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from pipeline.reports.html_pages import build_style
from pipeline.web.access import BrowserSessions, PageAddress, Role
from pipeline.web.security import ENTRY_FIELD, ENTRY_PATH, SESSION, RequestRefused, Route
from pipeline.web.site import Site
from pipeline.web.view import LANGUAGE_COOKIE, LANGUAGES, PageView, make_redirect

STATIC = Path(__file__).parent / "static"
YEAR = 365 * 24 * 3600  # seconds
_OWN_PATH = re.compile(r"/(?:[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)?")


class SessionPages:
    """Opens and ends the sessions of browsers; ``report_entry`` is called after each that was opened."""

    def __init__(
        self,
        site: Site,
        view: PageView,
        address: PageAddress,
        sessions: BrowserSessions,
        report_entry: Callable[[], None],
    ) -> None:
        self._site = site
        self._view = view
        self._address = address
        self._sessions = sessions
        self._report_entry = report_entry
        self._style = build_style("report.html") + (STATIC / "page.css").read_text("utf-8")
        self._scripts = {path.name: path.read_text("utf-8") for path in STATIC.glob("*.js")}
        self._icon = (STATIC / "icon.svg").read_text("utf-8")

    def list_routes(self) -> Iterator[Route]:
        """Yield the routes."""
        yield Route("GET", "/static/page.css", Role.ANYONE, self._send_style)
        for name in self._scripts:
            yield Route("GET", f"/static/{name}", Role.ANYONE, self._send_script)
        yield Route("GET", "/static/icon.svg", Role.ANYONE, self._send_icon)
        yield Route("POST", "/language", Role.LOOK, self._set_language)
        yield Route("POST", "/leave", Role.LOOK, self._leave)

    async def enter(self, request: web.Request) -> web.StreamResponse:
        """Open a session for a one-time address. Raises RequestRefused for one that was used.

        The answer is a page that leads on: a browser that was led here by another page would not send the new cookie with
        a redirect.
        """
        if self._sessions.get(request.cookies.get(self._address.cookie)) is not None:
            return make_redirect(ENTRY_PATH)
        session_id = self._sessions.open(request.query[ENTRY_FIELD])
        if session_id is None:
            raise RequestRefused(401, "web.used_address")
        with suppress(OSError):  # a full disk keeps no one out who looks for the reason
            await self._site.read(self._site.record_change, self._sessions.user, "enter")
        response = self._view.render(request, "enter.html", title=None)
        response.set_cookie(self._address.cookie, session_id, path="/", httponly=True, samesite="Strict")
        self._report_entry()
        return response

    async def _leave(self, request: web.Request) -> web.StreamResponse:
        with suppress(OSError):
            await self._site.read(self._site.record_change, request[SESSION].user, "leave")
        self._sessions.close(request.cookies.get(self._address.cookie))
        response = make_redirect(ENTRY_PATH)
        response.del_cookie(self._address.cookie, path="/")
        return response

    async def _set_language(self, request: web.Request) -> web.StreamResponse:
        """Keep the language that was chosen, and lead back to the page that was shown."""
        form = await request.post()
        language, back = form.get("language"), form.get("back")
        is_own = isinstance(back, str) and _OWN_PATH.fullmatch(back) is not None
        response = make_redirect(str(back) if is_own else "/")
        if language in LANGUAGES:
            response.set_cookie(
                LANGUAGE_COOKIE, str(language), max_age=YEAR, path="/", httponly=True, samesite="Strict"
            )
        return response

    async def _send_style(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text=self._style, content_type="text/css")

    async def _send_script(self, request: web.Request) -> web.StreamResponse:
        text = self._scripts[request.path.removeprefix("/static/")]
        return web.Response(text=text, content_type="text/javascript")

    async def _send_icon(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text=self._icon, content_type="image/svg+xml")
