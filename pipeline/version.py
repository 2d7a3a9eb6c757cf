"""The name and the version of the program."""

__version__ = "0.2.0"
PROGRAM = "esign-import"
