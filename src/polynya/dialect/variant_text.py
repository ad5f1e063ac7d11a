"""Semi-structured values as text: casts to VARCHAR and TO_JSON, with the session's formats of dates and times."""

from __future__ import annotations

import pyarrow as pa

from polynya.catalog.context import Context
from polynya.dialect.engine_functions import MACROS, python_function
from polynya.dialect.expression import once, quote_string
from polynya.types import variant


def text_sql(v: str, context: Context) -> str:
    """SQL of a value as VARCHAR: a string as it is, a scalar by the session's formats, a container as JSON.

    Args:
        v: SQL of a semi-structured value, which is written several times.
        context: whose formats dates and times take.
    """
    return (
        f"CASE WHEN contains({v}::VARCHAR, '{variant.ESCAPED_TAG}') OR starts_with({v}::VARCHAR, '{{\"$\":')"
        f" THEN sf_scalar_text({v}::VARCHAR, {formats_sql(context)}) ELSE sf_string({v}) END"
    )


def json_sql(v: str, context: Context) -> str:
    """TO_JSON: SQL of a value's JSON in one line, as VARCHAR.

    Args:
        v: SQL of a semi-structured value.
        context: whose formats dates and times take.
    """
    return once(
        lambda x: (
            f"CASE WHEN contains({x}::VARCHAR, '{variant.ESCAPED_TAG}')"
            f" THEN sf_json_text({x}::VARCHAR, {formats_sql(context)}) ELSE {x}::VARCHAR END"
        ),
        v,
    )


def formats(context: Context) -> variant.Formats:
    """The session's formats of dates and times inside a VARIANT."""
    read = context.parameter
    general = read("TIMESTAMP_OUTPUT_FORMAT")
    return variant.Formats(
        read("DATE_OUTPUT_FORMAT"),
        read("TIME_OUTPUT_FORMAT"),
        read("TIMESTAMP_NTZ_OUTPUT_FORMAT") or general,
        read("TIMESTAMP_LTZ_OUTPUT_FORMAT") or general,
        read("TIMESTAMP_TZ_OUTPUT_FORMAT") or general,
        read("TIMEZONE"),
    )


def formats_sql(context: Context) -> str:
    """The same as a DuckDB string, for the engine functions below."""
    style = formats(context)
    return quote_string("\n".join((style.date, style.time, style.ntz, style.ltz, style.tz, style.timezone)))


def _formats_of(texts: pa.Array) -> variant.Formats:
    return variant.Formats(*str(texts[0].as_py()).split("\n")) if len(texts) else variant.Formats()


@python_function("sf_json_text_in", ["VARCHAR", "VARCHAR"], "VARCHAR", vectorized=True)
def _json_text_in(texts: pa.Array, styles: pa.Array) -> pa.Array:
    """Values as JSON in one line."""
    return variant.display(texts, 0, _formats_of(styles))


@python_function("sf_scalar_text", ["VARCHAR", "VARCHAR"], "VARCHAR", vectorized=True)
def _scalar_text(texts: pa.Array, styles: pa.Array) -> pa.Array:
    """Values as VARCHAR."""
    style = _formats_of(styles)

    def text_of(text: str) -> str | None:
        if not text.startswith(f'"{variant.ESCAPED_TAG}'):
            return variant.display_text(text, 0, style)
        value = variant.decode(text)
        if value is variant.UNDEFINED:
            return None
        if isinstance(value, float):
            return variant.plain_float(value)
        return variant.scalar_text(value, style)

    return pa.array([None if text is None else text_of(text) for text in texts.to_pylist()], pa.string())


MACROS.append(
    "sf_json_text(x, styles := 'YYYY-MM-DD\nHH24:MI:SS\nYYYY-MM-DD HH24:MI:SS.FF3\nYYYY-MM-DD HH24:MI:SS.FF3 TZHTZM\nYYYY-MM-DD HH24:MI:SS.FF3 TZHTZM\nUTC') AS sf_json_text_in(x, styles)"
)
