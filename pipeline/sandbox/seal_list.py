"""The list of an organisation's seals: its own, and the imported ones of doctors where the sandbox shows them.

It is not documented whether the service lists imported seals, so both ways are there (`Rules.list_shows`). What happens to a seal
after it was made, a new name or another state, is set by tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.sandbox.gateway import ESS, ESSBASIC, Order, Refusal

PAGE_LIMITS: Mapping[str, int] = {ESSBASIC: 100, ESS: 200}  # by product
OFFSET_LIMIT, DEFAULT_LIMIT = 20_000, 20
ENABLED = "SUCCESS"
ALL = "ALL"
IMPORTED_TYPE = "OTHER"  # the kind that a listed imported seal has here; no document names it


@dataclass(frozen=True, slots=True)
class ListedSeal:
    """One line of the list."""

    seal_id: str
    organization: str
    seal_name: str
    created_at: float  # unix seconds
    status: str = ENABLED
    seal_type: str = "OFFICIAL"

    def build_record(self) -> dict[str, Any]:
        """Return the line as the answer holds it."""
        return {
            "SealId": self.seal_id,
            "SealName": self.seal_name,
            "CreateOn": int(self.created_at),
            "Creator": "yDsandboxcreator0000000000000000",
            "SealStatus": self.status,
            "SealType": self.seal_type,
            "FailReason": "",
            "Url": "https://file.ess.tencent.cn/sandbox/seal?hkey=sandbox",
            "IsAllTime": True,
            "AuthorizedUsers": [],
        }


@dataclass
class SealList:
    """Answers ChannelDescribeOrganizationSeals, the newest seal first."""

    shows_imported: bool = False
    others: list[ListedSeal] = field(default_factory=list)  # that were made elsewhere
    renamed: dict[str, str] = field(default_factory=dict)  # SealId -> its name now
    statuses: dict[str, str] = field(default_factory=dict)  # SealId -> its state now
    hidden: set[str] = field(default_factory=set)  # SealIds that are not listed
    cut_at: int | None = None  # lines after which the list ends, whatever its total is
    arriving: list[ListedSeal] = field(default_factory=list)  # one more is there after every page

    def answer(self, order: Order, imported: Iterable[ListedSeal]) -> dict[str, Any]:
        """Return the page that a call asks for, or raise Refusal; ``imported`` are the doctors' seals of all hospitals."""
        sent, organization = order.sent, order.tenant.organization_open_id
        limit, offset = sent.get("Limit", 0) or DEFAULT_LIMIT, sent.get("Offset", 0)
        if not (0 < limit <= PAGE_LIMITS[order.service] and 0 <= offset <= OFFSET_LIMIT):
            raise Refusal("InvalidParameterValue")
        if order.service == ESS:
            offset *= limit  # it is the number of a page
        lines = self._select_lines(sent, organization, imported)
        shown = lines if self.cut_at is None else lines[: self.cut_at]
        page = shown[offset : offset + limit]
        if self.arriving:
            self.others.append(self.arriving.pop())
        return {"TotalCount": len(lines), "Seals": [line.build_record() for line in page]}

    def _select_lines(
        self, sent: Mapping[str, Any], organization: str, imported: Iterable[ListedSeal]
    ) -> list[ListedSeal]:
        doctors = [self._change(line) for line in imported] if self.shows_imported else []
        wanted_types: Sequence[str] = sent.get("SealTypes") or ()
        wanted_statuses: Sequence[str] = sent.get("SealStatuses") or (ENABLED,)
        lines = [
            line
            for line in (*self.others, *doctors)
            if line.organization == organization
            and line.seal_id not in self.hidden
            and sent.get("SealId") in (None, "", line.seal_id)
            and (not wanted_types or line.seal_type in wanted_types)
            and (ALL in wanted_statuses or line.status in wanted_statuses)
        ]
        return sorted(lines, key=lambda line: line.created_at, reverse=True)

    def _change(self, line: ListedSeal) -> ListedSeal:
        """Return a line as it is now."""
        return replace(
            line,
            seal_name=self.renamed.get(line.seal_id, line.seal_name),
            status=self.statuses.get(line.seal_id, line.status),
        )
