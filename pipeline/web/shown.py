"""What a form of the page shows: a decision is entered only where the same stands there still.

A form carries the digest of it back: the person, the name, the status, the pictures. Where a row stands in its roster is no
part of it.
"""

from __future__ import annotations

import hashlib
import json

from pipeline.errors import UsageError

CHARS = 16  # hexadecimal digits of a digest


class ShownChanged(UsageError):
    """What a form showed is not what stands there now: nothing was entered."""

    def __init__(self) -> None:
        super().__init__("web.shown_changed")


def digest_shown(*facts: object) -> str:
    """Return what stands for facts that are shown: texts, numbers, and lists of them."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:CHARS]
