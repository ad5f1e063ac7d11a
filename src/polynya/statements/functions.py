"""CREATE FUNCTION: SQL functions. https://docs.snowflake.com/en/sql-reference/sql/create-function

What is written for other languages is read in the same way; making such a function is refused by its language's name.
"""

from __future__ import annotations

from typing import Any

from polynya.catalog.kinds import key_of
from polynya.catalog.model import Routine
from polynya.catalog.names import join_name
from polynya.dialect.query import bind_query
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error, unsupported
from polynya.statements import objects
from polynya.statements.base import Execution, statement
from polynya.statements.column_definitions import read_column_type, read_expression
from polynya.statements.drop import find_routine, read_signature
from polynya.types.resultset import ResultSet, status
from polynya.types.sqltype import SqlType


@statement("CREATE FUNCTION")
def create_function(execution: Execution, stream: TokenStream) -> ResultSet:
    create = objects.read_create(stream, "FUNCTION")
    if create.or_alter:
        raise unsupported("CREATE OR ALTER FUNCTION")
    parts = stream.name()
    objects.accept_if_not_exists(stream, create)
    place = objects.place_of(execution, "FUNCTION", parts)
    routine = Routine(
        id=execution.context.catalog.new_id(), parent=place.parent, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(), temporary=create.temporary,
    )  # fmt: skip
    if create.secure:
        routine.options["SECURE"] = True
    read_routine(execution, stream, routine)
    if routine.language != "SQL":
        raise unsupported(f"CREATE FUNCTION ... LANGUAGE {routine.language}")
    if "STRICT" in routine.options:
        raise unsupported("RETURNS NULL ON NULL INPUT of SQL functions")
    existing = objects.look(execution, create, "FUNCTION", place, routine.signature)
    if existing.keep is not None:
        return existing.keep
    _check_body(execution, routine)
    objects.put(execution, routine, existing.replaced)
    return status(f"Function {routine.name} successfully created.")


@statement("CREATE PROCEDURE")
def create_procedure(execution: Execution, stream: TokenStream) -> ResultSet:
    del execution
    create = objects.read_create(stream, "PROCEDURE")
    raise unsupported("SCOPED_TEMPORARY" if create.scoped else "CREATE PROCEDURE")


def read_routine(execution: Execution, stream: TokenStream, routine: Routine) -> None:
    """Reads a function's or procedure's arguments, result, properties and body."""
    routine.arguments = _read_arguments(execution, stream)
    stream.accept("COPY", "GRANTS")
    stream.expect("RETURNS")
    if stream.at("TABLE", "("):
        stream.next()
        routine.returns_table = _read_columns(execution, stream)
    else:
        routine.returns = read_column_type(execution, stream)
    while not (stream.done or stream.at("AS") or stream.at_string()):
        _read_property(stream, routine)
    # AS may be left out, and so may the body: such a function exists, but cannot be called.
    stream.accept("AS")
    if not stream.done:
        routine.body = stream.string() if stream.at_string() else _rest(stream)
    stream.expect_end()


def _rest(stream: TokenStream) -> str:
    """A body without quotes (a scripting block)."""
    text = stream.rest()
    stream.index = len(stream.tokens)
    return text


def _read_arguments(execution: Execution, stream: TokenStream) -> list[tuple[str, SqlType, str | None]]:
    """``(name type [DEFAULT value], ...)``."""
    stream.expect("(")
    arguments: list[tuple[str, SqlType, str | None]] = []
    while not stream.accept(")"):
        stream.accept_one("IN", "INPUT")
        name = stream.identifier()
        kind = read_column_type(execution, stream)
        default = read_expression(stream) if stream.accept("DEFAULT") else None
        if default is None and arguments and arguments[-1][2] is not None:
            raise compilation_error(1003, "42000", f"argument {name} without a default stands after one with a default")
        if any(name == other for other, _, _ in arguments):
            raise compilation_error(2025, "42S21", f"duplicate argument name '{name}'")
        arguments.append((name, kind, default))
        if not stream.at(")"):
            stream.expect(",")
    return arguments


def _read_columns(execution: Execution, stream: TokenStream) -> list[tuple[str, SqlType]]:
    """The columns of RETURNS TABLE (...); none for a procedure whose result says them."""
    stream.expect("(")
    columns = []
    while not stream.accept(")"):
        columns.append((stream.identifier(), read_column_type(execution, stream)))
        if not stream.at(")"):
            stream.expect(",")
    return columns


def _read_property(stream: TokenStream, routine: Routine) -> None:
    options = routine.options
    if stream.accept("LANGUAGE"):
        routine.language = stream.word()
    elif stream.accept("NOT", "NULL"):
        options["NOT_NULL"] = True
    elif stream.accept("NULL"):
        pass
    elif stream.accept("CALLED", "ON", "NULL", "INPUT"):
        options["NULL_HANDLING"] = "CALLED ON NULL INPUT"
    elif stream.accept("RETURNS", "NULL", "ON", "NULL", "INPUT") or stream.accept("STRICT"):
        options["NULL_HANDLING"], options["STRICT"] = "RETURNS NULL ON NULL INPUT", True
    elif stream.at_one("VOLATILE", "IMMUTABLE"):
        options["VOLATILITY"] = stream.word()
    elif stream.accept("MEMOIZABLE"):
        options["MEMOIZABLE"] = True
    elif stream.accept("EXECUTE", "AS"):
        options["EXECUTE_AS"] = stream.word()
    elif stream.accept("COMMENT"):
        stream.accept("=")
        routine.comment = stream.string()
    else:
        before = stream.index
        found: dict[str, Any] = objects.read_properties(stream)
        if stream.index == before:
            raise stream.error()
        routine.comment = str(found.pop("COMMENT", routine.comment))
        options.update(found)


def _check_body(execution: Execution, routine: Routine) -> None:
    """Binds a call of the function, as if it were the session's own, to find errors in its body, if it has one.

    Raises:
        SnowflakeError: as a call would.
    """
    context, catalog = execution.context, execution.context.catalog
    schema = catalog.by_id(routine.parent)
    if not routine.body or schema is None:
        return
    place = (routine.parent, "FUNCTION", key_of(routine))
    hidden = context.temporary.get(place)
    context.temporary[place] = routine
    name = join_name([*catalog.path(schema), routine.name])
    arguments = ", ".join(f"CAST(NULL AS {sql_type})" for _, sql_type, _ in routine.arguments)
    call = f"{name}({arguments})"
    try:
        bind_query(f"SELECT * FROM TABLE({call})" if routine.returns_table is not None else f"SELECT {call}", context)
    finally:
        if hidden is None:
            del context.temporary[place]
        else:
            context.temporary[place] = hidden


@statement("ALTER FUNCTION", "ALTER PROCEDURE")
def alter_routine(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER")
    kind = stream.word()
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    routine = find_routine(execution, kind, parts, read_signature(execution, stream))
    if routine is None:
        if if_exists:
            return objects.done()
        full = catalog.qualify(context, parts)
        raise compilation_error(
            2003, "02000", f"{kind.capitalize()} '{join_name(full)}' does not exist or not authorized."
        )
    with objects.editing(execution, routine):
        _alter(execution, stream, routine)
    return objects.done()


def _alter(execution: Execution, stream: TokenStream, routine: Routine) -> None:
    if stream.accept("RENAME", "TO"):
        new_name = stream.name()
        stream.expect_end()
        objects.rename(execution, routine, new_name)
    elif stream.accept("SET", "SECURE"):
        routine.options["SECURE"] = True
    elif stream.accept("UNSET", "SECURE"):
        routine.options.pop("SECURE", None)
    elif stream.accept("SET", "TAG"):
        routine.tags.update(objects.read_tags(execution, stream))
    elif stream.accept("UNSET", "TAG"):
        for name in objects.read_tag_names(execution, stream):
            routine.tags.pop(name, None)
    elif stream.accept("EXECUTE", "AS"):
        routine.options["EXECUTE_AS"] = stream.word()
    elif stream.accept("SET"):
        objects.set_properties(routine, objects.read_properties(stream))
    elif stream.accept("UNSET"):
        objects.unset_properties(stream, routine)
    else:
        raise stream.error()
    stream.expect_end()
