"""`run --checked`: only what a check showed is sent; `--only` chooses rows of it."""

import json

import openpyxl
import pytest
from people import make_row, name, number
from run_support import draw_seal

import pipeline


def check(hospital):
    """Check, and return the id of the check."""
    hospital.go("check")
    return hospital.newest.name


def halted(hospital):
    return hospital.record()["halted"]


@pytest.fixture
def sealed(scene):
    """A hospital whose ledger has two seals, and whose roster has three doctors more."""

    def play(hospital):
        hospital.seal_doctors(2, write=False)
        hospital.doctors(5)

    return scene(play)


def test_what_the_check_showed_is_sent(sealed):
    run = check(sealed)
    assert sealed.run_to_end("run", "--checked", run) == (0, {"sealed": 3, "unchanged": 2})
    assert sealed.record()["restrictions"] == [f"--checked {run}"]


def test_the_first_run_sends_what_a_check_without_a_ledger_showed(hospital):
    hospital.doctors(3)
    run = check(hospital)
    text = (hospital.newest / "preview.json").read_text("utf-8")
    assert number(1) not in text
    assert hospital.run_to_end("run", "--checked", run) == (0, {"sealed": 3})


def change_mobile(hospital):
    hospital.roster([*map(make_row, (1, 2, 3, 4)), make_row(5, mobile="13900000000")])


def change_name(hospital):
    hospital.roster([*map(make_row, (1, 2, 3, 4)), make_row(5, name="欧阳改名")])


def change_picture(hospital):
    draw_seal(hospital.folder / "seals" / "00005.png", 77)


def add_doctor(hospital):
    hospital.doctors(6)


def remove_doctor(hospital):
    hospital.roster([*map(make_row, (1, 2, 3, 4))])


def remove_picture(hospital):
    (hospital.folder / "seals" / "00005.png").unlink()


def change_seal_name(hospital):
    with (hospital.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write('seal_name: "{name}章"\n')


CHANGES = [
    change_mobile,
    change_name,
    change_picture,
    add_doctor,
    remove_doctor,
    remove_picture,
    change_seal_name,
]


def require_nothing_sent(hospital, change, capsys):
    """Check, change something, and run: nothing is sent, and the halt names what differs. Return the halt."""
    run = check(hospital)
    change(hospital)
    before = hospital.creates()
    capsys.readouterr()
    assert hospital.go("run", "--checked", run, "--accept-guards") == 5
    assert hospital.creates() == before, change
    halt = halted(hospital)
    assert halt["code"] == "PLAN_CHANGED"
    assert "roster.xlsx" in halt["message"]
    assert halt["check"] == run
    assert "check" in capsys.readouterr().err.splitlines()[-1]
    return halt


def require_sent(hospital):
    before = hospital.creates()
    assert hospital.go("run", "--checked", check(hospital), "--accept-guards") in {0, 3}
    assert hospital.creates() > before


def test_nothing_is_sent_where_the_plan_differs(sealed, capsys):
    for change in CHANGES:
        sealed.doctors(5)
        halt = require_nothing_sent(sealed, change, capsys)
        if change != change_seal_name:
            assert halt["message"].startswith("1: "), change
            assert "roster.xlsx Sheet 6" in halt["message"] or "roster.xlsx Sheet 7" in halt["message"]
    require_sent(sealed)


def test_nothing_is_sent_where_the_plan_of_a_hospital_without_a_ledger_differs(hospital, capsys):
    hospital.doctors(5)
    require_nothing_sent(hospital, change_name, capsys)
    require_sent(hospital)


def test_a_file_saved_again_with_the_same_doctors_is_the_same_plan(sealed):
    run = check(sealed)
    path = sealed.folder / "inbox" / "roster.xlsx"
    book = openpyxl.load_workbook(path)
    book.save(sealed.folder / "inbox" / "renamed.xlsx")
    path.unlink()
    assert sealed.run_to_end("run", "--checked", run) == (0, {"sealed": 3, "unchanged": 2})


def test_a_person_sealed_meanwhile_is_a_difference(sealed):
    run = check(sealed)
    assert sealed.go("run") == 0
    assert sealed.go("run", "--checked", run) == 5
    assert halted(sealed)["message"].startswith("3: ")


@pytest.mark.parametrize("has_ledger", [True, False])
def test_rows_of_the_check_are_chosen_by_their_lines(hospital, has_ledger):
    if has_ledger:
        hospital.seal_doctors(2, write=False)
    hospital.doctors(6)
    run = check(hospital)
    ends = hospital.run_to_end(
        "run", "--checked", run, "--only", "plan.jsonl:4", "--only", "plan.jsonl:6", "--only", name(5)
    )
    unsent = {"unchanged": 2, "not_sent": 1} if has_ledger else {"not_sent": 3}
    assert ends == (0, {"sealed": 3, **unsent})
    sealed_names = [row["name"] for row in hospital.outcomes() if row["status"] == "sealed"]
    assert sealed_names == [name(4), name(5), name(6)]


def test_a_choice_is_compared_alone(sealed):
    run = check(sealed)
    sealed.roster([*map(make_row, (1, 2, 3, 4)), make_row(5, mobile="13900000000")])
    assert sealed.go("run", "--checked", run, "--only", "plan.jsonl:5") == 5
    assert sealed.run_to_end("run", "--checked", run, "--only", "plan.jsonl:3")[0] == 0
    assert sealed.statuses() == {"sealed": 1, "unchanged": 2, "not_sent": 2}


def test_a_chosen_doctor_who_is_gone_is_a_difference(sealed):
    run = check(sealed)
    remove_doctor(sealed)
    assert sealed.go("run", "--checked", run, "--only", "plan.jsonl:5") == 5
    assert halted(sealed)["code"] == "PLAN_CHANGED"


def test_a_newcomer_cannot_be_chosen(sealed):
    run = check(sealed)
    sealed.doctors(6)
    assert sealed.go("run", "--checked", run, "--only", name(6)) == 5
    assert halted(sealed)["message"].startswith("1: ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--checked", "20200101-000000-000"], "holds no check 20200101-000000-000"),
        (["--checked", "../out"], "holds no check"),
        (["--only", "plan.jsonl:3"], "name the check with --checked"),
    ],
)
def test_what_is_no_check_is_refused(sealed, words, says, capsys):
    assert sealed.go("run", *words) == 2
    assert says in capsys.readouterr().err


def test_a_line_that_cannot_be_sent_and_a_run_as_check_are_refused(sealed, capsys):
    run = check(sealed)
    assert sealed.go("run", "--checked", run, "--only", "plan.jsonl:1") == 2
    assert "Line 1 of plan.jsonl" in capsys.readouterr().err
    assert sealed.go("run") == 0
    assert sealed.go("run", "--checked", sealed.newest.name) == 2


def test_a_check_shows_the_guard_that_stops_its_run(sealed):
    with (sealed.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("guards: {new_rows: 1}\n")
    assert sealed.go("check") == 5
    assert halted(sealed) == {"code": "TOO_MANY_NEW", "message": "3 > 1"}
    preview = json.loads((sealed.newest / "preview.json").read_text("utf-8"))
    assert (preview["creates"], preview["stopped_by_guard"]) == (3, True)
    assert len(preview["changes"]) == 4
    run = sealed.newest.name
    assert sealed.go("run", "--checked", run) == 5
    assert halted(sealed)["code"] == "TOO_MANY_NEW"
    assert sealed.run_to_end("run", "--checked", run, "--accept-guards") == (0, {"sealed": 3, "unchanged": 2})


def test_the_user_who_started_it_by_the_page_is_in_the_record(sealed, monkeypatch, capsys):
    monkeypatch.setenv("ESIGN_RUN_USER", "王芳")
    sealed.go("run")
    monkeypatch.delenv("ESIGN_RUN_USER")
    capsys.readouterr()
    assert sealed.go("--json", "status", "--runs", "9") == 0
    first, second = json.loads(capsys.readouterr().out)["runs"]
    assert first["user"] == "王芳"
    assert second["user"] != "王芳"


def test_from_python_too(sealed):
    path = sealed.folder / "config.yaml"
    checked = pipeline.check(path).report.run
    result = pipeline.run(path, checked=checked, only=["plan.jsonl:4"])
    assert [row.status.value for row in result.rows] == [
        "unchanged",
        "unchanged",
        "not_sent",
        "sealed",
        "not_sent",
    ]
    assert pipeline.run(path, checked=checked).halted.code == "PLAN_CHANGED"
