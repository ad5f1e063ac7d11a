"""What a handler can do with its session: all that Snowpark can, without a network."""

from __future__ import annotations

import ast
import gzip
from pathlib import Path
from typing import Any

import pytest
from snowflake.snowpark import Row, Session
from snowflake.snowpark.exceptions import SnowparkSQLException

from tests.procedures.conftest import Make


def result(session: Session, make: Make, body: str, returns: str = "VARCHAR", more: str = "") -> Any:
    """Runs a handler as a procedure of its own; its text is read as Python where it is one."""
    make("p()", returns, body, more)
    return session.call("p")


def test_statements_and_dataframes(session: Session, make: Make) -> None:
    session.sql("CREATE TABLE t (k VARCHAR, v INT)").collect()
    count = result(
        session, make,
        """
        from snowflake.snowpark.functions import col, sum as total
        def main(session):
            rows = session.create_dataframe([["a", 1], ["a", 2], ["b", 5]], schema=["k", "v"])
            rows.write.save_as_table("t", mode="append")
            session.table("t").group_by("k").agg(total(col("v")).alias("v")).write.save_as_table("sums")
            session.sql("INSERT INTO t VALUES (?, ?)", params=["c", 7]).collect()
            return session.table("t").count()
        """,
        "INT",
    )  # fmt: skip
    assert count == 4
    assert session.table("sums").sort("K").collect() == [Row(K="a", V=3), Row(K="b", V=5)]


def test_large_data_both_ways(session: Session, make: Make) -> None:
    counts = result(
        session, make,
        """
        import pandas as pd
        def main(session):
            frame = pd.DataFrame({"A": range(120_000), "B": [f"text {i}" for i in range(120_000)]})
            session.write_pandas(frame, "BIG", auto_create_table=True)
            back = session.table("BIG").sort("A").to_pandas()
            local = sum(1 for _ in session.table("BIG").to_local_iterator())
            made = session.create_dataframe([[i] for i in range(5_000)], schema=["x"]).count()
            return str([len(back), back["B"].iloc[-1], local, made])
        """,
    )  # fmt: skip
    assert ast.literal_eval(counts) == [120_000, "text 119999", 120_000, 5_000]


def test_files_to_and_from_stages(session: Session, make: Make, tmp_path: Path) -> None:
    session.sql("CREATE STAGE st").collect()
    given = tmp_path / "given.csv"
    given.write_text("1,2\n")
    session.file.put(str(given), "@st/in", auto_compress=True)
    got = result(
        session, make,
        """
        import io, os, tempfile
        def main(session):
            folder = tempfile.mkdtemp()
            path = os.path.join(folder, "out.txt")
            with open(path, "w") as file:
                file.write("made inside")
            put = session.file.put(path, "@st/out", auto_compress=False)[0]
            streamed = session.file.put_stream(io.BytesIO(b"streamed"), "@st/out/s.txt", auto_compress=False)
            with session.file.get_stream("@st/in/given.csv.gz", decompress=True) as file:
                read = file.read()
            fetched = session.file.get("@st/out", folder + "/down")
            names = sorted(os.listdir(folder + "/down"))
            return str([put.status, streamed.target, read, len(fetched), names])
        """,
    )  # fmt: skip
    assert ast.literal_eval(got) == ["UPLOADED", "s.txt", b"1,2\n", 2, ["out.txt", "s.txt"]]
    session.file.get("@st/out/out.txt", str(tmp_path))
    assert (tmp_path / "out.txt").read_text() == "made inside"
    assert session.file.get_stream("@st/out/s.txt").read() == b"streamed"


def test_staged_files_by_path_and_scoped_url(session: Session, make: Make, tmp_path: Path) -> None:
    session.sql("CREATE STAGE st").collect()
    with gzip.open(tmp_path / "a.txt.gz", "wb") as file:
        file.write(b"packed")
    (tmp_path / "b.txt").write_text("first\nsecond\n")
    session.file.put(str(tmp_path / "*"), "@st", auto_compress=False)
    make(
        "read_all(url VARCHAR)",
        "VARCHAR",
        """
        import gzip
        from snowflake.snowpark.files import SnowflakeFile
        def main(session, url):
            with SnowflakeFile.open("@st/b.txt", "r", require_scoped_url=False) as file:
                lines = file.readlines()
            with SnowflakeFile.open(url, "rb") as file:
                return str([lines, gzip.open(file).read()])
        """,
    )
    url = session.sql("SELECT BUILD_SCOPED_FILE_URL(@st, 'a.txt.gz')").collect()[0][0]
    assert ast.literal_eval(session.call("read_all", url)) == [["first\n", "second\n"], b"packed"]
    with pytest.raises(SnowparkSQLException, match=r"(?s)Python Interpreter Error.*in function READ_ALL"):
        session.call("read_all", "/etc/passwd")


def test_functions_and_procedures_made_inside(session: Session, make: Make) -> None:
    session.sql("CREATE STAGE code").collect()
    rows = result(
        session, make,
        """
        from snowflake.snowpark.functions import col
        from snowflake.snowpark.types import IntegerType
        def main(session):
            session.add_packages("snowflake-snowpark-python")
            plus = session.udf.register(lambda x: x + 1, return_type=IntegerType(), input_types=[IntegerType()])
            session.sproc.register(
                lambda s, x: s.sql(f"SELECT {x} * 10").collect()[0][0], name="tenfold", replace=True,
                return_type=IntegerType(), input_types=[IntegerType()], is_permanent=True, stage_location="@code",
            )
            return str([session.range(3).select(plus(col("id"))).collect(), session.call("tenfold", 4)])
        """,
    )  # fmt: skip
    assert rows.endswith(", 40]")
    assert [f"={n})" in rows for n in (1, 2, 3)] == [True] * 3
    assert session.call("tenfold", 5) == 50


def test_imports_added_inside(session: Session, make: Make) -> None:
    value = result(
        session, make,
        """
        import os, tempfile
        from snowflake.snowpark.types import IntegerType
        def main(session):
            path = os.path.join(tempfile.mkdtemp(), "helper_module.py")
            with open(path, "w") as file:
                file.write("def answer():\\n    return 42\\n")
            session.add_import(path)
            def use() -> int:
                from helper_module import answer
                return answer()
            made = session.udf.register(use, return_type=IntegerType(), input_types=[])
            return session.range(1).select(made()).collect()[0][0]
        """,
        "INT",
    )  # fmt: skip
    assert value == 42


def test_asynchronous_jobs(session: Session, make: Make) -> None:
    found = result(
        session, make,
        """
        def main(session):
            slow = session.sql("SELECT SYSTEM$WAIT(60)").collect_nowait()
            jobs = [session.sql(f"SELECT {n} AS n").collect_nowait() for n in range(3)]
            rows = [job.result()[0][0] for job in jobs]
            slow.cancel()
            late = session.create_async_job(jobs[0].query_id).result()
            return str([rows, late[0][0], slow.is_failed() or slow.status()])
        """,
    )  # fmt: skip
    assert ast.literal_eval(found)[:2] == [[0, 1, 2], 0]


def test_the_client_knows_that_it_is_in_a_procedure(session: Session, make: Make) -> None:
    found = result(
        session, make,
        """
        from snowflake.snowpark import Session
        from snowflake.snowpark.context import get_active_session
        from snowflake.snowpark._internal.utils import is_in_stored_procedure
        def main(session):
            same = get_active_session() is session and Session.builder.getOrCreate() is session
            session.close()
            with session:
                pass
            try:
                Session.builder.configs(
                    {"account": "a", "user": "u", "password": "p", "host": "warehouse.internal", "protocol": "http"}
                ).create()
                refused = ""
            except Exception as error:
                refused = str(error)
            alive = session.sql("SELECT 1").collect()[0][0]
            return str([type(session).__module__, is_in_stored_procedure(), same, alive, refused[:7]])
        """,
    )  # fmt: skip
    assert ast.literal_eval(found) == ["snowflake.snowpark.session", True, True, 1, "(1410):"]


def test_another_connection_is_the_same_session(session: Session, make: Make) -> None:
    found = result(
        session, make,
        """
        import snowflake.connector
        def main(session):
            other = snowflake.connector.connect(
                account="any", user="ANY", password="any", host="warehouse.internal", protocol="http", port=80
            )
            ask = "SELECT CURRENT_SESSION(), CURRENT_USER()"
            return str([other.cursor().execute(ask).fetchall(), [tuple(row) for row in session.sql(ask).collect()]])
        """,
    )  # fmt: skip
    other, own = ast.literal_eval(found)
    assert other == own


def test_there_is_no_network(session: Session, make: Make, warehouse: Any) -> None:
    port = warehouse.connection_parameters["port"]
    found = result(
        session, make,
        f"""
        import snowflake.connector, urllib.request
        def main(session):
            errors = []
            for attempt in (
                lambda: urllib.request.urlopen("http://127.0.0.1:{port}/polynya/status", timeout=5),
                lambda: snowflake.connector.connect(
                    account="x", user="x", password="x", host="127.0.0.1", port={port}, protocol="http",
                    login_timeout=3, network_timeout=3,
                ),
            ):
                try:
                    attempt()
                    errors.append("it passed")
                except BaseException as error:
                    errors.append(type(error).__name__)
            return str(errors)
        """,
    )  # fmt: skip
    assert "it passed" not in found


def test_threads_share_the_session(session: Session, make: Make) -> None:
    found = result(
        session, make,
        """
        from concurrent.futures import ThreadPoolExecutor
        def main(session):
            cursors = [session.connection.cursor() for _ in range(8)]
            with ThreadPoolExecutor(8) as pool:
                ask = lambda pair: pair[1].execute(f"SELECT {pair[0]}").fetchone()[0]
                return str(sorted(pool.map(ask, enumerate(cursors))))
        """,
    )  # fmt: skip
    assert ast.literal_eval(found) == list(range(8))


def test_temporary_tables_of_the_caller_and_back(session: Session, make: Make) -> None:
    session.sql("CREATE TEMPORARY TABLE mine AS SELECT 3 AS a").collect()
    found = result(
        session, make,
        """
        def main(session):
            session.sql("CREATE TEMPORARY TABLE theirs AS SELECT a + 1 AS a FROM mine").collect()
            return session.table("mine").collect()[0][0]
        """,
        "INT",
    )  # fmt: skip
    assert found == 3
    assert session.table("theirs").collect() == [Row(A=4)]
