"""Keys in config.yaml: accepted with a warning, refused where others can read them or git would keep them."""

import os
import subprocess

import pytest

from pipeline.cli.app import main
from pipeline.config.settings import Config, load
from pipeline.errors import ConfigError

KEYS = "credentials: {secret_id: AKIDliteral, secret_key: literal-s3cret}\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "hospital" / "config.yaml"
    path.parent.mkdir()
    path.write_text(KEYS, "utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def repository(file):
    subprocess.run(["git", "init", "-q", str(file.parent.parent)], check=True)
    return file.parent.parent


def refuse(file):
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert "s3cret" not in caught.value.render("en") + caught.value.render("zh")
    return caught.value.render("en")


def test_keys_in_a_file_of_ones_own_are_a_warning_and_never_shown(file, capsys):
    warnings = []
    load(file, {}, warn=warnings.append)
    assert ["contains keys" in warning.render("en") for warning in warnings] == [True]
    assert main(["--config", str(file), "config", "show"]) == 0
    shown = capsys.readouterr()
    assert "secret_key: '**********'" in shown.out
    assert "s3cret" not in shown.out + shown.err
    assert "AKIDliteral" not in shown.out + shown.err + Config.load(file).digest_text() + repr(
        Config.load(file)
    )


@pytest.mark.skipif(os.name == "nt", reason="rights are no mode")
def test_the_keys_of_one_hospital_among_several_are_refused_as_well(file):
    file.write_text(f"profiles:\n  north:\n    {KEYS}  south:\n    seals: seals\n", "utf-8")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load(file, {}, profile="north")
    assert load(file, {}, profile="south").credentials.secret_key is None


@pytest.mark.skipif(os.name == "nt", reason="rights are no mode")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_keys_that_others_can_read_are_refused(file, mode, capsys):
    file.chmod(mode)
    assert "chmod 600" in refuse(file)
    assert main(["--config", str(file), "check"]) == 2


@pytest.mark.parametrize(("ignored", "is_accepted"), [
    ("", False), ("config.yaml", True), ("hospital/", True), ("*.yaml\n!hospital/config.yaml", False),
])  # fmt: skip
def test_keys_in_a_git_work_tree_are_refused_unless_git_ignores_the_file(
    file, repository, ignored, is_accepted
):
    (repository / ".gitignore").write_text(ignored)
    if is_accepted:
        assert load(file, {}).credentials.secret_key.get_secret_value() == "literal-s3cret"
    else:
        assert "git repository" in refuse(file)


def test_a_file_that_git_keeps_already_is_not_ignored(file, repository):
    subprocess.run(["git", "-C", str(repository), "add", "hospital/config.yaml"], check=True)
    (repository / ".gitignore").write_text("config.yaml")
    assert "git repository" in refuse(file)


def test_without_git_every_file_of_a_work_tree_counts_as_kept(file, repository, monkeypatch):
    (repository / ".gitignore").write_text("config.yaml")
    monkeypatch.setenv("PATH", str(repository / "nothing"))
    assert "git repository" in refuse(file)


def test_a_hook_of_git_points_to_no_other_repository(file, repository, tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", str(tmp_path / "other")], check=True)
    (tmp_path / "other" / ".git" / "info" / "exclude").write_text("*")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert "git repository" in refuse(file)


@pytest.mark.parametrize(("text", "words"), [
    ("api: {secret_key: s3cret}\n", "api.secret_key: no such key. Keys do not belong in config.yaml"),
    ("secret_id: s3cret\n", "secret_id: no such key. Keys do not belong in config.yaml"),
    ("api: {SecretKey: s3cret}\n", "api.SecretKey: no such key. Keys do not belong"),
    ("credentials: {token: s3cret}\n", "credentials.token: no such key"),
    ("credentials: {secret_id: s3cret}\n", "must be set together"),
    ("credentials: {role: sts}\n", "requires role_arn"),
    ("credentials: {role: aws}\n", "must be one of"),
    ("credentials: {role: cvm, endpoint: 'https://sts.tencentcloudapi.com'}\n", "address of this machine"),
    ("credentials: {role: oidc, endpoint: 'https://sts.example.com'}\n", "not an address of Tencent"),
    ("credentials: {role: oidc, endpoint: 'http://169.254.169.254'}\n", "https"),
])  # fmt: skip
def test_a_fault_of_the_section_is_named_without_its_value(file, text, words):
    file.write_text(text, "utf-8")
    assert words in refuse(file)


def test_a_variable_of_ours_carries_no_keys(file):
    file.write_text("", "utf-8")
    with pytest.raises(ConfigError, match="TENCENTCLOUD_SECRET_ID"):
        load(file, {"ESIGN_IMPORT_CREDENTIALS__SECRET_KEY": "s3cret"})


PASSWORD = "ledger: 'postgresql://importer:pa55@db.platform/esign'\n"


def test_a_password_of_the_ledger_follows_the_same_rule_and_is_never_shown(file, capsys):
    file.write_text(PASSWORD, "utf-8")
    warnings = []
    config = load(file, {}, warn=warnings.append)
    assert ["contains keys or a password" in warning.render("en") for warning in warnings] == [True]
    assert config.ledger.url == "postgresql://importer:pa55@db.platform/esign"
    assert main(["--config", str(file), "config", "show"]) == 0
    shown = capsys.readouterr()
    assert "ledger: postgresql://importer:***@db.platform/esign" in shown.out
    assert "pa55" not in shown.out + shown.err + config.digest_text() + repr(config) + config.name_ledger()
    file.chmod(0o644)
    assert "chmod 600" in refuse(file)
    # one that comes from elsewhere than the file is none of the file's
    assert load(file, {"ESIGN_IMPORT_LEDGER": "postgresql://i:x@db/esign"}).is_ledger_on_server


def test_a_password_of_the_ledger_is_refused_in_a_git_work_tree(file, repository):
    file.write_text(PASSWORD, "utf-8")
    assert "git repository" in refuse(file)


@pytest.mark.parametrize("text", [
    "postgresql://importer:pa@55@db/esign", "postgresql://db", "mysql://importer:pa55@db/esign",
    "postgresql://importer:pa55@db/esign?sslmode", "sqlite:///pa55.sqlite3",
])  # fmt: skip
def test_an_address_that_is_no_ledger_is_refused_without_its_text(file, text):
    file.write_text(f"ledger: '{text}'\n", "utf-8")
    with pytest.raises(ConfigError, match="must be a path on a local disk, or postgresql://user") as caught:
        load(file, {})
    shown = caught.value.render("en") + caught.value.render("zh")
    assert "55" not in shown.replace(str(file), "")
