"""What needs a person now, by the newest run or check: one list, each entry with the page where it is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.row_tasks import PictureTask, RowTask, choose_picture_task, choose_task
from pipeline.domain.run import UNRESOLVED_STATUSES, EndedRow
from pipeline.reports.presenter import Presenter

TO_FIX, TO_DECIDE = "/rows?status=to_fix", "/cases"


@dataclass(frozen=True, slots=True)
class Entry:
    """A kind of entry: the key of its text, and the page where it is done; None where it is done elsewhere."""

    key: str
    address: str | None
    page: str | None  # key of its name


_DECIDE = Entry("web.todo.decide", TO_DECIDE, "web.nav.cases")
_CORRECT = Entry("web.todo.correct", TO_FIX, "web.nav.rows")
_SEND = Entry("web.todo.send", "/send", "web.nav.send")
FILES = Entry("web.todo.files", "/drop", "web.nav.drop")
# in the order in which they are listed, the most urgent first
_OF_TASKS: Mapping[RowTask, Entry] = {
    RowTask.RESOLVE: _DECIDE,
    RowTask.DECIDE: _DECIDE,
    RowTask.JUDGE_PERSON: _DECIDE,
    RowTask.JUDGE_PICTURE: _DECIDE,
    RowTask.CHOOSE_PICTURE: Entry("web.todo.doubtful", "/rows?code=IMAGE_AMBIGUOUS", "web.nav.rows"),
    RowTask.ALLOW_READING: Entry("web.todo.allow_reading", None, None),
    RowTask.CORRECT: _CORRECT,
    RowTask.REVIEW: Entry("web.todo.review", "/review", "web.nav.review"),
    RowTask.SEND: _SEND,
    RowTask.TO_BE_SENT: _SEND,
}
_OF_PICTURES: Mapping[PictureTask, Entry] = {
    PictureTask.PUT_IN: Entry("web.todo.put_in", "/rows?code=IMAGE_MISSING", "web.nav.rows"),
    PictureTask.CHOOSE: Entry("web.todo.choose", TO_FIX, "web.nav.rows"),
    PictureTask.REPLACE: Entry("web.todo.replace", TO_FIX, "web.nav.rows"),
}
_ORDER = (FILES, *dict.fromkeys(_OF_TASKS.values()))


def list_entries(
    rows: Sequence[EndedRow], unresolved: int, unread_files: int, presenter: Presenter
) -> Iterator[dict[str, object]]:
    """Yield the entries as the template shows them.

    ``unresolved`` creates wait for a decision, also those of doctors who are in no roster any more; ``unread_files`` are
    rosters that were refused.
    """
    counts = Counter(filter(None, map(_choose_entry, rows)))
    unresolved_rows = sum(row.status in UNRESOLVED_STATUSES for row in rows)
    counts[_DECIDE] += max(0, unresolved - unresolved_rows)
    if unread_files:
        counts[FILES] = unread_files
    order = (*_ORDER[:-1], *_OF_PICTURES.values(), _SEND)
    for entry in order:
        if counts[entry]:
            yield {
                "text": presenter.render(entry.key, n=counts[entry]),
                "address": entry.address,
                "place": presenter.render(entry.page) if entry.page else None,
                "commands": (),
            }


def _choose_entry(row: EndedRow) -> Entry | None:
    task = choose_task(row)
    return _OF_PICTURES[choose_picture_task(row)] if task is RowTask.ADD_PICTURE else _OF_TASKS.get(task)
