"""Table functions that make rows of values: FLATTEN, SPLIT_TO_TABLE, STRTOK_SPLIT_TO_TABLE, GENERATOR, RESULT_SCAN.

Sources: docs.snowflake.com/en/sql-reference/functions/flatten, .../split_to_table, .../generator, .../result_scan.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
from sqlglot import exp

from polynya.dialect import casts, semistructured
from polynya.dialect.engine_functions import MACROS, python_function
from polynya.dialect.expansion import ITEM, ROW, WHOLE, Expansion
from polynya.dialect.expression import Expr, once, quote, quote_string
from polynya.dialect.functions.semistructured import parse_path
from polynya.dialect.functions.string import tokens
from polynya.dialect.registry import Call
from polynya.dialect.scope import Source, SourceColumn, source_columns
from polynya.dialect.table_functions import table_function
from polynya.errors import compilation_error, invalid_argument_types, unsupported
from polynya.types import variant
from polynya.types.arrow import arrow_type
from polynya.types.resultset import Column
from polynya.types.sqltype import BOOLEAN, INTEGER, NULL, VARCHAR, VARIANT, SqlType

_NO_ITEMS = "NULL::STRUCT(k VARCHAR, i BIGINT, v JSON)[]"
_ROWS_A_SECOND = 1_000_000
_MODES = ("OBJECT", "ARRAY", "BOTH")

MACROS += [
    # an attribute's name as a step of a path
    """sf_path_key(k) AS CASE WHEN regexp_full_match(k, '[A-Za-z_][A-Za-z0-9_$]*') THEN k
        ELSE '[''' || replace(k, '''', '\\''') || ''']' END""",
    # a path with a step behind it
    """sf_path_join(base, k) AS CASE WHEN base = '' OR starts_with(sf_path_key(k), '[') THEN base || sf_path_key(k)
        ELSE base || '.' || k END""",
    # items of FLATTEN: key, index, value
    "sf_flatten_array(v) AS list_transform(json_extract(v, '$[*]'), lambda e, i: {'k': NULL::VARCHAR, 'i': i - 1, 'v': e})",
    "sf_flatten_object(v) AS list_transform(sf_attributes(v), lambda sf_a: {'k': sf_a.k, 'i': NULL::BIGINT, 'v': sf_a.v})",
]


def argument(call: Call, name: str, position: int) -> exp.Expr | None:
    """An argument by name, or by position where it was given without one."""
    if name in call.named:
        return call.named[name]
    return call.nodes[position] if position < len(call.nodes) else None


def history_arguments(call: Call, names: tuple[str, ...], limit: int, most: int) -> tuple[dict[str, Expr], int]:
    """The arguments of a table function of past events that were given, and how many rows it may answer.

    Args:
        call: by name or by position.
        names: of all arguments, in order.
        limit, most: default and most of RESULT_LIMIT.

    Raises:
        SnowflakeError: 001015 for an unknown argument or a limit out of range.
    """
    unknown = call.named.keys() - set(names)
    if unknown:
        raise compilation_error(1015, "22023", f"Unknown argument '{min(unknown)}' of {call.name}.", call.position)
    nodes = {name: argument(call, name, position) for position, name in enumerate(names)}
    given = {name: call.binder.expression(node) for name, node in nodes.items() if node is not None}
    found = given["RESULT_LIMIT"].constant if "RESULT_LIMIT" in given else limit
    if not isinstance(found, int) or not 1 <= found <= most:
        raise compilation_error(1015, "22023", f"RESULT_LIMIT must be between 1 and {most}.", call.position)
    return given, found


def rows_source(call: Call, columns: list[Column], rows: list[tuple]) -> Source:
    """Rows that are already known as a relation."""
    arrays = []
    for index, column in enumerate(columns):
        values = [row[index] for row in rows]
        if column.type == INTEGER:
            values = [None if value is None else Decimal(value) for value in values]
        arrays.append(pa.array(values, arrow_type(column.type)))
    found = source_columns(columns)
    table = pa.Table.from_arrays(arrays, names=[column.stored_as for column in found])
    return Source(call.binder.add_input(table), found)


def _constant(call: Call, name: str, position: int, default: Any) -> Any:
    node = argument(call, name, position)
    if node is None:
        return default
    bound = call.binder.expression(node)
    if not bound.is_constant:
        raise compilation_error(
            1015,
            "42601",
            f"argument {name} to function {call.name} needs to be constant, found '{node.sql('snowflake')}'",
            call.position,
        )
    return bound.constant


def _flag(call: Call, name: str, position: int) -> bool:
    node = argument(call, name, position)
    if node is None:
        return False
    bound = casts.coerce(call.binder.expression(node), BOOLEAN, call.context)
    if bound is None or not isinstance(bound.constant, bool):
        raise compilation_error(
            1015, "42601", f"argument {name} to function {call.name} needs to be constant", call.position
        )
    return bound.constant


# --- FLATTEN ----------------------------------------------------------------------------------------------------------


@table_function("FLATTEN")
def flatten(call: Call) -> Source:
    """FLATTEN(INPUT => x [, PATH => 'a.b'] [, OUTER => TRUE] [, RECURSIVE => TRUE] [, MODE => 'ARRAY'])."""
    node = argument(call, "INPUT", 0)
    if node is None:
        raise compilation_error(
            938, "22023", "not enough arguments for function [FLATTEN()], expected 1, got 0", call.position
        )
    value = call.binder.expression(node)
    if not value.type.is_semistructured and value.type != NULL:
        raise invalid_argument_types("FLATTEN", [str(value.type)], call.position)
    path_text = str(_constant(call, "PATH", 1, "") or "")
    outer, recursive = _flag(call, "OUTER", 2), _flag(call, "RECURSIVE", 3)
    mode = str(_constant(call, "MODE", 4, "BOTH")).upper()
    if mode not in _MODES:
        raise compilation_error(
            1015,
            "22023",
            f"Invalid value [{mode}] for parameter 'MODE', must be one of: {', '.join(_MODES)}",
            call.position,
        )
    if value.type == NULL:
        value = Expr("NULL::JSON", VARIANT, constant=None)
    elif path_text:
        value = semistructured.path(value, parse_path(path_text))
    kind = value.type
    if recursive:
        return _recursive(value, path_text, outer, mode).source()
    items = _NO_ITEMS if value.constant is None else once(lambda v: _items(v, kind, mode), value)
    if outer:
        items = once(lambda v: _or_one(items, v), value)
    base = quote_string(path_text)
    path = (
        f"CASE WHEN {ITEM}.i IS NOT NULL THEN {base} || '[' || {ITEM}.i || ']'"
        f" WHEN {ITEM}.k IS NOT NULL THEN sf_path_join({base}, {ITEM}.k) ELSE {base} END"
    )
    element = kind.element if kind.name in ("ARRAY", "MAP") and kind.element is not None else VARIANT
    content = f"sf_defined({ITEM}.v)"
    if element != VARIANT and not element.is_semistructured:
        content = semistructured.structured_value_sql(content, element)
    return _flattened(items, value.sql, f"{ITEM}.k", path, f"{ITEM}.i", content, element, WHOLE).source()


def _flattened(
    items: str, whole: str, key: str, path: str, index: str, content: str, element: SqlType, this: str
) -> Expansion:
    return Expansion(
        items,
        whole,
        [
            ("SEQ", INTEGER, False, f"CAST({ROW} AS DECIMAL(38,0))"),
            ("KEY", VARCHAR, True, key),
            ("PATH", VARCHAR, True, path),
            ("INDEX", INTEGER, True, f"CAST({index} AS DECIMAL(38,0))"),
            ("VALUE", element, True, content),
            ("THIS", VARIANT, True, this),
        ],
    )


def _items(v: str, kind: SqlType, mode: str) -> str:
    """SQL of the list of a value's items."""
    branches = []
    if mode != "OBJECT" and kind.name in ("VARIANT", "ARRAY"):
        branches.append(f"WHEN starts_with({v}::VARCHAR, '[') THEN sf_flatten_array({v})")
    if mode != "ARRAY" and kind.name in ("VARIANT", "OBJECT", "MAP"):
        branches.append(f"WHEN starts_with({v}::VARCHAR, '{{') THEN sf_flatten_object({v})")
    if not branches:
        return _NO_ITEMS
    return f"CASE {' '.join(branches)} END"


def _or_one(items: str, v: str) -> str:
    """The items, or one without key and index where there are none; it holds the value itself if that is a scalar."""
    scalar = f"CASE WHEN NOT regexp_matches({v}::VARCHAR, '^[\\[{{n]') THEN {v} END"
    return f"list_transform([{items}], lambda l: CASE WHEN len(l) > 0 THEN l ELSE [{{'k': NULL::VARCHAR, 'i': NULL::BIGINT, 'v': {scalar}}}] END)[1]"


def _recursive(value: Expr, path_text: str, outer: bool, mode: str) -> Expansion:
    items = f"sf_flatten_tree({value.sql}::VARCHAR, {quote_string(path_text)}, '{mode}', {str(outer).upper()})"
    return _flattened(
        items, "NULL", f"{ITEM}.k", f"{ITEM}.p", f"{ITEM}.i", f"{ITEM}.v::JSON", VARIANT, f"{ITEM}.t::JSON"
    )


_TREE = pa.list_(
    pa.struct([("k", pa.string()), ("p", pa.string()), ("i", pa.int64()), ("v", pa.string()), ("t", pa.string())])
)


@python_function(
    "sf_flatten_tree",
    ["VARCHAR", "VARCHAR", "VARCHAR", "BOOLEAN"],
    "STRUCT(k VARCHAR, p VARCHAR, i BIGINT, v VARCHAR, t VARCHAR)[]",
    vectorized=True,
)
def _flatten_tree(texts: pa.Array, paths: pa.Array, modes: pa.Array, outers: pa.Array) -> pa.Array:
    """Items of FLATTEN(RECURSIVE => TRUE): each item is followed by its own items."""
    columns = (texts.to_pylist(), paths.to_pylist(), modes.to_pylist(), outers.to_pylist())
    return pa.array([_tree(*row) for row in zip(*columns, strict=True)], _TREE)


def _tree(text: str | None, path: str, mode: str, outer: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    plain = text is None or variant.is_plain(text)
    try:
        value = None if text is None else orjson.loads(text) if plain else variant.decode(text)
        if isinstance(value, list | dict):
            _descend(value, path, mode, rows, _dump if plain else variant.encode)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        raise RecursionError from error  # more levels than orjson takes
    if not rows and outer:
        scalar = None if value is None or isinstance(value, list | dict) else text
        rows.append({"k": None, "p": path, "i": None, "v": scalar, "t": text})
    return rows


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()


_SIMPLE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*\Z")


def _descend(value: Any, path: str, mode: str, rows: list[dict[str, Any]], encode: Callable[[Any], str]) -> None:
    if isinstance(value, list) and mode != "OBJECT":
        steps = [(None, index, f"{path}[{index}]", item) for index, item in enumerate(value)]
    elif isinstance(value, dict) and mode != "ARRAY":
        steps = [(key, None, _joined(path, key), item) for key, item in value.items()]  # type: ignore[misc]
    else:
        return
    this = encode(value)
    for key, index, step_path, item in steps:
        content = None if item is variant.UNDEFINED else encode(item)
        rows.append({"k": key, "p": step_path, "i": index, "v": content, "t": this})
        _descend(item, step_path, mode, rows, encode)


def _joined(path: str, key: str) -> str:
    if _SIMPLE_KEY.match(key):
        return f"{path}.{key}" if path else key
    quoted = json.dumps(key, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"{path}['{quoted}']"


# --- strings ----------------------------------------------------------------------------------------------------------


def _parts(items: str) -> Source:
    return Expansion(
        f"list_transform({items}, lambda part, i: {{'i': i, 'v': part}})",
        "NULL",
        [
            ("SEQ", INTEGER, False, f"CAST({ROW} AS DECIMAL(38,0))"),
            ("INDEX", INTEGER, False, f"CAST({ITEM}.i AS DECIMAL(38,0))"),
            ("VALUE", VARCHAR, True, f"{ITEM}.v"),
        ],
    ).source()


def _texts(call: Call, least: int) -> list[Expr]:
    if not least <= len(call.nodes) <= 2:
        raise compilation_error(
            938,
            "22023",
            f"wrong number of arguments for function [{call.name}], expected 2, got {len(call.nodes)}",
            call.position,
        )
    return [call.arg(index, VARCHAR) for index in range(len(call.nodes))]


@table_function("SPLIT_TO_TABLE")
def split_to_table(call: Call) -> Source:
    text, separator = _texts(call, 2)
    if separator.constant:
        return _parts(f"string_split({text.sql}, {separator.sql})")
    return _parts(once(lambda t, s: f"CASE WHEN {s} = '' THEN [{t}] ELSE string_split({t}, {s}) END", text, separator))


@table_function("STRTOK_SPLIT_TO_TABLE")
def strtok_split_to_table(call: Call) -> Source:
    text, *rest = _texts(call, 1)
    return _parts(once(tokens, text, rest[0] if rest else "' '"))


# --- rows out of nothing, rows of the past ----------------------------------------------------------------------------


@table_function("GENERATOR")
def generator(call: Call) -> Source:
    """Rows without columns; the hidden column counts them for SEQ4 and its kin.

    TIMELIMIT alone means as many rows as that many seconds allow: here a million a second, whatever the machine.
    """
    node = argument(call, "ROWCOUNT", 0)
    hidden = [SourceColumn("$ROW", INTEGER, False, "row")]
    if node is None:
        seconds = _constant(call, "TIMELIMIT", 1, 0)
        rows_made = int(seconds) * _ROWS_A_SECOND if isinstance(seconds, int) and seconds > 0 else 0
        return Source(f"(SELECT range AS {quote('row')} FROM range({rows_made}))", [], hidden)
    rows = casts.coerce(call.binder.expression(node), INTEGER, call.context)
    if rows is None or not rows.is_constant or (rows.constant is not None and int(rows.constant) < 0):
        raise compilation_error(
            1015,
            "22023",
            f"Invalid ROWCOUNT of GENERATOR: '{node.sql('snowflake')}' must be a constant that is not negative.",
            call.position,
        )
    return Source(f"(SELECT range AS {quote('row')} FROM range({int(rows.constant or 0)}))", [], hidden)


@table_function("RESULT_SCAN")
def result_scan(call: Call) -> Source:
    """The rows of an earlier statement of this account, by query id or LAST_QUERY_ID(n)."""
    if len(call.nodes) != 1:
        raise compilation_error(
            938,
            "22023",
            f"wrong number of arguments for function [RESULT_SCAN], expected 1, got {len(call.nodes)}",
            call.position,
        )
    query_id = _query_id(call)
    if call.binder.results is None:
        raise unsupported("RESULT_SCAN here")
    result = call.binder.results.result(query_id)
    table = result.data if isinstance(result.data, pa.Table) else result.data.read_all()
    columns = source_columns(result.columns)
    relation = call.binder.add_input(table.rename_columns([column.stored_as for column in columns]))
    return Source(relation, columns)


def _query_id(call: Call) -> str:
    bound = call.arg(0)
    if isinstance(bound.constant, str):
        return bound.constant
    node = call.nodes[0]
    if isinstance(node, exp.Anonymous) and str(node.this).upper() == "LAST_QUERY_ID":
        return last_query_id(
            call, int(call.binder.expression(node.expressions[0]).constant) if node.expressions else -1
        )
    raise compilation_error(
        1015,
        "42601",
        f"argument 1 to function RESULT_SCAN needs to be constant, found '{node.sql('snowflake')}'",
        call.position,
    )


def last_query_id(call: Call, number: int) -> str:
    """The id of the session's statement counted from its first (1) or its last (-1).

    Raises:
        SnowflakeError: if the session has no such statement.
    """
    ids = call.context.last_query_ids
    position = number - 1 if number > 0 else len(ids) + number
    if number == 0 or not 0 <= position < len(ids):
        raise compilation_error(709, "02000", f"Statement {number} of this session not found", call.position)
    return ids[position]
