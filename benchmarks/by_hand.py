"""The load as a good engineer would write it for DuckDB alone: gzip CSV files -> TRIPS, typed, each trip once.

Two ways. ``load_through_raw`` does what tripcast does: text as it is into one table for each layout (with file and line
kept, so that a row can be traced), then TRIPS from these. ``load_directly`` keeps no raw tables.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import duckdb

_SCHEMA1 = (
    "tripduration", "starttime", "stoptime",
    "start_station_id", "start_station_name", "start_station_latitude", "start_station_longitude",
    "end_station_id", "end_station_name", "end_station_latitude", "end_station_longitude",
    "bikeid", "usertype", "birth_year", "gender",
)  # fmt: skip
_SCHEMA2 = (
    "ride_id", "rideable_type", "started_at", "ended_at", "start_station_name", "start_station_id",
    "end_station_name", "end_station_id", "start_lat", "start_lng", "end_lat", "end_lng", "member_casual",
)  # fmt: skip
# The formats that the published files use beside ISO, which a cast reads fastest.
_TIMES = "['%m/%d/%Y %H:%M:%S', '%m/%d/%y %H:%M', '%m/%d/%Y %H:%M']"


def load_through_raw(files: Sequence[Path], database: Path) -> int:
    """Loads into raw tables, then TRIPS; answers the number of trips."""
    with duckdb.connect(database) as connection:
        for number, columns, chosen in _by_schema(files):
            connection.execute(f"CREATE TABLE raw_schema{number} AS SELECT * FROM {_reader(chosen, columns)}")
        return _make_trips(connection, {number: f"raw_schema{number}" for number, _, _ in _by_schema(files)})


def load_directly(files: Sequence[Path], database: Path) -> int:
    """Loads into TRIPS in one statement; answers the number of trips."""
    with duckdb.connect(database) as connection:
        return _make_trips(connection, {n: _reader(chosen, columns) for n, columns, chosen in _by_schema(files)})


def _by_schema(files: Sequence[Path]) -> list[tuple[int, tuple[str, ...], list[str]]]:
    """(number of the layout, its columns, its files), for the layouts that there are."""
    chosen: dict[int, list[str]] = {1: [], 2: []}
    for file in files:
        with gzip.open(file, "rt") as text:
            chosen[2 if "ride_id" in text.readline() else 1].append(str(file))
    return [(n, columns, chosen[n]) for n, columns in ((1, _SCHEMA1), (2, _SCHEMA2)) if chosen[n]]


def _reader(files: list[str], columns: tuple[str, ...]) -> str:
    types = ", ".join(f"'{column}': 'VARCHAR'" for column in columns)
    return (
        f"read_csv({files}, auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', "
        f"columns = {{{types}}}, nullstr = ['', 'NULL', '\\N'], filename = true)"
    )


def _time(column: str) -> str:
    return f"coalesce(try_cast({column} AS TIMESTAMP), try_strptime({column}, {_TIMES}))"


def _make_trips(connection: duckdb.DuckDBPyConnection, sources: dict[int, str]) -> int:
    branches = {
        1: f"""SELECT try_cast(tripduration AS INTEGER) AS tripduration,
            {_time("starttime")} AS starttime, {_time("stoptime")} AS stoptime,
            start_station_id, start_station_name,
            try_cast(start_station_latitude AS DOUBLE) AS start_station_latitude,
            try_cast(start_station_longitude AS DOUBLE) AS start_station_longitude,
            end_station_id, end_station_name,
            try_cast(end_station_latitude AS DOUBLE) AS end_station_latitude,
            try_cast(end_station_longitude AS DOUBLE) AS end_station_longitude,
            try_cast(bikeid AS INTEGER) AS bikeid, usertype, try_cast(birth_year AS SMALLINT) AS birth_year,
            try_cast(gender AS TINYINT) AS gender, NULL::VARCHAR AS ride_id, NULL::VARCHAR AS rideable_type,
            NULL::VARCHAR AS member_casual, filename AS source_file
            FROM {{source}}""",
        2: f"""SELECT date_diff('second', {_time("started_at")}, {_time("ended_at")})::INTEGER,
            {_time("started_at")}, {_time("ended_at")}, start_station_id, start_station_name,
            try_cast(start_lat AS DOUBLE), try_cast(start_lng AS DOUBLE), end_station_id, end_station_name,
            try_cast(end_lat AS DOUBLE), try_cast(end_lng AS DOUBLE), NULL,
            CASE member_casual WHEN 'member' THEN 'Subscriber' WHEN 'casual' THEN 'Customer' END, NULL, NULL,
            ride_id, rideable_type, member_casual, filename
            FROM {{source}}""",
    }
    union = " UNION ALL ".join(branches[number].format(source=source) for number, source in sources.items())
    connection.execute(f"""CREATE TABLE trips AS
        SELECT DISTINCT ON (starttime, stoptime, bikeid, start_station_id, end_station_id, ride_id) * FROM ({union})""")
    return connection.execute("SELECT count(*) FROM trips").fetchone()[0]  # type: ignore[index]
