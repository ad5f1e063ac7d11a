"""A warehouse on one machine that Snowflake's unmodified clients connect to."""

__version__ = "0.1.0"
# The release of Snowflake whose behaviour this is; drivers compare it, CURRENT_VERSION() answers it.
SNOWFLAKE_RELEASE = "9.30.0"
