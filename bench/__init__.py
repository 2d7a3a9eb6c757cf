"""The figures of DESIGN §10, each beside its baseline in the same run: ``python -m bench``, ``make bench``."""
