"""Forks: tables that name another one's files."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from polynya.storage.cleanup import delete_files
from polynya.storage.connection import Connection
from polynya.storage.engine import Engine
from polynya.storage.forks import METADATA, fork_table
from polynya.storage.snapshots import current_snapshot
from polynya.storage.tables import at_snapshot

ORIGIN = 'lake.main."t_1"'
STATE = "count(*), sum(a)::BIGINT, sum(hash(b))::VARCHAR, sum(s.k)::BIGINT, sum(hash(v::VARCHAR))::VARCHAR"


@pytest.fixture
def engine(tmp_path: Path):
    opened = Engine.open(tmp_path)
    yield opened
    opened.close()


def _state(connection: Connection, name: str, snapshot: int | None = None) -> dict:
    return connection.table(f"SELECT {STATE} FROM {at_snapshot(name, snapshot)}").to_pylist()[0]


def _write(connection: Connection, times: int, states: dict[int, dict] | None = None) -> None:
    """Single-row inserts, updates and deletes; what the table holds after some of them goes to ``states``."""
    chosen = random.Random(times)
    for number in range(times):
        key = chosen.randrange(5000)
        match number % 3:
            case 0:
                connection.execute(f"INSERT INTO {ORIGIN} VALUES ({10_000 + number}, 'i', {{'k': 1}}, 'v'::VARIANT)")
            case 1:
                connection.execute(f"UPDATE {ORIGIN} SET b = 'u{number}' WHERE a = {key}")
            case _:
                connection.execute(f"DELETE FROM {ORIGIN} WHERE a = {key}")
        if states is not None and number % 10 == 4:
            states[current_snapshot(connection)] = _state(connection, ORIGIN)


def test_forks_of_any_snapshot_have_its_rows(engine: Engine) -> None:
    """Whatever the lake has done with the rows since: kept them, flushed, rewritten, merged, dropped a column."""
    connection = engine.connect()
    connection.execute(
        f"CREATE TABLE {ORIGIN} AS SELECT x AS a, x::VARCHAR AS b, {{'k': x}} AS s, x::VARCHAR::VARIANT AS v "
        "FROM range(5000) AS r(x)"
    )
    states: dict[int, dict] = {}
    forks: dict[str, dict] = {}

    def check() -> None:
        for snapshot, expected in states.items():
            name = f'lake.main."f_{len(forks)}"'
            assert fork_table(engine, ORIGIN, snapshot, name)
            assert _state(connection, name) == expected
            ids = connection.table(f"SELECT count(DISTINCT rowid) - count(*) AS same FROM {name}").to_pylist()
            assert ids == [{"same": 0}]
            forks[name] = expected

    _write(connection, 30, states)
    check()
    connection.execute("CALL ducklake_flush_inlined_data('lake', table_name => 't_1')")
    _write(connection, 15, states)
    check()
    connection.execute("CALL ducklake_flush_inlined_data('lake', table_name => 't_1')")
    connection.execute("CALL ducklake_rewrite_data_files('lake', 't_1', delete_threshold => 0)")
    connection.execute("CALL ducklake_merge_adjacent_files('lake', 't_1')")
    connection.execute(f"ALTER TABLE {ORIGIN} DROP COLUMN b")
    check()
    # They are tables like any other.
    *others, last = forks
    before = connection.table(f"SELECT count(*) AS n FROM {last}").to_pylist()[0]["n"]
    connection.execute(f"UPDATE {last} SET b = 'own' WHERE a < 10")
    connection.execute(f"INSERT INTO {last} SELECT a, 'more', s, v FROM {last} WHERE b = 'own'")
    assert connection.table(f"SELECT count(*) AS n FROM {last}").to_pylist()[0]["n"] > before
    for name in others:
        assert _state(connection, name) == forks[name]


def test_shared_files_outlive_their_first_table(engine: Engine, tmp_path: Path) -> None:
    connection = engine.connect()
    connection.execute(f"CREATE TABLE {ORIGIN} AS SELECT * FROM range(1000) AS r(a)")
    assert fork_table(engine, ORIGIN, current_snapshot(connection), 'lake.main."f_2"')
    connection.execute(f"DROP TABLE {ORIGIN}")
    newest = current_snapshot(connection)
    connection.execute(f"CALL ducklake_expire_snapshots('lake', versions => {list(range(newest))})")
    delete_files(engine)
    assert connection.table('SELECT sum(a)::INT AS s FROM lake.main."f_2"').to_pylist() == [{"s": 499500}]
    connection.execute('DROP TABLE lake.main."f_2"')
    versions = list(range(newest, current_snapshot(connection)))
    connection.execute(f"CALL ducklake_expire_snapshots('lake', versions => {versions})")
    delete_files(engine)
    assert not list((tmp_path / "lake").rglob("*.parquet"))


def test_an_unknown_version_of_the_lake_is_left_alone(engine: Engine) -> None:
    connection = engine.connect()
    connection.execute(f"CREATE TABLE {ORIGIN} (a INTEGER)")
    snapshot = current_snapshot(connection)
    engine.cursor().execute(f"UPDATE {METADATA}.ducklake_metadata SET value = '9.9' WHERE key = 'version'")
    assert not fork_table(engine, ORIGIN, snapshot, 'lake.main."f_2"')
    assert engine.lake_tables() == {ORIGIN}
