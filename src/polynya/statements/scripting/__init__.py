"""Snowflake Scripting: blocks with variables, control flow, cursors and exceptions.

Source: docs.snowflake.com/en/developer-guide/snowflake-scripting/index.
"""

from polynya.statements.scripting.block import describe_block, run_block, run_procedure

__all__ = ["describe_block", "run_block", "run_procedure"]
