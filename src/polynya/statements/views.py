"""Views. https://docs.snowflake.com/en/sql-reference/sql/create-view"""

from __future__ import annotations

from dataclasses import replace

from polynya.catalog.model import ColumnDef, View
from polynya.dialect.query import bind_query
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error, invalid_identifier
from polynya.statements import objects, policy_clauses, tagging
from polynya.statements.base import Execution, statement
from polynya.statements.column_definitions import check_names
from polynya.statements.policy_clauses import Clause
from polynya.storage.tables import stored_column_names
from polynya.types.resultset import ResultSet, status
from polynya.types.sqltype import VARCHAR


@statement("CREATE VIEW")
def create_view(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    create = objects.read_create(stream, "VIEW")
    place = objects.place_of(execution, "TABLE", create.parts, "CREATE VIEW")
    existing = objects.look(execution, create, "TABLE", place)
    if existing.keep is not None:
        return existing.keep
    if existing.replaced is not None:
        objects.check_type(existing.replaced, "VIEW")
    view = View(
        id=catalog.new_id(), parent=place.parent, name=place.name, owner=objects.owner(execution), created_on=objects.now(),
        text=stream.text.strip().rstrip(";"), temporary=create.temporary, secure=create.secure,
    )  # fmt: skip
    policies: dict[str, Clause] = {}
    given = _read_columns(execution, stream, policies) if stream.at("(") else []
    copy_grants, row_access = _read_properties(execution, stream, view)
    stream.expect("AS")
    if not stream.at_one("SELECT", "WITH", "VALUES", "("):
        raise stream.error()
    view.query = stream.rest().strip().rstrip(";")
    # Names in the query mean the view's own database and schema, wherever it is used from.
    schema = catalog.by_id(place.parent)
    database = catalog.by_id(schema.parent) if schema else None
    assert schema is not None and database is not None
    inside = replace(context, database=database.name, schema=schema.name)
    bound = bind_query(view.query, inside, execution=execution)
    view.columns = _columns(given, bound.columns)
    for column in view.columns:
        if column.name in policies:
            policy_clauses.set_masking(execution, view, column, policies[column.name])
    if row_access is not None:
        policy_clauses.add_row_access(execution, view, row_access)
    objects.put(execution, view, existing.replaced, copy_grants=copy_grants)
    return status(f"View {view.name} successfully created.")


def _columns(given: list[ColumnDef], found: list) -> list[ColumnDef]:
    if given and len(given) != len(found):
        raise compilation_error(
            2037,
            "42601",
            f"Invalid column definition list: view declares {len(given)} columns, its query has {len(found)}.",
        )
    names = [column.name for column in given] or [column.name for column in found]
    check_names(names)
    stored = stored_column_names(names)
    columns = []
    for index, column in enumerate(found):
        kind = VARCHAR if column.type.name == "NULL" else column.type
        own = given[index] if given else None
        columns.append(
            ColumnDef(
                names[index], kind, stored[index], nullable=column.nullable,
                comment=own.comment if own else None, tags=own.tags if own else {},
            )
        )  # fmt: skip
    return columns


def _read_columns(execution: Execution, stream: TokenStream, policies: dict[str, Clause]) -> list[ColumnDef]:
    """``(name [MASKING POLICY p] [COMMENT 'text'] [TAG (...)], ...)``; masking policies go to ``policies``."""
    stream.expect("(")
    columns = []
    while True:
        column = ColumnDef(stream.identifier(), VARCHAR, "")
        while not (stream.at(",") or stream.at(")")):
            if stream.accept("COMMENT"):
                column.comment = stream.string()
            elif tagging.accept_tag_clause(execution, stream, column):
                pass
            elif clause := policy_clauses.read_masking(execution, stream):
                policies[column.name] = clause
            else:
                raise stream.error()
        columns.append(column)
        if stream.accept(")"):
            return columns
        stream.expect(",")


def _read_properties(execution: Execution, stream: TokenStream, view: View) -> tuple[bool, Clause | None]:
    """COMMENT, COPY GRANTS, tags before AS; whether grants are kept, and the row access policy."""
    copy_grants, row_access = False, None
    while not stream.at("AS"):
        if stream.accept("COPY", "GRANTS"):
            copy_grants = True
        elif stream.accept("COMMENT"):
            stream.accept("=")
            view.comment = stream.string()
        elif tagging.accept_tag_clause(execution, stream, view):
            pass
        elif stream.accept("CHANGE_TRACKING"):
            stream.expect("=")
            view.options["CHANGE_TRACKING"] = objects.read_value(stream)
        elif clause := policy_clauses.read_row_access(execution, stream):
            row_access = clause
        else:
            raise stream.error()
    return copy_grants, row_access


@statement("ALTER VIEW")
def alter_view(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER", "VIEW")
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    if if_exists and catalog.find(context, "TABLE", parts) is None:
        return objects.done()
    view = catalog.get(context, "TABLE", parts, "View")
    objects.check_type(view, "VIEW")
    asks = policy_clauses.is_policy_change(stream)
    with objects.editing(execution, view, None if asks else tagging.needed(execution, stream, "OWNERSHIP")):
        _alter(execution, stream, view)
    return objects.done()


def _alter(execution: Execution, stream: TokenStream, view: View) -> None:
    if stream.accept("RENAME", "TO"):
        new_name = stream.name()
        stream.expect_end()
        objects.rename(execution, view, new_name)
    elif policy_clauses.accept_row_access_change(execution, stream, view):
        pass
    elif stream.accept("SET", "SECURE"):
        view.secure = True
    elif stream.accept("UNSET", "SECURE"):
        view.secure = False
    elif tagging.accept_tag_change(execution, stream, view):
        pass
    elif stream.accept("SET"):
        objects.set_properties(view, objects.read_properties(stream))
    elif stream.accept("UNSET"):
        objects.unset_properties(stream, view)
    elif stream.accept_one("ALTER", "MODIFY"):
        _alter_column(execution, stream, view)
    else:
        raise stream.error()
    stream.expect_end()


def _alter_column(execution: Execution, stream: TokenStream, view: View) -> None:
    while True:
        stream.accept("COLUMN")
        name = stream.identifier()
        column = next((column for column in view.columns if column.name == name), None)
        if column is None:
            raise invalid_identifier(name)
        if stream.accept("COMMENT"):
            column.comment = stream.string()
        elif stream.accept("UNSET", "COMMENT"):
            column.comment = None
        elif tagging.accept_tag_change(execution, stream, column):
            tagging.check_columns(execution, view)
        elif policy_clauses.accept_masking_change(execution, stream, view, column):
            pass
        else:
            raise stream.error()
        if not stream.accept(","):
            return
