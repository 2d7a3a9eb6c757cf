"""`init`: the folder of a new hospital."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import click

from pipeline.cli.context import Session
from pipeline.cli.demo import DEFAULT_PORT, find_sample_data
from pipeline.support.atomic_files import make_folder
from pipeline.support.terminal_text import join

if TYPE_CHECKING:
    from pipeline.operations.init_project import ProjectSettings

Answer = TypeVar("Answer", bound=str)
Environment = Literal["production", "test", "sandbox"]
ENVIRONMENTS: Mapping[str, Environment] = {"1": "production", "2": "test", "3": "sandbox"}
IDS = ("app_id", "organization_open_id", "operator_open_id")


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
@click.option("--app-id", metavar="ID", help="Agent.AppId, from the platform's e-Sign console.")
@click.option("--organization-open-id", metavar="ID", help="The platform's id of the hospital.")
@click.option("--operator-open-id", metavar="ID", help="The platform's id of the employee who acts.")
@click.option("--yes", is_flag=True, help="Ask nothing; what is not given stays to be filled in.")
@click.pass_obj
def init(
    session: Session,
    /,
    *,
    folder: Path,
    is_sandbox: bool,
    environment: Environment | None,
    yes: bool,
    **ids: str | None,
) -> int:
    """Write config.yaml, folders for rosters, pictures and secrets, and a roster template.

    On a terminal it asks for what is not given as an option. Files that exist are left alone.
    """
    from pipeline.operations.init_project import create_project, require_new_project

    require_new_project(folder)
    is_interactive = not yes and sys.stdin.isatty()
    chosen: Environment
    if is_sandbox or environment is not None:
        chosen = "sandbox" if is_sandbox else environment or "production"
    else:
        chosen = (
            _prompt_choice(session, "init.ask_environment", ENVIRONMENTS) if is_interactive else "production"
        )
    if chosen != "sandbox" and is_interactive:
        ids = {name: value or _prompt(session, f"init.ask_{name}") for name, value in ids.items()}
    language = session.language
    if is_interactive and not session.lang_given:
        language = _prompt_choice(session, "init.ask_language", {"zh": "zh", "en": "en"}, session.spoken)
    settings = _build_settings(chosen, language, {name: value for name, value in ids.items() if value})
    template = create_project(folder, settings)
    session.inform("init.done", folder=folder.absolute())
    if folder.absolute() != Path.cwd():
        session.config_path = folder / "config.yaml"
    if chosen == "sandbox":
        return _finish_sandbox(session, folder)
    _print_steps(session, folder, settings, template)
    return 0


def _build_settings(environment: Environment, language: str, ids: Mapping[str, str]) -> ProjectSettings:
    from pipeline.operations.init_project import ENDPOINTS, ProjectSettings

    if environment != "sandbox":
        endpoint = ENDPOINTS[environment]
        return ProjectSettings(environment=environment, endpoint=endpoint, language=language, ids=ids)
    from pipeline.sandbox.authentication import SANDBOX

    return ProjectSettings(
        environment="sandbox",
        endpoint=f"http://127.0.0.1:{DEFAULT_PORT}",
        language=language,
        ids={name: getattr(SANDBOX, name) for name in IDS},
        secrets=(SANDBOX.secret_id, SANDBOX.secret_key),
    )


def _finish_sandbox(session: Session, folder: Path) -> int:
    """Put sample data into the folders, and print how to go on."""
    sample = find_sample_data()
    if not any((folder / "inbox").iterdir()) and not any((folder / "seals").iterdir()):
        shutil.copyfile(sample / "roster.xlsx", folder / "inbox" / "roster.xlsx")
        for picture in filter(Path.is_file, (sample / "seals").rglob("*")):
            copy = folder / picture.relative_to(sample)
            make_folder(copy.parent)  # copytree would give the folders the rights of the sample's
            shutil.copyfile(picture, copy)
    command = join(["sandbox", "--truth", str(folder / "sandbox-seals.jsonl")])
    session.inform("init.sandbox", command=f"{session.program} {command}")
    session.suggest_command("init.next_run", "run")
    return 0


def _print_steps(session: Session, folder: Path, settings: ProjectSettings, template: Path) -> None:
    """Print what is left to do before the first run."""
    from pipeline.operations.init_project import CONFIG, SECRETS

    id_file, key_file = (folder / "secrets" / name for name in SECRETS)
    session.inform("init.secrets", id_file=id_file, key_file=key_file)
    missing = [f"api.{name}" for name in IDS if name not in settings.ids]
    keys = session.render_sentence("mark.comma").join(missing)
    session.inform("init.ids" if missing else "init.no_ids", path=folder / CONFIG, keys=keys)
    session.inform("init.fill", inbox=folder / "inbox", seals=folder / "seals", template=template)
    session.suggest_command("init.next_check", "check")


def _prompt(session: Session, key: str, default: str = "") -> str:
    """Print a question to stderr and return the answer, ``default`` where it is empty."""
    answer: str = click.prompt(
        session.render_sentence(key),
        prompt_suffix=": ",
        default=default,
        show_default=bool(default),
        err=True,
    )
    return answer.strip()


def _prompt_choice(
    session: Session, key: str, choices: Mapping[str, Answer], default: str | None = None
) -> Answer:
    """Prompt until the answer is one of the choices; the first is the default unless another is named."""
    names: Sequence[str] = [*choices]
    while (answer := _prompt(session, key, default or names[0])) not in choices:
        session.alert("init.bad_answer", choices=session.render_sentence("mark.comma").join(names))
    return choices[answer]
