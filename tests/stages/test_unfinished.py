"""A client on the server's machine writes the files that it PUTs itself; one that was ended leaves no half file in the stage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import OperationalError

from polynya.server.local import Warehouse
from polynya.stages.unfinished import clear, is_unfinished

# A client that ends when it has made the file and is about to write its rows.
CLIENT = """
import json, os, sys
import snowflake.connector
from snowflake.connector.local_storage_client import SnowflakeLocalStorageClient
SnowflakeLocalStorageClient._upload_chunk = lambda *_: os._exit(9)
snowflake.connector.connect(**json.loads(sys.argv[1])).cursor().execute(sys.argv[2])
"""


def ended_in_the_middle(warehouse: Warehouse, put: str) -> None:
    """Runs a PUT by a client of its own that does not come to its end."""
    parameters = json.dumps(warehouse.connection_parameters)
    assert subprocess.run([sys.executable, "-c", CLIENT, parameters, put]).returncode == 9


def test_a_client_that_ends_in_the_middle_of_put(
    warehouse: Warehouse, connection: SnowflakeConnection, schema: str, tmp_path: Path
) -> None:
    source = tmp_path / "rows.csv"
    source.write_text("1\n" * 5000)
    put = f"PUT file://{source} @{schema}.LOADS AUTO_COMPRESS = FALSE"
    cursor = connection.cursor()
    cursor.execute("CREATE STAGE LOADS")
    cursor.execute("CREATE TABLE ROWS_READ (N NUMBER)")
    ended_in_the_middle(warehouse, put)
    (left,) = (warehouse.home.path / "stages" / "named").glob("*/rows.csv")
    assert left.stat().st_size == source.stat().st_size

    assert cursor.execute("LIST @LOADS").fetchall() == []
    assert "0 files" in str(cursor.execute("COPY INTO ROWS_READ FROM @LOADS").fetchall())
    with pytest.raises(OperationalError, match="does not exist"):
        cursor.execute(f"GET @LOADS/rows.csv file://{tmp_path}")
    earlier = time.time() - 60
    os.utime(left, (earlier, earlier))  # so that nobody can still be writing it
    assert cursor.execute(put).fetchone()[6] == "UPLOADED"  # type: ignore[index]
    cursor.execute("COPY INTO ROWS_READ FROM @LOADS")
    assert cursor.execute("SELECT COUNT(*), SUM(N) FROM ROWS_READ").fetchone() == (5000, 5000)


def test_whole_files_are_finished(tmp_path: Path) -> None:
    for content in (b"", b"x", b"\0" * 10_000, b"x" * 3_000_000):
        file = tmp_path / "file"
        file.write_bytes(content)
        assert not is_unfinished(file, file.stat())
    with file.open("wb+") as half:
        half.truncate(200_000)
        half.write(b"x" * 100_000)
    assert is_unfinished(file, file.stat())


@pytest.mark.parametrize(
    ("written", "age", "stays"), [(0, 1, True), (0, 60, False), (100_000, 60, True), (100_000, 3600, False)]
)
def test_what_may_still_be_written_stays(tmp_path: Path, written: int, age: float, stays: bool) -> None:
    (tmp_path / "whole").write_bytes(b"x" * 200_000)
    half = tmp_path / "half"
    with half.open("wb+") as file:
        file.truncate(200_000)
        file.write(b"x" * written)
    for path in (half, tmp_path / "whole"):
        os.utime(path, (time.time() - age,) * 2)
    clear(tmp_path)
    assert half.exists() is stays
    assert (tmp_path / "whole").exists()
