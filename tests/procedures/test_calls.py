"""CALL: arguments, results, and where they may be used."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.snowpark import Row, Session
from snowflake.snowpark.exceptions import SnowparkSQLException
from snowflake.snowpark.functions import sproc
from snowflake.snowpark.types import IntegerType, StringType, StructType

from tests.procedures.conftest import Make

ECHO = """
    def main(session, a, b):
        return f"{a!r} {b!r}"
"""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("CALL echo(1, 'x')", "1 'x'"),
        ("CALL echo(1)", "1 'two'"),
        ("CALL echo(a => 1)", "1 'two'"),
        ("CALL echo(b => 'x', a => 1 + 1)", "2 'x'"),
        ("CALL echo(NULL, NULL)", "None None"),
        ("CALL echo('7', 'x')", "7 'x'"),
        ("CALL echo(2.6, UPPER('x'))", "3 'X'"),
        ("CALL echo((SELECT MAX(column1) FROM VALUES (1), (5)), $name)", "5 'from a variable'"),
        ("CALL IDENTIFIER('echo')(1, 'x')", "1 'x'"),
    ],
)
def test_arguments(session: Session, make: Make, call: str, expected: str) -> None:
    make("echo(a INT, b VARCHAR DEFAULT 'two')", "VARCHAR", ECHO)
    session.sql("SET name = 'from a variable'").collect()
    assert session.sql(call).collect() == [Row(ECHO=expected)]


def test_binds(session: Session, make: Make) -> None:
    make("echo(a INT, b VARCHAR)", "VARCHAR", ECHO)
    assert session.sql("CALL echo(?, ?)", params=[3, "it's"]).collect()[0][0] == '3 "it\'s"'


def test_values_keep_their_types(session: Session, make: Make) -> None:
    make(
        "types(a NUMBER(10,2), b FLOAT, c BOOLEAN, d DATE, e BINARY, f VARIANT, g ARRAY)",
        "VARIANT",
        """
        def main(session, *values):
            return [type(value).__name__ for value in values]
        """,
    )
    call = "CALL types(1.5, 2, TRUE, '2026-01-02'::DATE, TO_BINARY('ab', 'UTF-8'), PARSE_JSON('{\"k\": 1}'), [1, 2])"
    text = session.sql(call).collect()[0][0]
    assert [name.strip(' "\n') for name in text.strip("[]").split(",")] == [
        "Decimal", "float", "bool", "date", "bytes", "dict", "list",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("returns", "value", "expected"),
    [
        ("INT", "42", 42),
        ("NUMBER(10,2)", "__import__('decimal').Decimal('1.50')", Decimal("1.50")),
        ("FLOAT", "0.5", 0.5),
        ("BOOLEAN", "True", True),
        ("DATE", "__import__('datetime').date(2026, 1, 2)", datetime.date(2026, 1, 2)),
        ("VARCHAR", "None", None),
        ("VARCHAR", "12", "12"),
    ],
)
def test_results(session: Session, make: Make, returns: str, value: str, expected: object) -> None:
    make("p()", returns, f"def main(session):\n    return {value}")
    assert session.call("p") == expected


def test_overloads(session: Session, make: Make) -> None:
    make("p(a INT)", "VARCHAR", "def main(session, a):\n    return 'a number'")
    make("p(a VARCHAR)", "VARCHAR", "def main(session, a):\n    return 'a text'")
    make("p(a INT, b INT)", "VARCHAR", "def main(session, a, b):\n    return 'two numbers'")
    assert [session.call("p", *arguments) for arguments in [(1,), ("x",), (1, 2)]] == [
        "a number", "a text", "two numbers",
    ]  # fmt: skip


def test_strict(session: Session, make: Make) -> None:
    make("p(a INT)", "INT", "def main(session, a):\n    return a + 1", "RETURNS NULL ON NULL INPUT")
    assert session.sql("CALL p(NULL)").collect() == [Row(P=None)]
    assert session.call("p", 1) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("CALL nobody(1)", "002140 .*Unknown function NOBODY"),
        ("CALL p()", "001044 .*Invalid argument types for function 'P'"),
        ("CALL p(1, 2)", "001044 .*Invalid argument types for function 'P'"),
        ("CALL p(nothing => 1)", "Invalid argument types for function 'P'"),
        ("CALL p(ARRAY_CONSTRUCT(1))", "Invalid argument types for function 'P': \\(ARRAY\\)"),
        ("CALL p(x)", "invalid identifier 'X'"),
        ("CALL p", "001003 .*syntax error"),
        ("CALL p(1) AND", "001003 .*syntax error"),
    ],
)
def test_wrong_calls(session: Session, make: Make, call: str, message: str) -> None:
    make("p(a INT)", "INT", "def main(session, a):\n    return a")
    with pytest.raises(SnowparkSQLException, match=f"(?s){message}"):
        session.sql(call).collect()


def test_tables(session: Session, make: Make) -> None:
    body = """
        def main(session, n):
            return session.range(n).with_column_renamed("ID", "N").sort("N", ascending=False)
    """
    make("loose(n INT)", "TABLE()", body)
    make("declared(n INT)", "TABLE(k VARCHAR)", body)
    assert session.call("loose", 3).collect() == [Row(N=2), Row(N=1), Row(N=0)]
    assert session.call("declared", 2).collect() == [Row(K="1"), Row(K="0")]
    assert session.sql("SELECT k || '!' AS k FROM TABLE(declared(2)) WHERE k > '0'").collect() == [Row(K="1!")]
    assert session.sql("SELECT SUM(n) AS s FROM TABLE(loose(4))").collect() == [Row(S=6)]


def test_a_table_must_be_as_declared(session: Session, make: Make) -> None:
    make("two()", "TABLE(a INT, b INT)", "def main(session):\n    return session.sql('SELECT 1 AS a')")
    make("dates()", "TABLE(a DATE)", "def main(session):\n    return session.sql('SELECT TRUE AS a')")
    make("none()", "TABLE(a INT)", "def main(session):\n    return 5")
    with pytest.raises(SnowparkSQLException, match="1 columns instead of 2"):
        session.sql("CALL two()").collect()
    with pytest.raises(SnowparkSQLException, match="column A of type BOOLEAN instead of DATE"):
        session.sql("CALL dates()").collect()
    with pytest.raises(SnowparkSQLException, match="must return a DataFrame, not int"):
        session.sql("CALL none()").collect()


def test_the_result_can_be_scanned(session: Session, make: Make) -> None:
    make("p()", "INT", "def main(session):\n    return session.sql('SELECT 41').collect()[0][0] + 1")
    session.sql("CALL p()").collect()
    assert session.sql("SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))").collect() == [Row(P=42)]


def test_description_does_not_run_it(session: Session, make: Make) -> None:
    make("p(a INT)", "NUMBER(5,1)", "def main(session, a):\n    raise ValueError('it ran')")
    make("t()", "TABLE(a INT, b VARCHAR)", "def main(session):\n    raise ValueError('it ran')")
    cursor = session.connection.cursor()
    (column,) = cursor.describe("CALL p(1)")
    assert (column.name, column.precision, column.scale) == ("P", 5, 1)
    assert [column.name for column in cursor.describe("CALL t()")] == ["A", "B"]


def test_anonymous_procedures(session: Session) -> None:
    text = """
        WITH twice AS PROCEDURE (x INT) RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION = '3.11'
            PACKAGES = ('snowflake-snowpark-python') HANDLER = 'main'
        AS $$
def main(session, x):
    return session.sql(f"SELECT {x} * 2").collect()[0][0]
        $$
        CALL twice(21)
    """
    assert session.sql(text).collect() == [Row(TWICE=42)]
    assert session.connection.cursor().describe(text)[0].name == "TWICE"
    with pytest.raises(SnowparkSQLException, match="Unknown function OTHER"):
        session.sql(text.replace("CALL twice", "CALL other")).collect()


def test_registered_by_snowpark(session: Session) -> None:
    session.add_packages("snowflake-snowpark-python")
    add = sproc(
        lambda session_, x, y: session_.sql(f"SELECT {x} + {y}").collect()[0][0],
        return_type=IntegerType(), input_types=[IntegerType(), IntegerType()], session=session,
    )  # fmt: skip
    assert add(1, 2) == 3
    table = session.sproc.register(
        lambda session_, name: session_.sql(f"SELECT '{name}' AS name"),
        return_type=StructType(), input_types=[StringType()], anonymous=True,
    )  # fmt: skip
    assert table("me").collect() == [Row(NAME="me")]


def test_system_functions(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    assert cursor.execute("CALL SYSTEM$TYPEOF(1)").fetchone()[0].startswith("NUMBER(1,0)")
    assert [column.name for column in cursor.describe("CALL SYSTEM$TYPEOF(1)")] == ["SYSTEM$TYPEOF"]
