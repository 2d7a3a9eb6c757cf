"""Who uses the page, from which address, and the sessions of browsers, which are in memory alone."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from urllib.parse import urlsplit

from pipeline.version import PROGRAM

MAX_SESSIONS = 32  # browsers of one user at a time; the oldest is dropped
_TOKEN_BYTES = 32


class Role(IntEnum):
    """What a person may do; a higher role includes the lower ones."""

    ANYONE = 0  # also without a session
    LOOK = 1
    CLERK = 2
    SEND = 3


@dataclass(frozen=True, slots=True)
class PageUser:
    """A user of the page."""

    name: str
    role: Role
    since: str = ""  # ISO 8601
    password: str | None = field(default=None, repr=False)  # its argon2 digest; None: a proxy names the user


@dataclass(frozen=True, slots=True)
class PageAddress:
    """The address of the page: where it listens, and how browsers write it."""

    host: str
    port: int
    is_secure: bool = False  # by TLS of our own
    url: str | None = None  # as browsers write it, where that is not the address listened on

    @property
    def listened(self) -> str:
        """Host and port that are listened on."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def netloc(self) -> str:
        """Host and port, as the header Host has them: without the usual port."""
        if self.url:
            return urlsplit(self.url).netloc
        return self.listened.removesuffix(":443" if self.is_secure else ":80")

    @property
    def origin(self) -> str:
        """The origin, as the header Origin has it."""
        if self.url:
            return f"{urlsplit(self.url).scheme}://{self.netloc}"
        return f"{'https' if self.is_secure else 'http'}://{self.netloc}"

    @property
    def cookie(self) -> str:
        """The name of the session's cookie: cookies of one host are shared by all its ports."""
        return f"{'__Host-' if self.is_secure else ''}{PROGRAM}-{self.port}"


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """One browser that came in: who uses it, the role, and the token that each of its changes carries."""

    user: str  # who decides, in the ledger and in the page's log
    role: Role
    change_token: str = field(repr=False)

    def is_own_token(self, token: object) -> bool:
        """Return whether a request carries the token of this session."""
        if not isinstance(token, str):
            return False
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self.change_token.encode())


class ChangeTokens:
    """Makes the tokens that changes carry: one a user, so that a page that is open works on when its user comes in again."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(_TOKEN_BYTES)

    def make(self, user: str) -> str:
        return hmac.new(self._secret, user.encode(), hashlib.sha256).hexdigest()


class BrowserSessions:
    """The sessions that are open, by the digest of their ids. ``get_time`` returns monotonic seconds."""

    def __init__(self, get_time: Callable[[], float]) -> None:
        self._get_time = get_time
        self._change_tokens = ChangeTokens()
        self._sessions: dict[str, _OpenSession] = {}

    def open(self, user: PageUser, *, seconds: float = float("inf")) -> str:
        """Return the id of a new session."""
        session_id = secrets.token_urlsafe(_TOKEN_BYTES)
        session = BrowserSession(user.name, user.role, self._change_tokens.make(user.name))
        of_user = [digest for digest, other in self._sessions.items() if other.user.name == user.name]
        for digest in of_user[: max(0, len(of_user) - MAX_SESSIONS + 1)]:
            del self._sessions[digest]
        self._sessions[_digest(session_id)] = _OpenSession(session, user, self._get_time() + seconds)
        return session_id

    def get(self, session_id: str | None) -> BrowserSession | None:
        """Return the session of a cookie, None where there is none or it has ended."""
        opened = self._sessions.get(_digest(session_id)) if session_id else None
        return opened.session if opened is not None and self._get_time() < opened.until else None

    def get_of_user(self, session_id: str | None, users: Mapping[str, PageUser]) -> BrowserSession | None:
        """Return the session of a cookie; None also where its user is not as it was when the session was opened."""
        session = self.get(session_id)
        if session is None or session_id is None:
            return None
        return session if users.get(session.user) == self._sessions[_digest(session_id)].user else None

    def close(self, session_id: str | None) -> None:
        if session_id:
            self._sessions.pop(_digest(session_id), None)


@dataclass(frozen=True, slots=True)
class _OpenSession:
    session: BrowserSession
    user: PageUser  # as the file had it
    until: float  # monotonic seconds


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()
