"""The name and the version of the program."""

__version__ = "1.0.0"
PROGRAM = "esign-import"
