"""`config validate` and `config show`."""

from __future__ import annotations

import io
from urllib.parse import urlsplit

import click
from ruamel.yaml import YAML

from pipeline.cli.command_group import CommandGroup
from pipeline.cli.context import Session
from pipeline.config.named_paths import find_missing_paths, find_near_path, require_certificates
from pipeline.config.settings import Config, missing_ids
from pipeline.domain.masking import mask_text
from pipeline.messages.catalogue import phrase


@click.group("config", cls=CommandGroup)
def config_group() -> None:
    """Look at the configuration."""


@config_group.command()
@click.pass_obj
def validate(session: Session) -> int:
    """Find every fault of the configuration; exit 2 if there is one."""
    config = session.config()
    is_usable = _tell_missing_paths(session, config)
    if config.api.placeholders:
        missing = missing_ids(config, session.config_name)
        session.alarm("placeholders", file=session.config_name, keys=missing)
        is_usable = False
    if not is_usable:
        session.proceed("next_after", "config", "validate")
        return 2
    require_certificates(config)
    session.say("config_fine", path=session.config_name)
    session.proceed("next_check", "check")
    return 0


def _tell_missing_paths(session: Session, config: Config) -> bool:
    """Say which of the configured files and folders are not there; return whether a run could begin without them."""
    is_usable = True
    for key, path, is_needed in find_missing_paths(config):
        near = find_near_path(path)
        meant = phrase("usage.near", name=mask_text(str(near))) if near else ""
        missing = phrase("config_path_missing", key=key, path=mask_text(str(path)), near=meant)
        if is_needed:
            session.alarm("misused", message=missing)
            is_usable = False
        else:
            session.alarm("warning", text=missing)
    return is_usable


@config_group.command()
@click.pass_obj
def show(session: Session) -> int:
    """Print the configuration as it takes effect: file, environment and defaults together."""
    config = session.config()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    effective = config.model_dump(mode="json")
    if config.api.proxy:
        effective["api"]["proxy"] = _without_password(config.api.proxy)
    yaml.dump(effective, text)
    session.put(text.getvalue(), nl=False)
    session.proceed("next_run", "config", "validate")
    return 0


def _without_password(url: str) -> str:
    """Return a proxy's address as it may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=parts.netloc.replace(parts.password, "***", 1)).geturl()
