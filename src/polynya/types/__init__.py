"""Snowflake's data types and their forms in DuckDB, Arrow and on the wire."""
