"""The list of an organisation's seals: the bodies of the call and the typed reading of its answers.

The documents name no personal kind, so whether imported seals are listed is found out for each tenant. An answer that lacks
what is documented of it is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.esign.contracts import dump_json
from pipeline.esign.products import Agent
from pipeline.esign.responses import Answer

PAGE_SEALS = 100  # the most that essbasic takes; ess takes more
EVERY_STATUS = "ALL"
ENABLED = "SUCCESS"


@dataclass(frozen=True, slots=True)
class ListedSeal:
    """One line of the list."""

    seal_id: str
    name: str
    created_at: float | None  # unix seconds, by the service's clock; None where the line names none
    status: str  # "" where the line names none
    kind: str  # SealType


@dataclass(frozen=True, slots=True)
class SealPage:
    """One page of the list, and how many seals the service counts in all."""

    total: int
    seals: tuple[ListedSeal, ...]


def build_seal_query(agent: Agent, seal_id: str) -> bytes:
    """Return the body that asks for one seal, whatever its state."""
    return _build(agent, SealId=seal_id, Limit=1, Offset=0)


def build_seal_page_query(agent: Agent, listed: int, *, counts_pages: bool) -> bytes:
    """Return the body that asks for the page behind so many seals; ``counts_pages``: the Offset is a page's number."""
    return _build(agent, Limit=PAGE_SEALS, Offset=listed // PAGE_SEALS if counts_pages else listed)


def _build(agent: Agent, **parameters: object) -> bytes:
    return dump_json({**agent.build_query_caller(), **parameters, "SealStatuses": [EVERY_STATUS]})


def read_seal_page(answer: Answer) -> SealPage | None:
    """Return the page that an answer holds, None where it lacks something or holds what can be no line of the list."""
    total, lines = _get_number(answer.fields, "TotalCount"), answer.fields.get("Seals")
    if total is None:
        return None
    if lines is None and total == 0:
        return SealPage(0, ())
    if not isinstance(lines, list):
        return None
    seals = []
    for line in lines:
        seal = _read_line(line)
        if seal is None:
            return None
        seals.append(seal)
    return SealPage(total, tuple(seals))


def _read_line(line: object) -> ListedSeal | None:
    if not isinstance(line, dict):
        return None
    seal_id, name = _get_text(line, "SealId"), _get_text(line, "SealName")
    if not seal_id or not name:
        return None
    created_on = _get_number(line, "CreateOn")
    return ListedSeal(
        seal_id,
        name,
        created_at=float(created_on) if created_on else None,
        status=_get_text(line, "SealStatus"),
        kind=_get_text(line, "SealType"),
    )


def _get_text(line: Mapping[str, object], name: str) -> str:
    value = line.get(name)
    return value if isinstance(value, str) else ""


def _get_number(values: Mapping[str, object], name: str) -> int | None:
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if value >= 0 else None
