"""Lets click speak Chinese.

click asks the standard library's `gettext` for every word it says, and `gettext` reads compiled catalogues:
``locale/zh/LC_MESSAGES/esign-import.mo`` is `pipeline.messages.click`, made by ``python tools/compile_messages.py``.
"""

from __future__ import annotations

import gettext
import os
import re
from pathlib import Path

from pipeline.messages.click import KINDS, RANGES, STOPS

DOMAIN = "esign-import"
LOCALE = Path(__file__).with_name("locale")


def tidy(message: str, language: str) -> str:
    """Return one of click's sentences as it is written in the reader's language.

    click quotes with Python's ``repr``, which doubles the backslashes of a Windows path, puts its own blanks and stops
    between translated parts, and names ranges and kinds of numbers as a programmer does.
    """
    message = message.replace("\\\\", "\\")
    for name, (zh, en) in KINDS.items():
        message = message.replace(name, zh if language == "zh" else en)
    for pattern, instead in (*RANGES, *(STOPS if language == "zh" else ())):
        message = re.sub(pattern, instead, message)
    return message


def set_click_language(language: str) -> None:
    """Let click speak ``zh`` or ``en`` from now on."""
    gettext.bindtextdomain(DOMAIN, LOCALE)
    gettext.textdomain(DOMAIN)
    os.environ["LANGUAGE"] = language  # where gettext looks first
