"""The one catalogue: everything a person reads, in Chinese and English; one table a surface or a room."""
