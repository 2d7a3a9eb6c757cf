"""The audit log of the cloud account (CloudAudit): the body of DescribeEvents and the typed reading of its answers.

What an event holds of a call is not documented: it is JSON in a text, whose parts may be JSON in texts again. An id is looked
for by its whole value, a SealId and an error by their names. The log is that of the account which owns the keys, as a rule the
platform's: it holds the calls of all its hospitals, so that a seal's name identifies nothing here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.esign.contracts import dump_json
from pipeline.esign.responses import Answer

PAGE_EVENTS = 50
KEPT_DAYS = 90
MAX_DEPTH = 8  # of JSON in texts in JSON
MAX_VALUES = 10_000  # of one event
NO_ERROR = frozenset({"", "0", "success", "ok", "null", "none"})  # in place of a code, in lower case
ERROR_NAMES = frozenset({"apierrorcode", "errorcode"})
_WITH_SEAL_ID, _WITH_NAME = "sealid", "sealname"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One call as the log keeps it."""

    values: tuple[tuple[str, str], ...] = field(repr=False)  # name in lower case, value: all that it holds
    is_readable: bool  # its details are JSON; of others nothing but ids is known

    def holds(self, text: str | None) -> bool:
        """Return whether a text is one of its values, or stands in one as a word of its own."""
        if not text:
            return False
        word = re.compile(rf"(?<![0-9A-Za-z_-]){re.escape(text)}(?![0-9A-Za-z_-])")
        return any(text in value and word.search(value) is not None for _, value in self.values)

    def list_seal_ids(self) -> set[str]:
        """Return the SealIds that it names."""
        return self._list_named(_WITH_SEAL_ID)

    def list_seal_names(self) -> set[str]:
        """Return the seal names that it names."""
        return self._list_named(_WITH_NAME)

    def _list_named(self, wanted: str) -> set[str]:
        return {value for name, value in self.values if name == wanted and value}

    @property
    def error_code(self) -> str | None:
        """The code with which the call was refused, None without one."""
        codes = [value for name, value in self.values if name in ERROR_NAMES or name == "error.code"]
        return next((code for code in codes if code.lower() not in NO_ERROR), None)


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page of events; ``next_token`` is None on the last one."""

    events: tuple[AuditEvent, ...]
    next_token: int | None


def build_event_query(event_name: str, start: int, end: int, token: int | None) -> bytes:
    """Return the body that asks for the events of one action in a span of unix seconds."""
    body: dict[str, object] = {
        "StartTime": start,
        "EndTime": end,
        "MaxResults": PAGE_EVENTS,
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": event_name}],
    }
    return dump_json(body if token is None else {**body, "NextToken": token})


def read_event_page(answer: Answer) -> AuditPage | None:
    """Return the page that an answer holds, None where it lacks what is documented."""
    is_over, lines = answer.fields.get("ListOver"), answer.fields.get("Events")
    token = answer.fields.get("NextToken")
    if lines is None and is_over is True:
        lines = []
    if not isinstance(is_over, bool) or not isinstance(lines, list):
        return None
    if not all(isinstance(line, dict) for line in lines):
        return None
    has_token = isinstance(token, int) and not isinstance(token, bool)
    if not is_over and not has_token:
        return None
    return AuditPage(tuple(map(_read_event, lines)), None if is_over else int(str(token)))


def _read_event(line: Mapping[str, Any]) -> AuditEvent:
    details = line.get("CloudAuditEvent")
    parsed = _parse(details) if isinstance(details, str) else None
    values = [*_list_values(line)]
    return AuditEvent(tuple(values[:MAX_VALUES]), parsed is not None and len(values) <= MAX_VALUES)


def _list_values(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield every value with its name, also of JSON that stands in a text."""
    if depth > MAX_DEPTH or value is None:
        return
    parsed = _parse(value) if isinstance(value, str) else value
    if isinstance(parsed, dict):
        for key, inner in parsed.items():
            plain = str(key).lower()
            yield from _list_values(inner, f"error.{plain}" if name == "error" else plain, depth + 1)
    elif isinstance(parsed, list):
        for inner in parsed:
            yield from _list_values(inner, name, depth + 1)
    else:
        yield name, str(value)


def _parse(text: str) -> Mapping[str, Any] | Sequence[Any] | None:
    """Return the JSON object or list that a text is, None for any other text."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict | list) else None
