"""Pages of one file: a template with its style and its script inside, the only ones that its policy allows."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.reports.design_tokens import build_page_colours
from pipeline.reports.presenter import Presenter
from pipeline.support.atomic_files import write_atomically

if TYPE_CHECKING:
    from jinja2 import Environment, Template

TEMPLATES = Path(__file__).parent / "templates"
LAYOUT = "layout.html"


@cache
def _build_environment() -> Environment:
    # a tenth of a second of import, and as much to compile each page: once, and only where a page is written
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.filters["grouped"] = lambda number: f"{number:,}"
    return environment


def load_template(name: str) -> Template:
    """Return a template of a page, compiled once."""
    return _build_environment().get_template(name)


def write_page(
    path: Path, template: str, presenter: Presenter, values: Mapping[str, object], *, pictures: bool = False
) -> Path:
    """Fill ``NAME.html`` with its style and its script and write it, piece by piece; every value is escaped.

    The style is the colours, shared.css and ``NAME.css``, the script shared.js and ``NAME.js``.

    The policy allows no other style and script than these two, by their sha256, and loads nothing; with ``pictures``
    it allows pictures inside the page.
    """
    from markupsafe import Markup  # noqa: PLC0415 - comes with Jinja2

    stem = template.removesuffix(".html")
    style = build_page_colours() + _join_files("shared.css", f"{stem}.css")
    script = _join_files("shared.js", f"{stem}.js")
    policy = (
        "default-src 'none'",
        *(("img-src data:",) if pictures else ()),
        f"style-src {_hash_source(style)}",
        f"script-src {_hash_source(script)}",
        "base-uri 'none'",
        "form-action 'none'",
    )
    page = load_template(template).generate(
        lang="zh-CN" if presenter.language == "zh" else "en",
        # our own files without values: the hashes are of exactly these characters
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        policy="; ".join(policy),
        page_words={word: presenter.render(f"page.{word}") for word in ("copy", "copied", "pages")},
        **values,
    )

    def write_pieces(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", errors="replace", newline="\n") as stream:
            stream.writelines(page)

    return write_atomically(path, write_pieces)


def _join_files(*names: str) -> str:
    return "".join((TEMPLATES / name).read_text("utf-8") for name in names)


def _hash_source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
