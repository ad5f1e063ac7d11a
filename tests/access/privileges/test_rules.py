"""The rules between statements: whose rights count, what grants do, what others may see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.cursor import SnowflakeCursor
from snowflake.connector.errors import Error

from polynya.server.local import Warehouse

Open = Callable[..., SnowflakeConnection]
DENIED, HIDDEN, NOT_GRANTED, UNKNOWN = 3001, 2003, 3011, 2140


def run(cursor: SnowflakeCursor, *statements: str) -> list[tuple]:
    """Runs statements; the rows of the last one."""
    found: list[tuple] = []
    for statement in statements:
        found = cursor.execute(statement).fetchall()  # type: ignore[union-attr, assignment]
    return found


def refused(cursor: SnowflakeCursor, code: int, *statements: str) -> None:
    for statement in statements:
        with pytest.raises(Error) as caught:
            cursor.execute(statement)
        assert caught.value.errno == code, (statement, caught.value.msg)


@pytest.fixture
def admin(as_user: Open) -> SnowflakeCursor:
    cursor = as_user().cursor()
    run(cursor, "USE SCHEMA acc.s")
    return cursor


@pytest.fixture
def make(admin: SnowflakeCursor, as_user: Open) -> Callable[..., SnowflakeCursor]:
    """Makes a role that may use acc.s, and a session that has it: ``make("r1", "SELECT ON TABLE t", user="ben")``."""

    def one(role: str, *grants: str, user: str = "anna") -> SnowflakeCursor:
        run(
            admin, f"CREATE OR REPLACE ROLE {role}", f"GRANT ROLE {role} TO USER {user}",
            *(f"GRANT {grant} TO ROLE {role}" for grant in ("USAGE ON DATABASE acc", "USAGE ON SCHEMA acc.s", *grants)),
        )  # fmt: skip
        return as_user(user, role=role, database="acc", schema="s", warehouse="compute_wh").cursor()

    return one


Make = Callable[..., SnowflakeCursor]


def test_views_and_functions_have_their_owners_rights(admin: SnowflakeCursor, make: Make) -> None:
    run(
        admin, "CREATE TABLE inner_t AS SELECT 1 AS a", "CREATE VIEW inner_v AS SELECT a, CURRENT_ROLE() AS r FROM inner_t",
        "CREATE SECURE VIEW outer_v AS SELECT * FROM inner_v", "CREATE SEQUENCE inner_q",
        "CREATE FUNCTION inner_f() RETURNS INT AS 'SELECT max(a) FROM inner_t'",
        "CREATE FUNCTION inner_tf() RETURNS TABLE (a INT) AS 'SELECT a FROM inner_t'",
        "CREATE TABLE has_default (a INT, b INT DEFAULT inner_q.NEXTVAL)",
    )  # fmt: skip
    own = make(
        "through", "SELECT ON VIEW outer_v", "USAGE ON FUNCTION inner_f()", "USAGE ON FUNCTION inner_tf()",
        "INSERT ON TABLE has_default",
    )  # fmt: skip
    assert run(own, "SELECT * FROM outer_v") == [(1, "THROUGH")]  # whose role it is, the session's still tells
    assert run(own, "SELECT inner_f(), a FROM TABLE(inner_tf())") == [(1, 1)]
    assert run(own, "INSERT INTO has_default (a) VALUES (1)") == [(1,)]
    refused(own, HIDDEN, "SELECT * FROM inner_v", "SELECT * FROM inner_t", "SELECT inner_q.NEXTVAL")
    # How a secure view is made is its owner's to know.
    assert run(own, "SHOW VIEWS LIKE 'OUTER_V'", 'SELECT "text" FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))') == [("",)]
    assert run(own, "SELECT view_definition FROM information_schema.views WHERE table_name = 'OUTER_V'") == [(None,)]
    refused(own, DENIED, "SELECT GET_DDL('VIEW', 'outer_v')")
    # A view whose owner lost its right is of no use to anyone.
    maker = make("maker", "SELECT ON TABLE inner_t", "CREATE VIEW ON SCHEMA acc.s")
    run(maker, "CREATE VIEW made_v AS SELECT * FROM inner_t")
    assert run(
        admin,
        "GRANT SELECT ON VIEW made_v TO ROLE through",
        "GRANT ROLE maker TO ROLE sysadmin",
        "SELECT * FROM made_v",
    )
    run(admin, "REVOKE SELECT ON TABLE inner_t FROM ROLE maker")
    refused(own, HIDDEN, "SELECT * FROM made_v")


def test_procedures_have_their_owners_rights_or_their_callers(admin: SnowflakeCursor, make: Make) -> None:
    body = "LANGUAGE SQL {} AS 'BEGIN INSERT INTO acc.s.log_t VALUES (CURRENT_ROLE()); RETURN 1; END'"
    python = (
        "LANGUAGE PYTHON RUNTIME_VERSION = '3.11' PACKAGES = ('snowflake-snowpark-python') HANDLER = 'main' {} AS "
        "'def main(session):\n    return str(session.sql(\"INSERT INTO acc.s.log_t VALUES (1)\").collect()[0][0])'"
    )
    run(
        admin, "CREATE TABLE log_t (r VARCHAR)", "CREATE PROCEDURE by_owner() RETURNS INT " + body.format(""),
        "CREATE PROCEDURE by_caller() RETURNS INT " + body.format("EXECUTE AS CALLER"),
        "CREATE PROCEDURE py_owner() RETURNS VARCHAR " + python.format(""),
        "CREATE PROCEDURE py_caller() RETURNS VARCHAR " + python.format("EXECUTE AS CALLER"),
    )  # fmt: skip
    calls = ("by_owner()", "by_caller()", "py_owner()", "py_caller()")
    own = make("caller", *(f"USAGE ON PROCEDURE {name}" for name in calls))
    assert run(own, "CALL by_owner()") == [(1,)]
    assert run(own, "CALL py_owner()") == [("1",)]
    refused(own, HIDDEN, "CALL by_caller()", "INSERT INTO log_t VALUES (1)")
    with pytest.raises(Error, match="does not exist or not authorized"):
        own.execute("CALL py_caller()")
    run(admin, "GRANT INSERT ON TABLE log_t TO ROLE caller")
    assert run(own, "CALL by_caller()") == [(1,)]
    assert run(admin, "SELECT r FROM log_t WHERE r <> '1' ORDER BY r") == [("ACCOUNTADMIN",), ("CALLER",)]


def test_handlers_are_made_of_what_their_owner_may_read(admin: SnowflakeCursor, make: Make, tmp_path: Path) -> None:
    (tmp_path / "imported.py").write_text("def answer():\n    return 42\n")
    run(admin, "CREATE STAGE code", f"PUT file://{tmp_path}/imported.py @code AUTO_COMPRESS = FALSE")
    text = (
        "CREATE FUNCTION {}() RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION = '3.11' IMPORTS = ('@acc.s.code/imported.py') "
        "HANDLER = 'imported.answer'"
    )
    run(admin, text.format("with_import"))
    own = make("calls_python", "USAGE ON FUNCTION with_import()", "CREATE FUNCTION ON SCHEMA acc.s")
    assert run(own, "SELECT with_import()") == [(42,)]
    refused(own, HIDDEN, "LIST @code", text.format("stolen"))
    # Files of the server's machine are for who may open the account to the outside.
    run(admin, "GRANT CREATE STAGE, CREATE TABLE ON SCHEMA acc.s TO ROLE calls_python")
    refused(
        own,
        DENIED,
        f"CREATE STAGE reaching URL = 'file://{tmp_path}/'",
        f"SELECT $1 FROM 'file://{tmp_path}/imported.py'",
    )
    refused(own, DENIED, f"COPY INTO 'file://{tmp_path}/out' FROM (SELECT 1)")


def test_temporary_objects_and_results_are_their_sessions(as_user: Open, make: Make) -> None:
    one = make("temporary_r")
    run(one, "CREATE TEMPORARY TABLE mine AS SELECT 7 AS a")
    assert run(one, "UPDATE mine SET a = 8", "SELECT * FROM mine") == [(8,)]
    scanned = f"SELECT * FROM TABLE(RESULT_SCAN('{one.sfqid}'))"
    other = as_user("anna", role="temporary_r", database="acc", schema="s").cursor()
    refused(other, HIDDEN, "SELECT * FROM mine")
    reference = run(one, "SELECT SYSTEM$REFERENCE('TABLE', 'mine')")[0][0]
    refused(other, HIDDEN, f"SELECT * FROM IDENTIFIER('{reference}')")
    assert run(other, scanned) == [(8,)]  # the user's, whatever the session
    ben = make("temporary_r2", user="ben")
    refused(ben, 709, scanned)
    running = one.execute_async("SELECT SYSTEM$WAIT(20)")["queryId"]  # type: ignore[index]
    cancel = f"SELECT SYSTEM$CANCEL_QUERY('{running}')"
    assert "not running" in run(ben, cancel)[0][0]
    session = run(one, "SELECT CURRENT_SESSION()")[0][0]
    assert run(ben, f"SELECT SYSTEM$CANCEL_ALL_QUERIES({session})")[0][0].startswith("cancelled 0")
    history = f"SELECT count(*) FROM TABLE(acc.information_schema.query_history()) WHERE query_id = '{running}'"
    assert [run(cursor, history) for cursor in (other, ben)] == [[(1,)], [(0,)]]
    assert "terminated" in run(other, cancel)[0][0]


def test_a_warehouse_s_operators_see_and_end_its_statements(admin: SnowflakeCursor, make: Make) -> None:
    one, ben = make("works"), make("watches", user="ben")
    running = one.execute_async("SELECT SYSTEM$WAIT(20)")["queryId"]  # type: ignore[index]
    history = f"SELECT count(*) FROM TABLE(acc.information_schema.query_history()) WHERE query_id = '{running}'"
    cancel = f"SELECT SYSTEM$CANCEL_QUERY('{running}')"
    run(admin, "GRANT MONITOR ON WAREHOUSE compute_wh TO ROLE watches")
    assert run(ben, history) == [(1,)]
    assert "not running" in run(ben, cancel)[0][0]
    run(admin, "GRANT OPERATE ON WAREHOUSE compute_wh TO ROLE watches")
    assert "terminated" in run(ben, cancel)[0][0]
    run(admin, "DROP ROLE watches")


def test_secondary_roles_add_rights_but_create_nothing(admin: SnowflakeCursor, make: Make) -> None:
    run(admin, "CREATE TABLE secondary_t AS SELECT 1 AS a")
    make("second", "SELECT ON TABLE secondary_t", "CREATE TABLE ON SCHEMA acc.s")
    own = make("first")
    refused(own, HIDDEN, "SELECT * FROM secondary_t")
    assert run(own, "USE SECONDARY ROLES ALL", "SELECT * FROM secondary_t") == [(1,)]
    refused(own, DENIED, "CREATE TABLE by_second (a INT)")
    assert run(own, "USE ROLE second", "CREATE TABLE by_second (a INT)", "DROP TABLE by_second")


def test_the_hierarchy_of_roles(admin: SnowflakeCursor, make: Make) -> None:
    run(admin, "CREATE TABLE deep_t AS SELECT 1 AS a")
    own = make("top")
    for upper, lower in (("top", "middle"), ("middle", "bottom")):
        run(admin, f"CREATE ROLE {lower}", f"GRANT ROLE {lower} TO ROLE {upper}")
    run(admin, "GRANT SELECT ON TABLE deep_t TO ROLE bottom")
    assert run(own, "SELECT * FROM deep_t") == [(1,)]
    refused(admin, 3017, "GRANT ROLE top TO ROLE bottom", "GRANT ROLE top TO ROLE top")
    run(admin, "REVOKE ROLE bottom FROM ROLE middle")
    refused(own, HIDDEN, "SELECT * FROM deep_t")
    # Owning a role is not having it, and a quoted name is a name of its own.
    run(
        admin, "GRANT ROLE middle TO ROLE top", "GRANT OWNERSHIP ON ROLE bottom TO ROLE top", 'CREATE ROLE "acc.bottom"'
    )
    refused(own, HIDDEN, "SELECT * FROM deep_t")
    refused(admin, DENIED, "DROP ROLE bottom")
    run(own, "DROP ROLE bottom")
    run(admin, 'DROP ROLE "acc.bottom"', "CREATE ROLE bottom", "GRANT ROLE bottom TO ROLE top")
    refused(own, HIDDEN, "SELECT * FROM deep_t")  # what the dropped role had is not the new one's


SYSTEM = {
    "SYSADMIN": (["CREATE DATABASE sys_d", "CREATE WAREHOUSE sys_w"], ["CREATE ROLE sys_r", "CREATE USER sys_u"]),
    "USERADMIN": (["CREATE ROLE sys_r", "CREATE USER sys_u"], ["CREATE DATABASE user_d", "GRANT ROLE sysadmin TO USER anna"]),
    "SECURITYADMIN": (
        ["GRANT ROLE sysadmin TO ROLE sys_r", "REVOKE ROLE sysadmin FROM ROLE sys_r", "GRANT SELECT ON TABLE sys_t TO ROLE sys_r"],
        ["CREATE DATABASE sec_d", "SELECT * FROM sys_t", "GRANT ROLE accountadmin TO USER ben", "ALTER ACCOUNT SET TIMEZONE = 'UTC'"],
    ),
    "PUBLIC": ([], ["CREATE DATABASE pub_d", "CREATE ROLE pub_r", "GRANT ROLE public TO USER ben", "CREATE SHARE pub_s"]),
}  # fmt: skip


def test_system_roles(admin: SnowflakeCursor, as_user: Open) -> None:
    run(admin, "CREATE TABLE sys_t AS SELECT 1 AS a", "GRANT USAGE ON DATABASE acc TO ROLE securityadmin")
    run(admin, "GRANT USAGE ON SCHEMA acc.s TO ROLE securityadmin")
    for role, (may, may_not) in SYSTEM.items():
        run(admin, f"GRANT ROLE {role} TO USER ben")
        own = as_user("ben", role=role, database="acc", schema="s").cursor()
        run(own, *may)
        refused(own, DENIED, *may_not)
        run(admin, f"REVOKE ROLE {role} FROM USER ben")


def test_future_grants(admin: SnowflakeCursor, make: Make) -> None:
    run(admin, "CREATE SCHEMA acc.coming", "GRANT SELECT ON FUTURE TABLES IN DATABASE acc TO ROLE sysadmin")
    own = make("awaits", "USAGE ON SCHEMA acc.coming", "SELECT ON FUTURE TABLES IN SCHEMA acc.coming")
    run(own, "USE SCHEMA acc.coming")
    run(admin, "CREATE TABLE acc.coming.t AS SELECT 1 AS a", "CREATE VIEW acc.coming.v AS SELECT 1 AS a")
    assert run(own, "SELECT * FROM t") == [(1,)]
    refused(own, HIDDEN, "SELECT * FROM v")
    granted = run(admin, "SHOW GRANTS ON TABLE acc.coming.t")
    assert [row[1:6] for row in granted] == [  # those of the schema keep out those of the database
        ("OWNERSHIP", "TABLE", "ACC.COMING.T", "ROLE", "ACCOUNTADMIN"), ("SELECT", "TABLE", "ACC.COMING.T", "ROLE", "AWAITS"),
    ]  # fmt: skip
    assert [row[1:6] for row in run(own, "SHOW FUTURE GRANTS TO ROLE awaits")] == [
        ("SELECT", "TABLE", "ACC.COMING.<TABLE>", "ROLE", "AWAITS")
    ]
    run(
        admin,
        "GRANT OWNERSHIP ON FUTURE TABLES IN SCHEMA acc.coming TO ROLE awaits",
        "CREATE TABLE acc.coming.u (a INT)",
    )
    run(own, "DROP TABLE u")
    run(admin, "REVOKE SELECT ON FUTURE TABLES IN DATABASE acc FROM ROLE sysadmin", "DROP SCHEMA acc.coming")


def test_clones_keep_owners_and_grants_of_what_lies_in_them(admin: SnowflakeCursor, make: Make) -> None:
    run(admin, "CREATE SCHEMA acc.original", "CREATE TABLE acc.original.t AS SELECT 1 AS a")
    own = make("clones", "USAGE ON SCHEMA acc.original", "CREATE SCHEMA ON DATABASE acc")
    reads = make("reads", "USAGE ON SCHEMA acc.original", "SELECT ON TABLE acc.original.t", user="ben")
    run(own, "CREATE SCHEMA acc.copied CLONE acc.original")
    refused(own, HIDDEN, "SELECT * FROM acc.copied.t")  # whoever may clone a schema need not read what lies in it
    refused(reads, HIDDEN, "SELECT * FROM acc.copied.t")
    run(own, "GRANT USAGE ON SCHEMA acc.copied TO ROLE reads")
    assert run(reads, "SELECT * FROM acc.copied.t") == [(1,)]


def test_revoking_what_was_granted_on(admin: SnowflakeCursor, make: Make) -> None:
    run(admin, "CREATE TABLE passed_t (a INT)")
    one = make("passes", "SELECT ON TABLE passed_t", user="ben")
    other, third = make("gets"), make("gets_too")
    refused(one, NOT_GRANTED, "GRANT SELECT ON TABLE passed_t TO ROLE gets")
    run(admin, "GRANT SELECT ON TABLE passed_t TO ROLE passes WITH GRANT OPTION")
    refused(one, NOT_GRANTED, "GRANT INSERT ON TABLE passed_t TO ROLE gets")
    run(one, "GRANT SELECT ON TABLE passed_t TO ROLE gets WITH GRANT OPTION")
    run(other, "GRANT SELECT ON TABLE passed_t TO ROLE gets_too")
    assert run(third, "SELECT * FROM passed_t") == []
    revoke = "REVOKE SELECT ON TABLE passed_t FROM ROLE passes"
    refused(admin, 3036, revoke, f"{revoke} RESTRICT")
    run(admin, f"{revoke} CASCADE")
    for cursor in (one, other, third):
        refused(cursor, HIDDEN, "SELECT * FROM passed_t")


def test_transferring_ownership(admin: SnowflakeCursor, make: Make) -> None:
    run(admin, "CREATE TABLE given_t (a INT)", "GRANT INSERT ON TABLE given_t TO ROLE sysadmin")
    own = make("receives", "SELECT ON TABLE given_t")
    refused(own, DENIED, "GRANT OWNERSHIP ON TABLE given_t TO ROLE receives", "DROP TABLE given_t")
    refused(admin, 3036, "GRANT OWNERSHIP ON TABLE given_t TO ROLE receives")
    run(admin, "GRANT OWNERSHIP ON TABLE given_t TO ROLE receives COPY CURRENT GRANTS")
    assert [(row[1], row[5], row[7]) for row in run(own, "SHOW GRANTS ON TABLE given_t")] == [
        ("OWNERSHIP", "RECEIVES", "RECEIVES"), ("INSERT", "SYSADMIN", "RECEIVES"), ("SELECT", "RECEIVES", "RECEIVES"),
    ]  # fmt: skip
    refused(admin, DENIED, "SELECT * FROM given_t")  # ACCOUNTADMIN sees everything, and owns what it owns
    run(own, "GRANT OWNERSHIP ON TABLE given_t TO ROLE sysadmin REVOKE CURRENT GRANTS")
    refused(own, HIDDEN, "SELECT * FROM given_t")
    assert [row[1] for row in run(admin, "SHOW GRANTS ON TABLE given_t")] == ["OWNERSHIP"]
    refused(admin, DENIED, "REVOKE OWNERSHIP ON TABLE given_t FROM ROLE sysadmin")
    # What a dropped role owned is whose role dropped it; a renamed one keeps what it owns.
    run(admin, "GRANT OWNERSHIP ON TABLE given_t TO ROLE receives", "ALTER ROLE receives RENAME TO received")
    assert run(own, "USE ROLE received", "INSERT INTO given_t VALUES (1)") == [(1,)]
    run(admin, "DROP ROLE received")
    assert run(admin, "SELECT * FROM given_t") == [(1,)]


def test_managed_access_schemas(admin: SnowflakeCursor, make: Make) -> None:
    run(admin, "CREATE SCHEMA acc.managed WITH MANAGED ACCESS")
    own = make("makes_tables", "USAGE, CREATE TABLE ON SCHEMA acc.managed")
    run(own, "CREATE TABLE acc.managed.t (a INT)")
    refused(own, NOT_GRANTED, "GRANT SELECT ON TABLE acc.managed.t TO ROLE sysadmin")
    lead = make("leads", user="ben")
    run(admin, "GRANT OWNERSHIP ON SCHEMA acc.managed TO ROLE leads COPY CURRENT GRANTS")
    run(
        lead,
        "GRANT SELECT ON TABLE acc.managed.t TO ROLE sysadmin",
        "GRANT SELECT ON FUTURE TABLES IN SCHEMA acc.managed TO ROLE sysadmin",
    )


def test_grants_follow_their_objects(admin: SnowflakeCursor, make: Make) -> None:
    run(
        admin, "CREATE TABLE followed_t (a INT)", 'CREATE VIEW "a.b" AS SELECT 1 AS a', "CREATE FUNCTION followed_f() RETURNS INT AS '1'",
        "CREATE OR REPLACE TABLE kept_t (a INT)",
    )  # fmt: skip
    own = make(
        "follows", "SELECT ON TABLE followed_t", 'SELECT ON TABLE "a.b"', "USAGE ON FUNCTION followed_f()", "SELECT ON TABLE kept_t",
    )  # fmt: skip
    run(admin, "ALTER TABLE followed_t RENAME TO renamed_t", 'ALTER VIEW "a.b" RENAME TO "c.d"')
    run(
        admin,
        "ALTER FUNCTION followed_f() RENAME TO renamed_f",
        "CREATE OR REPLACE TABLE kept_t COPY GRANTS AS SELECT 1 AS b",
    )
    assert run(own, 'SELECT (SELECT count(*) FROM renamed_t), renamed_f(), a, b FROM "c.d", kept_t') == [(0, 1, 1, 1)]
    run(admin, "CREATE OR REPLACE TABLE renamed_t (a INT)", 'DROP VIEW "c.d"', 'CREATE VIEW "c.d" AS SELECT 1 AS a')
    run(admin, "DROP FUNCTION renamed_f()", "CREATE FUNCTION renamed_f() RETURNS INT AS '2'")
    refused(own, HIDDEN, "SELECT * FROM renamed_t", 'SELECT * FROM "c.d"')
    refused(own, UNKNOWN, "SELECT renamed_f()")


def test_the_guide_s_set_up(admin: SnowflakeCursor, guarded: Warehouse, as_user: Open, tmp_path: Path) -> None:
    """Two users whose project role is PUBLIC (the guide's page on setting up)."""
    run(admin, "USE SECONDARY ROLES NONE", "USE ROLE securityadmin")
    for user in ("john1", "john2"):
        run(
            admin, f"CREATE USER IF NOT EXISTS {user} PASSWORD = 'Snow-2022-horse' LOGIN_NAME = '{user}' DEFAULT_ROLE = 'PUBLIC'",
            f"GRANT ROLE PUBLIC TO USER {user}",
        )  # fmt: skip
    run(admin, "USE ROLE sysadmin", "GRANT CREATE DATABASE ON ACCOUNT TO ROLE PUBLIC", "USE ROLE accountadmin")
    for warehouse in ("XSMALL_WH", "XXXLARGE_WH"):
        run(
            admin,
            f"CREATE WAREHOUSE IF NOT EXISTS {warehouse} INITIALLY_SUSPENDED = TRUE",
            f"GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE PUBLIC",
        )
    run(admin, "GRANT IMPORT SHARE ON ACCOUNT TO PUBLIC")
    one, two = (
        as_user(user, password="Snow-2022-horse", warehouse="XSMALL_WH").cursor() for user in ("john1", "john2")
    )
    (tmp_path / "trips.csv").write_text("1,2\n")
    run(
        one, "CREATE DATABASE citibike", "CREATE STAGE load_stage", f"PUT file://{tmp_path}/trips.csv @load_stage",
        "CREATE TABLE trips (a INT, b INT)", "COPY INTO trips FROM @load_stage FILE_FORMAT = (TYPE = CSV)",
        "CREATE TABLE trips_clone CLONE trips", "CREATE TAG model_id", "ALTER TABLE trips_clone SET TAG model_id = 'x'",
    )  # fmt: skip
    assert run(two, "USE DATABASE citibike", "SELECT * FROM trips_clone") == [(1, 2)]  # PUBLIC owns what either makes
    refused(two, HIDDEN, "SELECT * FROM acc.s.t", "DESCRIBE SCHEMA acc.s")
    run(admin, "REVOKE CREATE DATABASE, IMPORT SHARE ON ACCOUNT FROM ROLE PUBLIC")
    run(two, "DROP DATABASE citibike")


def test_a_clone_of_a_stage_needs_what_a_new_one_needs(admin: SnowflakeCursor, make: Make, tmp_path: Path) -> None:
    run(admin, f"CREATE STAGE outer_stage URL = 'file://{tmp_path}/'")
    own = make("r_stage_clone", "CREATE STAGE ON SCHEMA acc.s", "USAGE ON STAGE outer_stage")
    run(own, "LIST @outer_stage")
    refused(own, DENIED, "CREATE STAGE copied CLONE outer_stage")
    run(admin, "GRANT CREATE INTEGRATION ON ACCOUNT TO ROLE r_stage_clone")
    run(own, "CREATE STAGE copied CLONE outer_stage")
