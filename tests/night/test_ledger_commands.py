"""`ledger backup|restore|rebuild|check` from the command line, after a night and before the next."""

import shutil

import pytest
from wire_support import fault


@pytest.fixture
def night(hospital_with):
    hospital = hospital_with(faults=[fault("truncated_json", nth=(3,))])
    hospital.doctors(4)
    assert hospital.go("run") == 3
    return hospital


def lose(hospital):
    for each in (hospital.folder / "state").glob("ledger.sqlite3*"):
        if each.suffix != ".key":
            each.unlink()


def test_a_lost_ledger_comes_back_and_nobody_is_created_again(night, capsys):
    sent = night.creates()
    lose(night)
    assert night.go("run") == 2, "a new ledger is refused"
    assert night.go("ledger", "rebuild") == 0
    assert "4 people, 3 seals, 1 without a verdict" in capsys.readouterr().err
    assert night.go("run") == 3
    assert night.statuses() == {"unchanged": 3, "unknown": 1}
    assert night.creates() == sent


def test_a_backup_brings_a_hospital_to_another_machine(night, tmp_path, capsys):
    assert night.go("ledger", "backup", str(tmp_path / "b")) == 0
    assert night.go("ledger", "backup", str(tmp_path / "b")) == 2
    sent = night.creates()
    shutil.rmtree(night.folder / "state")
    assert night.go("ledger", "restore", str(tmp_path / "b")) == 0
    assert night.go("ledger", "check") == 0
    assert night.go("run") == 3
    assert night.creates() == sent
    capsys.readouterr()


def test_check_tells_what_is_wrong(night, capsys):
    path = night.folder / "state" / "receipts.jsonl"
    path.write_bytes(path.read_bytes()[:-200])
    assert night.go("ledger", "check") == 74
    told = capsys.readouterr().err
    assert "receipts.jsonl" in told
    assert "ledger rebuild" in told


def test_a_ledger_in_order_is_left_alone(night):
    assert night.go("ledger", "rebuild") == 2
    assert night.go("ledger", "restore", str(night.folder / "config.yaml")) == 2
    assert night.go("ledger", "restore", "nowhere") == 2


def test_without_a_ledger_there_is_nothing_to_look_after(hospital):
    assert hospital.go("ledger", "backup", "x") == 2
    assert hospital.go("ledger", "check") == 2
    assert hospital.go("ledger", "rebuild") == 74
