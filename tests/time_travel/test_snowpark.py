"""Snowpark's ways to read the past."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkSQLException


@pytest.fixture
def update(session: Session) -> dict[str, Any]:
    """A table P; the id of an UPDATE of it, and a moment before."""
    session.create_dataframe([[1, "a"], [2, "b"]], schema=["id", "name"]).write.save_as_table("p")
    time.sleep(1.1)
    moment = session.sql("SELECT CURRENT_TIMESTAMP()").collect()[0][0]
    with session.query_history() as history:
        session.sql("UPDATE p SET name = 'z' WHERE id = 1").collect()
    return {"statement": history.queries[-1].query_id, "timestamp": moment}


def _names(frame: Any) -> list[str]:
    return sorted(row["NAME"] for row in frame.collect())


def test_parameters(session: Session, update: dict[str, Any]) -> None:
    statement, moment = update["statement"], update["timestamp"]
    for parameters, expected in [
        ({"time_travel_mode": "before", "statement": statement}, ["a", "b"]),
        ({"time_travel_mode": "at", "statement": statement}, ["b", "z"]),
        ({"time_travel_mode": "at", "timestamp": moment}, ["a", "b"]),
        ({"time_travel_mode": "at", "timestamp": moment, "timestamp_type": "LTZ"}, ["a", "b"]),
        ({"time_travel_mode": "before", "timestamp": moment, "timestamp_type": "TZ"}, ["a", "b"]),
    ]:
        assert _names(session.table("p", **parameters)) == expected, parameters
        assert _names(session.read.table("p", **parameters)) == expected, parameters
    # whole seconds back, to within the one before the UPDATE, however long this took
    offset = -math.ceil((datetime.now(UTC) - moment).total_seconds())
    assert _names(session.table("p", time_travel_mode="at", offset=offset)) == ["a", "b"]


def test_options(session: Session, update: dict[str, Any]) -> None:
    statement, moment = update["statement"], update["timestamp"]
    assert _names(session.read.option("time_travel_mode", "before").option("statement", statement).table("p")) == [
        "a",
        "b",
    ]
    assert _names(session.read.option("as-of-timestamp", moment).option("timestamp_type", "LTZ").table("p")) == [
        "a",
        "b",
    ]


def test_joins_and_copies(session: Session, update: dict[str, Any]) -> None:
    before = session.table("p", time_travel_mode="before", statement=update["statement"])
    joined = before.join(session.table("p"), "id", lsuffix="_old", rsuffix="_new").sort("id")
    assert [(row["NAME_OLD"], row["NAME_NEW"]) for row in joined.collect()] == [("a", "z"), ("b", "b")]
    before.filter(before["id"] == 1).write.save_as_table("q")
    assert _names(session.table("q")) == ["a"]
    assert before.count() == 2


def test_streams_and_times_beyond_reach(session: Session, update: dict[str, Any]) -> None:
    with pytest.raises(SnowparkSQLException, match=r"Stream 'TESTS\.S\d+\.S' does not exist"):
        session.table("p", time_travel_mode="at", stream="s").collect()
    with pytest.raises(SnowparkSQLException, match="Time travel data is not available"):
        session.table("p", time_travel_mode="at", offset=-3600).collect()
