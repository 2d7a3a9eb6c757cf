"""The results room: what a report leaves behind for people and programs."""
