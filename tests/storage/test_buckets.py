"""Rows of a stream, group by group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from polynya.storage import buckets
from polynya.storage.buckets import Grouping, grouped
from polynya.storage.spool import spool_folder

BY = Grouping("h", ('"k"', '"x" DESC NULLS LAST'), ("o", "h"))


def batches(duck: duckdb.DuckDBPyConnection, rows: int) -> Iterator[pa.RecordBatch]:
    sql = (
        "SELECT CASE WHEN range % 7 < 6 THEN range % 7 END AS k, (range * 7919) % 1009 AS x, range AS o, hash(k) AS h "
        f"FROM range({rows})"
    )
    yield from duck.execute(sql).to_arrow_reader(100)


@pytest.mark.parametrize("held", [1 << 30, 1000, 0], ids=["in memory", "spilled", "spilled at once"])
@pytest.mark.parametrize("rows", [0, 1, 5000])
def test_groups_come_whole_and_ordered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int, rows: int) -> None:
    monkeypatch.setattr(buckets, "_HELD_BYTES", held)
    duck = duckdb.connect()
    expected = duck.execute(
        f"SELECT CASE WHEN range % 7 < 6 THEN range % 7 END AS k, (range * 7919) % 1009 AS x FROM range({rows})"
    ).fetchall()
    folder = spool_folder(tmp_path)
    found = [
        (row["k"], row["x"])
        for batch in grouped(batches(duck, rows), BY, folder, duckdb.connect().cursor)
        for row in batch.to_pylist()
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)
    groups = [k for index, (k, _) in enumerate(found) if index == 0 or found[index - 1][0] != k]
    assert len(groups) == len(set(groups)) == min(rows, 7)
    for key in groups:
        values = [x for k, x in found if k == key]
        assert values == sorted(values, reverse=True)
    assert list(folder.iterdir()) == []


def test_files_are_gone_when_nobody_reads_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "_HELD_BYTES", 0)
    duck = duckdb.connect()
    rows = grouped(batches(duck, 1000), BY, spool_folder(tmp_path), duckdb.connect().cursor)
    assert next(rows).num_rows
    rows.close()  # type: ignore[attr-defined]
    assert list(spool_folder(tmp_path).iterdir()) == []
