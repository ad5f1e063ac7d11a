"""What the tasks of ``tripcast.tasks`` run, inside the warehouse."""

from __future__ import annotations

import json
from typing import Any

from snowflake.snowpark import Session

from tripcast import names, taskflow, tasks
from tripcast.taskflow import State


def run_step(session: Session, step: str) -> str:
    """Runs one step of the month, in a task; answers what it hands on.

    Args:
        session: of the task, in the schema of the project.
        step: a key of ``tasks.STEPS``.

    Raises:
        ValueError: an unknown step.
    """
    if step == tasks.BEGIN:
        return _hand_on(session, _begin(session))
    if step not in tasks.STEPS:
        raise ValueError(f"there is no step {step!r}; there are {', '.join(tasks.STEPS)}")
    before = f"{tasks.GRAPH}${tasks.STEPS[step][0]}"
    state: State = json.loads(str(session.call("SYSTEM$GET_PREDECESSOR_RETURN_VALUE", before)))
    match step:
        case tasks.FEATURES:
            state = taskflow.generate_feature_table_task(state, state, state, session=session)
        case tasks.FRAME:
            state = taskflow.generate_forecast_table_task(state, state, state, session=session)
        case tasks.PREDICT:
            state = taskflow.bulk_train_predict_task(state, state, state, session=session)
        case tasks.EVALUATE:
            state = taskflow.eval_station_models_task(state, state, state["run_date"], session=session)
        case tasks.FLATTEN:
            state = taskflow.flatten_tables_task(state, state, session=session)
    return _hand_on(session, state)


def _begin(session: Session) -> State | None:
    """Takes note of the trips that are new, and begins the run of the month that is due; None if none is."""
    session.sql(
        f"INSERT INTO {tasks.LOADED} SELECT DATE_TRUNC('MONTH', STARTTIME)::DATE, COUNT(*), "
        f"CURRENT_TIMESTAMP()::TIMESTAMP_NTZ FROM {tasks.STREAM} GROUP BY 1"
    ).collect()
    config: dict[str, Any] = json.loads(str(session.call("SYSTEM$GET_TASK_GRAPH_CONFIG")))
    day = taskflow.due_day(session)
    try:
        taskflow.check_over(day)
        taskflow.check_trips(session, day)
    except ValueError:  # late trips of a month that is done, or a month that goes on
        return None
    settings: dict[str, Any] = {"load_table_name": "RAW_", "trips_table_name": names.TRIPS} | config
    return taskflow.incremental_elt_task(taskflow.new_state(day, **settings), [], session=session)


def _hand_on(session: Session, state: State | None) -> str:
    text = tasks.NOTHING if state is None else json.dumps(state)
    session.call("SYSTEM$SET_RETURN_VALUE", text)
    return text
