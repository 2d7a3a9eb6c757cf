"""The small marks between other words."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "mark.near": ("名称相近但没有采用：", "Similar name, not used: "),
    "mark.comma": ("、", ", "),
    "mark.semicolon": ("；", "; "),
    "mark.colon": ("：", ": "),
    "mark.dash": ("——", " — "),
    "mark.brackets": ("（{text}）", " ({text})"),
    "mark.row": ("{place} 第 {row} 行{more}", "{place} row {row}{more}"),
    "mark.or": (" 或 ", " or "),
}
