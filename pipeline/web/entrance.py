"""The ways in: by a one-time address on this machine, by name and password, or as a proxy names the user."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from typing import Protocol

from aiohttp import web

from pipeline.web.access import BrowserSession, BrowserSessions, ChangeTokens, PageUser, Role
from pipeline.web.users import PasswordChecker, UserFile

SESSION_SECONDS = 12 * 3600.0  # of a session that was opened by a password
_TOKEN_BYTES = 32


class Entrance(Protocol):
    """A way in."""

    no_session: str  # key of the sentence for a request without a session
    asks_password: bool
    has_cookie: bool  # a session is one of a browser, which can be ended

    def get_session(self, request: web.Request, session_id: str | None) -> BrowserSession | None:
        """Return the session of a request, whose cookie holds ``session_id``."""

    def close(self, session_id: str | None) -> None:
        """End the session of a cookie."""


class OneTimeEntrance:
    """The way in on this machine: a token, printed to the user who runs the program, opens one session with every right."""

    no_session, asks_password, has_cookie = "web.no_session", False, True

    def __init__(self, sessions: BrowserSessions, user: str) -> None:
        self.user = user
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)  # another one after each session that it opened
        self._sessions = sessions
        self._user = PageUser(user, Role.SEND)

    def open(self, token: str) -> str | None:
        """Return the id of a new session for the token, None for any other token."""
        if not hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self.token.encode()):
            return None
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)
        return self._sessions.open(self._user)

    def get_session(self, request: web.Request, session_id: str | None) -> BrowserSession | None:  # noqa: ARG002 - the interface
        return self._sessions.get(session_id)

    def close(self, session_id: str | None) -> None:
        """End the session of a cookie."""
        self._sessions.close(session_id)


class PasswordEntrance:
    """The way in with TLS: name and password. A user who was removed or changed has no session any more."""

    no_session, asks_password, has_cookie = "web.sign_in", True, True

    def __init__(self, sessions: BrowserSessions, users: UserFile) -> None:
        self.users = users
        self._sessions = sessions
        self._passwords = PasswordChecker()

    def compare(self, name: str, password: str) -> PageUser | None:
        """Return the user of this name if the password is right; it takes as long for a name that no user has."""
        user = self.users.read().get(name)
        return user if self._passwords.is_right(user, password) else None

    def open(self, user: PageUser) -> str:
        """Return the id of a new session of a user whose password was right."""
        return self._sessions.open(user, seconds=SESSION_SECONDS)

    def get_session(self, request: web.Request, session_id: str | None) -> BrowserSession | None:  # noqa: ARG002 - the interface
        """Return the session of a cookie, as long as its user is as it was."""
        return self._sessions.get_of_user(session_id, self.users.read())

    def close(self, session_id: str | None) -> None:
        """End the session of a cookie."""
        self._sessions.close(session_id)


USER_HEADER = "X-Forwarded-User"


class ProxyEntrance:
    """The way in behind a proxy that has signed the user in: it names them in a header, and only it may send requests."""

    no_session, asks_password, has_cookie = "web.no_user", False, False

    def __init__(self, proxy: str, users: UserFile) -> None:
        self._network = ipaddress.ip_network(proxy)
        self._users = users
        self._change_tokens = ChangeTokens()

    def get_session(self, request: web.Request, session_id: str | None) -> BrowserSession | None:  # noqa: ARG002 - the interface
        """Return a session of the user who is named; None for another sender, an unknown user, or several names."""
        peer = request.transport.get_extra_info("peername") if request.transport else None
        if peer is None or ipaddress.ip_address(peer[0]) not in self._network:
            return None
        names = request.headers.getall(USER_HEADER, [])
        user = self._users.read().get(names[0]) if len(names) == 1 else None
        if user is None:
            return None
        return BrowserSession(user.name, user.role, self._change_tokens.make(user.name))

    def close(self, session_id: str | None) -> None:
        """Do nothing: the proxy knows who is signed in."""
