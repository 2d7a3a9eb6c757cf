"""The environment: names of variables, the language of the user, words and file names in another encoding.

The language is the first of ``--lang``, ``ESIGN_IMPORT_LANGUAGE``, the configuration's ``language`` and the locale; else
English. A value that is neither ``zh`` nor ``en`` is ignored here and refused where it is read.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.config.hospitals import COMMON, CONFIG, get_common_file, get_config_file

PREFIX = "ESIGN_IMPORT_"
LEDGER_SECRET_VARIABLE = "ESIGN_IMPORT_LEDGER_SECRET"  # noqa: S105 - a name
# secrets, which set no key of the configuration
SECRET_VARIABLES = (LEDGER_SECRET_VARIABLE,)
LANGUAGES = ("zh", "en")
_CHINESE = 0x04  # Windows: the primary language of a language id, its low ten bits
_NO_LANGUAGE = re.compile(r"(?:C|POSIX)(?:[.@].*)?\Z")
# One key at the margin. The whole file is read later, and its faults are reported in the language found here.
_KEY = re.compile(
    r"""^\ufeff?["']?language["']?[ \t]*:[ \t]*["']?(zh|en)["']?[ \t]*(?:\#.*)?$""", re.MULTILINE
)


def variable_name(key: tuple[str, ...]) -> str:
    """Return the environment variable that sets a key."""
    return PREFIX + "__".join(key).upper()


def restore_argument(word: str) -> str:
    """Return an argument as it was typed, also where the locale's encoding is not the terminal's.

    UTF-8 that passes for GBK, or does not even that, is UTF-8; GBK hardly ever passes for UTF-8.
    """
    try:
        typed = os.fsencode(word)
    except UnicodeEncodeError:  # not from the command line
        return word
    for encoding in ("utf-8", "gb18030"):
        try:
            return typed.decode(encoding)
        except UnicodeDecodeError:
            continue
    return word


def get_misread_name(folder: Path) -> str | None:
    """Return a name of a file that is UTF-8 while the locale's encoding is another one, None where there is none."""
    if sys.getfilesystemencoding() == "utf-8":
        return None
    try:
        with os.scandir(os.fsencode(folder)) as entries:
            names = [entry.name for entry in entries]
    except OSError:  # a zip, or a folder that cannot be opened, which is reported when it is opened
        return None
    for name in names:
        try:
            if not name.isascii():
                return name.decode("utf-8")
        except UnicodeDecodeError:
            continue
    return None


def get_named_configuration(arguments: Sequence[str]) -> Path:
    """Return the path of the configuration that a command line names, else of the one in the current folder."""
    path = Path(_get_option(arguments, "--config", "-c") or CONFIG)
    return path / (_get_option(arguments, "--profile") or "")


def choose_message_language(
    arguments: Sequence[str], environment: Mapping[str, str], path: Path
) -> str | None:
    """Return ``zh`` or ``en``, None where neither is chosen; ``path`` is that of the configuration."""
    candidates = (
        _get_option(arguments, "--lang"),
        environment.get(variable_name(("language",))),
        _read_configured_language(path),
    )
    chosen = next((word for word in candidates if word in LANGUAGES), None)
    return chosen or get_language_of_locale(environment)


def choose_language(configured: str | None) -> str:
    """Return the configured language, else that of the locale, else English."""
    return configured or get_language_of_locale(os.environ) or "en"


def get_language_of_locale(environment: Mapping[str, str]) -> str | None:
    """Return the language of the machine's user; None where the locale names none, as under cron and systemd."""
    names = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    name = next(filter(None, names), None)
    if name is None and sys.platform == "win32":
        import ctypes  # noqa: PLC0415 - Windows alone

        return "zh" if ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF == _CHINESE else "en"
    if name is None or _NO_LANGUAGE.match(name):
        return None
    return "zh" if name.lower().startswith(("zh", "chinese")) else "en"


def _get_option(arguments: Sequence[str], option: str, short: str | None = None) -> str | None:
    """Return the value of an option, the last one as click takes it."""
    value = None
    for index, word in enumerate(arguments):
        if word == "--":
            break
        if word in {option, short} and index + 1 < len(arguments):
            value = arguments[index + 1]
        elif word.startswith(f"{option}="):
            value = word.partition("=")[2]
        elif short and word.startswith(short) and not word.startswith("--"):
            value = word.removeprefix(short)
    return value


def _read_configured_language(path: Path) -> str | None:
    file = get_config_file(path)
    for candidate in (file, get_common_file(file), path / COMMON):
        with suppress(OSError, ValueError):
            if match := _KEY.search(candidate.read_text(encoding="utf-8")):
                return match[1]
    return None
