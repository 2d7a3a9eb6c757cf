"""What holds for every test: the registry of ledgers lies in a state folder of the test's own."""

from itertools import count

import pytest

_numbers = count()


@pytest.fixture(scope="session")
def state_homes(tmp_path_factory):
    """The folder in which the tests' state folders lie; each is made when it is first written to."""
    return tmp_path_factory.mktemp("state-homes")


@pytest.fixture(autouse=True)
def own_state_home(state_homes, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(state_homes / str(next(_numbers))))
