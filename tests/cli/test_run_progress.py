"""The progress file of a run: its numbers change where the run gets on, and never by a timer."""

import json
import os

import pytest
from manual_clock import ManualClock

from pipeline.cli.context import Session
from pipeline.cli.run_progress import Progress
from pipeline.config.settings import Config
from pipeline.esign.products import ESSBASIC
from pipeline.support.progress_file import VARIABLE, enable_progress_file
from pipeline.workflow.hosts_factory import make_limiter


@pytest.fixture
def watched(tmp_path):
    path = tmp_path / "progress.json"
    path.touch()
    enable_progress_file({VARIABLE: str(path)})
    yield path
    enable_progress_file({})


def age(path):
    """Set the time of a file to long ago."""
    os.utime(path, (0, 0))


async def test_the_numbers_are_written_only_where_they_have_changed(watched):
    clock = ManualClock()
    limiter = make_limiter(Config(), clock)
    progress = Progress(Session(clock=clock, quiet=True), Config(), limiter, "20260101-000000-000")
    progress.begin(3)
    await clock.advance(1)
    numbers = json.loads(watched.read_text("utf-8"))
    assert (numbers["run"], numbers["done"], numbers["total"]) == ("20260101-000000-000", 0, 3)
    age(watched)
    await clock.advance(30)
    assert watched.stat().st_mtime == 0, "a run that hangs leaves the file as it is"
    for change in (
        lambda: setattr(progress.outages, "throttled", 1),
        lambda: limiter._departures[ESSBASIC.create].append(clock.monotonic()),
        progress.note_stopping,
    ):
        change()
        await clock.advance(1)
        assert watched.stat().st_mtime > 0
        age(watched)
        await clock.advance(5)
        assert watched.stat().st_mtime == 0
    numbers = json.loads(watched.read_text("utf-8"))
    assert (numbers["throttled"], numbers["stopping"], numbers["rows"]) == (1, True, [])
    assert watched.stat().st_mode & 0o777 == 0o600
    progress._refresher.cancel()
