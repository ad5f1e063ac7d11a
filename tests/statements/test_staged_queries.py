"""Queries on staged files, INFER_SCHEMA, and Snowpark's readers."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkSQLException
from snowflake.snowpark.types import DoubleType, LongType, StringType, StructField, StructType

Put = Callable[..., None]


@pytest.fixture
def put(session: Session, tmp_path: Path) -> Put:
    """Writes a file and PUTs it into the stage ST."""
    session.sql("CREATE STAGE st").collect()
    session.sql("CREATE FILE FORMAT quoted TYPE = CSV FIELD_OPTIONALLY_ENCLOSED_BY = '\"'").collect()

    def put_one(name: str, content: str | bytes) -> None:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        session.file.put(str(path), "@st", auto_compress=False, overwrite=True)

    return put_one


def rows(session: Session, text: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in session.sql(text).collect()]


def test_columns_of_csv(session: Session, put: Put) -> None:
    put("x.csv", '1,"a,b"\n2\n3,c,d\n')
    put("y.csv", "4,e\n")
    text = "SELECT $1::INT, $2, $9, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER FROM @st (FILE_FORMAT => 'quoted') ORDER BY 1"
    assert rows(session, text) == [
        (1, "a,b", None, "x.csv", 1), (2, None, None, "x.csv", 2), (3, "c", None, "x.csv", 3), (4, "e", None, "y.csv", 1),
    ]  # fmt: skip
    assert rows(session, "SELECT COUNT(*) FROM @st (FILE_FORMAT => 'quoted', PATTERN => '.*x.csv')") == [(3,)]
    assert rows(session, "SELECT s.$1 FROM '@st/y.csv' s") == [("4",)]
    assert rows(session, "SELECT COUNT(*) FROM @st/none") == [(0,)]


def test_a_quote_out_of_place_is_an_error(session: Session, put: Put) -> None:
    put("x.csv", '1,"a"b\n2,c\n')
    assert rows(session, "SELECT $2 FROM @st") == [('"a"b',), ("c",)]  # no enclosing character, no quotes
    with pytest.raises(
        SnowparkSQLException, match=r"(?s)Found character 'b' instead of field delimiter ','.*line 1, character 6"
    ):
        rows(session, "SELECT $1 FROM @st (FILE_FORMAT => 'quoted')")


def test_json_and_parquet(session: Session, put: Put, tmp_path: Path) -> None:
    put("x.json", '{"b": [1, {"c": "x"}], "a": 1.50}\n')
    session.sql("CREATE FILE FORMAT j TYPE = JSON").collect()
    text = "SELECT $1:b[1].c::VARCHAR, $1:a::NUMBER(5, 2), TYPEOF($1) FROM @st/x.json (FILE_FORMAT => 'j')"
    assert rows(session, text) == [("x", Decimal("1.50"), "OBJECT")]
    session.sql("CREATE FILE FORMAT p TYPE = PARQUET").collect()
    moment = datetime.datetime(2024, 2, 29, 12, 30)
    table = pa.table(
        {
            "n": pa.array([Decimal("12.34")], pa.decimal128(10, 2)), "d": [moment.date()], "ts": [moment],
            "s": [{"x": 1, "list": [True, None]}], "m": pa.array([[("k", 1.5)]], pa.map_(pa.string(), pa.float64())), "nothing": pa.array([None], pa.int32()),
        }
    )  # fmt: skip
    pq.write_table(table, tmp_path / "w.parquet")
    put("x.parquet", (tmp_path / "w.parquet").read_bytes())
    text = (
        "SELECT $1:n::NUMBER(10, 2), $1:d::DATE, $1:ts::TIMESTAMP_NTZ, $1:s:list[0]::BOOLEAN, $1:m:k::FLOAT, $1:nothing "
        "FROM @st/x.parquet (FILE_FORMAT => 'p')"
    )
    assert rows(session, text) == [(Decimal("12.34"), moment.date(), moment, True, 1.5, None)]


def test_avro_orc_and_xml(session: Session, put: Put, tmp_path: Path) -> None:
    import fastavro
    from pyarrow import orc

    fields = [{"name": "n", "type": "long"}, {"name": "s", "type": ["null", "string"]}]
    with (tmp_path / "w.avro").open("wb") as stream:
        fastavro.writer(
            stream, {"type": "record", "name": "r", "fields": fields}, [{"n": 1, "s": "x"}, {"n": 2, "s": None}]
        )
    orc.write_table(pa.table({"n": [1, 2], "s": ["x", None]}), tmp_path / "w.orc")
    for kind in ("AVRO", "ORC"):
        put(f"x.{kind}", (tmp_path / f"w.{kind.lower()}").read_bytes())
        session.sql(f"CREATE FILE FORMAT f{kind} TYPE = {kind}").collect()
        text = f"SELECT $1:n::INT, $1:s::VARCHAR FROM @st/x.{kind} (FILE_FORMAT => 'f{kind}') ORDER BY 1"
        assert rows(session, text) == [(1, "x"), (2, None)]
    put("bad.AVRO", b"no avro at all")
    with pytest.raises(SnowparkSQLException, match="not a valid Avro file"):
        rows(session, "SELECT $1 FROM @st/bad (FILE_FORMAT => 'fAVRO')")
    put("x.xml", '<?xml version="1.0"?><a id="7"><b>1</b><b>two</b></a>\n<a><b>3</b></a>')
    session.sql("CREATE FILE FORMAT fx TYPE = XML").collect()
    text = """SELECT $1:"@id"::INT, XMLGET($1, 'b', 0):"$"::VARCHAR, XMLGET($1, 'b', 1):"$"::VARCHAR FROM @st/x.xml (FILE_FORMAT => 'fx')"""
    assert rows(session, text) == [(7, "1", "two"), (None, "3", None)]
    put("x.xml", "<a><b></a>")
    with pytest.raises(SnowparkSQLException, match=r"Error parsing XML|mismatched"):
        rows(session, "SELECT $1 FROM @st/x.xml (FILE_FORMAT => 'fx')")


INFERRED = [
    ("x.csv", "1,one,1.25,true\n20,two,,false\n", "TYPE = CSV", [
        ("c1", "NUMBER(2, 0)", "$1::NUMBER(2, 0)"), ("c2", "TEXT", "$2::TEXT"), ("c3", "NUMBER(3, 2)", "$3::NUMBER(3, 2)"),
        ("c4", "BOOLEAN", "$4::BOOLEAN"),
    ]),
    ("x.csv", "id,When\n1,2024-01-31 10:00:00\n", "TYPE = CSV PARSE_HEADER = TRUE", [
        ("id", "NUMBER(1, 0)", "$1::NUMBER(1, 0)"), ("When", "TIMESTAMP_NTZ", "$2::TIMESTAMP_NTZ"),
    ]),
    ("x.csv", "2024-01-31,10:00:00,1e5\n", "TYPE = CSV", [
        ("c1", "DATE", "$1::DATE"), ("c2", "TIME", "$2::TIME"), ("c3", "REAL", "$3::REAL"),
    ]),
    ("x.json", '{"b": 1, "a": {"x": 1}}\n{"a": null, "b": 2.5, "c d": [1]}\n', "TYPE = JSON", [
        ("a", "OBJECT", "$1:a::OBJECT"), ("b", "NUMBER(2, 1)", "$1:b::NUMBER(2, 1)"), ("c d", "ARRAY", '$1:"c d"::ARRAY'),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "options", "expected"), INFERRED)
def test_infer_schema(
    session: Session, put: Put, name: str, content: str, options: str, expected: list[tuple[str, str, str]]
) -> None:
    put(name, content)
    session.sql(f"CREATE FILE FORMAT ff {options}").collect()
    found = session.sql("SELECT * FROM TABLE(INFER_SCHEMA(LOCATION => '@st', FILE_FORMAT => 'ff'))").collect()
    assert [(row.COLUMN_NAME, row.TYPE, row.EXPRESSION) for row in found] == expected
    assert {row.FILENAMES for row in found} == {name}
    assert [row.ORDER_ID for row in found] == list(range(len(expected)))


def test_infer_schema_over_files(session: Session, put: Put) -> None:
    put("x.json", json.dumps({"a": 1, "b": "x"}))
    put("y.json", json.dumps({"A": 22.5, "b": True}))
    session.sql("CREATE FILE FORMAT ff TYPE = JSON").collect()
    table = "TABLE(INFER_SCHEMA(LOCATION => '@st/', FILE_FORMAT => 'ff', {}))"
    found = session.sql(f"SELECT * FROM {table.format('IGNORE_CASE => TRUE')}").collect()
    assert [(row.COLUMN_NAME, row.TYPE) for row in found] == [("A", "NUMBER(3, 1)"), ("B", "TEXT")]
    found = session.sql(
        f"SELECT * FROM {table.format(chr(70) + 'ILES => (' + chr(39) + 'x.json' + chr(39) + ')')}"
    ).collect()
    assert [row.COLUMN_NAME for row in found] == ["a", "b"]


def test_snowpark_readers(session: Session, put: Put) -> None:
    put("x.csv", "1,one,1.2\n2,two,2.2\n")
    schema = StructType([StructField("a", LongType()), StructField("b", StringType()), StructField("c", DoubleType())])
    frame = session.read.schema(schema).csv("@st/x.csv")
    assert [tuple(row) for row in frame.order_by("a").collect()] == [(1, "one", 1.2), (2, "two", 2.2)]
    assert frame.filter("a > 1").count() == 1
    assert [tuple(row) for row in session.read.csv("@st/x.csv").collect()] == [
        (1, "one", Decimal("1.2")),
        (2, "two", Decimal("2.2")),
    ]
    with pytest.raises(SnowparkSQLException, match="Numeric value 'one' is not recognized"):
        session.read.schema(StructType([StructField("a", LongType()), StructField("b", LongType())])).csv(
            "@st/x.csv"
        ).collect()
    frame.write.parquet("@st/out/", header=True)
    again = session.read.parquet("@st/out/")
    assert sorted(tuple(row) for row in again.collect()) == [(1, "one", 1.2), (2, "two", 2.2)]


def test_pandas_go_through_a_stage(session: Session) -> None:
    import pandas as pd

    frame = pd.DataFrame({"id": [1, 2], "name": ["a", None], "at": pd.to_datetime(["2024-01-31", "2024-02-29"])})
    table = session.write_pandas(frame, "frame", auto_create_table=True, overwrite=True, use_logical_type=True)
    assert table.count() == 2
    assert session.sql('SELECT "name" FROM "frame" ORDER BY "id"').collect()[1][0] is None


def test_directory(session: Session, put: Put) -> None:
    put("x.csv", "1\n")
    assert rows(session, "SELECT RELATIVE_PATH, SIZE FROM DIRECTORY(@st)") == [("x.csv", 2)]
