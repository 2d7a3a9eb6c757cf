"""A ledger on a server in config.yaml: one address for several hospitals, its secrets, its local side files."""

import pytest

from pipeline.cli.app import main
from pipeline.config.named_paths import read_ledger_secret, read_server_address
from pipeline.config.settings import Config
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import ConfigError, UsageError
from pipeline.operations.notify import state_path

URL = "postgresql://importer@db.platform:5432/esign"
SECRET = "Dv3Q8mB1wT6yK0pZ4nR7"
COMMON = f"ledger: {URL}\napi: {{app_id: a, operator_open_id: o}}\n"


@pytest.fixture
def hospitals(tmp_path):
    """Make the folder of two hospitals whose ledgers are in one database."""
    for name in ("north", "south"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(f"api: {{organization_open_id: {name}}}\n", "utf-8")
    (tmp_path / "common.yaml").write_text(COMMON, "utf-8")
    return tmp_path


def test_hospitals_share_an_address_and_nothing_else(hospitals):
    north, south = (Config.load(hospitals / name, environment={}) for name in ("north", "south"))
    assert str(north.ledger) == str(south.ledger) == URL == north.name_ledger()
    assert north.work_folder != south.work_folder
    assert state_path(north) != state_path(south)
    assert state_path(north).parent == hospitals / "north" / "state"
    assert state_path(north).name.startswith("esign_production_")


def test_the_address_by_the_environment(hospitals):
    north = hospitals / "north"
    config = Config.load(north, environment={"ESIGN_IMPORT_LEDGER": "postgres://other@db/esign"})
    assert config.name_ledger() == "postgres://other@db/esign"
    config = Config.load(north, environment={"ESIGN_IMPORT_LEDGER": "here/l.sqlite3"})
    assert config.is_ledger_on_server is False


def test_one_hospital_has_a_file_and_the_others_a_server(hospitals):
    (hospitals / "south" / "config.yaml").write_text("ledger: south.sqlite3\n", "utf-8")
    south = Config.load(hospitals / "south", environment={})
    assert south.resolve_ledger_file() == hospitals / "south" / "south.sqlite3"
    assert Config.load(hospitals / "north", environment={}).is_ledger_on_server


def test_the_secret_is_that_of_systemd_then_of_the_folder_then_of_the_environment(tmp_path):
    own, folder = tmp_path / "credentials", tmp_path / "secrets"
    for source in (own, folder):
        source.mkdir()
        (source / "ledger__secret").write_text(f"{source.name} {SECRET}\r\n", "utf-8-sig")
    config = Config(ledger=URL, secrets_dir=folder)
    environment = {"ESIGN_IMPORT_LEDGER_SECRET": f"variable {SECRET}", "CREDENTIALS_DIRECTORY": str(own)}
    for source in (own, folder):
        assert read_ledger_secret(config, environment) == f"{source.name} {SECRET}"
        (source / "ledger__secret").unlink()
    assert read_ledger_secret(config, environment) == f"variable {SECRET}"


def test_a_secret_that_is_missing_or_weak_is_refused_with_the_way_to_make_one(tmp_path):
    config = Config(ledger=URL, secrets_dir="secrets", base=tmp_path)
    with pytest.raises(UsageError) as caught:
        read_ledger_secret(config, {})
    for language in ("en", "zh"):
        text = caught.value.render(language)
        assert 'python -c "import secrets; print(secrets.token_urlsafe(32))"' in text
        assert f"chmod 600 {tmp_path / 'secrets' / 'ledger__secret'}" in text
        assert "$ESIGN_IMPORT_LEDGER_SECRET" in text
    with pytest.raises(UsageError, match="at least 20") as caught:
        read_ledger_secret(config, {"ESIGN_IMPORT_LEDGER_SECRET": "hunter2"})
    assert "hunter2" not in caught.value.render("en") + caught.value.render("zh")


def test_the_secret_is_no_unknown_variable_and_no_key(hospitals):
    north = hospitals / "north"
    Config.load(north, environment={"ESIGN_IMPORT_LEDGER_SECRET": SECRET})
    with pytest.raises(ConfigError, match="ESIGN_IMPORT_LEDGER_SECRETS"):
        Config.load(north, environment={"ESIGN_IMPORT_LEDGER_SECRETS": SECRET})


def test_the_password_is_that_of_its_file(tmp_path):
    config = Config(ledger=URL, secrets_dir=tmp_path)
    assert read_server_address(config, {}).password is None
    (tmp_path / "ledger__password").write_text("pa55 word\n", "utf-8")
    address = read_server_address(config, {})
    assert (address.url, address.password) == (URL, "pa55 word")
    assert "pa55" not in f"{address} {address!r}"
    assert read_server_address(Config(), {}) is None


def test_an_address_to_type_holds_no_password():
    address = ServerAddress.parse("postgresql://me:pa55@db/esign?sslmode=require&password=pa55")
    assert address.url_without_password == "postgresql://me@db/esign?sslmode=require&password="


def test_config_show_accepts_a_ledger_on_a_server(hospitals, capsys):
    assert main(["--config", str(hospitals), "--profile", "north", "config", "show"]) == 0
    assert f"\nledger: {URL}\n" in capsys.readouterr().out


def test_a_folder_for_copies_of_a_ledger_on_a_server_is_refused(hospitals):
    north = hospitals / "north" / "config.yaml"
    north.write_text("backup: {folder: copies}\n", "utf-8")
    with pytest.raises(ConfigError, match=r"common\.yaml:1: ledger: .*pg_dump"):
        Config.load(north, environment={})
    north.write_text("backup: {folder: null}\n", "utf-8")
    assert Config.load(north, environment={}).is_ledger_on_server
