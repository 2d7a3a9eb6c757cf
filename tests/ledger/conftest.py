"""A ledger on a real disk, and short ways to say what is put into it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.domain.seals import Attempt, SealContent, Verdict
from pipeline.ledger.places import Places
from pipeline.ledger.records import RowRecord, RunRecord
from pipeline.ledger.sqlite_ledger import LedgerFile, SqliteLedger, connect

ROOT = Path(__file__).parents[2]
TENANT = "sandbox/app/org"
NOW = 1_795_000_000.0

CONTENT = SealContent(
    "王小明", "n" * 32, "ID_CARD", "E_PRESCRIPTION_AUTO_SIGN", "m" * 32, None, "a" * 64, "b" * 64
)
RUN = RunRecord("r1", "run", NOW, "host", 7, "it", ("5" * 32,), "/out", "file_id", "digest", "0.1.0")
ATTEMPT = Attempt("u", "p1", "王小明处方章", CONTENT, NOW, "r1", "row", "file_id", "h", NOW + 600)


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    """Where the ledger is to be."""
    return tmp_path / "state" / "ledger.sqlite3"


@pytest.fixture
def make_store(ledger_path: Path) -> Callable[..., LedgerFile]:
    """Return where the ledger of a tenant is, with its two places."""

    def make(tenant: str = TENANT, path: Path = ledger_path) -> LedgerFile:
        folder = ledger_path.parent.parent
        return LedgerFile(path, Places(tenant, folder / "user", folder / "out" / ".ledger"))

    return make


@pytest.fixture
def store(make_store: Callable[..., LedgerFile]) -> LedgerFile:
    """The ledger, with its two places next to its folder: user and out/.ledger."""
    return make_store()


@pytest.fixture
def opened(make_store: Callable[..., LedgerFile]) -> Iterator[Callable[..., SqliteLedger]]:
    """Open the ledger; it is closed after the test, whatever the test did."""
    entered = ExitStack()

    def open_it(tenant: str = TENANT, *, readonly: bool = False) -> SqliteLedger:
        store = make_store(tenant)
        if not readonly:
            entered.enter_context(store.hold.acquire(run="r0", now=NOW))
        return entered.enter_context(
            closing(store.open_for_reading() if readonly else store.open_for_writing(now=NOW))
        )

    with entered:
        yield open_it


@pytest.fixture
def ledger(opened: Callable[..., SqliteLedger]) -> SqliteLedger:
    """A new ledger in which the run r1 has begun."""
    ledger = opened()
    ledger.begin_run(RUN)
    return ledger


@pytest.fixture(scope="session")
def ledger_bench(postgres_server):
    """One ledger on a server for all contract tests of this process (`open_empty`)."""
    from server_ledger import LedgerBench

    with closing(LedgerBench(postgres_server)) as bench:
        yield bench


@pytest.fixture
def attempt() -> Callable[..., Attempt]:
    """One create of a person, whose seal name follows from the key unless it is given."""

    def make(key: str = "p1", **changes: object) -> Attempt:
        return replace(
            ATTEMPT, **{"uuid": str(uuid.uuid4()), "key": key, "seal_name": f"{key}处方章", **changes}
        )

    return make


@pytest.fixture
def run_record() -> Callable[..., RunRecord]:
    """A run over the usual roster."""

    def make(run: str, **changes: object) -> RunRecord:
        return replace(RUN, run=run, **changes)

    return make


@pytest.fixture
def seen() -> Callable[..., RowRecord]:
    """What a run says of one row."""

    def make(row_id: str, status: str, **changes: object) -> RowRecord:
        usual = RowRecord(
            row_id, f"k{row_id}", "名单.xlsx", "内科", 3, status, (), f'{{"status":"{status}"}}'
        )
        return replace(usual, **changes)

    return make


@pytest.fixture
def sealed() -> Callable[..., Verdict]:
    """The service's word that a seal was made."""

    def make(seal_id: str) -> Verdict:
        return Verdict("sealed", seal_id=seal_id, request_id=f"request-{seal_id}", http_status=200)

    return make


@pytest.fixture
def raw(ledger_path: Path):
    """Ask or change the file behind the ledger's back."""

    def execute(statement: str, *values: object) -> list[tuple]:
        with closing(connect(ledger_path, readonly=False)) as connection:
            return connection.execute(statement, values).fetchall()

    return execute


@pytest.fixture
def held():
    """Keep a ledger's writer busy, so that what is queued meanwhile shares one commit."""

    @contextmanager
    def hold(ledger: SqliteLedger, *, ends_with: type[Exception] | None = None) -> Iterator[None]:
        begun, go = threading.Event(), threading.Event()

        def wait(_connection) -> list:
            begun.set()
            go.wait(10)
            return []

        waiting = ledger._writer.submit(wait)
        assert begun.wait(10)
        try:
            yield
        finally:
            go.set()
            with pytest.raises(ends_with) if ends_with else nullcontext():
                waiting.result(10)

    return hold


@pytest.fixture
def process(ledger_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a real process that runs a script with ``place`` at hand; what it prints first is awaited."""
    started = []

    def start(script: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", f"from pathlib import Path\nplace = Path({str(ledger_path)!r})\n{script}"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()
