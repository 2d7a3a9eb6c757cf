"""`demo` and `sandbox`: everything without an account, on this machine alone."""

from __future__ import annotations

import errno
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from pipeline.cli.context import DEFAULT_CONFIG, Session
from pipeline.cli.run_commands import out_option
from pipeline.errors import UsageError, reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config.settings import Config
    from pipeline.domain.run import RunRequest
    from pipeline.esign.products import Product
    from pipeline.sandbox.faults import Fault, SandboxRules
    from pipeline.sandbox.gateway import Tenant

DEFAULT_PORT = 8765  # of `esign-import sandbox` without a configuration
HTTP_PORT = 80
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
    from pipeline.cli.run_session import run_command
    from pipeline.config.environment import variable_name
    from pipeline.config.hospitals import require_no_common_file
    from pipeline.config.named_paths import require_results_folder
    from pipeline.config.settings import Config
    from pipeline.domain.results_format import COPIES, WORKBOOK
    from pipeline.esign.products import ESSBASIC
    from pipeline.sandbox.server import Sandbox, SandboxThread
    from pipeline.sandbox.service import FakeService
    from pipeline.support.atomic_files import make_folder
    from pipeline.workflow.hosts_factory import get_demo_folder
    from pipeline.workflow.run_request import build_request
    from pipeline.workflow.session import RequestedRun

    folder = out or Path("demo")
    require_results_folder(folder)
    require_no_common_file(folder / "config.yaml")
    session.config_path = folder / "config.yaml"
    if not session.config_path.exists():
        create_sandbox_project(folder, ESSBASIC, session.language)
        make_folder(get_demo_folder(Config.load(session.config_path, environment={})))
    roster, latest = folder / "inbox" / "roster.xlsx", folder / "out" / "latest"
    tenant = build_tenant(Config.load(session.config_path, environment={}))
    stand_in = Sandbox(FakeService(tenants=(tenant,)), latency=0.08, truth_file=get_truth_file(folder))
    with SandboxThread(stand_in) as service:
        config = Config.load(
            session.config_path, environment={variable_name(("api", "endpoint")): service.url}
        )

        def make_request(run: str) -> RunRequest:
            return build_request(
                "run", config, session.clock, limit=rows, invocation=session.invocation, run=run
            )

        # the sandbox ends with this command: other steps are printed below
        ended = run_command(session, config, RequestedRun("run", make_request), yes=True, steps=False)
    code = ended.report.exit
    if code == 3:
        session.inform("demo_exit", code=code)
    session.inform("demo_open", path=latest / WORKBOOK)
    again = session.render_sentence("demo_again", copy=latest / COPIES / roster.name, roster=roster)
    session.inform("next", text=again)
    return code


def create_sandbox_project(folder: Path, product: Product, language: str) -> Path:
    """Create the folder of a hospital that no other sandbox knows, with sample data; return its roster template."""
    from pipeline.operations.init_project import ProjectSettings, create_project
    from pipeline.sandbox.gateway import make_tenant
    from pipeline.sandbox.server import HOST, choose_free_port
    from pipeline.support.atomic_files import make_folder

    tenant = make_tenant()
    settings = ProjectSettings(
        product=product,
        environment="sandbox",
        endpoint=f"http://{HOST}:{choose_free_port()}",
        language=language,
        ids={name: getattr(tenant, name) for name in product.ids},
        secrets=(tenant.secret_id, tenant.secret_key),
        common={},
    )
    template = create_project(folder, settings)
    sample = get_sample_folder()
    if not any((folder / "inbox").iterdir()) and not any((folder / "seals").iterdir()):
        shutil.copyfile(sample / "roster.xlsx", folder / "inbox" / "roster.xlsx")
        for picture in filter(Path.is_file, (sample / "seals").rglob("*")):
            copy = folder / picture.relative_to(sample)
            make_folder(copy.parent)  # copytree would give the folders the rights of the sample's
            shutil.copyfile(picture, copy)
    return template


def get_truth_file(folder: Path) -> Path:
    """Return the file in which the sandbox of a hospital's folder keeps what it made."""
    return folder / "sandbox-seals.jsonl"


def get_sample_folder() -> Path:
    """Return the sample's folder: in the repository, or inside the installed package."""
    installed = PACKAGE / "_sample_data"
    return installed if installed.is_dir() else PACKAGE.parent / "sample_data"


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="On 127.0.0.1; 0 = any. Without it: that of api.endpoint, else 8765.",
)
@click.option("--faults", type=click.Path(path_type=Path), metavar="FILE", help="Faults to inject.")
@click.option(
    "--rules",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="How it limits, refuses and answers.",
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
    Ctrl-C; GET /_truth lists what it made.
    """
    import asyncio

    if session.as_json:
        raise UsageError("json.refused", command="sandbox")
    try:
        asyncio.run(_serve(session, **options))
    except KeyboardInterrupt:
        session.inform("sandbox_stopped")
    return 0


async def _serve(
    session: Session, *, port: int | None, faults: Path | None, rules: Path | None, truth: Path | None
) -> None:
    """Answer calls until the task is cancelled."""
    import asyncio

    from pipeline.sandbox.gateway import SANDBOX
    from pipeline.sandbox.server import Sandbox
    from pipeline.sandbox.service import FakeService

    configs = _list_local_configs(session)
    if not configs and session.config_path is not None:
        raise UsageError("sandbox_elsewhere", path=session.config_path, then=("init", "--sandbox"))
    if port is None:
        port = (urlsplit(configs[0].api.endpoint).port or HTTP_PORT) if configs else DEFAULT_PORT
    injected, used_rules = _read_manners(faults, rules)
    tenants = [build_tenant(config) for config in configs] or [SANDBOX]
    server = Sandbox(
        FakeService(used_rules, tenants=tenants),
        faults=injected,
        latency=used_rules.latency,
        arrival_jitter=used_rules.jitter,
        port=port,
        truth_file=truth,
    )
    try:
        await server.start()
    except OSError as error:
        then = ("sandbox", "--port", "0")
        if error.errno == errno.EADDRINUSE:
            raise UsageError("port_taken", port=port, then=then) from error
        raise UsageError("port_failed", port=port, why=reason_of(error), then=then) from error
    try:
        if configs:
            path = (session.config_path or DEFAULT_CONFIG).absolute()
            session.inform("sandbox_of", url=server.url, path=path)
        else:
            session.inform(
                "sandbox_at",
                url=server.url,
                app_id=SANDBOX.app_id,
                organization=SANDBOX.organization_open_id,
                operator=SANDBOX.operator_open_id,
                operator_user=SANDBOX.operator_user_id,
                secret_id=SANDBOX.secret_id,
                secret_key=SANDBOX.secret_key,
            )
        await asyncio.get_running_loop().create_future()
    finally:
        await server.stop()


def _list_local_configs(session: Session) -> Sequence[Config]:
    """Return the hospitals of the configuration whose service is one address of this machine, without TLS."""
    from pipeline.ledger.tenant import get_service_environment

    if session.config_path is None and not DEFAULT_CONFIG.exists():
        return []
    local = []
    for config in map(session.read_config, session.list_hospitals().values()):
        endpoint = config.api.endpoint
        if get_service_environment(endpoint) == "sandbox" and endpoint.startswith("http:"):
            local.append(config)
    return [config for config in local if config.api.endpoint == local[0].api.endpoint]


def build_tenant(config: Config) -> Tenant:
    """Return a hospital as its sandbox knows it. Raises CredentialsMissing where it has no keys."""
    from pipeline.esign.products import ESS, ESSBASIC
    from pipeline.esign.signing import Credentials
    from pipeline.sandbox.gateway import SANDBOX
    from pipeline.workflow.stage_settings import get_credentials_places

    api, ids = config.api, dict[str, Any]()
    if not api.placeholders and api.product == ESS.name:
        ids |= {"organization_open_id": api.organization, "operator_user_id": api.operator_user_id}
    elif not api.placeholders:
        ids |= {name: getattr(api, name) for name in ESSBASIC.ids}
    keys = get_credentials_places(config).find()
    if not isinstance(keys, Credentials):
        return replace(SANDBOX, **ids)
    return replace(SANDBOX, **ids, secret_id=keys.secret_id, secret_key=keys.secret_key, token=keys.token)


def _read_manners(faults: Path | None, rules: Path | None) -> tuple[Sequence[Fault], SandboxRules]:
    """Return the faults to inject, and how the sandbox answers."""
    from pipeline.config.named_paths import require_existing
    from pipeline.sandbox.faults import SandboxRules, load_faults, load_rules

    for file in filter(None, (faults, rules)):
        require_existing(file)
    return load_faults(faults) if faults else (), load_rules(rules) if rules else SandboxRules()
