"""What pages share: the session, what to do where something is missing, choices of forecast and stations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

import pandas as pd
import streamlit as st
from snowflake.connector.errors import Error
from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkClientException

from tripcast import names
from tripcast.app import data, warehouse
from tripcast.app.queries import Made

MOST_STATIONS = 25
_USUAL_STATIONS = 8
_FIRST = "tripcast setup\ntripcast load --trips ./trips"


def page_of(draw: Callable[[Session], None]) -> Callable[[], None]:
    """A page from a function that draws it with a session: says so where the warehouse is down or refuses."""

    @wraps(draw)
    def page() -> None:
        try:
            draw(warehouse.session())
        except warehouse.Down as error:
            _trouble("The warehouse does not answer.", str(error), "Start it with `polynya start` (or `make demo`).")
        except (Error, SnowparkClientException) as error:
            _trouble("The warehouse refused a question of this page.", " ".join(str(error).split()), "")

    return page


def _trouble(what: str, said: str, hint: str) -> None:
    st.error(f"**{what}** {hint}", icon=":material/cloud_off:")
    st.caption(said)
    if st.button("Try again", icon=":material/refresh:"):
        warehouse.forget()
        st.rerun()


def missing(session: Session, *wanted: str) -> list[str]:
    """Which of these tables do not exist."""
    there = data.tables(session)
    return [table for table in wanted if table not in there]


def nothing(session: Session, text: str, command: str) -> None:
    """Says that there is nothing to show yet, and which command makes it; before it those that come first."""
    st.info(text, icon=":material/info:")
    st.code(f"{_FIRST}\n{command}" if missing(session, names.TRIPS) else command, language="bash")
    if st.button("Look again", icon=":material/refresh:", key=text):
        st.cache_data.clear()
        st.rerun()


def choose_forecast(session: Session) -> Made | None:
    """Lets the planner choose a forecast, the newest at first; None, having said so, where there is none."""
    made = [] if missing(session, names.FORECAST, names.STATIONS, names.STATION_DAYS) else data.forecasts(session)
    if not made:
        nothing(
            session, "There is no forecast yet. This makes one for the days after the last trip:", "tripcast forecast"
        )
        return None
    return st.selectbox("Forecast", made, format_func=str, key="forecast") if len(made) > 1 else made[0]


def choose_stations(stations: pd.DataFrame) -> list[str]:
    """Lets the planner pick stations by name, the busiest at first; answers ids in the order of the pick."""
    titles = dict(zip(stations["STATION_ID"], _distinct(stations), strict=True))
    return st.multiselect(
        "Stations",
        list(titles),
        default=list(titles)[:_USUAL_STATIONS],
        format_func=lambda key: titles[key],
        max_selections=MOST_STATIONS,
        key="stations",
        help=f"Busiest first; at most {MOST_STATIONS} at a time.",
    )


def _distinct(stations: pd.DataFrame) -> list[str]:
    """Names; where two stations have the same one, with their ids."""
    twice = stations["STATION_NAME"].duplicated(keep=False)
    pairs = zip(stations["STATION_NAME"], stations["STATION_ID"], twice, strict=True)
    return [f"{name} ({key})" if double else str(name) for name, key, double in pairs]


def in_order(cells: pd.DataFrame, station_ids: Sequence[str]) -> pd.DataFrame:
    """Cells by day and then station, stations in the order of the pick."""
    places = {key: place for place, key in enumerate(station_ids)}
    return cells.sort_values(
        ["DAY", "STATION_ID"], key=lambda column: column.map(places) if column.name == "STATION_ID" else column
    )


def share(value: float | None, digits: int = 1) -> str:
    """A share as per cent; a dash where there is none."""
    return "–" if value is None or pd.isna(value) else f"{value:.{digits}%}"
