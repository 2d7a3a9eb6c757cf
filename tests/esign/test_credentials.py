"""Where the keys come from: first complete pair, never mixed, one message when there is none."""

import pytest

from pipeline.errors import CredentialsMissing
from pipeline.esign.credentials import CredentialsPlaces

ENVIRONMENT = {"TENCENTCLOUD_SECRET_ID": "AKIDenv", "TENCENTCLOUD_SECRET_KEY": "env-key"}


def _secret_files(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"tencent__{name}").write_text(text, "utf-8")
    return folder


def test_secret_files_come_before_the_environment(tmp_path):
    folder = _secret_files(tmp_path / "secrets", secret_id="AKIDfile\n", secret_key="file-key\n", token="t\n")
    credentials = CredentialsPlaces(environment=ENVIRONMENT, secrets_dir=folder).find()
    assert (credentials.secret_id, credentials.secret_key, credentials.token) == ("AKIDfile", "file-key", "t")


def test_the_credentials_directory_comes_first_of_all(tmp_path):
    first = _secret_files(tmp_path / "a", secret_id="AKIDa", secret_key="a")
    second = _secret_files(tmp_path / "b", secret_id="AKIDb", secret_key="b")
    credentials = CredentialsPlaces(
        environment={**ENVIRONMENT, "CREDENTIALS_DIRECTORY": str(first)}, secrets_dir=second
    ).find()
    assert credentials.secret_id == "AKIDa"


def test_half_a_pair_is_never_completed_from_elsewhere(tmp_path):
    folder = _secret_files(tmp_path / "secrets", secret_id="AKIDfile")
    assert CredentialsPlaces(environment=ENVIRONMENT, secrets_dir=folder).find().secret_id == "AKIDenv"


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
        CredentialsPlaces(environment={}, secrets_dir=folder).find()
    assert f"secrets_dir ({folder}): {words}" in str(missing.value)
    elsewhere = CredentialsPlaces(environment=ENVIRONMENT, secrets_dir=folder)
    assert elsewhere.find().secret_id == "AKIDenv"


def test_the_token_comes_from_its_variable():
    assert CredentialsPlaces(environment={**ENVIRONMENT, "TENCENTCLOUD_TOKEN": "tok"}).find().token == "tok"


def test_one_message_lists_what_was_looked_at(tmp_path):
    unreadable = _secret_files(tmp_path / "a")
    (unreadable / "tencent__secret_id").write_bytes(b"\xff\xfe\x81")
    folder = _secret_files(tmp_path / "secrets", secret_key="only-the-key")
    with pytest.raises(CredentialsMissing) as caught:
        CredentialsPlaces(
            environment={"CREDENTIALS_DIRECTORY": str(unreadable), "TENCENTCLOUD_SECRET_ID": "AKIDhalf"},
            secrets_dir=folder,
        ).find()
    en, zh = caught.value.render("en"), caught.value.render("zh")
    assert "secrets" in en
    assert "SecretKey only" in en
    assert "SecretId only" in en
    assert "content is invalid" in en
    assert "无法识别" in zh
    assert "TENCENTCLOUD_SECRET_KEY" in en
    assert "only-the-key" not in en + zh
    assert "没有找到成对" in zh
