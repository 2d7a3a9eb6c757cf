"""The chain of the receipts is verified at each opening, in pieces of bounded size."""

import asyncio
from contextlib import closing

import pytest

from pipeline.errors import LedgerError, UsageError
from pipeline.ledger import receipt_sync
from pipeline.ledger.maintenance import check_ledger, rebuild_ledger
from pipeline.ledger.ownership import Ownership
from pipeline.ledger.receipt_sync import receipts_path, require_complete_ledger
from pipeline.ledger.receipts import ReceiptPosition, read_line_number
from pipeline.ledger.registry import TenantRegistry
from pipeline.ledger.sqlite_ledger import connect

TENANT = "sandbox/app/org"


@pytest.fixture
def filled(opened, attempt, run_record, sealed, ledger_path):
    """A ledger of eight people; returns the lines of its receipts."""
    ledger = opened()
    ledger.begin_run(run_record("r1"))

    async def send(key):
        create = attempt(key)
        await ledger.open_attempt(create)
        await ledger.record_verdict(create.uuid, sealed(f"S{key}"), now=9.0)

    for serial in range(8):
        asyncio.run(send(f"p{serial}"))
    ledger.close()
    return receipts_path(ledger_path).read_bytes().splitlines(keepends=True)


def get_changed_line(position, size, window):
    """Verify as the run of that number would; return the line that is called changed, or None."""
    try:
        receipt_sync._verify_chain(receipts_path(position), ReceiptPosition(1, "", size), window=window)
    except LedgerError as error:
        return error.detail["line"]
    return None


@pytest.mark.parametrize("piece", [50, 300, 1000, 4000, 1 << 20])
def test_successive_runs_find_a_changed_line_wherever_it_is(filled, ledger_path, monkeypatch, piece):
    """A piece is smaller than a line, or the whole file; the last line is known by the ledger's position."""
    monkeypatch.setattr(receipt_sync, "VERIFIED_BYTES", piece)
    size = sum(map(len, filled))
    windows = range(-(-size // piece) + 1)
    assert {get_changed_line(ledger_path, size, window) for window in windows} == {None}
    for changed in range(len(filled) - 1):
        line = filled[changed].replace(b'"set":{', b'"SET":{')
        receipts_path(ledger_path).write_bytes(b"".join([*filled[:changed], line, *filled[changed + 1 :]]))
        findings = {get_changed_line(ledger_path, size, window) for window in windows} - {None}
        assert findings == {changed + 2}, "the line after it no longer follows"


def test_one_opening_reads_no_more_than_two_pieces(filled, ledger_path, monkeypatch):
    read = []
    verify = receipt_sync._verify_span
    monkeypatch.setattr(receipt_sync, "VERIFIED_BYTES", 2000)

    def observe(path, start, end, **options):
        read.append(end - start)
        verify(path, start, end, **options)

    monkeypatch.setattr(receipt_sync, "_verify_span", observe)
    assert sum(map(len, filled)) > 8000
    assert get_changed_line(ledger_path, sum(map(len, filled)), 3) is None
    assert len(read) == 2
    assert max(read) <= 2000


@pytest.mark.parametrize("lines", [0, 1, 7])
def test_receipts_that_are_older_than_the_ledger_are_written_again(filled, opened, ledger_path, lines):
    """The ledger lacks nothing that they hold."""
    receipts_path(ledger_path).write_bytes(b"".join(filled[:lines]))
    with closing(connect(ledger_path, readonly=True)) as connection:
        require_complete_ledger(ledger_path, connection, may_be_behind=True)
    opened().close()
    assert (
        len(receipts_path(ledger_path).read_bytes().splitlines()) == len(filled) - 8
    )  # a verdict's line is one with its attempt


def test_receipts_that_are_written_again_are_numbered_on(filled, opened, ledger_path, tmp_path):
    """The registry compares numbers: a lower one would be that of an older ledger."""
    registry = TenantRegistry(tmp_path / "registry", TENANT, strict=True)
    with closing(opened(ownership=Ownership(registry))):
        before = registry.read().progress.receipts
    assert before == len(filled)
    receipts_path(ledger_path).unlink()
    with closing(opened(ownership=Ownership(registry))) as ledger:
        assert ledger.count_receipts() == registry.read().progress.receipts > before
    first, *_, last = receipts_path(ledger_path).read_bytes().splitlines()
    assert [read_line_number(first), read_line_number(last)] == [
        before + 1,
        registry.read().progress.receipts,
    ]
    assert check_ledger(ledger_path, TENANT).defects == ()
    ledger_path.unlink()
    rebuild_ledger(ledger_path, TENANT)
    opened(ownership=Ownership(registry)).close()


def test_a_ledger_that_lacks_a_receipt_is_refused_by_the_registry(
    filled, opened, ledger_path, tmp_path, run_record
):
    registry = TenantRegistry(tmp_path / "registry", TENANT, strict=True)
    older = {path: path.read_bytes() for path in (ledger_path, receipts_path(ledger_path))}
    with closing(opened(ownership=Ownership(registry))) as ledger:
        ledger.begin_run(run_record("r2"))
    for path, content in older.items():
        path.write_bytes(content)
    with pytest.raises(UsageError, match="1 receipt is missing"):
        opened(ownership=Ownership(registry))


def test_an_empty_ledger_that_is_lost_is_no_reason_to_refuse_a_new_one(
    opened, ledger_path, tmp_path, run_record
):
    registry = TenantRegistry(tmp_path / "registry", TENANT, strict=True)
    with closing(opened(ownership=Ownership(registry))) as ledger:
        ledger.begin_run(run_record("r1"))
    assert registry.read().progress.receipts == 0
    for path in ledger_path.parent.iterdir():
        path.unlink()
    opened(ownership=Ownership(registry)).close()
