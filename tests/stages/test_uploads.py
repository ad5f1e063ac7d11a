"""A client on the server's machine writes the files that it PUTs itself: each is in the stage whole or not at all."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import snowflake.connector
from hypothesis import given, settings
from hypothesis import strategies as st
from snowflake.connector import SnowflakeConnection
from snowflake.connector.cursor import SnowflakeCursor

from polynya.server.local import Warehouse
from polynya.stages.uploads import Uploads, is_whole, readable_sources

# A client that ends where a method of its driver begins: once the file is there and is to be filled, or before it has a length.
CLIENT = """
import builtins, json, os, sys
import snowflake.connector
from snowflake.connector.local_storage_client import SnowflakeLocalStorageClient as Client
parameters, put, method = sys.argv[1:]
if method == "_upload_chunk":
    Client._upload_chunk = lambda *_: os._exit(9)
else:
    Client.prepare_upload = lambda self: (open(self.full_dst_file_name, "wb+").close(), os._exit(9))
snowflake.connector.connect(**json.loads(parameters)).cursor().execute(put)
"""
METHODS = ("prepare_upload", "_upload_chunk")


def ended_in_the_middle(warehouse: Warehouse, put: str, method: str = "_upload_chunk") -> None:
    """Runs a PUT by a client of its own that does not come to its end."""
    parameters = json.dumps(warehouse.connection_parameters)
    assert subprocess.run([sys.executable, "-c", CLIENT, parameters, put, method]).returncode == 9


@pytest.fixture
def cursor(connection: SnowflakeConnection, schema: str) -> SnowflakeCursor:
    return connection.cursor()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "rows.csv"
    file.write_text("1\n" * 5000)
    return file


def listed(cursor: SnowflakeCursor, stage: str = "LOADS") -> dict[str, int]:
    return {row[0].partition("/")[2]: row[1] for row in cursor.execute(f"LIST @{stage}").fetchall()}  # type: ignore[union-attr]


@pytest.mark.parametrize("method", METHODS)
def test_a_client_that_ends_in_the_middle_of_put(
    warehouse: Warehouse, cursor: SnowflakeCursor, schema: str, source: Path, method: str
) -> None:
    put = f"PUT file://{source} @{schema}.LOADS AUTO_COMPRESS = FALSE OVERWRITE = TRUE"
    cursor.execute("CREATE STAGE LOADS")
    cursor.execute("CREATE TABLE ROWS_READ (N NUMBER)")
    ended_in_the_middle(warehouse, put, method)
    assert listed(cursor) == {}
    assert "0 files" in str(cursor.execute("COPY INTO ROWS_READ FROM @LOADS").fetchall())  # type: ignore[union-attr]

    assert cursor.execute(put).fetchone()[6] == "UPLOADED"  # type: ignore[index,union-attr]
    cursor.execute("COPY INTO ROWS_READ FROM @LOADS")
    assert cursor.execute("SELECT COUNT(*), SUM(N) FROM ROWS_READ").fetchone() == (5000, 5000)  # type: ignore[union-attr]

    source.write_text("2\n")
    ended_in_the_middle(warehouse, put, method)
    assert listed(cursor) == {"rows.csv": 10_000}, "the file that was there stays"
    cursor.execute(put)
    assert listed(cursor) == {"rows.csv": 2}


@pytest.mark.parametrize("compress", [True, False])
def test_empty_files(cursor: SnowflakeCursor, tmp_path: Path, compress: bool) -> None:
    (tmp_path / "__init__.py").touch()
    (tmp_path / "module.py").write_text("x = 1\n")
    cursor.execute("CREATE STAGE LOADS")
    cursor.execute(f"PUT file://{tmp_path}/*.py @LOADS/code AUTO_COMPRESS = {compress}")
    assert [row[6] for row in cursor.fetchall()] == ["UPLOADED", "UPLOADED"]
    suffix = ".gz" if compress else ""
    assert list(listed(cursor)) == [f"code/__init__.py{suffix}", f"code/module.py{suffix}"]
    if not compress:
        assert listed(cursor) == {"code/__init__.py": 0, "code/module.py": 6}


def test_streams_and_paths_relative_to_the_client(
    cursor: SnowflakeCursor, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor.execute("CREATE STAGE LOADS")
    monkeypatch.chdir(source.parent)
    cursor.execute("PUT file://rows.csv @LOADS AUTO_COMPRESS = FALSE")
    cursor.execute("PUT 'file:///no/such/streamed.csv' @LOADS AUTO_COMPRESS = FALSE", file_stream=io.BytesIO(b"1\n"))
    assert listed(cursor) == {"rows.csv": 10_000, "streamed.csv": 2}


def test_a_restart_keeps_what_was_put(tmp_path: Path, source: Path) -> None:
    with Warehouse(tmp_path / "home") as server:
        with snowflake.connector.connect(**server.connection_parameters) as client:
            cursor = client.cursor()
            cursor.execute("CREATE DATABASE D")
            cursor.execute("CREATE STAGE LOADS")
            cursor.execute(f"PUT file://{source} @LOADS/a/b AUTO_COMPRESS = FALSE")
            ended_in_the_middle(server, f"PUT file://{source} @D.PUBLIC.LOADS/half")
            server.kill()
            server.start()
        with snowflake.connector.connect(**server.connection_parameters, database="D", schema="PUBLIC") as client:
            assert listed(client.cursor()) == {"a/b/rows.csv": 10_000}


def test_a_dropped_stage_takes_along_what_was_put(warehouse: Warehouse, cursor: SnowflakeCursor, source: Path) -> None:
    before = set((warehouse.home.path / "stages").rglob("*"))
    cursor.execute("CREATE STAGE LOADS")
    cursor.execute(f"PUT file://{source} @LOADS")
    cursor.execute("DROP STAGE LOADS")
    assert set((warehouse.home.path / "stages").rglob("*")) <= before


def test_which_files_a_client_may_write_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("1\n")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "folder.d").mkdir()
    monkeypatch.chdir(tmp_path)
    counts = {"*.csv": 2, "a.csv": 1, "*": 0, "empty.txt": 0, "folder.d": 0, "none.csv": 0}
    assert {name: readable_sources(f"{tmp_path}/{name}") for name in counts} == counts
    assert readable_sources("a.csv") == readable_sources("~/a.csv") == 0


@settings(max_examples=40)
@given(st.lists(st.integers(0, 4), unique=True))
def test_only_files_with_all_their_parts_are_whole(tmp_path_factory: pytest.TempPathFactory, parts: list[int]) -> None:
    path, part = tmp_path_factory.mktemp("parts") / "file", 65_536
    with path.open("wb+") as file:
        file.truncate(5 * part)
        for number in parts:
            file.seek(number * part)
            file.write(b"\0" * part)
    assert is_whole(path) is (len(parts) == 5)
    path.write_bytes(b"")
    assert not is_whole(path)


def test_the_later_of_two_stays(tmp_path: Path) -> None:
    target = tmp_path / "named" / "1"
    uploads = Uploads(tmp_path)
    for age, content in ((10, b"later"), (20, b"earlier")):
        file = uploads.begin(target, 1) / "a.csv"
        file.write_bytes(content)
        os.utime(file, (time.time() - age,) * 2)
    uploads.receive(tmp_path / "named" / "2")
    assert not target.exists()
    uploads.receive(target)
    assert (target / "a.csv").read_bytes() == b"later"
    assert not list((tmp_path / "uploads").iterdir())


@pytest.mark.parametrize(("age", "stays"), [(60, True), (3600, False)])
def test_what_may_still_be_written_stays(tmp_path: Path, age: float, stays: bool) -> None:
    folder = Uploads(tmp_path).begin(tmp_path / "named" / "1", 1)
    half = folder / "a.csv"
    with half.open("wb+") as file:
        file.truncate(200_000)
    uploads = Uploads(tmp_path)  # the server has been started again ...
    for upload in uploads._open:
        upload.begun -= age  # ... a while ago
    for path in (half, folder):
        os.utime(path, (time.time() - age,) * 2)
    uploads.begin(tmp_path / "named" / "2", 1)
    assert half.exists() is stays


def test_a_folder_in_the_way_is_no_end_of_the_stage(cursor: SnowflakeCursor, source: Path) -> None:
    cursor.execute("CREATE STAGE LOADS")
    cursor.execute(f"PUT file://{source} @LOADS/rows.csv AUTO_COMPRESS = FALSE")
    cursor.execute(f"PUT file://{source} @LOADS AUTO_COMPRESS = FALSE")  # a name can't be a folder and a file here
    assert listed(cursor) == {"rows.csv/rows.csv": 10_000}
