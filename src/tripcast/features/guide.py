"""Features by the function names of the guide's notebooks, over the same steps as ``tripcast.features``.

Another than in the guide: days without a trip are zeros, so a lag of 7 is the same weekday; lags from before a station's
first day are the mean of its days so far, so no day sees a later one; weather that was not measured is the usual one.
"""

from __future__ import annotations

from datetime import date, timedelta

from snowflake.snowpark import DataFrame, Session, Window
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.features.days import days
from tripcast.features.features import LAGS, history
from tripcast.features.frame import MAX_H, open_stations
from tripcast.features.holidays import materialize_holidays
from tripcast.features.station_days import day_frame, day_range, station_days
from tripcast.features.stations import station_aliases, stations
from tripcast.features.weather import materialize_weather, take_listing

# HOLIDAY is the last but one: the guide's cat_idxs=[-2]
DAY_COLUMNS = ("PRECIP", "HOLIDAY", "TEMP")
LAG_COLUMNS = tuple(f"LAG_{lag}" for lag in LAGS)
COLUMNS = ("DATE", "COUNT", *LAG_COLUMNS, *DAY_COLUMNS)
# Citi Bike's first.
FIRST_YEAR = 2013


def materialize_holiday_table(session: Session, holiday_table_name: str = names.HOLIDAYS) -> str:
    """Writes the holidays from FIRST_YEAR to the coming years; answers the table's name."""
    materialize_holidays(session, FIRST_YEAR, date.today().year, table=holiday_table_name)
    return holiday_table_name


def materialize_weather_table(session: Session, weather_table_name: str = names.WEATHER) -> str:
    """Writes the weather listing's days; answers the table's name.

    Raises:
        LookupError: the account has no such listing; the text says how to get it.
    """
    take_listing(session)
    materialize_weather(session, table=weather_table_name)
    return weather_table_name


def generate_features(
    session: Session, input_df: DataFrame, holiday_table_name: str, weather_table_name: str | None
) -> DataFrame:
    """The features of one series: all trips given, by day.

    Args:
        session: to compute in.
        input_df: trips, with STARTTIME: of one station, or of all together.
        holiday_table_name, weather_table_name: as the two functions above make them; None for no weather.

    Returns:
        COLUMNS, from the second day to the last: the first has nothing before it.

    Raises:
        ValueError: no trips are given.
    """
    trips = input_df.select(F.col("STARTTIME").cast("DATE").alias("DAY"))
    first, last = trips.agg(F.min("DAY"), F.max("DAY")).collect()[0]
    if first is None:
        raise ValueError("input_df has no trips: does the table hold this station?")
    counts = trips.group_by("DAY").agg(F.count(F.lit(1)).alias("COUNTED"))
    series = (
        day_frame(session, first, last)
        .join(counts, "DAY", "left")
        .select(F.lit("").alias("STATION_ID"), "DAY", F.coalesce(F.col("COUNTED"), F.lit(0)).alias("TRIPS"))
    )
    known = _days(session, first, last, holiday_table_name, weather_table_name)
    return _lags(series).join(known, "DATE").select(*COLUMNS)


def create_feature_table(
    session: Session,
    trips_table_name: str,
    holiday_table_name: str,
    weather_table_name: str | None,
    feature_table_name: str,
) -> str:
    """Writes STATION_ID and COLUMNS of all stations; answers the table's name.

    Raises:
        ValueError: the table of trips is empty.
    """
    series, first, last = _series(session, trips_table_name)
    known = _days(session, first, last, holiday_table_name, weather_table_name)
    features = _lags(series).join(known, "DATE").select("STATION_ID", *COLUMNS)
    features.write.save_as_table(feature_table_name, mode="overwrite")
    return feature_table_name


def create_forecast_table(
    session: Session,
    trips_table_name: str,
    holiday_table_name: str,
    weather_table_name: str | None,
    forecast_table_name: str,
    steps: int,
) -> str:
    """Writes the days to forecast of each open station, with the columns of the feature table; answers the table's name.

    COUNT is NULL, and so is a lag that is to be forecast first. The weather is the usual one: nobody knows what comes.

    Args:
        session: to compute in.
        trips_table_name: forecasts begin on the day after its last one.
        holiday_table_name, weather_table_name: as the two functions above make them; None for no weather.
        forecast_table_name: is replaced.
        steps: days to forecast.

    Raises:
        ValueError: the table of trips is empty, or ``steps`` is not from 1 to MAX_H.
    """
    if not 1 <= steps <= MAX_H:
        raise ValueError(f"steps is {steps}: it must be 1 to {MAX_H} days")
    series, _, last = _series(session, trips_table_name)
    known = _days(
        session, last + timedelta(days=1), last + timedelta(days=steps), holiday_table_name, weather_table_name, True
    )
    frame = open_stations(series, [last]).select("STATION_ID").join(known, how="cross")
    for lag in LAGS:
        before = series.select(
            F.col("STATION_ID"),
            F.dateadd("day", F.lit(lag), F.col("DAY")).cast("DATE").alias("DATE"),
            F.col("TRIPS").cast("FLOAT").alias(f"LAG_{lag}"),
        )
        frame = frame.join(before, ["STATION_ID", "DATE"], "left")
    frame.with_column("COUNT", F.lit(None).cast("INT")).select("STATION_ID", *COLUMNS).write.save_as_table(
        forecast_table_name, mode="overwrite"
    )
    return forecast_table_name


def _series(session: Session, trips_table_name: str) -> tuple[DataFrame, date, date]:
    """STATION_ID, DAY, TRIPS of all stations, and the first and last day."""
    between = day_range(session, trips_table_name)
    if between is None:
        raise ValueError(f"{trips_table_name} is empty: load trips first")
    trips = session.table(trips_table_name)
    aliases = station_aliases(trips).cache_result()
    return station_days(trips, aliases, stations(aliases), *between).cache_result(), *between


def _lags(series: DataFrame) -> DataFrame:
    """STATION_ID, DATE, COUNT and LAG_COLUMNS of each series, without its first day."""
    before = Window.partition_by("STATION_ID").order_by("DAY").rows_between(Window.UNBOUNDED_PRECEDING, -1)
    so_far = F.avg("TRIPS").over(before).alias("SO_FAR")
    return (
        history(series)
        .select("STATION_ID", "DAY", "TRIPS", *LAG_COLUMNS, so_far)
        .filter(F.col("SO_FAR").is_not_null())
        .select(
            "STATION_ID",
            F.col("DAY").alias("DATE"),
            F.col("TRIPS").cast("INT").alias("COUNT"),
            *[F.coalesce(F.col(lag), F.col("SO_FAR")).alias(lag) for lag in LAG_COLUMNS],
        )
    )


def _days(
    session: Session,
    first: date,
    last: date,
    holiday_table_name: str,
    weather_table_name: str | None,
    ahead: bool = False,
) -> DataFrame:
    """DATE and DAY_COLUMNS: weather that came, else the usual one, else the last that is known, else 0."""
    weather = None if weather_table_name is None else session.table(weather_table_name)
    known = days(session, first, last, session.table(holiday_table_name), weather)
    so_far = Window.order_by("DAY").rows_between(Window.UNBOUNDED_PRECEDING, Window.CURRENT_ROW)
    columns = []
    for column, name in (("PRECIPITATION", "PRECIP"), ("TEMP", "TEMP")):
        usual = F.col(f"USUAL_{column}")
        value = usual if ahead else F.coalesce(F.col(column), usual)
        last_known = F.last_value(value, ignore_nulls=True).over(so_far)
        columns.append(F.coalesce(value, last_known, F.lit(0.0)).alias(name))
    precipitation, temperature = columns
    return known.select(F.col("DAY").alias("DATE"), precipitation, "HOLIDAY", temperature)
