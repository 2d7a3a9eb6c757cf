"""A PostgreSQL server of the tests' own, on a free port of 127.0.0.1, with its data in a new folder.

It needs the server's programs (Debian: postgresql). Where they are missing its tests are skipped, under REQUIRE_DESKTOP=1
they fail. PostgreSQL refuses to run as root: then the user ``postgres``, or ``nobody``, runs it.
"""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from desktop import skip_or_fail
from psycopg import sql

SUPERUSER = "postgres"
START_SECONDS = 30
_USERS = ("postgres", "nobody")  # of the server where the tests run as root
_numbers = count(1)


def find_programs() -> Path:
    """Return the folder of the server's programs, or skip (REQUIRE_DESKTOP=1: fail) the test that needs them."""
    candidates = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    if initdb := shutil.which("initdb"):
        candidates.append(Path(initdb).parent)
    folders = (path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists())
    return next(folders, None) or skip_or_fail("PostgreSQL's server (Debian: postgresql)")


class PostgresServer:
    """A server that can be started, stopped, killed and started again with the same data and port."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = get_free_port()
        self.settings = settings
        self._programs = find_programs()
        self._process: subprocess.Popen[bytes] | None = None
        self._user = next(filter(_user_exists, _USERS)) if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        # a collation that is not that of the bytes, as a server in a hospital may have one
        collation = ("--locale", "C", "--locale-provider", "icu", "--icu-locale", "zh")
        users = ("--auth", "trust", "--username", SUPERUSER)
        data = ("--pgdata", str(folder / "data"), "--encoding", "UTF8", "--no-sync", "--no-instructions")
        self._run("initdb", *data, *users, *collation)

    @property
    def pid(self) -> int:
        """Return the process number of the server."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server and return once it takes connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": str(self.port),
            "max_connections": "200",
            "fsync": "on",
            "shared_buffers": "32MB",
            "log_min_messages": "fatal",
            **self.settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", str(self.folder / "data"), *options],
                user=self._user,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        waiting = ("--host", "127.0.0.1", "--port", str(self.port), "--timeout", "1", "--quiet")
        for _ in range(START_SECONDS * 20):
            ready = subprocess.run([self._programs / "pg_isready", *waiting], check=False)
            if ready.returncode == 0:
                return
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
                break
        raise RuntimeError((self.folder / "log").read_text())

    def stop(self) -> None:
        """Stop it in order ("fast": open connections are ended)."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Stop it as a crash does ("immediate"): the next start recovers from the write-ahead log."""
        self._end(signal.SIGQUIT)

    def copy_data(self, folder: Path) -> None:
        """Make a copy of ``self.folder`` in a new folder; the server must be stopped."""
        folder.mkdir()
        self._copy_data(self.folder / "data", folder / "data")

    def replace_data(self, folder: Path) -> None:
        """Put the data of a copy of ``self.folder``, taken while the server was stopped, in place of its own."""
        shutil.rmtree(self.folder / "data")
        self._copy_data(folder / "data", self.folder / "data")

    def become_standby(self) -> None:
        """Start as a standby from the next start on; it never hears from a primary."""
        signal_file = self.folder / "data" / "standby.signal"
        signal_file.touch()
        if self._user:
            shutil.chown(signal_file, self._user)

    def _copy_data(self, source: Path, copy: Path) -> None:
        shutil.copytree(source, copy)
        copy.chmod(0o700)
        for path in (copy, *copy.rglob("*")) if self._user else ():
            shutil.chown(path, self._user)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
            self._process.wait(START_SECONDS)
            self._process = None

    def make_url(self, database: str = "postgres", user: str = SUPERUSER, port: int | None = None) -> str:
        """Return the address of a database; ``port``: of a proxy before the server."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"

    def connect(self, database: str = "postgres", **options: Any) -> psycopg.Connection:
        """Open a connection in autocommit mode."""
        return psycopg.connect(self.make_url(database), autocommit=True, **options)

    def make_database(self, template: str = "template0") -> str:
        """Create a database, empty or the copy of another one to which nothing is connected; return its address."""
        name = f"test_{next(_numbers)}"
        names = map(sql.Identifier, (name, template))
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        return self.make_url(name)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd="/")


@contextmanager
def run_server(**settings: str) -> Iterator[PostgresServer]:
    """Run a new server, and remove it with its data."""
    base = os.environ.get("PYTEST_DEBUG_TEMPROOT") or tempfile.gettempdir()
    find_programs()
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=base))
    try:
        server = PostgresServer(folder, **settings)
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user_exists(name: str) -> bool:
    with suppress(KeyError):
        return pwd.getpwnam(name) is not None
    return False


def get_free_port(following: int = 0) -> int:
    """Return a port below those that systems hand out, so that it is free again after the server was killed.

    So many ports that follow it are free as well.
    """
    while True:
        port = random.randrange(15_000, 32_000)
        with suppress(OSError), ExitStack() as stack:
            for wanted in range(port, port + following + 1):
                stack.enter_context(socket.create_server(("127.0.0.1", wanted)))
            return port
