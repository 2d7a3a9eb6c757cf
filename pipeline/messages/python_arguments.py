"""How a sentence that names an option of the command line is written for a caller of the Python API."""

from __future__ import annotations

import re
from collections.abc import Mapping

# option -> the argument with the same meaning, as it is written in a call
PYTHON_ARGUMENTS: Mapping[str, str] = {
    "accept-guards": "accept_guards=True",
    "checked": "checked",
    "keep": 'decision="keep"',
    "leavers": "leavers=True",
    "limit": "limit",
    "new-ledger": "new_ledger=True",
    "not-created": 'decision="not_created"',
    "not-theirs": 'decision="not_theirs"',
    "only": "only",
    "other-person": 'decision="other_person"',
    "out": "out",
    "replace": 'decision="replace"',
    "review": "review",
    "run": "run",
    "same-person": 'decision="same_person"',
    "seal-id": 'decision="created"',
    "seal-name": "seal_name",
    "seals": "seals",
    "sure": "sure=True",
    "why": "why",
}
_COMMAND = re.compile(r"(?:esign-import )?run --(new-ledger|accept-guards)(?![\w-])")
_OPTION = re.compile(rf"(?<![\w-])--({'|'.join(PYTHON_ARGUMENTS)})(?![\w-])")


def name_python_arguments(text: str) -> str:
    """Return a sentence with arguments of Python in place of options; options that only a command has stay."""
    text = _COMMAND.sub(lambda match: f"pipeline.run(config, {PYTHON_ARGUMENTS[match[1]]})", text)
    return _OPTION.sub(lambda match: PYTHON_ARGUMENTS[match[1]], text)
