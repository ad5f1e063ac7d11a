"""Programmatic access tokens: shown once, good for one user, one role perhaps, and a time."""

from __future__ import annotations

from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import Error

from polynya.server.local import Warehouse
from tests.access.people.conftest import PASSWORD, Login, Person, refused, rows


def enter(login: Login, secret: str, **parameters: Any) -> SnowflakeConnection:
    return login(authenticator="PROGRAMMATIC_ACCESS_TOKEN", token=secret, **parameters)


def kept_out(login: Login, secret: str, **parameters: Any) -> None:
    with pytest.raises(Error, match="Programmatic access token is invalid") as caught:
        enter(login, secret, **parameters)
    assert caught.value.errno == 394400


def test_login(connection: SnowflakeConnection, person: Person, login: Login, warehouse: Warehouse) -> None:
    own = login(user=person.name, password=PASSWORD)
    cursor = own.cursor()
    cursor.execute(
        f"ALTER USER ADD PROGRAMMATIC ACCESS TOKEN mine ROLE_RESTRICTION = '{person.role}' COMMENT = 'for tests'"
    )
    assert [column.name for column in cursor.description] == ["token_name", "token_secret"]
    name, secret = cursor.fetchone()  # type: ignore[misc]
    assert name == "MINE"
    refused(own, f"SELECT * FROM TABLE(RESULT_SCAN('{cursor.sfqid}'))", 709)  # shown once
    cursor.execute("EXECUTE IMMEDIATE 'ALTER USER ADD PAT inner'")
    refused(own, f"SELECT * FROM TABLE(RESULT_SCAN('{cursor.sfqid}'))", 709)
    rows(own, "ALTER USER REMOVE PAT inner")
    assert secret.encode() not in (warehouse.home.path / "catalog.sqlite").read_bytes()

    within = enter(login, secret, user=person.name)
    assert rows(within, "SELECT CURRENT_USER(), CURRENT_ROLE()") == [(person.name, person.role)]
    assert rows(login(user=person.name, password=secret), "SELECT CURRENT_ROLE()") == [(person.role,)]
    # The session has that role and no other one, and cannot make itself more secrets.
    rows(connection, f"GRANT ROLE sysadmin TO USER {person.name}")
    refused(within, "USE ROLE sysadmin", 3013)
    refused(within, "USE SECONDARY ROLES ALL", 3001, "restricted to role")
    refused(within, "ALTER USER ADD PAT more", 3001, "opened with one")
    refused(within, f"ALTER USER {person.name} SET PASSWORD = 'Another-Horse-8'", 3001, "cannot change a password")
    with pytest.raises(Error) as caught:
        enter(login, secret, user=person.name, role="SYSADMIN")
    assert caught.value.errno == 390189

    shown = rows(own, "SHOW USER PROGRAMMATIC ACCESS TOKENS")
    assert [row[:3] + row[4:6] for row in shown] == [("MINE", person.name, person.role, "ACTIVE", "for tests")]
    kept_out(login, secret, user="admin")
    kept_out(login, secret + "x", user=person.name)
    kept_out(login, "pat-forged", user=person.name)


def test_changes(connection: SnowflakeConnection, person: Person, login: Login) -> None:
    def one(statement: str) -> tuple:
        return rows(connection, f"ALTER USER {person.name} {statement}")[0]

    secret = one("ADD PAT t DAYS_TO_EXPIRY = 30 MINS_TO_BYPASS_NETWORK_POLICY_REQUIREMENT = 10")[1]
    assert one("ADD PAT IF NOT EXISTS t") == ("Statement executed successfully.",)
    enter(login, secret, user=person.name)
    one("MODIFY PAT t SET DISABLED = TRUE")
    kept_out(login, secret, user=person.name)
    one("MODIFY PAT t UNSET DISABLED")
    one("MODIFY PROGRAMMATIC ACCESS TOKEN t RENAME TO u")
    _, newer, old_name = one("ROTATE PAT u EXPIRE_ROTATED_TOKEN_AFTER_HOURS = 1")
    for each in (secret, newer):
        enter(login, each, user=person.name)
    one("ROTATE PROGRAMMATIC ACCESS TOKEN u EXPIRE_ROTATED_TOKEN_AFTER_HOURS = 0")
    kept_out(login, newer, user=person.name)
    status = {row[0]: (row[4], row[9]) for row in rows(connection, f"SHOW USER PATS FOR USER {person.name}")}
    assert status[old_name] == ("ACTIVE", "U")
    assert sorted(value[0] for value in status.values()) == ["ACTIVE", "ACTIVE", "EXPIRED"]
    one(f"REMOVE PAT {old_name}")
    kept_out(login, secret, user=person.name)
    third = one("ADD PAT v")[1]
    rows(connection, f"ALTER USER {person.name} SET DISABLED = TRUE")
    kept_out(login, third, user=person.name)
    rows(connection, f"ALTER USER {person.name} SET DISABLED = FALSE")
    # A token of a role that was taken away is worth nothing.
    restricted = one(f"ADD PAT w ROLE_RESTRICTION = '{person.role}'")[1]
    rows(connection, f"REVOKE ROLE {person.role} FROM USER {person.name}")
    kept_out(login, restricted, user=person.name)


REFUSED = [
    ("ADD PAT t", 2002, "'T' already exists"),
    ("ADD PAT x DAYS_TO_EXPIRY = 0", 1008, "1 to 365 expected"),
    ("ADD PAT x DAYS_TO_EXPIRY = 366", 1008, "1 to 365 expected"),
    ("ADD PAT x ROLE_RESTRICTION = 'ACCOUNTADMIN'", 2003, "Role 'ACCOUNTADMIN' does not exist or not authorized"),
    ("ADD PAT x SECRET = 'mine'", 1420, "invalid property 'SECRET'"),
    ("MODIFY PAT t SET ROLE_RESTRICTION = 'PUBLIC'", 1420, "invalid property 'ROLE_RESTRICTION'"),
    ("ROTATE PAT none", 2003, "'NONE' does not exist"),
    ("REMOVE PAT none", 2003, "'NONE' does not exist"),
]


def test_refused(connection: SnowflakeConnection, person: Person, reader: SnowflakeConnection) -> None:
    rows(reader, "ALTER USER ADD PAT t")
    for statement, code, text in REFUSED:
        refused(reader, f"ALTER USER {person.name} {statement}", code, text)
    refused(reader, "ALTER USER admin ADD PAT stolen", 3001)
    refused(reader, "SHOW USER PATS FOR USER admin", 3001)
    rows(connection, f"ALTER USER {person.name} SET TYPE = SERVICE")
    refused(connection, f"ALTER USER {person.name} ADD PAT x", 1008, "ROLE_RESTRICTION is required")
    refused(reader, "ALTER USER ADD PAT x ROLE_RESTRICTION = 'PUBLIC'", 3001)
