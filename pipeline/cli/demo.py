"""`demo` and `sandbox`: everything without an account, on this machine alone."""

from __future__ import annotations

import errno
import json
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import click

from pipeline.cli.context import DEFAULT_CONFIG, Session
from pipeline.cli.run_commands import out_option
from pipeline.domain.message import Message
from pipeline.errors import CredentialsMissing, EsignImportError, UsageError, reason_of
from pipeline.messages.catalogue import make_message, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config.settings import Config
    from pipeline.sandbox.gateway import Tenant
    from pipeline.sandbox.server import Sandbox

RIGHTS_ERRORS = frozenset({errno.EACCES, errno.EPERM})
DEFAULT_PORT = 8765  # of `esign-import sandbox` without a configuration
HTTP_PORT = 80
_PORT = re.compile(r"endpoint: http://127\.0\.0\.1:(\d+)")
PACKAGE = Path(__file__).resolve().parents[1]


@click.command()
@click.option("--rows", type=click.IntRange(min=1), metavar="N", help="Create at most N seals.")
@out_option
@click.pass_obj
def demo(session: Session, *, rows: int | None, out: Path | None) -> int:
    """Run the whole import on sample data; no account is needed.

    The service is the built-in sandbox on 127.0.0.1. State and results are kept in demo/, so a
    second demo sends nothing twice. Exit code 3 is right: the sample contains rows with mistakes on purpose.
    """
    from pipeline.cli.run_log import record_command
    from pipeline.cli.run_session import run_command
    from pipeline.config.environment import variable_name
    from pipeline.config.named_paths import require_results_folder
    from pipeline.config.settings import load
    from pipeline.domain.results_format import COPIES, WORKBOOK
    from pipeline.domain.run import RunRequest
    from pipeline.esign.signing import Credentials
    from pipeline.sandbox.gateway import SANDBOX
    from pipeline.sandbox.server import Sandbox, SandboxThread
    from pipeline.sandbox.service import FakeService

    folder = out or Path("demo")
    require_results_folder(folder)
    sample = get_sample_folder()
    state_file = folder / "sandbox-seals.jsonl"
    latest = folder / "out" / "latest"
    session.config_path = _write_config(folder, sample)
    roster = _copy_roster(folder, sample)
    secret_id, secret_key = _read_keys(folder)
    tenant = replace(SANDBOX, secret_id=secret_id, secret_key=secret_key)
    stand_in = FakeService(tenants=(tenant,), owner=str(session.config_path.absolute()))
    with SandboxThread(Sandbox(stand_in, latency=0.08, truth_file=state_file)) as service:
        config = load(session.config_path, {variable_name(("api", "endpoint")): service.url})
        with record_command(session, "run", config) as recorder:
            request = RunRequest(
                "run",
                recorder.run,
                (roster.parent,),
                sample / "seals",
                folder / "out" / recorder.run,
                limit=rows,
                invocation=session.invocation,
            )
            code = run_command(
                recorder,
                request,
                yes=True,
                latest=latest,
                register=False,  # each demo has its own service
                steps=False,  # the sandbox ends with this command: other steps are printed below
                credentials=Credentials(secret_id, secret_key, source="sandbox"),
            )
    if code == 3:
        session.inform("demo_exit", code=code)
    session.inform("demo_open", path=latest / WORKBOOK)
    session.suggest_same_command("demo_again", copy=latest / COPIES / roster.name, roster=roster)
    return code


def _copy_roster(folder: Path, sample: Path) -> Path:
    """Return the demo's roster; one that is there stays, as it may have been corrected since an earlier demo."""
    from pipeline.support.atomic_files import make_folder

    roster = make_folder(folder / "inbox") / "roster.xlsx"
    if not roster.exists():
        shutil.copyfile(sample / "roster.xlsx", roster)
    return roster


def _write_config(folder: Path, sample: Path) -> Path:
    """Write the demo's config.yaml with keys and a port of its own, which other commands can use later."""
    from pipeline.sandbox.gateway import SANDBOX, make_own_keys
    from pipeline.sandbox.server import choose_free_port
    from pipeline.support.atomic_files import make_folder

    def write_private(path: Path, text: str) -> None:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")

    make_folder(folder / "secrets")
    if not all(path.is_file() for path in _list_key_files(folder)):
        for path, key in zip(_list_key_files(folder), make_own_keys(), strict=True):
            write_private(path, key)
    config_file = folder / "config.yaml"
    earlier = _PORT.search(config_file.read_text("utf-8")) if config_file.is_file() else None
    port = earlier[1] if earlier else choose_free_port()
    write_private(
        config_file,
        f"""\
# {render("demo_config", "en")} / {render("demo_config", "zh")}
api:
  endpoint: http://127.0.0.1:{port}
  app_id: {SANDBOX.app_id}
  organization_open_id: {SANDBOX.organization_open_id}
  operator_open_id: {SANDBOX.operator_open_id}
roster: [inbox]
seals: {json.dumps(str((sample / "seals").absolute()), ensure_ascii=False)}
secrets_dir: secrets
""",
    )
    return config_file


def _list_key_files(folder: Path) -> list[Path]:
    return [folder / "secrets" / f"tencent__{name}" for name in ("secret_id", "secret_key")]


def _read_keys(folder: Path) -> tuple[str, str]:
    id_file, key_file = _list_key_files(folder)
    return id_file.read_text("utf-8").strip(), key_file.read_text("utf-8").strip()


def get_sample_folder() -> Path:
    """Return the sample's folder: in the repository, or inside the installed package.

    Its path is relative where it lies in the current folder, as that of a folder which a person named.
    """
    installed, repository = PACKAGE / "_sample_data", PACKAGE.parent / "sample_data"
    sample = installed if installed.is_dir() else repository
    return sample.relative_to(current) if sample.is_relative_to(current := Path.cwd()) else sample


SECONDS = click.FloatRange(min=0)
RULES = (
    "inline",
    "unique_names",
    "limiter",
    "rate",
    "auto_sign",
)


@click.command(context_settings={"show_default": True})
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="On 127.0.0.1; 0 = any. Without it: that of api.endpoint, else 8765.",
)
@click.option(
    "--faults",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Faults to inject.",
)
@click.option(
    "--limiter",
    type=click.Choice(["rolling", "calendar", "none"]),
    default="rolling",
    help="How the rate limit counts.",
)
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), default=20.0, metavar="N", help="Calls per second."
)
@click.option("--latency", type=SECONDS, default=0.08, metavar="SECONDS", help="Response time (s).")
@click.option(
    "--jitter", type=SECONDS, default=0.0, metavar="SECONDS", help="Spread of the response time (s)."
)
@click.option(
    "--inline",
    type=click.Choice(["on", "transition", "ignored"]),
    default="transition",
    help="How the inline SealImage is treated.",
)
@click.option(
    "--unique-names",
    type=click.Choice(["code", "bare", "off"]),
    help="Response to a duplicate seal name. [default: code; of the product ess: off]",
)
@click.option(
    "--auto-sign",
    type=click.Choice(["on", "unlisted", "forbidden"]),
    default="on",
    help="Whether the hospital may use the calls about auto-sign, else which refusal they get.",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File that keeps created seals between restarts.",
)
@click.pass_obj
def sandbox(session: Session, /, **options: Any) -> int:
    """Run a stand-in for the service on 127.0.0.1.

    With a configuration for this machine it has the port, ids and keys of that and refuses all others. It answers until
    Ctrl-C; GET /_truth lists what it made, POST /_auto_sign lets doctors act.
    """
    import asyncio

    session.refuse_json("sandbox")
    try:
        asyncio.run(_serve(session, options))
    except KeyboardInterrupt:
        session.inform("sandbox_stopped")
    return 0


async def _serve(session: Session, options: dict[str, Any]) -> None:
    """Answer calls until the task is cancelled."""
    import asyncio

    from pipeline.sandbox.gateway import SANDBOX

    project = _read_project(session)
    port = project.port if options["port"] is None else options["port"]
    server = _build_sandbox(session, options, project, port)
    try:
        await server.start()
    except OSError as error:
        raise await _explain_port(error, port, project) from error
    try:
        keys = {"secret_id": SANDBOX.secret_id, "secret_key": SANDBOX.secret_key}
        if project.path is None:
            session.inform(
                "sandbox_at",
                url=server.url,
                app_id=SANDBOX.app_id,
                organization=SANDBOX.organization_open_id,
                operator=SANDBOX.operator_open_id,
                operator_user=SANDBOX.operator_user_id,
                **keys,
            )
        elif project.cure_of_keys is not None:
            details = {"url": server.url, "path": project.path, "cure": project.cure_of_keys}
            session.inform("sandbox_without_keys", **details, **keys)
        else:
            session.inform("sandbox_of", url=server.url, path=project.path)
        await asyncio.get_running_loop().create_future()
    finally:
        await server.stop()


@dataclass(frozen=True, slots=True)
class _Project:
    """What a sandbox is started for: the hospitals of a configuration, or a user without one."""

    path: Path | None
    port: int
    tenants: Sequence[Tenant]
    owner: str
    cure_of_keys: Message | None = None  # what to do where the configuration has no keys


def _read_project(session: Session) -> _Project:
    """Return what the configuration has on this machine. Raises UsageError where one is named that has nothing there."""
    from pipeline.ledger.lock import read_user_name
    from pipeline.sandbox.gateway import SANDBOX

    user = read_user_name()
    configs = _list_local_configs(session)
    if not configs:
        if session.config_path is not None:
            raise UsageError("sandbox_elsewhere", path=session.config_path, then=("init", "--sandbox"))
        return _Project(None, DEFAULT_PORT, (SANDBOX,), user)
    path = session.config_name.absolute()
    address = urlsplit(configs[0].api.endpoint)
    tenants = [_make_tenant(config) for config in configs]
    cures = [cure for config in configs if (cure := _advise_on_missing_keys(config)) is not None]
    return _Project(path, address.port or HTTP_PORT, tenants, f"{path} ({user})", next(iter(cures), None))


def _advise_on_missing_keys(config: Config) -> Message | None:
    from pipeline.workflow.stage_settings import get_credentials_places

    try:
        get_credentials_places(config).find()
    except CredentialsMissing as missing:
        return cast("Message", missing.detail["cure"])
    return None


def _list_local_configs(session: Session) -> Sequence[Config]:
    """Return the hospitals of the configuration whose service is one address of this machine, without TLS."""
    from pipeline.config.named_paths import require_existing
    from pipeline.ledger.tenant import get_service_environment

    if session.config_path is not None:
        require_existing(session.config_path)
    elif not DEFAULT_CONFIG.exists():
        return []
    file = session.open_config_file(session.config_name)
    local = []
    for config in map(file.load, file.list_hospitals()):
        endpoint = config.api.endpoint
        if get_service_environment(endpoint) == "sandbox" and endpoint.startswith("http:"):
            local.append(config)
    return [config for config in local if config.api.endpoint == local[0].api.endpoint]


def _make_tenant(config: Config) -> Tenant:
    """Return a hospital as its sandbox knows it: the keys that its runs use, the published ones where it has none."""
    from pipeline.esign.products import ESS, ESSBASIC
    from pipeline.esign.signing import Credentials
    from pipeline.sandbox.gateway import SANDBOX
    from pipeline.workflow.stage_settings import get_credentials_places

    api, ids = config.api, dict[str, Any]()
    if not api.placeholders and api.product == ESS.name:
        ids |= {"organization_open_id": api.organization, "operator_user_id": api.operator_user_id}
    elif not api.placeholders:
        ids |= {name: getattr(api, name) for name in ESSBASIC.ids}
    try:
        keys = get_credentials_places(config).find()
    except CredentialsMissing:
        return replace(SANDBOX, **ids)
    if not isinstance(keys, Credentials):
        return replace(SANDBOX, **ids)
    return replace(SANDBOX, **ids, secret_id=keys.secret_id, secret_key=keys.secret_key, token=keys.token)


async def _explain_port(error: OSError, port: int, project: _Project) -> UsageError:
    """Return why a port cannot be used, and whose sandbox is there."""
    from pipeline.sandbox.server import choose_free_port, read_owner

    is_own_port_free = project.path is not None and port != project.port
    then = ("sandbox",) if is_own_port_free else ("sandbox", "--port", "0")
    if error.errno in RIGHTS_ERRORS:
        if is_own_port_free and await read_owner(project.port) == project.owner:
            return UsageError("port_own", port=project.port, owner=project.owner, then=("check",))
        return UsageError("port_rights", port=port, then=then)
    if error.errno != errno.EADDRINUSE:
        return UsageError("port_failed", port=port, why=reason_of(error), then=then)
    owner = await read_owner(port)
    if owner == project.owner:
        return UsageError("port_own", port=port, owner=owner, then=("check",) if project.path else ("demo",))
    holder = make_message("port_of_sandbox", owner=owner) if owner else await _describe_program(port)
    if project.path is not None and port == project.port:
        return UsageError(
            "port_taken_here",
            port=port,
            holder=holder,
            path=project.path,
            command=f"endpoint: http://127.0.0.1:{choose_free_port()}",
        )
    return UsageError("port_taken", port=port, holder=holder, then=then)


async def _describe_program(port: int) -> Message:
    """Return what a program on a port is called, by its answer: it is no sandbox."""
    from pipeline.sandbox.server import read_answer

    answer = await read_answer(port)
    if answer is None:
        return make_message("port_of_program", answer=make_message("port_of_program.silent"))
    status, server = answer
    key = "port_of_program.answers_as" if server else "port_of_program.answers"
    return make_message("port_of_program", answer=make_message(key, status=status, server=server))


def _build_sandbox(session: Session, options: dict[str, Any], project: _Project, port: int) -> Sandbox:
    from pipeline.config.named_paths import no_such_path
    from pipeline.sandbox.actions import Rules
    from pipeline.sandbox.faults import load_faults
    from pipeline.sandbox.server import Sandbox
    from pipeline.sandbox.service import FakeService

    fault_file = options["faults"]
    if fault_file and not fault_file.exists():
        raise no_such_path(fault_file, never=DEFAULT_CONFIG.name)
    if fault_file and fault_file.absolute() == (project.path or DEFAULT_CONFIG.absolute()):
        raise UsageError("faults.is_the_configuration", path=fault_file)

    def list_current_tenants() -> Sequence[Tenant]:
        """Return the tenants with the keys that the configuration has now."""
        with suppress(EsignImportError, OSError):  # its folder may be gone
            return _read_project(replace(session, config_files={})).tenants
        return []

    rules = Rules(**{name: options[name] for name in RULES})
    return Sandbox(
        FakeService(
            rules,
            tenants=project.tenants,
            owner=project.owner,
            list_current_tenants=list_current_tenants,
        ),
        faults=load_faults(fault_file) if fault_file else (),
        latency=options["latency"],
        arrival_jitter=options["jitter"],
        port=port,
        truth_file=options["truth"],
    )
