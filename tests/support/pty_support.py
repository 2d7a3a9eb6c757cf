"""Runs the program on a pseudo-terminal of a chosen width."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def run_on_terminal(words, *, columns, folder=REPOSITORY, stdout=None, **environment):
    """Return the exit code, and all that was written to the terminal; ``stdout`` is another place for the data."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"COLUMNS", "FORCE_COLOR", "NO_COLOR"}
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *words],
        stdin=theirs,
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        cwd=folder,
        env={**inherited, "TERM": "xterm", "PYTHONPATH": str(REPOSITORY), **environment},
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other side has gone
            break
        if not part:
            break
        seen += part
    os.close(ours)
    return process.wait(), seen.decode()
