"""Schedules of tasks: ``5 MINUTES``, ``USING CRON 0 9 * * * Europe/Berlin``, and when they are due.

https://docs.snowflake.com/en/sql-reference/sql/create-task (SCHEDULE)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from polynya.errors import SnowflakeError, invalid_value

_INTERVAL = re.compile(r"(\d+)\s+(SECOND|MINUTE|HOUR|DAY|M|H|S)S?", re.IGNORECASE)
_CRON = re.compile(r"USING\s+CRON\s+(\S+(?:\s+\S+){4})\s+(\S+)", re.IGNORECASE)
_SECONDS = {"SECOND": 1, "S": 1, "MINUTE": 60, "M": 60, "HOUR": 3600, "H": 3600, "DAY": 86_400}
# Documented: at least 10 seconds, at most 8 days.
_LEAST, _MOST = 10, 8 * 86_400
# Where clocks change, times of day repeat or are left out; by no more than this.
_SHIFT = timedelta(hours=3)
# A cron schedule that is never due (30 February) is given up after so many candidates.
_CANDIDATES = 1500


@dataclass(frozen=True, slots=True)
class Schedule:
    """A parsed schedule.

    Args:
        text: as SHOW TASKS shows it.
        seconds: between runs, or 0 for cron.
        cron: its five fields, or "".
        zone: name of cron's time zone.
    """

    text: str
    seconds: int = 0
    cron: str = ""
    zone: str = "UTC"


def parse_schedule(text: str) -> Schedule:
    """A schedule from its text.

    Raises:
        SnowflakeError: 001008 for one that cannot be.
    """
    text = text.strip()
    if found := _INTERVAL.fullmatch(text):
        seconds = int(found[1]) * _SECONDS[found[2].upper()]
        if not _LEAST <= seconds <= _MOST:
            raise _invalid(text, "an interval is from 10 seconds to 8 days (11520 minutes)")
        return Schedule(text, seconds=seconds)
    if found := _CRON.fullmatch(text):
        try:
            ZoneInfo(found[2])
            schedule = Schedule(text, cron=" ".join(found[1].split()), zone=found[2])
            CronSim(schedule.cron, datetime(2000, 1, 1))
        except (CronSimError, ValueError, OSError, KeyError) as error:
            raise _invalid(text, str(error) or type(error).__name__) from None
        return schedule
    raise _invalid(text, "write '<number> SECONDS | MINUTES | HOURS' or 'USING CRON <five fields> <time zone>'")


def next_run(schedule: Schedule, since: datetime, now: datetime) -> datetime | None:
    """The first run after now.

    Args:
        schedule: of the task.
        since: when the task was resumed; an interval counts from there.
        now: with its zone.

    Returns:
        In UTC; None if it is never due.
    """
    if schedule.seconds:
        passed = max((now - since).total_seconds(), 0.0)
        return since.astimezone(UTC) + timedelta(seconds=schedule.seconds * (int(passed // schedule.seconds) + 1))
    return _next_cron(schedule, now)


def _next_cron(schedule: Schedule, now: datetime) -> datetime | None:
    """In the hour that comes twice a task runs twice, in the one that is left out it does not run, as documented."""
    zone = ZoneInfo(schedule.zone)
    start = now.astimezone(zone).replace(tzinfo=None)
    found: datetime | None = None
    for local in _candidates(schedule.cron, start - _SHIFT):
        if found is not None and local > start + _SHIFT:
            break
        for fold in (0, 1):
            moment = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
            exists = moment.astimezone(zone).replace(tzinfo=None) == local
            if exists and moment > now and (found is None or moment < found):
                found = moment
    return found


def _candidates(cron: str, start: datetime) -> Iterator[datetime]:
    return islice(CronSim(cron, start), _CANDIDATES)


def _invalid(text: str, why: str) -> SnowflakeError:
    return invalid_value(f"invalid value [{text}] for parameter 'SCHEDULE': {why}")
