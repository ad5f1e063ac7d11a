"""The champion's model on many stations: features, training, a month's forecast with intervals and explanations."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from idle import Peak
from polynya.server.local import Warehouse
from report import Figure
from timing import seconds
from tripcast import names
from tripcast.features.days import WEATHER, build_days
from tripcast.features.features import build_feature_table
from tripcast.features.holidays import materialize_holidays
from tripcast.models import learner
from tripcast.setup import set_up
from tripcast.sources.weather import MEASURED
from tripcast.training.forecast import build_forecast
from tripcast.training.runner import H

_STATIONS, _DAYS = 1500, 2000
_FIRST = date(2015, 1, 1)


def measure(quick: bool) -> list[Figure]:
    """One forecast of every station, from STATION_DAYS on."""
    stations = _STATIONS // 10 if quick else _STATIONS
    with Warehouse() as warehouse:
        session = Session.builder.configs(warehouse.connection_parameters).create()
        set_up(session, "BENCHMARK")
        days = pd.date_range(_FIRST, periods=_DAYS)
        _write_inputs(session, days, stations)
        with Peak(str(warehouse.home.path), workers=True) as peak:
            took = seconds(lambda: _forecast(session, days[-1].date()))
        forecast = session.table(names.FORECAST)
        whole = forecast.filter(F.col("LOW_80").is_not_null() & F.col("EXPLANATION").is_not_null()).count()
        assert whole == forecast.count() == stations * H, f"{whole} whole rows for {stations} stations"
        session.close()
    what = f"{stations:,} stations of {_DAYS:,} days"
    limit = None if quick else 90.0
    return [
        Figure(f"champion's features, training and forecast of {what}", took, "s", limit=limit),
        Figure(f"memory of server and workers meanwhile, {what}", peak.megabytes, "MB", limit=4096.0),
    ]


def _forecast(session: Session, cutoff: date) -> None:
    build_days(session)
    build_feature_table(session)
    build_forecast(session, learner("lightgbm"), cutoff, model_id="benchmark")


def _write_inputs(session: Session, days: pd.DatetimeIndex, stations: int) -> None:
    """HOLIDAYS, WEATHER, and STATION_DAYS of Poisson counts with a year, a week and rain."""
    random = np.random.default_rng(0)
    warm = 55 - 22 * np.cos(2 * np.pi * days.dayofyear.to_numpy() / 365.25) + random.normal(0, 7, len(days))
    rain = np.where(random.random(len(days)) < 0.33, random.gamma(0.8, 0.5, len(days)), 0.0)
    weather = pd.DataFrame(dict.fromkeys(WEATHER, 0.0), index=range(len(days)))
    weather["TEMP"], weather["TEMP_MIN"], weather["TEMP_MAX"] = warm, warm - 7, warm + 7
    weather["PRECIPITATION"], weather["WIND"] = rain, 5.0
    weather.insert(0, "DATE", days.date)
    course = np.exp(-0.4 * (days.dayofweek.to_numpy() >= 5) + (warm - 60) / 40 - 0.5 * np.log1p(2 * rain))
    counts = random.poisson(random.uniform(3, 30, stations)[:, None] * course[None, :])
    names_of_stations = np.array([f"S{number:04d}" for number in range(stations)], dtype=object)
    trips = pd.DataFrame(
        {
            "STATION_ID": np.repeat(names_of_stations, len(days)),
            "DAY": np.tile(np.array(days.date), stations),
            "TRIPS": counts.ravel(),
            "CASUAL_TRIPS": random.binomial(counts.ravel(), 0.2),
        }
    )
    materialize_holidays(session, days[0].year, days[-1].year)
    for name, frame in ((names.WEATHER, weather.assign(SOURCE=MEASURED)), (names.STATION_DAYS, trips)):
        session.write_pandas(frame, name, auto_create_table=True, overwrite=True, use_logical_type=True)
