"""The project's performance figures, each next to its baseline in the same run: ``python -m bench``, ``make bench``."""
