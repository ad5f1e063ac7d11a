"""Runs a learner inside the warehouse: one table function, a partition for each block of cutoffs and shard of stations."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product

from snowflake.snowpark import Column, DataFrame, Session, Window
from snowflake.snowpark import functions as F
from snowflake.snowpark import types as T

from tripcast import names
from tripcast.models import Learner
from tripcast.models.base import WEATHER, parameters_of
from tripcast.training import code
from tripcast.training.inside import CALENDAR, OUTPUT, SETTINGS, STORED, USUAL, Settings

PROCESSES = 2
H = 30
ACTUAL_WEATHER, USUAL_WEATHER = "actual", "usual"
WEATHERS = (ACTUAL_WEATHER, USUAL_WEATHER)
_HANDLER = "tripcast.training.inside.Partition"
_KINDS = {
    "CUTOFF": "DATE",
    "STATION_ID": "VARCHAR",
    "DAY": "DATE",
    "H": "NUMBER(4, 0)",
    "WEATHER": "VARCHAR",
    "FORECAST": "FLOAT",
    "FALLBACK": "VARCHAR",
    "EXPLANATION": "VARCHAR",
    "PIECE": "NUMBER(9, 0)",
    "PAYLOAD": "VARCHAR",
}


@dataclass(frozen=True, slots=True)
class Made:
    """What a run left: its forecasts, and the fitted models if they were to be kept.

    Args:
        forecasts: MODEL, CUTOFF, STATION_ID, DAY, H, WEATHER, FORECAST, FALLBACK, EXPLANATION.
        payloads: BLOCK, SHARD, PIECE, PAYLOAD.
        blocks: the cutoffs of each block; the model is fitted at the first of each.
    """

    forecasts: DataFrame
    payloads: DataFrame
    blocks: list[list[date]]


def run(
    session: Session,
    learner: Learner,
    cutoffs: Sequence[date],
    h: int = H,
    *,
    weathers: Sequence[str] = (ACTUAL_WEATHER,),
    refit: int = 1,
    seed: int = 0,
    explain: bool = False,
    processes: int = PROCESSES,
    min_history: int = 1,
    features: str = names.FEATURES,
    days: str = names.DAYS,
) -> DataFrame:
    """Forecasts from each cutoff, by models that saw nothing after it.

    Args:
        session: whose current schema has ``features`` and ``days``.
        learner: to run.
        cutoffs: last days that it may see.
        h: days to forecast from each.
        weathers: 'actual', 'usual' or both; rows for each.
        refit: fit at every so many-th cutoff only; the others use the fit before them, with the days up to themselves.
        seed: of whatever is random.
        explain: whether EXPLANATION is filled.
        processes: over which the stations are spread, if the learner takes each on its own.
        min_history: days that a station must have behind it at the cutoff to be forecast.
        features, days: tables of station-days and of days.

    Returns:
        MODEL, CUTOFF, STATION_ID, DAY, H, WEATHER, FORECAST, FALLBACK, EXPLANATION, from a temporary table.

    Raises:
        ValueError: no cutoff, an unknown weather, or a column that the tables lack.
    """
    return run_blocks(
        session,
        learner,
        blocks_of(cutoffs, refit),
        h,
        weathers=weathers,
        seed=seed,
        explain=explain,
        processes=processes,
        min_history=min_history,
        features=features,
        days=days,
    ).forecasts


def blocks_of(cutoffs: Sequence[date], refit: int) -> list[list[date]]:
    """Consecutive cutoffs of which the first is fitted at."""
    if refit < 1:
        raise ValueError(f"refit must be at least 1, not {refit}")
    ordered = sorted(set(cutoffs))
    return [ordered[start : start + refit] for start in range(0, len(ordered), refit)]


def run_blocks(
    session: Session,
    learner: Learner,
    blocks: Sequence[Sequence[date]],
    h: int,
    *,
    weathers: Sequence[str],
    seed: int = 0,
    explain: bool = False,
    processes: int = PROCESSES,
    min_history: int = 1,
    keep: Sequence[int] = (),
    stored: Sequence[str] = (),
    features: str = names.FEATURES,
    days: str = names.DAYS,
) -> Made:
    """As ``run``, with more to choose.

    Args:
        blocks: cutoffs, a fit for each block; they may overlap.
        keep: numbers of the blocks whose fitted models are wanted.
        stored: files in MODEL_STAGE of fitted models, one for each shard, to be used instead of fitting.
    """
    if not blocks or not all(blocks):
        raise ValueError("there is no cutoff to forecast from")
    if unknown := set(weathers) - set(WEATHERS):
        raise ValueError(f"weather is 'actual' or 'usual', not {', '.join(map(repr, sorted(unknown)))}")
    station_columns, day_columns = _split(learner, session.table(features).columns, session.table(days).columns)
    shards = processes if learner.scope == "station" else 1
    if stored:
        shards = len(stored)
    settings = [
        Settings(
            learner.name,
            parameters_of(learner),
            tuple(cutoff.isoformat() for cutoff in block),
            h,
            tuple(weathers),
            seed,
            explain,
            number in keep,
            min_history,
            station_columns,
            day_columns,
        )
        for number, block in enumerate(blocks)
    ]
    partitions = [(number, shard) for number, shard in product(range(len(blocks)), range(shards))]
    width = 1 + len(station_columns)
    rows = _settings_rows(session, settings, partitions, stored, width)
    rows = rows.union_all(_calendar_rows(session, days, settings, partitions, width))
    rows = rows.union_all(_station_rows(session, features, learner, blocks, shards, station_columns))
    function = _function(session, learner, width, bool(stored))
    arguments = ["NO", "DAY", "TEXT", *(f"V{number}" for number in range(width))]
    call = F.call_table_function(function, *(F.col(name) for name in arguments)).over(
        partition_by=[F.col("BLOCK"), F.col("SHARD")]
    )
    answer = rows.join_table_function(call).select("BLOCK", "SHARD", *(f"OUT_{name}" for name in OUTPUT))
    table = answer.to_df("BLOCK", "SHARD", *OUTPUT).cache_result()
    forecasts = table.filter(F.col("PIECE").is_null()).select(
        F.lit(learner.name).alias("MODEL"), "CUTOFF", "STATION_ID", "DAY", "H",
        "WEATHER", "FORECAST", "FALLBACK", F.parse_json("EXPLANATION").alias("EXPLANATION"),
    )  # fmt: skip
    payloads = table.filter(F.col("PIECE").is_not_null()).select("BLOCK", "SHARD", "PIECE", "PAYLOAD")
    return Made(forecasts, payloads, [list(block) for block in blocks])


def _split(learner: Learner, features: Sequence[str], days: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The learner's columns that describe a station's day, and those that describe a day."""
    of_days = [column for column in learner.columns if column in days and column != "DAY"]
    rest = [column for column in learner.columns if column not in of_days]
    if missing := [column for column in rest if column not in features]:
        raise ValueError(
            f"{learner.name} reads {', '.join(missing)}, which neither {names.FEATURES} nor {names.DAYS} has; "
            "an older version may have made them: make them again"
        )
    usual = [USUAL + column for column in of_days if column in WEATHER and USUAL + column not in of_days]
    return tuple(rest), (*of_days, *usual)


def _values(count: int) -> list[Column]:
    """So many Vs without a value."""
    return [F.lit(None).cast("FLOAT").alias(f"V{number}") for number in range(count)]


def _number(day: Column) -> Column:
    """A day as a number: days since 1970-01-01."""
    return F.datediff("day", F.lit(date(1970, 1, 1)), day).cast("NUMBER(9, 0)").alias("DAY")


def _settings_rows(
    session: Session,
    settings: list[Settings],
    partitions: list[tuple[int, int]],
    stored: Sequence[str],
    width: int,
) -> DataFrame:
    schema = T.StructType(
        [T.StructField(name, T.LongType()) for name in ("BLOCK", "SHARD", "NO")]
        + [T.StructField("TEXT", T.StringType())]
    )
    texts = [(block, shard, SETTINGS, settings[block].json()) for block, shard in partitions]
    rows = _with_types(session.create_dataframe(texts, schema=schema), F.col("TEXT"), width)
    for block, shard in partitions if stored else []:
        url = F.call_function("BUILD_SCOPED_FILE_URL", F.sql_expr(f"@{names.MODEL_STAGE}"), F.lit(stored[shard]))
        one = session.create_dataframe([(block, shard, STORED, "")], schema=schema)
        rows = rows.union_all(_with_types(one, url, width))
    return rows


def _with_types(rows: DataFrame, text: Column, width: int) -> DataFrame:
    return rows.select(
        F.col("BLOCK").cast("NUMBER(9, 0)").alias("BLOCK"),
        F.col("SHARD").cast("NUMBER(9, 0)").alias("SHARD"),
        F.col("NO").cast("NUMBER(9, 0)").alias("NO"),
        F.lit(None).cast("NUMBER(9, 0)").alias("DAY"),
        text.alias("TEXT"),
        *_values(width),
    )


def _calendar_rows(
    session: Session, days: str, settings: list[Settings], partitions: list[tuple[int, int]], width: int
) -> DataFrame:
    """Each day's columns as an object, for each partition; none after a partition's last forecast."""
    schema = T.StructType(
        [T.StructField(name, T.LongType()) for name in ("BLOCK", "SHARD")] + [T.StructField("UNTIL", T.DateType())]
    )
    last = [date.fromordinal(date.fromisoformat(one.cutoffs[-1]).toordinal() + one.h) for one in settings]
    places = session.create_dataframe([(block, shard, last[block]) for block, shard in partitions], schema=schema)
    pairs: list[Column] = []
    for column in settings[0].day_columns:
        pairs += [F.lit(column), F.col(column)]
    texts = session.table(days).select(
        F.col("DAY").alias("ON_DAY"), F.to_json(F.object_construct(*pairs)).alias("TEXT")
    )
    return texts.join(places, F.col("ON_DAY") <= F.col("UNTIL")).select(
        F.col("BLOCK").cast("NUMBER(9, 0)").alias("BLOCK"),
        F.col("SHARD").cast("NUMBER(9, 0)").alias("SHARD"),
        F.lit(CALENDAR).cast("NUMBER(9, 0)").alias("NO"),
        _number(F.col("ON_DAY")),
        "TEXT",
        *_values(width),
    )


def _station_rows(
    session: Session,
    features: str,
    learner: Learner,
    blocks: Sequence[Sequence[date]],
    shards: int,
    columns: Sequence[str],
) -> DataFrame:
    """Stations and their days, each in the partitions that may see them."""
    table = session.table(features)
    first = table.group_by("STATION_ID").agg(F.min("DAY").alias("FIRST_DAY"))
    # by age: a station keeps its number, and so its shard, when others open
    rank = F.row_number().over(Window.order_by("FIRST_DAY", "STATION_ID"))
    stations = first.select("STATION_ID", "FIRST_DAY", (rank - F.lit(1)).cast("NUMBER(9, 0)").alias("NO"))
    schema = T.StructType(
        [T.StructField("BLOCK", T.LongType())] + [T.StructField(name, T.DateType()) for name in ("SINCE", "UNTIL")]
    )
    since = [
        date(1970, 1, 1) if learner.history is None else date.fromordinal(min(block).toordinal() - learner.history + 1)
        for block in blocks
    ]
    windows = session.create_dataframe(
        [(number, since[number], max(block)) for number, block in enumerate(blocks)], schema=schema
    )
    places = [
        F.col("BLOCK").cast("NUMBER(9, 0)").alias("BLOCK"),
        F.call_function("MOD", F.col("NO"), F.lit(shards)).cast("NUMBER(9, 0)").alias("SHARD"),
        "NO",
    ]
    named = stations.join(windows, F.col("FIRST_DAY") <= F.col("UNTIL")).select(
        *places, _number(F.col("FIRST_DAY")), F.col("STATION_ID").alias("TEXT"), *_values(1 + len(columns))
    )
    values = [F.col(name).cast("FLOAT").alias(f"V{number}") for number, name in enumerate(("TRIPS", *columns))]
    days = (
        table.select("STATION_ID", F.col("DAY").alias("ON_DAY"), *values)
        .join(stations, "STATION_ID")
        .join(windows, F.col("ON_DAY").between(F.col("SINCE"), F.col("UNTIL")))
        .select(
            *places,
            _number(F.col("ON_DAY")),
            F.lit(None).cast("VARCHAR").alias("TEXT"),
            *(f"V{number}" for number in range(len(values))),
        )
    )
    return named.union_all(days)


def _function(session: Session, learner: Learner, width: int, stored: bool) -> str:
    """The name of the table function that runs a learner; it is made once a session."""
    path = code.in_stage(session)
    name = code.function_name("run", learner.name, str(width), *(["stored"] if stored else []))
    values = ", ".join(f"V{number} FLOAT" for number in range(width))
    returned = ", ".join(f"OUT_{name} {kind}" for name, kind in _KINDS.items())
    packages = [*learner.packages, *(["snowflake-snowpark-python"] if stored else [])]  # it reads staged files
    session.sql(
        f"CREATE TEMPORARY FUNCTION IF NOT EXISTS {name}(NO NUMBER(9, 0), DAY NUMBER(9, 0), TEXT VARCHAR, {values}) "
        f"RETURNS TABLE ({returned}) LANGUAGE PYTHON RUNTIME_VERSION = '{sys.version_info.major}.{sys.version_info.minor}' "
        f"PACKAGES = ({', '.join(map(repr, packages))}) IMPORTS = ('{path}') HANDLER = '{_HANDLER}'"
    ).collect()
    return name
