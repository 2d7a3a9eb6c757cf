"""Builds a folder of wheels for hosts without internet access, and checks that it installs without a network.

    python ops/offline/wheelhouse.py build wheelhouse    # on a machine of the same system and Python version
    python ops/offline/wheelhouse.py check wheelhouse    # installs it into a new environment, from the folder alone

requirements.lock lies in the folder, too; what to type on the host stands in docs/en/unattended.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LOCK = "requirements.lock"
BIN, ENDING = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")


def main(arguments: Sequence[str] | None = None) -> None:
    """Build or check a folder of wheels."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["build", "check"])
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    (build_wheelhouse if chosen.action == "build" else check_wheelhouse)(chosen.folder)


def build_wheelhouse(folder: Path) -> None:
    """Download every wheel of the lock file, whose hashes are checked, and build the program's own."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(REPOSITORY / LOCK, folder / LOCK)
    with tempfile.TemporaryDirectory() as temporary:
        python = make_environment(Path(temporary))
        locked = ["--require-hashes", "--requirement", str(folder / LOCK)]
        run_pip(python, "download", "--only-binary", ":all:", *locked, "--dest", str(folder))
        run_pip(python, "install", "--no-index", "--find-links", str(folder), *locked)  # the build back end
        own = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(REPOSITORY)]
        run_pip(python, "wheel", *own)
    size = sum(path.stat().st_size for path in folder.iterdir()) >> 20
    print(f"{folder}: {len(list(folder.glob('*.whl')))} wheels, {size} MB")


def check_wheelhouse(folder: Path) -> None:
    """Install a folder of wheels into a new environment, as on the host, and start the program."""
    with tempfile.TemporaryDirectory() as temporary:
        python = make_environment(Path(temporary))
        source = ["--no-index", "--find-links", str(folder)]
        run_pip(python, "install", *source, "--require-hashes", "--requirement", str(folder / LOCK))
        run_pip(python, "install", *source, "--no-deps", "esign-import")
        program = python.with_name(f"esign-import{ENDING}")
        subprocess.run([program, "--version"], check=True)
        subprocess.run([program, "init", str(Path(temporary) / "hospital"), "--yes", "--quiet"], check=True)
    print(f"{folder}: installs without a network")


def make_environment(folder: Path) -> Path:
    """Make a virtual environment and return its Python."""
    venv.create(folder, with_pip=True)
    return folder / BIN / f"python{ENDING}"


def run_pip(python: Path, *words: str) -> None:
    """Run pip; its error ends the program."""
    done = subprocess.run(
        [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *words], check=False
    )
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
