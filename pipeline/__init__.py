"""esign-import: a hospital's electronic doctor seals from a roster and a folder of pictures, never twice."""

__version__ = "0.1.0"
