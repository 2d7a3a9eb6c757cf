"""What the page shows of the run that is under way: its numbers, an outage, the rows that ended last."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Mapping
from threading import Lock
from typing import Any

from pipeline.clock import shown
from pipeline.domain.row_record import RowLine
from pipeline.domain.run import Status
from pipeline.errors import EsignImportError
from pipeline.messages.catalogue import load_text
from pipeline.reports.explanations import describe_cause, name_code
from pipeline.reports.presenter import Presenter
from pipeline.web.rows.row_cards import name_doctors
from pipeline.web.send.run_child import RunView
from pipeline.web.site import Site
from pipeline.workflow.tenant_ledger import open_configured_ledger

QUIET_SECONDS = 15.0  # without progress, after which the page names how long it is


class RowNames:
    """The doctors of the rows of one run, which its ledger holds from the start; read once a run."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = Lock()
        self._run: str | None = None
        self._names: Mapping[str, RowLine] = {}

    def read(self, run: str) -> Mapping[str, RowLine]:
        """Return each row of a run by its id."""
        with self._lock:
            if run != self._run:
                names = self._read(run)
                if not names:
                    return {}  # not entered yet
                self._run, self._names = run, names
            return self._names

    def _read(self, run: str) -> Mapping[str, RowLine]:
        try:
            with open_configured_ledger(self._site.config, self._site.clock) as (ledger, _):
                return {row.row_id: row.read_line() for row in ledger.list_rows(run)}
        except EsignImportError:
            return {}


def describe_live(view: RunView, names: Mapping[str, RowLine], presenter: Presenter) -> dict[str, Any]:
    """Return what is shown of the run that is under way."""
    numbers = view.numbers if view.is_own else None
    values: dict[str, Any] = {
        "is_own": view.is_own,
        "holder": _describe_holder(view),
        "is_stopping": view.is_stopping,
        "is_sending": numbers is not None,
        "idle": None,
    }
    if view.is_own and view.idle_seconds >= QUIET_SECONDS:
        values["idle"] = presenter.describe_duration(view.idle_seconds // 5 * 5)
    if numbers is None:
        return values
    seconds, outage = numbers["seconds_remaining"], numbers["outage"]
    is_known = seconds is not None and values["idle"] is None
    return values | {
        "done": numbers["done"],
        "total": numbers["total"],
        "rate": f"{numbers['creates_per_second']:.1f}",
        "limit": f"{numbers['limit_per_second']:g}",
        "time_left": presenter.describe_duration(seconds) if is_known else None,
        "throttled": numbers["throttled"],
        "statuses": [
            {"status": status, "word": presenter.name_status(Status(status)), "rows": rows}
            for status, rows in numbers["statuses"].items()
        ],
        "outage": _describe_outage(outage, numbers["cause"], presenter) if outage else None,
        "rows": [_describe_row(row, names, presenter) for row in reversed(numbers["rows"])],
    }


def _describe_holder(view: RunView) -> dict[str, str] | None:
    if view.holder is None:
        return None
    details = {name: str(value) for name, value in view.holder.list_details().items()}
    return details | {"is_here": "yes" if view.holder.host == socket.gethostname() else ""}


def _describe_outage(outage: Mapping[str, Any], cause: object, presenter: Presenter) -> dict[str, Any]:
    gives_up_at = outage["gives_up_at"]
    return {
        "host": outage["host"],
        "cause": describe_cause(load_text(cause), presenter),
        "since": shown(outage["since"], to=19)[11:],
        "until": shown(gives_up_at)[11:] if gives_up_at else None,
    }


def _describe_row(
    row: Mapping[str, Any], names: Mapping[str, RowLine], presenter: Presenter
) -> dict[str, str]:
    line = names.get(row["row_id"])
    return {
        "name": name_doctors([line], presenter) if line else "—",
        "status": row["status"],
        "word": presenter.name_status(Status(row["status"])),
        "why": name_code(row["code"], presenter, unresolved=row["status"] == Status.UNKNOWN)
        if row["code"]
        else "",
    }


def digest_state(view: RunView, check: str | None) -> str:
    """Return what stands for all that is shown around the numbers: where it differs, the whole page is another one."""
    holder = view.holder
    parts = [
        view.is_under_way,
        view.is_stopping,
        view.start.name if view.start else None,
        holder.run if holder else None,
        check,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
