"""CREATE TABLE in its forms. https://docs.snowflake.com/en/sql-reference/sql/create-table"""

from __future__ import annotations

import json

from polynya.catalog.model import Table
from polynya.dialect.query import BoundQuery, bind_query
from polynya.dialect.tokens import TokenStream
from polynya.dialect.types import type_from_text
from polynya.errors import compilation_error
from polynya.statements import clone, objects, policy_clauses, table_build, tagging
from polynya.statements.base import Execution, statement
from polynya.statements.column_definitions import ColumnText, Constraint, read_column_list, read_expression
from polynya.statements.objects import Create, Place
from polynya.types.resultset import ResultSet, status
from polynya.types.sqltype import VARCHAR

# Where a new table keeps the clause of its row access policy until it has its columns.
_POLICY = "ROW ACCESS POLICY"
_QUERY = ("SELECT", "WITH", "VALUES", "(")


@statement("CREATE TABLE")
def create_table(execution: Execution, stream: TokenStream) -> ResultSet:
    create = objects.read_create(stream, "TABLE")
    place = objects.place_of(execution, "TABLE", create.parts)
    existing = objects.look(execution, create, "TABLE", place)
    if existing.keep is not None:
        return existing.keep
    if existing.replaced is not None:
        objects.check_type(existing.replaced, "TABLE")
    source: Table | None = None
    if stream.accept("LIKE"):
        table, source = _like(execution, stream, create, place)
    elif stream.accept("CLONE"):
        table, source = clone.clone_table(execution, stream, create, place)
    else:
        table = _from_columns(execution, stream, create, place)
    copy_grants = bool(table.options.pop("COPY GRANTS", False))
    objects.put(execution, table, existing.replaced, copy_grants=copy_grants)
    if copy_grants and existing.replaced is None and source is not None and table.kind != "TEMPORARY":
        objects.copy_grants(execution, source, table)
    return status(f"Table {table.name} successfully created.")


def _from_columns(execution: Execution, stream: TokenStream, create: Create, place: Place) -> Table:
    """Column list, properties, and AS query or USING TEMPLATE."""
    table = table_build.new_table(execution, create, place, [])
    texts: list[ColumnText] = []
    constraints: list[Constraint] = []
    if stream.accept("CLUSTER", "BY"):  # where GET_DDL writes it
        table.cluster_by = read_cluster_by(stream)
    if stream.at("("):
        texts, constraints = read_column_list(execution, stream)
    read_table_properties(execution, stream, table)
    if stream.accept("AS"):
        bound = read_query(execution, stream)
        table.columns = table_build.define_columns(execution, table, _typed(texts, bound))
        table_build.set_constraints(table, constraints)
        _attach(execution, table, texts)
        table_build.fill_from_query(execution, table, bound)
        return table
    if stream.accept("USING", "TEMPLATE"):
        texts = _template(execution, stream)
    if not texts:
        stream.expect_end()
        raise stream.error()
    for text in texts:
        if text.type is None:
            raise compilation_error(2022, "42601", f"Missing column specification: column {text.name} has no type.")
    read_table_properties(execution, stream, table)
    stream.expect_end()
    table.columns = table_build.define_columns(execution, table, texts)
    table_build.set_constraints(table, constraints)
    _attach(execution, table, texts)
    table_build.create_physical(execution, table)
    return table


def _attach(execution: Execution, table: Table, texts: list[ColumnText]) -> None:
    """Puts on a new table the policies that its statement names."""
    policy_clauses.attach_columns(execution, table, texts)
    clause = table.options.pop(_POLICY, None)
    if clause is not None:
        policy_clauses.add_row_access(execution, table, clause)


def read_query(execution: Execution, stream: TokenStream) -> BoundQuery:
    """Binds the query that is the rest of the statement."""
    if not stream.at_one(*_QUERY):
        raise stream.error()
    bound = bind_query(stream.rest(), execution.context, execution=execution)
    stream.index = len(stream.tokens)
    return bound


def _typed(texts: list[ColumnText], bound: BoundQuery) -> list[ColumnText]:
    """The written columns, with the query's types where none is written."""
    found = bound.columns
    if not texts:
        return table_build.columns_of_query(found)
    if len(texts) != len(found):
        raise compilation_error(
            2020, "21S01", f"Invalid column definition list: {len(texts)} columns given for {len(found)} of the query."
        )
    for text, column in zip(texts, found, strict=True):
        if text.type is None:
            text.type = VARCHAR if column.type.name == "NULL" else column.type
    return texts


def read_table_properties(execution: Execution, stream: TokenStream, table: Table) -> None:
    """What may stand between the column list and AS: CLUSTER BY, COMMENT, COPY GRANTS, tags and settings."""
    while not stream.done:
        if stream.accept("CLUSTER", "BY"):
            table.cluster_by = read_cluster_by(stream)
        elif stream.accept("COPY", "GRANTS"):
            table.options["COPY GRANTS"] = True
        elif tagging.accept_tag_clause(execution, stream, table):
            pass
        elif clause := policy_clauses.read_row_access(execution, stream):
            table.options[_POLICY] = clause
        elif stream.accept("COMMENT") and not stream.at("="):
            table.comment = stream.string()
        elif stream.at("="):
            stream.next()
            table.comment = str(objects.read_value(stream))
        else:
            before = stream.index
            objects.set_properties(table, objects.read_properties(stream))
            if stream.index == before:
                return


def read_cluster_by(stream: TokenStream) -> str:
    """The key's text, as SHOW TABLES prints it: ``LINEAR(A, B)``."""
    stream.accept("LINEAR")
    stream.expect("(")
    items = [read_expression(stream, ())]
    while stream.accept(","):
        items.append(read_expression(stream, ()))
    stream.expect(")")
    return f"LINEAR({', '.join(items)})"


def _like(execution: Execution, stream: TokenStream, create: Create, place: Place) -> tuple[Table, Table]:
    """LIKE: a table with another one's columns, without its rows; and that one."""
    catalog, context = execution.context.catalog, execution.context
    source: Table = catalog.get(context, "TABLE", stream.name())
    execution.require("SELECT", source)
    objects.check_type(source, "TABLE")
    table = table_build.new_table(execution, create, place, [])
    table.columns = table_build.copy_columns(execution, source, table)
    table_build.copy_options(source, table)
    table.comment, table.tags = "", dict(source.tags)
    read_table_properties(execution, stream, table)
    stream.expect_end()
    _attach(execution, table, [])
    table_build.create_physical(execution, table)
    return table, source


def _template(execution: Execution, stream: TokenStream) -> list[ColumnText]:
    """USING TEMPLATE (query): the query answers an array of INFER_SCHEMA's rows as objects."""
    start = stream.index
    stream.skip_parenthesis()
    bound = bind_query(stream.source(start, stream.index), execution.context, execution=execution)
    found = execution.connection.table(bound.sql, bound.inputs)
    if found.num_rows != 1 or found.num_columns != 1 or found.column(0)[0].as_py() is None:
        raise compilation_error(
            2015, "42601", "USING TEMPLATE needs a query that answers one array of column definitions."
        )
    items = json.loads(found.column(0)[0].as_py())
    texts = []
    for item in items if isinstance(items, list) else []:
        values = {key.upper(): value for key, value in item.items()}
        if "COLUMN_NAME" not in values or "TYPE" not in values:
            raise compilation_error(2015, "42601", "USING TEMPLATE: COLUMN_NAME and TYPE are needed for every column.")
        nullable = values.get("NULLABLE", True)
        texts.append(
            ColumnText(values["COLUMN_NAME"], type_from_text(values["TYPE"]), nullable not in (False, "false", "FALSE"))
        )
    return texts
