"""SIGHUP, and a terminal that is closed: the run drains as after SIGTERM, and writes its results."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from run_support import wait_until

from pipeline.sandbox.actions import Rules

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
HERE = Path(__file__).parents[2]


@pytest.fixture
def slow(hospital_with):
    """Return a hospital of twenty doctors and a service that takes its time."""
    hospital = hospital_with(rules=Rules(limiter="none"), latency=0.2)
    hospital.doctors(20)
    return hospital


def assert_drained(hospital) -> None:
    """Check that the results match the sandbox, and that the next run seals the rest."""
    statuses = hospital.statuses()
    assert set(statuses) == {"sealed", "not_sent"}
    assert statuses["sealed"] == len(hospital.service.seals)
    assert hospital.record()["exit"] == 143
    assert hospital.go("run", "--yes") == 0
    assert hospital.service.list_duplicates() == {}


def test_sighup_drains_however_often_it_comes(slow, zygote):
    run = zygote.start(slow, "run", "--yes")
    wait_until(lambda: len(slow.service.seals) >= 2)
    for _ in range(3):
        run.send_signal(signal.SIGHUP)
    assert run.wait() == 143
    assert "Stopping" in run.printed.read_text("utf-8")
    assert_drained(slow)


def test_closing_the_terminal_drains(slow):
    ours, theirs = os.openpty()
    command = slow.command("run", "--yes")
    # the terminal is the child's own: closing it sends SIGHUP, and from then on nothing can be written to it
    program = "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from pipeline.cli.app import main; "
    run = subprocess.Popen(
        [sys.executable, "-c", f"{program}raise SystemExit(main({command!r}))"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        cwd=HERE,
    )
    os.close(theirs)
    wait_until(lambda: len(slow.service.seals) >= 2)
    os.close(ours)
    assert run.wait(timeout=60) == 143
    assert_drained(slow)


def test_a_run_under_nohup_goes_on(slow):
    slow.doctors(12)
    run = subprocess.Popen(
        ["nohup", sys.executable, "-m", "pipeline", *slow.command("run", "--yes")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=HERE,
    )
    wait_until(lambda: len(slow.service.seals) >= 2)
    run.send_signal(signal.SIGHUP)
    assert run.wait(timeout=120) == 0
    assert slow.statuses() == {"sealed": 12}
