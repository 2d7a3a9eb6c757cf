"""Cells of a row become validated values."""
