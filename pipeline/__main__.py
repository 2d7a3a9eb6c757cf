"""``python -m pipeline`` and the console script ``esign-import``."""

from __future__ import annotations

from pipeline.support.interrupts import (
    INTERRUPTED,
    end_at_interrupt,
    hold_interrupts_back,
    let_interrupts_through,
)

hold_interrupts_back()  # before the imports that take long

import _thread  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from threading import Timer  # noqa: E402

from pipeline.config.environment import choose_message_language, get_named_configuration  # noqa: E402
from pipeline.intake.readers.child import CHILD_ARGUMENT  # noqa: E402
from pipeline.messages.areas import get_words  # noqa: E402

REPEAT_SECONDS = 0.05


def main() -> None:
    """Run the command line and leave with its exit code; a frozen program is its own child that reads a roster."""
    if sys.argv[1:2] == [CHILD_ARGUMENT]:
        let_interrupts_through()
        from pipeline.intake.readers.child.program import main as read_roster_file  # noqa: PLC0415

        read_roster_file()
        return
    path = get_named_configuration(sys.argv[1:])
    chosen = choose_message_language(sys.argv[1:], os.environ, path)
    last_line = get_words("interrupted")[chosen or "en"]
    end_at_interrupt(last_line)
    sys.unraisablehook = repeat_lost_interrupt
    # else pydantic reads the metadata of every installed package for plug-ins
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    try:
        from pipeline.cli.app import main as command_line  # noqa: PLC0415 - so that an import of this module costs nothing

        code = command_line(choose_arguments(sys.argv[1:], count_console_programs()))
    except KeyboardInterrupt:  # while the last words were printed
        code = INTERRUPTED
        print(last_line, file=sys.stderr)  # noqa: T201 - the command line has ended
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # from here on a Ctrl-C ends the process without a traceback
    sys.exit(code)


def choose_arguments(arguments: list[str], console_programs: int | None) -> list[str]:
    """Return the arguments; those of a program without any that was started by a double click open the page."""
    return ["serve", "--open"] if not arguments and console_programs == 1 else arguments


def count_console_programs() -> int | None:
    """Return how many programs share the console of a frozen program: one where a double click opened it. None elsewhere."""
    if os.name != "nt" or not getattr(sys, "frozen", False):
        return None
    import ctypes  # noqa: PLC0415 - for Windows alone

    return int(ctypes.windll.kernel32.GetConsoleProcessList((ctypes.c_uint * 2)(), 2))  # type: ignore[attr-defined,unused-ignore]


def repeat_lost_interrupt(unraisable: sys.UnraisableHookArgs) -> None:
    """Interrupt again where a Ctrl-C met code that cannot raise, such as pydantic's while it is imported."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        Timer(REPEAT_SECONDS, _thread.interrupt_main).start()  # here it would be lost again
    else:
        sys.__unraisablehook__(unraisable)


if __name__ == "__main__":
    main()
