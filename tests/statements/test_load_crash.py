"""A server that dies in the middle of a load."""

from __future__ import annotations

import gzip
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import snowflake.connector
from snowflake.connector.errors import Error

from polynya.server.local import Warehouse

ROWS = 300_000
COPY = "COPY INTO t FROM @st FILE_FORMAT = (TYPE = CSV)"


@pytest.mark.parametrize("after", [0.05, 0.25])
def test_a_load_is_there_whole_or_not_at_all(tmp_path: Path, after: float) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"".join(b"%d,some text %d\n" % (n, n) for n in range(ROWS)), 1))
    with Warehouse(tmp_path / "home") as warehouse:
        client = snowflake.connector.connect(**warehouse.connection_parameters)
        cursor = client.cursor()
        for text in ("CREATE DATABASE d", "CREATE SCHEMA d.s", "CREATE STAGE st", "CREATE TABLE t (a INT, b VARCHAR)"):
            cursor.execute(text)
        cursor.execute(f"PUT file://{path} @st")

        def load() -> None:
            with suppress(Error):
                cursor.execute(COPY, timeout=5)

        threading.Thread(target=load, daemon=True).start()
        time.sleep(after)
        warehouse.kill()
        warehouse.start()
        again = snowflake.connector.connect(**warehouse.connection_parameters, database="D", schema="S").cursor()
        assert again.execute("SELECT COUNT(*) FROM t").fetchone()[0] in (0, ROWS)
        again.execute(COPY)
        assert again.execute("SELECT COUNT(*), COUNT(DISTINCT a) FROM t").fetchone() == (ROWS, ROWS)
