"""Network policies: users come in from allowed addresses only; nobody locks themselves out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import DatabaseError

from polynya.catalog.model import GenericObject
from polynya.catalog.network_policies import admits
from polynya.server.local import Warehouse
from tests.access.people.conftest import PASSWORD, Login, Person, refused, rows


@pytest.fixture
def policies(connection: SnowflakeConnection, person: Person) -> Iterator[None]:
    """Policies NEAR, which has this machine, and FAR, which has not."""
    rows(
        connection,
        "CREATE OR REPLACE NETWORK POLICY near ALLOWED_IP_LIST = ('127.0.0.0/8', '10.1.2.3')",
        "CREATE OR REPLACE NETWORK POLICY far ALLOWED_IP_LIST = ('192.0.2.0/24') COMMENT = 'elsewhere'",
    )
    yield
    rows(
        connection,
        "ALTER ACCOUNT UNSET NETWORK_POLICY",
        f"ALTER USER {person.name} UNSET NETWORK_POLICY",
        "DROP NETWORK POLICY near",
        "DROP NETWORK POLICY far",
    )


def test_a_user(connection: SnowflakeConnection, login: Login, person: Person, policies: None) -> None:
    inside = login(user=person.name, password=PASSWORD)
    rows(connection, f"ALTER USER {person.name} SET NETWORK_POLICY = far")
    with pytest.raises(DatabaseError, match=r"IP/Token 127\.0\.0\.1 is not allowed to access Snowflake") as error:
        login(user=person.name, password=PASSWORD)
    assert "390422" in str(error.value)
    with pytest.raises(DatabaseError, match="is not allowed to access Snowflake"):
        rows(inside, "SELECT 1")  # what it stole or was given before counts no more
    last = f"SELECT ERROR_CODE FROM TABLE(INFORMATION_SCHEMA.LOGIN_HISTORY_BY_USER('{person.name}')) LIMIT 1"
    assert rows(connection, last) == [(390422,)]
    rows(connection, f"ALTER USER {person.name} SET NETWORK_POLICY = 'near'")
    assert rows(inside, "SELECT 1") == [(1,)]
    rows(connection, "ALTER NETWORK POLICY near SET BLOCKED_IP_LIST = ('127.0.0.1')")
    with pytest.raises(DatabaseError, match="is not allowed"):
        login(user=person.name, password=PASSWORD)
    refused(connection, "DROP NETWORK POLICY near", 1500, f"set for {person.name}")


def test_the_account(connection: SnowflakeConnection, login: Login, person: Person, policies: None) -> None:
    refused(connection, "ALTER ACCOUNT SET NETWORK_POLICY = far", 1008, "Requestor IP address, 127.0.0.1, must be")
    refused(connection, "ALTER ACCOUNT SET NETWORK_POLICY = nowhere", 2003, "does not exist")
    rows(connection, "ALTER ACCOUNT SET NETWORK_POLICY = near")
    (shown,) = rows(connection, "SHOW PARAMETERS LIKE 'NETWORK_POLICY' IN ACCOUNT")
    assert shown[:2] == ("NETWORK_POLICY", "NEAR")
    refused(connection, "ALTER NETWORK POLICY near SET ALLOWED_IP_LIST = ('192.0.2.1')", 1008, "cannot be activated")
    refused(
        connection, "CREATE OR REPLACE NETWORK POLICY near BLOCKED_IP_LIST = ('0.0.0.0/0')", 1008, "cannot be activated"
    )
    refused(connection, "DROP NETWORK POLICY near", 1500, "the account")
    assert rows(login(user=person.name, password=PASSWORD), "SELECT 1") == [(1,)]
    rows(connection, f"ALTER USER {person.name} SET NETWORK_POLICY = far")  # goes before the account's
    with pytest.raises(DatabaseError, match="is not allowed"):
        login(user=person.name, password=PASSWORD)


def test_rules(connection: SnowflakeConnection, login: Login, person: Person, policies: None) -> None:
    rows(
        connection,
        "CREATE NETWORK RULE office MODE = INGRESS TYPE = IPV4 VALUE_LIST = ('192.0.2.7', '127.0.0.1')",
        "CREATE NETWORK RULE cloud MODE = INGRESS TYPE = AWSVPCEID VALUE_LIST = ('vpce-1')",
        "ALTER NETWORK POLICY far SET ALLOWED_NETWORK_RULE_LIST = ('office')",
        f"ALTER USER {person.name} SET NETWORK_POLICY = far",
    )
    assert rows(login(user=person.name, password=PASSWORD), "SELECT 1") == [(1,)]
    refused(connection, "ALTER NETWORK POLICY far SET BLOCKED_NETWORK_RULE_LIST = ('cloud')", 2, "AWSVPCEID")
    refused(connection, "ALTER NETWORK POLICY far SET BLOCKED_NETWORK_RULE_LIST = ('none')", 2003, "does not exist")
    refused(connection, "ALTER NETWORK POLICY far SET ALLOWED_IP_LIST = ('everywhere')", 1008, "everywhere")
    refused(connection, "CREATE NETWORK POLICY other ALLOWED_IPS = ('1.2.3.4')", 1420, "ALLOWED_IPS")


def test_procedures_come_from_inside() -> None:
    with Warehouse() as server, snowflake.connector.connect(**server.connection_parameters) as client:
        rows(
            client,
            "CREATE NETWORK POLICY here ALLOWED_IP_LIST = ('127.0.0.1')",
            "ALTER ACCOUNT SET NETWORK_POLICY = here",
            "CREATE DATABASE d",
            "CREATE PROCEDURE p() RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'f' "
            "PACKAGES = ('snowflake-snowpark-python') AS 'def f(session): return session.sql(\"SELECT 7\").collect()[0][0]'",
        )
        assert rows(client, "CALL p()") == [(7,)]


@pytest.mark.parametrize(
    ("lists", "address", "expected"),
    [
        ({}, "192.0.2.1", True),
        ({"ALLOWED_IP_LIST": ["192.0.2.0/24"]}, "192.0.2.255", True),
        ({"ALLOWED_IP_LIST": ["192.0.2.0/24"]}, "192.0.3.0", False),
        ({"ALLOWED_IP_LIST": ["192.0.2.0/24"], "BLOCKED_IP_LIST": ["192.0.2.9"]}, "192.0.2.9", False),
        ({"BLOCKED_IP_LIST": ["192.0.2.9"]}, "192.0.2.8", True),
        ({"ALLOWED_IP_LIST": ["192.0.2.0/24"]}, "::ffff:192.0.2.1", True),
        ({"ALLOWED_IP_LIST": ["0.0.0.0/0"]}, "2001:db8::1", False),
        ({"ALLOWED_IP_LIST": ["2001:db8::/32"]}, "2001:db8::1", True),
    ],
)
def test_lists(lists: dict[str, list[str]], address: str, expected: bool) -> None:
    from datetime import UTC, datetime

    policy = GenericObject(
        id=1, parent=0, name="P", owner="", created_on=datetime.now(UTC), kind="NETWORK POLICY", options=lists
    )
    assert admits(None, policy, address) is expected  # type: ignore[arg-type]
