"""MAP_*: functions of MAP(K, V), whose values are objects with the keys as text.

Source: docs.snowflake.com/en/sql-reference/functions-semistructured (map functions).
"""

from __future__ import annotations

from polynya.dialect import casts
from polynya.dialect.expression import Expr, derive, once
from polynya.dialect.functions.semistructured import as_variant, container
from polynya.dialect.registry import Call, scalar
from polynya.dialect.semistructured import NULL_VALUE
from polynya.types.sqltype import BOOLEAN, VARCHAR, VARIANT, SqlType, number


def _map(call: Call, index: int = 0) -> Expr:
    return container(call, index, "MAP")


@scalar("MAP_KEYS", args=1)
def map_keys(call: Call) -> Expr:
    value = _map(call)
    items = f"list_transform(json_keys({value.sql}), lambda k: {_map_key('k', value.type)})"
    return derive(f"to_json({items})", SqlType("ARRAY", element=value.type.key), value)


def _map_key(text: str, kind: SqlType) -> str:
    """A map's key, a string in JSON, as an item of its own type."""
    return f"{text}::JSON" if kind.key is not None and kind.key.name == "NUMBER" else f"to_json({text})"


@scalar("MAP_SIZE", args=1)
def map_size(call: Call) -> Expr:
    value = _map(call)
    return derive(f"CAST(len(json_keys({value.sql})) AS DECIMAL(10,0))", number(10, 0), value)


@scalar("MAP_CONTAINS_KEY", args=2)
def map_contains_key(call: Call) -> Expr:
    key, value = _key_text(call, 0), _map(call, 1)
    return derive(f"list_contains(json_keys({value.sql}), {key.sql})", BOOLEAN, key, value)


def _key_text(call: Call, index: int) -> Expr:
    key = call.arg(index)
    return key if key.type.name == "VARCHAR" else derive(f"CAST({key.sql} AS VARCHAR)", VARCHAR, key)


@scalar("MAP_INSERT", args=(3, 4))
def map_insert(call: Call) -> Expr:
    value, key, item = _map(call), _key_text(call, 1), call.arg(2)
    element = value.type.element or VARIANT
    content = as_variant(casts.cast(item, element, call.context) if element != VARIANT else item)
    update = call.arg(3, BOOLEAN).sql if len(call) > 3 else "FALSE"
    sql = f"sf_object_insert({value.sql}, {key.sql}, coalesce({content.sql}, {NULL_VALUE}), {update})"
    return derive(sql, value.type, value, key, nullable=value.nullable or key.nullable)


@scalar("MAP_DELETE", args=(2, None))
def map_delete(call: Call) -> Expr:
    return _filter_map(call, "NOT ")


@scalar("MAP_PICK", args=(2, None))
def map_pick(call: Call) -> Expr:
    return _filter_map(call, "")


def _filter_map(call: Call, negation: str) -> Expr:
    value = _map(call)
    first = call.arg(1)
    if len(call) == 2 and first.type.name == "ARRAY":
        keys = [first]
        listed = f"list_transform(sf_items({first.sql}), lambda e: sf_string(e))"
    else:
        keys = [_key_text(call, index) for index in range(1, len(call))]
        listed = f"[{', '.join(key.sql for key in keys)}]"

    def body(v: str) -> str:
        condition = f"{negation}list_contains({listed}, sf_a.k)"
        return (
            f"CASE WHEN {v} IS NOT NULL THEN sf_object(list_filter(sf_attributes({v}), lambda sf_a: {condition})) END"
        )

    return derive(once(body, value), value.type, value, *keys)


@scalar("MAP_CAT", args=2)
def map_cat(call: Call) -> Expr:
    left, right = _map(call), _map(call, 1)

    def body(x: str, y: str) -> str:
        kept = f"list_filter(sf_attributes({x}), lambda sf_a: NOT list_contains(json_keys({y}), sf_a.k))"
        return (
            f"CASE WHEN {x} IS NOT NULL AND {y} IS NOT NULL THEN sf_object(list_concat({kept}, sf_attributes({y}))) END"
        )

    return derive(once(body, left, right), left.type, left, right)
