"""Where a human decides: rows without a verdict, rows that differ from their seal, seals made elsewhere."""
