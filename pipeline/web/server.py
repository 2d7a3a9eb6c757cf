"""The page's server: it listens on one address of this machine until a signal ends it."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from pipeline.domain.server_address import is_loopback
from pipeline.errors import UsageError, reason_of
from pipeline.ledger.lock import read_user_name
from pipeline.support.interrupts import call_at_signals
from pipeline.web.access import BrowserSessions, PageAddress
from pipeline.web.cases import CasePages
from pipeline.web.check_child import Checks
from pipeline.web.doctors import DoctorPages
from pipeline.web.home import HomePage
from pipeline.web.runs import RunPages
from pipeline.web.security import ENTRY_FIELD, ENTRY_PATH, MAX_BODY, RequestGuard
from pipeline.web.session_pages import SessionPages
from pipeline.web.site import Site
from pipeline.web.view import PageView

DEFAULT_ADDRESS = "127.0.0.1:8766"
LOCALHOST = "localhost"
SHUTDOWN_SECONDS = 2.0  # for which answers that are under way are waited for at the end


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
        if not is_loopback(host):
            raise UsageError("web.not_loopback", host=host, then=("serve",))
        self._site = site
        self._host = "127.0.0.1" if host == LOCALHOST else host
        self._port = port
        self._report_address = report_address
        self._report_failure = report_failure
        self._sessions = BrowserSessions(read_user_name())
        self._checks = Checks(site)
        self._address = PageAddress(self._host, port)  # of port 0: known once it listens

    @property
    def origin(self) -> str:
        """The address without a token."""
        return self._address.origin

    async def serve_until_signal(self) -> None:
        """Answer requests until SIGINT or SIGTERM."""
        stopped = asyncio.Event()
        with call_at_signals(asyncio.get_running_loop(), stopped.set):
            async with self.serve():
                await stopped.wait()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Answer requests while the block runs. Raises UsageError where the address cannot be taken."""
        with self._open_socket() as listener:
            self._address = PageAddress(self._host, listener.getsockname()[1])
            runner = web.AppRunner(
                self._build_application(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS
            )
            await runner.setup()
            try:
                await web.SockSite(runner, listener).start()
                self._report_entry()
                yield
            finally:
                await runner.cleanup()
                await asyncio.to_thread(self._checks.close)

    def _open_socket(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            return socket.create_server((self._host, self._port), family=family)
        except OSError as error:
            address, then = PageAddress(self._host, self._port).netloc, ("serve", "--listen", "127.0.0.1:0")
            if error.errno == errno.EADDRINUSE:
                raise UsageError("web.port_taken", address=address, then=then) from error
            why = reason_of(error)
            raise UsageError("web.port_failed", address=address, why=why, then=then) from error

    def _report_entry(self) -> None:
        """Report the address that lets one browser in."""
        token = self._sessions.entry_token
        self._report_address(f"{self.origin}{ENTRY_PATH}?{ENTRY_FIELD}={token}")

    def _build_application(self) -> web.Application:
        view = PageView(self._site.config.tenant, self._report_failure)
        sessions = SessionPages(self._site, view, self._address, self._sessions, self._report_entry)
        guard = RequestGuard(self._address, self._sessions, sessions.enter)
        app = web.Application(middlewares=[view.show_failures, guard.check_request], client_max_size=MAX_BODY)
        app.on_response_prepare.append(guard.add_headers)
        pages = (
            sessions,
            HomePage(self._site, view),
            RunPages(self._site, view),
            DoctorPages(self._site, view),
            CasePages(self._site, view),
        )
        for page in pages:
            guard.register_routes(app, page.list_routes())
        return app
