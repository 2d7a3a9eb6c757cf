"""What the world was asked and what it said: the journal that decides whether a create may be sent.

The night takes a :class:`~pipeline.ledger.protocol.Ledger`; the one that is here keeps it in SQLite, and no other
room knows.
"""
