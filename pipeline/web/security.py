"""Checks every request before its page is called, and gives every answer its headers. No page checks anything itself.

A request passes if its Host is the address listened on (no other name leads here), if it comes from our own pages, if its
session has the role of the route and, where it changes something, if it carries the session's token.

A body is a form, or one file for a route that takes it: `Body.FILE`. A file has a content type that no form of another page can
send, and its token is in the header; its page reads and bounds it. A body that is compressed, or not in UTF-8, is refused: no
browser sends one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from aiohttp import hdrs, web

from pipeline.messages.catalogue import make_message
from pipeline.version import PROGRAM
from pipeline.web.access import BrowserSession, PageAddress, Role
from pipeline.web.entrance import Entrance

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SESSION = web.RequestKey("session", BrowserSession)
IS_BEHIND = web.RequestKey("is_behind", bool)  # the ledger lacks what its journals hold
SIGN_IN = web.RequestKey("sign_in", dict)  # what a failed sign-in had: ``name``, and where to go ``back`` to
ENTRY_PATH, ENTRY_FIELD = "/", "token"
TOKEN_HEADER, TOKEN_FIELD = "X-Change-Token", "change_token"
MAX_BODY = 64 * 1024  # bytes of a form
UTF_8 = "utf-8"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": PROGRAM,
}
TLS_ONLY = "max-age=31536000"  # seconds for which browsers use no other way
_SITE, _MODE, _DESTINATION = "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"


class Body(Enum):
    """What the body of a change is, by its content type."""

    FORM = "application/x-www-form-urlencoded"  # of at most MAX_BODY bytes
    FILE = "application/octet-stream"  # the bytes of one file


def is_fragment(request: web.Request) -> bool:
    """Return whether htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def is_for_page(request: web.Request) -> bool:
    """Return whether a browser asks for a page or a part of it, not for a picture, a file or a stream."""
    return is_fragment(request) or "text/html" in request.headers.get(hdrs.ACCEPT, "")


class RequestRefused(Exception):
    """A request that is not answered: the status, and a sentence of the catalogue by its key."""

    def __init__(self, status: int, key: str, **detail: object) -> None:
        super().__init__(key)
        self.status = status
        self.message = make_message(key, **detail)


@dataclass(frozen=True, slots=True)
class Route:
    """One address of the page, with the role that it needs; there is no route without one."""

    method: Literal["GET", "POST"]
    path: str
    role: Role
    handler: Handler
    body: Body = Body.FORM


class RequestGuard:
    """Knows the routes, and lets requests through to them; a route that is not in its table is refused."""

    def __init__(self, address: PageAddress, entrance: Entrance, enter: Handler) -> None:
        self._address = address
        self._entrance = entrance
        self._enter = enter
        self._routes: dict[web.AbstractRoute, Route] = {}

    def register_routes(self, app: web.Application, routes: Iterable[Route]) -> None:
        """Add routes to the application."""
        for route in routes:
            self._routes[app.router.add_route(route.method, route.path, route.handler)] = route

    @web.middleware
    async def check_request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request that passes every check. Raises RequestRefused for any other."""
        self._require_host(request)
        is_change = request.method != hdrs.METH_GET
        if is_change:
            self._require_own_origin(request)
        else:
            _require_own_page(request)
        if request.path == ENTRY_PATH and ENTRY_FIELD in request.query and not is_change:
            return await self._enter(request)
        session = self._entrance.get_session(request, request.cookies.get(self._address.cookie))
        route = self._routes.get(request.match_info.route)
        if route is None or route.role is not Role.ANYONE:
            if session is None:
                is_of_page = is_change or is_fragment(request)  # of one that is open and had a session
                raise RequestRefused(401, "web.signed_out" if is_of_page else self._entrance.no_session)
            if request.match_info.http_exception is None and (route is None or session.role < route.role):
                raise RequestRefused(403, "web.no_role")
        if session is not None:
            request[SESSION] = session
        if is_change:
            await _require_body(request, route)
        if is_change and (route is None or route.role is not Role.ANYONE):
            await _require_token(request, session)
        return await handler(request)

    def _require_host(self, request: web.Request) -> None:
        """Raise RequestRefused for another name of this machine: a page elsewhere may have had it changed to this address."""
        if request.headers.getall(hdrs.HOST, []) != [self._address.netloc]:
            raise RequestRefused(421, "web.other_host", address=self._address.origin)

    def _require_own_origin(self, request: web.Request) -> None:
        """Raise RequestRefused for a change that another page sends.

        A form of a page without referrer has the origin ``null``: then only Sec-Fetch-Site shows whose it is.
        """
        origin, site = request.headers.get(hdrs.ORIGIN), request.headers.get(_SITE)
        is_own = origin == self._address.origin or (origin in {None, "null"} and site == "same-origin")
        if not is_own or site not in {None, "same-origin"}:
            raise RequestRefused(403, "web.other_origin")

    async def add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        """Give an answer the headers that every one has; a file of a run may have a policy of its own."""
        response.headers.update(HEADERS)
        if self._address.is_secure:
            response.headers["Strict-Transport-Security"] = TLS_ONLY
        response.headers.setdefault("Content-Security-Policy", POLICY)


def _require_own_page(request: web.Request) -> None:
    """Raise RequestRefused where a page of another origin loads something; a link in it may lead here."""
    if request.headers.get(_SITE, "none") in {"none", "same-origin"}:
        return
    if (request.headers.get(_MODE), request.headers.get(_DESTINATION)) != ("navigate", "document"):
        raise RequestRefused(403, "web.other_origin")


async def _require_body(request: web.Request, route: Route | None) -> None:
    """Raise RequestRefused for a body that the route cannot take; the application bounds the size of a form."""
    body = route.body if route else Body.FORM
    if request.content_type != body.value:
        raise RequestRefused(415, "web.no_form")
    if hdrs.CONTENT_ENCODING in request.headers or (request.charset or UTF_8).lower() != UTF_8:
        raise RequestRefused(400, "web.no_form")
    if body is Body.FORM:
        try:
            await request.post()
        except (web.RequestPayloadError, ValueError) as error:  # cut off or not as announced; not UTF-8
            raise RequestRefused(400, "web.no_form") from error


async def _require_token(request: web.Request, session: BrowserSession | None) -> None:
    """Raise RequestRefused for a change without the session's token: in the header, or in the form."""
    is_form = request.content_type == Body.FORM.value
    form = await request.post() if is_form else {}
    token: object = request.headers.get(TOKEN_HEADER, form.get(TOKEN_FIELD))
    if session is None or not session.is_own_token(token):
        raise RequestRefused(403, "web.no_token")
