"""The alarm over all hospitals of several hosts: one message when a hospital's runs fail or do not come, and when all run again.

A worker calls it with how the last jobs ended; what was sent is kept in the database, so that one worker sends it. When it
is sent is decided as for the messages of a run (notify.py), with hospitals in place of the codes of rows.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from pipeline.clock import local_date, shown, stamp
from pipeline.config.named_paths import read_secret_lines
from pipeline.config.settings import Config
from pipeline.domain.message import Message
from pipeline.domain.run import COMPLETE_EXITS
from pipeline.messages.catalogue import make_message, render
from pipeline.operations.notify import (
    WatchedState,
    is_worth_a_message,
    merge_channels,
    parse_state,
    send_to_all,
)

if TYPE_CHECKING:
    from pipeline.hosts.daily_jobs import LastEnd

URLS_FILE = "workers__alarm_urls"
MAX_HOSPITALS = 20  # that a message names


def read_alarm_channels(config: Config, environment: Mapping[str, str]) -> list[str]:
    """Return the addresses that are configured, then those of ``workers__alarm_urls``, each once."""
    urls = [url.get_secret_value() for url in config.workers.alarm_urls]
    return merge_channels(urls, read_secret_lines(config, environment, URLS_FILE))


def get_hospital_fault(end: LastEnd, max_age: float) -> Message | None:
    """Return why a hospital calls for a person, None where it does not; ``max_age`` in seconds."""
    if end.is_paused:
        return None
    if end.has_ended and end.exit not in COMPLETE_EXITS:
        return make_message("alarm.failed", exit="—" if end.exit is None else end.exit)
    complete_at = end.known_since if end.succeeded is None else end.succeeded
    if end.now - complete_at > max_age:
        return make_message("alarm.too_old", moment=shown(stamp(complete_at)))
    return None


@dataclass(frozen=True, slots=True)
class HospitalsAlarm:
    """Sends the messages about all hospitals; ``name`` stands in their titles, ``age`` is that of the configuration."""

    channels: Sequence[str]
    name: str
    age: str
    language: str

    def send_news(
        self, stored: str | None, faults: Mapping[str, Message], total: int, now: float
    ) -> tuple[str, int]:
        """Send a message where the faults are news.

        Return the state to be kept, and how many channels did not take the message. Where none took it, that is the state of
        the last time: the next call sends a message again.
        ``stored`` is the state of the last time; ``faults`` are those of ``total`` hospitals by name.
        """
        before = parse_state(stored or "")
        state = replace(
            before,
            state="attention" if faults else "ok",
            reasons=tuple((hospital, 1) for hospital in faults),
            since=before.since if before.since is not None and bool(before.reasons) == bool(faults) else now,
        )
        undelivered = 0
        if is_worth_a_message(before, state, now):
            title, body = self._build_message(faults, total, state, now)
            undelivered = send_to_all(self.channels, title, body, state)
            is_sent = undelivered < len(self.channels)
            state = replace(state, notified=now) if is_sent else before
        return json.dumps({"schema": 1, **asdict(state)}, ensure_ascii=False), undelivered

    def _build_message(
        self, faults: Mapping[str, Message], total: int, state: WatchedState, now: float
    ) -> tuple[str, str]:
        key = "attention" if faults else "recovered"
        title = render(f"alarm.title.{key}", self.language, name=self.name, n=len(faults), total=total)
        lines = []
        if faults and state.since is not None and local_date(state.since) != local_date(now):
            lines.append(render("notify.since", self.language, day=local_date(state.since)))
        lines += [
            render("alarm.hospital", self.language, hospital=hospital, fault=fault)
            for hospital, fault in [*faults.items()][:MAX_HOSPITALS]
        ]
        if len(faults) > MAX_HOSPITALS:
            lines.append(render("alarm.more", self.language, n=len(faults) - MAX_HOSPITALS))
        lines.append(render("alarm.look", self.language, age=self.age, host=socket.gethostname()))
        return title, "\n".join(lines)
