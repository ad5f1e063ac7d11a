"""What a parsed block consists of.

Source: docs.snowflake.com/en/sql-reference-snowflake-scripting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polynya.types.sqltype import SqlType

if TYPE_CHECKING:
    from sqlglot import exp

    from polynya.statements.scripting.arithmetic import Shortcut

# (line from 1, column from 0) in the block's text.
Place = tuple[int, int]
# A variable, or a column of a row variable.
Name = tuple[str, str | None]


@dataclass(slots=True, eq=False)
class Expression:
    """An expression, in which names are variables.

    Args:
        text: as written.
        place: where it begins.
        tree: its syntax tree with a placeholder for each variable; set when names are resolved.
        names: what the placeholders stand for, by their key.
        plain: it is one variable or one column of a row, and nothing else.
        shortcut: how to compute it without the engine, once it was computed there.
    """

    text: str
    place: Place
    tree: exp.Expr | None = None
    names: dict[str, Name] = field(default_factory=dict)
    plain: Name | None = None
    shortcut: Shortcut | None = None
    no_shortcut: bool = False


@dataclass(slots=True, frozen=True)
class Mention:
    """``:name`` or ``:row.column`` in a statement's text.

    Args:
        start, end: its first character and the one behind it, in the statement's text.
        name: the variable's.
        column: the column's, or None.
        column_end: the character behind the column.
        place: in the block.
    """

    start: int
    end: int
    name: str
    column: str | None
    column_end: int
    place: Place


@dataclass(slots=True, eq=False)
class Query:
    """A SQL statement.

    Args:
        text: without INTO and its variables.
        place: where it begins.
        mentions: the variables in it.
        into: variables that take the row's values.
        names: variables by the names of their binds; set when names are resolved.
    """

    text: str
    place: Place
    mentions: list[Mention]
    into: list[str] = field(default_factory=list)
    names: dict[str, Name] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Immediate:
    """EXECUTE IMMEDIATE text [USING (...)] [INTO ...]."""

    text: Expression
    place: Place
    using: list[Expression] = field(default_factory=list)
    into: list[str] = field(default_factory=list)


Source = Query | Immediate


# --- declarations -----------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class DeclareVariable:
    name: str
    place: Place
    type: SqlType | None
    default: Expression | None


@dataclass(slots=True, eq=False)
class DeclareCursor:
    """A cursor for a query, or for a RESULTSET by its name."""

    name: str
    place: Place
    source: Query | str


@dataclass(slots=True, eq=False)
class DeclareResultSet:
    name: str
    place: Place
    source: Source | None
    asynchronous: bool = False


@dataclass(slots=True, eq=False)
class DeclareException:
    name: str
    place: Place
    number: int
    text: str


Declaration = DeclareVariable | DeclareCursor | DeclareResultSet | DeclareException

# --- statements -------------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Handler:
    """WHEN names [CONTINUE] THEN statements; no names for OTHER."""

    names: list[str]
    resumes: bool
    statements: list[Statement]
    place: Place


@dataclass(slots=True, eq=False)
class Block:
    place: Place
    declarations: list[Declaration]
    statements: list[Statement]
    handlers: list[Handler]


@dataclass(slots=True, eq=False)
class Let:
    place: Place
    declaration: Declaration


@dataclass(slots=True, eq=False)
class Assign:
    """``name := expression``, or a query for a RESULTSET; which of the two, the variable's kind decides.

    Args:
        place: where it begins.
        name: the variable.
        value: the expression.
        source: the statement in parentheses, if it is one.
        asynchronous: after ASYNC.
    """

    place: Place
    name: str
    value: Expression | None
    source: Source | None = None
    asynchronous: bool = False


@dataclass(slots=True, eq=False)
class Run:
    """A SQL statement, or one in a string; ``asynchronous`` after ASYNC."""

    place: Place
    source: Source
    asynchronous: bool = False


@dataclass(slots=True, eq=False)
class If:
    place: Place
    branches: list[tuple[Expression, list[Statement]]]
    otherwise: list[Statement]


@dataclass(slots=True, eq=False)
class Case:
    """CASE as a statement; the operand is compared with each branch's value, without one they are conditions."""

    place: Place
    operand: Expression | None
    branches: list[tuple[Expression, list[Statement]]]
    otherwise: list[Statement]


@dataclass(slots=True, eq=False)
class ForCount:
    place: Place
    variable: str
    first: Expression
    last: Expression
    reverse: bool
    body: list[Statement]
    label: str | None


@dataclass(slots=True, eq=False)
class ForRows:
    """FOR row IN cursor or RESULTSET."""

    place: Place
    variable: str
    source: str
    body: list[Statement]
    label: str | None


@dataclass(slots=True, eq=False)
class While:
    """WHILE; REPEAT if ``until``; LOOP without a condition."""

    place: Place
    condition: Expression | None
    until: bool
    body: list[Statement]
    label: str | None


@dataclass(slots=True, eq=False)
class Leave:
    """BREAK, or CONTINUE if ``resumes``."""

    place: Place
    resumes: bool
    label: str | None


@dataclass(slots=True, eq=False)
class Return:
    """RETURN value, or TABLE(...) of a RESULTSET, of a cursor or of a query."""

    place: Place
    value: Expression | None = None
    table: str | None = None
    cursor: str | None = None
    source: Source | None = None


@dataclass(slots=True, eq=False)
class Open:
    place: Place
    cursor: str
    using: list[Expression]


@dataclass(slots=True, eq=False)
class Fetch:
    place: Place
    cursor: str
    into: list[str]


@dataclass(slots=True, eq=False)
class Close:
    place: Place
    cursor: str


@dataclass(slots=True, eq=False)
class Raise:
    """RAISE name; without one, of the exception that is being handled."""

    place: Place
    name: str | None


@dataclass(slots=True, eq=False)
class Await:
    """AWAIT or CANCEL of a RESULTSET's job; without a name, AWAIT ALL."""

    place: Place
    name: str | None
    cancels: bool = False


@dataclass(slots=True, eq=False)
class Nothing:
    """NULL."""

    place: Place


Statement = (
    Block | Let | Assign | Run | If | Case | ForCount | ForRows | While | Leave | Return | Open | Fetch | Close | Raise
    | Await | Nothing
)  # fmt: skip
