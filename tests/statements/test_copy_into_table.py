"""COPY INTO table, through the connector."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import IntegrityError, ProgrammingError

Run = Callable[..., list[Any]]


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    """Runs a statement and fetches its rows; the schema has a stage ST and a table T(A, B, C)."""
    cursor = connection.cursor()

    def run_one(text: str, *binds: Any) -> list[Any]:
        return cursor.execute(text, *binds).fetchall()

    run_one("CREATE STAGE st")
    run_one("CREATE TABLE t (a INT, b VARCHAR(10), c FLOAT)")
    return run_one


@pytest.fixture
def put(run: Run, tmp_path: Path) -> Callable[..., None]:
    """Writes a file and PUTs it: ``put("x.csv", "1,2\\n")``."""

    def put_one(name: str, content: str | bytes, folder: str = "", compress: bool = False) -> None:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        run(f"PUT 'file://{path}' @st/{folder} AUTO_COMPRESS = {compress} OVERWRITE = TRUE")

    return put_one


GOOD = "1,one,1.5\n2,two,2.5\n"
CSV = "FILE_FORMAT = (TYPE = CSV)"


def rows_of(run: Run, table: str = "t") -> list[Any]:
    return sorted(run(f"SELECT * FROM {table}"), key=repr)


def test_files_are_loaded_once(run: Run, put: Callable[..., None]) -> None:
    put("x.csv", GOOD, compress=True)
    put("y.csv", "3,three,3.5\n")
    assert run(f"COPY INTO t FROM @st {CSV}") == [
        ("st/x.csv.gz", "LOADED", 2, 2, 1, 0, None, None, None, None),
        ("st/y.csv", "LOADED", 1, 1, 1, 0, None, None, None, None),
    ]
    assert run(f"COPY INTO t FROM @st {CSV}") == [("Copy executed with 0 files processed.",)]
    assert len(rows_of(run)) == 3
    run(f"COPY INTO t FROM @st {CSV} FORCE = TRUE")
    assert len(rows_of(run)) == 6
    put("y.csv", "4,four,4.5\n")  # another content: another file
    assert run(f"COPY INTO t FROM @st {CSV}")[0][:2] == ("st/y.csv", "LOADED")
    run("CREATE OR REPLACE TABLE t (a INT, b VARCHAR(10), c FLOAT)")
    assert len(run(f"COPY INTO t FROM @st {CSV}")) == 2


def test_a_load_that_is_rolled_back_was_none(run: Run, put: Callable[..., None]) -> None:
    put("x.csv", GOOD)
    run("BEGIN")
    run(f"COPY INTO t FROM @st {CSV}")
    assert len(rows_of(run)) == 2
    run("ROLLBACK")
    assert rows_of(run) == []
    run(f"COPY INTO t FROM @st {CSV}")
    assert len(rows_of(run)) == 2


def test_files_pattern_and_location_choose(run: Run, put: Callable[..., None]) -> None:
    for name in ("a1.csv", "a2.csv", "b1.csv"):
        put(name, GOOD, folder="in/")
    assert [row[0] for row in run(f"COPY INTO t FROM @st/in/ FILES = ('a1.csv', 'b1.csv') {CSV}")] == [
        "st/in/a1.csv",
        "st/in/b1.csv",
    ]
    assert [row[0] for row in run(f"COPY INTO t FROM @st PATTERN = '.*a[0-9].csv' {CSV}")] == ["st/in/a2.csv"]
    assert run(f"COPY INTO t FROM @st/none {CSV}") == [("Copy executed with 0 files processed.",)]
    assert [row[0] for row in run(f"COPY INTO t FROM @st/in/b {CSV} FORCE = TRUE")] == ["st/in/b1.csv"]


def test_table_and_user_stages(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(GOOD)
    run(f"PUT file://{path} @%t")
    run(f"PUT file://{path} @~/polynya_test AUTO_COMPRESS = FALSE")
    assert run(f"COPY INTO t {CSV}")[0][:2] == ("x.csv.gz", "LOADED")
    assert run(f"COPY INTO t FROM @~/polynya_test/x.csv {CSV}")[0][:2] == ("polynya_test/x.csv", "LOADED")
    run("REMOVE @~/polynya_test")
    assert len(rows_of(run)) == 4


ERRORS = [
    # (file, options, code, text, line, character, row, column)
    ("1,one,1.5\n2,two,x\n", "", 100038, "Numeric value 'x' is not recognized", 2, 7, 2, '"T"["C":3]'),
    ("1,one,1.5\n2,two\n", "", 100080, "Number of columns in file (2) does not match that of the corresponding table (3)", 2, 3, 2, '"T"["B":2]'),
    ("1,one,1.5\n2,two,2,\n", "", 100080, "Number of columns in file (4) does not match that of the corresponding table (3)", 2, 7, 2, '"T"["C":3]'),
    ("1,one,1.5\n\n", "", 100080, "Number of columns in file (1) does not match", 2, 1, 2, '"T"["A":1]'),
    ("1,a string too long,1\n", "", 100078, "String 'a string too long' is too long and would be truncated", 1, 3, 1, '"T"["B":2]'),
    ('1,"one"x,1\n', "FIELD_OPTIONALLY_ENCLOSED_BY = '\"'", 100065, "Found character 'x' instead of field delimiter ','", 1, 8, 1, '"T"["B":2]'),
    ("h\nh\n1,one,x\n", "SKIP_HEADER = 2", 100038, "Numeric value 'x' is not recognized", 3, 7, 1, '"T"["C":3]'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "options", "code", "message", "line", "character", "row", "column"), ERRORS)
def test_an_error_says_where_and_nothing_is_loaded(
    run: Run,
    put: Callable[..., None],
    text: str,
    options: str,
    code: int,
    message: str,
    line: int,
    character: int,
    row: int,
    column: str,
) -> None:
    put("good.csv", "h\nh\n" + GOOD if "SKIP" in options else GOOD)
    put("x.csv", text, compress=True)
    with pytest.raises(ProgrammingError) as caught:
        run(f"COPY INTO t FROM @st FILE_FORMAT = (TYPE = CSV {options})")
    assert caught.value.errno == code
    told = str(caught.value.msg)
    assert message in told
    assert f"File 'st/x.csv.gz', line {line}, character {character}" in told
    assert f"Row {row}, column {column}" in told
    assert rows_of(run) == []
    # The same in the report of a load that goes on.
    report = run(f"COPY INTO t FROM @st FILE_FORMAT = (TYPE = CSV {options}) ON_ERROR = CONTINUE")
    assert report[0][:4] == ("st/good.csv", "LOADED", 2, 2)
    assert report[1][5] == 1 and message in report[1][6] and report[1][7:] == (line, character, column)


def test_on_error(run: Run, put: Callable[..., None]) -> None:
    put("x.csv", "1,one,1\n2,two,x\n3,three,y\n4,four,4\n")
    assert run(f"COPY INTO t FROM @st {CSV} ON_ERROR = SKIP_FILE")[0][:6] == ("st/x.csv", "LOAD_FAILED", 4, 0, 1, 2)
    assert run(f"COPY INTO t FROM @st {CSV} ON_ERROR = 'SKIP_FILE_2'")[0][:6] == ("st/x.csv", "LOAD_FAILED", 4, 0, 2, 2)
    assert run(f"COPY INTO t FROM @st {CSV} ON_ERROR = SKIP_FILE_50%")[0][1] == "LOAD_FAILED"
    assert rows_of(run) == []
    assert run(f"COPY INTO t FROM @st {CSV} ON_ERROR = 'SKIP_FILE_60%'")[0][:4] == (
        "st/x.csv",
        "PARTIALLY_LOADED",
        4,
        2,
    )
    assert [row[0] for row in rows_of(run)] == [1, 4]
    assert run(f"COPY INTO t FROM @st {CSV} ON_ERROR = CONTINUE FORCE = TRUE")[0][:4] == (
        "st/x.csv",
        "PARTIALLY_LOADED",
        4,
        2,
    )
    with pytest.raises(ProgrammingError, match="ON_ERROR"):
        run(f"COPY INTO t FROM @st {CSV} ON_ERROR = MAYBE")


BROKEN = [
    ("cut.csv.gz", gzip.compress(GOOD.encode() * 50)[:-9], "Invalid data encountered during decompression"),
    ("noise.csv", bytes(range(128, 256)) * 10, "Invalid UTF8 detected"),
    ("text.csv.gz", GOOD.encode(), None),
]


@pytest.mark.parametrize(("name", "content", "message"), BROKEN, ids=[name for name, _, _ in BROKEN])
def test_files_that_cannot_be_read(
    run: Run, put: Callable[..., None], name: str, content: bytes, message: str | None
) -> None:
    put("good.csv", GOOD)
    put(name, content)
    if message is None:  # the name is no proof: the content is what it is
        assert len(run(f"COPY INTO t FROM @st {CSV}")) == 2
        with pytest.raises(ProgrammingError, match="decompression"):
            run("COPY INTO t FROM @st FILE_FORMAT = (TYPE = CSV COMPRESSION = GZIP) FORCE = TRUE")
        return
    with pytest.raises(ProgrammingError, match=message):
        run(f"COPY INTO t FROM @st {CSV}")
    assert rows_of(run) == []
    report = {row[0]: row for row in run(f"COPY INTO t FROM @st {CSV} ON_ERROR = CONTINUE")}
    assert report["st/good.csv"][1] == "LOADED"
    assert report[f"st/{name}"][1] == "LOAD_FAILED" and message in report[f"st/{name}"][6]
    assert len(rows_of(run)) == 2


def test_an_empty_file(run: Run, put: Callable[..., None]) -> None:
    put("empty.csv", "")
    assert run(f"COPY INTO t FROM @st {CSV}")[0][:4] == ("st/empty.csv", "LOADED", 0, 0)


CONVERSIONS = [
    ("DATE", "2024-02-29\n", "", "2024-02-29"),
    ("DATE", "29.02.2024\n", "DATE_FORMAT = 'DD.MM.YYYY'", "2024-02-29"),
    ("TIMESTAMP_NTZ", "2018-01-01 00:01:45.8140\n", "", "2018-01-01 00:01:45.814000"),
    ("TIMESTAMP_NTZ", "1/5/2017 0:03\n", "TIMESTAMP_FORMAT = 'MM/DD/YYYY HH24:MI'", "2017-01-05 00:03:00"),
    ("TIME", "12:34:56\n", "", "12:34:56"),
    ("BOOLEAN", "yes\n", "", "True"),
    ("NUMBER(10,2)", "12.345\n", "", "12.35"),
    ("NUMBER(10,2)", "  12.3 \n", "TRIM_SPACE = TRUE", "12.30"),
    ("BINARY", "4142\n", "", "bytearray(b'AB')"),
    ("VARCHAR", "NULL\n", "NULL_IF = ('NULL', 'none')", "None"),
    ("VARCHAR", "grün\n", "ENCODING = 'ISO-8859-1'", "grün"),
    ("VARCHAR", "a\x01b\n", "FIELD_DELIMITER = '\\\\001' ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE", "a"),
    ("VARCHAR", "a\tb\n", "FIELD_DELIMITER = '\\t' ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE", "a"),
    ("VARCHAR", "a,b\n", "FIELD_DELIMITER = NONE", "a,b"),
    ("VARCHAR", "a;", "RECORD_DELIMITER = ';'", "a"),
]


@pytest.mark.parametrize(("kind", "text", "options", "expected"), CONVERSIONS)
def test_values_and_format_options(
    run: Run, put: Callable[..., None], kind: str, text: str, options: str, expected: str
) -> None:
    put("x.csv", text.encode("latin-1" if "8859" in options else "utf-8"))
    run(f"CREATE TABLE one (v {kind})")
    run(f"COPY INTO one FROM @st FILE_FORMAT = (TYPE = CSV {options})")
    assert [str(row[0]) for row in run("SELECT * FROM one")] == [expected]


def test_a_missing_column_with_and_without_a_column_list(run: Run, put: Callable[..., None]) -> None:
    run("CREATE TABLE d (a INT, b VARCHAR DEFAULT 'none', c INT)")
    put("x.csv", "1\n")
    run(f"COPY INTO d (a, c) FROM @st {CSV}")
    assert run("SELECT * FROM d") == [(1, "none", None)]
    run("COPY INTO d FROM @st FILE_FORMAT = (TYPE = CSV ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE) FORCE = TRUE")
    assert run("SELECT * FROM d") == [(1, "none", None), (1, None, None)]
    with pytest.raises(ProgrammingError, match="invalid identifier 'Z'"):
        run(f"COPY INTO d (z) FROM @st {CSV}")


def test_null_in_a_column_that_takes_none(run: Run, put: Callable[..., None]) -> None:
    run("CREATE TABLE n (a INT NOT NULL, b VARCHAR)")
    put("x.csv", "1,one\n,two\n")
    with pytest.raises(
        IntegrityError, match=r"NULL result in a non-nullable column\n  File 'st/x.csv', line 2, character 1"
    ):
        run(f"COPY INTO n FROM @st {CSV}")
    assert run(f"COPY INTO n FROM @st {CSV} ON_ERROR = CONTINUE")[0][:4] == ("st/x.csv", "PARTIALLY_LOADED", 2, 1)


def test_truncatecolumns(run: Run, put: Callable[..., None]) -> None:
    put("x.csv", "1,a string too long,1\n")
    run(f"COPY INTO t FROM @st {CSV} TRUNCATECOLUMNS = TRUE")
    run(f"COPY INTO t FROM @st {CSV} ENFORCE_LENGTH = FALSE FORCE = TRUE")
    assert rows_of(run) == [(1, "a string t", 1.0)] * 2


def test_purge_and_size_limit(run: Run, put: Callable[..., None]) -> None:
    put("x.csv", GOOD)
    put("y.csv", GOOD)
    assert len(run(f"COPY INTO t FROM @st {CSV} SIZE_LIMIT = 5")) == 1
    assert len(run(f"COPY INTO t FROM @st {CSV} PURGE = TRUE")) == 1
    assert [row[0] for row in run("LIST @st")] == ["st/x.csv"]


def test_transformation(run: Run, put: Callable[..., None]) -> None:
    put("x.csv", GOOD, folder="sub/")
    run("CREATE TABLE tr (name VARCHAR, file VARCHAR, line INT, twice FLOAT)")
    run(
        f"COPY INTO tr FROM (SELECT UPPER(s.$2), METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, s.$3 * 2 FROM @st/sub s) {CSV}"
    )
    assert rows_of(run, "tr") == [("ONE", "sub/x.csv", 1, 3.0), ("TWO", "sub/x.csv", 2, 5.0)]
    run(f"COPY INTO tr (twice, name) FROM (SELECT $3, $9 FROM @st) {CSV} FORCE = TRUE")
    assert rows_of(run, "tr")[-2:] == [(None, None, None, 1.5), (None, None, None, 2.5)]
    with pytest.raises(ProgrammingError, match="Insert value list does not match column list expecting 4 but got 1"):
        run(f"COPY INTO tr FROM (SELECT $1 FROM @st) {CSV}")
    with pytest.raises(ProgrammingError, match="only supports simple SELECT"):
        run(f"COPY INTO tr (name) FROM (SELECT $1 FROM @st WHERE $1 = 1) {CSV}")


def test_errors_in_a_transformation(run: Run, put: Callable[..., None]) -> None:
    put("x.csv", "1,one,1\nx,two,2\n")
    copy = f"COPY INTO t FROM (SELECT $1::INT + 1, $2, $3 FROM @st) {CSV}"
    with pytest.raises(
        ProgrammingError, match=r"Numeric value 'x' is not recognized\n  File 'st/x.csv', line 2, character 1"
    ):
        run(copy)
    assert run(f"{copy} ON_ERROR = CONTINUE")[0][:4] == ("st/x.csv", "PARTIALLY_LOADED", 2, 1)
    assert rows_of(run) == [(2, "one", 1.0)]


def test_validation_mode(run: Run, put: Callable[..., None]) -> None:
    put("x.csv", "1,one,1.5\n2,two,x\ny,three,3\n")
    assert run(f"COPY INTO t FROM @st {CSV} VALIDATION_MODE = RETURN_1_ROWS") == [(1, "one", 1.5)]
    with pytest.raises(ProgrammingError, match="Numeric value 'x'"):
        run(f"COPY INTO t FROM @st {CSV} VALIDATION_MODE = 'RETURN_2_ROWS'")
    errors = run(f"COPY INTO t FROM @st {CSV} VALIDATION_MODE = RETURN_ALL_ERRORS")
    assert [(row[0], row[2], row[3], row[8], row[9]) for row in errors] == [
        ("Numeric value 'x' is not recognized", 2, 7, '"T"["C":3]', 2),
        ("Numeric value 'y' is not recognized", 3, 1, '"T"["A":1]', 3),
    ]
    missing = run(f"COPY INTO t FROM @st FILES = ('none.csv') {CSV} VALIDATION_MODE = RETURN_ERRORS")
    assert "The file might not exist." in missing[0][0] and missing[0][1] == "none.csv"
    assert rows_of(run) == []


def test_match_by_column_name(run: Run, put: Callable[..., None]) -> None:
    put("x.csv", "C,b,extra,A\n1.5,one,?,1\n")
    put("y.csv", "a\n2\n")
    by_name = "FILE_FORMAT = (TYPE = CSV PARSE_HEADER = TRUE) MATCH_BY_COLUMN_NAME"
    run(f"COPY INTO t FROM @st {by_name} = CASE_INSENSITIVE")
    assert rows_of(run) == [(1, "one", 1.5), (2, None, None)]
    run("CREATE TABLE m (A INT, B VARCHAR, file VARCHAR, line INT)")
    run(
        f"COPY INTO m FROM @st/x.csv {by_name} = CASE_SENSITIVE "
        "INCLUDE_METADATA = (file = METADATA$FILENAME, line = METADATA$FILE_ROW_NUMBER)"
    )
    assert rows_of(run, "m") == [(1, None, "x.csv", 1)]
    with pytest.raises(ProgrammingError, match="PARSE_HEADER"):
        run(f"COPY INTO t FROM @st {CSV} MATCH_BY_COLUMN_NAME = CASE_SENSITIVE")


def test_json(run: Run, put: Callable[..., None]) -> None:
    documents = [{"a": 1, "b": "one", "C": 1.5}, {"a": None, "c": 2.5}]
    put("lines.json", "\n".join(map(json.dumps, documents)), compress=True)
    put("array.json", json.dumps(documents, indent=2), folder="array/")
    run("CREATE TABLE j (v VARIANT)")
    assert run("COPY INTO j FROM @st/lines FILE_FORMAT = (TYPE = JSON)")[0][2:4] == (2, 2)
    assert run("COPY INTO j FROM @st/array FILE_FORMAT = (TYPE = JSON STRIP_OUTER_ARRAY = TRUE)")[0][2:4] == (2, 2)
    assert run("COPY INTO j FROM @st/array FILE_FORMAT = (TYPE = JSON) FORCE = TRUE")[0][2:4] == (1, 1)
    assert run("SELECT COUNT(*), COUNT(v:a), SUM(v:a::INT) FROM j") == [(5, 4, 2)]
    run("COPY INTO t FROM @st/lines FILE_FORMAT = (TYPE = JSON) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE")
    assert rows_of(run) == [(1, "one", 1.5), (None, None, 2.5)]
    with pytest.raises(ProgrammingError, match="JSON file format can produce one and only one column"):
        run("COPY INTO t FROM @st/lines FILE_FORMAT = (TYPE = JSON) FORCE = TRUE")


def test_broken_json(run: Run, put: Callable[..., None]) -> None:
    put("x.json", '{"a": 1}\n{"a" 2}\n{"a": 3}')
    run("CREATE TABLE j (v VARIANT)")
    with pytest.raises(ProgrammingError, match="Error parsing JSON"):
        run("COPY INTO j FROM @st FILE_FORMAT = (TYPE = JSON)")
    assert run("SELECT COUNT(*) FROM j") == [(0,)]
    report = run("COPY INTO j FROM @st FILE_FORMAT = (TYPE = JSON) ON_ERROR = SKIP_FILE")
    assert report[0][1] == "LOAD_FAILED" and "Error parsing JSON" in report[0][6]


def test_parquet(run: Run, put: Callable[..., None], tmp_path: Path) -> None:
    table = pa.table({"a": [1, None], "b": ["one", "two"], "C": [1.5, 2.5], "list": [[1, 2], None]})
    pq.write_table(table, tmp_path / "w.parquet")
    put("x.parquet", (tmp_path / "w.parquet").read_bytes())
    run("COPY INTO t FROM @st FILE_FORMAT = (TYPE = PARQUET) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE")
    assert rows_of(run) == [(1, "one", 1.5), (None, "two", 2.5)]
    run("CREATE TABLE p (v VARIANT)")
    run("COPY INTO p FROM @st FILE_FORMAT = (TYPE = PARQUET)")
    assert run("SELECT v:list[1]::INT, v:b::VARCHAR, v:C::FLOAT FROM p ORDER BY 2") == [
        (2, "one", 1.5),
        (None, "two", 2.5),
    ]
    run("CREATE TABLE tp (n INT, b VARCHAR)")
    run('COPY INTO tp FROM (SELECT $1:a::INT, $1:"b" FROM @st) FILE_FORMAT = (TYPE = PARQUET)')
    assert rows_of(run, "tp") == [(1, "one"), (None, "two")]
    put("broken.parquet", b"PAR1 no parquet")
    with pytest.raises(ProgrammingError, match="not a valid Parquet file"):
        run("COPY INTO p FROM @st FILE_FORMAT = (TYPE = PARQUET)")


def test_formats_of_stage_and_by_name(run: Run, put: Callable[..., None], tmp_path: Path) -> None:
    run("CREATE FILE FORMAT semicolons TYPE = CSV FIELD_DELIMITER = ';' SKIP_HEADER = 1")
    run("CREATE STAGE own FILE_FORMAT = (FORMAT_NAME = semicolons)")
    path = tmp_path / "x.csv"
    path.write_text("h\n1;one;1\n")
    run(f"PUT file://{path} @own")
    run(f"PUT file://{path} @st")
    run("COPY INTO t FROM @own")
    run("COPY INTO t FROM @st FILE_FORMAT = (FORMAT_NAME = 'semicolons')")
    run("COPY INTO t FROM @st FILE_FORMAT = semicolons FORCE = TRUE")
    assert rows_of(run) == [(1, "one", 1.0)] * 3
    with pytest.raises(ProgrammingError, match="File format 'NONE_SUCH' does not exist"):
        run("COPY INTO t FROM @st FILE_FORMAT = (FORMAT_NAME = none_such)")


def test_external_stage_of_a_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(GOOD)
    run(f"CREATE STAGE ext URL = 'file://{tmp_path}/'")
    assert run(f"COPY INTO t FROM @ext {CSV}")[0][:2] == (f"file://{tmp_path}/x.csv", "LOADED")
    assert run(f"COPY INTO t FROM 'file://{tmp_path}/x.csv' {CSV} FORCE = TRUE")[0][1] == "LOADED"


def test_storage_that_cannot_be_reached_is_an_error_at_once(run: Run) -> None:
    run("CREATE STAGE far URL = 's3compat://bucket/x' ENDPOINT = '127.0.0.1:1'")
    with pytest.raises(ProgrammingError, match="Failure using stage area"):
        run("LIST @far")


def test_what_does_not_parse(run: Run) -> None:
    for text in (
        "COPY INTO t FROM @st NO_SUCH = 1",
        "COPY INTO t FROM @st FILE_FORMAT = (TYPE = CSV NOPE = 1)",
        "COPY INTO t FROM",
    ):
        with pytest.raises(ProgrammingError):
            run(text)
    with pytest.raises(ProgrammingError, match="does not exist"):
        run(f"COPY INTO t FROM @none {CSV}")
    with pytest.raises(ProgrammingError, match="does not exist"):
        run(f"COPY INTO none FROM @st {CSV}")
