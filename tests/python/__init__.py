"""Python functions called from SQL and DataFrames, through the front door."""
