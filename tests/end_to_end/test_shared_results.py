"""`results_group`: who may read the results, and file systems that know no rights."""

import errno
import grp
import json
import os
import stat
from pathlib import Path

import pytest

GROUP = "games" if os.geteuid() == 0 else grp.getgrgid(os.getgid()).gr_name


def configure(hospital, lines: str) -> None:
    with (hospital.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(lines)


def list_rights(folder: Path) -> set[tuple[bool, str, str]]:
    paths = [folder, *folder.rglob("*")]
    return {
        (path.is_dir(), oct(stat.S_IMODE(path.stat().st_mode)), path.group()) for path in paths
    }  # fmt: skip


def test_a_group_may_read_results_and_nothing_else(hospital, capsys):
    hospital.doctors(3)
    assert hospital.go("run") == 0, "the folders of an earlier run are private"
    configure(hospital, f"results_group: {GROUP}\n")
    hospital.doctors(4)
    assert hospital.go("run") == 0
    assert "may not enter" in capsys.readouterr().err, "the folder of the test is private"
    out = hospital.folder / "out"
    assert list_rights(hospital.newest) == {(True, "0o750", GROUP), (False, "0o640", GROUP)}
    assert list_rights(out / "latest") == {(True, "0o750", GROUP), (False, "0o640", GROUP)}
    assert (stat.S_IMODE(out.stat().st_mode), out.group()) == (0o750, GROUP)
    for folder in ("state", "secrets"):
        for path in (hospital.folder / folder).rglob("*"):
            assert path.stat().st_mode & 0o077 == 0 or folder == "secrets", path
    assert hospital.go("export") == 0
    assert {path.stat().st_mode & 0o777 for path in out.glob("*.xlsx")} == {0o640}
    assert hospital.go("check", "--out", str(hospital.folder / "elsewhere")) == 0
    assert list_rights(hospital.folder / "elsewhere") == {(True, "0o750", GROUP), (False, "0o640", GROUP)}


def test_without_a_key_results_are_private(hospital):
    hospital.doctors(2)
    assert hospital.go("run") == 0
    rights = {(is_folder, mode) for is_folder, mode, _ in list_rights(hospital.folder / "out")}
    assert rights == {(True, "0o700"), (False, "0o600")}


def test_an_unknown_group_is_a_warning_and_results_stay_private(hospital, capsys):
    configure(hospital, "results_group: no-such-group\n")
    hospital.doctors(2)
    assert hospital.go("run") == 0
    assert "no-such-group" in capsys.readouterr().err
    assert {mode for _, mode, _ in list_rights(hospital.newest)} == {"0o700", "0o600"}
    hospital.go("doctor")
    assert "no-such-group" in capsys.readouterr().out


def refuse_rights_and_syncs(monkeypatch, folder: Path, code: int) -> None:
    """Let a folder answer as a mounted share does that knows neither."""
    out = str(folder)
    chmod, fsync, opened = os.chmod, os.fsync, os.open
    of_share = set()

    def refuse_chmod(path, *arguments, **options):
        if str(path).startswith(out):
            raise OSError(code, os.strerror(code), str(path))
        return chmod(path, *arguments, **options)

    def note_descriptor(path, *arguments, **options):
        descriptor = opened(path, *arguments, **options)
        (of_share.add if str(path).startswith(out) else of_share.discard)(descriptor)
        return descriptor

    def refuse_fsync(descriptor):
        if descriptor in of_share:
            raise OSError(code, os.strerror(code))
        return fsync(descriptor)

    monkeypatch.setattr(os, "chmod", refuse_chmod)
    monkeypatch.setattr(os, "open", note_descriptor)
    monkeypatch.setattr(os, "fsync", refuse_fsync)


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP])
@pytest.mark.parametrize("keys", ["", f"results_group: {GROUP}\n"])
def test_a_share_without_rights_and_syncs_takes_results(hospital, monkeypatch, capsys, code, keys):
    """Ledger and journals stay on disks that know them."""
    configure(hospital, keys)
    hospital.doctors(2)
    share = hospital.folder / "share"
    refuse_rights_and_syncs(monkeypatch, share, code)
    assert hospital.go("run", "--out", str(share)) == 0
    assert json.loads((share / "run.json").read_text())["statuses"]["sealed"] == 2
    assert ("results_group" in capsys.readouterr().err) == bool(keys)


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP])
def test_a_journal_that_cannot_be_made_durable_stops_before_the_first_create(
    hospital, monkeypatch, capsys, code
):
    hospital.doctors(2)
    refuse_rights_and_syncs(monkeypatch, hospital.folder / "out", code)
    assert hospital.go("run") == 74
    assert str(hospital.folder / "out" / ".ledger") in capsys.readouterr().err
    assert hospital.service.received == []


def test_results_are_on_the_disk_before_they_take_their_name(hospital, marked_copies_on, monkeypatch):
    """A spy notes what is synced, how long it is and under which name: a draft's, and then its folder."""
    hospital.doctors(2)
    fsync, synced = os.fsync, []

    def note(descriptor):
        fsync(descriptor)
        status = os.fstat(descriptor)
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink(), status.st_ino, status.st_size))

    monkeypatch.setattr(os, "fsync", note)
    assert hospital.go("run") == 0
    out = hospital.folder / "out"
    results = [path for path in out.rglob("*") if path.is_file() and ".ledger" not in path.parts]
    results = [path for path in results if path.name != "log.jsonl"]  # which grows while the run goes on
    assert {path.name for path in results} >= {"results.xlsx", "outcomes.jsonl", "run.json", "roster.xlsx"}
    for path in results:
        status = path.stat()
        drafts = [
            index
            for index, (draft, *written) in enumerate(synced)
            if written == [status.st_ino, status.st_size] and draft != path
        ]
        assert drafts, path
        assert any(folder == path.parent for folder, *_ in synced[drafts[-1] :]), path


def test_a_backup_goes_to_a_disk_without_links(hospital, monkeypatch):
    hospital.doctors(1)
    assert hospital.go("run") == 0

    def refuse_link(*_, **__):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse_link)
    target = hospital.folder / "share" / "ledger.bak"
    target.parent.mkdir()
    assert hospital.go("ledger", "backup", str(target)) == 0
    assert target.stat().st_size
    assert [path.name for path in target.parent.iterdir()] == ["ledger.bak"]
