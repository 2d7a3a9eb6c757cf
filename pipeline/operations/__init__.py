"""What surrounds the runs of a hospital: hooks of their end."""
