"""Helpers without domain knowledge: files, failpoints, locale, shell quoting."""
