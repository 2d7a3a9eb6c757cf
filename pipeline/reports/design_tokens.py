"""What the workbook and the pages share in looks: the colours of statuses and of everything around them.

The workbook and paper are light; a page is light or dark as its browser is.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.domain.run import Status

INK, MUTED, RULE, HEAD, PAPER = "#1F2933", "#5A6775", "#D9DEE4", "#24405E", "#F4F6F8"
LINK = "#1A5FB4"
FAULT, FAULT_RULE = "#FFE98A", "#D9A400"  # a cell to correct
CODE = "#EEF1F4"  # behind a command

# status -> (fill, ink); the ink alone colours bars and the chart
COLOURS: Mapping[Status, tuple[str, str]] = {
    Status.SEALED: ("#DDF3E2", "#1E7A3C"),
    Status.UNCHANGED: ("#EAF1EC", "#456B54"),
    Status.CHANGED: ("#FDE6D2", "#984508"),
    Status.REJECTED: ("#FFF0B8", "#8A5D00"),
    Status.FAILED: ("#FBDADA", "#B3261E"),
    Status.UNKNOWN: ("#E9DFF8", "#6A3FB0"),
    Status.EXISTS: ("#DFE3FB", "#3D4DB3"),
    Status.NOT_SENT: ("#E4E9EF", "#4F6177"),
    Status.READY: ("#D8F0F4", "#0B7285"),
}
# status of a roster file -> the status whose colours it has
STATUSES_OF_FILES: Mapping[str, Status] = {
    "read": Status.SEALED,
    "refused": Status.FAILED,
    "deferred": Status.NOT_SENT,
}
_DARK_COLOURS: Mapping[Status, tuple[str, str]] = {
    Status.SEALED: ("#173A25", "#7FD49A"),
    Status.UNCHANGED: ("#22302A", "#A3C4AE"),
    Status.CHANGED: ("#45290F", "#F2AB70"),
    Status.REJECTED: ("#3D3310", "#F0CD5E"),
    Status.FAILED: ("#4A1D1B", "#F5948D"),
    Status.UNKNOWN: ("#33244D", "#C4A6F5"),
    Status.EXISTS: ("#262D5A", "#A5B1F7"),
    Status.NOT_SENT: ("#2B3542", "#AEBCCD"),
    Status.READY: ("#123740", "#74CBDB"),
}
_LIGHT: Mapping[str, str] = {
    "paper": PAPER, "card": "#FFFFFF", "ink": INK, "muted": MUTED, "rule": RULE, "soft": CODE, "head": HEAD,
    "accent": "#2563A8", "accent-fill": "#CFE0F3", "second": "#0B7A75", "limit": "#B3261E", "link": LINK,
    "code": CODE, "bar": "#DBA92C",
}  # fmt: skip
_DARK: Mapping[str, str] = {
    "paper": "#12171D", "card": "#1B222B", "ink": "#E4E9EF", "muted": "#9AA7B5", "rule": "#303A46",
    "soft": "#242D38", "head": "#A9C8EA", "accent": "#6EA8E6", "accent-fill": "#22405F", "second": "#4FC3B8",
    "limit": "#F2837B", "link": "#8AB8F2", "code": "#10151B", "bar": "#D3AE45",
}  # fmt: skip


def build_page_colours() -> str:
    """Return the style sheet that names the colours, and the classes that give a status its own."""
    light, dark = _list_variables(_LIGHT, COLOURS), _list_variables(_DARK, _DARK_COLOURS)
    classes = "\n".join(
        f".{status} {{ background: var(--{status}-fill); color: var(--{status}); }}"
        f" .{status}-ink {{ fill: var(--{status}); }}"
        for status in Status
    )
    return (
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n{classes}\n"
    )


def _list_variables(colours: Mapping[str, str], of_statuses: Mapping[Status, tuple[str, str]]) -> str:
    pairs = dict(colours)
    for status, (fill, ink) in of_statuses.items():
        pairs |= {f"{status}-fill": fill, f"{status}": ink}
    return " ".join(f"--{name}: {colour.lower()};" for name, colour in pairs.items())
