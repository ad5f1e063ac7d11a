"""Stages and the files in them: DDL, PUT, GET, LIST, REMOVE, COPY FILES."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import Error, OperationalError, ProgrammingError
from snowflake.snowpark import Session

Run = Callable[..., list[Any]]


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    cursor = connection.cursor()
    return lambda text, *binds: cursor.execute(text, *binds).fetchall()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a.csv, b.csv and ``with blank.txt``."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("a.csv", "b.csv", "with blank.txt"):
        (source / name).write_text(f"{name}\n")
    return source


def names(rows: list[Any]) -> list[str]:
    return [row[0] for row in rows]


def test_create_and_drop(run: Run, schema: str) -> None:
    assert run("CREATE STAGE st") == [("Stage area ST successfully created.",)]
    with pytest.raises(ProgrammingError, match="already exists"):
        run("CREATE STAGE st")
    assert run("CREATE STAGE IF NOT EXISTS st") == [("ST already exists, statement succeeded.",)]
    run(f"CREATE OR REPLACE TEMPORARY STAGE {schema}.\"s t\" FILE_FORMAT = (TYPE = JSON) COMMENT = 'c'")
    assert run('DROP STAGE "s t"') == [("s t successfully dropped.",)]
    assert run("DROP STAGE st") == [("ST successfully dropped.",)]
    assert run("DROP STAGE IF EXISTS st") == [("Drop statement executed successfully (ST already dropped).",)]
    with pytest.raises(ProgrammingError, match=r"Stage '.*ST' does not exist or not authorized"):
        run("DROP STAGE st")
    with pytest.raises(ProgrammingError):
        run("CREATE STAGE st NO_SUCH = 1")
    with pytest.raises(ProgrammingError, match="invalid URL prefix"):
        run("CREATE STAGE st URL = 'ftp://x/'")


def test_alter_and_describe(run: Run) -> None:
    run("CREATE STAGE st")
    run("ALTER STAGE st SET FILE_FORMAT = (TYPE = CSV SKIP_HEADER = 2) COPY_OPTIONS = (ON_ERROR = CONTINUE)")
    run("ALTER STAGE st RENAME TO other")
    described = {(row[0], row[1]): row[2:] for row in run("DESCRIBE STAGE other")}
    assert described["STAGE_FILE_FORMAT", "SKIP_HEADER"] == ("Integer", "2", "0")
    assert described["STAGE_COPY_OPTIONS", "ON_ERROR"] == ("String", "CONTINUE", "ABORT_STATEMENT")
    assert described["STAGE_LOCATION", "URL"] == ("String", "", "")


def test_replacing_a_stage_empties_it(run: Run, folder: Path) -> None:
    run("CREATE STAGE st")
    run(f"PUT file://{folder}/a.csv @st")
    run("CREATE OR REPLACE STAGE st")
    assert run("LIST @st") == []


def test_file_formats(run: Run) -> None:
    assert run("CREATE FILE FORMAT ff TYPE = 'CSV' NULL_IF = ('a', 'b')") == [("File format FF successfully created.",)]
    run("ALTER FILE FORMAT ff SET FIELD_DELIMITER = '|'")
    described = {row[0]: row[1:] for row in run("DESC FILE FORMAT ff")}
    assert described["FIELD_DELIMITER"] == ("String", "|", ",")
    assert described["NULL_IF"] == ("List", "[a, b]", "[\\\\N]")
    run("CREATE OR REPLACE SCOPED TEMPORARY FILE FORMAT ff TYPE = JSON")
    assert {row[0]: row[2] for row in run("DESC FILE FORMAT ff")}["TYPE"] == "JSON"
    run("DROP FILE FORMAT ff")
    assert {row[0]: row[2] for row in run("DESC FILE FORMAT ff")}["TYPE"] == "CSV"
    run("DROP FILE FORMAT ff")
    with pytest.raises(ProgrammingError, match=r"File format '.*FF' does not exist or not authorized"):
        run("DESC FILE FORMAT ff")
    with pytest.raises(ProgrammingError, match="FIELD_OPTIONALLY_ENCLOSED_BY"):
        run("CREATE FILE FORMAT ff TYPE = CSV FIELD_OPTIONALLY_ENCLOSED_BY = 'ab'")


def test_put_list_get_remove(run: Run, folder: Path, tmp_path: Path) -> None:
    run("CREATE STAGE st")
    put = run(f"PUT file://{folder}/*.csv @st/in AUTO_COMPRESS = TRUE")
    assert [(row[0], row[1], row[4], row[5], row[6]) for row in put] == [
        ("a.csv", "a.csv.gz", "NONE", "GZIP", "UPLOADED"), ("b.csv", "b.csv.gz", "NONE", "GZIP", "UPLOADED"),
    ]  # fmt: skip
    run(f"PUT /* why */ 'file://{folder}/with blank.txt' '@st/b l' AUTO_COMPRESS = FALSE -- that is why")
    listed = run("LS @st")
    assert names(listed) == ["st/b l/with blank.txt", "st/in/a.csv.gz", "st/in/b.csv.gz"]
    assert listed[0][1] == len("with blank.txt\n") and len(listed[0][2]) == 32 and listed[0][3].endswith(" GMT")
    assert names(run("LIST @st/in PATTERN = '.*b[.]csv.*'")) == ["st/in/b.csv.gz"]
    assert names(run("LIST '@st/b l/'")) == ["st/b l/with blank.txt"]
    target = tmp_path / "target"
    target.mkdir()
    got = run(f"GET @st/in file://{target}/ PATTERN = '.*a.*'")
    assert got == [("a.csv.gz", (target / "a.csv.gz").stat().st_size, "DOWNLOADED", "")]
    assert gzip.decompress((target / "a.csv.gz").read_bytes()) == b"a.csv\n"
    assert run("REMOVE @st/in PATTERN = '.*a.csv.gz'") == [("st/in/a.csv.gz", "removed")]
    assert names(run("RM @st")) == ["st/b l/with blank.txt", "st/in/b.csv.gz"]
    assert run("LIST @st") == []
    with pytest.raises(OperationalError, match="the file does not exist"):
        run(f"GET @st/none file://{target}/")


def test_a_location_as_a_bind(connect: Callable[..., SnowflakeConnection], schema: str, folder: Path) -> None:
    database, _, name = schema.partition(".")
    cursor = connect(database=database, schema=name, paramstyle="qmark").cursor()
    cursor.execute("CREATE STAGE st")
    cursor.execute(f"PUT 'file://{folder}/a.csv' ? PARALLEL = 2", ("@st/bound",))
    assert cursor.execute("LS ?", ("@st",)).fetchall()[0][0] == "st/bound/a.csv.gz"


@pytest.mark.parametrize(
    "location", ["@st/../x", "@st/a/../../x", "@~/../../etc", "@%t/../x", "'@st/..'"],
)  # fmt: skip
def test_paths_stay_in_their_stage(run: Run, folder: Path, location: str) -> None:
    run("CREATE STAGE st")
    run("CREATE TABLE t (a INT)")
    for text in (
        f"LIST {location}",
        f"PUT file://{folder}/a.csv {location}",
        f"GET {location} file://{folder}/",
        f"RM {location}",
    ):
        with pytest.raises(ProgrammingError, match="must not leave its stage"):
            run(text)


def test_a_link_out_of_a_stage_leads_nowhere(run: Run, folder: Path, warehouse: Any) -> None:
    run("CREATE STAGE st")
    run(f"PUT file://{folder}/a.csv @st AUTO_COMPRESS = FALSE")
    run("LIST @st")
    staged = next(path for path in warehouse.home.path.glob("stages/named/*/a.csv") if path.read_text() == "a.csv\n")
    (staged.parent / "out").symlink_to(folder)
    (staged.parent / "out.csv").symlink_to(folder / "b.csv")
    assert names(run("LIST @st")) == ["st/a.csv"]
    with pytest.raises(ProgrammingError, match="must not leave its stage"):
        run(f"PUT file://{folder}/b.csv @st/out")
    (staged.parent / "out").unlink()
    (staged.parent / "out.csv").unlink()


def test_temporary_stages_end_with_their_session(
    connect: Callable[..., SnowflakeConnection], schema: str, folder: Path, warehouse: Any
) -> None:
    database, _, name = schema.partition(".")
    first = connect(database=database, schema=name)
    first.cursor().execute("CREATE TEMP STAGE ts")
    first.cursor().execute(f"PUT file://{folder}/a.csv @ts")
    before = list(warehouse.home.path.glob("stages/**/temporary/*/a.csv.gz"))
    assert before
    other = connect(database=database, schema=name).cursor()
    with pytest.raises(ProgrammingError, match="does not exist"):
        other.execute("LIST @ts")
    first.close()
    other.execute("SELECT 1")
    assert not any(path.exists() for path in before)


def test_copy_files(run: Run, folder: Path, schema: str) -> None:
    run("CREATE STAGE one")
    run("CREATE STAGE two")
    run(f"PUT file://{folder}/*.csv @one/in AUTO_COMPRESS = FALSE")
    assert names(run("COPY FILES INTO @two/out/ FROM @one/in/")) == ["out/a.csv", "out/b.csv"]
    assert run("COPY FILES INTO @two/p FROM @one/in/ PATTERN = '.*a.csv' DETAILED_OUTPUT = FALSE") == [(1,)]
    assert names(run("COPY FILES INTO @two/f FROM @one/in FILES = ('b.csv')")) == ["f/b.csv"]
    renamed = run("COPY FILES INTO @two FROM (SELECT '@one/in/a.csv', 'renamed.csv')")
    assert names(renamed) == [f"{schema}.TWO/renamed.csv"]
    assert "two/renamed.csv" in names(run("LIST @two"))
    with pytest.raises(ProgrammingError, match="exceeds maximum allowable number of columns"):
        run("COPY FILES INTO @two FROM (SELECT 'a', 'b', 'c')")


def test_session_file(session: Session, folder: Path, tmp_path: Path) -> None:
    session.sql("CREATE STAGE st").collect()
    assert session.file.put(str(folder / "*.csv"), "@st/p", auto_compress=False)[0].status == "UPLOADED"
    result = session.file.put_stream(io.BytesIO(b"from a stream"), "@st/p/stream.txt", auto_compress=False)
    assert result.status == "UPLOADED" and result.target == "stream.txt"
    with session.file.get_stream("@st/p/stream.txt") as stream:
        assert stream.read() == b"from a stream"
    got = session.file.get("@st/p", str(tmp_path / "got"))
    assert sorted(item.file for item in got) == ["a.csv", "b.csv", "stream.txt"]


def test_what_does_not_parse(run: Run, folder: Path) -> None:
    run("CREATE STAGE st")
    for text in ("PUT", f"PUT file://{folder}/a.csv", "LIST", "LIST @st NO SUCH", f"PUT {folder}/a.csv @st", "GET @st"):
        with pytest.raises(Error):
            run(text)
