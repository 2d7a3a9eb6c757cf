"""``python -m pipeline`` and the console script ``esign-import``."""

from __future__ import annotations

import signal
import sys

from pipeline.intake.readers.child import CHILD_ARGUMENT

INTERRUPTED = 130


def main() -> None:
    """Run the command line and leave with its exit code; a frozen program is its own child that reads a roster."""
    if sys.argv[1:2] == [CHILD_ARGUMENT]:
        from pipeline.intake.readers.child.program import main as read_roster_file  # noqa: PLC0415

        read_roster_file(sys.argv[2])
        return
    try:
        from pipeline.cli.app import main as command_line  # noqa: PLC0415 - so that an import of this module costs nothing

        code = command_line(sys.argv[1:])
    except KeyboardInterrupt:  # while modules are loaded, or after the last word was said
        code = INTERRUPTED
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # from here on a Ctrl-C ends the process without a traceback
    sys.exit(code)


if __name__ == "__main__":
    main()
