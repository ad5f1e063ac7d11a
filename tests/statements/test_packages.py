"""Packages as clients see them: information_schema.packages, PACKAGES, and the parameter that relaxes versions."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest
from snowflake.connector import DatabaseError, SnowflakeConnection
from snowflake.snowpark import Session
from snowflake.snowpark.types import IntegerType, StringType

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
NUMPY = metadata.version("numpy")
CREATE = (
    f"CREATE OR REPLACE FUNCTION f() RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION = '{VERSION}' "
    "PACKAGES = ('numpy==1.0.0') HANDLER = 'f' AS 'def f(): return 1'"
)


@pytest.mark.parametrize("view", ["information_schema.packages", "snowflake.information_schema.packages"])
def test_packages_view(connection: SnowflakeConnection, view: str) -> None:
    rows = connection.cursor().execute(f"SELECT * FROM {view} WHERE package_name = 'numpy'").fetchall()
    assert rows == [("numpy", NUMPY, "python", VERSION)]


def test_snowpark_asks_for_packages(session: Session) -> None:
    session.add_packages("numpy", f"pandas=={metadata.version('pandas')}", "pyyaml<=99")
    session.udf.register(lambda a: a, return_type=IntegerType(), input_types=[IntegerType()], name="f")
    found = dict(session.sql("DESCRIBE FUNCTION f(INT)").collect())
    assert f"numpy=={NUMPY}" in found["installed_packages"]
    with pytest.raises(RuntimeError, match=r"Cannot add package numpy==1\.0\.0 because it is not available"):
        session.udf.register(
            lambda a: a, return_type=IntegerType(), input_types=[IntegerType()], packages=["numpy==1.0.0"]
        )


def test_a_client_of_an_artifact_repository_is_checked_by_the_server(session: Session) -> None:
    with pytest.raises(Exception, match=r"no-such-package \(not installed\)"):
        session.udf.register(
            lambda a: a, return_type=IntegerType(), input_types=[IntegerType()], packages=["no-such-package"],
            artifact_repository="snowflake.snowpark.pypi_shared_repository",
        )  # fmt: skip


def test_versions_parameter(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    with pytest.raises(DatabaseError, match=r"numpy==1\.0\.0"):
        cursor.execute(CREATE)
    cursor.execute("ALTER SESSION SET POLYNYA_PYTHON_PACKAGE_VERSIONS = 'installed'")
    (text,) = cursor.execute(CREATE).fetchone()  # type: ignore[union-attr,misc]
    assert text == f"Function F successfully created. Warning: numpy {NUMPY} is used in place of numpy==1.0.0."
    found = dict(cursor.execute("DESCRIBE FUNCTION f()").fetchall())  # type: ignore[arg-type]
    assert found["packages"] == "['numpy==1.0.0']"
    assert f"'numpy=={NUMPY}'" in found["installed_packages"]
    cursor.execute("ALTER SESSION UNSET POLYNYA_PYTHON_PACKAGE_VERSIONS")
    with pytest.raises(DatabaseError, match=r"numpy==1\.0\.0"):
        cursor.execute(CREATE)


def test_with_a_default_repository_the_client_leaves_versions_to_the_server(session: Session) -> None:
    session.sql(
        f"ALTER SCHEMA {session.get_current_schema()} SET DEFAULT_PYTHON_ARTIFACT_REPOSITORY = 'snowflake.snowpark.pypi_shared_repository'"
    ).collect()
    session.sql("ALTER SESSION SET POLYNYA_PYTHON_PACKAGE_VERSIONS = 'INSTALLED'").collect()
    session.udf.register(
        lambda: __import__("numpy").__version__, return_type=StringType(), input_types=[], name="f",
        packages=["numpy==1.0.0"],
    )  # fmt: skip
    assert session.sql("SELECT f()").collect()[0][0] == NUMPY


@pytest.mark.parametrize(
    ("name", "value"),
    [("POLYNYA_PYTHON_PACKAGE_VERSIONS", "'ANY'"), ("POLYNYA_PYTHON_MEMORY_MB", "1"), ("POLYNYA_PYTHON_TIMEOUT_SECONDS", "-1")],
)  # fmt: skip
def test_parameters_take_no_nonsense(connection: SnowflakeConnection, name: str, value: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        connection.cursor().execute(f"ALTER SESSION SET {name} = {value}")
    assert caught.value.errno == 1008
    shown = connection.cursor().execute(f"SHOW PARAMETERS LIKE '{name}'").fetchall()
    assert len(shown) == 1
