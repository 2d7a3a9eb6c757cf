"""`run --only PERSON` creates the seals of the people who are named, and of no other."""

from __future__ import annotations

import pytest
from people import name, number

import pipeline
from pipeline.domain.run import Status
from pipeline.errors import UsageError


def get_sealed(hospital):
    return {seal.number for seal in hospital.service.seals}


@pytest.mark.parametrize("person", [name(2), "00002", "2"])
def test_one_doctor_is_sealed_and_the_others_wait(hospital, person):
    hospital.doctors(3)
    assert hospital.go("run", "--only", person) == 0
    assert get_sealed(hospital) == {number(2)}
    assert [outcome["status"] for outcome in hospital.outcomes()] == ["not_sent", "sealed", "not_sent"]
    assert hospital.go("run") == 0
    assert get_sealed(hospital) == {number(serial) for serial in (1, 2, 3)}
    assert len(hospital.service.seals) == 3


def test_it_can_be_repeated(hospital):
    hospital.doctors(3)
    assert hospital.go("run", "--only", name(3), "--only", "00001") == 0
    assert get_sealed(hospital) == {number(1), number(3)}


def test_a_doctor_who_has_a_seal_stays_unchanged(hospital):
    hospital.doctors(2)
    hospital.go("run", "--only", name(1))
    assert hospital.go("run", "--only", name(1)) == 0
    assert get_sealed(hospital) == {number(1)}


def test_a_faulty_row_is_the_reason_for_exit_3(hospital):
    hospital.doctors(2)
    hospital.roster([(name(1), "123", None, "00001"), (name(2), number(2), None, "00002")])
    assert hospital.go("run", "--only", name(1)) == 3
    assert hospital.go("run", "--only", name(2)) == 0
    assert get_sealed(hospital) == {number(2)}


def test_a_blank_fits_no_row_without_a_name(hospital):
    hospital.doctors(1)
    hospital.roster([(None, number(1), None, "00001")])
    assert hospital.go("run", "--only", " ") == 2


def test_a_person_who_has_no_row_is_refused(hospital, capsys):
    hospital.doctors(2)
    assert hospital.go("run", "--only", "华佗") == 2
    assert "华佗" in capsys.readouterr().err
    assert hospital.service.seals == []


def test_namesakes_are_refused_with_their_rows(hospital, capsys):
    hospital.doctors(2)
    hospital.roster(
        [("张伟", number(1), None, "00001"), ("张伟", number(2), None, "00002")],
    )
    assert hospital.go("run", "--only", "张伟") == 2
    error = capsys.readouterr().err
    assert " 2" in error
    assert " 3" in error
    assert hospital.service.seals == []
    assert hospital.go("run", "--only", "00002") == 0
    assert get_sealed(hospital) == {number(2)}


def test_from_python(hospital):
    hospital.doctors(2)
    result = pipeline.run(hospital.folder / "config.yaml", only=[name(2)])
    assert get_sealed(hospital) == {number(2)}
    assert result.counts == {Status.SEALED: 1, Status.NOT_SENT: 1}


def test_one_text_from_python_is_refused(hospital):
    hospital.doctors(1)
    with pytest.raises(UsageError, match="only"):
        pipeline.run(hospital.folder / "config.yaml", only=name(1))
