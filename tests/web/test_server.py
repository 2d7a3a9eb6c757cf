"""`serve` as a command: its address, its end, and the addresses that it refuses."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from urllib.request import urlopen

import pytest
from command_lines import require_typable
from page_support import make_site
from postgres_server import get_free_port
from run_support import wait_until
from tls_support import CERTIFICATE, copy_key

from pipeline.__main__ import choose_arguments
from pipeline.cli.app import main
from pipeline.errors import UsageError
from pipeline.version import __version__
from pipeline.web.access import PageUser, Role
from pipeline.web.server import PageServer
from pipeline.web.site import PAGE_LOG
from pipeline.web.users import UserFile

REPOSITORY = Path(__file__).parents[2]


@contextmanager
def start_page(hospital, *arguments, language="en", **environment):
    command = [sys.executable, "-m", "pipeline", *hospital.command(*arguments, language=language)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
    ) as process:
        watchdog = Timer(60, process.kill)  # for one that prints nothing and never ends
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def test_with_users_the_address_is_for_all_and_a_key_that_others_can_read_is_refused(hospital, capsys):
    copy_key(hospital.folder)
    with (hospital.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"web: {{certificate: {CERTIFICATE}, key: key.pem}}\n")
    UserFile(hospital.folder / "state").save(PageUser("wang", Role.LOOK, "", "no digest"))
    for mode in (0o644, 0o604, 0o640):
        key = copy_key(hospital.folder, mode)
        assert hospital.go("serve", "--listen", "localhost:0") == 2
        printed = capsys.readouterr().err
        assert f"{key} (mode {mode:04o})" in printed
        assert f"chmod 600 {key}" in printed
    copy_key(hospital.folder)
    with start_page(hospital, "serve", "--listen", "localhost:0") as process:
        line = process.stdout.readline()
        assert re.search(r"sign in: https://127\.0\.0\.1:\d+\n", line)
        process.send_signal(signal.SIGINT)
        assert_stopped(process)


def test_it_prints_the_address_and_ends_cleanly_by_a_signal(hospital):
    with start_page(hospital, "serve", "--listen", "localhost:0") as process:
        url = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", process.stdout.readline())[0]
        with urlopen(url) as answer:
            assert answer.status == 200
        following = re.search(r"http://\S+", process.stdout.readline())[0]
        assert following != url
        process.send_signal(signal.SIGINT)
        assert_stopped(process)


def assert_stopped(process):
    _, stderr_text = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "The page has stopped." in stderr_text
    assert "Traceback" not in stderr_text


def test_a_signal_while_a_browser_waits_ends_it_too(hospital):
    with start_page(hospital, "--json", "serve", "--listen", "127.0.0.1:0") as process:
        url = json.loads(process.stdout.readline())["url"]
        port = int(re.search(r":(\d+)/", url)[1])
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
            process.send_signal(signal.SIGTERM)
            assert_stopped(process)


@pytest.fixture
def refuse(hospital, capsys):
    """Return what the command prints that refuses an address; a page that is served by mistake ends after a minute."""

    def listen(address, language="en"):
        before = signal.signal(signal.SIGALRM, end_page)
        signal.alarm(60)
        try:
            assert main(hospital.command("serve", "--listen", address, language=language)) == 2
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        return capsys.readouterr().err

    return listen


def end_page(*_):
    pytest.fail("the page is served")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "hospital.example", "127.0.0.1.example", ""])
def test_an_address_that_is_not_this_machine_alone_is_refused(host, hospital):
    with pytest.raises(UsageError) as refused:
        PageServer(
            make_site(hospital.folder / "config.yaml"), host, 8766, report_address=None, report_failure=None
        )
    assert refused.value.key == "web.not_loopback"


@pytest.mark.parametrize(
    ("language", "words"), [("zh", "web.certificate"), ("en", "set web.certificate and web.key")]
)
def test_the_refusal_names_what_works(refuse, language, words):
    shown = refuse("192.0.2.1:8766", language)
    assert words in " ".join(shown.split())
    require_typable(shown.rstrip().splitlines()[-1].strip())


@pytest.mark.parametrize("address", ["", "127.0.0.1", "http://127.0.0.1:1"])
def test_what_is_no_address_is_refused(refuse, address):
    assert "is no address" in refuse(address)


def test_a_port_in_use_is_named_with_its_cure(refuse):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        shown = refuse(address)
    assert f"{address} is in use" in shown
    last_line = shown.rstrip().splitlines()[-1].strip()
    assert last_line.endswith(" serve --listen 127.0.0.1:0")
    require_typable(last_line)


def test_it_needs_a_configuration(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["--lang", "en", "serve"]) == 2
    assert "init" in capsys.readouterr().err


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_the_other_loopback_address(hospital):
    with start_page(hospital, "--json", "serve", "--listen", "[::1]:0") as process:
        line = process.stdout.readline()
        if not line:
            pytest.skip("no address ::1 on this machine")
        url = json.loads(line)["url"]
        assert url.startswith("http://[::1]:")
        with urlopen(url) as answer:
            assert __version__.encode() in answer.read()


def test_the_browser_is_opened_by_a_file_that_only_its_owner_reads(hospital, tmp_path):
    """A command line, which every user of the machine can list, does not show the token."""
    program = tmp_path / "browser"
    program.write_text(
        f'#!/bin/sh\necho "$1" > {tmp_path}/opened\ncp -p "${{1#file://}}" {tmp_path}/copy.html\n'
    )
    program.chmod(0o755)
    arguments = ("--json", "serve", "--listen", "127.0.0.1:0", "--open")
    with start_page(hospital, *arguments, BROWSER=str(program), TMPDIR=str(tmp_path)) as process:
        url = json.loads(process.stdout.readline())["url"]
        wait_until((tmp_path / "copy.html").exists, 30)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    opened = Path((tmp_path / "opened").read_text().strip().removeprefix("file://"))
    assert "token" not in str(opened)
    assert url in (tmp_path / "copy.html").read_text()
    assert (tmp_path / "copy.html").stat().st_mode & 0o777 == 0o600
    assert not opened.exists(), "it is removed at the end"


def test_every_hospital_has_a_page_of_its_own(hospital):
    """At one address each has the next port, and its own state."""
    (hospital.folder / "config.yaml").rename(hospital.folder / "common.yaml")
    for name in ("east", "west"):
        (hospital.folder / name).mkdir()
        (hospital.folder / name / "config.yaml").write_text(f"api: {{organization_open_id: {name}}}\n")
    hospital.config = ""
    port = get_free_port(following=1)
    with start_page(hospital, "--json", "--all", "serve", "--listen", f"127.0.0.1:{port}") as process:
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        ports = [int(re.search(r":(\d+)/", line["url"])[1]) for line in lines]
        assert ports == [port, port + 1]
        assert [line.get("profile") for line in lines] == ["east", "west"]
        for line, name in zip(lines, ["east", "west"], strict=True):
            with urlopen(line["url"]) as answer:
                assert answer.status == 200
            assert (hospital.folder / name / "state" / PAGE_LOG).is_file()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "programs", "chosen"),
    [([], 1, ["serve", "--open"]), ([], 2, []), ([], None, []), (["run"], 1, ["run"])],
)
def test_a_double_click_without_arguments_opens_the_page(arguments, programs, chosen):
    assert choose_arguments(arguments, programs) == chosen
