"""Which snapshot of the lake a moment or a statement means.

A commit carries a note: when it was made and which statements it holds. DuckLake's own ``snapshot_time`` is the moment
at which the transaction began, so a long load would seem to have been there before it was.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from polynya.storage.forks import METADATA

if TYPE_CHECKING:
    from polynya.storage.connection import Connection

# Statements of one transaction that are noted, the last ones; a load of many thousand keeps its note small.
_NOTED = 1000
_FORMAT = "%Y-%m-%d %H:%M:%S.%f"
# SQL of a snapshot's moment, in UTC without a zone.
MOMENT = "coalesce(try_cast(substr(c.commit_extra_info, 8, 26) AS TIMESTAMP), s.snapshot_time AT TIME ZONE 'UTC')"
COMMITS = f"{METADATA}.ducklake_snapshot AS s LEFT JOIN {METADATA}.ducklake_snapshot_changes AS c USING (snapshot_id)"


def commit_note(moment: datetime, query_ids: list[str]) -> str:
    """The note of a commit; ``MOMENT`` reads it by position."""
    text = moment.astimezone(UTC).strftime(_FORMAT)
    return json.dumps({"at": text, "queries": query_ids[-_NOTED:]}, separators=(",", ":"))


def current_snapshot(connection: Connection) -> int:
    """The lake's newest snapshot."""
    return connection.sibling_table(f"SELECT max(snapshot_id) FROM {METADATA}.ducklake_snapshot").column(0)[0].as_py()


def snapshot_at(connection: Connection, moment: datetime) -> int | None:
    """The last snapshot that was committed by a moment, or None."""
    return _one(connection, f"SELECT max(snapshot_id) FROM {COMMITS} WHERE {MOMENT} <= {_sql(moment)}")


def snapshot_before(connection: Connection, snapshot: int) -> int | None:
    """The last snapshot that there is before another one, or None."""
    return _one(connection, f"SELECT max(snapshot_id) FROM {METADATA}.ducklake_snapshot WHERE snapshot_id < {snapshot}")


def commit_of(connection: Connection, query_id: str) -> tuple[int, datetime] | None:
    """(snapshot, moment) of the commit that made a statement's changes visible, or None if it made none."""
    quoted = json.dumps(query_id).replace("'", "''")
    found = connection.sibling_table(
        f"SELECT snapshot_id, {MOMENT} FROM {COMMITS} WHERE contains(c.commit_extra_info, '{quoted}') "
        "ORDER BY snapshot_id DESC LIMIT 1"
    )
    if not found.num_rows:
        return None
    return found.column(0)[0].as_py(), found.column(1)[0].as_py().replace(tzinfo=UTC)


def columns_at(connection: Connection, stored_as: str, snapshot: int) -> dict[str, str]:
    """The columns that a table of the lake had at a snapshot, with the lake's types; none if it was not there."""
    name = stored_as.rpartition(".")[2].strip('"')
    alive = "{0}.begin_snapshot <= {1} AND ({0}.end_snapshot IS NULL OR {0}.end_snapshot > {1})"
    found = connection.sibling_table(
        f"SELECT c.column_name, c.column_type FROM {METADATA}.ducklake_table AS t JOIN {METADATA}.ducklake_column AS c "
        f"USING (table_id) WHERE t.table_name = '{name}' AND c.parent_column IS NULL "
        f"AND {alive.format('t', snapshot)} AND {alive.format('c', snapshot)}"
    )
    return dict(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))


def _one(connection: Connection, sql: str) -> int | None:
    return connection.sibling_table(sql).column(0)[0].as_py()


def _sql(moment: datetime) -> str:
    return f"TIMESTAMP '{moment.astimezone(UTC).strftime(_FORMAT)}'"
