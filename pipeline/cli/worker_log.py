"""The lines of a worker: time, host and text, or with ``--json`` one object a line."""

from __future__ import annotations

import json
import socket

from pipeline.cli.context import Session
from pipeline.clock import shown, stamp
from pipeline.errors import EsignImportError

# also with -q
URGENT = frozenset(
    {
        "worker.closed",
        "worker.failed",
        "worker.killed",
        "worker.left_behind",
        "worker.line",
        "worker.no_progress",
        "worker.run_limit",
        "worker.too_often",
    }
)


class WorkerLog:
    """Prints what a worker reports: text to stderr, JSON to stdout."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._host = socket.gethostname()

    def report(self, key: str, **values: object) -> None:
        """Print a message; what is no trouble is left out with ``-q``."""
        hospital = values.get("hospital")
        if hospital is not None:
            hospital = values["hospital"] = self._session.name_hospital(str(hospital))
        self._print_line(key, self._session.render_sentence(key, **values), hospital, is_urgent=key in URGENT)

    def report_error(self, error: EsignImportError) -> None:
        """Print what is no reason for the worker to end."""
        self._print_line("warning", error.render(self._session.spoken), None, is_urgent=True)

    def _print_line(self, event: str, text: str, hospital: object, *, is_urgent: bool) -> None:
        session = self._session
        if session.quiet and not is_urgent:
            return
        time = stamp(session.clock.now())
        if not session.as_json:
            session.print_wrapped(f"{shown(time, to=19)} {self._host} {text}")
            return
        line = {
            "time": time,
            "level": "warning" if is_urgent else "info",
            "host": self._host,
            "hospital": hospital,
            "event": event,
            "message": text,
        }
        session.print_data(json.dumps(line, ensure_ascii=False))
        session.has_document = False  # an error that ends the worker is one more line
