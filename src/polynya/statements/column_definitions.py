"""Column lists of CREATE TABLE and ALTER TABLE ADD COLUMN.

https://docs.snowflake.com/en/sql-reference/sql/create-table
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from polynya.dialect.tokens import TokenStream
from polynya.dialect.types import read_type
from polynya.errors import SnowflakeError, compilation_error, unsupported
from polynya.statements.base import Execution
from polynya.statements.tagging import read_tag_clause
from polynya.types.sqltype import SqlType, number

if TYPE_CHECKING:
    from polynya.statements.policy_clauses import Clause

# Words that end a DEFAULT's expression.
_OPTION_WORDS = (
    "NOT", "NULL", "COMMENT", "COLLATE", "PRIMARY", "UNIQUE", "CONSTRAINT", "REFERENCES", "FOREIGN", "WITH", "TAG",
    "MASKING", "PROJECTION", "AUTOINCREMENT", "IDENTITY", "CHECK",
)  # fmt: skip
_KEY_WORDS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK")


@dataclass(slots=True)
class Identity:
    """AUTOINCREMENT or IDENTITY of a column."""

    start: int = 1
    increment: int = 1
    ordered: bool = True


@dataclass(slots=True)
class ColumnText:
    """A column as it was written; ``type`` is None where only a name stands (CREATE TABLE ... AS SELECT)."""

    name: str
    type: SqlType | None = None
    nullable: bool = True
    default: str | None = None
    identity: Identity | None = None
    comment: str | None = None
    collation: str | None = None
    tags: dict[int, str] = field(default_factory=dict)
    masking: Clause | None = None


@dataclass(slots=True)
class Constraint:
    """A declared key, never enforced: type is PRIMARY KEY, UNIQUE or FOREIGN KEY."""

    type: str
    columns: list[str]
    name: str = ""
    references: list[str] = field(default_factory=list)  # full name of the other table
    reference_columns: list[str] = field(default_factory=list)

    def as_option(self) -> dict[str, Any]:
        """As it is kept in ``Table.options["CONSTRAINTS"]``."""
        return {
            "type": self.type,
            "columns": self.columns,
            "name": self.name,
            "references": self.references,
            "reference_columns": self.reference_columns,
        }


def read_column_list(execution: Execution, stream: TokenStream) -> tuple[list[ColumnText], list[Constraint]]:
    """Reads ``(column ..., constraint ...)``.

    Raises:
        SnowflakeError: 001003, or 002025 for a name that comes twice.
    """
    columns: list[ColumnText] = []
    constraints: list[Constraint] = []
    stream.expect("(")
    while True:
        if stream.at_one(*_KEY_WORDS) and _is_constraint(stream):
            constraints.append(_read_constraint(execution, stream))
        else:
            columns.append(read_column(execution, stream, constraints))
        if stream.accept(")"):
            break
        stream.expect(",")
        if stream.accept(")"):
            break
    check_names([column.name for column in columns])
    return columns, constraints


def check_names(names: list[str]) -> None:
    """Raises 002025 for a column name that comes twice."""
    for index, name in enumerate(names):
        if name in names[:index]:
            raise compilation_error(2025, "42S21", f"duplicate column name '{name}'")


def _is_constraint(stream: TokenStream) -> bool:
    """Whether the word is no column's name: PRIMARY KEY, UNIQUE (, CONSTRAINT name PRIMARY ..."""
    following = stream.tokens[stream.index + 1] if stream.index + 1 < len(stream.tokens) else None
    if following is None:
        return False
    if stream.at("CONSTRAINT"):
        third = stream.tokens[stream.index + 2].text.upper() if stream.index + 2 < len(stream.tokens) else ""
        return third in ("PRIMARY", "UNIQUE", "FOREIGN", "CHECK")
    return following.text.upper() in ("KEY", "(")


def read_column(execution: Execution, stream: TokenStream, constraints: list[Constraint]) -> ColumnText:
    """Reads one column; its inline keys go to ``constraints``."""
    column = ColumnText(stream.identifier())
    if stream.done or stream.at(",") or stream.at(")"):
        return column
    if not stream.at_one(*_OPTION_WORDS, "DEFAULT", "AS"):
        column.type = read_column_type(execution, stream)
    while not (stream.done or stream.at(",") or stream.at(")")):
        _read_option(execution, stream, column, constraints)
    return column


def read_column_type(execution: Execution, stream: TokenStream) -> SqlType:
    """A column's type.

    Raises:
        SnowflakeError: 002040 for a word that is no type.
    """
    word = stream.current.text if stream.current else ""
    try:
        return read_type(stream, str(execution.context.parameter("TIMESTAMP_TYPE_MAPPING")))
    except SnowflakeError as error:
        if error.code != 1003:
            raise
        raise compilation_error(2040, "42601", f"Unsupported data type '{word.upper()}'.") from None


def _read_option(execution: Execution, stream: TokenStream, column: ColumnText, constraints: list[Constraint]) -> None:
    from polynya.statements.policy_clauses import read_masking

    if stream.accept("NOT", "NULL"):
        column.nullable = False
    elif stream.accept("NULL"):
        column.nullable = True
    elif stream.accept("DEFAULT"):
        column.default = read_expression(stream)
    elif stream.accept_one("AUTOINCREMENT", "IDENTITY"):
        column.identity = _read_identity(stream)
        column.nullable = False
        if column.type is None:
            column.type = number(38, 0)
    elif stream.accept("COMMENT"):
        column.comment = stream.string()
    elif stream.accept("COLLATE"):
        column.collation = stream.string()
    elif tags := read_tag_clause(execution, stream):
        column.tags.update(tags)
    elif stream.accept("AS"):
        raise unsupported("virtual columns: AS (expression)")
    elif stream.at_one("WITH MASKING", "MASKING", "WITH PROJECTION", "PROJECTION"):
        column.masking = read_masking(execution, stream)
    elif stream.accept("CHECK"):
        raise unsupported("CHECK constraints")
    else:
        name = stream.identifier() if stream.accept("CONSTRAINT") else ""
        constraint = _read_key(execution, stream, name, [column.name])
        constraints.append(constraint)
        if constraint.type == "PRIMARY KEY":
            column.nullable = False


def read_expression(stream: TokenStream, stop: tuple[str, ...] = _OPTION_WORDS) -> str:
    """The source text of an expression, up to a comma, a closing parenthesis or a word that cannot belong to it."""
    start = stream.index
    while not stream.done:
        if stream.at("("):
            stream.skip_parenthesis()
            continue
        if stream.at(",") or stream.at(")") or (stream.index > start and stream.at_one(*stop)):
            break
        stream.next()
    if stream.index == start:
        raise stream.error()
    return stream.source(start, stream.index)


def _read_identity(stream: TokenStream) -> Identity:
    """``(start, step)`` or ``START [WITH] n INCREMENT [BY] n``, then ORDER or NOORDER."""
    identity = Identity()
    if stream.accept("("):
        identity.start = read_integer(stream)
        stream.expect(",")
        identity.increment = read_integer(stream)
        stream.expect(")")
    while True:
        if stream.accept("START"):
            stream.accept("WITH")
            stream.accept("=")
            identity.start = read_integer(stream)
        elif stream.accept("INCREMENT"):
            stream.accept("BY")
            stream.accept("=")
            identity.increment = read_integer(stream)
        elif stream.accept("ORDER"):
            identity.ordered = True
        elif stream.accept("NOORDER"):
            identity.ordered = False
        else:
            return identity


def read_integer(stream: TokenStream) -> int:
    """A whole number, perhaps negative."""
    sign = -1 if stream.accept("-") else 1
    token = stream.next()
    if not token.text.isdigit():
        stream.index -= 1
        raise stream.error()
    return sign * int(token.text)


def _read_constraint(execution: Execution, stream: TokenStream) -> Constraint:
    """An out-of-line constraint."""
    name = stream.identifier() if stream.accept("CONSTRAINT") else ""
    return _read_key(execution, stream, name, None)


def read_constraint(execution: Execution, stream: TokenStream) -> Constraint:
    """``[CONSTRAINT name] PRIMARY KEY (a, b)`` and the like, of ALTER TABLE ADD."""
    return _read_constraint(execution, stream)


def _read_key(execution: Execution, stream: TokenStream, name: str, columns: list[str] | None) -> Constraint:
    catalog, context = execution.context.catalog, execution.context
    inline = columns is not None
    if stream.accept("PRIMARY", "KEY"):
        kind = "PRIMARY KEY"
    elif stream.accept("UNIQUE"):
        kind = "UNIQUE"
    elif stream.accept("FOREIGN", "KEY") or (inline and stream.at("REFERENCES")):
        kind = "FOREIGN KEY"
    elif stream.at("CHECK"):
        raise unsupported("CHECK constraints")
    else:
        raise stream.error()
    constraint = Constraint(kind, columns or [], name)
    if not inline:
        constraint.columns = read_names(stream)
    if kind == "FOREIGN KEY":
        stream.expect("REFERENCES")
        parts = stream.name()
        constraint.references = catalog.qualify(context, parts)
        if (referred := catalog.find(context, "TABLE", parts)) is not None:
            execution.require("REFERENCES", referred)
        if stream.at("("):
            constraint.reference_columns = read_names(stream)
        else:
            other = catalog.find(context, "TABLE", parts)
            constraint.reference_columns = [c.name for c in getattr(other, "columns", []) if c.primary_key]
    _skip_key_properties(stream)
    return constraint


def _skip_key_properties(stream: TokenStream) -> None:
    """What a key may promise; nothing of it is enforced."""
    while True:
        if stream.accept("NOT", "ENFORCED") or stream.accept("NOT", "DEFERRABLE"):
            continue
        if stream.accept("MATCH") or stream.accept("INITIALLY"):
            stream.next()
            continue
        if stream.accept("ON", "UPDATE") or stream.accept("ON", "DELETE"):
            if stream.accept("SET") or stream.accept("NO"):
                pass
            stream.next()
            continue
        if not stream.accept_one(
            "ENFORCED", "DEFERRABLE", "ENABLE", "DISABLE", "VALIDATE", "NOVALIDATE", "RELY", "NORELY"
        ):
            return


def read_names(stream: TokenStream) -> list[str]:
    """``(a, b, ...)``."""
    stream.expect("(")
    names = [stream.identifier()]
    while stream.accept(","):
        names.append(stream.identifier())
    stream.expect(")")
    return names
