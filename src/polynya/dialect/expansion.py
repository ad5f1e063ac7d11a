"""Table functions that turn each row of what stands left of them into several: FLATTEN, SPLIT_TO_TABLE ...

``t, LATERAL FLATTEN(t.v)`` could be a correlated subquery. DuckDB would join its rows back to those of ``t``; here the
left side becomes a subquery that unnests a list beside its own columns, in one pass, and the relations to the left read
their columns from it. It also numbers the input rows (SEQ), which a correlated subquery cannot.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from polynya.dialect.expression import Expr, quote
from polynya.dialect.scope import Relation, Source, SourceColumn
from polynya.types.sqltype import SqlType

if TYPE_CHECKING:
    from polynya.dialect.binder import Binder

# The DuckDB names of an input row's number, of its value as a whole and of one item, while rows are made.
ROW, WHOLE, ITEM = '"$row"', '"$whole"', '"$item"'
ROW_NUMBER = "SEQ"


@dataclass(frozen=True, slots=True)
class Expansion:
    """What a row-making function does with one input row.

    Args:
        items: SQL of a list, one item a row made.
        whole: SQL of a value that all rows made from an input row share, or "NULL".
        columns: (name, type, nullable, SQL) of the rows; the SQL may use ROW, WHOLE and ITEM.
    """

    items: str
    whole: str
    columns: list[tuple[str, SqlType, bool, str]]

    def source(self) -> Source:
        """The function's rows where nothing stands left of it, or as a correlated subquery."""
        inner = f"SELECT 1 AS {ROW}, {self.whole} AS {WHOLE}, unnest({self.items}) AS {ITEM}"
        shown = ", ".join(f"{sql} AS {quote(name)}" for name, _, _, sql in self.columns)
        columns = [SourceColumn(name, kind, nullable, name) for name, kind, nullable, _ in self.columns]
        return Source(f"(SELECT {shown} FROM ({inner}))", columns, expansion=self)


def expand(left_text: str, left: list[Relation], right: Relation, node: exp.Expr, binder: Binder) -> str:
    """The FROM clause of relations with an expansion of their rows.

    Args:
        left_text: FROM clause so far.
        left: its relations; they are changed to read from the new one.
        right: the relation of the expansion.
        node: the join, to see whether its SELECT wants the row numbers.
        binder: whose scope holds the relations.

    Returns:
        the FROM clause of both.
    """
    expansion = right.source.expansion
    assert expansion is not None
    outer = binder.env.alias()
    kept = [f"{sql} AS {quote(name)}" for name, sql in move(left, outer, binder).items()]
    names = {name: f"{right.alias}.{name}" for name, _, _, _ in expansion.columns}
    right.source = replace(
        right.source, columns=[replace(column, stored_as=names[column.stored_as]) for column in right.source.columns]
    )
    right.alias = outer
    row = "row_number() OVER ()" if _wants_row_number(node) else "NULL"
    inner = ", ".join(
        [*kept, f"{row} AS {ROW}", f"{expansion.whole} AS {WHOLE}", f"unnest({expansion.items}) AS {ITEM}"]
    )
    made = ", ".join(f"{sql} AS {quote(names[name])}" for name, _, _, sql in expansion.columns)
    return f"(SELECT *, {made} FROM (SELECT {inner} FROM {left_text})) AS {outer}"


def move(left: list[Relation], outer: str, binder: Binder) -> dict[str, str]:
    """Lets relations read their columns from a relation that is made of them.

    Args:
        left: the relations; they are changed.
        outer: the new relation's alias.
        binder: whose scope holds them.

    Returns:
        the new relation's columns: name -> SQL over the relations as they were.
    """
    kept: dict[str, str] = {}
    for name, merged in binder.scope.merged.items():
        stored = f"{outer}.{name}"
        kept[stored] = merged.sql
        binder.scope.merged[name] = Expr(f"{outer}.{quote(stored)}", merged.type, merged.nullable)
    for relation in left:
        renamed = {}
        for column in [*relation.source.columns, *relation.source.hidden]:
            name = f"{relation.alias}.{column.stored_as}"
            renamed[column.stored_as] = name
            kept[name] = f"{relation.alias}.{quote(column.stored_as)}"
        relation.source = replace(
            relation.source,
            columns=[replace(column, stored_as=renamed[column.stored_as]) for column in relation.source.columns],
            hidden=[replace(column, stored_as=renamed[column.stored_as]) for column in relation.source.hidden],
        )
        relation.alias = outer
    return kept


def _wants_row_number(node: exp.Expr) -> bool:
    """Whether the SELECT around a join names SEQ or shows all columns: numbering rows costs more than making them."""
    select = node.find_ancestor(exp.Select)
    if select is None:
        return True
    for item in select.expressions:
        if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
            return True
    return any(identifier.name.upper() == ROW_NUMBER for identifier in select.find_all(exp.Identifier))
