"""The site key, with which the digests are made that stand in place of something personal.

There are about 6 * 10^10 possible identity numbers: a bare hash of one is reversed in seconds, a keyed one is not.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

KEY_BYTES = 32
KEY_FORMAT = 1  # how the digests below are made; a ledger keeps the number it was begun with
DIGEST_CHARS = 32  # hexadecimal: 128 bits


@dataclass(frozen=True, slots=True)
class SiteKey:
    """Makes every digest that stands in the ledger in place of something personal. All are 32 hex digits."""

    secret: bytes = field(repr=False)
    tenant: str

    def person(self, lifetime_number: str) -> str:
        """Return the key of a person within the tenant."""
        return self._digest("person", self.tenant, lifetime_number)

    def row(self, parts: Sequence[str], nth: int) -> str:
        """Return the id of a row: its mapped cells as written, and its number among equal rows of a run."""
        return self._digest("row", str(nth), *parts)

    def digest(self, text: str) -> str:
        """Return what stands for a whole number, a mobile or a path."""
        return self._digest("text", text)

    def check(self) -> str:
        """Return what a ledger keeps to know its key again."""
        return self._digest("check")

    def _digest(self, purpose: str, *parts: str) -> str:
        """Digest the parts so that neither a purpose nor a boundary between parts can be mistaken for another."""
        framed = _FRAMED[purpose]
        for part in parts:
            raw = part.encode("utf-8", "surrogatepass")
            framed += _FRAMES[len(raw)] + raw if len(raw) < len(_FRAMES) else _frame(raw)
        return hmac.digest(self.secret, framed, "sha256").hex()[:DIGEST_CHARS]


def _frame(raw: bytes) -> bytes:
    return len(raw).to_bytes(8, "big") + raw


# made once: a run digests some texts of every row
_FRAMES = tuple(length.to_bytes(8, "big") for length in range(256))
_FRAMED = {purpose: _frame(purpose.encode()) for purpose in ("person", "row", "text", "check")}

# of a check without a ledger: equal numbers are still one person. The digests it makes must not leave this process
PLAIN_KEY = SiteKey(bytes(KEY_BYTES), "")
