"""Takes rides out of the warehouse: of TRIPS, the raw tables, every clone and the staged files, and keeps them out.

What models and station-days were computed from them stays, and is listed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from snowflake.snowpark import Session

from tripcast import names
from tripcast.elt import manifest
from tripcast.elt.conform import RULES, raw_hash
from tripcast.elt.forgotten import PARTS, TRIP_HASH, remove_staged
from tripcast.lineage import runs
from tripcast.lineage.runs import CLONE, Run

_FOUND = "RIDES_TO_FORGET"
# by bike and start a warehouse finds the few rows that are compared in whole
_SAME = "EQUAL_NULL(T.BIKEID, F.BIKEID) AND T.STARTTIME = F.STARTTIME AND " + " AND ".join(
    f"EQUAL_NULL(T.{column}, F.{column})" for column in ("RIDE_ID", *PARTS[2:])
)


class NoSuchRide(LookupError):
    """No table holds such a ride."""


class LoadPending(Exception):
    """Files that were not loaded to the end might bring the ride back."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed.

    Args:
        rides: distinct ones.
        rows: removed from each table, by name with its schema.
        files: staged files that held one of them; they are removed from the stage.
        models: ids of the models that had seen one of them.
        derived: tables that were computed from them and stay.
    """

    rides: int
    rows: dict[str, int] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()


def forget(session: Session, rides: Sequence[str] = (), bike: int | None = None) -> Forgotten:
    """Deletes rides wherever they lie in the database, in one transaction, and keeps later loads from bringing them back.

    Time travel still shows what tables held, until their retention is over.

    Args:
        session: whose current schema is the project's.
        rides: ids of rides; a ride of the older layout, which has no id, is written ``BIKE@START``, as in
            ``29512@2018-01-01 00:01:45.814``.
        bike: all of this bike's; only the older layout names bikes.

    Raises:
        NoSuchRide: there is none of these.
        LoadPending: a load was not finished.
        ValueError: nothing is named.
    """
    if not rides and bike is None:
        raise ValueError("say what to forget: rides or a bike")
    if manifest.of_status(manifest.read(session), manifest.STAGED):
        raise LoadPending("a load was not finished, and its files may hold the rides: run tripcast load again first")
    tables = _tables(session)
    _find(session, tables, rides, bike)
    count = session.sql(f"SELECT COUNT(*) FROM {_FOUND}").collect()[0][0]
    if count == 0:
        wanted = f"bike {bike}" if bike is not None else f"ride {', '.join(rides)}"
        raise NoSuchRide(
            f"no table holds {wanted}: an id of RIDE_ID, or BIKE@START as in 29512@2018-01-01 00:01:45.814"
        )
    files = _remove_staged(session)
    seen = [run for run in runs.read(session) if _saw(session, run, tables)]
    rows: dict[str, int] = {}
    session.sql("BEGIN").collect()
    try:
        for table in tables:
            rows[table] = _deleted(session, f"DELETE FROM {table} T USING {_FOUND} F WHERE {_SAME}")
        for rules in RULES.values():
            raw = rules.schema.raw_table
            rows[_qualified(session, raw)] = _deleted(
                session, f"DELETE FROM {raw} WHERE {_in_raw(rules.schema.number)}"
            )
        for run in seen:
            session.sql(
                f"UPDATE {names.RUNS} SET FORGOTTEN = FORGOTTEN + ? WHERE MODEL_ID = ?",
                params=[rows[_qualified(session, run.table(CLONE))], run.model_id],
            ).collect()
        session.sql(
            f"INSERT INTO {names.FORGOTTEN} (RIDE, FORGOTTEN_AT) SELECT RIDE, ?::TIMESTAMP_NTZ FROM {_FOUND} "
            f"WHERE RIDE NOT IN (SELECT RIDE FROM {names.FORGOTTEN})",
            params=[str(datetime.now(UTC).replace(tzinfo=None, microsecond=0))],
        ).collect()
        session.sql("COMMIT").collect()
    except BaseException:
        session.sql("ROLLBACK").collect()
        raise
    session.sql(f"DROP TABLE IF EXISTS {_FOUND}").collect()
    return Forgotten(
        count,
        {table: number for table, number in rows.items() if number},
        files,
        tuple(run.model_id for run in seen),
        _derived(session, seen),
    )


def _qualified(session: Session, table: str) -> str:
    return f"{session.get_fully_qualified_current_schema()}.{table}".replace('"', "")


def _tables(session: Session) -> list[str]:
    """TRIPS and every clone of it, of all schemas of the database: a killed run leaves one in its own."""
    listed = session.sql("SHOW TABLES IN DATABASE").collect()
    return sorted(
        f"{row['database_name']}.{row['schema_name']}.{row['name']}"
        for row in listed
        if row["name"] == names.TRIPS or row["name"].startswith(f"{CLONE}_")
    )


def _find(session: Session, tables: Sequence[str], rides: Sequence[str], bike: int | None) -> None:
    """Makes a temporary table of the rides that are named: their hash RIDE, RIDE_ID and PARTS.

    What names them is bound: it does not come into the texts of queries, which are kept.
    """
    columns = f"{TRIP_HASH} AS RIDE, RIDE_ID, {', '.join(PARTS)}"
    session.sql(
        f"CREATE OR REPLACE TEMPORARY TABLE {_FOUND} AS SELECT {columns} FROM {tables[0]} WHERE FALSE"
    ).collect()
    ids = json.dumps([ride for ride in rides if "@" not in ride])
    starts = json.dumps([_start(ride) for ride in rides if "@" in ride])
    listed = "IN (SELECT VALUE::VARCHAR FROM TABLE(FLATTEN(PARSE_JSON(?))))"
    started = "TO_VARCHAR(BIKEID) || '@' || TO_VARCHAR(STARTTIME, 'YYYY-MM-DD HH24:MI:SS.FF3')"
    for table in tables:
        session.sql(
            f"INSERT INTO {_FOUND} SELECT DISTINCT {columns} FROM {table} "
            f"WHERE (BIKEID = ?::NUMBER OR RIDE_ID {listed} OR {started} {listed}) "
            f"AND {TRIP_HASH} NOT IN (SELECT RIDE FROM {_FOUND})",
            params=[bike, ids, starts],
        ).collect()


def _start(ride: str) -> str:
    """``BIKE@START`` as ``_matching`` writes it."""
    bike, _, start = ride.partition("@")
    try:
        moment = datetime.fromisoformat(start)
    except ValueError as error:
        raise NoSuchRide(f"{ride!r} names no ride: write BIKE@START as in 29512@2018-01-01 00:01:45.814") from error
    return f"{bike.strip()}@{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"


def _deleted(session: Session, statement: str) -> int:
    """Runs a DELETE; answers how many rows went."""
    return int(session.sql(statement).collect()[0][0])


def _in_raw(number: int) -> str:
    """Whether a raw row is one of the rides; what is cheap to ask comes first."""
    few = f"RIDE_ID IN (SELECT RIDE_ID FROM {_FOUND})"
    if number == 1:
        few = f"TRY_TO_NUMBER(BIKEID) IN (SELECT BIKEID FROM {_FOUND})"
    return f"{few} AND {raw_hash(RULES[number])} IN (SELECT RIDE FROM {_FOUND})"


def _remove_staged(session: Session) -> tuple[str, ...]:
    """Removes the staged files and noted lines that hold one of the rides; their other rows are loaded."""
    paths: list[str] = []
    for number, rules in RULES.items():
        raw = rules.schema.raw_table
        held = session.sql(f"SELECT DISTINCT SOURCE_FILE FROM {raw} WHERE {_in_raw(number)}").collect()
        shown = ", ".join(f"COALESCE({column}, '')" for column in (rules.start, rules.stop, "START_STATION_ID"))
        session.sql(
            f"DELETE FROM {names.LOAD_ISSUES} WHERE TEXT IN (SELECT CONCAT_WS(',', {shown}) FROM {raw} "
            f"WHERE {_in_raw(number)})"
        ).collect()
        paths += [row[0] for row in held if row[0]]
    remove_staged(session, names.LOAD_STAGE, paths)
    return tuple(sorted(paths))


def _saw(session: Session, run: Run, tables: Sequence[str]) -> bool:
    """Whether a run's clone holds one of the rides, on a day that the run may see."""
    table = _qualified(session, run.table(CLONE))
    if table not in tables:
        return False
    row = session.sql(
        f"SELECT COUNT(*) FROM {table} T JOIN {_FOUND} F ON {_SAME} WHERE T.STARTTIME < ?::DATE",
        params=[str(run.run_date)],
    ).collect()[0]
    return int(row[0]) > 0


def _derived(session: Session, seen: Sequence[Run]) -> tuple[str, ...]:
    """Tables that were computed from what is gone."""
    there = {row["name"] for row in session.sql("SHOW TABLES").collect()}
    shared = {names.STATION_DAYS, names.FEATURES, names.BACKTEST, names.EVAL, names.FORECAST, names.FLAT_FORECAST}
    own = {run.table(prefix) for run in seen for prefix in runs.PREFIXES if prefix not in (CLONE, "WEATHER", "HOLIDAY")}
    return tuple(sorted((shared | own) & there))
