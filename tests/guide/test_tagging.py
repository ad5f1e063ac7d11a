"""The guide's lineage of a monthly run: a clone of TRIPS, tables named and tagged by the model's id, and the way back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from snowflake.snowpark import Session

from polynya.server.local import Warehouse

TABLES = ("clone_table_name", "feature_table_name", "forecast_table_name", "pred_table_name", "eval_table_name")


@pytest.fixture(scope="module")
def project(warehouse: Warehouse) -> Iterator[Session]:
    with Session.builder.configs(warehouse.connection_parameters).create() as session:
        session.sql("CREATE OR REPLACE DATABASE CITIBIKEML_TAGS").collect()
        session.sql(
            "CREATE TABLE TRIPS AS SELECT SEQ4() % 3 AS STATION_ID, SEQ4() AS N FROM TABLE(GENERATOR(ROWCOUNT => 30))"
        ).collect()
        session.sql("CREATE TAG IF NOT EXISTS model_id_tag").collect()
        yield session


# fmt: off
def monthly_run(session: Session) -> dict[str, Any]:
    """One month: what the taskflow makes, each table tagged as the guide prints it."""
    model_id = str(uuid.uuid1()).replace('-', '_')

    state_dict: dict[str, Any] = {}
    state_dict.update({'model_id': model_id})
    state_dict.update({'trips_table_name': 'TRIPS',
                       'clone_table_name': 'CLONE_'+model_id,
                       'feature_table_name' : 'FEATURE_'+model_id,
                       'pred_table_name': 'PRED_'+model_id,
                       'eval_table_name': 'EVAL_'+model_id,
                       'forecast_table_name': 'FORECAST_'+model_id})

    session.sql("CREATE OR REPLACE TABLE "+state_dict['clone_table_name']+" CLONE "+state_dict['trips_table_name']).collect()
    clone = session.table(state_dict['clone_table_name'])
    clone.group_by("STATION_ID").count().write.save_as_table(state_dict['feature_table_name'])
    clone.select("STATION_ID").distinct().write.save_as_table(state_dict['forecast_table_name'])
    features, future = session.table(state_dict['feature_table_name']), session.table(state_dict['forecast_table_name'])
    features.join(future, "STATION_ID").write.save_as_table(state_dict['pred_table_name'])
    session.table(state_dict['pred_table_name']).agg({"COUNT": "avg"}).write.save_as_table(state_dict['eval_table_name'])

    for table in TABLES:
        _ = session.sql("ALTER TABLE "+state_dict[table]+\
                        " SET TAG model_id_tag = '"+state_dict['model_id']+"'").collect()
    return state_dict
# fmt: on


@pytest.fixture(scope="module")
def months(project: Session) -> list[dict[str, Any]]:
    return [monthly_run(project), monthly_run(project)]


def test_all_tables_of_one_model_are_found_by_its_id(project: Session, months: list[dict[str, Any]]) -> None:
    for state_dict in months:
        found = project.sql(
            "SELECT OBJECT_NAME FROM SNOWFLAKE.ACCOUNT_USAGE.TAG_REFERENCES WHERE TAG_DATABASE = 'CITIBIKEML_TAGS' "
            f"AND TAG_NAME = 'MODEL_ID_TAG' AND TAG_VALUE = '{state_dict['model_id']}'"
        ).collect()
        assert {row[0] for row in found} == {state_dict[name].upper() for name in TABLES}


def test_a_table_tells_its_model(project: Session, months: list[dict[str, Any]]) -> None:
    state_dict = months[0]
    asked = f"SELECT SYSTEM$GET_TAG('model_id_tag', '{state_dict['pred_table_name']}', 'table')"
    assert project.sql(asked).collect()[0][0] == state_dict["model_id"]
    rows = project.sql(
        f"SELECT TAG_VALUE, LEVEL FROM TABLE(INFORMATION_SCHEMA.TAG_REFERENCES('{state_dict['feature_table_name']}', 'table'))"
    ).collect()
    assert [tuple(row) for row in rows] == [(state_dict["model_id"], "TABLE")]


def test_the_way_back_from_an_evaluation_to_the_trips(project: Session, months: list[dict[str, Any]]) -> None:
    state_dict = months[1]
    rows = project.sql(
        "SELECT SOURCE_OBJECT_NAME, TARGET_OBJECT_NAME FROM TABLE(SNOWFLAKE.CORE.GET_LINEAGE("
        f"'{state_dict['eval_table_name']}', 'TABLE', 'UPSTREAM'))"
    ).collect()
    clone, feature, forecast, pred, evaluation = (state_dict[name].upper() for name in TABLES)
    assert {tuple(row) for row in rows} == {
        ("TRIPS", clone), (clone, feature), (clone, forecast), (feature, pred), (forecast, pred), (pred, evaluation),
    }  # fmt: skip


def test_the_tables_made_of_one_clone(project: Session, months: list[dict[str, Any]]) -> None:
    state_dict = months[0]
    traced = project.lineage.trace(
        f"CITIBIKEML_TAGS.PUBLIC.{state_dict['clone_table_name']}", "table", direction="downstream", distance=3
    ).to_pandas()
    assert sorted(traced["DISTANCE"]) == [1, 1, 2, 2, 3]
