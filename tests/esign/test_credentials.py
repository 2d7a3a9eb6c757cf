"""Where the keys come from: first complete pair, never mixed, one message when there is none."""

import json
import subprocess
import sys

import keyring
import pytest

from pipeline.errors import CredentialsMissing
from pipeline.esign import key_pairs as module
from pipeline.esign.credentials import CredentialsPlaces

ENVIRONMENT = {"TENCENTCLOUD_SECRET_ID": "AKIDenv", "TENCENTCLOUD_SECRET_KEY": "env-key"}


def _secret_files(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"tencent__{name}").write_text(text, "utf-8")
    return folder


def test_secret_files_come_before_the_environment(tmp_path):
    folder = _secret_files(tmp_path / "secrets", secret_id="AKIDfile\n", secret_key="file-key\n", token="t\n")
    credentials = CredentialsPlaces(environment=ENVIRONMENT, home=tmp_path, secrets_dir=folder).find()
    assert (credentials.secret_id, credentials.secret_key, credentials.token) == ("AKIDfile", "file-key", "t")


def test_the_credentials_directory_comes_first_of_all(tmp_path):
    first = _secret_files(tmp_path / "a", secret_id="AKIDa", secret_key="a")
    second = _secret_files(tmp_path / "b", secret_id="AKIDb", secret_key="b")
    credentials = CredentialsPlaces(
        environment={**ENVIRONMENT, "CREDENTIALS_DIRECTORY": str(first)}, home=tmp_path, secrets_dir=second
    ).find()
    assert credentials.secret_id == "AKIDa"


def test_half_a_pair_is_never_completed_from_elsewhere(tmp_path):
    folder = _secret_files(tmp_path / "secrets", secret_id="AKIDfile")
    assert (
        CredentialsPlaces(environment=ENVIRONMENT, home=tmp_path, secrets_dir=folder).find().secret_id
        == "AKIDenv"
    )


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"secret_id": "", "secret_key": ""}, "the files tencent__secret_id, tencent__secret_key are empty"),
        ({"secret_id": "\ufeff \n", "secret_key": "key"}, "the file tencent__secret_id is empty"),
        ({"secret_id": "AKIDfile", "secret_key": '""'}, "the file tencent__secret_key is empty"),
        ({"secret_key": ""}, "the file tencent__secret_key is empty"),
        ({"secret_id": "AKIDfile"}, "SecretId only, no SecretKey"),
        ({}, "not found"),
    ],
)
def test_empty_files_are_called_empty(tmp_path, files, words):
    folder = _secret_files(tmp_path / "secrets", **files)
    with pytest.raises(CredentialsMissing) as missing:
        CredentialsPlaces(environment={}, home=tmp_path, secrets_dir=folder).find()
    assert f"secrets_dir ({folder}): {words}" in str(missing.value)
    elsewhere = CredentialsPlaces(environment=ENVIRONMENT, home=tmp_path, secrets_dir=folder)
    assert elsewhere.find().secret_id == "AKIDenv"


@pytest.mark.parametrize(
    "name", ["TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SESSION_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"]
)
def test_every_name_of_the_token_is_known(tmp_path, name):
    assert CredentialsPlaces(environment={**ENVIRONMENT, name: "tok"}, home=tmp_path).find().token == "tok"


def test_the_sdks_file_with_a_bom_and_quotes(tmp_path):
    (tmp_path / ".tencentcloud").mkdir()
    text = '\ufeff[default]\nsecret_id = "AKIDini"\nsecret_key = "ini-key"\n'
    (tmp_path / ".tencentcloud" / "credentials").write_text(text, "utf-8")
    assert (
        CredentialsPlaces(environment={}, home=tmp_path).find().secret_id,
        CredentialsPlaces(environment={}, home=tmp_path).find().secret_key,
    ) == ("AKIDini", "ini-key")


def test_tccli_comes_last(tmp_path):
    (tmp_path / ".tccli").mkdir()
    keys = json.dumps({"secretId": "AKIDtccli", "secretKey": "k"})
    (tmp_path / ".tccli" / "default.credential").write_text(keys, "utf-8")
    assert CredentialsPlaces(environment={}, home=tmp_path).find().secret_id == "AKIDtccli"
    assert CredentialsPlaces(environment=ENVIRONMENT, home=tmp_path).find().secret_id == "AKIDenv"


def test_one_message_lists_what_was_looked_at(tmp_path):
    (tmp_path / ".tencentcloud").mkdir()
    (tmp_path / ".tencentcloud" / "credentials").write_text("no section", "utf-8")
    folder = _secret_files(tmp_path / "secrets", secret_key="only-the-key")
    with pytest.raises(CredentialsMissing) as caught:
        CredentialsPlaces(
            environment={"TENCENTCLOUD_SECRET_ID": "AKIDhalf"}, home=tmp_path, secrets_dir=folder
        ).find()
    en, zh = caught.value.render("en"), caught.value.render("zh")
    assert "secrets" in en
    assert "SecretKey only" in en
    assert "SecretId only" in en
    assert "content is invalid" in en
    assert "无法识别" in zh
    assert ".tccli" in en
    assert "only-the-key" not in en + zh
    assert "没有找到成对" in zh


@pytest.fixture
def use_keyring(tmp_path, monkeypatch):
    """Choose a keyring as a user does, by PYTHON_KEYRING_BACKEND."""
    monkeypatch.setenv("KEYRING_FILE", str(tmp_path / "keyring.json"))

    def choose(name):
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
        keyring.core.init_backend()

    yield choose
    monkeypatch.undo()
    keyring.core.init_backend()


def test_the_keyring_is_asked_last_and_the_hospitals_own_entry_first(tmp_path, use_keyring):
    use_keyring("file_keyring.FileKeyring")
    for name in ("secret_id", "secret_key"):
        keyring.set_password("esign-import", name, f"general-{name}")
    keyring.set_password("esign-import/org", "secret_id", "half of a pair")
    find = {"home": tmp_path, "organization": "org"}
    pair = CredentialsPlaces(environment={}, **find).find()
    assert (pair.secret_id, pair.secret_key) == ("general-secret_id", "general-secret_key")
    keyring.set_password("esign-import/org", "secret_key", "own-key")
    assert CredentialsPlaces(environment={}, **find).find().secret_key == "own-key"
    assert CredentialsPlaces(environment=ENVIRONMENT, **find).find().secret_id == "AKIDenv"


@pytest.mark.parametrize(("backend", "words"), [
    ("keyring.backends.fail.Keyring", "this machine has no keyring"),
    ("keyring.backends.null.Keyring", "not found"),
    ("file_keyring.SilentKeyring", "no answer within"),
    ("file_keyring.BrokenKeyring", "cannot be opened (OSError)"),
])  # fmt: skip
def test_a_keyring_that_is_of_no_use_is_named_and_not_waited_for(
    tmp_path, use_keyring, monkeypatch, backend, words
):
    if "Silent" in backend:
        monkeypatch.setattr(module, "KEYRING_SECONDS", 0.1)
    use_keyring(backend)
    with pytest.raises(CredentialsMissing) as caught:
        CredentialsPlaces(environment={}, home=tmp_path).find()
    assert f"keyring esign-import: {words}" in caught.value.render("en")
    assert "s3cret" not in caught.value.render("en")


def test_the_package_is_imported_only_where_nothing_else_holds_keys(tmp_path):
    code = (
        "import sys, pathlib; from pipeline.esign.credentials import CredentialsPlaces;"
        f"CredentialsPlaces(environment={ENVIRONMENT!r}, home=pathlib.Path({str(tmp_path)!r})).find();"
        "print('keyring' in sys.modules, 'aiohttp' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False False\n"
