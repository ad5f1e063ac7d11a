"""Scalar functions row by row: what handlers get, what comes back, errors."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from polynya.errors import SnowflakeError
from polynya.runtime.handler import Job, LogRecord
from polynya.runtime.pool import Pool
from polynya.types import sqltype
from polynya.types.sqltype import (
    ARRAY,
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    OBJECT,
    TIME,
    TIMESTAMP_LTZ,
    TIMESTAMP_NTZ,
    TIMESTAMP_TZ,
    VARCHAR,
    VARIANT,
    SqlType,
    number,
    varchar,
)
from tests.runtime.handlers import batch, handler, whole

SAME = "def f(x): return x"
CET = timezone(timedelta(hours=1))
TZ = {"instant": datetime(2024, 5, 1, 10, 30, tzinfo=UTC), "offset": 60}
VECTOR = SqlType("VECTOR", length=3, element=FLOAT)

ROUND_TRIPS: list[tuple[SqlType, list[Any]]] = [
    (INTEGER, [Decimal(1), None, Decimal(-(2**40))]),
    (INTEGER, [Decimal(10**37), Decimal(-(10**20)), None]),
    (number(10, 2), [Decimal("1.25"), Decimal("-99999999.99"), None]),
    (number(38, 5), [Decimal("123456789012345678901234567890.12345"), None]),
    (FLOAT, [1.5, None, float("inf")]),
    (VARCHAR, ["a", "", "ÄÖ\n\0", None]),
    (BINARY, [b"\x00\xff", b"", None]),
    (BOOLEAN, [True, False, None]),
    (DATE, [date(2024, 2, 29), date(1, 1, 1), None]),
    (TIME, [time(1, 2, 3, 456789), None]),
    (TIMESTAMP_NTZ, [datetime(2024, 1, 2, 3, 4, 5, 678901), None]),
    (TIMESTAMP_LTZ, [datetime(2024, 7, 2, 3, 4, 5, tzinfo=UTC), None]),
    (TIMESTAMP_TZ, [TZ, None]),
    (VARIANT, ["1", '"text"', '{"a":[1,2.5,null,true]}', None]),
    (OBJECT, ['{"a":1}', None]),
    (ARRAY, ["[1,[2]]", "[]", None]),
    (VECTOR, [[1.0, 2.0, 3.0], None]),
]


@pytest.mark.parametrize(
    ("kind", "values"), ROUND_TRIPS, ids=lambda value: str(value) if isinstance(value, SqlType) else ""
)
def test_values_come_back_as_they_went(pool: Pool, kind: SqlType, values: list[Any]) -> None:
    found = pool.apply(
        handler(SAME, takes=(kind,), returns=kind, timezone="Europe/Berlin"), batch((kind, values)), Job()
    )
    assert found.to_pylist() == values
    assert found.type == batch((kind, values)).column(0).type


@pytest.mark.parametrize(
    ("kind", "value", "seen"),
    [
        (INTEGER, 7, "7"),
        (INTEGER, 10**30, str(10**30)),
        (number(5, 2), Decimal("1.50"), "Decimal('1.50')"),
        (FLOAT, 1.0, "1.0"),
        (BINARY, b"a", "b'a'"),
        (DATE, date(2024, 1, 1), "datetime.date(2024, 1, 1)"),
        (TIME, time(1, 2), "datetime.time(1, 2)"),
        (TIMESTAMP_NTZ, datetime(2024, 1, 1, 5), "datetime.datetime(2024, 1, 1, 5, 0)"),
        # Local time of the session, without a zone, as documented.
        (TIMESTAMP_LTZ, datetime(2024, 7, 1, 10, tzinfo=UTC), "datetime.datetime(2024, 7, 1, 12, 0)"),
        (
            TIMESTAMP_TZ,
            TZ,
            "datetime.datetime(2024, 5, 1, 11, 30, tzinfo=datetime.timezone(datetime.timedelta(seconds=3600)))",
        ),
        (
            VARIANT,
            '{"a":1.5,"b":"\\u0001D2024-01-31","c":[null,"\\u0001U"]}',
            "{'a': 1.5, 'b': '2024-01-31', 'c': [None, None]}",
        ),
        (VARIANT, '"\\u0001BFF"', "'FF'"),
        (VARIANT, "null", "None"),
        (VARIANT, "12345678901234567890123", "12345678901234567890123"),
        (SqlType("GEOGRAPHY"), '{"coordinates":[1,2],"type":"Point"}', "{'coordinates': [1, 2], 'type': 'Point'}"),
        (VECTOR, [1.0, 2.0, 3.0], "[1.0, 2.0, 3.0]"),
    ],
)
def test_handlers_see_snowflakes_types(pool: Pool, kind: SqlType, value: Any, seen: str) -> None:
    show = handler("def f(x): return repr(x)", takes=(kind,), returns=VARCHAR, timezone="Europe/Berlin")
    assert pool.apply(show, batch((kind, [value])), Job()).to_pylist() == [seen]


def test_sql_null_in_a_variant_is_not_json_null(pool: Pool) -> None:
    body = "def f(x): return 'json' if x is None else 'sql' if getattr(x, 'is_sql_null', False) else 'value'"
    found = pool.apply(handler(body, takes=(VARIANT,), returns=VARCHAR), batch((VARIANT, ["null", None, "1"])), Job())
    assert found.to_pylist() == ["json", "sql", "value"]


@pytest.mark.parametrize(
    ("returns", "expression", "found"),
    [
        (INTEGER, "2.5", Decimal(3)),
        (INTEGER, "-2.5", Decimal(-3)),
        (INTEGER, "True", Decimal(1)),
        (INTEGER, "10**37", Decimal(10**37)),
        (INTEGER, "__import__('numpy').int32(5)", Decimal(5)),
        (number(10, 2), "1.005", Decimal("1.01")),
        (number(10, 2), "__import__('decimal').Decimal('-1.005')", Decimal("-1.01")),
        (number(10, 2), "3", Decimal("3.00")),
        (FLOAT, "3", 3.0),
        (FLOAT, "__import__('decimal').Decimal('0.1')", 0.1),
        (VARCHAR, "12", "12"),
        (BOOLEAN, "1", True),
        (BINARY, "bytearray(b'x')", b"x"),
        (TIMESTAMP_LTZ, "__import__('datetime').datetime(2024, 7, 1, 12)", datetime(2024, 7, 1, 10, tzinfo=UTC)),
        (TIMESTAMP_NTZ, "__import__('datetime').date(2024, 7, 1)", datetime(2024, 7, 1)),
        (VARIANT, "{'b': 1, 'a': (None, 1.0, 1.25), 3: 'x'}", '{"3":"x","a":[null,1,1.25],"b":1}'),
        (VARIANT, "[__import__('numpy').float64(0.5), __import__('numpy').arange(2)]", "[0.5,[0,1]]"),
        (VARIANT, "'text'", '"text"'),
        (VARIANT, "None", "null"),
        (VARCHAR, "{'a': 1}", "{'a': 1}"),
        (VARIANT, "1e300", '"\\u0001F1e+300"'),
    ],
)
def test_results_are_converted(pool: Pool, returns: SqlType, expression: str, found: Any) -> None:
    made = handler(f"def f(): return {expression}", takes=(), returns=returns, timezone="Europe/Berlin")
    assert pool.apply(made, whole(0, 0), Job()).to_pylist() == [found, found]


@pytest.mark.parametrize(
    ("returns", "expression", "named"),
    [
        (
            INTEGER,
            "'abc'",
            "returned 'abc' of Python type 'str'; an int, float or decimal.Decimal is expected for NUMBER(38,0)",
        ),
        (INTEGER, "float('nan')", "nan"),
        (number(3, 0), "1000", "Number out of representable range: type NUMBER(3,0), value 1000"),
        (number(38, 0), "10**38", "Number out of representable range"),
        (FLOAT, "'1'", "'1' of Python type 'str'"),
        (VARCHAR, "b'x'", "b'x' of Python type 'bytes'"),
        (varchar(3), "'abcd'", "'abcd' is too long and would be truncated"),
        (BOOLEAN, "2", "2 of Python type 'int'; a bool is expected"),
        (BINARY, "'x'", "'x' of Python type 'str'; bytes is expected"),
        (DATE, "'2024-01-01'", "a datetime.date is expected for DATE"),
        (TIMESTAMP_NTZ, "5", "a datetime.datetime is expected"),
        (VARIANT, "object", "a value that JSON can hold is expected for VARIANT"),
        (OBJECT, "[1]", "[1] of Python type 'list'; a dict is expected for OBJECT"),
        (ARRAY, "{}", "{} of Python type 'dict'; a list is expected for ARRAY"),
        (VECTOR, "[1.0]", "a list of 3 numbers is expected"),
    ],
)
def test_results_of_a_wrong_type_are_named(pool: Pool, returns: SqlType, expression: str, named: str) -> None:
    with pytest.raises(SnowflakeError) as error:
        pool.apply(handler(f"def f(): return {expression}", takes=(), returns=returns), whole(0), Job())
    assert error.value.code == 100357
    assert named in error.value.message
    assert error.value.message.endswith(" in function F with handler f")


def test_an_exception_shows_the_handlers_own_lines(pool: Pool) -> None:
    body = "\ndef g(x):\n    return 1 // x\n\ndef f(x):\n    return g(x)\n"
    with pytest.raises(SnowflakeError) as error:
        pool.apply(handler(body), whole(1, 0), Job())
    assert (error.value.code, error.value.sqlstate) == (100357, "P0000")
    lines = [line for line in error.value.message.splitlines() if not set(line) <= set(" ~^")]
    assert lines == [
        "Python Interpreter Error:",
        "Traceback (most recent call last):",
        '  File "_udf_code.py", line 6, in f',
        "    return g(x)",
        '  File "_udf_code.py", line 3, in g',
        "    return 1 // x",
        "ZeroDivisionError: integer division or modulo by zero",
        " in function F with handler f",
    ]


def test_a_worker_outlives_exceptions(pool: Pool) -> None:
    body = "calls = 0\ndef f(x):\n    global calls\n    calls += 1\n    return calls // x"
    counting = handler(body)
    assert pool.apply(counting, whole(1), Job()).to_pylist() == [1]
    with pytest.raises(SnowflakeError):
        pool.apply(counting, whole(0), Job())
    assert pool.apply(counting, whole(1), Job()).to_pylist() == [3]


def test_strict_functions_do_not_see_nulls(pool: Pool) -> None:
    strict = handler("def f(x, y): return x + y", takes=(INTEGER, INTEGER), strict=True)
    given = batch((INTEGER, [1, None, 3, None]), (INTEGER, [10, 20, None, None]))
    assert pool.apply(strict, given, Job()).to_pylist() == [11, None, None, None]
    assert pool.apply(strict, given.slice(1), Job()).to_pylist() == [None] * 3


def test_handlers_of_two_domains_share_no_worker(pool: Pool) -> None:
    body = "n = 0\ndef f(x):\n    global n\n    n += 1\n    return n"
    one, other = handler(body, domain="ONE"), handler(body, domain="OTHER")
    assert pool.apply(one, whole(0, 0), Job()).to_pylist() == [1, 2]
    assert pool.apply(other, whole(0), Job()).to_pylist() == [1]
    assert pool.apply(one, whole(0), Job()).to_pylist() == [3]


def test_prints_and_log_records_arrive(pool: Pool) -> None:
    body = """
import logging, sys
def f(x):
    print('printed', x)
    print('to stderr', file=sys.stderr)
    logging.getLogger('mine').warning('logged %s', x, extra={'key': 'value'})
    try:
        1 / 0
    except ZeroDivisionError:
        logging.exception('failed')
    print('no newline', end='')
    return x
"""
    found: list[LogRecord] = []
    pool.apply(handler(body), whole(5), Job(query_id="q1", log=found.append))
    assert [(record.scope, record.severity, record.text) for record in found] == [
        ("stdout", "INFO", "printed 5"),
        ("stderr", "ERROR", "to stderr"),
        ("mine", "WARN", "logged 5"),
        ("root", "ERROR", "failed"),
        ("stdout", "INFO", "no newline"),
    ]
    assert {record.query_id for record in found} == {"q1"}
    assert found[2].attributes["code.lineno"] == 6
    assert found[2].attributes["key"] == "value"
    assert found[3].attributes["exception.type"] == "ZeroDivisionError"


def test_a_flood_of_prints_is_cut(pool: Pool) -> None:
    found: list[LogRecord] = []
    body = "def f(x):\n    for i in range(100000): print('x' * 100)\n    return x"
    assert pool.apply(handler(body), whole(1), Job(log=found.append)).to_pylist() == [1]
    assert sum(len(record.text) for record in found) < 1 << 20
    assert "dropped" in found[-1].text


def test_many_columns_and_rows(pool: Pool) -> None:
    kinds: tuple[SqlType, ...] = (INTEGER, VARCHAR, FLOAT)
    rows = 100_000  # too big for a frame: through shared memory
    given = batch((INTEGER, list(range(rows))), (VARCHAR, [f"text {i}" for i in range(rows)]), (FLOAT, [0.5] * rows))
    made = handler("def f(a, b, c): return f'{a}{b}{c}' * 3", takes=kinds, returns=VARCHAR)
    for _ in range(2):
        found = pool.apply(made, given, Job())
        assert found[rows - 1].as_py() == f"{rows - 1}text {rows - 1}0.5" * 3
        assert len(found) == rows


def test_the_engine_may_choose_other_arrow_types(pool: Pool) -> None:
    given = pa.RecordBatch.from_arrays([pa.array([1, 2], pa.int32())], ["a"])
    assert pool.apply(handler("def f(x): return x * 2"), given, Job()).to_pylist() == [2, 4]


def test_a_returned_decimal_column_keeps_its_scale(pool: Pool) -> None:
    kind = sqltype.number(12, 3)
    found = pool.apply(
        handler("def f(x): return x / 3", takes=(kind,), returns=kind), batch((kind, [Decimal(1)])), Job()
    )
    assert found.type == pa.decimal128(12, 3)
    assert found.to_pylist() == [Decimal("0.333")]


def test_snowparks_wrapper_is_looked_behind(pool: Pool) -> None:
    """Snowpark's client wraps each function so that its first calls come one after the other; see ``scalar``."""
    body = """
class Flag:
    def __init__(self):
        self.invoked = False
calls = []
def lock_function_once(f, flag):
    calls.append(1)
    return f
invoked = Flag()
def func(a):
    return a * 10 + len(calls)
def compute(arg1):
    return lock_function_once(func, invoked)(arg1)
def other(arg1):
    return lock_function_once(func, invoked)(arg1) + 0 * len(calls)
"""
    rows = batch((INTEGER, [1, 2]))
    wrapped = handler(body, "compute", (INTEGER,), INTEGER)
    assert pool.apply(wrapped, rows, Job()).to_pylist() == [10, 20]
    assert pool.apply(handler(body, "other", (INTEGER,), INTEGER), rows, Job()).to_pylist() == [11, 22]
