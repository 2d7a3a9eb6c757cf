"""`serve`: the clerk's page; `user add|list|remove`: who may use it from other computers."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Session
from pipeline.cli.hospitals import require_separate
from pipeline.cli.streams import print_traceback
from pipeline.clock import shown, stamp
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.web.server import PageServer
    from pipeline.web.users import UserFile


@click.command()
@click.option(
    "--listen",
    "address",
    metavar="ADDRESS:PORT",
    help="Where to answer (default: web.listen, else 127.0.0.1:8766); port 0 = any free one.",
)
@click.option("--open", "in_browser", is_flag=True, help="Open the page in the browser of this machine.")
@click.pass_obj
def serve(session: Session, *, address: str | None, in_browser: bool) -> int:
    """Show runs, doctors and decisions on a page in the browser.

    It prints an address that lets one browser in, and the next one when that was used. It ends on Ctrl-C or SIGTERM.

    Other computers reach it with web.certificate and web.key, or behind web.trusted_proxy; then people sign in: `user add`.
    """
    import asyncio

    from pipeline.web.server import serve_pages

    with ExitStack() as resources:
        opener = _BrowserOpener(resources) if in_browser else None
        asyncio.run(serve_pages(_make_servers(session, address, opener)))
    session.inform("web.stopped")
    return 0


def _parse_address(config: Config, address: str | None) -> tuple[str, int]:
    """Return host and port of the command line, else of the configuration."""
    from pipeline.config.values import parse_listen

    try:
        return parse_listen(config.web.listen if address is None else address, lowest_port=0)
    except ValueError:
        raise UsageError("web.no_address", value=address, then=("serve",)) from None


def _make_servers(
    session: Session,
    address: str | None,
    opener: _BrowserOpener | None,
) -> list[PageServer]:
    """Return a server for each hospital that is chosen: at the same address each one has the next port."""
    from pipeline.web.server import PageServer
    from pipeline.web.site import Site

    servers, taken = [], set()
    hospitals = session.begin_hospitals()
    require_separate(hospitals)
    for hospital in hospitals:
        hospital.headless_streams.clear()  # each address has its hospital's name
        config = hospital.require_ready_config()
        host, port = _parse_address(config, address)
        while port and (host, port) in taken:
            port += 1
        if config.web.url is not None and config.web.url in taken:
            raise UsageError("web.same_url", url=config.web.url)
        taken |= {(host, port), config.web.url}
        site = Site(
            config=config,
            clock=session.clock,
            config_path=hospital.config_name.absolute(),
            invocation=hospital.invocation,
        )
        reporter = _Reporter(hospital, opener)
        servers.append(
            PageServer(
                site,
                host,
                port,
                report_address=reporter.report_address,
                report_failure=reporter.report_failure,
            )
        )
    return servers


class _Reporter:
    """Prints the addresses and the program errors of one hospital's page; the first address is opened by ``opener``."""

    def __init__(self, session: Session, opener: _BrowserOpener | None) -> None:
        self._session = session
        self._opener = opener
        self._has_printed = False

    def report_address(self, url: str) -> None:
        """Print an address."""
        session = self._session
        session.print_json(url=url)
        if session.is_one_of_several:
            session.print_text("web.hospital", name=session.profile)
        first = "web.address" if "?" in url else "web.address_of_users"  # with a token it works once
        session.print_text("web.next_address" if self._has_printed else first, url=url)
        if self._opener is not None and not self._has_printed:
            self._opener.open(url)
        self._has_printed = True

    def report_failure(self, error: Exception) -> None:
        """Print that a page met a program error, and with ``-v`` where."""
        self._session.alert("web.failed", kind=type(error).__name__)
        if self._session.verbose:
            print_traceback(error)


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


@click.group("user")
def user_group() -> None:
    """Let people use the page from other computers."""


@user_group.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["look", "clerk", "send"]),
    required=True,
    help="look: see; clerk: also drop, correct, review, resolve; send: also create seals.",
)
@click.pass_obj
def add(session: Session, *, name: str, role: str) -> int:
    """Add a user, or change role and password.

    The password is asked for twice, or read from the first line of stdin. With web.trusted_proxy there is none: the proxy
    signs users in.
    """
    from pipeline.web.access import PageUser
    from pipeline.web.users import ROLES, PasswordChecker, require_user_name

    users = _open_users(session)
    require_user_name(name)
    digest = None
    if session.require_config().web.trusted_proxy is None:
        passwords = PasswordChecker()
        digest = passwords.digest(name, _read_password(session))
    is_known = users.save(PageUser(name, ROLES[role], stamp(session.clock.now()), digest))
    session.print_json(user=name, role=role, changed=is_known)
    session.print_text("user.changed" if is_known else "user.added", name=name, role=role)
    return 0


@user_group.command("list")
@click.pass_obj
def list_users(session: Session) -> int:
    """List the users of the page."""
    users = _open_users(session).read().values()
    session.print_json(
        users=[{"name": user.name, "role": user.role.name.lower(), "since": user.since} for user in users]
    )
    for user in users:
        session.print_text("user.line", name=user.name, role=user.role.name.lower(), since=shown(user.since))
    if not users:
        session.print_text("user.none")
    return 0


@user_group.command()
@click.argument("name")
@click.pass_obj
def remove(session: Session, *, name: str) -> int:
    """Remove a user and end their sessions."""
    _open_users(session).remove(name)
    session.print_json(removed=name)
    session.print_text("user.removed", name=name)
    return 0


def _open_users(session: Session) -> UserFile:
    from pipeline.operations.replaced_files import get_page_folder
    from pipeline.web.users import UserFile

    return UserFile(get_page_folder(session.require_config()))


def _read_password(session: Session) -> str:
    """Return a password that was typed twice, or the first line of stdin where it is no terminal."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    question = session.render_sentence("user.ask")
    password: str = click.prompt(question, hide_input=True, err=True)
    if click.prompt(session.render_sentence("user.ask_again"), hide_input=True, err=True) != password:
        raise UsageError("user.differ")
    return password
