"""What a statement reads and writes: objects and columns by id, as ACCESS_HISTORY and lineage need them.

https://docs.snowflake.com/en/user-guide/access-history
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from polynya.catalog.model import CatalogObject

# (id of an object, name of its column).
Origin = tuple[int, str]
NO_ORIGINS: tuple[Origin, ...] = ()


@dataclass(slots=True)
class Reads:
    """What the binding of one statement met.

    Args:
        direct: objects that the statement names, by id, in order.
        inside: what each view that it reads names itself, by the view's id.
        touched: columns that it uses, under the names of the objects that it names.
        touched_inside: columns that its views use.
        views: column of a view -> the columns that the view makes it of.
        view: id of the view that is being bound, 0 outside.
        streams: id of a stream that it reads -> what it reads of it (``dialect.streams.StreamRead``).
    """

    direct: dict[int, CatalogObject] = field(default_factory=dict)
    inside: dict[int, dict[int, CatalogObject]] = field(default_factory=dict)
    touched: set[Origin] = field(default_factory=set)
    touched_inside: set[Origin] = field(default_factory=set)
    views: dict[Origin, tuple[Origin, ...]] = field(default_factory=dict)
    view: int = 0
    streams: dict[int, Any] = field(default_factory=dict)

    def note(self, item: CatalogObject) -> None:
        """An object is named in FROM."""
        named = self.inside.setdefault(self.view, {}) if self.view else self.direct
        named.setdefault(item.id, item)

    def base(self, origins: Iterable[Origin]) -> list[Origin]:
        """The columns of stored tables behind columns, of views or tables."""
        found: dict[Origin, None] = {}
        waiting, seen = list(origins), set()
        while waiting:
            origin = waiting.pop()
            if origin in seen:
                continue
            seen.add(origin)
            if origin in self.views:
                waiting.extend(self.views[origin])
            else:
                found[origin] = None
        return sorted(found)


@dataclass(slots=True)
class Write:
    """An object that a statement writes to.

    Args:
        item: the table or stage.
        columns: those written -> what they are made of.
        reads: what its rows come from, if from other objects.
    """

    item: CatalogObject
    columns: dict[str, tuple[Origin, ...]]
    reads: Reads | None


@dataclass(frozen=True, slots=True)
class Edge:
    """Rows that went from one object into another, or from column to column ("" for the object as a whole).

    Args:
        source, target: where from, where to.
        query_id: of the last statement that moved them.
    """

    source: Origin
    target: Origin
    query_id: str


@dataclass(slots=True)
class Access:
    """What one statement really read and wrote."""

    reads: list[Reads] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)

    def read(self, reads: Reads) -> None:
        """The statement reads what a query reads."""
        if (reads.direct or reads.touched) and not any(reads is other for other in self.reads):
            self.reads.append(reads)

    def write(self, item: CatalogObject, columns: Mapping[str, Iterable[Origin]], reads: Reads | None = None) -> None:
        """The statement writes to an object.

        Args:
            item: the table or stage.
            columns: those written -> what they are made of.
            reads: what the rows come from.
        """
        own = {name: tuple(sorted(set(origins))) for name, origins in columns.items()}
        self.writes.append(Write(item, own, reads))
        if reads is not None:
            self.read(reads)

    def __bool__(self) -> bool:
        return bool(self.reads or self.writes)
