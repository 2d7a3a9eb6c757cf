"""`init`: a new hospital's folder, filled in, read back and run."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import complete_number, name, number

from pipeline.cli.app import main
from pipeline.cli.demo import build_tenant
from pipeline.config.config_text import render_value
from pipeline.config.settings import Config
from pipeline.config.yaml_loader import read_document
from pipeline.esign.products import ESSBASIC
from pipeline.operations.init_project import (
    ProjectSettings,
    create_project,
    render_project_config,
)
from pipeline.sandbox.server import Sandbox, SandboxThread
from pipeline.sandbox.service import FakeService

IDS = {"app_id": "yDxApp1", "organization_open_id": "0123", "operator_open_id": '医院 "一": #2'}


def make_settings(**changes):
    defaults = {
        "product": ESSBASIC,
        "environment": "test",
        "endpoint": "https://essbasic.test.ess.tencent.cn",
        "language": "zh",
        "ids": IDS,
        "common": {},
    }
    return ProjectSettings(**{**defaults, **changes})


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_configuration_holds_what_was_given(tmp_path, language):
    create_project(tmp_path, make_settings(language=language))
    config = Config.load(tmp_path / "config.yaml", environment={})
    assert {name: getattr(config.api, name) for name in IDS} == IDS
    assert config.api.placeholders == ()
    assert config.api.file_endpoint == "https://file.test.ess.tencent.cn"
    assert config.language == language
    assert config.secrets_dir == Path("secrets")
    schema = json.loads((tmp_path / "config.schema.json").read_text("utf-8"))
    assert {"api", "roster", "seals", "language"} <= schema["properties"].keys()


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_every_text_is_read_back_as_it_was_given(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "scalar.yaml"
    path.write_text(f"key: {render_value(text)}\n", "utf-8")
    assert read_document(path).values == {"key": text}


def test_an_id_that_was_not_given_stays_to_be_filled_in(tmp_path):
    create_project(tmp_path, make_settings(ids={"app_id": "yDxApp1"}))
    placeholders = Config.load(tmp_path / "config.yaml", environment={}).api.placeholders
    assert placeholders == ("api.organization_open_id", "api.operator_open_id")


def test_the_configuration_has_comments_in_one_language():
    chinese, english = (
        render_project_config(make_settings(language=language, ids={})) for language in ("zh", "en")
    )
    assert "Rosters" not in chinese
    assert not any(
        "一" <= character <= "龥" for character in english.replace("处方章", "").replace("医院", "")
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_files_are_private_and_files_that_exist_stay(tmp_path):
    secret = tmp_path / "secrets" / "tencent__secret_id"
    secret.parent.mkdir(mode=0o755)
    secret.write_text("AKIDmine\n")
    (tmp_path / ".gitignore").write_text("mine\n")
    create_project(tmp_path, make_settings())
    assert secret.read_text() == "AKIDmine\n"
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert stat.S_IMODE(secret.parent.stat().st_mode) == 0o700
    for file in ("config.yaml", "secrets/tencent__secret_key"):
        assert stat.S_IMODE((tmp_path / file).stat().st_mode) == 0o600


def test_a_configuration_that_exists_is_refused_and_stays(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("language: en\n")
    assert main(["--lang", "en", "init", str(tmp_path), "--yes"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
    assert (tmp_path / "config.yaml").read_text() == "language: en\n"
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_filled_in_template_is_a_roster_without_problems(tmp_path, language, capsys):
    assert main(["--lang", language, "init", str(tmp_path), "--yes"]) == 0
    template = next(tmp_path.glob("*.xlsx"))
    workbook = openpyxl.load_workbook(template)
    sheet = workbook.active
    assert {dimension.number_format for dimension in sheet.column_dimensions.values()} == {"@"}
    assert len(sheet.data_validations.dataValidation) == 2
    card_types = {
        "zh": ("居民身份证", "港澳居民来往内地通行证", "港澳台居民居住证"),
        "en": ("Resident Identity Card", "Mainland Travel Permit", "Residence Permit"),
    }[language]
    list_of_types, lengths = sheet.data_validations.dataValidation
    assert list_of_types.formula1 == f'"{",".join(card_types)}"'
    assert len(list_of_types.formula1) < 255, "Excel takes no longer list"
    assert lengths.formula1 == "OR(LEN(B2)=18,LEN(B2)=11)"
    numbers = {2: number(2), 3: "H1234567801", 4: complete_number("81000019900101004")}
    for row, card_type in zip(numbers, card_types, strict=True):
        values = [name(row), numbers[row], card_type, f"1380000000{row}", f"00{row}", "内科"]
        for column, value in enumerate(values, 1):
            sheet.cell(row, column, value)
    workbook.save(tmp_path / "inbox" / "roster.xlsx")
    capsys.readouterr()
    assert main(["--config", str(tmp_path / "config.yaml"), "--lang", "en", "check"]) == 3
    output = capsys.readouterr().err
    assert "To correct 3" in output, output
    assert output.count(" × ") == output.count("IMAGE_MISSING") == 1  # the only reason


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_empty_template_in_the_inbox_is_no_error(tmp_path, language, capsys):
    assert main(["--lang", language, "init", str(tmp_path), "--yes"]) == 0
    template = next(tmp_path.glob("*.xlsx"))
    template.rename(tmp_path / "inbox" / template.name)
    capsys.readouterr()
    main(["--config", str(tmp_path / "config.yaml"), "--lang", "en", "check"])
    assert "No doctors in" in capsys.readouterr().err


def test_a_sandbox_project_runs_at_once(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "hospital"
    assert main(["--lang", "en", "init", str(folder), "--sandbox"]) == 0
    open_folders = [path.name for path in folder.rglob("*") if path.is_dir() and path.stat().st_mode & 0o077]
    assert open_folders == [] or os.name == "nt", "they hold names and pictures of people"
    with SandboxThread(
        Sandbox(FakeService(tenants=(build_tenant(Config.load(folder / "config.yaml", environment={})),)))
    ) as service:
        monkeypatch.setenv("ESIGN_IMPORT_API__ENDPOINT", service.url)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user"))
        assert (
            main(["--config", str(folder / "config.yaml"), "--lang", "en", "run", "--yes", "--limit", "3"])
            == 3
        )
    assert "Sealed 3\n" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is needed")
def test_on_a_terminal_it_asks_for_what_is_missing(tmp_path):
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "init", str(tmp_path / "h"), "--id", "app_id=yDxApp1"],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "LC_ALL": "C.UTF-8", "ESIGN_IMPORT_LANGUAGE": ""},
    )
    os.close(theirs)
    os.write(ours, b"7\n\n\norg1\n\nzh\n")  # the test environment and essbasic are the defaults
    seen = b""
    while True:
        try:
            seen += os.read(ours, 65536)
        except OSError:  # the other side has gone
            break
    os.close(ours)
    assert process.wait() == 0, seen.decode()
    config = Config.load(tmp_path / "h" / "config.yaml", environment={})
    assert config.api.endpoint == "https://essbasic.test.ess.tencent.cn"
    assert (config.api.app_id, config.api.organization_open_id) == ("yDxApp1", "org1")
    assert config.api.placeholders == ("api.operator_open_id",)
    assert config.language == "zh"
    assert "Please enter one of:" in seen.decode()
