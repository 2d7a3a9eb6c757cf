"""Writes config.yaml, with every key, and the table of keys on the page of each language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.config.config_text import explain_key, render_config, render_value
from pipeline.config.settings import Config

FOLDER = Path(__file__).parent
CONFIG = FOLDER.parent / "config.yaml"
HEAD = """\
# esign-import：把这里的 “…” 换成贵院的值。每一项、id 的来源和密钥的放法见 docs/zh/configuration.md；密钥不要写在这里。
# Replace every “…”. docs/en/configuration.md explains each key, the ids and the credentials; do not write secrets here.
# 路径从本文件所在的文件夹算起。任何一项都可以用环境变量给出，如 ESIGN_IMPORT_API__APP_ID=…
# Paths start at the folder of this file. Any key can be set in the environment: ESIGN_IMPORT_API__APP_ID=…
# 几家医院各有一个文件夹和一份 config.yaml；共同的配置写在上一级的 common.yaml 里，见 docs/zh/several-hospitals.md
# Several hospitals: a folder with a config.yaml each, and what they share in common.yaml above; see docs/en/several-hospitals.md
"""
TITLES = {"zh": "| 配置项 | 默认 | 含义 |", "en": "| key | default | meaning |"}
_TABLE = re.compile(r"(?<=<!-- keys -->\n).*?(?=<!-- end of keys -->)", re.DOTALL)


def list_defaults() -> dict[str, Any]:
    """Return every key with its default; the address for uploads follows from another key."""
    values = Config().model_dump()
    values["api"]["file_endpoint"] = None
    return values


def render_sample() -> str:
    """Return the text of config.yaml, with every key."""
    return HEAD + "\n".join(render_config(list_defaults(), ("zh", "en"))) + "\n"


def page(language: str) -> Path:
    """Return the path of the page with the table of keys."""
    return FOLDER / language / "configuration.md"


def render_page(language: str) -> str:
    """Return the page with the table as it is to be."""
    rows = [TITLES[language], "|---|---|---|", *_list_rows(list_defaults(), language)]
    table = "\n".join(rows) + "\n"
    return _TABLE.sub(lambda _: table, page(language).read_text("utf-8"))


def _list_rows(values: Mapping[str, Any], language: str, names: tuple[str, ...] = ()) -> Iterator[str]:
    for name, value in values.items():
        path = (*names, name)
        is_section = isinstance(value, Mapping) and bool(value)
        default = "" if is_section else render_value(value)
        yield f"| `{'.'.join(path)}` | {default} | {explain_key(path, language)} |"
        if is_section:
            yield from _list_rows(value, language, path)


if __name__ == "__main__":
    CONFIG.write_text(render_sample(), encoding="utf-8")
    for chosen in ("zh", "en"):
        page(chosen).write_text(render_page(chosen), encoding="utf-8")
