"""config.yaml and the environment: every fault at once, with its line and the nearest known key."""

import json
from pathlib import Path

import pytest

from pipeline.cli.app import main
from pipeline.config.settings import Config, list_keys
from pipeline.errors import ConfigError


def _load(tmp_path, text, environment=None) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(text, "utf-8")
    return Config.load(path, environment=environment or {})


def _faults(tmp_path, text, environment=None) -> str:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text, environment)
    return caught.value.render("en")


@pytest.mark.parametrize(("text", "environment", "key", "value"), [
    ("", {}, "limits.requests_per_second", 20),
    ("\ufefflanguage: zh\n", {}, "language", "zh"),  # from Notepad, with a byte order mark
    ("api: {app_id: 0123}\n", {}, "api.app_id", "0123"),
    ("api: {app_id: no}\n", {}, "api.app_id", "no"),
    ("api: {app_id: 1e5}\n", {}, "api.app_id", "1e5"),
    ("seal_name: >-\n  {name}\n  处方章\n", {}, "seal_name", "{name} 处方章"),  # a text folded over two lines
    ("api: {proxy: 'http://me:pass@proxy.hospital:3128'}\n", {}, "api.proxy", "http://me:pass@proxy.hospital:3128"),
    ("api: {contract: inline, enable_auto_sign: true, license_type: 1}\n", {}, "api.license_type", 1),
    ("api: {endpoint: 'https://essbasic.test.ess.tencent.cn'}\n", {}, "api.file_endpoint", "https://file.test.ess.tencent.cn"),
    ("api: {endpoint: 'http://127.0.0.1:8765'}\n", {}, "api.file_endpoint", "http://127.0.0.1:8765"),
    ("api: {app_id: file}\n", {"ESIGN_IMPORT_API__APP_ID": "environment", "HOME": "/"}, "api.app_id", "environment"),
    ("api:\n", {"ESIGN_IMPORT_API__APP_ID": "x"}, "api.app_id", "x"),
    ("roster: c\n", {"ESIGN_IMPORT_ROSTER": '["a", "b"]'}, "roster", (Path("a"), Path("b"))),
    ("columns: {工牌: staff_no, 血型: ignore}\n", {}, "columns", {"工牌": "staff_no", "血型": "ignore"}),
])  # fmt: skip
def test_what_a_key_is_after_file_and_environment(tmp_path, text, environment, key, value):
    section, _, last = key.rpartition(".")
    config = _load(tmp_path, text, environment)
    assert getattr(getattr(config, section) if section else config, last) == value


@pytest.mark.parametrize(("text", "words"), [
    ("seals: a\nlanguage: zh\nseals: b\n", "line 1"),
    ("seals: &a x\nout: *a\n", "aliases"),
    ("api: {\nlanguage: ]\n", "config.yaml:2: not valid YAML"),
    ("seals: a: b\n", "config.yaml:1: not valid YAML"),
    (" seals: a\nout: b\n", "config.yaml:2: not valid YAML"),
    ("seals: 'a\nout: b\n", "config.yaml:1: not valid YAML"),
    ("[seals]: a\n", "a key must be plain text"),
    ("api: text\n", "config.yaml:1: api: must contain keys"),
    ("api: {endpoint: 'http://127.0.0.1:1', file_endpoint: 'https://file.ess.tencent.cn'}\n", "different environments"),
    ("api: {license_type: 1}\n", "only allowed with contract: inline"),
    ("api: {contract: inline, enable_auto_sign: true}\n", "license_type"),
    ("guards: {deadline: '25:99'}\n", '25:99: must be a time such as "02:00"'),
    ("api: {scene_key: OTHERS}\n", "(it is “OTHERS”)"),
    ("\ncolumns:\n  工牌: badge\n", "config.yaml:3: columns.工牌: unknown field “badge”; use one of: name, "),
    *((f"seal_name: '{template}'\n", "must contain {name}") for template in (
        "处方章", "{name}{nr}", "{name", "{name.x}", "{name}{staff_no:>999999999}", "{name}{staff_no!r}", "{name}{}"
    )),
])  # fmt: skip
def test_a_fault_of_the_file_is_named(tmp_path, text, words):
    assert words in _faults(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        (
            "",
            "ESIGN_IMPORT_API__APPID",
            "variable ESIGN_IMPORT_API__APPID: api.appid: unknown key; did you mean app_id?",
        ),
        ("", "ESIGN_IMPORT_SECRET_KEY", "tencent__secret_key"),
        ("api: text\n", "ESIGN_IMPORT_API__APP_ID", "api"),
    ],
)
def test_a_fault_next_to_a_variable_is_named(tmp_path, text, name, words):
    assert words in _faults(tmp_path, text, {name: "x"})


def test_a_file_in_another_encoding_is_refused_with_the_way_to_save_it(tmp_path):
    (tmp_path / "config.yaml").write_bytes("seals: 处方印章\n".encode("gbk"))
    with pytest.raises(ConfigError, match="Save as with encoding UTF-8"):
        Config.load(tmp_path / "config.yaml", environment={})


def test_every_fault_is_reported_at_once_with_its_line(tmp_path):
    fault_lines = _faults(
        tmp_path, "api:\n  contrct: inline\n  timeout_seconds: soon\nlimits:\n  concurrency: 0\nrosters: x\n"
    )
    assert "config.yaml:2: api.contrct: unknown key; did you mean contract?" in fault_lines
    assert "config.yaml:3: api.timeout_seconds: must be a number" in fault_lines
    assert "config.yaml:5: limits.concurrency: must be greater than 0" in fault_lines
    assert "config.yaml:6: rosters: unknown key; did you mean roster?" in fault_lines


@pytest.mark.parametrize(
    ("endpoint", "word"),
    [
        ("http://essbasic.tencentcloudapi.com", "https"),
        (r"https://evil.cn\.tencentcloudapi.com", "only scheme"),
        ("https://evil.cn%2f.tencentcloudapi.com", "only scheme"),
        ("https://evil.cn .tencentcloudapi.com", "only scheme"),
        ("https://.tencentcloudapi.com", "only scheme"),
        ("https://essbasic.tencentcloudapi。com", "only scheme"),
        ("https://[::1", "only scheme"),
        ("https://essbasic.tencentcloudapi.com:0", "invalid port"),
        ("http://127.0.0.1:65536", "invalid port"),
        ("essbasic.tencentcloudapi.com", "must begin with https://"),
        ("https://169.254.169.254", "not an address"),
        ("https://essbasic.tencentcloudapi.com.evil.cn", "not an address"),
        ("https://user@essbasic.tencentcloudapi.com", "only scheme"),
        ("https://essbasic.tencentcloudapi.com:8443", "not an address"),
        ("https://essbasic.tencentcloudapi.com/path", "only scheme"),
        ("http://192.168.1.5:8000", "https"),
    ],
)
def test_nothing_leaves_for_another_host(tmp_path, endpoint, word):
    fault_lines = _faults(tmp_path, f"api: {{endpoint: '{endpoint}', file_endpoint: null}}\n")
    assert word in fault_lines
    assert "file_endpoint" not in fault_lines  # it follows the endpoint: its own fault would be no second one


@pytest.mark.parametrize("proxy", ["http:///", "http://127.0.0.1:99999", "127.0.0.1:3128", "http://a b:1"])
def test_a_proxy_is_an_address_with_a_port_that_exists(tmp_path, proxy):
    fault_lines = _faults(tmp_path, f"api: {{proxy: '{proxy}'}}\n")
    assert "api.proxy" in fault_lines
    assert proxy not in fault_lines


def test_variables_of_other_programs_are_not_read(tmp_path, capsys, monkeypatch):
    (tmp_path / "config.yaml").write_text("api: {app_id: a, organization_open_id: b, operator_open_id: c}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIPELINE_WORKSPACE", "/azure")  # another program's
    monkeypatch.setenv("PIPELINE_OUT", "there")
    monkeypatch.setenv("PIPELINE_API__APP_ID", "another")
    monkeypatch.setenv("ESIGN_IMPORT_API__APP_ID", "current")
    assert main(["--lang", "en", "config", "show"]) == 0
    shown, stderr_text = capsys.readouterr()
    assert ("out: there" in shown, "app_id: current" in shown) == (False, True)
    assert "PIPELINE" not in stderr_text


@pytest.mark.parametrize(("app_id", "is_odd"), [("abc", True), ("yD" + "0" * 30, False)])
def test_an_app_id_of_another_form_is_a_warning(tmp_path, capsys, monkeypatch, app_id, is_odd):
    (tmp_path / "config.yaml").write_text(
        f"api: {{app_id: {app_id}, organization_open_id: b, operator_open_id: c}}\n"
    )
    monkeypatch.chdir(tmp_path)
    for language, text in (("zh", "写法少见"), ("en", "is unusual")):
        main(["--lang", language, "doctor", "--offline"])
        assert (text in capsys.readouterr().out) == is_odd


def test_the_configuration_is_json_where_that_is_asked_for(tmp_path, capsys, monkeypatch):
    (tmp_path / "config.yaml").write_text("api: {app_id: a, organization_open_id: b, operator_open_id: c}\n")
    monkeypatch.chdir(tmp_path)
    assert main(["config", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["api"]["app_id"] == "a"
    assert main(["doctor", "--offline", "--json"]) == 4
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [finding["topic"] for finding in findings if finding["level"] == "fault"] == ["credentials"]


@pytest.mark.parametrize("text", ["a: " + "[" * 1_000, "a: " + "x" * 2_000_000])
def test_a_file_that_is_no_configuration_is_refused_before_it_breaks_the_parser(tmp_path, text):
    fault_lines = _faults(tmp_path, text)
    assert "config.yaml: " in fault_lines
    assert "nested too deep" in fault_lines or "larger than" in fault_lines


def test_faults_name_their_line_and_value_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "guards:\n  unknown: 7\n  new_rows: some\napi:\n  timeout_seconds: -2\nlangage: zh\n", "utf-8"
    )
    with pytest.raises(ConfigError) as wrong:
        Config.load(path, environment={"ESIGN_IMPORT_LIMITS__CONCURRENCY": "many"})
    en, zh = wrong.value.render("en"), wrong.value.render("zh")
    lines = [line.removeprefix(f"{path}:") for line in en.splitlines()]
    assert (
        lines[0]
        == "environment variable ESIGN_IMPORT_LIMITS__CONCURRENCY: limits.concurrency: must be a whole number (it is “many”)"
    )
    assert lines[1:] == [
        "3: guards.new_rows: must be a whole number (it is “some”)",
        "5: api.timeout_seconds: must be greater than 0 (it is “-2”)",
        "6: langage: unknown key; did you mean language?",
    ]
    assert f"{path}:5: api.timeout_seconds：必须大于 0（写的是“-2”）" in zh


def test_a_secret_that_does_not_fit_is_not_shown(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("intake: {password: [hunter2]}\napi: {proxy: 'hunter2'}\n", "utf-8")
    with pytest.raises(ConfigError) as wrong:
        Config.load(path, environment={})
    assert "hunter2" not in wrong.value.render("en").replace("api.proxy", "")


def test_ids_that_are_missing_are_named_with_their_lines(tmp_path, capsys):
    path = tmp_path / "config.yaml"
    path.write_text("api:\n  app_id: …\n  operator_open_id: x\n", "utf-8")
    assert main(["--config", str(path), "--lang", "en", "doctor", "--offline"]) == 4
    assert ": not filled in: api.app_id (line 2), api.organization_open_id" in capsys.readouterr().out


def test_missing_paths_are_named(tmp_path, capsys, monkeypatch):
    ids = "app_id: a, organization_open_id: b, operator_open_id: c"
    (tmp_path / "inbox").mkdir()
    (tmp_path / "印章图片").mkdir()
    path = tmp_path / "config.yaml"
    path.write_text(f"api: {{{ids}, ca_file: ca.pem}}\nseals: 印章图\nsecrets_dir: keys\n", "utf-8")
    assert main(["--config", str(path), "--lang", "en", "doctor", "--offline"]) == 4
    printed = capsys.readouterr().out
    assert (
        f"config.yaml:2: seals: {tmp_path}/印章图 does not exist. Did you mean {tmp_path}/印章图片?"
        in printed
    )
    assert f"config.yaml:1: api.ca_file: {tmp_path}/ca.pem does not exist." in printed
    assert f"config.yaml:3: secrets_dir: {tmp_path}/keys does not exist." in printed
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "a")  # the keys are elsewhere
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", "b")
    path.write_text(f"api: {{{ids}}}\nsecrets_dir: keys\n", "utf-8")
    assert main(["--config", str(path), "--lang", "zh", "doctor", "--offline"]) == 0
    printed = capsys.readouterr().out
    assert f"seals：找不到 {tmp_path}/seals。" in printed  # a default folder may be absent
    assert f"{path}:2：secrets_dir：找不到 {tmp_path}/keys。" in printed
    assert "roster" not in printed


@pytest.mark.parametrize(
    ("written", "used"), [("20", 20), ("2.7", 2), ("0.5", 1), ("1e1", 10), (7, 7), (0.2, 1)]
)
def test_concurrency_is_a_whole_number_and_at_least_one(written, used):
    concurrency = Config.load(None, environment={}, limits={"concurrency": written}).limits.concurrency
    assert (type(concurrency), concurrency) == (int, used)


@pytest.mark.parametrize("written", ["0", "-0.5", "-3", "nan", "inf", "many", None])
def test_a_concurrency_that_is_not_positive_is_refused(written):
    with pytest.raises(ConfigError, match="concurrency"):
        Config.load(None, environment={}, limits={"concurrency": written})


def test_the_schema_describes_every_key_and_nothing_else(capsys):
    assert main(["--lang", "en", "config", "show", "--schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    described = []

    def describe(properties, *names):
        for name, value in properties.items():
            section = schema["$defs"].get(value.get("$ref", "").rpartition("/")[2])
            if section:
                describe(section["properties"], *names, name)
                continue
            described.append((*names, name))
            assert value["description"], name
            assert "default" in value, name

    describe(schema["properties"])
    assert described == [*list_keys()]
    assert (schema["additionalProperties"], schema["$defs"]["Api"]["additionalProperties"]) == (False, False)
    assert schema["$defs"]["Limits"]["properties"]["concurrency"]["type"] == "integer"
    assert schema["$defs"]["Api"]["properties"]["file_endpoint"]["type"] == ["string", "null"]
