"""Records runs that end before they have results: in a run.json, in which `status` finds the reason."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.config.settings import Config
from pipeline.domain.metrics import Traffic
from pipeline.domain.outcomes import INTERRUPTED
from pipeline.domain.run import Halt, HaltExit, RunReport
from pipeline.errors import (
    CredentialsMissing,
    DiskTrouble,
    EsignImportError,
    LedgerError,
    Locked,
    NotReadNow,
    UsageError,
)
from pipeline.ledger.protocol import RunRecord
from pipeline.ledger.tenant import make_tenant_id
from pipeline.reports.records import run_record
from pipeline.support.atomic_files import write_json

LOG = logging.getLogger(__name__)
RUN = "run.json"
CODES: tuple[tuple[type[EsignImportError], str], ...] = (
    (CredentialsMissing, "CREDENTIALS_MISSING"),
    (Locked, "LOCKED"),
    (NotReadNow, "NOT_READ_NOW"),
    (DiskTrouble, "DISK"),
    (LedgerError, "LEDGER_REFUSED"),
    (UsageError, "USAGE"),
)


@dataclass(frozen=True, slots=True)
class BegunRun:
    """A command that is to send and has read its configuration."""

    command: str
    run: str
    started: float
    config: Config
    out: Path | None  # the folder asked for, if any

    @property
    def own_folder(self) -> Path:
        """The folder to which no other run writes, and in which `status` looks."""
        return self.config.resolve_path(self.config.out) / self.run

    @property
    def tenant(self) -> str | None:
        """The tenant of the configuration, None while it holds placeholders."""
        api = self.config.api
        return (
            None if api.placeholders else make_tenant_id(api.endpoint, api.app_id, api.organization_open_id)
        )


def build_halt(error: BaseException, language: str) -> Halt:
    """Return why an exception ends a run, in the sentence that the user sees."""
    if isinstance(error, OSError):
        error = DiskTrouble.of(error)
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
        return Halt("CUT_SHORT", "", INTERRUPTED)
    if isinstance(error, EsignImportError):
        code = next((code for kind, code in CODES if isinstance(error, kind)), "")
        if code:
            exit_code: HaltExit = error.exit_code  # type: ignore[assignment]
            return Halt(code, error.render(language), exit_code)
    return Halt("BUG", type(error).__name__, 1)


def build_empty_report(begun: BegunRun, finished: float, halt: Halt | None) -> RunReport:
    """Return the report of a run without rows."""
    return RunReport(
        run=begun.run,
        command=begun.command,
        started=begun.started,
        finished=finished,
        exit=halt.exit if halt else 0,
        tenant=begun.tenant,
        contract=begun.config.api.contract,
        outcomes=(),
        files=(),
        unassigned_images=(),
        traffic=Traffic(limit=begun.config.limits.requests_per_second),
        halt=halt,
        out=begun.out or begun.own_folder,
    )


def write_run_json(report: RunReport, folders: Iterable[Path]) -> None:
    """Write a report's run.json into these folders, as far as they can be written."""
    for folder in dict.fromkeys(folders):
        with suppress(OSError):
            write_json(folder / RUN, run_record(report))


def find_recorded_run(out: Path, tenant: str) -> RunRecord | None:
    """Return the newest run of this tenant that left a run.json under its own name, but for a `check`."""
    return next(_list_recorded_runs(out, tenant), None)


def select_later_run(last: RunRecord | None, recorded: RunRecord | None) -> RunRecord | None:
    """Return the run that ended later: the ledger's last one, or the last that left a run.json.

    Of a run that broke, the ledger knows the rosters but not the end; run.json holds the end.
    """
    if last is None or recorded is None:
        return last or recorded
    if last.run == recorded.run:
        if last.finished is not None:
            return last
        return replace(last, exit=recorded.exit, finished=recorded.finished, record=recorded.record)
    # run.json holds whole seconds; of two runs that ended in the same second, the later one began later
    return max(last, recorded, key=lambda record: (int(record.finished or record.started), record.run))


def _list_recorded_runs(out: Path, tenant: str) -> Iterator[RunRecord]:
    for path in sorted(out.glob(f"*/{RUN}"), reverse=True):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            is_ours = content["run"] == path.parent.name and content["tenant"] == tenant
            if is_ours and content["command"] != "check":
                yield _read_record(path.parent, content)
        except (OSError, ValueError, KeyError, TypeError):
            continue


def _read_record(folder: Path, content: Mapping[str, Any]) -> RunRecord:
    started, finished = (
        datetime.fromisoformat(content[name]).timestamp() for name in ("started", "finished")
    )
    return RunRecord(
        run=content["run"],
        command=content["command"],
        started=started,
        host="",
        pid=0,
        user="",
        rosters=(),
        context=(),
        seals=None,
        out=str(folder),
        contract=content["contract"],
        config_digest="",
        version="",
        exit=content["exit"],
        finished=finished,
        record=json.dumps(content, ensure_ascii=False),
    )
