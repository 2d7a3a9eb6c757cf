"""outcomes.jsonl, files.jsonl and run.json carry their documented fields, in order, and nothing personal more."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from pipeline.domain.roster import CellKind, Change, Field, FileReport, SheetReport, SkippedLine
from pipeline.domain.run import Halt, Status
from pipeline.messages.problems import build_problem, load_dumped_problem
from pipeline.reports.presenter import Presenter
from pipeline.reports.records import file_record, run_record

OUTCOME = (  # noqa: SIM905  thirty quoted names are unreadable
    "schema run file path sheet row row_id key status codes problems changes staff_no name id_masked id_card_type "
    "mobile_masked seal_name picture seal_id request_id trace_id attempts service"
).split()

RUN = (  # noqa: SIM905  thirty quoted names are unreadable
    "schema run command started finished exit tenant contract rows statuses duplicates requests rate halted seals files versions"
).split()


def test_an_outcome_line_has_its_fields_in_order(make):
    warning = build_problem("NAME_NORMALISED", Field.NAME, "B4", found="钱 秀兰", used="钱秀兰")
    change = Change(Field.NAME, "钱 秀兰", "钱秀兰", "inner_space")
    outcome = make.outcome(make.doctor(1, problems=(warning,), changes=(change,)), Status.SEALED)

    line = make.record(outcome, "zh")

    assert list(line) == OUTCOME
    assert line["schema"] == 1
    assert line["file"] == "2026年医师名单.xlsx"
    assert line["path"] == "inbox/2026年医师名单.xlsx"
    assert line["status"] == "sealed"
    assert line["codes"] == ["NAME_NORMALISED"]
    assert line["problems"] == [
        {
            "code": "NAME_NORMALISED",
            "field": "name",
            "cell": "B4",
            "severity": "warning",
            "message": "B4：姓名“钱 秀兰”已规范为“钱秀兰”。",
        }
    ]
    assert line["changes"] == [{"field": "name", "from": "钱 秀兰", "to": "钱秀兰", "why": "inner_space"}]
    assert line["id_masked"] == "*" * 14 + make.number(1)[-4:]
    assert line["mobile_masked"].startswith("138****")
    assert line["picture"] == {
        "path": "seals/1002钱秀兰.png", "sha256": f"{1:064x}", "bytes": 60001, "width": None, "height": None, "sent": None,
    }  # fmt: skip
    assert line["seal_name"] == "钱秀兰处方章"
    assert line["service"] is None


def test_only_statuses_that_confirm_a_seal_show_its_id(make):
    shown = {
        status: make.record(make.outcome(make.doctor(1), status, seal_id="S1"), "en")["seal_id"]
        for status in Status
    }

    assert {status for status, seal in shown.items() if seal} == {
        Status.SEALED,
        Status.UNCHANGED,
        Status.CHANGED,
    }


def test_no_line_shows_a_number(make, hospital):
    for index, outcome in enumerate(hospital.outcomes):
        text = json.dumps(make.record(outcome, "zh"), ensure_ascii=False)
        cells = outcome.doctor.row.fields
        assert outcome.doctor.number is None or outcome.doctor.number not in text, index
        assert cells[Field.NUMBER].display_text not in text
        assert cells[Field.MOBILE].display_text not in text


def test_a_damaged_number_has_no_last_four_but_a_mistyped_one_has(make):
    damaged = make.doctor(1, texts={"D": "440399196210010000"}, kinds={"D": CellKind.NUMBER}, usable=False)
    mistyped = make.doctor(2, texts={"D": "440399196210010071"}, usable=False)

    assert make.record(make.outcome(damaged, Status.REJECTED), "zh")["id_masked"] is None
    assert make.record(make.outcome(mistyped, Status.REJECTED), "zh")["id_masked"] == ("*" * 14 + "0071")


def test_a_text_roster_has_no_sheet_and_a_pictureless_row_no_picture(make):
    doctor = make.doctor(1, sheet=None, picture=None, path=Path("inbox/a.csv"))

    line = make.record(make.outcome(doctor, Status.REJECTED), "zh")

    assert (line["sheet"], line["picture"], line["key"] is not None) == (None, None, True)


def test_a_file_line_has_its_fields_and_the_reason_of_a_refusal():
    report = FileReport(
        Path("inbox/花名册110101199003070732.xls"),
        None,
        "refused",
        ("FILE_ENCRYPTED",),
        (build_problem("FILE_ENCRYPTED"),),
        0,
        (SheetReport("a", "hidden", 0),),
        (SkippedLine("a", 1, 2, "title"),),
        ("note",),
    )

    line = file_record(report, Presenter("zh"))

    assert list(line) == [
        "file",
        "path",
        "sha256",
        "status",
        "codes",
        "rows",
        "problems",
        "sheets",
        "skipped_lines",
        "notes",
    ]
    assert load_dumped_problem(line["problems"][0]) == report.problems[0]
    assert line["file"] == "花名册**************0732.xls"
    assert line["sheets"] == [{"sheet": "a", "status": "hidden", "rows": 0, "columns": []}]
    assert line["skipped_lines"] == [{"sheet": "a", "first": 1, "last": 2, "why": "title"}]
    assert line["notes"] == ["文件有打开密码，无法读取；请在 Excel 中取消密码后重新保存。", "note"]


def test_run_json_has_its_fields_and_sums(hospital):
    record = run_record(hospital.build_run_report())

    assert list(record) == RUN
    assert record["rows"] == 55
    assert sum(record["statuses"].values()) == 55
    assert record["statuses"]["sealed"] == 27
    assert record["duplicates"] == 1
    assert "ready" not in record["statuses"]
    rate = ["limit", "used_share", "throttled", "max_in_second", "waited_seconds"]
    assert list(record["rate"]) == rate
    assert record["halted"] is None


def test_run_json_holds_no_name_and_no_number(make, scene):
    doctor = make.doctor(3, path=Path("inbox/李若彤.xlsx"))
    scene.outcomes = [make.outcome(doctor, Status.NOT_SENT)]
    halt = Halt("AuthFailure", f"李若彤 {doctor.number}", 4)

    text = json.dumps(run_record(replace(scene.build_run_report(), halt=halt)), ensure_ascii=False)

    assert "李若彤" not in text
    assert doctor.number not in text
