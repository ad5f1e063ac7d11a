"""Caller's and owner's rights, transactions, and what the history says.

Sources: docs.snowflake.com/en/developer-guide/stored-procedure/stored-procedures-rights,
docs.snowflake.com/en/sql-reference/transactions.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.snowpark import Row, Session
from snowflake.snowpark.exceptions import SnowparkSQLException

from tests.procedures.conftest import Make

CALLER = "EXECUTE AS CALLER"
NAMES = """
    def main(session):
        return str([session.get_current_role(), session.get_current_database(), session.get_current_schema()])
"""


def test_callers_rights_share_the_session(session: Session, make: Make) -> None:
    session.sql("CREATE SCHEMA elsewhere").collect()
    session.sql("USE SCHEMA elsewhere").collect()
    session.sql("SET before = 1").collect()
    make(
        "p()",
        "VARCHAR",
        """
        def main(session):
            seen = session.sql("SELECT $before").collect()[0][0]
            session.sql("SET during = 2").collect()
            session.sql("UNSET before").collect()
            session.sql("ALTER SESSION SET TIMEZONE = 'Asia/Tokyo'").collect()
            session.use_schema("public")
            zone = session.sql("SELECT TO_CHAR('2026-01-01 00:00:00 +0000'::TIMESTAMP_TZ::TIMESTAMP_LTZ)").collect()
            return str([seen, zone[0][0]])
        """,
        CALLER,
    )
    seen, zone = ast.literal_eval(session.call("p"))
    assert (seen, zone[:19]) == (1, "2026-01-01 09:00:00")
    assert session.get_current_schema() == '"PUBLIC"'
    assert session.sql("SELECT $during").collect() == [Row(2)]
    with pytest.raises(SnowparkSQLException, match="BEFORE"):
        session.sql("SELECT $before").collect()
    assert session.sql("SHOW PARAMETERS LIKE 'TIMEZONE'").collect()[0]["value"] == "Asia/Tokyo"


def test_owners_rights_have_their_own_names(session: Session, make: Make) -> None:
    home = session.get_current_schema()
    for role in ("owners", "callers"):
        session.sql(f"CREATE ROLE IF NOT EXISTS {role}").collect()
        session.sql(f"GRANT ROLE {role} TO USER {session.get_current_user()}").collect()
    database = session.get_current_database()
    session.sql(f"GRANT ALL ON DATABASE {database} TO ROLE PUBLIC").collect()
    session.sql(f"GRANT ALL ON SCHEMA {home} TO ROLE PUBLIC").collect()
    session.use_role("owners")
    make("by_owner()", "VARCHAR", NAMES)
    make("by_caller()", "VARCHAR", NAMES, CALLER)
    session.sql("GRANT USAGE ON PROCEDURE by_owner() TO ROLE callers").collect()
    session.sql("GRANT USAGE ON PROCEDURE by_caller() TO ROLE callers").collect()
    session.use_role("callers")
    full = f"{database}.{home}"
    session.use_schema(f"{database}.PUBLIC")
    assert ast.literal_eval(session.call(f"{full}.by_owner")) == ['"OWNERS"', database, home]
    assert ast.literal_eval(session.call(f"{full}.by_caller")) == ['"CALLERS"', database, '"PUBLIC"']


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("ALTER SESSION SET TIMEZONE = 'UTC'", "ALTER_SESSION"),
        ("USE SCHEMA public", "USE"),
        ("SET x = 1", "SET"),
        ("UNSET x", "UNSET"),
        ("EXECUTE IMMEDIATE 'USE ROLE public'", "USE"),
    ],
)
def test_owners_rights_do_not_change_the_session(session: Session, make: Make, statement: str, kind: str) -> None:
    make("p(statement VARCHAR)", "VARCHAR", "def main(session, statement):\n    session.sql(statement).collect()")
    make("outer(statement VARCHAR)", "VARCHAR", "def main(session, statement):\n    session.call('inner', statement)")
    make("inner(statement VARCHAR)", "VARCHAR", "def main(session, s):\n    session.sql(s).collect()", CALLER)
    message = f"090236 \\(42601\\): Stored procedure execution error: Unsupported statement type '{kind}'"
    with pytest.raises(SnowparkSQLException, match=message):
        session.call("p", statement)
    with pytest.raises(SnowparkSQLException, match=message):
        session.call("outer", statement)


def test_owners_rights_do_not_see_variables(session: Session, make: Make) -> None:
    session.sql("SET secret = 'x'").collect()
    make("p()", "VARCHAR", "def main(session):\n    return session.sql('SELECT $secret').collect()[0][0]")
    with pytest.raises(SnowparkSQLException, match="SECRET"):
        session.call("p")


# --- transactions -----------------------------------------------------------------------------------------------------

WRITES = """
    def main(session, statements):
        for statement in statements.split(";"):
            session.sql(statement).collect()
        return "done"
"""


@pytest.fixture
def table(session: Session, make: Make) -> Callable[[], list[int]]:
    """Makes the table ``t`` and ``writes(statements)``; answers what others see in ``t``."""
    session.sql("CREATE TABLE t (a INT)").collect()
    make("writes(statements VARCHAR)", "VARCHAR", WRITES)

    def values() -> list[int]:
        return sorted(row[0] for row in session.table("t").collect())

    return values


def test_a_transaction_of_its_own(session: Session, table: Callable[[], list[int]]) -> None:
    session.call("writes", "BEGIN;INSERT INTO t VALUES (1);ROLLBACK;BEGIN;INSERT INTO t VALUES (2);COMMIT")
    assert table() == [2]


def test_a_transaction_left_open_is_rolled_back(session: Session, table: Callable[[], list[int]]) -> None:
    message = "090232 .*Scoped transaction started in stored procedure is incomplete and it was rolled back"
    with pytest.raises(SnowparkSQLException, match=message):
        session.call("writes", "INSERT INTO t VALUES (1);BEGIN;INSERT INTO t VALUES (2)")
    with pytest.raises(SnowparkSQLException, match="invalid identifier 'NO'"):
        session.call("writes", "BEGIN;INSERT INTO t VALUES (3);SELECT no")
    assert table() == [1]
    assert session.sql("SELECT CURRENT_TRANSACTION()").collect() == [Row(None)]


def test_the_callers_transaction_goes_on(session: Session, table: Callable[[], list[int]]) -> None:
    session.sql("BEGIN").collect()
    session.call("writes", "INSERT INTO t VALUES (1)")
    session.sql("ROLLBACK").collect()
    assert table() == []


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK", "CREATE TABLE u (a INT)"])
def test_the_callers_transaction_is_the_callers(
    session: Session, table: Callable[[], list[int]], statement: str
) -> None:
    session.sql("BEGIN").collect()
    session.sql("INSERT INTO t VALUES (1)").collect()
    with pytest.raises(SnowparkSQLException, match="transaction that has started at a different scope is not allowed"):
        session.call("writes", statement)
    session.sql("COMMIT").collect()
    assert table() == [1]


def test_a_transaction_beside_the_callers(
    session: Session, table: Callable[[], list[int]], connection: SnowflakeConnection
) -> None:
    session.sql("CREATE TABLE log (a INT)").collect()
    session.sql("BEGIN").collect()
    session.sql("INSERT INTO t VALUES (1)").collect()
    session.call("writes", "BEGIN;INSERT INTO log VALUES (9);COMMIT;INSERT INTO t VALUES (2)")
    full = session.get_fully_qualified_current_schema()
    assert connection.cursor().execute(f"SELECT a FROM {full}.log").fetchall() == [(9,)]
    assert table() == [1, 2]
    session.sql("ROLLBACK").collect()
    assert table() == []
    assert session.table("log").count() == 1


# --- history ----------------------------------------------------------------------------------------------------------


def test_the_history_has_what_ran_inside(session: Session, make: Make) -> None:
    make("p()", "INT", "def main(session):\n    return session.sql('SELECT 7 AS inside').collect()[0][0]")
    cursor = session.connection.cursor()
    cursor.execute("CALL p()", _statement_params={"QUERY_TAG": "tagged"})
    rows = session.sql(
        "SELECT query_text, query_tag, session_id = CURRENT_SESSION() AS same, execution_status "
        "FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION()) WHERE query_tag = 'tagged' ORDER BY start_time"
    ).collect()
    assert [tuple(row) for row in rows] == [
        ("CALL p()", "tagged", True, "SUCCESS"),
        ("SELECT 7 AS inside", "tagged", True, "SUCCESS"),
    ]
