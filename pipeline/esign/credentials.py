"""Finds SecretId and SecretKey: the first complete pair counts, never mixed from two places."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.domain.message import Message
from pipeline.errors import CredentialsMissing, reason_of
from pipeline.esign.signing import Credentials, CredentialsSource
from pipeline.messages.catalogue import join_messages, make_message
from pipeline.support.rights import acting_user
from pipeline.support.terminal_text import join

_LABELS = ("SecretId", "SecretKey")
_PARTS = ("secret_id", "secret_key", "token")


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsPlaces:
    """The places where keys may be: secret files, then the environment.

    A ``role`` is asked for keys where no pair is found; a role of STS is assumed with the pair.
    """

    environment: Mapping[str, str] = field(repr=False)
    secrets_dir: Path | None = None
    role: str | None = None  # cvm, sts or oidc
    role_arn: str | None = None

    def find(self) -> CredentialsSource:
        """Return the first complete pair. Raises CredentialsMissing, which lists every place and what it held."""
        search = _PairSearch(self.environment, self.secrets_dir)
        pair = search.find()
        if self.role is not None and (self.role == "sts") == (pair is not None):
            from pipeline.esign.role import RoleCredentials  # noqa: PLC0415 - only a role needs it

            return RoleCredentials(self.role, self.role_arn, pair)
        if pair is None:
            raise search.make_error(self._advise_on_files())
        return pair

    def _advise_on_files(self) -> Message:
        """Return where keys belong while none are found."""
        if self.secrets_dir is None:
            return make_message("credentials.cure.set")
        files = [str(self.secrets_dir / f"tencent__{part}") for part in _PARTS[:2]]
        return make_message("credentials.cure.write", files=join_messages(files))


class _PairSearch:
    """A search for the first complete pair, and what it has found on its way."""

    def __init__(self, environment: Mapping[str, str], secrets_dir: Path | None) -> None:
        self._environment = environment
        self._folders = {
            "$CREDENTIALS_DIRECTORY": environment.get("CREDENTIALS_DIRECTORY"),
            "secrets_dir": secrets_dir,
        }
        self._tried: list[Message] = []  # each place, and what it held
        self._cures: list[Message] = []  # what to do about it

    def find(self) -> Credentials | None:
        """Return the first complete pair, None where there is none."""
        for title, folder in self._folders.items():
            pair = self._read_folder(f"{title} ({folder})", Path(folder)) if folder else None
            if pair is not None:
                return pair
        variables = [f"TENCENTCLOUD_{part.upper()}" for part in _PARTS]
        values = [_strip(self._environment.get(variable, "")) for variable in variables]
        return self._take(" / ".join(variables[:2]), values)

    def make_error(self, cure: Message) -> CredentialsMissing:
        """Return the error of a pair that was not found; ``cure`` is what to do where no place shows it."""
        places = join_messages(self._tried, "\n")
        return CredentialsMissing("credentials.missing", cure=[*self._cures, cure][0], places=places)

    def _read_folder(self, source: str, folder: Path) -> Credentials | None:
        files = [folder / f"tencent__{part}" for part in _PARTS]
        try:
            values = [
                _strip(file.read_text(encoding="utf-8-sig")) if file.is_file() else None for file in files
            ]
        except (OSError, ValueError) as error:
            self._note(source, _describe_unreadable(error))
            if isinstance(error, PermissionError) and error.filename:
                self._cures.append(_advise_on_rights(Path(error.filename), files))
            return None
        empty = [file for file, value in zip(files[:2], values, strict=False) if value == ""]
        if not empty:
            return self._take(source, [value or "" for value in values], files)
        key = "credentials.empty_file" if len(empty) == 1 else "credentials.empty_files"
        self._note(source, make_message(key, files=join_messages([file.name for file in empty])))
        if len(empty) == 1:
            self._cures.append(_advise_on_missing_part(files.index(empty[0]), empty[0]))
        else:
            text = join_messages([str(file) for file in empty])
            self._cures.append(make_message("credentials.cure.write", files=text))
        return None

    def _take(self, source: str, values: Sequence[str], files: Sequence[Path] = ()) -> Credentials | None:
        """Return the pair that a place holds; note what is missing of one that is not complete."""
        first, second, token = values
        if first and second:
            present = tuple(file for file in files if file.is_file())
            return Credentials(first, second, token or None, source, present)
        if not (first or second):
            self._note(source, make_message("credentials.nothing"))
            return None
        missing = 1 if first else 0
        self._note(
            source,
            make_message("credentials.one_part", present=_LABELS[1 - missing], missing=_LABELS[missing]),
        )
        if files:
            self._cures.append(_advise_on_missing_part(missing, files[missing]))
        return None

    def _note(self, source: str, why: Message | str) -> None:
        self._tried.append(make_message("credentials.place", place=source, why=why))


def _strip(value: str) -> str:
    """Strip white space, a BOM and quotes, which editors leave around a key."""
    return value.strip().strip("\ufeff").strip().strip("\"'")


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


def _advise_on_missing_part(part: int, file: Path) -> Message:
    """Return where the one part of a pair belongs that alone is missing."""
    return make_message("credentials.cure.write_part", part=_LABELS[part], file=file)
