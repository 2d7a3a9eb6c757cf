"""`explain`: one doctor's history across runs, as text and as JSON."""

import json
import shutil

import openpyxl
import pytest
from people import make_row, name, number
from resolution_support import list_made_seals, read_unknown_rows, run_later
from run_support import draw_seal
from wire_support import fault

from pipeline.cli.app import main
from pipeline.clock import SystemClock
from pipeline.ledger.lock import RunLock
from pipeline.support.terminal_text import measure_width

REFUSAL = {"code": {"code": "InvalidParameter.CardNumber", "message": "证件号码错误"}}


def rows(count=6):
    return [*map(make_row, range(1, count + 1))]


def damaged(row, spaced=True):
    """The same doctor with a space in the name and a digit lost."""
    who, card, *rest = row
    return (f"{who[0]} {who[1:]}" if spaced else who, card[:9] + card[10:], *rest)


@pytest.fixture
def explain(capsys):
    """Return a function that explains in a language and returns the exit code and the output."""

    def run_explain(hospital, *query, language="en"):
        capsys.readouterr()
        code = run_later(hospital, "--lang", language, "explain", *query)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run_explain


@pytest.fixture
def facts(capsys):
    def read_facts(hospital, *query):
        capsys.readouterr()
        run_later(hospital, "--json", "explain", *query)
        return json.loads(capsys.readouterr().out)

    return read_facts


@pytest.fixture
def hospital(scene):
    """One run: 2 lost after executing, 4 damaged in the roster, 5 (the fourth create) refused, the others sealed."""

    def play(hospital):
        hospital.doctors(6)
        roster = rows()
        roster[3] = damaged(roster[3])
        hospital.roster(roster)
        assert hospital.run_to_end("run") == (3, {"sealed": 3, "unknown": 1, "rejected": 1, "failed": 1})

    return scene(play, faults=[fault("reset_after", nth=(2,)), fault(REFUSAL, nth=(4,))])


def by_status(hospital, status):
    return next(row for row in hospital.outcomes() if row["status"] == status)


def test_a_sealed_doctor_is_found_by_every_identifier(hospital, facts):
    row = by_status(hospital, "sealed")
    whole = next(roster_row[1] for roster_row in rows() if roster_row[0] == row["name"])
    queries = [
        row[key] for key in ("name", "staff_no", "seal_id", "seal_name", "request_id", "trace_id", "key")
    ]
    queries += [row["id_masked"][-4:], whole, whole.lower(), row["seal_id"].upper()]
    for word in queries:
        doctor = facts(hospital, word)["doctor"]
        assert doctor["key"] == row["key"], word
    assert (doctor["status"], doctor["seal"]["seal_id"], doctor["creates"]) == ("sealed", row["seal_id"], 1)
    (run,) = doctor["history"]
    (create,) = run["creates"]
    assert create["request_id"] == row["request_id"]
    assert create["trace_id"] == row["trace_id"]
    assert create["verdict"] == "sealed"
    assert 0 <= create["wait_seconds"] < 3
    assert doctor["next"] == {"who": None, "text": "Nothing to do.", "commands": [], "notes": []}


def test_numbers_stay_masked_also_during_another_run(hospital, explain, capsys):
    with RunLock(hospital.folder / "state" / "ledger.sqlite3").acquire(run="other", now=0.0):
        for _, card, mobile, staff_no, _ in rows():
            printed = explain(hospital, staff_no)[1]
            assert run_later(hospital, "--json", "explain", staff_no) == 0
            printed += capsys.readouterr().out
            assert [secret for secret in (card, card[:14], mobile) if secret in printed] == []


def test_a_lost_answer_until_it_is_resolved(hospital, explain, facts):
    (row,) = read_unknown_rows(hospital).values()
    code, text = explain(hospital, row["name"])
    assert code == 0
    assert f"resolve {row['trace_id']} --seal-id SEALID" in text
    assert f"resolve {row['trace_id']} --not-created" in text
    assert text.rstrip().endswith(" run"), "what is said last decides nothing"
    assert "recorded the outcome with one of the commands above" in text
    decision = ("--sure", "--seal-id", list_made_seals(hospital)[row["name"]], "--why", "ticket 7")
    assert run_later(hospital, "resolve", row["name"], *decision) == 0
    assert facts(hospital, row["name"])["doctor"]["status"] == "sealed", "also before the next run"
    run_later(hospital, "run")
    run_later(hospital, "run")
    doctor = facts(hospital, row["staff_no"])["doctor"]
    first, decision, *later = doctor["history"]
    assert (first["creates"][0]["verdict"], first["creates"][0]["code"]) == ("unknown", "no_answer")
    assert first["rows"][0]["status"] == "unknown"
    assert (decision["kind"], decision["why"], bool(decision["who"])) == ("created", "ticket 7", True)
    assert first["creates"][0]["settled_by"] == decision["id"]
    assert [(row["status"], row["runs"]) for entry in later for row in entry["rows"]] == [("unchanged", 2)]
    end = (doctor["status"], doctor["seal"]["source"], doctor["next"]["commands"])
    assert end == ("unchanged", "resolved", [])


def test_a_row_without_a_usable_number_belongs_to_its_doctor(hospital, explain, facts):
    doctor = facts(hospital, "00004")["doctor"]
    assert (doctor["key"], doctor["status"], doctor["next"]["who"]) == (None, "rejected", "clerk")
    (command,) = doctor["next"]["commands"]
    assert command.endswith(" run")
    hospital.roster(rows())
    hospital.go("run")
    doctor = facts(hospital, name(4))["doctor"]
    assert doctor["status"] == "sealed"
    bad, good = doctor["history"]
    assert {problem["code"] for problem in bad["rows"][0]["problems"]} == {"ID_LENGTH", "NAME_NORMALISED"}
    (change,) = bad["rows"][0]["changes"]
    assert (change["to"], change["why"]) == (name(4), "spaces")
    assert good["creates"][0]["verdict"] == "sealed"
    for language, text_part in (("zh", "去掉空格"), ("en", "spaces removed")):
        code, text = explain(hospital, name(4), language=language)
        assert code == 0
        assert text_part in text
        assert "ID_LENGTH" in text


def test_another_doctor_of_that_name_is_not_given_the_row(hospital, facts):
    roster = rows()
    roster[3] = damaged((name(1), *roster[3][1:]), spaced=False)
    hospital.roster(roster)
    hospital.go("run")
    people = facts(hospital, name(1))["people"]
    assert sorted(doctor["staff_no"] for doctor in people) == ["00001", "00004"]


def test_a_refusal_names_who_acts_and_how(hospital, explain):
    row = by_status(hospital, "failed")
    texts = {
        "zh": ("名单负责人", "腾讯认为证件号码不对", "对照证件核对号码", "标记副本", "三天"),
        "en": ("Roster owner", "does not accept the identity number", "Compare it with the card", "marked copy", "three"),
    }  # fmt: skip
    for language, pieces in texts.items():
        code, text = explain(hospital, row["staff_no"], language=language)
        assert code == 0
        expected = (*pieces, row["request_id"], row["trace_id"], " retry\n")
        assert [word for word in expected if word not in text] == []


def test_a_changed_seal_is_kept_and_replaced(hospital, explain, facts):
    who = by_status(hospital, "sealed")
    serial = int(who["staff_no"])
    draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", 77)
    hospital.go("run")
    doctor = facts(hospital, who["name"])["doctor"]
    assert doctor["status"] == "changed"
    keep, _ = doctor["next"]["commands"]
    assert keep.endswith(f"resolve {who['seal_id']} --keep")
    assert explain(hospital, who["name"])[1].rstrip().endswith(" run")
    assert run_later(hospital, "resolve", who["seal_id"], "--keep") == 0
    assert facts(hospital, who["name"])["doctor"]["status"] == "sealed"
    draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", 78)
    hospital.go("run")
    assert run_later(hospital, "resolve", who["seal_id"], "--replace", "--seal-name", "新处方章") == 0
    doctor = facts(hospital, who["seal_id"])["doctor"]
    assert (doctor["status"], doctor["seal"], doctor["seal_name"]) == ("not_sent", None, "新处方章")
    assert doctor["next"]["commands"][0].endswith(" run")
    kinds = [entry["kind"] for entry in doctor["history"] if entry["what"] == "decision"]
    assert kinds == ["keep", "replace"]


def test_several_are_listed_and_a_second_word_narrows(hospital, explain, facts):
    roster = rows()
    roster[5] = (name(1), *roster[5][1:])
    hospital.roster(roster)
    hospital.go("run")
    code, text = explain(hospital, name(1), language="zh")
    assert code == 2
    lines = [line for line in text.splitlines() if "0000" in line and "explain" not in line]
    assert len(lines) == 2
    assert len({measure_width(line[: line.index("0000")]) for line in lines}) == 1, "columns are aligned"
    assert f"explain {name(1)} 00001" in text
    assert facts(hospital, name(1), "00001")["doctor"]["staff_no"] == "00001"
    doctor = facts(hospital, name(1), "00006")["doctor"]
    assert doctor["other_names"] == [name(6)]


@pytest.mark.parametrize("first", ["a.xlsx", "z.xlsx"])
def test_of_two_rows_of_a_doctor_the_one_that_was_sent_counts(hospital, explain, facts, first):
    """The spare copy came later, or stands before the row that was sent: neither makes it the doctor's row."""
    (row,) = read_unknown_rows(hospital).values()
    hospital.roster([roster_row for roster_row in rows() if roster_row[0] == row["name"]], file=first)
    hospital.go("run")
    (sent,) = read_unknown_rows(hospital).values()
    doctor = facts(hospital, row["name"])["doctor"]
    assert (doctor["status"], doctor["seen"]["path"]) == ("unknown", sent["path"])
    seen_rows = [row for entry in doctor["history"] for row in entry["rows"]]
    seen = {(row["status"], row["is_redundant"]) for row in seen_rows}
    assert seen == {("unknown", False), ("rejected", True)}
    *_, last = [entry["rows"] for entry in doctor["history"] if len(entry["rows"]) > 1] or [seen_rows]
    assert last[0]["status"] == "unknown"
    text = explain(hospital, row["name"])[1]
    assert "To correct" not in text
    assert "duplicate of another row" in text


def test_the_suggested_word_distinguishes_two_doctors_with_one_staff_number(hospital, explain):
    roster = rows()
    roster[5] = (name(1), roster[5][1], roster[5][2], "00001", "内科")
    hospital.roster(roster)
    hospital.go("run")
    code, text = explain(hospital, name(1))
    assert code == 2
    word = text.split()[-1]
    assert word in {number(1)[-4:], number(6)[-4:]}
    assert explain(hospital, name(1), word)[0] == 0


def test_a_query_without_a_match_suggests_similar_words(hospital, explain):
    for language, text_part in (("zh", "查过"), ("en", "Searched")):
        code, text = explain(hospital, "1", language=language)
        assert code == 2
        assert text_part in text
        assert "00001" in text, "a staff number without its zeros is suggested"
    code, text = explain(hospital, "110101199003070011")
    assert code == 2
    assert "199003" not in text


def test_a_doctor_who_left_the_roster_is_not_in_it_any_more(hospital, explain):
    hospital.roster(rows()[1:])
    hospital.go("run")
    assert "not in the rosters that were read last" in explain(hospital, "00001")[1]


def test_a_ledger_made_of_its_journals_tells_the_same(hospital, facts, monkeypatch, capsys):
    """The results are gone as well; each run is listed once."""
    serials = ("00001", "00004")
    before = [facts(hospital, serial)["doctor"] for serial in serials]
    hospital.lose_ledger()
    for run in hospital.runs:
        shutil.rmtree(run)
    assert [facts(hospital, serial)["doctor"] for serial in serials] == before
    monkeypatch.chdir(
        hospital.folder
    )  # the run folders are then known relative by the config, whole by the ledger
    capsys.readouterr()
    assert main(["--json", "explain", "00001"]) == 0
    history = json.loads(capsys.readouterr().out)["doctor"]["history"]
    (run,) = [entry for entry in history if entry["what"] == "run"]
    assert [row["status"] for row in run["rows"]] == ["sealed"]


def test_a_missing_ledger_is_reported(hospital_with, explain):
    hospital = hospital_with()
    code, text = explain(hospital, "00001")
    assert code == 2
    assert "no ledger" in text


def test_an_adopted_seal_is_explained(hospital_with, facts):
    hospital = hospital_with()
    hospital.doctors(1)
    book = openpyxl.Workbook()
    book.active.append(("姓名", "身份证号", "印章ID"))
    book.active.append((name(1), number(1), "yD" + "0" * 30))
    book.save(hospital.folder / "old.xlsx")
    assert hospital.go("adopt", str(hospital.folder / "old.xlsx"), "--why", "the old system") == 0
    doctor = facts(hospital, "yD" + "0" * 30)["doctor"]
    seal = (doctor["name"], doctor["status"], doctor["seal"]["source"], doctor["creates"])
    assert seal == (name(1), "sealed", "adopted", 0)
    assert (doctor["history"][0]["kind"], doctor["history"][0]["why"]) == ("adopt", "the old system")
    assert doctor["seen"] is None


def test_a_halted_run_names_what_must_be_repaired_first(hospital_with, explain, facts):
    refused = {"code": {"code": "AuthFailure.SignatureFailure", "message": "签名错误"}}
    hospital = hospital_with(faults=[fault(refused, nth=(1,))])
    hospital.doctors(2)
    assert hospital.go("run") == 4
    step = facts(hospital, "00001")["doctor"]["next"]
    assert step["who"] == "it"
    assert "SecretKey" in step["text"]
    assert step["commands"][0].endswith(" run")
    assert "AuthFailure.SignatureFailure" in explain(hospital, "00002", language="zh")[1]


def test_a_wait_is_measured_by_the_clock_that_signed(hospital_with, facts):
    """The machine is minutes ahead of the service, learns it from the first answer, and the wait stays a wait."""

    class Ahead(SystemClock):
        def now(self):
            return super().now() + 200

    hospital = hospital_with()
    hospital.doctors(1)
    assert run_later(hospital, "run", clock=Ahead()) == 0
    (create,) = facts(hospital, "00001")["doctor"]["history"][0]["creates"]
    assert 0 <= create["wait_seconds"] < 3


def test_a_row_of_the_last_run_is_found_by_its_number_and_its_file(hospital, facts, explain):
    unknown = by_status(hospital, "unknown")
    for query in (
        str(unknown["row"]),
        f"roster.xlsx:{unknown['row']}",
        f"inbox/Roster.xlsx:{unknown['row']}",
    ):
        assert facts(hospital, query)["doctor"]["key"] == unknown["key"], query
    rejected = by_status(hospital, "rejected")  # without a usable number
    assert facts(hospital, str(rejected["row"]))["doctor"]["name"] == rejected["name"]
    for query in ("other.xlsx:2", "99"):
        assert explain(hospital, query)[0] == 2, query


def test_why_a_run_left_a_row_for_later(hospital_with, explain):
    hospital = hospital_with()
    hospital.doctors(3)
    assert hospital.run_to_end("run", "--limit", "1") == (0, {"sealed": 1, "not_sent": 2})
    unsent = by_status(hospital, "not_sent")
    assert "the run sent only a part of the rows (--limit 1)" in explain(hospital, unsent["name"])[1]
    assert "这次只提交一部分（--limit 1）" in explain(hospital, unsent["name"], language="zh")[1]
    sealed = by_status(hospital, "sealed")
    assert "--limit" not in explain(hospital, sealed["name"])[1]
    assert hospital.run_to_end("run", "--only", sealed["name"]) == (0, {"unchanged": 1, "not_sent": 2})
    assert "(--only)" in explain(hospital, unsent["name"])[1]
