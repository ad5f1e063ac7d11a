"""What pushed a station's forecast up or down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast import names


@dataclass(frozen=True, slots=True)
class Explained:
    """A forecast with its explanation.

    Args:
        explanation: name -> trips that it adds or takes; the model's own word for it.
        fallback: why another than the model itself spoke, if so.
    """

    station_id: str
    station_name: str
    model: str
    cutoff: date
    day: date
    forecast: float
    low_80: float | None
    high_80: float | None
    fallback: str | None
    explanation: dict[str, float]


def explanations(session: Session, station: str, day: date | None = None, model: str | None = None) -> list[Explained]:
    """The newest forecast of a station, day by day.

    Args:
        session: whose current schema has FORECAST and STATIONS.
        station: id, name, or a part of the name that no other station has.
        day: only this one.
        model: whose forecast; by default the one that was made last.

    Raises:
        LookupError: there is no such station, or the text fits several.
    """
    station_id, name = find_station(session, station)
    rows = session.table(names.FORECAST).filter(F.col("STATION_ID") == F.lit(station_id))
    if model is not None:
        rows = rows.filter(F.col("MODEL") == F.lit(model))
    if day is not None:
        rows = rows.filter(F.col("DAY") == F.lit(day))
    made = session.table(names.RUNS).select("MODEL_ID", "CREATED_AT")
    newest = rows.join(made, "MODEL_ID", "left").sort(F.col("CUTOFF").desc(), F.col("CREATED_AT").desc_nulls_last())
    found = newest.limit(1).collect()
    if not found:
        return []
    chosen, cutoff = found[0]["MODEL"], found[0]["CUTOFF"]
    mine = rows.filter((F.col("MODEL") == F.lit(chosen)) & (F.col("CUTOFF") == F.lit(cutoff))).sort("DAY").collect()
    return [
        Explained(
            station_id,
            name,
            chosen,
            cutoff,
            row["DAY"],
            row["FORECAST"],
            row["LOW_80"],
            row["HIGH_80"],
            row["FALLBACK"],
            {key: float(value) for key, value in json.loads(row["EXPLANATION"] or "{}").items()},
        )
        for row in mine
    ]


def busiest(session: Session) -> str:
    """The station of which the most trips are forecast.

    Raises:
        LookupError: nothing is forecast.
    """
    rows = session.table(names.FORECAST).group_by("STATION_ID").agg(F.sum("FORECAST").alias("N"))
    found = rows.sort(F.col("N").desc(), "STATION_ID").limit(1).collect()
    if not found:
        raise LookupError(f"{names.FORECAST} is empty: tripcast forecast fills it")
    return str(found[0]["STATION_ID"])


def find_station(session: Session, station: str) -> tuple[str, str]:
    """Id and name of a station.

    Raises:
        LookupError: there is no such station, or the text fits several.
    """
    rows = session.table(names.STATIONS).select("STATION_ID", "STATION_NAME").sort("STATION_NAME").collect()
    known = [(row["STATION_ID"], row["STATION_NAME"] or row["STATION_ID"]) for row in rows]
    wanted = station.casefold()
    exact = [pair for pair in known if wanted in (pair[0].casefold(), pair[1].casefold())]
    found = exact or [pair for pair in known if wanted in pair[1].casefold()]
    if not found:
        raise LookupError(f"there is no station {station!r}: names are in the table {names.STATIONS}")
    if len(found) > 1:
        shown = ", ".join(f"{name} ({key})" for key, name in found[:5])
        raise LookupError(f"{station!r} fits {len(found)} stations: {shown}{', ...' if len(found) > 5 else ''}")
    return found[0]
