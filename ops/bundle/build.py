r"""Builds a folder that runs without Python, by PyInstaller, and starts it.

    python3 ops/bundle/build.py dist      # Linux: runs on hosts with the same or a newer glibc
    py ops\bundle\build.py dist           # Windows

The folder ``dist/esign-import`` is copied to the host as a whole. A bundle is built on the system it is for.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import HTTPCookieProcessor, build_opener

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BIN, ENDING = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")
DEMO_EXIT = 3  # the sample has rows with mistakes
UNREACHED = 74  # of `enqueue`: no PostgreSQL at the address
CHECK_SECONDS = 60  # for the check of the page
UNDELIVERED = 5  # of `doctor --send-test`: nobody listens at the address


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the bundle, then check it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=REPOSITORY / "dist")
    folder = parser.parse_args(arguments).folder.absolute()
    with tempfile.TemporaryDirectory() as temporary:
        build_bundle(folder, Path(temporary))
        check_bundle(folder / "esign-import" / f"esign-import{ENDING}", Path(temporary))


def build_bundle(folder: Path, work: Path) -> None:
    """Install the locked packages and PyInstaller into an environment of their own, and build."""
    venv.create(work / "venv", with_pip=True)
    python = work / "venv" / BIN / f"python{ENDING}"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    for lock in (REPOSITORY / "requirements.lock", HERE / "requirements.lock"):
        run([*pip, "--requirement", lock])
    options = ["--noconfirm", "--log-level", "WARN", "--distpath", folder, "--workpath", work / "build"]
    run([python, "-m", "PyInstaller", *options, HERE / "esign-import.spec"])


def check_bundle(program: Path, work: Path) -> None:
    """Start the program: help, a whole run, the child that reads rare formats, notifications, the queue."""
    run([program, "--version"])
    run([program, "--help"], quiet=True)
    run([program, "demo", "--out", work / "demo"], expected=DEMO_EXIT, quiet=True)
    rosters = work / "rosters"
    rosters.mkdir()
    (rosters / "roster.html").write_text(
        "<table><tr><th>姓名</th><th>证件号码</th></tr><tr><td>王建国</td><td>1</td></tr></table>",
        encoding="utf-8",
    )
    out = work / "check"
    run([program, "check", rosters, "--out", out], expected=DEMO_EXIT, quiet=True, folder=rosters)
    files = (out / "files.jsonl").read_text(encoding="utf-8")
    if '"status":"read","codes":[],"rows":1' not in files:
        sys.exit(f"the child process did not read the page: {files}")
    hospital = work / "hospital"
    run([program, "init", hospital, "--sandbox"], quiet=True)
    check_page(program, hospital)
    (hospital / "secrets" / "notify__urls").write_text("json://127.0.0.1:9/", encoding="utf-8")
    run([program, "doctor", "--offline", "--send-test"], expected=UNDELIVERED, quiet=True, folder=hospital)
    secret = hospital / "secrets" / "ledger__secret"
    secret.write_text("of-the-bundle-check-alone-0123456789abcdef\n", encoding="utf-8")
    secret.chmod(0o600)
    config = hospital / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(re.sub(r"(?m)^ledger:.*", "ledger: postgresql://127.0.0.1:9/x", text), encoding="utf-8")
    run([program, "enqueue"], expected=UNREACHED, quiet=True, folder=hospital)
    size = sum(path.stat().st_size for path in program.parent.rglob("*") if path.is_file()) >> 20
    print(f"{program.parent}: {size} MB, starts, reads rosters and imports the sample")


def check_page(program: Path, hospital: Path) -> None:
    """Serve the page, come in, and wait until the check that it starts has read the sample."""
    typed = "of-the-bundle-check-alone\n"
    run([program, "user", "add", "clerk", "--role", "clerk"], quiet=True, folder=hospital, typed=typed)
    command = [program, "--json", "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=hospital, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = json.loads(process.stdout.readline())["url"]
            browser = build_opener(HTTPCookieProcessor(CookieJar()))
            for path in ("", "rows", "static/page.css", "static/htmx.min.js"):
                address = urljoin(url, path) if path else url
                with browser.open(address) as answer:
                    answer.read()
            for _ in range(CHECK_SECONDS * 10):
                if any(hospital.glob("out/*/plan.jsonl")):
                    return
                time.sleep(0.1)
        finally:
            process.terminate()
    sys.exit("the check of the page has written nothing")


def run(
    command: Sequence[str | Path],
    *,
    expected: int = 0,
    quiet: bool = False,
    folder: Path = REPOSITORY,
    typed: str | None = None,
) -> None:
    """Run a command; any other exit code than the expected one ends the build."""
    typed_bytes = typed.encode() if typed is not None else None
    done = subprocess.run(command, cwd=folder, capture_output=quiet, check=False, input=typed_bytes)
    if done.returncode != expected:
        sys.stderr.buffer.write(done.stderr or b"")
        sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}")


if __name__ == "__main__":
    main()
