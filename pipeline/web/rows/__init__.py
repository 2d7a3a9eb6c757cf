"""The rows of the newest check, and the correction of their cells."""
