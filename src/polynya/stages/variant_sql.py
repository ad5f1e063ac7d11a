"""Values of Parquet files as VARIANT: the engine's SQL from its own types to canonical JSON (``types.variant``)."""

from __future__ import annotations

import json

from duckdb.sqltypes import DuckDBPyType

from polynya.types.variant import ESCAPED_TAG

INTEGERS = {
    "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint",
}  # fmt: skip


def variant_sql(value: str, kind: DuckDBPyType, *, binary_as_text: bool = True, depth: int = 0) -> str:
    """SQL of a value as canonical JSON text; NULL stays NULL.

    Args:
        value: SQL that yields the value; it may be written several times.
        kind: its type.
        binary_as_text: BINARY_AS_TEXT of the file format.
        depth: of nesting, for the names of lambda parameters.
    """
    name = kind.id
    if name in INTEGERS:
        return f"CAST({value} AS VARCHAR)"
    match name:
        case "decimal":
            text = f"CAST({value} AS VARCHAR)"
            if decimal_digits(kind)[1] == 0:
                return text
            return f"CAST(sf_variant_decimal(rtrim(rtrim({text}, '0'), '.')) AS VARCHAR)"
        case "double" | "float":
            return _tagged("F", f"CAST(CAST({value} AS DOUBLE) + 0.0 AS VARCHAR)")
        case "boolean":
            return f"CAST({value} AS VARCHAR)"
        case "date":
            return _tagged("D", f"CAST({value} AS VARCHAR)")
        case "time" | "time_ns" | "time with time zone":
            return _tagged("T", f"CAST(CAST({value} AS TIME) AS VARCHAR)")
        case "timestamp" | "timestamp_s" | "timestamp_ms" | "timestamp_ns":
            return _tagged("N", f"CAST(CAST({value} AS TIMESTAMP) AS VARCHAR)")
        case "timestamp with time zone":
            return _tagged("L", f"CAST(({value}) AT TIME ZONE 'UTC' AS VARCHAR)")
        case "blob":
            if binary_as_text:
                return f"CAST(sf_variant_string(decode({value})) AS VARCHAR)"
            return _tagged("B", f"hex({value})")
        case "list" | "array":
            item = f"e{depth}"
            inner = variant_sql(item, child_types(kind)[0][1], binary_as_text=binary_as_text, depth=depth + 1)
            joined = (
                f"list_aggregate(list_transform({value}, lambda {item}: coalesce({inner}, 'null')), 'string_agg', ',')"
            )
            return f"CASE WHEN {value} IS NOT NULL THEN '[' || coalesce({joined}, '') || ']' END"
        case "struct":
            fields = [
                (field, f"struct_extract({value}, {_quoted(field)})", child) for field, child in child_types(kind)
            ]
            return f"CASE WHEN {value} IS NOT NULL THEN {object_sql(fields, binary_as_text, depth)} END"
        case "map":
            item = f"e{depth}"
            inner = variant_sql(
                f"{item}.value", child_types(kind)[1][1], binary_as_text=binary_as_text, depth=depth + 1
            )
            pairs = f"list_sort(map_entries({value}))"
            members = f"lambda {item}: CAST(to_json(CAST({item}.key AS VARCHAR)) AS VARCHAR) || ':' || coalesce({inner}, 'null')"
            joined = f"list_aggregate(list_transform({pairs}, {members}), 'string_agg', ',')"
            return f"CASE WHEN {value} IS NOT NULL THEN '{{' || coalesce({joined}, '') || '}}' END"
    return f"CAST(sf_variant_string(CAST({value} AS VARCHAR)) AS VARCHAR)"


def object_sql(fields: list[tuple[str, str, DuckDBPyType]], binary_as_text: bool = True, depth: int = 0) -> str:
    """SQL of an object as canonical JSON text; attributes that are NULL are left out.

    Args:
        fields: (name, SQL of the value, type).
        binary_as_text: BINARY_AS_TEXT of the file format.
        depth: of nesting.
    """
    members = []
    for name, value, kind in sorted(fields, key=lambda field: field[0].encode()):
        key = _quoted(json.dumps(name, ensure_ascii=False) + ":")
        members.append(f"{key} || {variant_sql(value, kind, binary_as_text=binary_as_text, depth=depth)}")
    return f"'{{' || concat_ws(',', {', '.join(members)}) || '}}'" if members else "'{}'"


def child_types(kind: DuckDBPyType) -> list[tuple[str, DuckDBPyType]]:
    """The names and types inside a list, struct or map."""
    return [(name, child) for name, child in kind.children if isinstance(child, DuckDBPyType)]


def decimal_digits(kind: DuckDBPyType) -> tuple[int, int]:
    """Precision and scale of a decimal."""
    found = dict(kind.children)
    return int(str(found["precision"])), int(str(found["scale"]))


def _tagged(kind: str, text: str) -> str:
    return f"('\"{ESCAPED_TAG}{kind}' || {text} || '\"')"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
