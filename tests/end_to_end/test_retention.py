"""Files of earlier runs that are too old are removed; the rows, the record and the log of every run stay."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.clock import SystemClock, run_id
from pipeline.operations import backup
from pipeline.operations.retention import KEPT, list_old_files, list_run_folders, remove_files

pytestmark = pytest.mark.usefixtures("marked_copies_on")

DAY = 86_400.0
RETENTION = "retention: {runs: 90d}\n"
OLD = ["log.jsonl", "outcomes.jsonl", "run.json"]


class LaterClock(SystemClock):
    """The machine's clock some days ahead."""

    def __init__(self, days):
        self.ahead = days * DAY

    def now(self):
        return super().now() + self.ahead

    def today(self):
        return datetime.fromtimestamp(self.now(), UTC).date()


@pytest.fixture
def keeping(hospital):
    """A hospital with retention, and the function that runs it on a day."""
    config = hospital.folder / "config.yaml"
    config.write_text(config.read_text("utf-8") + RETENTION, "utf-8")

    def run_on(day, *arguments):
        hospital.service_clock.ahead = day * DAY
        return hospital.go(*(arguments or ("run", "--yes")), clock=LaterClock(day))

    hospital.run_on = run_on
    return hospital


def list_files(hospital):
    return [sorted(path.name for path in folder.iterdir()) for folder in hospital.runs]


def add_bad_row(hospital, serial):
    hospital.roster(
        [(f"坏{'一二三四五六七八九'[serial]}", "110101", None, f"9{serial}", "内科")], file="bad.xlsx"
    )


def test_retention_over_a_year_of_runs(keeping):
    """Every 30 days one run; doctors come on day 0 and 120, one row is wrong all the time."""
    keeping.doctors(2)
    add_bad_row(keeping, 1)
    for day in range(0, 365, 30):
        if day == 120:
            keeping.doctors(1, start=3, file="more.xlsx")
        assert keeping.run_on(day) == 3
    *old, sixty, thirty, last = list_files(keeping)
    assert old == [OLD] * 10, "of 90 days and more"
    for files in (sixty, thirty, last):
        assert {"results.xlsx", "report.html", "rosters"} < set(files)
    assert (keeping.folder / "out" / "latest" / "results.xlsx").exists()
    assert keeping.creates() == 3


def test_after_retention_a_lost_or_older_ledger_is_repaired(keeping, tmp_path):
    keeping.doctors(1)
    assert keeping.run_on(0) == 0
    assert keeping.run_on(0, "ledger", "backup", str(tmp_path / "old")) == 0
    keeping.doctors(1, start=2, file="more.xlsx")
    assert keeping.run_on(1) == 0
    (
        keeping.folder / "inbox" / "more.xlsx"
    ).unlink()  # the doctor leaves: later results do not show that seal
    assert keeping.run_on(2) == 0
    assert keeping.run_on(300) == 0
    assert list_files(keeping)[:-1] == [OLD, OLD, OLD]
    keeping.doctors(1, start=2, file="more.xlsx")
    shutil.rmtree(keeping.folder / "state")
    assert keeping.run_on(300) == 0
    shutil.rmtree(keeping.folder / "state")
    shutil.rmtree(os.environ["XDG_STATE_HOME"])
    assert keeping.run_on(300, "ledger", "restore", str(tmp_path / "old")) == 0
    assert keeping.run_on(300) == 0
    assert keeping.statuses() == {"unchanged": 2}
    assert keeping.creates() == 2


def test_what_the_other_commands_need_stays(keeping, capsys):
    keeping.doctors(2)
    add_bad_row(keeping, 1)
    assert keeping.run_on(0) == 3
    assert keeping.run_on(120, "check") == 3
    assert keeping.run_on(130) == 3
    assert list_files(keeping)[0] == OLD
    assert keeping.run_on(130, "explain", "00001") == 0
    assert keeping.run_on(130, "status", "--runs", "9") == 0
    assert keeping.run_on(130, "retry", "--yes") == 3
    assert keeping.run_on(131) == 3
    assert keeping.creates() == 2
    capsys.readouterr()


def test_seals_can_still_be_adopted_into_a_new_ledger(keeping):
    """Ledger and journals are lost; the rows of an old run hold the seals."""
    keeping.doctors(2)
    assert keeping.run_on(0) == 0
    assert keeping.run_on(120) == 0
    assert list_files(keeping)[0] == OLD
    results = keeping.runs[-1] / "outcomes.jsonl"
    keeping.forget_ledger()
    assert keeping.run_on(121, "adopt", str(results)) == 0
    assert keeping.run_on(122) == 0
    assert keeping.statuses() == {"unchanged": 2}
    assert keeping.creates() == 2


def test_prepared_pictures_that_no_roster_needs_are_removed(keeping):
    keeping.doctors(2)
    assert keeping.run_on(0) == 0
    work = keeping.folder / "state" / "work" / "previews"
    assert len(list(work.iterdir())) == 2
    keeping.doctors(1)
    (keeping.folder / "seals" / "00002.png").unlink()
    foreign = work / "notes.txt"
    foreign.touch()
    assert keeping.run_on(80) == 0
    assert len(list(work.iterdir())) == 3
    assert keeping.run_on(100) == 0
    assert len(list(work.iterdir())) == 2
    assert foreign.exists()


def test_a_killed_run_keeps_its_log(keeping):
    """Only its log shows the seal."""
    keeping.doctors(1)
    assert keeping.run_on(0) == 0
    (folder,) = keeping.runs
    log = (folder / "log.jsonl").read_bytes()
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "log.jsonl").write_bytes(log)
    record = json.loads((keeping.folder / "out" / "latest" / "run.json").read_text("utf-8"))
    broken = {**record, "requests": {}, "statuses": {}, "rows": 0}
    (folder / "run.json").write_text(json.dumps(broken), "utf-8")
    keeping.run_on(300)
    assert list_files(keeping)[0] == ["log.jsonl", "run.json"]


def test_a_backup_after_each_run_that_changed_the_ledger(hospital, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(backup, "KEPT_COPIES", 2)
    folder = tmp_path / "copies"
    config = hospital.folder / "config.yaml"
    config.write_text(config.read_text("utf-8") + "backup: {folder: copies}\n", "utf-8")
    hospital.doctors(1)
    assert hospital.go("run", "--yes") == 0
    assert "There is no folder" in capsys.readouterr().err
    folder.mkdir()
    foreign = folder / "ledger-20200101-000000-000.backup"
    foreign.write_text("another hospital's")
    for doctors in (1, 2, 2, 3, 4):
        hospital.doctors(doctors)
        assert hospital.go("run", "--yes") == 0
    copies = sorted(folder.glob("*.backup"))
    assert copies[0] == foreign, "only its own are removed"
    attempts = []
    for copy in copies[1:]:
        with closing(sqlite3.connect(copy)) as ledger:
            attempts += ledger.execute("SELECT count(*) FROM attempt").fetchone()
    assert attempts == [3, 4]
    hospital.go("doctor")
    assert str(copies[-1]) in capsys.readouterr().out
    sent = hospital.creates()
    shutil.rmtree(hospital.folder / "state")
    assert hospital.go("ledger", "restore", str(copies[-1])) == 0
    assert hospital.go("run", "--yes") == 0
    assert hospital.creates() == sent
    for _ in range(3):
        assert hospital.go("ledger", "backup", str(folder), "--keep", "1") == 0
    assert len(list(folder.glob("*.backup"))) == 2
    assert hospital.go("ledger", "backup", str(tmp_path / "nowhere"), "--keep", "1") == 2


# -- whatever the ages

TENANT = "production/app/org"
RUNS = st.lists(
    st.tuples(
        st.integers(0, 900),  # age in days
        st.sampled_from(["run", "retry", "check"]),
        st.sampled_from(["nothing", "unchanged", "creates", "killed", "other tenant", "link", "renamed"]),
    ),
    max_size=12,
)
AGES = st.integers(0, 500)
NOW = 1_800_000_000.0


def make_run(out, day, command, kind):
    name = run_id(NOW - day * DAY)
    folder = out / name
    if folder.exists() or folder.is_symlink():
        return None
    if kind == "link":
        folder.symlink_to(out.parent / "outside", target_is_directory=True)
    else:
        folder.mkdir()
        (folder / "rosters").mkdir()
        (folder / "rosters" / "link").symlink_to(out.parent / "outside")
    for file in ("results.xlsx", "outcomes.jsonl", "report.html"):
        (folder / file).touch()
    tenant = "production/app/other" if kind == "other tenant" else TENANT
    status = '{"status": "sealed"}\n' if kind in {"creates", "killed"} else ""
    (folder / "log.jsonl").write_text(json.dumps({"tenant": tenant}) + "\n" + status)
    sealed = kind in {"unchanged", "creates"}
    record = {
        "run": "another" if kind == "renamed" else name,
        "tenant": tenant,
        "command": command,
        "rows": int(sealed),
        "statuses": {"unchanged": int(sealed)},
        "requests": {"ChannelCreatePreparedPersonalEsign": {"OK": 1}} if kind == "creates" else {},
        "finished": datetime.fromtimestamp(NOW - day * DAY, UTC).isoformat(),
    }
    (folder / "run.json").write_text(json.dumps(record))
    return name


def list_tree(folder):
    return {path.relative_to(folder) for path in folder.rglob("*")}


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=RUNS, age=AGES)
@example([(300, "retry", "unchanged"), (1, "run", "nothing")], 9)
@example([(300, "run", "unchanged"), (9, "check", "unchanged"), (1, "run", "nothing")], 9)
@example([(300, "run", "link"), (1, "run", "nothing")], 9)
def test_what_is_too_old_goes_but_neither_the_last_results_nor_evidence_nor_anything_outside(
    tmp_path_factory, runs, age
):
    root = tmp_path_factory.mktemp("hospital")
    out, outside = root / "out", root / "outside"
    for folder in (out, outside, out / "latest", out / "notes"):
        folder.mkdir()
        (folder / "results.xlsx").touch()
    made = [(name, *run) for run in runs if (name := make_run(out, *run))]
    before = list_tree(root)
    remove_files(list_old_files(list_run_folders(out, TENANT), before=NOW - age * DAY))
    gone = before - list_tree(root)
    ours = sorted(name for name, _, _, kind in made if kind in {"nothing", "unchanged", "creates", "killed"})
    results = sorted(
        name for name, _, command, kind in made if command == "run" and kind in {"unchanged", "creates"}
    )
    current = {*ours[-1:], *results[-1:]}
    old = {name for name, days, *_ in made if name in ours and name not in current and days > age}
    files = ("results.xlsx", "report.html", "rosters", "rosters/link")
    assert gone == {Path("out") / name / file for name in old for file in files}
    assert set(KEPT) == {"outcomes.jsonl", "run.json", "log.jsonl"}
