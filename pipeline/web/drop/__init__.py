"""Rosters and pictures that are dropped on the page."""
