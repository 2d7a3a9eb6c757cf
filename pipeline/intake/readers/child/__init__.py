"""The disposable child process: it imports the standard library and one library a format, nothing else."""

CHILD_ARGUMENT = "--read-roster-file"  # makes the executable of a frozen program the child
