"""A database that is put back to an earlier state makes no doctor twice, and no command has to be typed.

The sandbox accepts equal seal names, so that nothing but this program refuses a second seal. A host is a state folder.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from crash_support import ledger_seals, outcomes
from run_support import wait_until

from pipeline.sandbox.actions import Rules

DOCTORS, NEW = 3, 4  # before the backup, and after it
MANY = 10  # more than are in flight at a time
ANSWERED = "ChannelCreatePreparedPersonalEsign: answered"


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
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [source]
            )
            connection.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')

    @property
    def database(self) -> str:
        return urlsplit(self.hospital.ledger).path[1:]

    def back_up(self) -> None:
        self.copy_database(self.database, f"{self.database}_backup")

    def restore(self) -> None:
        self.copy_database(f"{self.database}_backup", self.database)

    def require_no_second_seal(self) -> None:
        counts = Counter(seal.number for seal in self.hospital.service.seals)
        assert [number for number, count in counts.items() if count > 1] == []


@pytest.fixture
def hosts(hospital_with, postgres_server, monkeypatch):
    hospital = hospital_with(rules=Rules(limiter="none", unique_names="off"))
    hospital.ledger = postgres_server.make_database()
    hospital.configure()
    made = Hosts(hospital, postgres_server, os.environ["XDG_STATE_HOME"], monkeypatch)
    made.use("one")
    return made


@pytest.fixture
def lost(hosts):
    """Host one ran twice, and the database was put back to what it was between the two."""
    hosts.hospital.seal_doctors(DOCTORS)
    hosts.back_up()
    hosts.hospital.seal_doctors(DOCTORS + NEW)
    hosts.restore()
    return hosts


def test_another_host_enters_what_was_lost_from_the_share(lost, capsys):
    hospital = lost.hospital
    shutil.rmtree(f"{lost.state_home}-one")
    for host in ("two", "one", "three"):
        lost.use(host)
        capsys.readouterr()
        assert hospital.run_to_end("run") == (0, {"unchanged": DOCTORS + NEW}), host
        assert ("entered from its journals" in capsys.readouterr().err) is (host == "two")
    assert hospital.creates() == DOCTORS + NEW


def test_the_host_itself_enters_what_was_lost_from_its_state_folder(lost):
    hospital = lost.hospital
    shutil.rmtree(hospital.folder / "out")
    for host in ("one", "two"):
        lost.use(host)
        assert hospital.run_to_end("run") == (0, {"unchanged": DOCTORS + NEW}), host
    assert hospital.creates() == DOCTORS + NEW


def test_a_check_and_a_status_show_what_was_lost(lost, capsys):
    lost.use("two")
    capsys.readouterr()
    assert lost.hospital.go("check") == 0
    assert lost.hospital.statuses() == {"unchanged": DOCTORS + NEW}
    lost.restore()
    assert lost.hospital.go("status") == 0
    assert f"a seal: {DOCTORS + NEW} " in capsys.readouterr().out


def test_a_database_that_is_put_back_once_more_is_completed_once_more(lost):
    for host in ("two", "three"):
        lost.use(host)
        assert lost.hospital.run_to_end("run") == (0, {"unchanged": DOCTORS + NEW}), host
        lost.restore()
    lost.use("one")
    lost.hospital.seal_doctors(DOCTORS + NEW + 1)
    lost.require_no_second_seal()


@pytest.mark.parametrize("point", ["ledger: before the journals", "journal: before the fsync", ANSWERED])
def test_no_doctor_of_a_run_that_was_killed_is_made_twice(hosts, zygote, point):
    hospital = hosts.hospital
    hospital.seal_doctors(DOCTORS)
    hosts.back_up()
    hospital.doctors(DOCTORS + MANY)
    assert zygote.run(hospital, **{"name": point, "pass": 9 if point != ANSWERED else 4})["signal"] == 9
    durable = ledger_seals(hospital)
    hosts.restore()
    for host in ("two", "one"):
        hosts.use(host)
        assert hospital.go("run") in {0, 3}
    hosts.require_no_second_seal()
    assert durable <= {row["seal_id"] for row in outcomes(hospital)}
    assert hospital.statuses().get("unknown", 0) <= 8, "those that were in flight"


def test_a_ledger_that_the_database_never_held_is_made_by_the_next_host(hosts, zygote):
    """The first run of a hospital was killed, and the database that is put back does not hold its ledger."""
    hospital = hosts.hospital
    hospital.doctors(MANY)
    hosts.back_up()
    assert zygote.run(hospital, **{"name": ANSWERED, "pass": 4})["signal"] == 9
    hosts.restore()
    for host in ("two", "one"):
        hosts.use(host)
        assert hospital.go("run") in {0, 3}, host
    hosts.require_no_second_seal()


def test_a_backup_of_the_middle_of_a_run_that_is_put_back_while_it_goes_on(hosts, zygote):
    """The run stops, and the next one on another host enters what it sent."""
    hospital = hosts.hospital
    hospital.requests_per_second = 5
    hospital.configure()
    hospital.doctors(MANY)
    running = zygote.start(hospital, stopped_at=ANSWERED, XDG_STATE_HOME=os.environ["XDG_STATE_HOME"])
    wait_until(lambda: psutil.Process(running.pid).status() == psutil.STATUS_STOPPED)
    hosts.back_up()
    in_backup = hospital.creates()
    running.send_signal(signal.SIGCONT)
    wait_until(lambda: hospital.creates() >= in_backup + 2)
    hosts.restore()
    assert running.wait() in {6, 74}
    assert Path(hospital.newest / "outcomes.jsonl").exists()
    for host in ("two", "one"):
        hosts.use(host)
        assert hospital.go("run") in {0, 3}, host
    hosts.require_no_second_seal()
    assert ledger_seals(hospital) <= {row["seal_id"] for row in outcomes(hospital)}
