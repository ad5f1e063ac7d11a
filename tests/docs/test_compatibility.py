"""docs/compatibility.md: each row of the page is shown by a case here, and each case has its row."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.cursor import SnowflakeCursor
from snowflake.connector.errors import ProgrammingError

from polynya.storage.engine import Engine

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"

# key: (statement, name of what is refused, error number)
REFUSED = {
    "languages": ("CREATE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS 'return 1'", "LANGUAGE JAVASCRIPT", 2),
    "python_version": (
        "CREATE FUNCTION f() RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION='3.8' HANDLER='f' AS 'def f(): return 1'",
        "Unsupported Python runtime version '3.8'",
        1008,
    ),
    "package_versions": (
        "CREATE FUNCTION f() RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION='3.11' PACKAGES=('numpy==1.0.0') HANDLER='f' "
        "AS 'def f(): return 1'",
        "numpy==1.0.0",
        391546,
    ),
    "output_arguments": ("CREATE PROCEDURE p(OUT a INT) RETURNS INT AS 'BEGIN RETURN 1; END'", "OUT arguments", 2),
    "or_alter_routine": ("CREATE OR ALTER FUNCTION f() RETURNS INT AS '1'", "CREATE OR ALTER FUNCTION", 2),
    "nested_procedures": (
        "DECLARE p PROCEDURE() RETURNS INT AS BEGIN RETURN 1; END; BEGIN CALL p(); END",
        "nested stored procedures",
        2,
    ),
    "scripting_files": ("BEGIN PUT file:///tmp/a @~; END", "Unsupported statement type 'PUT_FILES'", 90236),
    "streams": ("CREATE STREAM s ON VIEW v", "CREATE STREAM ON VIEW", 2),
    "triggered_tasks": ("ALTER TASK triggered RESUME", "triggered tasks", 2),
    "task_users": ("CREATE TASK k EXECUTE AS USER admin AS SELECT 1", "EXECUTE AS USER", 2),
    "match_recognize": (
        "SELECT * FROM t MATCH_RECOGNIZE (ORDER BY a MEASURES FIRST(a) AS x PATTERN (q+) DEFINE q AS a > 0)",
        "MATCH_RECOGNIZE",
        2,
    ),
    "interval_type": ("SELECT INTERVAL '1 day'", "INTERVAL outside of date arithmetic", 2),
    "decfloat": ("SELECT 1::DECFLOAT", "DECFLOAT", 2040),
    "merge_by_source": (
        "MERGE INTO t USING (SELECT 1 AS k) s ON t.a = s.k WHEN NOT MATCHED BY SOURCE THEN DELETE",
        "WHEN NOT MATCHED BY SOURCE",
        2,
    ),
    "owner_roles": ("GRANT OWNERSHIP ON TABLE t TO DATABASE ROLE r", "GRANT OWNERSHIP TO DATABASE ROLE", 2),
    "share_contents": ("GRANT USAGE ON FUNCTION shared() TO SHARE s", "GRANT ON FUNCTION TO SHARE", 2),
    "share_providers": ("CREATE DATABASE d FROM LISTING 'x'", "CREATE DATABASE ... FROM LISTING", 2),
    "policy_kinds": ("ALTER TABLE t SET AGGREGATION POLICY a", "AGGREGATION POLICY", 2),
    "account_policies": ("ALTER USER admin SET PASSWORD POLICY p", "PASSWORD POLICY", 2),
    "clone_kinds": ("CREATE DATABASE ROLE c CLONE r", "CREATE DATABASE ROLE ... CLONE", 2),
    "tag_propagation": ("CREATE TAG p PROPAGATE = ON_DATA_MOVEMENT", "PROPAGATE of a tag", 2),
    "lineage_models": (
        "SELECT * FROM TABLE(SNOWFLAKE.CORE.GET_LINEAGE('m', 'MODULE', 'UPSTREAM'))",
        "domain MODULE",
        2,
    ),
    "event_table": ("ALTER ACCOUNT SET EVENT_TABLE = tests.public.mine", "an EVENT_TABLE other than", 2),
    "profiler": ("ALTER SESSION SET ACTIVE_PYTHON_PROFILER = 'LINE'", "ACTIVE_PYTHON_PROFILER", 1420),
    "nesting": ("SELECT " + "(" * 1600 + "1" + ")" * 1600, "nested 1600 levels deep", 1002),
}


@pytest.mark.parametrize("key", REFUSED)
def test_refused_by_name(connection: SnowflakeConnection, key: str) -> None:
    statement, text, code = REFUSED[key]
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (a INT)")
    if key == "triggered_tasks":
        cursor.execute("CREATE TASK triggered WHEN SYSTEM$STREAM_HAS_DATA('s') AS SELECT 1")
    if key == "owner_roles":
        cursor.execute("CREATE OR REPLACE DATABASE ROLE r")
    if key == "share_contents":
        cursor.execute("CREATE OR REPLACE SHARE s")
        cursor.execute("CREATE FUNCTION shared() RETURNS INT AS '1'")
    with pytest.raises(ProgrammingError) as raised:
        cursor.execute(statement)
    assert raised.value.errno == code
    assert text in str(raised.value.msg)
    assert cursor.execute("SELECT count(*) FROM t").fetchone() == (0,)


def _value(connection: SnowflakeConnection, sql: str) -> object:
    return connection.cursor().execute(sql).fetchone()[0]  # type: ignore[index,union-attr]


def test_microseconds(connection: SnowflakeConnection) -> None:
    assert _value(connection, "SELECT TO_CHAR('2020-01-01 00:00:00.123456789'::TIMESTAMP_NTZ, 'FF9')") == "123456000"


@pytest.fixture
def nobody(connection: SnowflakeConnection) -> Iterator[SnowflakeCursor]:
    """The administrator's session, of which the role NOBODY may use the schema."""
    cursor = connection.cursor()
    for statement in (
        "CREATE TABLE secret (a INT)", "CREATE OR REPLACE ROLE nobody", "GRANT ROLE nobody TO USER admin",
        "GRANT USAGE ON WAREHOUSE compute_wh TO ROLE nobody", f"GRANT USAGE ON DATABASE {connection.database} TO ROLE nobody",
        f"GRANT USAGE ON SCHEMA {connection.database}.{connection.schema} TO ROLE nobody", "USE SECONDARY ROLES NONE",
    ):  # fmt: skip
        cursor.execute(statement)
    yield cursor
    cursor.execute("USE ROLE accountadmin")
    cursor.execute("DROP ROLE nobody")


def test_grantors(nobody: SnowflakeCursor) -> None:
    for statement in (
        "GRANT SELECT ON TABLE secret TO ROLE nobody", "GRANT MANAGE GRANTS ON ACCOUNT TO ROLE nobody", "USE ROLE nobody",
        "GRANT SELECT ON TABLE secret TO ROLE nobody", "USE ROLE accountadmin", "REVOKE SELECT ON TABLE secret FROM ROLE nobody",
    ):  # fmt: skip
        nobody.execute(statement)
    assert [row[1] for row in nobody.execute("SHOW GRANTS ON TABLE secret").fetchall()] == ["OWNERSHIP"]  # type: ignore[union-attr]


def test_reference_rights(nobody: SnowflakeCursor) -> None:
    nobody.execute(
        "CREATE PROCEDURE counts(t VARCHAR) RETURNS INT LANGUAGE SQL AS "
        "'DECLARE n INT; BEGIN SELECT count(*) INTO :n FROM IDENTIFIER(:t); RETURN n; END'"
    )
    for statement in (
        "GRANT OWNERSHIP ON PROCEDURE counts(VARCHAR) TO ROLE nobody",
        "GRANT ROLE nobody TO ROLE accountadmin",
    ):
        nobody.execute(statement)
    with pytest.raises(ProgrammingError, match="does not exist or not authorized"):
        nobody.execute("CALL counts(SYSTEM$REFERENCE('TABLE', 'secret', 'CALL', 'SELECT'))")


def test_server_files(nobody: SnowflakeCursor, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1\n")
    read = f"SELECT $1 FROM 'file://{tmp_path}/a.csv'"
    assert nobody.execute(read).fetchall() == [("1",)]  # type: ignore[union-attr]
    nobody.execute("USE ROLE nobody")
    with pytest.raises(ProgrammingError, match="Insufficient privileges to operate on account"):
        nobody.execute(read)


def test_put_overwrites(connection: SnowflakeConnection, tmp_path: Path) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE STAGE files")
    source = tmp_path / "rows.csv"
    for content in ("1\n", "11\n"):
        source.write_text(content)
        assert _rows(cursor, f"PUT file://{source} @files AUTO_COMPRESS = FALSE")[0][6] == "UPLOADED"
    assert _rows(cursor, "LIST @files")[0][1] == 3


def test_temporary_past(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    large = "AS SELECT SEQ4() AS a FROM TABLE(GENERATOR(ROWCOUNT => 60000))"
    cursor.execute(f"CREATE TEMPORARY TABLE mine {large}")
    cursor.execute("DELETE FROM mine WHERE a = 1")
    with pytest.raises(ProgrammingError, match="a temporary table of more than 20,000 values keeps what it was"):
        cursor.execute(f"SELECT * FROM mine BEFORE (STATEMENT => '{cursor.sfqid}')")
    cursor.execute(f"CREATE OR REPLACE TEMPORARY TABLE mine DATA_RETENTION_TIME_IN_DAYS = 1 {large}")
    cursor.execute("DELETE FROM mine WHERE a = 1")
    found = cursor.execute(f"SELECT count(*) FROM mine BEFORE (STATEMENT => '{cursor.sfqid}')")
    assert found is not None
    assert found.fetchall() == [(60000,)]


def test_stream_net(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t AS SELECT 1 AS a")
    cursor.execute("CREATE STREAM s ON TABLE t")
    cursor.execute("UPDATE t SET a = 1")
    assert _value(connection, "SELECT count(*) FROM s") == 0


def test_stream_rewritten(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (a NUMBER(5, 0))")
    cursor.execute("CREATE STREAM s ON TABLE t")
    cursor.execute("ALTER TABLE t ALTER COLUMN a SET DATA TYPE NUMBER(9, 0)")
    with pytest.raises(ProgrammingError, match="has become stale"):
        cursor.execute("SELECT * FROM s")


def test_task_compute(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TASK serverless USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE = 'LARGE' AS SELECT 1")
    cursor.execute("EXECUTE TASK serverless")
    state = "SELECT max(STATE) FROM TABLE(INFORMATION_SCHEMA.TASK_HISTORY(TASK_NAME => 'serverless')) WHERE SCHEMA_NAME = CURRENT_SCHEMA()"
    for _ in range(100):
        if _value(connection, state) not in (None, "EXECUTING"):
            break
        time.sleep(0.05)
    assert _value(connection, state) == "SUCCEEDED"


def test_block_sample(connection: SnowflakeConnection) -> None:
    sql = "SELECT count(*) FROM (SELECT 1 FROM TABLE(GENERATOR(ROWCOUNT => 10000))) SAMPLE BLOCK (50)"
    assert 4000 < int(str(_value(connection, sql))) < 6000


def _handler(connection: SnowflakeConnection, body: str, properties: str = "") -> object:
    """What a Python function of these lines answers."""
    code = "def run():\n" + "".join(f"    {line}\n" for line in body.splitlines())
    connection.cursor().execute(
        f"CREATE OR REPLACE FUNCTION f() RETURNS VARCHAR LANGUAGE PYTHON RUNTIME_VERSION = '3.11' {properties} "
        f"HANDLER = 'run' AS $$\n{code}$$"
    )
    return _value(connection, "SELECT f()")


def test_package_scope(connection: SnowflakeConnection) -> None:
    assert _handler(connection, "import packaging\nreturn packaging.__name__", "PACKAGES = ()") == "packaging"


def test_artifact_repository(connection: SnowflakeConnection) -> None:
    assert _handler(connection, "return 'ran'", "ARTIFACT_REPOSITORY = nowhere PACKAGES = ('numpy')") == "ran"
    shown = dict(connection.cursor().execute("DESCRIBE FUNCTION f()").fetchall())  # type: ignore[arg-type]
    assert shown["artifact_repository"] == "NOWHERE"


def test_log_level(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("SHOW PARAMETERS LIKE 'LOG_LEVEL'")
    assert cursor.fetchone()[1:3] == ("INFO", "INFO")  # type: ignore[index]
    _handler(connection, "import sys\nprint('out')\nprint('err', file=sys.stderr)\nreturn ''")
    cursor.execute(
        "SELECT scope:name::string, record:severity_text::string, value::string FROM snowflake.telemetry.events "
        f"WHERE resource_attributes:\"snow.schema.name\" = '{connection.schema}' ORDER BY timestamp"
    )
    assert cursor.fetchall() == [("stdout", "INFO", "out"), ("stderr", "ERROR", "err")]


@pytest.mark.skipif(sys.platform != "linux", reason="handlers are fenced on Linux only")
def test_handler_network(connection: SnowflakeConnection) -> None:
    connection.cursor().execute("CREATE OR REPLACE EXTERNAL ACCESS INTEGRATION everywhere ENABLED = TRUE")
    answer = _handler(
        connection,
        "import socket\ntry:\n    socket.socket()\nexcept OSError as error:\n    return str(error)\nreturn 'open'",
        "EXTERNAL_ACCESS_INTEGRATIONS = (everywhere)",
    )
    assert answer == "[Errno 1] Operation not permitted"


@pytest.mark.skipif(sys.platform != "linux", reason="handlers are fenced on Linux only")
def test_handler_file_modes(connection: SnowflakeConnection) -> None:
    body = (
        "import os\nopen('f', 'w').close()\nbefore = os.stat('f')\nos.chmod('f', 0o777)\nos.utime('f', (1, 1))\n"
        "after = os.stat('f')\nreturn str((before.st_mode, before.st_mtime) == (after.st_mode, after.st_mtime))"
    )
    assert _handler(connection, body) == "True"


def test_vectorized_integers(connection: SnowflakeConnection) -> None:
    connection.cursor().execute(
        "CREATE OR REPLACE FUNCTION kind(a INT) RETURNS VARCHAR LANGUAGE PYTHON RUNTIME_VERSION = '3.11' "
        "PACKAGES = ('pandas') HANDLER = 'run' AS $$\nimport pandas\nfrom _snowflake import vectorized\n"
        "@vectorized(input=pandas.DataFrame)\ndef run(frame):\n    return frame[0].map(lambda _: str(frame[0].dtype))\n$$"
    )
    assert _value(connection, "SELECT kind(1)") == "int64"


def test_warehouse_need(connect: Callable[..., SnowflakeConnection], schema: str) -> None:
    connection = connect(warehouse="NONE_OF_THIS_NAME", database=schema.partition(".")[0])
    assert _value(connection, "SELECT COUNT(*) >= 0 FROM INFORMATION_SCHEMA.TABLES") is True
    assert _value(connection, "SELECT COUNT(*) FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))") == 1
    assert _value(connection, "SELECT COUNT(*) FROM TABLE(GENERATOR(ROWCOUNT => 3))") == 3


def test_warehouse_engine(tmp_path: Path) -> None:
    with closing(Engine.open(tmp_path)) as engine:  # one for all warehouses
        for threads in (1, 2):
            engine.resize(threads, 0.5)
            assert engine.cursor().execute("SELECT current_setting('threads')").fetchall() == [(threads,)]


def test_telemetry(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("SHOW PARAMETERS LIKE 'CLIENT_TELEMETRY_ENABLED'")
    assert cursor.fetchone()[1] == "false"  # type: ignore[index]


def test_async_jobs(connection: SnowflakeConnection) -> None:
    connection.cursor().execute("CREATE TABLE t (a INT)")
    started = "LET r RESULTSET := ASYNC (INSERT INTO t VALUES (1)); LET n := (SELECT COUNT(*) FROM t);"
    assert _value(connection, f"BEGIN {started} AWAIT r; RETURN n; END") == 1


def _procedure(connection: SnowflakeConnection, name: str, returns: str, *body: str) -> None:
    code = "".join(f"    {line}\n" for line in body)
    connection.cursor().execute(
        f"CREATE OR REPLACE PROCEDURE {name} RETURNS {returns} LANGUAGE PYTHON RUNTIME_VERSION = '3.11' "
        f"PACKAGES = ('snowflake-snowpark-python') HANDLER = 'run' AS $$\ndef run(session, *arguments):\n{code}$$"
    )


def test_table_functions_over(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute(
        "CREATE FUNCTION f(a INT) RETURNS TABLE (b INT) LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'F' AS 'class F: pass'"
    )
    cursor.execute("CREATE OR REPLACE TABLE t (a INT)")
    for statement in (
        "SELECT * FROM t LEFT JOIN TABLE(f(a) OVER (PARTITION BY a))",
        "SELECT (SELECT SUM(b) FROM t AS u, TABLE(f(t.a) OVER (PARTITION BY u.a))) FROM t",
    ):
        with pytest.raises(ProgrammingError, match="OVER") as caught:
            cursor.execute(statement)
        assert caught.value.errno == 2


def test_procedure_depth(connection: SnowflakeConnection) -> None:
    _procedure(connection, "p(n INT)", "INT", "return 0 if arguments[0] == 1 else session.call('p', arguments[0] - 1)")
    assert _value(connection, "CALL p(16)") == 0
    with pytest.raises(ProgrammingError, match="at most 16 calls"):
        connection.cursor().execute("CALL p(17)")


def test_procedure_transaction(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TEMPORARY TABLE t (a INT)")
    _procedure(connection, "p()", "INT", "session.sql('BEGIN').collect()", "return session.table('t').count()")
    cursor.execute("BEGIN")
    with pytest.raises(ProgrammingError, match="in function P"):
        cursor.execute("CALL p()")


def test_table_procedures(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (a INT)")
    insert = "session.sql('INSERT INTO t VALUES (1)').collect()"
    _procedure(connection, "p()", "TABLE()", insert, "return session.sql('SELECT 1 AS a')")
    cursor.describe("SELECT * FROM TABLE(p())")
    assert _value(connection, "SELECT COUNT(*) FROM t") == 1


def test_result_files(connection: SnowflakeConnection) -> None:
    body = "from snowflake.snowpark.files import SnowflakeFile\nSnowflakeFile.open_new_result()"
    with pytest.raises(ProgrammingError, match=r"SnowflakeFile\.open_new_result"):
        _handler(connection, body, "PACKAGES = ('snowflake-snowpark-python')")


def test_tag_values(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TAG color ALLOWED_VALUES 'red'")
    with pytest.raises(ProgrammingError, match="Value 'blue' is not allowed for tag") as raised:
        cursor.execute("CREATE TABLE t (a INT) WITH TAG (color = 'blue')")
    assert raised.value.errno == 1008


def test_tag_on_column(connection: SnowflakeConnection) -> None:
    connection.cursor().execute("CREATE TAG color")
    assert _value(connection, "SELECT SYSTEM$GET_TAG_ON_CURRENT_COLUMN('color')") is None


def test_policy_grants(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (a INT)")
    cursor.execute("CREATE ROW ACCESS POLICY p AS (n NUMBER) RETURNS BOOLEAN -> n IN (SELECT a FROM t)")
    cursor.execute("ALTER TABLE t ADD ROW ACCESS POLICY p ON (a)")
    with pytest.raises(ProgrammingError, match="reads what it protects"):
        cursor.execute("SELECT * FROM t")


def test_network_policies(connection: SnowflakeConnection, connect: Callable[..., SnowflakeConnection]) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE USER walker")
    try:
        secret = _rows(cursor, "ALTER USER walker ADD PROGRAMMATIC ACCESS TOKEN t")[0][1]
        walker = connect(
            user="walker", authenticator="PROGRAMMATIC_ACCESS_TOKEN", token=secret, password=None, role="PUBLIC"
        )
        assert _value(walker, "SELECT CURRENT_USER()") == "WALKER"
    finally:
        cursor.execute("DROP USER walker")


def _rows(cursor: SnowflakeCursor, sql: str) -> list[tuple]:
    cursor.execute(sql)
    return cursor.fetchall()  # type: ignore[return-value]


def test_access_history(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (a INT, b INT)")
    cursor.execute("CREATE FUNCTION f() RETURNS NUMBER AS 'SELECT MAX(b) FROM t'")
    cursor.execute("SELECT f()")
    cursor.execute(
        "SELECT OBJECT_MODIFIED_BY_DDL, DIRECT_OBJECTS_ACCESSED[0]:objectName::VARCHAR, "
        "DIRECT_OBJECTS_ACCESSED[0]:columns[0]:columnId::INT, ARRAY_SIZE(DIRECT_OBJECTS_ACCESSED) "
        f"FROM SNOWFLAKE.ACCOUNT_USAGE.ACCESS_HISTORY WHERE QUERY_ID = '{cursor.sfqid}'"
    )
    assert cursor.fetchall() == [(None, f"{connection.database}.{connection.schema}.T", 2, 1)]


def test_page_and_cases_agree() -> None:
    rows = set(re.findall(r"^\| ([a-z_]+) \|", PAGE.read_text(), re.MULTILINE)) - {"key"}
    shown = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert rows == set(REFUSED) | shown - {"refused_by_name", "page_and_cases_agree"}
