"""LOGIN_HISTORY: who logged in and who tried, seen by themselves and by those who administer them."""

from __future__ import annotations

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import DatabaseError

from polynya.server.local import Warehouse
from tests.access.people.conftest import PASSWORD, Login, Person, refused, rows

BY_USER = "SELECT * FROM TABLE(INFORMATION_SCHEMA.LOGIN_HISTORY_BY_USER({}))"
COLUMNS = "USER_NAME, CLIENT_IP, REPORTED_CLIENT_TYPE, REPORTED_CLIENT_VERSION, FIRST_AUTHENTICATION_FACTOR, IS_SUCCESS, ERROR_CODE"


def test_logins(connection: SnowflakeConnection, login: Login, person: Person) -> None:
    with pytest.raises(DatabaseError, match="Incorrect username or password"):
        login(user=person.name, password="wrong")
    with pytest.raises(DatabaseError, match="Incorrect username or password"):
        login(user="NOBODY_KNOWN", password="wrong")
    own = login(user=person.name, password=PASSWORD)
    version = snowflake.connector.__version__
    shown = rows(own, f"SELECT {COLUMNS} FROM TABLE(INFORMATION_SCHEMA.LOGIN_HISTORY_BY_USER()) ORDER BY EVENT_ID DESC")
    assert shown == [
        (person.name, "127.0.0.1", "PYTHON_DRIVER", version, "PASSWORD", "YES", None),
        (person.name, "127.0.0.1", "PYTHON_DRIVER", version, "PASSWORD", "NO", 390100),
    ]
    usage = "SELECT USER_NAME, ERROR_MESSAGE FROM SNOWFLAKE.ACCOUNT_USAGE.LOGIN_HISTORY WHERE IS_SUCCESS = 'NO'"
    failed = rows(connection, f"{usage} ORDER BY EVENT_TIMESTAMP DESC LIMIT 2")
    assert failed == [(None, "INCORRECT_USERNAME_PASSWORD"), (person.name, "INCORRECT_USERNAME_PASSWORD")]


def test_who_sees_them(connection: SnowflakeConnection, reader: SnowflakeConnection, person: Person) -> None:
    of_all = "SELECT DISTINCT USER_NAME FROM TABLE(INFORMATION_SCHEMA.LOGIN_HISTORY(RESULT_LIMIT => 10000))"
    assert rows(reader, of_all) == [(person.name,)]
    admin = connection.user
    assert (admin,) in rows(connection, of_all)
    assert rows(reader, BY_USER.format(f"'{admin}'")) == []
    rows(connection, f"GRANT MONITOR ON USER {admin} TO ROLE {person.role}")
    assert set(rows(reader, of_all)) == {(person.name,), (admin,)}
    rows(connection, f"REVOKE MONITOR ON USER {admin} FROM ROLE {person.role}")


def test_arguments(connection: SnowflakeConnection, reader: SnowflakeConnection) -> None:
    history = "SELECT * FROM TABLE(INFORMATION_SCHEMA.LOGIN_HISTORY({}))"
    assert len(rows(connection, history.format("RESULT_LIMIT => 1"))) == 1
    soon = "TIME_RANGE_START => DATEADD(hour, 1, CURRENT_TIMESTAMP())"
    assert rows(connection, history.format(soon)) == []
    assert rows(connection, history.format("TIME_RANGE_END => CURRENT_TIMESTAMP(), RESULT_LIMIT => 2")) != []
    refused(connection, history.format("RESULT_LIMIT => 0"), 1015, "between 1 and 10000")
    refused(connection, history.format("USER_NAME => 'X'"), 1015, "Unknown argument 'USER_NAME'")


def test_a_restart_keeps_them() -> None:
    with Warehouse() as server:
        count = "SELECT COUNT(*) FROM SNOWFLAKE.ACCOUNT_USAGE.LOGIN_HISTORY"
        with snowflake.connector.connect(**server.connection_parameters) as first:
            assert rows(first, count) == [(1,)]
        server.kill()
        server.start()
        with snowflake.connector.connect(**server.connection_parameters) as second:
            assert rows(second, count) == [(2,)]
