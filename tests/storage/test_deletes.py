"""The past of tables whose rows are deleted while others commit, and while they are tended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from polynya.storage import upkeep
from polynya.storage.cleanup import delete_files
from polynya.storage.connection import Connection
from polynya.storage.engine import Engine
from polynya.storage.forks import fork_table
from polynya.storage.snapshots import current_snapshot
from polynya.storage.tables import at_snapshot

TABLE = 'lake.main."t_1"'
OTHER = 'lake.main."t_2"'
ROWS = 1000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(tmp_path)
    connection = opened.connect()
    connection.execute(f"CREATE TABLE {TABLE} AS SELECT a, 0 AS b FROM range({ROWS}) AS r(a)")
    connection.execute(f"CREATE TABLE {OTHER} (a INT)")
    yield opened
    opened.close()


def _state(connection: Connection, name: str = TABLE, snapshot: int | None = None) -> tuple:
    return tuple(
        connection.table(f"SELECT count(*), sum(b) FROM {at_snapshot(name, snapshot)}").to_pylist()[0].values()
    )


@pytest.mark.parametrize("statement", [f"UPDATE {TABLE} SET b = b + 1 WHERE a", f"DELETE FROM {TABLE} WHERE a"])
@pytest.mark.parametrize("explicit", [True, False])
def test_snapshots_between_are_whole(engine: Engine, statement: str, explicit: bool) -> None:
    """Each snapshot holds what was committed by then, though another commit came between a statement and its own."""
    writer, other = engine.connect(), engine.connect()
    states = {current_snapshot(other): _state(other)}

    def note() -> None:
        states[current_snapshot(other)] = _state(other)

    for start in (0, 100, 200, 210, 400):
        if explicit:
            writer.begin()
            writer.execute(f"{statement} BETWEEN {start} AND {start + 40}")
            writer.execute(f"{statement} BETWEEN {start + 20} AND {start + 60}")
            for _ in range(3):
                other.execute(f"INSERT INTO {OTHER} VALUES (1)")
                note()
            assert fork_table(engine, TABLE, current_snapshot(other), f'lake.main."f_{start}"')
            writer.commit()
        else:
            writer.execute(f"{statement} BETWEEN {start} AND {start + 40}")
            other.execute(f"INSERT INTO {OTHER} VALUES (1)")
        forked = _state(other, f'lake.main."f_{start}"') if explicit else None
        assert forked in (None, states[max(states)])
        note()
        delete_files(engine)
        for snapshot, expected in states.items():
            assert _state(other, TABLE, snapshot) == expected, (start, snapshot)
        assert _state(other) == states[max(states)]


def test_tending_keeps_the_past(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small deletes, not yet in a file, are written to one before the file with the rows is replaced."""
    monkeypatch.setattr(upkeep, "_DELETED_SHARE", 0.05)
    monkeypatch.setattr(upkeep, "_SMALL_FILES", 2)
    connection, tending = engine.connect(), upkeep.Upkeep(engine)
    states: dict[int, tuple] = {}
    for number in range(12):
        width = 2 if number % 3 else 120
        connection.execute(f"UPDATE {TABLE} SET b = b + 1 WHERE a BETWEEN {number * 50} AND {number * 50 + width}")
        states[current_snapshot(connection)] = _state(connection)
        if number % 4 == 3:
            assert tending.run() > 0
        for snapshot, expected in states.items():
            assert _state(connection, TABLE, snapshot) == expected
    connection.execute("CALL ducklake_flush_inlined_data('lake', table_name => 't_1')")
    for snapshot, expected in states.items():
        assert _state(connection, TABLE, snapshot) == expected


def test_files_that_a_fork_shares_stay(engine: Engine) -> None:
    """Also when they went off the origin's list a moment ago."""
    connection = engine.connect()
    connection.execute(f"DELETE FROM {TABLE} WHERE a < 100")
    snapshot = current_snapshot(connection)
    fork = 'lake.main."f_1"'
    assert fork_table(engine, TABLE, snapshot, fork)
    expected = _state(connection, fork)
    for start in range(100, 900, 100):
        connection.execute(f"DELETE FROM {TABLE} WHERE a BETWEEN {start} AND {start + 50}")
        delete_files(engine)
        assert _state(connection, fork) == expected


def test_files_stay_while_another_reads_for_a_connection(engine: Engine) -> None:
    connection = engine.connect()
    connection.execute(f"DELETE FROM {TABLE} WHERE a < 100")
    reader = engine.connect()
    with reader.reading():
        before = set((engine.home / "lake").rglob("*.parquet"))
        connection.execute(f"DELETE FROM {TABLE} WHERE a < 200")  # writes a file in place of the last one
        delete_files(engine)
        delete_files(engine)
        assert before <= set((engine.home / "lake").rglob("*.parquet"))
    delete_files(engine)
    assert not before <= set((engine.home / "lake").rglob("*.parquet"))
