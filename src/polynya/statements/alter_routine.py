"""ALTER FUNCTION and ALTER PROCEDURE. https://docs.snowflake.com/en/sql-reference/sql/alter-function"""

from __future__ import annotations

from polynya.catalog.model import Routine
from polynya.catalog.names import join_name
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error
from polynya.statements import objects, tagging
from polynya.statements.base import Execution, statement
from polynya.statements.drop import read_signature
from polynya.statements.routine_properties import read_rights
from polynya.types.resultset import ResultSet


@statement("ALTER FUNCTION", "ALTER PROCEDURE")
def alter_routine(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER")
    kind = stream.word()
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    routine = catalog.routine(context, kind, parts, read_signature(execution, stream))
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
    elif tagging.accept_tag_change(execution, stream, routine):
        pass
    elif stream.accept("EXECUTE", "AS"):
        routine.options["EXECUTE_AS"] = read_rights(stream)
    elif stream.accept("SET"):
        objects.set_properties(routine, objects.read_properties(stream))
    elif stream.accept("UNSET"):
        objects.unset_properties(stream, routine)
    else:
        raise stream.error()
    stream.expect_end()
