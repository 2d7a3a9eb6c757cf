"""A process that has imported everything and forks a run at a time: killed, or failing, at the point it is told.

Reads one JSON object a line, ``{"words", "name", "pass", "signals", "fail", "random"}``, answers with one: ``{"code",
"signal", "points"}``. The child gets signals (SIGKILL unless told) when it passes the point of this name for the
``pass``-th time, or with ``fail`` (an errno) meets a disk that fails there; ``random`` kills it after so many seconds,
wherever it is. ``output`` names a file for what it prints, ``errors`` another one for stderr; ``environment`` holds all its variables; ``limits`` are
its resource limits by name. With ``announce`` its process number comes in a line of its own, before it has ended.
``later`` moves both of its clocks on by so many seconds, ``jump`` the wall clock alone; with ``unhurried`` back-off
takes its time. With ``session`` it leads a session of its own. It runs in ``folder``, if told, and ``terminal`` is the terminal of all its streams, but of its data
where ``output`` names a file.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import resource
import signal
import sqlite3
import sys
import threading
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from run_support import OUTAGE_SECONDS

import pipeline
from pipeline.cli.app import main
from pipeline.clock import SystemClock
from pipeline.planning import guards
from pipeline.reports.write import warm_up
from pipeline.sending import circuit_breaker
from pipeline.support import failpoints


class QuickClock(SystemClock):
    """The machine's clock, on which back-off takes a fiftieth of its time; moved on where an order asks for it."""

    def __init__(self, *, later: float = 0.0, jump: float = 0.0, pace: int = 50) -> None:
        self._later, self._jump, self._pace = later, jump, pace

    def now(self) -> float:
        return super().now() + self._later + self._jump

    def monotonic(self) -> float:
        return super().monotonic() + self._later

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / self._pace)


def import_everything() -> None:
    """Import what a run imports when it needs it, so that no child has to."""
    gc.disable()  # none of it is garbage
    for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        import_module(module.name)
    for name in ("pandas.core.reshape.reshape", "pythonjsonlogger.json"):
        import_module(name)
    warm_up()
    check_a_roster()
    gc.collect()
    gc.freeze()  # a child that collected garbage would copy every page of what is imported
    gc.enable()


def check_a_roster() -> None:
    """Check one row, so that no child has to read messages and compile patterns and templates again."""
    with TemporaryDirectory() as folder, redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        roster = Path(folder, "roster.csv")
        roster.write_text("姓名,证件号码,手机号\n张三,1101,\n", "utf-8")
        for language in ("zh", "en"):
            main(["--lang", language, "check", str(roster), "--out", str(Path(folder, "out"))])
    assert threading.active_count() == 1, "a thread does not survive a fork"


def run(order: dict, log: int) -> int:
    """In the child: count the points that are reached, and die or fail at the chosen one."""
    passed: Counter[str] = Counter()
    counting = threading.RLock()

    def act(name: str) -> None:
        with counting:  # pictures are prepared in several threads
            passed[name] += 1
            is_chosen = (name, passed[name]) == (order.get("name"), order.get("pass"))
        os.write(log, f"{name}\n".encode())
        if not is_chosen:
            return
        if not order.get("fail"):
            for number in order.get("signals", [signal.SIGKILL]):
                os.kill(os.getpid(), number)
            return
        if "commit" in name:
            raise sqlite3.OperationalError("disk I/O error")
        raise OSError(order["fail"], os.strerror(order["fail"]))

    failpoints.enable_failpoint(act)
    if seconds := order.get("random"):
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, seconds)
    direct_streams(order)
    os.environ.clear()
    os.environ.update(order["environment"])
    for limit, value in order.get("limits", {}).items():
        resource.setrlimit(getattr(resource, limit), (value, value))
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell ignores it for what it starts in the background
    circuit_breaker.GIVE_UP_SECONDS = OUTAGE_SECONDS
    if order.get("unguarded"):
        guards.EXISTING_NAMES = sys.maxsize
    clock = QuickClock(
        later=order.get("later", 0.0), jump=order.get("jump", 0.0), pace=1 if order.get("unhurried") else 50
    )
    code = main(order["words"], clock=clock)
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def direct_streams(order: dict) -> None:
    """Give the child its folder, its streams, and the name under which a person calls the program."""
    if order.get("session"):
        os.setsid()
    os.chdir(order.get("folder", "."))
    sys.argv[0] = str(Path(pipeline.__file__).with_name("__main__.py"))
    terminal = order.get("terminal")
    if terminal:
        streams = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
        for stream in (0, 1, 2):
            os.dup2(streams, stream)
    if "output" in order or not terminal:
        output = os.open(order.get("output", os.devnull), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        if not terminal:
            errors = (
                os.open(order["errors"], os.O_WRONLY | os.O_CREAT, 0o600) if "errors" in order else output
            )
            os.dup2(errors, 2)
    if terminal:  # the objects of this process take their streams for pipes or files
        for stream, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
            setattr(sys, name, open(stream, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for its life


def serve() -> None:
    """Answer orders until the input ends."""
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                code = run(order, writing)
            except BaseException:  # noqa: BLE001 - told by its code
                code = 99
            os._exit(code)
        os.close(writing)
        if order.get("announce"):
            sys.stdout.write(f"{child}\n")
            sys.stdout.flush()
        reported = b""
        while chunk := os.read(reading, 1 << 16):
            reported += chunk
        os.close(reading)
        _, status = os.waitpid(child, 0)
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        answer = {"code": code, "signal": killed, "points": reported.decode().splitlines()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    import_everything()
    serve()
