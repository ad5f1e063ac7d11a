"""Rides that were forgotten stay out: what names them is a hash, kept in FORGOTTEN."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from snowflake.snowpark import Session

from tripcast import names
from tripcast.sources.formats import Schema

# the columns of TRIPS that say which trip it is, where there is no ride id
PARTS = ("BIKEID", "STARTTIME", "STOPTIME", "START_STATION_ID", "END_STATION_ID")


def ride_hash(ride_id: str, bike: str, start: str, stop: str, start_station: str, end_station: str) -> str:
    """The expression of a ride's hash, from expressions of the types that TRIPS has."""
    moments = [f"TO_VARCHAR({moment}, 'YYYY-MM-DD HH24:MI:SS.FF3')" for moment in (start, stop)]
    parts = [f"TO_VARCHAR({bike})", *moments, start_station, end_station]
    joined = " || '|' || ".join(f"COALESCE({part}, '')" for part in parts)
    return f"SHA2(COALESCE({ride_id}, {joined}))"


TRIP_HASH = ride_hash("RIDE_ID", *PARTS)


def keep_out(session: Session, schema: Schema, raw_hash: str, paths: Iterable[str]) -> list[str]:
    """Deletes raw rows of rides that were forgotten.

    Args:
        session: whose current schema has the raw tables.
        schema: layout of the files.
        raw_hash: expression of a ride's hash over the raw columns.
        paths: stage paths of the files.

    Returns:
        the paths of files that held one: they should go from the stage when they are loaded.
    """
    if not any_forgotten(session):
        return []
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    condition = f"SOURCE_FILE IN ({listed}) AND {raw_hash} IN (SELECT RIDE FROM {names.FORGOTTEN})"
    held = session.sql(f"SELECT DISTINCT SOURCE_FILE FROM {schema.raw_table} WHERE {condition}").collect()
    if held:
        session.sql(f"DELETE FROM {schema.raw_table} WHERE {condition}").collect()
    return [row[0] for row in held]


def any_forgotten(session: Session) -> bool:
    """Whether there is any ride to keep out."""
    if not session.sql(f"SHOW TABLES LIKE '{names.FORGOTTEN}'").collect():
        return False  # set up before there was such a table
    return session.table(names.FORGOTTEN).limit(1).count() > 0


def remove_staged(session: Session, stage: str, paths: Sequence[str]) -> None:
    """Removes files from the stage."""
    for path in paths:
        session.sql(f"REMOVE @{stage}/{path}").collect()
