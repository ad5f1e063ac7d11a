"""Repeats a run from its clone and compares the forecasts, bit by bit."""

from __future__ import annotations

from dataclasses import dataclass

from snowflake.snowpark import Session

from tripcast import names
from tripcast.features.days import table_if_any
from tripcast.lineage import runs, steps, workspace
from tripcast.lineage.code import code_version
from tripcast.lineage.runs import BACKTEST, CLONE, PRED, Run

_PURPOSE = "REPRODUCE_"
_KEYS = ("MODEL", "CUTOFF", "STATION_ID", "DAY")


class CannotReproduce(Exception):
    """What the run was made from is not there any more; the text says what."""


@dataclass(frozen=True, slots=True)
class Reproduced:
    """How a repeated run compares.

    Args:
        model_id: of the run.
        rows: forecasts stored.
        equal: of those, forecasts that came out the same in every column.
        differ: that came out otherwise.
        missing: that did not come out.
        added: that came out and are not stored.
        largest: the largest difference of a forecast, in trips; None if no day came out in both.
        forgotten: trips that were removed from the clone since the run.
        code: the code's version then.
        code_now: the code's version now.
    """

    model_id: str
    rows: int
    equal: int
    differ: int
    missing: int
    added: int
    largest: float | None
    forgotten: int
    code: str
    code_now: str

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return self.equal == self.rows and self.added == 0


def reproduce(session: Session, model_id: str, anyway: bool = False) -> Reproduced:
    """Computes features from the run's clone, trains and forecasts again, and compares.

    Nothing that is stored changes.

    Args:
        session: whose current schema has the run's tables.
        model_id: of the run.
        anyway: also with other code than the run's.

    Raises:
        NoSuchRun: there is no such model.
        CannotReproduce: it has made no forecast, a table of it is gone, or the code is another.
    """
    run = runs.find(session, model_id)
    if steps.PREDICTED not in run.steps:
        raise CannotReproduce(f"{run.model_id} has made no forecast yet: finish it (tripcast month {run.cutoff:%Y-%m})")
    for prefix in (CLONE, BACKTEST, PRED):
        if table_if_any(session, run.table(prefix)) is None:
            raise CannotReproduce(f"{run.table(prefix)} is gone: without it {run.model_id} cannot be reproduced")
    now = code_version()
    if now != run.code_version and not anyway:
        raise CannotReproduce(
            f"{run.model_id} was made by {run.code_version}, this is {now}: use that version, or --anyway to compare with this"
        )
    place = workspace.make(session, run, _PURPOSE)
    try:
        steps.forecast(session, run, place)
        return _compare(session, run, f"{place}.{names.FORECAST}", now)
    finally:
        workspace.drop(session, place)


def _compare(session: Session, run: Run, made: str, now: str) -> Reproduced:
    stored = run.table(PRED)
    shown = [name for name in session.table(stored).columns if name not in (*_KEYS, "MODEL_ID")]
    same = " AND ".join(f"EQUAL_NULL(S.{name}, M.{name})" for name in shown)
    keys = " AND ".join(f"S.{key} = M.{key}" for key in _KEYS)
    row = session.sql(
        f"SELECT COUNT(S.DAY), COUNT_IF(S.DAY IS NOT NULL AND M.DAY IS NOT NULL AND {same}), "
        f"COUNT_IF(S.DAY IS NOT NULL AND M.DAY IS NOT NULL AND NOT ({same})), COUNT_IF(M.DAY IS NULL), "
        "COUNT_IF(S.DAY IS NULL), MAX(ABS(S.FORECAST - M.FORECAST)) "
        f"FROM {stored} S FULL OUTER JOIN {made} M ON {keys}"
    ).collect()[0]
    return Reproduced(
        run.model_id, row[0], row[1], row[2], row[3], row[4], row[5], run.forgotten, run.code_version, now
    )
