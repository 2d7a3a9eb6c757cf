"""The ``work`` folder: pictures as they will be sent, each under the name of its own digest."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from pipeline.clock import run_id
from pipeline.errors import NotReadNow
from pipeline.intake.pairing import image_index


def keep(payload: bytes, work: Path, suffix: str) -> tuple[Path, str]:
    """Return (path, sha256) of a file in ``work`` that holds these bytes; written whole or not at all, once.

    Equal bytes are one file, and one that is no longer what its name says is replaced. The folder is made 0700, the
    file 0600. Raises OSError where that cannot be.
    """
    sha256 = hashlib.sha256(payload).hexdigest()
    path = work / (sha256 + suffix)
    try:
        if image_index.read(path) == payload:
            return path, sha256
    except (NotReadNow, OSError):  # not there yet, or no regular file: the move below puts ours in its place
        pass
    put(path, payload)
    return path, sha256


def was_kept(payload: bytes, work: Path, *, before: str) -> bool:
    """Tell whether a file in ``work`` holds these bytes since before a run, named as `clock.run_id` does, began."""
    sha256 = hashlib.sha256(payload).hexdigest()
    try:
        return any(run_id(path.stat().st_mtime) < before for path in work.glob(f"{sha256}.*"))
    except OSError:
        return False


def put(path: Path, payload: bytes) -> None:
    """Write a file (0600) whole or not at all, over what was there; its folders are made 0700. Raises OSError."""
    for folder in reversed(path.parents):  # mkdir's own way up would leave them open
        folder.mkdir(mode=0o700, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(payload)
        Path(temporary).replace(path)
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)  # a write that fails names no file
        Path(temporary).unlink(missing_ok=True)
        raise
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
