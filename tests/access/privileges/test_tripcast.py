"""The forecasting system under the least privileges, those that docs/security.md lists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.snowpark import Session

from polynya.server.local import Warehouse
from tests.access.privileges.conftest import PASSWORD
from tripcast import names, pipeline
from tripcast.setup import make_objects, set_up
from tripcast.sources.choose import from_folder
from tripcast.sources.synthetic import generate

LEAST = (
    "USAGE ON WAREHOUSE compute_wh",
    "USAGE, CREATE SCHEMA ON DATABASE rides",
    "USAGE, CREATE TABLE, CREATE STAGE, CREATE FILE FORMAT, CREATE TAG, CREATE FUNCTION, CREATE PROCEDURE "
    "ON SCHEMA rides.public",
)
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("rides")
    generate(made, trips=600, first="2019-06", last="2019-07", stations=2, seed=5)
    return made


def _session(server: Warehouse, role: str, database: str, user: str = "ben") -> Session:
    own = {**server.connection_parameters, "role": role, "warehouse": "compute_wh"}
    if user:
        own |= {"user": user, "password": PASSWORD, "database": database, "schema": "public"}
    session = Session.builder.configs(own).create()
    session.sql("USE SECONDARY ROLES NONE").collect()
    return session


def test_least_privileges(guarded: Warehouse, as_user: Callable[..., SnowflakeConnection], folder: Path) -> None:
    """Setup, load, features, training and forecast of a run, then an evaluation outside of it."""
    admin = as_user().cursor()
    for statement in (
        "CREATE DATABASE rides", "CREATE ROLE rider", "GRANT ROLE rider TO USER ben",
        *(f"GRANT {grant} TO ROLE rider" for grant in LEAST),
    ):  # fmt: skip
        admin.execute(statement)
    with _session(guarded, "rider", "rides") as session:
        make_objects(session)
        assert len(list(pipeline.replay(session, "2019-07", "2019-07", folder, model="seasonal_naive"))) == 1
        assert session.table("FORECAST").count() > 0
        pipeline.backtest(session, ("seasonal_naive",), h=2, n_windows=1, min_history=14)


def test_the_role_that_setup_makes(guarded: Warehouse, folder: Path) -> None:
    with _session(guarded, "ACCOUNTADMIN", "", user="") as session:
        set_up(session, "RIDES_SET_UP")
        session.sql(f"GRANT ROLE {names.ROLE} TO USER ben").collect()
    with _session(guarded, names.ROLE, "RIDES_SET_UP") as session:
        pipeline.load_trips(session, from_folder(folder))
        pipeline.build_features(session)
        assert session.table("FEATURES").count() > 0
