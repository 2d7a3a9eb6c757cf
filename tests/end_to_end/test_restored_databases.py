"""A database that is put back to an earlier state makes no doctor twice, whatever is left of the lost run.

The sandbox accepts equal seal names, so that nothing but this program refuses a second seal. A host is a state folder.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import pytest

from pipeline.sandbox.actions import Rules
from pipeline.sandbox.gateway import SANDBOX

OTHER = replace(SANDBOX, organization_open_id="org_other", operator_open_id="operator_other")
DOCTORS, NEW = 3, 4  # before the backup, and after it


@dataclass
class Hosts:
    """A hospital whose ledger is in a database that can be put back, and the hosts that run it."""

    hospital: object
    server: object
    state_homes: object
    monkeypatch: object

    def use(self, host: str) -> None:
        """Let commands run on this host from now on."""
        self.monkeypatch.setenv(
            "XDG_STATE_HOME", str(self.state_homes / f"{self.hospital.folder.name}-{host}")
        )

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


@pytest.fixture
def hosts(hospital_with, postgres_server, state_homes, monkeypatch):
    hospital = hospital_with(rules=Rules(limiter="none", unique_names="off"), tenants=(SANDBOX, OTHER))
    hospital.ledger = postgres_server.make_database()
    made = Hosts(hospital, postgres_server, state_homes, monkeypatch)
    made.configure()
    return made


def lose_a_run(hosts):
    """Let host one run twice, with a backup in between that is put back afterwards."""
    hosts.use("one")
    hosts.hospital.seal_doctors(DOCTORS)
    hosts.back_up()
    hosts.hospital.seal_doctors(DOCTORS + NEW)


def remove_last_run(hosts):
    folder = hosts.hospital.newest
    shutil.rmtree(folder)
    shutil.rmtree(hosts.hospital.folder / "out" / "latest")


def test_the_host_of_the_lost_run_knows_its_receipts(hosts, capsys):
    lose_a_run(hosts)
    shutil.rmtree(hosts.hospital.folder / "out")
    hosts.restore()
    assert hosts.hospital.go("run") == 2
    assert "is older than the registry" in capsys.readouterr().err
    assert hosts.list_second_seals() == []


def test_another_host_knows_from_the_results(hosts, capsys):
    lose_a_run(hosts)
    shutil.rmtree(hosts.hospital.folder / "out" / ".ledger")
    hosts.restore()
    hosts.use("two")
    assert hosts.hospital.go("run") == 2
    assert f"it lacks seals of run {hosts.hospital.newest.name}" in capsys.readouterr().err
    assert hosts.list_second_seals() == []


def test_another_host_knows_from_the_registry_beside_the_results(hosts, capsys):
    lose_a_run(hosts)
    remove_last_run(hosts)
    hosts.restore()
    hosts.use("two")
    for command in ("check", "run"):
        assert hosts.hospital.go(command) == 2
        assert "out/.ledger/" in capsys.readouterr().err
    assert hosts.list_second_seals() == []


def test_another_host_knows_from_its_run_of_another_hospital(hosts, capsys):
    lose_a_run(hosts)
    hosts.use("two")
    hosts.run_other_hospital()
    shutil.rmtree(hosts.hospital.folder / "out")
    hosts.restore()
    assert hosts.hospital.go("run") == 2
    assert "two/esign-import/ledgers/sandbox-" in capsys.readouterr().err
    assert hosts.list_second_seals() == []


def test_the_schema_of_one_hospital_that_is_put_back_alone_contradicts_the_database(hosts, capsys):
    lose_a_run(hosts)
    shutil.rmtree(hosts.hospital.folder / "out")
    with hosts.server.connect(hosts.database) as connection:
        rows = connection.execute(
            "SELECT ledger, tenant, ledger_id, recoveries, receipts, attempts FROM esign_import.progress"
        ).fetchall()
    hosts.restore()
    with hosts.server.connect(hosts.database) as connection:
        connection.execute("UPDATE esign_import.progress SET receipts = %s, attempts = %s", rows[0][4:])
    hosts.use("two")
    assert hosts.hospital.go("run") == 2
    assert "esign_import.progress" in capsys.readouterr().err
    assert hosts.list_second_seals() == []
