"""Pages of one file: a template with its style and, where it has one, its script inside, the only ones that its policy allows."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from pipeline.domain.run import Repeat, ShownStatus, Status
from pipeline.messages.catalogue import render
from pipeline.reports.styles import CODE, COLOURS, HEAD, INK, LINK, MUTED, PAPER, RULE
from pipeline.support.atomic_files import write_atomically

TEMPLATES = Path(__file__).parent / "templates"
LAYOUT = "layout.html"
_DARK_COLOURS: Mapping[ShownStatus, tuple[str, str]] = {
    Status.SEALED: ("#173A25", "#7FD49A"),
    Status.UNCHANGED: ("#22302A", "#A3C4AE"),
    Status.CHANGED: ("#45290F", "#F2AB70"),
    Status.REJECTED: ("#3D3310", "#F0CD5E"),
    Status.FAILED: ("#4A1D1B", "#F5948D"),
    Status.UNKNOWN: ("#33244D", "#C4A6F5"),
    Status.EXISTS: ("#262D5A", "#A5B1F7"),
    Status.NOT_SENT: ("#2B3542", "#AEBCCD"),
    Status.READY: ("#123740", "#74CBDB"),
    Repeat.DUPLICATE: ("#2A313A", "#9AA7B5"),
}
_LIGHT: Mapping[str, str] = {
    "paper": PAPER, "card": "#FFFFFF", "ink": INK, "muted": MUTED, "rule": RULE, "soft": CODE, "head": HEAD,
    "accent": "#2563A8", "link": LINK, "code": CODE, "bar": "#DBA92C",
}  # fmt: skip
_DARK: Mapping[str, str] = {
    "paper": "#12171D", "card": "#1B222B", "ink": "#E4E9EF", "muted": "#9AA7B5", "rule": "#303A46",
    "soft": "#242D38", "head": "#A9C8EA", "accent": "#6EA8E6", "link": "#8AB8F2", "code": "#10151B",
    "bar": "#D3AE45",
}  # fmt: skip


@cache
def get_environment(*folders: Path) -> Environment:
    """Return what compiles the templates of folders, each once: every value is escaped, and a missing one is an error."""
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.filters["grouped"] = lambda number: f"{number:,}"
    return environment


def embed_image(data: bytes) -> str:
    """Return the address of a JPEG that lies in the page itself."""
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"


def load_template(name: str) -> Template:
    """Return a template of a page, compiled once."""
    return get_environment(TEMPLATES).get_template(name)


def write_page(path: Path, template: str, language: str, values: Mapping[str, object]) -> Path:
    """Fill ``NAME.html`` with its style and its script and write it, piece by piece; every value is escaped.

    The style is the colours, shared.css and ``NAME.css``, the script ``NAME.js``, where there is one.

    The policy allows no other style and script than these, by their sha256, and loads nothing but pictures inside the
    page.
    """
    style, script = build_style(template), _build_script(template)
    page = load_template(template).generate(
        lang="zh-CN" if language == "zh" else "en",
        # our own files without values: the hashes are of exactly these characters
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        policy=build_policy(template),
        page_words={word: render(f"page.{word}", language) for word in ("copy", "copied", "pages")},
        **values,
    )

    def write_pieces(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", errors="replace", newline="\n") as stream:
            stream.writelines(page)

    return write_atomically(path, write_pieces)


def build_style(template: str) -> str:
    """Return the style of ``NAME.html``: the colours, shared.css and ``NAME.css``."""
    names = ("shared.css", template.replace(".html", ".css"))
    return _build_page_colours() + "".join((TEMPLATES / name).read_text("utf-8") for name in names)


def _build_script(template: str) -> str:
    path = (TEMPLATES / template).with_suffix(".js")
    return path.read_text("utf-8") if path.exists() else ""


def build_policy(template: str) -> str:
    """Return the policy of ``NAME.html``, which allows this version's own style and script alone."""
    parts = ["default-src 'none'", "img-src data:", f"style-src {_hash_source(build_style(template))}"]
    if script := _build_script(template):
        parts.append(f"script-src {_hash_source(script)}")
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _hash_source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _build_page_colours() -> str:
    """Return the style sheet that names the colours, and the classes that give a status its own."""
    light, dark = _list_variables(_LIGHT, COLOURS), _list_variables(_DARK, _DARK_COLOURS)
    classes = "\n".join(
        f".{status} {{ background: var(--{status}-fill); color: var(--{status}); }}"
        f" .{status}-ink {{ fill: var(--{status}); }}"
        for status in COLOURS
    )
    return (
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n{classes}\n"
    )


def _list_variables(colours: Mapping[str, str], of_statuses: Mapping[ShownStatus, tuple[str, str]]) -> str:
    pairs = dict(colours)
    for status, (fill, ink) in of_statuses.items():
        pairs |= {f"{status}-fill": fill, f"{status}": ink}
    return " ".join(f"--{name}: {colour.lower()};" for name, colour in pairs.items())
