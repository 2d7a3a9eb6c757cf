"""The structure of each picture format, read without decoding."""
