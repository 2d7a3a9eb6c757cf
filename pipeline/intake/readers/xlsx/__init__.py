"""The reader of .xlsx and .xlsm."""
