"""The file of reads and writes: there after a restart, bounded, through temporary tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from polynya.catalog.access import Access, Edge, Reads
from polynya.catalog.model import ColumnDef, Database, Schema, Table
from polynya.catalog.store import Catalog
from polynya.session import accesses
from polynya.session.accesses import Accesses
from polynya.session.history import QueryRecord
from polynya.types.sqltype import INTEGER

NOW = datetime.now(UTC)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(tmp_path / "catalog.sqlite")
    opened.add(Database(id=1, parent=0, name="D", owner="R", created_on=NOW))
    opened.add(Schema(id=2, parent=1, name="S", owner="R", created_on=NOW))
    yield opened
    opened.close()


def table(table_id: int, kind: str = "TABLE") -> Table:
    columns = [ColumnDef("A", INTEGER, "A")]
    return Table(id=table_id, parent=2, name=f"T{table_id}", owner="R", created_on=NOW, columns=columns, kind=kind)


def moved(source: Table, target: Table) -> Access:
    reads = Reads({source.id: source}, touched={(source.id, "A")})
    access = Access()
    access.write(target, {"A": [(source.id, "A")]}, reads)
    return access


def record(number: int, moment: datetime = NOW) -> QueryRecord:
    return QueryRecord(f"q{number}", "text", 1, "U", moment + timedelta(microseconds=number))


def test_a_restart_keeps_what_was_written(catalog: Catalog, tmp_path: Path) -> None:
    kept = Accesses(tmp_path / "access.sqlite", catalog)
    kept.add(record(1), moved(table(10), table(11)))
    kept.close()
    kept = Accesses(tmp_path / "access.sqlite", catalog)
    kept.add(record(2), moved(table(11), table(12)))
    assert [entry["query_id"] for entry in kept.records()] == ["q1", "q2"]
    assert kept.edges(11, "", upstream=True) == [Edge((10, ""), (11, ""), "q1")]
    assert kept.edges(11, "A", upstream=False) == [Edge((11, "A"), (12, "A"), "q2")]
    kept.close()


def test_temporary_tables_are_seen_through(catalog: Catalog, tmp_path: Path) -> None:
    kept = Accesses(tmp_path / "access.sqlite", catalog)
    first, second = table(20, "TEMPORARY"), table(21, "TEMPORARY")
    for number, access in enumerate([moved(table(10), first), moved(first, second), moved(second, table(11))]):
        kept.add(record(number), access)
    assert kept.edges(11, "A", upstream=True) == [Edge((10, "A"), (11, "A"), "q2")]
    assert kept.edges(10, "", upstream=False) == [Edge((10, ""), (11, ""), "q2")]
    kept.close()


def test_what_is_too_much_or_too_old_goes(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accesses, "MOST_STATEMENTS", 5)
    monkeypatch.setattr(accesses, "MOST_EDGES", 4)
    monkeypatch.setattr(accesses, "_PRUNE_EVERY", 1)
    kept = Accesses(tmp_path / "access.sqlite", catalog)
    kept.add(record(0, NOW - timedelta(days=366)), moved(table(8), table(9)))
    assert kept.records() == []
    assert kept.edges(9, "", upstream=True) == []
    for number in range(1, 11):
        kept.add(record(number), moved(table(100 + number), table(200 + number)))
        kept.records()
    assert [entry["query_id"] for entry in kept.records()] == ["q6", "q7", "q8", "q9", "q10"]
    lasting = [number for number in range(1, 11) if kept.edges(200 + number, "", upstream=True)]
    assert lasting == [9, 10]  # each has an edge for the table and one for its column
    kept.close()


def test_the_same_rows_moved_again_are_one_edge(catalog: Catalog, tmp_path: Path) -> None:
    kept = Accesses(tmp_path / "access.sqlite", catalog)
    for number in range(3):
        kept.add(record(number), moved(table(10), table(11)))
        kept.records()
    assert kept.edges(11, "", upstream=True) == [Edge((10, ""), (11, ""), "q2")]
    kept.close()


def test_nothing_is_opened_for_nothing(catalog: Catalog, tmp_path: Path) -> None:
    Accesses(tmp_path / "access.sqlite", catalog).close()
    assert not (tmp_path / "access.sqlite").exists()
