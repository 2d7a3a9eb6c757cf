"""A database that is put back to an earlier state makes no doctor twice, whatever remains of the lost run.

The sandbox accepts equal seal names, so that nothing but this program refuses a second seal. A host is a state folder.
``make hosts`` lets each kind of evidence remain after each loss; `make test` meets each kind, and each loss.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
from people import make_row
from run_support import wait_until

from pipeline.cli.app import main
from pipeline.sandbox.actions import Rules
from pipeline.sandbox.gateway import SANDBOX

OTHER = replace(SANDBOX, organization_open_id="org_other", operator_open_id="operator_other")
DOCTORS, NEW = 3, 4  # before the backup, and after it
LONG = bool(os.environ.get("HOSTS"))  # make hosts
MANY = 16 if LONG else 10  # more than are in flight at a time
OTHER_HOSTS = ("one", "three") if LONG else ("one",)  # three has seen nothing


@dataclass
class Hosts:
    """A hospital whose ledger is in a database that can be put back, and the hosts that run it."""

    hospital: object
    server: object
    state_home: str
    monkeypatch: object

    def use(self, host: str) -> None:
        """Let commands run on this host from now on."""
        self.monkeypatch.setenv("XDG_STATE_HOME", f"{self.state_home}-{host}")

    def copy_database(self, source: str, target: str) -> None:
        with self.server.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')

    @property
    def database(self) -> str:
        return urlsplit(self.hospital.ledger).path[1:]

    def back_up(self) -> None:
        self.copy_database(self.database, f"{self.database}_backup")

    def restore(self) -> None:
        self.copy_database(f"{self.database}_backup", self.database)

    def run_other_hospital(self) -> None:
        """Run another hospital of the same database on the present host."""
        self.configure(
            organization_open_id=OTHER.organization_open_id, operator_open_id=OTHER.operator_open_id
        )
        assert self.hospital.go("run", "--only", "00001") == 0
        self.configure()

    def configure(self, **api) -> None:
        self.hospital.configure(**api)
        with (self.hospital.folder / "config.yaml").open("a") as config:
            config.write("ledger_registry: strict\n")

    def list_second_seals(self) -> list[str]:
        """Return the numbers of doctors who have more seals than one."""
        seals = Counter((seal.organization, seal.number) for seal in self.hospital.service.seals)
        return [number for (_, number), count in seals.items() if count > 1]


MANNERS = {"rules": Rules(limiter="none", unique_names="off"), "tenants": (SANDBOX, OTHER)}


@pytest.fixture
def hosts(hospital_with, postgres_server, monkeypatch):
    hospital = hospital_with(**MANNERS)
    hospital.ledger = postgres_server.make_database()
    made = Hosts(hospital, postgres_server, os.environ["XDG_STATE_HOME"], monkeypatch)
    made.configure()
    return made


@pytest.fixture
def lost(scene, postgres_server, monkeypatch):
    """Let host one run twice, with a backup in between that the test puts back; played once in this module."""
    made = Hosts(None, postgres_server, os.environ["XDG_STATE_HOME"], monkeypatch)
    made.use("one")
    made.hospital = scene(run_twice, make_ledger=postgres_server.make_database, **MANNERS)
    for name in ("", "_backup"):
        made.copy_database(f"{made.database}_played{name}", f"{made.database}{name}")
    return made


def run_twice(hospital):
    with psycopg.connect(hospital.ledger.rpartition("/")[0] + "/postgres", autocommit=True) as connection:
        database = urlsplit(hospital.ledger).path[1:]
        hosts = Hosts(hospital, None, "", None)
        hosts.configure()
        hospital.seal_doctors(DOCTORS)
        connection.execute(f'CREATE DATABASE "{database}_played_backup" TEMPLATE "{database}"')
        hospital.seal_doctors(DOCTORS + NEW)
        connection.execute(f'CREATE DATABASE "{database}_played" TEMPLATE "{database}"')


def remove_last_run(hosts):
    folder = hosts.hospital.newest
    shutil.rmtree(folder)
    shutil.rmtree(hosts.hospital.folder / "out" / "latest")


def test_the_host_of_the_lost_run_knows_its_receipts(lost, capsys):
    shutil.rmtree(lost.hospital.folder / "out")
    lost.restore()
    assert lost.hospital.go("run") == 2
    error = capsys.readouterr().err
    assert "is older than the registry" in error
    assert error.rstrip().endswith(" ledger recover")
    assert lost.list_second_seals() == []


def test_a_run_that_is_typed_in_the_folder_of_the_configuration_notes_how_far_it_got_too(
    hosts, capsys, monkeypatch
):
    hosts.hospital.doctors(1)
    monkeypatch.chdir(hosts.hospital.folder)
    assert main(["--lang", "en", "run", "--yes"]) == 0
    assert "registry" not in capsys.readouterr().err
    assert {path.suffix for path in Path("out/.ledger").iterdir()} == {".json", ".receipts"}


def test_the_schema_of_one_hospital_that_is_put_back_alone_contradicts_the_database(lost, capsys):
    shutil.rmtree(lost.hospital.folder / "out")
    with lost.server.connect(lost.database) as connection:
        rows = connection.execute(
            "SELECT ledger, tenant, ledger_id, recoveries, receipts, attempts FROM esign_import.progress"
        ).fetchall()
    lost.restore()
    with lost.server.connect(lost.database) as connection:
        connection.execute("UPDATE esign_import.progress SET receipts = %s, attempts = %s", rows[0][4:])
    lost.use("two")
    assert lost.hospital.go("run") == 2
    assert "esign_import.progress" in capsys.readouterr().err
    assert lost.list_second_seals() == []


# -- `ledger recover`


def recover(hosts, capsys, *arguments, exit_code):
    """Return what `ledger recover` prints as JSON."""
    capsys.readouterr()
    assert hosts.hospital.go("--json", "ledger", "recover", *arguments) == exit_code
    return json.loads(capsys.readouterr().out)


def kill_a_run(hosts, zygote):
    """Let host one be killed in its second run, with a backup before it that is put back afterwards."""
    hosts.use("one")
    hosts.hospital.seal_doctors(DOCTORS)
    hosts.back_up()
    hosts.hospital.doctors(DOCTORS + MANY)
    made = len(hosts.hospital.service.seals)
    ended = zygote.run(hosts.hospital, **{"name": "create: the answer is kept", "pass": 3})
    assert ended["signal"] == 9
    assert len(hosts.hospital.service.seals) - made >= 3


def leave(hosts, what):
    """Remove what does not remain of the lost run; return what the refusal of a run of host two then shows."""
    out = hosts.hospital.folder / "out"
    if what in {"log", "outcomes"}:
        shutil.rmtree(out / ".ledger")
    if what == "outcomes":
        (hosts.hospital.newest / "log.jsonl").unlink()
    if what == "counts":
        remove_last_run(hosts)
    if what == "nothing shared":
        hosts.use("two")
        hosts.run_other_hospital()
        shutil.rmtree(out)
        return "two/esign-import/ledgers/sandbox-"  # the registry of its run of another hospital
    return (
        "out/.ledger/"
        if what in {"all", "counts"}
        else f"it lacks seals of run {hosts.hospital.runs[-1].name}"
    )


def assert_refused(hosts, capsys, evidence):
    """Require that a check and a run of the present host name the evidence and lead to `ledger recover`."""
    for command in ("check", "run"):
        capsys.readouterr()
        assert hosts.hospital.go(command) == 2
        error = capsys.readouterr().err
        assert evidence in error, command
        assert error.rstrip().endswith(" ledger recover")


@pytest.mark.parametrize(
    "remains",
    ["all", "log", "outcomes", "counts", "nothing shared"] if LONG else ["outcomes", "counts"],
)
def test_no_doctor_of_a_run_that_ended_is_made_twice(lost, capsys, remains):
    evidence = leave(lost, remains)
    lost.restore()
    lost.use("two")
    hospital = lost.hospital
    assert_refused(lost, capsys, evidence)
    shown = recover(lost, capsys, exit_code=3)
    assert shown["entered"] is False
    assert hospital.go("run") == 2, "nothing was entered"
    named, suspected = (0, NEW) if remains in {"counts", "nothing shared"} else (NEW, 0)
    sealed = NEW if remains in {"all", "log"} else 0
    entered = recover(lost, capsys, "--yes", exit_code=0 if sealed else 3)
    assert (entered["named"], entered["suspected"], entered["sealed"]) == (named, suspected, sealed)
    assert recover(lost, capsys, "--yes", exit_code=0)["entered"] is False
    statuses = {"unchanged": DOCTORS + sealed} | ({} if sealed else {"unknown": NEW})
    for host in ("two", "one", "three"):
        lost.use(host)
        assert hospital.run_to_end("run") == (0 if sealed else 3, statuses), host
    assert lost.list_second_seals() == []
    assert hospital.creates() == DOCTORS + NEW + (remains == "nothing shared")


@pytest.mark.parametrize(
    "remains", ["all", "log", "counts", "nothing shared"] if LONG else ["nothing shared"]
)
def test_no_doctor_of_a_run_that_was_killed_is_made_twice(hosts, zygote, capsys, remains):
    kill_a_run(hosts, zygote)
    made = len(hosts.hospital.service.seals)
    if remains == "counts":
        shutil.rmtree(hosts.hospital.runs[-1])
        evidence = "out/.ledger/"
    else:
        evidence = leave(hosts, remains)
    hosts.restore()
    hosts.use("two")
    hospital = hosts.hospital
    assert_refused(hosts, capsys, evidence)
    is_named = remains in {"all", "log"}
    capsys.readouterr()
    assert hospital.go("--json", "ledger", "recover", "--yes") in {0, 3}
    entered = json.loads(capsys.readouterr().out)
    assert (entered["sealed"] >= 1) is is_named
    assert (entered["suspected"] > 0) is not is_named
    assert recover(hosts, capsys, "--yes", exit_code=0)["entered"] is False
    for host in ("two", "one"):
        hosts.use(host)
        assert hospital.go("run") in {0, 3}
    assert hosts.list_second_seals() == []
    if is_named:
        statuses = hospital.statuses()
        assert statuses["unchanged"] + statuses.get("unknown", 0) == DOCTORS + MANY, "the rest was sent"
        assert statuses.get("unknown", 0) <= 8, "those that were in flight"
    else:
        assert len(hospital.service.seals) == made + (remains == "nothing shared")


@pytest.mark.parametrize(("remains", "held"), [("outcomes", (NEW, 0, NEW)), ("log", (0, NEW, 0))])
def test_a_doctor_whose_row_has_changed_since_is_not_made_twice(lost, capsys, remains, held):
    """The outcomes name the person; the log alone names a row that is in no roster, so every doctor is held."""
    hospital = lost.hospital
    if remains == "log":
        (hospital.newest / "outcomes.jsonl").unlink()
    lost.restore()
    lost.use("two")
    hospital.roster([make_row(serial, department="外科") for serial in range(1, DOCTORS + NEW + 1)])
    _, suspected, sealed = held
    entered = recover(lost, capsys, "--yes", exit_code=0 if sealed else 3)
    assert (entered["named"], entered["suspected"], entered["sealed"]) == held
    assert hospital.run_to_end("run") == (
        0 if sealed else 3,
        {"unchanged": DOCTORS + sealed} | ({"unknown": suspected} if suspected else {}),
    )
    assert lost.list_second_seals() == []


def test_creates_that_two_lost_runs_name_are_counted_once(lost, capsys):
    """The results of a third one are gone: the registry alone shows that it created seals."""
    hospital = lost.hospital
    assert hospital.run_to_end("run") == (0, {"unchanged": DOCTORS + NEW})
    hospital.seal_doctors(DOCTORS + 2 * NEW)
    remove_last_run(lost)
    lost.restore()
    lost.use("two")
    entered = recover(lost, capsys, "--yes", exit_code=3)
    assert (entered["named"], entered["suspected"], entered["sealed"]) == (NEW, NEW, NEW)
    assert hospital.run_to_end("run") == (3, {"unchanged": DOCTORS + NEW, "unknown": NEW})
    assert lost.list_second_seals() == []


@pytest.mark.parametrize(
    "point",
    ["ledger: before the commit", "ledger: after the commit"] if LONG else ["ledger: before the commit"],
)
def test_a_recovery_that_is_killed_is_typed_again(lost, zygote, capsys, point):
    lost.restore()
    lost.use("two")
    last = zygote.run(lost.hospital, "ledger", "recover")["points"]
    assert point not in last, "nothing is written"
    for count in range(1, 20):
        ended = zygote.run(lost.hospital, "ledger", "recover", "--yes", **{"name": point, "pass": count})
        if ended["signal"] is None:
            break
    assert count > 1
    assert lost.hospital.go("ledger", "recover", "--yes") == 0
    for host in ("two", "one"):
        lost.use(host)
        assert lost.hospital.run_to_end("run") == (0, {"unchanged": DOCTORS + NEW})
    assert lost.list_second_seals() == []


def test_a_host_that_saw_more_than_the_recovery_is_refused_until_it_recovers(lost, capsys):
    """The host of the lost run was away when another one recovered without its results."""
    shutil.rmtree(lost.hospital.folder / "out")
    lost.restore()
    lost.use("two")
    hospital = lost.hospital
    assert hospital.go("ledger", "recover", "--yes") == 0, "this host has seen nothing of it"
    lost.use("one")
    assert hospital.go("run") == 2
    assert recover(lost, capsys, "--yes", exit_code=3)["suspected"] == NEW
    for host in ("one", "two"):
        lost.use(host)
        assert hospital.run_to_end("run") == (3, {"unchanged": DOCTORS, "unknown": NEW})
    assert lost.list_second_seals() == []


def test_a_database_that_is_put_back_once_more_lacks_the_recovery(lost, capsys):
    remove_last_run(lost)
    lost.restore()
    lost.use("two")
    hospital = lost.hospital
    assert recover(lost, capsys, "--yes", exit_code=3)["suspected"] == NEW
    lost.restore()
    for host in ("two", "three"):
        lost.use(host)
        assert hospital.go("run") == 2, host
    assert recover(lost, capsys, "--yes", exit_code=3)["suspected"] == NEW
    for host in ("three", "two"):
        lost.use(host)
        assert hospital.run_to_end("run") == (3, {"unchanged": DOCTORS, "unknown": NEW}), host
    assert lost.list_second_seals() == []


def test_a_new_ledger_is_no_way_past_a_recovery(lost, capsys):
    """It would send again what a log names; the registry still counts it afterwards."""
    lost.restore()
    assert lost.hospital.go("run", "--new-ledger") == 2
    assert "Enter them first with `esign-import ledger recover`" in capsys.readouterr().err
    assert recover(lost, capsys, exit_code=3)["missing_receipts"] > 0
    assert lost.list_second_seals() == []


# -- a backup that is older than the ledger


@pytest.mark.parametrize("remains", ["all", "log", "counts", "nothing shared"] if LONG else ["log"])
def test_no_doctor_of_a_ledger_that_is_lost_as_a_whole_is_made_twice(hosts, zygote, capsys, remains):
    """The first run of a hospital was killed, and the database that is put back does not hold its ledger."""
    hosts.use("one")
    hosts.hospital.doctors(MANY)
    hosts.back_up()
    ended = zygote.run(hosts.hospital, **{"name": "create: the answer is kept", "pass": 3})
    assert ended["signal"] == 9
    if remains == "counts":
        shutil.rmtree(hosts.hospital.runs[-1])
    else:
        leave(hosts, remains)
    made = len(hosts.hospital.service.seals)
    hosts.restore()
    hosts.use("two")
    hospital = hosts.hospital
    capsys.readouterr()
    assert hospital.go("run") == 2
    refusal = capsys.readouterr().err
    assert "--new-ledger" not in refusal
    assert refusal.rstrip().endswith("ledger recover")
    shown = recover(hosts, capsys, exit_code=3)
    assert (shown["new_ledger"], shown["entered"], shown["suspected"]) == (True, False, MANY)
    assert hospital.go("run") == 2, "nothing was entered"
    assert recover(hosts, capsys, "--yes", exit_code=3)["suspected"] == MANY
    for host in ("two", *OTHER_HOSTS):
        hosts.use(host)
        entered = recover(hosts, capsys, "--yes", exit_code=0)
        # where only its own registry had counted the lost ledger
        assert entered["entered"] is (host == "one" and remains == "log")
        assert hospital.run_to_end("run") == (3, {"unknown": MANY}), host
    assert len(hospital.service.seals) == made
    hospital.doctors(MANY + 1)
    assert hospital.run_to_end("run") == (3, {"unknown": MANY, "sealed": 1})
    assert hosts.list_second_seals() == []


def test_a_lost_ledger_whose_seals_were_adopted_lacks_the_other_creates(hosts, capsys):
    """The results of the first run are adopted; those of the second name its doctors, whose keys are lost."""
    hosts.use("one")
    hosts.back_up()
    hosts.hospital.seal_doctors(DOCTORS)
    first = hosts.hospital.newest / "outcomes.jsonl"
    hosts.hospital.seal_doctors(DOCTORS + NEW)
    hosts.restore()
    hosts.use("two")
    hospital = hosts.hospital
    assert hospital.go("adopt", str(first)) in {0, 3}
    capsys.readouterr()
    assert hospital.go("run") == 2
    assert capsys.readouterr().err.rstrip().endswith("ledger recover")
    hospital.doctors(
        DOCTORS + NEW + 1
    )  # the last one is new: adopted and named creates are all that were counted
    entered = recover(hosts, capsys, "--yes", exit_code=3)
    assert (entered["new_ledger"], entered["named"], entered["suspected"]) == (False, NEW, 0)
    assert hospital.run_to_end("run") == (3, {"unchanged": DOCTORS, "unknown": NEW, "sealed": 1})
    for host in OTHER_HOSTS:
        hosts.use(host)
        assert hospital.run_to_end("run") == (3, {"unchanged": DOCTORS + 1, "unknown": NEW}), host
    assert hosts.list_second_seals() == []


def test_a_hospital_that_never_ran_lacks_nothing(hosts, capsys):
    hosts.use("one")
    hosts.hospital.doctors(DOCTORS)
    shown = recover(hosts, capsys, "--yes", exit_code=0)
    assert (shown["new_ledger"], shown["entered"]) == (True, False)
    assert hosts.hospital.run_to_end("run") == (0, {"sealed": DOCTORS})


# -- a backup that was made in the middle of a run


def let_go(hosts):
    """End the connections to the hospital's database."""
    with hosts.server.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [hosts.database]
        )


@pytest.mark.parametrize("remains", ["all", "log", "outcomes"] if LONG else ["outcomes"])
def test_a_backup_of_the_middle_of_a_run_lacks_its_later_creates(hosts, zygote, capsys, remains):
    """The database is put back while the run goes on: the run stops, and its end is entered nowhere."""
    hosts.use("one")
    hospital = hosts.hospital
    hospital.requests_per_second = 5
    hosts.configure()
    hospital.doctors(MANY)
    running = zygote.start(
        hospital, stopped_at="create: the answer is kept", XDG_STATE_HOME=os.environ["XDG_STATE_HOME"]
    )
    wait_until(lambda: psutil.Process(running.pid).status() == psutil.STATUS_STOPPED)
    let_go(hosts)
    hosts.back_up()
    in_backup = hospital.creates()
    running.send_signal(signal.SIGCONT)
    wait_until(lambda: hospital.creates() >= in_backup + 2)
    hosts.restore()
    assert running.wait() in {6, 74}
    assert (hospital.newest / "outcomes.jsonl").exists()
    leave(hosts, remains)
    hosts.use("two")
    assert hospital.go("run") == 2
    capsys.readouterr()
    assert hospital.go("ledger", "recover", "--yes") in {0, 3}
    for host in ("two", *OTHER_HOSTS):
        hosts.use(host)
        hospital.go("ledger", "recover", "--yes")
        assert hospital.go("run") in {0, 3}, host
    assert hosts.list_second_seals() == []
