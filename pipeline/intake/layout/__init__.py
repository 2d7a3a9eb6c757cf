"""Lines of a sheet become rows: header, columns, line classes."""
