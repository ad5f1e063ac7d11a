"""The queries as pages call them: answers are kept for a while, by the schema they are from."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import streamlit as st
from snowflake.snowpark import Session

from tripcast.app import queries

TTL_SECONDS = 300
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _place(session: Session) -> str:
    raw = session.connection
    return f"{raw.host}:{raw.port} {session.get_current_database()}.{session.get_current_schema()}"


def _kept(ask: Callable[_P, _R]) -> Callable[_P, _R]:
    kept: Callable[_P, _R] = st.cache_data(ttl=TTL_SECONDS, show_spinner=False, hash_funcs={Session: _place})(ask)
    return kept


tables = _kept(queries.tables)
forecasts = _kept(queries.forecasts)
stations = _kept(queries.stations)
cells = _kept(queries.cells)
history = _kept(queries.history)
demand = _kept(queries.demand)
run_errors = _kept(queries.run_errors)
station_errors = _kept(queries.station_errors)
models = _kept(queries.models)
champion = _kept(queries.champion)
cutoff_errors = _kept(queries.cutoff_errors)
drift = _kept(queries.drift)
all_runs = _kept(queries.all_runs)
stored_models = _kept(queries.stored_models)
left_by = _kept(queries.left_by)
last_trip_day = _kept(queries.last_trip_day)
