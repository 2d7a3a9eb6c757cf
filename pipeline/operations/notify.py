"""Notifies people of a run that failed or ended in another state than the one before, by the channels of apprise.

A message holds counts and reasons, never a name or a number. It waits next to the ledger until every channel has taken it.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.config.environment import find_language_of_locale, find_language_of_titles
from pipeline.config.named_paths import read_secret_lines
from pipeline.config.settings import Config
from pipeline.domain.masking import hide_names
from pipeline.domain.run import RunReport, Status
from pipeline.errors import UsageError
from pipeline.ledger.tenant import find_environment
from pipeline.messages.catalogue import render
from pipeline.operations.run_state import (
    State,
    WaitingMessage,
    WatchedState,
    classify_exit,
    load_state,
    save_state,
    state_path,
)
from pipeline.reports.explanations import describe_halt_of, find_titles, name_code
from pipeline.reports.presenter import Presenter
from pipeline.reports.totals import count_reasons

URLS_FILE = "notify__urls"
MAX_REASONS = 5
MAX_WAITING, MAX_AGE = 20, 7 * 86_400  # messages; seconds


@dataclass(frozen=True, slots=True)
class Channel:
    """An address of apprise, such as ``wecombot://key``; it holds a secret."""

    url: str

    @property
    def digest(self) -> str:
        """What identifies the channel where its address must not stand."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]


def find_channels(config: Config, environment: Mapping[str, str]) -> list[Channel]:
    """Return the configured channels, then those of the secret file ``notify__urls``, each once."""
    urls = [url.get_secret_value() for url in config.notify.urls]
    urls += read_secret_lines(config, environment, URLS_FILE)
    return [Channel(url) for url in dict.fromkeys(urls) if not url.startswith("#")]


def notify_run_end(report: RunReport, config: Config) -> None:
    """Send what could not be delivered before, and a message where this run needs one. Raises UsageError for a failure."""
    channels = find_channels(config, os.environ)
    path = state_path(config)
    if report.command != "run":
        return
    before = load_state(path)
    waiting = [message for message in before.waiting if report.finished - message.created < MAX_AGE]
    state = classify_exit(report.exit)
    reasons = count_needs(report)
    if channels and is_worth_a_message(before, state, reasons):
        title, body = build_message(report, config, before)
        digests = tuple(channel.digest for channel in channels)
        waiting.append(WaitingMessage(title, body, report.finished, digests))
    now = WatchedState(
        state=state,
        exit=report.exit,
        reasons=reasons,
        last_success=before.last_success if state == "failed" else report.finished,
        waiting=waiting[-MAX_WAITING:],
    )
    save_state(path, now)  # before it is sent: a message that is cut off is sent by the next run
    if not channels or not now.waiting:
        return
    undelivered = [kept for message in now.waiting if (kept := _deliver(message, channels)) is not None]
    save_state(path, replace(now, waiting=undelivered))
    if undelivered:
        raise UsageError("notify.undelivered", n=len(undelivered))


def count_needs(report: RunReport) -> tuple[tuple[str, int], ...]:
    """Count what needs a person: rows by their reasons, rows to resolve by their status, refused rosters."""
    statuses = Counter(outcome.status for outcome in report.outcomes)
    refused = sum(file.status == "refused" for file in report.files)
    return (
        *count_reasons(report.outcomes),
        *((status.value, statuses[status]) for status in (Status.UNKNOWN, Status.EXISTS) if statuses[status]),
        *((("refused", refused),) if refused else ()),
    )


def is_worth_a_message(before: WatchedState, state: State, reasons: Sequence[tuple[str, int]]) -> bool:
    """Return whether people should hear of a run: a failure, another state, or more rows that need a person.

    The first run that succeeds is no news.
    """
    if state == "failed":
        return True
    if state != before.state:
        return before.state is not None or state != "ok"
    earlier = Counter(dict(before.reasons))
    return any(rows > earlier[code] for code, rows in reasons)


def build_message(report: RunReport, config: Config, before: WatchedState) -> tuple[str, str]:
    """Return title and body of a message about a run, in the language of its results."""
    language = choose_language(report, config)
    presenter = Presenter.for_outcomes(report.outcomes, language)
    state = classify_exit(report.exit)
    key = "recovered" if state == "ok" and before.state is not None else state
    name = config.notify.name or render(f"environment.{find_environment(config.api.endpoint)}", language)
    title = presenter.render(f"notify.title.{key}", name=name, exit=report.exit)
    counts = Counter(outcome.status for outcome in report.outcomes)
    lines = [presenter.render("notify.run", run=report.run, host=socket.gethostname())]
    if report.halt is not None:
        lines.append(describe_halt_of(report, presenter))
    lines += [
        presenter.render("notify.count", status=presenter.name_status(status), rows=counts[status])
        for status in Status
        if counts[status]
    ]
    reasons = count_reasons(report.outcomes)
    lines += [
        presenter.render("notify.reason", reason=name_code(code, presenter), rows=rows, code=code)
        for code, rows in reasons[:MAX_REASONS]
    ]
    if len(reasons) > MAX_REASONS:
        lines.append(presenter.render("notify.more", n=len(reasons) - MAX_REASONS))
    lines.append(presenter.render("notify.results", path=presenter.mask_path(report.latest or report.out)))
    people = {person for outcome in report.outcomes if (person := outcome.doctor.display_name)}
    return title, hide_names("\n".join(lines), people)


def choose_language(report: RunReport, config: Config) -> str:
    """Return the language of the configuration, the locale or the roster's titles."""
    titles = find_language_of_titles(find_titles(report))
    return config.language or find_language_of_locale(os.environ) or titles or "zh"


def _deliver(message: WaitingMessage, channels: Sequence[Channel]) -> WaitingMessage | None:
    """Send a message to the channels that have not taken it; return it with those that still have not, None if all have."""
    undelivered = tuple(
        channel.digest
        for channel in channels
        if channel.digest in message.channels and not send_message(channel, message.title, message.body)
    )
    return replace(message, channels=undelivered) if undelivered else None


def send_message(channel: Channel, title: str, body: str) -> bool:
    """Send one message to one channel; return whether the channel took it. UsageError where apprise is not installed."""
    apprise = _import_apprise()
    sender = apprise.Apprise()
    return bool(sender.add(channel.url) and sender.notify(title=title, body=body))


def name_channel(channel: Channel) -> str:
    """Return a channel's address without its secrets."""
    service = _import_apprise().Apprise.instantiate(channel.url, suppress_exceptions=True)
    scheme = channel.url.partition(":")[0]
    return str(service.url(privacy=True)).partition("?")[0] if service else f"{scheme}://…"


def _import_apprise() -> Any:
    try:
        import apprise  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise UsageError("notify.no_apprise") from error
    return apprise
