"""Runs the program on a pseudo-terminal of a chosen width."""

import os
from pathlib import Path
from threading import Thread

from crash_support import Zygote

REPOSITORY = Path(__file__).parents[2]


def run_on_terminal(words, *, columns, folder=REPOSITORY, output=None, typed=b"", **environment):
    """Return the exit code, and all that was written to the terminal; ``output`` is a file for the data.

    ``typed`` is what a person types, before any question.
    """
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    os.write(ours, typed)
    seen: list[bytes] = []
    reader = Thread(target=_read_to_the_end, args=(ours, seen))
    reader.start()
    try:
        with Zygote() as zygote:
            unset = dict.fromkeys(("COLUMNS", "FORCE_COLOR", "NO_COLOR"))
            ended = zygote.call(
                *words,
                folder=str(folder),
                terminal=os.ttyname(theirs),
                unhurried=True,
                environment={**unset, "TERM": "xterm", **environment},
                **({"output": str(output)} if output else {}),
            )
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)
    return ended["code"], b"".join(seen).decode()


def _read_to_the_end(terminal: int, seen: list[bytes]) -> None:
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other side has gone
            return
        if not part:
            return
        seen.append(part)
