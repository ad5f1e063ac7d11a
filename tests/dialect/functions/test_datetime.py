"""DATEADD, DATEDIFF, DATE_TRUNC ...: (id, expression, value, type), in the zone America/Los_Angeles."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from polynya.errors import SnowflakeError


def tz(text: str, hours: float) -> dict[str, Any]:
    """A TIMESTAMP_TZ as the engine holds it, from its wall clock and its offset."""
    wall = datetime.fromisoformat(text).replace(tzinfo=timezone(timedelta(hours=hours)))
    return {"instant": wall.astimezone(UTC), "offset": int(hours * 60)}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


NTZ, LTZ, TZ = "TIMESTAMP_NTZ(9)", "TIMESTAMP_LTZ(9)", "TIMESTAMP_TZ(9)"

ADDITION = [
    ("day to date", "DATEADD(day, 1, '2024-01-31'::DATE)", date(2024, 2, 1), "DATE"),
    ("month end", "DATEADD('month', 1, '2024-01-31'::DATE)", date(2024, 2, 29), "DATE"),
    ("quarter", "DATEADD(qtr, -1, '2024-01-31'::DATE)", date(2023, 10, 31), "DATE"),
    ("hour makes a timestamp", "DATEADD(hour, 1, '2024-01-31'::DATE)", at("2024-01-31 01:00"), NTZ),
    ("week", "DATEADD(wk, -1, '2024-01-31 10:00:00'::TIMESTAMP)", at("2024-01-24 10:00"), NTZ),
    ("leap year ltz", "DATEADD(year, 1, '2024-02-29'::TIMESTAMP_LTZ)", utc("2025-02-28 08:00"), LTZ),
    ("time wraps", "TIMEADD(hour, 20, '10:30:00'::TIME)", time(6, 30), "TIME(9)"),
    ("nanoseconds", "DATEADD(nsec, 10000, '2024-01-31'::TIMESTAMP_TZ)", tz("2024-01-31 00:00:00.000010", -8), TZ),
    (
        "a day over the change of clocks",
        "DATEADD(day, 1, '2024-03-09 12:00'::TIMESTAMP_LTZ)",
        utc("2024-03-10 19:00"),
        LTZ,
    ),
    ("24 hours over it", "DATEADD(hour, 24, '2024-03-09 12:00'::TIMESTAMP_LTZ)", utc("2024-03-10 20:00"), LTZ),
    (
        "tz keeps its offset",
        "DATEADD(month, 6, '2024-01-31 10:00 -08:00'::TIMESTAMP_TZ)",
        tz("2024-07-31 10:00", -8),
        TZ,
    ),
    ("rounded", "DATEADD(day, 1.6, '2024-01-31'::DATE)", date(2024, 2, 2), "DATE"),
    ("null", "DATEADD(day, NULL, '2024-01-31'::DATE)", None, "DATE"),
    ("strings", "DATEADD(day, '2', '2024-01-31')", at("2024-02-02"), NTZ),
    ("date + number", "'2024-01-31'::DATE + 1", date(2024, 2, 1), "DATE"),
    ("number + date", "1 + '2024-01-31'::DATE", date(2024, 2, 1), "DATE"),
    ("date - date", "'2024-01-31'::DATE - '2024-01-01'::DATE", Decimal(30), "NUMBER(9,0)"),
    ("interval", "'2024-01-31'::DATE + INTERVAL '1 month, 1 day'", date(2024, 3, 1), "DATE"),
    ("minus interval", "'2024-01-31 10:00'::TIMESTAMP - INTERVAL '1 year'", at("2023-01-31 10:00"), NTZ),
    ("add_months, last day", "ADD_MONTHS('2024-02-29'::DATE, 1)", date(2024, 3, 31), "DATE"),
    ("add_months", "ADD_MONTHS('2024-01-30 01:00'::TIMESTAMP, 1)", at("2024-02-29 01:00"), NTZ),
]

DIFFERENCE = [
    ("days", "DATEDIFF(day, '2024-01-31'::DATE, '2024-03-01'::DATE)", Decimal(30), "NUMBER(9,0)"),
    ("months are boundaries", "DATEDIFF(month, '2024-01-31', '2024-02-01')", Decimal(1), "NUMBER(9,0)"),
    ("years", "DATEDIFF(year, '2023-12-31'::DATE, '2024-01-01'::TIMESTAMP_LTZ)", Decimal(1), "NUMBER(9,0)"),
    ("weeks", "DATEDIFF(week, '2024-01-01'::TIMESTAMP, '2024-03-05'::TIMESTAMP)", Decimal(9), "NUMBER(9,0)"),
    ("negative", "DATEDIFF(hour, '2024-01-02'::DATE, '2024-01-01'::DATE)", Decimal(-24), "NUMBER(18,0)"),
    (
        "instants",
        "DATEDIFF(hour, '2024-01-01 00:59 +00:00'::TIMESTAMP_TZ, '2024-01-01 03:01 +02:00'::TIMESTAMP_TZ)",
        Decimal(1),
        "NUMBER(18,0)",
    ),
    ("times", "TIMEDIFF(minute, '10:00'::TIME, '11:30:59'::TIME)", Decimal(90), "NUMBER(18,0)"),
    (
        "nanoseconds",
        "DATEDIFF(ns, '2024-01-01'::TIMESTAMP, '2024-01-01 00:00:01'::TIMESTAMP)",
        Decimal(10**9),
        "NUMBER(18,0)",
    ),
    (
        "months_between",
        "MONTHS_BETWEEN('2020-05-01 13:11:20'::TIMESTAMP, '2020-08-21 01:30:05'::TIMESTAMP)",
        Decimal("-3.629452"),
        "NUMBER(38,6)",
    ),
    (
        "months_between last days",
        "MONTHS_BETWEEN('2020-02-29'::DATE, '2020-01-31'::DATE)",
        Decimal("1.000000"),
        "NUMBER(38,6)",
    ),
]

TRUNCATION = [
    ("month of date", "DATE_TRUNC('month', '2024-05-15'::DATE)", date(2024, 5, 1), "DATE"),
    ("hour of date", "DATE_TRUNC('hour', '2024-05-15'::DATE)", date(2024, 5, 15), "DATE"),
    ("week ltz", "DATE_TRUNC(week, '2024-05-15 10:11:12'::TIMESTAMP_LTZ)", utc("2024-05-13 07:00"), LTZ),
    ("hour tz", "DATE_TRUNC('hour', '2024-05-15 10:11:12 +05:30'::TIMESTAMP_TZ)", tz("2024-05-15 10:00", 5.5), TZ),
    (
        "hour that comes twice",
        "DATE_TRUNC('hour', '2024-11-03 09:30 +00:00'::TIMESTAMP_LTZ)",
        utc("2024-11-03 09:00"),
        LTZ,
    ),
    ("minute of time", "DATE_TRUNC('minute', '10:11:12'::TIME)", time(10, 11), "TIME(9)"),
    ("trunc", "TRUNC('2024-05-15'::DATE, 'year')", date(2024, 1, 1), "DATE"),
    ("slice", "TIME_SLICE('2024-05-15 10:11:12'::TIMESTAMP, 15, 'minute')", at("2024-05-15 10:00"), NTZ),
    ("slice end", "TIME_SLICE('2024-05-15 10:11:12'::TIMESTAMP, 15, 'minute', 'END')", at("2024-05-15 10:15"), NTZ),
    ("slice of months", "TIME_SLICE('2024-05-15'::DATE, 4, 'month', 'START')", date(2024, 5, 1), "DATE"),
    ("slice before 1970", "TIME_SLICE('1969-12-31 23:59:00'::TIMESTAMP, 1, 'hour')", at("1969-12-31 23:00"), NTZ),
]

FIELDS = [
    ("year", "DATE_PART(yyy, '2024-05-15'::DATE)", Decimal(2024), "NUMBER(4,0)"),
    ("extract", "EXTRACT(dow FROM '2024-05-19'::DATE)", Decimal(0), "NUMBER(2,0)"),
    ("iso day", "DAYOFWEEKISO('2024-05-19'::DATE)", Decimal(7), "NUMBER(2,0)"),
    ("day of year", "DAYOFYEAR('2024-12-31'::DATE)", Decimal(366), "NUMBER(3,0)"),
    (
        "epoch of tz",
        "DATE_PART('epoch_second', '2017-02-24 14:00:00.789 +0100'::TIMESTAMP_TZ)",
        Decimal(1487941200),
        "NUMBER(18,0)",
    ),
    ("epoch before 1970", "DATE_PART(epoch_second, '1969-12-31 23:59:59.5'::TIMESTAMP)", Decimal(-1), "NUMBER(18,0)"),
    (
        "epoch milliseconds",
        "DATE_PART(epoch_millisecond, '2017-02-24 12:00:00.456'::TIMESTAMP)",
        Decimal(1487937600456),
        "NUMBER(18,0)",
    ),
    ("nanosecond", "DATE_PART(nsec, '2017-02-24 12:00:00.456'::TIMESTAMP)", Decimal(456000000), "NUMBER(9,0)"),
    ("zone hour", "DATE_PART(tzh, '2017-02-24 12:00'::TIMESTAMP_LTZ)", Decimal(-8), "NUMBER(2,0)"),
    ("zone minute", "DATE_PART(tzm, '2017-02-24 12:00 +05:30'::TIMESTAMP_TZ)", Decimal(30), "NUMBER(2,0)"),
    ("hour of ltz", "HOUR('2017-02-24 12:00 +00:00'::TIMESTAMP_LTZ)", Decimal(4), "NUMBER(2,0)"),
    ("second of time", "SECOND('10:11:12.9'::TIME)", Decimal(12), "NUMBER(2,0)"),
    ("week", "WEEK('2024-12-30'::DATE)", Decimal(1), "NUMBER(2,0)"),
    ("year of week", "YEAROFWEEK('2024-12-30'::DATE)", Decimal(2025), "NUMBER(4,0)"),
    ("dayname", "DAYNAME('2024-05-15'::DATE)", "Wed", "VARCHAR(3)"),
    ("monthname", "MONTHNAME('2024-05-31 23:00 -07:00'::TIMESTAMP_TZ)", "May", "VARCHAR(3)"),
    ("last day", "LAST_DAY('2024-02-10 10:00'::TIMESTAMP)", date(2024, 2, 29), "DATE"),
    ("last day of week", "LAST_DAY('2024-02-10'::DATE, 'week')", date(2024, 2, 11), "DATE"),
    ("last day of quarter", "LAST_DAY('2024-02-10'::DATE, 'quarter')", date(2024, 3, 31), "DATE"),
    ("next day", "NEXT_DAY('2024-05-15'::DATE, 'Friday')", date(2024, 5, 17), "DATE"),
    ("next day is not today", "NEXT_DAY('2024-05-15'::DATE, 'we')", date(2024, 5, 22), "DATE"),
    ("previous day", "PREVIOUS_DAY('2024-05-15'::DATE, 'we')", date(2024, 5, 8), "DATE"),
]

CONSTRUCTION = [
    ("date", "DATE_FROM_PARTS(2024, 2, 29)", date(2024, 2, 29), "DATE"),
    ("day 0", "DATE_FROM_PARTS(2024, 3, 0)", date(2024, 2, 29), "DATE"),
    ("month 0", "DATE_FROM_PARTS(2024, 0, 1)", date(2023, 12, 1), "DATE"),
    ("day 100", "DATE_FROM_PARTS(2010, 1, 100)", date(2010, 4, 10), "DATE"),
    ("time", "TIME_FROM_PARTS(12, 34, 56, 987654321)", time(12, 34, 56, 987654), "TIME(9)"),
    ("100 minutes", "TIME_FROM_PARTS(0, 100, 0)", time(1, 40), "TIME(9)"),
    ("timestamp", "TIMESTAMP_FROM_PARTS(2013, 4, 5, 12, 0, -3600)", at("2013-04-05 11:00"), NTZ),
    ("date and time", "TIMESTAMP_NTZ_FROM_PARTS('2013-04-05'::DATE, '12:00'::TIME)", at("2013-04-05 12:00"), NTZ),
    ("ltz", "TIMESTAMP_LTZ_FROM_PARTS(2013, 4, 5, 12, 0, 0)", utc("2013-04-05 19:00"), LTZ),
    ("tz", "TIMESTAMP_TZ_FROM_PARTS(2013, 4, 5, 12, 0, 0, 0, 'America/New_York')", tz("2013-04-05 12:00", -4), TZ),
    (
        "three zones",
        "CONVERT_TIMEZONE('America/Los_Angeles', 'America/New_York', '2019-01-01 14:00'::TIMESTAMP_NTZ)",
        at("2019-01-01 17:00"),
        NTZ,
    ),
    (
        "to a zone",
        "CONVERT_TIMEZONE('Asia/Tokyo', '2024-02-01 12:00:00 +05:00'::TIMESTAMP_TZ)",
        tz("2024-02-01 16:00", 9),
        TZ,
    ),
]


@pytest.mark.parametrize(
    ("expression", "value", "sql_type"),
    [pytest.param(*case[1:], id=case[0]) for case in ADDITION + DIFFERENCE + TRUNCATION + FIELDS + CONSTRUCTION],
)
def test_expression(evaluate: Any, expression: str, value: Any, sql_type: str) -> None:
    assert evaluate(expression, TIMEZONE="America/Los_Angeles") == (value, sql_type)


@pytest.mark.parametrize(
    ("start", "policy", "dayofweek", "week", "year"),
    [
        (0, 0, 0, 52, 2016),
        (1, 0, 7, 52, 2016),
        (7, 0, 1, 1, 2017),
        (0, 1, 0, 1, 2017),
        (1, 1, 7, 1, 2017),
        (3, 0, 5, 53, 2016),
    ],
)
def test_weeks_follow_the_parameters(run: Any, start: int, policy: int, dayofweek: int, week: int, year: int) -> None:
    # Sunday, January 1 of 2017
    answer = run(
        "SELECT DAYOFWEEK(d), WEEK(d), YEAROFWEEK(d), WEEKISO(d) FROM (SELECT '2017-01-01'::DATE AS d)",
        WEEK_START=start,
        WEEK_OF_YEAR_POLICY=policy,
    )
    assert answer.rows == [(dayofweek, week, year, 52)]


def test_weeks_begin_on_the_day_set(run: Any) -> None:
    answer = run(
        "SELECT DATE_TRUNC('week', d), LAST_DAY(d, 'week'), DATEDIFF('week', d, d + 1), TIME_SLICE(d, 1, 'week')"
        " FROM (SELECT '2024-05-18'::DATE AS d)",
        WEEK_START=7,
    )
    assert answer.rows == [(date(2024, 5, 12), date(2024, 5, 18), 1, date(2024, 5, 12))]


def test_now_is_the_same_in_a_statement(run: Any, context: Any) -> None:
    context.statement_start = utc("2024-05-15 03:04:05.678901")
    answer = run(
        "SELECT CURRENT_TIMESTAMP, CURRENT_TIMESTAMP(3), CURRENT_DATE, CURRENT_TIME(0), SYSDATE(), LOCALTIMESTAMP()",
        TIMEZONE="America/Los_Angeles",
    )
    start = utc("2024-05-15 03:04:05.678901")
    assert answer.rows == [
        (start, utc("2024-05-15 03:04:05.678"), date(2024, 5, 14), time(20, 4, 5), start.replace(tzinfo=None), start)
    ]
    assert [str(column.type) for column in answer.columns] == [LTZ, "TIMESTAMP_LTZ(3)", "DATE", "TIME(0)", NTZ, LTZ]
    assert not any(column.nullable for column in answer.columns)


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("DATEADD(foo, 1, '2024-01-31'::DATE)", 1037),
        ("DATE_TRUNC('dow', '2024-01-31'::DATE)", 1037),
        ("DATEDIFF('epoch_second', '2024-01-31'::DATE, '2024-01-31'::DATE)", 1037),
        ("DATEADD(day, 1, '10:30'::TIME)", 1044),
        ("DATEADD(day, 1, TRUE)", 1044),
        ("CONVERT_TIMEZONE('UTC', 'Asia/Tokyo', '2024-02-01'::TIMESTAMP_LTZ)", 1044),
        ("CONVERT_TIMEZONE('Nowhere', '2024-02-01'::TIMESTAMP_LTZ)", 1008),
        ("NEXT_DAY('2024-05-15'::DATE, 'xx')", 100273),
    ],
)
def test_refused(evaluate: Any, expression: str, code: int) -> None:
    with pytest.raises(SnowflakeError) as raised:
        evaluate(expression)
    assert raised.value.code == code
