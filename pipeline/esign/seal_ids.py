"""What the service may have meant as a SealId: its own have 32 characters, none is documented."""

from __future__ import annotations

LONGEST = 128  # characters


def is_seal_id(text: str) -> bool:
    """Tell whether a text can be a SealId: no blanks, no control characters, not too long."""
    return 0 < len(text) <= LONGEST and text.isprintable() and not any(map(str.isspace, text))


def evidence_of(text: str | None) -> str | None:
    """Return what is kept of a SealId that proves nothing: printable and short, None where nothing is left."""
    if text is None:
        return None
    shown = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[:LONGEST])
    return shown.strip() or None
