"""Values of VARIANT, OBJECT, ARRAY and MAP: the engine's JSON text <-> Python values <-> Snowflake's output.

The engine's text is JSON in one canonical form, so that equal values are equal texts: no blanks, the keys of an object
unique and in byte order, numbers as NUMBER has them. Scalars that JSON lacks are strings that begin with U+0001 and a
letter::

    D date                2024-01-31
    T time                12:34:56.123456 (the fraction as far as needed)
    N timestamp_ntz       2024-01-31 12:34:56.123456
    L timestamp_ltz       the same in UTC
    Z timestamp_tz        local time and its offset, 2024-01-31 12:34:56.5+01:00
    B binary              hex digits
    F float               the shortest text that gives it back, inf, -inf, nan
    E number              exact digits where a double would lose some
    U undefined           NULL as an item of an array
    S varchar             one that itself begins with U+0001

Sources: docs.snowflake.com/en/sql-reference/data-types-semistructured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from polynya.types import xml_text

TAG = "\x01"
# How a tag looks inside JSON text.
ESCAPED_TAG = "\\u0001"
_EXPONENT = re.compile(r"e([+-])0*(\d)")


class Undefined:
    """SQL NULL as an item of an array, unlike JSON null (None)."""

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED = Undefined()


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A timestamp_ltz or timestamp_tz inside a VARIANT, told apart from each other.

    Args:
        value: with a time zone.
        kind: L or Z.
    """

    value: datetime
    kind: str


def decode(text: str) -> Any:
    """A value of the engine as Python has it.

    Args:
        text: canonical JSON.

    Returns:
        None for JSON null, bool, int, Decimal (numbers with a fraction), float (FLOAT), str, bytes, date, time, naive
        datetime (timestamp_ntz), LocalTime, UNDEFINED, list, dict.

    Raises:
        RecursionError: if it is nested too deep.
    """
    check_depth(text)
    value = json.loads(text, parse_float=Decimal)
    return _untag(value) if ESCAPED_TAG in text else value


# Levels of nesting up to which Python's reader of JSON, which recurses in C, is safe on every thread's stack.
_MAX_DEPTH = 900
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def check_depth(text: str) -> None:
    """Raises RecursionError for JSON text that is nested too deep for Python's reader."""
    if text.count("[") + text.count("{") <= _MAX_DEPTH:
        return
    depth = 0
    for found in _BRACKETS.finditer(text):
        mark = found[0]
        depth += 1 if mark in "[{" else -1 if mark in "]}" else 0
        if depth > _MAX_DEPTH:
            raise RecursionError("JSON nested too deep")


def _untag(value: Any) -> Any:
    if isinstance(value, str):
        return untag(value) if value.startswith(TAG) else value
    if isinstance(value, list):
        return [_untag(item) for item in value]
    if isinstance(value, dict):
        return {key: _untag(item) for key, item in value.items()}
    return value


def untag(text: str) -> Any:
    """The value of a tagged string, its tag included."""
    kind, body = text[1:2], text[2:]
    match kind:
        case "D":
            return date.fromisoformat(body)
        case "T":
            return time.fromisoformat(body)
        case "N":
            return datetime.fromisoformat(body)
        case "L":
            return LocalTime(datetime.fromisoformat(body).replace(tzinfo=UTC), "L")
        case "Z":
            return LocalTime(datetime.fromisoformat(body), "Z")
        case "B":
            return bytes.fromhex(body)
        case "F":
            return float(body)
        case "E":
            return Decimal(body)
        case "U":
            return UNDEFINED
    return TAG + body


def encode(value: Any) -> str:
    """A Python value as canonical JSON: what ``decode`` returns, and None inside containers as JSON null."""
    parts: list[str] = []
    _encode(value, parts)
    return "".join(parts)


def _encode(value: Any, parts: list[str]) -> None:
    if value is None:
        parts.append("null")
    elif isinstance(value, bool):
        parts.append("true" if value else "false")
    elif isinstance(value, str):
        parts.append(json.dumps(f"{TAG}S{value[1:]}" if value.startswith(TAG) else value, ensure_ascii=False))
    elif isinstance(value, dict):
        separator = "{"
        for key in sorted(value, key=lambda k: k.encode("utf-8", "surrogatepass")):
            parts.append(f"{separator}{json.dumps(key, ensure_ascii=False)}:")
            _encode(value[key], parts)
            separator = ","
        parts.append("{}" if not value else "}")
    elif isinstance(value, list | tuple):
        separator = "["
        for item in value:
            parts.append(separator)
            _encode(item, parts)
            separator = ","
        parts.append("[]" if not value else "]")
    else:
        parts.append(_encode_scalar(value))


def _encode_scalar(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return _encode_decimal(value)
    if isinstance(value, float):
        return _tagged("F", _EXPONENT.sub(r"e\1\2", repr(value + 0.0)))  # no negative zero
    if isinstance(value, bytes | bytearray):
        return _tagged("B", bytes(value).hex().upper())
    if isinstance(value, LocalTime):
        moment = value.value.astimezone(UTC).replace(tzinfo=None) if value.kind == "L" else value.value
        return _tagged(value.kind, _iso(moment))
    if isinstance(value, datetime):
        return _tagged("N", _iso(value)) if value.tzinfo is None else _tagged("Z", _iso(value))
    if isinstance(value, date):
        return _tagged("D", value.isoformat())
    if isinstance(value, time):
        return _tagged("T", _iso(value))
    if value is UNDEFINED:
        return _tagged("U", "")
    raise TypeError(f"no VARIANT holds a {type(value).__name__}")


def _tagged(kind: str, body: str) -> str:
    return f'"{ESCAPED_TAG}{kind}{body}"'


def _encode_decimal(value: Decimal) -> str:
    if not value.is_finite():
        return _encode_scalar(float(value))
    value = value.normalize()
    if value == value.to_integral_value():
        return str(int(value))
    if len(value.as_tuple().digits) > 15:
        return _tagged("E", f"{value:f}")
    return orjson.dumps(float(value)).decode()  # the engine's own form of a number with a fraction


def _iso(value: datetime | time) -> str:
    """ISO text with a blank between date and time, the fraction only as far as needed (as DuckDB writes it)."""
    text = value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    whole, point, rest = text.partition(".")
    return f"{whole}.{rest[:6].rstrip('0')}{rest[6:]}" if point else text


# --- output -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Formats:
    """The session parameters that decide how dates and times inside a VARIANT are written.

    Args:
        date, time, ntz, ltz, tz: Snowflake format texts.
        timezone: of the session, for timestamp_ltz.
    """

    date: str = "YYYY-MM-DD"
    time: str = "HH24:MI:SS"
    ntz: str = "YYYY-MM-DD HH24:MI:SS.FF3"
    ltz: str = "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM"
    tz: str = "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM"
    timezone: str = "UTC"


def display(
    texts: pa.Array | pa.ChunkedArray, indent: int = 2, formats: Formats | None = None
) -> pa.Array | pa.ChunkedArray:
    """The engine's texts as Snowflake sends them to clients.

    Args:
        texts: canonical JSON, strings or NULL.
        indent: blanks a level (session parameter JSON_INDENT); 0 writes one line.
        formats: of dates and times; the defaults if None.

    Returns:
        strings of the same length and chunks.
    """
    if isinstance(texts, pa.ChunkedArray):
        return pa.chunked_array([display(chunk, indent, formats) for chunk in texts.chunks], pa.string())
    if not _needs_display(texts):
        return texts
    style = formats or Formats()
    return pa.array(
        [None if text is None else display_text(text, indent, style) for text in texts.to_pylist()], pa.string()
    )


def _needs_display(texts: pa.Array) -> bool:
    """Whether any text is a container, tagged, or a number in exponent form."""
    found = pc.any(pc.match_substring_regex(texts, r"^[\[{]|\\u0001|^-?[0-9.]+e"))
    return bool(found.as_py())


# Numbers that orjson would not give back digit by digit.
_DELICATE = re.compile(r"\d{17}|\d[eE]")


def is_plain(text: str) -> bool:
    """Whether a value has no tags and no numbers that orjson would write otherwise."""
    return ESCAPED_TAG not in text and not _DELICATE.search(text)


def display_text(text: str, indent: int = 2, formats: Formats | None = None) -> str:
    """One value as Snowflake writes it; see ``display``. A value nested too deep for that is written in one line."""
    try:
        if text.startswith('{"$":') and '"@":' in text and xml_text.is_element(element := decode(text)):
            return xml_text.write(element, indent)
        if is_plain(text):
            if text[:1] not in "[{" or indent == 0:
                return text
            if indent == 2:
                return orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass  # more levels than orjson takes
    except RecursionError:
        return text
    try:
        parts: list[str] = []
        _write(decode(text), parts, indent, "\n" if indent else "", formats or Formats())
        return "".join(parts)
    except RecursionError:
        return text


def _write(value: Any, parts: list[str], indent: int, newline: str, formats: Formats) -> None:
    if isinstance(value, dict | list):
        if not value:
            parts.append("{}" if isinstance(value, dict) else "[]")
            return
        inner = newline + " " * indent
        items: Iterable[tuple[str, Any]]
        if isinstance(value, dict):
            items = (
                (json.dumps(key, ensure_ascii=False) + (": " if indent else ":"), item) for key, item in value.items()
            )
        else:
            items = (("", item) for item in value)
        separator = "{" if isinstance(value, dict) else "["
        for key, item in items:
            parts.append(f"{separator}{inner}{key}")
            _write(item, parts, indent, inner, formats)
            separator = ","
        parts.append(newline + ("}" if isinstance(value, dict) else "]"))
    elif isinstance(value, str):
        parts.append(json.dumps(value, ensure_ascii=False))
    else:
        parts.append(_write_scalar(value, formats))


def _write_scalar(value: Any, formats: Formats) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return write_float(value)
        case Decimal():
            return f"{value:f}"
        case Undefined():
            return "undefined"
    return json.dumps(scalar_text(value, formats), ensure_ascii=False)


def write_float(value: float) -> str:
    """A FLOAT inside JSON: 16 digits in exponent form."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return f"{value:.15e}"


def plain_float(value: float) -> str:
    """A FLOAT as VARCHAR."""
    if value != value:
        return "NaN"
    return _EXPONENT.sub(r"e\1\2", repr(value)).removesuffix(".0")


def scalar_text(value: Any, formats: Formats) -> str:
    """A date, time, timestamp or binary value as text by the session's formats."""
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, LocalTime):
        if value.kind == "L":
            from zoneinfo import ZoneInfo

            return format_moment(value.value.astimezone(ZoneInfo(formats.timezone)), formats.ltz or formats.tz)
        return format_moment(value.value, formats.tz or formats.ltz)
    if isinstance(value, datetime):
        return format_moment(value, formats.ntz)
    if isinstance(value, date):
        return format_moment(datetime(value.year, value.month, value.day), formats.date)
    if isinstance(value, time):
        return format_moment(datetime.combine(date(1970, 1, 1), value), formats.time)
    return str(value)


_ELEMENTS = re.compile(
    r'"[^"]*"|YYYY|YY|MMMM|MON|MM|DD|DY|HH24|HH12|HH|AM|PM|MI|SS|FF\d?|TZH:TZM|TZHTZM|TZISO|TZH|TZM|TZD', re.IGNORECASE
)


def format_moment(value: datetime, pattern: str) -> str:
    """A point in time in Snowflake's format language.

    Args:
        value: naive, or with a time zone where the format has TZH.
        pattern: e.g. ``YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM``.

    Source: docs.snowflake.com/en/sql-reference/date-time-input-output.
    """

    def element(found: re.Match[str]) -> str:
        name = found[0].upper()
        if name.startswith('"'):
            return found[0][1:-1]
        if name.startswith("FF"):
            digits = int(name[2:] or 9)
            return f"{value.microsecond:06d}000"[:digits]
        if name.startswith("TZ"):
            return _zone(value, name)
        hour12 = value.hour % 12 or 12
        plain = {
            "YYYY": f"{value.year:04d}", "YY": f"{value.year % 100:02d}", "MMMM": value.strftime("%B"),
            "MON": value.strftime("%b"), "MM": f"{value.month:02d}", "DD": f"{value.day:02d}", "DY": value.strftime("%a"),
            "HH24": f"{value.hour:02d}", "HH": f"{value.hour:02d}", "HH12": f"{hour12:02d}",
            "AM": "AM" if value.hour < 12 else "PM", "PM": "AM" if value.hour < 12 else "PM",
            "MI": f"{value.minute:02d}", "SS": f"{value.second:02d}",
        }  # fmt: skip
        return plain[name]

    return _ELEMENTS.sub(element, pattern)


def _zone(value: datetime, name: str) -> str:
    offset = value.utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset else 0
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    hours, rest = f"{sign}{minutes // 60:02d}", f"{minutes % 60:02d}"
    if name == "TZISO":
        return "Z" if minutes == 0 else f"{hours}:{rest}"
    return {"TZH": hours, "TZM": rest, "TZHTZM": hours + rest, "TZH:TZM": f"{hours}:{rest}"}.get(
        name, value.tzname() or ""
    )
