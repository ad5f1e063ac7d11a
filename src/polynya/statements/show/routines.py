"""SHOW FUNCTIONS and PROCEDURES. https://docs.snowflake.com/en/sql-reference/sql/show-functions"""

from __future__ import annotations

from polynya.catalog.model import Routine
from polynya.dialect.tokens import TokenStream
from polynya.statements.base import Execution, statement
from polynya.statements.show.listing import (
    COUNT,
    MOMENT,
    TEXT,
    Field,
    answer,
    created,
    database_name,
    in_scope,
    read_request,
    schema_name,
    yes_no,
)
from polynya.types.resultset import ResultSet
from polynya.types.sqltype import SqlType


def _number_of_required(routine: Routine) -> int:
    return sum(1 for _, _, default in routine.arguments if default is None)


def signature_text(routine: Routine) -> str:
    """``F(NUMBER, [, VARCHAR]) RETURN NUMBER``: optional arguments in brackets."""
    pieces = []
    for _, sql_type, default in routine.arguments:
        name = type_name(sql_type)
        pieces.append(name if default is None else f"DEFAULT {name}")
    return f"{routine.name}({', '.join(pieces)}) RETURN {returned(routine)}"


def type_name(sql_type: SqlType) -> str:
    """A type without its length, as signatures print it; structured types whole."""
    if sql_type.element is not None or sql_type.fields is not None:
        return str(sql_type)
    return sql_type.name


def returned(routine: Routine) -> str:
    """The result's type: ``NUMBER`` or ``TABLE (A NUMBER, B VARCHAR)``."""
    if routine.returns_table is not None:
        columns = ", ".join(f"{name} {type_name(sql_type)}" for name, sql_type in routine.returns_table)
        return f"TABLE ({columns})"
    return type_name(routine.returns) if routine.returns is not None else "NULL"


def _fields(execution: Execution) -> list[Field]:
    return [
        ("created_on", MOMENT, created),
        ("name", TEXT, lambda routine: routine.name),
        ("schema_name", TEXT, schema_name(execution)),
        ("is_builtin", TEXT, lambda routine: "N"),
        ("is_aggregate", TEXT, lambda routine: yes_no(routine.kind == "AGGREGATE FUNCTION")),
        ("is_ansi", TEXT, lambda routine: "N"),
        ("min_num_arguments", COUNT, _number_of_required),
        ("max_num_arguments", COUNT, lambda routine: len(routine.arguments)),
        ("arguments", TEXT, signature_text),
        (
            "description",
            TEXT,
            lambda routine: (
                routine.comment
                or ("user-defined procedure" if routine.kind == "PROCEDURE" else "user-defined function")
            ),
        ),
        ("catalog_name", TEXT, database_name(execution)),
        ("is_table_function", TEXT, lambda routine: yes_no(routine.returns_table is not None)),
        ("valid_for_clustering", TEXT, lambda routine: "N"),
        ("is_secure", TEXT, lambda routine: yes_no(routine.options.get("SECURE"))),
        ("secrets", TEXT, lambda routine: _text(routine, "SECRETS")),
        ("external_access_integrations", TEXT, lambda routine: _text(routine, "EXTERNAL_ACCESS_INTEGRATIONS")),
    ]


def _text(routine: Routine, name: str) -> str:
    value = routine.options.get(name)
    return "" if not value else str(value)


@statement("SHOW FUNCTIONS", "SHOW USER FUNCTIONS", "SHOW AGGREGATE FUNCTIONS")
def show_functions(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW")
    stream.accept_one("USER", "AGGREGATE")
    stream.expect("FUNCTIONS")
    request = read_request(execution, stream)
    fields = [
        *_fields(execution),
        ("is_external_function", TEXT, lambda routine: "N"),
        ("language", TEXT, lambda routine: routine.language),
        ("is_memoizable", TEXT, lambda routine: yes_no(routine.options.get("MEMOIZABLE"))),
        ("is_data_metric", TEXT, lambda routine: "N"),
    ]
    return answer(fields, request.select(in_scope(execution, request.scope, "FUNCTION")))


@statement("SHOW PROCEDURES", "SHOW USER PROCEDURES")
def show_procedures(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW")
    stream.accept("USER")
    stream.expect("PROCEDURES")
    request = read_request(execution, stream)
    return answer(_fields(execution), request.select(in_scope(execution, request.scope, "PROCEDURE")))
