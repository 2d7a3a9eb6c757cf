"""Rights, a read-only disk, a full disk: one message with the path, the user and the cure."""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from bound_support import BOUND, needs_rights
from crash_support import Zygote
from PIL import Image

from pipeline.support.rights import acting_user


def go(hospital, *arguments, language="en") -> tuple[int, str]:
    """Run the command line in a process that rights bind."""
    printed = hospital.folder / "printed"
    printed.unlink(missing_ok=True)
    state_home = {"XDG_STATE_HOME": str(hospital.folder / "home-state")}
    with Zygote(*BOUND) as zygote:
        ended = zygote.run(
            hospital, *arguments, language=language, output=str(printed), environment=state_home
        )
    return ended["code"], printed.read_text("utf-8")


@contextmanager
def mode(path: Path, rights: int):
    before = path.stat().st_mode
    path.chmod(rights)
    try:
        yield
    finally:
        path.chmod(before)


@contextmanager
def mounted(folder: Path, options: str):
    """Mount a small disk of its own; skip where that may not be."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk may be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def require_plain(stderr_text: str) -> None:
    """Require that nothing is told of that has nothing to do with rights or room."""
    assert "Traceback" not in stderr_text
    assert "Logging error" not in stderr_text
    assert not any(word in stderr_text for word in ("ledger check", "restore", "damaged", "journals"))


@needs_rights
@pytest.mark.parametrize(
    ("language", "step"),
    [
        ("zh", "有 2 行的图片没有权限读取：{seals}/00001.png, {seals}/00002.png。信息科：让用户 {user} 能读取（如 chmod u+r {seals}/00001.png {seals}/00002.png），然后运行："),
        ("en", "The pictures of 2 rows cannot be read: {seals}/00001.png, {seals}/00002.png. IT: let user {user} read them (such as chmod u+r {seals}/00001.png {seals}/00002.png), then run:"),
    ],
)  # fmt: skip
def test_a_picture_that_may_not_be_read_is_a_matter_for_it(hospital, language, step):
    hospital.seal_doctors(1)
    hospital.doctors(2)
    with mode(hospital.folder / "seals" / "00001.png", 0), mode(hospital.folder / "seals" / "00002.png", 0):
        code, stderr_text = go(hospital, "run", language=language)
    assert code == 5
    assert hospital.statuses() == {"unchanged": 1, "not_sent": 1}
    user = acting_user()
    for line in hospital.outcomes():
        (problem,) = line["problems"]
        assert problem["code"] == "IMAGE_NOT_READ"
        assert user in problem["message"]
        assert "chmod" in problem["message"]
    # one step for both rows, and no advice to run again that would not help
    steps = [line.removeprefix("-> ") for line in stderr_text.splitlines() if line.startswith("-> ")]
    assert steps == [step.format(user=user, seals=hospital.folder / "seals")]
    assert stderr_text.endswith(" run\n")


@needs_rights
def test_what_may_not_be_used_is_named_with_user_and_cure(hospital):
    hospital.seal_doctors(1)
    hospital.doctors(2)
    ledger = "state/ledger.sqlite3"
    shut = {"out": 0o555, "state": 0o555, ledger: 0o444, "state/ledger.sqlite3.key": 0, "seals": 0}
    for where, rights in shut.items():
        path = hospital.folder / where
        with mode(path, rights):
            code, stderr_text = go(hospital, "run")
            assert code == 74
            kind = "u+rwx" if path.is_dir() else "u+rw"
            assert f"The mode of {path} is {rights:04o}; user {acting_user()} must" in stderr_text
            assert f"Run: chmod {kind} {path}\n" in stderr_text
            require_plain(stderr_text)
            if where in {"out", ledger}:
                _, status_text = go(hospital, "status", language="zh")
                assert "退出码 74" in status_text
                assert str(path) in status_text
                require_plain(status_text)
    assert hospital.creates() == 1
    assert hospital.go("run") == 0
    assert hospital.creates() == 2


@needs_rights
def test_an_unreadable_ledger_is_not_replaced(hospital):
    hospital.seal_doctors(1)
    ledger = hospital.folder / "state" / "ledger.sqlite3"
    whole = ledger.read_bytes()
    with mode(ledger, 0):
        for command in ("run", "check", "status", "export", "ledger check"):
            code, stderr_text = go(hospital, *command.split())
            assert code == 74, command
            assert f"{ledger} is 0000" in stderr_text, command
            require_plain(stderr_text)
    assert ledger.read_bytes() == whole
    assert not list(ledger.parent.glob("*.damaged*"))
    assert hospital.creates() == 1


@needs_rights
def test_an_index_left_by_a_read_only_run_hinders_no_run(hospital):
    hospital.seal_doctors(1)
    index = hospital.folder / "state" / "ledger.sqlite3-shm"
    owners = [os.geteuid(), *([65534] if BOUND else [])]  # only root can give a file to somebody else
    for owner in owners:
        index.write_bytes(b"")
        index.chmod(0o444)
        os.chown(index, owner, -1)
        code, stderr_text = go(hospital, "run")
        assert code == 0, stderr_text
        require_plain(stderr_text.replace("from its journals", ""))
        assert hospital.statuses() == {"unchanged": 1}


@needs_rights
def test_an_unreadable_roster_picture_or_inbox_is_not_damaged(hospital):
    hospital.doctors(1)
    hospital.doctors(1, start=2, file="b.xlsx")
    with mode(hospital.folder / "seals" / "00002.png", 0), mode(hospital.folder / "inbox" / "roster.xlsx", 0):
        code, stderr_text = go(hospital, "check")
    assert code == 5
    assert f"The file could not be read (permission denied, user {acting_user()})" in stderr_text
    assert "Picture not readable this time" in stderr_text
    require_plain(stderr_text)
    with mode(hospital.folder / "inbox", 0):
        code, stderr_text = go(hospital, "check")
    assert code == 7
    assert (
        f"Roster inbox was not read: The folder {hospital.folder / 'inbox'} cannot be opened" in stderr_text
    )
    assert "1 roster was not read: inbox" in stderr_text


def test_a_read_only_disk_is_named(hospital):
    hospital.doctors(1)
    out = hospital.folder / "out"
    with mounted(out, "size=64k,ro"):
        code, stderr_text = go(hospital, "run")
        assert code == 74
        assert f"The disk of {out} is read-only, so user {acting_user()}" in stderr_text.replace(
            f"{out}/", f"{out} "
        )
        require_plain(stderr_text)
        assert hospital.creates() == 0


def test_seals_made_before_the_disk_was_full_are_counted_and_reported(hospital):
    """It has room for journal and log of some creates, and not for the results; the ledger lies on another one."""
    hospital.doctors(12)
    with mounted(hospital.folder / "out", "size=32k"):
        code, stderr_text = go(hospital, "run")
        assert code == 74, stderr_text
        run, made = hospital.runs[-1].name, len(hospital.service.seals)
        assert made > 1
        assert "is full" in stderr_text
        assert f"run {run} created {made} seals" in stderr_text
        assert "in the results of the next run" in stderr_text
        assert len(stderr_text.splitlines()) < 10
        require_plain(stderr_text)
        _, status_text = go(hospital, "status")
        assert f"People with a seal: {made} · unknown: 0" in status_text
        assert f"Last run {run}: run" in status_text
        assert "exit code 74" in status_text
        assert status_text.splitlines()[-1].endswith(" ledger check")
    code, stderr_text = go(hospital, "run")
    assert code == 0, stderr_text
    assert hospital.record()["statuses"]["unchanged"] == made
    assert {outcome["seal_id"] for outcome in hospital.outcomes()} == {
        seal.seal_id for seal in hospital.service.seals
    }
    assert hospital.creates() == 12


def test_a_full_disk_under_the_ledger_is_named(hospital):
    hospital.doctors(1)
    with mounted(hospital.folder / "state", "size=64k"):
        code, stderr_text = go(hospital, "run")
    assert code == 74
    assert f"The disk of {hospital.folder / 'state'}" in stderr_text
    assert "is full" in stderr_text
    assert hospital.creates() == 0
    require_plain(stderr_text)


@needs_rights
def test_a_secrets_folder_that_may_not_be_read_is_no_trouble_of_a_disk(hospital):
    hospital.doctors(1)
    with mode(hospital.folder / "secrets", 0):
        code, stderr_text = go(hospital, "check")
        assert code == 0, stderr_text
        code, stderr_text = go(hospital, "run")
    assert (
        code,
        "secrets_dir" in stderr_text,
        f"permission denied; let user {acting_user()} read it" in stderr_text,
    ) == (
        4,
        True,
        True,
    ), stderr_text


@needs_rights
def test_all_files_of_keys_that_may_not_be_read_are_in_one_command(hospital):
    hospital.doctors(1)
    files = [hospital.folder / "secrets" / f"tencent__{name}" for name in ("secret_id", "secret_key")]
    with mode(files[0], 0), mode(files[1], 0):
        code, stderr_text = go(hospital, "run")
    assert code == 4
    assert f"chmod u+r {files[0]} {files[1]}" in " ".join(stderr_text.split())


@needs_rights
@pytest.mark.parametrize(("command", "converted"), [("check", False), ("run", True)])
def test_a_work_folder_that_may_not_be_used_is_no_fault_of_a_picture(hospital, command, converted):
    hospital.seal_doctors(1)
    hospital.doctors(3)
    if converted:  # a BMP has to be re-encoded
        path = hospital.folder / "seals" / "00002.png"
        with Image.open(path) as image:
            image.save(path.with_suffix(".bmp"))
        path.unlink()
    work = hospital.folder / "state" / "work"
    for rights in (0, 0o500):
        with mode(work, rights):
            code, stderr_text = go(hospital, command)
        assert code == 74
        assert str(work) in stderr_text
        assert acting_user() in stderr_text
        require_plain(stderr_text)
        if command == "run":
            record = json.loads(max((hospital.folder / "out").glob("2*/run.json")).read_text("utf-8"))
            assert (record["exit"], record["halted"]["code"]) == (74, "DISK")
    assert hospital.creates() == 1
    assert hospital.go("run") == 0
    assert hospital.creates() == 3


@needs_rights
def test_a_folder_of_earlier_results_that_may_not_be_read_is_no_program_error(hospital):
    config = hospital.folder / "config.yaml"
    config.write_text(config.read_text("utf-8") + "retention: {runs: 90d}\n", "utf-8")
    hospital.doctors(1)
    assert go(hospital, "run")[0] == 0
    old = hospital.folder / "out" / "20200101-000000-000"
    shutil.copytree(hospital.newest, old)
    record = json.loads((old / "run.json").read_text("utf-8"))
    record |= {"run": old.name, "finished": "2020-01-01T00:00:00+08:00"}
    (old / "run.json").write_text(json.dumps(record), "utf-8")
    with mode(old, 0o111):
        code, printed = go(hospital, "run")
    assert code == 0
    assert "program error" not in printed
    assert f"chmod u+rw {old}" in printed or (str(old) in printed and acting_user() in printed)
    require_plain(printed)
