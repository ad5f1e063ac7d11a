"""Synthetic trips in every format that real files have, for tests, benchmarks and machines without the real ones.

Demand has a week, a year, weather, a trend, the shock of March 2020, days on which the system stood still, stations that
open, close or pause. Every file's name says SYNTHETIC. The same arguments give the same files.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tripcast.sources.synthetic_files import NO_STATION, SCHEMA2_FROM, Stations, Trips, write_month

LABEL = "SYNTHETIC"
_HOURS_WORK = np.array([1, 1, 0.5, 0.3, 0.6, 2, 6, 12, 16, 9, 6, 6, 7, 7, 7, 8, 10, 16, 17, 12, 8, 6, 4, 2.5])
_HOURS_FREE = np.array([3, 2, 2, 1, 0.7, 0.8, 1.5, 3, 5, 8, 11, 13, 14, 15, 15, 14, 13, 12, 10, 8, 6, 5, 4, 3.5])
_STREETS = ("Harbor", "Grove", "Mill", "Canal", "Orchard", "Station", "Union", "Liberty", "Hill", "Garden", "Market")


@dataclass(frozen=True, slots=True)
class Generated:
    """What was written.

    Args:
        files: in the order of months.
        trips: distinct trips in them.
        rows: data lines in them; ``rows - trips`` are lines that two files hold.
        stations: station count.
        first_day, last_day: of the trips.
    """

    files: list[Path]
    trips: int
    rows: int
    stations: int
    first_day: date
    last_day: date


def months_between(first: str, last: str) -> list[date]:
    """The first days of the months from ``2017-11`` to ``2021-03``, both included."""
    year, month = map(int, first.split("-"))
    days = []
    while (current := date(year, month, 1)) <= date.fromisoformat(f"{last}-01"):
        days.append(current)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return days


def next_month(day: date) -> date:
    """The first day of the month after."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def generate(
    folder: Path,
    trips: int = 100_000,
    first: str = "2017-11",
    last: str = "2021-03",
    stations: int = 50,
    seed: int = 1,
    jobs: int = 2,
    progress: Callable[[int], object] = lambda rows: None,
) -> Generated:
    """Writes monthly files of synthetic trips.

    Args:
        folder: made if it is not there.
        trips: how many distinct ones, exactly.
        first, last: months, ``2017-11``, both included.
        stations: how many.
        seed: of all that is random.
        jobs: files written at once.
        progress: told the data lines of each file that is done.

    Raises:
        ValueError: no month, no station, or a negative number of trips.
    """
    months = months_between(first, last)
    if not months or stations < 1 or trips < 0:
        raise ValueError("synthetic trips need at least one month, one station and no negative number of trips")
    folder.mkdir(parents=True, exist_ok=True)
    end = next_month(months[-1])
    days = np.arange(np.datetime64(months[0]), np.datetime64(end))
    rng = np.random.default_rng([seed, 0])
    network = _stations(rng, stations)
    demand = _demand(rng, network, days)
    # days x stations, so that a month is a slice
    counts = rng.multinomial(trips, (demand / demand.sum()).ravel()).reshape(demand.shape)
    bikes = max(300, int(counts.sum() / len(months) / 40))
    overlap = _overlapping(months)

    def month_trips(index: int) -> Trips:
        start = np.datetime64(months[index])
        inside = (days >= start) & (days < np.datetime64(next_month(months[index])))
        return _trips(np.random.default_rng([seed, 1 + index]), network, days[inside], counts[inside], bikes, index)

    def write(index: int) -> tuple[list[Path], int]:
        month = months[index]
        rows = month_trips(index)
        if month == overlap:
            following = month_trips(index + 1)
            limit = np.datetime64(next_month(month)) + np.timedelta64(13, "D")
            rows = rows.and_then(following.select(following.start < limit))
        paths = write_month(folder, LABEL, month, rows, network)
        progress(len(rows.start))
        return paths, len(rows.start)

    with ThreadPoolExecutor(jobs) as pool:
        written = list(pool.map(write, range(len(months))))
    (folder / f"{LABEL}.txt").write_text(
        f"{LABEL} trips, made by tripcast: {trips} trips, seed {seed}. Nobody rode these bikes.\n"
    )
    return Generated(
        files=[path for paths, _ in written for path in paths],
        trips=trips,
        rows=sum(rows for _, rows in written),
        stations=stations,
        first_day=months[0],
        last_day=end - timedelta(days=1),
    )


def _overlapping(months: list[date]) -> date | None:
    """The month whose file also holds the first days of the next one, as 2020-09 does in the real files."""
    candidates = [month for month in months[:-1] if (next_month(month) >= SCHEMA2_FROM) == (month >= SCHEMA2_FROM)]
    september = date(2020, 9, 1)
    if september in candidates:
        return september
    return candidates[len(candidates) // 2] if candidates else None


def _stations(rng: np.random.Generator, count: int) -> Stations:
    names = [f"{LABEL.title()} {_STREETS[i % len(_STREETS)]} & {i // len(_STREETS) + 1} St" for i in range(count)]
    return Stations(
        old_ids=[str(3000 + i) for i in range(count)],
        new_ids=[f"SY{i + 1:03d}" for i in range(count)],
        names=names,
        latitude=np.round(40.72 + rng.normal(0, 0.02, count), 6),
        longitude=np.round(-74.05 + rng.normal(0, 0.02, count), 6),
        weight=np.exp(rng.normal(0, 0.9, count)),
        leisure=rng.uniform(0, 1, count),
    )


def _demand(rng: np.random.Generator, network: Stations, days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.float64]:
    """Expected trips, up to a factor: days x stations."""
    count = len(network.names)
    number = days.astype("datetime64[D]").astype(int)
    weekday = (number + 3) % 7  # Monday is 0
    year = (number - number[0]) / 365.25
    season = 1 + 0.45 * np.cos(2 * np.pi * ((number % 365.25) - 210) / 365.25)
    weather = np.zeros(len(days))
    noise = rng.normal(0, 0.15, len(days))
    for i in range(len(days)):
        weather[i] = 0.5 * (weather[i - 1] if i else 0.0) + noise[i]
    rain = np.where(rng.random(len(days)) < 0.18, 0.55, 1.0)
    since = number - int(np.datetime64("2020-03-15").astype("datetime64[D]").astype(int))
    shock = np.where(since < 0, 1.0, np.minimum(0.95, 0.3 + 0.65 * since / 150))
    system = (1 + 0.08 * year) * season * np.exp(weather) * rain * shock
    if len(days) > 200:
        system[rng.choice(len(days), max(1, len(days) // 400), replace=False)] = 0.0  # snow: everything stood still
    work = np.where(weekday >= 5, 0.65, 1.12)[:, None]
    free = np.where(weekday >= 5, 1.45, 0.85)[:, None]
    demand = system[:, None] * network.weight[None, :] * (work * (1 - network.leisure) + free * network.leisure)
    demand *= np.exp(rng.normal(0, 0.12, demand.shape))
    if count >= 10 and len(days) > 200:
        demand[: len(days) // 4, 1] = 0.0  # opened later
        demand[len(days) // 3 :, 2] = 0.0  # closed for good
        demand[len(days) // 2 : len(days) // 2 + 45, 3] = 0.0  # paused
    return np.asarray(demand)


def _trips(
    rng: np.random.Generator,
    network: Stations,
    days: npt.NDArray[np.datetime64],
    counts: npt.NDArray[np.int64],
    bikes: int,
    index: int,
) -> Trips:
    """One month's trips, in order of their start."""
    cells = counts.ravel()
    total = int(cells.sum())
    station = np.repeat(np.tile(np.arange(counts.shape[1]), counts.shape[0]), cells)
    day = np.repeat(np.repeat(days, counts.shape[1]), cells)
    weekday = (day.astype("datetime64[D]").astype(int) + 3) % 7
    hour = np.empty(total, dtype=np.int64)
    for free, profile in ((False, _HOURS_WORK), (True, _HOURS_FREE)):
        rows = (weekday >= 5) == free
        edges = np.cumsum(profile) / profile.sum()
        hour[rows] = np.searchsorted(edges, rng.random(int(rows.sum())), side="right").clip(0, 23)
    milliseconds = hour * 3_600_000 + rng.integers(0, 3_600_000, total)
    start = day.astype("datetime64[ms]") + milliseconds.astype("timedelta64[ms]")
    order = np.argsort(start, kind="stable")
    start, station = start[order], station[order]
    seconds = np.exp(rng.normal(6.2, 0.7, total)).clip(61, 4 * 3600).astype(np.int64)
    stop = start + (seconds * 1000 + rng.integers(0, 1000, total)).astype("timedelta64[ms]")
    popular = np.cumsum(network.weight) / network.weight.sum()
    end = np.searchsorted(popular, rng.random(total), side="right").clip(0, len(network.names) - 1)
    end[rng.random(total) < 0.004] = NO_STATION  # the bike was never docked
    # one bike after the other in a shuffled order, so none starts twice at once
    bike = 20_000 + rng.permutation(bikes)[np.arange(total) % bikes]
    member = rng.random(total) < 0.8
    birth = np.where(member, rng.integers(1945, 2003, total), 1969)
    birth[rng.random(total) < 0.03] = 0
    gender = np.where(member, rng.integers(0, 3, total), 0)
    serial = (np.arange(total, dtype=np.uint64) + np.uint64(index << 40)) * np.uint64(0x9E3779B97F4A7C15)
    return Trips(start, stop, station, end, bike, member, birth, gender, serial)
