"""A warehouse on one machine that Snowflake's unmodified clients connect to."""

__version__ = "0.1.0"
