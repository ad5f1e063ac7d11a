"""Tables from their parts: columns with engine names and identities, the physical table, rows from a query."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from polynya.catalog.model import ColumnDef, Sequence, Table
from polynya.catalog.versions import past_names
from polynya.dialect.binder import Binder, Scope
from polynya.dialect.environment import Environment
from polynya.dialect.expression import Expr
from polynya.dialect.parse import parse_expression
from polynya.dialect.query import BoundQuery
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error
from polynya.statements import dml, objects
from polynya.statements.base import Execution
from polynya.statements.column_definitions import ColumnText, Constraint, check_names
from polynya.statements.consuming import consuming
from polynya.statements.objects import Create, Place
from polynya.storage.tables import create_table_sql, quote, storage_type, stored_column_names, stored_table_name
from polynya.types.resultset import Column
from polynya.types.sqltype import VARCHAR


def table_kind(create: Create, parent_transient: bool = False) -> str:
    """TABLE, TRANSIENT or TEMPORARY, by the modifiers of CREATE; tables of transient schemas are transient."""
    if create.temporary:
        return "TEMPORARY"
    return "TRANSIENT" if create.transient or parent_transient else "TABLE"


def new_table(execution: Execution, create: Create, place: Place, columns: list[ColumnDef]) -> Table:
    """A table that is not in the catalog yet and has no physical table yet."""
    catalog = execution.context.catalog
    parent = catalog.by_id(place.parent)
    table = Table(
        id=catalog.new_id(), parent=place.parent, name=place.name, owner=objects.owner(execution), created_on=objects.now(),
        kind=table_kind(create, bool(getattr(parent, "transient", False))), columns=columns,
    )  # fmt: skip
    table.stored_as = stored_table_name(table.name, table.id, temporary=create.temporary)
    return table


def define_columns(execution: Execution, table: Table, texts: list[ColumnText]) -> list[ColumnDef]:
    """Columns as written, with engine names, checked defaults, and sequences behind identities.

    Args:
        execution: of the statement.
        table: to which they come; its own columns' engine names stay free of clashes.
        texts: with types.
    """
    catalog = execution.context.catalog
    taken = {column.stored_as for column in table.columns} | past_names(table)
    stored = stored_column_names([text.name for text in texts], taken)
    columns = []
    for text, stored_as in zip(texts, stored, strict=True):
        assert text.type is not None
        column = ColumnDef(
            text.name, text.type, stored_as, nullable=text.nullable, default=text.default, comment=text.comment,
            collation=text.collation, tags=dict(text.tags),
        )  # fmt: skip
        if text.default is not None:
            check_default(execution, column)
            column.sequence = sequence_of(execution, text.default)
        if text.identity is not None:
            identity = text.identity
            sequence = Sequence(
                id=catalog.new_id(), parent=table.id, name=text.name, owner=table.owner, created_on=table.created_on,
                start=identity.start, increment=identity.increment, next_value=identity.start,
                ordered=identity.ordered, temporary=table.kind == "TEMPORARY",
            )  # fmt: skip
            column.autoincrement = sequence.id
            if sequence.temporary:
                catalog.add_temporary(execution.context, sequence)
            else:
                catalog.add(sequence)
        columns.append(column)
    return columns


def check_default(execution: Execution, column: ColumnDef) -> Expr:
    """A default's value as it would be stored.

    Raises:
        SnowflakeError: if the text is no expression or its type does not fit the column.
    """
    env = Environment(execution.context)
    expr = Binder(env, Scope()).expression(parse_expression(column.default or "NULL"))
    return dml.assigned(expr, column, env)


def sequence_of(execution: Execution, default: str) -> int | None:
    """The id of the sequence whose next value a default is; None for any other default, and for a temporary sequence.

    Args:
        execution: of the statement that defines the column.
        default: SQL text, already checked.
    """
    if default.upper().rpartition(".")[2].strip() != "NEXTVAL":
        return None
    parts = TokenStream(default).name()[:-1]
    found = execution.context.catalog.find(execution.context, "SEQUENCE", parts) if parts else None
    return found.id if isinstance(found, Sequence) and not found.temporary else None


def set_constraints(table: Table, constraints: list[Constraint]) -> None:
    """Declares keys on a table.

    Raises:
        SnowflakeError: 000904 for a column it does not have; 002200 for a second primary key.
    """
    from polynya.errors import invalid_identifier

    by_name = {column.name: column for column in table.columns}
    for constraint in constraints:
        for name in constraint.columns:
            if name not in by_name:
                raise invalid_identifier(name)
        if constraint.type == "PRIMARY KEY":
            if any(column.primary_key for column in table.columns):
                raise compilation_error(2200, "42601", "primary key already exists")
            for name in constraint.columns:
                by_name[name].primary_key = True
                by_name[name].nullable = False
        elif constraint.type == "UNIQUE":
            for name in constraint.columns:
                by_name[name].unique = True
        table.options.setdefault("CONSTRAINTS", []).append(constraint.as_option())


def create_physical(execution: Execution, table: Table) -> None:
    """Makes the engine's table."""
    execution.connection.execute(create_table_sql(table.stored_as, table.columns))


def fill_from_query(execution: Execution, table: Table, bound: BoundQuery) -> int:
    """Makes the engine's table with a query's rows, each column cast as an INSERT would.

    Args:
        execution: of the statement.
        table: its columns fit the query's by position.
        bound: the query.

    Returns:
        how many rows.
    """
    env = Environment(execution.context, execution)
    items = []
    for column, found, stored_as in zip(table.columns, bound.columns, bound.stored_as, strict=True):
        source = Expr(f"q.{quote(stored_as)}", found.type, found.nullable)
        items.append(dml.assigned(source, column, env).sql)
    execution.use_warehouse()
    connection = execution.connection
    written = {column.name: origins for column, origins in zip(table.columns, bound.origins, strict=True)}
    execution.access.write(table, written, bound.reads)
    if table.kind == "TEMPORARY" and all(column.nullable for column in table.columns):
        names = [
            f"CAST({item} AS {storage_type(column.type, temporary=True)}) AS {quote(column.stored_as)}"
            for column, item in zip(table.columns, items, strict=True)
        ]
        query = f"SELECT {', '.join(names)} FROM ({bound.sql}) AS q"
        with consuming(execution, bound.reads):
            return connection.execute(f"CREATE TEMPORARY TABLE {table.stored_as} AS {query}", bound.inputs)
    # Two commits: while the table is made nobody else commits, and its rows may take long. The catalog does not have it yet.
    connection.execute(create_table_sql(table.stored_as, table.columns))
    try:
        select = f"SELECT {', '.join(items)} FROM ({bound.sql}) AS q"
        with consuming(execution, bound.reads):
            return connection.execute(f"INSERT INTO {table.stored_as} {select}", bound.inputs)
    except BaseException:
        connection.execute(f"DROP TABLE IF EXISTS {table.stored_as}")
        raise


def columns_of_query(columns: list[Column]) -> list[ColumnText]:
    """Columns for a table that takes a query's; a bare NULL becomes text.

    Raises:
        SnowflakeError: 002025 for a name that comes twice.
    """
    check_names([column.name for column in columns])
    return [ColumnText(column.name, VARCHAR if column.type.name == "NULL" else column.type) for column in columns]


def copy_columns(execution: Execution, source: Table, table: Table) -> list[ColumnDef]:
    """A table's columns for another one (LIKE, CLONE): with defaults, and with identities of its own."""
    catalog = execution.context.catalog
    columns = []
    for column in source.columns:
        copied = replace(column, tags=dict(column.tags))
        if column.autoincrement is not None:
            sequence = catalog.by_id(column.autoincrement)
            assert isinstance(sequence, Sequence)
            own = replace(
                sequence, id=catalog.new_id(), parent=table.id, temporary=table.kind == "TEMPORARY", options={}, tags={}
            )
            copied.autoincrement = own.id
            if own.temporary:
                catalog.add_temporary(execution.context, own)
            else:
                catalog.add(own)
        columns.append(copied)
    return columns


def copy_options(source: Table, table: Table) -> None:
    """Comment, keys and clustering of a table for another one."""
    table.comment = source.comment
    table.cluster_by = source.cluster_by
    table.options = _copied(source.options)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
