"""The sentences of the command line as the page shows them: its options are named as the controls of the page are labelled."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pipeline.reports.presenter import Presenter

# option -> key of the label
_CONTROLS: Mapping[str, str] = {
    "seal-id": "web.way.created",
    "not-created": "web.way.not_created",
    "not-theirs": "web.way.not_theirs",
    "keep": "web.way.keep",
    "replace": "web.way.replace",
    "same-person": "web.way.same_person",
    "other-person": "web.way.other_person",
    "withdraw": "web.way.withdraw",
    "seal-name": "web.field.seal_name",
    "sure": "web.sure",
}
_RESOLVE = re.compile(r"\bresolve(?: [^\s“”]+)? (?=--)")
_COLON = re.compile(r"[\uff1a: ]+\Z")
_BLANKS = re.compile(r" (?=“)|(?<=”) ")  # around words in quotation marks, which Chinese writes without
_OPTION = re.compile(rf"(?<![\w-])--({'|'.join(_CONTROLS)})(?![\w-])")


def name_controls(text: str, presenter: Presenter, invocation: str = "") -> str:
    """Return a sentence with labels of the page in place of options; ``invocation`` is how its commands begin."""
    if invocation:
        text = text.replace(f"{invocation} ", "")
    text = _RESOLVE.sub("", text)
    text = _OPTION.sub(lambda option: f"“{presenter.render(_CONTROLS[option[1]])}”", text)
    return _BLANKS.sub("", text) if presenter.language == "zh" else text


def end_sentence(text: str, presenter: Presenter) -> str:
    """Return a sentence that led to a command, ended."""
    head = _COLON.sub("", text)
    return text if head == text else head + presenter.render("web.full_stop")
