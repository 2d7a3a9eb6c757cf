"""Pings a monitor at the start and the end of every run, as healthchecks.io, Uptime Kuma and Cronitor take it."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Mapping

from pipeline.config.named_paths import read_secret_lines
from pipeline.config.settings import Config
from pipeline.domain.run import RunReport
from pipeline.errors import UsageError, reason_of
from pipeline.operations.notify import build_message
from pipeline.operations.run_state import WatchedState, classify_exit

PING_FILE = "notify__ping"
SECONDS = 5  # that a ping may take


def find_ping_url(config: Config, environment: Mapping[str, str]) -> str | None:
    """Return the monitor's address: the configured one, else that of the secret file ``notify__ping``."""
    if config.notify.ping is not None:
        return config.notify.ping.get_secret_value().rstrip("/")
    return next((line.rstrip("/") for line in read_secret_lines(config, environment, PING_FILE)), None)


def ping_run_start(command: str, config: Config) -> None:
    """Report that a run begins; a monitor measures from here how long it takes. Raises UsageError."""
    if command == "run" and (url := find_ping_url(config, os.environ)):
        send_ping(f"{url}/start")


def ping_run_end(report: RunReport, config: Config) -> None:
    """Report how a run ended; rows that need a person are no failure of the run. Raises UsageError."""
    if report.command == "run" and (url := find_ping_url(config, os.environ)):
        title, body = build_message(report, config, WatchedState())
        suffix = "/fail" if classify_exit(report.exit) == "failed" else ""
        send_ping(f"{url}{suffix}", f"{title}\n{body}")


def send_ping(url: str, body: str = "") -> None:
    """Send a ping; raises UsageError where the monitor does not take it."""
    request = urllib.request.Request(url, data=body.encode(), method="POST")  # noqa: S310 - http and https alone are configurable
    try:
        with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310
            return
    except (OSError, ValueError) as error:  # of HTTP as well
        why = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else reason_of(error)
        raise UsageError("notify.no_ping", why=why) from error
