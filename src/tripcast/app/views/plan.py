"""Plan: bikes needed at a service level, and the moves that bring them where they lack."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import streamlit as st
from snowflake.snowpark import Session

from tripcast.app import data, plan
from tripcast.app.queries import BOUNDS, Made
from tripcast.app.views import parts

_FIRST_DAYS = 7
_VIEWS = ("Bikes needed", "Moves")


@parts.page_of
def page(session: Session) -> None:
    st.title("Plan")
    made = parts.choose_forecast(session)
    if made is None:
        return
    left, right = st.columns(2)
    percent = left.slider(
        "Service level",
        50,
        97,
        80,
        format="%d %%",
        key="level",
        help="On this share of days there are bikes for everybody.",
    )
    turns = right.number_input(
        "Trips a bike serves a day", 0.5, 20.0, 3.0, 0.5, key="turns",
        help="Bikes that arrive during the day leave again: with 3, thirty trips need ten bikes in the morning.",
    )  # fmt: skip
    level = percent / 100
    # no tabs: the page would ask and compute what is in both
    if st.radio("Show", _VIEWS, key="view", horizontal=True, label_visibility="collapsed") == _VIEWS[0]:
        _needed(session, made, level, turns)
    else:
        _moves(session, made, level, turns)


def _needed(session: Session, made: Made, level: float, turns: float) -> None:
    picked = parts.choose_stations(data.stations(session, made))
    if not picked:
        st.info("Pick a station to see what it needs.")
        return
    last = min(made.last_day, made.first_day + timedelta(days=_FIRST_DAYS - 1))
    cells = parts.in_order(data.cells(session, made, tuple(picked), made.first_day, last), picked)
    bikes = plan.bikes_needed(plan.trips_at_level(level, _bounds(cells)), turns)
    wide = cells.assign(BIKES=bikes, TITLE=cells["DAY"].dt.strftime("%a %d %b")).pivot_table(
        index="STATION_NAME", columns="TITLE", values="BIKES", aggfunc="sum", sort=False
    )
    st.dataframe(
        wide,
        width="stretch",
        height="content",
        column_config={"STATION_NAME": st.column_config.Column("Station", pinned=True)},
    )
    st.caption(f"Bikes in the morning, so that {level:.0%} of such days have enough, for these stations.")


def _moves(session: Session, made: Made, level: float, turns: float) -> None:
    day = st.date_input(
        "Day", made.first_day, min_value=made.first_day, max_value=made.last_day, key=f"day {made}", format="YYYY-MM-DD"
    )
    if not isinstance(day, date):
        return
    demand = data.demand(session, made, day)
    needed = plan.bikes_needed(plan.trips_at_level(level, _bounds(demand)), turns)
    left, right = st.columns(2)
    fleet = left.number_input(
        "Bikes in all", 0, 1_000_000, max(int(needed.sum()), 0), 10, key=f"fleet {made} {day} {level} {turns}",
        help="At first as many as are needed in all.",
    )  # fmt: skip
    within = right.number_input("Neighbours are within (km)", 0.1, 20.0, 1.0, 0.1, key="within")
    stock = _stock(demand, needed, int(fleet))
    with st.spinner("Looking for the shortest moves ..."):
        distances = plan.kilometres(*(demand[name].to_numpy(float) for name in ("LATITUDE", "LONGITUDE")))
        found = plan.moves(stock.tolist(), needed.tolist(), distances, float(within))
    before, rest = plan.shortage(stock, needed), plan.shortage(plan.after(stock.tolist(), found), needed)
    with st.container(horizontal=True):
        st.metric("Bikes missing", f"{before:,}", width="content")
        st.metric("Covered by moves", f"{before - rest:,}", width="content")
        st.metric("Still missing", f"{rest:,}", width="content")
    if not found:
        st.success("No station lacks bikes." if not before else "No neighbour has bikes to spare.")
        return
    titles = demand["STATION_NAME"].to_list()
    listed = pd.DataFrame(
        [(titles[move.origin], titles[move.target], move.bikes, move.km) for move in found],
        columns=["From", "To", "Bikes", "km"],
    )
    st.dataframe(
        listed, hide_index=True, width="stretch", column_config={"km": st.column_config.NumberColumn(format="%.2f", width="small"), "Bikes": st.column_config.NumberColumn(width="small")}
    )  # fmt: skip
    st.download_button(
        "Download the moves", listed.to_csv(index=False), f"moves-{day}.csv", "text/csv", icon=":material/download:"
    )


def _stock(demand: pd.DataFrame, needed: np.ndarray, fleet: int) -> np.ndarray:
    """The bikes at each station in the morning: as the planner says, at first spread as the last four weeks' trips were."""
    usual = plan.spread(fleet, demand["RECENT"].to_numpy(float))
    table = pd.DataFrame({"Station": demand["STATION_NAME"], "Needed": needed, "Bikes there": usual})
    with st.expander("Bikes at each station"):
        st.caption(
            "The data does not say where bikes stand. They are taken to be spread as the trips of the last 28 days were; "
            "write over a number if you know better."
        )
        edited = st.data_editor(
            table,
            hide_index=True,
            width="stretch",
            disabled=["Station", "Needed"],
            column_config={"Bikes there": st.column_config.NumberColumn(min_value=0, step=1, required=True)},
            key=f"stock {fleet} {hash(tuple(needed))}",
        )
    return edited["Bikes there"].fillna(0).to_numpy(np.int64)


def _bounds(rows: pd.DataFrame) -> np.ndarray:
    return rows[list(BOUNDS)].to_numpy(float)
