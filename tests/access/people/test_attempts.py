"""Attempts to get in: each is refused, or does no more than it may."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import Error, ProgrammingError

from polynya.server.local import Warehouse
from tests.access.people.conftest import PASSWORD, Login, Person, refused, rows
from tests.server.conftest import Http

Connect = Callable[..., SnowflakeConnection]

# --- SQL through identifiers and binds ------------------------------------------------------------------------------------

NASTY = [
    "x'; DROP TABLE victim; --",
    'x" (a INT); DROP TABLE victim; --',
    "x\\'; DROP TABLE victim; --",
    "$$; DROP TABLE victim; $$",
    "x /* */ -- ; //",
    "'' OR 1 = 1 --",
    "\\",
    "?:1%s%(a)s{0}$1@~/..",
]


@pytest.mark.parametrize("style", ["pyformat", "qmark", "numeric"])
def test_values(connect: Connect, schema: str, style: str) -> None:
    client = connect(paramstyle=style, database=schema.partition(".")[0], schema=schema.partition(".")[2])
    sign = {"pyformat": "%s", "qmark": "?", "numeric": ":1"}[style]
    cursor = client.cursor()
    cursor.execute("CREATE TABLE victim (a VARCHAR)")
    for value in NASTY:
        cursor.execute(f"INSERT INTO victim SELECT {sign}", (value,))
        assert cursor.execute(f"SELECT a FROM victim WHERE a = {sign}", (value,)).fetchall() == [(value,)]
        assert cursor.execute(f"SHOW TABLES LIKE {sign}", (value,)).fetchall() == []
    assert cursor.execute("SELECT COUNT(*) FROM victim").fetchone() == (len(NASTY),)


def test_names(connection: SnowflakeConnection) -> None:
    """Names with anything in them stay names, in the engine too."""
    rows(connection, "CREATE TABLE victim (a INT)")
    for name in NASTY[1:4]:
        quoted = '"' + name.replace('"', '""') + '"'
        rows(
            connection,
            f"CREATE TABLE {quoted} ({quoted} VARCHAR, k INT)",
            f"INSERT INTO {quoted} VALUES ('v', 1)",
            f"UPDATE {quoted} SET {quoted} = {quoted} || 'w'",
            f"ALTER TABLE {quoted} ADD COLUMN more INT",
            f"CREATE VIEW v AS SELECT {quoted} AS {quoted} FROM {quoted}",
        )
        assert rows(connection, f"SELECT t.{quoted} FROM v AS t GROUP BY {quoted}") == [("vw",)]
        assert rows(
            connection, f"SELECT * FROM (SELECT {quoted}, k FROM {quoted}) PIVOT (SUM(k) FOR {quoted} IN (ANY))"
        ) == [(1,)]
        rows(connection, f"CREATE STAGE {quoted}", f"COPY INTO @{quoted}/o FROM {quoted}", f"REMOVE @{quoted}")
        rows(connection, f'CREATE TABLE {quoted[:-1]}2" CLONE {quoted}', f'DROP TABLE {quoted[:-1]}2"')
        rows(connection, "DROP VIEW v", f"DROP STAGE {quoted}", f"DROP TABLE {quoted}")
    assert rows(connection, "SHOW TABLES")[0][1] == "VICTIM"


INJECTED = [
    "victim TO ROLE public --", "victim, other", "victim; DROP TABLE victim", "victim /*", "(SELECT 1)", "victim RENAME TO taken",
    "", "'victim'",
]  # fmt: skip


def test_identifier_of_a_bind_is_one_name(connect: Connect, schema: str) -> None:
    client = connect(paramstyle="qmark", database=schema.partition(".")[0], schema=schema.partition(".")[2])
    cursor = client.cursor()
    cursor.execute("CREATE TABLE victim (a INT)")
    for value in INJECTED:
        for statement in (
            "GRANT SELECT ON TABLE IDENTIFIER(?) TO ROLE sysadmin", "DROP TABLE IDENTIFIER(?)", "SELECT * FROM IDENTIFIER(?)",
            "ALTER TABLE IDENTIFIER(?) SET COMMENT = 'x'", "INSERT INTO IDENTIFIER(?) VALUES (1)",
        ):  # fmt: skip
            if value == "victim TO ROLE public --" and not statement.startswith("GRANT"):
                continue
            with pytest.raises(ProgrammingError):
                cursor.execute(statement, (value,))
    cursor.execute("SHOW GRANTS ON TABLE victim")
    assert {row[1] for row in cursor.fetchall()} == {"OWNERSHIP"}
    assert cursor.execute("SELECT COUNT(*) FROM victim").fetchone() == (0,)
    with pytest.raises(Error):
        client.cursor().execute("ALTER SESSION SET TIMEZONE = 'UTC''; DROP TABLE victim; --'")
    cursor.execute("SET t = 'victim TO ROLE public --'")
    with pytest.raises(ProgrammingError):
        cursor.execute("GRANT SELECT ON TABLE IDENTIFIER($t) TO ROLE sysadmin")


def test_bytes_in_a_dynamic_pivot(connection: SnowflakeConnection) -> None:
    """Values that become part of a statement are literals, whatever bytes they have."""
    rows(connection, "CREATE TABLE t (b BINARY, n INT)", "INSERT INTO t SELECT TO_BINARY('x'' OR 1=1 --', 'UTF-8'), 1")
    assert rows(connection, "SELECT * FROM t PIVOT (SUM(n) FOR b IN (ANY))") == [(1,)]


# Texts that end a literal or a quoted name of the engine and go on with a query of their own.
_BREAK = "x' || (SELECT chr(80) || chr(87)) || '"
_BREAK_NAME = 'x" || (SELECT chr(80) || chr(87)) || "'
BROKEN_OUT = [
    "SELECT TO_CHAR(1.5, {t})", "SELECT TO_CHAR(CURRENT_TIMESTAMP(), {t})", "SELECT TO_DATE('2020', {t})",
    "SELECT DATE_TRUNC({t}, CURRENT_DATE())", "SELECT DATEADD({t}, 1, CURRENT_DATE())", "SELECT CURRENT_DATE() + INTERVAL {t}",
    "SELECT CONVERT_TIMEZONE({t}, CURRENT_TIMESTAMP())", "SELECT GET_PATH(PARSE_JSON('{{}}'), {t})",
    "SELECT PARSE_JSON('{{}}'):{n}", "SELECT REGEXP_SUBSTR('abc', {t}, 1, 1, {t})", "SELECT 'abc' COLLATE {t}",
    "SELECT LISTAGG('a', {t})", "SELECT XMLGET(PARSE_XML('<a/>'), {t})", "SELECT TO_BINARY('aa', {t})",
    "SELECT * FROM TABLE(FLATTEN(INPUT => PARSE_JSON('{{}}'), PATH => {t}, MODE => {t}))",
    "SELECT * FROM TABLE(SPLIT_TO_TABLE('a,b', {t}))", "SELECT * FROM TABLE(RESULT_SCAN({t}))",
    "SELECT * FROM victim AT (STATEMENT => {t})", "SELECT * FROM victim PIVOT (COUNT(*) FOR a IN ({t} AS {n}))",
    "SELECT {n} FROM (SELECT 1 AS {n}) AS {n}", "SELECT * RENAME (a AS {n}) FROM victim",
    "ALTER SESSION SET TIMEZONE = {t}", "ALTER SESSION SET DATE_OUTPUT_FORMAT = {t}", "SELECT TO_CHAR(CURRENT_DATE())",
    "ALTER SESSION UNSET DATE_OUTPUT_FORMAT", "SHOW TABLES LIKE {t}", "COMMENT ON TABLE victim IS {t}",
    "COPY INTO @s/a FROM (SELECT 1) FILE_FORMAT = (TYPE = CSV FIELD_DELIMITER = {t} NULL_IF = ({t}) DATE_FORMAT = {t})",
    "COPY INTO victim FROM @s FILE_FORMAT = (TYPE = CSV RECORD_DELIMITER = {t} NULL_IF = ({t})) FORCE = TRUE",
    "COPY INTO victim FROM @s FILE_FORMAT = (TYPE = CSV ENCODING = {t})", "COPY INTO victim FROM @s PATTERN = {t}",
    "SELECT METADATA$FILENAME, $1 FROM @s (PATTERN => {t})", "CREATE TABLE d (a VARCHAR DEFAULT {t} COMMENT {t})",
    "INSERT INTO d VALUES (DEFAULT)", "SELECT SYSTEM$GET_TAG({t}, {t}, 'table')", "SELECT GET_DDL('table', {t})",
]  # fmt: skip


def test_nothing_breaks_out_into_the_engine(connection: SnowflakeConnection) -> None:
    rows(connection, "CREATE TABLE victim (a VARCHAR)", "CREATE STAGE s", "COPY INTO @s/f.csv FROM (SELECT 'v')")
    text = "'" + _BREAK.replace("'", "''") + "'"
    name = '"' + _BREAK_NAME.replace('"', '""') + '"'
    for statement in BROKEN_OUT:
        try:
            answer = str(rows(connection, statement.format(t=text, n=name)))
        except Error as error:
            assert error.errno != 603, (statement, error)
            answer = str(error)
        assert "xPW" not in answer, (statement, answer)


# --- paths ----------------------------------------------------------------------------------------------------------------

OUTSIDE = ["../x", "a/../../x", "..", "a/..", "..\\x", "/../x", "%2e%2e/../x"]


def test_stage_paths(connection: SnowflakeConnection, tmp_path: Path) -> None:
    source = tmp_path / "f.csv"
    source.write_text("1\n")
    rows(connection, "CREATE STAGE s", "CREATE TABLE t (a VARCHAR)")
    for path in OUTSIDE:
        for statement in (
            f"LIST '@s/{path}'", f"REMOVE '@s/{path}'", f"PUT 'file://{source}' '@s/{path}'", f"GET '@s/{path}' 'file://{tmp_path}'",
            f"COPY INTO t FROM '@s/{path}'", f"COPY INTO '@s/{path}' FROM t", f"SELECT $1 FROM '@s/{path}'",
            f"LIST '@~/{path}'", f"COPY FILES INTO @s FROM '@s/{path}'",
        ):  # fmt: skip
            with pytest.raises(Error) as caught:
                rows(connection, statement.replace("\\", "\\\\"))
            assert caught.value.errno in (1014, 2003, 253003, 253006), (statement, caught.value)


def test_users_that_are_called_like_folders(connection: SnowflakeConnection, login: Login) -> None:
    """A user's stage is a folder of its own, whatever the name; a later user of the name does not find its files."""
    for name in ("..", "."):
        rows(connection, f"CREATE USER \"{name}\" PASSWORD = '{PASSWORD}'")
        own = login(user=name, password=PASSWORD)
        assert rows(own, "LIST @~") == []
        own.close()
        rows(connection, f'DROP USER "{name}"')
    again = "access_again"
    for found in (0, 0):
        rows(connection, f"CREATE USER {again} PASSWORD = '{PASSWORD}'")
        own = login(user=again, password=PASSWORD)
        assert len(rows(own, "LIST @~")) == found
        rows(own, "COPY INTO @~/mine.csv FROM (SELECT 'secret')")
        query = rows(own, "SELECT 'secret'", "SELECT LAST_QUERY_ID(-2)")[0][0]
        own.close()
        rows(connection, f"DROP USER {again}")
    rows(connection, f"CREATE USER {again} PASSWORD = '{PASSWORD}'")
    refused(login(user=again, password=PASSWORD), f"SELECT * FROM TABLE(RESULT_SCAN('{query}'))", 709)
    rows(connection, f"DROP USER {again}")


def test_links_in_a_stage(connection: SnowflakeConnection, warehouse: Warehouse) -> None:
    """A client on this machine may have put a link into a stage's folder; imports do not follow it."""
    rows(
        connection,
        "CREATE STAGE s",
        "COPY INTO @s/f.txt FROM (SELECT 1) SINGLE = TRUE FILE_FORMAT = (COMPRESSION = NONE)",
    )
    folder = next(path for path in (warehouse.home.path / "stages" / "named").iterdir() if (path / "f.txt").exists())
    (folder / "link.py").symlink_to(warehouse.home.path / "owner.key")
    (folder / "out").symlink_to(warehouse.home.path)
    make = "CREATE FUNCTION f() RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'f' IMPORTS = ('{}') AS 'def f(): return 1'"
    for name in ("@s/link.py", "@s/out/owner.key", "@s/out/"):
        refused(connection, make.format(name), 1304, "File not found")
    for place in ("@s", "@s/out/", "@s/link"):
        assert [row[0] for row in rows(connection, f"LIST {place}")] == (["s/f.txt"] if place == "@s" else [])


# --- tokens ---------------------------------------------------------------------------------------------------------------


def test_tokens_of_another_server(warehouse: Warehouse) -> None:
    with Warehouse() as other:
        elsewhere = Http(other.connection_parameters)
        elsewhere.login()
        here = Http(warehouse.connection_parameters)
        here.token, here.master = elsewhere.token, elsewhere.master
        assert here.query("SELECT 1")["code"] == "390111"
        renewal = {"requestType": "RENEW", "oldSessionToken": here.token}
        assert here.call("POST", "/session/token-request", renewal, token=here.master)["code"] == "390114"
        assert elsewhere.query("SELECT 1")["success"]


def test_tokens_after_logout_and_bent_ones(warehouse: Warehouse) -> None:
    client = Http(warehouse.connection_parameters)
    client.login()
    token, master = client.token, client.master
    for bent in (token[:-1], token + "x", token.swapcase(), token.replace("hint:0", "hint:1"), '"', ""):
        client.token = bent
        assert client.query("SELECT 1")["code"] in ("390111", "390104")
    client.token = token
    assert client.call("POST", "/session?delete=true", {})["success"]
    for path in ("/queries/v1/query-request", "/session/heartbeat", "/queries/v1/abort-request"):
        assert client.call("POST", path, {"sqlText": "SELECT 1"})["code"] == "390111"
    assert client.call("POST", "/session/token-request", {}, token=master)["code"] == "390114"


# --- roles ----------------------------------------------------------------------------------------------------------------


def test_roles_that_were_not_granted(
    connection: SnowflakeConnection, person: Person, reader: SnowflakeConnection, login: Login
) -> None:
    with pytest.raises(Error) as caught:
        login(user=person.name, password=PASSWORD, role="ACCOUNTADMIN")
    assert caught.value.errno == 390189
    for statement in ("USE ROLE accountadmin", 'USE ROLE "ACCOUNTADMIN"', "USE ROLE IDENTIFIER('accountadmin')"):
        refused(reader, statement, 3013)
    refused(reader, "USE SECONDARY ROLES accountadmin", 2043)
    refused(reader, "GRANT ROLE accountadmin TO USER " + person.name, 3001)
    # A role whose name holds another's gives nothing of it.
    trick = f"{person.role},ACCOUNTADMIN"
    rows(connection, f'CREATE ROLE "{trick}"', f'GRANT ROLE "{trick}" TO USER {person.name}')
    refused(reader, f'USE SECONDARY ROLES "{trick}"', 2)
    rows(connection, f'DROP ROLE "{trick}"')


def test_owners_rights_end_with_the_procedure(
    connection: SnowflakeConnection, person: Person, reader: SnowflakeConnection
) -> None:
    rows(connection, "CREATE TABLE vault (a INT)", "INSERT INTO vault VALUES (7)")
    owner = "CREATE PROCEDURE peek() RETURNS INT EXECUTE AS OWNER AS 'BEGIN LET n := (SELECT MAX(a) FROM vault); RETURN n; END'"
    rows(connection, owner)
    rows(
        connection,
        "CREATE PROCEDURE run(q VARCHAR) RETURNS VARCHAR EXECUTE AS CALLER AS 'BEGIN EXECUTE IMMEDIATE :q; RETURN CURRENT_ROLE(); END'",
        "CREATE PROCEDURE as_owner(q VARCHAR) RETURNS VARCHAR EXECUTE AS OWNER AS 'BEGIN EXECUTE IMMEDIATE :q; RETURN 1; END'",
    )
    for name in ("peek()", "run(VARCHAR)", "as_owner(VARCHAR)"):
        rows(connection, f"GRANT USAGE ON PROCEDURE {name} TO ROLE {person.role}")
    assert rows(reader, "CALL peek()") == [(7,)]
    refused(reader, "SELECT * FROM vault", 2003)
    assert rows(reader, "SELECT CURRENT_ROLE()") == [(person.role,)]
    for statement in ("SELECT * FROM vault", "USE ROLE accountadmin"):
        with pytest.raises(ProgrammingError):
            rows(reader, f"CALL run('{statement}')")
    for statement in (
        "USE ROLE accountadmin",
        "USE SECONDARY ROLES ALL",
        f"ALTER USER {person.name} SET DEFAULT_ROLE = ACCOUNTADMIN",
    ):
        refused(reader, f"CALL as_owner('{statement}')", 90236)
    assert rows(reader, "SELECT CURRENT_ROLE(), IS_ROLE_IN_SESSION('ACCOUNTADMIN')") == [(person.role, False)]


# --- what belongs to another ------------------------------------------------------------------------------------------------


def test_another_users_temporary_objects_and_results(
    connection: SnowflakeConnection, person: Person, reader: SnowflakeConnection, warehouse: Warehouse
) -> None:
    rows(connection, f"GRANT ALL ON SCHEMA {connection.schema} TO ROLE {person.role}")
    rows(
        connection,
        "CREATE TEMPORARY STAGE mine",
        "CREATE TEMPORARY TABLE notes AS SELECT 'secret' AS a",
        "COPY INTO @mine/f FROM notes",
    )
    for statement in (
        "LIST @mine",
        "SELECT $1 FROM @mine",
        "GET @mine 'file:///tmp'",
        "SELECT * FROM notes",
        "DROP STAGE mine",
    ):
        refused(reader, statement, 2003)
    cursor = connection.cursor()
    cursor.execute("SELECT SEQ4() AS a, 'secret' AS b FROM TABLE(GENERATOR(ROWCOUNT => 100000))")
    query_id = cursor.sfqid
    refused(reader, f"SELECT * FROM TABLE(RESULT_SCAN('{query_id}'))", 709)
    other = Http({**warehouse.connection_parameters, "user": person.name, "password": PASSWORD})
    assert other.login()["success"]
    assert other.call("GET", f"/queries/{query_id}/result")["code"] == "000709"
    assert other.call("GET", f"/monitoring/queries/{query_id}")["data"]["queries"] == []
    other.call("POST", "/session?delete=true", {})


def test_another_users_statement_is_not_aborted(
    connection: SnowflakeConnection, person: Person, reader: SnowflakeConnection, warehouse: Warehouse
) -> None:
    cursor = connection.cursor()
    cursor.execute_async("SELECT SYSTEM$WAIT(1)")
    query_id = cursor.sfqid
    other = Http({**warehouse.connection_parameters, "user": person.name, "password": PASSWORD})
    other.login()
    assert other.call("POST", f"/queries/{query_id}/abort-request", {})["code"] == "000605"
    assert other.call("POST", "/queries/v1/abort-request", {"requestId": str(uuid.uuid4())})["code"] == "000605"
    for statement in (
        f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')",
        f"SELECT SYSTEM$CANCEL_ALL_QUERIES({connection.session_id})",
    ):
        rows(reader, statement)
    refused(reader, "ALTER USER admin ABORT ALL QUERIES", 3001)
    cursor.get_results_from_sfqid(str(query_id))
    assert cursor.fetchall()
    other.call("POST", "/session?delete=true", {})


OPENS = """CREATE OR REPLACE FUNCTION {name}(p VARCHAR) RETURNS VARCHAR LANGUAGE PYTHON RUNTIME_VERSION = '3.11'
PACKAGES = ('snowflake-snowpark-python') HANDLER = 'run' AS $$
from snowflake.snowpark.files import SnowflakeFile
def run(p):
    with SnowflakeFile.open(p, require_scoped_url=False) as f:
        return f.read()
$$"""


def test_a_handler_opens_what_its_caller_may(
    connection: SnowflakeConnection, person: Person, reader: SnowflakeConnection
) -> None:
    rows(connection, f"GRANT CREATE FUNCTION ON SCHEMA {connection.schema} TO ROLE {person.role}")
    rows(
        connection,
        "CREATE STAGE closed",
        "COPY INTO @closed/f.txt FROM (SELECT 'secret') SINGLE = TRUE FILE_FORMAT = (COMPRESSION = NONE)",
    )
    scoped = rows(connection, "SELECT BUILD_SCOPED_FILE_URL(@closed, 'f.txt')")[0][0]
    file_url = rows(connection, "SELECT BUILD_STAGE_FILE_URL(@closed, 'f.txt')")[0][0]
    rows(reader, OPENS.format(name="peek"))
    full = f"{connection.database}.{connection.schema}.closed"
    for address in (f"@{full}/f.txt", file_url, scoped, "/etc/passwd", "file:///etc/passwd", f"@{full}/../f.txt"):
        with pytest.raises(ProgrammingError) as caught:
            rows(reader, f"SELECT peek('{address}')")
        assert "secret" not in str(caught.value.msg)
        assert "root:" not in str(caught.value.msg)
    for statement in (
        "SELECT BUILD_SCOPED_FILE_URL(@closed, 'f.txt')", "SELECT $1 FROM @closed",
        "CREATE FUNCTION g() RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'f' IMPORTS = ('@closed/f.txt') AS 'def f(): return 1'",
        "LIST @closed", "GET @closed 'file:///tmp'", "COPY FILES INTO @~ FROM @closed",
    ):  # fmt: skip
        refused(reader, statement, 2003)
    rows(connection, f"GRANT READ ON STAGE closed TO ROLE {person.role}")
    assert rows(reader, f"SELECT peek('@{full}/f.txt')") == [("secret\n",)]
    refused(reader, "PUT 'file:///etc/hostname' @closed", 3001)
    refused(reader, "COPY INTO 'file:///tmp/out' FROM (SELECT 1)", 3001)
    refused(reader, "COPY INTO @closed/x FROM (SELECT 1)", 3001)
