"""Secrets in config.yaml: keys and the password of the ledger are refused, and no message shows them."""

import pytest

from pipeline.config.settings import Config
from pipeline.errors import ConfigError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "hospital" / "config.yaml"
    path.parent.mkdir()
    return path


def refuse(file):
    with pytest.raises(ConfigError) as caught:
        Config.load(file, environment={})
    assert "s3cret" not in caught.value.render("en") + caught.value.render("zh")
    return caught.value.render("en")


def test_the_keys_that_hospitals_have_in_common_are_refused_as_well(file):
    keys = "credentials: {secret_id: AKIDliteral, secret_key: literal-s3cret}"
    (file.parents[1] / "common.yaml").write_text(keys, "utf-8")
    file.write_text("seals: seals\n", "utf-8")
    assert "common.yaml:1: credentials.secret_id: no such key. Keys do not belong" in refuse(file)


@pytest.mark.parametrize(("text", "words"), [
    ("api: {secret_key: s3cret}\n", "api.secret_key: no such key. Keys do not belong in config.yaml"),
    ("secret_id: s3cret\n", "secret_id: no such key. Keys do not belong in config.yaml"),
    ("api: {SecretKey: s3cret}\n", "api.SecretKey: no such key. Keys do not belong"),
    ("credentials: {token: s3cret}\n", "credentials.token: no such key"),
    ("credentials: {secret_id: s3cret}\n", "credentials.secret_id: no such key. Keys do not belong"),
    ("credentials: {role: sts}\n", "role: sts and role_arn belong together"),
    ("credentials: {role: aws}\n", "must be one of"),
    ("credentials: {role: cvm, role_arn: x}\n", "belong together"),
])  # fmt: skip
def test_a_fault_of_the_section_is_named_without_its_value(file, text, words):
    file.write_text(text, "utf-8")
    assert words in refuse(file)


def test_a_variable_of_ours_carries_no_keys(file):
    file.write_text("", "utf-8")
    with pytest.raises(ConfigError, match="tencent__secret_id") as wrong:
        Config.load(file, environment={"ESIGN_IMPORT_CREDENTIALS__SECRET_KEY": "s3cret"})
    assert "s3cret" not in wrong.value.render("en")


def test_a_password_in_the_ledgers_address_is_refused_and_never_shown(file):
    file.write_text("ledger: 'postgresql://importer:s3cret@db.platform/esign'\n", "utf-8")
    assert "ledger__password" in refuse(file)
    # one that comes from elsewhere than the file is none of the file's
    config = Config.load(file, environment={"ESIGN_IMPORT_LEDGER": "postgresql://i:pa55@db/esign"})
    assert config.ledger.url == "postgresql://i:pa55@db/esign"
    assert "pa55" not in config.digest_text() + repr(config) + config.name_ledger()


@pytest.mark.parametrize("text", [
    "postgresql://importer:pa@55@db/esign", "postgresql://db", "mysql://importer:pa55@db/esign",
    "postgresql://importer:pa55@db/esign?sslmode", "sqlite:///pa55.sqlite3",
])  # fmt: skip
def test_an_address_that_is_no_ledger_is_refused_without_its_text(file, text):
    file.write_text(f"ledger: '{text}'\n", "utf-8")
    with pytest.raises(ConfigError, match="must be a path on a local disk, or postgresql://user") as caught:
        Config.load(file, environment={})
    shown = caught.value.render("en") + caught.value.render("zh")
    assert "55" not in shown.replace(str(file), "")
