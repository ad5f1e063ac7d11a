"""ALTER TABLE. https://docs.snowflake.com/en/sql-reference/sql/alter-table"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from polynya.catalog.model import ColumnDef, Sequence, Table
from polynya.catalog.policies import check_unused
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error, invalid_identifier
from polynya.statements import objects, policy_clauses, table_change, tagging
from polynya.statements.base import Execution, statement
from polynya.statements.column_definitions import (
    Constraint,
    read_column,
    read_column_type,
    read_constraint,
    read_expression,
)
from polynya.statements.dynamic_tables import alter_dynamic_table
from polynya.statements.table_build import check_default, sequence_of, set_constraints
from polynya.statements.tables import read_cluster_by
from polynya.types.resultset import ResultSet


@statement("ALTER TABLE", "ALTER DYNAMIC TABLE")
def alter_table(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER")
    wanted = "DYNAMIC TABLE" if stream.accept("DYNAMIC") else "TABLE"
    stream.expect("TABLE")
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    if if_exists and catalog.find(context, "TABLE", parts) is None:
        return objects.done()
    table = catalog.get(context, "TABLE", parts, "Table")
    objects.check_type(table, wanted)
    with objects.editing(execution, table, _privilege(execution, stream, table)):
        if not (table.dynamic_query and alter_dynamic_table(execution, stream, table)):
            _alter(execution, stream, table)
    return objects.done()


def _privilege(execution: Execution, stream: TokenStream, table: Table) -> str | tuple[str, ...] | None:
    """What a change needs; None for one that asks itself."""
    if policy_clauses.is_policy_change(stream):
        return None
    if table.dynamic_query and stream.at_one("REFRESH", "SUSPEND", "RESUME"):
        return "OPERATE"
    return tagging.needed(execution, stream, "OWNERSHIP")


def _alter(execution: Execution, stream: TokenStream, table: Table) -> None:
    if stream.accept("RENAME", "TO"):
        new_name = stream.name()
        stream.expect_end()
        objects.rename(execution, table, new_name)
    elif stream.accept("RENAME", "COLUMN"):
        _rename_column(stream, table)
        stream.expect_end()
    elif stream.accept("RENAME", "CONSTRAINT"):
        old = stream.identifier()
        stream.expect("TO")
        _constraint(table, old)["name"] = stream.identifier()
        stream.expect_end()
    elif stream.accept("SWAP", "WITH"):
        _swap(execution, stream, table)
    elif policy_clauses.accept_row_access_change(execution, stream, table):
        pass
    elif stream.accept("ADD"):
        _add(execution, stream, table)
    elif stream.accept("DROP"):
        _drop(execution, stream, table)
    elif stream.accept_one("ALTER", "MODIFY"):
        _alter_columns(execution, stream, table)
    elif stream.accept("CLUSTER", "BY"):
        table.cluster_by = read_cluster_by(stream)
        stream.expect_end()
    elif stream.accept_one("SUSPEND RECLUSTER", "RESUME RECLUSTER"):
        stream.expect_end()
    else:
        _settings(execution, stream, table)


def _settings(execution: Execution, stream: TokenStream, table: Table) -> None:
    if tagging.accept_tag_change(execution, stream, table):
        pass
    elif stream.accept("SET"):
        objects.set_properties(table, objects.read_properties(stream))
    elif stream.accept("UNSET"):
        objects.unset_properties(stream, table)
    else:
        raise stream.error()
    stream.expect_end()


def find_column(table: Table, name: str) -> ColumnDef:
    """A table's column.

    Raises:
        SnowflakeError: 000904 if it has none of that name.
    """
    for column in table.columns:
        if column.name == name:
            return column
    raise invalid_identifier(name)


def _constraint(table: Table, name: str) -> dict:
    for constraint in table.options.get("CONSTRAINTS", []):
        if constraint["name"] == name:
            return constraint
    raise compilation_error(2003, "02000", f"Constraint '{name}' does not exist or not authorized.")


def _rename_column(stream: TokenStream, table: Table) -> None:
    if stream.accept("IF", "EXISTS"):
        pass
    column = find_column(table, stream.identifier())
    stream.expect("TO")
    name = stream.identifier()
    if any(other.name == name for other in table.columns):
        raise compilation_error(1415, "42711", f"column '{name}' already exists")
    for constraint in table.options.get("CONSTRAINTS", []):
        constraint["columns"] = [name if old == column.name else old for old in constraint["columns"]]
    column.name = name


def _swap(execution: Execution, stream: TokenStream, table: Table) -> None:
    """SWAP WITH: the two tables exchange names, in one step."""
    catalog, context = execution.context.catalog, execution.context
    other = catalog.get(context, "TABLE", stream.name(), "Table")
    objects.check_type(other, "TABLE")
    execution.require("OWNERSHIP", other)
    stream.expect_end()
    if (table.kind == "TEMPORARY") != (other.kind == "TEMPORARY"):
        raise compilation_error(2271, "0A000", "A temporary table cannot be swapped with a permanent one.")
    temporary = context.temporary
    if table.kind == "TEMPORARY":
        temporary.pop((table.parent, "TABLE", table.name))
        temporary.pop((other.parent, "TABLE", other.name))
    table.name, other.name = other.name, table.name
    table.parent, other.parent = other.parent, table.parent
    if table.kind == "TEMPORARY":
        for item in (table, other):
            temporary[item.parent, "TABLE", item.name] = item
    else:
        catalog.update(table, other)
        catalog.swap_in_grants("TABLE", catalog.grant_name(table), catalog.grant_name(other))


def _add(execution: Execution, stream: TokenStream, table: Table) -> None:
    if stream.at_one("CONSTRAINT", "PRIMARY KEY", "FOREIGN KEY") or stream.at("UNIQUE", "("):
        set_constraints(table, [read_constraint(execution, stream)])
        stream.expect_end()
        return
    if stream.accept("SEARCH", "OPTIMIZATION"):
        table.options["SEARCH_OPTIMIZATION"] = True
        if stream.accept("ON"):
            stream.index = len(stream.tokens)
        stream.expect_end()
        return
    stream.accept("COLUMN")
    texts = []
    constraints: list[Constraint] = []
    while True:
        keep = stream.accept("IF", "NOT", "EXISTS")
        text = read_column(execution, stream, constraints)
        if text.type is None:
            raise stream.error()
        if any(column.name == text.name for column in table.columns):
            if not keep:
                raise compilation_error(1415, "42711", f"column '{text.name}' already exists")
        else:
            texts.append(text)
        if not stream.accept(","):
            break
        stream.accept("COLUMN")
    stream.expect_end()
    if texts:
        table_change.add_columns(execution, table, texts)
        policy_clauses.attach_columns(execution, table, texts)
        set_constraints(table, constraints)


def _drop(execution: Execution, stream: TokenStream, table: Table) -> None:
    if stream.accept("CLUSTERING", "KEY"):
        table.cluster_by = ""
    elif stream.accept("SEARCH", "OPTIMIZATION"):
        table.options.pop("SEARCH_OPTIMIZATION", None)
        stream.index = len(stream.tokens)
    elif stream.accept("PRIMARY", "KEY"):
        _drop_keys(table, lambda constraint: constraint["type"] == "PRIMARY KEY")
    elif stream.accept("CONSTRAINT"):
        wanted = _constraint(table, stream.identifier())
        _drop_keys(table, lambda constraint: constraint is wanted)
    elif stream.at("UNIQUE", "(") or stream.at("FOREIGN", "KEY"):
        key = read_constraint(execution, stream)
        _drop_keys(table, lambda constraint: (constraint["type"], constraint["columns"]) == (key.type, key.columns))
    else:
        _drop_columns(execution, stream, table)
        return
    stream.accept_one("CASCADE", "RESTRICT")
    stream.expect_end()


def _drop_keys(table: Table, matches: object) -> None:
    constraints = table.options.get("CONSTRAINTS", [])
    kept = [constraint for constraint in constraints if not matches(constraint)]  # type: ignore[operator]
    table.options["CONSTRAINTS"] = kept
    for column in table.columns:
        keys = {constraint["type"] for constraint in kept if column.name in constraint["columns"]}
        column.primary_key = "PRIMARY KEY" in keys
        column.unique = "UNIQUE" in keys


def _drop_columns(execution: Execution, stream: TokenStream, table: Table) -> None:
    stream.accept("COLUMN")
    if_exists = stream.accept("IF", "EXISTS")
    names = [stream.identifier()]
    while stream.accept(","):
        stream.accept("COLUMN")
        names.append(stream.identifier())
    stream.expect_end()
    if if_exists:
        names = [name for name in names if any(column.name == name for column in table.columns)]
    columns = [find_column(table, name) for name in names]
    if len(columns) == len(table.columns):
        raise compilation_error(2262, "0A000", f"Cannot drop the only column of table '{table.name}'.")
    for column in columns:
        check_unused(table, column, "dropped")
    if columns:
        table_change.drop_columns(execution, table, columns)
        dropped = {column.name for column in columns}
        _drop_keys(table, lambda constraint: bool(dropped & set(constraint["columns"])))


def _alter_columns(execution: Execution, stream: TokenStream, table: Table) -> None:
    """All clauses are read before any of them changes rows."""
    changes: list[Callable[[], None]] = []
    parenthesis = stream.accept("(")
    while True:
        stream.accept("COLUMN")
        column = find_column(table, stream.identifier())
        change = _alter_column(execution, stream, table, column)
        if change is not None:
            changes.append(change)
        if not stream.accept(","):
            break
    if parenthesis:
        stream.expect(")")
    stream.expect_end()
    for change in changes:
        change()


def _alter_column(
    execution: Execution, stream: TokenStream, table: Table, column: ColumnDef
) -> Callable[[], None] | None:
    """Reads one clause; answers what is to be done to the rows, if anything."""
    if stream.accept("DROP", "DEFAULT"):
        column.default, column.autoincrement, column.sequence = None, None, None
    elif stream.accept("SET", "DEFAULT"):
        _set_default(execution, stream, column)
    elif stream.accept_one("SET NOT NULL", "NOT NULL"):
        return partial(table_change.set_not_null, execution, table, column)
    elif stream.accept_one("DROP NOT NULL", "NULL"):
        return partial(table_change.drop_not_null, execution, table, column)
    elif stream.accept("COMMENT"):
        column.comment = stream.string()
    elif stream.accept("UNSET", "COMMENT"):
        column.comment = None
    elif tagging.accept_tag_change(execution, stream, column):
        tagging.check_columns(execution, table)
    elif policy_clauses.accept_masking_change(execution, stream, table, column):
        pass
    elif stream.done:
        raise stream.error()
    else:
        stream.accept_one("SET DATA TYPE", "SET TYPE", "TYPE")
        kind = read_column_type(execution, stream)
        return partial(table_change.set_type, execution, table, column, kind)
    return None


def _set_default(execution: Execution, stream: TokenStream, column: ColumnDef) -> None:
    """Only a sequence can become a default later. https://docs.snowflake.com/en/sql-reference/sql/alter-table-column"""
    text = read_expression(stream)
    words = text.upper().split(".")
    found = None
    if words[-1].strip() == "NEXTVAL":
        parts = TokenStream(text).name()[:-1]
        found = execution.context.catalog.find(execution.context, "SEQUENCE", parts)
    if not isinstance(found, Sequence):
        raise compilation_error(
            2261,
            "0A000",
            f"Unsupported feature 'Alter Column Set Default' for {column.name}: only NEXTVAL of a sequence.",
        )
    column.default = text
    check_default(execution, column)
    column.sequence = sequence_of(execution, text)
