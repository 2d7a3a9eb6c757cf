"""report.html of a real run against the sandbox, and the same page built again from the ledger."""

import json
import re

import openpyxl
from encrypted_support import agile
from people import name

UPLOAD = "UploadFiles"
CREATE = "ChannelCreatePreparedPersonalEsign"


def sections(page: str) -> dict[str, str]:
    """Return the page's sections that tell of calls, by their ids."""
    return {
        wanted: re.search(rf'<section class="card" id="{wanted}">.*?</section>', page, re.DOTALL)[0]
        for wanted in ("totals", "pace", "latency", "waits")
    }


def test_every_call_of_a_run_is_measured_and_reported_again(hospital_with):
    hospital = hospital_with(
        faults=[
            {"match": {"action": CREATE, "nth": [4]}, "do": "throttle"},
            {"match": {"action": UPLOAD, "nth": [3]}, "do": "reset_after"},
        ]
    )
    hospital.doctors(12)

    assert hospital.go("run") == 0

    record = hospital.record()
    timing = record["rate"]["timing"]
    requests = {action: sum(codes.values()) for action, codes in record["requests"].items()}
    assert timing["sends"] == requests == {CREATE: 13, UPLOAD: 13}
    assert timing["resends"] == {CREATE: 1, UPLOAD: 1}
    assert timing["lost"] == record["requests"][UPLOAD]["no_answer"] == 1
    assert record["rate"]["throttled"] == 1
    assert {action: spread["count"] for action, spread in timing["answers"].items()} == {
        CREATE: 13,
        UPLOAD: 12,
    }
    assert timing["waits"]["back_off"]["count"] == 2
    assert all(
        0 < spread["median"] <= spread["p95"] <= spread["longest"] for spread in timing["answers"].values()
    )

    latest = (hospital.folder / "out" / "latest" / "report.html").read_text("utf-8")
    (run,) = hospital.runs
    assert (run / "report.html").read_text("utf-8") == latest
    (run / "report.html").unlink()
    assert hospital.go("report") == 0
    again = (run / "report.html").read_text("utf-8")
    assert sections(again) == sections(latest)
    assert json.loads((run / "run.json").read_text("utf-8"))["rate"] == record["rate"]


def test_names_stand_in_the_page_and_not_in_the_record(hospital, capsys):
    hospital.seal_doctors(2)

    (run,) = hospital.runs
    assert f"Report: {run / 'report.html'}" in capsys.readouterr().err

    latest = hospital.folder / "out" / "latest"
    assert name(1) in (latest / "report.html").read_text("utf-8")
    assert name(1) not in (latest / "run.json").read_text("utf-8")


def test_a_check_and_a_retry_have_their_page_too(hospital):
    """In their own folders: the copy of the last run stays."""
    hospital.doctors(2)
    latest = hospital.folder / "out" / "latest"

    def page():
        return (hospital.newest / "report.html").read_text("utf-8")

    assert hospital.go("check") == 0
    assert "Check before sending" in page()
    assert not latest.exists()
    assert hospital.go("run") == 0
    assert "Run report" in page()
    copies = {path: path.read_bytes() for path in latest.rglob("*") if path.is_file()}
    for command, text_part in (("retry", "The service was not called."), ("check", "Check before sending")):
        assert hospital.go(command) == 0
        assert text_part in page()
        assert {path: path.read_bytes() for path in latest.rglob("*") if path.is_file()} == copies


def test_an_encrypted_roster_is_reported_again_with_its_cells(hospital):
    hospital.doctors(2)
    roster = hospital.folder / "inbox" / "roster.xlsx"
    roster.write_bytes(agile(roster.read_bytes(), "开门"))
    (hospital.folder / "secrets" / "roster__password").write_text("开门", "utf-8")
    (hospital.folder / "seals" / "00002.png").unlink()
    assert hospital.go("run") == 3
    (run,) = hospital.runs
    first_cells = [
        [cell.value for cell in row] for row in openpyxl.load_workbook(run / "results.xlsx")["To fix"]
    ]
    (run / "results.xlsx").unlink()
    assert hospital.go("report") == 0
    again = openpyxl.load_workbook(run / "results.xlsx")["To fix"]
    assert [[cell.value for cell in row] for row in again] == first_cells


def test_a_run_with_unknown_rows_keeps_its_results(hospital, capsys):
    """Receipts hold no rows: what lies in the run's folder is all that is left of that run."""
    hospital.seal_doctors(2)
    (run,) = hospital.runs
    kept = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    hospital.lose_ledger()
    assert hospital.go("ledger", "rebuild") == 0
    assert hospital.go("report", "--run", run.name) == 2
    assert "no longer has the rows" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == kept
