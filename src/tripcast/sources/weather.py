"""Daily weather of one station as a listing: a folder of Parquet files that a warehouse takes as a share.

The history comes from a GHCN daily file in CSV (https://www.ncei.noaa.gov/products/land-based-station/global-historical-climatology-network-daily),
in standard units: degrees Fahrenheit, inches, miles per hour. Nobody knows the weather of days to come: for these there is
the mean of the same day in all years of the history, and each row says which it is. Without a file there is no weather.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tripcast.sources.formats import BadFile

# The listing that the guide's section Data Science takes from the marketplace, under the names that it gets there.
DATABASE = "GLOBAL_WEATHER__CLIMATE_DATA_FOR_BI"
SCHEMA = "STANDARD_TILE"
SHARE = "TRIPCAST_DATA.GLOBAL_WEATHER"
HISTORY, CLIMATOLOGY, FORECAST = "HISTORY_DAY", "CLIMATOLOGY_DAY", "FORECAST_DAY"
MEASURED, MEAN = "MEASURED", "CLIMATOLOGY"
# A year beyond today is more than anybody forecasts.
DAYS_AHEAD = 366
# The file's columns: their names in the listing, and what they can be; others are left out.
_MEASURES = {
    "TMIN": ("MIN_TEMPERATURE_AIR_2M_F", -80, 140, "lowest temperature of the day, degrees Fahrenheit"),
    "TAVG": ("AVG_TEMPERATURE_AIR_2M_F", -80, 140, "middle of lowest and highest temperature, degrees Fahrenheit"),
    "TMAX": ("MAX_TEMPERATURE_AIR_2M_F", -80, 140, "highest temperature of the day, degrees Fahrenheit"),
    "PRCP": ("TOT_PRECIPITATION_IN", 0, 100, "rain and melted snow, inches"),
    "SNOW": ("TOT_SNOWFALL_IN", 0, 200, "snowfall, inches"),
    "SNWD": ("TOT_SNOWDEPTH_IN", 0, 500, "depth of snow on the ground, inches"),
    "AWND": ("AVG_WIND_SPEED_10M_MPH", 0, 250, "mean wind speed, miles per hour"),
}
_NEEDED = ("STATION", "DATE", "TMIN", "TMAX")
_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z")

# A day's values by the names of _MEASURES; None where nothing was measured.
Values = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Day:
    """One day's weather."""

    day: date
    values: Values


@dataclass(frozen=True, slots=True)
class History:
    """What a file holds.

    Args:
        station, name: of the station, as the file has them.
        days: in order, each once.
        absent: days between the first and the last that the file lacks.
    """

    station: str
    name: str
    days: list[Day]
    absent: int


@dataclass(frozen=True, slots=True)
class Published:
    """What was written: where, and the days of history and of climatology."""

    folder: str
    station: str
    first_day: date
    last_day: date
    days: int
    absent: int
    until: date


def read_history(path: Path) -> History:
    """Reads a GHCN daily file.

    Raises:
        BadFile: if it is no such file, or holds what cannot be; with the line.
        OSError: if it cannot be read.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            return _history(csv.DictReader(file), path.name)
        except UnicodeDecodeError:
            raise BadFile(f"{path.name} is no text") from None


def _history(reader: csv.DictReader[str], name: str) -> History:
    missing = [column for column in _NEEDED if column not in (reader.fieldnames or [])]
    if missing:
        raise BadFile(f"{name} is no GHCN daily file: it has no column {missing[0]}", 1)
    days: dict[date, Day] = {}
    stations: dict[str, str] = {}
    for row in reader:
        line = reader.line_num
        stations.setdefault(row["STATION"], row.get("NAME") or "")
        if len(stations) > 1:
            raise BadFile(f"{name} holds several stations ({', '.join(stations)}): give it one", line)
        found = _day(row, name, line)
        if found.day in days:
            raise BadFile(f"{name} holds {found.day} twice", line)
        days[found.day] = found
    if not days:
        raise BadFile(f"{name} holds no day")
    ordered = [days[day] for day in sorted(days)]
    span = (ordered[-1].day - ordered[0].day).days + 1
    ((station, station_name),) = stations.items()
    return History(station, station_name, ordered, span - len(ordered))


def _day(row: dict[str, str], name: str, line: int) -> Day:
    text = row["DATE"] or ""
    try:
        day = date.fromisoformat(text) if _DAY.match(text) else None
    except ValueError:
        day = None
    if day is None:
        raise BadFile(f"{name}: {text!r} is no date", line)
    values: Values = {}
    for column, (_, least, most, _) in _MEASURES.items():
        values[column] = _number(row.get(column), column, least, most, name, line)
    low, high = values["TMIN"], values["TMAX"]
    if values["TAVG"] is None and low is not None and high is not None:
        values["TAVG"] = (low + high) / 2
    return Day(day, values)


def _number(text: str | None, column: str, least: float, most: float, name: str, line: int) -> float | None:
    if not text or not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        raise BadFile(f"{name}: {column} is {text!r}", line) from None
    if not least <= value <= most:
        raise BadFile(
            f"{name}: {column} is {text}, which cannot be in standard units (degrees Fahrenheit, inches, miles per hour)",
            line,
        )
    return value


def climatology(days: list[Day]) -> dict[tuple[int, int], tuple[Values, int]]:
    """The mean of each calendar day over all years: (month, day) -> (values, years).

    29 February, if no year of the history has it, is the mean of the days beside it.
    """
    of_day: dict[tuple[int, int], list[Day]] = {}
    for found in days:
        of_day.setdefault((found.day.month, found.day.day), []).append(found)
    if (2, 29) not in of_day:
        beside = [*of_day.get((2, 28), []), *of_day.get((3, 1), [])]
        if beside:
            of_day[2, 29] = beside
    return {key: (_mean(found), len({item.day.year for item in found})) for key, found in sorted(of_day.items())}


def _mean(days: list[Day]) -> Values:
    means: Values = {}
    for column in _MEASURES:
        known = [value for found in days if (value := found.values[column]) is not None]
        means[column] = round(sum(known) / len(known), 3) if known else None
    return means


def publish(file: Path, folder: Path, today: date, until: date | None = None) -> Published:
    """Writes the listing: history, climatology, and the days after the history up to a day.

    Args:
        file: GHCN daily, CSV.
        folder: made if missing; files of an earlier time are replaced.
        today: the forecast reaches a year beyond it.
        until: the last day of the forecast, if another one is wanted.

    Raises:
        BadFile: the file cannot be used, or its history has no whole year.
    """
    history = read_history(file)
    means = climatology(history.days)
    if len(means) < 366:
        raise BadFile(
            f"{file.name} holds {len(history.days)} days, not every day of the year: there is no climatology of the others"
        )
    last = history.days[-1].day
    end = until or max(today, last) + timedelta(days=DAYS_AHEAD)
    place = {
        "COUNTRY": "US" if history.station.startswith("US") else None,
        "STATION": history.station,
        "STATION_NAME": history.name,
    }
    schema = folder / SCHEMA
    schema.mkdir(parents=True, exist_ok=True)
    _write(schema / f"{HISTORY}.parquet", [{**place, **_row(item.day, item.values, MEASURED)} for item in history.days])
    _write(
        schema / f"{CLIMATOLOGY}.parquet",
        [
            {**place, "MONTH": month, "DAY_OF_MONTH": day, "YEARS": years, **_named(values)}
            for (month, day), (values, years) in means.items()
        ],
    )
    ahead = [{**place, **_row(day, means[day.month, day.day][0], MEAN)} for day in _days(last + timedelta(days=1), end)]
    if not ahead:
        raise ValueError(f"The history reaches to {last}: the forecast must reach further than {end}")
    _write(schema / f"{FORECAST}.parquet", ahead)
    notes = folder / "share.json"
    notes.write_text(json.dumps(_notes(history), indent=2))
    return Published(str(folder), history.station, history.days[0].day, last, len(history.days), history.absent, end)


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def _row(day: date, values: Values, source: str) -> dict[str, Any]:
    return {"DATE_VALID_STD": day, "DOY_STD": day.timetuple().tm_yday, **_named(values), "SOURCE": source}


def _named(values: Values) -> Values:
    return {name: values[column] for column, (name, *_) in _MEASURES.items()}


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Replaces a file; a reader sees the old one or the new one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    doubles = {name for name, *_ in _MEASURES.values()}
    columns = {
        name: pa.array([row[name] for row in rows], pa.float64() if name in doubles else None) for name in rows[0]
    }
    unfinished = path.with_suffix(".part")
    pq.write_table(pa.table(columns), unfinished)
    unfinished.replace(path)


def _notes(history: History) -> dict[str, Any]:
    """What DESCRIBE and SHOW say of the listing."""
    columns = {name: text for name, _, _, text in _MEASURES.values()}
    columns["SOURCE"] = (
        f"{MEASURED}: at the station; {MEAN}: the mean of the same day in all years, no forecast of this one"
    )
    first, last = history.days[0].day, history.days[-1].day
    return {
        "comment": f"Daily weather of {history.name or history.station}, {first} to {last}, and climatology",
        "tables": {
            f"{SCHEMA}.{HISTORY}": {"comment": "Weather as it was measured", "columns": columns},
            f"{SCHEMA}.{CLIMATOLOGY}": {"comment": "Means of each calendar day over all years", "columns": columns},
            f"{SCHEMA}.{FORECAST}": {"comment": "Days to come: CLIMATOLOGY, not a forecast", "columns": columns},
        },
    }
