"""Rolling-origin backtest: forecasts from several cutoffs in the past, each scored on the days after it only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from snowflake.snowpark import DataFrame, Session, Window
from snowflake.snowpark import functions as F
from snowflake.snowpark import types as T

from tripcast import names
from tripcast.models import Learner
from tripcast.models.base import WEATHER
from tripcast.models.naive import SEASON
from tripcast.training import tables
from tripcast.training.intervals import add_intervals
from tripcast.training.runner import PROCESSES, WEATHERS, H, blocks_of, run_blocks

N_WINDOWS = 6
STEP_SIZE = 30
SINCE = date(2019, 7, 1)
MIN_HISTORY = 365
BURN_IN = 3


def cutoffs_of(
    first_day: date, last_day: date, h: int, n_windows: int = N_WINDOWS, step_size: int = STEP_SIZE
) -> list[date]:
    """Cutoffs, oldest first, of which the last has exactly ``h`` days after it.

    Args:
        first_day, last_day: of the data.
        h: days to forecast from each.
        n_windows: how many, fewer where the data is too short.
        step_size: days between them.

    Raises:
        ValueError: not even one window fits.
    """
    if min(h, n_windows, step_size) < 1:
        raise ValueError("h, n_windows and step_size must be at least 1")
    cutoffs = [last_day - timedelta(days=h + step_size * number) for number in range(n_windows)]
    usable = [cutoff for cutoff in reversed(cutoffs) if cutoff >= first_day + timedelta(days=SEASON)]
    if not usable:
        need = h + SEASON + 1
        raise ValueError(
            f"a backtest of h = {h} needs {need} days, the data has {(last_day - first_day).days + 1}: use a smaller h"
        )
    return usable


def cutoffs_since(
    first_day: date, last_day: date, h: int = H, since: date = SINCE, step_size: int = STEP_SIZE
) -> list[date]:
    """Cutoffs from a day on, every so many days, while ``h`` days follow.

    Args:
        first_day, last_day: of the data.
        h: days to forecast from each.
        since: the first cutoff.
        step_size: days between them.

    Raises:
        ValueError: not even one window fits.
    """
    if min(h, step_size) < 1:
        raise ValueError("h and step_size must be at least 1")
    if since < first_day + timedelta(days=SEASON) or since + timedelta(days=h) > last_day:
        raise ValueError(
            f"no window of h = {h} begins at {since}: the data goes from {first_day} to {last_day}; a cutoff needs "
            f"{SEASON} days before it and h days after it"
        )
    count = (last_day - timedelta(days=h) - since).days // step_size
    return [since + timedelta(days=step_size * number) for number in range(count + 1)]


def backtest(
    session: Session,
    learner: Learner,
    cutoffs: Sequence[date],
    h: int = H,
    *,
    weathers: Sequence[str] = WEATHERS,
    refit: int = 1,
    min_history: int = MIN_HISTORY,
    burn_in: int = BURN_IN,
    seed: int = 0,
    processes: int = PROCESSES,
    progress: Callable[[str], object] = lambda text: None,
) -> None:
    """Writes a learner's past forecasts, their intervals and what came to BACKTEST, in place of its earlier ones.

    SCALE is the mean error of the seasonal naive forecast one week ahead on the days up to the cutoff, SQUARED_SCALE that
    of its square (for MASE and RMSSE).

    Args:
        session: whose current schema has STATION_DAYS, FEATURES and DAYS.
        learner: to ask.
        cutoffs: last days it may see; only later days are scored.
        h: days to forecast from each.
        weathers: that of the days to forecast: 'actual', 'usual' or both.
        refit: fit at every so many-th cutoff.
        min_history: days that a station must have behind it at a cutoff to be scored from it.
        burn_in: windows before the first cutoff that are run but not scored, so that the first has intervals; fewer where the
            data begins later.
        seed: of whatever is random.
        processes: see ``run``.
        progress: told what is done.

    Raises:
        ValueError: no cutoff.
    """
    if not cutoffs:
        raise ValueError("a backtest needs at least one cutoff")
    scored = sorted(set(cutoffs))
    station_days = session.table(names.STATION_DAYS)
    before = _before(station_days, scored, h, burn_in)
    progress(f"{learner.name}: {len(scored)} windows of {h} days, {len(before)} before them for intervals")
    indifferent = not set(learner.columns) & set(WEATHER)  # the same with any weather: once is enough
    made = run_blocks(
        session,
        learner,
        blocks_of([*before, *scored], refit),
        h,
        weathers=weathers[:1] if indifferent else weathers,
        seed=seed,
        processes=processes,
        min_history=min_history,
    ).forecasts
    actual = station_days.select("STATION_ID", "DAY", F.col("TRIPS").cast("FLOAT").alias("ACTUAL"))
    rows = made.join(actual, ["STATION_ID", "DAY"]).cache_result()
    progress(f"{learner.name}: intervals")
    whole = add_intervals(rows)
    if indifferent and len(weathers) > 1:
        kinds = T.StructType([T.StructField("ANY_WEATHER", T.StringType())])
        every = session.create_dataframe([(weather,) for weather in weathers], schema=kinds)
        whole = whole.drop("WEATHER").join(every, how="cross").rename("ANY_WEATHER", "WEATHER")
    new = (
        whole.join(_scales(station_days, [*before, *scored]), ["STATION_ID", "CUTOFF"], "left")
        .with_column("SCORED", F.col("CUTOFF") >= F.lit(scored[0]))
        .select(*tables.columns_of(names.BACKTEST))
    )
    table = tables.table(session, names.BACKTEST)
    session.table(names.BACKTEST).delete(table["MODEL"] == learner.name)
    new.write.save_as_table(names.BACKTEST, mode="append")
    progress(f"{learner.name}: done")


def _before(station_days: DataFrame, cutoffs: list[date], h: int, count: int) -> list[date]:
    """Cutoffs before the first, as far apart as the others, whose days come before it where the data allows."""
    first_day = station_days.agg(F.min("DAY")).collect()[0][0]
    step = (cutoffs[1] - cutoffs[0]).days if len(cutoffs) > 1 else h
    found = [cutoffs[0] - timedelta(days=step * number) for number in range(count, 0, -1)]
    return [one for one in found if one >= first_day + timedelta(days=SEASON)]


def _scales(station_days: DataFrame, cutoffs: list[date]) -> DataFrame:
    """STATION_ID, CUTOFF, SCALE, SQUARED_SCALE: from the days up to the cutoff only."""
    by_day = Window.partition_by("STATION_ID").order_by("DAY")
    error = F.abs(F.col("TRIPS") - F.lag("TRIPS", SEASON).over(by_day)).cast("FLOAT")
    so_far = by_day.rows_between(Window.UNBOUNDED_PRECEDING, Window.CURRENT_ROW)
    windows = station_days.session.create_dataframe(
        [(cutoff,) for cutoff in cutoffs], schema=T.StructType([T.StructField("CUTOFF", T.DateType())])
    )
    return (
        station_days.select("STATION_ID", "DAY", error.alias("ERROR"))
        .select(
            "STATION_ID",
            "DAY",
            F.avg("ERROR").over(so_far).alias("SCALE"),
            F.avg(F.col("ERROR") * F.col("ERROR")).over(so_far).alias("SQUARED_SCALE"),
        )
        .join(windows, F.col("DAY") == F.col("CUTOFF"))
        .select("STATION_ID", "CUTOFF", "SCALE", "SQUARED_SCALE")
    )
