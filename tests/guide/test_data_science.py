"""The guide's data science as printed: features of one station from the warehouse, TabNet on the client, its importances;
and the tasks with which its flow is set up."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from polynya.server.local import Warehouse
from tripcast import taskflow
from tripcast.elt.load import load
from tripcast.features.days import WEATHER
from tripcast.features.guide import generate_features, materialize_holiday_table
from tripcast.setup import make_objects
from tripcast.sources.files import trip_files
from tripcast.sources.synthetic import generate


@pytest.fixture(scope="module")
def project(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Synthetic trips of two stations and the holidays; no weather."""
    folder = tmp_path_factory.mktemp("trips")
    generate(folder, trips=4_000, stations=2, seed=3, first="2020-01", last="2020-06")
    with Session.builder.configs(warehouse.connection_parameters).create() as session:
        session.sql("CREATE OR REPLACE DATABASE CITIBIKEML_SCIENCE").collect()
        make_objects(session)
        load(session, trip_files(folder))
        yield session


def test_tabnet_on_the_guides_features(project: Session) -> None:
    pytest.importorskip("torch", reason="the extra tabnet is not installed")
    from tripcast.models.tabnet import one

    train_predict = partial(one.train_predict, held_out=30, max_epochs=3, batch_size=64)
    session = project
    state_dict = {"trips_table_name": "TRIPS", "holiday_table_name": "HOLIDAYS", "weather_table_name": "WEATHER"}
    materialize_holiday_table(session, "HOLIDAYS")
    measures = ", ".join(f"{column} FLOAT" for column in WEATHER)
    session.sql(f"CREATE OR REPLACE TABLE WEATHER (DATE DATE, {measures}, SOURCE VARCHAR)").collect()
    ids = session.table("TRIPS").group_by("START_STATION_ID").count().sort("COUNT", ascending=False).to_pandas()
    test_station_id = ids["START_STATION_ID"][0]

    # fmt: off
    snowdf = session.table(state_dict['trips_table_name']).filter(F.col('START_STATION_ID') == test_station_id)

    train_snowdf = generate_features(session=session,
                                     input_df=snowdf,
                                     holiday_table_name=state_dict['holiday_table_name'],
                                     weather_table_name=state_dict['weather_table_name'])

    df = train_snowdf.sort('DATE', ascending=True).to_pandas()
    df, model, feature_columns = train_predict(df, cat_idxs=[-2], cat_dims=[2])
    # fmt: on
    assert df["DATE"].is_monotonic_increasing and df["PRED"].notna().all()
    assert feature_columns[-2] == "HOLIDAY"
    importances = dict(zip(feature_columns, model.importances[0].tolist(), strict=True))
    assert sum(importances.values()) == pytest.approx(1, abs=1e-6)


def test_the_setup_tasks_run_by_their_names(project: Session) -> None:
    state = taskflow.new_state("2020_07_01")
    for task in (
        taskflow.snowpark_database_setup,
        taskflow.materialize_holiday_task,
        taskflow.deploy_model_udf_task,
        taskflow.deploy_eval_udf_task,
    ):
        assert task(state, session=project) is state
    assert project.table("HOLIDAYS").filter(F.col("DATE") == "2020-07-04").count() == 1
    found = project.sql("LIST @MODEL_STAGE").collect()
    assert state["train_udf_name"].removeprefix("@").lower() in {row["name"].lower() for row in found}
    with pytest.raises(
        LookupError, match="tripcast weather publish"
    ):  # the listing that is shared: nobody shares it here
        taskflow.materialize_weather_task(state, session=project)
