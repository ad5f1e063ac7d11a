"""A server that is killed in the midst of statements, and a disk that is full."""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector.cursor import SnowflakeCursor
from snowflake.connector.errors import Error

from polynya.backup import back_up, restore
from polynya.home import Home, HomeError
from polynya.server.local import Warehouse

ROWS = 300_000


def cursor(warehouse: Warehouse, **parameters: Any) -> SnowflakeCursor:
    given = {**warehouse.connection_parameters, "login_timeout": 5, **parameters}
    return snowflake.connector.connect(**given).cursor()


def one(cursor: SnowflakeCursor, sql: str) -> Any:
    return cursor.execute(sql).fetchone()[0]  # type: ignore[index,union-attr]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with Warehouse(tmp_path_factory.mktemp("interrupted") / "home") as running:
        with closing(cursor(running)) as own:
            own.execute("CREATE DATABASE d")
            own.execute("CREATE TAG g")
            own.execute(
                f"CREATE TABLE t AS SELECT SEQ4() AS a, RANDSTR(20, RANDOM()) AS b FROM TABLE(GENERATOR(ROWCOUNT => {ROWS}))"
            )
            own.execute("CREATE STAGE s")
        yield running


# --- killed -----------------------------------------------------------------------------------------------------------


def _clone(own: SnowflakeCursor, number: int) -> None:
    own.execute(f"CREATE TABLE c_{number} CLONE t")
    own.execute(f"UPDATE c_{number} SET b = 'x' WHERE a < 100")
    own.execute(f"DROP TABLE IF EXISTS c_{number - 2}")


def _tag(own: SnowflakeCursor, number: int) -> None:
    own.execute(f"ALTER TABLE t SET TAG g = '{number}'")


def _share(own: SnowflakeCursor, number: int) -> None:
    own.execute(f"CREATE OR REPLACE SHARE sh_{number % 3}")
    own.execute(f"GRANT USAGE ON DATABASE d TO SHARE sh_{number % 3}")
    own.execute(f"GRANT USAGE ON SCHEMA d.public TO SHARE sh_{number % 3}")
    own.execute(f"GRANT SELECT ON TABLE d.public.t TO SHARE sh_{number % 3}")


@pytest.mark.long
def test_killed_in_the_midst(warehouse: Warehouse, tmp_path: Path) -> None:
    """Whatever ran: nothing is half there, and what was answered as done is done."""
    numbers = itertools.count(1)
    tagged = [0]
    for round_number in range(3):
        stop = threading.Event()

        def work(step: Any, stop: threading.Event = stop) -> None:
            with suppress(Error, OSError):  # its server is gone
                own = cursor(warehouse, database="D", schema="PUBLIC", network_timeout=5)
                while not stop.is_set():
                    number = next(numbers)
                    step(own, number)
                    if step is _tag:
                        tagged[0] = number

        def copy(stop: threading.Event = stop, number: int = round_number) -> None:
            with suppress(HomeError):
                back_up(warehouse.home, tmp_path / f"backup{number}")

        threads = [threading.Thread(target=work, args=(step,), daemon=True) for step in (_clone, _tag, _share)]
        threads.append(threading.Thread(target=copy, daemon=True))
        for thread in threads:
            thread.start()
        time.sleep(1.0 + 0.37 * round_number)
        last = tagged[0]
        warehouse.kill()
        stop.set()
        for thread in threads:
            thread.join(60)
        warehouse.start()
        with closing(cursor(warehouse, database="D", schema="PUBLIC")) as own:
            assert int(one(own, "SELECT SYSTEM$GET_TAG('g', 't', 'table')") or 0) >= last
            assert one(own, "SELECT count(DISTINCT a) FROM t") == ROWS
            for name in [row[1] for row in own.execute("SHOW TABLES LIKE 'C_%'").fetchall()]:  # type: ignore[union-attr]
                assert one(own, f"SELECT count(*) FROM {name}") == ROWS
                assert one(own, f"SELECT count_if(b = 'x') FROM {name}") in (0, 100)
                own.execute(f"DROP TABLE {name}")
            own.execute("SHOW SHARES").fetchall()  # type: ignore[union-attr]
            for share in range(3):
                with suppress(snowflake.connector.errors.ProgrammingError):  # it need not be there
                    own.execute(f"DESC SHARE sh_{share}").fetchall()  # type: ignore[union-attr]
    for made in tmp_path.glob("backup?"):
        home = Home(tmp_path / f"of_{made.name}")
        restore(made, home)
        with Warehouse(home.path) as restored, closing(cursor(restored, database="D", schema="PUBLIC")) as own:
            assert one(own, "SELECT count(DISTINCT a) FROM t") == ROWS
    assert not list(tmp_path.glob(".*part"))


# --- a full disk --------------------------------------------------------------------------------------------------------

# Files cannot grow beyond this: a write fails as it does on a full disk.
LIMIT = 3 << 20


@contextmanager
def full_disk(warehouse: Warehouse) -> Iterator[None]:
    assert warehouse.pid is not None
    hard = resource.prlimit(warehouse.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(warehouse.pid, resource.RLIMIT_FSIZE, (LIMIT, hard))
    try:
        yield
    finally:
        resource.prlimit(warehouse.pid, resource.RLIMIT_FSIZE, (hard, hard))


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))


def test_full_disk(warehouse: Warehouse, tmp_path: Path) -> None:
    """The statement ends with an error that says so, nothing of it is there, and the server goes on."""
    with closing(cursor(warehouse, database="D", schema="PUBLIC")) as own:
        own.execute("CREATE OR REPLACE TABLE small (a INT, b VARCHAR)")
        own.execute("INSERT INTO small VALUES (1, 'x')")
        own.execute("CREATE OR REPLACE STAGE filled")
        own.execute("COPY INTO @filled/rows FROM t FILE_FORMAT = (TYPE = CSV)")
        files = set((warehouse.home.path / "lake").rglob("*.parquet"))
        with full_disk(warehouse):
            for sql in (
                "CREATE TABLE copied AS SELECT * FROM t",
                "INSERT INTO small SELECT * FROM t",
                "UPDATE t SET b = REVERSE(b)",
                "COPY INTO small FROM @filled FILE_FORMAT = (TYPE = CSV)",
                "COPY INTO @s/out FROM t FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE) SINGLE = TRUE MAX_FILE_SIZE = 100000000",
            ):
                with pytest.raises(Error) as raised:
                    own.execute(sql)
                text = str(raised.value.msg)
                assert "disk" in text.lower(), (sql, text)
                assert "Traceback" not in text
                assert str(warehouse.home.path) not in text, (sql, text)
                assert one(own, "SELECT count(*) FROM small") == 1
                assert one(own, "SELECT count(*) FROM t") == ROWS
            assert own.execute("SHOW TABLES LIKE 'COPIED'").fetchall() == []  # type: ignore[union-attr]
            assert own.execute("LS @s").fetchall() == []  # type: ignore[union-attr]
            with pytest.raises(HomeError, match="The warehouse's disk has no room for a copy of its catalog"):
                back_up(warehouse.home, tmp_path / "backup")
    lake = warehouse.home.path / "lake"
    for path in set(lake.rglob("*.parquet")) - files:
        os.utime(path, (0, 0))
    warehouse.stop()
    warehouse.start()
    assert set(lake.rglob("*.parquet")) <= files  # what was left goes, at a start at the latest
    with closing(cursor(warehouse, database="D", schema="PUBLIC")) as own:
        own.execute("CREATE TABLE copied AS SELECT * FROM t")
        assert one(own, "SELECT count(*) FROM copied") == ROWS
        back_up(warehouse.home, tmp_path / "backup")
    assert not list(tmp_path.glob(".*part"))
    assert not list((warehouse.home.path / "tmp").glob("backup-*"))


def _polynya(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command whose own files cannot grow beyond the limit."""
    command = [sys.executable, "-m", "polynya", *arguments]
    return subprocess.run(command, preexec_fn=_limited, capture_output=True, text=True, timeout=60, check=False)


def test_full_disk_of_a_backup(warehouse: Warehouse, tmp_path: Path) -> None:
    answer = _polynya("backup", str(tmp_path / "backup"), "--home", str(warehouse.home.path))
    assert answer.returncode == 1
    assert "cannot be written (File too large)" in answer.stderr, answer.stderr
    assert not list(tmp_path.glob("*backup*"))


def test_full_disk_of_a_client_that_puts(warehouse: Warehouse, tmp_path: Path) -> None:
    """The client writes to a local stage itself; the next PUT replaces what it left."""
    big = tmp_path / "big.bin"
    big.write_bytes(bytes(LIMIT * 2))
    put = f"PUT file://{big} @d.public.s AUTO_COMPRESS = FALSE OVERWRITE = TRUE"
    answer = _polynya("sql", "--home", str(warehouse.home.path), put)
    assert answer.returncode == 1, answer.stdout
    assert "Traceback" not in answer.stderr
    assert "File too large" in answer.stderr, answer.stderr
    with closing(cursor(warehouse, database="D", schema="PUBLIC")) as own:
        own.execute(put)
        assert [row[1] for row in own.execute("LS @s").fetchall()] == [LIMIT * 2]  # type: ignore[union-attr]
        own.execute("REMOVE @s")
