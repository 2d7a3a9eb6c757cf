"""The check of the page: a child process, the newest results, a newer check, its failure and its end."""

import json
import os
from contextlib import contextmanager, suppress

import psutil
from page_support import PageThread, make_site
from people import make_row
from run_support import wait_until

from pipeline.support import progress_file
from pipeline.web.check_child import Checks


@contextmanager
def opened(hospital):
    checks = Checks(make_site(hospital.folder / "config.yaml"))
    try:
        yield checks
    finally:
        checks.close()


def check(checks, language=None):
    checks.start(language)
    wait_until(lambda: checks.end is not None)
    return checks.end


def list_children():
    """Return the checks that this process has under way."""
    checks = []
    for child in psutil.Process(os.getpid()).children():
        with suppress(psutil.NoSuchProcess):  # also one that has just ended
            checks += [child] if "--json" in child.cmdline() else []
    return checks


def test_the_newest_results_are_those_of_the_last_check_that_read_a_roster(hospital):
    """Without a roster there are none; a check that fails keeps its sentence, and the results before."""
    hospital.doctors(2)
    with opened(hospital) as checks:
        assert checks.newest is None
        assert checks.progress is None
        end = check(checks)
        assert end.exit == 0
        assert checks.progress is None
        assert checks.newest == end.folder == hospital.newest
        assert hospital.statuses() == {"ready": 2}

        (hospital.folder / "inbox" / "roster.xlsx").unlink()
        end = check(checks)
        assert (end.exit, end.folder) == (0, None)
        assert end.run is not None
        assert checks.newest is None

        hospital.roster([make_row(1), make_row(5, number="12")])
        assert check(checks).exit == 3
        before = checks.newest
        assert before is not None
        assert before == checks.end.folder

        hospital.go("run")
        hospital.damage_keys()
        end = check(checks, "zh")
        assert (end.exit, end.run, end.folder) == (74, None, None)
        assert "ledger.sqlite3.key" in end.errors
        assert any("\u4e00" <= sign <= "\u9fff" for sign in end.errors)
        assert checks.newest == before


def test_the_newest_is_found_after_a_restart_and_is_a_check_alone(hospital):
    hospital.doctors(1)
    assert hospital.go("check") == 0
    kept = hospital.newest
    assert hospital.go("run") == 0
    (hospital.folder / "out" / "99991231-235959-999").mkdir()  # one that is being written
    with opened(hospital) as checks:
        assert checks.newest == kept
        record = json.loads((kept / "run.json").read_text("utf-8"))
        other = kept.with_name("99991231-235959-998")
        other.mkdir()
        strange = {**record, "run": other.name, "tenant": "another"}
        (other / "run.json").write_text(json.dumps(strange), "utf-8")
        assert checks.newest == kept


def test_a_newer_one_ends_an_older_one_first(hospital):
    hospital.doctors(3)
    with opened(hospital) as checks:
        most = 0
        for _ in range(3):
            checks.start()
            wait_until(list_children)
            most = max(most, len(list_children()))
        wait_until(lambda: checks.end is not None)
        assert most == 1
        assert checks.newest == checks.end.folder
        assert hospital.statuses() == {"ready": 3}


def test_the_end_of_the_server_ends_it(hospital):
    hospital.doctors(1)
    with opened(hospital) as checks:
        checks.start()
        wait_until(list_children)
        assert checks.progress.started > 0
        checks.close()
        assert list_children() == []
        checks.start()
        assert checks.progress is None


def test_a_server_that_stops_ends_its_check(hospital):
    hospital.doctors(1)
    with PageThread(hospital.folder / "config.yaml") as page:
        clerk = page.enter()
        assert clerk.post("/drop/check").status == 303
        wait_until(list_children)
    assert list_children() == []


def test_its_progress_is_its_step_and_what_is_done_of_it(hospital, monkeypatch):
    hospital.doctors(60)
    hospital.doctors(2, start=61, file="second.xlsx")
    written = []
    with monkeypatch.context() as patched:
        patched.setenv(progress_file.VARIABLE, str(hospital.folder / "progress.json"))
        patched.setattr(progress_file, "write_progress", written.append)
        hospital.go("check")
    assert [tuple(numbers.values()) for numbers in written] == [
        ("rosters", 0, None),
        ("rosters", 60, None),
        *(("pictures", done, 62) for done in (0, 20, 40, 60)),
        ("results", None, None),
    ]
    with opened(hospital) as checks:
        checks.start()
        steps = set()

        def has_ended():
            progress = checks.progress
            if progress is not None:
                steps.add(progress.step)
            return progress is None

        wait_until(has_ended)
        assert steps & {"rosters", "pictures", "results"}
