"""A hospital outgrows its machine: its ledger moves to a PostgreSQL server, is used there, and moves back."""

from __future__ import annotations

import os
import random
import re

import pytest
from crash_support import Zygote
from server_ledger import SECRET

from pipeline.ledger.lock import RunLock


@pytest.fixture
def database(hospital, postgres_server):
    """A database of its own, whose secret the hospital has; the ledger is in a file."""
    file = hospital.folder / "secrets" / "ledger__secret"
    file.write_text(SECRET)
    file.chmod(0o600)
    return postgres_server.make_database()


def show(hospital, capsys, *arguments, exit_code=0):
    """Return what a command prints, stdout then stderr."""
    capsys.readouterr()
    assert hospital.go(*arguments) == exit_code
    shown = capsys.readouterr()
    return shown.out, shown.err


def change_config(hospital, line: str) -> None:
    """Do what the command asks for."""
    config = hospital.folder / "config.yaml"
    kept = [text for text in config.read_text("utf-8").splitlines() if not text.startswith("ledger:")]
    config.write_text("\n".join([*kept, line]) + "\n", "utf-8")


def test_to_the_server_and_back(hospital, database, capsys, monkeypatch):
    hospital.seal_doctors(3)
    line, words = show(hospital, capsys, "ledger", "move", database)
    assert line == f"ledger: {database}\n"
    assert f"to {database}: 3 people, 3 seals, 0 unknown" in words
    assert "ledger.sqlite3.moved-1" in words
    for refused in (
        ("run",),
        ("check",),
        ("status",),
        ("doctor",),
        ("run", "--new-ledger", "--yes"),
        ("ledger", "rebuild"),
    ):
        assert f"is on {database}" in "".join(show(hospital, capsys, *refused, exit_code=2))
    assert show(hospital, capsys, "ledger", "move", database)[0] == line, "repeated"
    assert hospital.creates() == 3

    change_config(hospital, line)
    assert hospital.run_to_end("run") == (0, {"unchanged": 3})
    hospital.doctors(4)
    assert hospital.run_to_end("run") == (0, {"sealed": 1, "unchanged": 3})
    assert hospital.creates() == 4
    assert "agree" in show(hospital, capsys, "ledger", "check")[1]

    monkeypatch.chdir(hospital.folder)
    line, words = show(hospital, capsys, "ledger", "move", "state/ledger.sqlite3")
    assert line == "ledger: state/ledger.sqlite3\n"
    assert re.search(r"DROP SCHEMA esign_sandbox_[0-9a-f]{16}_moved_1 CASCADE", words)
    for refused in (("run",), ("check",), ("status",), ("doctor",)):
        assert f"the file {hospital.folder}/state/ledger.sqlite3" in "".join(
            show(hospital, capsys, *refused, exit_code=2)
        )
    change_config(hospital, line)
    assert hospital.run_to_end("run") == (0, {"unchanged": 4})
    assert hospital.creates() == 4
    assert "agree" in show(hospital, capsys, "ledger", "check")[1]
    show(hospital, capsys, "ledger", "backup", str(hospital.folder / "b"))


def test_what_is_refused_names_what_to_do(hospital, database, capsys):
    def refuse(*arguments, exit_code=2):
        return show(hospital, capsys, "ledger", "move", *arguments, exit_code=exit_code)[1]

    assert "There is no ledger at" in refuse(database)
    hospital.seal_doctors(1)
    assert "both files" in refuse(str(hospital.folder / "other.sqlite3"))
    assert "without a password" in refuse("postgresql://u:p@127.0.0.1/d")
    assert "cannot be used" in refuse("postgresql://postgres@127.0.0.1:1/d", exit_code=74)
    with RunLock(hospital.folder / "state" / "ledger.sqlite3").acquire(run="r7", now=1.0):
        assert "Run r7 has been using the ledger" in refuse(database, exit_code=6)
    (hospital.folder / "secrets" / "ledger__secret").unlink()
    assert "operator's secret" in refuse(database)
    assert hospital.run_to_end("run") == (0, {"unchanged": 1})


def test_what_watchers_were_shown_goes_with_the_ledger(hospital, database, capsys):
    hospital.seal_doctors(1)
    state = hospital.folder / "state"
    watched = b'{"state": "ok"}'
    (state / "ledger.sqlite3.watch.json").write_bytes(watched)
    line, _ = show(hospital, capsys, "ledger", "move", database)
    (moved,) = state.glob("*.watch.json")
    assert (moved.name.startswith("esign_sandbox_"), moved.read_bytes()) == (True, watched)
    change_config(hospital, line)
    show(hospital, capsys, "ledger", "move", str(state / "ledger.sqlite3"))
    assert (state / "ledger.sqlite3.watch.json").read_bytes() == watched


@pytest.mark.skipif(not os.environ.get("CRASH"), reason="make crash")
def test_a_run_after_each_kill_makes_no_second_seal(hospital, database):
    """The command is killed at every point and at random ones; a run with either configuration is right, or refused."""
    hospital.seal_doctors(2)
    in_file = "ledger: state/ledger.sqlite3"
    places = {in_file: database, f"ledger: {database}": str(hospital.folder / "state" / "ledger.sqlite3")}
    dice = random.Random(5)
    with Zygote() as zygote:

        def run(line: str) -> int:
            change_config(hospital, line)
            ended = zygote.run(hospital)
            assert ended["signal"] is None
            if ended["code"] == 0:
                assert hospital.statuses() == {"unchanged": 2}
            return ended["code"]

        def move(line: str, **order) -> dict:
            change_config(hospital, line)
            return zygote.run(hospital, "ledger", "move", places[line], **order)

        orders = {line: [] for line in places}
        for line, other in (tuple(places), tuple(places)[::-1]):
            ended = move(line)
            assert (ended["code"], run(other)) == (0, 0)
            orders[line] += [{"name": name, "pass": 1} for name in dict.fromkeys(ended["points"])]
            orders[line] += [{"random": 0.02 + dice.random() * 0.6} for _ in range(15)]
        line, other = tuple(places)
        while orders[line] or orders[other]:
            if orders[line]:
                order = orders[line].pop()
                killed = move(line, **order)["signal"] == 9
                assert killed or "random" in order, order  # one at a random moment may come too late
                codes = [run(line), run(other)]
                assert sorted(codes) == [0, 2], (order, codes)
            assert move(line)["code"] == 0
            assert [run(line), run(other)] == [2, 0]
            line, other = other, line
    assert hospital.creates() == 2
