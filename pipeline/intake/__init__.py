"""The offline half of a night: from files to doctors. No socket, no ledger."""
