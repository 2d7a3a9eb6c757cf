"""Pages of one file: a template with its style and its script inside, the only ones that its policy allows."""

from __future__ import annotations

import base64
import hashlib
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined, Template
from jinja2.bccache import Bucket
from markupsafe import Markup

from pipeline.reports.design_tokens import build_page_colours
from pipeline.reports.presenter import Presenter
from pipeline.support.atomic_files import write_atomically

TEMPLATES = Path(__file__).parent / "templates"
CACHE = Path(cache_from_source(str(TEMPLATES / "page.py"))).parent  # where Python would keep compiled modules
LAYOUT = "layout.html"


class CompiledTemplates(FileSystemBytecodeCache):
    """Keeps compiled templates in the folder of the templates, as Python does with modules: compiling takes 70 ms in each process.

    What cannot be read is compiled again; where nothing may be written, nothing is kept. Jinja2 compares the template,
    and the versions of Python and of its own.
    """

    def get_bucket(self, environment: Environment, name: str, filename: str | None, source: str) -> Bucket:
        """Compare the options of the compiler as well."""
        options = environment.autoescape, environment.trim_blocks, environment.lstrip_blocks
        return super().get_bucket(environment, name, filename, f"{source}{options}")

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read a compiled template."""
        try:
            super().load_bytecode(bucket)
        except Exception:  # noqa: BLE001 - whatever a damaged file gives
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a compiled template."""
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                Path(self.directory).mkdir(exist_ok=True)
                super().dump_bytecode(bucket)


def build_environment(folder: Path, templates: Path = TEMPLATES) -> Environment:
    """Return the environment of the templates, which are kept compiled in a folder."""
    environment = Environment(
        loader=FileSystemLoader(templates),
        bytecode_cache=CompiledTemplates(str(folder), f"%s.{sys.implementation.cache_tag}.jinja"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.filters["grouped"] = lambda number: f"{number:,}"
    return environment


@cache
def _get_environment() -> Environment:
    return build_environment(CACHE)


def load_template(name: str) -> Template:
    """Return a template of a page, compiled once."""
    return _get_environment().get_template(name)


def write_page(
    path: Path, template: str, presenter: Presenter, values: Mapping[str, object], *, pictures: bool = False
) -> Path:
    """Fill ``NAME.html`` with its style and its script and write it, piece by piece; every value is escaped.

    The style is the colours, shared.css and ``NAME.css``, the script shared.js and ``NAME.js``.

    The policy allows no other style and script than these two, by their sha256, and loads nothing; with ``pictures``
    it allows pictures inside the page.
    """
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
