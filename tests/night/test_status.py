"""`status`: what the ledger knows, in a person's words and times, and the next command after every end."""

import re

import pytest
from desk_support import go
from wire_support import fault

ISO = re.compile(r"\d{4}-\d\d-\d\dT")
SHOWN = re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b")


@pytest.fixture
def say(capsys):
    """Run a command and return what was said, and its last line."""

    def ask(hospital, *words, language="en"):
        capsys.readouterr()
        go(hospital, "--lang", language, *words)
        told = capsys.readouterr().err
        return told, told.rstrip("\n").splitlines()[-1]

    return ask


@pytest.mark.parametrize("language", ["zh", "en"])
def test_times_are_local_and_plain(hospital_with, say, language):
    hospital = hospital_with(faults=[fault("reset_after", nth=(2,))])
    hospital.doctors(2)
    assert hospital.go("run") == 3
    for words in (("status",), ("resolve",)):
        told, _ = say(hospital, *words, language=language)
        assert SHOWN.search(told)
        assert not ISO.search(told)
