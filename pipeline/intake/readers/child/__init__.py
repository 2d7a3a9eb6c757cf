"""The disposable child process that reads files of rare formats."""

CHILD_ARGUMENT = "--read-roster-file"  # makes the executable of a frozen program the child
