"""Reads the run.json files of earlier runs: `status` finds there how a run ended that never reached the ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.ledger.records import RunRecord

RUN, LATEST, LOG_NAME = "run.json", "latest", "log.jsonl"
AUTOSIGN = "autosign"  # the command of a run.json that has no rows
READING_COMMANDS = ("run", "retry")  # they read rosters; other commands leave a run.json without rows
RUN_FOLDER = re.compile(r"\d{8}-\d{6}-\d{3}")  # the name of a folder with the results of one run


def read_last_recorded_run(out: Path, tenant: str, passed_over: Collection[str] = ()) -> RunRecord | None:
    """Return the newest run of this tenant that left a run.json under its own name.

    Commands that read no roster are no runs: the run before them has the rows that wait for a person. A run that stopped
    by a code of ``passed_over`` is passed over.
    """
    for run in list_recorded_runs(out, tenant):
        code = (run.content.get("halted") or {}).get("code")
        if run.command in READING_COMMANDS and code not in passed_over:
            return run
    return None


def list_recorded_runs(out: Path, tenant: str, *, are_checks: bool = False) -> Iterator[RunRecord]:
    """Yield the runs of this tenant that left a run.json under their own names, the newest first; no `check`, or these alone."""
    folders: list[Path] = []
    with suppress(OSError):
        folders = sorted(out.iterdir(), reverse=True)
    for folder in folders:
        path = folder / RUN
        with suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(path.read_text(encoding="utf-8"))
            is_ours = content["run"] == path.parent.name and content["tenant"] == tenant
            if is_ours and (content["command"] == "check") is are_checks:
                yield load_record(path.parent, content)


def select_later_run(last: RunRecord | None, recorded: RunRecord | None) -> RunRecord | None:
    """Return the run that ended later: the ledger's last one, or the last that left a run.json.

    Of a run that broke, the ledger knows the rosters but not the end; run.json holds the end. A run whose ledger another
    run has taken over is not the last one, whenever it ended.
    """
    if last is None or recorded is None:
        return last or recorded
    if last.run == recorded.run:
        if last.finished is not None:
            return last
        return replace(last, exit=recorded.exit, finished=recorded.finished, record=recorded.record)
    if json.loads(recorded.record or "{}").get("superseded"):
        return last
    # run.json holds whole seconds; of two runs that ended in the same second, the later one began later
    return max(last, recorded, key=lambda record: (int(record.finished or record.started), record.run))


def load_record(folder: Path, content: Mapping[str, Any]) -> RunRecord:
    started, finished = (
        datetime.fromisoformat(content[name]).timestamp() for name in ("started", "finished")
    )
    return RunRecord(
        run=content["run"],
        command=content["command"],
        started=started,
        out=str(folder),
        contract=content["contract"],
        exit=content["exit"],
        finished=finished,
        record=json.dumps(content, ensure_ascii=False),
    )
