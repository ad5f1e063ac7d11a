"""The app's sessions: one for all that only looks, kept between clicks; one of its own for each run."""

from __future__ import annotations

import atexit
import socket
from collections.abc import Mapping
from typing import Any

import streamlit as st
from snowflake.connector.errors import Error
from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkClientException
from streamlit.connections.util import running_in_sis
from streamlit.errors import StreamlitAPIException, StreamlitSecretNotFoundError

from tripcast.connection import connect, use_database

CONNECTION = "snowflake"
_ANSWER_SECONDS = 2.0


class Down(Exception):
    """The warehouse cannot be reached; the text says which, and what it or the client said."""


def session() -> Session:
    """The session that pages ask with, made by ``st.connection``; in tripcast's schema unless the connection names another.

    Raises:
        Down: there is no warehouse that answers.
    """
    try:
        connection = st.connection(CONNECTION)
        _check_door(connection.raw_connection)
        opened = _session(connection)
        if opened.get_current_schema() is None:
            use_database(opened)
        return opened
    except (Error, SnowparkClientException, StreamlitAPIException, OSError) as error:
        raise Down(" ".join(str(error).split())) from error


@st.cache_resource(show_spinner="Opening the warehouse ...")
def _session(_connection: Any) -> Session:
    made: Session = _connection.session()
    if not running_in_sis():
        atexit.register(_leave, _connection.raw_connection)  # runs before the client's own farewell
    return made


def _leave(raw: Any) -> None:
    """When the app stops: without this, the client says goodbye to a server that is gone for minutes."""
    try:
        _check_door(raw)
    except Down:
        raw._network_timeout = 1


def _check_door(raw: Any) -> None:
    """Tries the server's port: the client itself would ask a server that is gone again for minutes."""
    if running_in_sis() or not isinstance(host := getattr(raw, "host", None), str):
        return
    try:
        socket.create_connection((host, int(raw.port)), _ANSWER_SECONDS).close()
    except OSError as error:
        raise Down(f"nothing answers at {host}:{raw.port} ({error.strerror or error})") from error


def own_session() -> Session:
    """A session that nothing else uses, as a run moves between schemas; the caller closes it.

    Raises:
        tripcast.connection.NoConnection: there is no such connection, or it does not answer.
    """
    if running_in_sis():
        return session()
    named = dict(secrets("connections").get(CONNECTION, {}))
    return Session.builder.configs(named).create() if named else connect()


def secrets(section: str) -> Mapping[str, Any]:
    """A section of the app's secrets; empty if there is none."""
    try:
        found: Mapping[str, Any] = st.secrets.get(section, {})
    except StreamlitSecretNotFoundError:
        return {}
    return found


def forget() -> None:
    """Drops the connection and all answers that are kept: the next question opens it anew."""
    st.cache_data.clear()
    st.cache_resource.clear()
