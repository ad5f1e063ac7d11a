"""Databases, schemas, warehouses, users, roles and grants: stored and shown."""

import itertools
from collections.abc import Iterator

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection

from polynya.server.local import Warehouse
from tests.statements.cases import check, run

_names = itertools.count(1)


@pytest.fixture
def names(connection: SnowflakeConnection) -> Iterator[dict[str, str]]:
    """Names of an own database, role, user and warehouse, dropped after the test."""
    number = next(_names)
    own = {"db": f"D{number}", "role": f"R{number}", "user": f"U{number}", "wh": f"W{number}"}
    yield own
    for kind, name in (("DATABASE", own["db"]), ("ROLE", own["role"]), ("USER", own["user"]), ("WAREHOUSE", own["wh"])):
        connection.cursor().execute(f"DROP {kind} IF EXISTS {name}")


CASES = [
    ("CREATE DATABASE {db}; SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()", [("{db}", "PUBLIC")]),
    ("CREATE DATABASE {db}; CREATE DATABASE {db}", 2002, "Object '{db}' already exists."),
    ("CREATE DATABASE {db}; CREATE SCHEMA s; SELECT CURRENT_SCHEMA(); DROP SCHEMA s; SELECT CURRENT_SCHEMA()", [("PUBLIC",)]),
    ("CREATE DATABASE {db}; DROP DATABASE {db}; SELECT CURRENT_DATABASE()", [(None,)]),
    ("CREATE DATABASE {db}; CREATE TABLE t AS SELECT 1 AS a; DROP DATABASE {db}; UNDROP DATABASE {db}; SELECT * FROM {db}.public.t", [(1,)]),
    ("CREATE DATABASE {db}; CREATE TABLE t AS SELECT 1 AS a; DROP SCHEMA public; SELECT * FROM {db}.public.t", 2003, "Schema '{db}.PUBLIC' does not exist"),
    ("CREATE DATABASE {db}; CREATE SCHEMA a; CREATE TABLE t AS SELECT 7 AS x; CREATE VIEW v AS SELECT x FROM t; CREATE SCHEMA b CLONE a; DELETE FROM a.t; SELECT * FROM b.v", [(7,)]),
    ("CREATE DATABASE {db}; CREATE SCHEMA a; ALTER SCHEMA a RENAME TO z; CREATE TABLE t (a INT); SELECT CURRENT_SCHEMA()", [("Z",)]),
    ("DROP DATABASE no_such_db", 2003, "Database 'NO_SUCH_DB' does not exist or not authorized."),
    ("DROP DATABASE snowflake", 3001, "Insufficient privileges"),
    ("DROP ROLE accountadmin", 3001, "Insufficient privileges"),
    ("CREATE SCHEMA information_schema", 2002, "already exists."),
    ("CREATE TABLE information_schema.t (a INT)", 3001, "Insufficient privileges"),
    ("CREATE WAREHOUSE {wh} WAREHOUSE_SIZE = 'XXLARGE' AUTO_SUSPEND = 60; SELECT CURRENT_WAREHOUSE()", [("{wh}",)]),
    ("CREATE WAREHOUSE {wh} INITIALLY_SUSPENDED = TRUE; ALTER WAREHOUSE {wh} RESUME; ALTER WAREHOUSE {wh} RESUME", 90063, "cannot be resumed"),
    ("CREATE WAREHOUSE {wh} WAREHOUSE_SIZE = 'gigantic'", 1008, "invalid value [gigantic]"),
    ("CREATE WAREHOUSE {wh} NOT_A_PROPERTY = 1", 1420, "invalid property 'NOT_A_PROPERTY'"),
    ("CREATE ROLE {role}; CREATE ROLE {role}", 2002, "already exists."),
    ("CREATE ROLE {role}; GRANT ROLE {role} TO USER admin; USE ROLE {role}; SELECT CURRENT_ROLE()", [("{role}",)]),
    ("GRANT ROLE no_such_role TO USER admin", 2003, "Role 'NO_SUCH_ROLE' does not exist or not authorized."),
    ("GRANT SELECT ON TABLE no_such_table TO ROLE public", 2003, "does not exist or not authorized."),
    ("GRANT ALL ON ALL TABLES IN SCHEMA no_such_schema TO ROLE public", 2003, "does not exist or not authorized."),
    ("CREATE USER {user} PASSWORD = 'x' BANANA = 1", 1420, "invalid property 'BANANA' for 'USER'"),
    ("CREATE TAG cost ALLOWED_VALUES 'a', 'b'; CREATE TABLE t (a INT) WITH TAG (cost = 'a'); DROP TAG cost", [("COST successfully dropped.",)]),
]  # fmt: skip


def filled_in(value: object, names: dict[str, str]) -> object:
    if isinstance(value, str):
        return value.format(**names)
    if isinstance(value, (list, tuple)):
        return type(value)(filled_in(item, names) for item in value)
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0][:60])
def test_statements(connection: SnowflakeConnection, names: dict[str, str], case: tuple) -> None:
    check(connection, *filled_in(case, names))


def privileges(connection: SnowflakeConnection, statement: str) -> list[tuple]:
    """(privilege, kind, name) of SHOW GRANTS' rows."""
    return [row[1:4] for row in run(connection, statement)]


def test_grants_follow_the_object(connection: SnowflakeConnection, names: dict[str, str]) -> None:
    role, place = names["role"], f"{connection.database}.{connection.schema}"
    run(
        connection,
        f"CREATE ROLE {role}; CREATE TABLE t (a INT); GRANT SELECT, INSERT ON t TO ROLE {role}".replace(
            "ON t", "ON TABLE t"
        ),
    )
    assert privileges(connection, f"SHOW GRANTS TO ROLE {role}") == [
        ("SELECT", "TABLE", f"{place}.T"), ("INSERT", "TABLE", f"{place}.T"),
    ]  # fmt: skip
    run(connection, f"REVOKE INSERT ON TABLE t FROM ROLE {role}; ALTER TABLE t RENAME TO u")
    assert privileges(connection, f"SHOW GRANTS TO ROLE {role}") == [("SELECT", "TABLE", f"{place}.U")]
    assert privileges(connection, "SHOW GRANTS ON TABLE u")[0][:2] == ("OWNERSHIP", "TABLE")
    run(connection, "CREATE OR REPLACE TABLE u (b INT)")
    assert privileges(connection, f"SHOW GRANTS TO ROLE {role}") == []


def test_future_grants_reach_new_objects(connection: SnowflakeConnection, names: dict[str, str]) -> None:
    role, place = names["role"], f"{connection.database}.{connection.schema}"
    run(
        connection,
        f"CREATE ROLE {role}; GRANT SELECT ON FUTURE TABLES IN SCHEMA {place} TO ROLE {role}; CREATE TABLE t (a INT); CREATE VIEW v AS SELECT 1 AS a",
    )
    assert privileges(connection, f"SHOW GRANTS TO ROLE {role}") == [("SELECT", "TABLE", f"{place}.T")]
    assert [row[1:4] for row in run(connection, f"SHOW FUTURE GRANTS IN SCHEMA {place}")] == [
        ("SELECT", "TABLE", f"{place}.<TABLE>")
    ]


def test_a_new_user_logs_in_with_what_was_granted(
    warehouse: Warehouse, connection: SnowflakeConnection, names: dict[str, str]
) -> None:
    user, role = names["user"], names["role"]
    run(
        connection,
        f"CREATE ROLE {role}; CREATE USER {user} PASSWORD = 'first' DEFAULT_ROLE = {role}; GRANT ROLE {role} TO USER {user}",
    )
    parameters = {**warehouse.connection_parameters, "user": user, "password": "first"}
    parameters.pop("role", None)
    with snowflake.connector.connect(**parameters) as client:
        assert run(client, "SELECT CURRENT_USER(), CURRENT_ROLE()") == [(user, role)]
        with pytest.raises(snowflake.connector.ProgrammingError):
            run(client, "USE ROLE ACCOUNTADMIN")
    run(connection, f"ALTER USER {user} SET PASSWORD = 'Second-22'")
    with pytest.raises(snowflake.connector.DatabaseError):
        snowflake.connector.connect(**parameters)
    run(connection, f"ALTER USER {user} SET DISABLED = TRUE")
    with pytest.raises(snowflake.connector.DatabaseError):
        snowflake.connector.connect(**{**parameters, "password": "Second-22"})
