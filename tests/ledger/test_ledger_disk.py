"""A ledger on a network's disk is refused: locks and flushes there are promises of somebody else."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from pipeline.errors import LedgerError
from pipeline.ledger.lock import RunLock
from pipeline.ledger.places import Places
from pipeline.ledger.sqlite_ledger import LedgerFile


@pytest.fixture
def mounts(tmp_path, monkeypatch):
    """Let the system's table of mounts say this, beside a local root."""

    def say(*lines: tuple[object, str]) -> Path:
        table = tmp_path / "proc" / "self" / "mounts"
        table.parent.mkdir(parents=True, exist_ok=True)
        rows = [("/", "ext4"), *lines]
        escaped = [(str(point).replace(" ", r"\040"), kind) for point, kind in rows]
        table.write_text("".join(f"srv:/x {point} {kind} rw,noatime 0 0\n" for point, kind in escaped))
        monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path / "proc"))
        return tmp_path / "on a server" / "state" / "ledger.sqlite3"

    return say


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "ceph"])
def test_a_network_is_refused_before_anything_is_written(mounts, tmp_path, kind):
    position = mounts((tmp_path / "on a server", kind))
    with pytest.raises(LedgerError, match=f"{kind}.*local disk"):
        RunLock(position).acquire(run="r", now=1.0)
    store = LedgerFile(position, Places("test/t", tmp_path / "user", tmp_path / "out"))
    with pytest.raises(LedgerError, match="local disk"):
        store.hold.acquire(run="r", now=1.0)
    assert not (tmp_path / "on a server").exists()


def test_the_innermost_and_the_latest_mount_counts(mounts, tmp_path):
    position = mounts((tmp_path, "nfs4"), (tmp_path / "on a server" / "state", "xfs"))
    RunLock(position).acquire(run="r", now=1.0).release()
    position = mounts((tmp_path / "on a server", "nfs4"), (tmp_path / "on a server", "ext4"))
    RunLock(position).acquire(run="r", now=1.0).release()


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "9p", "fuse.ntfs-3g", "fuseblk"]
)
def test_a_disk_of_this_machine_is_taken(mounts, tmp_path, kind):
    position = mounts((tmp_path / "on a server", kind), (tmp_path / "on", "nfs"))
    RunLock(position).acquire(run="r", now=1.0).release()


def test_an_unknown_file_system_is_accepted(ledger_path, monkeypatch, tmp_path):
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path / "nowhere"))
    RunLock(ledger_path).acquire(run="r", now=1.0).release()


def test_a_link_to_a_network_is_followed(mounts, tmp_path):
    (tmp_path / "on a server").mkdir()
    mounts((tmp_path / "on a server", "nfs4"))
    (tmp_path / "link").symlink_to(tmp_path / "on a server")
    with pytest.raises(LedgerError, match="local disk"):
        RunLock(tmp_path / "link" / "ledger.sqlite3").acquire(run="r", now=1.0)
