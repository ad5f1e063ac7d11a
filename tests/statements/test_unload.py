"""COPY INTO location, and the way back."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

Run = Callable[..., list[Any]]


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    cursor = connection.cursor()
    cursor.execute("CREATE STAGE st")
    cursor.execute("CREATE TABLE t (a INT, b VARCHAR, c DATE, d FLOAT)")
    cursor.execute(
        "INSERT INTO t VALUES (1, 'one', '2024-02-29', 1.5), (2, 'a,b \"c\"', NULL, NULL), (3, '', '2024-03-01', 3)"
    )
    return lambda text, *binds: cursor.execute(text, *binds).fetchall()


@pytest.fixture
def content(run: Run, tmp_path: Path) -> Callable[[str], bytes]:
    """The bytes of a staged file."""

    def read(name: str) -> bytes:
        run(f"GET @st/{name} file://{tmp_path}/")
        return (tmp_path / name.rpartition("/")[2]).read_bytes()

    return read


def names(rows: list[Any]) -> list[str]:
    return [row[0] for row in rows]


def test_plain(run: Run, content: Callable[[str], bytes]) -> None:
    assert run("COPY INTO @st FROM t")[0][0] == 3
    assert names(run("LIST @st")) == ["st/data_0_0_0.csv.gz"]
    assert (
        gzip.decompress(content("data_0_0_0.csv.gz")).decode()
        == '1,one,2024-02-29,1.5\n2,a\\,b "c",\\N,\\N\n3,"",2024-03-01,3\n'
    )


CASES = [
    (
        "FIELD_OPTIONALLY_ENCLOSED_BY = '\"' NULL_IF = ()",
        '1,"one",2024-02-29,1.5\n2,"a,b ""c""",,\n3,"",2024-03-01,3\n',
    ),
    (
        "FIELD_DELIMITER = '|' NULL_IF = ('none') EMPTY_FIELD_AS_NULL = FALSE",
        '1|one|2024-02-29|1.5\n2|a,b "c"|none|none\n3||2024-03-01|3\n',
    ),
    (
        "DATE_FORMAT = 'DD.MM.YYYY' RECORD_DELIMITER = '\\r\\n'",
        '1,one,29.02.2024,1.5\r\n2,a\\,b "c",\\N,\\N\r\n3,"",01.03.2024,3\r\n',
    ),
]


@pytest.mark.parametrize(("options", "expected"), CASES)
def test_csv_options(run: Run, content: Callable[[str], bytes], options: str, expected: str) -> None:
    run(f"COPY INTO @st/x.csv FROM t FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE {options}) SINGLE = TRUE")
    assert content("x.csv").decode() == expected


def test_header_and_quoted_names(run: Run, content: Callable[[str], bytes]) -> None:
    run(
        'COPY INTO @st/x FROM (SELECT a, b AS "q""n" FROM t WHERE a = 1) FILE_FORMAT = (COMPRESSION = NONE FIELD_OPTIONALLY_ENCLOSED_BY = \'"\') HEADER = TRUE'
    )
    assert content("x_0_0_0.csv").decode() == '"A","q""n"\n1,"one"\n'


@pytest.mark.parametrize("compression", ["GZIP", "BZ2", "ZSTD", "BROTLI", "DEFLATE", "RAW_DEFLATE", "NONE"])
@pytest.mark.parametrize("quoted", ["NONE", "'\"'"])
def test_what_was_unloaded_can_be_loaded(run: Run, compression: str, quoted: str) -> None:
    options = f"FILE_FORMAT = (TYPE = CSV COMPRESSION = {compression} FIELD_OPTIONALLY_ENCLOSED_BY = {quoted})"
    run(f"COPY INTO @st/back/ FROM (SELECT * FROM t WHERE b <> '') {options}")
    run("CREATE TABLE back LIKE t")
    run(f"COPY INTO back FROM @st/back {options}")
    assert run("SELECT * FROM back ORDER BY a") == run("SELECT * FROM t WHERE b <> '' ORDER BY a")


def test_parquet(run: Run, tmp_path: Path) -> None:
    run("COPY INTO @st/p FROM t FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE")
    assert names(run("LIST @st")) == ["st/p_0_0_0.snappy.parquet"]
    run(f"GET @st/p file://{tmp_path}/")
    table = pq.read_table(tmp_path / "p_0_0_0.snappy.parquet")
    assert table.column_names == ["A", "B", "C", "D"]
    assert table.column("B").to_pylist() == ["one", 'a,b "c"', ""]
    run("CREATE TABLE back LIKE t")
    run("COPY INTO back FROM @st/p FILE_FORMAT = (TYPE = PARQUET) MATCH_BY_COLUMN_NAME = CASE_SENSITIVE")
    assert run("SELECT * FROM back ORDER BY a") == run("SELECT * FROM t ORDER BY a")


def test_json(run: Run, content: Callable[[str], bytes]) -> None:
    run(
        "COPY INTO @st/j FROM (SELECT OBJECT_CONSTRUCT('a', a, 'b', b) FROM t WHERE a < 3) FILE_FORMAT = (TYPE = JSON COMPRESSION = BZ2)"
    )
    lines = bz2.decompress(content("j_0_0_0.json.bz2")).decode().splitlines()
    assert sorted(lines) == ['{"a":1,"b":"one"}', '{"a":2,"b":"a,b \\"c\\""}']
    with pytest.raises(ProgrammingError, match="JSON file format can produce one and only one column"):
        run("COPY INTO @st/j2 FROM t FILE_FORMAT = (TYPE = JSON)")


def test_partitions(run: Run) -> None:
    run("COPY INTO @st/parts FROM t PARTITION BY ('a=' || TO_VARCHAR(a)) FILE_FORMAT = (TYPE = CSV)")
    found = [name.rpartition("/")[0] for name in names(run("LIST @st"))]
    assert found == ["st/parts/a=1", "st/parts/a=2", "st/parts/a=3"]
    assert run("COPY INTO @st/null/ FROM t PARTITION BY (b) DETAILED_OUTPUT = TRUE")[0][2] == 1


def test_existing_files_stay_unless_told_otherwise(run: Run) -> None:
    run("COPY INTO @st/x FROM t")
    with pytest.raises(ProgrammingError, match="Files already existing at the unload destination"):
        run("COPY INTO @st/x FROM t")
    run("COPY INTO @st/x FROM t OVERWRITE = TRUE")
    run("COPY INTO @st/x FROM t INCLUDE_QUERY_ID = TRUE")
    assert len(run("LIST @st")) == 2


def test_sizes_and_details(run: Run) -> None:
    run("CREATE TABLE big AS SELECT SEQ4() AS n, RANDSTR(100, RANDOM()) AS s FROM TABLE(GENERATOR(ROWCOUNT => 300000))")
    detail = run(
        "COPY INTO @st/big/ FROM big FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE) MAX_FILE_SIZE = 12000000 DETAILED_OUTPUT = TRUE"
    )
    assert len(detail) > 1 and sum(row[2] for row in detail) == 300_000
    assert [row[0] for row in detail][:2] == ["big/data_0_0_0.csv", "big/data_0_0_1.csv"]
    assert run("SELECT COUNT(*), COUNT(DISTINCT $1) FROM @st/big/") == [(300_000, 300_000)]


def test_nothing_is_written_if_the_query_fails(run: Run) -> None:
    with pytest.raises(ProgrammingError, match="Division by zero"):
        run("COPY INTO @st/x FROM (SELECT 1 / (a - 3) FROM t)")
    assert run("LIST @st") == []
    assert run("COPY INTO @st/x FROM (SELECT * FROM t WHERE a > 9)") == [(0, 0, 0)]
    assert run("LIST @st") == []


def test_validation_mode(run: Run) -> None:
    assert run("COPY INTO @st FROM (SELECT a, b FROM t WHERE a = 1) VALIDATION_MODE = RETURN_ROWS") == [(1, "one")]
    assert run("LIST @st") == []
