"""Snowflake's functions: name -> how a call is bound. One file per family in ``dialect/functions``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from polynya.dialect import casts
from polynya.dialect.expression import Expr, derive
from polynya.errors import SnowflakeError, compilation_error, invalid_argument_types
from polynya.types.sqltype import SqlType

if TYPE_CHECKING:
    from polynya.catalog.context import Context
    from polynya.dialect.binder import Binder


@dataclass(slots=True)
class Call:
    """One call of a function, its arguments bound on demand.

    Args:
        name: upper case, as written.
        nodes: the arguments' syntax trees, named ones (``INPUT => x``) excluded.
        named: named arguments, upper-case names.
        binder: binds expressions in the scope where the call stands.
        distinct: ``f(DISTINCT x)``.
        order_by: bound ``WITHIN GROUP (ORDER BY ...)`` as DuckDB SQL, or "".
        order_exprs: the expressions of that ORDER BY.
        windowed: OVER follows.
        ignore_nulls: None, or IGNORE NULLS (True) / RESPECT NULLS (False) as written.
        window_order: OVER has an ORDER BY.
        over: the text `` OVER (...)``, or "". The binder puts it behind the bare call that a binding returns; a binding
            made of several calls places it behind each by ``call.windowed_call(sql)``.
        position: (line, column) of the call in the statement.
    """

    name: str
    nodes: list[exp.Expr]
    binder: Binder
    named: dict[str, exp.Expr] = field(default_factory=dict)
    distinct: bool = False
    order_by: str = ""
    order_exprs: list[Expr] = field(default_factory=list)
    windowed: bool = False
    ignore_nulls: bool | None = None
    window_order: bool = False
    over: str = ""
    over_placed: bool = False
    position: tuple[int, int] | None = None
    _bound: dict[int, Expr] = field(default_factory=dict)

    @property
    def context(self) -> Context:
        return self.binder.context

    def __len__(self) -> int:
        return len(self.nodes)

    def arg(self, index: int, as_type: SqlType | None = None) -> Expr:
        """The argument bound, implicitly cast if a type is given.

        Raises:
            SnowflakeError: 001044 if it cannot be that type.
        """
        if index not in self._bound:
            self._bound[index] = self.binder.expression(self.nodes[index])
        bound = self._bound[index]
        if as_type is None:
            return bound
        converted = casts.coerce(bound, as_type, self.context)
        if converted is None:
            raise self.wrong_types()
        return converted

    def args(self, as_type: SqlType | None = None) -> list[Expr]:
        """All arguments bound."""
        return [self.arg(index, as_type) for index in range(len(self.nodes))]

    def windowed_call(self, sql: str) -> str:
        """A bare aggregate or window call with OVER behind it where there is one; the binder then adds none."""
        self.over_placed = True
        return f"{sql}{self.over}"

    def keyword(self, index: int) -> str:
        """A keyword argument such as a date part: an identifier or a string, in lower case."""
        node = self.nodes[index]
        if isinstance(node, exp.Column) and not node.args.get("table"):
            return node.name.lower()
        if isinstance(node, exp.Literal) and node.is_string:
            return node.name.lower()
        if isinstance(node, exp.Var):
            return node.name.lower()
        raise compilation_error(
            1015, "22023", f"Argument {index + 1} of {self.name} must be a keyword or a string.", self.position
        )

    def constant(self, index: int, default: Any = None) -> Any:
        """The value of an argument that must be constant; the default where it was not given."""
        if index >= len(self.nodes):
            return default
        bound = self.arg(index)
        if not bound.is_constant:
            raise compilation_error(
                1015,
                "42601",
                f"argument {index + 1} to function {self.name} needs to be constant, found '{self.nodes[index].sql('snowflake')}'",
                self.position,
            )
        return bound.constant

    def wrong_types(self) -> SnowflakeError:
        """001044 with the types of the arguments given."""
        return invalid_argument_types(
            self.name, [str(self.arg(index).type) for index in range(len(self.nodes))], self.position
        )


Bind = Callable[[Call], Expr]


@dataclass(frozen=True, slots=True)
class Function:
    """A built-in function.

    Args:
        bind: makes the bound expression of a call.
        least, most: number of arguments (most None: any number).
        kind: scalar, aggregate or window. A scalar has no OVER; an aggregate may; a window function must.
    """

    bind: Bind
    least: int
    most: int | None
    kind: str


FUNCTIONS: dict[str, Function] = {}


def _register(names: Sequence[str], arguments: int | tuple[int, int | None], kind: str) -> Callable[[Bind], Bind]:
    least, most = (arguments, arguments) if isinstance(arguments, int) else arguments

    def register(bind: Bind) -> Bind:
        for name in names:
            if name in FUNCTIONS:
                raise ValueError(f"function {name} is registered twice")
            FUNCTIONS[name] = Function(bind, least, most, kind)
        return bind

    return register


def scalar(*names: str, args: int | tuple[int, int | None]) -> Callable[[Bind], Bind]:
    """Registers the binding of a scalar function under its names.

    Args:
        names: upper case; synonyms share a binding.
        args: how many arguments it takes, or (least, most), most None for any number.
    """
    return _register(names, args, "scalar")


def aggregate(*names: str, args: int | tuple[int, int | None]) -> Callable[[Bind], Bind]:
    """Registers an aggregate function. Its binding returns the bare call, FILTER and all, to which the binder adds
    OVER where it is windowed; the binder marks the result as an aggregate."""
    return _register(names, args, "aggregate")


def window(*names: str, args: int | tuple[int, int | None]) -> Callable[[Bind], Bind]:
    """Registers a function that needs OVER. Its binding returns the bare call."""
    return _register(names, args, "window")


def template(
    names: str,
    sql: str,
    arguments: Sequence[SqlType | None],
    returns: SqlType,
    *,
    least: int | None = None,
    nullable: bool | None = None,
) -> None:
    """Registers scalar functions that are one DuckDB expression.

    Args:
        names: upper case, separated by blanks.
        sql: DuckDB SQL in which ``{0}``, ``{1}`` ... stand for the arguments.
        arguments: the type each argument is implicitly cast to; None leaves it as it is.
        returns: the result's type.
        least: how many arguments are required (default: all). The SQL then gets NULL for missing ones.
        nullable: whether the result can be NULL (default: if an argument can).
    """
    count = len(arguments)

    def bind(call: Call) -> Expr:
        bound = [call.arg(index, arguments[index]) for index in range(len(call))]
        texts = [expr.atom for expr in bound] + ["NULL"] * (count - len(bound))
        return derive(sql.format(*texts), returns, *bound, nullable=nullable, simple=False)

    _register(names.split(), (count if least is None else least, count), "scalar")(bind)
