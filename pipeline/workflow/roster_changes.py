"""Describes what changed in the rosters since the last run over them: new people, changed fields, people who are gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.domain.fields import FIELDS
from pipeline.domain.message import Message
from pipeline.domain.roster import Field
from pipeline.domain.row_record import RowLine
from pipeline.domain.run import RowOutcome, RunReport, RunRequest
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import RunRecord
from pipeline.messages.catalogue import join_messages, make_message
from pipeline.planning.guards import has_read_rosters, list_emptied_folders, reads_same_rosters
from pipeline.reports.presenter import Presenter
from pipeline.reports.records import record_outcome

_RUNS_SEARCHED = 100
_NOTHING = "—"
# the fields of a record that are read from the roster; the seal name may be made of others
_COMPARED = tuple(
    one for one, definition in FIELDS.items() if definition.result and one is not Field.SEAL_NAME
)


def describe_changes(
    ledger: Ledger,
    request: RunRequest,
    report: RunReport,
    outcomes: Iterable[RowOutcome],
    presenter: Presenter,
) -> list[Message]:
    """Return how the rows differ from those of the last run over the same rosters; nothing where there was none.

    Nothing is compared while a roster, or a part of it, was not read: its rows are not gone. Nor is it while a roster is
    read in two versions: its rows are not new. The first text counts, each other one names a person, values masked.
    """
    is_unclear = any(file.needs_correction or file.other_version for file in report.files)
    last_run = None if is_unclear or list_emptied_folders(request, ledger) else _get_last_run(ledger, request)
    if last_run is None:
        return []
    earlier = [record.read_line() for record in ledger.list_rows(last_run.run)]
    by_person = {line.key or line.row_id: line for line in earlier}
    by_name = {_get_name_and_staff_no(line): line for line in earlier}
    by_name.pop(None, None)
    met: set[int] = set()  # ids of lines of the last run
    new, changed = [], []
    for outcome in outcomes:
        now = record_outcome(outcome, run="", presenter=presenter)
        # a corrected number makes another key
        before = by_person.get(now.key or now.row_id) or by_name.get(_get_name_and_staff_no(now))
        if before is None:
            new.append(_describe_row("changes.new", now))
            continue
        met.add(id(before))
        if steps := _list_steps(before, now):
            changed.append(_describe_row("changes.changed", now, steps=join_messages(steps)))
    gone = [_describe_row("changes.gone", line) for line in by_person.values() if id(line) not in met]
    if not (new or changed or gone):
        return [make_message("changes.none", run=last_run.run)]
    count = make_message(
        "changes.count", run=last_run.run, new=len(new), changed=len(changed), gone=len(gone)
    )
    return [count, *new, *changed, *gone]


def _describe_row(key: str, line: RowLine, **details: object) -> Message:
    sheet = " ".join(filter(None, (line.file, line.sheet)))
    position = make_message("separator.row", place=sheet, row=line.row, more="")
    return make_message(key, name=line.get(Field.NAME) or _NOTHING, place=position, **details)


def _list_steps(before: RowLine, now: RowLine) -> Sequence[Message]:
    """Return each field that differs with its values; a number and a picture may look alike and differ."""
    steps = [
        make_message("changes.step", field=make_message(f"field.{one}"), before=values[0], now=values[1])
        for one in _COMPARED
        if (values := [line.get(one) or _NOTHING for line in (before, now)])[0] != values[1]
    ]
    if before.picture and now.picture and before.picture.sha256 != now.picture.sha256:
        steps.append(make_message("changes.another", field=make_message(f"field.{Field.PICTURE}")))
    if before.key != now.key and before.get(Field.NUMBER) == now.get(Field.NUMBER):
        steps.append(make_message("changes.another", field=make_message(f"field.{Field.NUMBER}")))
    return steps


def _get_name_and_staff_no(line: RowLine) -> tuple[str, str] | None:
    name, staff_no = line.get(Field.NAME), line.get(Field.STAFF_NO)
    return (name, staff_no) if name and staff_no else None


def _get_last_run(ledger: Ledger, request: RunRequest) -> RunRecord | None:
    """Return the last run over the same rosters that read them all; one that was killed before it recorded them counts."""
    rosters = request.make_path_digests(ledger.site_key).digest_all(request.rosters)
    for run in ledger.list_runs(_RUNS_SEARCHED):
        is_whole = all(
            file["status"] == "read" and not file["codes"] for file in run.content.get("files", ())
        )
        is_comparable = run.command == "run" and has_read_rosters(run) and is_whole
        if is_comparable and reads_same_rosters(run, rosters):
            return run
    return None
