"""`init` makes the folder of a new hospital; `config` shows its configuration."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import urlsplit

import click

from pipeline.cli.context import Session, read_answer
from pipeline.cli.demo import create_sandbox_project, get_truth_file
from pipeline.cli.help import CommandGroup
from pipeline.errors import UsageError
from pipeline.messages.catalogue import make_message
from pipeline.support.terminal_text import join

if TYPE_CHECKING:
    from pipeline.esign.products import Product

Answer = TypeVar("Answer", bound=str)
Environment = Literal["production", "test", "sandbox"]
ENVIRONMENTS: Mapping[str, Environment] = {"1": "test", "2": "production", "3": "sandbox"}
PRODUCT_CHOICES: Mapping[str, str] = {"1": "essbasic", "2": "ess"}


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), metavar="[DIR]")
@click.option(
    "--sandbox", "is_sandbox", is_flag=True, help="For the sandbox on this machine, with sample data."
)
@click.option(
    "--environment",
    type=click.Choice(["production", "test"]),
    help="Tencent's environment (default: production).",
)
@click.option(
    "--product",
    type=click.Choice([*PRODUCT_CHOICES.values()]),
    help="essbasic (default): a platform acts for the hospital; ess: the hospital is itself a customer.",
)
@click.option(
    "--id",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="One of the ids, such as app_id=yD…; repeatable.",
)
@click.option("--yes", is_flag=True, help="Ask nothing; what is not given stays to be filled in.")
@click.pass_obj
def init(
    session: Session,
    /,
    *,
    folder: Path,
    is_sandbox: bool,
    environment: Environment | None,
    product: str | None,
    given: Sequence[str],
    yes: bool,
) -> int:
    """Make a hospital's folder: config.yaml, inbox, seals, secrets.

    It also writes a template of a roster.

    On a terminal it asks for what is not given as an option. Files that exist are left alone.
    """
    from pipeline.config.hospitals import require_no_common_file
    from pipeline.config.named_paths import is_usual_app_id
    from pipeline.esign.products import ESSBASIC, PRODUCTS
    from pipeline.operations.init_project import (
        ProjectSettings,
        create_project,
        list_missing_ids,
        read_common_keys,
        require_new_project,
    )

    if folder.absolute() != Path.cwd():
        session.config_path = folder / "config.yaml"
    require_new_project(folder)
    is_interactive = not yes and sys.stdin.isatty()
    chosen: Environment | None = "sandbox" if is_sandbox else environment
    if chosen is None and is_interactive:
        chosen = _prompt_choice(session, "init.ask_environment", ENVIRONMENTS)
    chosen = chosen or "production"
    if chosen == "sandbox":
        require_no_common_file(folder / "config.yaml")
    if product is None and is_interactive and not is_sandbox:
        product = _prompt_choice(session, "init.ask_product", PRODUCT_CHOICES)
    product_used = PRODUCTS[product or ESSBASIC.name]
    ids = _read_ids(given, product_used)
    common = read_common_keys(folder)
    common_ids = common.get("api") or {}
    asked = list_missing_ids(product_used, ids, common_ids) if is_interactive and chosen != "sandbox" else ()
    ids |= {name: answer for name in asked if (answer := _prompt(session, f"init.ask_{name}"))}
    language = session.language
    if is_interactive and not session.lang_given:
        language = _prompt_choice(session, "init.ask_language", {"zh": "zh", "en": "en"}, session.spoken)
    if chosen == "sandbox":
        template = create_sandbox_project(folder, product_used, language)
    else:
        endpoint = product_used.endpoints[chosen].general
        settings = ProjectSettings(
            product=product_used,
            environment=chosen,
            endpoint=endpoint,
            language=language,
            ids=ids,
            common=common,
        )
        template = create_project(folder, settings)
    session.print_json(
        folder=str(folder.absolute()),
        product=product_used.name,
        environment=chosen,
        language=language,
        template=str(template.absolute()),
    )
    session.inform("init.done", folder=folder.resolve())
    if chosen == "sandbox":
        command = join(["sandbox", "--truth", str(get_truth_file(folder))])
        session.inform("init.sandbox", command=f"{session.invocation} {command}")
        session.suggest_command("init.next_run", "run")
        return 0
    app_id = ids.get("app_id", "")
    if app_id and not is_usual_app_id(app_id):
        session.alert("warning", text=make_message("config_odd_app_id", app_id=app_id))
    missing = list_missing_ids(product_used, ids, common_ids)
    secrets = folder / (common.get("secrets_dir") or "secrets")
    _print_steps(session, folder, missing, template, secrets)
    return 0


def _read_ids(given: Sequence[str], product: Product) -> dict[str, str]:
    """Return the ids that NAME=VALUE gives; UsageError for one that the product does not have."""
    ids: dict[str, str] = {}
    for pair in given:
        name, _, value = pair.partition("=")
        if name not in product.ids:
            names = ", ".join(product.ids)
            raise UsageError("init.no_id", name=name, product=product.name, names=names)
        if value:
            ids[name] = value
    return ids


def _print_steps(
    session: Session, folder: Path, missing: Sequence[str], template: Path, secrets: Path
) -> None:
    """Print what is left to do before the first run; ``missing`` are ids."""
    from pipeline.operations.init_project import SECRETS

    id_file, key_file = (secrets / name for name in SECRETS)
    session.inform("init.secrets", id_file=id_file, key_file=key_file)
    keys = session.render_sentence("separator.comma").join(f"api.{name}" for name in missing)
    session.inform("init.ids" if missing else "init.no_ids", path=folder / "config.yaml", keys=keys)
    session.inform("init.fill", inbox=folder / "inbox", seals=folder / "seals", template=template)
    session.suggest_command("init.next_check", "check")


def _prompt(session: Session, key: str, default: str = "") -> str:
    """Print a question to stderr and return the answer, ``default`` where it is empty."""
    shown_default = f" [{default}]" if default else ""
    return read_answer(f"{session.render_sentence(key)}{shown_default}: ") or default


def _prompt_choice(
    session: Session, key: str, choices: Mapping[str, Answer], default: str | None = None
) -> Answer:
    """Prompt until the answer is one of the choices; the first is the default unless another is named."""
    names: Sequence[str] = [*choices]
    while (answer := _prompt(session, key, default or names[0])) not in choices:
        session.alert("init.bad_answer", choices=session.render_sentence("separator.comma").join(names))
    return choices[answer]


@click.group("config", cls=CommandGroup)
def config_group() -> None:
    """Show the configuration."""


@config_group.command()
@click.option("--schema", is_flag=True, help="Print the JSON Schema of config.yaml, for editors.")
@click.pass_obj
def show(session: Session, *, schema: bool) -> int:
    """Print what counts: file, environment and defaults together."""
    from ruamel.yaml import YAML

    from pipeline.config.settings import Config

    if schema:
        session.print_data(json.dumps(Config.model_json_schema(), ensure_ascii=False, indent=2))
        return 0
    config = session.require_config()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    effective = config.model_dump(mode="json")
    if config.api.proxy:
        effective["api"]["proxy"] = _remove_password(config.api.proxy)
    session.print_json(**effective)
    if not session.as_json:
        yaml.dump(effective, text)
        session.print_data(text.getvalue(), nl=False)
    session.suggest_command("next_run", "doctor", "--offline")
    return 0


def _remove_password(url: str) -> str:
    """Return a proxy's address with stars in place of the password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=parts.netloc.replace(parts.password, "***", 1)).geturl()
