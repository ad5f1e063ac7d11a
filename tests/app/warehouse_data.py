"""A small made-up warehouse for the app: every table that a page reads, without training anything."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pandas as pd
from snowflake.snowpark import Session

from tripcast.lineage import runs
from tripcast.lineage.runs import Run
from tripcast.setup import make_objects
from tripcast.training import tables

CUTOFF = date(2021, 2, 28)
H = 30
HISTORY = 56
MODEL_ID = "aaaaaaaa_0000_11f1_b782_02fc00000001"
EARLIER_ID = "bbbbbbbb_0000_11f1_b782_02fc00000001"
WEEK = (1.1, 1.15, 1.2, 1.15, 1.05, 0.7, 0.65)  # Monday to Sunday
NAMES = ("Grove St PATH", "Hamilton Park", "Newport <Pkwy>", "Sip Ave", "Marin Light Rail", "Harborside")


_EARLIER = (date(2020, 10, 1), date(2020, 11, 1), date(2020, 12, 1), date(2021, 1, 1), date(2021, 2, 1))


def fill(session: Session, stations: int = len(NAMES)) -> None:
    """Makes and fills the tables in the current schema."""
    make_objects(session)
    random = np.random.default_rng(5)
    ids = [f"S{number:04}" for number in range(stations)]
    titles = [NAMES[number] if number < len(NAMES) else f"Street {number}" for number in range(stations)]
    level = 30.0 / (1 + np.arange(stations) % 40) ** 0.7
    put(
        session,
        "STATIONS",
        pd.DataFrame(
            {
                "STATION_ID": ids,
                "STATION_NAME": titles,
                "LATITUDE": 40.72 + random.normal(0, 0.01, stations),
                "LONGITUDE": -74.05 + random.normal(0, 0.01, stations),
            }
        ),
    )
    days = [CUTOFF - timedelta(days=back) for back in reversed(range(HISTORY))]
    put(
        session,
        "STATION_DAYS",
        pd.DataFrame(
            {
                "STATION_ID": np.repeat(ids, len(days)),
                "DAY": days * stations,
                "TRIPS": random.poisson(np.outer(level, [WEEK[day.weekday()] for day in days]).ravel()),
            }
        ),
    )
    _forecast(session, ids, level)
    _backtest(session)
    _runs(session, titles, ids)


def _forecast(session: Session, ids: list[str], level: np.ndarray) -> None:
    tables.table(session, "FORECAST")
    count = len(ids)
    days = [CUTOFF + timedelta(days=step) for step in range(1, H + 1)]
    mean = np.outer(level, [WEEK[day.weekday()] for day in days]).ravel()
    spread, usual = np.sqrt(mean), np.repeat(level, H)
    explained = [
        json.dumps({"usual level": round(one + 4.5, 2), "season": -4.5, "weekday": round(value - one, 2)})
        for one, value in zip(usual, mean, strict=True)
    ]
    rows = pd.DataFrame(
        {
            "MODEL": "lightgbm",
            "CUTOFF": CUTOFF,
            "STATION_ID": np.repeat(ids, H),
            "DAY": days * count,
            "H": list(range(1, H + 1)) * count,
            "FORECAST": mean,
            "LOW_80": np.maximum(mean - 1.3 * spread, 0),
            "HIGH_80": mean + 1.3 * spread,
            "LOW_95": np.maximum(mean - 2 * spread, 0),
            "HIGH_95": mean + 2 * spread,
            "FALLBACK": np.where(np.repeat(ids, H) == ids[-1], "weekday mean: 3 days are too few", None),
            "TEXT": explained,
            "MODEL_ID": MODEL_ID,
        }
    )
    put(session, "FORECAST_ROWS", rows)
    listed = ", ".join(tables.columns_of("FORECAST"))
    chosen = listed.replace("EXPLANATION", "IFF(FALLBACK IS NULL, PARSE_JSON(TEXT), NULL)")
    session.sql(f"INSERT INTO FORECAST ({listed}) SELECT {chosen} FROM FORECAST_ROWS").collect()


def _backtest(session: Session) -> None:
    rows = []
    for model, wape in (("lightgbm", 0.3), ("seasonal_naive", 0.5)):
        for weather in ("actual", "usual"):
            for level, cutoff in (("all", None), ("cutoff", date(2020, 12, 1)), ("cutoff", date(2021, 1, 1))):
                rows.append(
                    (model, level, None, None, cutoff, weather, "all", 600, 3.0, 4.0, wape, 0.8, 0.9, -0.05, 0.8, 0.95)
                )
    session.sql(
        "CREATE TABLE EVAL (MODEL VARCHAR, LEVEL VARCHAR, STATION_ID VARCHAR, H NUMBER(4, 0), CUTOFF DATE, WEATHER VARCHAR, "
        "PERIOD VARCHAR, N NUMBER(9, 0), MAE FLOAT, RMSE FLOAT, WAPE FLOAT, MASE FLOAT, RMSSE FLOAT, BIAS FLOAT, "
        "COVERAGE_80 FLOAT, COVERAGE_95 FLOAT)"
    ).collect()
    listed = ", ".join(f"({', '.join(_literal(value) for value in row)})" for row in rows)
    session.sql(f"INSERT INTO EVAL VALUES {listed}").collect()
    tables.table(session, "MODELS")
    from tripcast.training.champion import choose_champion

    session.sql(
        "INSERT INTO MODELS (MODEL_ID, MODEL, CUTOFF, H, SEED, DATA_FROM, DATA_TO, STATIONS, STAGE_FILE, SHARDS, CLONE) "
        "SELECT ?, 'lightgbm', ?::DATE, 30, 0, '2020-12-01'::DATE, ?::DATE, 6, 'models/' || ?, 1, 'CLONE_' || UPPER(?)",
        params=[MODEL_ID, str(CUTOFF), str(CUTOFF), MODEL_ID, MODEL_ID],
    ).collect()
    choose_champion(session)


def _runs(session: Session, titles: list[str], ids: list[str]) -> None:
    earlier = Run(EARLIER_ID, date(2021, 2, 1), runs.MONTH, "lightgbm", H, 0)
    newest = Run(
        MODEL_ID, date(2021, 3, 1), runs.MONTH, "lightgbm", H, 0,
        data_from=date(2020, 12, 1), data_to=CUTOFF, trips=12_345,
        metrics={"evaluated": {"model_id": EARLIER_ID, "wape": 0.35}},
    )  # fmt: skip
    for run in (earlier, newest):
        runs.note(session, runs.begin(session, run), "flatten", last=True)
    session.sql(
        "INSERT INTO TRIPS (STARTTIME, START_STATION_ID) SELECT ?::TIMESTAMP_NTZ, 'S0000'",
        params=[f"{CUTOFF} 08:00:00"],
    ).collect()
    for prefix in (runs.CLONE, runs.FEATURE, runs.PRED):
        table = newest.table(prefix)
        session.sql(f"CREATE TABLE {table} CLONE TRIPS").collect()
        session.sql(f"ALTER TABLE {table} SET TAG MODEL_ID_TAG = '{MODEL_ID}'").collect()
    scored = pd.DataFrame(
        [
            (date(2021, 3, 1), MODEL_ID, "lightgbm", key, 28, 2.0 - 0.04 * number, 0.35 + 0.01 * number, 0.55, -0.04, 0.8, 0.95, title)
            for number, (key, title) in enumerate([(None, None), *zip(ids, titles, strict=True)])
        ]
        + [
            (day, EARLIER_ID, "lightgbm", None, 28, 2.0, wape, naive, 0.02, 0.8, 0.95, None)
            for day, wape, naive in zip(_EARLIER, (0.31, 0.33, 0.38, 0.42, 0.37), (0.5, 0.52, 0.61, 0.66, 0.58), strict=True)
        ],
        columns=["RUN_DATE", "MODEL_ID", "MODEL", "STATION_ID", "N", "MAE", "WAPE", "NAIVE_WAPE", "BIAS", "COVERAGE_80", "COVERAGE_95", "STATION_NAME"],
    )  # fmt: skip
    put(session, "FLAT_EVAL", scored)
    days = [(MODEL_ID, date(2021, 3, 1), "lightgbm", date(2021, 2, 1) + timedelta(days=number), 100, 110, 0.5,
             number / 4, 6, number / 4 > 6, "fall") for number in range(28)]  # fmt: skip
    listed = ", ".join(f"({', '.join(_literal(value) for value in row)})" for row in days)
    session.sql(f"INSERT INTO DRIFT VALUES {listed}").collect()


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    return f"'{value}'" if isinstance(value, str | date) else str(value).upper()


def put(session: Session, name: str, rows: pd.DataFrame) -> None:
    """Writes a frame to a new table."""
    session.write_pandas(rows, name, auto_create_table=True, overwrite=True, use_logical_type=True)
