"""What is read equals what was written."""

from __future__ import annotations

from readable_key import ReadableKey

from pipeline.domain.roster import FileStat
from pipeline.domain.seals import SealContent, Verdict
from pipeline.ledger import snapshot as people

CONTENT = SealContent("李小红", "n" * 32, "ID_CARD", None, None, "李小红章", "a" * 64, None)


async def test_a_reader_sees_one_moment_while_others_write(ledger, attempt):
    await ledger.open_attempt(attempt("p1"))
    with ledger._open_reader() as connection:
        before = people.read_snapshot(connection, ReadableKey(sign=""))
        await ledger.open_attempt(attempt("p2"))
        assert people.read_snapshot(connection, ReadableKey(sign="")) == before
    assert ledger.snapshot().people.keys() == {"p1", "p2"}


async def test_a_person_keeps_the_newest_name_and_the_first_seal_name(ledger, attempt, raw):
    for name in ("王小明", "王晓明"):
        one = attempt("p1", name=name)
        await ledger.open_attempt(one)
        await ledger.record_verdict(one.uuid, Verdict("refused"), now=2.0)
    assert raw("SELECT name, id_masked, seal_name FROM person") == [
        ("王晓明", "**************0011", "p1处方章")
    ]


def test_files_are_known_by_path_and_no_path_is_kept(ledger, ledger_path):
    path = "/seals/110101199003070011.png"
    ledger.record_files({path: FileStat(1, 2, "a"), "/seals/乙.png": FileStat(3, 4, "b")})
    ledger.record_files({path: FileStat(5, 6, "c")})
    known = ledger.list_known_files()
    assert (known[path], known.get("/seals/乙.png")) == (FileStat(5, 6, "c"), FileStat(3, 4, "b"))
    assert "/seals/丙.png" not in known
    assert {known[digest].sha256 for digest in known} == {"b", "c"}
    ledger.close()
    assert b"110101199003070011" not in b"".join(file.read_bytes() for file in ledger_path.parent.iterdir())
