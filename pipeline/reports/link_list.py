"""Writes the workbook of links by which doctors open auto-sign or choose their seal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.clock import shown, stamp
from pipeline.reports.presenter import Presenter
from pipeline.reports.seal_list import write_table_workbook

LINKS = "links.xlsx"  # in the folder of the results


@dataclass(frozen=True, slots=True)
class ListedLink:
    """A doctor and a link, as they are shown; the number is no part of it."""

    name: str = field(repr=False)
    department: str | None
    kind: Literal["enable_link", "seal_link"]
    url: str = field(repr=False)
    until: float  # unix seconds
    seal_name: str | None
    by_sms: bool

    @property
    def until_shown(self) -> str:
        """The local time at which the link ends, as people read it."""
        return shown(stamp(self.until))

    def to_dict(self) -> dict[str, Any]:
        """Return the link as `autosign links --json` shows it."""
        return {**asdict(self), "until": stamp(self.until)}


def write_link_workbook(
    path: Path, links: Sequence[ListedLink], missing: Sequence[tuple[str, str]], presenter: Presenter
) -> Path:
    """Write a row a link; ``missing`` are the doctors who need one and have none, each with the reason."""
    render = presenter.render
    table = {
        render("autosign.links.name"): [link.name for link in links],
        render("autosign.links.department"): [link.department or "" for link in links],
        render("autosign.links.kind"): [render(f"autosign.links.{link.kind}") for link in links],
        render("autosign.links.link"): [link.url for link in links],
        render("autosign.links.until"): [link.until_shown for link in links],
        render("autosign.links.sms"): [render("seals.yes") if link.by_sms else "" for link in links],
    }
    sheets = {render("autosign.links.sheet"): table}
    if missing:
        sheets[render("autosign.links.missing")] = {
            render("autosign.links.name"): [name for name, _ in missing],
            render("autosign.links.reason"): [reason for _, reason in missing],
        }
    return write_table_workbook(path, sheets, presenter)
