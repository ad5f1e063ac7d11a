"""CHAMPION: the model to go by, chosen by the backtest and written down with its margin."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.training import tables
from tripcast.training.evaluate import ALL_PERIODS
from tripcast.training.runner import ACTUAL_WEATHER, USUAL_WEATHER

NAIVE = "seasonal_naive"
_COLUMNS = {
    "model": "VARCHAR",
    "runner_up": "VARCHAR",
    "weather": "VARCHAR",
    "wape": "FLOAT",
    "margin": "FLOAT",
    "naive_ratio": "FLOAT",
    "wape_actual": "FLOAT",
    "naive_ratio_actual": "FLOAT",
    "bias": "FLOAT",
    "coverage_80": "FLOAT",
    "models": "NUMBER(4, 0)",
}


@dataclass(frozen=True, slots=True)
class Champion:
    """The model with the lowest WAPE.

    Args:
        model: its name.
        runner_up: the next one; None if there is no other.
        weather: by which it was chosen.
        wape: its own.
        margin: by what share of the runner-up's WAPE its own is lower; None without one.
        naive_ratio: its WAPE over seasonal naive's; None if that was not run.
        wape_actual, naive_ratio_actual: the same with the weather that came; None if that was not run.
        bias, coverage_80: of the backtest it was chosen by.
        models: that were compared.
    """

    model: str
    runner_up: str | None
    weather: str
    wape: float
    margin: float | None
    naive_ratio: float | None
    wape_actual: float | None
    naive_ratio_actual: float | None
    bias: float | None
    coverage_80: float | None
    models: int


def choose_champion(session: Session, weather: str = USUAL_WEATHER) -> Champion:
    """Chooses the model with the lowest WAPE over all windows, writes CHAMPION and marks its rows in MODELS.

    By default with the usual weather: when a forecast is made, the weather to come is not known. If two are equal, the one
    with the lower RMSE wins, then the one whose name comes first.

    Args:
        session: whose current schema has EVAL.
        weather: 'usual' or 'actual'.

    Raises:
        ValueError: no backtest with that weather has been run.
    """
    rows = (
        session.table(names.EVAL)
        .filter((F.col("LEVEL") == "all") & (F.col("PERIOD") == ALL_PERIODS))
        .filter(F.col("WAPE").is_not_null())
        .collect()
    )
    figures = {(row["MODEL"], row["WEATHER"]): row for row in rows}
    ranked = sorted((row["WAPE"], row["RMSE"], row["MODEL"]) for (_, one), row in figures.items() if one == weather)
    if not ranked:
        raise ValueError(f"{names.EVAL} has no model scored with {weather} weather: run a backtest first")
    wape, _, model = ranked[0]

    def ratio(one: str) -> float | None:
        own, naive = figures.get((model, one)), figures.get((NAIVE, one))
        return float(own["WAPE"] / naive["WAPE"]) if own is not None and naive is not None and naive["WAPE"] else None

    actual = figures.get((model, ACTUAL_WEATHER))
    own = figures[model, weather]
    found = Champion(
        model=model,
        runner_up=ranked[1][2] if len(ranked) > 1 else None,
        weather=weather,
        wape=float(wape),
        margin=float(1 - wape / ranked[1][0]) if len(ranked) > 1 and ranked[1][0] else None,
        naive_ratio=ratio(weather),
        wape_actual=None if actual is None else float(actual["WAPE"]),
        naive_ratio_actual=ratio(ACTUAL_WEATHER),
        bias=own["BIAS"],
        coverage_80=own["COVERAGE_80"],
        models=len(ranked),
    )
    _write(session, found)
    return found


def champion(session: Session) -> Champion | None:
    """The champion that was written down last; None if there is none."""
    listed = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    session.sql(f"CREATE TABLE IF NOT EXISTS {names.CHAMPION} ({listed}, CHOSEN_AT TIMESTAMP_NTZ)").collect()
    rows = session.table(names.CHAMPION).sort(F.col("CHOSEN_AT").desc()).limit(1).collect()
    return Champion(**{field.name: rows[0][field.name.upper()] for field in fields(Champion)}) if rows else None


def _write(session: Session, found: Champion) -> None:
    values = [F.lit(value).cast(_COLUMNS[name]).alias(name.upper()) for name, value in asdict(found).items()]
    row = session.range(1).select(*values, F.current_timestamp().cast("TIMESTAMP_NTZ").alias("CHOSEN_AT"))
    row.write.save_as_table(names.CHAMPION, mode="overwrite")
    models = tables.table(session, names.MODELS)
    own = models["MODEL"] == F.lit(found.model)
    session.table(names.MODELS).update(
        {"CHAMPION": own, "MARGIN": F.iff(own, F.lit(found.margin).cast("FLOAT"), F.lit(None))}
    )
