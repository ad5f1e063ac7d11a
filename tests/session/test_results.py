"""Results are kept: in memory, on disk, over a restart, for a day."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pytest

from polynya.errors import SnowflakeError
from polynya.session import results as module
from polynya.session.results import ResultStore
from polynya.types.arrow import arrow_type
from polynya.types.resultset import Column, ResultSet, StatementType
from polynya.types.sqltype import VARCHAR, SqlType, number, timestamp

COLUMNS = [
    Column("N", number(10, 2), nullable=False),
    Column("t", VARCHAR),
    Column("Z", timestamp("TZ")),
    Column("V", SqlType("ARRAY", element=number(38, 0), element_nullable=False)),
]


def result(rows: int) -> ResultSet:
    values = {
        "N": pa.array([None] * rows, arrow_type(COLUMNS[0].type)),
        "t": pa.array([f"row {i} é" for i in range(rows)]),
        "Z": pa.array([None] * rows, arrow_type(COLUMNS[2].type)),
        "V": pa.array(["[1]"] * rows),
    }
    return ResultSet(COLUMNS, pa.table(values), StatementType.SELECT)


def reader(rows: int) -> ResultSet:
    whole = result(rows)
    assert isinstance(whole.data, pa.Table)
    whole.data = pa.RecordBatchReader.from_batches(whole.data.schema, whole.data.to_batches(max_chunksize=10_000))
    return whole


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "results")


def test_small_result_stays_in_memory(store: ResultStore) -> None:
    stored = store.put("q1", reader(10))
    assert (stored.rows, stored.path) == (10, None)
    assert store.get("q1") is stored
    assert list(store.folder.iterdir()) == []


def test_large_result_goes_to_a_file(store: ResultStore) -> None:
    stored = store.put("q1", reader(600_000))
    assert stored.path is not None
    assert stored.rows == 600_000
    assert stored.bytes == 0
    assert stored.table.column("t")[599_999].as_py() == "row 599999 é"


def test_empty_result(store: ResultStore) -> None:
    assert store.put("q1", reader(0)).rows == 0


@pytest.mark.parametrize("rows", [0, 3, 600_000])
def test_results_survive_a_restart(store: ResultStore, rows: int) -> None:
    before = store.put("q1", reader(rows))
    store.close()
    after = ResultStore(store.folder).get("q1")
    assert after.columns == COLUMNS
    assert after.statement_type == StatementType.SELECT
    assert after.table.equals(before.table.replace_schema_metadata())


def test_many_small_results_leave_memory_and_are_found(store: ResultStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMORY_COUNT", 20)
    for i in range(100):
        store.put(f"q{i}", result(i))
    assert len(store._recent) <= 20
    for i in range(100):
        assert store.get(f"q{i}").rows == i


def test_memory_is_bounded_by_bytes(store: ResultStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMORY_BYTES", 1 << 20)
    for i in range(30):
        store.put(f"q{i}", result(5000))
    assert store._memory <= 1 << 20
    assert store.get("q0").rows == 5000


def test_failure_while_reading_leaves_no_file(store: ResultStore) -> None:
    def broken() -> object:
        yield from pa.table({"a": range(3_000_000)}).to_batches(max_chunksize=500_000)
        raise SnowflakeError(604, "57014", "stopped")

    schema = pa.schema([("a", pa.int64())])
    data = pa.RecordBatchReader.from_batches(schema, broken())
    with pytest.raises(SnowflakeError):
        store.put("q1", ResultSet([Column("A", number())], data))
    assert [path.name for path in store.folder.iterdir()] == []


@pytest.mark.parametrize("query_id", ["nothing", "../catalog", "", "a/b", "/etc/passwd"])
def test_unknown_result(store: ResultStore, query_id: str) -> None:
    with pytest.raises(SnowflakeError, match="not found"):
        store.get(query_id)


def test_old_results_are_removed(store: ResultStore) -> None:
    path = store.put("large", reader(600_000)).path
    store.put("small", result(1))
    store.close()
    assert path is not None
    day_before = time.time() - 25 * 3600
    os.utime(path, (day_before, day_before))
    store.expire()
    assert not path.exists()
    assert store.get("small").rows == 1
    with pytest.raises(SnowflakeError):
        store.get("large")
