"""`config validate` and `config show`."""

from __future__ import annotations

import io

import click
from ruamel.yaml import YAML

from pipeline.cli.session import Session


@click.group("config")
def config_group() -> None:
    """Look at the configuration."""


@config_group.command()
@click.pass_obj
def validate(session: Session) -> int:
    """Find every fault of the configuration; exit 2 if there is one."""
    config = session.config()
    if missing := config.api.placeholders:
        session.say("placeholders", keys=", ".join(missing))
        return 2
    session.say("config_fine", path=session.config_name)
    return 0


@config_group.command()
@click.pass_obj
def show(session: Session) -> int:
    """Print the configuration as it takes effect: file, environment and defaults together."""
    config = session.config()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    yaml.dump(config.model_dump(mode="json"), text)
    click.echo(text.getvalue(), nl=False)
    return 0
