"""UNDROP, SHOW ... HISTORY, and the retention time that both depend on."""

from __future__ import annotations

import pytest
from snowflake.connector.errors import ProgrammingError

from tests.time_travel.conftest import Client


def _refused(client: Client, sql: str, code: int) -> str:
    with pytest.raises(ProgrammingError) as raised:
        client(sql)
    assert raised.value.errno == code, raised.value.msg
    return str(raised.value.msg)


def _retention(client: Client, table: str) -> str:
    return str(client(f"SHOW TABLES LIKE '{table}'")[0][10])


def test_the_last_dropped_comes_back_first(client: Client) -> None:
    for number in (1, 2):
        client(f"CREATE TABLE t AS SELECT {number} AS a")
        client("DROP TABLE t")
    history = client("SHOW TABLES HISTORY LIKE 'T'")
    assert len(history) == 2
    assert all(row[-1] is not None for row in history)
    client("UNDROP TABLE t")
    assert client("SELECT a FROM t") == [(2,)]
    assert "already exists" in _refused(client, "UNDROP TABLE t", 2002)
    client("ALTER TABLE t RENAME TO second")
    client("UNDROP TABLE t")
    assert client("SELECT a FROM t") == [(1,)]
    assert sorted(row[-1] is None for row in client("SHOW TABLES HISTORY")) == [True, True]


def test_by_id(client: Client, schema: str) -> None:
    database, _, name = schema.partition(".")
    for number in (1, 2):
        client(f"CREATE TABLE t AS SELECT {number} AS a")
        client("DROP TABLE t")
    ids = client(
        "SELECT table_id FROM snowflake.account_usage.tables WHERE table_name = 'T' "
        f"AND table_schema = '{name}' AND table_catalog = '{database}' ORDER BY table_id"
    )
    client(f"UNDROP TABLE IDENTIFIER({ids[0][0]})")
    assert client("SELECT a FROM t") == [(1,)]
    _refused(client, "UNDROP TABLE IDENTIFIER(999999999)", 90025)


def test_replaced_tables_come_back(client: Client) -> None:
    client("CREATE TABLE t AS SELECT 1 AS a")
    client("CREATE OR REPLACE TABLE t AS SELECT 2 AS a")
    client("ALTER TABLE t RENAME TO u")
    client("UNDROP TABLE t")
    assert client("SELECT t.a, u.a FROM t, u") == [(1, 2)]


def test_schemas_and_databases(client: Client, schema: str) -> None:
    _, _, name = schema.partition(".")
    client(f"CREATE DATABASE {name}_D")
    client("CREATE SCHEMA s")
    insert = client.run("CREATE TABLE t AS SELECT 1 AS a")
    client("DELETE FROM t")
    client("DROP SCHEMA s")
    assert client("SHOW SCHEMAS HISTORY LIKE 'S'")[0][9] is not None
    client("UNDROP SCHEMA s")
    client(f"DROP DATABASE {name}_D")
    assert client(f"SHOW DATABASES HISTORY LIKE '{name}_D'")[0][9] is not None
    assert client(f"SHOW DATABASES LIKE '{name}_D'") == []
    client(f"UNDROP DATABASE {name}_D")
    assert client(f"SELECT a FROM {name}_D.s.t AT (STATEMENT => '{insert}')") == [(1,)]
    client(f"CREATE OR REPLACE DATABASE {name}_D")
    _refused(client, f"UNDROP DATABASE {name}_D", 2002)
    client(f"DROP DATABASE {name}_D")


def test_what_is_not_there(client: Client) -> None:
    for kind in ("Table", "Schema", "Database", "Tag"):
        assert f"{kind} NOPE did not exist or was purged." in _refused(client, f"UNDROP {kind} nope", 90025)
    client("CREATE TEMPORARY TABLE mine (a INT)")
    client("DROP TABLE mine")
    _refused(client, "UNDROP TABLE mine", 90025)


def test_without_retention_nothing_comes_back(client: Client) -> None:
    client("CREATE TABLE t (a INT) DATA_RETENTION_TIME_IN_DAYS = 0")
    client("DROP TABLE t")
    assert client("SHOW TABLES HISTORY LIKE 'T'") == []
    _refused(client, "UNDROP TABLE t", 90025)


def test_retention_is_inherited(client: Client, schema: str) -> None:
    _, _, name = schema.partition(".")
    client(f"CREATE DATABASE {name}_R DATA_RETENTION_TIME_IN_DAYS = 30")
    client("CREATE TABLE t (a INT)")
    client("CREATE TRANSIENT TABLE brief (a INT)")
    client("CREATE TABLE own (a INT) DATA_RETENTION_TIME_IN_DAYS = 90")
    assert [_retention(client, table) for table in ("T", "BRIEF", "OWN")] == ["30", "1", "90"]
    client(f"ALTER SCHEMA {name}_R.public SET DATA_RETENTION_TIME_IN_DAYS = 7")
    assert [_retention(client, table) for table in ("T", "OWN")] == ["7", "90"]
    client("ALTER TABLE own UNSET DATA_RETENTION_TIME_IN_DAYS")
    assert _retention(client, "OWN") == "7"
    client("ALTER ACCOUNT SET MIN_DATA_RETENTION_TIME_IN_DAYS = 10")
    try:
        assert [_retention(client, table) for table in ("T", "BRIEF")] == ["10", "1"]
    finally:
        client("ALTER ACCOUNT UNSET MIN_DATA_RETENTION_TIME_IN_DAYS")
    assert client("SELECT retention_time FROM information_schema.tables WHERE table_name = 'T'") == [(7,)]
    client(f"DROP DATABASE {name}_R")


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE x (a INT) DATA_RETENTION_TIME_IN_DAYS = 91",
        "CREATE TABLE x (a INT) DATA_RETENTION_TIME_IN_DAYS = -1",
        "CREATE TRANSIENT TABLE x (a INT) DATA_RETENTION_TIME_IN_DAYS = 2",
        "ALTER TABLE t SET DATA_RETENTION_TIME_IN_DAYS = 'many'",
        "ALTER ACCOUNT SET DATA_RETENTION_TIME_IN_DAYS = 100",
        "ALTER ACCOUNT SET MIN_DATA_RETENTION_TIME_IN_DAYS = -1",
    ],
)
def test_limits(client: Client, sql: str) -> None:
    client("CREATE TABLE t (a INT)")
    assert "DATA_RETENTION_TIME_IN_DAYS'" in _refused(client, sql, 1008)
    assert _retention(client, "T") == "1"
