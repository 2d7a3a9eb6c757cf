"""`--json`: every command prints one JSON document to stdout and nothing else, or refuses the option in one sentence."""

import io
import json

import click
import pytest
from people import name
from watch_support import Watcher

from pipeline.cli.app import cli, main

REFUSED = frozenset({"sandbox"})  # it runs until it is stopped
NEEDS_SERVER = frozenset(
    {
        "enqueue",
        "hosts cancel",
        "hosts pause",
        "hosts resume",
        "hosts status",
        "ledger load",
        "worker",
    }
)
NEEDS_LOSS = frozenset({"ledger restore"})
CHANGES_LEDGER = frozenset({"adopt", "purge", "resolve", "retry", "run"})
# command -> the words after it, once or in turn; {} is the hospital's folder, {name} a sealed doctor
ARGUMENTS = {
    "adopt": [("{}/adopted.csv",)],
    "autosign links": [()],
    "autosign status": [()],
    "check": [(), ("--seals", "{}/seals")],
    "config show": [()],
    "demo": [("--rows", "1", "--out", "{}/demo")],
    "doctor": [()],
    "enqueue": [()],
    "explain": [("{name}",), ("no such doctor",), ("2",)],
    "export": [(), ("--out", "{}/seals.json"), ("--leavers",)],
    "hosts cancel": [()],
    "hosts pause": [()],
    "hosts resume": [()],
    "hosts status": [()],
    "init": [("{}/new", "--sandbox")],
    "ledger backup": [("{}/copy",)],
    "ledger check": [()],
    "ledger load": [("{}/state/ledger.sqlite3",)],
    "ledger restore": [("{}/earlier",)],
    "purge": [("--person", "{name}", "--yes")],
    "resolve": [
        (),
        ("{unknown}",),
        ("{unknown}", "--seal-id", "x" * 32, "--sure"),
        (),
        ("x" * 32, "--withdraw"),
        (),
    ],
    "retry": [("--yes",)],
    "run": [("--yes",)],
    "sandbox": [()],
    "schedule install": [("windows",)],
    "schedule print": [("cron",), ("systemd",)],
    "serve": [("--listen", "192.0.2.1:80")],  # refused: else it runs until it is stopped
    "status": [(), ("--runs", "2")],
    "user add": [("wang", "--role", "look")],
    "user list": [()],
    "user remove": [("wang",)],
    "worker": [()],
}


def list_commands(command=cli, words=()):
    """Yield the words of every command that is no group."""
    if not isinstance(command, click.Group):
        yield " ".join(words)
        return
    for word, child in command.commands.items():
        yield from list_commands(child, (*words, word))


def read_document(capsys):
    """Return the one JSON document on stdout."""
    shown = capsys.readouterr()
    assert shown.out.strip(), shown.err
    return json.loads(shown.out), shown.err


@pytest.fixture
def hospital(scene, tmp_path, monkeypatch):
    """Make a hospital with two sealed doctors and one whose create got no answer."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))

    def play(hospital):
        hospital.doctors(3)
        assert hospital.go("run") == 3
        (hospital.folder / "adopted.csv").write_text("姓名,证件号码,印章ID\n", "utf-8")
        (hospital.folder / "empty").mkdir()
        assert hospital.go("ledger", "backup", str(hospital.folder / "earlier")) == 0

    hospital = scene(play, faults=[{"match": {"user_name": name(2)}, "do": "reset_after"}])
    monkeypatch.chdir(hospital.folder)
    return hospital


def test_every_command_is_tried_with_json():
    assert sorted(list_commands()) == sorted(ARGUMENTS)


OF_ONE_HOSPITAL = sorted(
    ARGUMENTS.keys() - NEEDS_LOSS - CHANGES_LEDGER - {"demo"}
)  # test_demo: it takes a second


@pytest.mark.parametrize(
    "commands",
    [OF_ONE_HOSPITAL, *([command] for command in sorted(NEEDS_LOSS | CHANGES_LEDGER))],
    ids=lambda commands: commands[0] if len(commands) == 1 else "what changes no ledger",
)
def test_a_command_prints_one_document_or_refuses_json(commands, hospital, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("four words are enough\n"))
    with Watcher() as monitor:
        ping = hospital.folder / "secrets" / "notify__ping"
        ping.write_text(f"{monitor.url}/ping\n")
        ping.chmod(0o600)
        if NEEDS_LOSS.issuperset(commands):
            hospital.lose_ledger()
        for command, words in [(name_, words) for name_ in commands for words in ARGUMENTS[name_]]:
            filled = [word.format(hospital.folder, name=name(1), unknown=name(2)) for word in words]
            capsys.readouterr()
            sent = hospital.creates()
            code = hospital.go("--json", *command.split(), *filled)
            assert command in {"run", "retry"} or hospital.creates() == sent, (
                "it makes a seal to find something out"
            )
            document, error = read_document(capsys)
            if command in REFUSED:
                assert (code, document["exit"]) == (2, 2), command
                assert f"{command} has no data to print as JSON" in error.splitlines()[0]
            elif command in NEEDS_SERVER or command == "serve":
                assert (code, document["exit"]) == (2, 2), command
            else:
                assert "error" not in document, (command, words, document)


@pytest.mark.parametrize("command", sorted(list_commands()))
def test_what_ends_a_command_early_is_one_document(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [word.format(tmp_path, name="x", unknown="x") for word in ARGUMENTS[command][0]]
    missing = tmp_path / "missing.yaml"
    if command != "demo":  # it needs no configuration
        code = main(["--json", "--config", str(missing), *command.split(), *words])
        document, error = read_document(capsys)
        if code != 0:
            assert document["exit"] == code
            assert document["error"] in error
    assert main([*command.split(), "--no-such-option", "--json"]) == 2
    document, error = read_document(capsys)
    assert document["exit"] == 2
    assert "--no-such-option" in document["error"]


def test_a_run_that_ends_without_results_prints_its_run_json(hospital, capsys):
    for roster in (hospital.folder / "inbox").iterdir():
        roster.unlink()
    for words, code in (
        (("run", "--yes"), 5),
        (("check",), 5),
        (("run", str(hospital.folder / "missing.xlsx")), 2),
    ):
        capsys.readouterr()
        assert hospital.go("--json", *words) == code
        document, _ = read_document(capsys)
        assert (document["command"], document["exit"]) == (words[0], code)
    capsys.readouterr()
    assert hospital.go("--json", "check", str(hospital.folder / "empty")) == 0
    assert read_document(capsys)[0]["rows"] == 0
