"""Doctors and the ledger's snapshot become row plans; guards look at the plan before the first call."""
