"""What is pasted and sorted in the sheet Unknown never enters a SealId for another doctor, nor frees one for a second seal."""

from __future__ import annotations

import pytest
from attack.sheets import Edit, Lines, swapped, turned
from attack.stage import CREATE, LONG, Stage, person

GROUP = "Unknown sheet"
MADE = (2, 3, 4)  # the answer was lost after the seal was made
NOT_MADE = 5  # before
DOCTORS = 6
LATER = 400.0  # seconds: beyond the time in which a signed request may still be carried out


def serial_of(stage: Stage, lines: Lines, line: int) -> int:
    """Return whose line it is, by its trace id."""
    call = next(request for request in stage.service.received if request.trace_id == lines.get(line, "trace"))
    return stage.humans[call.number]


def fill(stage: Stage, lines: Lines) -> None:
    """Enter for every doctor what is true: the SealId of a seal that was made."""
    made = {serial: seals[0].seal_id for serial, seals in stage.seals_of().items()}
    for line in range(len(lines)):
        serial = serial_of(stage, lines, line)
        if serial in MADE:
            lines.put(line, seal_id=made[serial], conclusion="created")


def line_for(stage: Stage, lines: Lines, serial: int) -> int:
    return next(line for line in range(len(lines)) if serial_of(stage, lines, line) == serial)


def pair(stage: Stage, lines: Lines) -> list[int]:
    """Return the order in which the lines of the first two doctors have changed places."""
    return swapped(len(lines), line_for(stage, lines, 2), line_for(stage, lines, 3))


def swap_trace_ids(stage, lines):
    lines.move(("trace",), pair(stage, lines))


def turn_trace_ids(stage, lines):
    lines.move(("trace",), turned(len(lines)))


def swap_trace_and_request_ids_and_hidden_columns(stage, lines):
    lines.move(("trace", "row_id", "check"), pair(stage, lines))


def swap_the_hidden_columns(stage, lines):
    lines.move(("row_id", "check"), pair(stage, lines))


def swap_names(stage, lines):
    lines.move(("name",), pair(stage, lines))


def swap_names_numbers_and_seal_ids(stage, lines):
    lines.move(("name", "number", "seal_id"), pair(stage, lines))


def swap_seal_names(stage, lines):
    lines.move(("seal_name",), pair(stage, lines))


def sort_the_columns_up_to_the_conclusion(stage, lines):
    order = pair(stage, lines)
    keys = ("name", "seal_name", "number", "seal_id", "conclusion")
    lines.move(keys, order)


def sort_without_the_hidden_columns(stage, lines):
    lines.move_visible(pair(stage, lines))


def fill_a_seal_id_down(stage, lines):
    first = lines.get(line_for(stage, lines, 2), "seal_id")
    for line in range(len(lines)):
        lines.put(line, seal_id=first, conclusion="created")


def enter_a_sealed_doctors_seal_id(stage, lines):
    seal_ids = next(row["seal_id"] for row in stage.outcomes() if row["seal_id"])
    lines.put(line_for(stage, lines, 2), seal_id=seal_ids)


def copy_a_line(stage, lines):
    lines.append_copy(line_for(stage, lines, 2))
    last = len(lines) - 1
    lines.put(last, seal_id=lines.get(line_for(stage, lines, 3), "seal_id"))


def paste_a_trace_id_onto_another_line(stage, lines):
    lines.put(line_for(stage, lines, 3), trace=lines.get(line_for(stage, lines, 2), "trace"))
    lines.put(line_for(stage, lines, 2), trace=None)


def call_made_seals_not_created(stage, lines):
    """Nothing has shown yet that this tenant's console lists such seals."""
    for line in range(len(lines)):
        lines.put(line, seal_id=None, conclusion="未创建")


def call_made_seals_not_created_in_english(stage, lines):
    for line in range(len(lines)):
        lines.put(line, seal_id=None, conclusion="not created")


def call_unanswered_creates_another_persons(stage, lines):
    """No answer ever said that the name exists, so it is nobody else's."""
    for line in range(len(lines)):
        lines.put(line, seal_id=None, conclusion="是他人的")


EDITS = (
    swap_trace_ids,
    turn_trace_ids,
    swap_trace_and_request_ids_and_hidden_columns,
    swap_the_hidden_columns,
    swap_names,
    swap_names_numbers_and_seal_ids,
    swap_seal_names,
    sort_the_columns_up_to_the_conclusion,
    sort_without_the_hidden_columns,
    fill_a_seal_id_down,
    enter_a_sealed_doctors_seal_id,
    copy_a_line,
    paste_a_trace_id_onto_another_line,
    call_made_seals_not_created,
    call_made_seals_not_created_in_english,
    call_unanswered_creates_another_persons,
)


def read_unknown_lines(stage: Stage) -> Lines:
    """Run once: three seals whose answer was lost, one create that was lost before, two doctors sealed."""
    faults = [({"user_name": person(serial).name}, "reset_after") for serial in MADE]
    faults.append(({"user_name": person(NOT_MADE).name}, "reset_before"))
    stage.strike(*({"match": {"action": CREATE, **match}, "do": do} for match, do in faults))
    stage.hire(*range(1, DOCTORS + 1))
    assert stage.go("run").code == 3
    stage.strike()
    lines = Lines(stage.results(), "sheet.unknown")
    assert len(lines) == len(MADE) + 1
    fill(stage, lines)
    return lines


def send_back(stage: Stage, lines: Lines) -> None:
    path = lines.save(stage.folder / "edited" / "查清.xlsx")
    stage.go("resolve", str(path), later=LATER)
    stage.go("run", later=LATER)


@pytest.mark.parametrize("edit", EDITS if LONG else EDITS[:1], ids=lambda case: case.__name__)
def test_no_seal_id_is_entered_for_another_doctor(stage, edit: Edit):
    lines = read_unknown_lines(stage)
    edit(stage, lines)
    send_back(stage, lines)
    stage.assert_clean()


def test_what_was_filled_in_rightly_is_entered(stage):
    send_back(stage, read_unknown_lines(stage))
    stage.assert_clean()
    statuses = stage.statuses()
    assert [statuses[person(serial).staff_no] for serial in MADE] == ["unchanged"] * len(MADE)
    assert statuses[person(NOT_MADE).staff_no] == "unknown"


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("order", ["swapped", "turned"])
def test_seal_ids_typed_into_each_others_lines_cannot_be_known(stage, order):
    """The line agrees with its attempt in everything; only the service could know whose the SealId is."""
    lines = read_unknown_lines(stage)
    moved = pair(stage, lines) if order == "swapped" else turned(len(lines))
    lines.move(("seal_id",), moved)
    send_back(stage, lines)
    stage.is_beyond_knowledge = True
    stage.assert_clean()
