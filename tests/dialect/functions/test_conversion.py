"""Casts and TO_*: (expression, value, type), in the zone America/Los_Angeles."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from tests.dialect.functions.test_datetime import LTZ, NTZ, TZ, at, tz, utc

from polynya.errors import SnowflakeError

TEXT = "VARCHAR(16777216)"

NUMBERS = [
    ("'12.5'::INT", Decimal(13), "NUMBER(38,0)"),
    ("'-12.5'::INT", Decimal(-13), "NUMBER(38,0)"),
    ("' 7 '::NUMBER(4,1)", Decimal("7.0"), "NUMBER(4,1)"),
    ("'1e3'::INT", Decimal(1000), "NUMBER(38,0)"),
    ("'12345678901234567890.55'::NUMBER(38,2)", Decimal("12345678901234567890.55"), "NUMBER(38,2)"),
    ("2.5::FLOAT::INT", Decimal(3), "NUMBER(38,0)"),
    ("5.2354::FLOAT::NUMBER(3,2)", Decimal("5.24"), "NUMBER(3,2)"),
    ("1.005::FLOAT::NUMBER(38,37)", Decimal("1.005"), "NUMBER(38,37)"),
    ("1.25::NUMBER(3,1)", Decimal("1.3"), "NUMBER(3,1)"),
    ("TRUE::INT", Decimal(1), "NUMBER(38,0)"),
    ("TRY_CAST('abc' AS INT)", None, "NUMBER(38,0)"),
    ("TO_NUMBER('12.5')", Decimal(13), "NUMBER(38,0)"),
    ("TO_DECIMAL('12.345', 10, 2)", Decimal("12.35"), "NUMBER(10,2)"),
    ("TO_NUMBER('$1,234.50', '$9,999.00', 10, 2)", Decimal("1234.50"), "NUMBER(10,2)"),
    ("TO_NUMBER('FF', 'XX')", Decimal(255), "NUMBER(38,0)"),
    ("TRY_TO_NUMBER('12x', '99')", None, "NUMBER(38,0)"),
    ("TO_NUMBER(PARSE_JSON('12.7'))", Decimal(13), "NUMBER(38,0)"),
    ("TO_DOUBLE('1e3')", 1000.0, "FLOAT"),
    ("'inf'::FLOAT", float("inf"), "FLOAT"),
    ("TRY_TO_DOUBLE('x')", None, "FLOAT"),
]

BOOLEANS = [
    *((f"TO_BOOLEAN('{word}')", True, "BOOLEAN") for word in ("true", "T", "yes", "y", "on", "1")),
    *((f"'{word}'::BOOLEAN", False, "BOOLEAN") for word in ("False", "f", "no", "N", "off", "0")),
    ("0.5::BOOLEAN", True, "BOOLEAN"),
    ("0::FLOAT::BOOLEAN", False, "BOOLEAN"),
    ("TRY_TO_BOOLEAN('maybe')", None, "BOOLEAN"),
]

TEXTS = [
    ("1.50::VARCHAR", "1.50", TEXT),
    ("0.05::VARCHAR", "0.05", TEXT),
    ("(-0.05)::NUMBER(2,2)::VARCHAR", "-0.05", TEXT),
    ("1::FLOAT::VARCHAR", "1", TEXT),
    ("1e20::FLOAT::VARCHAR", "1e+20", TEXT),
    ("0.000096::FLOAT::VARCHAR", "9.6e-05", TEXT),
    ("3.0276503540974917::FLOAT::VARCHAR", "3.027650354", TEXT),
    ("'nan'::FLOAT::VARCHAR", "NaN", TEXT),
    ("'-inf'::FLOAT::VARCHAR", "-inf", TEXT),
    ("TRUE::VARCHAR", "true", TEXT),
    ("'abc'::VARCHAR(2)", "ab", "VARCHAR(2)"),
    ("TO_CHAR(1234.5, '$9,999.00')", " $1,234.50", TEXT),
    ("TO_CHAR('2024-01-31'::DATE, 'mm-dd-yyyy')", "01-31-2024", TEXT),
    ("TO_CHAR('09:12:56'::TIME, 'mi:hh12:ss AM')", "12:09:56 AM", TEXT),
    ("TO_CHAR('2024-01-31 10:11:12'::TIMESTAMP_LTZ)", "2024-01-31 10:11:12.000 -0800", TEXT),
    ("'2024-01-31 10:11:12 +05:30'::TIMESTAMP_TZ::VARCHAR", "2024-01-31 10:11:12.000 +0530", TEXT),
    (
        "TO_CHAR('2024-01-31 10:11:12.5'::TIMESTAMP, 'DY MON YY HH12 PM FF1|FF2|FF')",
        "Wed Jan 24 10 AM 5|50|500000000",
        TEXT,
    ),
    ("TO_CHAR('2024-01-31'::TIMESTAMP, 'YYYY\"T\"MM TZH:TZM')", "2024T01 Z", TEXT),
    ("TO_CHAR(TO_BINARY('616263'), 'utf-8')", "abc", TEXT),
    ("TO_BINARY('616263')::VARCHAR", "616263", TEXT),
    ("TO_VARCHAR(PARSE_JSON('{\"a\": [1, 2]}'))", '{"a":[1,2]}', TEXT),
    ("TO_VARCHAR('x')", "x", "VARCHAR(1)"),
    ("TO_CHAR(NULL)", None, TEXT),
]

DATES = [
    ("'2024-1-3'::DATE", date(2024, 1, 3), "DATE"),
    ("'31-JAN-2024'::DATE", date(2024, 1, 31), "DATE"),
    ("'5/1/17'::DATE", date(17, 5, 1), "DATE"),
    ("'1700000000'::DATE", date(2023, 11, 14), "DATE"),
    ("'2024-01-31T10:11:12Z'::DATE", date(2024, 1, 31), "DATE"),
    ("TO_DATE('31.01.2024', 'DD.MM.YYYY')", date(2024, 1, 31), "DATE"),
    ("TRY_TO_DATE('2024-02-30')", None, "DATE"),
    ("'23:30'::TIME", time(23, 30), "TIME(9)"),
    ("'1:02:03 PM'::TIME", time(13, 2, 3), "TIME(9)"),
    ("'22:33:44.5678'::TIME(2)", time(22, 33, 44, 560000), "TIME(2)"),
    ("TO_TIME('01.02-03 PM', 'HH12.MI-SS PM')", time(13, 2, 3), "TIME(9)"),
    ("TO_TIME('01:02:03', 'HH24:MI:SS.FF4')", time(1, 2, 3), "TIME(9)"),
    ("TO_TIME('1712265619')", time(21, 20, 19), "TIME(9)"),
    ("'2018-01-01 00:01:45.8140'::TIMESTAMP", at("2018-01-01 00:01:45.814"), NTZ),
    ("'9/1/2014 00:00:25'::TIMESTAMP", at("2014-09-01 00:00:25"), NTZ),
    ("'2024-01-31 10:11:12 +02:00'::TIMESTAMP_NTZ", at("2024-01-31 10:11:12"), NTZ),
    ("'2024-01-31 10:11:12 +02:00'::TIMESTAMP_LTZ", utc("2024-01-31 08:11:12"), LTZ),
    ("'2024-07-31 10:11:12'::TIMESTAMP_TZ", tz("2024-07-31 10:11:12", -7), TZ),
    ("'Thu, 21 Dec 2000 16:01:07 +0200'::TIMESTAMP_TZ", tz("2000-12-21 16:01:07", 2), TZ),
    ("'Mon Jul 08 18:09:51 +0000 2013'::TIMESTAMP_TZ", tz("2013-07-08 18:09:51", 0), TZ),
    ("'2024-01-31 10:11:12.999'::TIMESTAMP_NTZ(1)", at("2024-01-31 10:11:12.9"), "TIMESTAMP_NTZ(1)"),
    ("'2024-01-31'::DATE::TIMESTAMP_LTZ", utc("2024-01-31 08:00"), LTZ),
    ("'2024-01-31 20:00 -08:00'::TIMESTAMP_TZ::DATE", date(2024, 1, 31), "DATE"),
    ("TO_TIMESTAMP(1700000000)", at("2023-11-14 22:13:20"), "TIMESTAMP_NTZ(0)"),
    ("TO_TIMESTAMP(1700000000123, 3)", at("2023-11-14 22:13:20.123"), "TIMESTAMP_NTZ(3)"),
    ("TO_TIMESTAMP_TZ(1700000000)", tz("2023-11-14 14:13:20", -8), "TIMESTAMP_TZ(0)"),
    ("TO_TIMESTAMP_NTZ('1700000000000')", at("2023-11-14 22:13:20"), NTZ),
    ("TO_TIMESTAMP('20240202000000123', 'YYYYMMDDHH24MISSFF')", at("2024-02-02 00:00:00.123"), NTZ),
    ("TO_TIMESTAMP('03 Feb 2024', 'DD mon ' || 'YYYY')", at("2024-02-03"), NTZ),
    ("TO_TIMESTAMP_NTZ(PARSE_JSON('1700000000'))", at("2023-11-14 14:13:20"), NTZ),
    ("TO_TIMESTAMP_NTZ(TO_VARIANT('2024-01-31'::DATE))", at("2024-01-31"), NTZ),
    ("TRY_TO_TIMESTAMP('nope')", None, NTZ),
]

BINARIES = [
    ("TO_BINARY('YWJj', 'base64')", b"abc", "BINARY(8388608)"),
    ("TO_BINARY('äb', 'utf-8')", "äb".encode(), "BINARY(8388608)"),
    ("TRY_TO_BINARY('zz')", None, "BINARY(8388608)"),
]


@pytest.mark.parametrize(("expression", "value", "sql_type"), NUMBERS + BOOLEANS + TEXTS + DATES + BINARIES)
def test_value(evaluate: Any, expression: str, value: Any, sql_type: str) -> None:
    assert evaluate(expression, TIMEZONE="America/Los_Angeles") == (value, sql_type)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("'abc'::INT", "100038 (22018): Numeric value 'abc' is not recognized"),
        ("'1_000'::INT", "100038 (22018): Numeric value '1_000' is not recognized"),
        ("'12345'::NUMBER(3,0)", "100039 (22003): Numeric value '12345' is out of range"),
        (
            "123::NUMBER(2,0)",
            "100046 (22003): Number out of representable range: type FIXED[SB1](2,0){nullable}, value 123",
        ),
        ("'maybe'::BOOLEAN", "100037 (22018): Boolean value 'maybe' is not recognized"),
        ("'2024-02-30'::DATE", "100040 (22007): Date '2024-02-30' is not recognized"),
        ("'x'::TIMESTAMP_TZ", "100035 (22007): Timestamp 'x' is not recognized"),
        ("'x'::TIME", "100108 (22007): Time 'x' is not recognized"),
        ("TO_DATE('x', 'YYYY')", "100096 (22007): Can't parse 'x' as date with format 'YYYY'"),
        ("12345::VARCHAR(3)", "100078 (22000): String '12345' is too long and would be truncated"),
        ("TO_BINARY('zz')", "100115 (22000): The following string is not a legal hex-encoded value: 'zz'"),
    ],
)
def test_failure_at_run_time(evaluate: Any, expression: str, message: str) -> None:
    with pytest.raises(SnowflakeError) as raised:
        evaluate(expression)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("1::DATE", 1007),
        ("TO_DATE(1)", 1044),
        ("TRY_TO_NUMBER(1)", 1044),
        ("'10:00'::TIME::DATE", 1007),
        ("TO_CHAR(TRUE, 'x')", 1044),
        ("TO_NUMBER('1', 99)", 1008),
    ],
)
def test_refused(evaluate: Any, expression: str, code: int) -> None:
    with pytest.raises(SnowflakeError) as raised:
        evaluate(expression)
    assert raised.value.code == code


def test_input_and_output_formats_of_the_session(run: Any) -> None:
    answer = run(
        "SELECT '31.01.2024'::DATE, '31.01.2024'::DATE::VARCHAR, '31|1|2024'::TIMESTAMP, '10h'::TIME::VARCHAR",
        DATE_INPUT_FORMAT="DD.MM.YYYY",
        DATE_OUTPUT_FORMAT="MM/DD/YY",
        TIMESTAMP_INPUT_FORMAT="DD|MM|YYYY",
        TIME_INPUT_FORMAT='HH24"h"',
        TIME_OUTPUT_FORMAT="HH12 AM",
    )
    assert answer.rows == [(date(2024, 1, 31), "01/31/24", datetime(2024, 1, 31), "10 AM")]


def test_two_digit_years(run: Any) -> None:
    sql = "SELECT TO_DATE('01/02/80', 'DD/MM/YY'), TO_DATE('01/02/79', 'DD/MM/YY')"
    assert run(sql, TWO_DIGIT_CENTURY_START=1980).rows == [(date(1980, 2, 1), date(2079, 2, 1))]


def test_errors_come_only_from_rows_that_are_wrong(run: Any) -> None:
    sql = "SELECT IFF(x = 'a', NULL, x::INT) FROM (SELECT column1 AS x FROM VALUES ('1'), ('a'))"
    assert run(sql).rows == [(1,), (None,)]
