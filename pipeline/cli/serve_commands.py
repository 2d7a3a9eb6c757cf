"""`serve`: the clerk's page, on this machine."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Session
from pipeline.cli.streams import print_traceback
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.web.server import PageServer


@click.command()
@click.option(
    "--listen",
    "address",
    metavar="ADDRESS:PORT",
    help="Where to answer (default: 127.0.0.1:8766); port 0 = any free one.",
)
@click.option("--open", "in_browser", is_flag=True, help="Open the page in the browser of this machine.")
@click.pass_obj
def serve(session: Session, *, address: str | None, in_browser: bool) -> int:
    """Show runs, doctors and decisions on a page in the browser.

    It prints an address that lets one browser in, and the next one when that was used. It answers on this machine alone,
    until Ctrl-C or SIGTERM, and sends nothing.
    """
    import asyncio

    with ExitStack() as resources:
        server = _make_server(session, address, _BrowserOpener(resources) if in_browser else None)
        asyncio.run(server.serve_until_signal())
    session.inform("web.stopped")
    return 0


def _make_server(session: Session, address: str | None, opener: _BrowserOpener | None) -> PageServer:
    from pipeline.config.sections import parse_listen
    from pipeline.web.server import DEFAULT_ADDRESS, PageServer
    from pipeline.web.site import Site

    config = session.require_ready_config()
    try:
        host, port = parse_listen(DEFAULT_ADDRESS if address is None else address, lowest_port=0)
    except ValueError:
        raise UsageError("web.no_address", value=address, then=("serve",)) from None
    site = Site(
        config=config,
        clock=session.clock,
        config_path=session.config_name.absolute(),
        profile=session.profile,
        invocation=session.invocation,
    )
    has_printed = False

    def report_address(url: str) -> None:
        """Print an address; the first one is opened where that is asked for."""
        nonlocal has_printed
        session.print_json(url=url)
        session.print_text("web.next_address" if has_printed else "web.address", url=url)
        if opener is not None and not has_printed:
            opener.open(url)
        has_printed = True

    def report_failure(error: Exception) -> None:
        """Print that a page met a program error, and with ``-v`` where."""
        session.alert("web.failed", kind=type(error).__name__)
        if session.verbose:
            print_traceback(error)

    return PageServer(site, host, port, report_address=report_address, report_failure=report_failure)


class _BrowserOpener:
    """Opens an address by a file that leads to it: a command line, which other users can list, would show the token."""

    def __init__(self, resources: ExitStack) -> None:
        import tempfile

        self._folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="esign-import-")))

    def open(self, url: str) -> None:
        """Open the address in the default browser, which may be one that lasts until it is closed."""
        import webbrowser
        from html import escape
        from threading import Thread

        page = self._folder / "open.html"
        page.touch(mode=0o600)
        text = (
            f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={escape(url)}">'
        )
        page.write_text(text, encoding="utf-8")
        Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()
