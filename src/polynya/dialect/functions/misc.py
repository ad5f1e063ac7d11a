"""Functions of small families: vectors, bitmap positions; and by name those that the warehouse does not have.

Sources: docs.snowflake.com/en/sql-reference/functions-vector, /en/user-guide/querying-bitmaps-for-distinct-counts
"""

from __future__ import annotations

from polynya.dialect.expression import Expr, as_bigint, derive
from polynya.dialect.registry import Call, scalar
from polynya.errors import SnowflakeError, unsupported
from polynya.types.sqltype import FLOAT, INTEGER

# --- vectors ----------------------------------------------------------------------------------------------------------

_VECTOR_FUNCTIONS = {
    "VECTOR_L2_DISTANCE": "sqrt(list_sum(list_transform(range(1, {n} + 1), lambda i: pow({a}[i] - {b}[i], 2))))",
    "VECTOR_L1_DISTANCE": "list_sum(list_transform(range(1, {n} + 1), lambda i: abs({a}[i] - {b}[i])))",
    "VECTOR_INNER_PRODUCT": "list_sum(list_transform(range(1, {n} + 1), lambda i: {a}[i] * {b}[i]))",
    "VECTOR_COSINE_SIMILARITY": "list_cosine_similarity({a}, {b})",
    "VECTOR_COSINE_DISTANCE": "list_cosine_similarity({a}, {b})",  # the name that Snowpark sends
}


@scalar(*_VECTOR_FUNCTIONS, args=2)
def vector_function(call: Call) -> Expr:
    left, right = _vector(call, 0), _vector(call, 1)
    if left.type.length != right.type.length:
        raise SnowflakeError(
            1044, "42P13", f"SQL compilation error:\nVectors of different dimensions: {left.type} and {right.type}"
        )
    a, b = f"({left.sql}::DOUBLE[])", f"({right.sql}::DOUBLE[])"
    sql = _VECTOR_FUNCTIONS[call.name].format(a=a, b=b, n=left.type.length)
    checked = f"CASE WHEN {left.atom} IS NOT NULL AND {right.atom} IS NOT NULL THEN CAST({sql} AS DOUBLE) END"
    return derive(checked, FLOAT, left, right)


def _vector(call: Call, index: int) -> Expr:
    value = call.arg(index)
    if value.type.name != "VECTOR":
        raise call.wrong_types()
    return value


# --- bitmaps ----------------------------------------------------------------------------------------------------------

_BITMAP_BITS = 32768


@scalar("BITMAP_BUCKET_NUMBER", "BITMAP_BIT_POSITION", args=1)
def bitmap_place(call: Call) -> Expr:
    """Which bitmap of 32,768 bits holds a number's bit, and where: 1 is the first bit of bitmap 1, 0 of bitmap 0."""
    value = call.arg(0, INTEGER)
    number = as_bigint(value)
    if call.name == "BITMAP_BUCKET_NUMBER":
        sql = f"CASE WHEN {number} > 0 THEN ({number} - 1) // {_BITMAP_BITS} + 1 ELSE {number} // {_BITMAP_BITS} END"
    else:
        sql = f"CASE WHEN {number} > 0 THEN ({number} - 1) % {_BITMAP_BITS} ELSE abs({number}) % {_BITMAP_BITS} END"
    return derive(f"CAST({sql} AS {INTEGER.duckdb})", INTEGER, value)


# --- what is not here -------------------------------------------------------------------------------------------------

_MISSING = """
AI_AGG AI_CLASSIFY AI_COMPLETE AI_EMBED AI_EXTRACT AI_FILTER AI_PARSE_DOCUMENT AI_SENTIMENT AI_SIMILARITY
AI_SUMMARIZE_AGG AI_TRANSCRIBE AI_TRANSLATE DP_INTERVAL_HIGH DP_INTERVAL_LOW
"""


@scalar(*_MISSING.split(), args=(0, None))
def missing(call: Call) -> Expr:
    raise unsupported(call.name)
