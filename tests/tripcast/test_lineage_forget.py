"""Forgotten rides are nowhere to be found, and do not come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from snowflake.snowpark import Session
from test_load import load_folder
from trip_rows import new, old, write_new, write_old

from tripcast.lineage import runs
from tripcast.lineage.forget import LoadPending, NoSuchRide, forget
from tripcast.lineage.runs import CLONE, MONTH, Run
from tripcast.setup import make_objects

OLD_START = "2018-03-01 08:00:00.5000"


@pytest.fixture
def loaded(session: Session, tmp_path: Path) -> tuple[Session, Path]:
    """Two files of either layout; the newer two share a ride."""
    make_objects(session)
    write_old(
        tmp_path / "JC-201803-citibike-tripdata.csv",
        old(start=OLD_START, bike="77"),
        old(start="2018-03-02 08:00:00.2500", bike="77"),
        old(start="2018-03-02 09:00:00.2500", bike="78"),
    )
    write_new(tmp_path / "JC-202102-citibike-tripdata.csv", new(ride="A-RIDE"), new(ride="BBB"), new(ride="CCC"))
    write_new(tmp_path / "JC-202103-citibike-tripdata.csv", new(ride="A-RIDE"), new(ride="DDD"))
    load_folder(session, tmp_path)
    return session, tmp_path


def begun(session: Session, model_id: str, day: date) -> Run:
    run = runs.begin(session, Run(model_id, day, MONTH, "seasonal_naive", 30, 0))
    session.sql(f"CREATE TABLE {run.table(CLONE)} CLONE TRIPS").collect()
    return runs.note(session, replace(run, trips=1), "clone")


def rides(session: Session, table: str = "TRIPS") -> list[str]:
    rows = session.sql(f"SELECT COALESCE(RIDE_ID, BIKEID || '@' || STARTTIME::DATE) FROM {table} ORDER BY 1").collect()
    return [row[0] for row in rows]


ALL = ["77@2018-03-01", "77@2018-03-02", "78@2018-03-02", "A-RIDE", "BBB", "CCC", "DDD"]


def test_a_ride_goes_from_every_table_and_file(loaded: tuple[Session, Path]) -> None:
    session, _ = loaded
    home = session.get_fully_qualified_current_schema()
    late, early = begun(session, "late", date(2021, 4, 1)), begun(session, "early", date(2018, 4, 1))
    session.sql("CREATE SCHEMA TESTS.RUN_LEFT").collect()  # what a killed run leaves
    session.use_schema(home)
    session.sql(f"CREATE TABLE TESTS.RUN_LEFT.TRIPS CLONE {home}.TRIPS").collect()
    assert rides(session) == ALL
    done = forget(session, ["A-RIDE"])
    history = session.sql("SELECT QUERY_TEXT FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION())").collect()
    assert len(history) > 20
    assert not [row[0] for row in history if "A-RIDE" in row[0]]
    for table in ("TRIPS", late.table(CLONE), early.table(CLONE), "TESTS.RUN_LEFT.TRIPS"):
        assert rides(session, table) == [ride for ride in ALL if ride != "A-RIDE"], table
    session.sql("DROP SCHEMA TESTS.RUN_LEFT").collect()
    assert session.sql("SELECT COUNT(*) FROM RAW_SCHEMA2 WHERE RIDE_ID = 'A-RIDE'").collect()[0][0] == 0
    assert [Path(row["name"]).name for row in session.sql("LIST @LOAD_STAGE").collect()] == [
        "JC-201803-citibike-tripdata.csv.gz"
    ]
    assert (done.rides, done.models, len(done.files)) == (1, ("late",), 2)
    assert (runs.find(session, "late").forgotten, runs.find(session, "early").forgotten) == (1, 0)


def test_rides_are_named_by_bike_and_start_or_by_bike(loaded: tuple[Session, Path]) -> None:
    session, _ = loaded
    assert forget(session, ["77@2018-03-01 08:00:00.500", "BBB"]).rides == 2
    assert rides(session) == [ride for ride in ALL if ride not in ("77@2018-03-01", "BBB")]
    assert forget(session, bike=77).rides == 1
    assert session.sql("SELECT BIKEID FROM RAW_SCHEMA1").collect()[0][0] == "78"


def test_forgotten_rides_do_not_come_back(loaded: tuple[Session, Path]) -> None:
    session, folder = loaded
    forget(session, ["A-RIDE"])
    forget(session, bike=77)
    load_folder(session, folder)  # nothing is new
    left = ["78@2018-03-02", "BBB", "CCC", "DDD"]
    assert rides(session) == left
    # the files are published anew, with a ride more
    write_new(folder / "JC-202103-citibike-tripdata.csv", new(ride="A-RIDE"), new(ride="DDD"), new(ride="EEE"))
    write_old(
        folder / "JC-201803-citibike-tripdata.csv",
        old(start=OLD_START, bike="77"),
        old(start="2018-03-02 09:00:00.2500", bike="78"),
        old(start="2018-03-03 09:00:00.2500", bike="79"),
    )
    load_folder(session, folder)
    assert rides(session) == ["78@2018-03-02", "79@2018-03-03", "BBB", "CCC", "DDD", "EEE"]
    for table, key in (("RAW_SCHEMA1", "BIKEID = '77'"), ("RAW_SCHEMA2", "RIDE_ID = 'A-RIDE'")):
        assert session.sql(f"SELECT COUNT(*) FROM {table} WHERE {key}").collect()[0][0] == 0
    assert session.sql("LIST @LOAD_STAGE").collect() == []


def test_what_cannot_be_forgotten_is_refused(loaded: tuple[Session, Path]) -> None:
    session, _ = loaded
    with pytest.raises(NoSuchRide, match="no table holds ride ZZZ"):
        forget(session, ["ZZZ"])
    with pytest.raises(NoSuchRide, match="no table holds bike 5"):
        forget(session, bike=5)
    with pytest.raises(NoSuchRide, match="BIKE@START"):
        forget(session, ["77@yesterday"])
    session.sql("UPDATE LOAD_FILES SET STATUS = 'STAGED' WHERE SCHEMA_NUMBER = 1").collect()
    with pytest.raises(LoadPending, match="tripcast load"):
        forget(session, ["A-RIDE"])
    assert rides(session) == ALL
