"""Runs that hang: real processes of the program, whose configuration lies on a share that does not answer (a pipe)."""

import os
import signal
import threading

import psutil
import pytest
from run_support import wait_until

from pipeline.clock import SystemClock
from pipeline.errors import isolate_row_failure
from pipeline.hosts.run_children import RunChildren, RunLimits, judge_end
from pipeline.intake.read_rosters import read_rosters
from pipeline.support.progress_file import VARIABLE, enable_progress_file

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes in the file system")


@pytest.fixture
def silent_share(tmp_path):
    """A folder with that of a hospital, whose run hangs as soon as it opens the configuration."""
    (tmp_path / "east").mkdir()
    os.mkfifo(tmp_path / "east" / "config.yaml")
    return tmp_path


def make_children(folder, **limits):
    messages = []
    limits = RunLimits(**({"run_seconds": 600, "idle_seconds": 600} | limits))
    children = RunChildren(
        folder, "en", limits=limits, clock=SystemClock(), report=lambda key, **_: messages.append(key)
    )
    return children, messages


def start(children):
    """Run a hospital in a thread; return the thread, its result once it is done, and the process of the run."""
    ends = []
    before = {process.pid for process in psutil.Process().children()}
    thread = threading.Thread(target=lambda: ends.append(children.run("east")))
    thread.start()
    wait_until(lambda: {process.pid for process in psutil.Process().children()} - before)
    (pid,) = {process.pid for process in psutil.Process().children()} - before
    process = psutil.Process(pid)
    wait_until(lambda: "ESIGN_RUN_PROGRESS" in process.environ())  # until then it is a copy of this process
    return thread, ends, process


@pytest.mark.parametrize(
    ("limits", "reason"), [({"idle_seconds": 1.0}, "no_progress"), ({"run_seconds": 1.0}, "run_limit")]
)
def test_a_run_that_hangs_is_ended_and_tried_again(silent_share, limits, reason):
    children, messages = make_children(silent_share, **limits)
    end = children.run("east")
    assert (end.ended_for, judge_end(end)) == (reason, "again")
    assert messages[0] == f"worker.{reason}"


def test_a_run_that_does_not_end_is_killed_with_what_it_has_started(silent_share):
    children, messages = make_children(silent_share, idle_seconds=1.0)
    thread, ends, process = start(children)
    process.send_signal(signal.SIGSTOP)
    thread.join(120)
    assert messages == ["worker.no_progress", "worker.killed"]
    assert ends[0].exit == -signal.SIGKILL
    assert not process.is_running()


def test_a_run_that_gets_on_is_left_alone(silent_share):
    """Its file of progress changes; once it does not any more, the run is ended."""
    children, messages = make_children(silent_share, idle_seconds=2.0)
    thread, _, process = start(children)
    progress = process.environ()["ESIGN_RUN_PROGRESS"]
    wait_until(lambda: children._children)  # the process is there before the worker notes it
    (child,) = children._children
    looks = set()

    def get_on():
        os.utime(progress)
        looks.add(child._looked_at)
        return len(looks) > 4

    wait_until(get_on)
    assert messages == []
    thread.join(120)
    assert messages[0] == "worker.no_progress"
    assert not os.path.exists(progress)  # noqa: PTH110 - the name is a text


def test_reading_a_row_and_working_on_one_are_progress(tmp_path):
    progress, roster = tmp_path / "progress", tmp_path / "roster.csv"
    progress.touch()
    roster.write_text("姓名,证件号码\n张伟,1\n", "utf-8")
    enable_progress_file({VARIABLE: str(progress)})
    try:
        for step in (lambda: read_rosters([roster]), lambda: isolate_row_failure(int, str, stage="plan")):
            os.utime(progress, (0, 0))
            step()
            assert progress.stat().st_mtime > 0
    finally:
        enable_progress_file({})


def test_a_run_is_asked_once_whether_it_is_cancelled_or_its_worker_ends(silent_share):
    children, messages = make_children(silent_share)
    thread, ends, process = start(children)
    process.send_signal(signal.SIGSTOP)  # nothing of what it is asked arrives yet
    assert children.end("east", "cancelled")
    assert not children.end("east", "cancelled")
    children.drain()
    process.send_signal(signal.SIGCONT)
    thread.join(120)
    assert (ends[0].is_cancelled, ends[0].exit) == (True, -signal.SIGTERM)
    assert messages == []
    assert not children.end("east", "cancelled"), "it has ended"
    assert children.run("east") is None
