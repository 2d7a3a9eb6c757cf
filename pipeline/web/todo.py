"""What needs a person now, by the newest run or check: one list, each entry with the page where it is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.row_tasks import PictureTask, RowTask, choose_picture_task, choose_task
from pipeline.domain.run import UNRESOLVED_STATUSES, EndedRow
from pipeline.reports.next_steps import NextStep
from pipeline.reports.presenter import Presenter

TO_FIX, TO_DECIDE = "/rows?status=to_fix", "/cases"
SENDING = (["run"], ["retry"], ["check"])  # the commands whose place is the page that sends
RESOLVE = "resolve"  # the command that has a page of its own
_ROWS = (TO_FIX, "web.nav.rows")
# steps by their texts -> the page on which they are done, and its name
PAGES_OF_STEPS = {
    **dict.fromkeys(("next.fix", "next.failed_too", "step.fix_roster", "step.fix_picture"), _ROWS),
    **dict.fromkeys(("next.pictures", "next.pictures_now"), ("/rows/pictures", "rows.pictures")),
    "step.another_person": (TO_DECIDE, "web.nav.cases"),
    "step.unseen": ("/drop", "web.nav.drop"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A kind of entry: the key of its text, and the page where it is done; None where it is done elsewhere."""

    key: str
    address: str | None
    page: str | None  # key of its name


DECIDE = Entry("web.todo.decide", TO_DECIDE, "web.nav.cases")
_CORRECT = Entry("web.todo.correct", TO_FIX, "web.nav.rows")
_SEND = Entry("web.todo.send", "/send", "web.nav.send")
FILES = Entry("web.todo.files", "/drop", "web.nav.drop")
# in the order in which they are listed, the most urgent first
_OF_TASKS: Mapping[RowTask, Entry] = {
    RowTask.RESOLVE: DECIDE,
    RowTask.DECIDE: DECIDE,
    RowTask.JUDGE_PERSON: DECIDE,
    RowTask.JUDGE_PICTURE: DECIDE,
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
    counts = Counter(filter(None, map(choose_entry, rows)))
    unresolved_rows = sum(row.status in UNRESOLVED_STATUSES for row in rows)
    counts[DECIDE] += max(0, unresolved - unresolved_rows)
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


def choose_place(step: NextStep, invocation: str, presenter: Presenter) -> dict[str, str | None]:
    """Return the address of the page on which a step is done, and its name; none for what only a shell can do.

    ``invocation`` is how the program is called, before the words of the step's commands.
    """
    words = (step.command or "").removeprefix(invocation).split()
    page = PAGES_OF_STEPS.get(step.text.key)
    if page is None and words[:1] in SENDING:
        page = ("/send", "web.nav.send")
    if page is None and words[:1] == [RESOLVE]:
        page = (TO_DECIDE, "web.nav.cases")
    address, key = page or (None, None)
    return {"address": address, "place": presenter.render(key) if key else None}


def choose_entry(row: EndedRow) -> Entry | None:
    """Return what a row waits for, None for nothing."""
    task = choose_task(row)
    return _OF_PICTURES[choose_picture_task(row)] if task is RowTask.ADD_PICTURE else _OF_TASKS.get(task)
