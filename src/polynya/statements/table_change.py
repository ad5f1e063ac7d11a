"""Changes of a stored table's columns that reach the engine."""

from __future__ import annotations

from polynya.catalog.model import ColumnDef, Table
from polynya.dialect import casts
from polynya.dialect.environment import Environment
from polynya.dialect.expression import Expr
from polynya.dialect.streams import TRACKING
from polynya.errors import compilation_error
from polynya.statements import dml, table_build
from polynya.statements.base import Execution
from polynya.statements.column_definitions import ColumnText
from polynya.statements.writing import make_writable
from polynya.storage.tables import create_table_sql, quote, storage_type, stored_table_name
from polynya.storage.temporary_past import past_name
from polynya.types.sqltype import SqlType


def add_columns(execution: Execution, table: Table, texts: list[ColumnText]) -> None:
    """Adds columns; existing rows get their defaults.

    Raises:
        SnowflakeError: for NOT NULL without a default in a table that has rows.
    """
    connection = execution.connection
    columns = table_build.define_columns(execution, table, texts)
    with connection.atomic():
        make_writable(execution, table)
        plain = all(column.default is None and column.autoincrement is None and column.nullable for column in columns)
        if plain:
            temporary = table.kind == "TEMPORARY"
            for column in columns:
                kind = storage_type(column.type, temporary=temporary)
                connection.execute(f"ALTER TABLE {table.stored_as} ADD COLUMN {quote(column.stored_as)} {kind}")
            table.columns += columns
            return
        env = Environment(execution.context, execution)
        values = {column.stored_as: dml.default_value(env, column).sql for column in columns}
        table.columns += columns
        if table.options.get(TRACKING) and table.kind != "TEMPORARY":
            _fill(execution, table, columns, values, env)
            return
        try:
            _rebuild(execution, table, values, env)
        except Exception:
            del table.columns[-len(columns) :]
            raise


def _fill(
    execution: Execution, table: Table, columns: list[ColumnDef], values: dict[str, str], env: Environment
) -> None:
    """Adds columns in place: rows whose changes are tracked keep their numbers in the lake.

    Args:
        execution: of the statement; inside ``atomic``.
        table: with the new columns.
        columns: the new ones.
        values: DuckDB expressions of their defaults, by engine name.
        env: with the inputs of these.
    """
    connection = execution.connection
    try:
        for column in columns:
            kind = storage_type(column.type)
            connection.execute(f"ALTER TABLE {table.stored_as} ADD COLUMN {quote(column.stored_as)} {kind}")
        sets = ", ".join(f"{quote(name)} = {value}" for name, value in values.items())
        connection.execute(f"UPDATE {table.stored_as} SET {sets}", env.inputs)
        for column in columns:
            if not column.nullable:
                name = quote(column.stored_as)
                connection.execute(f"ALTER TABLE {table.stored_as} ALTER COLUMN {name} SET NOT NULL")
    except Exception:
        del table.columns[-len(columns) :]
        raise


def drop_columns(execution: Execution, table: Table, columns: list[ColumnDef]) -> None:
    """Removes columns and their values."""
    connection = execution.connection
    with connection.atomic():
        make_writable(execution, table)
        for column in columns:
            connection.execute(f"ALTER TABLE {table.stored_as} DROP COLUMN {quote(column.stored_as)}")
    table.columns = [column for column in table.columns if column not in columns]


def set_not_null(execution: Execution, table: Table, column: ColumnDef) -> None:
    """NOT NULL.

    Raises:
        SnowflakeError: 002295 if the column holds NULLs.
    """
    connection = execution.connection
    if not column.nullable:
        return
    with connection.atomic():
        make_writable(execution, table)
        found = connection.table(f"SELECT 1 FROM {table.stored_as} WHERE {quote(column.stored_as)} IS NULL LIMIT 1")
        if found.num_rows:
            raise compilation_error(
                2295, "23501", f"NULL values are in column '{column.name}': it cannot become NOT NULL."
            )
        connection.execute(f"ALTER TABLE {table.stored_as} ALTER COLUMN {quote(column.stored_as)} SET NOT NULL")
    column.nullable = False


def drop_not_null(execution: Execution, table: Table, column: ColumnDef) -> None:
    """NULL allowed."""
    if column.nullable:
        return
    with execution.connection.atomic():
        make_writable(execution, table)
        execution.connection.execute(
            f"ALTER TABLE {table.stored_as} ALTER COLUMN {quote(column.stored_as)} DROP NOT NULL"
        )
    column.nullable = True


def set_type(execution: Execution, table: Table, column: ColumnDef, kind: SqlType) -> None:
    """Another length or precision of the same type.

    https://docs.snowflake.com/en/sql-reference/sql/alter-table-column

    Raises:
        SnowflakeError: 002108 for another type or scale; 100039, 100078 if a value does not fit.
    """
    old = column.type
    if kind == old:
        return
    if kind.name != old.name or kind.name not in ("NUMBER", "VARCHAR", "BINARY") or kind.scale != old.scale:
        raise compilation_error(
            2108, "22000", f"cannot change column {column.name} from type {old} to {kind} because the types differ."
        )
    if kind.name != "NUMBER" and kind.length < old.length:
        raise compilation_error(
            2108,
            "22000",
            f"cannot change column {column.name} from type {old} to {kind} because reducing the byte-length of a "
            f"{kind.name.lower()} is not supported.",
        )
    if kind.name == "NUMBER":
        with execution.connection.atomic():
            make_writable(execution, table)
            env = Environment(execution.context, execution)
            source = Expr(quote(column.stored_as), old, column.nullable)
            value = casts.assign(source, kind, execution.context).sql
            column.type = kind
            try:
                _rebuild(execution, table, {column.stored_as: value}, env)
            except Exception:
                column.type = old
                raise
    column.type = kind


def _rebuild(execution: Execution, table: Table, values: dict[str, str], env: Environment) -> None:
    """A new physical table with the table's columns and rows.

    Args:
        execution: of the statement; inside ``atomic``.
        table: its ``columns`` are the new ones.
        values: DuckDB expressions over the old rows, by engine name, for columns that are not simply kept.
        env: with the inputs of these.
    """
    connection = execution.connection
    temporary = table.kind == "TEMPORARY"
    stored_as = (
        past_name() if temporary else stored_table_name(table.name, execution.context.catalog.new_id(), temporary=False)
    )
    items = ", ".join(values.get(column.stored_as, quote(column.stored_as)) for column in table.columns)
    connection.execute(create_table_sql(stored_as, table.columns))
    connection.execute(f"INSERT INTO {stored_as} SELECT {items} FROM {table.stored_as}", env.inputs)
    if temporary:
        connection.replace_temporary(table.stored_as, stored_as)
        return
    # Others may be reading the old one still: it goes with the next clean-up.
    table.stored_as = stored_as
