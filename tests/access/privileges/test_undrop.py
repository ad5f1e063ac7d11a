"""UNDROP brings back the grants on an object and on what lies in it, to those who are still there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.cursor import SnowflakeCursor


@pytest.fixture
def database(connection: SnowflakeConnection, schema: str) -> Iterator[tuple[SnowflakeCursor, str]]:
    """A cursor, and the name of a database with roles UNDROP_A and UNDROP_B that may read something."""
    name = f"UNDROPPED_{schema.partition('.')[2]}"
    cursor = connection.cursor()
    for statement in (
        f"CREATE DATABASE {name}", "CREATE SCHEMA s", "CREATE TABLE s.t (a INT)", f"CREATE DATABASE ROLE {name}.reader",
        "CREATE OR REPLACE ROLE undrop_a", "CREATE OR REPLACE ROLE undrop_b", "CREATE OR REPLACE SHARE undrop_share",
        f"GRANT USAGE ON DATABASE {name} TO ROLE undrop_a", f"GRANT USAGE ON DATABASE {name} TO SHARE undrop_share",
        "GRANT USAGE ON SCHEMA s TO ROLE undrop_a", "GRANT SELECT ON TABLE s.t TO ROLE undrop_a WITH GRANT OPTION",
        "GRANT SELECT ON TABLE s.t TO ROLE undrop_b", "GRANT SELECT ON FUTURE TABLES IN SCHEMA s TO ROLE undrop_b",
        f"GRANT SELECT ON TABLE s.t TO DATABASE ROLE {name}.reader", f"GRANT DATABASE ROLE {name}.reader TO ROLE undrop_a",
    ):  # fmt: skip
        cursor.execute(statement)
    yield cursor, name
    for statement in ("DROP ROLE undrop_a", "DROP ROLE IF EXISTS undrop_b", "DROP SHARE undrop_share"):
        cursor.execute(statement)


def grants(cursor: SnowflakeCursor, on: str) -> set[tuple[str, str, str, str]]:
    """(privilege, kind of who has it, name, grant option) without OWNERSHIP."""
    found = cursor.execute(f"SHOW GRANTS ON {on}").fetchall()  # type: ignore[union-attr]
    return {(row[1], row[4], row[5], row[6]) for row in found if row[1] != "OWNERSHIP"}


@pytest.mark.parametrize("dropped", ["TABLE s.t", "SCHEMA s", "DATABASE {}"])
def test_grants_come_back(database: tuple[SnowflakeCursor, str], dropped: str) -> None:
    cursor, name = database
    dropped = dropped.format(name)
    places = [f"TABLE {name}.s.t", f"SCHEMA {name}.s", f"DATABASE {name}"]
    before = [grants(cursor, place) for place in places]
    future = cursor.execute(f"SHOW FUTURE GRANTS IN SCHEMA {name}.s").fetchall()[0][1:]  # type: ignore[union-attr]
    cursor.execute(f"DROP {dropped}")
    role = [row[1:4] for row in cursor.execute("SHOW GRANTS TO ROLE undrop_a").fetchall()]  # type: ignore[union-attr]
    assert ("SELECT", "TABLE", f"{name}.S.T") not in role
    cursor.execute(f"USE DATABASE {name}" if "DATABASE" not in dropped else "SELECT 1")
    cursor.execute(f"UNDROP {dropped}")
    after = [grants(cursor, place) for place in places]
    if "DATABASE" in dropped:
        before[2].remove(("USAGE", "SHARE", "UNDROP_SHARE", "false"))
    assert after == before
    assert ("SELECT", "ROLE", "UNDROP_A", "true") in after[0]
    assert [holder for _, _, holder, _ in after[0] if holder not in ("UNDROP_A", "UNDROP_B")] != []  # the database role
    assert cursor.execute(f"SHOW FUTURE GRANTS IN SCHEMA {name}.s").fetchall()[0][1:] == future  # type: ignore[union-attr]
    if "DATABASE" in dropped:
        roles = cursor.execute(f"SHOW GRANTS OF DATABASE ROLE {name}.reader").fetchall()  # type: ignore[union-attr]
        assert "UNDROP_A" in str(roles)


def test_a_renamed_place_and_other_roles(database: tuple[SnowflakeCursor, str]) -> None:
    cursor, name = database
    cursor.execute("DROP TABLE s.t")
    cursor.execute("ALTER SCHEMA s RENAME TO other")
    cursor.execute("CREATE OR REPLACE ROLE undrop_b")  # another one of the same name
    cursor.execute("UNDROP TABLE other.t")
    holders = {row[2] for row in grants(cursor, f"TABLE {name}.other.t")}
    assert "UNDROP_A" in holders
    assert "UNDROP_B" not in holders


def test_a_replaced_table(database: tuple[SnowflakeCursor, str]) -> None:
    cursor, _ = database
    before = grants(cursor, "TABLE s.t")
    cursor.execute("CREATE OR REPLACE TABLE s.t (b INT)")
    assert {row[2] for row in grants(cursor, "TABLE s.t")} == {"UNDROP_B"}  # by the future grant
    cursor.execute("ALTER TABLE s.t RENAME TO s.later")
    cursor.execute("UNDROP TABLE s.t")
    assert grants(cursor, "TABLE s.t") == before
    cursor.execute("CREATE TABLE s.copied CLONE s.t")
    cursor.execute("DROP TABLE s.copied")
    cursor.execute("UNDROP TABLE s.copied")
    assert "UNDROP_A" not in str(grants(cursor, "TABLE s.copied"))
