"""The configuration: config.yaml, environment and secret files."""
