"""CREATE PROCEDURE, and procedures that live for one CALL.

https://docs.snowflake.com/en/sql-reference/sql/create-procedure,
https://docs.snowflake.com/en/sql-reference/sql/call-with
"""

from __future__ import annotations

from polynya.catalog.model import Routine
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error, unsupported
from polynya.statements import objects
from polynya.statements.base import Execution, statement
from polynya.statements.python_routines import check_python, check_sql, created_text
from polynya.statements.routine_properties import read_routine
from polynya.statements.scripting.block import parsed
from polynya.types.resultset import ResultSet, status


@statement("CREATE PROCEDURE")
def create_procedure(execution: Execution, stream: TokenStream) -> ResultSet:
    create = objects.read_create(stream, "PROCEDURE")
    if create.scoped:
        raise unsupported("SCOPED_TEMPORARY")
    place = objects.place_of(execution, "PROCEDURE", create.parts)
    routine = Routine(
        id=execution.context.catalog.new_id(), parent=place.parent, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(), kind="PROCEDURE", temporary=create.temporary,
    )  # fmt: skip
    if create.secure:
        routine.options["SECURE"] = True
    copy_grants = read_routine(execution, stream, routine)
    existing = objects.look(execution, create, "PROCEDURE", place, routine.signature)
    if existing.keep is not None:
        return existing.keep
    warnings = _check(execution, routine)
    objects.put(execution, routine, existing.replaced, copy_grants=copy_grants)
    return status(created_text(routine, warnings))


def read_anonymous_procedure(execution: Execution, stream: TokenStream) -> Routine:
    """Reads ``WITH name AS PROCEDURE (...) RETURNS ... AS '...'``; the stream stands at CALL afterwards.

    Args:
        execution: of the statement.
        stream: at WITH.

    Returns:
        The procedure, checked, not stored: its parent is the current schema, or 0 without one. Its rights are the
        caller's.

    Raises:
        SnowflakeError: as CREATE PROCEDURE; 001003 if no CALL follows.
    """
    catalog, context = execution.context.catalog, execution.context
    stream.expect("WITH")
    name = stream.identifier()
    stream.expect("AS", "PROCEDURE")
    schema = None
    if context.database is not None and context.schema is not None:
        schema = catalog.find(context, "SCHEMA", [context.database, context.schema])
    routine = Routine(
        id=catalog.new_id(), parent=schema.id if schema is not None else 0, name=name, owner=objects.owner(execution),
        created_on=objects.now(), kind="PROCEDURE", temporary=True,
    )  # fmt: skip
    read_routine(execution, stream, routine, called=True)
    routine.options["EXECUTE_AS"] = "CALLER"
    _check(execution, routine)
    if not stream.at("CALL"):
        raise stream.error()
    return routine


def _check(execution: Execution, routine: Routine) -> list[str]:
    """Checks a procedure as Snowflake does when it is made; answers warnings."""
    routine.options.setdefault("EXECUTE_AS", "OWNER")
    if routine.language == "PYTHON":
        return check_python(execution, routine)
    check_sql(routine)
    if not routine.body.strip():
        raise compilation_error(1003, "42000", f"Procedure {routine.name} has no body.")
    parsed(execution, routine.body, [name for name, _, _ in routine.arguments])
    return []
