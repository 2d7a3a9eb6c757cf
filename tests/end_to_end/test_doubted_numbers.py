"""A number that the ledger knows to the digit is in no doubt, whatever its neighbours are or however it ends."""

import itertools

import pytest
from people import is_valid, name
from run_support import draw_seal


def numbers(wanted) -> list[str]:
    """Return made-up numbers of a county that was never given out: those of which ``wanted`` is true."""
    days = itertools.product(range(1960, 1995), range(1, 13), range(1, 29), range(0, 1000, 7))
    first = (f"110199{year}{month:02d}{day:02d}{order:03d}" for year, month, day, order in days)
    whole = (f"{first_digits}{last}" for first_digits in first for last in "0123456789")
    return list(itertools.islice(filter(wanted, whole), 4))


def rounded(number: str) -> bool:
    return int(float(number)) == int(number) and not number.endswith("00")


HONEST = numbers(lambda number: rounded(number) and is_valid(number))[0]
FAILING = numbers(lambda number: rounded(number) and not is_valid(number))[:3]
ROUND = numbers(lambda number: number.endswith("000") and is_valid(number))[0]


def row(serial: int, number: str) -> tuple:
    return name(serial), number, f"154{serial:08d}", f"{serial:05d}", "内科"


@pytest.fixture
def drawn(hospital):
    for serial in range(1, 6):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    return hospital


def test_a_sealed_doctor_is_unchanged_though_three_neighbours_fail_alike(drawn):
    drawn.roster([row(1, HONEST)])
    assert drawn.go("run", "--yes") == 0
    drawn.roster([row(1, HONEST), *(row(serial, number) for serial, number in enumerate(FAILING, start=2))])
    assert drawn.go("run", "--yes") == 3
    first, *others = drawn.outcomes()
    assert (first["status"], first["codes"]) == ("unchanged", [])
    assert first["seal_id"]
    assert {row["status"] for row in others} == {"rejected"}


def test_an_unknown_doctor_among_such_neighbours_is_still_doubted(drawn):
    drawn.roster([row(1, HONEST), *(row(serial, number) for serial, number in enumerate(FAILING, start=2))])
    drawn.go("run", "--yes")
    assert {row["status"] for row in drawn.outcomes()} == {"rejected"}
    assert not drawn.creates()


def test_a_sealed_number_that_ends_in_000_is_unchanged(drawn):
    grouped = f"{ROUND[:6]} {ROUND[6:14]} {ROUND[14:]}"  # as typed from the card: no doubt
    drawn.roster([row(1, grouped)])
    assert drawn.go("run", "--yes") == 0
    drawn.roster([row(1, ROUND)])
    assert drawn.go("run", "--yes") == 0
    (only,) = drawn.outcomes()
    assert (only["status"], only["codes"]) == ("unchanged", [])
    assert drawn.creates() == 1


def test_a_known_number_under_another_name_is_changed_and_nothing_is_sent(drawn):
    drawn.roster([row(1, f"{ROUND[:6]} {ROUND[6:14]} {ROUND[14:]}")])
    assert drawn.go("run", "--yes") == 0
    drawn.roster([row(2, ROUND)])
    assert drawn.go("run", "--yes") == 3
    (only,) = drawn.outcomes()
    assert only["status"] == "changed"
    assert drawn.creates() == 1
