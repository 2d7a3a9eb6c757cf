"""The small marks between other words."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "mark.comma": ("、", ", "),
    "mark.semicolon": ("；", "; "),
    "mark.colon": ("：", ": "),
    "mark.dash": ("——", " — "),
    "mark.brackets": ("（{text}）", " ({text})"),
    "mark.or": (" 或 ", " or "),
}
