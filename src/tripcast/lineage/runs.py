"""RUNS: a row for each run of a model, with all that is needed to repeat it and the steps that are done."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from snowflake.snowpark import Row, Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.lineage.code import code_version

MONTH, ONCE, TRAINING = "month", "once", "training"
CLONE, FEATURE, FORECAST, PRED, EVAL, BACKTEST = "CLONE", "FEATURE", "FORECAST", "PRED", "EVAL", "BACKTEST"
# what a run leaves in the schema beside its clone of TRIPS: tables named <PREFIX>_<model_id>
WEATHER, HOLIDAY = "WEATHER", "HOLIDAY"
PREFIXES = (CLONE, WEATHER, HOLIDAY, FEATURE, FORECAST, BACKTEST, PRED, EVAL)


class NoSuchRun(LookupError):
    """RUNS has no such model."""


@dataclass(frozen=True, slots=True)
class Run:
    """One row of RUNS.

    Args:
        model_id: as in the names of the run's tables.
        run_date: the day of the run: the first that it forecasts.
        kind: MONTH, ONCE for a forecast outside the monthly taskflow, TRAINING where nothing is forecast.
        model: name of the learner.
        h: days to forecast.
        seed: of whatever is random.
        parameters: of the learner, in place of its usual ones, and of the run's backtest.
        steps: names of those that are done.
        code_version: that made it.
        data_from, data_to: first and last day of the trips that it saw.
        trips: how many it saw.
        metrics: figures, by name.
        forgotten: trips that were removed from its clone since.
        retrained_from: the model that it replaces.
        finished: when its last step was done.
    """

    model_id: str
    run_date: date
    kind: str
    model: str
    h: int
    seed: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    code_version: str = ""
    data_from: date | None = None
    data_to: date | None = None
    trips: int | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    forgotten: int = 0
    retrained_from: str | None = None
    created: datetime | None = None
    finished: datetime | None = None

    @property
    def cutoff(self) -> date:
        """The last day that it may see."""
        return self.run_date - timedelta(days=1)

    @property
    def last_day(self) -> date:
        """The last day that it saw: earlier than the cutoff where the trips end before."""
        return self.data_to or self.cutoff

    def table(self, prefix: str) -> str:
        """One of its tables: ``run.table(PRED)``."""
        return f"{prefix}_{self.model_id}".upper()


def new_model_id() -> str:
    """A name that no other run has, as the guide makes it."""
    return str(uuid.uuid1()).replace("-", "_")


def begin(session: Session, run: Run) -> Run:
    """Writes a new run down, with the code's version; answers it."""
    now = _now()
    run = replace(run, code_version=code_version(), created=now)
    session.sql(
        f"INSERT INTO {names.RUNS} (MODEL_ID, RUN_DATE, KIND, MODEL, CUTOFF, H, SEED, PARAMETERS, STEPS, CODE_VERSION, "
        "FORGOTTEN, RETRAINED_FROM, CREATED_AT) SELECT ?, ?::DATE, ?, ?, ?::DATE, ?, ?, PARSE_JSON(?), '', ?, 0, ?, "
        "?::TIMESTAMP_NTZ",
        params=[
            run.model_id, run.run_date.isoformat(), run.kind, run.model, run.cutoff.isoformat(), run.h, run.seed,
            _json(run.parameters), run.code_version, run.retrained_from, str(now),
        ],
    ).collect()  # fmt: skip
    return run


def note(session: Session, run: Run, step: str, last: bool = False) -> Run:
    """Writes down that a step is done, and what is known since; answers the run with it.

    Args:
        session: whose current schema has RUNS.
        run: with the values to keep.
        step: that is done.
        last: whether the run is finished by it.
    """
    steps = run.steps if step in run.steps else (*run.steps, step)
    run = replace(run, steps=steps, finished=_now() if last else run.finished)
    session.sql(
        # another step may be noted at the same time: add to what is there
        f"UPDATE {names.RUNS} SET STEPS = IFF(ARRAY_CONTAINS(?::VARIANT, SPLIT(STEPS, ',')), STEPS, "
        "LTRIM(STEPS || ',' || ?, ',')), DATA_FROM = ?::DATE, DATA_TO = ?::DATE, TRIPS = ?, METRICS = PARSE_JSON(?), "
        "FINISHED_AT = ?::TIMESTAMP_NTZ WHERE MODEL_ID = ?",
        params=[
            step, step, run.data_from and run.data_from.isoformat(), run.data_to and run.data_to.isoformat(),
            run.trips, _json(run.metrics), run.finished and str(run.finished), run.model_id,
        ],
    ).collect()  # fmt: skip
    return run


def read(session: Session) -> list[Run]:
    """All runs, oldest first."""
    rows = session.table(names.RUNS).sort("RUN_DATE", "CREATED_AT", "MODEL_ID").collect()
    return [_run(row) for row in rows]


def find(session: Session, model_id: str) -> Run:
    """The run of that model id, written with dashes or with underscores.

    Raises:
        NoSuchRun: there is none; the text names the newest ones.
    """
    wanted = model_id.replace("-", "_").lower()
    rows = session.table(names.RUNS).filter(F.lower("MODEL_ID") == F.lit(wanted)).collect()
    if not rows:
        known = [run.model_id for run in read(session)][-3:]
        newest = f"the newest are {', '.join(known)}" if known else "there is none yet"
        raise NoSuchRun(f"there is no model {model_id!r}: {newest} (tripcast models)")
    return _run(rows[0])


def _run(row: Row) -> Run:
    return Run(
        model_id=row["MODEL_ID"],
        run_date=row["RUN_DATE"],
        kind=row["KIND"],
        model=row["MODEL"],
        h=row["H"],
        seed=row["SEED"],
        parameters=json.loads(row["PARAMETERS"] or "{}"),
        steps=tuple(filter(None, (row["STEPS"] or "").split(","))),
        code_version=row["CODE_VERSION"],
        data_from=row["DATA_FROM"],
        data_to=row["DATA_TO"],
        trips=row["TRIPS"],
        metrics=json.loads(row["METRICS"] or "{}"),
        forgotten=row["FORGOTTEN"] or 0,
        retrained_from=row["RETRAINED_FROM"],
        created=row["CREATED_AT"],
        finished=row["FINISHED_AT"],
    )


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), sort_keys=True, default=str)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)
