"""A hospital outgrows its machine: the ledger of its file is loaded into a PostgreSQL server and used there."""

from __future__ import annotations

import json
import os
import random
import shutil

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


def test_a_file_is_loaded_and_used_on_the_server(hospital, database, capsys):
    hospital.seal_doctors(500)
    file, in_file = hospital.folder / "state" / "ledger.sqlite3", "ledger: state/ledger.sqlite3"
    change_config(hospital, f"ledger: {database}")
    _, words = show(hospital, capsys, "ledger", "load", str(file))
    assert f"into {database} (people: 500, seals: 500, unknown: 0)" in words
    assert "The file is now" in words
    calls = len(hospital.service.received)
    for _ in range(2):
        assert hospital.run_to_end("run") == (0, {"unchanged": 500})
    assert len(hospital.service.received) == calls
    change_config(hospital, in_file)
    for refused in (("run",), ("check",), ("status",), ("doctor",)):
        assert "loaded into a PostgreSQL server" in "".join(show(hospital, capsys, *refused, exit_code=74))
    for path in file.parent.glob("ledger.sqlite3.loaded*"):
        path.unlink()
    assert f"was loaded into {database}" in show(hospital, capsys, "run", exit_code=74)[1]
    assert not file.exists()
    assert hospital.creates() == 500
    change_config(hospital, f"ledger: {database}")
    hospital.doctors(501)
    assert hospital.run_to_end("run") == (0, {"sealed": 1, "unchanged": 500})
    assert hospital.creates() == 501


def test_the_command_is_typed_twice(hospital, database, capsys):
    hospital.seal_doctors(1)
    file = hospital.folder / "state" / "ledger.sqlite3"
    change_config(hospital, f"ledger: {database}")
    show(hospital, capsys, "ledger", "load", str(file))
    shown = json.loads(show(hospital, capsys, "ledger", "load", str(file), "--json")[0])
    assert (shown["rows"], shown["seals"]) == (None, 1)


def test_what_is_refused_names_what_to_do(hospital, database, capsys):
    file = hospital.folder / "state" / "ledger.sqlite3"

    def refuse(path, exit_code=2):
        return show(hospital, capsys, "ledger", "load", str(path), exit_code=exit_code)[1]

    hospital.seal_doctors(1)
    in_file = "ledger: state/ledger.sqlite3"
    assert "set `ledger: postgresql://" in refuse(file)
    change_config(hospital, f"ledger: {database}")
    assert "elsewhere" in refuse(hospital.folder / "elsewhere")
    with RunLock(file).acquire(run="r7", now=1.0):
        assert "Run r7 has been using the ledger" in refuse(file, exit_code=6)
    change_config(hospital, "ledger: postgresql://postgres@127.0.0.1:1/d")
    assert "cannot be used" in refuse(file, exit_code=74)
    change_config(hospital, f"ledger: {database}")
    (hospital.folder / "secrets" / "ledger__secret").unlink()
    assert "operator's secret" in refuse(file)
    change_config(hospital, in_file)
    assert hospital.run_to_end("run") == (0, {"unchanged": 1})


def test_the_watch_file_moves_with_the_ledger(hospital, database, capsys):
    hospital.seal_doctors(1)
    state = hospital.folder / "state"
    watched = b'{"state": "ok"}'
    (state / "ledger.sqlite3.watch.json").write_bytes(watched)
    change_config(hospital, f"ledger: {database}")
    show(hospital, capsys, "ledger", "load", str(state / "ledger.sqlite3"))
    (kept,) = state.glob("*.watch.json")
    assert (kept.name.startswith("esign_sandbox_"), kept.read_bytes()) == (True, watched)


@pytest.mark.skipif(not os.environ.get("CRASH"), reason="make crash")
def test_a_run_after_each_kill_makes_no_second_seal(hospital_with, postgres_server, tmp_path):
    """The command is killed at every point and at random ones; a run with either configuration is right, or refused."""
    dice = random.Random(5)
    orders: list[dict] = [{}]  # the first load is not killed and shows the points
    hospital = hospital_with()
    secret = hospital.folder / "secrets" / "ledger__secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    hospital.seal_doctors(2)
    journals, kept = hospital.folder / "out" / ".ledger", tmp_path / "kept"
    shutil.copytree(hospital.folder / "state", kept / "state")
    shutil.copytree(journals, kept / "journals")
    in_file = "ledger: state/ledger.sqlite3"
    with Zygote() as zygote:

        def run(line: str) -> int:
            change_config(hospital, line)
            ended = zygote.run(hospital)
            assert ended["signal"] is None
            if ended["code"] == 0:
                assert hospital.statuses() == {"unchanged": 2}
            return ended["code"]

        while orders:
            order = orders.pop(0)
            shutil.rmtree(hospital.folder / "state")
            shutil.copytree(kept / "state", hospital.folder / "state")
            shutil.rmtree(journals)
            shutil.copytree(kept / "journals", journals)
            shutil.rmtree(os.environ["XDG_STATE_HOME"], ignore_errors=True)
            on_server = f"ledger: {postgres_server.make_database()}"
            change_config(hospital, on_server)
            ended = zygote.run(
                hospital, "ledger", "load", str(hospital.folder / "state" / "ledger.sqlite3"), **order
            )
            if not order:
                orders += [{"name": name, "pass": 1} for name in dict.fromkeys(ended["points"])]
                orders += [{"random": 0.02 + dice.random() * 0.6} for _ in range(15)]
            else:
                assert ended["signal"] == 9 or "random" in order, (
                    order
                )  # one at a random moment may come too late
            codes = [run(in_file), run(on_server)]
            assert codes in ([0, 0], [74, 0]), (order, codes)  # the journals keep both alike
            change_config(hospital, on_server)
            repeated = zygote.run(
                hospital, "ledger", "load", str(hospital.folder / "state" / "ledger.sqlite3")
            )
            assert repeated["code"] == 0, order
            assert [run(in_file), run(on_server)] == [74, 0], order
    assert hospital.creates() == 2
