"""The engine's errors as Snowflake's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from polynya.errors import SnowflakeError
from polynya.storage.connection import Connection
from polynya.storage.engine import Engine
from polynya.storage.errors import TransactionConflict, raise_sql

CASES = [
    ("SELECT 'abc'::DECIMAL(10,2)", 100038, "22018", "Numeric value 'abc' is not recognized"),
    ("SELECT '1x'::DOUBLE", 100038, "22018", "Numeric value '1x' is not recognized"),
    ("SELECT 'maybe'::BOOLEAN", 100037, "22018", "Boolean value 'maybe' is not recognized"),
    ("SELECT '2024-13-01'::DATE", 100040, "22007", "Date '2024-13-01' is not recognized"),
    ("SELECT 'never'::TIMESTAMP", 100035, "22007", "Timestamp 'never' is not recognized"),
    ("SELECT 12345::DECIMAL(4,2)", 100039, "22003", "Numeric value '12345' is out of range"),
    ("SELECT (SELECT * FROM range(2))", 90150, "22000", "Single-row subquery returns more than one row."),
    ("INSERT INTO temp.main.filled VALUES (NULL)", 100072, "22000", "NULL result in a non-nullable column"),
    (f"SELECT {raise_sql(100051, '22012', repr('Division by zero'))}", 100051, "22012", "Division by zero"),
    (
        f"SELECT {raise_sql(100078, '22000', repr('two') + ' || chr(10) || ' + repr('lines'))}",
        100078,
        "22000",
        "two\nlines",
    ),
]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    engine = Engine.open(tmp_path_factory.mktemp("home"))
    connection = engine.connect()
    connection.execute("CREATE TEMPORARY TABLE temp.main.filled (x INTEGER NOT NULL)")
    yield connection
    engine.close()


@pytest.mark.parametrize(("sql", "code", "sqlstate", "text"), CASES)
def test_translation(connection: Connection, sql: str, code: int, sqlstate: str, text: str) -> None:
    with pytest.raises(SnowflakeError) as caught:
        connection.table(sql)
    assert (caught.value.code, caught.value.sqlstate, caught.value.message) == (code, sqlstate, text)


def test_a_file_that_was_superseded_meanwhile_lets_the_statement_run_again(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path / "home")
    connection = engine.connect()
    connection.execute("CREATE TABLE lake.main.t AS SELECT * FROM range(10000)")
    [file] = (tmp_path / "home" / "lake").rglob("*.parquet")
    file.unlink()
    with pytest.raises(TransactionConflict, match=file.name):
        connection.table("SELECT * FROM lake.main.t")
    engine.close()
