"""ARRAY_* and ARRAYS_* (SPLIT and STRTOK_TO_ARRAY are with the strings).

Items are compared as texts of their canonical form. NULL items are ``undefined``, JSON null is an item of its own.

Sources: docs.snowflake.com/en/sql-reference/functions-semistructured (array functions).
"""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from polynya.dialect import casts, semistructured
from polynya.dialect.engine_functions import MACROS, python_function
from polynya.dialect.expression import Expr, derive, once
from polynya.dialect.functions.semistructured import as_variant
from polynya.dialect.registry import Call, scalar
from polynya.dialect.semistructured import NULL_VALUE, UNDEFINED, item_sql
from polynya.errors import compilation_error, unsupported
from polynya.storage.errors import raise_sql
from polynya.types.sqltype import ARRAY, BOOLEAN, INTEGER, OBJECT, VARCHAR, VARIANT, SqlType, number

_POSITION = number(9, 0)
_SIZE = number(9, 0)
_ABSENT = f"({UNDEFINED}, {NULL_VALUE})"
_FEW = 200  # items up to which quadratic expressions, which keep the order, are used
_MOST = 10_000_000  # items that an array may have
_SEAM = "chr(1) || chr(2) || chr(1)"  # stands for a separator that is not constant, as DuckDB wants
_TOO_LARGE = raise_sql(100145, "22000", "'Array size limit exceeded'")

MACROS += [
    # a key by which values of one kind are in Snowflake's order, and kinds apart
    """sf_sort_key(v) AS CASE WHEN v IS NOT NULL THEN {'r': CASE left(v::VARCHAR, 1) WHEN 'n' THEN 9 WHEN '{' THEN 6 WHEN '[' THEN 5 WHEN 't' THEN 3 WHEN 'f' THEN 3
            WHEN '"' THEN CASE WHEN NOT starts_with(v::VARCHAR, '"\\u0001') THEN 2 WHEN substr(v::VARCHAR, 8, 1) IN ('F', 'E') THEN 1
            ELSE 4 END ELSE 1 END,
        'n': TRY_CAST(sf_numeric_text(v) AS DOUBLE), 's': sf_string(v), 'v': v} END""",
    f"""sf_array_sort(l, direction, nulls) AS list_transform(list_sort(list_transform(list_filter(l, lambda e: e <> {UNDEFINED}),
        lambda e: sf_sort_key(e)), direction, nulls), lambda sf_z: sf_z.v)""",
    # how often an item occurs
    "sf_occurrences(l, x) AS len(list_filter(l, lambda e: e = x))",
    f"""sf_array_distinct(l) AS CASE WHEN len(l) <= {_FEW} THEN list_filter(l, lambda x, i: list_position(l, x) = i)
        ELSE list_distinct(l) END""",
    # items of bags: those of one that the other lacks, or has too; item by item while they are few
    f"""sf_array_except(l, m) AS CASE WHEN len(l) + len(m) > {_FEW} THEN sf_bags(l::VARCHAR[], m::VARCHAR[], FALSE)::JSON[]
        ELSE list_filter(l, lambda x, i: sf_occurrences(l[1:i], x) > sf_occurrences(m, x)) END""",
    f"""sf_array_intersection(l, m) AS CASE WHEN len(l) + len(m) > {_FEW} THEN sf_bags(l::VARCHAR[], m::VARCHAR[], TRUE)::JSON[]
        ELSE list_filter(l, lambda x, i: sf_occurrences(l[1:i], x) <= sf_occurrences(m, x)) END""",
    # position from 0, or from the end where negative, as a position from 0
    "sf_position(l, p) AS CASE WHEN p < 0 THEN len(l) + p ELSE p END",
    f"""sf_array_insert(l, p, item) AS CASE WHEN p IS NULL THEN NULL WHEN abs(p) > {_MOST} THEN {_TOO_LARGE}::JSON[]
        WHEN p > len(l) THEN list_concat(list_concat(l, list_transform(range(p::BIGINT - len(l)), lambda z: {UNDEFINED})), [item])
        WHEN p < -len(l) THEN list_concat([item], list_concat(list_transform(range(-p::BIGINT - len(l)), lambda z: {UNDEFINED}), l))
        ELSE list_concat(list_concat(l[1:sf_position(l, p)::BIGINT], [item]), l[sf_position(l, p)::BIGINT + 1:]) END""",
    """sf_array_slice(l, first, past) AS CASE WHEN first IS NULL OR past IS NULL THEN NULL
        WHEN sf_position(l, past) <= greatest(sf_position(l, first), 0) THEN l[1:0]
        ELSE l[greatest(sf_position(l, first), 0)::BIGINT + 1:sf_position(l, past)::BIGINT] END""",
    f"""sf_array_text(l, separator) AS CASE WHEN l IS NULL OR separator IS NULL THEN NULL WHEN len(l) = 0 THEN ''
        ELSE replace(array_to_string(list_transform(l, lambda e: CASE WHEN e IN {_ABSENT} THEN '' ELSE sf_item_text(e) END),
            {_SEAM}), {_SEAM}, separator) END""",
    """sf_item_text(e) AS CASE WHEN starts_with(e::VARCHAR, '"\\u0001') THEN sf_scalar_text(e::VARCHAR,
        'YYYY-MM-DD\nHH24:MI:SS\nYYYY-MM-DD HH24:MI:SS.FF3\nYYYY-MM-DD HH24:MI:SS.FF3 TZHTZM\nYYYY-MM-DD HH24:MI:SS.FF3 TZHTZM\nUTC')
        ELSE sf_string(e) END""",
]


@python_function("sf_bags", ["VARCHAR[]", "VARCHAR[]", "BOOLEAN"], "VARCHAR[]", vectorized=True)
def _bags(lists: pa.Array, others: pa.Array, common: pa.Array) -> pa.Array:
    """The items of lists that others lack, or have too, counting how often they occur."""

    def kept(items: list[str], other: list[str], both: bool) -> list[str]:
        left = Counter(other)
        result = []
        for item in items:
            found = left[item] > 0
            left[item] -= found
            if found == both:
                result.append(item)
        return result

    rows = zip(lists.to_pylist(), others.to_pylist(), common.to_pylist(), strict=True)
    return pa.array([None if row[0] is None or row[1] is None else kept(*row) for row in rows], pa.list_(pa.string()))


def _array(call: Call, index: int = 0) -> Expr:
    """An ARRAY argument; a VARIANT becomes one."""
    return call.arg(index, ARRAY)


def _item(call: Call, index: int, array: Expr) -> Expr:
    """An argument as a VARIANT item of an array, cast to the type of a structured array's items."""
    bound = call.arg(index)
    element = array.type.element
    if element is not None and bound.type.name != "VARIANT":
        converted = casts.coerce(bound, element, call.context)
        if converted is None:
            raise call.wrong_types()
        bound = converted
    return bound


def _rebuilt(items: str) -> str:
    """SQL of an array made from a list of items."""
    return f"to_json({items})"


def _transformed(call: Call, body: str, *more: Expr, kind: SqlType | None = None) -> Expr:
    """An array whose items are ``body``, in which ``{l}`` stands for the list of the first argument's items."""
    array = _array(call)
    sql = once(lambda items: _rebuilt(body.format(l=items)), f"sf_items({array.sql})")
    return derive(sql, kind or array.type, array, *more)


# --- construction -----------------------------------------------------------------------------------------------------


@scalar("ARRAY_CONSTRUCT", args=(0, None))
def array_construct(call: Call) -> Expr:
    return semistructured.array_of(call.args())


@scalar("ARRAY_CONSTRUCT_COMPACT", args=(0, None))
def array_construct_compact(call: Call) -> Expr:
    items = call.args()
    listed = ", ".join(semistructured.to_variant_sql(item) for item in items)
    kept = f"list_filter([{listed}]::JSON[], lambda e: e IS NOT NULL AND e <> {NULL_VALUE})"
    return derive(_rebuilt(kept), ARRAY, *items, nullable=False)


@scalar("ARRAY_GENERATE_RANGE", args=(2, 3))
def array_generate_range(call: Call) -> Expr:
    bounds = call.args(INTEGER)
    if bounds[-1].constant == 0 and len(bounds) == 3:
        raise compilation_error(100300, "22023", "Step in ARRAY_GENERATE_RANGE must not be 0.", call.position)

    def body(first: str, past: str, step: str) -> str:
        count = f"({past} - {first}) / {step}"
        return f"CASE WHEN {count} > {_MOST} THEN {_TOO_LARGE}::JSON ELSE to_json(range({first}, {past}, {step})) END"

    texts = [f"CAST({bound.sql} AS BIGINT)" for bound in bounds]
    return derive(once(body, *texts, *(["1"] if len(texts) == 2 else [])), ARRAY, *bounds)


# --- one array --------------------------------------------------------------------------------------------------------


@scalar("ARRAY_SIZE", args=1)
def array_size(call: Call) -> Expr:
    value = as_variant(call.arg(0))
    if value.type.name in ("OBJECT", "MAP"):
        raise call.wrong_types()

    def body(v: str) -> str:
        return f"CAST(CASE WHEN starts_with({v}::VARCHAR, '[') THEN json_array_length({v}) END AS DECIMAL(9,0))"

    return derive(once(body, value), _SIZE, value, nullable=True)


@scalar("ARRAY_APPEND", args=2)
def array_append(call: Call) -> Expr:
    array = _array(call)
    item = _item(call, 1, array)
    return derive(
        f"to_json(list_append(sf_items({array.sql}), {item_sql(item)}))",
        array.type,
        array,
        item,
        nullable=array.nullable,
    )


@scalar("ARRAY_PREPEND", args=2)
def array_prepend(call: Call) -> Expr:
    array = _array(call)
    item = _item(call, 1, array)
    return derive(
        f"to_json(list_prepend({item_sql(item)}, sf_items({array.sql})))",
        array.type,
        array,
        item,
        nullable=array.nullable,
    )


@scalar("ARRAY_INSERT", args=3)
def array_insert(call: Call) -> Expr:
    array, position = _array(call), call.arg(1, INTEGER)
    item = _item(call, 2, array)
    sql = once(
        lambda items, p, i: _rebuilt(f"sf_array_insert({items}, {p}, {i})"),
        f"sf_items({array.sql})",
        position.sql,
        item_sql(item),
    )
    return derive(sql, array.type, array, position, item)


@scalar("ARRAY_REMOVE", args=2)
def array_remove(call: Call) -> Expr:
    array = _array(call)
    item = as_variant(_item(call, 1, array))

    def body(items: str, x: str) -> str:
        return f"CASE WHEN {x} IS NOT NULL THEN {_rebuilt(f'list_filter({items}, lambda e: e <> {x})')} END"

    return derive(once(body, f"sf_items({array.sql})", item), array.type, array, item)


@scalar("ARRAY_REMOVE_AT", args=2)
def array_remove_at(call: Call) -> Expr:
    array, position = _array(call), call.arg(1, INTEGER)

    def body(items: str, p: str) -> str:
        kept = f"list_filter({items}, lambda e, i: i <> sf_position({items}, {p}) + 1)"
        return f"CASE WHEN {p} IS NOT NULL THEN {_rebuilt(kept)} END"

    return derive(once(body, f"sf_items({array.sql})", position), array.type, array, position)


@scalar("ARRAY_COMPACT", args=1)
def array_compact(call: Call) -> Expr:
    return _transformed(call, f"list_filter({{l}}, lambda e: e NOT IN {_ABSENT})")


@scalar("ARRAY_DISTINCT", args=1)
def array_distinct(call: Call) -> Expr:
    return _transformed(call, "sf_array_distinct({l})")


@scalar("ARRAY_REVERSE", args=1)
def array_reverse(call: Call) -> Expr:
    return _transformed(call, "list_reverse({l})")


@scalar("ARRAY_SLICE", args=3)
def array_slice(call: Call) -> Expr:
    first, past = call.arg(1, INTEGER), call.arg(2, INTEGER)
    return _transformed(call, f"sf_array_slice({{l}}, {first.sql}, {past.sql})", first, past)


@scalar("ARRAY_SORT", args=(1, 3))
def array_sort(call: Call) -> Expr:
    ascending = _flag(call, 1, True)
    nulls_first = _flag(call, 2, not ascending)
    direction = "'ASC', 'NULLS LAST'" if ascending else "'DESC', 'NULLS LAST'"
    ordered = f"sf_array_sort({{l}}, {direction})"
    absent = f"list_filter({{l}}, lambda e: e = {UNDEFINED})"
    return _transformed(
        call, f"list_concat({absent}, {ordered})" if nulls_first else f"list_concat({ordered}, {absent})"
    )


def _flag(call: Call, index: int, default: bool) -> bool:
    """A BOOLEAN argument that must be a constant here."""
    if index >= len(call):
        return default
    bound = call.arg(index, BOOLEAN)
    text = bound.sql.upper()
    if isinstance(bound.constant, bool):
        return bound.constant
    if text in ("TRUE", "FALSE", "CAST(TRUE AS BOOLEAN)", "CAST(FALSE AS BOOLEAN)"):
        return "TRUE" in text
    raise unsupported(f"{call.name} with an order that is not constant")


@scalar("ARRAY_MIN", "ARRAY_MAX", args=1)
def array_extreme(call: Call) -> Expr:
    array = _array(call)
    direction = "'ASC', 'NULLS LAST'" if call.name == "ARRAY_MIN" else "'DESC', 'NULLS LAST'"
    # JSON null counts only where there is nothing else
    present = f"list_filter({{l}}, lambda e: e <> {NULL_VALUE})"

    def body(items: str) -> str:
        ordered = f"sf_array_sort({present.format(l=items)}, {direction})[1]"
        return f"coalesce({ordered}, list_filter({items}, lambda e: e = {NULL_VALUE})[1])"

    found = derive(once(body, f"sf_items({array.sql})"), VARIANT, array, nullable=True)
    element = array.type.element
    if element is None:
        return found
    return derive(semistructured.structured_value_sql(found.sql, element), element, found, nullable=True)


_NOT_NESTED = raise_sql(
    100107, "22000", "'Not an array: ''Input argument to ARRAY_FLATTEN is not an array of arrays'''"
)


@scalar("ARRAY_FLATTEN", args=1)
def array_flatten(call: Call) -> Expr:
    array = _array(call)

    def body(items: str) -> str:
        inner = f"CASE WHEN starts_with(e::VARCHAR, '[') THEN sf_items(e) ELSE {_NOT_NESTED}::JSON[] END"
        return f"CASE WHEN NOT list_contains({items}, {UNDEFINED}) THEN to_json(flatten(list_transform({items}, lambda e: {inner}))) END"

    element = array.type.element
    kind = element if element is not None and element.name == "ARRAY" else ARRAY
    return derive(once(body, f"sf_items({array.sql})"), kind, array, nullable=True)


@scalar("ARRAY_TO_STRING", args=2)
def array_to_string(call: Call) -> Expr:
    array, separator = _array(call), call.arg(1, VARCHAR)
    sql = once(lambda items, s: f"sf_array_text({items}, {s})", f"sf_items({array.sql})", separator)
    return derive(sql, VARCHAR, array, separator)


# --- search -----------------------------------------------------------------------------------------------------------


@scalar("ARRAY_CONTAINS", args=2)
def array_contains(call: Call) -> Expr:
    array = _array(call, 1)
    value = as_variant(_item(call, 0, array))

    def body(x: str, items: str) -> str:
        return (
            f"CASE WHEN {x} IS NULL THEN CASE WHEN list_contains({items}, {UNDEFINED}) THEN TRUE END"
            f" ELSE list_contains({items}, {x}) END"
        )

    return derive(once(body, value, f"sf_items({array.sql})"), BOOLEAN, value, array)


@scalar("ARRAY_POSITION", args=2)
def array_position(call: Call) -> Expr:
    array = _array(call, 1)
    value = as_variant(_item(call, 0, array))
    position = f"list_position(sf_items({array.sql}), coalesce({value.sql}, {UNDEFINED}))"
    return derive(
        once(lambda p: f"CAST(nullif({p}, 0) - 1 AS DECIMAL(9,0))", position), _POSITION, value, array, nullable=True
    )


# --- two and more arrays ----------------------------------------------------------------------------------------------


def _common(left: Expr, right: Expr) -> SqlType:
    """The type of an array made of two: structured only if both are alike."""
    return left.type if left.type == right.type else ARRAY


@scalar("ARRAY_CAT", args=2)
def array_cat(call: Call) -> Expr:
    left, right = _array(call), _array(call, 1)

    def body(x: str, y: str) -> str:
        return (
            f"CASE WHEN {x} IS NOT NULL AND {y} IS NOT NULL THEN to_json(list_concat(sf_items({x}), sf_items({y}))) END"
        )

    return derive(once(body, left, right), _common(left, right), left, right)


@scalar("ARRAY_EXCEPT", "ARRAY_INTERSECTION", args=2)
def array_set_operation(call: Call) -> Expr:
    left, right = _array(call), _array(call, 1)
    function = "sf_array_except" if call.name == "ARRAY_EXCEPT" else "sf_array_intersection"

    def body(x: str, y: str) -> str:
        return f"CASE WHEN {x} IS NOT NULL AND {y} IS NOT NULL THEN to_json({function}({x}, {y})) END"

    return derive(once(body, f"sf_items({left.sql})", f"sf_items({right.sql})"), left.type, left, right)


@scalar("ARRAYS_OVERLAP", args=2)
def arrays_overlap(call: Call) -> Expr:
    left, right = _array(call), _array(call, 1)
    return derive(f"list_has_any(sf_items({left.sql}), sf_items({right.sql}))", BOOLEAN, left, right)


_UNEQUAL = raise_sql(100349, "22023", "'Arrays of keys and values must have the same number of elements'")


@scalar("ARRAYS_TO_OBJECT", args=2)
def arrays_to_object(call: Call) -> Expr:
    keys, values = _array(call), _array(call, 1)

    def body(k: str, v: str) -> str:
        pairs = f"list_transform(list_zip({k}, {v}), lambda z: {{'k': sf_string(z[1]), 'v': z[2]}})"
        kept = f"list_filter({pairs}, lambda sf_a: sf_a.k IS NOT NULL AND NOT starts_with(sf_a.k, chr(1)) AND sf_a.v <> {UNDEFINED})"
        return (
            f"CASE WHEN {k} IS NULL OR {v} IS NULL THEN NULL WHEN len({k}) <> len({v}) THEN {_UNEQUAL}::JSON"
            f" ELSE sf_distinct_object({kept}) END"
        )

    return derive(once(body, f"sf_items({keys.sql})", f"sf_items({values.sql})"), OBJECT, keys, values)


@scalar("ARRAYS_ZIP", args=(1, None))
def arrays_zip(call: Call) -> Expr:
    arrays = [_array(call, index) for index in range(len(call))]

    def body(*lists: str) -> str:
        missing = " OR ".join(f"{items} IS NULL" for items in lists)
        lengths = ", ".join(f"len({items})" for items in lists)
        fields = ", ".join(
            f"'${number}', CASE WHEN coalesce({items}[i], {UNDEFINED}) = {UNDEFINED} THEN {NULL_VALUE} ELSE {items}[i] END"
            for number, items in enumerate(lists, 1)
        )
        longest = f"greatest({lengths})" if len(lists) > 1 else lengths
        return f"CASE WHEN {missing} THEN NULL ELSE to_json(list_transform(range(1, {longest} + 1), lambda i: json_object({fields}))) END"

    return derive(once(body, *(f"sf_items({array.sql})" for array in arrays)), ARRAY, *arrays)
