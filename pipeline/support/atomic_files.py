"""Writes files completely or not at all, readable only by their owner (0600, folders 0700)."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain, count, takewhile
from pathlib import Path
from threading import Event

from pipeline.support.failpoints import hit_failpoint
from pipeline.support.rights import (
    FILE_MODE,
    FOLDER_MODE,
    UNSUPPORTED,
    allow_unsupported,
    make_private,
)

Json = Mapping[str, object]
Replace = Callable[[Path, Path], None]  # as os.replace
_LINE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_LINE_ENDS = ("\x85", "\u2028", "\u2029")  # which JSON need not escape, and at which Python ends a line
# times that a file which another program holds is tried again, and seconds between them: on Windows a virus scanner or an
# indexer opens each new file for a moment
_TRIES = 10 if os.name == "nt" else 0
_PAUSE = 0.1
DRAFT_SECONDS = 24 * 3600.0  # no file takes longer to write
_DRAFT = re.compile(r"\.[0-9a-f]{16}\.(.+)", re.DOTALL)  # its end is the name of the file
_NUMBERS = re.compile(r"\[\n[\s\d.,eE+\-nul]+\]")


def require_writable(folder: Path) -> None:
    """Make a folder of results if need be, and raise OSError where nothing can be written into it."""
    make_folder(folder)
    with tempfile.TemporaryFile(prefix=".", dir=folder):
        pass


def write_atomically(
    path: Path,
    fill: Callable[[Path], None],
    *,
    numbered: bool = False,
    replace: Replace = os.replace,
) -> Path:
    """Let ``fill`` write a draft in the same folder, make it durable, then move it over ``path``.

    With ``numbered`` a target that another program holds open (Excel on Windows) is left alone and a sibling
    ``name (2).ext`` takes its place. Returns the path that was written; after an error nothing is left behind.
    """
    make_folder(path.parent)
    with make_draft(path) as draft:
        try:
            fill(draft)
            hit_failpoint(f"results: before the fsync of {path.name}")
            with allow_unsupported():
                sync_file(draft)
            hit_failpoint(f"results: before {path.name} takes its name")
            target = _move(draft, path, numbered=numbered, replace=replace)
        except OSError as error:
            if error.errno is not None:  # a failed write names no file, and the user does not know the draft
                error.filename = str(path)
            raise
    with allow_unsupported():
        sync_folder(path.parent)
    return target


def write_bytes(path: Path, data: bytes) -> Path:
    """Write the whole content of a file."""

    def fill(draft: Path) -> None:
        draft.write_bytes(data)

    return write_atomically(path, fill)


def write_json(path: Path, value: Json) -> Path:
    """Write one JSON object, indented but for its lists of plain numbers, UTF-8."""

    def fill(temporary: Path) -> None:
        text = json.dumps(value, ensure_ascii=False, indent=2)
        # a line break stands in no JSON text, so this is never inside one
        text = _NUMBERS.sub(
            lambda numbers: re.sub(r"\n\s*", " ", numbers[0]).replace("[ ", "[").replace(" ]", "]"), text
        )
        temporary.write_text(text + "\n", "utf-8", "replace")

    return write_atomically(path, fill)


def write_jsonl(path: Path, lines: Iterable[Json]) -> Path:
    """Write one JSON object a line, UTF-8; the lines may be a generator. No line ends within an object, however it is read."""

    def fill(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", errors="replace", newline="\n") as stream:
            for line in lines:
                stream.write(_encode_line(line) + "\n")

    return write_atomically(path, fill)


def append_json_line(path: Path, value: Json) -> None:
    """Add one JSON line to a log, in one write, and make it durable; the file is made if need be (0600)."""
    with open(path, "ab", opener=_open_private) as file:
        file.write(_encode_line(value).encode("utf-8", "replace") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _encode_line(value: Json) -> str:
    """Return a value as JSON on one line."""
    text = _LINE.encode(value)
    for character in _LINE_ENDS:
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, FILE_MODE)


def copy_into(folder: Path, source: Path, name: str, *, replace: Replace = os.replace) -> Path:
    """Copy a file into ``folder`` under ``name``, atomically; a copy open in Excel gets a numbered sibling."""

    def fill(temporary: Path) -> None:
        shutil.copyfile(source, temporary)

    return write_atomically(folder / name, fill, numbered=True, replace=replace)


def _move(temporary: Path, path: Path, *, numbered: bool, replace: Replace) -> Path:
    siblings = (path.with_name(f"{path.stem} ({n}){path.suffix}") for n in range(2, 100))
    for _ in range(_TRIES):
        with suppress(PermissionError):
            replace(temporary, path)
            return path
        Event().wait(_PAUSE)
    for target in chain([path], siblings) if numbered else ():
        with suppress(PermissionError):
            replace(temporary, target)
            return target
    replace(temporary, path)
    return path


def make_folder(folder: Path) -> Path:
    """Make a folder and its missing parents with 0700, under any umask; an existing folder keeps its mode."""
    missing = list(takewhile(lambda parent: not parent.exists(), chain([folder], folder.parents)))
    for parent in reversed(missing):
        parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
        make_private(parent)
    return folder


def create_private_file(path: Path) -> None:
    """Create an empty file (0600); raises FileExistsError."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
    os.close(descriptor)
    make_private(path)


def free_name(path: Path, form: str = "{name}.replaced-{n}") -> Path:
    """Return a name beside ``path`` that is not taken: ``<name>.replaced-1`` and so on."""
    names = (path.with_name(form.format(name=path.name, n=n)) for n in count(1))
    return next(name for name in names if not name.exists())


@contextmanager
def make_draft(path: Path) -> Iterator[Path]:
    """Yield an empty file (0600) beside ``path``, under a name of its own; it is removed unless the block renames it."""
    draft = path.with_name(f"{make_draft_prefix()}{path.name}")
    create_private_file(draft)
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def make_draft_prefix() -> str:
    """Return how the name of a draft begins; what remains of it is known by that."""
    return f".{secrets.token_hex(8)}."


def remove_old_drafts(folder: Path, *, now: float, target: str = "") -> None:
    """Remove the drafts in a folder that were last written a day before ``now`` (unix seconds): no process writes them any more.

    Only drafts of files whose names begin with ``target``. What cannot be removed stays.
    """
    drafts: list[Path] = []
    with suppress(OSError), os.scandir(folder) as entries:
        names = (_DRAFT.fullmatch(entry.name) for entry in entries)
        drafts = [folder / name[0] for name in names if name is not None and name[1].startswith(target)]
    for draft in drafts:
        with suppress(OSError):
            status = draft.lstat()
            if status.st_mtime >= now - DRAFT_SECONDS:
                continue
            if stat.S_ISDIR(status.st_mode):
                shutil.rmtree(draft)  # follows no link
            else:
                draft.unlink()


@contextmanager
def create_atomically(path: Path) -> Iterator[Path]:
    """Yield a draft that takes the name ``path``, durably, once the block has filled it.

    Where the name is taken by then the first one stays.
    """
    with make_draft(path) as draft:
        yield draft
        sync_file(draft)
        with suppress(FileExistsError):
            publish_draft(draft, path)
    with allow_unsupported():
        sync_folder(path.parent)


def publish_draft(draft: Path, path: Path) -> None:
    """Give a draft its name. Raises FileExistsError where the name is taken.

    A link and not a rename: a rename would take the place of what another process has just put there. A disk without links
    gets an empty file first, which keeps the name.
    """
    try:
        os.link(draft, path)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        create_private_file(path)
        draft.replace(path)


def identify_file(path: Path) -> tuple[int, int] | None:
    """Return device and inode of the file at a path, None where there is none; a file that replaces it differs."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def sync_file(path: Path) -> None:
    """Make a file's bytes durable."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; Windows keeps them with the file and cannot be asked."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
