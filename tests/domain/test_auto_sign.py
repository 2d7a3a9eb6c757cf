"""What the newest answer about a doctor means."""

from __future__ import annotations

import pytest

from pipeline.domain.auto_sign import CARD_NOT_QUERIED, DAY, AutoSignCounts, AutoSignRecord, AutoSignState

NOW = 1_800_000_000.0
OWN, OTHER = "yDseal1", "yDseal2"


def record(**facts: object) -> AutoSignRecord:
    return AutoSignRecord("p1", NOW, **{"own_seal_id": OWN, **facts})


def answered(*, when: float = NOW, **facts: object) -> AutoSignRecord:
    return record(**{"answered_at": when, "is_open": True, "seal_id": OWN, **facts})


@pytest.mark.parametrize(
    ("known", "state"),
    [
        (answered(), AutoSignState.OPEN),
        (answered(seal_id=OWN.upper()), AutoSignState.OPEN),
        (answered(license_to=NOW + 31 * DAY), AutoSignState.OPEN),
        (answered(license_to=NOW + 30 * DAY), AutoSignState.LICENSE_ENDS),
        (answered(license_to=NOW - DAY), AutoSignState.LICENSE_ENDS),
        (answered(seal_id=OTHER, license_to=NOW - DAY), AutoSignState.OTHER_SEAL),
        (answered(own_seal_id=None), AutoSignState.OTHER_SEAL),
        (answered(seal_id=None), AutoSignState.NO_SEAL),
        (answered(is_open=False), AutoSignState.NOT_OPEN),
        (answered(code="InternalError.Db"), AutoSignState.OPEN),
        (record(code=CARD_NOT_QUERIED), AutoSignState.CANNOT_ASK),
        (record(code="no_answer"), AutoSignState.NO_ANSWER),
    ],
)
def test_the_seven_states(known, state):
    assert known.get_state(NOW) is state


def test_counts_are_of_people_with_a_seal_and_none_where_the_service_was_never_asked():
    assert AutoSignCounts.count([], sealed=3, now=NOW) is None
    assert AutoSignCounts.count([answered(own_seal_id=None)], sealed=3, now=NOW) is None
    records = [answered(), answered(license_to=NOW), record(code="no_answer"), answered(own_seal_id=None)]
    counts = AutoSignCounts.count(records, sealed=5, now=NOW)
    assert counts is not None
    assert (counts.can_sign, counts.asked, counts.never_asked) == (2, 3, 2)
    states = {"open": 1, "license_ends": 1, "no_answer": 1}
    assert counts.to_dict() == {"sealed": 5, "can_sign": 2, "states": states, "never_asked": 2}
