"""Tags in queries: SYSTEM$GET_TAG, SYSTEM$GET_TAG_ALLOWED_VALUES, TAG_REFERENCES and its kin.

Sources: docs.snowflake.com/en/sql-reference/functions/system_get_tag, .../system_get_tag_allowed_values,
.../tag_references, .../tag_references_all_columns, .../tag_references_with_lineage.
"""

from __future__ import annotations

import json

import pyarrow as pa

from polynya.catalog.context import Context
from polynya.catalog.kinds import is_temporary
from polynya.catalog.model import CatalogObject, ColumnDef, GenericObject
from polynya.catalog.rights import require
from polynya.catalog.tag_references import COLUMNS, column_rows, lineage_rows, reference_rows
from polynya.catalog.tags import allowed_values, effective_tags
from polynya.dialect.expression import Expr
from polynya.dialect.functions.context import text
from polynya.dialect.registry import Call, scalar
from polynya.dialect.scope import Source, source_columns
from polynya.dialect.table_functions import table_function
from polynya.dialect.tokens import TokenStream
from polynya.dialect.types import read_type
from polynya.errors import compilation_error, does_not_exist, invalid_value, unsupported
from polynya.types.arrow import arrow_type
from polynya.types.resultset import Column

_TABLES = ("TABLE", "VIEW", "DYNAMIC TABLE")
_DOMAINS = (
    "DATABASE", "SCHEMA", "STAGE", "SEQUENCE", "FILE FORMAT", "WAREHOUSE", "USER", "ROLE", "INTEGRATION", "SHARE",
    "NETWORK POLICY", "NETWORK RULE", "DATABASE ROLE", "COMPUTE POOL", "IMAGE REPOSITORY", "SECRET", "RESOURCE MONITOR",
    "TASK", "STREAM", "EVENT TABLE", "MASKING POLICY", "ROW ACCESS POLICY",
)  # fmt: skip


def find_object(context: Context, name: str, domain: str) -> tuple[CatalogObject | None, ColumnDef | None]:
    """What a function's arguments name: an object of a domain, or a column with its table; the account is None.

    Args:
        context: completes the name.
        name: as SQL writes it; a column is ``table.column``, a function has its argument types.
        domain: TABLE, COLUMN, DATABASE ...; case does not matter.

    Raises:
        SnowflakeError: 002003 if there is no such object, 000904 no such column, 001008 no such domain.
    """
    catalog = context.catalog
    domain = domain.upper().replace("_", " ")
    if domain == "ACCOUNT":
        return None, None
    stream = TokenStream(name)
    parts = stream.name()
    if domain in ("FUNCTION", "PROCEDURE"):
        return _routine(context, stream, domain, parts), None
    stream.expect_end()
    if domain == "COLUMN":
        item = catalog.get(context, "TABLE", parts[:-1])
        column = next((column for column in item.columns if column.name == parts[-1]), None)
        if column is None:
            raise does_not_exist("Column", name)
        return item, column
    if domain in _TABLES:
        return catalog.get(context, "TABLE", parts), None
    if domain not in _DOMAINS:
        raise invalid_value(f"Invalid value [{domain}] for an object's domain.")
    found = catalog.get(context, domain, parts)
    if found.id < 0:
        raise unsupported("tags of INFORMATION_SCHEMA")
    return found, None


def _routine(context: Context, stream: TokenStream, domain: str, parts: list[str]) -> CatalogObject:
    types = []
    if stream.accept("("):
        while not stream.accept(")"):
            types.append(read_type(stream, str(context.parameter("TIMESTAMP_TYPE_MAPPING"))).name)
            stream.accept(",")
    stream.expect_end()
    found = context.catalog.routine(context, domain, parts, types)
    if found is None:
        raise does_not_exist(domain.capitalize(), f"{'.'.join(parts)}({', '.join(types)})")
    return found


def _tag(call: Call, index: int) -> GenericObject:
    stream = TokenStream(_text(call, index))
    parts = stream.name()
    stream.expect_end()
    tag: GenericObject = call.context.catalog.get(call.context, "TAG", parts)
    return tag


def _text(call: Call, index: int) -> str:
    value = call.constant(index)
    if not isinstance(value, str) or not value:
        raise compilation_error(
            1015, "22023", f"argument {index + 1} to function {call.name} needs to be a string.", call.position
        )
    return value


@scalar("SYSTEM$GET_TAG", args=3)
def get_tag(call: Call) -> Expr:
    """The value of a tag for an object, inherited or its own; NULL if it has none."""
    tag = _tag(call, 0)
    item, column = find_object(call.context, _text(call, 1), _text(call, 2))
    for found in effective_tags(call.context.catalog, item, column):
        if found.tag is tag:
            return text(found.value)
    return text(None)


@scalar("SYSTEM$GET_TAG_ALLOWED_VALUES", args=1)
def get_tag_allowed_values(call: Call) -> Expr:
    """The values that a tag takes as a JSON array; NULL if any will do."""
    values = allowed_values(_tag(call, 0))
    return text(json.dumps(values, separators=(",", ":"), ensure_ascii=False) if values else None)


@scalar("SYSTEM$GET_TAG_ON_CURRENT_COLUMN", "SYSTEM$GET_TAG_ON_CURRENT_TABLE", args=1)
def get_tag_on_current(call: Call) -> Expr:
    """In a policy's body: the value of a tag for the column or table that it protects."""
    tag, target = _tag(call, 0), call.binder.env.policy_target
    if target is None:
        return text(None)
    item, column = target
    for found in effective_tags(call.context.catalog, item, column if call.name.endswith("COLUMN") else None):
        if found.tag is tag:
            return text(found.value)
    return text(None)


# --- table functions --------------------------------------------------------------------------------------------------


@table_function("TAG_REFERENCES")
def tag_references(call: Call) -> Source:
    """The tags of an object or column, inherited ones too."""
    _check_arguments(call, 2)
    item, column = find_object(call.context, _text(call, 0), _text(call, 1))
    return _source(call, reference_rows(call.context.catalog, item, column))


@table_function("TAG_REFERENCES_ALL_COLUMNS")
def tag_references_all_columns(call: Call) -> Source:
    """The tags of all columns of a table or view."""
    _check_arguments(call, 2)
    domain = _text(call, 1).upper()
    if domain not in _TABLES:
        raise invalid_value(f"Invalid value [{domain}] for the domain of TAG_REFERENCES_ALL_COLUMNS: only TABLE.")
    item, _ = find_object(call.context, _text(call, 0), domain)
    assert item is not None
    return _source(call, column_rows(call.context.catalog, item))


@table_function("SNOWFLAKE.ACCOUNT_USAGE.TAG_REFERENCES_WITH_LINEAGE")
def tag_references_with_lineage(call: Call) -> Source:
    """All that a tag holds for."""
    _check_arguments(call, 1)
    require(call.context, "USAGE", call.context.catalog.get(call.context, "DATABASE", ["SNOWFLAKE"]))
    tag = _tag(call, 0)
    own = [item for item in call.context.temporary.values() if is_temporary(item)]
    catalog = call.context.catalog
    found = [*lineage_rows(catalog, tag)]
    for item in own:
        rows = [*reference_rows(catalog, item), *column_rows(catalog, item)]
        found += [row for row in rows if row[:3] == tuple(catalog.path(tag))]
    return _source(call, found)


def _check_arguments(call: Call, count: int) -> None:
    if len(call.nodes) != count or call.named:
        raise compilation_error(
            938 if len(call.nodes) < count else 939,
            "22023",
            f"{'not enough' if len(call.nodes) < count else 'too many'} arguments for function [{call.name}], "
            f"expected {count}, got {len(call.nodes) + len(call.named)}",
            call.position,
        )


def _source(call: Call, found: list[tuple]) -> Source:
    """Rows of references as a relation."""
    columns = [Column(name, kind) for name, kind in COLUMNS]
    own = source_columns(columns)
    arrays = [pa.array([row[index] for row in found], arrow_type(c.type)) for index, c in enumerate(columns)]
    relation = call.binder.add_input(pa.Table.from_arrays(arrays, names=[column.stored_as for column in own]))
    return Source(f"(SELECT * FROM {relation})", own)


__all__ = ["find_object"]
