"""The table WEATHER: the listing's days, measured and to come, under the names that features use."""

from __future__ import annotations

from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkSQLException

from tripcast import names
from tripcast.sources import weather

# Share of a name that does not exist, or not for this role: Snowflake's error number.
_MISSING = 2003
_DATABASE_MISSING = 2043


def take_listing(session: Session, share: str = weather.SHARE, database: str = weather.DATABASE) -> None:
    """Makes the listing's database from its share, if there is none yet.

    Raises:
        LookupError: the account has no such share; the text says how to get it.
    """
    if session.sql(f"SHOW DATABASES LIKE '{database}'").collect():
        return
    current = session.get_fully_qualified_current_schema()
    try:
        session.sql(f"CREATE DATABASE {database} FROM SHARE {share}").collect()
    except SnowparkSQLException as error:
        if error.sql_error_code in (_MISSING, _DATABASE_MISSING):
            raise LookupError(
                f"there is no share {share}: `tripcast weather publish` writes the weather and says how to add it"
            ) from error
        raise
    session.use_schema(current)  # a new database becomes the current one


def materialize_weather(session: Session, database: str = weather.DATABASE, table: str = names.WEATHER) -> int:
    """Writes the listing's days to a table; answers how many.

    A day that was measured comes from the history, others from the climatology; the column SOURCE says which.
    """
    place = f"{database}.{weather.SCHEMA}"
    columns = ", ".join(
        [
            "DATE_VALID_STD AS DATE", "MIN_TEMPERATURE_AIR_2M_F AS TEMP_MIN", "AVG_TEMPERATURE_AIR_2M_F AS TEMP",
            "MAX_TEMPERATURE_AIR_2M_F AS TEMP_MAX", "TOT_PRECIPITATION_IN AS PRECIPITATION",
            "TOT_SNOWFALL_IN AS SNOWFALL", "TOT_SNOWDEPTH_IN AS SNOW_DEPTH", "AVG_WIND_SPEED_10M_MPH AS WIND", "SOURCE",
        ]
    )  # fmt: skip
    session.sql(
        f"CREATE OR REPLACE TABLE {table} AS SELECT {columns} FROM {place}.{weather.HISTORY} "
        f"UNION ALL SELECT {columns} FROM {place}.{weather.FORECAST}"
    ).collect()
    return session.table(table).count()
