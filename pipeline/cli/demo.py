"""`demo` and `sandbox`: everything without an account, on this machine alone."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.context import Session
from pipeline.cli.run_commands import out_option
from pipeline.errors import UsageError, reason_of
from pipeline.messages.catalogue import render

if TYPE_CHECKING:
    from pipeline.sandbox.server import Sandbox

PORT_ERRORS = {errno.EADDRINUSE: "port_taken", errno.EACCES: "port_rights", errno.EPERM: "port_rights"}
DEFAULT_PORT = 8765  # of `esign-import sandbox`
PACKAGE = Path(__file__).resolve().parents[1]


@click.command()
@click.option("--rows", type=click.IntRange(min=1), metavar="N", help="Create at most N seals.")
@out_option
@click.pass_obj
def demo(session: Session, *, rows: int | None, out: Path | None) -> int:
    """Run the whole import on sample data; no account is needed.

    The service is the built-in sandbox on 127.0.0.1. State and results lie in demo/ and survive: a second
    demo sends nothing twice. Exit code 3 is right: the sample holds rows with troubles on purpose.
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

    folder = out or Path("demo")
    require_results_folder(folder)
    sample = get_sample_folder()
    state_file = folder / "sandbox-seals.jsonl"
    latest = folder / "out" / "latest"
    session.config_path = _write_config(folder, sample)
    roster = _copy_roster(folder, sample)
    with SandboxThread(Sandbox(latency=0.08, truth_file=state_file)) as service:
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
                credentials=Credentials(SANDBOX.secret_id, SANDBOX.secret_key, source="sandbox"),
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
    """Write the demo's config.yaml and the sandbox's published keys, which other commands can use later."""
    from pipeline.sandbox.gateway import SANDBOX
    from pipeline.support.atomic_files import make_folder

    def write_private(path: Path, text: str) -> None:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")

    secrets = make_folder(folder / "secrets")
    write_private(secrets / "tencent__secret_id", SANDBOX.secret_id)
    write_private(secrets / "tencent__secret_key", SANDBOX.secret_key)
    config_file = folder / "config.yaml"
    write_private(
        config_file,
        f"""\
# {render("demo_config", "en")} / {render("demo_config", "zh")}
api:
  endpoint: http://127.0.0.1:{DEFAULT_PORT}
  app_id: {SANDBOX.app_id}
  organization_open_id: {SANDBOX.organization_open_id}
  operator_open_id: {SANDBOX.operator_open_id}
roster: [inbox]
seals: {json.dumps(str(sample / "seals"), ensure_ascii=False)}
secrets_dir: secrets
""",
    )
    return config_file


def get_sample_folder() -> Path:
    """Return the sample's folder: in the repository, or inside the installed package."""
    installed, repository = PACKAGE / "_sample_data", PACKAGE.parent / "sample_data"
    return installed if installed.is_dir() else repository


SECONDS = click.FloatRange(min=0)


@click.command(context_settings={"show_default": True})
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    metavar="PORT",
    help="On 127.0.0.1; 0 = any.",
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
    help="How calls are counted.",
)
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), default=20.0, metavar="N", help="Calls a second."
)
@click.option("--latency", type=SECONDS, default=0.08, metavar="SECONDS", help="Seconds an answer takes.")
@click.option("--jitter", type=SECONDS, default=0.0, metavar="SECONDS", help="Seconds of arrival jitter.")
@click.option(
    "--inline",
    type=click.Choice(["on", "transition", "ignored"]),
    default="transition",
    help="How SealImage is taken.",
)
@click.option(
    "--unique-names",
    type=click.Choice(["code", "bare", "off"]),
    default="code",
    help="Response to a duplicate seal name.",
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

    It answers until Ctrl-C; GET /_truth lists what it made.
    """
    import asyncio

    try:
        asyncio.run(_serve(session, options))
    except KeyboardInterrupt:
        session.inform("sandbox_stopped")
    return 0


async def _serve(session: Session, options: dict[str, Any]) -> None:
    """Answer calls until the task is cancelled."""
    import asyncio

    from pipeline.sandbox.gateway import SANDBOX

    server = _build_sandbox(options)
    try:
        await server.start()
    except OSError as error:
        key = PORT_ERRORS.get(error.errno or 0, "port_failed")
        raise UsageError(
            key, port=options["port"], why=reason_of(error), then=("sandbox", "--port", "0")
        ) from error
    try:
        session.inform(
            "sandbox_at",
            url=server.url,
            secret_id=SANDBOX.secret_id,
            secret_key=SANDBOX.secret_key,
            app_id=SANDBOX.app_id,
            organization=SANDBOX.organization_open_id,
            operator=SANDBOX.operator_open_id,
        )
        await asyncio.get_running_loop().create_future()
    finally:
        await server.stop()


def _build_sandbox(options: dict[str, Any]) -> Sandbox:
    from pipeline.config.named_paths import require_existing
    from pipeline.sandbox.actions import Rules
    from pipeline.sandbox.faults import load_faults
    from pipeline.sandbox.server import Sandbox
    from pipeline.sandbox.service import FakeService

    rules = Rules(**{name: options[name] for name in ("inline", "unique_names", "limiter", "rate")})
    return Sandbox(
        FakeService(rules),
        faults=load_faults(require_existing(options["faults"])) if options["faults"] else (),
        latency=options["latency"],
        arrival_jitter=options["jitter"],
        port=options["port"],
        truth_file=options["truth"],
    )
