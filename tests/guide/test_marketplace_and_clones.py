"""The guide's weather from the marketplace, and a month's tables cloned and tagged by its Airflow tasks, as printed.

Names and credentials aside: the listing's provider is a folder that ``tripcast weather publish`` writes, and the guide's
modules ``dags.snowpark_connection`` and ``dags.mlops_pipeline`` are stubs here.
"""

from __future__ import annotations

import sys
import types
import uuid
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from polynya.cli import main as polynya
from polynya.server.local import Warehouse
from tripcast.cli import main as tripcast
from tripcast.sources.weather import DATABASE, SHARE

FIRST, DAYS = date(2018, 1, 1), 3 * 365


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """With the listing, from a station's file of three years, added as a share."""
    folder = tmp_path_factory.mktemp("listing")
    days = [FIRST + timedelta(days=number) for number in range(DAYS)]
    lines = [f'"USW00094728","PARK","{day}","0.1","{40 + day.month}","{20 + day.month}"' for day in days]
    (folder / "park.csv").write_text("\n".join(['"STATION","NAME","DATE","PRCP","TMAX","TMIN"', *lines]))
    publish = ["weather", "publish", "--file", str(folder / "park.csv"), "--folder", str(folder / "weather")]
    assert CliRunner().invoke(tripcast, publish).exit_code == 0
    with Warehouse(folder / "home") as running:
        add = ["share", "add", SHARE, "--folder", str(folder / "weather"), "--home", str(running.home.path)]
        assert CliRunner().invoke(polynya, add).exit_code == 0
        yield running


@pytest.fixture(scope="module")
def connect(warehouse: Warehouse) -> Callable[[], tuple[Session, dict[str, Any]]]:
    """The guide's ``snowpark_connect``: a session in the project's database, and the state of the project."""

    def snowpark_connect() -> tuple[Session, dict[str, Any]]:
        parameters = {**warehouse.connection_parameters, "database": "CITIBIKEML", "schema": "PUBLIC"}
        return Session.builder.configs(parameters).create(), {}

    with Session.builder.configs(warehouse.connection_parameters).create() as session:
        session.sql("CREATE DATABASE CITIBIKEML").collect()
        session.sql(
            "CREATE TABLE TRIPS AS SELECT DATEADD(DAY, SEQ4() % 60, '2020-10-01'::DATE) AS DATE, SEQ4() % 3 AS STATION_ID "
            "FROM TABLE(GENERATOR(ROWCOUNT => 600))"
        ).collect()
        session.sql("CREATE TAG IF NOT EXISTS model_id_tag").collect()
    return snowpark_connect


@pytest.fixture(scope="module")
def weather(connect: Callable[[], tuple[Session, dict[str, Any]]]) -> str:
    """Data Science: "Get Data" in the marketplace is a database from the provider's share."""
    session, _ = connect()
    with session:
        shares = session.sql("SHOW SHARES LIKE 'GLOBAL_WEATHER'").collect()
        assert [(row["kind"], row["name"].split(".")[-1]) for row in shares] == [("INBOUND", "GLOBAL_WEATHER")]
        session.sql(f"CREATE DATABASE {DATABASE} FROM SHARE {SHARE}").collect()
        session.use_schema("CITIBIKEML.PUBLIC")
        history = session.table([DATABASE, "STANDARD_TILE", "HISTORY_DAY"])
        ahead = session.table([DATABASE, "STANDARD_TILE", "FORECAST_DAY"])
        columns = [
            F.col("DATE_VALID_STD").alias("DATE"),
            F.round(F.col("AVG_TEMPERATURE_AIR_2M_F"), 2).alias("TEMP"),
            F.round(F.col("TOT_PRECIPITATION_IN"), 2).alias("PRECIP"),
        ]
        history.select(columns).union_all(ahead.select(columns)).write.mode("overwrite").save_as_table("WEATHER")
    return "WEATHER"


def test_the_listing_augments_the_trips(connect: Callable[[], tuple[Session, dict[str, Any]]], weather: str) -> None:
    session, _ = connect()
    with session:
        joined = (
            session.table("TRIPS").group_by("DATE").count().join(session.table(weather), "DATE", "left").sort("DATE")
        )
        rows = joined.to_pandas()
        assert (len(rows), int(rows["TEMP"].isna().sum())) == (60, 0)
        assert rows["TEMP"].iloc[0] == 40  # October: 30 + the month's number
        ahead = session.table(weather).filter(F.col("DATE") > str(FIRST + timedelta(days=DAYS - 1)))
        assert ahead.count() > 366
        with pytest.raises(Exception, match="shared database, which is read-only"):
            session.sql(f"DELETE FROM {DATABASE}.STANDARD_TILE.HISTORY_DAY").collect()


def task() -> Callable[[Callable], Callable]:
    """Airflow's decorator, without Airflow."""
    return lambda function: function


# fmt: off
@task()
def generate_forecast_table_task(state_dict:dict,
                                 holiday_state_dict:dict,
                                 weather_state_dict:dict)-> dict:
    from dags.mlops_pipeline import create_forecast_table
    from dags.snowpark_connection import snowpark_connect

    print('Generating forecast features.')
    session, _ = snowpark_connect()

    _ = create_forecast_table(session,
                              trips_table_name=state_dict['trips_table_name'],
                              holiday_table_name=state_dict['holiday_table_name'],
                              weather_table_name=state_dict['weather_table_name'],
                              forecast_table_name=state_dict['forecast_table_name'],
                              steps=state_dict['forecast_steps'])

    _ = session.sql("ALTER TABLE "+state_dict['forecast_table_name']+\
                    " SET TAG model_id_tag = '"+state_dict['model_id']+"'").collect()

    session.close()
    return state_dict


def state_of_a_run(run_date: str) -> dict[str, Any]:
    model_id = str(uuid.uuid1()).replace('-', '_')

    state_dict: dict[str, Any] = {}
    state_dict.update({'model_id': model_id})
    state_dict.update({'run_date': run_date})
    state_dict.update({'load_table_name': 'RAW_',
                       'trips_table_name': 'TRIPS',
                       'load_stage_name': 'LOAD_STAGE',
                       'model_stage_name': 'MODEL_STAGE',
                       'weather_table_name': 'WEATHER',
                       'holiday_table_name': 'HOLIDAYS',
                       'clone_table_name': 'CLONE_'+model_id,
                       'feature_table_name' : 'FEATURE_'+model_id,
                       'pred_table_name': 'PRED_'+model_id,
                       'eval_table_name': 'EVAL_'+model_id,
                       'forecast_table_name': 'FORECAST_'+model_id,
                       'forecast_steps': 30})
    return state_dict
# fmt: on


def test_a_month_is_cloned_tagged_and_found_again(
    connect: Callable[[], tuple[Session, dict[str, Any]]], weather: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create_forecast_table(session: Session, trips_table_name: str, weather_table_name: str, **names: Any) -> None:
        last = session.table(trips_table_name).select(F.max("DATE")).collect()[0][0]
        days = session.table(weather_table_name).filter(F.col("DATE") > F.lit(last)).sort("DATE").limit(names["steps"])
        days.write.save_as_table(names["forecast_table_name"])

    connection, pipeline = types.ModuleType("dags.snowpark_connection"), types.ModuleType("dags.mlops_pipeline")
    connection.snowpark_connect = connect  # type: ignore[attr-defined]
    pipeline.create_forecast_table = create_forecast_table  # type: ignore[attr-defined]
    for module in (types.ModuleType("dags"), connection, pipeline):
        monkeypatch.setitem(sys.modules, module.__name__, module)

    session, _ = connect()
    with session:
        runs = []
        for run_date in ("2020_10_01", "2020_11_01"):
            state_dict = state_of_a_run(run_date)
            _ = session.sql(
                "CREATE OR REPLACE TABLE " + state_dict["clone_table_name"] + " CLONE " + state_dict["trips_table_name"]
            ).collect()
            _ = session.sql(
                f"ALTER TABLE {state_dict['clone_table_name']} SET TAG model_id_tag = '{state_dict['model_id']}'"
            ).collect()
            runs.append(generate_forecast_table_task(state_dict, state_dict, state_dict))
            session.sql("DELETE FROM TRIPS WHERE STATION_ID = 0").collect()
        assert [session.table(state["clone_table_name"]).count() for state in runs] == [600, 400]
        for state in runs:
            assert session.table(state["forecast_table_name"]).count() == 30
            asked = f"SELECT SYSTEM$GET_TAG('model_id_tag', '{state['forecast_table_name']}', 'table')"
            assert session.sql(asked).collect()[0][0] == state["model_id"]
            found = session.sql(
                "SELECT OBJECT_NAME FROM SNOWFLAKE.ACCOUNT_USAGE.TAG_REFERENCES "
                f"WHERE TAG_NAME = 'MODEL_ID_TAG' AND TAG_VALUE = '{state['model_id']}'"
            ).collect()
            assert {row[0] for row in found} == {
                state["clone_table_name"].upper(),
                state["forecast_table_name"].upper(),
            }
