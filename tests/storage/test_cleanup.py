"""What is removed from the lake, and what stays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from polynya.catalog.model import Database, Schema, Table
from polynya.catalog.store import Catalog
from polynya.storage.cleanup import clean_up, expire_snapshots
from polynya.storage.engine import Engine

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
