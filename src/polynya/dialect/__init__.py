"""Snowflake SQL -> DuckDB SQL, with Snowflake's names and types for every column."""
