"""What a row waits for: the next run, a correction, a picture, a decision."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pipeline.domain.roster import Field, Problem
from pipeline.domain.run import (
    EndedRow,
    Status,
    has_doubtful_picture,
    has_held_picture,
    is_redundant_copy,
    waits_for_review,
)


class RowTask(StrEnum):
    """What a row waits for."""

    NOTHING = "nothing"
    SEND = "send"  # the next run
    TO_BE_SENT = "to_be_sent"  # a run, after the check
    CORRECT = "correct"  # its cells, or what the service refused
    ADD_PICTURE = "add_picture"  # its picture; see `choose_picture_task`
    ALLOW_READING = "allow_reading"  # IT: the picture may not be read
    REVIEW = "review"
    RESOLVE = "resolve"  # what became of its create
    DECIDE = "decide"  # the row or its seal
    CHOOSE_PICTURE = "choose_picture"  # of a sealed doctor
    JUDGE_PICTURE = "judge_picture"  # it may be an earlier doctor's
    JUDGE_PERSON = "judge_person"  # the number may be a known doctor's corrected one


_TASKS = {
    Status.UNKNOWN: RowTask.RESOLVE,
    Status.EXISTS: RowTask.RESOLVE,
    Status.CHANGED: RowTask.DECIDE,
    Status.READY: RowTask.TO_BE_SENT,
}


def choose_task(row: EndedRow) -> RowTask:
    if row.status in _TASKS:
        return _TASKS[row.status]
    if get_unread_problem(row) is not None:
        return RowTask.ALLOW_READING
    if row.status in {Status.SEALED, Status.UNCHANGED}:
        return RowTask.CHOOSE_PICTURE if has_doubtful_picture(row) else RowTask.NOTHING
    if row.status is Status.NOT_SENT:
        return RowTask.REVIEW if waits_for_review(row) else RowTask.SEND
    return RowTask.CORRECT if row.status is Status.FAILED else _choose_correction(row)


def _choose_correction(row: EndedRow) -> RowTask:
    """Return what a rejected row waits for."""
    if is_redundant_copy(row):
        return RowTask.NOTHING
    if has_held_picture(row):
        return RowTask.JUDGE_PICTURE
    if get_known_person(row):
        return RowTask.JUDGE_PERSON
    return RowTask.ADD_PICTURE if _needs_picture_alone(row) else RowTask.CORRECT


def get_unread_problem(row: EndedRow) -> Problem | None:
    """Return the problem of a picture that the user who runs may not read."""
    unread = (problem for problem in row.problems if problem.code == "IMAGE_NOT_READ")
    return next((problem for problem in unread if problem.detail.get("user")), None)


def get_known_person(row: EndedRow) -> str:
    """Return the SealId or trace id of the person whose corrected number a row may give, "" for none."""
    detail = get_detail(row, "PERSON_POSSIBLY_SAME", "agreed")
    return str(detail.get("seal") or detail.get("trace") or "")


def get_detail(row: EndedRow | None, code: str, word: str) -> Mapping[str, str]:
    """Return the detail of a row's first problem of a code that has this word; empty for none."""
    problems = row.problems if row else ()
    details = (problem.detail for problem in problems if problem.code == code)
    return next((detail for detail in details if detail.get(word)), {})


def _needs_picture_alone(row: EndedRow) -> bool:
    """Return whether a row has no errors but those of its picture, and none of them is corrected in the roster."""
    return bool(row.errors) and all(map(_is_picture_problem, row.errors))


def _is_picture_problem(error: Problem) -> bool:
    """Return whether an error is put right in the picture folder: an entry or a picture of the roster is not at fault."""
    if error.field is not Field.PICTURE or error.code == "IMAGE_PATH_REJECTED":
        return False
    is_in_roster = error.detail.get("claimed") or error.detail.get("between")
    return error.code.startswith("IMAGE_") and not is_in_roster


class PictureTask(StrEnum):
    """What is done about the picture of a row that waits for `RowTask.ADD_PICTURE`."""

    PUT_IN = "put_in"
    CHOOSE = "choose"  # it is not certain whose picture it is
    REPLACE = "replace"  # damaged, blank, too small, or another format


def choose_picture_task(row: EndedRow) -> PictureTask:
    """Return what is done about a row's picture."""
    codes = {error.code for error in row.errors}
    if codes & {"IMAGE_AMBIGUOUS", "IMAGE_SHARED"}:
        return PictureTask.CHOOSE
    return PictureTask.PUT_IN if "IMAGE_MISSING" in codes else PictureTask.REPLACE
