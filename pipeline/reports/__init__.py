"""Writes the files of a run for people and programs."""
