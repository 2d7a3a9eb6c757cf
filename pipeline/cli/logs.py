"""log.jsonl: codes, row ids and trace ids; no name, no number, no key."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pythonjsonlogger.json import JsonFormatter

from pipeline.results.files import private_folder

QUIET = ("aiohttp", "asyncio", "filelock", "PIL")  # libraries that would speak of hosts and paths at DEBUG


@contextmanager
def logging_to(folder: Path) -> Iterator[None]:
    """Write this process's log records to ``folder``/log.jsonl (0600) while the block runs."""
    path = private_folder(folder) / "log.jsonl"
    os.close(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            json_ensure_ascii=False,
        )
    )
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
