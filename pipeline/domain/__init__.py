"""The values that flow through a run, and rules about them alone."""
