"""The journal: which creates were sent, what they resulted in, what a person decided. It decides whether one may be sent.

The rest of the program uses the protocol in protocol.py; only this package knows SQLite.
"""
