"""``python -m pipeline`` and the console script ``esign-import``."""

from __future__ import annotations

import _thread
import os
import signal
import sys
from threading import Timer

from pipeline.intake.readers.child import CHILD_ARGUMENT
from pipeline.messages.areas import get_pair

INTERRUPTED = 130
REPEAT_SECONDS = 0.05


def main() -> None:
    """Run the command line and leave with its exit code; a frozen program is its own child that reads a roster."""
    if sys.argv[1:2] == [CHILD_ARGUMENT]:
        from pipeline.intake.readers.child.program import main as read_roster_file  # noqa: PLC0415

        read_roster_file(sys.argv[2])
        return
    sys.unraisablehook = repeat_lost_interrupt
    # else pydantic reads the metadata of every installed package for plug-ins
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    try:
        from pipeline.cli.app import main as command_line  # noqa: PLC0415 - so that an import of this module costs nothing

        code = command_line(sys.argv[1:])
    except KeyboardInterrupt:  # while modules are loaded, or after the last word was said
        code = INTERRUPTED
        print(*get_pair("interrupted_early"), file=sys.stderr)  # noqa: T201 - the language may not be known yet
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # from here on a Ctrl-C ends the process without a traceback
    sys.exit(code)


def repeat_lost_interrupt(unraisable: sys.UnraisableHookArgs) -> None:
    """Interrupt again where a Ctrl-C met code that cannot raise, such as pydantic's while it is imported."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        Timer(REPEAT_SECONDS, _thread.interrupt_main).start()  # here it would be lost again
    else:
        sys.__unraisablehook__(unraisable)


if __name__ == "__main__":
    main()
