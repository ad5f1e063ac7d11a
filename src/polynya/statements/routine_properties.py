"""What CREATE FUNCTION and CREATE PROCEDURE say of a routine: arguments, result, properties, body.

https://docs.snowflake.com/en/sql-reference/sql/create-function,
https://docs.snowflake.com/en/sql-reference/sql/create-procedure
"""

from __future__ import annotations

from typing import Any

from polynya.catalog.model import Routine
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error, unsupported
from polynya.statements import objects
from polynya.statements.base import Execution
from polynya.statements.column_definitions import read_column_type, read_expression
from polynya.types.sqltype import SqlType

LANGUAGES = ("SQL", "PYTHON")
_OTHER_LANGUAGES = ("JAVASCRIPT", "JAVA", "SCALA")
# Properties whose value is a list of texts or names.
_LISTS = ("IMPORTS", "PACKAGES", "EXTERNAL_ACCESS_INTEGRATIONS", "ARTIFACT_REPOSITORY_PACKAGES")
# Properties whose value is one text or name.
_TEXTS = ("HANDLER", "TARGET_PATH", "ARTIFACT_REPOSITORY", "LOG_LEVEL", "TRACE_LEVEL", "METRIC_LEVEL")


def read_routine(execution: Execution, stream: TokenStream, routine: Routine, *, called: bool = False) -> bool:
    """Reads everything behind a routine's name.

    Args:
        execution: of the statement.
        stream: at the arguments' parenthesis; at the statement's end afterwards.
        routine: is filled in.
        called: a CALL follows (an anonymous procedure); the stream stands there afterwards.

    Returns:
        Whether COPY GRANTS was there.

    Raises:
        SnowflakeError: 001003; 000002 for a language other than SQL and Python.
    """
    routine.arguments = _read_arguments(execution, stream)
    copy_grants = stream.accept("COPY", "GRANTS")
    stream.expect("RETURNS")
    if stream.at("TABLE", "("):
        stream.next()
        routine.returns_table = _read_columns(execution, stream)
    else:
        routine.returns = read_column_type(execution, stream)
    while not (stream.done or stream.at("AS") or stream.at_string() or (called and stream.at_one("CALL", ","))):
        if stream.accept("COPY", "GRANTS"):
            copy_grants = True
        else:
            _read_property(stream, routine)
    _check_language(routine)
    # AS may be left out, and so may the body: such a function exists, but cannot be called unless it imports it.
    if stream.accept("AS") or not called:
        _read_body(stream, routine)
    if not called:
        stream.expect_end()
    elif stream.at(","):
        raise unsupported("WITH ... AS PROCEDURE ... with further common table expressions")
    return copy_grants


def _read_body(stream: TokenStream, routine: Routine) -> None:
    if stream.done:
        return
    if stream.at_string():
        routine.body = stream.string()
        return
    routine.body = stream.rest()  # a scripting block without quotes around it
    stream.index = len(stream.tokens)


def _read_arguments(execution: Execution, stream: TokenStream) -> list[tuple[str, SqlType, str | None]]:
    """``(name type [DEFAULT value], ...)``."""
    stream.expect("(")
    arguments: list[tuple[str, SqlType, str | None]] = []
    while not stream.accept(")"):
        _read_mode(stream)
        name = stream.identifier()
        kind = read_column_type(execution, stream)
        default = read_expression(stream) if stream.accept_one("DEFAULT", ":=") else None
        if default is None and arguments and arguments[-1][2] is not None:
            raise compilation_error(1003, "42000", f"argument {name} without a default stands after one with a default")
        if any(name == other for other, _, _ in arguments):
            raise compilation_error(2025, "42S21", f"duplicate argument name '{name}'")
        arguments.append((name, kind, default))
        if not stream.at(")"):
            stream.expect(",")
    return arguments


def _read_mode(stream: TokenStream) -> None:
    """IN before an argument's name; ``input INT`` is an argument of that name."""
    third = stream.tokens[stream.index + 2].text.upper() if stream.index + 2 < len(stream.tokens) else ""
    if third in (",", ")", "(", "DEFAULT", "PRECISION", "VARYING"):
        return
    mode = stream.accept_one("IN", "INPUT", "OUTPUT", "OUT", "INOUT")
    if mode in ("OUTPUT", "OUT", "INOUT"):
        raise unsupported(f"{mode} arguments")


def _read_columns(execution: Execution, stream: TokenStream) -> list[tuple[str, SqlType]]:
    """The columns of RETURNS TABLE (...); none for a procedure whose result says them."""
    stream.expect("(")
    columns = []
    while not stream.accept(")"):
        columns.append((stream.identifier(), read_column_type(execution, stream)))
        stream.accept("NOT", "NULL")
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
        options["EXECUTE_AS"] = read_rights(stream)
    elif stream.accept("COMMENT"):
        stream.accept("=")
        routine.comment = stream.string()
    elif not read_option(stream, options):
        raise stream.error()


def read_rights(stream: TokenStream) -> str:
    """OWNER, CALLER or RESTRICTED CALLER of EXECUTE AS."""
    found = stream.accept_one("RESTRICTED CALLER", "CALLER", "OWNER")
    if found is None:
        raise stream.error()
    return found


def read_option(stream: TokenStream, options: dict[str, Any]) -> bool:
    """Reads one ``NAME = value`` of Python's and scripting's properties into a routine's options.

    Returns:
        False if none stands there.
    """
    following = stream.tokens[stream.index + 1] if stream.index + 1 < len(stream.tokens) else None
    if following is None or following.text != "=":
        return False
    key = stream.word()
    stream.expect("=")
    if key in _LISTS:
        options[key] = _read_texts(stream)
    elif key == "RUNTIME_VERSION":  # 3.10 is no number: it would lose its zero
        options[key] = stream.string() if stream.at_string() else stream.next().text
    elif key == "SECRETS":
        options[key] = _read_secrets(stream)
    elif key == "RESOURCE_CONSTRAINT":
        options[key] = objects.read_value(stream)
    elif key in _TEXTS:
        options[key] = _read_text(stream)
    else:
        stream.index -= 2
        raise stream.error()
    return True


def _read_text(stream: TokenStream) -> str:
    """A string, or a name as text."""
    return stream.string() if stream.at_string() else objects.full_text(stream.name())


def _read_texts(stream: TokenStream) -> list[str]:
    if not stream.accept("("):
        return [_read_text(stream)]
    found: list[str] = []
    while not stream.accept(")"):
        found.append(_read_text(stream))
        if not stream.at(")"):
            stream.expect(",")
    return found


def _read_secrets(stream: TokenStream) -> dict[str, str]:
    """``('variable' = secret, ...)``."""
    stream.expect("(")
    found: dict[str, str] = {}
    while not stream.accept(")"):
        variable = stream.string()
        stream.expect("=")
        found[variable] = objects.full_text(stream.name())
        if not stream.at(")"):
            stream.expect(",")
    return found


def _check_language(routine: Routine) -> None:
    if routine.language in LANGUAGES:
        return
    kind = "PROCEDURE" if routine.kind == "PROCEDURE" else "FUNCTION"
    if routine.language in _OTHER_LANGUAGES:
        raise unsupported(f"CREATE {kind} ... LANGUAGE {routine.language}")
    raise compilation_error(1003, "42000", f"Unsupported language '{routine.language}' of a {kind.lower()}.")
