"""A mebibyte kept beside the ledger, given up when the disk is full: room for the verdicts of what is in flight."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.support import private_files

SIZE = 1 << 20  # bytes; a verdict and its receipt need some four thousand


def path_of(ledger: Path) -> Path:
    """Return where a ledger's ballast lies."""
    return ledger.with_name(f"{ledger.name}.ballast")


def take(ledger: Path) -> None:
    """Fill the ballast where it is not whole; a disk without that room is found out now, not with a seal in flight.

    Raises OSError; a file of zeros would take no room on some file systems, so it is random.
    """
    place = path_of(ledger)
    if place.exists() and place.stat().st_size == SIZE:
        return
    place.unlink(missing_ok=True)
    private_files.create(place)
    try:
        place.write_bytes(os.urandom(SIZE))
        private_files.sync_file(place)
    except OSError:
        place.unlink(missing_ok=True)
        raise


def release_reserve(ledger: Path) -> None:
    """Make the room; a ballast that is not there gives none."""
    try:
        os.truncate(path_of(ledger), 0)
    except OSError:
        return
