"""Context and system functions, GET_DDL, XML and collations through the front door."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection

Connect = Callable[..., SnowflakeConnection]


def one(connection: SnowflakeConnection, sql: str) -> object:
    row = connection.cursor().execute(sql).fetchone()
    return row[0] if row and len(row) == 1 else row


def test_who_and_where(connection: SnowflakeConnection) -> None:
    found = one(
        connection,
        "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_DATABASE(), CURRENT_SCHEMA(), CURRENT_SESSION(), "
        "CURRENT_ACCOUNT() = CURRENT_ACCOUNT_NAME(), CURRENT_CLIENT() LIKE 'PythonConnector %', CURRENT_SCHEMAS()",
    )
    schema = f"{connection.database}.{connection.schema}"
    assert found == (
        connection.user.upper(),
        connection.role,
        connection.database,
        connection.schema,
        str(connection.session_id),
        True,
        True,
        f'["{schema}", "{connection.database}.PUBLIC"]',
    )


def test_roles_in_session(connection: SnowflakeConnection) -> None:
    assert one(
        connection,
        "SELECT IS_ROLE_IN_SESSION('PUBLIC'), IS_ROLE_IN_SESSION('SYSADMIN'), IS_ROLE_IN_SESSION('NO_SUCH_ROLE'), "
        "CURRENT_AVAILABLE_ROLES() LIKE '%\"ACCOUNTADMIN\"%'",
    ) == (True, True, False, True)


def test_last_query_ids(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    first = cursor.execute("SELECT 1").sfqid
    second = cursor.execute("SELECT 2").sfqid
    assert one(connection, "SELECT LAST_QUERY_ID(), LAST_QUERY_ID(-2)") == (second, first)
    assert one(connection, "SELECT LAST_QUERY_ID(1000)") is None


def test_variables_and_statement(connection: SnowflakeConnection) -> None:
    connection.cursor().execute("SET city = 'Zürich'")
    assert one(connection, "SELECT GETVARIABLE('CITY'), GETVARIABLE('city'), $city") == ("Zürich", None, "Zürich")
    assert one(connection, "SELECT CURRENT_STATEMENT() /* mine */") == "SELECT CURRENT_STATEMENT() /* mine */"


def test_transaction_ids(connection: SnowflakeConnection) -> None:
    assert one(connection, "SELECT CURRENT_TRANSACTION()") is None
    cursor = connection.cursor()
    cursor.execute("BEGIN")
    open_id = one(connection, "SELECT CURRENT_TRANSACTION()")
    cursor.execute("COMMIT")
    assert open_id is not None
    assert one(connection, "SELECT CURRENT_TRANSACTION(), LAST_TRANSACTION()") == (None, open_id)


def test_wait_can_be_cancelled(connect: Connect) -> None:
    """SYSTEM$WAIT waits; SYSTEM$CANCEL_QUERY of another session ends it at once; a describe runs neither."""
    waiting, other = connect(), connect()
    assert one(waiting, "SELECT SYSTEM$WAIT(200, 'MILLISECONDS')") == "waited 200 milliseconds"
    cursor = waiting.cursor()
    cursor.execute_async("SELECT SYSTEM$WAIT(60)")
    query_id = cursor.sfqid
    other.cursor().describe(f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')")
    assert waiting.is_still_running(waiting.get_query_status(query_id))
    begin = time.monotonic()
    assert one(other, f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')") == f"query [{query_id}] terminated."
    with pytest.raises(snowflake.connector.errors.ProgrammingError) as caught:
        cursor.get_results_from_sfqid(query_id)
        cursor.fetchall()
    assert caught.value.errno == 604
    assert time.monotonic() - begin < 5


def test_waiting_delays_nobody(connect: Connect) -> None:
    """Sessions that wait leave the engine's threads to others."""
    threads = [
        threading.Thread(target=one, args=(connect(), "SELECT SYSTEM$WAIT(2)"))  # more than there are cores
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    begin = time.monotonic()
    assert one(connect(), "SELECT COUNT(*) FROM TABLE(GENERATOR(ROWCOUNT => 1000000))") == 1000000
    assert time.monotonic() - begin < 1.5
    for thread in threads:
        thread.join()


def test_get_ddl(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute(
        "CREATE TABLE t (a INT NOT NULL, \"b c\" VARCHAR(10) DEFAULT 'x' COMMENT 'second') CLUSTER BY (a) COMMENT = 'mine'"
    )
    ddl = one(connection, "SELECT GET_DDL('TABLE', 'T')")
    assert ddl == (
        "create or replace TABLE T cluster by (a) (\n\tA NUMBER(38,0) NOT NULL,\n"
        "\t\"b c\" VARCHAR(10) DEFAULT 'x' COMMENT 'second'\n)COMMENT='mine'\n;"
    )
    cursor.execute(str(ddl))
    assert one(connection, "SELECT GET_DDL('TABLE', 'T')") == ddl
    assert f"{connection.database}.{connection.schema}.T" in str(one(connection, "SELECT GET_DDL('TABLE', 'T', TRUE)"))


def test_get_ddl_of_streams_and_tasks(connection: SnowflakeConnection) -> None:
    """What it writes makes the same object again."""
    cursor = connection.cursor()
    for statement in (
        "CREATE TABLE watched (a INT)",
        "CREATE STREAM \"my stream\" ON TABLE watched APPEND_ONLY = TRUE COMMENT = 'it''s new'",
        "CREATE WAREHOUSE IF NOT EXISTS ddl_wh INITIALLY_SUSPENDED = TRUE",
        "CREATE TASK root WAREHOUSE = ddl_wh SCHEDULE = 'USING CRON 0 9 * * * UTC' TIMEZONE = 'UTC' "
        "TASK_AUTO_RETRY_ATTEMPTS = 2 CONFIG = '{\"a\": 1}' WHEN SYSTEM$STREAM_HAS_DATA('\"my stream\"') AS SELECT 1",
        "CREATE TASK side AFTER root AS SELECT 'b'",
        "CREATE TASK leaf AFTER root, side AS INSERT INTO watched SELECT 1",
        "CREATE TASK last FINALIZE = root AS SELECT 3",
    ):
        cursor.execute(statement)
    written = {
        ("STREAM", '"my stream"'): 'create or replace stream "my stream" on table WATCHED append_only = true '
        "COMMENT='it''s new';",
        ("TASK", "root"): "create or replace task ROOT\n\twarehouse=DDL_WH\n\tschedule='USING CRON 0 9 * * * UTC'\n\t"
        "config='{\"a\": 1}'\n\tTASK_AUTO_RETRY_ATTEMPTS=2\n\tTIMEZONE='UTC'\n\t"
        "when SYSTEM$STREAM_HAS_DATA('\"my stream\"')\n\tas SELECT 1;",
        ("TASK", "leaf"): "create or replace task LEAF\n\tafter ROOT, SIDE\n\tas INSERT INTO watched SELECT 1;",
        ("TASK", "last"): "create or replace task LAST\n\tfinalize=ROOT\n\tas SELECT 3;",
    }
    for _ in range(2):
        for (kind, name), ddl in written.items():
            assert one(connection, f"SELECT GET_DDL('{kind}', '{name}')") == ddl
            cursor.execute(ddl)
    whole = str(one(connection, f"SELECT GET_DDL('SCHEMA', '{connection.schema}')"))
    assert all(ddl in whole for ddl in written.values())
    assert whole.index("task ROOT") < whole.index("task SIDE") < whole.index("task LEAF")  # so that it can be run
    cursor.execute("DROP TABLE watched")
    with pytest.raises(snowflake.connector.ProgrammingError, match="the table of stream my stream"):
        cursor.execute("SELECT GET_DDL('STREAM', '\"my stream\"')")
    assert "task ROOT" in str(one(connection, f"SELECT GET_DDL('SCHEMA', '{connection.schema}')"))


QUOTED = [
    ('SELECT 1 AS "a", 2 AS "B c"', ["A", "B C"]),
    ('SELECT "n" FROM "numbers" AS "t"', ["N"]),
    ('SELECT T."v":"Key"."Inner" AS "x" FROM "Numbers" T', ["X"]),
    ('SELECT \'"quoted"\' AS x, $$"y"$$ AS "it""s" /* "c" */', ["X", 'IT"S']),
]


@pytest.mark.parametrize(("query", "names"), QUOTED)
def test_the_case_of_quoted_names_can_be_ignored(connection: SnowflakeConnection, query: str, names: list[str]) -> None:
    cursor = connection.cursor()
    cursor.execute('CREATE TABLE numbers AS SELECT 1 AS n, PARSE_JSON(\'{"Key": {"Inner": 5}}\') AS v')
    cursor.execute("ALTER SESSION SET QUOTED_IDENTIFIERS_IGNORE_CASE = TRUE")
    cursor.execute(query)
    assert [column.name for column in cursor.description] == names
    (first, *_) = cursor.fetchone()  # type: ignore[misc]
    assert first in (1, "5", '"quoted"')
    cursor.execute("ALTER SESSION UNSET QUOTED_IDENTIFIERS_IGNORE_CASE")
    assert cursor.execute('SELECT 1 AS "a"').description[0].name == "a"  # type: ignore[union-attr]


def test_parameters_that_would_change_answers_are_refused(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("ALTER SESSION SET ROWS_PER_RESULTSET = 0")
    for setting in ("ROWS_PER_RESULTSET = 5", "TIMESTAMP_DAY_IS_ALWAYS_24H = True"):
        with pytest.raises(snowflake.connector.ProgrammingError, match=f"Unsupported feature '{setting}'") as raised:
            cursor.execute(f"ALTER SESSION SET {setting}")
        assert raised.value.errno == 2


def test_xml(connection: SnowflakeConnection) -> None:
    """XML in a VARIANT comes out as XML; its parts are reached with XMLGET and GET."""
    text = '<t1>foo<t2 a="1">bar</t2><t3></t3></t1>'
    assert one(connection, f"SELECT PARSE_XML('{text}')") == ('<t1>\n  foo\n  <t2 a="1">bar</t2>\n  <t3></t3>\n</t1>')
    assert one(connection, f"SELECT GET(XMLGET(PARSE_XML('{text}'), 't2'), '$')::VARCHAR") == "bar"
    assert one(connection, "SELECT CHECK_XML('<t1></t>'), CHECK_XML('<t1><t1>'), CHECK_XML('<t1</t1>')") == (
        "no opening tag for </t>, pos 8",
        "missing closing tags: </t1></t1>, pos 8",
        "bad character in XML tag name: '<', pos 4",
    )
    assert one(connection, "SELECT TO_XML(1)") == '<SnowflakeData type="INTEGER">1</SnowflakeData>'


def test_describe_without_binds(connect: Connect) -> None:
    """A client may ask for a statement's columns before it has values for its binds."""
    connection = connect(paramstyle="qmark")
    columns = connection.cursor().describe("SELECT ? AS a, 1 + 1 AS b")
    assert [column.name for column in columns] == ["A", "B"]
    with pytest.raises(snowflake.connector.errors.ProgrammingError, match="Bind variable"):
        connection.cursor().execute("SELECT ? AS a")
