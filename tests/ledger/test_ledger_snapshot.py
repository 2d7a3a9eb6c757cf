"""What is read equals what was written."""

from __future__ import annotations

from ledger_support import open_attempt, record_verdict

from pipeline.domain.roster import FileStat
from pipeline.domain.seals import Verdict
from pipeline.ledger.people import read_snapshot


async def test_a_reader_sees_one_moment_while_others_write(ledger, attempt):
    await open_attempt(ledger, attempt("p1"))
    with ledger._open_reader() as connection:
        before = read_snapshot(connection)
        await open_attempt(ledger, attempt("p2"))
        assert read_snapshot(connection) == before
    assert ledger.snapshot().people.keys() == {"p1", "p2"}


async def test_a_person_keeps_the_newest_name_and_the_first_seal_name(ledger, attempt, raw):
    for name in ("王小明", "王晓明"):
        one = attempt("p1")
        await open_attempt(ledger, one, name=name)
        await record_verdict(ledger, one, Verdict("refused"), now=2.0)
    assert raw("SELECT name, id_masked, seal_name FROM person") == [
        ("王晓明", "**************0011", "p1处方章")
    ]


def test_files_are_known_by_path_and_no_path_is_kept(ledger, ledger_path, tmp_path):
    path = "/seals/110101199003070011.png"
    ledger.record_files({path: FileStat(1, 2, "a"), "/seals/乙.png": FileStat(3, 4, "b")})
    ledger.record_files({path: FileStat(5, 6, "c")})
    known = ledger.list_known_files()
    assert (known[path], known.get("/seals/乙.png")) == (FileStat(5, 6, "c"), FileStat(3, 4, "b"))
    assert "/seals/丙.png" not in known
    assert {known[digest].sha256 for digest in known} == {"b", "c"}
    ledger.close()
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert ledger_path in files
    assert [file for file in files if b"110101199003070011" in file.read_bytes()] == []
