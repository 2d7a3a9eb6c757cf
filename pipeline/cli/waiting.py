"""What waits for a decision, as `resolve` lists it: who, what is open, and where to go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.session import Session
from pipeline.clock import shown, stamp
from pipeline.words.sentences import say as mark

if TYPE_CHECKING:
    from pipeline.desk.cases import Case
    from pipeline.ledger.sqlite import SqliteLedger

WORKBOOK = "results.xlsx"
LOOKED_AT = 50  # runs, newest first


def tell_waiting(session: Session, ledger: SqliteLedger, found: Sequence[Case]) -> int:
    """List cases, how each kind is settled, and the next command, which decides nothing; return the exit code."""
    if not found:
        session.say("resolve_nothing")
        session.proceed("next_run", "run")
        return 0
    for case in found:
        _tell(session, ledger, case)
    session.say("resolve_ways", program=session.invocation)
    workbook = _workbook(ledger, found)
    if workbook is not None:
        session.proceed("next_sheet", "resolve", str(workbook))
    else:
        session.proceed("next_story", "explain", sure_word(found[0]))
    return 3


def sure_word(case: Case) -> str:
    """Return the word that means this case and no other: its trace id, its seal's id, or else its key."""
    if case.attempt is not None:
        return case.attempt.uuid
    return case.past.seal.seal_id if case.past.seal else case.key


def _tell(session: Session, ledger: SqliteLedger, case: Case) -> None:
    place = _place(session, ledger, case)
    if case.attempt is not None:
        session.say(
            f"resolve_{case.status.value}",
            name=case.name,
            place=place,
            seal_name=case.seal_name,
            at=shown(stamp(case.attempt.at)),
            trace=case.attempt.uuid,
            host=case.attempt.host,
        )
        if case.attempt.seal_id:
            session.say("resolve_evidence", seal_id=case.attempt.seal_id)
        return
    if case.possibly_same is not None:
        _tell_possibly_same(session, case, place)
        return
    assert case.past.seal is not None
    session.say(
        "resolve_changed",
        name=case.name,
        place=place,
        seal_name=case.seal_name,
        seal_id=case.past.seal.seal_id,
        differs=_differs(session, case),
    )


def _tell_possibly_same(session: Session, case: Case, place: str) -> None:
    assert case.planned is not None
    detail = next(
        each.detail
        for each in case.planned.problems
        if each.code == "PERSON_POSSIBLY_SAME" and "agreed" in each.detail
    )
    seal, trace = detail.get("seal"), detail.get("trace")
    session.say(
        "resolve_rejected",
        name=case.name,
        place=place,
        agreed=_field_words(session, detail["agreed"]),
        seal_name=detail["sealed"],
        tail=detail["tail"],
        at=detail["day"],
        word=f"SealId {seal}" if seal else f"TraceId {trace}",
    )


def _place(session: Session, ledger: SqliteLedger, case: Case) -> str:
    """Return what tells two namesakes apart: staff number, last four, and the row that a roster has or had."""
    from pipeline.desk.story import story_of  # noqa: PLC0415
    from pipeline.results.privacy import mask_text  # noqa: PLC0415
    from pipeline.words.story import say  # noqa: PLC0415

    if case.planned is not None:
        doctor = case.planned.doctor
        origin = doctor.row.origin
        staff_no, number = doctor.staff_no, doctor.number
        place = f"{origin.file} {origin.sheet or ''} {origin.row}"
    else:  # its roster came by the command line, or has lost the row
        story = story_of(ledger.life(case.key), run=ledger.run)
        staff_no, number = story.staff_no, story.id_masked
        line = story.line
        place = f"{line['file']} {line['sheet'] or ''} {line['row']}" if line else ""
    parts = (
        say("who.staff_no", session.spoken, text=staff_no) if staff_no else "",
        say("who.last_four", session.spoken, text=number[-4:]) if number else "",
        place,
    )
    return mask_text(mark("mark.comma", session.spoken).join(filter(None, parts)) or "—")


def _differs(session: Session, case: Case) -> str:
    """Return the fields in which a row differs from its seal, in the reader's words."""
    problems = case.planned.problems if case.planned else ()
    differs = [each.detail["differs"] for each in problems if each.code == "CONTENT_CHANGED"]
    return _field_words(session, " ".join(differs))


def _field_words(session: Session, fields: str) -> str:
    from pipeline.words.results import field_word  # noqa: PLC0415

    return mark("mark.comma", session.spoken).join(
        field_word(field, session.spoken) for field in fields.split()
    )


def _workbook(ledger: SqliteLedger, found: Sequence[Case]) -> Path | None:
    """Return the workbook whose Unknown sheet holds most of these cases, the newest of them; None where none does.

    A retry's workbook tells only what was tried again, so the last one need not be it.
    """
    from pipeline.results.facts import UNSETTLED  # noqa: PLC0415
    from pipeline.results.held import newest  # noqa: PLC0415
    from pipeline.results.privacy import mask_path  # noqa: PLC0415

    waiting = {case.key for case in found if case.attempt is not None}
    best: tuple[int, Path | None] = (0, None)
    outs: set[str] = set()
    for record in ledger.runs(LOOKED_AT) if waiting else ():
        if record.finished is None or record.out in outs:  # a later run has written over an earlier one's
            continue
        outs.add(record.out)
        rows = ledger.rows_of(record.run)
        held = len({row.key for row in rows if row.status in UNSETTLED} & waiting)
        path = newest(Path(record.out) / WORKBOOK)
        if held > best[0] and path.is_file() and mask_path(path) == str(path):
            best = (held, path)
        if best[0] == len(waiting):
            break
    return best[1]
