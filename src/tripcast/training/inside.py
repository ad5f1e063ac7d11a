"""What runs in the warehouse: one partition of station-days in, its forecasts out. Learners are called from here alone.

A partition is a block of consecutive cutoffs, and all stations or a shard of them. So that few bytes move, a row holds a
station's number and not its name, and what describes a day comes once, not once for each station:

    NO >= 0, no TEXT  a station-day: V0 is TRIPS, then the learner's columns of FEATURES
    NO >= 0, TEXT     a station: its id; DAY is its first day
    NO = SETTINGS     a JSON object, see ``Settings``
    NO = CALENDAR     a day: a JSON object of the learner's columns of DAYS
    NO = STORED       the URL of a stored model's file

DAY counts from 1970-01-01.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # a process for each core; read when these libraries are loaded

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from tripcast.models import Fitted, Learner, learner  # noqa: E402
from tripcast.models.base import WEATHER  # noqa: E402
from tripcast.models.naive import answer, weekday_means  # noqa: E402

SETTINGS, CALENDAR, STORED = -1, -2, -3
USUAL = "USUAL_"
# characters of a piece of a stored model in a row
PIECE = 4 << 20
OUTPUT = ("CUTOFF", "STATION_ID", "DAY", "H", "WEATHER", "FORECAST", "FALLBACK", "EXPLANATION", "PIECE", "PAYLOAD")
_FALLBACK_WEEKS = 4
# what is stored where a learner failed: these bytes and its error
_NOT_FITTED = b"not fitted: "


@dataclass(frozen=True)
class Settings:
    """What a partition is to do.

    Args:
        name, parameters: of the learner.
        cutoffs: ISO dates, oldest first; the model is fitted at the first.
        h: days to forecast from each.
        weathers: 'actual': the weather that came, 'usual': what earlier years let expect.
        seed: for the learner.
        explain: whether explanations are wanted.
        keep: whether the fitted model is returned.
        min_history: days that a station must have behind it to be forecast.
        station_columns: the learner's columns in V1, V2, ...
        day_columns: the learner's columns of a day.
        threads: of one process.
    """

    name: str
    parameters: dict[str, Any]
    cutoffs: tuple[str, ...]
    h: int
    weathers: tuple[str, ...]
    seed: int
    explain: bool
    keep: bool
    min_history: int
    station_columns: tuple[str, ...]
    day_columns: tuple[str, ...]
    threads: int = 1

    def json(self) -> str:
        """As ``from_json`` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """From a text of ``json``."""
        read = json.loads(text)
        made: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in read.items()}
        return cls(**made)


class Partition:
    """Handler of the table function."""

    def end_partition(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Fits and forecasts.

        Args:
            rows: NO, DAY, TEXT, V0, ... as the module says.

        Returns:
            OUTPUT: a row for each forecast, then the fitted model in pieces of base64 if it is to be kept.
        """
        rows.columns = pd.Index([str(name).upper() for name in rows.columns])
        return forecast_partition(rows)


Partition.end_partition._sf_vectorized_input = pd.DataFrame  # type: ignore[attr-defined]


def forecast_partition(rows: pd.DataFrame) -> pd.DataFrame:
    """See ``Partition.end_partition``; takes the columns out of ``rows`` as it goes, to save memory."""
    no = rows.pop("NO").to_numpy(np.int32)
    day = rows.pop("DAY").fillna(0).to_numpy(np.int32)
    text = rows.pop("TEXT").to_numpy(object)
    settings = Settings.from_json(text[np.flatnonzero(no == SETTINGS)[0]])
    marked = pd.notna(text)
    stations = _Stations.of(no, day, text, np.flatnonzero(marked & (no >= 0)))
    chosen = np.flatnonzero(no == CALENDAR)
    calendar = _Calendar(day[chosen], text[chosen], settings.day_columns)
    stored = [_read(url) for url in text[no == STORED]]
    known = _known(rows, no, day, np.flatnonzero(~marked), settings, stations, calendar)
    with _threads(settings.threads):
        return _forecast(known, settings, stations, calendar, stored[0] if stored else None)


@dataclass(frozen=True)
class _Stations:
    """Numbers to ids and first days (since 1970-01-01)."""

    ids: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, no: np.ndarray, day: np.ndarray, text: np.ndarray, places: np.ndarray) -> _Stations:
        size = int(no[places].max()) + 1 if len(places) else 0
        ids, first = np.full(size, None, object), np.zeros(size, np.int32)
        ids[no[places]], first[no[places]] = text[places], day[places]
        return cls(ids, first)


class _Calendar:
    """The columns of each day.

    Args:
        day: since 1970-01-01.
        text: for each a JSON object; a column that it lacks is unknown.
        columns: wanted.
    """

    def __init__(self, day: np.ndarray, text: np.ndarray, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self._start = int(day.min()) if len(day) else 0
        size = int(day.max()) - self._start + 1 if len(day) else 0
        read = [json.loads(item) for item in text]
        self._values: dict[str, np.ndarray] = {}
        for column in columns:
            items = [item.get(column) for item in read]
            if any(isinstance(item, str) for item in items):
                values = np.full(size, None, object)
                values[day - self._start] = items
            else:
                values = np.full(size, np.nan, np.float32)
                values[day - self._start] = [np.nan if item is None else item for item in items]
            self._values[column] = values

    def take(self, column: str, day: np.ndarray) -> np.ndarray:
        """A column's values on these days; unknown beyond the calendar."""
        values = self._values[column]
        place = day - self._start
        inside = (place >= 0) & (place < len(values))
        if inside.all():
            return values[place]
        found = np.full(len(day), None if values.dtype == object else np.nan, values.dtype)
        found[inside] = values[place[inside]]
        return found


def _known(
    rows: pd.DataFrame,
    no: np.ndarray,
    day: np.ndarray,
    places: np.ndarray,
    settings: Settings,
    stations: _Stations,
    calendar: _Calendar,
) -> pd.DataFrame:
    """What learners know, as ``Learner.fit`` takes it."""
    places = places[np.lexsort((day[places], no[places]))]
    no, day = no[places], day[places]
    made: dict[str, Any] = {"STATION_ID": stations.ids[no], "DAY": _moments(day)}
    for number, column in enumerate(("TRIPS", *settings.station_columns)):
        made[column] = rows.pop(f"V{number}").to_numpy(np.float32)[places]
    for column in calendar.columns:
        made[column] = calendar.take(column, day)
    return pd.DataFrame(made, copy=False)


def _moments(day: np.ndarray) -> np.ndarray:
    return day.astype("datetime64[D]").astype("datetime64[ns]")


def _forecast(
    known: pd.DataFrame, settings: Settings, stations: _Stations, calendar: _Calendar, payload: bytes | None
) -> pd.DataFrame:
    fitted: Fitted | None = None
    failed = ""
    parts = []
    for index, text in enumerate(settings.cutoffs):
        cutoff = date.fromisoformat(text)
        so_far = _until(known, cutoff)
        if index == 0:
            fitted, failed = _fitted(so_far, settings, payload)
        for weather in settings.weathers:
            future = _future(so_far, cutoff, settings, stations, calendar, weather)
            if not len(future):
                continue
            found = _asked(fitted, failed, so_far, future, settings)
            parts.append(found.assign(CUTOFF=_moments(_number(cutoff)), WEATHER=weather))
    if settings.keep:
        parts.append(_pieces(fitted.dump() if fitted is not None else _NOT_FITTED + failed.encode()))
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return whole.reindex(columns=list(OUTPUT))


def _fitted(known: pd.DataFrame, settings: Settings, payload: bytes | None) -> tuple[Fitted | None, str]:
    """The fitted model, or None and why there is none."""
    if payload is not None and payload.startswith(_NOT_FITTED):
        return None, payload.removeprefix(_NOT_FITTED).decode()
    try:
        model: Learner = learner(settings.name, **settings.parameters)
        return (model.fit(known, settings.seed) if payload is None else model.load(payload)), ""
    except Exception as error:
        return None, _named(error)


def _until(known: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    inside = (known["DAY"] <= pd.Timestamp(cutoff)).to_numpy()
    return known if inside.all() else known[inside].reset_index(drop=True)


def _number(cutoff: date) -> np.ndarray:
    return np.array(cutoff.toordinal() - date(1970, 1, 1).toordinal(), np.int32)


def _future(
    known: pd.DataFrame, cutoff: date, settings: Settings, stations: _Stations, calendar: _Calendar, weather: str
) -> pd.DataFrame:
    """The rows to forecast: each station open at the cutoff, each day after it."""
    last = int(_number(cutoff))
    open_ids = set(known["STATION_ID"].to_numpy()[(known["DAY"] == pd.Timestamp(cutoff)).to_numpy()])
    chosen = [
        name
        for name, first in zip(stations.ids, stations.first, strict=True)
        if name in open_ids and last - first + 1 >= settings.min_history
    ]
    h = np.tile(np.arange(1, settings.h + 1, dtype=np.int16), len(chosen))
    day = last + h.astype(np.int32)
    made: dict[str, Any] = {
        "STATION_ID": np.repeat(np.array(chosen, object), settings.h),
        "DAY": _moments(day),
        "H": h,
    }
    for column in calendar.columns:
        if column.startswith(USUAL) and column.removeprefix(USUAL) in WEATHER:
            continue
        source = USUAL + column if weather == "usual" and column in WEATHER else column
        made[column] = calendar.take(source, day)
    future = pd.DataFrame(made, copy=False)
    future.attrs["weather"] = weather
    return future


def _asked(
    fitted: Fitted | None, failed: str, known: pd.DataFrame, future: pd.DataFrame, settings: Settings
) -> pd.DataFrame:
    """What the model answers, or, where it fails, the mean of the last weekdays."""
    found: pd.DataFrame | None = None
    if fitted is not None:
        try:
            found = fitted.forecast(known, future, settings.explain).reset_index(drop=True)
            values = found["FORECAST"].to_numpy(np.float64)
            if len(found) != len(future):
                raise ValueError(f"{len(found)} forecasts for {len(future)} rows")
        except Exception as error:
            found, failed = None, _named(error)
    if found is None:
        values, _ = weekday_means(known, future, _FALLBACK_WEEKS)
        reason = np.full(len(future), f"weekday mean: {failed}", object)
        found = answer(future, values, reason)
    elif not np.isfinite(values).all():
        wrong = ~np.isfinite(values)
        means, _ = weekday_means(known, future, _FALLBACK_WEEKS)
        found["FORECAST"] = np.where(wrong, means, values)
        found["FALLBACK"] = np.where(wrong, "weekday mean: the forecast was not a number", found["FALLBACK"])
    found["FORECAST"] = np.maximum(found["FORECAST"].to_numpy(np.float64), 0.0)
    found["EXPLANATION"] = [_json(item) for item in found["EXPLANATION"]] if settings.explain else None
    return found


def _json(item: Any) -> str | None:
    """An explanation as JSON, to a hundredth of a trip."""
    if not isinstance(item, dict):
        return None
    return json.dumps({name: round(float(value), 2) for name, value in item.items() if value == value})


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _pieces(payload: bytes) -> pd.DataFrame:
    text = base64.b64encode(payload).decode()
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    return pd.DataFrame({"PIECE": range(len(pieces)), "PAYLOAD": pieces})


def joined(pieces: list[str]) -> bytes:
    """The stored model whose pieces, in order, these are."""
    return base64.b64decode("".join(pieces))


def _read(url: str) -> bytes:
    from snowflake.snowpark.files import SnowflakeFile

    with SnowflakeFile.open(url, "rb", require_scoped_url=False) as file:
        return bytes(file.read())


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    """Lets numerical libraries use so many threads."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
        return
    with threadpool_limits(count):
        yield
