"""The results room: what a night leaves behind for people and programs."""
