"""How far each stream has been consumed: kept in the lake, so that a commit moves it together with what consumed it.

The catalog knows where a stream was created; whoever consumes it adds a row here in the same transaction. The newest row
of a stream counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from polynya.catalog.model import Stream, Table
from polynya.catalog.retention import stream_horizon
from polynya.catalog.store import Catalog

if TYPE_CHECKING:
    from polynya.storage.connection import Connection

# The lake's own table; no catalog object has this name.
STORED = 'lake.main."stream_offsets"'
# A commit's note is some milliseconds older than what others see of it.
_MARGIN = timedelta(minutes=1)
_COLUMNS = "stream BIGINT, stored_as VARCHAR, snapshot BIGINT, moment TIMESTAMPTZ"


@dataclass(frozen=True, slots=True)
class Offset:
    """A table's rows at a moment.

    Args:
        stored_as: the table's name in the engine.
        snapshot: of the lake.
        moment: of when these rows are.
        initial: the rows of then count as inserted (SHOW_INITIAL_ROWS).
    """

    stored_as: str
    snapshot: int
    moment: datetime
    initial: bool = False


def open_offsets(connection: Connection) -> None:
    """Makes the table where there is none, and keeps of each stream the newest row; when the home is opened."""
    connection.execute(f"CREATE TABLE IF NOT EXISTS {STORED} ({_COLUMNS})")
    count = connection.table(f"SELECT count(*), count(DISTINCT stream) FROM {STORED}")
    rows, streams = (column[0].as_py() for column in count.columns)
    if rows > 2 * streams:
        connection.execute(
            f"DELETE FROM {STORED} AS o WHERE snapshot < (SELECT max(n.snapshot) FROM {STORED} AS n WHERE n.stream = o.stream)"
        )


def offset_of(connection: Connection, stream: Stream) -> Offset:
    """Where a stream is, as others see it: a transaction does not see its own advance."""
    found = connection.sibling_table(
        f"SELECT stored_as, snapshot, moment FROM {STORED} WHERE stream = {stream.id} ORDER BY snapshot DESC LIMIT 1"
    )
    if found.num_rows:
        stored_as, snapshot, moment = (column[0].as_py() for column in found.columns)
        return Offset(stored_as, snapshot, moment.astimezone(UTC))
    return _created(stream)


def advance(connection: Connection, stream_id: int, to: Offset) -> None:
    """Moves a stream, with the connection's transaction."""
    name = to.stored_as.replace("'", "''")
    connection.execute(
        f"INSERT INTO {STORED} VALUES ({stream_id}, '{name}', {to.snapshot}, "
        f"TIMESTAMPTZ '{to.moment.isoformat(sep=' ')}')"
    )


def tables_needed(connection: Connection, catalog: Catalog, now: datetime) -> dict[int, datetime]:
    """The tables whose past streams need -> since when: a stream keeps its table's past until it is stale."""
    streams = [item for item in catalog.every() if isinstance(item, Stream) and item.dropped_on is None]
    if not streams:
        return {}
    found = connection.table(f"SELECT stream, max(moment) FROM {STORED} GROUP BY stream")
    moved = dict(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))
    needed: dict[int, datetime] = {}
    for stream in streams:
        table = catalog.by_id(stream.table)
        if isinstance(table, Table):
            moment = max(moved.get(stream.id) or _created(stream).moment, stream_horizon(catalog, table, now)) - _MARGIN
            needed[table.id] = min(moment, needed.get(table.id, moment))
    return needed


def _created(stream: Stream) -> Offset:
    return Offset(stream.stored_as, stream.snapshot, stream.moment or stream.created_on, stream.show_initial_rows)
