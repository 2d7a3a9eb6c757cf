"""``profiles`` of config.yaml: each is a plain configuration, and what a hospital has for itself is never shared."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.profiles import is_safe_name
from pipeline.config.settings import Config, ConfigFile
from pipeline.errors import ConfigError, UsageError

VALUES = {
    ("api", "app_id"): st.sampled_from(["a", "b"]),
    ("api", "organization_open_id"): st.sampled_from(["o1", "o2"]),
    ("api", "operator_open_id"): st.just("x"),
    ("api", "timeout_seconds"): st.integers(1, 60),
    ("limits", "requests_per_second"): st.integers(1, 50),
    ("limits", "concurrency"): st.integers(1, 50),
    ("guards", "deadline"): st.sampled_from([None, "06:00"]),
    ("guards", "unknown"): st.one_of(st.none(), st.integers(0, 9)),
    ("guards", "new_rows"): st.integers(1, 9),
    ("columns", "工牌"): st.sampled_from(["staff_no", "ignore"]),
    ("columns", "血型"): st.sampled_from(["department", "ignore"]),
    ("seal_name",): st.sampled_from(["{name}处方章", "{name}章"]),
    ("secrets_dir",): st.sampled_from(["s", "t"]),
}
OWN = {
    "roster": ["r"],
    "seals": "p",
    "ledger": "l/x.sqlite3",
    "out": "o",
    "metrics_file": "m.prom",
}


@st.composite
def split_values(draw):
    """Draw values, and give each to the top level, to the profile, or to both with another one at the top."""
    plain: dict = {}
    top: dict = {}
    profile: dict = {**OWN, "notify": {"name": "n"}}

    def put(into: dict, key: tuple[str, ...], value: object) -> None:
        for section in key[:-1]:
            into = into.setdefault(section, {})
        into[key[-1]] = value

    for key, strategy in VALUES.items():
        value = draw(strategy)
        level = draw(st.sampled_from(["top", "profile", "both"]))
        if key[-1] == "operator_open_id":  # else the top level would be a hospital, and might be the same
            level = "profile"
        put(plain, key, value)
        if level != "profile":
            put(top, key, value if level == "top" else draw(strategy))
        if level != "top":
            put(profile, key, value)
    return {**plain, **OWN, "notify": {"name": "n"}}, top, profile


@given(split_values())
def test_a_profile_is_the_plain_configuration_of_its_values(tmp_path_factory, drawn):
    plain, top, profile = drawn
    folder = tmp_path_factory.mktemp("profiles")
    (folder / "plain.yaml").write_text(json.dumps(plain, ensure_ascii=False), "utf-8")
    (folder / "config.yaml").write_text(
        json.dumps({**top, "profiles": {"east": profile}}, ensure_ascii=False), "utf-8"
    )
    environment: dict[str, str] = {}
    loaded = Config.load(folder / "config.yaml", profile="east", environment=environment)
    expected = Config.load(folder / "plain.yaml", environment=environment)
    assert loaded.model_dump() == expected.model_dump()
    assert loaded.model_copy(update={"profile": None}) == expected


def read_file(tmp_path, text: str, environment=None) -> ConfigFile:
    path = tmp_path / "config.yaml"
    path.write_text(text, "utf-8")
    return ConfigFile(path, environment or {})


def read_fault(file: ConfigFile, profile: str | None) -> str:
    with pytest.raises(UsageError) as caught:
        file.load(profile)
    return caught.value.render("en")


def test_paths_and_name_that_a_profile_does_not_give_are_its_own(tmp_path):
    top = "roster: [a, /b]\nledger: /c/l.sqlite3\nmetrics_file: /e/f.prom\nnotify: {name: all, ping: 'http://x'}\nsecrets_dir: s\n"
    file = read_file(tmp_path, f"{top}profiles:\n  东院:\n  west: {{out: /here, notify: {{name: West}}}}\n")
    east, west = file.load("东院"), file.load("west")
    assert east.roster == (Path("东院/a"), Path("/b/东院"))
    assert (east.seals, east.out) == (Path("东院/seals"), Path("东院/out"))
    assert (east.ledger, east.work_folder) == (Path("/c/东院/l.sqlite3"), Path("/c/东院/work"))
    assert (east.metrics_file, east.secrets_dir) == (Path("/e/f-东院.prom"), Path("s"))
    assert (east.notify.name, east.profile) == ("东院", "东院")
    assert (west.out, west.notify.name, west.notify.ping.get_secret_value()) == (
        Path("/here"),
        "West",
        "http://x",
    )


def test_a_variable_outranks_the_top_level_and_no_profile(tmp_path):
    environment = {"ESIGN_IMPORT_OUT": "there", "ESIGN_IMPORT_API__ORGANIZATION_OPEN_ID": "v"}
    text = "out: here\nprofiles: {a: {api: {organization_open_id: a}}, b: {out: b}}\n"
    a, b = map(read_file(tmp_path, text, environment).load, "ab")
    assert (a.out, a.api.organization_open_id) == (Path("a/there"), "a")
    assert (b.out, b.api.organization_open_id) == (Path("b"), "v")
    file = read_file(
        tmp_path, "profiles: {a: {limits: {concurrency: x}}}\n", {"ESIGN_IMPORT_LIMITS__CONCURRENCY": "5"}
    )
    assert "config.yaml:1: limits.concurrency: must be a whole number" in read_fault(file, "a")


IDS = "app_id: x, operator_open_id: x, organization_open_id"


@pytest.mark.parametrize(
    ("profiles", "key"),
    [
        ("a: {api: {ORG: same}}\n  b: {api: {ORG: same}}", "api.organization_open_id"),
        (
            "a: {ledger: s/a.sqlite3}\n  b: {ledger: ./s/b.sqlite3}",
            "ledger",
        ),  # the key lies next to it
        ("a: {out: o}\n  b: {out: x/../o}", "out"),
        ("a: {seals: s}\n  b: {seals: s/b}", "seals"),
        ("a: {roster: [r, t]}\n  b: {roster: t}", "roster"),
    ],
)
def test_hospitals_that_share_what_is_their_own_are_refused_and_no_other(tmp_path, profiles, key):
    file = read_file(tmp_path, f"profiles:\n  {profiles}\n  c: {{}}\n".replace("ORG", IDS))
    assert f"config.yaml:2: profiles.a.{key}: the same as that of b" in read_fault(file, "a")
    assert f"config.yaml:3: profiles.b.{key}: the same as that of a" in read_fault(file, "b")
    assert file.load("c").profile == "c"


def test_the_top_level_is_a_hospital_where_its_ids_are_filled_in(tmp_path):
    text = f"api: {{{IDS}: top}}\nprofiles:\n  a: {{api: {{organization_open_id: a}}}}\n  b:\n"
    file = read_file(tmp_path, text)
    assert file.list_hospitals() == [None, "a", "b"]
    assert file.load("a").api.app_id == "x"
    assert "profiles.b.api.organization_open_id: the same as that of the top level" in read_fault(file, "b")
    assert "config.yaml:1: api.organization_open_id: the same as that of b" in read_fault(file, None)


def test_a_fault_is_named_with_its_line_in_the_profile_and_concerns_it_alone(tmp_path):
    file = read_file(
        tmp_path,
        "limits:\n  concurrency: 5\nprofiles:\n  a:\n    limits:\n      concurrency: many\n      rate: 3\n  b:\n  c: text\n  con:\n  X:\n  x:\n",
    )
    assert "config.yaml:6: limits.concurrency: must be a whole number" in read_fault(file, "a")
    assert "config.yaml:7: limits.rate: unknown key" in read_fault(file, "a")
    assert file.load("b").limits.concurrency == 5
    assert "config.yaml:9: profiles.c: must contain keys" in read_fault(file, "c")
    assert "config.yaml:10: profiles.con: not a name for a folder" in read_fault(file, "con")
    assert "config.yaml:12: profiles.x: differs from another name only in upper and lower case" in read_fault(
        file, "x"
    )
    with pytest.raises(ConfigError, match="1: profiles: must contain keys"):
        read_file(tmp_path, "profiles: [a]\n")
    assert "did you mean profiles?" in read_fault(read_file(tmp_path, "profile: {a: {}}\n"), None)


@pytest.mark.parametrize(
    ("name", "is_safe"),
    [
        *((name, True) for name in ("east", "东院", "2", "a.b-c_d", "console", "é")),
        *((name, False) for name in ("", ".", "a.", "a/b", "a b", "-a", "_a", "CON", "nul.txt", "lpt1", "e\u0301", "a\n")),
        ("x" * 41, False),
    ],
)  # fmt: skip
def test_a_name_can_be_a_folder_everywhere(name, is_safe):
    assert is_safe_name(name) == is_safe
