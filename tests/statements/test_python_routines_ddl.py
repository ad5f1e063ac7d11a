"""Functions and procedures in Python and SQL as objects: made, refused, shown, described, altered, written, dropped."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from snowflake.connector import DatabaseError, SnowflakeConnection
from snowflake.snowpark import Session
from snowflake.snowpark.types import IntegerType, StringType

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
OTHER_VERSION = f"{sys.version_info.major}.{sys.version_info.minor + 1}"
PYTHON = f"LANGUAGE PYTHON RUNTIME_VERSION = '{VERSION}'"
BODY = "AS $$\ndef f(*a):\n    return 1\n$$"
PROCEDURE_PYTHON = f"{PYTHON} PACKAGES = ('snowflake-snowpark-python')"

CREATED = [
    f"CREATE FUNCTION f(a INT) RETURNS INT {PYTHON} HANDLER = 'f' {BODY}",
    f"CREATE OR REPLACE SECURE FUNCTION f() RETURNS VARIANT NOT NULL LANGUAGE PYTHON STRICT IMMUTABLE RUNTIME_VERSION={VERSION} HANDLER='f' COMMENT='c' {BODY}",
    f"CREATE TEMP FUNCTION f(a INT, b VARCHAR DEFAULT 'x') RETURNS INT {PYTHON} CALLED ON NULL INPUT VOLATILE HANDLER = 'f' {BODY}",
    f"CREATE  SCOPED TEMPORARY FUNCTION IF NOT EXISTS f(input INT, IN b INT) COPY GRANTS RETURNS INT {PYTHON} MEMOIZABLE HANDLER = 'f' {BODY}",
    f"CREATE FUNCTION f(a INT) RETURNS TABLE (x INT, y VARCHAR(10) NOT NULL) {PYTHON} HANDLER = 'F' AS 'class F: pass'",
    f"CREATE OR REPLACE TEMPORARY  AGGREGATE FUNCTION IF NOT EXISTS f(a INT) RETURNS INT {PYTHON} HANDLER = 'F' AS 'class F: pass'",
    f"CREATE FUNCTION f(a NUMBER(10,2)) RETURNS ARRAY {PYTHON} PACKAGES = ('numpy', 'pandas>=2,<99', 'cloudpickle==*') HANDLER = 'f' {BODY}",
    f"CREATE FUNCTION f(a INT) RETURNS INT {PYTHON} ARTIFACT_REPOSITORY = snowflake.snowpark.pypi_shared_repository PACKAGES = () HANDLER = 'f' {BODY}",
    f"CREATE FUNCTION f(a INT) RETURNS INT {PYTHON} EXTERNAL_ACCESS_INTEGRATIONS = (net) SECRETS = ('cred' = my_secret) RESOURCE_CONSTRAINT = (architecture='x86') HANDLER = 'f' {BODY}",
    f"CREATE PROCEDURE p(a INT) RETURNS TABLE () {PROCEDURE_PYTHON} HANDLER = 'f' EXECUTE AS RESTRICTED CALLER {BODY}",
    f"CREATE OR REPLACE TEMPORARY PROCEDURE p() RETURNS STRING {PROCEDURE_PYTHON} HANDLER='f'\nEXECUTE AS CALLER\n{BODY}",
    "CREATE PROCEDURE p(a INT) RETURNS INT LANGUAGE SQL EXECUTE AS OWNER AS $$ BEGIN RETURN a; END $$",
    "CREATE PROCEDURE p(a INT) RETURNS INT LANGUAGE SQL AS 'BEGIN RETURN a; END'",
]  # fmt: skip


@pytest.fixture
def granted(connection: SnowflakeConnection) -> None:
    """An integration and a secret."""
    cursor = connection.cursor()
    cursor.execute("CREATE EXTERNAL ACCESS INTEGRATION IF NOT EXISTS net ENABLED = TRUE")
    cursor.execute("CREATE SECRET my_secret TYPE = GENERIC_STRING SECRET_STRING = 'x'")


@pytest.mark.usefixtures("granted")
@pytest.mark.parametrize("statement", CREATED, ids=lambda text: text[:70])
def test_created(connection: SnowflakeConnection, statement: str) -> None:
    (text,) = connection.cursor().execute(statement).fetchone()  # type: ignore[union-attr,misc]
    kind, name = ("Procedure", "P") if "PROCEDURE" in statement else ("Function", "F")
    assert text == f"{kind} {name} successfully created."


REFUSED = [
    (f"CREATE FUNCTION f() RETURNS INT LANGUAGE PYTHON HANDLER = 'f' {BODY}", 1008, "RUNTIME_VERSION"),
    (f"CREATE FUNCTION f() RETURNS INT {PYTHON} {BODY}", 1008, "HANDLER"),
    (f"CREATE FUNCTION f() RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION='{OTHER_VERSION}' HANDLER='f' {BODY}", 1008, f"runs Python {VERSION} only"),
    (f"CREATE FUNCTION f() RETURNS INT {PYTHON} HANDLER = 'f'", 1008, "neither a body nor IMPORTS"),
    (f"CREATE FUNCTION f() RETURNS INT {PYTHON} PACKAGES = ('no-such-package', 'numpy') HANDLER = 'f' {BODY}", 391546, "no-such-package (not installed)"),
    (f"CREATE FUNCTION f() RETURNS INT {PYTHON} PACKAGES = ('numpy==1.0.0') HANDLER = 'f' {BODY}", 391546, "numpy==1.0.0 (installed: "),
    (f"CREATE FUNCTION f() RETURNS INT {PYTHON} PACKAGES = ('numpy @ https://x') HANDLER = 'f' {BODY}", 1003, "numpy @ https://x"),
    (f"CREATE FUNCTION f() RETURNS INT {PYTHON} IMPORTS = ('@nowhere/m.py') HANDLER = 'm.f'", 2003, "NOWHERE' does not exist"),
    (f"CREATE FUNCTION f() RETURNS INT {PYTHON} IMPORTS = ('@~/missing.py') HANDLER = 'm.f'", 1304, "@~/missing.py"),
    (f"CREATE FUNCTION f() RETURNS INT {PYTHON} IMPORTS = ('@~/../etc/passwd') HANDLER = 'm.f'", 1014, "must not leave its stage"),
    (f"CREATE FUNCTION f() RETURNS INT {PYTHON} IMPORTS = ('/etc/passwd') HANDLER = 'm.f'", 1003, "has to begin with '@'"),
    (f"CREATE FUNCTION f() RETURNS INT {PYTHON} IMPORTS = ('file:///etc/passwd') HANDLER = 'm.f'", 1003, "has to begin with '@'"),
    (f"CREATE FUNCTION f() RETURNS INT {PYTHON} HANDLER = 'f' EXECUTE AS CALLER {BODY}", 1003, "EXECUTE AS"),
    (f"CREATE FUNCTION f() RETURNS TABLE () {PYTHON} HANDLER = 'f' {BODY}", 1003, "has to name its columns"),
    (f"CREATE FUNCTION f() RETURNS INT {PYTHON} EXTERNAL_ACCESS_INTEGRATIONS = (nowhere) HANDLER = 'f' {BODY}", 2003, "Integration 'NOWHERE' does not exist"),
    (f"CREATE FUNCTION f() RETURNS INT {PYTHON} SECRETS = ('c' = unknown) HANDLER = 'f' {BODY}", 2003, "UNKNOWN' does not exist"),
    ("CREATE FUNCTION f() RETURNS INT HANDLER = 'f' AS '1'", 1008, "HANDLER cannot be given for a function in SQL"),
    ("CREATE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS 'return 1'", 2, "LANGUAGE JAVASCRIPT"),
    ("CREATE FUNCTION f() RETURNS INT LANGUAGE COBOL AS 'x'", 1003, "COBOL"),
    ("CREATE AGGREGATE FUNCTION f(a INT) RETURNS INT AS 'a'", 2, "AGGREGATE FUNCTION ... LANGUAGE SQL"),
    ("CREATE SCOPED TEMPORARY PROCEDURE p() RETURNS INT", 2, "SCOPED_TEMPORARY"),
    ("CREATE PROCEDURE p() RETURNS INT LANGUAGE SCALA HANDLER = 'x' AS 'y'", 2, "CREATE PROCEDURE ... LANGUAGE SCALA"),
    (f"CREATE PROCEDURE p() RETURNS INT {PYTHON} HANDLER = 'f' {BODY}", 1008, "snowflake-snowpark-python"),
    (f"CREATE PROCEDURE p(OUT a INT) RETURNS INT {PROCEDURE_PYTHON} HANDLER = 'f' {BODY}", 2, "OUT arguments"),
    (f"CREATE FUNCTION f() RETURNS INT {PYTHON} NO_SUCH = 1 HANDLER = 'f' {BODY}", 1003, "NO_SUCH"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[2])
def test_refused(connection: SnowflakeConnection, case: tuple[str, int, str]) -> None:
    statement, code, text = case
    cursor = connection.cursor()
    with pytest.raises(DatabaseError) as caught:
        cursor.execute(statement)
    assert caught.value.errno == code, caught.value.msg
    assert text in str(caught.value.msg)
    assert cursor.execute("SHOW USER FUNCTIONS").fetchall() == []
    assert cursor.execute("SHOW USER PROCEDURES").fetchall() == []


def test_a_body_that_does_not_compile_is_refused_with_its_line(connection: SnowflakeConnection) -> None:
    with pytest.raises(DatabaseError) as caught:
        connection.cursor().execute(
            f"CREATE FUNCTION f() RETURNS INT {PYTHON} HANDLER = 'f' AS $$\ndef f():\n    x = = 1\n$$"
        )
    assert caught.value.errno == 100357
    assert 'File "_udf_code.py", line 3' in str(caught.value.msg)
    assert "x = = 1" in str(caught.value.msg)
    assert "SyntaxError: invalid syntax" in str(caught.value.msg)
    assert "in function F with handler f" in str(caught.value.msg)


@pytest.mark.parametrize("body", ["x = " + "-" * 90_000 + "1", "x = a" + ".b" * 100_000, "x = " + "(" * 5000, "y\0"])
def test_hostile_bodies_do_not_hurt_the_server(connection: SnowflakeConnection, body: str) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(f"CREATE FUNCTION f() RETURNS INT {PYTHON} HANDLER = 'f' AS $${body}$$")
    except DatabaseError as error:
        assert error.errno in (100357, 1003), error.msg
    assert cursor.execute("SELECT 1").fetchall() == [(1,)]


def _property(connection: SnowflakeConnection, statement: str) -> dict[str, str]:
    return dict(connection.cursor().execute(statement).fetchall())  # type: ignore[arg-type]


def test_describe_function(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute(
        f"CREATE FUNCTION f(a INT, b VARCHAR(5)) RETURNS TABLE (x INT, y DATE) {PYTHON} PACKAGES = ('pytz') HANDLER = 'F' AS 'class F: pass'"
    )
    found = _property(connection, "DESCRIBE FUNCTION f(INT, VARCHAR)")
    installed = found.pop("installed_packages")
    assert found == {
        "signature": "(A NUMBER, B VARCHAR)", "returns": "TABLE (X NUMBER, Y DATE)", "language": "PYTHON",
        "null handling": "CALLED ON NULL INPUT", "volatility": "VOLATILE", "body": "class F: pass", "imports": "[]",
        "handler": "F", "runtime_version": VERSION, "packages": "['pytz']", "is_aggregate": "false",
    }  # fmt: skip
    assert re.search(r"'python==3\.\d+\.\d+'", installed)
    assert re.search(r"'pytz==\d+", installed)


def test_describe_procedure(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute(f"CREATE PROCEDURE p(a INT) RETURNS TABLE () {PROCEDURE_PYTHON} HANDLER = 'f' {BODY}")
    found = _property(connection, "DESC PROCEDURE p(INT)")
    assert list(found) == [
        "signature", "returns", "language", "null handling", "volatility", "execute as", "body", "imports", "handler",
        "runtime_version", "packages", "installed_packages",
    ]  # fmt: skip
    assert (found["returns"], found["execute as"]) == ("TABLE ()", "OWNER")
    with pytest.raises(DatabaseError, match=r"Procedure '.*P' does not exist or not authorized"):
        cursor.execute("DESCRIBE PROCEDURE p(VARCHAR)")


def test_overloads_are_shown_dropped_and_found_by_their_types(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    for types in ("a INT", "a VARCHAR", "a INT, b INT DEFAULT 1"):
        cursor.execute(f"CREATE FUNCTION f({types}) RETURNS INT {PYTHON} HANDLER = 'f' {BODY}")
    with pytest.raises(DatabaseError, match="already exists"):
        cursor.execute(f"CREATE FUNCTION f(b INT) RETURNS INT {PYTHON} HANDLER = 'f' {BODY}")
    rows = cursor.execute(
        'SHOW USER FUNCTIONS ->> SELECT "name", "arguments", "min_num_arguments", "max_num_arguments", "language" FROM $1 ORDER BY 2'
    ).fetchall()
    assert rows == [
        ("F", "F(NUMBER) RETURN NUMBER", 1, 1, "PYTHON"), ("F", "F(NUMBER, DEFAULT NUMBER) RETURN NUMBER", 1, 2, "PYTHON"),
        ("F", "F(VARCHAR) RETURN NUMBER", 1, 1, "PYTHON"),
    ]  # fmt: skip
    cursor.execute("COMMENT ON FUNCTION f(VARCHAR) IS 'of texts'")
    assert cursor.execute("SHOW FUNCTIONS LIKE 'f' ->> SELECT \"description\" FROM $1 WHERE \"arguments\" LIKE '%VARCHAR%'").fetchall() == [("of texts",)]  # fmt: skip
    cursor.execute("DROP FUNCTION f(NUMBER, NUMBER)")
    cursor.execute("DROP FUNCTION f(STRING)")
    assert cursor.execute("SHOW USER FUNCTIONS ->> SELECT \"arguments\" FROM $1").fetchall() == [("F(NUMBER) RETURN NUMBER",)]  # fmt: skip
    with pytest.raises(DatabaseError, match="does not exist"):
        cursor.execute("DROP FUNCTION f(STRING)")
    cursor.execute("DROP FUNCTION IF EXISTS f(STRING)")


def test_alter(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute(f"CREATE PROCEDURE p() RETURNS INT {PROCEDURE_PYTHON} HANDLER = 'f' {BODY}")
    cursor.execute("ALTER PROCEDURE p() EXECUTE AS RESTRICTED CALLER")
    cursor.execute("ALTER PROCEDURE IF EXISTS p() SET COMMENT = 'new'")
    cursor.execute("ALTER PROCEDURE p() RENAME TO q")
    assert _property(connection, "DESCRIBE PROCEDURE q()")["execute as"] == "RESTRICTED CALLER"
    assert cursor.execute('SHOW PROCEDURES ->> SELECT "name", "description" FROM $1').fetchall() == [("Q", "new")]


DDL = [
    ("FUNCTION", "f(NUMBER, VARCHAR)", f"CREATE SECURE FUNCTION f(a INT, \"b c\" VARCHAR DEFAULT 'it''s') RETURNS VARIANT NOT NULL {PYTHON} STRICT IMMUTABLE PACKAGES = ('numpy', 'pandas>=2') HANDLER = 'f' COMMENT = 'a ''comment''' AS $$\ndef f(a, b):\n    return 'it''s' + \"\\n\\\\d\"  # ''\n$$"),
    ("FUNCTION", "f(NUMBER)", f"CREATE FUNCTION f(a INT) RETURNS TABLE (x INT, \"y\" VARCHAR(3)) {PYTHON} HANDLER = 'F' AS 'class F: pass'"),
    ("FUNCTION", "f(FLOAT)", f"CREATE AGGREGATE FUNCTION f(a FLOAT) RETURNS FLOAT {PYTHON} HANDLER = 'F' AS 'class F: pass'"),
    ("FUNCTION", "f()", "CREATE FUNCTION f() RETURNS VARCHAR MEMOIZABLE AS $$ 'a\\\\b' $$"),
    ("PROCEDURE", "p()", f"CREATE PROCEDURE p() RETURNS TABLE () {PROCEDURE_PYTHON} HANDLER = 'f' EXECUTE AS CALLER {BODY}"),
    ("PROCEDURE", "p()", f"CREATE PROCEDURE p() RETURNS INT {PROCEDURE_PYTHON} EXTERNAL_ACCESS_INTEGRATIONS = (net) SECRETS = ('c' = my_secret) HANDLER = 'f' {BODY}"),
    ("PROCEDURE", "p(NUMBER)", "CREATE PROCEDURE p(a INT) RETURNS INT LANGUAGE SQL AS $$ BEGIN RETURN a || '\\n'; END $$"),
]  # fmt: skip


@pytest.mark.usefixtures("granted")
@pytest.mark.parametrize("case", DDL, ids=lambda case: case[2][:60])
def test_get_ddl_makes_the_same_again(connection: SnowflakeConnection, case: tuple[str, str, str]) -> None:
    kind, signature, statement = case
    cursor = connection.cursor()
    cursor.execute(statement)
    before = _property(connection, f"DESCRIBE {kind} {signature}")
    (ddl,) = cursor.execute(f"SELECT GET_DDL('{kind}', '{signature}')").fetchone()  # type: ignore[union-attr,misc]
    cursor.execute(f"DROP {kind} {signature}")
    cursor.execute(ddl)
    assert _property(connection, f"DESCRIBE {kind} {signature}") == before
    assert cursor.execute(f"SELECT GET_DDL('{kind}', '{signature}')").fetchone() == (ddl,)


def test_imports_are_kept_under_their_full_names(connection: SnowflakeConnection, tmp_path: Path) -> None:
    for name in ("m.py", "n.py", "o.py"):
        (tmp_path / name).write_text("def f():\n    return 1\n")
    cursor = connection.cursor()
    cursor.execute("CREATE STAGE code")
    cursor.execute(f"PUT file://{tmp_path}/m.py @code/lib AUTO_COMPRESS = FALSE")
    cursor.execute(f"PUT file://{tmp_path}/n.py @~ AUTO_COMPRESS = FALSE")
    cursor.execute("CREATE TABLE t (a INT)")
    cursor.execute(f"PUT file://{tmp_path}/o.py @%t AUTO_COMPRESS = FALSE")
    cursor.execute(
        f"CREATE FUNCTION f() RETURNS INT {PYTHON} IMPORTS = ('@code/lib/m.py', '@code/lib/', '@~/n.py', '@%t/o.py') HANDLER = 'm.f'"
    )
    schema = f"{connection.database}.{connection.schema}"
    assert _property(connection, "DESCRIBE FUNCTION f()")["imports"] == (
        f"[@{schema}.CODE/lib/m.py,@{schema}.CODE/lib/,@~/n.py,@{schema}.%T/o.py]"
    )
    (ddl,) = cursor.execute("SELECT GET_DDL('FUNCTION', 'f()')").fetchone()  # type: ignore[union-attr,misc]
    cursor.execute("DROP FUNCTION f()")
    cursor.execute(ddl)
    assert "AS '" not in ddl


def test_temporary_ones_end_with_their_session(connection: SnowflakeConnection, connect, schema: str) -> None:  # type: ignore[no-untyped-def]
    cursor = connection.cursor()
    cursor.execute(f"CREATE TEMPORARY FUNCTION f() RETURNS INT {PYTHON} HANDLER = 'f' {BODY}")
    cursor.execute(f"CREATE FUNCTION f() RETURNS INT {PYTHON} HANDLER = 'g' {BODY.replace('f(', 'g(')}")
    assert _property(connection, "DESCRIBE FUNCTION f()")["handler"] == "f"
    database, _, name = schema.partition(".")
    other = connect(database=database, schema=name)
    assert _property(other, "DESCRIBE FUNCTION f()")["handler"] == "g"


def test_information_schema(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute(f"CREATE FUNCTION f(a INT) RETURNS INT {PYTHON} PACKAGES = ('numpy') HANDLER = 'f' {BODY}")
    cursor.execute(f"CREATE PROCEDURE p() RETURNS INT {PROCEDURE_PYTHON} HANDLER = 'f' {BODY}")
    rows = cursor.execute(
        f"SELECT function_name, argument_signature, function_language, packages, runtime_version, handler FROM information_schema.functions WHERE function_schema = '{connection.schema}'"
    ).fetchall()
    assert rows == [("F", "(A NUMBER)", "PYTHON", "['numpy']", VERSION, "f")]
    rows = cursor.execute(
        f"SELECT procedure_name, packages, imports FROM information_schema.procedures WHERE procedure_schema = '{connection.schema}'"
    ).fetchall()
    assert rows == [("P", "['snowflake-snowpark-python']", "[]")]


def test_what_snowpark_registers(session: Session) -> None:
    session.udf.register(
        lambda a, b: a,
        return_type=IntegerType(),
        input_types=[IntegerType(), StringType()],
        name="plus",
        comment="it's",
    )
    session.udf.register(
        lambda a: a,
        return_type=IntegerType(),
        input_types=[IntegerType()],
        name="plus",
        replace=True,
        packages=["numpy"],
    )
    session.udf.register(
        lambda a: a, return_type=IntegerType(), input_types=[IntegerType()], name="plus", if_not_exists=True
    )
    rows = session.sql("SHOW USER FUNCTIONS").select('"arguments"', '"description"', '"language"').collect()
    assert sorted(tuple(row) for row in rows) == [
        ("PLUS(NUMBER) RETURN NUMBER", "user-defined function", "PYTHON"),
        ("PLUS(NUMBER, VARCHAR) RETURN NUMBER", "it's", "PYTHON"),
    ]
    procedure = session.sproc.register(
        lambda s: 1, return_type=IntegerType(), name="proc", packages=["snowflake-snowpark-python"], execute_as="caller"
    )
    found = {row[0]: row[1] for row in session.sproc.describe(procedure).collect()}
    assert found["execute as"] == "CALLER"
    assert "'snowflake-snowpark-python','cloudpickle>=" in found["packages"]
