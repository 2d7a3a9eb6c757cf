"""Doctors are matched with picture files."""
