"""Tables that are written in many small steps, while the housekeeper tends them."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest

from polynya.catalog.store import Catalog
from polynya.storage import upkeep
from polynya.storage.engine import Engine
from polynya.storage.forks import METADATA
from polynya.storage.snapshots import current_snapshot
from polynya.storage.tables import at_snapshot

TABLE = 'lake.main."t_1"'


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(upkeep, "_SMALL_COMMITS", 5)
    monkeypatch.setattr(upkeep, "_SMALL_FILES", 3)
    opened = Engine.open(tmp_path)
    connection = opened.connect()
    connection.execute(f"CREATE TABLE {TABLE} AS SELECT a, a AS b FROM range(20000) AS r(a)")
    yield opened
    opened.close()


def test_small_writes_are_flushed_and_the_past_stays(engine: Engine) -> None:
    connection = engine.connect()
    tending = upkeep.Upkeep(engine)
    pins = {}
    for number in range(30):
        connection.execute(f"INSERT INTO {TABLE} VALUES ({number}, -1)")
        connection.execute(f"DELETE FROM {TABLE} WHERE a = {number} AND b >= 0")
        pins[current_snapshot(connection)] = connection.table(f"SELECT count(*), sum(b) FROM {TABLE}").to_pylist()
        if number % 10 == 9:
            assert tending.run() > 0
    assert connection.table(f"SELECT count(*) AS n FROM {METADATA}.ducklake_delete_file").to_pylist()[0]["n"] > 0
    for snapshot, expected in pins.items():
        assert connection.table(f"SELECT count(*), sum(b) FROM {at_snapshot(TABLE, snapshot)}").to_pylist() == expected
    assert tending.run() == 0  # nothing was written since


def test_copies_of_earlier_schemas_go_and_their_snapshots_stay(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_SCHEMA_CHANGES", 4)
    monkeypatch.setattr(upkeep, "_MOST_COPIES", 30)
    connection = engine.connect()
    tending = upkeep.Upkeep(engine)
    tending.run()
    cached = "SELECT memory_usage_bytes AS n FROM duckdb_memory() WHERE tag = 'OBJECT_CACHE'"
    before = connection.table(cached).to_pylist()[0]["n"]
    for number in range(40):
        connection.execute(f"CREATE TABLE lake.main.made{number} (a INTEGER, b VARCHAR, c DOUBLE)")
        connection.table(f"SELECT a FROM lake.main.made{number}")
    snapshots = connection.table(f"FROM {METADATA}.ducklake_snapshot").to_pylist()
    grown = connection.table(cached).to_pylist()[0]["n"] - before
    tending.run()
    tending.run()
    assert connection.table(cached).to_pylist()[0]["n"] - before < grown / 5
    assert connection.table(f"FROM {METADATA}.ducklake_snapshot").to_pylist() == snapshots
    first = next(row["snapshot_id"] for row in snapshots if row["schema_version"] == 1)
    assert connection.table(f"SELECT count(*) AS n FROM {at_snapshot(TABLE, first)}").to_pylist() == [{"n": 20000}]
    assert connection.table("SELECT a FROM lake.main.made39").num_rows == 0


def test_it_runs_by_itself(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_LOOK_SECONDS", 0.05)
    catalog, stop = Catalog.open(tmp_path / "catalog.sqlite"), threading.Event()
    house = threading.Thread(target=upkeep.keep_house, args=(engine, catalog, stop))
    house.start()
    connection = engine.connect()
    for number in range(6):
        connection.execute(f"INSERT INTO {TABLE} VALUES ({number}, -1)")
    files = f"SELECT count(*) AS n FROM {METADATA}.ducklake_data_file"
    deadline = time.monotonic() + 20
    while connection.table(files).to_pylist()[0]["n"] < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    house.join(10)
    catalog.close()
    assert not house.is_alive()
    assert connection.table(files).to_pylist()[0]["n"] == 2


def test_small_files_are_merged(engine: Engine) -> None:
    connection = engine.connect()
    for number in range(6):
        connection.execute(f"INSERT INTO {TABLE} SELECT a, {number} FROM range(100) AS r(a)")
    files = f"SELECT count(*) AS n FROM {METADATA}.ducklake_data_file WHERE end_snapshot IS NULL"
    before = connection.table(files).to_pylist()[0]["n"]
    assert upkeep.Upkeep(engine).run() == 1
    assert connection.table(files).to_pylist()[0]["n"] < before
    assert connection.table(f"SELECT count(*) AS n FROM {TABLE}").to_pylist() == [{"n": 20600}]


def test_writers_and_readers_beside_the_housekeeper(engine: Engine) -> None:
    """No statement fails, nothing is lost, and the housekeeper gets its turn."""
    failures: list[BaseException] = []
    changes: list[int] = []
    tended: list[int] = []
    stop = threading.Event()

    def guarded(work: object, *arguments: object) -> None:
        try:
            work(*arguments)  # type: ignore[operator]
        except BaseException as error:
            failures.append(error)
            stop.set()

    def write(session: int) -> None:
        connection, chosen = engine.connect(), random.Random(session)
        for number in range(30):
            if stop.is_set():
                return
            key = chosen.randrange(20000)
            with connection.atomic():
                connection.write_lock(TABLE, shared=number % 3 == 0)
                if number % 3 == 0:
                    changes.append(connection.execute(f"INSERT INTO {TABLE} VALUES ({key}, 0)"))
                elif number % 3 == 1:
                    connection.execute(f"UPDATE {TABLE} SET b = {number} WHERE a = {key}")
                else:
                    changes.append(-connection.execute(f"DELETE FROM {TABLE} WHERE a = {key}"))

    def read() -> None:
        connection = engine.connect()
        while not stop.is_set():
            connection.table(f"SELECT count(*), sum(b) FROM {TABLE}")

    def tend() -> None:
        tending = upkeep.Upkeep(engine)
        while not stop.is_set():
            tended.append(tending.run())
            time.sleep(0.02)

    writers = [threading.Thread(target=guarded, args=(write, session)) for session in range(4)]
    others = [threading.Thread(target=guarded, args=(work,)) for work in (read, tend)]
    for thread in [*writers, *others]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in others:
        thread.join()
    assert not failures
    assert sum(tended) > 2
    counted = engine.connect().table(f"SELECT count(*) AS n FROM {TABLE}").to_pylist()[0]["n"]
    assert counted == 20000 + sum(changes)
