"""Which files were loaded into which table: kept beside the rows, so that both are there or neither.

Source: docs.snowflake.com/en/user-guide/data-load-considerations-load (load metadata).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from polynya.catalog.model import Table
from polynya.stages.store import StagedFile, StageLocation
from polynya.storage.connection import Connection

# The engine's tables that hold the history of stored and of temporary tables; no catalog object has these names.
STORED = 'lake.main."load_history"'
TEMPORARY = 'temp.main."load_history"'
_COLUMNS = (
    "table_id BIGINT, file VARCHAR, checksum VARCHAR, size BIGINT, loaded_at TIMESTAMPTZ, query_id VARCHAR, "
    "status VARCHAR, rows_parsed BIGINT, rows_loaded BIGINT, errors BIGINT, first_error VARCHAR"
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file's load, as the history keeps it.

    Args:
        file: the file.
        checksum: of its content.
        status: LOADED or PARTIALLY_LOADED.
        rows_parsed, rows_loaded, errors: counts.
        first_error: or None.
    """

    file: StagedFile
    checksum: str
    status: str
    rows_parsed: int
    rows_loaded: int
    errors: int = 0
    first_error: str | None = None


def key(location: StageLocation, file: StagedFile) -> str:
    """A file's identity: its stage and its path there."""
    place = str(location.stage.id) if location.stage is not None else (location.url or str(location.root))
    return f"{place}:{file.relative}"


def loaded_files(connection: Connection, table: Table) -> set[tuple[str, str]]:
    """(key, checksum) of the files that were loaded into a table."""
    found = connection.table(f"SELECT file, checksum FROM {_name(table)} WHERE table_id = {table.id}")
    return set(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))


def open_history(connection: Connection) -> None:
    """Makes the history of stored tables where there is none; when the home is opened, before any load."""
    connection.execute(f"CREATE TABLE IF NOT EXISTS {STORED} ({_COLUMNS})")


def prepare(connection: Connection, table: Table) -> None:
    """Makes the history of a session's temporary tables, before a load into one of them."""
    if _name(table) == TEMPORARY:
        connection.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {TEMPORARY} ({_COLUMNS})")


def record(
    connection: Connection, table: Table, location: StageLocation, loads: list[Loaded], query_id: str, moment: datetime
) -> None:
    """Adds loads to the history, in the transaction that adds their rows."""
    if not loads:
        return
    values = ", ".join(
        f"({table.id}, {_quoted(key(location, load.file))}, {_quoted(load.checksum)}, {load.file.size}, "
        f"TIMESTAMPTZ '{moment.isoformat(sep=' ')}', {_quoted(query_id)}, '{load.status}', {load.rows_parsed}, "
        f"{load.rows_loaded}, {load.errors}, {_quoted(load.first_error) if load.first_error is not None else 'NULL'})"
        for load in loads
    )
    connection.execute(f"INSERT INTO {_name(table)} VALUES {values}")


def all_loads(connection: Connection) -> list[dict[str, Any]]:
    """Every load into stored tables, oldest first, for LOAD_HISTORY; the file is its path in its stage."""
    if STORED not in connection.engine.lake_tables():
        return []  # nothing was ever loaded
    found = connection.table(f"SELECT * REPLACE (split_part(file, ':', -1) AS file) FROM {STORED} ORDER BY loaded_at")
    return found.to_pylist()


def forget(connection: Connection, table: Table) -> None:
    """Removes a table's history, as TRUNCATE does."""
    prepare(connection, table)
    if loaded_files(connection, table):
        connection.execute(f"DELETE FROM {_name(table)} WHERE table_id = {table.id}")


def _name(table: Table) -> str:
    return TEMPORARY if table.stored_as.startswith("temp.") else STORED


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
