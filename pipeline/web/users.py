"""Who may use the page from other computers: names, roles and password digests, in a file next to the ledger.

Passwords are digested by argon2 (extra ``web``). Where a proxy names the user there are no passwords.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import LedgerError, UsageError
from pipeline.support.atomic_files import identify_file, make_folder, write_json
from pipeline.web.access import PageUser, Role

if TYPE_CHECKING:
    from argon2 import PasswordHasher

USERS_FILE = "page-users.json"
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 200  # characters
ROLES = {role.name.lower(): role for role in (Role.LOOK, Role.CLERK, Role.SEND)}
_NAME = re.compile(r"[^\W_][\w.@ -]{0,62}")
FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0  # seconds
FREE_ATTEMPTS = 5  # before there is a wait
MAX_COUNTED = 1_000  # names and addresses with failed attempts; the oldest is forgotten


class UserFile:
    """The users of one hospital's page; the file is read again when it has changed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / USERS_FILE
        self._identity: tuple[int, int] | None = None
        self._users: Mapping[str, PageUser] = {}

    def read(self) -> Mapping[str, PageUser]:
        """Return the users by name. Raises LedgerError for a file that is not as it was written."""
        identity = identify_file(self.path)
        if identity is None:
            return {}
        if identity != self._identity:
            self._users = self._parse()
            self._identity = identity
        return self._users

    def save(self, user: PageUser) -> bool:
        """Add a user, or replace the one of that name; return whether there was one."""
        users = dict(self.read())
        is_known = user.name in users
        self._write({**users, user.name: user})
        return is_known

    def remove(self, name: str) -> None:
        """Remove a user. Raises UsageError where there is none of that name."""
        users = dict(self.read())
        if users.pop(name, None) is None:
            raise UsageError("user.unknown", name=name, then=("user", "list"))
        self._write(users)

    def _parse(self) -> Mapping[str, PageUser]:
        try:
            lines = json.loads(self.path.read_text("utf-8"))["users"]
            users = [
                PageUser(line["name"], ROLES[line["role"]], line["since"], line["password"]) for line in lines
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerError("user.file_damaged", path=self.path) from error
        return {user.name: user for user in users}

    def _write(self, users: Mapping[str, PageUser]) -> None:
        make_folder(self.path.parent)
        lines = [
            {
                "name": user.name,
                "role": user.role.name.lower(),
                "since": user.since,
                "password": user.password,
            }
            for user in users.values()
        ]
        write_json(self.path, {"schema": 1, "users": lines})


def require_user_name(name: str) -> str:
    """Return a name that may be that of a user. Raises UsageError for any other."""
    if _NAME.fullmatch(name) is None or name != name.strip():
        raise UsageError("user.no_name", name=name)
    return name


class PasswordChecker:
    """Makes and compares the digests of passwords. Raises UsageError where the extra is missing."""

    def __init__(self) -> None:
        try:
            from argon2 import PasswordHasher  # noqa: PLC0415 - of an extra
        except ImportError as error:
            raise UsageError("user.no_extra") from error
        self._hasher: PasswordHasher = PasswordHasher()
        self._digest_of_nothing = self._hasher.hash(
            ""
        )  # compared where there is no such user, in the same time

    def digest(self, name: str, password: str) -> str:
        """Return the digest of a new password. Raises UsageError for one that is too short or contains the name."""
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise UsageError("user.password_length", shortest=SHORTEST_PASSWORD, longest=LONGEST_PASSWORD)
        if name.casefold() in password.casefold():
            raise UsageError("user.password_name")
        return self._hasher.hash(password)

    def is_right(self, user: PageUser | None, password: str) -> bool:
        """Return whether a password is the user's; False, after as long, where there is no user or no password.

        It takes about 0.1 s of CPU and 64 MB: the page compares one at a time.
        """
        from argon2.exceptions import VerificationError  # noqa: PLC0415 - of an extra

        known = user.password if user is not None else None
        try:
            self._hasher.verify(known or self._digest_of_nothing, password[:LONGEST_PASSWORD])
        except VerificationError:
            return False
        return known is not None


class FailedAttempts:
    """Counts failed passwords by name and by address; after some of them there is a wait, twice as long after each.

    ``get_time`` returns monotonic seconds.
    """

    def __init__(self, get_time: Callable[[], float]) -> None:
        self._get_time = get_time
        self._failed: dict[str, tuple[int, float]] = {}  # how many, and when the next one is allowed

    def get_wait(self, *keys: str) -> float:
        """Return the seconds after which the next attempt is allowed, 0 for now."""
        now = self._get_time()
        return max(0.0, *(self._failed[key][1] - now for key in keys if key in self._failed), 0.0)

    def add(self, *keys: str) -> None:
        """Count a failed attempt."""
        for key in keys:
            count = self._failed.pop(key, (0, 0.0))[0] + 1
            wait = min(FIRST_WAIT * 2 ** min(count - FREE_ATTEMPTS, 20), LONGEST_WAIT)
            self._failed[key] = count, self._get_time() + (wait if count >= FREE_ATTEMPTS else 0.0)
        while len(self._failed) > MAX_COUNTED:
            del self._failed[next(iter(self._failed))]

    def clear(self, *keys: str) -> None:
        """Forget the failed attempts after a right password."""
        for key in keys:
            self._failed.pop(key, None)
