"""Pages of one file: a template with its style and its one script inside, allowed by their hashes and nothing else."""

from __future__ import annotations

import base64
import hashlib
from functools import partial
from pathlib import Path

from pipeline.words.results import say

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, language: str, **values: object) -> str:
    """Fill ``NAME.html`` with its ``NAME.css`` and ``NAME.js``; every value is escaped.

    The policy lets nothing load, run or look different but these two texts, known by their sha256.
    """
    # a tenth of a second of import, needed only where a page is written
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    room = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    room.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    room.filters["grouped"] = lambda number: f"{number:,}"
    room.globals["t"] = partial(say, language=language)
    stem = template.removesuffix(".html")
    style = (TEMPLATES / f"{stem}.css").read_text("utf-8")
    script = (TEMPLATES / f"{stem}.js").read_text("utf-8")
    return room.get_template(template).render(
        lang="zh-CN" if language == "zh" else "en",
        # our own two files, with no value in them: the hashes below are of exactly these characters
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        policy="; ".join(
            (
                "default-src 'none'",
                f"style-src {_hash(style)}",
                f"script-src {_hash(script)}",
                "base-uri 'none'",
                "form-action 'none'",
            )
        ),
        **values,
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
