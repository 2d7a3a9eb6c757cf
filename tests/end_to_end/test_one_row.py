"""What breaks over one row or picture is that row's problem; all others are sealed, and a rerun goes on."""

import io

import pytest
from people import name, number
from PIL import Image

from pipeline.intake.fields import text_fields
from pipeline.intake.images import ink
from pipeline.intake.pairing import match
from pipeline.planning import plan
from pipeline.reports import records

BROKEN = name(2)


def breaking(function, is_broken):
    """Return the function, which breaks over one row."""

    def broken(*arguments, **named):
        if is_broken(*arguments):
            raise ZeroDivisionError
        return function(*arguments, **named)

    return broken


def of_cell(cell, *_):
    return cell is not None and cell.display_text == BROKEN


def of_doctor(doctor, *_):
    return doctor.name == BROKEN


STAGES = {
    "validation": (text_fields, "read_name", of_cell),
    "pairing": (match._RowMatcher, "_list_claims", lambda matcher, row: of_doctor(matcher.doctors[row])),
    "planning": (plan._Planner, "_plan_row", lambda _, doctor, *__: of_doctor(doctor)),
    "the seal name": (plan, "_build_request", of_doctor),
    "the review": (plan._Planner, "_apply_review", lambda _, row_plan: of_doctor(row_plan.doctor)),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_row_that_breaks_is_reported_and_the_others_are_sealed(hospital, monkeypatch, stage):
    module, attribute, is_broken = STAGES[stage]
    hospital.doctors(3)
    with monkeypatch.context() as context:
        context.setattr(module, attribute, breaking(getattr(module, attribute), is_broken))
        assert hospital.go("check") == 3
        assert hospital.go("run", "--yes") == 3
    assert [row["status"] for row in hospital.outcomes()] == ["sealed", "rejected", "sealed"]
    assert "ROW_NOT_PROCESSED" in hospital.outcomes()[1]["codes"]
    log = (hospital.runs[-1] / "log.jsonl").read_text("utf-8")
    assert "ZeroDivisionError" in log
    assert BROKEN not in log
    assert hospital.go("run", "--yes") == 0
    assert [row["status"] for row in hospital.outcomes()] == ["unchanged", "sealed", "unchanged"]


@pytest.mark.parametrize("stage", ["pairing", "planning"])
def test_a_sealed_doctor_over_whom_it_breaks_is_unchanged(hospital, monkeypatch, stage):
    module, attribute, is_broken = STAGES[stage]
    hospital.doctors(3)
    assert hospital.go("run", "--yes") == 0
    monkeypatch.setattr(module, attribute, breaking(getattr(module, attribute), is_broken))
    hospital.go("run", "--yes")
    assert [row["status"] for row in hospital.outcomes()] == ["unchanged"] * 3
    assert hospital.creates() == 3


def test_a_line_that_breaks_is_written_bare(hospital, monkeypatch):
    hospital.doctors(3)
    spaced = f"{number(2)[:6]} {number(2)[6:]}"
    rows = [(name(serial), number(serial), None, f"{serial:05d}", "内科") for serial in (1, 2, 3)]
    rows[1] = (name(2), spaced, *rows[1][2:])
    hospital.roster(rows)
    monkeypatch.setattr(records, "_mask_change", breaking(records._mask_change, lambda *_: True))
    assert hospital.go("run", "--yes") == 0
    first, second, _ = hospital.outcomes()
    assert (first["codes"], second["codes"]) == (["MOBILE_MISSING"], ["ROW_NOT_PROCESSED"])
    (made,) = (seal for seal in hospital.service.seals if seal.number == number(2))
    assert (second["status"], second["seal_id"]) == ("sealed", made.seal_id)


def grey_with_associated_alpha() -> bytes:
    """Return a TIFF that Pillow decodes to a mode from which it converts to none."""
    stream = io.BytesIO()
    sheet = Image.new("LA", (60, 40), (0, 0))
    sheet.paste((40, 255), (10, 10, 50, 16))
    sheet.paste((40, 255), (10, 10, 16, 34))
    sheet.save(stream, "TIFF")
    data = stream.getvalue()
    unassociated = b"\x52\x01\x03\x00\x01\x00\x00\x00\x02\x00"
    assert unassociated in data
    return data.replace(unassociated, unassociated[:-2] + b"\x01\x00")


def test_a_grey_picture_with_associated_alpha_is_sealed(hospital):
    hospital.doctors(3)
    (hospital.folder / "seals" / "00002.png").unlink()
    (hospital.folder / "seals" / "00002.tif").write_bytes(grey_with_associated_alpha())
    assert hospital.go("check") == 0
    assert hospital.go("run", "--yes") == 0
    (sent,) = (seal for seal in hospital.service.seals if seal.number == number(2))
    with Image.open(io.BytesIO(hospital.service.pictures[sent.picture])) as image:
        assert (image.mode, image.size) == ("RGBA", (60, 40))
        assert image.getpixel((20, 12)) == (40, 40, 40, 255)
        assert image.getpixel((40, 30))[3] == 0


def test_a_picture_over_which_the_program_breaks_is_its_rows_problem(hospital, monkeypatch):
    hospital.doctors(3)
    path = hospital.folder / "seals" / "00002.png"
    with Image.open(path) as image:
        image.resize((121, 60)).save(path)
    broken = breaking(ink.smooth, lambda _, size: size == (121, 60))
    monkeypatch.setattr(ink, "smooth", broken)
    assert hospital.go("check") == 3
    assert hospital.go("run", "--yes") == 3
    assert [(row["status"], row["codes"]) for row in hospital.outcomes()] == [
        ("sealed", []),
        ("rejected", ["IMAGE_CORRUPT"]),
        ("sealed", []),
    ]


def test_a_bug_behind_the_decoding_is_its_rows_problem_in_check_and_run(hospital, monkeypatch):
    hospital.doctors(3)
    broken = breaking(plan.ImageOwners.get_conflict, lambda *arguments: of_doctor(*arguments[1:]))
    monkeypatch.setattr(plan.ImageOwners, "get_conflict", broken)
    assert hospital.go("check") == 3
    assert hospital.go("run", "--yes") == 3
    assert [(row["status"], row["codes"]) for row in hospital.outcomes()] == [
        ("sealed", []),
        ("rejected", ["ROW_NOT_PROCESSED"]),
        ("sealed", []),
    ]
