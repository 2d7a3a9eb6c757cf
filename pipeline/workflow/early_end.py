"""What a run leaves that ended before it had results: a run.json in which `status` finds why."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.clock import Clock
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
class Begun:
    """A command that is to send, and has read its configuration."""

    command: str
    run: str
    started: float
    config: Config
    out: Path | None  # where its results were asked for, if anywhere

    @property
    def own_folder(self) -> Path:
        """The folder that no other run writes to, and in which `status` looks."""
        return self.config.path(self.config.out) / self.run

    @property
    def tenant(self) -> str | None:
        """The tenant that the configuration names, if it names one."""
        api = self.config.api
        return (
            None if api.placeholders else make_tenant_id(api.endpoint, api.app_id, api.organization_open_id)
        )


def halt_of(trouble: BaseException, language: str) -> Halt:
    """Return why an exception ends a run, in the words that the user is told."""
    if isinstance(trouble, OSError):
        trouble = DiskTrouble.of(trouble)
    if isinstance(trouble, KeyboardInterrupt | asyncio.CancelledError):
        return Halt("CUT_SHORT", "", INTERRUPTED)
    if isinstance(trouble, EsignImportError):
        code = next((code for kind, code in CODES if isinstance(trouble, kind)), "")
        if code:
            exit_code: HaltExit = trouble.exit_code  # type: ignore[assignment]
            return Halt(code, trouble.say(language), exit_code)
    return Halt("BUG", type(trouble).__name__, 1)


def empty_night(begun: Begun, clock: Clock, halted: Halt | None) -> RunReport:
    """Return a night in which no row was told of."""
    return RunReport(
        run=begun.run,
        command=begun.command,
        started=begun.started,
        finished=clock.now(),
        exit=halted.exit if halted else 0,
        tenant=begun.tenant,
        contract=begun.config.api.contract,
        outcomes=(),
        files=(),
        unassigned_images=(),
        traffic=Traffic(limit=begun.config.limits.requests_per_second),
        halt=halted,
        out=begun.out or begun.own_folder,
    )


def leave_record(night: RunReport, folders: Iterable[Path]) -> bool:
    """Write a night's run.json into these folders; tell whether each could be written."""
    whole = True
    for folder in dict.fromkeys(folders):
        try:
            write_json(folder / RUN, run_record(night))
        except OSError:
            whole = False
    return whole


def find_last_record(out: Path, owner: str) -> RunRecord | None:
    """Return the newest run of this tenant that left a run.json under its own name, but for a `check`; None without one."""
    return next(_records(out, owner), None)


def later_of(last: RunRecord | None, recorded: RunRecord | None) -> RunRecord | None:
    """Return the run that ended later: the ledger's last one, or the last that left a run.json.

    Of a run that broke the ledger knows no end, but its rosters; run.json tells the end.
    """
    if last is None or recorded is None:
        return last or recorded
    if last.run == recorded.run:
        ended = replace(last, exit=recorded.exit, finished=recorded.finished, record=recorded.record)
        return ended if last.finished is None else last
    # run.json tells whole seconds; of two runs that ended in one, the later began later
    return max(last, recorded, key=lambda each: (int(each.finished or each.started), each.run))


def _records(out: Path, owner: str) -> Iterator[RunRecord]:
    for path in sorted(out.glob(f"*/{RUN}"), reverse=True):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            ours = told["run"] == path.parent.name and told["command"] != "check" and told["tenant"] == owner
            if ours:
                yield _record(path.parent, told)
        except (OSError, ValueError, KeyError, TypeError):
            continue


def _record(folder: Path, told: Mapping[str, Any]) -> RunRecord:
    started, finished = (datetime.fromisoformat(told[name]).timestamp() for name in ("started", "finished"))
    return RunRecord(
        run=told["run"],
        command=told["command"],
        started=started,
        host="",
        pid=0,
        user="",
        rosters=(),
        context=(),
        seals=None,
        out=str(folder),
        contract=told["contract"],
        config_digest="",
        version="",
        exit=told["exit"],
        finished=finished,
        record=json.dumps(told, ensure_ascii=False),
    )
