"""CREATE FUNCTION. https://docs.snowflake.com/en/sql-reference/sql/create-function"""

from __future__ import annotations

from polynya.catalog.kinds import key_of
from polynya.catalog.model import Routine
from polynya.catalog.names import join_name
from polynya.dialect.query import bind_query
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error, unsupported
from polynya.statements import objects
from polynya.statements.base import Execution, statement
from polynya.statements.python_routines import check_python, check_sql, created_text
from polynya.statements.routine_properties import read_routine
from polynya.types.resultset import ResultSet, status


@statement("CREATE FUNCTION")
def create_function(execution: Execution, stream: TokenStream) -> ResultSet:
    create = objects.read_create(stream, "FUNCTION")
    place = objects.place_of(execution, "FUNCTION", create.parts)
    routine = Routine(
        id=execution.context.catalog.new_id(), parent=place.parent, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(), kind="AGGREGATE FUNCTION" if create.aggregate else "FUNCTION",
        temporary=create.temporary,
    )  # fmt: skip
    if create.secure:
        routine.options["SECURE"] = True
    copy_grants = read_routine(execution, stream, routine)
    _check_form(routine)
    existing = objects.look(execution, create, "FUNCTION", place, routine.signature)
    if existing.keep is not None:
        return existing.keep
    warnings: list[str] = []
    if routine.language == "PYTHON":
        warnings = check_python(execution, routine)
    else:
        check_sql(routine)
        _check_body(execution, routine)
    objects.put(execution, routine, existing.replaced, copy_grants=copy_grants)
    return status(created_text(routine, warnings))


def _check_form(routine: Routine) -> None:
    """Refuses what functions cannot be."""
    if routine.kind == "AGGREGATE FUNCTION" and routine.language != "PYTHON":
        raise unsupported(f"CREATE AGGREGATE FUNCTION ... LANGUAGE {routine.language}")
    if routine.kind == "AGGREGATE FUNCTION" and routine.returns_table is not None:
        raise compilation_error(1003, "42000", f"Aggregate function {routine.name} cannot return a table.")
    if routine.returns_table == []:
        raise compilation_error(1003, "42000", f"RETURNS TABLE of function {routine.name} has to name its columns.")
    if "EXECUTE_AS" in routine.options:
        raise compilation_error(1003, "42000", f"EXECUTE AS is for procedures; {routine.name} is a function.")


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
