"""What waits for a decision, as `resolve` lists it: who, what is open, and where to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.context import Session
from pipeline.clock import shown, stamp
from pipeline.messages.catalogue import say as mark

if TYPE_CHECKING:
    from pipeline.ledger.sqlite_ledger import SqliteLedger
    from pipeline.resolution.cases import Case

WORKBOOK = "results.xlsx"
LOOKED_AT = 50  # runs, newest first


def print_unresolved(session: Session, ledger: SqliteLedger, found: Sequence[Case]) -> int:
    """List cases on stdout; say how each kind is settled, and the next command, which decides nothing."""
    rows = [_row_of(ledger, case) for case in found]
    session.put_json(waiting=[_describe(case, row) for case, row in zip(found, rows, strict=True)])
    if not found:
        session.say("resolve_nothing")
        session.proceed("next_run", "run")
        return 0
    for case, row in zip(found, rows, strict=True):
        _tell(session, case, row)
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


def _describe(case: Case, row: Mapping[str, Any]) -> Mapping[str, object]:
    """Return what `resolve --json` gives of a case; ``trace_id``, else ``seal_id``, is the word that means it alone."""
    attempt, seal, same = case.attempt, case.past.seal, _possibly_same(case)
    return {
        "status": case.status.value,
        "key": case.key,
        "name": case.name,
        **row,
        "seal_name": case.seal_name or None,
        "seal_id": seal.seal_id if seal else None,
        "sent": stamp(attempt.signed_at) if attempt else None,
        "host": attempt.host if attempt else None,
        "trace_id": attempt.uuid if attempt else None,
        "seal_id_in_answer": (attempt.unproven_seal_id or None) if attempt else None,
        "differs": _differing(case).split(),
        "possibly_same": {
            "agrees": same["agreed"].split(),
            "seal_name": same["sealed"],
            "seal_id": same.get("seal") or None,
            "trace_id": same.get("trace") or None,
        }
        if same
        else None,
    }


def _tell(session: Session, case: Case, row: Mapping[str, Any]) -> None:
    place = _place(session, row)
    if case.attempt is not None:
        session.tell(
            f"resolve_{case.status.value}",
            name=case.name,
            place=place,
            seal_name=case.seal_name,
            at=shown(stamp(case.attempt.signed_at)),
            trace=case.attempt.uuid,
            host=case.attempt.host,
        )
        if case.attempt.unproven_seal_id:
            session.tell("resolve_evidence", seal_id=case.attempt.unproven_seal_id)
        return
    if (same := _possibly_same(case)) is not None:
        seal, trace = same.get("seal"), same.get("trace")
        session.tell(
            "resolve_rejected",
            name=case.name,
            place=place,
            agreed=_field_words(session, same["agreed"]),
            seal_name=same["sealed"],
            tail=same["tail"],
            at=same["day"],
            word=f"SealId {seal}" if seal else f"TraceId {trace}",
        )
        return
    assert case.past.seal is not None
    session.tell(
        "resolve_changed",
        name=case.name,
        place=place,
        seal_name=case.seal_name,
        seal_id=case.past.seal.seal_id,
        differs=_field_words(session, _differing(case)),
    )


def _possibly_same(case: Case) -> Mapping[str, str] | None:
    """Return what is known of the person whose corrected number a row may give, None for any other case."""
    if case.possibly_same is None or case.attempt is not None or case.planned is None:
        return None
    return next(
        each.detail
        for each in case.planned.problems
        if each.code == "PERSON_POSSIBLY_SAME" and "agreed" in each.detail
    )


def _row_of(ledger: SqliteLedger, case: Case) -> Mapping[str, Any]:
    """Return what tells two namesakes apart: staff number, last four, and the row that a roster has or had."""
    from pipeline.domain.masking import mask_text  # noqa: PLC0415
    from pipeline.resolution.timeline import story_of  # noqa: PLC0415

    line: Mapping[str, Any]
    if case.planned is not None:
        doctor = case.planned.doctor
        origin = doctor.row.origin
        staff_no, number = doctor.staff_no, doctor.number
        line = {"file": origin.file, "sheet": origin.sheet, "row": origin.row}
    else:  # its roster came by the command line, or has lost the row
        story = story_of(ledger.life(case.key), run=ledger.run)
        staff_no, number, line = story.staff_no, story.id_masked, story.line
    return {
        "staff_no": staff_no,
        "last_four": number[-4:] if number else None,
        "file": mask_text(line["file"]) if line else None,
        "sheet": mask_text(line["sheet"]) if line and line["sheet"] else None,
        "row": line["row"] if line else None,
    }


def _place(session: Session, row: Mapping[str, Any]) -> str:
    """Return the words that tell two namesakes apart."""
    from pipeline.domain.masking import mask_text  # noqa: PLC0415
    from pipeline.messages.timeline import say  # noqa: PLC0415

    parts = (
        say("who.staff_no", session.spoken, text=row["staff_no"]) if row["staff_no"] else "",
        say("who.last_four", session.spoken, text=row["last_four"]) if row["last_four"] else "",
        f"{row['file']} {row['sheet'] or ''} {row['row']}" if row["file"] else "",
    )
    return mask_text(mark("mark.comma", session.spoken).join(filter(None, parts)) or "—")


def _differing(case: Case) -> str:
    """Return the fields in which a row differs from its seal, as words of the program."""
    problems = case.planned.problems if case.planned else ()
    return " ".join(each.detail["differs"] for each in problems if each.code == "CONTENT_CHANGED")


def _field_words(session: Session, fields: str) -> str:
    from pipeline.messages.problem_labels import field_word  # noqa: PLC0415

    return mark("mark.comma", session.spoken).join(
        field_word(field, session.spoken) for field in fields.split()
    )


def _workbook(ledger: SqliteLedger, found: Sequence[Case]) -> Path | None:
    """Return the workbook whose Unknown sheet holds most of these cases, the newest of them; None where none does.

    A retry's workbook tells only what was tried again, so the last one need not be it.
    """
    from pipeline.domain.masking import mask_path  # noqa: PLC0415
    from pipeline.reports.display_values import UNSETTLED  # noqa: PLC0415
    from pipeline.reports.edited_workbooks import newest  # noqa: PLC0415

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
