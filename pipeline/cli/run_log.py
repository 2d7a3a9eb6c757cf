"""log.jsonl: codes, row ids and trace ids; no name, no number, no key, also not inside a traceback."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

from pipeline.domain.masking import mask_text
from pipeline.support.atomic_files import private_folder

NAME = "log.jsonl"
OURS = "pipeline"
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class _Formatter(JsonFormatter):
    """Says where something broke and of which kind it was: an exception's own words may quote a path or a cell."""

    def formatException(self, exc_info: ExcInfo) -> str:  # noqa: N802 - logging's name
        lines = []
        error = exc_info[1]
        while error is not None:
            number = f" {error.errno}" if isinstance(error, OSError) and error.errno else ""
            lines.append("".join(traceback.format_tb(error.__traceback__)) + type(error).__name__ + number)
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(reversed(lines))

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        log_data["message"] = mask_text(str(log_data.get("message", "")))
        return super().process_log_record(log_data)


class _Handler(logging.StreamHandler[TextIO]):
    """Leaves out what the disk does not take: the standard one prints a traceback a record to stderr."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say nothing: what the disk refuses is told where the results are written."""


def drop_log(folder: Path) -> None:
    """Take away a folder that holds nothing but the log of a run that was declined: it tells nothing."""
    with suppress(OSError):  # it stays, and harms nobody
        if [each.name for each in folder.iterdir()] == [NAME]:
            (folder / NAME).unlink()
            folder.rmdir()


@contextmanager
def logging_to(folder: Path, *, loud: bool = False) -> Iterator[None]:
    """Write this process's log records to ``folder``/log.jsonl (0600) while the block runs; ``loud`` is DEBUG.

    Libraries are heard from WARNING on: at DEBUG they would speak of hosts, paths and bodies.
    """
    stream = _anew(private_folder(folder) / NAME)
    handler = _Handler(stream)
    handler.setFormatter(
        _Formatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            json_ensure_ascii=False,
        )
    )
    root, ours = logging.getLogger(), logging.getLogger(OURS)
    before = root.level, ours.level
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    ours.setLevel(logging.DEBUG if loud else logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before[0])
        ours.setLevel(before[1])
        handler.close()
        with suppress(OSError):  # the disk is full: the run's own words tell of it
            stream.close()


def _anew(path: Path) -> TextIO:
    """Return a new file (0600) in place of whatever stood there: a link is not followed, loose rights are not kept."""
    path.unlink(missing_ok=True)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o600)
    if hasattr(os, "fchmod"):  # whatever the umask; Windows has none
        os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")
