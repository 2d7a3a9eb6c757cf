"""One HTTP request as the world sees it: no socket in it, its body read and parsed once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["general", "file", "both"]

BODY_LIMIT = 10 * 1024 * 1024  # bytes, TC3 over POST; the file host takes more


@dataclass(frozen=True, slots=True)
class Call:
    """A request whole; header names are in lower case, ``role`` is the host that it reached."""

    method: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    role: Role
    connection: str
    parameters: Mapping[str, Any] | None = field(repr=False)  # None when the body is no JSON object

    @property
    def action(self) -> str:
        """X-TC-Action, empty without one."""
        return self.headers.get("x-tc-action", "")

    @property
    def trace_id(self) -> str | None:
        """X-TC-TraceId, which the client makes up."""
        return self.headers.get("x-tc-traceid")

    @property
    def language(self) -> str:
        """X-TC-Language, Chinese without one."""
        return self.headers.get("x-tc-language", "zh-CN")

    def text(self, name: str) -> str | None:
        """Return a text parameter of the top level, whatever else is wrong with the body."""
        value = (self.parameters or {}).get(name)
        return value if isinstance(value, str) else None


def read_call(
    body: bytes,
    *,
    headers: Mapping[str, str],
    role: Role = "both",
    method: str = "POST",
    query: str = "",
    connection: str = "",
) -> Call:
    """Return the call that a request makes; header names may come in any case."""
    lower = {name.lower(): value for name, value in headers.items()}
    return Call(method, query, lower, body, role, connection, _parse(body))


def _parse(body: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
