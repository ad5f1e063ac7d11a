"""Records of handlers on their way to the event table: a handler may send what it likes."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from polynya.catalog.model import Routine
from polynya.dialect.python_logs import log_sink
from polynya.runtime.handler import LogRecord
from polynya.types.sqltype import VARCHAR


class _Catalog:
    def by_id(self, object_id: int) -> None:
        return None


def _taken(level: str = "INFO", **values: Any) -> LogRecord | None:
    """What the event table gets of a record with these values."""
    kept: list[LogRecord] = []
    context = SimpleNamespace(
        catalog=_Catalog(), user="A", session_id=1, role=None, warehouse=None, query_id="q", parameters={}
    )
    execution = SimpleNamespace(
        context=context, results=SimpleNamespace(log=lambda record, resource: kept.append(record))
    )
    routine = Routine(id=1, parent=0, name="F", owner="A", created_on=datetime.now(UTC), returns=VARCHAR)
    plain = {"handler": "F", "query_id": "q", "scope": "stdout", "severity": "INFO", "text": "x", "time": time.time()}
    log_sink(execution, routine, level)(LogRecord(**{**plain, **values}))
    return kept[0] if kept else None


@pytest.mark.parametrize("moment", [float("nan"), float("inf"), -1e300, 0.0, 1e18])
def test_a_time_that_cannot_be_is_now(moment: float) -> None:
    record = _taken(time=moment)
    assert record is not None
    assert abs(record.time - time.time()) < 60


def test_a_severity_that_is_none_is_info() -> None:
    record = _taken(severity="LOUD")
    assert record is not None
    assert record.severity == "INFO"


def test_what_is_too_long_is_cut() -> None:
    record = _taken(text="x" * 10_000_000, scope="s" * 10_000, attributes={"a": "y" * 10_000_000})
    assert record is not None
    assert (len(record.text), len(record.scope), record.attributes) == (100_000, 1000, {})


def test_text_that_no_encoding_has() -> None:
    record = _taken(text="a\ud800b")
    assert record is not None
    assert record.text == "a?b"


@pytest.mark.parametrize(
    ("level", "scope", "severity", "kept"),
    [
        ("WARN", "stdout", "INFO", False),
        ("WARN", "stderr", "ERROR", True),
        ("WARN", "own.logger", "DEBUG", True),  # the handler set its logger's level
        ("OFF", "stderr", "ERROR", False),
        ("TRACE", "stdout", "INFO", True),
    ],
)
def test_the_level(level: str, scope: str, severity: str, kept: bool) -> None:
    assert (_taken(level, scope=scope, severity=severity) is not None) == kept
