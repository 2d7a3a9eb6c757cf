"""The two places outside a ledger's folder where its journals lie, and the key that proves them.

One is the state folder of the user who runs the program, the other ``.ledger`` in the folder of the results. Each holds a
folder a tenant. In the state folder stand also this host's id, a copy of the site key and the tenant's lock.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path

from pipeline.domain.site_key import KEY_BYTES, SiteKey
from pipeline.errors import LedgerError
from pipeline.ledger.events import Event
from pipeline.ledger.journal import SUFFIX, JournalFile, get_tenant_folder
from pipeline.ledger.opening import LEFT, OUT, STATE, Journals
from pipeline.support import atomic_files
from pipeline.version import PROGRAM

SHARE = ".ledger"  # folder in that of the results
_HOST_FILE, _KEY_FILE = "host", "site.key"


def get_state_folder() -> Path:
    """Return the state folder of the user who runs this process."""
    return user_state_path(PROGRAM, appauthor=False) / "ledgers"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the journals of one tenant lie."""

    tenant: str
    state: Path
    share: Path  # `SHARE` in the configured folder of the results

    @property
    def key_copy(self) -> Path:
        return get_tenant_folder(self.state, self.tenant) / _KEY_FILE

    @property
    def lock_base(self) -> Path:
        """The file next to which the tenant's lock lies."""
        return get_tenant_folder(self.state, self.tenant)

    def make_journals(self, site_key: SiteKey) -> Journals:
        """Return the journals as this host writes them; raises OSError where its id cannot be read or made."""
        return Journals(self.make_folders(), self._read_host_id(), site_key)

    def make_folders(self) -> dict[str, Path]:
        """Return the folders of the two places by name."""
        return {STATE: self.state, OUT: self.share}

    def leave_events(self, site_key: SiteKey, events: Sequence[Event]) -> None:
        """Leave events in the state folder, for the next opening to enter; raises OSError."""
        folder = get_tenant_folder(self.state, self.tenant)
        JournalFile(folder / f"{LEFT}{secrets.token_hex(8)}{SUFFIX}", site_key).rewrite(events)

    def list_files(self, *, with_left: bool = True) -> list[Path]:
        """Return the journals of all hosts in both places, and ``with_left`` what checks have left."""
        files: list[Path] = []
        for base in (self.state, self.share):
            folder = get_tenant_folder(base, self.tenant)
            files += sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
        return [file for file in files if with_left or not file.name.startswith(LEFT)]

    def read_key(self, key_file: Path, *, check: str | None) -> bytes | None:
        """Return the site key next to the ledger, else its copy, as it fits ``check``; None where there is neither.

        Raises LedgerError where all are damaged, and where none fits.
        """
        secrets_by_file = {file: file.read_bytes() for file in (key_file, self.key_copy) if file.exists()}
        if not secrets_by_file:
            return None
        whole = {file: secret for file, secret in secrets_by_file.items() if len(secret) == KEY_BYTES}
        if not whole:
            raise LedgerError("ledger.key_damaged", place=next(iter(secrets_by_file)))
        fitting = [one for one in whole.values() if check in {None, SiteKey(one, self.tenant).check()}]
        if not fitting or (check is None and len(set(fitting)) > 1):
            raise LedgerError("ledger.other_key", place=next(iter(whole)))
        return fitting[0]

    def keep_key(self, key_file: Path, secret: bytes) -> list[Path]:
        """Write the site key where it is missing; raises OSError.

        A file with another content is renamed, never overwritten; returns the new names.
        """
        set_aside = []
        for file in dict.fromkeys((key_file, self.key_copy)):
            if file.exists() and file.read_bytes() != secret:
                set_aside.append(atomic_files.free_name(file, "{name}.damaged-{n}"))
                file.rename(set_aside[-1])
            if not file.exists():
                atomic_files.make_folder(file.parent)
                with atomic_files.create_atomically(file) as draft:
                    draft.write_bytes(secret)
        return set_aside

    def _read_host_id(self) -> str:
        """Return the random id of this host and user, which is made once."""
        file = self.state / _HOST_FILE
        if not file.exists():
            atomic_files.make_folder(self.state)
            with atomic_files.create_atomically(file) as draft:
                draft.write_text(secrets.token_hex(8), encoding="utf-8")
        return file.read_text(encoding="utf-8").strip()
