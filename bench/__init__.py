"""The project's performance figures, each beside its baseline in the same run: ``python -m bench``, ``make bench``."""
