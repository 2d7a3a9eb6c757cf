"""`user add|list|remove`, the file of users, and how long a wrong password is waited for."""

import io
import json
import stat
import time

import pytest

from pipeline.errors import EsignImportError
from pipeline.web.access import PageUser, Role
from pipeline.web.users import (
    FREE_ATTEMPTS,
    LONGEST_WAIT,
    USERS_FILE,
    FailedAttempts,
    PasswordChecker,
    UserFile,
)

PASSWORD = "four words are enough"


@pytest.fixture
def add(hospital, monkeypatch, quick_digests):
    def add_user(name, role, password=PASSWORD):
        monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
        return hospital.go("user", "add", name, "--role", role)

    return add_user


def test_a_digest_takes_a_guesser_as_long_as_argon2_advises():
    assert PasswordChecker().digest("wang", PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_users_are_added_listed_changed_and_removed(hospital, add, capsys):
    assert add("王芳", "clerk") == 0
    assert add("it", "send") == 0
    assert hospital.go("user", "list") == 0
    listed = capsys.readouterr().out
    assert "王芳  clerk" in listed
    path = hospital.folder / "state" / USERS_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PASSWORD not in path.read_text("utf-8")
    assert add("王芳", "look", "another long password") == 0
    assert "earlier sessions have ended" in " ".join(capsys.readouterr().out.split())
    assert hospital.go("user", "remove", "it") == 0
    capsys.readouterr()
    assert hospital.go("--json", "user", "list") == 0
    users = json.loads(capsys.readouterr().out)["users"]
    assert [(user["name"], user["role"]) for user in users] == [("王芳", "look")]
    assert hospital.go("user", "remove", "it") == 2
    assert hospital.go("user", "remove", "王芳") == 0
    assert hospital.go("user", "list") == 0
    assert "No users." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "password", "words"),
    [
        ("wang", "short", "has 12 to 200 characters"),
        ("wang", "x" * 201, "has 12 to 200 characters"),
        ("wang", "the password of WANG", "must not contain the user name"),
        ("<script>", PASSWORD, "begins with a letter"),
        ("a\u202eb", PASSWORD, "begins with a letter"),
        ("x" * 64, PASSWORD, "begins with a letter"),
        ("wang ", PASSWORD, "begins with a letter"),
    ],
)
def test_a_name_or_password_that_will_not_do_changes_nothing(hospital, add, capsys, name, password, words):
    assert add(name, "look", password) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (hospital.folder / "state" / USERS_FILE).exists()


def test_behind_a_proxy_a_user_has_no_password(hospital, add):
    with (hospital.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("web: {url: 'https://esign.hospital.example', trusted_proxy: 127.0.0.1}\n")
    assert add("wang", "clerk", "") == 0
    user = UserFile(hospital.folder / "state").read()["wang"]
    assert user.password is None


@pytest.mark.parametrize("text", ["", "{}", '{"users": [{"name": "x"}]}', '{"users": 1}'])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / USERS_FILE).write_text(text)
    with pytest.raises(EsignImportError) as refused:
        UserFile(tmp_path).read()
    assert USERS_FILE in refused.value.render("en")


def test_after_some_wrong_passwords_there_is_a_growing_wait():
    now = 0.0
    attempts = FailedAttempts(lambda: now)
    for _ in range(FREE_ATTEMPTS - 1):
        attempts.add("name a", "address b")
        assert attempts.get_wait("name a", "address b") == 0
    waits = []
    for _ in range(12):
        attempts.add("name a", "address b")
        waits.append(attempts.get_wait("name a"))
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == LONGEST_WAIT
    assert attempts.get_wait("another name", "address b") == LONGEST_WAIT, "the address counts by itself"
    assert attempts.get_wait("another name", "another address") == 0
    now += LONGEST_WAIT
    assert attempts.get_wait("name a", "address b") == 0
    attempts.clear("name a")
    attempts.add("name a")
    assert attempts.get_wait("name a") == 0


def test_a_name_that_no_user_has_takes_as_long_as_a_wrong_password(quick_digests):
    """Of the CPU of this thread: a page that answers at once names its users."""
    checker = PasswordChecker()
    user = PageUser("wang", Role.LOOK, "", checker.digest("wang", PASSWORD))

    def measure(who):
        begun = time.thread_time()
        assert not checker.is_right(who, "another password")
        return time.thread_time() - begun

    known, unknown = min(measure(user) for _ in range(3)), min(measure(None) for _ in range(3))
    without_password = min(measure(PageUser("li", Role.LOOK)) for _ in range(3))
    assert min(unknown, without_password) > known / 3
