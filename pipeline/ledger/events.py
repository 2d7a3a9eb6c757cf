"""Events: what a ledger holds, each once, in the order of ``n`` and ``id``.

An event is never changed after it was entered, except that a purge blanks what is personal in it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
ID_BYTES = 16


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One fact; events are ordered by ``n`` and ``id``."""

    n: int  # one more than the greatest that its writer knew; two writers may give the same one
    id: str  # random, 32 hexadecimal digits
    op: str = field(compare=False)  # name of the operation that enters it, see `pipeline.ledger.operations`
    args: Mapping[str, Any] = field(compare=False, repr=False)

    @classmethod
    def make(cls, n: int, op: str, args: Mapping[str, Any]) -> Self:
        """Return a new event with an id of its own."""
        return cls(n, secrets.token_hex(ID_BYTES), op, args)

    @classmethod
    def from_text(cls, text: str | bytes) -> Self:
        """Read what `to_text` returned; raises ValueError for anything else."""
        stored = json.loads(text)
        try:
            number, identity, operation, args = stored["n"], stored["id"], stored["op"], stored["args"]
        except (KeyError, TypeError) as error:
            raise ValueError("no event") from error
        if not (isinstance(number, int) and isinstance(identity, str) and isinstance(operation, str)):
            raise ValueError("no event")  # noqa: TRY004 - one exception for every text that is none
        return cls(number, identity, operation, args)

    def to_text(self) -> str:
        """Return the event as JSON on one line."""
        return _encode({"n": self.n, "id": self.id, "op": self.op, "args": self.args})

    def dump_args(self) -> str:
        """Return the arguments as the ledger's table holds them."""
        return _encode(self.args)


def _encode(value: object) -> str:
    """Return JSON; the name of a file may hold bytes that are no UTF-8, which are escaped."""
    text = _ENCODER.encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text
