"""Keeps, next to the ledger, how the last run ended for its watchers, and messages that could not be delivered yet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.config.settings import Config
from pipeline.support.atomic_files import make_folder, write_json

State = Literal["ok", "attention", "failed"]
ATTENTION = frozenset({3, 7})  # exit codes of runs that came to their end and left something to a person


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message, and the channels that have not taken it: digests of their addresses."""

    title: str
    body: str
    created: float  # unix seconds
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WatchedState:
    """How the last run ended."""

    state: State | None = None  # None: no run yet
    exit: int = 0
    reasons: tuple[tuple[str, int], ...] = ()  # codes and rows
    last_success: float | None = None  # unix seconds of the last run that was no failure
    waiting: Sequence[WaitingMessage] = field(default=())


def state_path(config: Config) -> Path:
    """Return the file of the state."""
    ledger = config.resolve_ledger_file()
    return ledger.with_name(f"{ledger.name}.watch.json")


def follow_ledger(config: Config, moved: Config) -> None:
    """Rename the file of the state after the ledger was moved to where another configuration has it."""
    former, new = state_path(config), state_path(moved)
    if former.exists() and not new.exists():
        make_folder(new.parent)
        former.rename(new)


def classify_exit(exit_code: int) -> State:
    """Return what an exit code means for those who watch the runs."""
    if exit_code == 0:
        return "ok"
    return "attention" if exit_code in ATTENTION else "failed"


def load_state(path: Path) -> WatchedState:
    """Read the state; one that is missing or cannot be read is that of no run yet."""
    try:
        stored: dict[str, Any] = json.loads(path.read_text("utf-8"))
        waiting = [
            WaitingMessage(**{**item, "channels": tuple(item["channels"])}) for item in stored["waiting"]
        ]
        return WatchedState(
            state=stored["state"],
            exit=stored["exit"],
            reasons=tuple((code, rows) for code, rows in stored["reasons"]),
            last_success=stored["last_success"],
            waiting=waiting,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return WatchedState()


def save_state(path: Path, state: WatchedState) -> None:
    """Write the state, whole or not at all."""
    write_json(path, {"schema": 1, **asdict(state)})
