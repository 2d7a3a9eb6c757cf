"""`ledger backup|restore|check` from the command line, after a run and before the next."""

import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from wire_support import fault

import pipeline
from pipeline.config.settings import Config
from pipeline.ledger.maintenance import back_up_ledger
from pipeline.sandbox.actions import Rules
from pipeline.workflow.hosts_factory import make_location

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def unsettled(scene):
    def play(hospital):
        hospital.doctors(4)
        assert hospital.go("run") == 3

    return scene(play, faults=[fault("truncated_json", nth=(3,))])


def list_journals(hospital) -> dict[str, Path]:
    """Return the journal in each of the two places."""
    (user,) = Path(os.environ["XDG_STATE_HOME"]).rglob("*.jsonl")
    (out,) = (hospital.folder / "out" / ".ledger").rglob("*.jsonl")
    return {"user": user, "out": out}


def lose(hospital, what: str) -> None:
    match what:
        case "the ledger":
            hospital.lose_ledger()
        case "its folder with the key":
            shutil.rmtree(hospital.folder / "state")
        case "its folder and the results":
            shutil.rmtree(hospital.folder / "state")
            shutil.rmtree(hospital.folder / "out")
        case "the ledger and the user's state":
            hospital.lose_ledger()
            shutil.rmtree(os.environ["XDG_STATE_HOME"])


@pytest.mark.parametrize("command", ["run", "status", "explain 2", "export", "resolve", "ledger check"])
@pytest.mark.parametrize(
    "what",
    [
        "the ledger",
        "its folder with the key",
        "its folder and the results",
        "the ledger and the user's state",
    ],
)
def test_a_lost_ledger_comes_back_and_no_doctor_is_created_again(unsettled, capsys, what, command):
    sent = unsettled.creates()
    lose(unsettled, what)
    capsys.readouterr()
    unsettled.go(*command.split())
    assert (
        "none of the submissions in them is repeated. Doctors whose results are unknown: 1"
        in capsys.readouterr().err
    )
    assert unsettled.run_to_end("run") == (3, {"unchanged": 3, "unknown": 1})
    assert unsettled.creates() == sent
    assert unsettled.go("ledger", "check") == 0
    assert "People: 4. Seals: 3. Unknown results: 1" in capsys.readouterr().err


def test_a_backup_brings_a_hospital_to_another_machine(unsettled, tmp_path, monkeypatch):
    assert unsettled.go("ledger", "backup", str(tmp_path / "b")) == 0
    assert unsettled.go("ledger", "backup", str(tmp_path / "b")) == 2
    sent = unsettled.creates()
    lose(unsettled, "its folder and the results")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
    assert unsettled.go("ledger", "restore", str(tmp_path / "b")) == 0
    assert unsettled.run_to_end("run") == (3, {"unchanged": 3, "unknown": 1})
    assert unsettled.creates() == sent
    assert unsettled.go("ledger", "check") == 0


def test_what_is_no_backup_replaces_nothing(unsettled):
    assert unsettled.go("ledger", "restore", str(unsettled.folder / "config.yaml")) == 2
    assert unsettled.go("ledger", "restore", "nowhere") == 2
    assert unsettled.go("ledger", "check") == 0


def test_without_a_ledger_there_is_nothing_to_look_after(hospital):
    assert hospital.go("ledger", "backup", "x") == 2
    assert hospital.go("ledger", "check") == 2


@pytest.mark.parametrize("moment", ["before the last run", "in its midst"])
def test_a_backup_that_is_older_than_the_last_run_does_not_make_its_doctors_again(
    hospital_with, tmp_path, moment
):
    hospital = hospital_with(rules=Rules(limiter="none", unique_names="off"))
    hospital.doctors(4)
    backup = tmp_path / "old"
    if moment == "before the last run":
        assert hospital.go("run", "--limit", "1") == 0
        assert hospital.go("ledger", "backup", str(backup)) == 0
        assert hospital.go("run") == 0
    else:
        config = Config.load(hospital.folder / "config.yaml", limits={"concurrency": 1})
        store = make_location(config)

        def back_up(_):
            if not backup.exists():
                back_up_ledger(store.path, store.places, backup)

        assert pipeline.run(config, on_outcome=back_up).exit == 0
    shutil.rmtree(hospital.folder / "state")
    assert hospital.go("ledger", "restore", str(backup)) == 0
    assert hospital.run_to_end("run") == (0, {"unchanged": 4})
    assert hospital.creates() == len(hospital.service.seals) == 4


def spoil_keys(hospital, how):
    user = list_journals(hospital)["user"]
    for key in (hospital.folder / "state" / "ledger.sqlite3.key", user.with_name("site.key")):
        key.unlink()
        if how == "another key":
            key.write_bytes(bytes(32))


def spoil_journal(hospital, how):
    journals = list_journals(hospital)
    match how:
        case "no journal":
            journals["out"].unlink()
        case "a cut journal":
            journals["user"].write_bytes(journals["user"].read_bytes()[:-200])
        case "a line changed":
            lines = journals["user"].read_bytes().splitlines(keepends=True)
            middle = next(index for index, line in enumerate(lines) if b'"sealed"' in line)
            lines[middle] = lines[middle].replace(b'"sealed"', b'"failed"')
            journals["user"].write_bytes(b"".join(lines))


def spoil_ledger(hospital, how):
    ledger = hospital.folder / "state" / "ledger.sqlite3"
    match how:
        case "no database":
            ledger.write_text("nonsense\n" * 200)
        case "torn":
            ledger.write_bytes(ledger.read_bytes()[:5000])
        case "empty":
            ledger.write_bytes(b"")
        case "damaged inside":
            data = bytearray(ledger.read_bytes())
            for offset in range(8192, len(data), 4096):
                data[offset : offset + 2048] = bytes(2048)
            ledger.write_bytes(data)
        case "two stories":
            with closing(sqlite3.connect(ledger)) as held:
                held.execute(
                    "UPDATE attempt SET seal_id = 'S-other' WHERE uuid = (SELECT min(uuid) FROM attempt WHERE state = 'sealed')"
                )
                held.commit()


MADE_AGAIN = ("台账已损坏", "The ledger was damaged. It was moved to")
DAMAGES = [
    (spoil_keys, "no key", 74, "都不在了", "are both missing", "doctor --offline"),
    (
        spoil_keys,
        "another key",
        74,
        "不是本台账创建时的密钥",
        "not the one this ledger was created with",
        "doctor --offline",
    ),
    (spoil_ledger, "no database", 0, *MADE_AGAIN, "run"),
    (spoil_ledger, "torn", 0, *MADE_AGAIN, "run"),
    (spoil_ledger, "empty", 0, *MADE_AGAIN, "run"),
    (spoil_ledger, "damaged inside", 0, *MADE_AGAIN, "run"),
    (spoil_journal, "no journal", 74, "缺少台账", "lacks entries of the ledger", "run"),
    (spoil_journal, "a cut journal", 0, "台账完好", "The ledger is intact", "run"),
    (spoil_journal, "a line changed", 74, "日志有一行被改动或损坏", "A line of a journal was changed", "run"),
    (spoil_ledger, "two stories", 74, "数据库被改动过", "the database was changed", "run"),
]
NOT_REPAIRED = {"no key", "another key", "two stories"}


@pytest.mark.parametrize(("spoil", "how", "code", "zh", "en", "then"), DAMAGES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_ledger_check_names_each_damage_and_the_next_command(
    unsettled, capsys, tmp_path, language, spoil, how, code, zh, en, then
):
    assert unsettled.go("ledger", "backup", str(tmp_path / "b")) == 0
    sent = len(unsettled.service.received)
    spoil(unsettled, how)
    capsys.readouterr()
    assert unsettled.go("--lang", language, "ledger", "check") == code
    stderr_text = capsys.readouterr().err
    assert (zh if language == "zh" else en) in stderr_text
    assert stderr_text.rstrip().endswith(f" {then}"), stderr_text
    assert "Error" not in stderr_text
    assert bool(HAN.search(stderr_text)) == (language == "zh")
    if how == "a line changed":
        path = list_journals(unsettled)["user"]
        path.rename(path.with_suffix(".away"))
    if how in NOT_REPAIRED:
        assert unsettled.go("run") == (3 if how == "two stories" else 74)
        assert unsettled.go("ledger", "restore", str(tmp_path / "b")) == 0
    assert unsettled.run_to_end("run") == (3, {"unchanged": 3, "unknown": 1})
    assert len(unsettled.service.received) == sent
    assert unsettled.go("ledger", "check") == 0


def test_a_hospital_without_its_key_begins_anew_with_the_seals_that_are_known(unsettled, capsys, tmp_path):
    """As the runbook has it; the doctor whose result is unknown is in no record of the seals."""
    spoil_keys(unsettled, "no key")
    capsys.readouterr()
    assert unsettled.go("--lang", "en", "run") == 74
    named = re.search(r"“(.+)” in (docs/en/runbook\.md)", capsys.readouterr().err)
    page = Path(pipeline.__file__).parents[1] / named[2]
    assert f"### {named[1]}\n" in page.read_text("utf-8")
    (last,) = [path for path in (unsettled.folder / "out").glob("2*/outcomes.jsonl") if path.stat().st_size]
    sent = unsettled.creates()
    for file in (unsettled.folder / "state").glob("ledger.sqlite3*"):
        file.rename(tmp_path / file.name)
    for name, journal in list_journals(unsettled).items():
        shutil.move(journal.parent, tmp_path / name)
    assert unsettled.go("adopt", str(last)) == 0
    assert unsettled.run_to_end("check") == (0, {"unchanged": 3, "ready": 1})
    assert unsettled.creates() == sent


@pytest.mark.parametrize("spoiled", ["the key is lost", "a journal does not prove itself"])
@pytest.mark.parametrize(
    "command",
    ["status", "explain 2", "check", "ledger check", "export", "resolve", "run", "doctor --offline"],
)
def test_a_ledger_that_is_lost_and_cannot_be_made_again_is_no_ledger_that_never_was(
    unsettled, capsys, spoiled, command
):
    sent = len(unsettled.service.received)
    if spoiled == "the key is lost":
        spoil_keys(unsettled, "no key")
        fault_words = "are both missing"
    else:
        spoil_journal(unsettled, "a line changed")
        fault_words = "A line of the journal"
    unsettled.lose_ledger()
    capsys.readouterr()
    assert unsettled.go("--lang", "en", *command.split()) == 74
    printed = capsys.readouterr()
    text = printed.out + printed.err
    assert fault_words in text
    if command not in {"run", "resolve", "doctor --offline"}:  # their fault is the sentence
        assert "The ledger is missing and cannot be made again yet" in text
    assert "no ledger yet" not in text.lower()
    assert "There is no ledger" not in text
    assert "Ready" not in text
    assert "is made up from them" not in text
    if "doctor" not in command:
        assert text.rstrip().endswith(" doctor --offline")
    assert len(unsettled.service.received) == sent
