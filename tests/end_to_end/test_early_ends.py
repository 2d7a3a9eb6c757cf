"""A run that ends before it sends leaves run.json and the last line of its log, and `status` tells why it ended."""

import json
import shutil

import pytest

from pipeline.ledger.lock import RunLock
from pipeline.ledger.places import SHARE
from pipeline.support import failpoints


def take_credentials(hospital):
    (hospital.folder / "secrets" / "tencent__secret_key").unlink()


def change_tenant(hospital):
    hospital.configure(organization_open_id="another")


def damage_key(hospital):
    hospital.damage_keys()


def block_journal(hospital):
    shutil.rmtree(hospital.folder / "out" / SHARE)
    (hospital.folder / "out" / SHARE).write_bytes(b"")


def name_no_roster(_):
    return ["gone.xlsx"]


def leave_placeholder(hospital):
    hospital.configure(app_id="…")


CAUSES = [
    (take_credentials, 4, "CREDENTIALS_MISSING", "tencent__secret_key"),
    (change_tenant, 2, "USAGE", "another"),
    (damage_key, 74, "LEDGER_REFUSED", "ledger.sqlite3.key"),
    (block_journal, 74, "LEDGER_REFUSED", ".ledger"),
    (name_no_roster, 2, "USAGE", "gone.xlsx"),
    (leave_placeholder, 2, "USAGE", "api.app_id"),
]


def read_last_run(folder) -> tuple[dict, list[dict]]:
    record = json.loads((folder / "run.json").read_text("utf-8"))
    return record, [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture
def one_seal(scene):
    """A doctor was sealed."""

    def play(hospital):
        hospital.seal_doctors(1)

    return scene(play)


@pytest.mark.parametrize(
    ("break_it", "code", "halt_code", "expected"), CAUSES, ids=[cause[0].__name__ for cause in CAUSES]
)
def test_a_run_that_ends_early_leaves_its_record(one_seal, capsys, break_it, code, halt_code, expected):
    hospital = one_seal
    hospital.doctors(2)
    arguments = break_it(hospital) or []
    assert hospital.go("run", *arguments) == code
    assert expected in "".join(capsys.readouterr())
    folder = hospital.runs[-1]
    record, log = read_last_run(folder)
    assert (record["run"], record["command"], record["exit"]) == (folder.name, "run", code)
    assert record["halted"]["code"] == halt_code
    assert expected in record["halted"]["message"]
    assert record["requests"] == {}
    assert log[0]["message"] == "the run begins"
    assert (log[-1]["message"], log[-1]["exit"]) == ("the run ends", code)
    hospital.go("status")
    printed = "".join(capsys.readouterr())
    if break_it is not leave_placeholder:  # where no tenant is named, no run of it is known
        assert f"Last run {folder.name}: run" in printed
        assert expected in printed


def test_a_retry_that_ends_early_leaves_its_record(one_seal):
    hospital = one_seal
    take_credentials(hospital)
    (hospital.folder / "inbox" / "roster.xlsx").unlink()
    hospital.doctors(2)
    hospital.go("retry", "--seals", "gone")
    record, log = read_last_run(hospital.runs[-1])
    assert (record["command"], record["exit"], log[-1]["exit"]) == ("retry", 2, 2)


def test_a_well_run_has_a_first_and_a_last_line_too(one_seal):
    hospital = one_seal
    _, log = read_last_run(hospital.runs[-1])
    assert (log[0]["message"], log[-1]["message"], log[-1]["exit"]) == ("the run begins", "the run ends", 0)


def test_a_run_that_finds_another_one_under_way_leaves_the_results_folder_to_it(hospital, capsys):
    """And the one that ended later is the last one."""
    hospital.doctors(1)
    out = hospital.folder / "out" / "mine"
    with RunLock(hospital.folder / "state" / "ledger.sqlite3").acquire(run="other", now=0):
        assert hospital.go("run", "--out", str(out)) == 6
    assert not out.exists()
    record, _ = read_last_run(hospital.runs[-1])
    assert (record["exit"], record["halted"]["code"]) == (6, "LOCKED")
    capsys.readouterr()
    assert hospital.go("status") == 0
    assert f"Last run {record['run']}" in "".join(capsys.readouterr())
    assert hospital.go("run", "--out", str(out)) == 0
    capsys.readouterr()
    assert hospital.go("status") == 0
    assert record["run"] not in "".join(capsys.readouterr())


def test_a_run_with_its_own_results_folder_is_found_by_status_too(hospital, capsys):
    hospital.doctors(1)
    take_credentials(hospital)
    out = hospital.folder / "elsewhere"
    assert hospital.go("run", "--out", str(out)) == 4
    record, log = read_last_run(out)
    assert (record["exit"], log[-1]["exit"]) == (4, 4)
    capsys.readouterr()
    hospital.go("status")
    assert f"Last run {record['run']}" in "".join(capsys.readouterr())


def test_a_run_that_breaks_after_sending_records_its_seals(hospital, capsys):
    """A bug before the results are written: the ledger knows the seals, run.json the end, also where the ledger is lost."""
    hospital.doctors(2)

    def act(point: str) -> None:
        if point == "results: before the fsync of outcomes.jsonl":
            raise ZeroDivisionError

    failpoints.enable_failpoint(act)
    try:
        assert hospital.go("run") == 1
    finally:
        failpoints.enable_failpoint(None)
    printed = " ".join("".join(capsys.readouterr()).split())
    assert "created 2 seals" in printed
    assert "results of the next run" in printed
    record, _ = read_last_run(hospital.runs[-1])
    assert (record["exit"], record["halted"]["code"]) == (1, "BUG")
    hospital.go("status")
    assert "exit code 1 (program error)" in "".join(capsys.readouterr())
    shutil.rmtree(hospital.folder / "state")
    assert hospital.run_to_end("run") == (0, {"unchanged": 2})
    assert hospital.creates() == 2


@pytest.mark.parametrize("language", ["zh", "en"])
def test_results_that_cannot_be_copied_name_the_folder_that_holds_them(one_seal, capsys, language):
    hospital = one_seal
    workbook = hospital.folder / "out" / "latest" / "results.xlsx"
    workbook.unlink()
    (workbook / "folder").mkdir(parents=True)
    capsys.readouterr()
    assert hospital.go("--lang", language, "run") == 74
    printed = " ".join(capsys.readouterr().err.split())
    results = hospital.runs[-1]
    expected = {
        "zh": f"这次运行的结果在 {results} 里",
        "en": f"The results of this run are in {results}; {workbook.parent} still holds earlier ones.",
    }
    assert expected[language].replace(" ", "") in printed.replace(" ", "")
    assert (results / "results.xlsx").is_file()
