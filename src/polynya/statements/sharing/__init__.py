"""Shares: what a provider offers, and what a consumer makes of it.

https://docs.snowflake.com/en/user-guide/data-sharing-intro
"""
