"""`notify test`."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import click

from pipeline.cli.context import Session
from pipeline.errors import UsageError

UNDELIVERED = 5  # exit code


@click.group("notify")
def notify_group() -> None:
    """Send notifications."""


@notify_group.command()
@click.pass_obj
def test(session: Session) -> int:
    """Send a test message to every channel and a ping to the monitor.

    Exit code 5 where one of them did not take it.
    """
    from pipeline.ledger.tenant import find_environment
    from pipeline.operations.health_check import find_ping_url, send_ping
    from pipeline.operations.notify import URLS_FILE, find_channels, name_channel, send_message

    config = session.require_config()
    channels, ping_url = find_channels(config, os.environ), find_ping_url(config, os.environ)
    if not channels and ping_url is None:
        raise UsageError("notify.none", file=URLS_FILE, then=("config", "validate"))
    name = config.notify.name or session.render_sentence(
        f"environment.{find_environment(config.api.endpoint)}"
    )
    title = session.render_sentence("notify.title.test", name=name)
    body = session.render_sentence("notify.body.test")
    results = {name_channel(channel): send_message(channel, title, body) for channel in channels}
    if ping_url is not None:
        monitor = session.render_sentence("notify.monitor", host=urlsplit(ping_url).netloc)
        try:
            send_ping(ping_url, body)
            results[monitor] = True
        except UsageError as error:
            results[monitor] = False
            session.print_warning(error)
    for channel, is_sent in results.items():
        session.print_text("notify.sent" if is_sent else "notify.failed", channel=channel)
    session.print_json(channels=[{"channel": name, "sent": is_sent} for name, is_sent in results.items()])
    return 0 if all(results.values()) else UNDELIVERED
