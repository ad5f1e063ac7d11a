"""The guide's sections on ML engineering and operationalising: a model per station trained in the warehouse.

TabNet comes from a stage as a zip, as the guide deploys it; a permanent UDF trains and predicts each station, a table
function does the same by partition, a stored procedure evaluates, and the tables are flattened for the app.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import cloudpickle
import pytest
from snowflake.snowpark import Session
from snowflake.snowpark import functions as F
from snowflake.snowpark import types as T

from polynya.server.local import Warehouse

STATIONS = 3
DAYS = 60
STEPS = 5
COLUMNS = ["DATE", "COUNT", "LAG_1", "LAG_7", "HOLIDAY"]

pytorch_tabnet = pytest.importorskip("pytorch_tabnet", reason="the guide's model: pip install pytorch-tabnet torch")


@pytest.fixture(scope="module")
def project(warehouse: Warehouse) -> Iterator[Session]:
    """The guide's database with a feature table and a forecast table of synthetic stations, and its model stage."""
    # In a notebook, as the guide's readers have it, functions are sent by value; here they are a module's.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with Session.builder.configs(warehouse.connection_parameters).create() as session:
        session.sql("CREATE OR REPLACE DATABASE CITIBIKEML_MODELS").collect()
        session.sql("CREATE STAGE MODEL_STAGE").collect()
        day = F.dateadd("day", F.col("DAY"), F.to_date(F.lit("2020-01-01")))
        days = session.range(DAYS + STEPS).select(F.col("ID").as_("DAY"))
        stations = session.range(STATIONS).select(F.col("ID").cast("string").as_("STATION_ID"))
        wave = F.lit(20) + F.col("STATION_ID").cast("int") * 5 + (F.col("DAY") % 7) * 3
        frame = days.cross_join(stations).select(
            "STATION_ID", day.cast("string").as_("DATE"), "DAY", wave.cast("int").as_("COUNT"),
            wave.cast("int").as_("LAG_1"), wave.cast("int").as_("LAG_7"),
            F.iff(F.col("DAY") % 30 == 0, 1, 0).as_("HOLIDAY"),
        )  # fmt: skip
        frame.filter(F.col("DAY") < DAYS).write.save_as_table("FEATURE")
        frame.filter(F.col("DAY") >= DAYS).write.save_as_table("FORECAST")
        yield session


@pytest.fixture(scope="module")
def tabnet_zip(project: Session, tmp_path_factory: pytest.TempPathFactory) -> str:
    """``pytorch_tabnet`` as a zip in the model stage; its address."""
    package = Path(next(iter(pytorch_tabnet.__path__)))  # it has no __init__.py
    archive = tmp_path_factory.mktemp("include") / "pytorch_tabnet.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.mkdir("pytorch_tabnet")  # as zip -r does: a package without __init__.py is found by it
        for file in package.rglob("*.py"):
            zipped.write(file, f"pytorch_tabnet/{file.relative_to(package)}")
    project.file.put(str(archive), "@MODEL_STAGE", auto_compress=False, overwrite=True)
    return "@MODEL_STAGE/pytorch_tabnet.zip"


def station_train_predict_func(
    historical_data: list, historical_column_names: list, target_column: str, cutpoint: int, max_epochs: int,
    forecast_data: list, forecast_column_names: list,
) -> str:  # fmt: skip
    """Trains on a station's days and predicts the forecast rows; JSON of [dates, predictions, where TabNet came from]."""
    import pandas as pd
    import pytorch_tabnet.tab_model
    import torch
    from pytorch_tabnet.tab_model import TabNetRegressor

    torch.set_num_threads(1)
    history = pd.DataFrame(historical_data, columns=historical_column_names).sort_values("DATE")
    future = pd.DataFrame(forecast_data, columns=forecast_column_names).sort_values("DATE")
    features = [name for name in historical_column_names if name not in ("DATE", target_column)]
    x = history[features].astype(float).values
    y = history[[target_column]].astype(float).values
    model = TabNetRegressor(seed=1, verbose=0)
    model.fit(
        x[:-cutpoint], y[:-cutpoint], eval_set=[(x[-cutpoint:], y[-cutpoint:])], max_epochs=max_epochs, batch_size=16,
        virtual_batch_size=16, patience=max_epochs,
    )  # fmt: skip
    predictions = model.predict(future[features].astype(float).values).flatten()
    rows = [future["DATE"].tolist(), [round(float(p), 4) for p in predictions]]
    return json.dumps([*rows, pytorch_tabnet.tab_model.__file__, model.feature_importances_.tolist()])


def test_permanent_udf_trains_and_predicts_every_station(
    project: Session, tabnet_zip: str, warehouse: Warehouse
) -> None:
    project.clear_imports()
    project.clear_packages()
    project.add_import(tabnet_zip)
    project.udf.register(
        station_train_predict_func, name="station_train_predict_udf", is_permanent=True, stage_location="@MODEL_STAGE",
        replace=True, packages=["pandas", "pytorch", "scipy", "scikit-learn", "tqdm", "numpy"],
        return_type=T.StringType(),
        input_types=[T.ArrayType(), T.ArrayType(), T.StringType(), T.IntegerType(), T.IntegerType(), T.ArrayType(), T.ArrayType()],
    )  # fmt: skip

    # Another session, as the orchestrated task has it, finds the function by name.
    parameters = {**warehouse.connection_parameters, "database": "CITIBIKEML_MODELS", "schema": "PUBLIC"}
    with Session.builder.configs(parameters).create() as task:
        by_station = F.array_agg(F.array_construct(*[F.col(name) for name in COLUMNS])).as_("ROWS")
        history = task.table("FEATURE").group_by("STATION_ID").agg(by_station)
        future = task.table("FORECAST").group_by("STATION_ID").agg(by_station)
        names = F.array_construct(*[F.lit(name) for name in COLUMNS])
        joined = history.join(future, "STATION_ID", lsuffix="_H", rsuffix="_F")
        joined.select(
            "STATION_ID",
            F.call_udf(
                "station_train_predict_udf", F.col("ROWS_H"), names, F.lit("COUNT"), F.lit(10), F.lit(2),
                F.col("ROWS_F"), names,
            ).as_("PRED_DATA"),
        ).write.mode("overwrite").save_as_table("PRED")  # fmt: skip
        rows = task.table("PRED").collect()
    assert {row["STATION_ID"] for row in rows} == {str(n) for n in range(STATIONS)}
    for row in rows:
        dates, predictions, origin, importances = json.loads(row["PRED_DATA"])
        assert dates == [f"2020-03-0{n}" for n in range(1, STEPS + 1)]
        assert len(predictions) == STEPS and all(isinstance(p, float) for p in predictions)
        assert "pytorch_tabnet.zip" in origin, "TabNet must come from the stage"
        assert sum(importances) == pytest.approx(1, abs=1e-3)


def test_udtf_trains_a_partition_a_station(project: Session, tabnet_zip: str) -> None:
    class StationTrainPredict:
        def __init__(self) -> None:
            self.rows: list[tuple] = []

        def process(self, date: str, count: int, lag_1: int, lag_7: int, holiday: int) -> None:
            self.rows.append((date, count, lag_1, lag_7, holiday))

        def end_partition(self) -> Iterable[tuple[str, float]]:
            history, future = self.rows[:DAYS], self.rows[DAYS:]
            answer = station_train_predict_func([list(r) for r in history], COLUMNS, "COUNT", 10, 1, [list(r) for r in future], COLUMNS)  # fmt: skip
            dates, predictions, _, _ = json.loads(answer)
            yield from zip(dates, predictions, strict=True)

    project.clear_imports()
    project.clear_packages()
    train = project.udtf.register(
        StationTrainPredict,
        output_schema=T.StructType([T.StructField("DATE", T.StringType()), T.StructField("PRED", T.FloatType())]),
        input_types=[T.StringType(), T.IntegerType(), T.IntegerType(), T.IntegerType(), T.IntegerType()],
        name="station_train_predict_udtf", replace=True, imports=[tabnet_zip],
        packages=["pandas", "pytorch", "scipy", "scikit-learn", "tqdm", "numpy"],
    )  # fmt: skip
    rows = project.table("FEATURE").union_all(project.table("FORECAST"))
    answer = rows.select(
        "STATION_ID",
        train(*[F.col(name) for name in COLUMNS]).over(partition_by="STATION_ID", order_by="DATE").alias("DAY", "PRED"),
    ).collect()
    assert sorted((row["STATION_ID"], row["DAY"]) for row in answer) == [
        (str(station), f"2020-03-0{n}") for station in range(STATIONS) for n in range(1, STEPS + 1)
    ]


def test_stored_procedure_evaluates_and_flattens(project: Session) -> None:
    """The guide's eval step: forecasts against what came, per station, written to EVAL inside the warehouse."""

    def eval_model_func(session: Session, pred_table: str, actual_table: str, run_date: str, eval_table: str) -> str:
        from snowflake.snowpark import functions as F

        flat = session.table(pred_table).select(
            "STATION_ID", F.parse_json("PRED_DATA")[0].as_("DATES"), F.parse_json("PRED_DATA")[1].as_("VALUES_")
        )
        days = flat.join_table_function("flatten", F.col("DATES")).select(
            "STATION_ID", F.col("VALUE").cast("string").as_("DATE"),
            F.get(F.col("VALUES_"), F.col("INDEX")).cast("float").as_("PRED"),
        )  # fmt: skip
        scored = days.join(session.table(actual_table).select("STATION_ID", "DATE", "COUNT"), ["STATION_ID", "DATE"])
        error = F.abs(F.col("COUNT") - F.col("PRED"))
        scored.group_by("STATION_ID").agg(
            F.avg(error).as_("MAE"), F.sqrt(F.avg(error * error)).as_("RMSE"), F.count("*").as_("DAYS")
        ).with_column("RUN_DATE", F.lit(run_date)).write.mode("overwrite").save_as_table(eval_table)
        return eval_table

    project.clear_imports()
    project.clear_packages()
    project.sql("CREATE TABLE IF NOT EXISTS PRED (STATION_ID STRING, PRED_DATA STRING)").collect()
    if project.table("PRED").count() == 0:  # this test alone
        value = json.dumps([[f"2020-03-0{n}" for n in range(1, STEPS + 1)], [21.5] * STEPS])
        project.create_dataframe([[str(n), value] for n in range(STATIONS)], ["STATION_ID", "PRED_DATA"]).write.mode(
            "append"
        ).save_as_table("PRED")
    project.sproc.register(
        eval_model_func, name="eval_model_output", is_permanent=True, stage_location="@MODEL_STAGE", replace=True,
        packages=["snowflake-snowpark-python"],
    )  # fmt: skip
    assert project.call("eval_model_output", "PRED", "FORECAST", "2020_04_01", "EVAL") == "EVAL"
    rows = project.table("EVAL").sort("STATION_ID").collect()
    assert [(row["STATION_ID"], row["DAYS"], row["RUN_DATE"]) for row in rows] == [
        (str(n), STEPS, "2020_04_01") for n in range(STATIONS)
    ]
    actual = {
        (row["STATION_ID"], row["DATE"]): row["COUNT"]
        for row in project.table("FORECAST").select("STATION_ID", "DATE", "COUNT").collect()
    }
    predicted = {row["STATION_ID"]: json.loads(row["PRED_DATA"]) for row in project.table("PRED").collect()}
    for row in rows:
        dates, values = predicted[row["STATION_ID"]][:2]
        errors = [abs(actual[row["STATION_ID"], day] - value) for day, value in zip(dates, values, strict=True)]
        assert row["MAE"] == pytest.approx(sum(errors) / STEPS)
        assert row["RMSE"] >= row["MAE"]
