"""VARIANT and OBJECT: parsing and writing JSON, access, construction, type predicates, MAP.

Sources: docs.snowflake.com/en/sql-reference/functions-semistructured.
"""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
from sqlglot import exp

from polynya.dialect import casts, semistructured, variant_text
from polynya.dialect.engine_functions import MACROS, python_function
from polynya.dialect.expression import Expr, derive, null, once, quote_string, string_literal
from polynya.dialect.registry import Call, scalar
from polynya.dialect.semistructured import Step, from_variant_sql, path, to_variant_sql
from polynya.errors import SnowflakeError, compilation_error
from polynya.storage.errors import raise_sql
from polynya.types import variant
from polynya.types.sqltype import (
    ARRAY,
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    NULL,
    OBJECT,
    TIME,
    TIMESTAMP_LTZ,
    TIMESTAMP_NTZ,
    TIMESTAMP_TZ,
    VARCHAR,
    VARIANT,
    SqlType,
    number,
)


def container(call: Call, index: int, *names: str) -> Expr:
    """An argument that must be semi-structured already.

    Args:
        names: the types allowed; VARIANT, OBJECT, ARRAY and MAP if none are named.

    Raises:
        SnowflakeError: 001044.
    """
    bound = call.arg(index)
    if bound.type == NULL:
        return null(VARIANT)
    if bound.type.name in (names or ("VARIANT", "OBJECT", "ARRAY", "MAP", "GEOGRAPHY", "GEOMETRY")):
        return bound
    raise call.wrong_types()


def as_variant(expr: Expr) -> Expr:
    """An expression of any type as VARIANT."""
    if expr.type.name == "VARIANT":
        return expr
    return derive(to_variant_sql(expr), VARIANT, expr)


# --- JSON text --------------------------------------------------------------------------------------------------------


def _text(call: Call, index: int) -> Expr:
    """An argument that holds JSON text: VARCHAR, or a VARIANT's own text."""
    bound = call.arg(index)
    if bound.type.name == "VARCHAR":
        return bound
    return call.arg(index, VARCHAR)


@scalar("PARSE_JSON", args=(1, 2))
def parse_json(call: Call) -> Expr:
    text = _text(call, 0)
    function = "sf_parse_json"
    if call.constant(1, "s").lower() == "d":
        return derive(f"sf_parse_json_duplicates({text.sql})::JSON", VARIANT, text, nullable=True)
    return derive(once(lambda x: f"{function}({x})", text), VARIANT, text, nullable=True)


@scalar("TRY_PARSE_JSON", args=(1, 2))
def try_parse_json(call: Call) -> Expr:
    text = _text(call, 0)
    return derive(once(lambda x: f"sf_try_parse_json({x})", text), VARIANT, text, nullable=True)


@scalar("CHECK_JSON", args=1)
def check_json(call: Call) -> Expr:
    text = _text(call, 0)
    return derive(once(lambda x: f"sf_check_json({x})", text), VARCHAR, text, nullable=True)


@scalar("TO_JSON", args=1)
def to_json(call: Call) -> Expr:
    value = call.arg(0)
    return derive(variant_text.json_sql(as_variant(value).sql, call.context), VARCHAR, value)


@scalar("JSON_EXTRACT_PATH_TEXT", args=2)
def json_extract_path_text(call: Call) -> Expr:
    value = call.arg(0)
    if value.type.name == "VARCHAR":
        value = derive(once(lambda x: f"sf_parse_json({x})", value), VARIANT, value)
    found = _get_path(value, call.arg(1, VARCHAR))
    return casts.cast(found, VARCHAR, call.context)


# --- conversion -------------------------------------------------------------------------------------------------------


@scalar("TO_VARIANT", args=1)
def to_variant(call: Call) -> Expr:
    return as_variant(call.arg(0))


@scalar("TO_OBJECT", args=1)
def to_object(call: Call) -> Expr:
    return casts.cast(container(call, 0, "VARIANT", "OBJECT", "MAP"), OBJECT, call.context)


@scalar("TO_ARRAY", args=1)
def to_array(call: Call) -> Expr:
    value = call.arg(0)
    if value.type.name in ("ARRAY", "VARIANT", "VECTOR"):
        return casts.cast(value, ARRAY, call.context)
    if value.type == NULL:
        return null(ARRAY)
    sql = once(
        lambda x: f"CASE WHEN {x} IS NOT NULL THEN json_array({semistructured.value_sql(x, value.type)}) END", value
    )
    return derive(sql, ARRAY, value)


@scalar("TYPEOF", args=1)
def typeof(call: Call) -> Expr:
    value = as_variant(call.arg(0))
    return derive(once(lambda v: f"sf_typeof({v})", value), VARCHAR, value)


# --- access -----------------------------------------------------------------------------------------------------------


@scalar("GET", args=2)
def get(call: Call) -> Expr:
    value, step = container(call, 0), call.arg(1)
    if step.type.name == "FLOAT":
        step = call.arg(1, INTEGER)
    constant = step.constant if isinstance(step.constant, str | int) and not isinstance(step.constant, bool) else step
    return path(value, [constant])


@scalar("GET_IGNORE_CASE", args=2)
def get_ignore_case(call: Call) -> Expr:
    value, key = container(call, 0), call.arg(1, VARCHAR)

    def body(v: str, k: str) -> str:
        matches = f"list_filter(sf_attributes({v}), lambda sf_a: lower(sf_a.k) = lower({k}))"
        return f"CASE WHEN {k} IS NOT NULL THEN coalesce(sf_get_key({v}, {k}), {matches}[1].v) END"

    return derive(once(body, value, key), VARIANT, value, key, nullable=True)


@scalar("GET_PATH", args=2)
def get_path(call: Call) -> Expr:
    return _get_path(container(call, 0), call.arg(1, VARCHAR))


def _get_path(value: Expr, text: Expr) -> Expr:
    if isinstance(text.constant, str):
        return path(value, parse_path(text.constant))

    def body(v: str, p: str) -> str:
        simple = f"regexp_full_match({p}, '[A-Za-z_][A-Za-z0-9_$]*')"
        return f"CASE WHEN {simple} THEN sf_get_key({v}, {p}) ELSE sf_get_path({v}::VARCHAR, {p})::JSON END"

    return derive(once(body, value, text), VARIANT, value, text, nullable=True)


_PATH_STEP = re.compile(
    r"""\[\s*(?:(\d+)|'((?:[^'\\]|\\.|'')*)'|"((?:[^"\\]|\\.)*)")\s*\]|[.:]?\s*(?:"((?:[^"]|"")*)"|([^.:\[\]"]+))"""
)


def parse_path(text: str) -> list[Step]:
    """The steps of a path's text, e.g. ``a.b[0]['x']``.

    Raises:
        SnowflakeError: 100080 if it is no path.
    """
    steps: list[Step] = []
    at = 0
    while at < len(text):
        found = _PATH_STEP.match(text, at)
        if found is None or found.end() == at:
            raise compilation_error(100080, "22000", f"Invalid extraction path '{text}': syntax error, pos {at + 1}")
        position, single, double, quoted, plain = found.groups()
        if position is not None:
            steps.append(int(position))
        elif single is not None or double is not None:
            steps.append(re.sub(r"\\(.)", r"\1", single if single is not None else double))
        else:
            steps.append(quoted.replace('""', '"') if quoted is not None else plain.strip())
        at = found.end()
    return steps


@python_function("sf_get_path", ["VARCHAR", "VARCHAR"], "VARCHAR", vectorized=True)
def _get_path_values(values: pa.Array, paths: pa.Array) -> pa.Array:
    """GET_PATH for paths that are not known before the query runs."""

    def find(text: str | None, steps_text: str | None) -> str | None:
        if text is None or steps_text is None:
            return None
        found: Any = variant.decode(text)
        for step in parse_path(steps_text):
            if (isinstance(step, str) and isinstance(found, dict) and step in found) or (
                isinstance(step, int) and isinstance(found, list) and step < len(found)
            ):
                found = found[step]  # type: ignore[index]
            else:
                return None
        return None if found is variant.UNDEFINED else variant.encode(found)

    return pa.array([find(*pair) for pair in zip(values.to_pylist(), paths.to_pylist(), strict=True)], pa.string())


@scalar("STRIP_NULL_VALUE", args=1)
def strip_null_value(call: Call) -> Expr:
    value = as_variant(container(call, 0))
    return derive(
        once(lambda v: f"CASE WHEN {v}::VARCHAR = 'null' THEN NULL ELSE {v} END", value), VARIANT, value, nullable=True
    )


@scalar("IS_NULL_VALUE", args=1)
def is_null_value(call: Call) -> Expr:
    value = container(call, 0)
    return derive(f"{value.atom}::VARCHAR = 'null'", BOOLEAN, value, simple=False)


# --- objects ----------------------------------------------------------------------------------------------------------


@scalar("OBJECT_CONSTRUCT", args=(0, None))
def object_construct(call: Call) -> Expr:
    return semistructured.object_of(_pairs(call), keep_null=False)


@scalar("OBJECT_CONSTRUCT_KEEP_NULL", args=(0, None))
def object_construct_keep_null(call: Call) -> Expr:
    return semistructured.object_of(_pairs(call), keep_null=True)


def _pairs(call: Call) -> list[tuple[Expr, Expr]]:
    """The keys and values of an OBJECT_CONSTRUCT, ``*`` written out."""
    if len(call) == 1 and _is_star(call.nodes[0]):
        return [(string_literal(name), value) for name, value in call.binder.star_columns(call.nodes[0])]
    if len(call) % 2:
        raise compilation_error(
            1040, "22000", f"Function {call.name} requires an even number of arguments.", call.position
        )
    pairs = []
    for index in range(0, len(call), 2):
        key = call.arg(index)
        if key.type != NULL and key.type.name not in ("VARCHAR", "VARIANT"):
            raise call.wrong_types()
        pairs.append((call.arg(index, VARCHAR), call.arg(index + 1)))
    return pairs


def _is_star(node: exp.Expr) -> bool:
    return isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star))


@scalar("OBJECT_KEYS", args=1)
def object_keys(call: Call) -> Expr:
    value = container(call, 0, "VARIANT", "OBJECT", "MAP")
    sql = once(lambda v: f"CASE WHEN starts_with({v}::VARCHAR, '{{') THEN to_json(json_keys({v})) END", value)
    return derive(sql, ARRAY, value, nullable=True)


def _object(call: Call, index: int = 0) -> Expr:
    return (
        call.arg(index, OBJECT) if call.arg(index).type.name == "VARIANT" else container(call, index, "OBJECT", "MAP")
    )


_KEY_EXISTS = raise_sql(100083, "22000", "'Object already contains key ''' || k || ''''")


@scalar("OBJECT_INSERT", args=(3, 4))
def object_insert(call: Call) -> Expr:
    value, key, item = _object(call), call.arg(1, VARCHAR), as_variant(call.arg(2))
    update = call.arg(3, BOOLEAN).sql if len(call) > 3 else "FALSE"
    sql = f"sf_object_insert({value.sql}, {key.sql}, {item.sql}, {update})"
    return derive(sql, OBJECT, value, key, nullable=value.nullable or key.nullable)


MACROS.append(
    f"""sf_object_insert(o, k, item, changes) AS list_transform([{{'o': o, 'k': k, 'v': item, 'u': changes}}], lambda sf_p: CASE
        WHEN sf_p.o IS NULL OR sf_p.k IS NULL THEN NULL
        WHEN NOT sf_p.u AND sf_get_key(sf_p.o, sf_p.k) IS NOT NULL THEN {_KEY_EXISTS.replace("|| k ||", "|| sf_p.k ||")}::JSON
        WHEN sf_p.v IS NULL THEN sf_object(list_filter(sf_attributes(sf_p.o), lambda sf_a: sf_a.k <> sf_p.k))
        ELSE sf_object(list_append(list_filter(sf_attributes(sf_p.o), lambda sf_a: sf_a.k <> sf_p.k), {{'k': sf_p.k, 'v': sf_p.v}})) END)[1]"""
)


@scalar("OBJECT_DELETE", args=(2, None))
def object_delete(call: Call) -> Expr:
    value = _object(call)
    keys = [call.arg(index, VARCHAR) for index in range(1, len(call))]
    listed = ", ".join(key.sql for key in keys)

    def body(v: str) -> str:
        return f"CASE WHEN {v} IS NOT NULL THEN sf_object(list_filter(sf_attributes({v}), lambda sf_a: NOT list_contains([{listed}], sf_a.k))) END"

    return derive(
        once(body, value), value.type if value.type.name == "MAP" else OBJECT, value, *keys, nullable=value.nullable
    )


@scalar("OBJECT_PICK", args=(2, None))
def object_pick(call: Call) -> Expr:
    value = _object(call)
    first = call.arg(1)
    if len(call) == 2 and first.type.name in ("ARRAY", "VARIANT"):
        items = casts.cast(first, ARRAY, call.context)
        keys = [items]
        listed = f"list_transform(sf_items({items.sql}), lambda e: sf_string(e))"
    else:
        keys = [call.arg(index, VARCHAR) for index in range(1, len(call))]
        listed = f"[{', '.join(key.sql for key in keys)}]"

    def body(v: str) -> str:
        return f"CASE WHEN {v} IS NOT NULL THEN sf_object(list_filter(sf_attributes({v}), lambda sf_a: list_contains({listed}, sf_a.k))) END"

    return derive(once(body, value), OBJECT, value, *keys)


# --- type predicates and accessors ------------------------------------------------------------------------------------

_KINDS: dict[str, tuple[str, ...]] = {
    "IS_ARRAY": ("ARRAY",),
    "IS_BINARY": ("BINARY",),
    "IS_BOOLEAN": ("BOOLEAN",),
    "IS_CHAR": ("VARCHAR",),
    "IS_VARCHAR": ("VARCHAR",),
    "IS_DATE": ("DATE",),
    "IS_DATE_VALUE": ("DATE",),
    "IS_DECIMAL": ("INTEGER", "DECIMAL"),
    "IS_DOUBLE": ("INTEGER", "DECIMAL", "DOUBLE"),
    "IS_REAL": ("INTEGER", "DECIMAL", "DOUBLE"),
    "IS_INTEGER": ("INTEGER",),
    "IS_OBJECT": ("OBJECT",),
    "IS_TIME": ("TIME",),
    "IS_TIMESTAMP_LTZ": ("TIMESTAMP_LTZ",),
    "IS_TIMESTAMP_NTZ": ("TIMESTAMP_NTZ",),
    "IS_TIMESTAMP_TZ": ("TIMESTAMP_TZ",),
}


@scalar(*_KINDS, args=1)
def is_kind(call: Call) -> Expr:
    """IS_INTEGER and its kin: whether a VARIANT holds a value of the type."""
    value = container(call, 0)
    kinds = ", ".join(quote_string(kind) for kind in _KINDS[call.name])
    return derive(f"{once(lambda v: f'sf_typeof({v})', value)} IN ({kinds})", BOOLEAN, value, simple=False)


_ACCESSORS: dict[str, tuple[SqlType, tuple[str, ...]]] = {
    "AS_ARRAY": (ARRAY, ("ARRAY",)),
    "AS_BINARY": (BINARY, ("BINARY",)),
    "AS_BOOLEAN": (BOOLEAN, ("BOOLEAN",)),
    "AS_CHAR": (VARCHAR, ("VARCHAR",)),
    "AS_VARCHAR": (VARCHAR, ("VARCHAR",)),
    "AS_DATE": (DATE, ("DATE",)),
    "AS_DOUBLE": (FLOAT, ("INTEGER", "DECIMAL", "DOUBLE")),
    "AS_REAL": (FLOAT, ("INTEGER", "DECIMAL", "DOUBLE")),
    "AS_INTEGER": (INTEGER, ("INTEGER", "DECIMAL")),
    "AS_OBJECT": (OBJECT, ("OBJECT",)),
    "AS_TIME": (TIME, ("TIME",)),
    "AS_TIMESTAMP_LTZ": (TIMESTAMP_LTZ, ("TIMESTAMP_LTZ",)),
    "AS_TIMESTAMP_NTZ": (TIMESTAMP_NTZ, ("TIMESTAMP_NTZ",)),
    "AS_TIMESTAMP_TZ": (TIMESTAMP_TZ, ("TIMESTAMP_TZ",)),
}


@scalar(*_ACCESSORS, args=1)
def as_kind(call: Call) -> Expr:
    """AS_INTEGER and its kin: a VARIANT's value if it is of the type, without conversion."""
    target, kinds = _ACCESSORS[call.name]
    return _accessor(call, target, kinds)


@scalar("AS_DECIMAL", "AS_NUMBER", args=(1, 3))
def as_decimal(call: Call) -> Expr:
    precision, scale = call.constant(1, 38), call.constant(2, 0)
    if not isinstance(precision, int) or not 1 <= precision <= 38:
        raise _invalid(call, f"invalid value [{precision}] for parameter 'AS_DECIMAL(?, precision...)'")
    if not isinstance(scale, int) or not 0 <= scale <= min(precision, 37):
        raise _invalid(call, f"invalid value [{scale}] for parameter 'AS_DECIMAL(?, ?, scale)'")
    return _accessor(call, number(precision, scale), ("INTEGER", "DECIMAL"))


def _invalid(call: Call, text: str) -> SnowflakeError:
    return compilation_error(1014, "22023", text, call.position)


# Accessors that name the parameter rather than the types when the argument is no VARIANT.
_NAMES_PARAMETER = ("AS_DECIMAL", "AS_NUMBER", "AS_INTEGER", "AS_TIMESTAMP_LTZ", "AS_TIMESTAMP_NTZ", "AS_TIMESTAMP_TZ")


def _accessor(call: Call, target: SqlType, kinds: tuple[str, ...]) -> Expr:
    kind = call.arg(0).type
    if call.name in _NAMES_PARAMETER and not (kind.is_semistructured or kind == NULL):
        name = "AS_DECIMAL" if call.name == "AS_NUMBER" else call.name
        raise _invalid(call, f"invalid type [{kind}] for parameter '{name}(variantValue...)'")
    value = container(call, 0)
    listed = ", ".join(quote_string(kind) for kind in kinds)

    def body(v: str) -> str:
        converted = from_variant_sql(Expr(v, VARIANT), target, call.context, attempt=True)
        return f"CASE WHEN sf_typeof({v}) IN ({listed}) THEN {converted} END"

    return derive(once(body, value), target, value, nullable=True)
