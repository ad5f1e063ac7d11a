"""The guide's calls from Setup to the ARIMA baseline, as a reader types them, on synthetic trips."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from polynya.server.local import Warehouse
from tripcast.connection import snowpark_connect
from tripcast.elt import guide as ELT
from tripcast.setup import set_up
from tripcast.sources.synthetic import Generated, generate

matplotlib.use("Agg")

TRIPS = 20_000


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Generated]:
    """A folder of trip files to download from."""
    folder = tmp_path_factory.mktemp("published")
    return folder, generate(folder, trips=TRIPS, stations=8, seed=11)


@pytest.fixture(scope="module")
def opened(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Session, dict[str, Any]]]:
    """``session, state_dict = snowpark_connect(...)`` on a database of its own."""
    state_file = tmp_path_factory.mktemp("include") / "state.json"
    compute = {"default_warehouse": "XSMALL_WH", "feature_engineering_warehouse": "XXXLARGE_WH"}
    state = {
        "connection_parameters": {**warehouse.connection_parameters, "role": "ACCOUNTADMIN"},
        "compute_parameters": compute,
        "load_stage_name": "LOAD_STAGE",
    }
    state_file.write_text(json.dumps(state))
    with Session.builder.configs(state["connection_parameters"]).create() as first:
        for name in compute.values():
            first.sql(f"CREATE WAREHOUSE IF NOT EXISTS {name}").collect()
    session, state_dict = snowpark_connect(str(state_file))
    set_up(session, "CITIBIKEML_GUIDE")
    yield session, state_dict
    session.close()


def test_setup_of_users_and_warehouses(opened: tuple[Session, dict[str, Any]]) -> None:
    session, state_dict = opened
    session.use_role("securityadmin")
    project_role = "PUBLIC"
    for username in ["john1", "john2"]:
        session.sql(
            "CREATE USER IF NOT EXISTS " + username + " PASSWORD = '" + "snow2022" + "' LOGIN_NAME = '" + username
            + "' DEFAULT_ROLE = '" + project_role + "' MUST_CHANGE_PASSWORD = TRUE"
        ).collect()  # fmt: skip
        session.sql("GRANT ROLE " + project_role + " TO USER " + username).collect()
    session.use_role("sysadmin")
    session.sql("GRANT CREATE DATABASE ON ACCOUNT TO ROLE " + project_role).collect()
    session.use_role(state_dict["connection_parameters"]["role"])
    session.use_role("accountadmin")
    for wh in state_dict["compute_parameters"].values():
        session.sql(
            "CREATE WAREHOUSE IF NOT EXISTS " + wh + " WITH WAREHOUSE_SIZE = '" + wh.split("_")[0]
            + "' WAREHOUSE_TYPE = 'STANDARD' AUTO_SUSPEND = 300 AUTO_RESUME = TRUE initially_suspended = true;"
        ).collect()  # fmt: skip
        session.sql("GRANT USAGE ON WAREHOUSE " + wh + " TO ROLE " + project_role).collect()
    session.sql("GRANT IMPORT SHARE ON ACCOUNT TO " + project_role).collect()
    session.use_role(state_dict["connection_parameters"]["role"])
    users = {row["name"] for row in session.sql("SHOW USERS").collect()}
    assert {"JOHN1", "JOHN2"} <= users
    granted = session.sql("SHOW GRANTS ON WAREHOUSE XSMALL_WH").collect()
    assert ("USAGE", "PUBLIC") in {(row["privilege"], row["grantee_name"]) for row in granted}


def test_extract_then_bulk_load(opened: tuple[Session, dict[str, Any]], published: tuple[Path, Generated]) -> None:
    session, state_dict = opened
    folder, made = published
    files_to_download = sorted(path.name for path in folder.iterdir())[:2]
    load_stage_names, files_to_load = ELT.extract_trips_to_stage(
        session=session,
        files_to_download=files_to_download,
        download_base_url=str(folder),
        load_stage_name=state_dict["load_stage_name"],
    )
    assert set(load_stage_names) == set(files_to_load) == {"schema1", "schema2"}
    assert sum(map(len, files_to_load.values())) >= 1
    report = ELT.bulk_elt(session=session, state_dict=state_dict, download_base_url=str(folder))
    assert report.trips == session.table("TRIPS").count() == made.trips


def test_daily_trips_of_the_busiest_station_and_arima(
    opened: tuple[Session, dict[str, Any]], published: tuple[Path, Generated], tmp_path: Path
) -> None:
    session, state_dict = opened
    ELT.bulk_elt(session=session, state_dict=state_dict, download_base_url=str(published[0]))
    snowdf = session.table("TRIPS")
    top_stations = (
        snowdf.filter(F.col("START_STATION_ID").is_not_null())
        .groupBy("START_STATION_ID")
        .count()
        .sort("COUNT", ascending=False)
        .toPandas()["START_STATION_ID"]
        .values.tolist()
    )
    df = (
        snowdf.filter(F.col("START_STATION_ID") == top_stations[0])
        .withColumn("DATE", F.call_builtin("DATE_TRUNC", ("DAY", F.col("STARTTIME"))))
        .groupBy("DATE")
        .count()
        .sort("DATE")
        .toPandas()
    )
    assert df["DATE"].is_monotonic_increasing and df["DATE"].is_unique
    assert int(df["COUNT"].sum()) == snowdf.filter(F.col("START_STATION_ID") == top_stations[0]).count()

    from matplotlib import pyplot as plt

    plt.figure(figsize=(15, 8))
    plt.plot(df["DATE"], df["COUNT"])
    plt.savefig(tmp_path / "daily.png")
    plt.close()
    assert (tmp_path / "daily.png").stat().st_size > 10_000

    from statsmodels.tsa.arima.model import ARIMA

    counts = df.set_index("DATE")["COUNT"].astype(float).asfreq("D").fillna(0.0)
    fitted = ARIMA(counts, order=(1, 0, 1), seasonal_order=(1, 0, 0, 7)).fit()
    forecast = fitted.forecast(30)
    assert len(forecast) == 30 and forecast.notna().all()
