"""Long statements take turns, so that short ones find a core; nobody waits long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from polynya.storage import turns
from polynya.storage.turns import Turns

WRITE, READ = "INSERT INTO t VALUES (1)", "SELECT 1"


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(turns, "_PATIENCE_SECONDS", 0.3)
    return


def seconds_to_begin(found: Turns, sql: str, waits: bool = True) -> float:
    began = time.monotonic()
    with found.take(sql, waits=waits):
        return time.monotonic() - began


def burn(found: Turns, sql: str, seconds: float) -> None:
    """Runs a query that takes its thread so long."""
    with found.take(sql):
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass


def test_only_long_statements_wait(limits: None) -> None:
    found = Turns(1)
    with found.take(WRITE):
        assert seconds_to_begin(found, READ) < 0.1
        assert seconds_to_begin(found, "COMMIT") < 0.1
        assert seconds_to_begin(found, "CREATE TABLE lake.t (a INT)", waits=False) < 0.1
        assert seconds_to_begin(found, WRITE) >= 0.3  # no longer than that
    assert seconds_to_begin(found, WRITE) < 0.1


def test_a_query_that_took_long_is_long(limits: None) -> None:
    found = Turns(1)
    burn(found, "SELECT slow", 0.03)
    with found.take(WRITE):
        assert seconds_to_begin(found, "SELECT slow") >= 0.3
        assert seconds_to_begin(found, "SELECT slow") < 0.1  # it was quick this time
    time.sleep(0.03)
    burn(found, "SELECT waiting", 0.0)
    with found.take("SELECT waiting"):
        time.sleep(0.03)  # for a lock or a core, not for the engine
    with found.take(WRITE):
        assert seconds_to_begin(found, "SELECT waiting") < 0.1


def test_one_core_is_left_while_short_ones_come(limits: None) -> None:
    found = Turns(2)
    with found.take(WRITE):
        assert seconds_to_begin(found, WRITE) < 0.1
        seconds_to_begin(found, READ)
        assert seconds_to_begin(found, WRITE) >= 0.3


def test_what_has_been_at_work_for_a_while_keeps_nobody_back(limits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_TURN_SECONDS", 0.1)
    found = Turns(1)
    with found.take(WRITE):
        assert seconds_to_begin(found, WRITE) < 0.25


def test_a_turn_that_ends_lets_the_next_begin() -> None:
    found, order = Turns(1), []

    def run(number: int) -> None:
        with found.take(WRITE):
            order.append(number)
            time.sleep(0.01)
            order.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order[::2] == order[1::2], "one at a time"
    with pytest.raises(ZeroDivisionError), found.take(WRITE):
        raise ZeroDivisionError
    assert seconds_to_begin(found, WRITE) < 0.1
