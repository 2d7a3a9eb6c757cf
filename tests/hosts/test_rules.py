"""When a hospital is due, what its roster is, and what the end of its run means."""

import sys
from datetime import date, datetime, time

import pytest
from procrastinate.exceptions import ConnectorException

from pipeline.clock import SystemClock
from pipeline.config.sections import Workers
from pipeline.hosts.daily_jobs import compute_day, digest_rosters
from pipeline.hosts.run_children import (
    RetryAfterRun,
    RunChildren,
    RunEnd,
    RunLimits,
    RunNotDone,
    choose_wait,
    judge_end,
)


@pytest.mark.parametrize(
    ("moment", "day", "seconds"),
    [
        ("2026-11-27T01:00", date(2026, 11, 27), 0),
        ("2026-11-27T00:59", date(2026, 11, 26), 86_340),
        ("2026-11-27T23:00", date(2026, 11, 27), 79_200),
    ],
)
def test_a_day_begins_at_its_start_by_local_time(moment, day, seconds):
    assert compute_day(datetime.fromisoformat(moment).astimezone().timestamp(), time(1)) == (day, seconds)


def test_the_digest_is_of_names_and_contents_in_any_order(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, order in ((one, "ab"), (two, "ba")):
        folder.mkdir()
        for name in order:
            (folder / f"{name}.csv").write_text(f"roster {name}")
        (folder / "~$a.csv").write_text("debris of Excel")
    digest = digest_rosters([one])
    assert digest == digest_rosters([two]) == digest_rosters([one / "b.csv", one / "a.csv"])
    assert len(digest.sha256) == 64
    assert digest.size == 2 * len("roster a")
    (two / "a.csv").write_text("roster A")
    changed = digest_rosters([two])
    (one / "a.csv").rename(one / "c.csv")
    assert len({digest, changed, digest_rosters([one]), digest_rosters([tmp_path / "empty"])}) == 4


def test_a_roster_that_cannot_be_read_has_no_digest(tmp_path):
    assert digest_rosters([tmp_path / "missing"]) is None
    (tmp_path / "a.csv").symlink_to(tmp_path / "nowhere")
    assert digest_rosters([tmp_path]) is None


@pytest.mark.parametrize(
    ("end", "verdict"),
    [
        *((RunEnd(code), "done") for code in (0, 3, 7)),
        *((RunEnd(code), "failed") for code in (1, 2, 4)),
        *((RunEnd(code), "again") for code in (5, 6, 74, 130, 143, -9)),
        (RunEnd(5, "run", "OUTAGE"), "again"),
        *((RunEnd(5, "run", halt), "failed") for halt in ("ROSTER_SHRUNK", "TOO_MANY_UNKNOWN", "DEADLINE")),
    ],
)
def test_the_exit_code_decides(end, verdict):
    assert judge_end(end) == verdict


def test_a_run_that_the_system_does_not_start_is_tried_again(monkeypatch, tmp_path):
    lines = []
    children = RunChildren(
        tmp_path,
        None,
        limits=RunLimits(60, 60),
        clock=SystemClock(),
        report=lambda key, **_: lines.append(key),
    )
    assert "--profile" not in children.make_command("east")
    assert str(tmp_path / "east") in children.make_command("east"), (
        "it reads no other hospital's configuration"
    )
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    end = children.run("east")
    assert judge_end(end) == "again"
    assert len(lines) == 1


def test_a_job_whose_worker_lost_the_database_begins_again_at_once():
    decision = RetryAfterRun().get_retry_decision(exception=ConnectorException(), job=None)
    assert decision.retry_at is None
    assert RetryAfterRun().get_retry_decision(exception=RunNotDone(RunEnd(4), None), job=None) is None


def test_waits_grow_and_end_with_the_hours():
    age, waits = 0.0, []
    while (wait := choose_wait(Workers(), attempts=len(waits) + 1, age=age)) is not None:
        waits.append(wait)
        age += wait
    assert waits == [60, 180, 540, 1620, 3600, 3600, 3600, 3600]
    assert choose_wait(Workers(), attempts=10_000, age=0) == 3600
