"""HOLIDAYS: public holidays of the years of the data and those to come."""

from __future__ import annotations

from snowflake.snowpark import Session
from snowflake.snowpark import types as T

from tripcast import names
from tripcast.sources.holidays import COUNTRY, STATE, public_holidays

# The calendar goes on for more than a year after the data.
YEARS_AHEAD = 2

_SCHEMA = T.StructType([T.StructField("DATE", T.DateType()), T.StructField("HOLIDAY", T.StringType())])


def materialize_holidays(
    session: Session,
    first_year: int,
    last_year: int,
    country: str = COUNTRY,
    state: str | None = STATE,
    table: str = names.HOLIDAYS,
) -> int:
    """Writes the holidays of these years and YEARS_AHEAD more to a table (DATE, HOLIDAY); answers how many.

    Raises:
        ValueError: there is no such country or state.
    """
    found = public_holidays(range(first_year, last_year + YEARS_AHEAD + 1), country, state)
    session.create_dataframe(found, schema=_SCHEMA).write.save_as_table(table, mode="overwrite")
    return len(found)
