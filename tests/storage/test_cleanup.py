"""What is removed from the lake, and what stays."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from polynya.catalog.model import Database, Schema, Table, TableVersion
from polynya.catalog.store import Catalog
from polynya.storage.cleanup import clean_up, expire, expire_snapshots, remove_leftovers
from polynya.storage.engine import Engine
from polynya.storage.snapshots import current_snapshot
from polynya.storage.tables import at_snapshot

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=2)


@pytest.fixture
def home(tmp_path: Path):
    """An engine and a catalog with the empty schema D.S, id 2."""
    engine, catalog = Engine.open(tmp_path), Catalog.open(tmp_path / "catalog.sqlite")
    catalog.add(Database(id=catalog.new_id(), parent=0, name="D", owner="", created_on=NOW))
    catalog.add(Schema(id=catalog.new_id(), parent=1, name="S", owner="", created_on=NOW))
    yield engine, catalog
    engine.close()
    catalog.close()


def add(engine: Engine, catalog: Catalog, name: str, snapshot: int | None = None, stored_as: str = "") -> Table:
    number = catalog.new_id()
    table = Table(
        id=number, parent=2, name=name, owner="", created_on=NOW, snapshot=snapshot,
        stored_as=stored_as or f'lake.main."{name.lower()}_{number}"',
    )  # fmt: skip
    if not stored_as:
        engine.connect().execute(f"CREATE TABLE {table.stored_as} AS SELECT * FROM range(1000) AS r(x)")
    catalog.add(table)
    return table


def test_tables_without_an_object_go(home: tuple[Engine, Catalog]) -> None:
    engine, catalog = home
    kept = add(engine, catalog, "KEPT")
    engine.connect().execute("CREATE TABLE lake.main.orphan (x INTEGER)")
    engine.connect().execute("CREATE TABLE lake.main.load_history (x INTEGER)")
    assert clean_up(engine, catalog) == 1
    assert engine.lake_tables() == {kept.stored_as, 'lake.main."load_history"'}


@pytest.mark.parametrize(("days", "gone"), [(None, True), (0, True), (30, False)])
def test_dropped_tables_go_when_their_time_is_over(home: tuple[Engine, Catalog], days: int | None, gone: bool) -> None:
    engine, catalog = home
    table = add(engine, catalog, "T")
    if days is not None:
        table.options["DATA_RETENTION_TIME_IN_DAYS"] = days
    catalog.drop(table)
    assert clean_up(engine, catalog, NOW - timedelta(hours=1)) == 0
    assert clean_up(engine, catalog, LATER) == int(gone)
    assert (catalog.by_id(table.id) is None) == gone


def test_a_dropped_schema_takes_its_tables(home: tuple[Engine, Catalog]) -> None:
    engine, catalog = home
    add(engine, catalog, "T")
    catalog.drop(catalog.by_id(2))
    assert clean_up(engine, catalog, LATER) == 1
    assert [item.name for item in catalog.every()] == ["D"]


def test_a_clone_keeps_its_snapshot_and_its_rows(home: tuple[Engine, Catalog], tmp_path: Path) -> None:
    engine, catalog = home
    origin = add(engine, catalog, "T")
    connection = engine.connect()
    snapshot = connection.table("SELECT id FROM lake.current_snapshot()").column(0)[0].as_py()
    add(engine, catalog, "C", snapshot, origin.stored_as)
    connection.execute(f"UPDATE {origin.stored_as} SET x = 0")
    connection.execute(f"UPDATE {origin.stored_as} SET x = 1")
    catalog.drop(origin)
    assert clean_up(engine, catalog, LATER) == 0
    before = len(list((tmp_path / "lake").rglob("*.parquet")))
    assert expire_snapshots(engine, catalog, LATER) > 0
    assert len(list((tmp_path / "lake").rglob("*.parquet"))) < before
    found = connection.table(f"SELECT sum(x)::BIGINT FROM {origin.stored_as} AT (VERSION => {snapshot})")
    assert found.column(0).to_pylist() == [499500]


def test_young_snapshots_stay(home: tuple[Engine, Catalog]) -> None:
    engine, catalog = home
    add(engine, catalog, "T")
    assert expire_snapshots(engine, catalog, NOW) == 0


def test_each_table_keeps_its_own_past(home: tuple[Engine, Catalog], tmp_path: Path) -> None:
    """A long retention time of one table does not keep what another one had in between."""
    engine, catalog = home
    long, brief = add(engine, catalog, "LONG"), add(engine, catalog, "BRIEF")
    long.options["DATA_RETENTION_TIME_IN_DAYS"] = 30
    connection = engine.connect()
    pins = {}
    for number in range(3):
        connection.execute(f"UPDATE {long.stored_as} SET x = {number}")
        pins[current_snapshot(connection)] = number * 1000
        for _ in range(3):
            connection.execute(f"UPDATE {brief.stored_as} SET x = {number} WHERE x < 500")
    before = len(list((tmp_path / "lake").rglob("*.parquet")))
    assert expire(engine, catalog, LATER) > 3
    assert len(list((tmp_path / "lake").rglob("*.parquet"))) < before
    for snapshot, total in pins.items():
        found = connection.table(f"SELECT sum(x)::INT AS s FROM {at_snapshot(long.stored_as, snapshot)}").to_pylist()
        assert found == [{"s": total}]


def test_what_runs_keeps_its_files(home: tuple[Engine, Catalog], tmp_path: Path) -> None:
    engine, catalog = home
    table = add(engine, catalog, "T")
    reader, writer = engine.connect(), engine.connect()
    reader.begin()
    reader.execute("CREATE TEMPORARY TABLE mine (x INTEGER)")  # the transaction has begun
    assert reader.table(f"SELECT count(*) AS n FROM {table.stored_as}").to_pylist() == [{"n": 1000}]
    writer.execute(f"DELETE FROM {table.stored_as} WHERE x >= 10")
    name = table.stored_as.removeprefix('lake.main."').removesuffix('"')
    writer.execute(f"CALL ducklake_rewrite_data_files('lake', '{name}', delete_threshold => 0)")
    expire(engine, catalog, LATER)
    assert reader.table(f"SELECT count(*) AS n FROM {table.stored_as}").to_pylist() == [{"n": 1000}]
    reader.rollback()
    expire(engine, catalog, LATER)
    assert writer.table(f"SELECT count(*) AS n FROM {table.stored_as}").to_pylist() == [{"n": 10}]
    assert len(list((tmp_path / "lake").rglob("*.parquet"))) == 1


def test_former_tables_go_with_their_time(home: tuple[Engine, Catalog]) -> None:
    """What a table was before a rebuilding ALTER is dropped once nothing can ask for it."""
    engine, catalog = home
    table = add(engine, catalog, "T")
    old, table.stored_as = table.stored_as, 'lake.main."t_new"'
    engine.connect().execute(f"CREATE TABLE {table.stored_as} (x INTEGER)")
    table.past.append(TableVersion(old, None, [], NOW + timedelta(hours=1)))
    catalog.update(table)
    expire(engine, catalog, NOW + timedelta(hours=2))
    assert old in engine.lake_tables()
    expire(engine, catalog, LATER)
    assert engine.lake_tables() == {table.stored_as}


def test_leftovers_of_failed_statements_go(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path)
    connection = engine.connect()
    connection.execute('CREATE TABLE lake.main."t_1" AS SELECT a FROM range(1000) AS r(a)')
    for start in (0, 100, 200):
        with connection.atomic():  # of the files that several deletes of one transaction write, the lake forgets some
            connection.execute(f'DELETE FROM lake.main."t_1" WHERE a BETWEEN {start} AND {start + 30}')
            connection.execute(f'DELETE FROM lake.main."t_1" WHERE a BETWEEN {start + 40} AND {start + 60}')
    folder = tmp_path / "lake" / "main" / "t_1"
    left, young = folder / "ducklake-left.parquet", folder / "ducklake-young.parquet"
    for path in (left, young):
        path.write_bytes(b"PAR1")
    for path in set(folder.iterdir()) - {young}:
        os.utime(path, (0, 0))
    assert remove_leftovers(engine) >= 1
    assert young.exists()
    assert not left.exists()
    for snapshot in range(1, 5):
        rows = connection.table(f'SELECT count(*) AS n FROM past.main."t_1" AT (VERSION => {snapshot})').to_pylist()
        assert rows == [{"n": 1000 - 52 * (snapshot - 1)}]
    connection.close()
    engine.close()
