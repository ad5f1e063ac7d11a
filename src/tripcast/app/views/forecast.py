"""Forecast: days by stations, one station's course, and where tomorrow's trips start."""

from __future__ import annotations

from datetime import date, timedelta

import streamlit as st
from snowflake.snowpark import Session

from tripcast.app import charts, data, table
from tripcast.app.queries import Made
from tripcast.app.views import parts

_FIRST_DAYS = 7


@parts.page_of
def page(session: Session) -> None:
    st.title("Forecast")
    made = parts.choose_forecast(session)
    if made is None:
        return
    stations = data.stations(session, made)
    first_total = stations["NEXT_DAY"].sum()
    with st.container(horizontal=True):
        st.metric(f"Trips on {made.first_day:%a %d %b %Y}", f"{first_total:,.0f}", width="content")
        st.metric("Stations", f"{made.stations:,}", width="content")
        known = f"Trips are known up to {made.cutoff:%d %b %Y}."
        st.metric("Days ahead", f"{(made.last_day - made.cutoff).days}", help=known, width="content")
    picked = parts.choose_stations(stations)
    first, last = _choose_days(made)
    if not picked:
        st.info("Pick a station to see its days.")
    else:
        cells = parts.in_order(data.cells(session, made, tuple(picked), first, last), picked)
        st.html(table.table_html(cells))
        st.caption(
            "Trips that start there, and what weighed most: how many trips it adds (+) or takes (−) against the station's usual "
            "level. Rest the mouse on a cell for all reasons and the 80 % interval."
        )
        _one_station(session, made, picked, dict(zip(stations["STATION_ID"], stations["STATION_NAME"], strict=True)))
    st.subheader(f"Where trips start on {made.first_day:%a %d %b}")
    st.altair_chart(charts.stations_map(stations, set(picked)), width="stretch")
    if len(unplaced := stations[stations["LATITUDE"].isna()]):
        st.caption(f"{len(unplaced)} stations have no place in the data and are not drawn.")


def _choose_days(made: Made) -> tuple[date, date]:
    usual = (made.first_day, min(made.last_day, made.first_day + timedelta(days=_FIRST_DAYS - 1)))
    chosen = st.date_input(
        "Days", usual, min_value=made.first_day, max_value=made.last_day, key=f"days {made}", format="YYYY-MM-DD"
    )
    days = chosen if isinstance(chosen, tuple) else (chosen,)
    return (days[0], days[-1]) if days else usual


def _one_station(session: Session, made: Made, picked: list[str], titles: dict[str, str]) -> None:
    st.subheader("One station")
    left, right = st.columns([2, 1])
    key = left.selectbox("Station", picked, format_func=lambda one: titles[one], key="station")
    back = right.select_slider("Days of history", [28, 56, 91, 182, 365], value=56, key="history")
    came = data.history(session, key, made.cutoff - timedelta(days=back - 1), made.last_day)
    ahead = data.cells(session, made, (key,), made.first_day, made.last_day)
    st.altair_chart(charts.station_chart(came, ahead), width="stretch")
    st.caption("Inner band: the 80 % interval; outer band: the 95 % interval.")
