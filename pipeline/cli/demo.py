"""`demo` and `sandbox`: everything without an account, on this machine alone."""

from __future__ import annotations

import asyncio
import errno
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from pipeline.cli.context import Session
from pipeline.cli.run_commands import out_option
from pipeline.cli.run_record import recorded
from pipeline.cli.run_session import run_command
from pipeline.config.environment import name_of
from pipeline.config.named_paths import room_for_results
from pipeline.config.settings import load
from pipeline.domain.run import RunRequest
from pipeline.errors import UsageError, reason_of
from pipeline.messages.catalogue import say
from pipeline.support.shell_quoting import join

PORT_TROUBLE = {errno.EADDRINUSE: "port_taken", errno.EACCES: "port_rights", errno.EPERM: "port_rights"}
PORT = 8765  # of `esign-import sandbox`, unless --port says otherwise
PACKAGE = Path(__file__).resolve().parents[1]


@click.command()
@click.option("--rows", type=click.IntRange(min=1), metavar="N", help="Create at most N seals.")
@out_option
@click.pass_obj
def demo(session: Session, *, rows: int | None, out: Path | None) -> int:
    """Run the whole night on sample data; no account is needed.

    The service is the built-in sandbox on 127.0.0.1. State and results lie in demo/ and survive: a second
    demo sends nothing twice. Exit code 3 is right: the sample holds rows with troubles on purpose.
    """
    from pipeline.esign.signing import Credentials  # noqa: PLC0415
    from pipeline.reports.edited_workbooks import newest  # noqa: PLC0415
    from pipeline.sandbox.server import Sandbox  # noqa: PLC0415
    from pipeline.sandbox.tenant import SANDBOX  # noqa: PLC0415
    from pipeline.sandbox.thread import SandboxThread  # noqa: PLC0415

    base = out or Path("demo")
    room_for_results(base)
    sample = _sample_data()
    clock = session.clock
    truth = base / "sandbox-seals.jsonl"
    config_file = session.config_path = _write_config(base, sample)
    with ExitStack() as stack:
        service = stack.enter_context(SandboxThread(Sandbox(latency=0.08, truth_file=truth)))
        config = load(config_file, {name_of(("api", "endpoint")): service.url})
        recorder = stack.enter_context(recorded(session, "run", config))
        results = base / "out" / recorder.run
        ask = RunRequest(
            "run",
            recorder.run,
            (sample / "roster.xlsx",),
            sample / "seals",
            results,
            limit=rows,
            invocation=session.invocation,
        )
        latest = base / "out" / "latest"
        code = run_command(
            session,
            config,
            ask,
            recorder=recorder,
            clock=clock,
            yes=True,
            latest=latest,
            register=False,  # each demo has its own service
            steps=False,  # the sandbox ends with this command: what goes on from here is said below
            credentials=lambda: Credentials(SANDBOX.secret_id, SANDBOX.secret_key, source="sandbox"),
        )
    workbook = newest(latest / "results.xlsx")
    if code == 3:
        session.say("demo_exit", code=code)
    session.say("demo_open", path=workbook)
    sandbox_command = f"{session.program} {join(['sandbox', '--truth', str(truth)])}"
    session.say("demo_more", sandbox=sandbox_command)
    session.proceed("demo_retry", "retry", str(workbook))
    return code


def _write_config(base: Path, sample: Path) -> Path:
    """Write the demo's config.yaml and the sandbox's published keys, so that every command can go on from here."""
    from pipeline.sandbox.tenant import SANDBOX  # noqa: PLC0415
    from pipeline.support.atomic_files import private_folder  # noqa: PLC0415

    secrets = private_folder(base / "secrets")
    _write_private(secrets / "tencent__secret_id", SANDBOX.secret_id)
    _write_private(secrets / "tencent__secret_key", SANDBOX.secret_key)
    path = base / "config.yaml"
    _write_private(
        path,
        f"""\
# {say("demo_config", "en")} / {say("demo_config", "zh")}
api:
  endpoint: http://127.0.0.1:{PORT}
  app_id: {SANDBOX.app_id}
  organization_open_id: {SANDBOX.organization_open_id}
  operator_open_id: {SANDBOX.operator_open_id}
roster: [{json.dumps(str(sample / "roster.xlsx"), ensure_ascii=False)}]
seals: {json.dumps(str(sample / "seals"), ensure_ascii=False)}
secrets_dir: secrets
""",
    )
    return path


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _sample_data() -> Path:
    """Return the sample's folder: in the repository, or inside the installed package."""
    installed, repository = PACKAGE / "_sample_data", PACKAGE.parent / "sample_data"
    return installed if installed.is_dir() else repository


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    metavar="PORT",
    help="On 127.0.0.1; 0 = any.",
)
@click.option(
    "--faults",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Faults to inject.",
)
@click.option(
    "--limiter",
    type=click.Choice(["rolling", "calendar", "none"]),
    default="rolling",
    show_default=True,
    help="How calls are counted.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    metavar="N",
    show_default=True,
    help="Calls a second.",
)
@click.option(
    "--latency",
    type=click.FloatRange(min=0),
    default=0.08,
    metavar="SECONDS",
    show_default=True,
    help="Seconds an answer takes.",
)
@click.option(
    "--jitter",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    show_default=True,
    help="Seconds of arrival jitter.",
)
@click.option(
    "--inline",
    type=click.Choice(["on", "transition", "ignored"]),
    default="transition",
    show_default=True,
    help="How SealImage is taken.",
)
@click.option(
    "--unique-names",
    type=click.Choice(["code", "bare", "off"]),
    default="code",
    show_default=True,
    help="How a taken seal name is refused.",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep the seals made across restarts.",
)
@click.pass_obj
def sandbox(session: Session, /, **options: Any) -> int:
    """Run a stand-in for the service on 127.0.0.1.

    It answers until Ctrl-C; GET /_truth tells what it made.
    """
    try:
        asyncio.run(_serve(session, options))
    except KeyboardInterrupt:
        session.say("sandbox_stopped")
    return 0


async def _serve(session: Session, options: dict[str, Any]) -> None:
    from pipeline.sandbox.fault_file import load_faults  # noqa: PLC0415
    from pipeline.sandbox.rules import Rules  # noqa: PLC0415
    from pipeline.sandbox.server import Sandbox  # noqa: PLC0415
    from pipeline.sandbox.tenant import SANDBOX  # noqa: PLC0415
    from pipeline.sandbox.world import World  # noqa: PLC0415

    rules = Rules(
        inline=options["inline"],
        unique_names=options["unique_names"],
        limiter=options["limiter"],
        rate=options["rate"],
    )
    server = Sandbox(
        World(rules),
        faults=load_faults(options["faults"]) if options["faults"] else (),
        latency=options["latency"],
        arrival_jitter=options["jitter"],
        port=options["port"],
        truth_file=options["truth"],
    )
    try:
        await server.start()
    except OSError as error:
        key = PORT_TROUBLE.get(error.errno or 0, "port_failed")
        raise UsageError(key, port=options["port"], why=reason_of(error)) from error
    try:
        session.say(
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
