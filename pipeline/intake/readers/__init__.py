"""Readers of roster files: one format each, all return the model of model.py."""
