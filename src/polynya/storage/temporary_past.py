"""What a session's temporary tables held before: for AT and BEFORE.

Temporary tables live in the session's own DuckDB database, which has no snapshots. So the session notes what was written to
them. Rows that were added since a moment are the last ones of a table, which the engine keeps in the order of their
insertion: a note of their number is enough. Before rows change or go, a small table is copied.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

# Values (rows x columns) that are copied before a change: more would slow statements whose past nobody asks for.
COPIED_VALUES = 20_000
# Values that all copies of a session may hold, of which each counts as so many at least, and notes of one table: the
# oldest go.
_HELD_VALUES = 20_000_000
_LEAST_VALUES = 20_000
_NOTES = 10_000
_WRITE = re.compile(r'\s*(INSERT INTO|UPDATE|DELETE FROM|ALTER TABLE|DROP TABLE(?: IF EXISTS)?) (temp\.main\."t_\d+")')
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Copy:
    """A table's rows before a change.

    Args:
        of: the table's name in the engine.
        name: the copy's.
        values: rows x columns.
    """

    of: str
    name: str
    values: int


@dataclass(slots=True)
class _Note:
    """A write: so many rows were added, or (None) rows changed, of which ``copy`` is the state before, if it was kept."""

    moment: datetime
    query_id: str
    added: int | None
    copy: Copy | None = None


@dataclass(slots=True)
class TemporaryPast:
    """The notes of one session.

    Args:
        widths: columns of the tables whose past is kept, by the table's name in the engine.
        unbounded: tables that are copied whatever their size.
        notes: by table, oldest first.
        begins: the moment since when a table's notes are whole, where older ones are gone.
        held: values in all copies.
    """

    widths: dict[str, int] = field(default_factory=dict)
    unbounded: set[str] = field(default_factory=set)
    notes: dict[str, list[_Note]] = field(default_factory=dict)
    begins: dict[str, datetime] = field(default_factory=dict)
    held: int = 0

    def keep(self, table: str, columns: int, days: int, *, chosen: bool) -> None:
        """Before a write: whether, and how far, the table's past is kept.

        Args:
            table: its name in the engine.
            columns: how many it has.
            days: its retention time.
            chosen: whether that was set on the table itself.
        """
        self.widths.pop(table, None)
        self.unbounded.discard(table)
        if days:
            self.widths[table] = columns
            if chosen:
                self.unbounded.add(table)

    def must_copy(self, sql: str, copied: set[str]) -> str | None:
        """The table that is to be copied before a statement, or None.

        Args:
            sql: the statement.
            copied: tables that the open transaction has copied already.
        """
        kind, table = written(sql)
        if kind not in ("UPDATE", "DELETE FROM", "ALTER TABLE") or table in copied or table not in self.widths:
            return None
        return table

    def new_copy(self, table: str, rows: int) -> Copy | None:
        """The copy to make of a table with so many rows; None if it is too large."""
        values = rows * self.widths[table]
        if values > COPIED_VALUES and table not in self.unbounded:
            return None
        return Copy(table, past_name(), values)

    def renamed_copy(self, table: str, rows: int) -> Copy | None:
        """What a table was that is replaced, under a name of its own; None if its past is not kept."""
        return Copy(table, past_name(), rows * self.widths[table]) if table in self.widths else None

    def add(self, sql: str, rows: int, copy: Copy | None, query_id: str, moment: datetime) -> list[str]:
        """Notes a committed write.

        Args:
            sql: it.
            rows: how many it changed.
            copy: what it made a copy of, if that is what it did.
            query_id: of its statement.
            moment: of the commit.

        Returns:
            copies that are of no use any more.
        """
        if copy is not None:
            self._note(copy.of, _Note(moment, query_id, None, copy))
            self.held += max(copy.values, _LEAST_VALUES)
            return self._surplus() if self.held > _HELD_VALUES else []
        kind, table = written(sql)
        if kind.startswith("DROP"):
            return self._forget(table)
        if kind == "INSERT INTO" and rows:
            self._note(table, _Note(moment, query_id, rows))
        elif kind and kind != "INSERT INTO" and not self._copied(table, moment):
            self._note(table, _Note(moment, query_id, None))
        return []

    def moment_of(self, query_id: str) -> datetime | None:
        """When a statement's last change of a temporary table was committed; None if it made none."""
        found = [note.moment for notes in self.notes.values() for note in notes if note.query_id == query_id]
        return max(found, default=None)

    def rows_at(self, table: str, moment: datetime, pending: list[tuple[str, int, Copy | None]]) -> str | None:
        """SQL, for FROM, of a table's rows as of a moment.

        Args:
            table: its name in the engine.
            moment: after its creation.
            pending: (SQL, rows, copy) of the open transaction's writes.

        Returns:
            None if they are not kept.
        """
        begins = self.begins.get(table)
        if begins is not None and moment < begins:
            return None
        since = [(note.added, note.copy) for note in self.notes.get(table, ()) if note.moment > moment]
        since += _pending(table, pending)
        added = 0
        for rows, copy in since:
            if rows is None:
                return None if copy is None else _first(copy.name, added)
            added += rows
        return _first(table, added)

    def _note(self, table: str, note: _Note) -> None:
        notes = self.notes.setdefault(table, [])
        notes.append(note)
        if len(notes) > _NOTES and notes[0].copy is None:
            self.begins[table] = notes.pop(0).moment

    def _copied(self, table: str, moment: datetime) -> bool:
        return any(note.moment == moment and note.added is None for note in reversed(self.notes.get(table, [])[-20:]))

    def _forget(self, table: str) -> list[str]:
        self.widths.pop(table, None)
        self.unbounded.discard(table)
        self.begins.pop(table, None)
        return self._dropped(self.notes.pop(table, []))

    def _surplus(self) -> list[str]:
        """Forgets the oldest copies, and what was noted before them, while there are too many."""
        copies = [
            (note.moment, table) for table, notes in self.notes.items() for note in notes if note.copy is not None
        ]
        gone: list[str] = []
        for moment, table in sorted(copies):
            if self.held <= _HELD_VALUES:
                break
            notes = self.notes[table]
            gone += self._dropped([note for note in notes if note.moment <= moment])
            self.notes[table] = [note for note in notes if note.moment > moment]
            self.begins[table] = moment
        return gone

    def _dropped(self, notes: list[_Note]) -> list[str]:
        copies = [note.copy for note in notes if note.copy is not None]
        self.held -= sum(max(copy.values, _LEAST_VALUES) for copy in copies)
        return [copy.name for copy in copies]


def written(sql: str) -> tuple[str, str]:
    """(kind of write, the temporary table that it writes to); ("", "") for any other statement."""
    found = _WRITE.match(sql)
    return (found[1], found[2]) if found else ("", "")


def past_name() -> str:
    """A new name for what a table was."""
    return f'temp.main."past_{next(_numbers)}"'


def _pending(table: str, writes: list[tuple[str, int, Copy | None]]) -> list[tuple[int | None, Copy | None]]:
    found: list[tuple[int | None, Copy | None]] = []
    for sql, rows, copy in writes:
        if copy is not None and copy.of == table:
            found.append((None, copy))
            continue
        kind, name = written(sql)
        if name == table:
            found.append((rows, None) if kind == "INSERT INTO" else (None, None))
    return found


def _first(relation: str, added: int) -> str:
    """A table without the rows that were added last."""
    if not added:
        return relation
    return f"(SELECT * FROM {relation} LIMIT ((SELECT count(*) FROM {relation}) - {added}))"
