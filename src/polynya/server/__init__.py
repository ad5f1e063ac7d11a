"""The door: Snowflake's HTTP protocol, as its drivers speak it."""
