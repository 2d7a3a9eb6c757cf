"""Creates the folder of a hospital: config.yaml, folders for rosters, pictures and secrets, a roster template."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.config.sections import IDS, PLACEHOLDER
from pipeline.config.settings import build_json_schema
from pipeline.errors import UsageError
from pipeline.messages.catalogue import render
from pipeline.operations.roster_template import write_roster_template
from pipeline.support.atomic_files import make_folder, write_atomically, write_json

ENDPOINTS: Mapping[str, str] = {
    "production": "https://essbasic.tencentcloudapi.com",
    "test": "https://essbasic.test.ess.tencent.cn",
}
CONFIG, SCHEMA = "config.yaml", "config.schema.json"
SECRETS = ("tencent__secret_id", "tencent__secret_key")
_IGNORED = ("secrets/", "state/", "out/", "inbox/", "seals/", "*.xlsx")
_PLAIN = re.compile(r"[A-Za-z][\w.-]*|…")  # a YAML scalar that needs no quotes
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSettings:
    """The values of a new configuration."""

    environment: Literal["production", "test", "sandbox"]
    endpoint: str
    language: str
    ids: Mapping[str, str]  # of `IDS`; one that is missing stays to be filled in
    secrets: tuple[str, str] = ("", "")  # SecretId and SecretKey: of the sandbox alone


def require_new_project(folder: Path) -> None:
    """Raise UsageError where a folder holds a configuration already, or is a file."""
    if folder.exists() and not folder.is_dir():
        raise UsageError("init.is_a_file", path=folder)
    if (folder / CONFIG).exists():
        raise UsageError("init.exists", path=folder / CONFIG, then=("config", "validate"))


def create_project(folder: Path, settings: ProjectSettings) -> Path:
    """Write the files of a new hospital and return the path of its roster template; files that exist stay.

    config.yaml is written last: a project that was cut short can be begun again.
    """
    for name in ("inbox", "seals", "secrets"):
        make_folder(folder / name)
    (folder / "secrets").chmod(0o700)
    for name, value in zip(SECRETS, settings.secrets, strict=True):
        _write_new(folder / "secrets" / name, value)
    _write_new(folder / ".gitignore", "".join(f"{name}\n" for name in _IGNORED))
    template = folder / render("init.template", settings.language)
    if not template.exists():
        write_atomically(template, lambda path: write_roster_template(path, settings.language))
    write_json(folder / SCHEMA, build_json_schema())
    _write_new(folder / CONFIG, render_config(settings))
    return template


def render_config(settings: ProjectSettings) -> str:
    """Return the text of config.yaml, with comments in one language."""
    environment = Environment(
        loader=PackageLoader("pipeline.operations"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - YAML, and every value goes through `scalar`
    )
    environment.filters["scalar"] = quote_scalar
    environment.globals["say"] = lambda zh, en: zh if settings.language == "zh" else en
    return environment.get_template("config.yaml.j2").render(
        endpoint=settings.endpoint,
        environment_name=render(f"environment.{settings.environment}", settings.language),
        **{name: settings.ids.get(name) or PLACEHOLDER for name in IDS},
        language=settings.language,
    )


def quote_scalar(text: str) -> str:
    """Return a text as YAML reads it back."""
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _write_new(path: Path, text: str) -> None:
    """Write a file (0600) that does not exist yet."""
    if not path.exists():
        write_atomically(path, lambda temporary: _write_text(temporary, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text + "\n" if text and not text.endswith("\n") else text, encoding="utf-8")
