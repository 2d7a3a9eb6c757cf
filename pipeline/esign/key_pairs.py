"""Looks for a pair of keys: the first complete pair counts, never mixed from two places.

The places are secret files, the environment and the keyring of the machine; what each one held is kept for a message.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Thread

from pipeline.domain.message import Message
from pipeline.errors import reason_of
from pipeline.messages.catalogue import join_messages, make_message
from pipeline.support.rights import acting_user
from pipeline.support.terminal_text import join

Values = Mapping[str, str]  # by the names of PairNames.values
KEYRING_SERVICE = "esign-import"
KEYRING_SECONDS = 10.0  # without a desktop a keyring may wait for a password for ever


@dataclass(frozen=True, slots=True)
class PairNames:
    """How the parts of a pair are called: in messages, in secret files and the keyring, in the environment.

    ``values`` are the two parts, then what may come with them; a secret file has ``tencent__`` before such a name.
    """

    labels: tuple[str, str]
    values: tuple[str, ...]
    variables: Mapping[str, Sequence[str]]  # by name of the value, the one that counts first in front
    cure: str = "credentials.cure"  # beginning of the keys of what to do

    def list_secret_files(self, folder: Path) -> list[Path]:
        """Return the files of a folder that hold the parts."""
        return [folder / f"tencent__{name}" for name in self.values]

    def get_parts(self, values: Values) -> tuple[str, str]:
        """Return the two parts, empty where they are missing."""
        first, second = self.values[:2]
        return values.get(first, ""), values.get(second, "")


class Unavailable(Exception):
    """A source that cannot be read; its arguments are a phrase and, where it is known, what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """One place where a pair may be; ``read`` returns what it holds."""

    name: str
    read: Callable[[], Values]
    files: Sequence[Path] = ()


@dataclass(slots=True)
class PairSearch:
    """A search for the first complete pair, and what it has found on its way."""

    names: PairNames
    tried: list[Message] = field(default_factory=list)  # each source, and what it held
    cures: list[Message] = field(default_factory=list)  # what to do about it

    def find(self, sources: Iterable[Source]) -> tuple[Source, Values] | None:
        """Return the first source with a complete pair, and what it holds; None where there is none."""
        for source in sources:
            try:
                values = source.read()
            except Unavailable as error:
                self._note(source, error.args[0])
                self.cures += error.args[1:]
                continue
            except (OSError, ValueError, configparser.Error) as error:
                self._note(source, _describe_unreadable(error))
                if isinstance(error, PermissionError) and error.filename:
                    self.cures.append(_advise_on_rights(Path(error.filename), source.files))
                continue
            first, second = self.names.get_parts(values)
            if first and second:
                return source, values
            self._note(source, self._describe_missing(first, second))
            if (first or second) and source.files:
                self.cures.append(advise_on_missing_part(self.names, source.files[1 if first else 0]))
        return None

    def _note(self, source: Source, why: Message | str) -> None:
        self.tried.append(make_message("credentials.place", place=source.name, why=why))

    def _describe_missing(self, first: str, second: str) -> Message:
        if not (first or second):
            return make_message("credentials.nothing")
        present, missing = self.names.labels if first else reversed(self.names.labels)
        return make_message("credentials.one_part", present=present, missing=missing)


def list_folders(
    names: PairNames, environment: Mapping[str, str], secrets_dir: Path | None
) -> Iterator[Source]:
    """Yield the folders of secret files, the one that counts first in front."""
    folders = {"$CREDENTIALS_DIRECTORY": environment.get("CREDENTIALS_DIRECTORY"), "secrets_dir": secrets_dir}
    for title, folder in folders.items():
        if folder:
            path = Path(folder)
            files = names.list_secret_files(path)
            yield Source(f"{title} ({path})", partial(_read_secret_files, names, path), files)


def make_keyring_source(names: PairNames, organization: str) -> Source:
    """Return the keyring; an ``organization`` may have an entry of its own."""
    own_service = (f"{KEYRING_SERVICE}/{organization}",) if organization else ()
    services = (*own_service, KEYRING_SERVICE)
    return Source(f"keyring {KEYRING_SERVICE}", lambda: _read_keyring(names, services))


def _describe_unreadable(error: Exception) -> Message | str:
    if isinstance(error, PermissionError):
        return make_message("credentials.forbidden", user=acting_user())
    return reason_of(error) if isinstance(error, OSError) else make_message("credentials.unreadable")


def _advise_on_rights(path: Path, files: Iterable[Path]) -> Message:
    """Return how the user who runs this gets the right to read a file and others of its pair, or the folder that hides them."""
    folder = path.parent
    if not os.access(folder, os.R_OK | os.X_OK):
        hidden, command = str(folder), join(["chmod", "u+rwx", str(folder)])
    else:
        unreadable = [str(file) for file in files if file.exists() and not os.access(file, os.R_OK)]
        hidden = join_messages(unreadable or [str(path)])
        command = join(["chmod", "u+r", *(unreadable or [str(path)])])
    return make_message("credentials.cure.allow", path=hidden, user=acting_user(), command=command)


def advise_on_missing_part(names: PairNames, file: Path) -> Message:
    """Return where the one part of a pair belongs that alone is missing."""
    part = names.labels[0 if file.name.endswith(f"__{names.values[0]}") else 1]
    return make_message("credentials.cure.write_part", part=part, file=file)


def strip_key(value: object) -> str:
    """Strip white space, a BOM and quotes, which editors leave around a key."""
    return str(value or "").strip().strip("\ufeff").strip().strip("\"'")


def _read_secret_files(names: PairNames, folder: Path) -> Values:
    """Return what the files of a folder hold. Raises Unavailable for a pair of which a file is empty."""
    paths = dict(zip(names.values, names.list_secret_files(folder), strict=True))
    values = {
        name: strip_key(path.read_text(encoding="utf-8-sig"))
        for name, path in paths.items()
        if path.is_file()
    }
    empty = [paths[name].name for name in names.values[:2] if values.get(name) == ""]
    if empty:
        if len(empty) == 1:
            key, cure = "credentials.empty_file", advise_on_missing_part(names, folder / empty[0])
        else:
            files = join_messages([str(folder / name) for name in empty])
            key, cure = "credentials.empty_files", make_message(f"{names.cure}.write", files=files)
        raise Unavailable(make_message(key, files=join_messages(empty)), cure)
    return values


def read_environment(names: PairNames, environment: Mapping[str, str]) -> Values:
    """Return what the variables of a pair hold."""
    values = {}
    for name, variables in names.variables.items():
        given = [environment[key] for key in variables if environment.get(key)]
        values[name] = strip_key(given[0] if given else "")
    return values


def _read_keyring(names: PairNames, services: Sequence[str]) -> Values:
    """Return the entry of the first service that has a complete pair, else what the first one has.

    Raises Unavailable where there is no keyring, or none that answers.
    """
    try:
        import keyring  # noqa: PLC0415 - an extra, asked where nothing else holds keys
        from keyring.errors import NoKeyringError  # noqa: PLC0415 - the same
    except ImportError as error:
        raise Unavailable(make_message("credentials.no_keyring_extra")) from error
    entries: list[Values] = []
    failures: list[Exception] = []

    def read() -> None:
        try:
            for service in services:
                values = {name: strip_key(keyring.get_password(service, name)) for name in names.values}
                entries.append(values)
        except Exception as error:  # noqa: BLE001 - a backend raises what it likes
            failures.append(error)

    thread = Thread(target=read, daemon=True)  # one that hangs must not keep the program from its end
    thread.start()
    thread.join(KEYRING_SECONDS)
    if thread.is_alive():
        raise Unavailable(make_message("credentials.keyring_silent", seconds=round(KEYRING_SECONDS)))
    if failures:
        if isinstance(failures[0], NoKeyringError):
            raise Unavailable(make_message("credentials.no_keyring")) from failures[0]
        kind = type(failures[0]).__name__
        raise Unavailable(make_message("credentials.keyring_failed", kind=kind)) from failures[0]
    complete = [values for values in entries if all(names.get_parts(values))]
    halves = [values for values in entries if any(values.values())]
    return next(iter([*complete, *halves]), {})
