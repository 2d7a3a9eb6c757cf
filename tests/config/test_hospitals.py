"""Hospitals are folders: common.yaml lies under each config.yaml, and what a hospital has for itself is never shared."""

import os
from pathlib import Path

import pytest

from pipeline.config.hospitals import list_hospitals
from pipeline.config.separate_hospitals import require_separate_hospitals
from pipeline.config.settings import Config
from pipeline.errors import ConfigError, UsageError


def write_hospital(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(text, "utf-8")
    return folder


def read_fault(hospital: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        Config.load(hospital, environment={})
    return caught.value.render("en").replace(str(hospital.parent), "…")


def test_a_hospital_is_the_same_by_its_file_its_folder_and_from_within(tmp_path, monkeypatch):
    east = write_hospital(tmp_path / "东院", "out: here\n")
    (tmp_path / "common.yaml").write_text("seal_name: '{name}章'\nnotify: {ping: 'http://x'}\n", "utf-8")
    config = Config.load(east, environment={})
    assert (config.seal_name, config.notify.name, config.resolve_path(config.seals)) == (
        "{name}章",
        "东院",
        east / "seals",
    )
    assert Config.load(east / "config.yaml", environment={}) == config
    monkeypatch.chdir(east)
    for path in ("config.yaml", ".", "../东院", "inbox/.."):
        (east / "inbox").mkdir(exist_ok=True)
        loaded = Config.load(path, environment={})
        assert loaded.model_copy(update={"base": east}) == config, path


def test_a_hospitals_value_outranks_the_common_one_and_a_variable_both(tmp_path):
    east = write_hospital(
        tmp_path / "east",
        "limits: {concurrency: 3}\ncolumns: {工牌: ignore, 血型: ignore}\nroster: [c]\nseals: own\n",
    )
    common = "limits: {concurrency: 4, requests_per_second: 5}\ncolumns: {工牌: staff_no, 岗位: ignore}\n"
    (tmp_path / "common.yaml").write_text(f"{common}roster: [a, b]\nout: common\nseals: common\n", "utf-8")
    config = Config.load(east, environment={"ESIGN_IMPORT_SEALS": "there"}, out="given")
    assert (config.limits.concurrency, config.limits.requests_per_second) == (3, 5)
    assert config.columns == {"工牌": "ignore", "岗位": "ignore", "血型": "ignore"}
    assert (config.roster, config.seals, config.out) == ((Path("c"),), Path("there"), Path("given"))


def test_a_fault_is_named_with_the_file_that_holds_it(tmp_path):
    east = write_hospital(tmp_path / "east", "limits:\n  concurrency: many\nout: 1\n")
    common = tmp_path / "common.yaml"
    common.write_text(
        "seals: x\nlimits: {concurrency: none, rate: 3}\nledger: postgresql://a:b@c/d\n", "utf-8"
    )
    fault = read_fault(east)
    assert "…/east/config.yaml:2: limits.concurrency: must be a whole number (it is “many”)" in fault
    assert "…/common.yaml:2: limits.rate: unknown key" in fault
    assert fault.count("concurrency:") == 1
    common.write_text("ledger: postgresql://a:b@c/d\n", "utf-8")
    (east / "config.yaml").write_text("", "utf-8")
    assert "…/common.yaml: the address in ledger: holds a password" in read_fault(east)
    common.write_text("- a\n", "utf-8")
    assert "…/common.yaml" in read_fault(east)
    common.unlink()
    common.symlink_to("nowhere")
    assert "…/common.yaml" in read_fault(east)


def test_each_folder_with_a_config_is_a_hospital(tmp_path):
    for name in ("west", "东院", "a.b"):
        write_hospital(tmp_path / name, "")
    (tmp_path / "no hospital").mkdir()
    (tmp_path / "common.yaml").touch()
    assert [*list_hospitals(tmp_path)] == ["a.b", "west", "东院"]
    west = tmp_path / "west"
    assert list_hospitals(west) == list_hospitals(west / "config.yaml") == {"west": west / "config.yaml"}
    (tmp_path / "config.yaml").touch()
    for both in (tmp_path, tmp_path / "config.yaml"):
        with pytest.raises(UsageError, match="holds both"):
            list_hospitals(both)
    (tmp_path / "config.yaml").unlink()
    if os.geteuid() != 0:
        west.chmod(0)
        assert "west" in list_hospitals(tmp_path), "one that may not be read is reported, not left out"
        west.chmod(0o700)


IDS = "api: {app_id: x, operator_open_id: x, organization_open_id: "


@pytest.mark.parametrize(
    ("east", "west", "key"),
    [
        (IDS + "same}", IDS + "same}", "api.organization_open_id"),
        (
            "api: {product: ess, organization: s, operator_user_id: x}",
            "api: {product: ess, organization: s, operator_user_id: y}",
            "api.organization",
        ),
        ("out: ../o", "out: ../west/../o", "out"),
        ("ledger: ../s/a.sqlite3", "ledger: ../s/a.sqlite3", "ledger"),
        (IDS + "a}", IDS + "b}", None),
        (IDS + "…}", IDS + "…}", None),
        ("ledger: postgresql://u@h/d", "ledger: postgresql://u@h/d", None),
        ("roster: ../r\nseals: ../s", "roster: ../r\nseals: ../s", None),
    ],
)
def test_hospitals_that_share_what_is_their_own_are_refused(tmp_path, east, west, key):
    folders = {"east": east, "west": west, "north": "out: x"}
    configs = {
        name: Config.load(write_hospital(tmp_path / name, text), environment={})
        for name, text in folders.items()
    }
    if key is None:
        require_separate_hospitals(configs)
        return
    with pytest.raises(UsageError) as caught:
        require_separate_hospitals(configs)
    assert f"east and west have the same {key} (" in caught.value.render("en")
