"""Two ledgers of one tenant on one host, and a ledger whose files are moved, linked or locked out under a run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from attack.history import run_watched
from attack.stage import LONG, REFUSED, Stage
from run_support import wait_until

GROUP = "ledger places"
FIRST, ALL = (10, 40) if LONG else (4, 16)  # doctors
LATENCY = 0.6 if LONG else 0.0  # seconds: the run that is disturbed goes on while a second one starts


@pytest.fixture
def slow(stage):
    """A hospital with ten sealed doctors and thirty to come, whose service takes its time for these."""
    stage.hire(*range(1, FIRST + 1))
    assert stage.go("run").code == 0
    stage.hire(*range(1, ALL + 1))
    stage.sandbox._sandbox._latency = LATENCY
    return stage


def copy_project(stage: Stage, *, hardlink: bool = False) -> Stage:
    """Copy the whole project folder, with the same sandbox and the same user."""
    target = stage.folder.with_name("copy")
    shutil.copytree(stage.folder, target)
    other = Stage(target, stage.state_home, stage.sandbox, stage.zygote)
    other.humans, other.counts = stage.humans, stage.counts
    if hardlink:
        for entry in ("ledger.sqlite3", "ledger.sqlite3.key"):
            (target / "state" / entry).unlink()
            os.link(stage.folder / "state" / entry, target / "state" / entry)
    return other


def is_busy(stage: Stage) -> Callable[[], bool]:
    """Tell whether a started run has made some of its seals."""
    return lambda: len(stage.service.seals) >= FIRST + 5


def test_a_copied_project_runs_after_the_first(slow):
    other = copy_project(slow)
    assert slow.go("run").code == 0
    run_watched(other)
    slow.assert_clean()


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("link", ["copy", "hardlink"])
def test_a_copied_project_runs_at_the_same_time(slow, link):
    other = copy_project(slow, hardlink=link == "hardlink")
    both = [entry.start("run") for entry in (slow, other)]
    for process in both:
        slow.finish(process)
    slow.assert_clean()


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("link", ["copy", "hardlink"])
def test_a_copied_project_starts_in_the_midst_of_the_first(slow, link):
    other = copy_project(slow, hardlink=link == "hardlink")
    first = slow.start("run")
    wait_until(is_busy(slow))
    other.go("run")
    slow.finish(first)
    slow.assert_clean()


@pytest.mark.skipif(not LONG, reason="make attack")
def test_a_state_folder_that_is_linked_into_a_second_project(slow):
    other = copy_project(slow)
    shutil.rmtree(other.folder / "state")
    (other.folder / "state").symlink_to(slow.folder / "state")
    first = slow.start("run")
    wait_until(is_busy(slow))
    other.go("run")
    slow.finish(first)
    other.go("run")
    slow.assert_clean()


@pytest.mark.skipif(not LONG, reason="make attack")
def test_a_second_ledger_in_the_same_project(slow):
    slow.configure(lines="ledger: other/ledger.sqlite3\nout: other/out\n")
    run_watched(slow)
    slow.assert_clean()


def rename_and_copy_back(stage: Stage, keep: Path) -> None:
    state = stage.folder / "state"
    state.rename(keep)
    shutil.copytree(keep, state, dirs_exist_ok=True)  # the run makes its folder of pictures again


def put_back_the_older_copy(stage: Stage, keep: Path) -> None:
    state = stage.folder / "state"
    state.rename(keep)
    shutil.copytree(stage.folder.with_name("older"), state, dirs_exist_ok=True)


def delete_the_lock_file(stage: Stage, _: Path) -> None:
    for path in (stage.folder / "state").glob("*.lock"):
        path.unlink()


def delete_every_lock_file(stage: Stage, keep: Path) -> None:
    delete_the_lock_file(stage, keep)
    for path in stage.state_home.rglob("*.lock"):
        path.unlink()


def move_the_ledger_aside(stage: Stage, keep: Path) -> None:
    keep.mkdir()
    for path in (stage.folder / "state").glob("ledger.sqlite3*"):
        path.rename(keep / path.name)


def copy_the_ledger_over_itself(stage: Stage, _: Path) -> None:
    """What a synchronising program does: a new file of the same content takes the place of the open one."""
    ledger = stage.folder / "state" / "ledger.sqlite3"
    draft = ledger.with_name("ledger.sqlite3.new")
    shutil.copy2(ledger, draft)
    draft.replace(ledger)


DISTURBANCES = (
    rename_and_copy_back,
    put_back_the_older_copy,
    delete_the_lock_file,
    delete_every_lock_file,
    move_the_ledger_aside,
    copy_the_ledger_over_itself,
)


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("second", ["at once", "afterwards"])
@pytest.mark.parametrize("disturb", DISTURBANCES, ids=lambda case: case.__name__)
def test_files_that_are_moved_under_a_run(slow, tmp_path, disturb, second):
    shutil.copytree(slow.folder / "state", slow.folder.with_name("older"))
    first = slow.start("run")
    wait_until(is_busy(slow))
    disturb(slow, tmp_path / "kept")
    if second == "at once":
        slow.go("run")
        slow.finish(first)
    else:
        slow.finish(first)
        run_watched(slow)
    slow.wait_until_quiet()
    last = run_watched(slow)
    slow.assert_clean()
    if last.code not in REFUSED:
        slow.assert_sealed_or_held(range(1, ALL + 1))
        if "lock" in disturb.__name__:
            assert slow.go("ledger", "check").code == 0, "two runs have written one ledger"


def change_a_line(lines: list[bytes]) -> list[bytes]:
    middle = len(lines) // 2
    return [*lines[:middle], lines[middle].replace(b'"op"', b'"oq"'), *lines[middle + 1 :]]


def delete_a_line(lines: list[bytes]) -> list[bytes]:
    return [*lines[: len(lines) // 2], *lines[len(lines) // 2 + 1 :]]


def begin_later(lines: list[bytes]) -> list[bytes]:
    return lines[1:]


def double_a_line(lines: list[bytes]) -> list[bytes]:
    middle = len(lines) // 2
    return [*lines[:middle], lines[middle], *lines[middle:]]


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("is_ledger_lost", [False, True])
@pytest.mark.parametrize(
    "tamper", [change_a_line, delete_a_line, begin_later, double_a_line], ids=lambda case: case.__name__
)
def test_no_line_of_a_changed_journal_counts(stage, tamper, is_ledger_lost):
    """The ledger and the journal in `out` prove each other; without the ledger nothing proves what the changed one held."""
    stage.hire(*range(1, FIRST + 1))
    assert stage.go("run").code == 0
    (path,) = stage.state_home.rglob("*.jsonl")
    path.write_bytes(b"".join(tamper(path.read_bytes().splitlines(keepends=True))))
    if is_ledger_lost:
        (stage.folder / "state" / "ledger.sqlite3").unlink()
    stage.hire(*range(1, FIRST + 3))
    ended = run_watched(stage)
    stage.assert_clean()
    assert ended.code == (74 if is_ledger_lost else 0)
    assert stage.go("run").code == (74 if is_ledger_lost else 0)
