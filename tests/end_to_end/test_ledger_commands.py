"""`ledger backup|restore|rebuild|check` from the command line, after a run and before the next."""

import re
import shutil
import sqlite3
from contextlib import closing

import pytest
from run_support import keep_outcomes
from wire_support import fault

import pipeline
from pipeline.ledger import maintenance
from pipeline.sandbox.actions import Rules

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def unsettled(scene):
    def play(hospital):
        hospital.doctors(4)
        assert hospital.go("run") == 3

    return scene(play, faults=[fault("truncated_json", nth=(3,))])


def test_a_lost_ledger_comes_back_and_no_doctor_is_created_again(unsettled, capsys):
    sent = unsettled.creates()
    unsettled.lose_ledger()
    assert unsettled.go("run") == 2, "a new ledger is refused"
    assert unsettled.go("ledger", "rebuild") == 0
    assert "People: 4. Seals: 3. Unknown results: 1" in capsys.readouterr().err
    assert unsettled.run_to_end("run") == (3, {"unchanged": 3, "unknown": 1})
    assert unsettled.creates() == sent


def test_a_backup_brings_a_hospital_to_another_machine(unsettled, tmp_path, capsys):
    assert unsettled.go("ledger", "backup", str(tmp_path / "b")) == 0
    assert unsettled.go("ledger", "backup", str(tmp_path / "b")) == 2
    sent = unsettled.creates()
    shutil.rmtree(unsettled.folder / "state")
    assert unsettled.go("ledger", "restore", str(tmp_path / "b")) == 0
    assert unsettled.go("ledger", "check") == 0
    assert unsettled.go("run") == 3
    assert unsettled.creates() == sent
    capsys.readouterr()


def test_ledger_check_names_cut_receipts(unsettled, capsys):
    path = unsettled.folder / "state" / "receipts.jsonl"
    path.write_bytes(path.read_bytes()[:-200])
    assert unsettled.go("ledger", "check") == 74
    stderr_text = capsys.readouterr().err
    assert "receipts.jsonl" in stderr_text
    assert stderr_text.rstrip().endswith(" run"), "the ledger is whole, and a whole one is never rebuilt"


def test_a_ledger_in_order_is_left_alone(unsettled):
    assert unsettled.go("ledger", "rebuild") == 2
    assert unsettled.go("ledger", "restore", str(unsettled.folder / "config.yaml")) == 2
    assert unsettled.go("ledger", "restore", "nowhere") == 2


def test_without_a_ledger_there_is_nothing_to_look_after(hospital):
    assert hospital.go("ledger", "backup", "x") == 2
    assert hospital.go("ledger", "check") == 2
    assert hospital.go("ledger", "rebuild") == 2


@pytest.mark.parametrize("way", ["changed", "a line lost", "begun anew"])
def test_receipts_that_were_tampered_with_are_no_ledger_and_the_way_out_is_reported(
    unsettled, tmp_path, capsys, way
):
    assert unsettled.go("ledger", "backup", str(tmp_path / "b")) == 0
    path = unsettled.folder / "state" / "receipts.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    middle = next(index for index, line in enumerate(lines) if b'"sealed"' in line)
    if way == "changed":
        lines[middle] = lines[middle].replace(b'"sealed"', b'"refused"')
    else:
        del lines[0 if way == "begun anew" else middle]
    path.write_bytes(b"".join(lines))
    assert unsettled.go("ledger", "check") == 74
    unsettled.lose_ledger()
    assert unsettled.go("run") == 2
    capsys.readouterr()
    assert unsettled.go("ledger", "rebuild") == 74
    assert "ledger restore" in capsys.readouterr().err
    path.rename(path.with_name("tampered.jsonl"))
    sent = unsettled.creates()
    assert unsettled.go("ledger", "restore", str(tmp_path / "b")) == 0
    assert unsettled.go("run") == 3
    assert unsettled.creates() == sent
    capsys.readouterr()


def test_a_torn_ledger_stops_the_run_and_names_the_ways_back(unsettled, capsys):
    ledger_path = unsettled.folder / "state" / "ledger.sqlite3"
    ledger_path.write_bytes(ledger_path.read_bytes()[:5000])
    sent = len(unsettled.service.received)
    assert unsettled.go("run") == 74
    assert len(unsettled.service.received) == sent
    stderr_text = capsys.readouterr().err
    assert "ledger rebuild" in stderr_text
    assert "ledger restore" in stderr_text
    assert unsettled.go("ledger", "rebuild") == 0
    assert unsettled.run_to_end("run") == (3, {"unchanged": 3, "unknown": 1})


def test_a_ledger_older_than_the_last_results_does_not_make_its_doctors_again(
    hospital_with, tmp_path, capsys
):
    hospital = hospital_with(rules=Rules(limiter="none", unique_names="off"))
    hospital.doctors(3)
    assert hospital.go("run", "--limit", "1") == 0
    assert hospital.go("ledger", "backup", str(tmp_path / "old")) == 0
    assert hospital.go("run") == 0
    results = keep_outcomes(hospital, tmp_path)
    shutil.rmtree(hospital.folder / "state")
    assert hospital.go("ledger", "restore", str(tmp_path / "old")) == 0
    for command in ("run", "retry"):
        capsys.readouterr()
        assert hospital.go(command) == 2
        assert "The ledger is older than" in capsys.readouterr().err
    assert hospital.go("adopt", str(results)) == 0
    assert hospital.go("run", "--new-ledger") == 0
    assert hospital.run_to_end("run") == (0, {"unchanged": 3})
    assert hospital.creates() == len(hospital.service.seals) == 3


def test_a_backup_from_the_midst_of_a_run_does_not_make_its_doctors_again(hospital_with, tmp_path, capsys):
    hospital = hospital_with(rules=Rules(limiter="none", unique_names="off"))
    hospital.doctors(4)
    config = pipeline.Config.load(hospital.folder / "config.yaml", limits={"concurrency": 1})
    backups = iter([tmp_path / "midst"])

    def back_up(_):
        if target := next(backups, None):
            maintenance.back_up_ledger(hospital.folder / "state" / "ledger.sqlite3", target)

    assert pipeline.run(config, on_outcome=back_up).exit == 0
    results = keep_outcomes(hospital, tmp_path)
    shutil.rmtree(hospital.folder / "state")
    assert hospital.go("ledger", "restore", str(tmp_path / "midst")) == 0
    assert hospital.go("run") == 2
    assert "The ledger is older than" in capsys.readouterr().err
    assert hospital.go("adopt", str(results)) == 0
    assert hospital.go("run", "--new-ledger") == 0
    assert hospital.run_to_end("run") == (0, {"unchanged": 4})
    assert hospital.creates() == len(hospital.service.seals) == 4


def test_the_copy_of_a_run_without_changes_reveals_a_lost_ledger(hospital, tmp_path, capsys):
    """With --out the results of the run that sent lie elsewhere, and the copy here is a later run's."""
    hospital.doctors(2)
    assert hospital.go("run", "--out", str(tmp_path / "first")) == 0
    assert hospital.go("run", "--out", str(tmp_path / "second")) == 0
    shutil.rmtree(hospital.folder / "state")
    capsys.readouterr()
    assert hospital.go("run") == 2
    assert "would be created again" in capsys.readouterr().err
    assert hospital.go("status") == 74
    assert hospital.go("adopt", str(tmp_path / "second" / "outcomes.jsonl")) == 0
    assert hospital.run_to_end("run") == (0, {"unchanged": 2})


def test_a_disk_that_failed_at_the_end_of_a_run_left_no_older_ledger(hospital):
    """Its run.json counts what the ledger entered, though the ledger never heard of the run's end."""
    hospital.seal_doctors(1)
    with sqlite3.connect(hospital.folder / "state" / "ledger.sqlite3") as ledger:
        ledger.execute("UPDATE run SET finished = NULL, exit = NULL, record = NULL")
    assert hospital.go("run") == 0


def test_seals_of_one_run_alone_do_not_stand_for_those_of_another(hospital_with, tmp_path, capsys):
    """Two rosters, each with runs of its own; the results of the last one are adopted first."""
    hospital = hospital_with(rules=Rules(limiter="none", unique_names="off"))
    kept = []
    for start, file in ((1, "a.xlsx"), (5, "b.xlsx")):
        hospital.doctors(2, start=start, file=file)
        assert hospital.go("run", str(hospital.folder / "inbox" / file)) == 0
        kept.append(keep_outcomes(hospital, tmp_path / file))
    shutil.rmtree(hospital.folder / "state")
    assert hospital.go("adopt", str(kept[1])) == 0
    capsys.readouterr()
    assert hospital.go("run") == 2
    stderr_text = capsys.readouterr().err
    assert [run.name in stderr_text for run in hospital.runs[:2]] == [True, False]
    assert hospital.go("adopt", str(kept[0])) == 0
    assert hospital.run_to_end("run") == (0, {"unchanged": 4})
    assert hospital.creates() == 4


def test_a_create_that_a_lost_ledger_left_open_is_not_sent_again_unasked(unsettled, tmp_path, capsys):
    kept = keep_outcomes(unsettled, tmp_path)
    shutil.rmtree(unsettled.folder / "state")
    assert unsettled.go("adopt", str(kept)) == 0
    assert unsettled.go("run") == 2
    assert unsettled.runs[0].name in capsys.readouterr().err
    assert unsettled.creates() == 4


def test_a_rebuild_where_nothing_is_left_leads_to_the_earlier_results(unsettled, capsys):
    shutil.rmtree(unsettled.folder / "state")
    for language, words in (("zh", "三样都不在了"), ("en", "all three are gone")):
        for command, exit_code in ((("ledger", "rebuild"), 74), (("run",), 2)):
            capsys.readouterr()
            assert unsettled.go("--lang", language, *command) == exit_code
            stderr_text = capsys.readouterr().err
            assert words in stderr_text
            assert "adopt" in stderr_text.splitlines()[-1]
            assert stderr_text.rstrip().endswith("latest/outcomes.jsonl")


def spoil(hospital, how):
    """Damage what lies in the state folder in one way."""
    state = hospital.folder / "state"
    ledger, receipts = state / "ledger.sqlite3", state / "receipts.jsonl"
    match how:
        case "no key":
            (state / "ledger.sqlite3.key").unlink()
        case "another key":
            (state / "ledger.sqlite3.key").write_bytes(bytes(32))
        case "no database":
            ledger.write_text("nonsense\n" * 200)
        case "empty":
            ledger.write_bytes(b"")
        case "damaged inside":
            data = bytearray(ledger.read_bytes())
            for offset in range(8192, len(data), 4096):
                data[offset : offset + 2048] = bytes(2048)
            ledger.write_bytes(data)
        case "no receipts":
            receipts.unlink()
        case "a receipt changed":
            lines = receipts.read_text("utf-8").splitlines(keepends=True)
            lines[2] = lines[2].replace('"n":3', '"n":4')
            receipts.write_text("".join(lines), "utf-8")
        case "two stories":
            with closing(sqlite3.connect(ledger)) as held:
                held.execute(
                    "UPDATE seal SET seal_id = 'S-other' WHERE rowid = (SELECT min(rowid) FROM seal)"
                )
                held.commit()


DAMAGES = [
    ("no key", "不在了", "is missing", "doctor --offline"),
    ("another key", "不是本台账创建时的密钥", "not the one this ledger was created with", "doctor --offline"),
    ("no database", "无法读取台账", "cannot be read", "ledger rebuild"),
    ("empty", "不是本程序的台账", "not a ledger of esign-import", "ledger rebuild"),
    ("damaged inside", "台账", "ledger", "ledger rebuild"),
    ("no receipts", "不全", "are incomplete", "run"),
    ("a receipt changed", "第 3 行已损坏", "Line 3 of the receipts", "ledger rebuild"),
    ("two stories", "不一致", "disagree", "ledger restore --help"),
]


def test_ledger_check_names_each_damage_and_the_next_command(unsettled, capsys, tmp_path):
    state = unsettled.folder / "state"
    shutil.copytree(state, tmp_path / "kept")
    for how, zh, en, then in DAMAGES:
        spoil(unsettled, how)
        for language, text_part in (("zh", zh), ("en", en)):
            capsys.readouterr()
            assert unsettled.go("--lang", language, "ledger", "check") == 74, how
            stderr_text = capsys.readouterr().err
            assert text_part in stderr_text, how
            assert stderr_text.rstrip().endswith(f" {then}"), stderr_text
            assert "Error" not in stderr_text, how
            assert bool(HAN.search(stderr_text)) == (language == "zh"), how
        if then == "ledger rebuild":
            assert unsettled.go("ledger", "rebuild") == 0, how
            assert unsettled.go("ledger", "check") == 0, how
        shutil.rmtree(state)
        shutil.copytree(tmp_path / "kept", state)


def test_ledger_check_lists_what_it_checked(unsettled, capsys):
    capsys.readouterr()
    assert unsettled.go("ledger", "check") == 0
    assert re.search(
        r"receipts \(\d+\).*\n.*People: 4. Seals: 3. Unknown results: 1", capsys.readouterr().err
    )


def test_receipts_that_were_renamed_are_written_anew(unsettled):
    receipts = unsettled.folder / "state" / "receipts.jsonl"
    spoil(unsettled, "a receipt changed")
    receipts.rename(receipts.with_name("receipts.old.jsonl"))
    assert unsettled.go("run") == 3
    assert unsettled.go("ledger", "check") == 0
