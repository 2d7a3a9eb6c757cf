"""Copies of rosters: with marks, anew, and with one cell corrected."""
