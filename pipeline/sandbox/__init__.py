"""A stand-in for Tencent e-Sign: ``world`` holds the rules and the truth, ``server`` puts them on a socket.

For rehearsals, the demo and tests, with invented people only: it keeps what it is sent, in clear, to be asked.
"""
