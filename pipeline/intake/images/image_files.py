"""Files of pictures: opened without following links, read as they were fingerprinted, stored under their digest."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.domain.masking import mask_id
from pipeline.domain.roster import FileStat, ImageFile, format_size
from pipeline.errors import NotReadNow, require_granted, require_lasting
from pipeline.messages.catalogue import make_message
from pipeline.support.atomic_files import make_draft, make_draft_prefix
from pipeline.support.failpoints import hit_failpoint

MAX_BYTES = 32_000_000  # an A4 page at 300 dpi has 26 as BMP; beyond it a file is not even hashed
PREVIEWS = "previews"  # the folder of small copies, in the work folder

_CHUNK = 1 << 20
# Windows has neither flag, POSIX no O_BINARY
_OPEN_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)
# 15 digits and more with a last X, and the permits of Hong Kong and Macao: what may be an identity number
_NUMBER = re.compile(r"\d{15,}[XxＸｘ]?|(?<![A-Za-z])[HMhm]\d{8,10}(?!\d)")
# control and direction characters, and the surrogates that stand for bytes which are no UTF-8
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class ImageRefused(Exception):
    """The picture cannot be used: a code of the catalogue and the words for its sentence."""

    def __init__(self, code: str, **detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


# --- regular files


def open_regular_file(path: Path) -> int:
    """Return a descriptor of a regular file, opened for reading. Raises OSError for anything else, and NotReadNow."""
    with _separating_machine_faults():
        # a pipe is not even opened; what takes the file's place since then is caught below
        _require_regular(os.lstat(path), path)
        descriptor = os.open(path, _OPEN_FLAGS)
    try:
        _require_regular(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def read_regular_file(path: Path) -> bytes:
    """Return the bytes of a regular file, at most MAX_BYTES + 1 of them so that the caller sees an excess.

    Raises OSError where the file is gone, unreadable, or no regular file, NotReadNow where the machine cannot read it
    now.
    """
    with _separating_machine_faults(), os.fdopen(open_regular_file(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        # memory for the whole limit is asked of the system and given back each time: slow, but nothing of it is kept
        data = file.read((size if size < _CHUNK else MAX_BYTES) + 1)
        has_grown = size < len(data) <= MAX_BYTES
        return data + file.read(MAX_BYTES + 1 - len(data)) if has_grown else data


def fingerprint_file(path: Path) -> FileStat:
    """Return size, time and digest of a regular file.

    Raises OSError where the file is gone, unreadable, or no regular file any more, NotReadNow where the machine cannot
    read it now.
    """
    with _separating_machine_faults(), os.fdopen(open_regular_file(path), "rb") as file:
        # taken before the bytes: a later change shows in the next comparison
        status = os.fstat(file.fileno())
        digest = hashlib.sha256()
        while chunk := file.read(min(_CHUNK, status.st_size + 1)):
            digest.update(chunk)
    return FileStat(status.st_size, changed_at(status), digest.hexdigest())


def changed_at(status: os.stat_result) -> int:
    """Return when a file last became what it is, in unix nanoseconds.

    Two pictures that change names, or a copy that keeps its time, keep theirs and perhaps their size: the time of the
    entry differs. Windows has none that does.
    """
    return status.st_mtime_ns if os.name == "nt" else max(status.st_mtime_ns, status.st_ctime_ns)


def _require_regular(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))


@contextmanager
def _separating_machine_faults() -> Iterator[None]:
    """Raise NotReadNow in place of an OSError that concerns the machine and not the file."""
    try:
        yield
    except OSError as error:
        require_lasting(error)
        raise


# --- pictures


def read_image(image: ImageFile) -> bytes:
    """Return a picture's bytes.

    Raises ImageRefused where they cannot be read, are too many, or are no longer those of the picture's digest.
    """
    try:
        data = read_regular_file(image.file)
    except OSError as error:
        require_granted(error)
        raise ImageRefused("IMAGE_CORRUPT", found=make_message("image.cannot_read")) from None
    if len(data) > MAX_BYTES:
        limit = format_size(MAX_BYTES)
        raise ImageRefused("IMAGE_TOO_LARGE", found=f"> {limit}", limit=limit)
    if hashlib.sha256(data).hexdigest() != image.sha256:
        raise ImageRefused("IMAGE_CORRUPT", found=make_message("image.changed_while_reading"))
    return data


def mask_file_name(name: str) -> str:
    """Return a file's name as it may be printed: identity numbers down to four characters, no unprintable one."""
    return _UNPRINTABLE.sub("\ufffd", _NUMBER.sub(lambda number: mask_id(number.group()), name))


# --- the work folder


class ImageStore:
    """The ``work`` folder: pictures as they will be sent, each under the name of its own digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, payload: bytes, suffix: str) -> tuple[Path, str]:
        """Return (path, sha256) of a file that holds these bytes; written whole or not at all, once.

        Equal bytes are one file, and one whose bytes no longer have the digest in its name is replaced. Raises OSError where it
        cannot be written.
        """
        sha256 = hashlib.sha256(payload).hexdigest()
        path = self._folder / (sha256 + suffix)
        try:
            if read_regular_file(path) == payload:
                return path, sha256
        except (NotReadNow, OSError):  # not there yet, or no regular file: it is replaced below
            pass
        replace_file(path, payload)
        return path, sha256


def require_usable(folder: Path) -> None:
    """Raise PermissionError for a work folder that this user may not use; one that is missing is made when it is needed."""
    if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def replace_file(path: Path, payload: bytes) -> None:
    """Write a file (0600) whole or not at all, over what was there; its folders are made 0700. Raises OSError.

    A folder under this name is moved to that of a draft, which is removed later.
    """
    if not path.parent.is_dir():
        for folder in reversed(path.parents):  # mkdir(parents=True) would leave them open to others
            folder.mkdir(mode=0o700, exist_ok=True)
    try:
        with make_draft(path) as draft:
            draft.write_bytes(payload)
            hit_failpoint("work: before a file takes its name")
            if path.is_dir() and not path.is_symlink():
                with suppress(FileNotFoundError):  # another thread has moved it
                    path.rename(path.with_name(f"{make_draft_prefix()}{path.name}"))
            draft.replace(path)
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)  # a write that fails names no file
        raise
