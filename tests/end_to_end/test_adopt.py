"""`adopt`: a doctor whose seal was made elsewhere gets no second one."""

import json
import os
import shutil
from pathlib import Path

import openpyxl
import pytest
from crash_support import Zygote
from people import make_row, name, number
from run_support import draw_seal, keep_outcomes

LONG = bool(os.environ.get("CRASH"))  # make crash


def seal_id(serial):
    return f"yD{serial:030d}"


def sheet(hospital, rows, headers=("姓名", "身份证号", "印章ID")):
    book = openpyxl.Workbook()
    book.active.append(headers)
    for row in rows:
        book.active.append(row)
    path = hospital.folder / "seals-of-old.xlsx"
    book.save(path)
    return str(path)


def test_adopted_doctors_are_unchanged_from_then_on(hospital, capsys):
    hospital.doctors(4)
    path = sheet(hospital, [(name(1), number(1), seal_id(1)), (name(2), number(2), seal_id(2))])
    assert hospital.go("adopt", path, "--why", "the old system") == 0
    assert "2 seals imported." in capsys.readouterr().err
    assert hospital.run_to_end("run") == (0, {"sealed": 2, "unchanged": 2})
    assert hospital.creates() == 2
    seal_ids = {row["name"]: row["seal_id"] for row in hospital.outcomes()}
    assert (seal_ids[name(1)], seal_ids[name(2)]) == (seal_id(1), seal_id(2))
    assert hospital.run_to_end("run") == (0, {"unchanged": 4})
    assert hospital.go("adopt", path) == 0, "a second time nothing is new"


def test_one_seal_for_two_people_and_two_for_one_are_not_entered(hospital):
    rows = [
        (name(1), number(1), seal_id(1)),
        (name(2), number(2), seal_id(1)),
        (name(3), number(3), seal_id(3)),
        (name(3), number(3), seal_id(4)),
    ]
    assert hospital.go("adopt", sheet(hospital, rows)) == 3
    hospital.doctors(3)
    assert hospital.run_to_end("run") == (0, {"sealed": 3})


def test_a_sheet_without_seal_ids_is_refused(hospital, capsys):
    assert (
        hospital.go("adopt", sheet(hospital, [(name(1), number(1), "x")], ("姓名", "身份证号", "备注"))) == 2
    )
    assert hospital.go("adopt", str(hospital.folder / "config.yaml")) == 2
    stderr_text = capsys.readouterr().err
    assert "is a configuration and no table" in stderr_text
    assert stderr_text.rstrip().endswith(" adopt --help")
    assert hospital.go("adopt", "nowhere.xlsx") == 2


def test_outcomes_of_an_earlier_run_begin_a_new_ledger_after_all_was_lost(hospital, tmp_path):
    hospital.doctors(4)
    assert hospital.go("run", "--limit", "3") == 0
    made = {row["name"]: row["seal_id"] for row in hospital.outcomes() if row["seal_id"]}
    kept = keep_outcomes(hospital, tmp_path / "kept")
    hospital.forget_ledger()
    assert hospital.go("adopt", str(kept)) == 0
    assert hospital.run_to_end("run") == (0, {"sealed": 1, "unchanged": 3})
    assert hospital.creates() == 4
    seal_ids = {row["name"]: row["seal_id"] for row in hospital.outcomes()}
    assert {who: seal_ids[who] for who in made} == made


@pytest.fixture
def lost(scene):
    """Three doctors are sealed and the ledger is lost; returns the hospital and what is left of the run: its outcomes."""

    def play(hospital):
        hospital.seal_doctors(3)
        keep_outcomes(hospital, hospital.folder / "kept")
        hospital.forget_ledger()
        shutil.rmtree(hospital.folder / "out")

    hospital = scene(play)
    return hospital, hospital.folder / "kept" / "outcomes.jsonl"


def change_line(outcomes, row, **values):
    lines = outcomes.read_text("utf-8").splitlines()
    lines[row] = json.dumps(json.loads(lines[row]) | values, ensure_ascii=False)
    outcomes.write_text("\n".join(lines), "utf-8")


def test_of_two_doctors_with_the_same_name_and_last_digits_neither_is_adopted(lost, capsys):
    hospital, outcomes = lost
    first = json.loads(outcomes.read_text("utf-8").splitlines()[0])
    change_line(outcomes, 1, name=first["name"], id_masked=first["id_masked"])
    assert hospital.go("adopt", str(outcomes)) == 3
    assert capsys.readouterr().err.count("several people have the name") == 2
    assert hospital.go("run", "--accept-guards") == 3
    assert hospital.statuses() == {"exists": 2, "unchanged": 1}


def test_a_line_without_a_name_is_refused_for_that(lost, capsys):
    hospital, outcomes = lost
    change_line(outcomes, 1, name=None)
    assert hospital.go("adopt", str(outcomes)) == 3
    stderr_text = capsys.readouterr().err
    assert "this line has no name" in stderr_text
    assert "—" not in stderr_text


def test_with_the_same_site_key_the_key_alone_names_the_doctor(hospital, tmp_path, capsys):
    """A namesake with the same last digits is another person, whose key differs."""
    hospital.seal_doctors(3)
    outcomes = keep_outcomes(hospital, tmp_path)
    lines = list(map(json.loads, outcomes.read_text("utf-8").splitlines()))
    for line, other in zip(lines, lines[1:] + lines[:1], strict=True):
        line.update(name=other["name"], id_masked=other["id_masked"])
    lines[2]["key"] = "0" * 64
    outcomes.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    site_key = (hospital.folder / "state" / "ledger.sqlite3.key").read_bytes()
    hospital.forget_ledger()
    shutil.rmtree(hospital.folder / "out")
    (hospital.folder / "state").mkdir()
    (hospital.folder / "state" / "ledger.sqlite3.key").write_bytes(site_key)
    assert hospital.go("adopt", str(outcomes)) == 3
    assert "contain no" in capsys.readouterr().err
    assert hospital.go("run", "--accept-guards") == 3
    owners = {seal.name: seal.seal_id for seal in hospital.service.seals}
    adopted = {row["name"]: row["seal_id"] for row in hospital.outcomes() if row["status"] == "unchanged"}
    assert adopted == {name(serial): owners[name(serial)] for serial in (1, 2)}


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda outcomes: change_line(outcomes, 1, status="?"), "Line 2 of "),
        (lambda outcomes: outcomes.write_bytes(outcomes.read_bytes()[:-9]), "Line 3 of "),
        (lambda outcomes: change_line(outcomes, 2, run="another"), "belongs to another run"),
        (lambda outcomes: outcomes.with_name("run.json").unlink(), "run.json is missing"),
        (lambda outcomes: outcomes.with_name("run.json").write_text("[]"), "run.json is missing"),
    ],
)
def test_outcomes_that_are_not_as_a_run_wrote_them_give_no_seal(lost, capsys, spoil, sentence):
    hospital, outcomes = lost
    spoil(outcomes)
    assert hospital.go("adopt", str(outcomes)) == 2
    assert sentence in capsys.readouterr().err
    assert hospital.go("run", "--accept-guards") == 3
    assert hospital.statuses() == {"exists": 3}, "no seal was entered"


def test_a_results_workbook_is_not_read_back(hospital, capsys):
    hospital.seal_doctors(1)
    assert hospital.go("adopt", str(hospital.newest / "results.xlsx")) == 2
    assert "use the outcomes.jsonl of the same run" in capsys.readouterr().err


def test_a_doctor_without_a_verdict_or_with_a_seal_is_not_adopted(hospital_with, capsys):
    from wire_support import fault

    hospital = hospital_with(faults=[fault("truncated_json", nth=(2,))])
    hospital.doctors(2)
    assert hospital.go("run") == 3
    rows = [(name(serial), number(serial), seal_id(serial)) for serial in (1, 2)]
    assert hospital.go("adopt", sheet(hospital, rows)) == 3
    stderr_text = capsys.readouterr().err
    assert "run resolve" in stderr_text
    assert "the ledger already has seal" in stderr_text


def test_seals_that_all_bear_one_name_elsewhere_are_adopted_without_it(hospital):
    hospital.doctors(3)
    rows = [(name(serial), number(serial), seal_id(serial), "处方专用章") for serial in (1, 2)]
    headers = ("姓名", "身份证号", "印章ID", "印章名称")
    assert hospital.go("adopt", sheet(hospital, rows, headers)) == 0
    assert hospital.run_to_end("run") == (0, {"sealed": 1, "unchanged": 2})


def test_a_seal_that_was_given_up_is_not_adopted_again(hospital, tmp_path, capsys):
    hospital.seal_doctors(2)
    kept = keep_outcomes(hospital, tmp_path)
    draw_seal(hospital.folder / "seals" / "00001.png", 77)
    assert hospital.go("resolve", name(1), "--replace", "--seal-name", "新处方章") == 0
    assert hospital.go("adopt", str(kept)) == 3
    assert "marked as abandoned" in capsys.readouterr().err
    assert hospital.run_to_end("run") == (0, {"sealed": 1, "unchanged": 1})


def test_a_line_whose_state_is_abandoned_is_not_adopted(hospital, capsys):
    """A list made by `export`, completed with numbers, holds the former seal of a doctor next to the present one."""
    hospital.doctors(2)
    states = ("已放弃，停用之前仍然有效", "live", "abandoned, valid until it is disabled")
    rows = [
        (name(serial), number(serial), seal_id(order), state)
        for order, (serial, state) in enumerate(zip((1, 1, 2), states, strict=True))
    ]
    headers = ("姓名", "身份证号", "SealId", "状态")
    assert hospital.go("adopt", sheet(hospital, rows, headers)) == 3
    assert capsys.readouterr().err.count("abandoned and is not imported") == 2
    assert hospital.run_to_end("run") == (0, {"sealed": 1, "unchanged": 1})


def test_the_seals_of_another_tenant_are_not_adopted(hospital, tmp_path, capsys):
    hospital.seal_doctors(2)
    kept = keep_outcomes(hospital, tmp_path)
    hospital.forget_ledger()
    hospital.configure(organization_open_id="another-hospital")
    assert hospital.go("adopt", str(kept)) == 2
    assert "another-hospital" in capsys.readouterr().err
    assert hospital.run_to_end("check") == (0, {"ready": 2})


def test_every_line_that_was_not_entered_is_listed_with_cell_reason_and_remedy(hospital, capsys):
    rows = [
        (name(1), number(1), seal_id(1)),
        (name(2), "1101990001", seal_id(2)),
        (name(3), number(3)[:-1] + "?", seal_id(3)),
        (name(4), number(4), "见系统"),
        (name(5), number(5), None),
        (name(6), number(6), seal_id(6)),
        (name(6), number(6), seal_id(7)),
        (name(8), number(8), seal_id(8)),
        (name(9), number(9), seal_id(8)),
    ]
    path = sheet(hospital, rows)
    zh = {
        3: ("B3", "请对照证件"), 4: ("B4", "请对照证件"), 5: ("C5", "请在找到这枚印章的地方复制"), 6: ("C6", "请从创建它的系统"),
        7: ("C7", "第 8 行"), 8: ("C8", "第 7 行"), 9: ("C9", "第 10 行"), 10: ("C10", "第 9 行"),
    }  # fmt: skip
    en = {
        3: ("B3", "from the card"), 4: ("B4", "from the card"), 5: ("C5", "copy it from"), 6: ("C6", "copy it from"),
        7: ("C7", "is in row 8"), 8: ("C8", "is in row 7"), 9: ("C9", "is in row 10"), 10: ("C10", "is in row 9"),
    }  # fmt: skip
    for language, expected, mark, summary in (
        ("zh", zh, "行", "登记了 1 枚印章，8 行没有登记"),
        ("en", en, " (", "0 seals imported, 1 known already, 8 rows not imported."),
    ):
        capsys.readouterr()
        assert hospital.go("--lang", language, "adopt", path) == 3
        printed = capsys.readouterr().err
        lines = {
            int(line.split(mark)[0].split()[-1]): line
            for line in printed.splitlines()
            if line.startswith("  Sheet")
        }
        assert list(lines) == sorted(expected), "in the order of the sheet"
        for row, pieces in expected.items():
            assert all(word in lines[row] for word in pieces), lines[row]
        assert summary in printed
        assert printed.rstrip().endswith(f"adopt {path}")
        assert number(3)[:12] not in printed


def test_a_folder_and_an_unreadable_file_are_refused(hospital, capsys):
    assert hospital.go("adopt", str(hospital.folder)) == 2
    assert "is a folder" in capsys.readouterr().err
    (hospital.folder / "x.xlsx").write_bytes(b"nothing")
    assert hospital.go("--lang", "zh", "adopt", str(hospital.folder / "x.xlsx")) == 2
    stderr_text = capsys.readouterr().err
    assert "FILE_" not in stderr_text
    assert "无法读取" in stderr_text


def test_an_adopted_doctors_number_typed_for_another_doctor_is_asked_about(hospital, capsys):
    headers = ("姓名", "身份证号", "印章ID", "工号")
    rows = [(name(serial), number(serial), seal_id(serial), f"{serial:05d}") for serial in (1, 3)]
    assert hospital.go("adopt", sheet(hospital, rows, headers)) == 0
    hospital.roster([make_row(2, number=number(1)), make_row(3, name=name(4))])
    draw_seal(hospital.folder / "seals" / "00002.png", 2)
    assert hospital.run_to_end("run") == (
        3,
        {"changed": 1, "unchanged": 1},
    )  # the second has a new name alone
    line = next(row for row in hospital.outcomes() if row["status"] == "changed")
    (problem,) = [problem for problem in line["problems"] if problem["code"] == "CONTENT_CHANGED"]
    assert "this row differs in name, staff number" in problem["message"]
    capsys.readouterr()
    assert hospital.go("resolve", seal_id(1), "--keep") == 2
    assert f"is {name(1)}'s" in capsys.readouterr().err
    assert hospital.go("resolve", seal_id(1), "--keep", "--sure") == 0
    assert hospital.run_to_end("run") == (0, {"unchanged": 2})
    assert hospital.creates() == 0


def find_last(points, point):
    return len(points) - 1 - points[::-1].index(point)


def test_a_kill_at_every_write_of_an_import_loses_nothing(hospital, tmp_path):
    """Seals that a journal alone holds are entered by the next command that writes the ledger, a run or the import."""
    hospital.doctors(1)
    path = sheet(hospital, [(name(1), number(1), seal_id(1))])
    folders = [hospital.folder / "state", hospital.folder / "out", Path(os.environ["XDG_STATE_HOME"])]
    with Zygote() as zygote:
        assert zygote.run(hospital, "check")["code"] == 0
        for folder in folders:
            folder.mkdir(exist_ok=True)
            shutil.copytree(folder, tmp_path / "before" / folder.name)
        points = [point for point in zygote.run(hospital, "adopt", path)["points"] if "work" not in point]
        # of the seal: up to its first append nothing is stored
        last = points.index("journal: before the append", find_last(points, "ledger: before the journals"))
        assert {"journal: before the fsync", "ledger: before the commit"} <= set(points[last:])
        for nth, point in enumerate(points):
            if not LONG and nth < last and point in points[:nth]:
                continue  # each kind of point once
            # until the seal is stored a run would create one, so the import is repeated first
            for is_repeated in (True, False) if nth > last else (True,):
                for folder in folders:
                    shutil.rmtree(folder)
                    shutil.copytree(tmp_path / "before" / folder.name, folder)
                ended = zygote.run(
                    hospital, "adopt", path, name=point, **{"pass": points[: nth + 1].count(point)}
                )
                assert ended["signal"] == 9, point
                if is_repeated:
                    assert hospital.go("adopt", path) == 0, point
                assert hospital.go("run") == 0, point
                assert hospital.statuses() == {"unchanged": 1}, point
                assert hospital.go("ledger", "check") == 0, point
    assert hospital.creates() == 0
