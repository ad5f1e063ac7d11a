"""Runs outside the monthly taskflow: a forecast from the last day of the trips, or one in place of an earlier run."""

from __future__ import annotations

from snowflake.snowpark import Session

from tripcast.lineage import runs, steps
from tripcast.lineage.runs import Run


def carry_out(session: Session, run: Run, earlier: Run | None, say: steps.Say = lambda text: None) -> Run:
    """All steps of a run that was begun; those that are done are skipped."""
    for name, step in (
        ("clone", lambda now: steps.pin(session, now)),
        ("features", lambda now: steps.features(session, now)),
        ("forecast frame", lambda now: steps.frame(session, now)),
        ("train and predict", lambda now: steps.predict(session, now, say)),
        ("evaluate", lambda now: steps.evaluate(session, now, earlier)),
        ("flatten", lambda now: steps.flatten(session, now)),
    ):
        say(name)
        run = step(run)
    return run


def retrain(session: Session, old: Run, earlier: Run | None, say: steps.Say = lambda text: None) -> Run:
    """Repeats a run on TRIPS as they are now, under a new model id; it takes the old one's place in FORECAST.

    Args:
        session: whose current schema has RUNS.
        old: run to replace.
        earlier: the run before it, if any.
        say: told what is done.
    """
    new = Run(
        model_id=runs.new_model_id(),
        run_date=old.run_date,
        kind=old.kind,
        model=old.model,
        h=old.h,
        seed=old.seed,
        parameters=old.parameters,
        retrained_from=old.model_id,
    )
    return carry_out(session, runs.begin(session, new), earlier, say)
