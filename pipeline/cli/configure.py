"""`config validate` and `config show`."""

from __future__ import annotations

import io
from urllib.parse import urlsplit

import click
from ruamel.yaml import YAML

from pipeline.cli.session import Session
from pipeline.config import missing_ids
from pipeline.session import require_certificates


@click.group("config")
def config_group() -> None:
    """Look at the configuration."""


@config_group.command()
@click.pass_obj
def validate(session: Session) -> int:
    """Find every fault of the configuration; exit 2 if there is one."""
    config = session.config()
    if config.api.placeholders:
        missing = missing_ids(config, session.config_name)
        session.alarm("placeholders", file=session.config_name, keys=missing)
        session.proceed("next_after", "config", "validate")
        return 2
    require_certificates(config)
    session.say("config_fine", path=session.config_name)
    session.proceed("next_check", "check")
    return 0


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
