"""Keyrings for PYTHON_KEYRING_BACKEND: one that keeps its entries in a JSON file, and one that never answers."""

import json
import os
from pathlib import Path
from threading import Event

from keyring.backend import KeyringBackend


class FileKeyring(KeyringBackend):
    """Keeps entries in the file that KEYRING_FILE names."""

    priority = 1

    def _read(self):
        file = Path(os.environ["KEYRING_FILE"])
        return json.loads(file.read_text("utf-8")) if file.exists() else {}

    def get_password(self, service, username):
        return self._read().get(f"{service} {username}")

    def set_password(self, service, username, password):
        entries = {**self._read(), f"{service} {username}": password}
        Path(os.environ["KEYRING_FILE"]).write_text(json.dumps(entries), "utf-8")


class SilentKeyring(FileKeyring):
    """Waits for a password for ever, as on a machine without a desktop."""

    def get_password(self, *_):
        Event().wait()


class BrokenKeyring(FileKeyring):
    """Cannot be opened."""

    def get_password(self, *_):
        raise OSError("s3cret path")
