"""Random lives of a ledger; the service judges (lives.py).

In the environment LIVES is how many, FIRST the first seed, HOSTS how many hosts share the ledger.
"""

import os

from ledger.lives import count_lives

USUAL = {"LIVES": "40", "FIRST": "0", "HOSTS": "1"}
LIVES, FIRST, HOSTS = (int(os.environ.get(name, usual)) for name, usual in USUAL.items())


def test_none_makes_a_second_seal_or_shows_a_false_one_or_loses_what_was_recorded(tmp_path):
    counts, problems = count_lives(tmp_path, range(FIRST, FIRST + LIVES), hosts=HOSTS)
    assert problems == {}
    happened = {
        "killed",
        "entered",
        "creates",
        "purged",
        "adopt entered",
        "withdraw entered",
        "replace entered",
    }
    assert {name for name in happened if counts[name]} == happened
