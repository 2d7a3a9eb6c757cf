"""Writes files that appear whole or not at all, readable by their owner alone (0600, folders 0700)."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pipeline.support.failpoints import hit_failpoint

Json = Mapping[str, object]
Replace = Callable[[Path, Path], None]  # as os.replace
_LINE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_NUMBERS = re.compile(r"\[\n[\s\d.,eE+\-nul]+\]")


def private_folder(path: Path) -> Path:
    """Make a folder and its missing parents with 0700, whatever the umask; one that exists is left as it is."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
    return path


def require_writable(folder: Path) -> None:
    """Make a folder of results if need be, and raise OSError where nothing can be written into it."""
    with tempfile.TemporaryFile(prefix=".", dir=private_folder(folder)):
        pass


def write_atomically(
    path: Path,
    fill: Callable[[Path], None],
    *,
    numbered: bool = False,
    replace: Replace = os.replace,
) -> Path:
    """Let ``fill`` write a temporary file in the same folder, make it durable, then move it over ``path``.

    With ``numbered`` a target that another program holds open (Excel on Windows) is left alone and a sibling
    ``name (2).ext`` takes its place. Returns the path that was written; after an error nothing is left behind.
    """
    private_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=".", suffix=f".{path.name}", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        fill(temporary)
        temporary.chmod(0o600)
        hit_failpoint(f"results: before the fsync of {path.name}")
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        hit_failpoint(f"results: before {path.name} takes its name")
        target = _move(temporary, path, numbered=numbered, replace=replace)
    except OSError as error:
        if error.errno is not None:
            error.filename = str(
                path
            )  # a failed write names no file, and the temporary one is unknown to the user
        raise
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return target


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
    """Write one JSON object a line, UTF-8; the lines may be a generator."""

    def fill(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", errors="replace", newline="\n") as stream:
            for line in lines:
                stream.write(_LINE.encode(line) + "\n")

    return write_atomically(path, fill)


def copy_into(folder: Path, source: Path, name: str, *, replace: Replace = os.replace) -> Path:
    """Copy a file into ``folder`` under ``name``, atomically; a copy open in Excel gets a numbered sibling."""

    def fill(temporary: Path) -> None:
        shutil.copyfile(source, temporary)

    return write_atomically(folder / name, fill, numbered=True, replace=replace)


def siblings(path: Path) -> list[Path]:
    """Return the names a file may have instead of its own, in the order in which they are tried."""
    return [path.with_name(f"{path.stem} ({n}){path.suffix}") for n in range(2, 100)]


def _move(temporary: Path, path: Path, *, numbered: bool, replace: Replace) -> Path:
    *others, last = [path, *(siblings(path) if numbered else [])]
    for target in others:
        try:
            replace(temporary, target)
        except PermissionError:
            continue
        return target
    replace(temporary, last)
    return last


def _sync_folder(folder: Path) -> None:
    """Make the new name durable too, where a folder can be opened (not on Windows)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
