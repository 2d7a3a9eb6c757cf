"""A hospital whose ledger is on a real PostgreSQL server: every command as with a ledger in a file, or a plain refusal."""

import json

import pytest

from pipeline.ledger.postgres.address import name_schema

SECRET = "s3cret-of-the-operator-of-this-test"


def use_server(hospital, url, *, secret=SECRET):
    config, file = hospital.folder / "config.yaml", hospital.folder / "secrets" / "ledger__secret"
    config.write_text(f"{config.read_text('utf-8')}ledger: {url}\n", "utf-8")
    file.write_text(secret)
    file.chmod(0o600)


@pytest.fixture
def database(hospital, postgres_server):
    """Let the hospital's ledger lie in a database of its own; return the database's URL."""
    url = postgres_server.make_database()
    use_server(hospital, url)
    return url


def show(hospital, capsys, *arguments, exit_code=0):
    """Return what a command prints, stdout then stderr."""
    capsys.readouterr()
    assert hospital.go(*arguments) == exit_code
    shown = capsys.readouterr()
    return shown.out + shown.err


def test_a_run_a_rerun_and_what_shows_them(hospital, database, capsys):
    hospital.seal_doctors(3)
    assert hospital.run_to_end("run") == (0, {"unchanged": 3})
    assert hospital.creates() == 3
    capsys.readouterr()
    assert hospital.go("--json", "status") == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["ledger"], status["people"]["sealed"]) == (database, 3)
    assert status["last_run"]["exit"] == 0
    schema = name_schema(status["tenant"])
    doctor = show(hospital, capsys, "doctor")
    assert f"synchronous_commit on, the ledger is in schema {schema}; its clock is 0 s" in doctor
    assert f"{database}: 3 seals, 0 unknown, agrees with its receipts" in doctor
    assert "Database, site key and receipts" in show(hospital, capsys, "ledger", "check")
    assert "Seals: 3." in show(hospital, capsys, "export")
    assert "Sealed 3" in show(hospital, capsys, "history")
    assert "answer      after" in show(hospital, capsys, "explain", "00002")
    assert "Nothing to resolve" in show(hospital, capsys, "resolve")
    assert "Unchanged 3" in show(hospital, capsys, "report")
    assert "Unchanged 3" in show(hospital, capsys, "retry", "--yes")
    assert hospital.creates() == 3
    assert [path.name for path in (hospital.folder / "state").iterdir()] == ["work"]


def test_a_person_is_erased(hospital, database, capsys):
    hospital.seal_doctors(2)
    name = hospital.outcomes()[0]["name"]
    show(hospital, capsys, "purge", "--person", "00001", "--yes")
    assert "receipts (11) agree" in show(hospital, capsys, "ledger", "check")
    assert name not in show(hospital, capsys, "export", "--json")
    assert hospital.run_to_end("run") == (0, {"unchanged": 2})
    assert hospital.creates() == 2
