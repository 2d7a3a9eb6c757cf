"""Rosters are known again by the digests of their paths, which hold no name."""

from pathlib import Path

import pytest

from pipeline.domain.path_digests import PathDigests, is_same_path
from pipeline.domain.site_key import SiteKey

SITE_KEY = SiteKey(bytes(32), "tenant")


def digest(roster: str, config: str = "/srv/a", out: str = "/srv/a/out") -> str:
    return PathDigests(SITE_KEY, (Path(config), Path(out))).digest(Path(roster))


@pytest.mark.parametrize(
    ("roster", "places"),
    [
        ("/srv/b/inbox", ("/srv/b", "/srv/b/out")),  # the hospital's folder was moved
        ("/data/inbox", ("/srv/a", "/data/out")),  # all but config.yaml was moved
        ("/srv/a/inbox", ("/etc/a", "/var/out")),  # all but the roster was moved
        ("/srv/a/inbox/../inbox", ("/srv/a", "/srv/a/out")),
    ],
)
def test_a_roster_is_known_again(roster, places):
    assert is_same_path(digest("/srv/a/inbox"), digest(roster, *places))


@pytest.mark.parametrize(
    ("roster", "places"),
    [
        ("/srv/a/inbox2", ("/srv/a", "/srv/a/out")),
        ("/srv/b/inbox", ("/srv/a", "/srv/a/out")),
        ("/srv/inbox", ("/srv/a", "/srv/a/out")),  # as far from config.yaml as the other from the results
    ],
)
def test_another_roster_is_not_taken_for_it(roster, places):
    assert not is_same_path(digest("/srv/a/inbox"), digest(roster, *places))


def test_a_path_that_is_named_from_the_current_folder_is_the_whole_one(monkeypatch, tmp_path):
    (tmp_path / "inbox").mkdir()
    monkeypatch.chdir(tmp_path / "inbox")
    assert (
        digest("list.xlsx") == digest("../inbox/list.xlsx") == digest(str(tmp_path / "inbox" / "list.xlsx"))
    )
