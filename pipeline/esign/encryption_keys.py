"""Finds the two keys of the encrypted envelope: in the places and by the rules of SecretId and SecretKey.

They are secret files (``$CREDENTIALS_DIRECTORY``, then ``secrets_dir``), the environment, the keyring; never config.yaml.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pipeline.errors import EncryptionKeysMissing
from pipeline.esign.key_pairs import (
    PairNames,
    PairSearch,
    Source,
    list_folders,
    make_keyring_source,
    read_environment,
)
from pipeline.messages.catalogue import join_messages, make_message

ENCRYPTION_KEYS = PairNames(
    labels=("encryption_key", "encryption_hmac_key"),
    values=("encryption_key", "encryption_hmac_key"),
    variables={},  # as a configuration calls them
    cure="encryption.cure",
)
# The page asks for 32 bytes with AES, its own example has 16.
KEY_BYTES: Final[Mapping[str, tuple[int, ...]]] = {"aes": (16, 32), "sm4": (16,)}
MIN_HMAC_BYTES = 16


@dataclass(frozen=True, slots=True)
class EncryptionKeys:
    """The two keys and where they were found."""

    encryption_key: bytes = field(repr=False)
    hmac_key: bytes = field(repr=False)
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionKeyPlaces:
    """The places where the keys may be; ``organization`` may have an entry of its own in the keyring.

    ``variables`` are the names of the two variables.
    """

    environment: Mapping[str, str] = field(repr=False)
    variables: tuple[str, str]
    secrets_dir: Path | None = None
    organization: str = ""

    def find(self, cipher: str) -> EncryptionKeys:
        """Return the first complete pair. Raises EncryptionKeysMissing for none, and for keys that do not fit the cipher."""
        variables = {
            name: (variable,) for name, variable in zip(ENCRYPTION_KEYS.values, self.variables, strict=True)
        }
        names = replace(ENCRYPTION_KEYS, variables=variables)
        search = PairSearch(names)
        sources = (
            *list_folders(names, self.environment, self.secrets_dir),
            Source(" / ".join(self.variables), lambda: read_environment(names, self.environment)),
            make_keyring_source(names, self.organization),
        )
        pair_found = search.find(sources)
        if pair_found is None:
            raise EncryptionKeysMissing(
                "encryption.missing",
                cure=search.cures[0] if search.cures else self._advise_on_files(),
                places=join_messages(search.tried, "\n"),
            )
        source, values = pair_found
        key, hmac_key = map(_parse_key, names.get_parts(values))
        _require_length(names.values[0], key, KEY_BYTES[cipher], source, cipher)
        if hmac_key is None or len(hmac_key) < MIN_HMAC_BYTES:
            raise EncryptionKeysMissing(
                "encryption.short_key", name=names.values[1], source=source.name, needed=MIN_HMAC_BYTES
            )
        if key == hmac_key:
            raise EncryptionKeysMissing("encryption.same_keys", source=source.name)
        assert key is not None
        return EncryptionKeys(key, hmac_key, source.name)

    def _advise_on_files(self) -> object:
        if self.secrets_dir is None:
            return make_message("encryption.cure.set")
        files = [str(path) for path in ENCRYPTION_KEYS.list_secret_files(self.secrets_dir)]
        return make_message("encryption.cure.write", files=join_messages(files))


def _parse_key(text: str) -> bytes | None:
    """Return a key: the bytes of a text as it is, or what follows ``hex:`` or ``base64:``; None for a bad one."""
    form, _, rest = text.partition(":")
    try:
        if form == "hex":
            return bytes.fromhex(rest)
        if form == "base64":
            return base64.b64decode(rest, validate=True)
    except (ValueError, binascii.Error):
        return None
    return text.encode()


def _require_length(
    name: str, key: bytes | None, lengths: Sequence[int], source: Source, cipher: str
) -> None:
    """Raise EncryptionKeysMissing for a key of another length than the cipher takes; the key itself is never shown."""
    if key is not None and len(key) in lengths:
        return
    needed = join_messages([str(length) for length in lengths], "separator.or")
    raise EncryptionKeysMissing(
        "encryption.wrong_length",
        name=name,
        source=source.name,
        needed=needed,
        found=0 if key is None else len(key),
        cipher=cipher.upper(),
    )
