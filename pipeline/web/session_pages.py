"""The way in and out, the switch of the language, and the files that every page needs."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from pipeline.reports.html_pages import build_style
from pipeline.web.access import PageAddress, Role
from pipeline.web.entrance import SESSION_SECONDS, Entrance, OneTimeEntrance, PasswordEntrance
from pipeline.web.security import (
    ENTRY_FIELD,
    ENTRY_PATH,
    IS_BEHIND,
    SESSION,
    SIGN_IN,
    Handler,
    RequestRefused,
    Route,
    is_for_page,
)
from pipeline.web.site import Site
from pipeline.web.users import FailedAttempts
from pipeline.web.view import LANGUAGE_COOKIE, LANGUAGES, PageView, make_redirect

STATIC = Path(__file__).parent / "static"
YEAR = 365 * 24 * 3600  # seconds
MAX_NAME = 64  # characters of a name that is shown again
_OWN_PATH = re.compile(r"/(?:[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)?")


class SessionPages:
    """Opens and ends the sessions of browsers; ``report_entry`` is called after each that the one-time address opened."""

    def __init__(
        self,
        site: Site,
        view: PageView,
        address: PageAddress,
        entrance: Entrance,
        report_entry: Callable[[], None],
    ) -> None:
        self._site = site
        self._view = view
        self._address = address
        self._entrance = entrance
        self._report_entry = report_entry
        self._attempts = FailedAttempts(site.clock.monotonic)
        self._comparing = asyncio.Lock()  # one password at a time: each takes 64 MB
        self._style = build_style("report.html") + (STATIC / "page.css").read_text("utf-8")
        self._scripts = {path.name: path.read_text("utf-8") for path in STATIC.glob("*.js")}
        self._icon = (STATIC / "icon.svg").read_text("utf-8")

    def list_routes(self) -> Iterator[Route]:
        yield Route("GET", "/static/page.css", Role.ANYONE, self._send_style)
        for name in self._scripts:
            yield Route("GET", f"/static/{name}", Role.ANYONE, self._send_script)
        yield Route("GET", "/static/icon.svg", Role.ANYONE, self._send_icon)
        yield Route("POST", "/language", Role.LOOK, self._set_language)
        yield Route("POST", "/sign-in", Role.ANYONE, self._sign_in)
        yield Route("POST", "/leave", Role.LOOK, self._leave)

    @web.middleware
    async def look_at_ledger(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Find out, before a page is shown to a session, whether its ledger is behind the journals."""
        if SESSION in request and is_for_page(request):
            request[IS_BEHIND] = await self._site.read(self._site.is_ledger_behind)
        return await handler(request)

    async def enter(self, request: web.Request) -> web.StreamResponse:
        """Open a session for a one-time address. Raises RequestRefused for one that was used.

        The answer is a page that leads on: a browser that was led here by another page would not send the new cookie with
        a redirect.
        """
        if self._entrance.get_session(request, request.cookies.get(self._address.cookie)) is not None:
            return make_redirect(ENTRY_PATH)
        if not isinstance(self._entrance, OneTimeEntrance):
            raise RequestRefused(401, self._entrance.no_session)
        session_id = self._entrance.open(request.query[ENTRY_FIELD])
        if session_id is None:
            raise RequestRefused(401, "web.used_address")
        await self._record(self._entrance.user, "enter", request)
        response = self._view.render(request, "enter.html", title=None)
        self._set_cookie(response, session_id)
        self._report_entry()
        return response

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        """Open a session for a name and its password. Raises RequestRefused for others, and for too many attempts."""
        if not isinstance(self._entrance, PasswordEntrance):
            raise RequestRefused(404, "web.no_page")
        form = await request.post()
        name, password = str(form.get("name", "")), str(form.get("password", ""))
        request[SIGN_IN] = {"name": name[:MAX_NAME], "back": str(form.get("back", ""))}
        of_name, of_address = f"name {name[:64]}", f"address {request.remote}"
        async with self._comparing:
            wait = self._attempts.get_wait(of_name, of_address)
            if wait > 0:
                raise RequestRefused(429, "web.too_many_attempts", seconds=math.ceil(wait))
            user = await self._site.read(self._entrance.compare, name, password)
            if user is None:
                self._attempts.add(of_name, of_address)
        if user is None:
            is_known = name in self._entrance.users.read()
            await self._record(name if is_known else "?", "sign-in refused", request)
            raise RequestRefused(401, "web.wrong_password")
        self._attempts.clear(of_name)
        await self._record(user.name, "sign-in", request)
        self._entrance.close(request.cookies.get(self._address.cookie))
        response = _lead_back(form)
        self._set_cookie(response, self._entrance.open(user))
        return response

    async def _leave(self, request: web.Request) -> web.StreamResponse:
        await self._record(request[SESSION].user, "leave", request)
        self._entrance.close(request.cookies.get(self._address.cookie))
        response = make_redirect(ENTRY_PATH)
        response.del_cookie(self._address.cookie, path="/", secure=self._address.is_secure)
        return response

    def _set_cookie(self, response: web.StreamResponse, session_id: str) -> None:
        secure = self._address.is_secure
        response.set_cookie(
            self._address.cookie,
            session_id,
            max_age=int(SESSION_SECONDS),  # a browser that is closed and opened again stays in
            path="/",
            httponly=True,
            samesite="Strict",
            secure=secure,
        )

    async def _record(self, user: str, action: str, request: web.Request) -> None:
        """Record who came or went; a full disk keeps no one out who looks for its reason."""
        with suppress(OSError):
            await self._site.read(self._site.record_change, user, action, address=request.remote)

    async def _set_language(self, request: web.Request) -> web.StreamResponse:
        """Keep the language that was chosen, and lead back to the page that was shown."""
        form = await request.post()
        language, response = form.get("language"), _lead_back(form)
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


def _lead_back(form: Mapping[str, object]) -> web.Response:
    """Return an answer that leads to the page from which a form was sent."""
    back = str(form.get("back", ""))
    return make_redirect(back if _OWN_PATH.fullmatch(back) else ENTRY_PATH)
