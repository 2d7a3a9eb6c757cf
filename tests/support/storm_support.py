"""Hospitals whose ledgers are on one server, and a storm over them: everything that can break does, at random.

Two hosts run them, each with a state folder of its own. The results are on a share that both reach.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psycopg
from crash_support import SETTLED, Zygote, ask_server_ledger, creates, ledger_seals, outcomes
from postgres_server import PostgresServer
from server_wire import ServerWire

from pipeline.sandbox.actions import Rules
from pipeline.sandbox.gateway import SANDBOX

HOSTS = 2
_NEW_ROWS = 3  # of each hospital after a restore


def use_server(hospital, url: str, direct: str | None = None) -> None:
    hospital.ledger, hospital.direct_ledger = url, direct
    hospital.requests_per_second = 100  # each slot is asked of the server
    hospital.configure()


def end_silent_sessions(hospital) -> None:
    """Do to the sessions of the holders what the server does after a minute of silence."""
    ask_server_ledger(
        hospital,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE application_name = 'esign-import writer' AND datname = current_database()",
    )


class Storm:
    """Hospitals on one server and one service, whose processes are killed, stopped and cut off at random.

    ``folder`` holds the state folders of the hosts. With ``restores`` a copy of the server's data is put back now and then.
    """

    def __init__(
        self, hospitals, server: PostgresServer, folder: Path, seed: int, *, rows: int, restores: bool = False
    ) -> None:
        self.hospitals, self.server, self.folder = hospitals, server, folder
        self.restores = restores
        self.dice = random.Random(seed)
        self.over = threading.Event()
        self.met: Counter[str] = Counter()
        self._backup: Path | None = None
        self._rows = [0] * len(hospitals)
        self.grow_rosters(rows)

    def rage(self, wire: ServerWire, seconds: float) -> None:
        """Last for so many seconds, or until a part of it fails."""
        with ThreadPoolExecutor(HOSTS + 1) as threads:
            parts = [threads.submit(self._do_part, self.run_processes, host) for host in range(HOSTS)]
            parts.append(threads.submit(self._do_part, self.break_things, wire))
            self.over.wait(seconds)
            self.over.set()
            for part in parts:
                part.result()

    def _do_part(self, part, argument) -> None:
        try:
            part(argument)
        finally:
            self.over.set()

    def run_on(self, host: int, zygote: Zygote, hospital, *words: str, **order) -> dict:
        """Run a command of a hospital on a host; return how it ended."""
        environment = {"XDG_STATE_HOME": str(self.folder / f"host-{host}")}
        return zygote.run(hospital, *words, environment=environment, **order)

    def run_processes(self, host: int) -> None:
        """Run one hospital after another on a host, each under an offset of its clock, until the storm is over."""
        dice = random.Random(host)
        with Zygote() as zygote:
            while not self.over.is_set():
                hospital = dice.choice(self.hospitals)
                kill = {"random": 0.2 + 1.5 * dice.random()} if dice.random() < 0.5 else {}
                ended = self.run_on(host, zygote, hospital, jump=dice.choice((-600, 0, 600)), **kill)
                self.met["killed" if ended["signal"] else f"exit {ended['code']}"] += 1

    def break_things(self, wire: ServerWire) -> None:
        """Do one thing after another to the server, the wire and the processes until the storm is over."""
        while not self.over.wait(self.dice.uniform(0.2, 0.8)):
            match self.dice.randrange(5):
                case 0 if self.restores and self.dice.random() < 0.2:
                    self.back_up_or_restore()
                case 0:
                    self.server.kill()
                    self.over.wait(self.dice.uniform(0, 0.7))
                    self.server.start()
                    self.met["server killed"] += 1
                case 1:
                    self.stop_holder()
                case 2:
                    wire.silence()
                    self.over.wait(self.dice.uniform(0, 1))
                    self.end_silent_sessions()
                    wire.heal()
                    self.met["silence"] += 1
                case 3:
                    for link in list(wire.links):
                        link.cut()
                    self.met["cut"] += 1
                case _:
                    self.end_silent_sessions()

    def stop_holder(self) -> None:
        """Stop a process that holds a ledger for longer than it may be silent."""
        with suppress(psycopg.Error, ProcessLookupError):
            for (pid,) in ask_server_ledger(self.hospitals[0], "SELECT pid FROM esign_import.held_ledgers()"):
                os.kill(pid, signal.SIGSTOP)
                self.end_silent_sessions()
                self.over.wait(0.5)
                os.kill(pid, signal.SIGCONT)
                self.met["stopped"] += 1

    def end_silent_sessions(self) -> None:
        """End the sessions of all holders."""
        with suppress(psycopg.Error):
            end_silent_sessions(self.hospitals[0])

    def back_up_or_restore(self) -> None:
        """Copy the server's data, or put the last copy back in their place."""
        if self._backup is None:
            self.server.stop()
            self._backup = self.folder / "backup"
            self.server.copy_data(self._backup)
            self.server.start()
            self.met["backup"] += 1
            return
        self.server.kill()
        self.server.replace_data(self._backup)
        shutil.rmtree(self._backup)
        self._backup = None
        self.server.start()
        self.met["restored"] += 1
        self.grow_rosters(_NEW_ROWS)

    def grow_rosters(self, rows: int) -> None:
        """Let each hospital have so many doctors more; its roster is replaced at once."""
        for number, hospital in enumerate(self.hospitals):
            self._rows[number] += rows
            hospital.doctors(self._rows[number], start=1 + 1000 * number, file="../new.xlsx")
            (hospital.folder / "new.xlsx").replace(hospital.folder / "inbox" / "roster.xlsx")

    def bring_to_end(self) -> None:
        """Let each hospital come to its end, and assert that nothing is double, lost or wrongly reported."""
        with Zygote() as zygote:
            for number, hospital in enumerate(self.hospitals):
                host = number % HOSTS
                durable = ledger_seals(hospital)
                for _ in range(6):  # rows whose every send was proven not executed wait for the next run
                    ended = self.run_on(
                        host, zygote, hospital, jump=1200
                    )  # after all others by its own clock
                    if ended["code"] in {0, 3}:
                        break
                assert ended["code"] in {0, 3}, (hospital.organization, ended["code"], self.met)
                check_hospital(hospital, durable)
                assert self.run_on(host, zygote, hospital, "ledger", "check")["code"] == 0
                sent = creates(hospital)
                assert self.run_on(host, zygote, hospital, jump=1200)["code"] == ended["code"]
                assert creates(hospital) == sent


def make_hospitals(hospital_with, tmp_path, count: int, server: PostgresServer, wire: ServerWire):
    """Make hospitals of one service and one server, each with an organisation and a folder of its own, without rosters."""
    tenants = [replace(SANDBOX, organization_open_id=f"org_{number}") for number in range(count)]
    first = hospital_with(tenants=tenants, latency=0.03, rules=Rules(limiter="none", unique_names="off"))
    hospitals = []
    for number, tenant in enumerate(tenants):
        hospital = replace(first, folder=tmp_path / f"{number}", organization=tenant.organization_open_id)
        hospital.folder.mkdir()
        shutil.copytree(tmp_path / "secrets", hospital.folder / "secrets")
        (hospital.folder / "seals").mkdir()
        (hospital.folder / "inbox").mkdir()
        use_server(hospital, server.make_url(port=wire.own_port), server.make_url())
        hospitals.append(hospital)
    return hospitals


def check_hospital(hospital, durable: set[str]) -> None:
    """Assert that none of a hospital's seals is double or lost, and that no seal is reported that was not made."""
    assert hospital.service.list_duplicates() == {}
    rows = outcomes(hospital)
    made = {
        seal.seal_id: seal.name
        for seal in hospital.service.seals
        if seal.organization == hospital.organization
    }
    reported = {row["seal_id"] for row in rows if row["seal_id"]}
    assert durable <= reported <= set(made)
    assert {row["status"] for row in rows} <= SETTLED
    open_rows = {row["name"] for row in rows if row["status"] in {"unknown", "exists"}}
    assert {name for seal_id, name in made.items() if seal_id not in reported} <= open_rows


def list_statuses(hospitals) -> list[str]:
    """Return the status of every row in the last results of hospitals."""
    return [row["status"] for hospital in hospitals for row in outcomes(hospital)]
