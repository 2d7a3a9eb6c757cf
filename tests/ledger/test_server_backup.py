"""A dump of one hospital's schema is a whole backup of its ledger."""

from __future__ import annotations

import os
import subprocess

from ledger_support import send
from postgres_server import find_programs
from server_ledger import open_for_reading, open_for_writing

from pipeline.domain.seals import Verdict
from pipeline.domain.server_address import ServerAddress, name_schema


def test_a_dump_of_the_schema_is_a_whole_backup(postgres_server, tmp_path, attempt, run_record):
    tenant, programs = "sandbox/app/backup", find_programs()
    first, second = postgres_server.make_database(), postgres_server.make_database()
    with open_for_writing(ServerAddress(first), tenant) as ledger:
        ledger.begin_run(run_record("r1"))
        send(ledger, attempt("p1"), Verdict("sealed", seal_id="S1", http_status=200))
        held = ledger.snapshot()
    dump = tmp_path / "ledger.dump"
    schema = f"--schema={name_schema(tenant)}"
    for command in (
        ["pg_dump", "--format=custom", schema, f"--file={dump}", first],
        ["pg_restore", "--exit-on-error", f"--dbname={second}", str(dump)],
    ):
        subprocess.run([programs / command[0], *command[1:]], check=True, env={**os.environ, "PGTZ": "UTC"})
    with open_for_reading(ServerAddress(second), tenant) as restored:
        assert restored.snapshot() == held
        assert restored.search_people("S1")[0] == {"p1"}
    with open_for_writing(ServerAddress(second), tenant) as ledger:
        send(
            ledger, attempt("p2"), Verdict("refused", code="FailedOperation.UserInfoNoMatch", http_status=200)
        )
        send(ledger, attempt("p3", seal_name="p2处方章"), Verdict("sealed", seal_id="S3", http_status=200))
        assert set(ledger.snapshot().people) == {"p1", "p2", "p3"}
