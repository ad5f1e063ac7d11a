"""The main job as plain functions: set up, load, station-days, forecast, backtest.

Each step can be run again: it brings the warehouse to the same state whether it ran before, was stopped or never began.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from snowflake.snowpark import Session

from tripcast import names, status
from tripcast.elt import manifest
from tripcast.elt.load import load
from tripcast.elt.report import LoadReport
from tripcast.features.station_days import build_station_days, day_range
from tripcast.features.stations import build_stations
from tripcast.models import MODELS, Model
from tripcast.sources.archive import Unreachable
from tripcast.sources.choose import Chosen, from_archive, from_folder, invented, is_synthetic
from tripcast.training.backtest import N_WINDOWS, STEP_SIZE, build_backtest, cutoffs_of
from tripcast.training.evaluate import build_eval
from tripcast.training.forecast import H, build_forecast

Say = Callable[[str], object]


class CannotMix(Exception):
    """Synthetic and real trips would come into one table."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A backtest that was run: its model, cutoffs and horizon."""

    model: str
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
    synthetic_before = loaded_kind(session)
    if chosen.files and synthetic_before is not None and synthetic_before != chosen.synthetic:
        held, new = ("synthetic", "real") if synthetic_before else ("real", "synthetic")
        raise CannotMix(
            f"{names.TRIPS} holds {held} trips and these are {new}: use another database, or begin anew (make clean-demo)"
        )
    return load(session, chosen.files, progress=progress)


def build_features(session: Session) -> None:
    """Stations and station-days from TRIPS."""
    build_stations(session)
    build_station_days(session)


def forecast(session: Session, model: Model = MODELS["seasonal_naive"], h: int = H) -> date:
    """Forecasts every open station for ``h`` days after the last one; answers that last day.

    Raises:
        ValueError: no trips are loaded.
    """
    days = _days(session)
    build_forecast(session, model, days[1], h)
    return days[1]


def backtest(
    session: Session,
    model: Model = MODELS["seasonal_naive"],
    h: int = H,
    n_windows: int = N_WINDOWS,
    step_size: int = STEP_SIZE,
) -> Scored:
    """Forecasts the past from several cutoffs, and writes the figures to EVAL.

    Raises:
        ValueError: no trips are loaded, or too few days of them.
    """
    cutoffs = cutoffs_of(*_days(session), h, n_windows, step_size)
    build_backtest(session, model, cutoffs, h)
    build_eval(session)
    return Scored(model.name, cutoffs, h)


def _days(session: Session) -> tuple[date, date]:
    days = day_range(session)
    if days is None:
        raise ValueError(f"{names.TRIPS} is empty: load trips first (tripcast load)")
    return days


def needs(session: Session, *wanted: str) -> list[str]:
    """Which of these tables do not exist."""
    there = status.tables(session)
    return [table for table in wanted if table not in there]
