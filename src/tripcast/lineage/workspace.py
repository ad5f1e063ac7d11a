"""A schema of its own for each run: clones of what it may see, and all that is computed from them.

The same functions that work on the tables of the project's schema work there on what the run may see. What a run leaves is
cloned back under the run's names. To repeat a run is to make its schema again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.features.days import build_days, table_if_any
from tripcast.features.features import build_feature_table
from tripcast.features.station_days import build_station_days
from tripcast.features.stations import build_stations
from tripcast.lineage.runs import CLONE, HOLIDAY, WEATHER, Run

PINNED = {WEATHER: names.WEATHER, HOLIDAY: names.HOLIDAYS}
COMPUTED = (names.STATION_ALIASES, names.STATIONS, names.STATION_DAYS, names.DAYS, names.FEATURES)
PREFIX = "RUN_"


def home_of(session: Session) -> tuple[str, str]:
    """Database and schema that are current."""
    database, schema = session.get_current_database(), session.get_current_schema()
    if database is None or schema is None:
        raise ValueError("no schema is current: tripcast setup makes one")
    return database.strip('"'), schema.strip('"')


def pin(session: Session, run: Run) -> None:
    """Clones TRIPS, WEATHER and HOLIDAYS as they are, without copying a byte, and tags the clones."""
    clone(session, run, names.TRIPS, CLONE)
    for prefix, table in PINNED.items():
        if table_if_any(session, table) is not None:
            clone(session, run, table, prefix)


def clone(session: Session, run: Run, source: str, prefix: str) -> None:
    """Makes one of the run's tables a clone of ``source``, and tags it."""
    session.sql(f"CREATE OR REPLACE TABLE {run.table(prefix)} CLONE {source}").collect()
    tag(session, run, prefix)


def tag(session: Session, run: Run, prefix: str) -> None:
    """Tags one of the run's tables with its model id."""
    session.sql(f"ALTER TABLE {run.table(prefix)} SET TAG {names.MODEL_TAG} = '{run.model_id}'").collect()


def place_of(session: Session, run: Run, purpose: str = PREFIX) -> str:
    """The run's schema, with its database."""
    return f"{home_of(session)[0]}.{purpose}{run.model_id}".upper()


def make(session: Session, run: Run, purpose: str = PREFIX) -> str:
    """Makes the run's schema anew, with TRIPS as they were up to the cutoff and what is computed from them.

    Args:
        session: whose current schema has the run's clones.
        run: whose clones to take.
        purpose: beginning of the schema's name.

    Returns:
        the schema, with its database.
    """
    database, schema = home_of(session)
    home, place = f"{database}.{schema}", place_of(session, run, purpose)
    session.sql(f"CREATE OR REPLACE SCHEMA {place}").collect()
    session.use_schema(home)  # a new schema becomes the current one
    session.sql(f"CREATE TABLE {place}.{names.TRIPS} CLONE {home}.{run.table(CLONE)}").collect()
    session.sql(f"DELETE FROM {place}.{names.TRIPS} WHERE STARTTIME >= ?::DATE", params=[str(run.run_date)]).collect()
    for prefix, table in PINNED.items():
        if table_if_any(session, run.table(prefix)) is not None:
            session.sql(f"CREATE TABLE {place}.{table} CLONE {home}.{run.table(prefix)}").collect()
    with inside(session, place):
        session.sql(f"CREATE STAGE {names.MODEL_STAGE}").collect()
        _compute(session)
    return place


def _compute(session: Session) -> None:
    build_stations(session)
    build_station_days(session)
    build_days(session)
    build_feature_table(session)


def share(session: Session, run: Run, place: str) -> None:
    """Makes what was computed in the run's schema the project's own, unless TRIPS goes on beyond what the run may see."""
    later = session.table(names.TRIPS).filter(F.col("STARTTIME") >= F.lit(run.run_date)).limit(1).count()
    if later == 0:
        for table in COMPUTED:
            session.sql(f"CREATE OR REPLACE TABLE {table} CLONE {place}.{table}").collect()
    elif table_if_any(session, names.FEATURES) is None:
        _compute(session)


@contextmanager
def inside(session: Session, place: str) -> Iterator[None]:
    """Makes a schema current for a while."""
    database, schema = home_of(session)
    session.use_schema(place)
    try:
        yield
    finally:
        session.use_schema(f"{database}.{schema}")


def exists(session: Session, place: str) -> bool:
    """Whether there is such a schema (``DATABASE.SCHEMA``) with features in it, so that it was made to the end."""
    return table_if_any(session, f"{place}.{names.FEATURES}") is not None


def drop(session: Session, place: str) -> None:
    """Drops a run's schema; no harm if it is gone."""
    session.sql(f"DROP SCHEMA IF EXISTS {place}").collect()


def seen(session: Session, run: Run) -> tuple[int, object, object]:
    """How many trips a run's clone shows it, and their first and last day."""
    trips = session.table(run.table(CLONE)).filter(F.col("STARTTIME") < F.lit(run.run_date))
    row = trips.agg(
        F.count(F.lit(1)).alias("N"), F.min("STARTTIME").cast("DATE"), F.max("STARTTIME").cast("DATE")
    ).collect()[0]
    return row[0], row[1], row[2]
