"""Describes what changed in the rosters since the last run over them: new people, changed fields, people who are gone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pipeline.domain.fields import FIELDS
from pipeline.domain.message import Message
from pipeline.domain.roster import Field
from pipeline.domain.row_record import RowLine
from pipeline.domain.run import RowOutcome, RunReport, RunRequest
from pipeline.ledger.protocol import Ledger, RunRecord
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

    Nothing is compared while a roster, or a part of it, was not read: its rows are not gone.
    Nor is it while a roster is read in two versions: its rows are not new.

    The first text counts, each other one names a person, values masked. Rows are paired by person, else by content, else
    by name and staff number: a corrected identity number makes another key.
    """
    is_unclear = any(file.needs_correction or file.other_version for file in report.files)
    if is_unclear or list_emptied_folders(request, ledger):
        return []
    last_run = _get_last_run(ledger, request)
    if last_run is None:
        return []
    are_pictures_listed = bool(request.seals and last_run.seals) and not (
        report.unreadable_images or report.are_seals_misread
    )
    lines = [record_outcome(outcome, run="", presenter=presenter) for outcome in outcomes]
    pairing = _Pairing(lines, [record.read_line() for record in ledger.list_rows(last_run.run)])
    for get_trait in (_get_key, _get_row_id, _get_name_and_staff_no):
        pairing.pair_by(get_trait)
    changed = [
        (before, now, fields)
        for before, now in pairing.pairs
        if (fields := _list_fields(before, now, are_pictures_listed=are_pictures_listed))
    ]
    changed.sort(key=lambda change: (change[1].file, change[1].sheet or "", change[1].row))
    if not (pairing.now or changed or pairing.before):
        return [make_message("changes.none", run=last_run.run)]
    count = make_message(
        "changes.count",
        run=last_run.run,
        new=len(pairing.now),
        changed=len(changed),
        gone=len(
            {_get_key(line) or line.row_id for line in pairing.before}
            - {_get_key(line) for _, line in pairing.pairs}
        ),
    )
    if changed:
        by_field = Counter(one for *_, fields in changed for one in fields)
        counts = [
            make_message("changes.rows_of_field", field=_name_field(one), rows=rows)
            for one, rows in by_field.most_common()
        ]
        count = make_message("changes.count_fields", **count.arguments, fields=join_messages(counts))
    return [
        count,
        *(_describe_row("changes.new", line) for line in pairing.now),
        *(_describe_changed_row(before, now, fields) for before, now, fields in changed),
        *(_describe_row("changes.gone", line) for line in pairing.before),
    ]


def _describe_row(key: str, line: RowLine, **details: object) -> Message:
    position = " ".join(filter(None, (line.file, line.sheet, str(line.row))))
    return make_message(key, name=line.get(Field.NAME) or _NOTHING, place=position, **details)


def _describe_changed_row(before: RowLine, now: RowLine, fields: Sequence[Field]) -> Message:
    steps = []
    for one in fields:
        values = [_get_value(line, one) for line in (before, now)]
        if values[0] == values[1]:  # the same last four characters, or another picture in the same file
            steps.append(make_message("changes.another", field=_name_field(one)))
        else:
            steps.append(
                make_message("changes.step", field=_name_field(one), before=values[0], now=values[1])
            )
    return _describe_row("changes.changed", now, steps=join_messages(steps))


def _get_value(line: RowLine, one: Field) -> str:
    if one is Field.PICTURE:
        return line.picture.path if line.picture else _NOTHING
    return line.get(one) or _NOTHING


def _name_field(one: Field) -> Message:
    return make_message(f"field.{one}")


def _get_last_run(ledger: Ledger, request: RunRequest) -> RunRecord | None:
    """Return the last run over the same rosters that read them all."""
    rosters = [str(path.absolute()) for path in request.rosters]
    for run in ledger.list_runs(_RUNS_SEARCHED):
        is_comparable = run.command == "run" and reads_same_rosters(run, rosters, str(request.out))
        if is_comparable and _has_read_all(run):
            return run
    return None


def _has_read_all(run: RunRecord) -> bool:
    """Return whether a run read rosters, and all of them whole; one that was made again from receipts counts."""
    files = run.content.get("files", ())
    is_whole = all(file["status"] == "read" and not file["codes"] for file in files)
    return has_read_rosters(run) and is_whole


@dataclass(slots=True)
class _Pairing:
    """The rows of two runs that have no counterpart yet, and the pairs."""

    now: list[RowLine]
    before: list[RowLine]
    pairs: list[tuple[RowLine, RowLine]] = field(default_factory=list)

    def pair_by(self, get_trait: Callable[[RowLine], object]) -> None:
        """Pair the rows with the same trait, in their order; a row whose trait is None stays alone."""
        waiting: defaultdict[object, list[RowLine]] = defaultdict(list)
        for line in self.before:
            waiting[get_trait(line)].append(line)
        waiting.pop(None, None)
        alone = []
        for line in self.now:
            if earlier := waiting.get(get_trait(line)):
                self.pairs.append((earlier.pop(0), line))
            else:
                alone.append(line)
        paired = {id(before) for before, _ in self.pairs}
        self.now, self.before = alone, [line for line in self.before if id(line) not in paired]


def _get_key(line: RowLine) -> str | None:
    return line.key


def _get_row_id(line: RowLine) -> str | None:
    return line.row_id


def _get_name_and_staff_no(line: RowLine) -> tuple[str, str] | None:
    name, staff_no = line.get(Field.NAME), line.get(Field.STAFF_NO)
    return (name, staff_no) if name and staff_no else None


def _list_fields(before: RowLine, now: RowLine, *, are_pictures_listed: bool) -> list[Field]:
    """Return the fields that differ."""
    fields: list[Field] = [one for one in _COMPARED if before.get(one) != now.get(one)]
    if before.key != now.key and Field.NUMBER not in fields:
        fields.insert(0, Field.NUMBER)  # the last four characters are the same
    pictures = [line.picture.sha256 if line.picture else None for line in (before, now)]
    are_known = all(line.picture or (are_pictures_listed and _lacks_picture(line)) for line in (before, now))
    return [*fields, Field.PICTURE] if are_known and pictures[0] != pictures[1] else fields


def _lacks_picture(line: RowLine) -> bool:
    """Return whether no file is named for a row; a picture that is doubted or cannot be read is there all the same."""
    return "IMAGE_MISSING" in line.codes
