"""Array binds (executemany) -> an Arrow table, one column a bind variable."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

from polynya.dialect.binds import Binds
from polynya.dialect.literals import bind_type
from polynya.errors import SnowflakeError
from polynya.types.arrow import arrow_type
from polynya.types.sqltype import VARCHAR, SqlType, number

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bind_table(binds: Binds) -> tuple[pa.Table, dict[int | str, tuple[str, SqlType]]]:
    """The binds' values as a table.

    Args:
        binds: arrays of equal length; single values are repeated.

    Returns:
        The table, and for each bind its column's name and type.

    Raises:
        SnowflakeError: 002014 if the lengths differ or a value is not of its type.
    """
    lengths = {len(bind.value) for bind in binds.values() if isinstance(bind.value, list)}
    if len(lengths) != 1:
        raise SnowflakeError(2014, "22000", f"SQL compilation error:\nArray binds differ in length: {sorted(lengths)}.")
    length = lengths.pop()
    arrays, names, columns = [], [], {}
    for key, bind in binds.items():
        values = bind.value if isinstance(bind.value, list) else [bind.value] * length
        sql_type = bind_type(bind)
        try:
            sql_type, array = _array(sql_type, values)
        except (ValueError, ArithmeticError, pa.ArrowException):
            raise SnowflakeError(
                2014, "22000", f"SQL compilation error:\nA value of bind {key} is not of type {bind.type}."
            ) from None
        name = f"b{key}"
        arrays.append(array)
        names.append(name)
        columns[key] = (name, sql_type)
    return pa.Table.from_arrays(arrays, names=names), columns


def _array(sql_type: SqlType, values: list[str | None]) -> tuple[SqlType, pa.Array]:
    match sql_type.name:
        case "NUMBER":
            numbers = [None if v is None else Decimal(v) for v in values]
            scale = max((max(-int(n.as_tuple().exponent), 0) for n in numbers if n is not None), default=0)
            kind = number(38, min(scale, 37))
            return kind, pa.array(numbers, type=arrow_type(kind))
        case "FLOAT":
            return sql_type, pa.array([None if v is None else float(v) for v in values], type=pa.float64())
        case "BOOLEAN":
            return sql_type, pa.array([None if v is None else v.lower() in ("true", "1") for v in values])
        case "DATE":
            return sql_type, pa.array([None if v is None else _date(v) for v in values], type=pa.date32())
        case "TIME":
            return sql_type, pa.array(
                [None if v is None else (_EPOCH + _nanoseconds(v)).time() for v in values], type=pa.time64("us")
            )
        case "BINARY":
            return sql_type, pa.array([None if v is None else bytes.fromhex(v) for v in values], type=pa.binary())
        case "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ":
            if all(v is None or v.lstrip("-").isdigit() for v in values):
                moments = [None if v is None else _EPOCH + _nanoseconds(v) for v in values]
                if sql_type.name == "TIMESTAMP_NTZ":
                    moments = [None if m is None else m.replace(tzinfo=None) for m in moments]
                return sql_type, pa.array(moments, type=arrow_type(sql_type))
        case "TIMESTAMP_TZ":
            if all(v is None or v.replace(" ", "").lstrip("-").isdigit() for v in values):
                cells = [None if v is None else _instant(v) for v in values]
                return sql_type, pa.array(cells, type=arrow_type(sql_type))
    # Everything else is text; the column it goes to decides how it is read.
    return VARCHAR, pa.array(values, type=pa.string())


def _date(text: str) -> date:
    return date.fromisoformat(text) if "-" in text[1:] else date(1970, 1, 1) + timedelta(milliseconds=int(text))


def _nanoseconds(text: str) -> timedelta:
    return timedelta(microseconds=int(text) // 1000)


def _instant(text: str) -> dict[str, object]:
    nanoseconds, _, offset = text.partition(" ")
    return {"instant": _EPOCH + _nanoseconds(nanoseconds), "offset": int(offset) - 1440 if offset else 0}
