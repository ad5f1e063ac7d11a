"""The main job as plain functions: set up, load, features, forecast, backtest, months.

Each can be run again: it brings the warehouse to the same state whether it ran before, was stopped or never began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast import names, status, taskflow
from tripcast.elt import manifest
from tripcast.elt.load import load
from tripcast.elt.month_files import month_files
from tripcast.elt.report import LoadReport
from tripcast.features.days import build_days, data_range
from tripcast.features.features import build_feature_table
from tripcast.features.holidays import materialize_holidays
from tripcast.features.station_days import build_station_days, day_range
from tripcast.features.stations import build_stations
from tripcast.features.weather import materialize_weather, take_listing
from tripcast.lineage import runs, steps
from tripcast.lineage.forget import Forgotten
from tripcast.lineage.forget import forget as forget_rides
from tripcast.lineage.once import carry_out
from tripcast.lineage.once import retrain as again
from tripcast.lineage.runs import ONCE, PRED, TRAINING, Run
from tripcast.models import learner
from tripcast.sources.archive import Unreachable
from tripcast.sources.choose import Chosen, from_archive, from_folder, in_months, invented, is_synthetic
from tripcast.sources.files import trip_files
from tripcast.sources.holidays import COUNTRY, STATE
from tripcast.sources.synthetic import months_between, next_month
from tripcast.training.backtest import backtest as run_backtest
from tripcast.training.backtest import cutoffs_of, cutoffs_since
from tripcast.training.champion import choose_champion
from tripcast.training.evaluate import build_eval, build_guide_eval
from tripcast.training.forecast import forecast_stored

Say = Callable[[str], object]
H, N_WINDOWS, STEP_SIZE = 30, 6, 30
YEAR = 365
CHAMPION, FALLBACK = "champion", "lightgbm"
# models of which a window takes seconds
QUICK = ("seasonal_naive", "weekday_mean", "lightgbm")
DEMO = ("seasonal_naive", "weekday_mean", "arima", "sarimax", "tabnet_guide", "tabnet_station", "tabnet", "lightgbm")
# the library that a model needs beside those of tripcast's own dependencies
NEEDS = {"tabnet_guide": "torch", "tabnet_station": "torch", "tabnet": "torch"}
# the demo trains these at every so many-th cutoff
REFIT = {"arima": 7, "sarimax": 7, "tabnet_guide": 21, "tabnet_station": 21, "tabnet": 7}


def _quiet(text: str) -> None:
    """Says nothing."""


class CannotMix(ValueError):
    """Synthetic and real trips would come into one table."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A backtest that was run: its models, cutoffs and horizon."""

    models: tuple[str, ...]
    cutoffs: list[date]
    h: int


def loaded_kind(session: Session) -> bool | None:
    """Whether the trips in the warehouse are synthetic; None if there are none yet."""
    entries = [entry for entry in manifest.read(session) if entry.status != manifest.REJECTED]
    return any(is_synthetic(entry.source) for entry in entries) if entries else None


def choose_trips(session: Session, folder: Path | None, scratch: Path, say: Say) -> Chosen:
    """The trips that the demo loads.

    Args:
        session: whose current schema was set up.
        folder: of trip files, if the user named one.
        scratch: where synthetic files may be written.
        say: told why the trips are synthetic, if they are.

    Raises:
        BadFile: the folder holds no trip file.
    """
    if folder is not None:
        return from_folder(folder)
    synthetic_before = loaded_kind(session)
    if not synthetic_before:
        try:
            return from_archive()
        except Unreachable as error:
            if synthetic_before is False:
                say(f"{error}: going on with the trips that are loaded")
                return Chosen([], "the trips that are loaded", False)
            say(f"{error}: making synthetic trips instead")
    return invented(scratch)


def load_trips(session: Session, chosen: Chosen, progress: Callable[[str], object] = lambda name: None) -> LoadReport:
    """Loads what was chosen.

    Raises:
        CannotMix: the warehouse holds trips of the other kind, synthetic or real.
    """
    check_kind(session, chosen)
    return load(session, chosen.files, progress=progress)


def build_features(session: Session, country: str = COUNTRY, state: str | None = STATE) -> None:
    """Stations, station-days, holidays, days and features from TRIPS and, if there is one, WEATHER.

    Args:
        session: whose current schema was set up.
        country, state: whose holidays count, see ``tripcast.sources.holidays``.

    Raises:
        ValueError: no trips are loaded, or there is no such country or state.
    """
    build_stations(session)
    build_station_days(session)
    first, last = data_range(session)
    materialize_holidays(session, first.year, last.year, country, state)
    build_days(session)
    build_feature_table(session)


def forecast(
    session: Session,
    model: str = CHAMPION,
    h: int = H,
    *,
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
    say: Say = _quiet,
) -> Run:
    """Forecasts every open station for ``h`` days after the last one, as a run with its clone, tags and stored model.

    Args:
        session: whose current schema was set up.
        model: name of a learner, or CHAMPION.
        h: days to forecast.
        seed: of whatever is random.
        parameters: of the learner, in place of its usual ones.
        say: told what is done.

    Raises:
        ValueError: no trips are loaded.
    """
    _, last = _days(session)
    state = taskflow.new_state(
        last + timedelta(days=1),
        model=learner_name(session, model),
        parameters=dict(parameters or {}),
        forecast_steps=h,
        seed=seed,
    )
    taskflow.ensure_holidays(session, last)
    run = taskflow.begun(session, state, ONCE)
    return carry_out(session, run, taskflow.earlier_run(session, run), say)


def train(
    session: Session,
    model: str = CHAMPION,
    cutoff: date | None = None,
    *,
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
    say: Say = _quiet,
) -> Run:
    """Trains a model and stores it; forecasts nothing.

    Raises:
        ValueError: no trips are loaded, or the cutoff is not in their days.
    """
    first, last = _days(session)
    cutoff = cutoff or last
    if not first <= cutoff <= last:
        raise ValueError(f"cutoff {cutoff} is outside the days of the data, {first} to {last}")
    state = taskflow.new_state(
        cutoff + timedelta(days=1), model=learner_name(session, model), parameters=dict(parameters or {}), seed=seed
    )
    taskflow.ensure_holidays(session, cutoff)
    return steps.train_only(session, taskflow.begun(session, state, TRAINING), say)


def forecast_by(session: Session, model_id: str, h: int = H) -> None:
    """Forecasts by a stored model from the last day of the trips, without training.

    Raises:
        NoSuchRun: there is no such model.
    """
    run = runs.find(session, model_id)
    build_features(session)
    forecast_stored(session, run.model_id, h, cutoff=_days(session)[1])


def backtest(
    session: Session,
    models: Sequence[str] = QUICK,
    h: int = H,
    n_windows: int = N_WINDOWS,
    step_size: int = STEP_SIZE,
    *,
    since: date | None = None,
    refit: int = 1,
    min_history: int | None = None,
    seed: int = 0,
    say: Say = _quiet,
) -> Scored:
    """Forecasts the past from several cutoffs by each model, writes the figures to EVAL and chooses the champion.

    Args:
        session: whose current schema has features.
        models: names of learners.
        h: days to forecast from each cutoff.
        n_windows, step_size: how many cutoffs, and days between them.
        since: all cutoffs from this day on, in place of ``n_windows``.
        refit: train at every so many-th cutoff.
        min_history: days that a station must have behind it; by default a year, fewer where the data is shorter.
        seed: of whatever is random.
        say: told what is done.

    Raises:
        ValueError: no trips are loaded, or too few days of them.
    """
    first, last = _days(session)
    if since is not None:
        cutoffs = cutoffs_since(first, last, h, since, step_size)
    else:
        cutoffs = cutoffs_of(first, last, h, n_windows, step_size)
    if min_history is None:
        min_history = max(1, min(YEAR, (cutoffs[0] - first).days + 1))
    for model in models:
        run_backtest(
            session,
            learner(model),
            cutoffs,
            h,
            refit=refit,
            min_history=min_history,
            seed=seed,
            progress=say,
        )
    build_eval(session)
    build_guide_eval(session)
    choose_champion(session)
    return Scored(tuple(models), cutoffs, h)


def demo_backtest(session: Session, models: Sequence[str], since: date, say: Say = _quiet) -> Scored:
    """The backtest of ``tripcast demo``: every 30 days from ``since`` on, or from a year after the first trip.

    Models that take minutes are trained at every few cutoffs only; between, they go on from the days that came since.
    """
    first, last = _days(session)
    since = max(since, first + timedelta(days=YEAR))
    try:
        cutoffs_since(first, last, H, since, STEP_SIZE)
    except ValueError:  # too few days for that
        return backtest(session, models, say=say)
    scored: Scored | None = None
    for refit in sorted({REFIT.get(model, 1) for model in models}):
        chosen = [model for model in models if REFIT.get(model, 1) == refit]
        scored = backtest(session, chosen, since=since, refit=refit, say=say)
    assert scored is not None
    return Scored(tuple(models), scored.cutoffs, scored.h)


def installed_models() -> tuple[str, ...]:
    """The models whose libraries are installed here, so that they should be in the warehouse."""
    return tuple(name for name in DEMO if name not in NEEDS or find_spec(NEEDS[name]) is not None)


def take_weather(session: Session) -> int:
    """Makes WEATHER from the listing, if it is shared; answers its days."""
    try:
        take_listing(session)
    except LookupError:
        return 0
    return materialize_weather(session)


def busiest_station(session: Session, model_id: str) -> str:
    """The station with the most trips in a run's forecast."""
    run = runs.find(session, model_id)
    rows = session.table(run.table(PRED)).group_by("STATION_ID").agg(F.sum("FORECAST").alias("N"))
    return str(rows.sort(F.col("N").desc(), "STATION_ID").limit(1).collect()[0]["STATION_ID"])


def month(
    session: Session,
    month: str,
    folder: Path | None = None,
    *,
    model: str = CHAMPION,
    h: int = H,
    seed: int = 0,
    say: Say = _quiet,
    **settings: Any,
) -> Run:
    """Runs the monthly taskflow for one month.

    Args:
        session: whose current schema was set up.
        month: ``2020-04``.
        folder: of trip files; by default the published ones.
        model: name of a learner, or CHAMPION.
        h: days to forecast.
        seed: of whatever is random.
        say: told what is done.
        settings: more of the taskflow's state.

    Raises:
        ValueError: the month is not over, or there is no file of it and no trip.
    """
    run_date = next_month(date.fromisoformat(f"{month}-01"))
    files, state = month_plan(session, run_date, folder, model=model, h=h, seed=seed)
    done = taskflow.citibikeml_monthly_taskflow(files, run_date, state | settings, session, say)
    return runs.find(session, done["model_id"])


def month_plan(
    session: Session,
    day: date,
    folder: Path | None = None,
    named: Sequence[str] = (),
    *,
    model: str = CHAMPION,
    h: int = H,
    seed: int = 0,
) -> tuple[list[str], dict[str, Any]]:
    """What the monthly taskflow is given: the names of the files that it loads, and its settings.

    Args:
        session: whose current schema was set up.
        day: of the run, the first after its month.
        folder, named: see ``tripcast.elt.month_files``.
        model: name of a learner, or CHAMPION.
        h: days to forecast.
        seed: of whatever is random.

    Raises:
        ValueError: the month is not over, or a file is missing.
        CannotMix: the warehouse holds trips of the other kind, synthetic or real.
    """
    taskflow.check_over(day)
    chosen, base_url = month_files(session, f"{day - timedelta(days=1):%Y-%m}", folder, named)
    if chosen is not None:
        check_kind(session, chosen)
    settings = {"model": learner_name(session, model), "forecast_steps": h, "seed": seed, "download_base_url": base_url}
    return [file.name for file in chosen.files] if chosen else [], settings


def replay(
    session: Session,
    first: str,
    last: str,
    folder: Path | None = None,
    *,
    model: str = CHAMPION,
    say: Say = _quiet,
    **settings: Any,
) -> Iterator[Run]:
    """Runs the monthly taskflow for each month, as if each were the newest; yields each run when it is done.

    Args:
        session: whose current schema was set up.
        first, last: months, ``2020-01``, both included.
        folder: of trip files; those of months before ``first`` are loaded first.
        model: name of a learner, or CHAMPION: then the champion of the moment for all months.
        say: told what is done.
        settings: as for ``month``.

    Raises:
        ValueError: ``last`` is before ``first``, or as for ``month``.
    """
    months = [f"{day:%Y-%m}" for day in months_between(first, last)]
    if not months:
        raise ValueError(f"{last} is before {first}")
    model = learner_name(session, model)
    if folder is not None:
        before = f"{date.fromisoformat(f'{first}-01') - timedelta(days=1):%Y-%m}"
        earlier = in_months(trip_files(folder), None, before)
        if earlier:
            say(f"load up to {before}")
            load_trips(session, Chosen(earlier, "", any(is_synthetic(file.name) for file in earlier)))
    for number, one in enumerate(months, 1):
        told = partial(_tell, say, f"{one} ({number} of {len(months)})")
        yield month(session, one, folder, model=model, say=told, **settings)


def forget(
    session: Session, rides: Sequence[str] = (), bike: int | None = None, retrain: bool = False, say: Say = _quiet
) -> tuple[Forgotten, dict[str, str]]:
    """Removes rides from the warehouse; see ``tripcast.lineage.forget``.

    Returns:
        what was removed; and the new model id of each model that was trained again.
    """
    done = forget_rides(session, rides, bike)
    new: dict[str, str] = {}
    for model_id in done.models if retrain else ():
        old = runs.find(session, model_id)
        if old.finished is None or old.kind == TRAINING:
            continue
        told = partial(_tell, say, f"{old.model} of {old.run_date}")
        new[model_id] = again(session, old, taskflow.earlier_run(session, old), told).model_id
    return done, new


def learner_name(session: Session, model: str) -> str:
    """A model's name; for CHAMPION that of the last backtest's best, FALLBACK if there was none."""
    if model != CHAMPION:
        return model
    champion = status.champion(session, status.tables(session))
    return str(champion["model"]) if champion else FALLBACK


def _tell(say: Say, what: str, text: str) -> None:
    say(f"{what}: {text}")


def check_kind(session: Session, chosen: Chosen) -> None:
    """Refuses trips of the other kind than those that are loaded.

    Raises:
        CannotMix: they are.
    """
    synthetic_before = loaded_kind(session)
    if chosen.files and synthetic_before is not None and synthetic_before != chosen.synthetic:
        held, new = ("synthetic", "real") if synthetic_before else ("real", "synthetic")
        raise CannotMix(
            f"{names.TRIPS} holds {held} trips and these are {new}: use another database, or begin anew (make clean-demo)"
        )


def _days(session: Session) -> tuple[date, date]:
    days = day_range(session)
    if days is None:
        raise ValueError(f"{names.TRIPS} is empty: load trips first (tripcast load)")
    return days


def needs(session: Session, *wanted: str) -> list[str]:
    """Which of these tables do not exist."""
    there = status.tables(session)
    return [table for table in wanted if table not in there]
