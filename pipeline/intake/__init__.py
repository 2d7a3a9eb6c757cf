"""Reads rosters and pictures into doctors. No socket, no ledger."""
