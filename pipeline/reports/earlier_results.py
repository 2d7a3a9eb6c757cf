"""The results of earlier runs: seals and creates that a ledger does not hold."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field as _field
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.domain.results_format import OUTCOMES
from pipeline.domain.seals import KeptAnswer

CREATE_ENDS_WITH = "CreatePreparedPersonalEsign"  # the create's name, in every product of the service
PLAN, LOG = "plan.jsonl", "log.jsonl"
MAX_LINE = 1 << 20  # characters of a line that is read; one of ours has some thousand

# statuses of a row for which a create was sent
CREATED_STATUSES = ("sealed", "unchanged", "changed", "unknown", "exists")


def list_lacking_runs(
    out: Path,
    tenant: str,
    *,
    known_runs: Collection[str],
    accepted_runs: Collection[str],
    known_seals: Callable[[], Collection[str]],
    known_attempts: Callable[[], Collection[str]],
    last_run: str | None,
    receipts: int,
) -> Mapping[str, Path]:
    """Return the runs of a tenant whose results show creates or seals that a ledger lacks, each with its file.

    ``known_*`` is what the ledger holds. Of the runs that it holds only the last one is compared, by the number of the
    receipt with which it ended, or by its creates where its end was not entered: the ledger could not be written. Of a run that it does not hold it must know every SealId and create; a `check` enters no
    run, so one that is older than the ledger's last run is skipped. The log of a killed run must show no other create.
    ``accepted_runs`` were missing before, and a person decided to go on without them.
    """
    lacking: dict[str, Path] = {}
    for log in _list_unfinished_logs(out, tenant):
        run = log.parent.name
        if run not in accepted_runs and not _list_trace_ids(log) <= set(known_attempts()):
            lacking[run] = log
    for path, record in _read_records(out, tenant, skipped={*accepted_runs, *known_runs} - {last_run}):
        run = str(record["run"])
        if run in accepted_runs:
            continue
        if run in known_runs:
            lacks = run == last_run and _is_behind(record, receipts, known_attempts, path.parent)
        elif record.get("command") == "check" and last_run is not None and run < last_run:
            continue
        else:
            lacks = shows_seals(record) and not _holds_all(known_seals, known_attempts, path.parent)
        if lacks:
            lacking.setdefault(run, path)
    return lacking


def read_kept_answers(folder: Path) -> Iterator[tuple[str, KeptAnswer]]:
    """Yield the answers that the log and the outcomes of a run keep, each with the trace id of its attempt.

    Nothing of it is proven (`KeptAnswer.is_of`). Files that are missing, or hold something else, hold no answer.
    """
    for name in (LOG, OUTCOMES):
        with suppress(OSError):
            for line in _read_lines(folder / name, containing='"kept_answer"'):
                answer = KeptAnswer.from_dict(line.get("kept_answer"))
                if answer is not None:
                    yield str(line.get("trace_id")), answer


@dataclass(frozen=True, slots=True)
class RecordedCreate:
    """A create, or the seal of one, as the log or the outcomes of a run name it. Nothing of it is proven."""

    run: str
    status: str
    trace_id: str | None = None  # None for a seal that was made elsewhere
    row_id: str | None = None
    request_id: str | None = None
    seal_id: str | None = None
    key: str | None = None  # this and what follows: of the outcomes alone
    name: str | None = _field(default=None, repr=False)
    id_masked: str | None = None
    seal_name: str | None = None
    picture: str | None = None  # sha256


def list_recorded_creates(folder: Path, run: str) -> list[RecordedCreate]:
    """Return the creates and seals that log and outcomes of a run name; where both do, the outcomes count."""
    creates: dict[str | None, RecordedCreate] = {}
    for name in (LOG, OUTCOMES):
        with suppress(OSError):
            for line in _read_lines(folder / name):
                create = _make_recorded_create(line, run)
                if create is not None and (create.trace_id or create.seal_id):
                    creates[create.trace_id or create.seal_id] = create
    return list(creates.values())


def _read_lines(path: Path, *, containing: str = "") -> Iterator[Mapping[str, Any]]:
    """Yield the JSON objects of a file, none of a pipe; only lines that contain a text are parsed.

    The last line of a killed process, and what another program wrote, is no JSON object.
    """
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in iter(partial(lines.readline, MAX_LINE), ""):
            if containing not in line:
                continue
            with suppress(ValueError, RecursionError):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    yield entry


def _make_recorded_create(line: Mapping[str, Any], run: str) -> RecordedCreate | None:
    answer, picture = line.get("kept_answer"), line.get("picture")
    texts = {
        name: value
        for name in (
            "status",
            "trace_id",
            "row_id",
            "request_id",
            "seal_id",
            "key",
            "name",
            "id_masked",
            "seal_name",
        )
        if isinstance(value := line.get(name), str) and value
    }
    if isinstance(answer, dict) and isinstance(answer.get("seal_id"), str):
        texts.setdefault("seal_id", answer["seal_id"])
    if isinstance(picture, dict) and isinstance(picture.get("sha256"), str):
        texts["picture"] = picture["sha256"]
    if "status" not in texts:
        return None
    return RecordedCreate(run, **texts)


def shows_seals(record: Mapping[str, Any]) -> bool:
    """Return whether a run.json shows a seal or counts a create."""
    return count_creates(record) > 0 or any(map(record["statuses"].get, CREATED_STATUSES))


def _holds_all(
    known_seals: Callable[[], Collection[str]], known_attempts: Callable[[], Collection[str]], folder: Path
) -> bool:
    """Return whether the ledger knows every seal of a run, and every create that it left unresolved."""
    try:
        lines = next(path for name in (OUTCOMES, PLAN) if (path := folder / name).exists())
        with lines.open(encoding="utf-8") as text:
            rows = [json.loads(line) for line in text]
        return all(
            row["seal_id"] in known_seals()
            if row["seal_id"]
            else row["status"] not in CREATED_STATUSES or row["trace_id"] in known_attempts()
            for row in rows
        )
    except (OSError, StopIteration, ValueError, KeyError):
        return False


def _is_behind(
    record: Mapping[str, Any], receipts: int, known_attempts: Callable[[], Collection[str]], folder: Path
) -> bool:
    """Return whether a ledger that holds a run lacks what came later in that run; ``folder`` holds its results."""
    if "receipts" in record:  # its end was entered
        return bool(receipts < record["receipts"])
    creates = list_recorded_creates(folder, folder.name)
    traces = {create.trace_id for create in creates if create.status in CREATED_STATUSES} - {None}
    return not traces <= set(known_attempts())


def _list_trace_ids(log: Path) -> set[str]:
    """Return the trace ids of the creates that a log shows as sent."""
    return {
        str(line["trace_id"])
        for line in _read_lines(log)
        if line.get("status") in CREATED_STATUSES and line.get("trace_id")
    }


def get_earlier_run(out: Path, tenant: str) -> Path | None:
    """Return the newest run.json below ``out`` of this tenant that shows a seal or a create, else a log, or None.

    If there is one and no ledger, the ledger was lost: a new one would take every doctor for new. A run without changes
    shows seals as well; with ``--out`` its run.json may be the only one that remains here.
    """
    with_seals = (path for path, record in _read_records(out, tenant) if shows_seals(record))
    return next(itertools.chain(with_seals, _list_unfinished_logs(out, tenant)), None)


def _list_unfinished_logs(out: Path, tenant: str) -> Iterator[Path]:
    """Yield the log of each run of this tenant that sent creates and did not end, the newest first.

    Such a run wrote no outcomes; if its ledger was lost as well, only the log shows its seals.
    """
    for log in sorted(out.glob(f"*/{LOG}"), reverse=True):
        is_complete = all((log.parent / name).exists() for name in ("run.json", OUTCOMES))
        if not is_complete and shows_creates(log, tenant):
            yield log


def shows_creates(log: Path, tenant: str) -> bool:
    """Return whether a log is of a tenant's run that sent creates."""
    try:
        # a line may end within a character: the process was killed, or the disk full
        with log.open(encoding="utf-8", errors="replace") as lines:
            first = json.loads(next(lines, "null"))
            ours = isinstance(first, dict) and first.get("tenant") == tenant
            return ours and any(
                f'"status": "{status}"' in line for line in lines for status in CREATED_STATUSES
            )
    except (OSError, ValueError):
        return False


def count_creates(record: Mapping[str, Any]) -> int:
    """Return how many create calls a run.json counts."""
    requests = record.get("requests", {})
    return sum(sum(codes.values()) for action, codes in requests.items() if is_create(action))


def is_create(action: str) -> bool:
    """Return whether a call of the service makes a seal."""
    return action.endswith(CREATE_ENDS_WITH)


def _read_records(
    out: Path, tenant: str, *, skipped: Collection[str | None] = ()
) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield each run.json that can be read: the copy of the last run, then the newest folders first.

    Folders of ``skipped`` runs are not opened.
    """
    for path in sorted(out.glob("*/run.json"), reverse=True):
        if path.parent.name in skipped:
            continue
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if (
            isinstance(record, dict)
            and record.get("tenant") == tenant
            and {"run", "statuses"} <= record.keys()
        ):
            yield path, record
