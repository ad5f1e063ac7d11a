"""What ran is remembered, over restarts, within bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from polynya.session import history as module
from polynya.session.history import History, QueryRecord


def record(query_id: str, days_ago: float = 0) -> QueryRecord:
    return QueryRecord(query_id, f"SELECT '{query_id}'", 1, "ADMIN", datetime.now(UTC) - timedelta(days=days_ago))


def finish(history: History, *records: QueryRecord) -> None:
    for item in records:
        history.add(item)
        item.execution_status, item.end_time = "SUCCESS", datetime.now(UTC)
        history.finish(item)


def test_records_survive_a_restart(tmp_path: Path) -> None:
    first = History(tmp_path / "h.sqlite")
    finish(first, record("a"), record("b"))
    first.close()
    second = History(tmp_path / "h.sqlite")
    finish(second, record("c"))
    assert [item.query_id for item in second.records()] == ["a", "b", "c"]
    found = second.find("a")
    assert found is not None
    assert found.start_time.tzinfo is not None
    assert found.row()["QUERY_TEXT"] == "SELECT 'a'"
    second.close()


def test_old_records_go(tmp_path: Path) -> None:
    first = History(tmp_path / "h.sqlite")
    finish(first, record("old", days_ago=8), record("new"))
    first.close()
    second = History(tmp_path / "h.sqlite")
    second.close()
    third = History(tmp_path / "h.sqlite")
    assert [item.query_id for item in third.records()] == ["new"]
    third.close()


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IN_MEMORY", 10)
    history = History(tmp_path / "h.sqlite")
    finish(history, *[record(f"q{i}") for i in range(50)])
    assert [item.query_id for item in history.records()] == [f"q{i}" for i in range(40, 50)]
    history.close()


def test_memory_is_bounded_by_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHARACTERS_IN_MEMORY", 100)
    history = History(tmp_path / "h.sqlite")
    finish(history, *[record(f"query {i:02d}") for i in range(50)])  # 17 characters each
    assert [item.query_id for item in history.records()] == [f"query {i:02d}" for i in range(45, 50)]
    history.close()


def test_broken_file_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "h.sqlite").write_bytes(b"no database" * 1000)
    history = History(tmp_path / "h.sqlite")
    finish(history, record("a"))
    assert [item.query_id for item in history.records()] == ["a"]
    history.close()
