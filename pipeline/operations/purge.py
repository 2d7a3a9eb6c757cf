"""Removes one person's data on request: from the ledger, from the results of earlier runs, from prepared pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.domain.results_format import LINKS, LOG, OUTCOMES, PLAN
from pipeline.domain.row_record import RowLine
from pipeline.domain.seals import Person
from pipeline.errors import DiskTrouble, UsageError
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.purge import PersonTraces
from pipeline.operations.backup import list_copies
from pipeline.operations.replaced_files import list_replaced_files
from pipeline.operations.retention import list_run_folders, remove_files
from pipeline.planning.guards import ALL_RUNS
from pipeline.reports.write import FILES
from pipeline.support.atomic_files import write_jsonl
from pipeline.workflow.hosts_factory import make_location
from pipeline.workflow.recorded_runs import RUN

_WITHOUT_NAMES = frozenset({OUTCOMES, PLAN, FILES, LOG, RUN})  # once the person's lines are blank
_LIST_SUFFIXES = frozenset({".xlsx", ".csv", ".json"})


@dataclass(frozen=True, slots=True)
class PurgePlan:
    """The data of a person that is removed, and the data that stays."""

    traces: PersonTraces = field(repr=False)
    rows: int  # of the ledger
    creates: int
    seal_ids: tuple[str, ...]
    folders: tuple[Path, ...]  # of results that mention the person
    hospital_files: tuple[Path, ...]  # where the person stands at the hospital
    other_files: tuple[Path, ...]  # copies that may hold the person


def plan_purge(
    config: Config,
    ledger: Ledger,
    *,
    key: str | None,
    row_ids: frozenset[str],
    names: Iterable[str | None],
    hospital_files: Sequence[str],
) -> PurgePlan:
    """Return what is removed of a person; UsageError while it is not certain whether a create made a seal.

    ``key`` is None for rows without a usable number; ``hospital_files`` are the roster and the picture of the newest row.
    """
    _require_certainty(ledger.snapshot().people.get(key or ""))
    records = ledger.read_person(key, row_ids)
    keys = [number for number, owner in ledger.list_same_persons().items() if owner == key]
    names = {records.name, *names, *(create.sent_name for create in records.attempts)}
    traces = PersonTraces(
        keys=frozenset(filter(None, [key, *keys])),
        row_ids=row_ids,
        names=frozenset(filter(None, names)),
    )
    runs = [Path(run.out) for run in ledger.list_runs(ALL_RUNS)]
    return PurgePlan(
        traces=traces,
        rows=len(records.rows),
        creates=len(records.attempts),
        seal_ids=tuple(seal.seal_id for seal in records.seals if seal.seal_id),
        folders=tuple(_list_mentions(list_result_folders(config), traces)),
        hospital_files=tuple(config.resolve_path(Path(path)) for path in hospital_files),
        other_files=tuple(_list_other_files(config, runs, traces)),
    )


def _require_certainty(person: Person | None) -> None:
    if person is None:
        return
    if person.unresolved_attempt is not None or (person.seal is None and person.is_seal_name_locked):
        raise UsageError("purge.uncertain", name=person.name or person.key, then=("resolve",))


def list_result_folders(config: Config) -> list[Path]:
    """Return the folders of results in ``out``: of this tenant's runs, and the copy of the last one."""
    out, tenant = config.resolve_path(config.out), config.tenant
    latest = out / "latest"
    copy = [latest] if latest.is_dir() and not latest.is_symlink() else []
    return [*(folder.path for folder in list_run_folders(out, tenant)), *copy]


def _list_mentions(folders: Sequence[Path], traces: PersonTraces) -> Iterator[Path]:
    """Yield the folders in which a line is the person's, a name stands in another line, or links of doctors are."""
    words = {
        json.dumps(word, ensure_ascii=False)[1:-1] for word in (*traces.keys, *traces.row_ids, *traces.names)
    }
    for folder in folders:
        if (folder / LINKS).is_file():
            yield folder  # links of many doctors: `autosign links` makes them again
            continue
        for name in (OUTCOMES, PLAN):
            if (folder / name).is_file():
                with (folder / name).open(encoding="utf-8") as lines:
                    if any(word in line for line in lines for word in words):
                        yield folder
                        break


def _list_other_files(config: Config, runs: Sequence[Path], traces: PersonTraces) -> Iterator[Path]:
    """Yield files that may hold the person and are not changed: results elsewhere, lists, backups, replaced files."""
    out, ledger = config.resolve_path(config.out), config.resolve_ledger_file()
    yield from sorted({run for run in runs if "*" in str(run)})  # masked: not found by the name
    elsewhere = {run for run in runs if run.parent.absolute() != out.absolute() and run.is_dir()}
    yield from _list_mentions(sorted(elsewhere), traces)
    if out.is_dir():
        yield from sorted(path for path in out.iterdir() if path.is_file() and path.suffix in _LIST_SUFFIXES)
    yield from list_replaced_files(config)
    if config.is_ledger_on_server:  # copies of a database are not ours
        yield from sorted(ledger.parent.glob("*.loaded*"))
        return
    for kept in ("replaced", "damaged"):
        yield from sorted(ledger.parent.glob(f"{ledger.name}.{kept}-*"))
    for folder in make_location(config).places.make_folders().values():
        yield from sorted(folder.glob("*/*.damaged-*"))
    if config.backup.folder is not None:
        yield from list_copies(config.resolve_path(config.backup.folder), ledger)


def strip_results(folders: Sequence[Path], traces: PersonTraces) -> None:
    """Blank the person's lines in folders of results; workbooks, pages and marked rosters of these are removed.

    SealIds and trace ids stay. Raises DiskTrouble.
    """
    named: list[Path] = []
    for folder in folders:
        for name in (OUTCOMES, PLAN):
            if (folder / name).is_file():
                _blank_lines(folder / name, traces)
        named += [entry for entry in folder.iterdir() if entry.name not in _WITHOUT_NAMES]
    remove_files(named)


def _blank_lines(path: Path, traces: PersonTraces) -> None:
    try:
        text = path.read_text("utf-8")
        lines = [_remove_person(RowLine.from_text(line), traces) for line in text.splitlines() if line]
        write_jsonl(path, [line.to_dict() for line in lines])
    except OSError as error:
        raise DiskTrouble.of(error) from error


def _remove_person(line: RowLine, traces: PersonTraces) -> RowLine:
    return line.remove_person() if traces.covers(line) else line.hide_names(traces.names)
