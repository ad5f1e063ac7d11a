"""Streams and CHANGES in FROM: the rows of a table that changed since an offset, or between two moments.

Sources: docs.snowflake.com/en/user-guide/streams-intro, docs.snowflake.com/en/sql-reference/constructs/changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlglot import exp

from polynya.catalog.context import Context
from polynya.catalog.imported import imported_from
from polynya.catalog.model import Stream, Table
from polynya.catalog.policies import is_protected
from polynya.catalog.retention import stream_horizon
from polynya.catalog.rights import require
from polynya.catalog.store import Catalog
from polynya.catalog.versions import version_at
from polynya.dialect import time_travel
from polynya.dialect.expression import quote
from polynya.dialect.scope import Source, SourceColumn
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, compilation_error, unsupported
from polynya.storage import row_changes, snapshots, stream_offsets
from polynya.storage.row_changes import ROW, Item
from polynya.storage.stream_offsets import Offset
from polynya.storage.tables import storage_type
from polynya.types.sqltype import BOOLEAN, varchar

if TYPE_CHECKING:
    from polynya.dialect.environment import Environment
    from polynya.storage.connection import Connection

# The table's option that ALTER TABLE ... SET CHANGE_TRACKING and the first stream on it set.
TRACKING = "CHANGE_TRACKING"


@dataclass(frozen=True, slots=True)
class StreamRead:
    """What a statement reads of a stream: the changes from one offset to another.

    Args:
        stream: it.
        start: where the stream is.
        end: where it will be when the statement's transaction has consumed it.
    """

    stream: Stream
    start: Offset
    end: Offset


def find_stream(context: Context, name: str) -> Stream:
    """The stream of a name as SQL writes it, for system functions.

    Raises:
        SnowflakeError: 002003 if there is none.
    """
    tokens = TokenStream(name)
    parts = tokens.name()
    tokens.expect_end()
    found: Stream = context.catalog.get(context, "STREAM", parts)
    return found


def base_table(catalog: Catalog, stream: Stream) -> Table:
    """The table of a stream.

    Raises:
        SnowflakeError: 091901 if it was dropped or replaced.
    """
    table = catalog.by_id(stream.table)
    if not isinstance(table, Table) or not catalog.reachable(table):
        name = catalog.full_name(table) if table is not None else f"of id {stream.table}"
        raise compilation_error(
            91901, "02000", f"Base table '{name}' dropped, cannot read from stream '{catalog.full_name(stream)}'."
        )
    return table


def check_readable(context: Context, table: Table) -> None:
    """Refuses tables whose changes cannot be told, or not be shown to everybody.

    Raises:
        SnowflakeError: 000002 by name; 003001, 002003 without SELECT on the table.
    """
    require(context, "SELECT", table)
    if table.dynamic_query:
        raise unsupported("changes of a dynamic table")
    if table.kind == "TEMPORARY":
        raise unsupported("changes of a temporary table")
    if imported_from(context.catalog, table):
        raise unsupported("changes of a table in a shared database")
    if is_protected(context.catalog, table):
        raise unsupported("changes of a table with a row access or masking policy")


# --- in FROM ------------------------------------------------------------------------------------------------------------


def stream_source(stream: Stream, env: Environment) -> Source:
    """The rows of a stream.

    Raises:
        SnowflakeError: 091901 if its table is gone or it is stale.
    """
    require(env.context, "SELECT", stream)
    table = base_table(env.context.catalog, stream)
    check_readable(env.context, table)
    env.reads.note(table)
    env.objects.setdefault(table.id, table)
    if env.describe_only or env.execution is None:
        return _no_rows(table, env)
    read = stream_read(env.context, stream, table, env.execution.connection)
    env.reads.streams[stream.id] = read
    return _source(table, changes(table, read, env))


def changes_source(table: Table, clause: exp.Changes, env: Environment) -> Source:
    """``CHANGES (INFORMATION => DEFAULT | APPEND_ONLY) AT | BEFORE (...) [END (...)]``.

    Raises:
        SnowflakeError: 091930 unless the table's changes are tracked; 000707 for what its past does not reach.
    """
    information = str(clause.args["information"]).upper()
    if information not in ("DEFAULT", "APPEND_ONLY"):
        raise compilation_error(1003, "42000", f"syntax error: INFORMATION => {information}; DEFAULT or APPEND_ONLY.")
    if not table.options.get(TRACKING):
        raise compilation_error(
            91930,
            "02000",
            f"Change tracking is not enabled or has been missing for the time range requested on table '{table.name}'.",
        )
    check_readable(env.context, table)
    if env.describe_only or env.execution is None:
        return _no_rows(table, env)
    connection: Connection = env.execution.connection
    start = _at(table, clause.args["at_before"], env)
    end = _at(table, clause.args["end"], env) if clause.args.get("end") else _now(table, connection)
    if end.moment < start.moment:
        raise compilation_error(1008, "22023", "the END of CHANGES is before its beginning")
    stream = Stream(id=0, parent=table.parent, name=table.name, owner="", created_on=start.moment, table=table.id)
    stream.append_only = information == "APPEND_ONLY"
    return _source(table, changes(table, StreamRead(stream, start, end), env))


def changes(table: Table, read: StreamRead, env: Environment) -> str:
    """SQL, for FROM, of what a statement reads of a stream.

    Raises:
        SnowflakeError: 091901 if the stream is stale.
    """
    connection: Connection = env.execution.connection
    start, end = _resolved(env.context.catalog, table, read), read.end
    if read.start.initial:
        rows = row_changes.all_rows
        if not read.stream.append_only:
            return rows(end.stored_as, end.snapshot, _items(table, connection, end, end, env))
        items = _items(table, connection, end, end, env)
        first = rows(start.stored_as, start.snapshot, _items(table, connection, start, start, env))
        later = row_changes.inserted_rows(end.stored_as, start.snapshot, end.snapshot, items)
        return f"(SELECT * FROM {first} UNION ALL SELECT * FROM {later})"
    if start.snapshot >= end.snapshot or not row_changes.has_changed(
        connection, end.stored_as, start.snapshot, end.snapshot
    ):
        return row_changes.no_changes(_items(table, connection, end, end, env))
    if read.stream.append_only:
        items = _items(table, connection, end, end, env)
        return row_changes.inserted_rows(end.stored_as, start.snapshot, end.snapshot, items)
    kept = row_changes.kept_snapshot(connection, start.snapshot)
    if kept is None:
        raise _stale(env.context.catalog, read.stream)
    start = Offset(start.stored_as, kept, start.moment)
    items = _items(table, connection, start, end, env)
    return row_changes.net_changes(connection, end.stored_as, kept, end.snapshot, items)


# --- offsets ------------------------------------------------------------------------------------------------------------


def stream_read(context: Context, stream: Stream, table: Table, connection: Connection) -> StreamRead:
    """What a statement reads of a stream: inside a transaction the changes up to its beginning, always the same ones.

    Args:
        context: of the statement.
        stream: of the catalog.
        table: its table.
        connection: of the session; while it is in a transaction nobody else can consume the stream.

    Raises:
        SnowflakeError: 091901 if the stream is stale.
    """
    known: StreamRead | None = connection.stream_reads.get(stream.id)
    if known is not None:
        return known
    if connection.in_transaction:
        connection.write_lock(lock_name(stream))
    start = stream_offsets.offset_of(connection, stream)
    if start.moment < stream_horizon(context.catalog, table):
        raise _stale(context.catalog, stream)
    end = _now(table, connection)
    if end.stored_as == start.stored_as and end.snapshot < start.snapshot:  # consumed since the transaction began
        end = Offset(start.stored_as, start.snapshot, start.moment)
    read = StreamRead(stream, start, end)
    if connection.in_transaction:
        connection.stream_reads[stream.id] = read
    return read


def has_data(context: Context, stream: Stream, env: Environment) -> bool:
    """Whether a stream has any row."""
    table = base_table(context.catalog, stream)
    connection: Connection = env.execution.connection
    read = stream_read(context, stream, table, connection)
    rows = changes(table, read, env)
    return connection.table(f"SELECT 1 FROM {rows} LIMIT 1", env.inputs).num_rows > 0


def lock_name(stream: Stream) -> str:
    """The lock that whoever consumes a stream holds."""
    return f"stream {stream.id}"


def offset_at(table: Table, clause: exp.HistoricalData | None, env: Environment) -> Offset:
    """Where a new stream begins: as of a moment, or now.

    Raises:
        SnowflakeError: 000707 for a moment that the table's past does not reach.
    """
    return _now(table, env.execution.connection) if clause is None else _at(table, clause, env)


def _at(table: Table, clause: exp.HistoricalData, env: Environment) -> Offset:
    moment = time_travel.read_moment(clause, env)
    version = time_travel.rows_at(table, moment, env)
    assert version.snapshot is not None
    return Offset(version.stored_as, version.snapshot, moment.time)


def _now(table: Table, connection: Connection) -> Offset:
    """The table's committed rows: of now, or of when the open transaction began."""
    begun = connection.transaction_id if connection.in_transaction else None
    moment = datetime.now(UTC) if begun is None else datetime.fromtimestamp(begun / 1e9, UTC)
    version = version_at(table, moment)
    snapshot = version.snapshot
    if snapshot is None and begun is not None:
        snapshot = snapshots.snapshot_at(connection, moment)
    if snapshot is None:
        snapshot = snapshots.current_snapshot(connection)
    return Offset(version.stored_as, snapshot, moment)


def _resolved(catalog: Catalog, table: Table, read: StreamRead) -> Offset:
    """The beginning in the stored table that the end is of: a clone that was written to has its rows in a table of its own.

    Raises:
        SnowflakeError: 091901 if the rows were written anew in between: which were the same cannot be told.
    """
    offset = read.start
    names = [*(version.stored_as for version in table.past), table.stored_as]
    for index, version in enumerate(table.past):
        if offset.stored_as == read.end.stored_as:
            break
        pinned = (version.stored_as, version.snapshot) == (offset.stored_as, offset.snapshot)
        if pinned and version.same_at is not None:
            following = next(name for name in names[index:] if name != version.stored_as)
            offset = Offset(following, version.same_at, offset.moment, offset.initial)
    if offset.stored_as != read.end.stored_as:
        raise _stale(catalog, read.stream, " The table's rows have been written anew by ALTER TABLE.")
    return offset


def _stale(catalog: Catalog, stream: Stream, why: str = "") -> SnowflakeError:
    return compilation_error(
        91901,
        "02000",
        f"Stream '{catalog.full_name(stream)}' has become stale: create it again to read from it.{why}",
    )


# --- columns ------------------------------------------------------------------------------------------------------------


def _items(table: Table, connection: Connection, start: Offset, end: Offset, env: Environment) -> list[Item]:
    """The table's columns of now, over its rows of then."""
    then, later = (snapshots.columns_at(connection, offset.stored_as, offset.snapshot) for offset in (start, end))
    newest = table.snapshot if table.snapshot is not None else snapshots.current_snapshot(connection)
    now = snapshots.columns_at(connection, table.stored_as, newest)
    return [
        Item(
            quote(column.stored_as),
            time_travel.value_then(column, then, now, env),
            time_travel.value_then(column, later, now, env),
            storage_type(column.type),
        )
        for column in table.columns
    ]


def _no_rows(table: Table, env: Environment) -> Source:
    items = [Item(quote(column.stored_as), "", "", storage_type(column.type)) for column in table.columns]
    return _source(table, row_changes.no_changes(items))


def _source(table: Table, rows: str) -> Source:
    columns = [
        SourceColumn(column.name, column.type, column.nullable, column.stored_as, ((table.id, column.name),))
        for column in table.columns
    ]
    columns += [
        SourceColumn("METADATA$ACTION", varchar(6), False, "METADATA$ACTION"),
        SourceColumn("METADATA$ISUPDATE", BOOLEAN, False, "METADATA$ISUPDATE"),
        SourceColumn("METADATA$ROW_ID", varchar(40), False, "METADATA$ROW_ID"),
    ]
    return Source(f"(SELECT * REPLACE (sha1('{table.id}:' || {ROW}) AS {ROW}) FROM {rows})", columns)
