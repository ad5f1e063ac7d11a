"""The file of the event table: bounded, and there after a restart."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from polynya.session import events
from polynya.session.events import Event, Events


def _event(text: str, attributes: str = "{}") -> Event:
    return Event(1_700_000_000.25, "stdout", "INFO", text, '{"db.user":"A"}', attributes)


def test_events_are_read_as_they_were_added(tmp_path: Path) -> None:
    store = Events(tmp_path / "events.sqlite")
    added = [_event("first", '{"line":1}'), _event("züri\n")]
    for event in added:
        store.add(event)
    assert store.records() == added
    store.close()


def test_they_survive_a_restart(tmp_path: Path) -> None:
    store = Events(tmp_path / "events.sqlite")
    store.add(_event("before"))
    store.close()
    store = Events(tmp_path / "events.sqlite")
    store.add(_event("after"))
    assert [event.text for event in store.records()] == ["before", "after"]
    store.close()


def test_they_are_written_without_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_SECONDS", 0.01)
    store = Events(tmp_path / "events.sqlite")
    store.add(_event("x"))
    writer = store._writer
    if writer is not None:
        writer.join()
    assert store._count == 1
    store.close()


def test_without_events_there_is_no_file(tmp_path: Path) -> None:
    store = Events(tmp_path / "events.sqlite")
    assert store.records() == []
    store.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("limit", "value"), [("KEEP_EVENTS", 40), ("KEEP_BYTES", 40 * 120)])
def test_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(events, limit, value)
    store = Events(tmp_path / "events.sqlite")
    for number in range(100):
        store.add(_event(f"{number:0100}"))
        if number % 7 == 0:
            store.records()
    kept = [int(event.text) for event in store.records()]
    assert kept == list(range(100))[-len(kept) :]
    assert 20 <= len(kept) <= 40
    store.close()


def test_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_PENDING", 50)
    store = Events(tmp_path / "events.sqlite")

    def add(worker: int) -> None:
        for number in range(200):
            store.add(_event(f"{worker}-{number}"))

    threads = [threading.Thread(target=add, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({event.text for event in store.records()}) == 800
    store.close()
