"""CLONE: a new object that reads its origin's rows at a snapshot, without copying, until one side writes.

https://docs.snowflake.com/en/sql-reference/sql/create-clone
"""

from __future__ import annotations

from dataclasses import fields, replace

from polynya.catalog.model import CatalogObject, FileFormat, Routine, Schema, Sequence, Table, View
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error, unsupported
from polynya.statements import objects, table_build
from polynya.statements.base import Execution
from polynya.statements.objects import Create, Place
from polynya.storage.connection import Connection
from polynya.storage.tables import stored_table_name

# What else than tables a schema's clone takes along.
_COPIED = ("SEQUENCE", "FILE FORMAT", "FUNCTION", "PROCEDURE")


def clone_table(execution: Execution, stream: TokenStream, create: Create, place: Place) -> Table:
    """``CLONE source`` of CREATE TABLE, after the word CLONE; answers the new table, not yet in the catalog."""
    catalog, context = execution.context.catalog, execution.context
    source = catalog.get(context, "TABLE", stream.name())
    objects.check_type(source, "TABLE")
    if stream.at_one("AT", "BEFORE"):
        raise unsupported("CLONE with AT or BEFORE")
    copy_grants = stream.accept("COPY", "GRANTS")
    stream.expect_end()
    if source.kind == "TEMPORARY" and not create.temporary:
        raise compilation_error(
            2271, "0A000", "Temp table cannot be cloned to a permanent table; clone to a transient table instead"
        )
    table = clone_of(execution, source, create, place)
    if copy_grants:
        table.options["COPY GRANTS"] = True
    return table


def clone_of(execution: Execution, source: Table, create: Create, place: Place) -> Table:
    """A clone of a table for another place."""
    if source.kind == "TRANSIENT" and not create.temporary:
        create = replace(create, transient=True)
    table = table_build.new_table(execution, create, place, [])
    table.columns = table_build.copy_columns(execution, source, table)
    table_build.copy_options(source, table)
    table.options["CLONE OF"] = source.id
    if table.kind == "TEMPORARY":
        at = f" AT (VERSION => {source.snapshot})" if source.snapshot is not None else ""
        execution.connection.execute(
            f"CREATE TEMPORARY TABLE {table.stored_as} AS SELECT * FROM {source.stored_as}{at}"
        )
    else:
        table.stored_as = source.stored_as
        table.snapshot = source.snapshot if source.snapshot is not None else current_snapshot(execution.connection)
    return table


def clone_schema(execution: Execution, source: Schema, target: Schema) -> None:
    """Fills a new schema with clones of another one's tables and copies of its other objects."""
    catalog = execution.context.catalog
    for item in catalog.children(source.id, "TABLE"):
        place = Place(target.id, item.name, item.name)
        if isinstance(item, Table):
            catalog.add(clone_of(execution, item, Create(transient=item.kind == "TRANSIENT"), place))
        elif isinstance(item, View):
            catalog.add(_copied(execution, item, target))
    for kind in _COPIED:
        for item in catalog.children(source.id, kind):
            if isinstance(item, (Sequence, FileFormat, Routine)):
                catalog.add(_copied(execution, item, target))


def _copied(execution: Execution, item: CatalogObject, target: Schema) -> CatalogObject:
    values = {field.name: getattr(item, field.name) for field in fields(item)}
    values.update(id=execution.context.catalog.new_id(), parent=target.id, created_on=objects.now())
    return type(item)(**values)


def current_snapshot(connection: Connection) -> int:
    """The lake's newest snapshot."""
    return connection.sibling_table("SELECT id FROM lake.current_snapshot()").column(0)[0].as_py()


def own_rows(execution: Execution, table: Table) -> None:
    """Gives a clone that still reads its origin's snapshot rows of its own; outside the session's transaction, since
    it changes nothing that anyone sees.

    Args:
        execution: of the statement that is about to write.
        table: nothing is done for one that has its own rows.
    """
    if table.snapshot is None:
        return
    connection, catalog = execution.connection, execution.context.catalog
    connection.write_lock(f"clone {table.id}")
    if table.snapshot is None:  # another session was faster
        return
    stored_as = stored_table_name(table.name, catalog.new_id(), temporary=False)
    other = connection.sibling()
    try:
        other.write_lock(stored_as)
        other.execute(f"CREATE TABLE {stored_as} AS SELECT * FROM {table.stored_as} AT (VERSION => {table.snapshot})")
    finally:
        other.close()
    table.stored_as, table.snapshot = stored_as, None
    catalog.update(table)
