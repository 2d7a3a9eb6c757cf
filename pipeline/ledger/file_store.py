"""A ledger in a file of this machine, as a run and the commands use it; pipeline/hosts/server_store.py is the other place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.ledger.disk import require_not_loaded
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.lock import FileHold
from pipeline.ledger.places import Places
from pipeline.ledger.sqlite_ledger import is_behind, open_for_reading, open_for_writing


@dataclass(slots=True)
class FileStore:
    """One tenant's ledger, which may not exist yet; ``hold`` keeps other processes from it, once it is acquired."""

    path: Path
    places: Places
    hold: FileHold = field(init=False)

    def __post_init__(self) -> None:
        self.hold = FileHold(self.path, self.places.lock_base)

    def exists(self) -> bool:
        """Return whether there is a ledger; LedgerError where it was loaded into a server."""
        require_not_loaded(self.path)
        return self.path.exists()

    def is_behind(self, *, with_left: bool = True) -> bool:
        """Return whether the journals hold what the ledger lacks: it is gone, or an older one was put in its place.

        ``with_left``: or what checks have left is to be entered.
        """
        return is_behind(self.path, self.places, with_left=with_left)

    def open(self, *, now: float, readonly: bool = False) -> Ledger:
        """Open the ledger; to write, ``hold`` must be acquired."""
        if readonly:
            return open_for_reading(self.path, self.places)
        return open_for_writing(self.path, self.places, self.hold, now=now)

    def examine_server(self, now: float) -> None:
        """Return facts about the server, None for a file; LedgerError for a server that cannot be used."""
