"""Who may come in: the address listened on, one-time tokens, and the sessions that they open. All of it is in memory alone."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from enum import IntEnum

from pipeline.version import PROGRAM

MAX_SESSIONS = 32  # browsers at a time; the oldest is dropped
_TOKEN_BYTES = 32


class Role(IntEnum):
    """What a person may do; a higher role includes the lower ones."""

    ANYONE = 0  # also without a session
    LOOK = 1
    CLERK = 2
    SEND = 3


@dataclass(frozen=True, slots=True)
class PageAddress:
    """The address that the page is listened on, as browsers write it."""

    host: str
    port: int

    @property
    def netloc(self) -> str:
        """Host and port, as the header Host has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """The origin, as the header Origin has it."""
        return f"http://{self.netloc}"

    @property
    def cookie(self) -> str:
        """The name of the session's cookie: cookies of one host are shared by all its ports."""
        return f"{PROGRAM}-{self.port}"


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """One browser that came in: who uses it, the role, and the token that each of its changes carries."""

    user: str  # who decides, in the ledger and in the page's log
    role: Role
    change_token: str = field(repr=False)

    def is_own_token(self, token: object) -> bool:
        """Return whether a request carries the token of this session."""
        return isinstance(token, str) and hmac.compare_digest(token.encode(), self.change_token.encode())


class BrowserSessions:
    """The one-time token that opens the next session, and the sessions that are open, by the digest of their ids.

    ``user`` is who uses them: the one-time address is printed to the user who runs the program.
    """

    def __init__(self, user: str) -> None:
        self.user = user
        self._entry_token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._sessions: dict[str, BrowserSession] = {}

    @property
    def entry_token(self) -> str:
        """The token that opens one session, and is another one then."""
        return self._entry_token

    def open(self, token: str) -> str | None:
        """Return the id of a new session for the entry token, None for any other token."""
        if not hmac.compare_digest(token.encode(), self._entry_token.encode()):
            return None
        self._entry_token = secrets.token_urlsafe(_TOKEN_BYTES)
        session_id = secrets.token_urlsafe(_TOKEN_BYTES)
        while len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[_digest(session_id)] = BrowserSession(
            self.user, Role.SEND, secrets.token_urlsafe(_TOKEN_BYTES)
        )
        return session_id

    def get(self, session_id: str | None) -> BrowserSession | None:
        """Return the session of a cookie, None where there is none."""
        return self._sessions.get(_digest(session_id)) if session_id else None

    def close(self, session_id: str | None) -> None:
        """End a session."""
        if session_id:
            self._sessions.pop(_digest(session_id), None)


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()
