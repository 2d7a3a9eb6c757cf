"""Lets click speak Chinese.

click asks the standard library's `gettext` for every word it says, and `gettext` reads compiled catalogues:
``locale/zh/LC_MESSAGES/esign-import.mo`` is `pipeline.words.click`, made by ``python tests/compile_words.py``.
"""

from __future__ import annotations

import gettext
import os
from pathlib import Path

DOMAIN = "esign-import"
LOCALE = Path(__file__).with_name("locale")


def speak(language: str) -> None:
    """Let click speak ``zh`` or ``en`` from now on."""
    gettext.bindtextdomain(DOMAIN, LOCALE)
    gettext.textdomain(DOMAIN)
    os.environ["LANGUAGE"] = language  # where gettext looks first
