"""Snowflake's clients, unmodified: connector, Snowpark, SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.snowpark import Session
from snowflake.snowpark.functions import col
from snowflake.snowpark.functions import sum as sum_of

from polynya.server.local import Warehouse

Connect = Callable[..., SnowflakeConnection]


@pytest.fixture
def qmark(connect: Connect, schema: str) -> SnowflakeConnection:
    """Binds by ``?``, in a new schema."""
    database, _, name = schema.partition(".")
    return connect(database=database, schema=name, paramstyle="qmark")


def test_executemany(qmark: SnowflakeConnection) -> None:
    cursor = qmark.cursor()
    cursor.execute("CREATE TABLE t (a INT, b VARCHAR, c DATE)")
    cursor.executemany("INSERT INTO t VALUES (?, ?, ?)", [(1, "x", date(2024, 1, 2)), (2, None, None)])
    assert cursor.rowcount == 2
    assert cursor.execute("SELECT * FROM t ORDER BY a").fetchall() == [(1, "x", date(2024, 1, 2)), (2, None, None)]


def test_executemany_by_stage(qmark: SnowflakeConnection) -> None:
    cursor = qmark.cursor()
    cursor.execute("CREATE TABLE t (a INT, b VARCHAR, c FLOAT, d DATE, e TIMESTAMP_NTZ, f BOOLEAN, g NUMBER(10,2))")
    rows: list[tuple[Any, ...]] = [
        (i, f'n "{i}",\n', i / 7, date(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5), i % 2 == 0, Decimal("1.25"))
        for i in range(9_999)
    ]
    rows.append((9_999, None, None, None, None, None, None))
    cursor.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", rows)  # 70,000 values: more than the threshold
    assert cursor.rowcount == 10_000
    assert cursor.execute("SELECT * FROM t ORDER BY a").fetchall() == rows
    assert cursor.execute("SELECT COUNT(*), COUNT(b) FROM t").fetchone() == (10_000, 9_999)


TYPES = [
    ("NUMBER(38,0)", 5),
    ("NUMBER(10,2)", Decimal("1.25")),
    ("FLOAT", 1.5),
    ("VARCHAR", 'it\'s \\ "x" é'),
    ("BOOLEAN", True),
    ("DATE", date(2024, 2, 29)),
    ("TIME", time(1, 2, 3)),
    ("TIMESTAMP_NTZ", datetime(2024, 1, 2, 3, 4, 5, 678901)),
    ("BINARY", b"\x00\xff"),
]


@pytest.mark.parametrize(("kind", "value"), TYPES, ids=[case[0] for case in TYPES])
@pytest.mark.parametrize("style", ["qmark", "pyformat"])
def test_values_go_and_come_back(connect: Connect, style: str, kind: str, value: Any) -> None:
    place = "?" if style == "qmark" else "%s"
    for form in ("ARROW", "JSON"):
        cursor = connect(paramstyle=style, session_parameters={"PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": form}).cursor()
        text = f"SELECT {place}::{kind} AS a, NULL::{kind} AS b"
        if kind == "BINARY":
            text = f"SELECT TO_BINARY({place}, 'HEX') AS a, NULL::BINARY AS b"
            (got,) = cursor.execute(text, (value.hex(),)).fetchall()
        elif kind == "TIME" and style == "qmark":
            (got,) = cursor.execute(f"SELECT {place} AS a, NULL::TIME AS b", (value,)).fetchall()
        else:
            (got,) = cursor.execute(text, (value,)).fetchall()
        assert tuple(got) == (value, None)


def test_snowpark(session: Session, tmp_path: Path) -> None:
    frame = session.create_dataframe([[1, "a"], [2, "b"], [3, None]], schema=["id", "name"])
    frame.write.save_as_table("things")
    assert session.table("things").filter(col("id") > 1).select(sum_of("id")).collect()[0][0] == 5
    assert session.table("things").to_pandas()["ID"].tolist() == [1, 2, 3]
    job = session.table("things").collect_nowait()
    assert len(job.result()) == 3
    file = tmp_path / "f.csv"
    file.write_text("1,a\n2,b\n")
    session.sql("CREATE TEMPORARY STAGE s").collect()
    assert session.file.put(str(file), "@s", auto_compress=False)[0].status == "UPLOADED"
    assert [row.name for row in session.sql("LIST @s").collect()] == ["s/f.csv"]
    assert session.file.get("@s/f.csv", str(tmp_path / "back"))[0].status == "DOWNLOADED"
    assert (tmp_path / "back" / "f.csv").read_text() == "1,a\n2,b\n"


def test_sqlalchemy(warehouse: Warehouse, schema: str) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    url = pytest.importorskip("snowflake.sqlalchemy").URL
    parameters = warehouse.connection_parameters
    database, _, name = schema.partition(".")
    names = ("account", "user", "password", "host", "port", "role", "warehouse")
    engine = sqlalchemy.create_engine(
        url(database=database, schema=name, **{key: parameters[key] for key in names}),
        connect_args={"protocol": parameters["protocol"]},
    )
    try:
        metadata = sqlalchemy.MetaData()
        things = sqlalchemy.Table(
            "things",
            metadata,
            sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True, autoincrement=False),
            sqlalchemy.Column("name", sqlalchemy.String(20)),
        )
        metadata.create_all(engine)
        with engine.begin() as client:
            client.execute(sqlalchemy.insert(things), [{"id": 1, "name": "a"}, {"id": 2, "name": None}])
        with engine.connect() as client:
            assert client.execute(sqlalchemy.select(things).order_by(things.c.id)).fetchall() == [(1, "a"), (2, None)]
        inspector = sqlalchemy.inspect(engine)
        assert inspector.get_table_names() == ["things"]
        assert [column["name"] for column in inspector.get_columns("things")] == ["id", "name"]
        assert inspector.get_pk_constraint("things")["constrained_columns"] == ["id"]
    finally:
        engine.dispose()
