"""Schedules of tasks, against hand-made moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from polynya.catalog.schedules import next_run, parse_schedule
from polynya.errors import SnowflakeError

NOON = datetime(2026, 11, 28, 12, 0, 30, tzinfo=UTC)  # a Saturday

# schedule, now, the runs after it, in UTC
RUNS = [
    ("5 MINUTE", NOON, ["2026-11-28 12:05:30", "2026-11-28 12:10:30"]),
    ("10 SECONDS", NOON, ["2026-11-28 12:00:40", "2026-11-28 12:00:50"]),
    ("2 hours", NOON, ["2026-11-28 14:00:30"]),
    ("USING CRON * * * * * UTC", NOON, ["2026-11-28 12:01:00", "2026-11-28 12:02:00"]),
    ("USING CRON 0 9-17/8 * * SUN America/Los_Angeles", NOON, ["2026-11-29 17:00:00", "2026-11-30 01:00:00"]),
    ("USING CRON 0 0 L * * UTC", NOON, ["2026-11-30 00:00:00", "2026-12-31 00:00:00"]),
    ("USING CRON 30 6 * * 5L Europe/Berlin", NOON, ["2026-12-25 05:30:00"]),
    # in autumn the hour from one to two comes twice, in spring that from two to three is left out
    (
        "USING CRON 0 1 * * * America/Los_Angeles",
        datetime(2026, 10, 31, 20, tzinfo=UTC),
        ["2026-11-01 08:00:00", "2026-11-01 09:00:00", "2026-11-02 09:00:00"],
    ),
    (
        "USING CRON 0 2 * * * America/Los_Angeles",
        datetime(2026, 3, 6, 20, tzinfo=UTC),
        ["2026-03-07 10:00:00", "2026-03-09 09:00:00"],
    ),
]


@pytest.mark.parametrize(("text", "now", "expected"), RUNS)
def test_next_runs(text: str, now: datetime, expected: list[str]) -> None:
    schedule, since = parse_schedule(text), now
    for moment in expected:
        found = next_run(schedule, since, now)
        assert found is not None
        assert f"{found:%Y-%m-%d %H:%M:%S}" == moment
        now = found


def test_an_interval_keeps_its_beat() -> None:
    found = next_run(parse_schedule("5 MINUTES"), NOON - timedelta(days=3, minutes=2), NOON)
    assert found == NOON + timedelta(minutes=3)


@pytest.mark.parametrize(
    "text",
    ["", "5", "5 YEARS", "9 SECONDS", "9 DAYS", "CRON * * * * * UTC", "USING CRON * * * * UTC", "USING CRON 61 * * * * UTC",
     "USING CRON * * * * * Mars/Olympus"],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(SnowflakeError, match="SCHEDULE") as raised:
        parse_schedule(text)
    assert raised.value.code == 1008
