"""``python -m pipeline`` and the console script ``esign-import``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from pipeline.cli import main as command_line  # noqa: PLC0415 - so that an import of this module costs nothing

    sys.exit(command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
