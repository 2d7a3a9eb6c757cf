"""One import run from start to end, and what surrounds it."""
