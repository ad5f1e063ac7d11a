"""Dynamic tables: a table filled from its query when it is made and at every ALTER ... REFRESH.

Nothing refreshes it on a schedule yet; SHOW says so (scheduling state SUSPENDED).
https://docs.snowflake.com/en/sql-reference/sql/create-dynamic-table
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from polynya.catalog.dynamic_queries import keep_names, names_of
from polynya.catalog.model import Table
from polynya.dialect.query import bind_query
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error, unsupported
from polynya.statements import clone, objects, table_build, tagging
from polynya.statements.base import Execution, statement
from polynya.statements.column_definitions import ColumnText, read_column_list
from polynya.statements.objects import Create, Place
from polynya.statements.tables import read_cluster_by, read_query
from polynya.storage.tables import stored_table_name
from polynya.types.resultset import ResultSet, status


@statement("CREATE DYNAMIC TABLE")
def create_dynamic_table(execution: Execution, stream: TokenStream) -> ResultSet:
    create = objects.read_create(stream, "DYNAMIC TABLE")
    place = objects.place_of(execution, "TABLE", create.parts, "CREATE DYNAMIC TABLE")
    existing = objects.look(execution, create, "TABLE", place)
    if existing.keep is not None:
        return existing.keep
    if existing.replaced is not None:
        objects.check_type(existing.replaced, "DYNAMIC TABLE")
    if stream.at("FROM"):
        raise unsupported("CREATE DYNAMIC TABLE ... FROM")
    if stream.accept("CLONE"):
        table, source = _clone(execution, stream, create, place)
        objects.put(execution, table, existing.replaced, copy_grants=source is not None)
        if source is not None and existing.replaced is None:
            objects.copy_grants(execution, source, table)
        return status(f"Dynamic table {table.name} successfully created.")
    texts: list[ColumnText] = read_column_list(execution, stream)[0] if stream.at("(") else []
    table = table_build.new_table(execution, create, place, [])
    options, cluster_by = _read_options(execution, stream, table)
    stream.expect("AS")
    query = stream.rest()
    bound = read_query(execution, stream)
    found = table_build.columns_of_query(bound.columns)
    if texts and len(texts) != len(found):
        raise compilation_error(2020, "21S01", "Invalid column definition list")
    for text, column in zip(texts, found, strict=bool(texts)):
        column.name, column.comment = text.name, text.comment
        column.type = text.type or column.type
    table.dynamic_query = query
    table.cluster_by = cluster_by
    objects.set_properties(table, options)
    keep_names(execution.context.catalog, table, execution.context.database, execution.context.schema)
    table.options["TEXT"] = stream.text
    table.options["DATA_TIMESTAMP"] = objects.now().isoformat()
    table.columns = table_build.define_columns(execution, table, found)
    if str(options.get("INITIALIZE", "ON_CREATE")).upper() == "ON_SCHEDULE":
        table_build.create_physical(execution, table)
    else:
        table_build.fill_from_query(execution, table, bound)
    objects.put(execution, table, existing.replaced)
    return status(f"Dynamic table {table.name} successfully created.")


def _clone(execution: Execution, stream: TokenStream, create: Create, place: Place) -> tuple[Table, Table | None]:
    """``source [AT | BEFORE (...)] [COPY GRANTS] [TARGET_LAG = ...] [WAREHOUSE = ...]``: the clone, suspended; and the source, if
    the statement says COPY GRANTS."""
    origin = clone.read_origin(execution, stream, "TABLE")
    source = origin.item
    objects.check_type(source, "DYNAMIC TABLE")
    assert isinstance(source, Table)
    catalog = execution.context.catalog
    table = clone.clone_of(execution, origin, source, create, place)
    table.dynamic_query, table.options["SUSPENDED"] = source.dynamic_query, True
    keep_names(catalog, table, *names_of(catalog, source))
    copied = stream.accept("COPY", "GRANTS")
    options = objects.read_properties(stream)
    stream.expect_end()
    for name in options:
        if name not in ("TARGET_LAG", "WAREHOUSE"):
            raise compilation_error(1420, "22023", f"invalid property '{name}' for 'DYNAMIC TABLE'")
    objects.set_properties(table, options)
    return table, source if copied else None


def _read_options(execution: Execution, stream: TokenStream, table: Table) -> tuple[dict[str, Any], str]:
    options: dict[str, Any] = {}
    cluster_by = ""
    while not stream.at("AS"):
        before = stream.index
        if stream.accept("CLUSTER", "BY"):
            cluster_by = read_cluster_by(stream)
        elif (
            stream.accept("COPY", "GRANTS")
            or stream.accept("REQUIRE", "USER")
            or tagging.accept_tag_clause(execution, stream, table)
        ):
            pass
        else:
            options.update(objects.read_properties(stream))
        if stream.index == before:
            raise stream.error()
    if "LAG" in options:  # the option's first name, which Snowpark still writes
        options.setdefault("TARGET_LAG", options.pop("LAG"))
    for name in ("TARGET_LAG", "WAREHOUSE"):
        if name not in options:
            raise compilation_error(2084, "42601", f"Missing option(s): [{name}]")
    return options, cluster_by


def alter_dynamic_table(execution: Execution, stream: TokenStream, table: Table) -> bool:
    """What only dynamic tables know: REFRESH, SUSPEND, RESUME; whether the statement was such a one."""
    if stream.accept("REFRESH"):
        stream.expect_end()
        refresh(execution, table)
        return True
    if stream.accept("SUSPEND"):
        table.options["SUSPENDED"] = True
    elif stream.accept("RESUME"):
        table.options.pop("SUSPENDED", None)
    else:
        return False
    stream.expect_end()
    return True


def refresh(execution: Execution, table: Table) -> None:
    """Fills a dynamic table anew; readers see the old rows until it is done."""
    database, schema = names_of(execution.context.catalog, table)
    # As its owner, whoever asks: what policies show to one role is not written down for another.
    context = replace(
        execution.context,
        database=database,
        schema=schema,
        role=table.owner or execution.context.role,
        secondary_roles="NONE",
    )
    bound = bind_query(table.dynamic_query, context, execution=execution)
    if len(bound.columns) != len(table.columns):
        raise compilation_error(2037, "42601", f"The query of dynamic table '{table.name}' has other columns now.")
    fresh = replace(table, stored_as=stored_table_name(table.name, context.catalog.new_id(), temporary=False))
    table_build.fill_from_query(execution, fresh, bound)
    table.stored_as, table.snapshot = fresh.stored_as, None
    table.options["DATA_TIMESTAMP"] = objects.now().isoformat()
