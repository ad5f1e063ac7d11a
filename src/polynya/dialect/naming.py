"""Names and lists in syntax trees: what they resolve to, where they stand, how messages print them."""

from __future__ import annotations

from sqlglot import exp

from polynya.dialect.scope import Relation, Source, SourceColumn
from polynya.errors import compilation_error

MAX_LIST = 200_000


def position(node: exp.Expr) -> tuple[int, int] | None:
    """(line, column from 0) at which a node begins, where the parser kept it: that of its first word."""
    current: object = node
    while isinstance(current, exp.Expr):
        meta = current.meta
        if "line" in meta:
            return meta["line"], meta["col"] - (meta["end"] - meta["start"] + 1)
        if isinstance(current, exp.Column):
            current = next((part for part in current.parts if "line" in part.meta), None)
        elif isinstance(current.this, exp.Expr):
            current = current.this
        else:
            current = next(iter(current.expressions), None)
    return None


def resolve_identifier(node: exp.Expr) -> str:
    """An identifier's name: upper case unless it was quoted."""
    if isinstance(node, exp.Identifier):
        return node.name if node.args.get("quoted") else node.name.upper()
    return node.name.upper()


def quote_if_needed(name: str) -> str:
    """A name as Snowflake prints it in messages: quoted where it must be."""
    from polynya.catalog.names import quote_identifier

    return quote_identifier(name)


def order_term(sql: str, item: exp.Ordered) -> str:
    """One term of ORDER BY; NULL is the largest value, as in Snowflake, unless said otherwise."""
    direction = "DESC" if item.args.get("desc") else "ASC"
    return f"{sql} {direction} NULLS {'FIRST' if item.args.get('nulls_first') else 'LAST'}"


def find_columns(source: Source, name: str) -> list[SourceColumn]:
    """The columns of this name, hidden ones if no shown one has it."""
    found = [column for column in source.columns if column.name == name]
    return found or [column for column in source.hidden if column.name == name]


def column_name(node: exp.Expr) -> str:
    return resolve_identifier(node.this if isinstance(node, exp.Column) else node)


def qualifiers_of(node: exp.Column) -> list[str]:
    """The resolved names before a column's own, outermost first."""
    return [resolve_identifier(node.args[key]) for key in ("catalog", "db", "table") if node.args.get(key)]


def refers_to(relation: Relation, qualifiers: list[str]) -> bool:
    if relation.name != qualifiers[-1]:
        return False
    if len(qualifiers) == 1:
        return True
    return relation.qualifiers is not None and list(relation.qualifiers)[-len(qualifiers) + 1 :] == qualifiers[:-1]


def check_list_length(count: int) -> None:
    """Refuses VALUES and IN lists longer than Snowflake takes.

    Raises:
        SnowflakeError: 001795.
    """
    if count > MAX_LIST:
        raise compilation_error(
            1795,
            "42601",
            f"maximum number of expressions in a list exceeded, expected at most {MAX_LIST:,}, got {count:,}",
        )
