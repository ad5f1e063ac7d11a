"""Snowflake's errors: a code, an SQLSTATE and a text, as clients receive them.

Codes and texts follow what Snowflake answers; the connector shows them as
``002003 (42S02): SQL compilation error: ...``.
"""

from __future__ import annotations


class SnowflakeError(Exception):
    """An error that a client receives as Snowflake would send it.

    Args:
        code: Snowflake's error number, e.g. 2003.
        sqlstate: five characters, e.g. ``42S02``.
        message: the text, without code and SQLSTATE.
    """

    def __init__(self, code: int, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.sqlstate = sqlstate
        self.message = message

    def __str__(self) -> str:
        return f"{self.code:06d} ({self.sqlstate}): {self.message}"


def compilation_error(code: int, sqlstate: str, text: str, position: tuple[int, int] | None = None) -> SnowflakeError:
    """An error found before the statement ran.

    Args:
        code: Snowflake's error number.
        sqlstate: five characters.
        text: what is wrong.
        position: (line from 1, column from 0) of the offending text, if known.
    """
    where = f"error line {position[0]} at position {position[1]}\n" if position else ""
    return SnowflakeError(
        code, sqlstate, f"SQL compilation error: {where}{text}" if where else f"SQL compilation error:\n{text}"
    )


def syntax_error(unexpected: str, line: int, column: int) -> SnowflakeError:
    """The statement does not parse: 001003."""
    return SnowflakeError(
        1003,
        "42000",
        f"SQL compilation error:\nsyntax error line {line} at position {column} unexpected '{unexpected}'.",
    )


def unsupported(feature: str) -> SnowflakeError:
    """A construct that the warehouse does not have, by name: 000002."""
    return SnowflakeError(2, "0A000", f"Unsupported feature '{feature}'.")


def does_not_exist(kind: str, name: str) -> SnowflakeError:
    """A named object is missing or hidden from the role: 002003.

    Args:
        kind: ``Table``, ``Database``, ``Schema`` ...; tables and views read ``Object`` in Snowflake's text.
        name: as the user wrote it, resolved to upper case where unquoted.
    """
    sqlstate = "42S02" if kind in ("Object", "Table", "View", "Dynamic table") else "02000"
    return compilation_error(2003, sqlstate, f"{kind} '{name}' does not exist or not authorized.")


def was_purged(kind: str, name: str) -> SnowflakeError:
    """UNDROP finds nothing of the name that was dropped and can come back: 090025.

    Args:
        kind: ``Table``, ``Schema``, ``Dynamic_table`` ...
        name: without its schema and database.
    """
    return SnowflakeError(90025, "22000", f"{kind} {name} did not exist or was purged.")


def insufficient_privileges(kind: str, name: str) -> SnowflakeError:
    """The role sees an object and may not do this with it: 003001.

    Args:
        kind: in SQL's words, e.g. ``TABLE``.
        name: of the object, without what it lies in.
    """
    return SnowflakeError(
        3001, "42501", f"SQL access control error:\nInsufficient privileges to operate on {kind.lower()} '{name}'"
    )


def already_exists(name: str) -> SnowflakeError:
    """CREATE of a name that is taken: 002002."""
    return compilation_error(2002, "42710", f"Object '{name}' already exists.")


def already_exists_hidden(name: str) -> SnowflakeError:
    """CREATE of a name that an object has which the role may not see: 003041."""
    return compilation_error(
        3041, "42710",
        f"Object '{name}' already exists, but current role has no privileges on it. If this is unexpected and you cannot "
        "resolve this problem, contact your system administrator. ACCOUNTADMIN role may be required to manage the "
        "privileges on the object.",
    )  # fmt: skip


def invalid_identifier(name: str, position: tuple[int, int] | None = None) -> SnowflakeError:
    """A column that no relation in scope has: 000904."""
    return compilation_error(904, "42000", f"invalid identifier '{name}'", position)


def invalid_argument_types(function: str, types: list[str], position: tuple[int, int] | None = None) -> SnowflakeError:
    """A function does not take these types: 001044."""
    return compilation_error(
        1044, "42P13", f"Invalid argument types for function '{function}': ({', '.join(types)})", position
    )


def unknown_function(name: str) -> SnowflakeError:
    """No such function: 002140, with the name."""
    return compilation_error(2140, "42601", f"Unknown function {name}")


def invalid_value(message: str, code: int = 1008, sqlstate: str = "22023") -> SnowflakeError:
    """A value, an option or a parameter that cannot be."""
    return compilation_error(code, sqlstate, message)
