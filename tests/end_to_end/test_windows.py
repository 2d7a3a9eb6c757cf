"""What differs on Windows, simulated: signals, files that another program holds, long paths, rendered commands."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from run_support import wait_until

from pipeline.errors import DiskTrouble
from pipeline.sandbox.actions import Rules
from pipeline.support import atomic_files

HERE = Path(__file__).parents[2]
# as on Windows: SIGBREAK for SIGHUP, and an event loop that watches no socket for this program
AS_ON_WINDOWS = """
import asyncio, signal
signal.SIGBREAK = signal.SIGUSR1
del signal.SIGHUP

def refuse(*_):
    raise NotImplementedError

asyncio.SelectorEventLoop.add_reader = asyncio.SelectorEventLoop.add_signal_handler = refuse
from pipeline.cli.app import main
raise SystemExit(main({command!r}))
"""


@pytest.mark.skipif(os.name == "nt", reason="a simulation for other systems")
@pytest.mark.parametrize(("sent", "code"), [("SIGUSR1", 143), ("SIGINT", 130)])
def test_ctrl_break_and_ctrl_c_drain(hospital_with, sent, code):
    hospital = hospital_with(rules=Rules(limiter="none"), latency=0.1)
    hospital.doctors(40)
    run = subprocess.Popen(
        [sys.executable, "-c", AS_ON_WINDOWS.format(command=hospital.command("run", "--yes"))],
        stderr=subprocess.PIPE,
        text=True,
        cwd=HERE,
    )
    wait_until(lambda: len(hospital.service.seals) >= 5)
    run.send_signal(getattr(signal, sent))
    stderr_text = run.stderr.read()
    run.stderr.close()
    assert run.wait() == code
    assert "Stopping" in stderr_text
    statuses = hospital.statuses()
    assert set(statuses) == {"sealed", "not_sent"}
    assert statuses["sealed"] == len(hospital.service.seals)


def test_a_file_that_a_scanner_holds_for_a_moment_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_files, "_TRIES", 3)
    monkeypatch.setattr(atomic_files, "_PAUSE", 0)
    refusals = [PermissionError(errno.EACCES, "in use")] * 2

    def replace_later(source, target):
        if refusals:
            raise refusals.pop()
        source.replace(target)

    for numbered in (True, False):
        refusals = refusals or [PermissionError(errno.EACCES, "in use")] * 2
        path = tmp_path / "results.xlsx"
        written = atomic_files.write_atomically(
            path, lambda draft: draft.write_bytes(b"new") and None, numbered=numbered, replace=replace_later
        )
        assert written == path
        assert refusals == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.xlsx"]


@pytest.mark.parametrize(
    ("code", "name", "words"),
    [
        (32, "open.xlsx", ("open in another program", "正被别的程序打开")),
        (5, "open.xlsx", ("open in another program", "正被别的程序打开")),
        (5, "missing.xlsx", ("has no permission", "没有所需的权限")),
        (206, "x" * 250, ("at most 259 characters", "最多 259 个字符")),
        (3, "short", ("cannot be read or written", "无法读写")),
    ],
)
def test_errors_of_windows_have_their_cure(tmp_path, code, name, words):
    (tmp_path / "open.xlsx").touch()
    kind = errno.EACCES if code in {5, 32} else errno.ENOENT
    error = OSError(kind, "as Windows says it", str(tmp_path / name))
    error.winerror = code
    trouble = DiskTrouble.of(error)
    assert words[0] in trouble.render("en")
    assert words[1] in trouble.render("zh")
    assert trouble.exit_code == 74
