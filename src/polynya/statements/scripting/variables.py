"""Variables and the scopes in which they live."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from polynya.errors import invalid_identifier
from polynya.statements.scripting.syntax import Name
from polynya.statements.scripting.values import Value
from polynya.types.resultset import Column, ResultSet
from polynya.types.sqltype import SqlType

if TYPE_CHECKING:
    from polynya.errors import SnowflakeError
    from polynya.statements.scripting.cursors import Cursor
    from polynya.statements.scripting.exceptions import Declared


@dataclass(slots=True, eq=False)
class Variable:
    """A variable that holds a value; None is NULL."""

    type: SqlType
    value: Any = None


@dataclass(slots=True, eq=False)
class Row:
    """The row at which a FOR loop over a cursor stands.

    Args:
        types: of its columns.
        positions: of the columns, by their names.
        values: of the current row.
    """

    types: list[SqlType]
    positions: dict[str, int]
    values: tuple = ()

    @staticmethod
    def of(columns: list[Column], types: list[SqlType]) -> Row:
        positions: dict[str, int] = {}
        for index, column in enumerate(columns):
            positions.setdefault(column.name, index)
        return Row(types, positions)


@dataclass(slots=True, eq=False)
class ResultSetVariable:
    """A RESULTSET.

    Args:
        query_id: of the statement whose rows it holds; "" before one is assigned.
        result: its rows; large ones are mapped from a file.
        pending: the error of its ASYNC job, which AWAIT raises.
        awaited: whether the rows may be read: an ASYNC job's only after AWAIT.
    """

    query_id: str = ""
    result: ResultSet | None = None
    pending: SnowflakeError | None = None
    awaited: bool = True


@dataclass(slots=True, eq=False)
class Scope:
    """The names of a block, of its body or of a loop."""

    parent: Scope | None = None
    names: dict[str, Variable | Row | ResultSetVariable | Cursor | Declared] = field(default_factory=dict)

    def inner(self) -> Scope:
        return Scope(self)

    def find(self, name: str) -> Any:
        """What a name stands for; names are checked before a block runs."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        raise invalid_identifier(name)  # declared further down in a branch that did not run

    def read(self, name: Name) -> Value:
        """The value of a variable, or of a row's column.

        Raises:
            SnowflakeError: 000904 for a column that the row does not have.
        """
        found = self.find(name[0])
        if isinstance(found, Row):
            index = found.positions.get(str(name[1]))
            if index is None:
                raise invalid_identifier(f"{name[0]}.{name[1]}")
            return Value(found.types[index], found.values[index])
        return Value(found.type, found.value)
