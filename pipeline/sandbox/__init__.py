"""A stand-in for Tencent e-Sign: ``service`` answers the calls and records them, ``server`` puts it on a socket.

For rehearsals, the demo and tests, with invented people only: it keeps all received data unmasked, for queries.
"""
