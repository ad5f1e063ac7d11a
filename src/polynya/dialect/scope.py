"""What names mean inside a query: relations in FROM, their columns, and the queries around."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polynya.catalog.access import NO_ORIGINS, Origin
from polynya.types.resultset import Column
from polynya.types.sqltype import SqlType

if TYPE_CHECKING:
    from polynya.dialect.expansion import Expansion
    from polynya.dialect.table_calls import TableCall


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column of a query or a table in FROM.

    Args:
        name: Snowflake's name, case kept; several columns of one relation may share it.
        type: Snowflake's type.
        nullable: False where it is known never to be NULL.
        stored_as: its DuckDB name in the relation, unique without regard to case.
        origins: columns of stored objects that it is made of.
    """

    name: str
    type: SqlType
    nullable: bool
    stored_as: str
    origins: tuple[Origin, ...] = NO_ORIGINS

    def as_column(self) -> Column:
        return Column(self.name, self.type, self.nullable)


@dataclass(slots=True)
class Source:
    """DuckDB SQL that yields rows, and its columns.

    Args:
        sql: what can stand after FROM: a table's name, or a query in parentheses. A table function's SQL may refer to
            columns of relations to its left (LATERAL).
        columns: in order.
        hidden: columns that ``*`` does not show but names find (METADATA$FILENAME, a generator's row number).
        named_by_file: columns of staged files under the files' own names; SQL reaches them by ``$1:name``.
        expansion: set for a table function that makes rows of each row to its left; see ``dialect.expansion``.
        rows_of: name of the step whose rows it has, one for one and in their order.
        table_call: set for a table function in Python; its SQL comes when what stands left of it is known.
    """

    sql: str
    columns: list[SourceColumn]
    hidden: list[SourceColumn] = field(default_factory=list)
    expansion: Expansion | None = None
    rows_of: str | None = None
    table_call: TableCall | None = None
    named_by_file: list[SourceColumn] = field(default_factory=list)


@dataclass(slots=True)
class Relation:
    """A source in FROM under an alias.

    Args:
        source: rows and columns.
        alias: DuckDB alias, unique in the statement.
        name: Snowflake's alias or table name, resolved, or None (a subquery without one).
        qualifiers: (database, schema) of a stored table used without alias.
        positional: ``$1`` refers to its columns by position.
        outer: on the side of an outer join that may be missing: its columns are nullable.
        merged: names of columns that a USING or NATURAL join took over: ``*`` and plain names skip them here.
        generator: it is TABLE(GENERATOR(...)): SEQ functions count its rows.
    """

    source: Source
    alias: str
    name: str | None = None
    qualifiers: tuple[str, str] | None = None
    outer: bool = False
    merged: set[str] = field(default_factory=set)
    generator: bool = False


def stored_names(names: list[str]) -> list[str]:
    """DuckDB names for columns of these Snowflake names: the same where no other differs only by case.

    Args:
        names: in order; duplicates allowed.

    Returns:
        As many names, unique without regard to case.
    """
    taken: set[str] = set()
    result: list[str] = []
    for name in names:
        candidate, count = name or "_", 1
        while candidate.lower() in taken:
            count += 1
            candidate = f"{name}_{count}"
        taken.add(candidate.lower())
        result.append(candidate)
    return result


def source_columns(columns: list[Column]) -> list[SourceColumn]:
    """Columns with DuckDB names of their own."""
    stored = stored_names([column.name for column in columns])
    return [
        SourceColumn(column.name, column.type, column.nullable, name)
        for column, name in zip(columns, stored, strict=True)
    ]
