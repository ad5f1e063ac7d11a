"""Ingest: the next month, from its file to a forecast, with progress and its log."""

from __future__ import annotations

import os
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import streamlit as st
from snowflake.snowpark import Session

from tripcast import names, pipeline
from tripcast.app import data, warehouse
from tripcast.app.airflow import Airflow, AirflowTrouble, carry_out, configured
from tripcast.app.jobs import DONE, RUNNING, Job, Jobs, Say
from tripcast.app.views import parts
from tripcast.connection import use_database
from tripcast.lineage import runs
from tripcast.models import LEARNERS
from tripcast.sources.synthetic import next_month

_MONTH = r"20\d\d-(0[1-9]|1[0-2])"
FOLDER = "TRIPCAST_TRIPS"


@st.cache_resource
def jobs() -> Jobs:
    """The app's one background worker: its work goes on when the planner looks at other pages."""
    return Jobs()


@parts.page_of
def page(session: Session) -> None:
    st.title("Ingest")
    last = None if parts.missing(session, names.RUNS, names.TRIPS) else data.last_trip_day(session)
    if last is None:
        set_up = not parts.missing(session, names.TRIPS)
        command = "tripcast load --trips ./trips"
        parts.nothing(
            session, "There are no trips yet. This loads the first ones:", command if set_up else "tripcast forecast"
        )
        return
    st.write(f"Trips are loaded up to **{last:%d %b %Y}**.")
    airflow = configured(warehouse.secrets("airflow"))
    _form(session, month_to_load(last), airflow)
    _watch()
    st.caption(
        f"Months are run by Airflow at {airflow.url} (DAG {airflow.dag}), also when this page is closed."
        if airflow
        else "Airflow is not configured (AIRFLOW_API_URL): the app runs the monthly taskflow itself."
    )


def month_to_load(last: date) -> str:
    """The month after the last one that is loaded to its end: that of the next day."""
    following = last + timedelta(days=1)
    return f"{following:%Y-%m}"


def _form(session: Session, month: str, airflow: Airflow | None) -> None:
    busy = (current := jobs().current) is not None and current.state == RUNNING
    with st.form("ingest"):
        left, right = st.columns(2)
        chosen = left.text_input("Month", month, key=f"month {month}", help="As 2021-03.")
        model = right.selectbox(
            "Model", [pipeline.CHAMPION, *LEARNERS], key="model", help="The champion is the best of the last backtest."
        )
        folder = st.text_input(
            "Folder of trip files",
            os.environ.get(FOLDER, ""),
            key="folder",
            placeholder="empty: the published files",
            help=f"On the machine on which {'Airflow' if airflow else 'the app'} runs.",
        )
        pressed = st.form_submit_button("Run the month", type="primary", icon=":material/play_arrow:", disabled=busy)
    if not pressed:
        return
    if trouble := refusal(chosen, "" if airflow else folder):
        st.error(trouble)
        return
    place = session.get_fully_qualified_current_schema()
    if jobs().start(f"Month {chosen}", lambda say: run_month(place, chosen, folder, model, say, airflow)):
        st.rerun()  # the button rests while the work goes on
    st.warning("Another month is being run.")


def refusal(month: str, folder: str) -> str | None:
    """What is wrong with the planner's wishes, in words; None if nothing is."""
    if not re.fullmatch(_MONTH, month):
        return f"{month!r} is no month: write it as 2021-03."
    if next_month(date.fromisoformat(f"{month}-01")) > date.today():
        return f"{month} is not over yet."
    if folder and not Path(folder).expanduser().is_dir():
        return f"There is no folder {folder}."
    return None


def run_month(place: str, month: str, folder: str, model: str, say: Say, airflow: Airflow | None = None) -> Any:
    """Runs the monthly taskflow, in Airflow or in a session of its own; answers its run.

    Args:
        place: the schema, with its database.
        month: as 2021-03.
        folder: of trip files; empty for the published ones.
        model: name of a learner, or the champion.
        say: told what is done.
        airflow: that runs it; None to run it here.

    Raises:
        AirflowTrouble: Airflow does not run it to its end, or in another warehouse.
    """
    if airflow is not None:
        day = next_month(date.fromisoformat(f"{month}-01"))
        wishes = {"run_date": f"{day:%Y_%m_%d}", "trips": folder or None, "model": model}
        model_id = carry_out(airflow, wishes, say)
    opened = warehouse.own_session()
    try:
        if not warehouse.running_in_sis():
            database, schema = (part.strip('"') for part in place.split("."))
            use_database(opened, database, schema)
        if airflow is None:
            return pipeline.month(opened, month, Path(folder).expanduser() if folder else None, model=model, say=say)
        try:
            return runs.find(opened, model_id)
        except runs.NoSuchRun as error:
            raise AirflowTrouble(f"Airflow ran the month in another place: {place} has no run {model_id}") from error
    finally:
        if not warehouse.running_in_sis():
            opened.close()


@st.fragment(run_every=1.0)
def _watch() -> None:
    job = jobs().current
    if job is None:
        return
    _show(job)
    if job.state != RUNNING and not st.session_state.get(f"seen {job.started}"):
        st.session_state[f"seen {job.started}"] = True
        st.cache_data.clear()
        st.rerun()  # the form is free again, and the last day is another


def _show(job: Job) -> None:
    if job.state == RUNNING:
        st.progress(job.progress, f"{job.title}: {job.log[-1][1] if job.log else 'begins'} ({job.seconds:.0f} s)")
    elif job.state == DONE:
        run = job.result
        scored = run.metrics.get("evaluated") or {}
        text = f"{job.title} is done in {job.seconds:.0f} s: {run.h} days are forecast from {run.run_date}."
        if scored.get("wape") is not None:
            text += f" The forecast of the month before had a WAPE of {parts.share(scored['wape'])} (seasonal naive: {parts.share(scored.get('naive_wape'))})."
        st.success(text, icon=":material/check:")
    else:
        st.error(f"{job.title} failed after {job.seconds:.0f} s: {job.error}", icon=":material/error:")
        st.caption("What is done stays done: the same month goes on from there.")
    with st.expander("Log", expanded=job.state == RUNNING):
        st.code("\n".join(f"{seconds:7.1f} s  {text}" for seconds, text in job.log) or "nothing yet", language=None)
