"""The guide's feature functions, called as its notebooks call them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from snowflake.snowpark import Session
from snowflake.snowpark import functions as F
from test_features import weather_rows

from polynya.server.local import Warehouse
from tripcast.elt.load import load
from tripcast.features import guide
from tripcast.features.guide import (
    create_feature_table,
    create_forecast_table,
    generate_features,
    materialize_holiday_table,
    materialize_weather_table,
)
from tripcast.setup import make_objects
from tripcast.sources.files import trip_files
from tripcast.sources.synthetic import Generated

LAST_MEASURED = date(2021, 1, 10)


@pytest.fixture(scope="module")
def project(warehouse: Warehouse, synthetic: tuple[Path, Generated]) -> Iterator[Session]:
    """Synthetic trips, holidays and weather in a database of their own."""
    with Session.builder.configs(warehouse.connection_parameters).create() as session:
        session.sql("CREATE OR REPLACE DATABASE FEATURES_GUIDE").collect()
        make_objects(session)
        load(session, trip_files(synthetic[0]))
        weather = weather_rows(date(2017, 1, 1), date(2022, 6, 1), measured_to=LAST_MEASURED)
        session.write_pandas(weather, "WEATHER", auto_create_table=True)
        assert materialize_holiday_table(session, "HOLIDAYS") == "HOLIDAYS"
        yield session


def busiest(session: Session) -> str:
    counts = session.table("TRIPS").group_by("START_STATION_NAME").count().sort(F.col("COUNT").desc())
    return str(counts.collect()[0][0])


def test_features_of_one_station_as_the_guide_asks_for_them(project: Session) -> None:
    snowdf = project.table("TRIPS").filter(F.col("START_STATION_NAME") == busiest(project))
    train_snowdf = generate_features(
        session=project, input_df=snowdf, holiday_table_name="HOLIDAYS", weather_table_name="WEATHER"
    )
    df = train_snowdf.sort("DATE", ascending=True).to_pandas()
    assert list(df) == ["DATE", "COUNT", "LAG_1", "LAG_7", "LAG_90", "LAG_365", "PRECIP", "HOLIDAY", "TEMP"]
    assert df.columns[2:][-2] == "HOLIDAY" and set(df["HOLIDAY"]) == {0, 1}, "cat_idxs=[-2], cat_dims=[2]"
    assert not df.isna().any().any()

    counts = pd.to_datetime(snowdf.select("STARTTIME").to_pandas()["STARTTIME"]).dt.floor("D").value_counts()
    trips = counts.reindex(pd.date_range(counts.index.min(), counts.index.max()), fill_value=0).astype(float)
    assert (trips == 0).any(), "a day without a trip is a zero"
    so_far = trips.expanding().mean().shift(1)
    wanted = pd.DataFrame({"COUNT": trips} | {f"LAG_{n}": trips.shift(n).fillna(so_far) for n in (1, 7, 90, 365)})
    got = df.set_index(pd.to_datetime(df["DATE"]))[list(wanted)]
    pd.testing.assert_frame_equal(got, wanted[1:], check_dtype=False, check_names=False, check_freq=False)
    weather = project.table("WEATHER").to_pandas().set_index("DATE")
    measured = df[df["DATE"] <= LAST_MEASURED]
    assert np.array_equal(measured["TEMP"], weather.loc[measured["DATE"], "TEMP"])


def test_tables_of_all_stations(project: Session) -> None:
    assert create_feature_table(project, "TRIPS", "HOLIDAYS", "WEATHER", "FEATURE_1") == "FEATURE_1"
    features = project.table("FEATURE_1")
    assert features.columns == ["STATION_ID", *guide.COLUMNS]
    rows = features.to_pandas()
    assert not rows.isna().any().any()
    # one station's rows are those that generate_features makes of its trips
    name = busiest(project)
    trips = project.table("TRIPS").filter(F.col("START_STATION_NAME") == name)
    station = rows["STATION_ID"][rows.groupby("STATION_ID")["COUNT"].transform("sum").idxmax()]
    wanted = generate_features(project, trips, "HOLIDAYS", "WEATHER").sort("DATE").to_pandas()
    mine = rows[rows["STATION_ID"] == station].sort_values("DATE").reset_index(drop=True)[list(wanted)]
    pd.testing.assert_frame_equal(mine[: len(wanted)], wanted, check_dtype=False)

    last = rows["DATE"].max()
    table = create_forecast_table(
        project,
        trips_table_name="TRIPS",
        holiday_table_name="HOLIDAYS",
        weather_table_name="WEATHER",
        forecast_table_name="FORECAST_1",
        steps=30,
    )
    ahead = project.table(table).to_pandas().sort_values(["STATION_ID", "DATE"])
    assert list(ahead) == ["STATION_ID", *guide.COLUMNS]
    open_at_last = set(rows["STATION_ID"][rows["DATE"] == last])
    assert ahead.groupby("STATION_ID").size().to_dict() == dict.fromkeys(open_at_last, 30)
    mine = ahead[ahead["STATION_ID"] == station].reset_index(drop=True)
    assert list(mine["DATE"]) == [last + timedelta(days=n) for n in range(1, 31)]
    assert mine["COUNT"].isna().all() and not ahead[list(guide.DAY_COLUMNS)].isna().any().any()
    assert [int(mine[f"LAG_{n}"].notna().sum()) for n in (1, 7, 90, 365)] == [1, 7, 30, 30]
    counts = rows[rows["STATION_ID"] == station].set_index("DATE")["COUNT"]
    for lag in (1, 7, 90, 365):
        known = mine[mine[f"LAG_{lag}"].notna()]
        assert list(known[f"LAG_{lag}"]) == [counts[at - timedelta(days=lag)] for at in known["DATE"]]


def test_from_a_clone_and_without_any_weather(project: Session) -> None:
    project.sql("CREATE OR REPLACE TABLE CLONE_1 CLONE TRIPS").collect()
    project.sql("CREATE OR REPLACE TABLE NO_WEATHER LIKE WEATHER").collect()
    create_forecast_table(project, "CLONE_1", "HOLIDAYS", "NO_WEATHER", "FORECAST_2", steps=2)
    rows = project.table("FORECAST_2").to_pandas()
    assert len(rows) > 2 and set(rows["TEMP"]) == set(rows["PRECIP"]) == {0.0}


def test_refusals(project: Session) -> None:
    nobody = project.table("TRIPS").filter(F.col("START_STATION_ID") == "519519")
    with pytest.raises(ValueError, match="input_df has no trips"):
        generate_features(project, nobody, "HOLIDAYS", "WEATHER")
    with pytest.raises(ValueError, match="steps is 400: it must be 1 to 358 days"):
        create_forecast_table(project, "TRIPS", "HOLIDAYS", "WEATHER", "FORECAST_3", steps=400)
    project.sql("CREATE OR REPLACE TABLE NO_TRIPS LIKE TRIPS").collect()
    with pytest.raises(ValueError, match="NO_TRIPS is empty: load trips first"):
        create_feature_table(project, "NO_TRIPS", "HOLIDAYS", "WEATHER", "FEATURE_3")
    with pytest.raises(LookupError, match="tripcast weather publish"):
        materialize_weather_table(project, "WEATHER_3")
