"""`config`: validate and show the configuration, print its schema."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from pipeline.cli.context import Session
from pipeline.domain.masking import mask_text
from pipeline.messages.catalogue import make_phrase

if TYPE_CHECKING:
    from pipeline.config.settings import Config


@click.group("config")
def config_group() -> None:
    """Show or validate the configuration."""


@config_group.command()
@click.pass_obj
def validate(session: Session) -> int:
    """Find all errors in the configuration; exit 2 if there is one."""
    from pipeline.config.config_file import list_missing_ids
    from pipeline.config.named_paths import require_certificates
    from pipeline.workflow.ledger_stores import find_store

    config = session.require_config()
    is_usable = _report_missing_paths(session, config)
    if config.api.placeholders:
        missing = list_missing_ids(config, session.config_name)
        session.alert("usage.placeholders", place=session.config_name, keys=missing)
        is_usable = False
    if not is_usable:
        session.suggest_command("next_after", "config", "validate")
        return 2
    require_certificates(config)
    find_store(config)  # the extra, the address and the secret of a ledger on a server
    session.inform("config_fine", path=session.config_name)
    session.suggest_command("next_check", "check")
    return 0


def _report_missing_paths(session: Session, config: Config) -> bool:
    """Print which of the configured files and folders are missing; return whether a run could begin without them."""
    from pipeline.config.named_paths import find_missing_paths, find_near_path

    is_usable = True
    for key, path, is_needed in find_missing_paths(config):
        near_path = find_near_path(path)
        meant = make_phrase("usage.near", name=mask_text(str(near_path))) if near_path else ""
        missing = make_phrase("config_path_missing", key=key, path=mask_text(str(path)), near=meant)
        if is_needed:
            session.alert("misused", message=missing)
            is_usable = False
        else:
            session.alert("warning", text=missing)
    return is_usable


@config_group.command()
@click.pass_obj
def show(session: Session) -> int:
    """Print the effective configuration: file, environment and defaults together."""
    from ruamel.yaml import YAML

    config = session.require_config()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    effective = config.model_dump(mode="json")
    if config.api.proxy:
        effective["api"]["proxy"] = _remove_password(config.api.proxy)
    yaml.dump(effective, text)
    session.print_data(text.getvalue(), nl=False)
    session.suggest_command("next_run", "config", "validate")
    return 0


@config_group.command()
@click.pass_obj
def schema(session: Session) -> int:
    """Print the JSON Schema of config.yaml, with which an editor completes and checks its keys."""
    from pipeline.config.settings import build_json_schema

    session.print_data(json.dumps(build_json_schema(), ensure_ascii=False, indent=2))
    session.suggest_command("next_run", "config", "validate")
    return 0


@config_group.command()
@click.pass_obj
def policy(session: Session) -> int:
    """Print the CAM policy that allows the calls of this program and nothing else.

    Create it in Tencent Cloud's console (CAM, policies, by syntax) and give it to a sub-account for this program alone.
    """
    from pipeline.config.settings import Config
    from pipeline.operations.cam_policy import build_policy

    config = session.find_config() or Config()
    session.print_data(json.dumps(build_policy(config), indent=2))
    session.suggest_command("next_policy", "doctor")
    return 0


def _remove_password(url: str) -> str:
    """Return a proxy's address with stars in place of the password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=parts.netloc.replace(parts.password, "***", 1)).geturl()
