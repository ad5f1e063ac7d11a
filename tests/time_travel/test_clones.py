"""Clones: of tables, schemas and databases, now and then; independent of their origin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from snowflake.connector.errors import ProgrammingError

from polynya.server.local import Warehouse
from tests.time_travel.conftest import Client

_MANY = "SELECT SEQ4() AS a, RANDOM(1) AS b FROM TABLE(GENERATOR(ROWCOUNT => 200000))"


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.parquet"))


def test_a_write_to_either_side_copies_no_rows(client: Client, warehouse: Warehouse) -> None:
    lake = Path(warehouse.home.path) / "lake"
    client(f"CREATE TABLE t AS {_MANY}")
    before = _bytes(lake)
    client("CREATE TABLE c CLONE t")
    client("CREATE TABLE d CLONE c")
    client("UPDATE c SET b = 0 WHERE a = 1")
    client("DELETE FROM d WHERE a < 3")
    client("INSERT INTO t VALUES (-1, -1)")
    client("UPDATE t SET b = 1 WHERE a = 2")
    assert client("SELECT COUNT(*), COUNT_IF(b = 0), COUNT_IF(a = -1) FROM c") == [(200_000, 1, 0)]
    assert client("SELECT COUNT(*), COUNT_IF(b = 0), MIN(a) FROM d") == [(199_997, 0, 3)]
    assert client("SELECT COUNT(*), COUNT_IF(b = 1), MIN(a) FROM t") == [(200_001, 1, -1)]
    assert _bytes(lake) - before < 100_000


def test_a_clone_has_no_past_before_its_making(client: Client) -> None:
    first = client.run("CREATE TABLE t AS SELECT 1 AS a")
    client("INSERT INTO t VALUES (2)")
    made = client.run("CREATE TABLE c CLONE t")
    written = client.run("DELETE FROM c WHERE a = 1")
    assert client(f"SELECT * FROM c AT (STATEMENT => '{made}') ORDER BY a") == [(1,), (2,)]
    assert client(f"SELECT * FROM c BEFORE (STATEMENT => '{written}') ORDER BY a") == [(1,), (2,)]
    assert client(f"SELECT * FROM c AT (STATEMENT => '{written}')") == [(2,)]
    with pytest.raises(ProgrammingError) as raised:
        client(f"SELECT * FROM c AT (STATEMENT => '{first}')")
    assert raised.value.errno == 707


def test_of_the_past(client: Client) -> None:
    client("CREATE TABLE t (a INT, b VARCHAR)")
    insert = client.run("INSERT INTO t VALUES (1, 'x')")
    client("ALTER TABLE t DROP COLUMN b")
    client("TRUNCATE TABLE t")
    client(f"CREATE TABLE c CLONE t AT (STATEMENT => '{insert}')")
    assert client("SELECT * FROM c") == [(1, "x")]  # with the columns of that time
    client("INSERT INTO c VALUES (2, 'y')")
    assert client("SELECT * FROM c ORDER BY a") == [(1, "x"), (2, "y")]
    client("INSERT OVERWRITE INTO t SELECT a FROM c AT (OFFSET => 0)")
    assert client("SELECT COUNT(*) FROM t") == [(2,)]


def test_restoring_a_table_from_its_own_past(client: Client) -> None:
    client("CREATE TABLE t AS SELECT 1 AS a")
    mistake = client.run("UPDATE t SET a = 9")
    client(f"INSERT OVERWRITE INTO t SELECT * FROM t BEFORE (STATEMENT => '{mistake}')")
    assert client("SELECT * FROM t") == [(1,)]
    client("UPDATE t SET a = 8")
    client(f"CREATE OR REPLACE TABLE t CLONE t BEFORE (STATEMENT => '{mistake}')")
    assert client("SELECT * FROM t") == [(1,)]


def test_uncommitted_changes_of_the_origin_do_not_show(client: Client) -> None:
    client("CREATE TABLE t AS SELECT 1 AS a")
    client("CREATE TABLE c CLONE t")
    client("BEGIN")
    client("DELETE FROM t")
    assert client("SELECT * FROM c") == [(1,)]
    client("INSERT INTO c SELECT 2")
    assert client("SELECT * FROM c ORDER BY a") == [(1,), (2,)]
    client("ROLLBACK")
    assert client("SELECT * FROM c") == [(1,)]


def test_identities_and_sequences(client: Client) -> None:
    client("CREATE SEQUENCE s START 10")
    client("CREATE TABLE t (a INT AUTOINCREMENT START 5, b INT DEFAULT s.NEXTVAL, c INT)")
    client("INSERT INTO t (c) VALUES (1)")
    client("CREATE TABLE c CLONE t")
    client("INSERT INTO c (c) VALUES (2)")
    client("INSERT INTO t (c) VALUES (3)")
    # The identity is the clone's own, the sequence is shared.
    assert client("SELECT * FROM c ORDER BY c") == [(5, 10, 1), (6, 11, 2)]
    assert client("SELECT * FROM t ORDER BY c") == [(5, 10, 1), (6, 12, 3)]


def test_defaults_draw_from_the_sequence_that_was_cloned_too(client: Client, schema: str) -> None:
    _, _, name = schema.partition(".")
    client("CREATE SEQUENCE s")
    client("CREATE TABLE t (a INT DEFAULT s.NEXTVAL, b INT)")
    client("INSERT INTO t (b) VALUES (1)")
    client(f"CREATE SCHEMA {name}_C CLONE {name}")
    client(f"CREATE TABLE alone CLONE {schema}.t")  # goes on drawing from the origin's
    assert client("SHOW COLUMNS IN TABLE t")[0][5] == f"{schema}_C.S.NEXTVAL"
    client(f"CREATE SCHEMA {name}_E")  # whatever the session's own schema is
    for table in ("C.t", "C.alone", "C.t"):
        client(f"INSERT INTO {name}_{table} (b) VALUES (2)")
    client(f"ALTER SEQUENCE {schema}.s RENAME TO {schema}.renamed")
    client(f"INSERT INTO {schema}.t (b) VALUES (3)")
    assert client(f"SELECT a FROM {name}_C.t ORDER BY a") == [(1,), (2,), (3,)]
    assert client(f"SELECT a FROM {name}_C.alone ORDER BY a") == [(1,), (2,)]
    assert client(f"SELECT a FROM {schema}.t ORDER BY a") == [(1,), (3,)]
    client(f"DROP SEQUENCE {schema}.renamed")
    with pytest.raises(ProgrammingError, match="Sequence 'S' does not exist or not authorized"):
        client(f"INSERT INTO {schema}.t (b) VALUES (4)")


def test_like_takes_no_rows(client: Client) -> None:
    client("CREATE TABLE t (a INT AUTOINCREMENT, b INT NOT NULL DEFAULT 3)")
    client("INSERT INTO t (b) VALUES (1)")
    client("CREATE TABLE l LIKE t")
    client("INSERT INTO l (b) SELECT b FROM t")
    assert client("SELECT b FROM l") == [(1,)]
    assert client("SELECT COUNT(*), MAX(a) FROM t") == [(1, 1)]


def test_schemas_and_databases(client: Client, schema: str) -> None:
    database, _, name = schema.partition(".")
    client("CREATE TABLE t AS SELECT 1 AS a")
    client("CREATE VIEW v AS SELECT a FROM t")
    client("CREATE TABLE one (k INT PRIMARY KEY)")
    client("CREATE TABLE many (k INT REFERENCES one (k))")
    moment = client.run("CREATE TABLE gone AS SELECT 5 AS a")
    client("DROP TABLE gone")
    client("INSERT INTO t VALUES (2)")
    client("CREATE TABLE late (a INT)")
    client(f"CREATE SCHEMA {name}_NOW CLONE {name}")
    client(f"CREATE SCHEMA {name}_THEN CLONE {name} AT (STATEMENT => '{moment}')")
    assert client(f"SELECT COUNT(*) FROM {name}_NOW.v") == [(2,)]
    assert [row[1] for row in client(f"SHOW TERSE TABLES IN SCHEMA {name}_NOW")] == ["LATE", "MANY", "ONE", "T"]
    assert client(f"SELECT a FROM {name}_THEN.v") == [(1,)]
    assert [row[1] for row in client(f"SHOW TERSE TABLES IN SCHEMA {name}_THEN")] == ["GONE", "MANY", "ONE", "T"]
    keys = client(f"SHOW IMPORTED KEYS IN TABLE {name}_THEN.many")
    assert [row[1:8] for row in keys] == [(database, f"{name}_THEN", "ONE", "K", database, f"{name}_THEN", "MANY")]
    client(f"DELETE FROM {name}_NOW.t")
    assert client(f"SELECT COUNT(*) FROM {schema}.t") == [(2,)]
    client(f"CREATE DATABASE {name}_COPY CLONE {database}")
    client(f"CREATE TRANSIENT DATABASE {name}_BRIEF CLONE {database}")
    assert client(f"SELECT COUNT(*) FROM {name}_COPY.{name}.t") == [(2,)]
    assert {row[4] for row in client(f"SHOW TABLES IN DATABASE {name}_BRIEF")} == {"TRANSIENT"}
    for kind in ("COPY", "BRIEF"):
        client(f"DROP DATABASE {name}_{kind}")


def test_a_schema_of_which_a_table_cannot_be_had(client: Client, schema: str) -> None:
    _, _, name = schema.partition(".")
    client("CREATE TABLE brief (a INT) DATA_RETENTION_TIME_IN_DAYS = 0")
    client("CREATE TABLE t (a INT)")
    moment = client.run("SELECT 1")
    with pytest.raises(ProgrammingError) as raised:
        client(f"CREATE SCHEMA {name}_C CLONE {name} AT (STATEMENT => '{moment}')")
    assert raised.value.errno == 707
    assert client(f"SHOW SCHEMAS LIKE '{name}_C'") == []
    client(
        f"CREATE SCHEMA {name}_C CLONE {name} AT (STATEMENT => '{moment}') "
        "IGNORE TABLES WITH INSUFFICIENT DATA RETENTION"
    )
    assert [row[1] for row in client(f"SHOW TERSE TABLES IN SCHEMA {name}_C")] == ["T"]


def test_what_else_lies_in_a_schema(client: Client, schema: str, tmp_path: Path) -> None:
    """Stages, dynamic tables, file formats, secrets; internal stages only on request, with files if these are registered."""
    _, _, name = schema.partition(".")
    for statement in (
        "CREATE TABLE t AS SELECT 1 AS a", "CREATE FILE FORMAT f TYPE = JSON", "CREATE STAGE plain",
        "CREATE STAGE listed DIRECTORY = (ENABLE = TRUE)", f"CREATE STAGE outside URL = 'file://{tmp_path}/'",
        "COPY INTO @plain/x/f FROM t", "COPY INTO @listed/x/f FROM t", "CREATE FILE FORMAT f2 CLONE f",
        "CREATE SECRET s TYPE = GENERIC_STRING SECRET_STRING = 'x'", "CREATE STAGE outside2 CLONE outside",
        "CREATE DYNAMIC TABLE d TARGET_LAG = '1 day' WAREHOUSE = compute_wh AS SELECT a FROM t",
        "CREATE DYNAMIC TABLE d2 CLONE d TARGET_LAG = '2 days'",
        f"CREATE SCHEMA {name}_A CLONE {name}", f"CREATE SCHEMA {name}_B CLONE {name} INCLUDE INTERNAL STAGES",
        f"REMOVE @{schema}.listed", "INSERT INTO t VALUES (2)", "ALTER DYNAMIC TABLE d REFRESH",
    ):  # fmt: skip
        client(statement)
    assert [row[1] for row in client(f"SHOW STAGES IN SCHEMA {name}_A")] == ["OUTSIDE", "OUTSIDE2"]
    assert [row[1] for row in client(f"SHOW STAGES IN SCHEMA {name}_B")] == ["LISTED", "OUTSIDE", "OUTSIDE2", "PLAIN"]
    assert client(f"LIST @{name}_B.plain") == []
    assert client(f"LIST @{schema}.listed/x") == []
    assert client(f"SELECT $1 FROM @{name}_B.listed/x") == [("1",)]
    assert [row[1] for row in client(f"SHOW FILE FORMATS IN SCHEMA {name}_A")] == ["F", "F2"]
    assert [row[1] for row in client(f"SHOW SECRETS IN SCHEMA {name}_A")] == ["S"]
    lags = [(row[1], row[8]) for row in client(f"SHOW DYNAMIC TABLES IN SCHEMA {name}_A")]
    assert lags == [("D", "1 day"), ("D2", "2 days")]
    # What followed the last CREATE SCHEMA was done in that one: a cloned dynamic table reads the cloned table.
    assert client(f"SELECT COUNT(*) FROM {name}_B.d") == [(2,)]
    assert client(f"SELECT COUNT(*) FROM {schema}.d") == [(1,)]
    client(f"ALTER DYNAMIC TABLE {schema}.d2 REFRESH")
    assert client(f"SELECT COUNT(*) FROM {schema}.d2") == [(1,)]


def _granted(client: Client, table: str) -> list[str]:
    return [row[1] for row in client(f"SHOW GRANTS ON TABLE {table}") if row[5] == "PUBLIC"]


def test_copy_grants_and_future_grants(client: Client, schema: str) -> None:
    client("CREATE TABLE t (a INT)")
    client("GRANT SELECT ON TABLE t TO ROLE public")
    client(f"GRANT DELETE ON FUTURE TABLES IN SCHEMA {schema} TO ROLE public")
    for statement, expected in (
        ("CREATE TABLE c1 CLONE t", ["DELETE"]),
        ("CREATE TABLE c2 CLONE t COPY GRANTS", ["SELECT"]),
        ("CREATE TABLE c3 LIKE t COPY GRANTS", ["SELECT"]),
        ("CREATE OR REPLACE TABLE c1 CLONE t COPY GRANTS", ["DELETE"]),  # it has those of the table it replaces
    ):
        client(statement)
        assert _granted(client, statement.split(" TABLE ")[1].split()[0]) == expected, statement


def test_swapped_grants_stay_with_their_table(client: Client, schema: str) -> None:
    _, _, name = schema.partition(".")
    client("CREATE TABLE a AS SELECT 1 AS x")
    client("CREATE TABLE b AS SELECT 2 AS y")
    client("GRANT SELECT ON TABLE a TO ROLE public")
    client("GRANT INSERT ON TABLE a TO ROLE public")
    client("GRANT INSERT ON TABLE b TO ROLE public")
    client("ALTER TABLE a SWAP WITH b")
    assert (_granted(client, "a"), sorted(_granted(client, "b"))) == (["INSERT"], ["INSERT", "SELECT"])
    client(f"CREATE SCHEMA {name}_W")
    client("CREATE TABLE b (z INT)")
    client(f"ALTER SCHEMA {name} SWAP WITH {name}_W")
    assert (len(_granted(client, f"{name}_W.b")), _granted(client, f"{name}.b")) == (2, [])
    client(f"ALTER SCHEMA {name} SWAP WITH {name}_W")


def test_database_roles(client: Client, schema: str) -> None:
    _, _, name = schema.partition(".")
    for statement in (
        f"CREATE DATABASE {name}_R", "CREATE TABLE t AS SELECT 1 AS a", f"CREATE DATABASE ROLE {name}_R.reader",
        f"GRANT SELECT ON TABLE t TO DATABASE ROLE {name}_R.reader", f"CREATE DATABASE {name}_RC CLONE {name}_R",
    ):  # fmt: skip
        client(statement)
    (row,) = client(f"SHOW GRANTS TO DATABASE ROLE {name}_RC.reader")
    assert row[1:4] == ("SELECT", "TABLE", f"{name}_RC.PUBLIC.T")
    assert len(client(f"SHOW GRANTS TO DATABASE ROLE {name}_R.reader")) == 1
    for database in (f"{name}_R", f"{name}_RC"):
        client(f"DROP DATABASE {database}")


REFUSED = [
    ("CREATE TABLE c CLONE nope", 2003, "NOPE' does not exist"),
    ("CREATE SCHEMA c CLONE nope", 2003, "NOPE' does not exist"),
    ("CREATE DATABASE c CLONE nope", 2003, "Database 'NOPE' does not exist"),
    ("CREATE SCHEMA c CLONE {schema} AT (OFFSET => -7200)", 707, "not available for schema"),
    ("CREATE STAGE c CLONE inside", 2, "CLONE of an internal stage"),
    ("CREATE DYNAMIC TABLE c CLONE t", 2203, "Object found is of type 'TABLE'"),
    ("CREATE DATABASE ROLE c CLONE d", 2, "CREATE DATABASE ROLE ... CLONE"),
    ("CREATE TABLE c CLONE v", 2203, "Object found is of type 'VIEW'"),
    ("CREATE TABLE c CLONE t AT (OFFSET => -7200)", 707, "not available"),
    ("CREATE TABLE c CLONE t BEFORE (STATEMENT => 'nope')", 709, "nope not found"),
    ("CREATE TABLE c CLONE mine", 2271, "Temp table cannot be cloned"),
    ("CREATE TABLE c CLONE brief", 2120, "Transient object cannot be cloned to a permanent object"),
    ("CREATE TABLE t CLONE t", 2002, "already exists"),
    ("CREATE TABLE c CLONE t AT (OFFSET => -1", 1003, "syntax error"),
]


@pytest.mark.parametrize(("sql", "code", "text"), REFUSED)
def test_what_cannot_be_cloned(client: Client, schema: str, sql: str, code: int, text: str) -> None:
    for statement in (
        "CREATE TABLE t AS SELECT 1 AS a", "CREATE VIEW v AS SELECT 1 AS a", "CREATE TEMPORARY TABLE mine (a INT)",
        "CREATE TRANSIENT TABLE brief (a INT)", "CREATE STAGE inside",
    ):  # fmt: skip
        client(statement)
    with pytest.raises(ProgrammingError) as raised:
        client(sql.format(schema=schema))
    assert raised.value.errno == code, raised.value.msg
    assert text in str(raised.value.msg)
    assert client("SELECT * FROM t") == [(1,)]


def test_kinds(client: Client) -> None:
    client("CREATE TRANSIENT TABLE brief AS SELECT 1 AS a")
    client("CREATE TRANSIENT TABLE c1 CLONE brief")
    client("CREATE TEMPORARY TABLE c2 CLONE brief")
    client("CREATE TABLE t (a INT)")
    client("CREATE TRANSIENT TABLE c3 CLONE t")
    client("CREATE TEMPORARY TABLE mine (a INT, b VARIANT) AS SELECT 1, PARSE_JSON('{\"k\": 2}')")
    client("CREATE TRANSIENT TABLE c4 CLONE mine")
    assert client("SELECT c1.a, c2.a, c4.a, c4.b:k FROM c1, c2, c4") == [(1, 1, 1, "2")]
    kinds = {row[1]: row[4] for row in client("SHOW TABLES")}
    assert [kinds[name] for name in ("C1", "C2", "C3", "C4")] == ["TRANSIENT", "TEMPORARY", "TRANSIENT", "TRANSIENT"]


def test_two_sessions_write_to_a_fresh_clone(client: Client, another: Callable[[], Client]) -> None:
    client(f"CREATE TABLE t AS {_MANY}")
    client("CREATE TABLE c CLONE t")
    one, two = another(), another()
    one("BEGIN")
    one("INSERT INTO c VALUES (-1, 0)")
    two("INSERT INTO c VALUES (-2, 0)")
    one("COMMIT")
    assert client("SELECT COUNT(*), MIN(a) FROM c") == [(200_002, -2)]
