"""VARIANT, OBJECT, ARRAY and MAP in SQL: building values, reading them, paths.

Values have the engine type JSON and the canonical form of ``types.variant``: equal values are equal texts, and the first
character tells what a value is. Text here is always a value's text (``v::VARCHAR`` costs nothing).

Sources: docs.snowflake.com/en/sql-reference/data-types-semistructured, .../user-guide/querying-semistructured.
"""

from __future__ import annotations

import json

from polynya.catalog.context import Context
from polynya.dialect import json_text, variant_text  # noqa: F401 (json_text registers PARSE_JSON's engine functions)
from polynya.dialect.engine_functions import MACROS
from polynya.dialect.expression import Expr, decimal_text, derive, null, once, quote_string
from polynya.errors import invalid_argument_types
from polynya.storage.errors import raise_sql
from polynya.types import variant
from polynya.types.sqltype import (
    ARRAY,
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT,
    NULL,
    OBJECT,
    TIME,
    TIMESTAMP_LTZ,
    TIMESTAMP_NTZ,
    TIMESTAMP_TZ,
    VARCHAR,
    VARIANT,
    SqlType,
)

# NULL as an item of an array.
UNDEFINED = "'\"\\u0001U\"'::JSON"
_TAGGED = quote_string('"' + variant.ESCAPED_TAG)
_EXACT_DIGITS = 15  # decimals of so many digits survive as DOUBLE, which is how DuckDB reads fractions in JSON
_FAST_DECIMAL = 18  # digits up to which DuckDB reads a decimal from text without 128-bit arithmetic

MACROS += [
    # a string that a person or a file gave, as a value
    """sf_variant_string(x) AS CASE WHEN starts_with(x, chr(1)) THEN to_json(chr(1) || 'S' || x[2:]) ELSE to_json(x) END""",
    # a NUMBER with a fraction, from its text
    f"""sf_variant_decimal(x) AS CASE WHEN length(ltrim(replace(x, '.', ''), '-0')) <= {_EXACT_DIGITS}
        THEN json(x) ELSE to_json(chr(1) || 'E' || x) END""",
    # TYPEOF
    """sf_typeof(v) AS CASE left(v::VARCHAR, 1)
        WHEN '{' THEN 'OBJECT' WHEN '[' THEN 'ARRAY' WHEN 't' THEN 'BOOLEAN' WHEN 'f' THEN 'BOOLEAN' WHEN 'n' THEN 'NULL_VALUE'
        WHEN '"' THEN CASE WHEN NOT starts_with(v::VARCHAR, '"\\u0001') THEN 'VARCHAR' ELSE
            CASE substr(v::VARCHAR, 8, 1) WHEN 'D' THEN 'DATE' WHEN 'T' THEN 'TIME' WHEN 'N' THEN 'TIMESTAMP_NTZ'
            WHEN 'L' THEN 'TIMESTAMP_LTZ' WHEN 'Z' THEN 'TIMESTAMP_TZ' WHEN 'B' THEN 'BINARY' WHEN 'F' THEN 'DOUBLE'
            WHEN 'E' THEN 'DECIMAL' WHEN 'S' THEN 'VARCHAR' END END
        ELSE CASE WHEN v IS NULL THEN NULL WHEN regexp_matches(v::VARCHAR, '[.e]') THEN 'DECIMAL' ELSE 'INTEGER' END END""",
    # the content of a string; its tag stays
    "sf_string(v) AS json_extract_string(v, '$')",
    # NULL for undefined
    """sf_defined(v) AS CASE WHEN v::VARCHAR = '"\\u0001U"' THEN NULL ELSE v END""",
    """sf_get_key(v, k) AS CASE WHEN starts_with(v::VARCHAR, '{')
        THEN json_extract(v, '/' || replace(replace(k, '~', '~0'), '/', '~1')) END""",
    """sf_get_index(v, i) AS CASE WHEN starts_with(v::VARCHAR, '[') AND i >= 0
        THEN list_transform([json_extract(v, i::BIGINT)], lambda e: sf_defined(e))[1] END""",
    # an array's items; NULL if it is none
    """sf_items(v) AS CASE WHEN starts_with(v::VARCHAR, '[') THEN json_extract(v, '$[*]')::JSON[] END""",
    # an object's attributes: list of (k, v) in order of keys
    """sf_attributes(v) AS CASE WHEN starts_with(v::VARCHAR, '{')
        THEN list_transform(list_zip(json_keys(v), json_extract(v, '$.*')), lambda z: {'k': z[1], 'v': z[2]}) END""",
    # an object from such a list, in any order, without double keys and NULL values
    """sf_object(attributes) AS ('{' || coalesce(list_aggregate(list_transform(list_sort(attributes),
        lambda sf_a: to_json(sf_a.k)::VARCHAR || ':' || sf_a.v::VARCHAR), 'string_agg', ','), '') || '}')::JSON""",
    # what a value is as a number, as text: NULL for JSON null and for what is no number
    """sf_numeric_text(v) AS CASE left(v::VARCHAR, 1) WHEN 't' THEN '1' WHEN 'f' THEN '0' WHEN 'n' THEN NULL
        WHEN '"' THEN CASE WHEN regexp_matches(v::VARCHAR, '^"\\\\u0001[FE]') THEN sf_string(v)[3:] ELSE trim(sf_string(v)) END
        WHEN '{' THEN NULL WHEN '[' THEN NULL ELSE v::VARCHAR END""",
]


# --- building ---------------------------------------------------------------------------------------------------------


def to_variant_sql(expr: Expr) -> str:
    """SQL of an expression as VARIANT.

    Args:
        expr: of any type but VECTOR and FILE.

    Returns:
        SQL of engine type JSON; NULL stays NULL.
    """
    return value_sql(expr.sql, expr.type)


def value_sql(sql: str, sql_type: SqlType) -> str:
    """The same for SQL that yields ``sql_type.duckdb``."""
    match sql_type.name:
        case "NUMBER":
            if sql_type.scale == 0:
                whole = f"CAST({sql} AS BIGINT)" if sql_type.precision <= _FAST_DECIMAL else f"CAST({sql} AS VARCHAR)"
                return f"to_json({whole})" if sql_type.precision <= _FAST_DECIMAL else f"CAST({whole} AS JSON)"
            text = f"rtrim(rtrim({decimal_text(sql, sql_type)}, '0'), '.')"
            if sql_type.precision <= _EXACT_DIGITS:
                return f"CAST(json({text}) AS JSON)"
            return once(lambda x: f"sf_variant_decimal({x})", text)
        case "VARCHAR":
            return once(lambda x: f"sf_variant_string({x})", sql)
        case "BOOLEAN":
            return f"to_json({sql})"
        case "FLOAT":
            return _tagged("F", f"CAST({sql} + 0.0 AS VARCHAR)")
        case "DATE":
            return _tagged("D", f"CAST({sql} AS VARCHAR)")
        case "TIME":
            return _tagged("T", f"CAST({sql} AS VARCHAR)")
        case "TIMESTAMP_NTZ":
            return _tagged("N", f"CAST({sql} AS VARCHAR)")
        case "TIMESTAMP_LTZ":
            return _tagged("L", f"CAST(({sql}) AT TIME ZONE 'UTC' AS VARCHAR)")
        case "TIMESTAMP_TZ":
            return once(
                lambda x: _tagged(
                    "Z",
                    f"CAST(({x}.instant AT TIME ZONE 'UTC') + to_minutes({x}.\"offset\") AS VARCHAR)"
                    f" || printf('%s%02d:%02d', CASE WHEN {x}.\"offset\" < 0 THEN '-' ELSE '+' END,"
                    f' abs({x}."offset") // 60, abs({x}."offset") % 60)',
                ),
                f"({sql})",
            )
        case "BINARY":
            return _tagged("B", f"hex({sql})")
        case "NULL":
            return "NULL::JSON"
        case "VECTOR":
            element = sql_type.element or FLOAT
            kind = SqlType("FLOAT") if element.name == "FLOAT" else element
            inner = value_sql("CAST(e AS DOUBLE)" if kind.name == "FLOAT" else "CAST(e AS DECIMAL(38,0))", kind)
            return f"to_json(list_transform({sql}, lambda e: {inner}))"
    return sql


def _tagged(kind: str, text: str) -> str:
    """SQL of a tagged string whose text needs no escapes."""
    return f"CAST('\"{variant.ESCAPED_TAG}{kind}' || {text} || '\"' AS JSON)"


def item_sql(expr: Expr) -> str:
    """SQL of an expression as an item of an array: NULL is undefined."""
    if expr.type == NULL:
        return UNDEFINED
    return f"coalesce({to_variant_sql(expr)}, {UNDEFINED})" if expr.nullable else to_variant_sql(expr)


def array_of(items: list[Expr]) -> Expr:
    """``[a, b, ...]``."""
    return derive(f"json_array({', '.join(map(item_sql, items))})", ARRAY, *items, nullable=False)


def object_of(pairs: list[tuple[Expr, Expr]], *, keep_null: bool) -> Expr:
    """``{'a': x, ...}``: keys come out sorted; a NULL key leaves its pair out, and so does a NULL value unless kept.

    Args:
        pairs: keys (VARCHAR) and values.
        keep_null: NULL values become JSON null.
    """
    sources = [expr for pair in pairs for expr in pair]
    if not pairs:
        return Expr("'{}'::JSON", OBJECT, False)
    constant = all(isinstance(key.constant, str) for key, _ in pairs)
    if constant and len({key.constant for key, _ in pairs}) == len(pairs):
        ordered = sorted(pairs, key=lambda pair: str(pair[0].constant).encode())
        if keep_null or not any(value.nullable for _, value in pairs):
            inside = ", ".join(f"{key.sql}, {to_variant_sql(value)}" for key, value in ordered)
            return derive(f"json_object({inside})", OBJECT, *sources, nullable=False)
        parts = [
            quote_string(json.dumps(key.constant, ensure_ascii=False) + ":")
            + f" || CAST({to_variant_sql(value)} AS VARCHAR)"
            for key, value in ordered
        ]
        text = f"'{{' || concat_ws(',', {', '.join(parts)}) || '}}'"
        return derive(f"CAST({text} AS JSON)", OBJECT, *sources, nullable=False)
    entries = []
    for key, value in pairs:
        content = to_variant_sql(value)
        entries.append(
            f"{{'k': {key.sql}, 'v': {f'coalesce({content}, ' + NULL_VALUE + ')' if keep_null else content}}}"
        )
    listed = f"list_filter([{', '.join(entries)}], lambda sf_a: sf_a.k IS NOT NULL AND sf_a.v IS NOT NULL)"
    return derive(f"sf_distinct_object({listed})", OBJECT, *sources, nullable=False)


NULL_VALUE = "'null'::JSON"

_DUPLICATE = raise_sql(100083, "22000", "'Duplicate field key ''' || d || ''''")
# the same as sf_object, for keys that may occur twice: 100083
MACROS.append(
    f"""sf_distinct_object(attributes) AS CASE WHEN len(attributes) = len(list_distinct(list_transform(attributes, lambda sf_a: sf_a.k)))
        THEN sf_object(attributes) ELSE list_transform([list_filter(attributes, lambda sf_a, i:
            len(list_filter(attributes, lambda sf_b: sf_b.k = sf_a.k)) > 1)[1].k], lambda d: {_DUPLICATE})[1]::JSON END"""
)


# --- reading ----------------------------------------------------------------------------------------------------------


def from_variant_sql(expr: Expr, target: SqlType, context: Context, attempt: bool = False) -> str | None:
    """SQL of a semi-structured value as another type.

    Args:
        expr: VARIANT, OBJECT, ARRAY or MAP.
        target: the type wanted.
        context: session parameters (formats, time zone).
        attempt: NULL where the value does not fit, instead of an error.

    Returns:
        SQL of ``target.duckdb``, or None if Snowflake has no such cast. JSON null is NULL.
    """
    source = expr.type
    if target.name == "VARCHAR":
        return once(lambda v: variant_text.text_sql(v, context), expr)
    if target.is_semistructured:
        return _to_container(expr, target, context, attempt)
    if target.name == "VECTOR":
        return _to_vector(expr, target) if source.name in ("ARRAY", "VARIANT") else None
    if target.name in ("GEOGRAPHY", "GEOMETRY", "FILE"):
        return expr.sql
    if source.name != "VARIANT":
        return None
    match target.name:
        case "NUMBER":
            return once(lambda v: _to_number(v, target, attempt), expr)
        case "FLOAT":
            return once(lambda v: _to_float(v, attempt), expr)
        case "BOOLEAN":
            return once(lambda v: _to_boolean(v, context, attempt), expr)
        case "BINARY" | "DATE" | "TIME" | "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
            return once(lambda v: _to_tagged_type(v, target, context, attempt), expr)
    return None


def _failure(v: str, target: SqlType, attempt: bool) -> str:
    """NULL, or 100071 where the value ``v`` was not NULL."""
    if attempt:
        return f"NULL::{target.duckdb}"
    name = {"NUMBER": "FIXED", "FLOAT": "REAL"}.get(target.name, target.name)
    message = f"concat('Failed to cast variant value ', sf_json_text({v}::VARCHAR), ' to {name}')"
    fails = raise_sql(100071, "22000", message)
    return f"CASE WHEN {v} IS NULL OR {v}::VARCHAR = 'null' THEN NULL ELSE {fails}::{target.duckdb} END"


def _to_number(v: str, target: SqlType, attempt: bool) -> str:
    fast_type = f"DECIMAL({min(target.precision, _FAST_DECIMAL)},{min(target.scale, _FAST_DECIMAL)})"
    tries = []
    if target.scale and target.precision > _FAST_DECIMAL:
        whole = f"NOT contains({v}::VARCHAR, '.') AND NOT contains({v}::VARCHAR, 'e')"
        tries.append(
            f"CASE WHEN {whole} THEN CAST(TRY_CAST({v}::VARCHAR AS DECIMAL({_FAST_DECIMAL},0)) AS {target.duckdb}) END"
        )
    if target.scale <= _FAST_DECIMAL:
        fast = f"TRY_CAST({v}::VARCHAR AS {fast_type})"
        tries.append(fast if fast_type == target.duckdb else f"CAST({fast} AS {target.duckdb})")
    tries.append(f"TRY_CAST(sf_numeric_text({v}) AS {target.duckdb})")
    return f"coalesce({', '.join(tries)}, {_failure(v, target, attempt)})"


def _to_float(v: str, attempt: bool) -> str:
    return f"coalesce(TRY_CAST({v}::VARCHAR AS DOUBLE), TRY_CAST(sf_numeric_text({v}) AS DOUBLE), {_failure(v, FLOAT, attempt)})"


def _to_boolean(v: str, context: Context, attempt: bool) -> str:
    from polynya.dialect import conversions

    text = conversions.convert(Expr(f"sf_string({v})", VARCHAR), BOOLEAN, context, True)
    return (
        f"CASE WHEN {v}::VARCHAR = 'true' THEN TRUE WHEN {v}::VARCHAR = 'false' THEN FALSE"
        f" WHEN starts_with({v}::VARCHAR, '\"') AND NOT regexp_matches({v}::VARCHAR, '^\"\\\\u0001[FE]')"
        f" THEN coalesce({text}, {_failure(v, BOOLEAN, attempt)})"
        f" ELSE coalesce(TRY_CAST(sf_numeric_text({v}) AS DOUBLE) <> 0, {_failure(v, BOOLEAN, attempt)}) END"
    )


# Tag -> (type, DuckDB expression of the value from the text ``s`` behind the tag).
_TAGS: dict[str, tuple[SqlType, str]] = {
    "D": (DATE, "{s}::DATE"),
    "T": (TIME, "{s}::TIME"),
    "N": (TIMESTAMP_NTZ, "{s}::TIMESTAMP"),
    "L": (TIMESTAMP_LTZ, "({s} || '+00')::TIMESTAMPTZ"),
    "Z": (
        TIMESTAMP_TZ,
        "{{'instant': {s}::TIMESTAMPTZ, 'offset': (CASE WHEN {s}[-6] = '-' THEN -1 ELSE 1 END"
        " * ({s}[-5:-4]::SMALLINT * 60 + {s}[-2:]::SMALLINT))::SMALLINT}}",
    ),
    "B": (BINARY, "unhex({s})"),
}


def _to_tagged_type(v: str, target: SqlType, context: Context, attempt: bool) -> str:
    """A date, time, timestamp or binary: from its own tag, a related one, or a string or number read as one."""
    from polynya.dialect import conversions

    branches = []
    for tag, (kind, template) in _TAGS.items():
        value = Expr(f"({template.format(s='s[3:]')})", kind)
        converted = value.sql if kind == target else conversions.convert(value, target, context, attempt)
        if converted is not None:
            branches.append(f"WHEN '{tag}' THEN {converted}")
    text = conversions.convert(Expr("s", VARCHAR), target, context, True)
    failure = _failure(v, target, attempt)
    # A whole number is an instant, which a timestamp_ntz shows in the session's zone.
    instant = Expr("make_timestamptz(sf_epoch_us(TRY_CAST(s AS BIGINT)))", TIMESTAMP_LTZ)
    moment = instant.sql if target == TIMESTAMP_LTZ else conversions.convert(instant, target, context, True)
    number = f" WHEN regexp_full_match({v}::VARCHAR, '-?\\d{{1,19}}') THEN {moment}" if moment else ""
    body = (
        f"CASE WHEN starts_with(s, chr(1)) THEN CASE s[2] {' '.join(branches)} ELSE {failure} END{number}"
        f" ELSE coalesce({text}, {failure}) END"
    )
    return f"list_transform([sf_string({v})], lambda s: CASE WHEN s IS NULL THEN NULL ELSE {body} END)[1]"


# --- containers -------------------------------------------------------------------------------------------------------


def _to_container(expr: Expr, target: SqlType, context: Context, attempt: bool) -> str | None:
    source = expr.type
    if target.name == "VARIANT":
        return expr.sql
    if target.name == "ARRAY":
        if source.name in ("OBJECT", "MAP") and source.name != "VARIANT":
            return None
        listed = expr.sql if source.name == "ARRAY" else once(_as_array, expr)
        return listed if target.element is None else _each_item(listed, target.element, context, attempt)
    if source.name == "ARRAY":
        return None
    checked = expr.sql if source.name in ("OBJECT", "MAP") else once(lambda v: _as_object(v, target, attempt), expr)
    if target.name == "MAP" and target.element is not None:
        return _each_value(checked, target.element, context, attempt)
    if target.fields:
        return _each_field(checked, target.fields, context, attempt)
    return checked


def _as_array(v: str) -> str:
    return (
        f"CASE WHEN starts_with({v}::VARCHAR, '[') THEN {v} WHEN {v}::VARCHAR = 'null' THEN NULL"
        f" WHEN {v} IS NOT NULL THEN json_array({v}) END"
    )


def _as_object(v: str, target: SqlType, attempt: bool) -> str:
    return f"CASE WHEN starts_with({v}::VARCHAR, '{{') THEN {v} ELSE {_failure(v, SqlType(target.name), attempt)} END"


def convert_value(sql: str, target: SqlType, context: Context, attempt: bool = False) -> str:
    """A VARIANT's SQL brought to the form of a type and back: what a structured type holds inside JSON."""
    if target.is_semistructured:
        return from_variant_sql(Expr(sql, VARIANT), target, context, attempt) or sql
    read = from_variant_sql(Expr(sql, VARIANT), target, context, attempt)
    return value_sql(f"({read})", target) if read is not None else sql


def _each_item(listed: str, element: SqlType, context: Context, attempt: bool) -> str:
    inner = convert_value("sf_defined(e)", element, context, attempt)
    return f"to_json(list_transform(sf_items({listed}), lambda e: coalesce({inner}, {UNDEFINED})))"


def _each_value(checked: str, element: SqlType, context: Context, attempt: bool) -> str:
    inner = convert_value("sf_a.v", element, context, attempt)
    return f"sf_object(list_transform(sf_attributes({checked}), lambda sf_a: {{'k': sf_a.k, 'v': coalesce({inner}, {NULL_VALUE})}}))"


def _each_field(checked: str, fields: tuple[tuple[str, SqlType], ...], context: Context, attempt: bool) -> str:
    """A structured OBJECT: its fields in the type's order, missing ones NULL."""

    def body(v: str) -> str:
        parts = []
        for name, kind in fields:
            value = path(Expr(v, VARIANT), [name]).sql
            parts.append(f"{quote_string(name)}, {convert_value(value, kind, context, attempt)}")
        return f"CASE WHEN {v} IS NOT NULL THEN json_object({', '.join(parts)}) END"

    return once(body, checked)


def rename_fields(expr: Expr, target: SqlType) -> Expr:
    """``CAST(x AS OBJECT(...) RENAME FIELDS)``: the fields of a structured OBJECT, in order, under the type's names."""
    old, new = expr.type.fields, target.fields
    if old is None or new is None or len(old) != len(new):
        return expr

    def body(v: str) -> str:
        parts = [
            f"{quote_string(b)}, {path(Expr(v, VARIANT), [a]).sql}" for (a, _), (b, _) in zip(old, new, strict=True)
        ]
        return f"CASE WHEN {v} IS NOT NULL THEN json_object({', '.join(parts)}) END"

    kept = tuple((name, kind) for (name, _), (_, kind) in zip(new, old, strict=True))
    return derive(once(body, expr), SqlType("OBJECT", fields=kept), expr)


def _to_vector(expr: Expr, target: SqlType) -> str:
    element = "INTEGER" if target.element and target.element.name == "NUMBER" else "FLOAT"
    item = f"TRY_CAST(sf_numeric_text(e) AS {element})"
    return f"CAST(list_transform(sf_items({expr.sql}), lambda e: {item}) AS {target.duckdb})"


# --- paths ------------------------------------------------------------------------------------------------------------

Step = str | int | Expr


def path(expr: Expr, steps: list[Step]) -> Expr:
    """``a:b.c[0]['x'][expr]``: NULL where a step finds nothing, JSON null where it finds that.

    Args:
        expr: VARIANT, OBJECT, ARRAY or MAP.
        steps: attribute names (case counts), positions from 0, or expressions of VARCHAR, NUMBER or VARIANT.

    Returns:
        VARIANT, or the type that a structured type has there.

    Raises:
        SnowflakeError: 001044 if the value is not semi-structured.
    """
    if expr.type == NULL:
        return null(VARIANT)
    if not expr.type.is_semistructured and expr.type.name not in ("GEOGRAPHY", "GEOMETRY", "FILE"):
        kinds = [
            str(s.type) if isinstance(s, Expr) else f"VARCHAR({len(s)})" if isinstance(s, str) else "NUMBER(1,0)"
            for s in steps[:1]
        ]
        raise invalid_argument_types("GET", [str(expr.type), *kinds])
    sql, constant, kind = expr.sql, "", expr.type
    sources = [expr]
    may_be_undefined = False

    def flush() -> str:
        return f"json_extract({sql}, {quote_string('$' + constant)})" if constant else sql

    for step in steps:
        kind = _step_type(kind, step)
        may_be_undefined = False
        if isinstance(step, Expr):
            sources.append(step)
            sql, constant = _dynamic_step(flush(), step), ""
        elif isinstance(step, int):
            if step < 0:
                return null(kind)
            constant += f"[{step}]"
            may_be_undefined = True
        elif _plain_key(step):
            constant += f'."{step}"'
        else:
            sql, constant = f"sf_get_key({flush()}, {quote_string(step)})", ""
    sql = flush()
    if may_be_undefined:
        sql = once(lambda v: f"sf_defined({v})", sql)
    found = derive(sql, VARIANT, *sources, nullable=True)
    return found if kind == VARIANT else _as_structured(found, kind)


def _plain_key(key: str) -> bool:
    return key not in ("", "*") and '"' not in key and "\\" not in key


def _dynamic_step(sql: str, step: Expr) -> str:
    if step.type.name == "VARCHAR":
        return f"sf_get_key({sql}, {step.sql})"
    if step.type.is_numeric:
        return f"sf_get_index({sql}, {step.sql})"
    if step.type.name == "VARIANT":
        return once(
            lambda v, k: (
                f"CASE WHEN starts_with({k}::VARCHAR, '\"') THEN sf_get_key({v}, sf_string({k}))"
                f" ELSE sf_get_index({v}, TRY_CAST({k}::VARCHAR AS DOUBLE)) END"
            ),
            sql,
            step,
        )
    if step.type == NULL:
        return "NULL::JSON"
    raise invalid_argument_types("GET", ["VARIANT", str(step.type)])


def _step_type(kind: SqlType, step: Step) -> SqlType:
    """What a step into a structured type yields."""
    if kind.name in ("ARRAY", "MAP") and kind.element is not None:
        return kind.element
    if kind.fields and isinstance(step, str):
        return dict(kind.fields).get(step, VARIANT)
    return VARIANT


def _as_structured(found: Expr, kind: SqlType) -> Expr:
    if kind.is_semistructured:
        return found.typed(kind)
    return derive(structured_value_sql(found.sql, kind), kind, found, nullable=True)


def structured_value_sql(sql: str, kind: SqlType) -> str:
    """A value inside a structured type, whose type is known and need not be found out, in its engine form."""
    match kind.name:
        case "VARCHAR":
            return once(
                lambda v: (
                    f"CASE WHEN starts_with({v}::VARCHAR, {_TAGGED}) THEN sf_string({v})[3:] ELSE sf_string({v}) END"
                ),
                sql,
            )
        case "NUMBER":
            return once(lambda v: _to_number(v, kind, True), sql)
        case "FLOAT":
            return once(lambda v: _to_float(v, True), sql)
        case "BOOLEAN":
            return f"CAST({sql} AS BOOLEAN)"
    if kind.is_semistructured:
        return sql
    tag = next(tag for tag, (tagged, _) in _TAGS.items() if tagged.name == kind.name)
    template = _TAGS[tag][1]
    return f"list_transform([sf_string({sql})], lambda s: {template.format(s='s[3:]')})[1]"
