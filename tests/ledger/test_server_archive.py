"""What resolve and explain read of a person is the same from a file and from a server."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest
from ledger_support import UNKNOWN, decision, list_run_ids, send
from server_ledger import NOW, SECRET, TENANT, open_for_reading, open_for_writing

from pipeline.domain.roster import Field
from pipeline.domain.row_record import RowLine
from pipeline.domain.run import Status
from pipeline.domain.seals import Verdict
from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.errors import LedgerError
from pipeline.hosts.ledger import LedgerSchema
from pipeline.hosts.load import load_file
from pipeline.ledger.records import AdoptedSeal

QUERIES = (
    *("p1", "王小明", "0011", "p1处方章", "S1", "request-S1", "u1", "a-7", "A-7", "a_7", "a%7", "p|1", "none", "%", ""),
)  # fmt: skip


def fill(ledger, attempt, run_record, seen) -> None:
    """Give a ledger three persons, the rows of three runs and decisions."""

    def line(row_id: str, key: str | None, status: Status, name: str, staff_no: str) -> str:
        values = {Field.NAME: name, Field.STAFF_NO: staff_no}
        return RowLine(
            run="", file="名单.xlsx", path="名单.xlsx", sheet="内科", row=3, row_id=row_id, key=key, status=status,
            values=values,
        ).to_ledger_text()  # fmt: skip

    ledger.begin_run(run_record("r1"))
    send(ledger, attempt("p1", uuid="u1"), Verdict("sealed", "S1", "request-S1", http_status=200))
    send(ledger, attempt("p2", uuid="u2"), UNKNOWN)
    rows = [
        seen("a", "sealed", key="p1", line=line("a", "p1", Status.SEALED, "王小明", "A-7")),
        seen("b", "rejected", key=None, sheet=None, line=line("b", None, Status.REJECTED, "李四", "p|1")),
        seen("c", "unknown", key="p2", line=line("c", "p2", Status.UNKNOWN, "赵六", "a%7")),
    ]
    ledger.record_rows("r1", rows)
    ledger.begin_run(run_record("r2"))
    ledger.record_rows("r2", [rows[0], replace(rows[2], status="failed"), rows[1]])
    ledger.begin_run(run_record("r3", command="retry"))
    ledger.record_rows("r3", rows[1:2])
    ledger.record_decision(decision("not_created", "p2", attempt="u2"))
    ledger.record_adopted_seals(
        [AdoptedSeal("p3", "S3", "钱七", "****0013", "p3处方章")], now=30.0, who="it", why="list"
    )
    ledger.record_decision(decision("same_person", "p1", detail="p4"))
    ledger.record_decision(decision("other_person", "p3", detail="p1"))


def read(ledger) -> dict:
    """Return everything that the archive holds of the persons."""
    return {
        "found": {
            query: (keys, sorted(lines, key=str)) for query in QUERIES for keys, lines in [ledger.search_people(query)]
        },
        "numberless": ledger.list_rows_without_number(["李四", "王小明"]),
        "people": set(ledger.list_people()),
        "persons": {key: ledger.read_person(key, ["b"]) for key in ("p1", "p2", "p3", "p4", None)},
        "runs": list_run_ids(ledger),
        "staff": ledger.list_staff_numbers(),
        "same": ledger.list_same_persons(),
    }  # fmt: skip


def test_a_file_and_a_server_give_the_same_records(make_store, postgres_server, attempt, run_record, seen):
    file = make_store()
    with file.hold.acquire(run="r0", now=NOW), closing(file.open_for_writing(now=NOW)) as ledger:
        fill(ledger, attempt, run_record, seen)
        expected = read(ledger)
    server = LedgerSchema(ServerAddress(postgres_server.make_database()), file.places, SECRET)
    load_file(file.path, server, now=NOW)
    with closing(server.open_for_reading()) as ledger:
        from_server = read(ledger)
    for subject, answer in expected.items():
        assert from_server[subject] == answer, subject
    assert expected["found"]["a-7"][1], "the case of letters does not matter"
    assert expected["found"]["a_7"] == (set(), [])
    assert [len(expected["persons"]["p1"].rows), len(expected["persons"]["p2"].rows)] == [3, 4]


def test_a_schema_under_the_name_of_another_tenant_is_refused(postgres_server):
    url, tenants = postgres_server.make_database(), ("sandbox/app/one", "sandbox/app/two")
    with open_for_writing(ServerAddress(url), tenants[0]):
        pass
    with postgres_server.connect(url.rpartition("/")[2]) as admin:
        names = [name_schema(tenant) for tenant in tenants]
        admin.execute("ALTER SCHEMA {} RENAME TO {}".format(*names).encode())
    with pytest.raises(LedgerError, match="belongs to another organisation"):
        open_for_reading(ServerAddress(url), tenants[1])


def test_a_ledger_of_another_version_is_refused(postgres_server):
    address = ServerAddress(postgres_server.make_database())
    with open_for_writing(address):
        pass
    with postgres_server.connect(address.url.rpartition("/")[2]) as admin:
        admin.execute(f"UPDATE {name_schema(TENANT)}.meta SET version = 8".encode())
    with pytest.raises(LedgerError, match="has version 8"):
        open_for_reading(address)
