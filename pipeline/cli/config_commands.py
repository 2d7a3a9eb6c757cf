"""`init` makes the folder of a new hospital; `config` validates and shows its configuration."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import urlsplit

import click

from pipeline.cli.context import Session, read_answer
from pipeline.cli.demo import get_sample_folder
from pipeline.cli.help import CommandGroup
from pipeline.domain.message import Message
from pipeline.errors import CredentialsMissing, EsignImportError, UsageError
from pipeline.messages.catalogue import make_message
from pipeline.support.atomic_files import make_folder
from pipeline.support.terminal_text import join

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.esign.products import Product
    from pipeline.operations.init_project import ProjectSettings

Answer = TypeVar("Answer", bound=str)
Environment = Literal["production", "test", "sandbox"]
ENVIRONMENTS: Mapping[str, Environment] = {"1": "test", "2": "production", "3": "sandbox"}
# errors about a ledger
OF_ANOTHER_TENANT = frozenset({"ledger.other_environment", "ledger.other_product", "ledger.other_tenant"})
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
@click.option("--app-id", metavar="ID", help="Agent.AppId, from the platform's e-Sign console.")
@click.option("--organization-open-id", metavar="ID", help="The platform's id of the hospital.")
@click.option("--operator-open-id", metavar="ID", help="The platform's id of the employee who acts.")
@click.option("--organization", metavar="ID", help="ess: the hospital's id in the e-Sign console.")
@click.option("--operator-user-id", metavar="ID", help="ess: UserId of the employee who acts.")
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
    yes: bool,
    **ids: str | None,
) -> int:
    """Make a hospital's folder: config.yaml, inbox, seals, secrets.

    It also writes a template of a roster.

    On a terminal it asks for what is not given as an option. Files that exist are left alone.
    """
    from pipeline.config.named_paths import is_usual_app_id
    from pipeline.esign.products import ESSBASIC, PRODUCTS
    from pipeline.operations.init_project import create_project, require_new_project

    if folder.absolute() != Path.cwd():
        session.config_path = folder / "config.yaml"
    require_new_project(folder)
    is_interactive = not yes and sys.stdin.isatty()
    chosen: Environment | None = "sandbox" if is_sandbox else environment
    if chosen is None and is_interactive:
        chosen = _prompt_choice(session, "init.ask_environment", ENVIRONMENTS)
    chosen = chosen or "production"
    if product is None and is_interactive and not is_sandbox:
        product = _prompt_choice(session, "init.ask_product", PRODUCT_CHOICES)
    product_used = PRODUCTS[product or ESSBASIC.name]
    if foreign := [
        f"--{name.replace('_', '-')}" for name, value in ids.items() if value and name not in product_used.ids
    ]:
        raise UsageError("init.other_product", options=", ".join(foreign), product=product_used.name)
    ids = {name: ids[name] for name in product_used.ids}
    if chosen != "sandbox" and is_interactive:
        ids = {name: value or _prompt(session, f"init.ask_{name}") for name, value in ids.items()}
    language = session.language
    if is_interactive and not session.lang_given:
        language = _prompt_choice(session, "init.ask_language", {"zh": "zh", "en": "en"}, session.spoken)
    given = {name: value for name, value in ids.items() if value}
    settings = _build_settings(product_used, chosen, language, given)
    template = create_project(folder, settings)
    session.print_json(
        folder=str(folder.absolute()),
        product=product_used.name,
        environment=chosen,
        language=language,
        template=str(template.absolute()),
    )
    session.inform("init.done", folder=folder.resolve())
    app_id = settings.ids.get("app_id", "")
    if app_id and chosen != "sandbox" and not is_usual_app_id(app_id):
        session.alert("warning", text=make_message("config_odd_app_id", app_id=app_id))
    if chosen == "sandbox":
        return _finish_sandbox(session, folder)
    _print_steps(session, folder, settings, template)
    return 0


def _build_settings(
    product: Product, environment: Environment, language: str, ids: Mapping[str, str]
) -> ProjectSettings:
    from pipeline.operations.init_project import ProjectSettings

    if environment != "sandbox":
        endpoint = product.endpoints[environment].general
        return ProjectSettings(
            product=product, environment=environment, endpoint=endpoint, language=language, ids=ids
        )
    from pipeline.sandbox.gateway import SANDBOX, make_own_keys
    from pipeline.sandbox.server import HOST, choose_free_port

    return ProjectSettings(
        product=product,
        environment="sandbox",
        endpoint=f"http://{HOST}:{choose_free_port()}",
        language=language,
        ids={name: getattr(SANDBOX, name) for name in product.ids},
        secrets=make_own_keys(),
    )


def _finish_sandbox(session: Session, folder: Path) -> int:
    """Put sample data into the folders, and print how to go on."""
    sample = get_sample_folder()
    if not any((folder / "inbox").iterdir()) and not any((folder / "seals").iterdir()):
        shutil.copyfile(sample / "roster.xlsx", folder / "inbox" / "roster.xlsx")
        for picture in filter(Path.is_file, (sample / "seals").rglob("*")):
            copy = folder / picture.relative_to(sample)
            make_folder(copy.parent)  # copytree would give the folders the rights of the sample's
            shutil.copyfile(picture, copy)
    command = join(["sandbox", "--truth", str(folder / "sandbox-seals.jsonl")])
    session.inform("init.sandbox", command=f"{session.invocation} {command}")
    session.suggest_command("init.next_run", "run")
    return 0


def _print_steps(session: Session, folder: Path, settings: ProjectSettings, template: Path) -> None:
    """Print what is left to do before the first run."""
    from pipeline.operations.init_project import CONFIG, SECRETS

    id_file, key_file = (folder / "secrets" / name for name in SECRETS)
    session.inform("init.secrets", id_file=id_file, key_file=key_file)
    missing = [f"api.{name}" for name in settings.product.ids if name not in settings.ids]
    keys = session.render_sentence("separator.comma").join(missing)
    session.inform("init.ids" if missing else "init.no_ids", path=folder / CONFIG, keys=keys)
    session.inform("init.fill", inbox=folder / "inbox", seals=folder / "seals", template=template)
    session.suggest_command("init.next_check", "check")


def _prompt(session: Session, key: str, default: str = "") -> str:
    """Print a question to stderr and return the answer, ``default`` where it is empty."""
    shown_default = f" [{default}]" if default else ""
    return read_answer(f"{session.render_question(key)}{shown_default}: ") or default


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
    """Show or validate the configuration."""


@config_group.command()
@click.pass_obj
def validate(session: Session) -> int:
    """Find all errors in the configuration; exit 2 if there is one."""
    from pipeline.config.named_paths import (
        is_usual_app_id,
        list_missing_ids,
        list_missing_paths,
        require_certificates,
    )
    from pipeline.esign.products import ESSBASIC
    from pipeline.ledger.tenant import get_service_environment
    from pipeline.workflow.hosts_factory import make_store

    config = session.require_config()
    faults: list[str] = []
    secrets = config.secrets_dir and config.resolve_path(config.secrets_dir)
    for path, missing, is_needed in list_missing_paths(config, session.config_name):
        if is_needed or (path == secrets and not _has_keys(config)):
            session.alert("config_fault", message=missing)
            faults.append(str(missing.render(session.spoken)))
        else:
            session.alert("warning", text=missing)
    if config.api.placeholders:
        keys = list_missing_ids(config, session.config_name)
        text = session.render_sentence("usage.placeholders", place=session.config_name, keys=keys)
        session.print_wrapped(text, whole=[str(session.config_name)])
        faults.append(text)
    elif (
        config.api.product == ESSBASIC.name
        and get_service_environment(config.api.endpoint) != "sandbox"
        and not is_usual_app_id(config.api.app_id)
    ):
        session.alert("warning", text=make_message("config_odd_app_id", app_id=config.api.app_id))
    if faults:
        session.print_json(path=str(session.config_name), valid=False, faults=faults)
        session.suggest_command("next_after", "config", "validate")
        return 2
    require_certificates(config)
    make_store(config)  # the extra, the address and the secret of a ledger on a server
    if (fault := _describe_fault_of_ledger(session, config)) is not None:
        session.alert("config_fault", message=fault)
        session.print_json(path=str(session.config_name), valid=False, faults=[fault.render(session.spoken)])
        session.suggest_command("next_after", "doctor")
        return 2
    session.print_json(path=str(session.config_name), valid=True, faults=[])
    session.inform("config_fine", path=session.config_name)
    session.suggest_command("next_check", "check")
    return 0


def _describe_fault_of_ledger(session: Session, config: Config) -> Message | None:
    """Return the sentence about a ledger file of another tenant, with the line of the id; None where there is none."""
    from pipeline.config.named_paths import get_place
    from pipeline.workflow.tenant_ledger import open_configured_ledger

    if config.is_ledger_on_server:  # it is asked by `doctor`
        return None
    try:
        with open_configured_ledger(config, session.clock):
            return None
    except UsageError as error:
        if error.key == "ledger.other_id":
            key, owned, configured = (error.detail[name] for name in ("key", "owned", "configured"))
            return make_message(
                "ledger.other_id_found",
                path=session.config_name,
                ledger=error.detail["path"],
                place=get_place(config, session.config_name, str(key)),
                key=key,
                owned=owned,
                configured=configured,
            )
        return error.as_message() if error.key in OF_ANOTHER_TENANT else None
    except EsignImportError:  # `doctor` and `ledger check` examine the ledger
        return None


def _has_keys(config: Config) -> bool:
    """Return whether keys are found, in whichever place."""
    from pipeline.workflow.stage_settings import get_credentials_places

    try:
        get_credentials_places(config).find()
    except CredentialsMissing:
        return False
    return True


@config_group.command()
@click.pass_obj
def show(session: Session) -> int:
    """Print what counts: file, environment and defaults together."""
    from ruamel.yaml import YAML

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
    session.suggest_command("next_run", "config", "validate")
    return 0


@config_group.command()
@click.pass_obj
def schema(session: Session) -> int:
    """Print the JSON Schema of config.yaml, for editors.

    With it an editor completes and checks the keys.
    """
    from pipeline.config.settings import build_json_schema

    session.print_data(json.dumps(build_json_schema(), ensure_ascii=False, indent=2))
    session.suggest_command("next_run", "config", "validate")
    return 0


@config_group.command()
@click.option(
    "--autosign",
    is_flag=True,
    help="With the calls of `autosign links`; `autosign status` needs none besides.",
)
@click.pass_obj
def policy(session: Session, *, autosign: bool) -> int:
    """Print the CAM policy that allows this program's calls alone.

    Create it in Tencent Cloud's console (CAM, policies, by syntax) and give it to a sub-account for this program alone.
    """
    from pipeline.config.settings import Config
    from pipeline.workflow.stage_settings import get_contract

    config = session.read_config_if_any() or Config()
    contract = get_contract(config)
    product = contract.product
    uploads = (product.upload,) if contract.needs_upload else ()
    reading = (product.organization_seals, product.auto_sign_status)
    links = (product.auto_sign_enable_url, product.auto_sign_seal_url)
    actions = (product.create, *uploads, *reading, *(links if autosign else ()))
    statement = {
        "effect": "allow",
        "action": [f"{product.service}:{action}" for action in actions],
        "resource": ["*"],  # the service authorises by action alone
    }
    session.print_data(json.dumps({"version": "2.0", "statement": [statement]}, indent=2))
    session.suggest_command("next_policy", "doctor")
    return 0


def _remove_password(url: str) -> str:
    """Return a proxy's address with stars in place of the password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=parts.netloc.replace(parts.password, "***", 1)).geturl()
