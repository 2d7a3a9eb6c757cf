"""config.yaml and the environment: every fault at once, with its line and the nearest known key."""

import pytest

from pipeline.cli import main
from pipeline.config import Config, load
from pipeline.errors import ConfigError


def _load(tmp_path, text, environment=None) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(text, "utf-8")
    return load(path, environment or {})


def _faults(tmp_path, text, environment=None) -> str:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text, environment)
    return caught.value.say("en")


def test_scalars_stay_as_they_are_written(tmp_path):
    config = _load(tmp_path, "api: {app_id: 0123, operator_open_id: no, organization_open_id: 1e5}\n")
    assert (config.api.app_id, config.api.operator_open_id, config.api.organization_open_id) == (
        "0123",
        "no",
        "1e5",
    )


def test_a_file_from_notepad_with_a_bom(tmp_path):
    assert _load(tmp_path, "\ufefflanguage: zh\n").language == "zh"


def test_an_empty_file_means_defaults(tmp_path):
    assert _load(tmp_path, "").limits.requests_per_second == 20


def test_every_fault_is_told_at_once_with_its_line(tmp_path):
    told = _faults(
        tmp_path, "api:\n  contrct: inline\n  timeout_seconds: soon\nlimits:\n  concurrency: 0\nrosters: x\n"
    )
    assert "config.yaml:2: api.contrct: unknown key; did you mean contract?" in told
    assert "config.yaml:3: api.timeout_seconds: must be a number" in told
    assert "config.yaml:5: limits.concurrency: must be greater than 0" in told
    assert "config.yaml:6: rosters: unknown key; did you mean roster?" in told


def test_a_doubled_key_is_refused(tmp_path):
    assert "line 1" in _faults(tmp_path, "seals: a\nlanguage: zh\nseals: b\n")


def test_an_alias_is_refused(tmp_path):
    assert "aliases" in _faults(tmp_path, "seals: &a x\nout: *a\n")


def test_broken_yaml_names_its_line(tmp_path):
    assert "config.yaml:2" in _faults(tmp_path, "api: {\nlanguage: ]\n")


@pytest.mark.parametrize(
    ("endpoint", "word"),
    [
        ("http://essbasic.tencentcloudapi.com", "https"),
        ("https://169.254.169.254", "not an address"),
        ("https://essbasic.tencentcloudapi.com.evil.cn", "not an address"),
        ("https://user@essbasic.tencentcloudapi.com", "only scheme"),
        ("https://essbasic.tencentcloudapi.com:8443", "not an address"),
        ("https://essbasic.tencentcloudapi.com/path", "only scheme"),
        ("http://192.168.1.5:8000", "https"),
    ],
)
def test_nothing_leaves_for_another_host(tmp_path, endpoint, word):
    assert word in _faults(tmp_path, f"api: {{endpoint: '{endpoint}'}}\n")


def test_the_file_host_follows_the_endpoint(tmp_path):
    test = _load(tmp_path, "api: {endpoint: 'https://essbasic.test.ess.tencent.cn'}\n")
    assert test.api.file_endpoint == "https://file.test.ess.tencent.cn"
    here = _load(tmp_path, "api: {endpoint: 'http://127.0.0.1:8765'}\n")
    assert here.api.file_endpoint == "http://127.0.0.1:8765"


def test_two_environments_are_never_mixed(tmp_path):
    text = "api: {endpoint: 'http://127.0.0.1:1', file_endpoint: 'https://file.ess.tencent.cn'}\n"
    assert "two environments" in _faults(tmp_path, text)


def test_inline_keys_are_refused_with_file_id(tmp_path):
    assert "only with contract: inline" in _faults(tmp_path, "api: {license_type: 1}\n")


def test_auto_sign_needs_a_decision_on_the_paid_licence(tmp_path):
    assert "license_type" in _faults(tmp_path, "api: {contract: inline, enable_auto_sign: true}\n")
    config = _load(tmp_path, "api: {contract: inline, enable_auto_sign: true, license_type: 1}\n")
    assert config.api.license_type == 1


def test_the_environment_lies_over_the_file(tmp_path):
    environment = {"PIPELINE_API__APP_ID": "from-environment", "PIPELINE_ROSTER": '["a", "b"]', "HOME": "/"}
    config = _load(tmp_path, "api: {app_id: from-file}\n", environment)
    assert config.api.app_id == "from-environment"
    assert [str(path) for path in config.roster] == ["a", "b"]


def test_an_unknown_name_in_the_environment_is_refused(tmp_path):
    told = _faults(tmp_path, "", {"PIPELINE_API__APPID": "x"})
    assert "did you mean PIPELINE_API__APP_ID?" in told


@pytest.mark.parametrize("template", ["处方章", "{name}{nr}", "{name", "{name.x}"])
def test_a_template_must_name_the_doctor(tmp_path, template):
    assert "needs {name}" in _faults(tmp_path, f"seal_name: '{template}'\n")


def test_columns_name_known_fields(tmp_path):
    assert "columns" in _faults(tmp_path, "columns: {工牌: staff}\n")
    assert _load(tmp_path, "columns: {工牌: staff_no}\n").columns == {"工牌": "staff_no"}


def test_a_fault_says_where_what_stands_there_and_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "intake:\n  password: 7\n  max_rows: some\napi:\n  timeout_seconds: -2\nunknwon: hold\n", "utf-8"
    )
    with pytest.raises(ConfigError) as wrong:
        load(path, {"PIPELINE_LIMITS__CONCURRENCY": "many"})
    en, zh = wrong.value.say("en"), wrong.value.say("zh")
    lines = [line.removeprefix(f"{path}:") for line in en.splitlines()]
    assert (
        lines[0]
        == "environment PIPELINE_LIMITS__CONCURRENCY: limits.concurrency: must be a number (it says “many”)"
    )
    assert lines[1:] == [
        "3: intake.max_rows: must be a whole number (it says “some”)",
        "5: api.timeout_seconds: must be greater than 0 (it says “-2”)",
        "6: unknwon: unknown key; did you mean unknown?",
    ]
    assert f"{path}:5: api.timeout_seconds：必须大于 0（写的是“-2”）" in zh


def test_a_secret_that_does_not_fit_is_not_shown(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("intake: {password: [hunter2]}\napi: {proxy: 'hunter2'}\n", "utf-8")
    with pytest.raises(ConfigError) as wrong:
        load(path, {})
    assert "hunter2" not in wrong.value.say("en").replace("api.proxy", "")


def test_ids_that_are_missing_are_named_with_their_lines(tmp_path, capsys):
    path = tmp_path / "config.yaml"
    path.write_text("api:\n  app_id: …\n  operator_open_id: x\n", "utf-8")
    assert main(["--config", str(path), "--lang", "en", "config", "validate"]) == 2
    assert "still has to say: api.app_id (line 2), api.organization_open_id" in capsys.readouterr().err
