"""A hospital whose ledger is on a real PostgreSQL server: every command as with a ledger in a file, or a plain refusal.

The tests marked as long run with `make hosts`.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from pooler import run_pgbouncer
from postgres_server import find_programs, run_server
from resolution_support import list_made_seals, read_unknown_rows, run_later
from server_ledger import make_store
from wire_support import fault

import pipeline
from pipeline.domain.server_address import ServerAddress, name_schema

TENANT = "sandbox/yDsandbox00000000000000000000app/org_sandbox_hospital"
NO_POSTGRES = """
import sys
sys.modules["psycopg"] = None
from pipeline.cli.app import main
sys.exit(main(sys.argv[1:]))
"""


long_test = pytest.mark.skipif(os.environ.get("HOSTS") != "1", reason="HOSTS=1: the longer ones")


def use_server(hospital, url):
    hospital.ledger = url
    hospital.configure()
    return hospital


@pytest.fixture
def database(hospital, postgres_server):
    """Let the hospital's ledger lie in a database of its own; return its address."""
    use_server(hospital, postgres_server.make_database())
    return hospital.ledger


@pytest.fixture
def connection(database, postgres_server):
    """Connect to the hospital's database."""
    with postgres_server.connect(urlsplit(database).path[1:]) as opened:
        yield opened


def show(hospital, capsys, *arguments, exit_code=0):
    """Return what a command prints, stdout then stderr."""
    capsys.readouterr()
    assert hospital.go(*arguments) == exit_code
    shown = capsys.readouterr()
    return shown.out + shown.err


def show_both(hospital, capsys, *arguments, exit_code):
    """Return what a command prints in English, and in Chinese."""
    return tuple(
        show(hospital, capsys, *arguments, "--lang", language, exit_code=exit_code)
        for language in ("en", "zh")
    )


def test_a_run_a_rerun_and_what_shows_them(hospital, database, capsys):
    hospital.seal_doctors(3)
    assert hospital.run_to_end("run") == (0, {"unchanged": 3})
    assert hospital.creates() == 3
    capsys.readouterr()
    assert hospital.go("--json", "status") == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["ledger"], status["people"]["sealed"]) == (database, 3)
    assert status["last_run"]["exit"] == 0
    doctor = show(hospital, capsys, "doctor")
    assert f"synchronous_commit on, the ledger is in schema {name_schema(TENANT)}; its clock is" in doctor
    assert f"{database}: 3 seals, 0 unknown, agrees with its journals" in doctor
    checked = show(hospital, capsys, "ledger", "check")
    assert "both journals agree" in checked
    assert checked.splitlines()[-1].endswith(" check"), "not `run`: it may be a restored copy"
    assert "3 seals." in show(hospital, capsys, "export")
    assert "Sealed 3" in show(hospital, capsys, "status", "--runs", "9")
    assert "answer      after" in show(hospital, capsys, "explain", "00002")
    assert "Nothing to resolve" in show(hospital, capsys, "resolve")
    assert "Unchanged 3" in show(hospital, capsys, "retry", "--yes")
    assert show(hospital, capsys, "doctor", "--offline")
    assert hospital.creates() == 3
    assert [path.name for path in (hospital.folder / "state").iterdir()] == [f"{name_schema(TENANT)}.work"]


@long_test
def test_unknown_rows_are_resolved(hospital_with, postgres_server, capsys):
    hospital = hospital_with(faults=[fault("reset_after", nth=(2,)), fault("reset_before", nth=(3,))])
    use_server(hospital, postgres_server.make_database())
    hospital.doctors(4)
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "unknown": 2})
    made = list_made_seals(hospital)
    first, second = sorted(read_unknown_rows(hospital), key=lambda name: name not in made)
    assert run_later(hospital, "resolve") == 3
    assert first in capsys.readouterr().out
    assert run_later(hospital, "resolve", first, "--sure", "--seal-id", made[first]) == 0
    assert run_later(hospital, "resolve", second, "--not-created", "--sure") == 0
    assert run_later(hospital, "run") == 0
    assert hospital.statuses() == {"unchanged": 3, "sealed": 1}
    assert "agree" in show(hospital, capsys, "ledger", "check")


@long_test
def test_failed_rows_are_sent_again_by_retry(hospital_with, postgres_server):
    hospital = hospital_with(faults=[fault({"code": {"code": "FailedOperation", "message": "操作失败"}})])
    use_server(hospital, postgres_server.make_database())
    hospital.doctors(3)
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "failed": 1})
    assert hospital.run_to_end("retry", "--yes") == (0, {"unchanged": 2, "sealed": 1})


@long_test
def test_a_person_is_erased(hospital, database, connection, capsys):
    hospital.seal_doctors(2)
    name = hospital.outcomes()[0]["name"]
    show(hospital, capsys, "purge", "--person", "00001", "--yes")
    assert "agree" in show(hospital, capsys, "ledger", "check")
    for table in ("person", "attempt", "seal_name", "row_line", "event", "decision"):
        rows = connection.execute(f"SELECT * FROM {name_schema(TENANT)}.{table}").fetchall()
        assert rows
        assert name not in repr(rows), table
    assert hospital.run_to_end("run") == (0, {"unchanged": 2})
    assert hospital.creates() == 2


@long_test
def test_a_check_makes_the_ledger(hospital, database, connection, capsys):
    hospital.doctors(2)
    assert "No ledger yet" in show(hospital, capsys, "status")
    assert "nothing has been sent with this configuration" in show(hospital, capsys, "export", exit_code=2)
    schema = f"SELECT to_regnamespace('{name_schema(TENANT)}')"
    assert connection.execute(schema).fetchone() == (None,)
    show(hospital, capsys, "check")
    assert hospital.statuses() == {"ready": 2}
    assert connection.execute(schema).fetchone() == (name_schema(TENANT),)
    assert "agree" in show(hospital, capsys, "ledger", "check")
    assert f"{database}: 0 seals" in show(hospital, capsys, "doctor")
    assert hospital.creates() == 0


OTHER_SECRET = "another secret than the first one"


@long_test
def test_another_secret_is_refused_by_every_command_with_both_causes(hospital, database, capsys):
    hospital.seal_doctors(1)
    (hospital.folder / "secrets" / "ledger__secret").write_text(OTHER_SECRET)
    for command in (
        "run",
        "check",
        "status",
        "retry",
        "export",
        "ledger check",
        "worker",
        "enqueue",
    ):
        shown = show(hospital, capsys, *command.split(), "--lang", "en", exit_code=74)
        assert "Install the same ledger__secret as on the other hosts" in shown, command
    assert "请放入与其他主机相同的 ledger__secret" in show(
        hospital, capsys, "run", "--lang", "zh", exit_code=74
    )
    assert "[fault]   ledger: The operator's secret" in show(hospital, capsys, "doctor", exit_code=74)
    assert hospital.creates() == 1


def test_without_a_secret_nothing_is_sent_and_the_way_to_make_one_is_shown(
    hospital, database, capsys, monkeypatch
):
    hospital.doctors(1)
    secret = hospital.folder / "secrets" / "ledger__secret"
    text = secret.read_text()
    secret.unlink()
    for command in ("run", "check", "status", "doctor"):
        english, chinese = show_both(hospital, capsys, command, exit_code=2)
        assert f'print(secrets.token_urlsafe(32))" > {secret}' in english
        assert f'print(secrets.token_urlsafe(32))" > {secret}' in chinese
    assert hospital.creates() == 0
    monkeypatch.setenv("ESIGN_IMPORT_LEDGER_SECRET", text)
    assert hospital.go("run") == 0


def test_a_missing_postgres_extra_is_named(hospital, database):
    hospital.doctors(1)
    done = subprocess.run(
        [sys.executable, "-c", NO_POSTGRES, *hospital.command("run")],
        capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert 'the extra "postgres" is not installed' in done.stderr
    assert 'pip install "esign-import[postgres]"' in done.stderr
    assert hospital.creates() == 0


@long_test
def test_a_server_that_is_away_ends_with_74_and_the_last_run_is_still_shown(hospital, capsys):
    with run_server() as server:
        use_server(hospital, server.make_database())
        hospital.seal_doctors(1)
        server.stop()
        assert "Connection refused" in show(hospital, capsys, "run", exit_code=74)
        assert "ended" in show(hospital, capsys, "status", exit_code=74)
        doctor = show(hospital, capsys, "doctor", exit_code=74)
        assert "[fault]   ledger: The ledger on postgresql://" in doctor
        server.start()
        assert hospital.run_to_end("run") == (0, {"unchanged": 1})
    assert hospital.creates() == 1


@pytest.mark.parametrize("value", ["off", "remote_write"])
def test_a_server_that_may_lose_commits_is_refused(hospital, database, connection, capsys, value):
    hospital.doctors(1)
    name = urlsplit(database).path[1:]
    connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = {value}")
    english, chinese = show_both(hospital, capsys, "run", exit_code=74)
    assert f"synchronous_commit is {value}: a commit could be lost" in english
    assert f"synchronous_commit 为 {value}：" in chinese
    assert f"synchronous_commit is {value}" in show(hospital, capsys, "doctor", exit_code=74)
    assert hospital.creates() == 0


def test_a_pooler_of_transactions_is_refused_by_every_command_before_anything_is_written(
    hospital, database, connection, postgres_server, capsys
):
    hospital.doctors(1)
    with run_pgbouncer(postgres_server, "transaction") as port:
        use_server(hospital, database.replace(f":{postgres_server.port}/", f":{port}/"))
        for command in ("run", "check", "status", "retry", "export", "ledger check", "worker", "enqueue"):
            shown = show(hospital, capsys, *command.split(), "--lang", "en", exit_code=2)
            assert (
                "connection pooler (such as PgBouncer) that gives each transaction another connection"
                in shown
            ), command
            assert "password" not in shown
        assert "[fault]   ledger: At postgresql://" in show(hospital, capsys, "doctor", exit_code=2)
        assert "连接池（例如 PgBouncer）" in show(hospital, capsys, "run", "--lang", "zh", exit_code=2)
    schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'esign%'").fetchall()
    assert (schemas, hospital.creates()) == ([], 0)


@long_test
def test_a_ledger_that_another_host_holds(hospital, database, capsys):
    hospital.seal_doctors(1)
    secret = (hospital.folder / "secrets" / "ledger__secret").read_text()
    other = make_store(ServerAddress(database), TENANT, secret=secret)
    with other.hold.acquire(run="20261127-010000-000", now=1_795_000_000.0):
        assert "Run 20261127-010000-000 has been using the ledger" in show(
            hospital, capsys, "run", exit_code=6
        )
        assert "run 20261127-010000-000 is in progress since 2026-11-18" in show(hospital, capsys, "doctor")
        assert hospital.go("check") == 0
        assert hospital.go("resolve", "00001", "--keep") == 6
    assert hospital.go("run") == 0


def test_a_run_whose_ledger_was_taken_sends_no_more_and_ends_with_6(hospital, database, connection):
    hospital.doctors(16)

    def take_ledger(_):
        connection.execute(f"UPDATE {name_schema(TENANT)}.meta SET epoch = 'another'".encode())

    result = pipeline.run(hospital.folder / "config.yaml", on_outcome=take_ledger, language="en")
    assert (result.exit, result.halted.code) == (6, "HOLD_LOST")
    assert "Another process has taken over the ledger" in result.halted.message
    assert hospital.creates() < 16
    assert hospital.record()["exit"] == 6
    run_later(hospital, "run", "--yes")
    people = [seal.number for seal in hospital.service.seals]
    assert len(people) == len(set(people))
    assert hospital.statuses().get("unknown", 0) == 16 - len(people)


@long_test
def test_a_database_that_lost_the_ledger_gets_it_from_the_journals(
    hospital, database, postgres_server, capsys
):
    hospital.seal_doctors(1)
    use_server(hospital, postgres_server.make_database())
    assert "entered from its journals" in show(hospital, capsys, "run")
    assert hospital.statuses() == {"unchanged": 1}
    assert hospital.creates() == 1
    use_server(hospital, database)
    assert hospital.run_to_end("run") == (0, {"unchanged": 1})


@pytest.mark.parametrize(("arguments", "command"), [
    (("ledger", "backup", "copy"), "pg_dump --format=custom --schema={schema} --file=ledger.dump {url}"),
    (("ledger", "restore", "copy"), "pg_restore --clean --if-exists --dbname={url} ledger.dump"),
])  # fmt: skip
def test_what_the_database_does_itself_is_refused_with_its_command(
    hospital, database, capsys, arguments, command
):
    expected = command.format(schema=name_schema(TENANT), url=database)
    for text in show_both(hospital, capsys, *arguments, exit_code=2):
        assert expected in text


@long_test
def test_a_copy_with_pg_dump_is_restored(hospital, database, postgres_server, capsys):
    hospital.seal_doctors(2)
    programs = find_programs()
    file = hospital.folder / "ledger.dump"
    schema = f"--schema={name_schema(TENANT)}"
    subprocess.run([programs / "pg_dump", "--format=custom", schema, f"--file={file}", database], check=True)
    with postgres_server.connect(urlsplit(database).path[1:]) as other:
        other.execute(f"DROP SCHEMA {name_schema(TENANT)} CASCADE")
    restore = [programs / "pg_restore", "--clean", "--if-exists", f"--dbname={database}", file]
    subprocess.run(restore, check=True)
    assert "agree" in show(hospital, capsys, "ledger", "check")
    assert hospital.run_to_end("run") == (0, {"unchanged": 2})
    assert hospital.creates() == 2


@long_test
def test_a_changed_row_and_a_damaged_line_are_found(hospital, database, connection, capsys):
    hospital.seal_doctors(1)
    connection.execute(f"UPDATE {name_schema(TENANT)}.attempt SET seal_id = 'x'")
    (journal,) = (hospital.folder / "out" / ".ledger").glob("*/*.jsonl")
    journal.write_bytes(journal.read_bytes().replace(b'"op":"run"', b'"op":"nur"'))
    text = show(hospital, capsys, "ledger", "check", exit_code=74)
    assert "attempt" in text
    assert f"{journal}: " in text


@long_test
def test_two_hospitals_share_a_database(hospital, database, connection):
    text = (hospital.folder / "config.yaml").read_text("utf-8")
    (hospital.folder / "config.yaml").unlink()
    (hospital.folder / "common.yaml").write_text(text.replace("secrets_dir: s", "secrets_dir: ../s"), "utf-8")
    hospital.doctors(1)
    for name, own in (("east", "api: {organization_open_id: org_east}\n"), ("west", "")):
        for folder in ("inbox", "seals"):
            shutil.copytree(hospital.folder / folder, hospital.folder / name / folder)
        (hospital.folder / name / "config.yaml").write_text(own)
    hospital.config = ""
    assert hospital.go("--all", "run", "--yes") == 4  # the sandbox knows one hospital
    for tenant in ("sandbox/yDsandbox00000000000000000000app/org_east", TENANT):
        row = connection.execute(f"SELECT tenant FROM {name_schema(tenant)}.meta".encode()).fetchone()
        assert row == (tenant,)


@long_test
def test_the_python_api_uses_the_ledger_on_the_server(hospital, database):
    hospital.doctors(2)
    config = hospital.folder / "config.yaml"
    assert pipeline.run(config, language="en").exit == 0
    assert pipeline.check(config, language="en").counts == {pipeline.Status.UNCHANGED: 2}


def test_a_schedule_loads_the_secret_and_holds_no_address(hospital, database, capsys):
    text = show(hospital, capsys, "schedule", "print", "systemd")
    assert f"LoadCredential=ledger__secret:{hospital.folder}/secrets/ledger__secret" in text
    assert database not in text


def test_results_that_the_hosts_do_not_share_are_named_by_doctor(
    hospital, database, capsys, monkeypatch, tmp_path
):
    hospital.seal_doctors(1)
    share = hospital.folder / "out" / ".ledger"
    english, chinese = show_both(hospital, capsys, "doctor", exit_code=0)
    assert f"journal folder {share} lies on a local disk of host {socket.gethostname()}" in english
    assert f"{share} 在主机 {socket.gethostname()} 的本地磁盘上" in chinese

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "of another host"))
    assert hospital.go("run") == 0
    first, _ = sorted(share.glob("*/*.jsonl"), key=lambda file: file.stat().st_mtime)
    for text in show_both(hospital, capsys, "doctor", exit_code=0):
        assert not re.search("local disk|本地磁盘|does not see|看不到", text), "each sees the other's journal"

    first.unlink()
    for text in show_both(hospital, capsys, "doctor", exit_code=0):
        assert first.name in text
        assert str(first.parent) in text
    monkeypatch.setattr(psutil, "PROCFS_PATH", mount_share(tmp_path, share))
    assert first.name in show(hospital, capsys, "doctor"), "on a share as well"


def test_results_on_a_share_are_in_order(hospital, database, capsys, monkeypatch, tmp_path):
    hospital.seal_doctors(1)
    monkeypatch.setattr(psutil, "PROCFS_PATH", mount_share(tmp_path, hospital.folder / "out"))
    assert "local disk" not in show(hospital, capsys, "doctor")


def mount_share(folder, point):
    """Return the path of a /proc in which a share is mounted at a folder."""
    mounts = folder / "proc" / "self" / "mounts"
    mounts.parent.mkdir(parents=True)
    mounts.write_text(f"/dev/a / ext4 rw 0 0\n//nas/esign {point} cifs rw 0 0\n")
    return str(folder / "proc")
