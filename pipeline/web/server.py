"""The page's server: it listens on one address of this machine until a signal ends it."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from aiohttp import web

from pipeline.domain.server_address import is_loopback
from pipeline.errors import UsageError, reason_of
from pipeline.ledger.lock import read_user_name
from pipeline.support.interrupts import call_at_signals
from pipeline.support.rights import is_exposed
from pipeline.support.terminal_text import quote
from pipeline.web.access import BrowserSessions, PageAddress
from pipeline.web.cases import CasePages
from pipeline.web.check_child import Checks, DelayedCheck
from pipeline.web.doctors import DoctorPages
from pipeline.web.drop.page import DropPage
from pipeline.web.entrance import Entrance, OneTimeEntrance, PasswordEntrance, ProxyEntrance
from pipeline.web.home import HomePage
from pipeline.web.review import ReviewPages
from pipeline.web.rows.checked_rows import NewestRows
from pipeline.web.rows.doctor_pictures import DoctorPictures
from pipeline.web.rows.pages import RowPages
from pipeline.web.rows.pictures import PicturePages
from pipeline.web.rows.roster_cells import RosterCells
from pipeline.web.runs import RunPages
from pipeline.web.seals import SealLists
from pipeline.web.security import ENTRY_FIELD, ENTRY_PATH, MAX_BODY, RequestGuard, Route
from pipeline.web.send.page import SendPage
from pipeline.web.session_pages import SessionPages
from pipeline.web.site import Site
from pipeline.web.users import UserFile
from pipeline.web.view import PageView

LOCALHOST = "localhost"
ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - of this machine: no browser writes it
SHUTDOWN_SECONDS = 2.0  # for which answers that are under way are waited for at the end
_QUIET = logging.getLogger(f"{__name__}.http")
_QUIET.setLevel(logging.CRITICAL)  # aiohttp would print a traceback of each request that is no HTTP


class Pages(Protocol):
    """Pages that belong together."""

    def list_routes(self) -> Iterable[Route]:
        """Return their routes."""


async def serve_pages(servers: Sequence[PageServer]) -> None:
    """Answer requests until SIGINT or SIGTERM."""
    stopped = asyncio.Event()
    with call_at_signals(asyncio.get_running_loop(), stopped.set):
        async with AsyncExitStack() as pages:
            for server in servers:
                await pages.enter_async_context(server.serve())
            await stopped.wait()


class PageServer:
    """Serves the pages of one hospital.

    ``report_address`` gets the one-time address, and the next one when it was used, ``report_failure`` a program error.
    """

    def __init__(
        self,
        site: Site,
        host: str,
        port: int,
        *,
        report_address: Callable[[str], None],
        report_failure: Callable[[Exception], None],
    ) -> None:
        self._site = site
        self._settings = site.config.web
        self._tls = _load_certificate(site)
        self._address = self._make_address("127.0.0.1" if host == LOCALHOST else host, port)
        self._report_address = report_address
        self._report_failure = report_failure
        self._checks = Checks(site)
        self._entrance = self._choose_entrance()

    @property
    def origin(self) -> str:
        """The address without a token."""
        return self._address.origin

    def _make_address(self, host: str, port: int) -> PageAddress:
        return PageAddress(host, port, is_secure=self._tls is not None, url=self._settings.url)

    def _choose_entrance(self) -> Entrance:
        """Return the way in. Raises UsageError where other computers could come in without users or encryption."""
        settings, host = self._settings, self._address.host
        sessions = BrowserSessions(self._site.clock.monotonic)
        users = UserFile(self._site.state)
        if settings.trusted_proxy is not None:
            entrance: Entrance = ProxyEntrance(settings.trusted_proxy, users)
        elif self._tls is not None:
            entrance = PasswordEntrance(sessions, users)
        elif is_loopback(host):
            return OneTimeEntrance(sessions, read_user_name())
        else:
            raise UsageError("web.not_loopback", host=host, then=("serve",))
        if settings.url is None and host in ANY_ADDRESS:
            raise UsageError("web.needs_url", host=host)
        if not users.read():
            raise UsageError("web.no_users", then=("user", "add"))
        return entrance

    @property
    def port(self) -> int:
        return self._address.port

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Answer requests while the block runs. Raises UsageError where the address cannot be taken."""
        with self._open_socket() as listener:
            self._address = self._make_address(self._address.host, listener.getsockname()[1])
            runner = web.AppRunner(
                self._build_application(),
                access_log=None,
                logger=_QUIET,
                auto_decompress=False,  # a body that is compressed is refused
                shutdown_timeout=SHUTDOWN_SECONDS,
            )
            await runner.setup()
            try:
                await web.SockSite(runner, listener, ssl_context=self._tls).start()
                self._report_entry()
                yield
            finally:
                await runner.cleanup()
                await asyncio.to_thread(self._checks.close)

    def _open_socket(self) -> socket.socket:
        host, port = self._address.host, self._address.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return socket.create_server((host, port), family=family)
        except OSError as error:
            address, then = self._address.listened, ("serve", "--listen", "127.0.0.1:0")
            if error.errno == errno.EADDRINUSE:
                raise UsageError("web.port_taken", address=address, then=then) from error
            why = reason_of(error)
            raise UsageError("web.port_failed", address=address, why=why, then=then) from error

    def _report_entry(self) -> None:
        """Report the address: with a token that lets one browser in, where users do not sign in."""
        if isinstance(self._entrance, OneTimeEntrance):
            self._report_address(f"{self.origin}{ENTRY_PATH}?{ENTRY_FIELD}={self._entrance.token}")
        else:
            self._report_address(self.origin)

    def _build_application(self) -> web.Application:
        view = PageView(self._site.config.tenant, self._entrance, self._report_failure)
        sessions = SessionPages(self._site, view, self._address, self._entrance, self._report_entry)
        guard = RequestGuard(self._address, self._entrance, sessions.enter)
        middlewares = [view.show_failures, guard.check_request, sessions.look_at_ledger]
        app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY)
        app.on_response_prepare.append(guard.add_headers)
        for page in (sessions, *self._make_pages(app, view)):
            guard.register_routes(app, page.list_routes())
        return app

    def _make_pages(self, app: web.Application, view: PageView) -> Iterable[Pages]:
        """Return the pages; those with work of their own begin and end with the application."""
        newest, rosters = NewestRows(self._checks), RosterCells(self._site)
        drop = DropPage(self._site, view, self._checks, newest)
        app.on_startup.append(drop.begin)
        app.on_shutdown.append(drop.end)
        send = SendPage(self._site, view, self._checks, newest)
        app.on_shutdown.append(send.close)
        delayed = DelayedCheck(self._checks)
        pictures = DoctorPictures(self._site, rosters)
        return (
            HomePage(self._site, view, newest),
            drop,
            send,
            RunPages(self._site, view),
            SealLists(self._site),
            DoctorPages(self._site, view),
            CasePages(self._site, view, newest, delayed),
            RowPages(self._site, view, self._checks, newest, rosters, pictures=pictures),
            PicturePages(self._site, view, self._checks, newest, rosters, pictures=pictures),
            ReviewPages(self._site, view, newest, delayed),
        )


def _load_certificate(site: Site) -> ssl.SSLContext | None:
    """Return the certificate for TLS, None where none is configured. Raises UsageError for one that cannot be used."""
    settings = site.config.web
    if settings.certificate is None or settings.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate, key = site.config.resolve_path(settings.certificate), site.config.resolve_path(settings.key)
    if is_exposed(key):
        mode = f"{stat.S_IMODE(key.stat().st_mode):04o}"
        raise UsageError("web.key_exposed", key=key, mode=mode, command=f"chmod 600 {quote(str(key))}")
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            "web.no_certificate", certificate=certificate, key=key, why=reason_of(error)
        ) from error
    return context
