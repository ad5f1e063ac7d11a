"""Primary, secondary and database roles of a session, and the functions that tell of them."""

from __future__ import annotations

import json

from snowflake.connector import SnowflakeConnection

from tests.access.people.conftest import PASSWORD, Login, Person, refused, rows

IN_SESSION = "SELECT IS_ROLE_IN_SESSION('{}')"


def secondary(connection: SnowflakeConnection) -> dict[str, str]:
    return json.loads(rows(connection, "SELECT CURRENT_SECONDARY_ROLES()")[0][0])  # type: ignore[no-any-return]


def test_secondary_roles(connection: SnowflakeConnection, person: Person, login: Login) -> None:
    more, below, other = (f"{person.role}_{name}" for name in ("MORE", "BELOW", "OTHER"))
    for role in (more, below, other):
        rows(connection, f"CREATE ROLE {role}")
    rows(connection, f"GRANT ROLE {more} TO USER {person.name}", f"GRANT ROLE {below} TO ROLE {more}")
    rows(connection, "CREATE TABLE t (a INT)", f"GRANT SELECT ON TABLE t TO ROLE {below}")
    own = login(user=person.name, password=PASSWORD)
    assert rows(own, "SELECT CURRENT_ROLE(), CURRENT_ROLE_TYPE()") == [(person.role, "ROLE")]
    assert secondary(own) == {"roles": f"{more},PUBLIC", "value": "ALL"}
    assert json.loads(rows(own, "SELECT CURRENT_AVAILABLE_ROLES()")[0][0]) == sorted(
        [person.role, more, below, "PUBLIC"]
    )
    assert rows(own, IN_SESSION.format(below)) == [(True,)]
    assert rows(own, "SELECT * FROM t") == []
    # What counts is asked anew by every statement.
    rows(own, "USE SECONDARY ROLES NONE")
    assert secondary(own) == {"roles": "", "value": ""}
    assert rows(own, IN_SESSION.format(below)) == [(False,)]
    refused(own, "SELECT * FROM t", 2003, "does not exist or not authorized")
    rows(own, f"USE SECONDARY ROLES {below}, {more}")
    assert secondary(own) == {"roles": f"{below},{more}", "value": f"{below},{more}"}
    assert rows(own, "SELECT * FROM t") == []
    refused(own, f"USE SECONDARY ROLES {other}", 2043)
    refused(own, f"USE ROLE {other}", 3013, "is not assigned to the executing user")
    rows(connection, f"REVOKE ROLE {more} FROM USER {person.name}")
    assert secondary(own) == {"roles": "", "value": ""}
    refused(own, "SELECT * FROM t", 2003, "does not exist or not authorized")
    rows(connection, f"REVOKE ROLE {person.role} FROM USER {person.name}")
    assert rows(own, "SELECT CURRENT_ROLE()") == [("PUBLIC",)]
    rows(connection, f"GRANT ROLE {person.role} TO USER {person.name}")
    rows(connection, f"ALTER USER {person.name} SET DEFAULT_SECONDARY_ROLES = ()")
    assert secondary(login(user=person.name, password=PASSWORD))["value"] == ""
    assert secondary(login(user=person.name, password=PASSWORD, secondary_roles="all"))["value"] == "ALL"
    for role in (more, below, other):
        rows(connection, f"DROP ROLE {role}")


def test_database_roles(connection: SnowflakeConnection, person: Person, reader: SnowflakeConnection) -> None:
    name = f"{person.role}_DB"
    full = f"{connection.database}.{name}"
    rows(connection, f"CREATE DATABASE ROLE {name} COMMENT = 'c'", f"CREATE DATABASE ROLE IF NOT EXISTS {name}_2")
    rows(connection, "CREATE TABLE t (a INT)", f"GRANT SELECT ON TABLE t TO DATABASE ROLE {name}")
    refused(reader, "SELECT * FROM t", 2003)
    rows(
        connection,
        f"GRANT DATABASE ROLE {full} TO DATABASE ROLE {full}_2",
        f"GRANT DATABASE ROLE {full}_2 TO ROLE {person.role}",
    )
    assert rows(reader, "SELECT * FROM t") == []
    ask = f"SELECT IS_DATABASE_ROLE_IN_SESSION('{name}'), IS_DATABASE_ROLE_IN_SESSION('NONE')"
    assert rows(reader, ask) == [(True, False)]
    refused(reader, f"USE ROLE {name}", 2043)
    rows(connection, f"ALTER DATABASE ROLE {name} RENAME TO {full}_3")
    assert rows(reader, "SELECT * FROM t") == []
    assert {f"{name}_2", f"{name}_3"} <= {
        row[1] for row in rows(connection, f"SHOW DATABASE ROLES IN DATABASE {connection.database}")
    }
    rows(connection, f"DROP DATABASE ROLE {name}_2", f"DROP DATABASE ROLE {name}_3")
    refused(reader, "SELECT * FROM t", 2003)
