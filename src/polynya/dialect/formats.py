"""Format models of dates and times: ``YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM`` -> text of a value, value of a text.

Source: docs.snowflake.com/en/sql-reference/date-time-input-output.
Formatting and the usual parsing are the engine's strftime and strptime; texts that those refuse, or that have an
offset, are parsed by ``sf_parse_datetime``, in Python.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import pyarrow as pa

from polynya.dialect.engine_functions import python_function
from polynya.dialect.expression import quote_string

AUTO = "AUTO"


@dataclass(frozen=True, slots=True)
class Element:
    """A part of a format model.

    Args:
        name: ``YYYY``, ``MM`` ..., upper case; ``FF`` for all fractions; ``AM`` also for PM; "" for a literal.
        text: a literal's text.
        digits: of a fraction.
    """

    name: str
    text: str = ""
    digits: int = 9


_ELEMENT = re.compile(
    r'"((?:[^"]|"")*)"|(YYYY|UUUU|YY|MMMM|MON|MM|MI|DD|DY|HH24|HH12|HH|AM|PM|SS|FF([0-9])?|TZH|TZM|TZD)', re.IGNORECASE
)
_STRFTIME = {
    "YYYY": "%Y", "YY": "%y", "MM": "%m", "MON": "%b", "MMMM": "%B", "DD": "%d", "DY": "%a", "HH24": "%H",
    "HH12": "%I", "AM": "%p", "MI": "%M", "SS": "%S",
}  # fmt: skip


@lru_cache(maxsize=500)
def elements(model: str) -> tuple[Element, ...]:
    """The parts of a format model; what is no element stands for itself."""
    parts: list[Element] = []
    position = 0
    for found in _ELEMENT.finditer(model):
        if found.start() > position:
            parts.append(Element("", model[position : found.start()]))
        position = found.end()
        if found[1] is not None:
            parts.append(Element("", found[1].replace('""', '"')))
            continue
        name = found[2].upper()
        if name.startswith("FF"):
            parts.append(Element("FF", digits=int(found[3]) if found[3] else 9))
        else:
            parts.append(Element({"PM": "AM", "UUUU": "YYYY", "HH": "HH24"}.get(name, name)))
    if position < len(model):
        parts.append(Element("", model[position:]))
    return tuple(parts)


# --- value -> text ----------------------------------------------------------------------------------------------------


def format_sql(wall: str, offset: str | None, model: str) -> str:
    """DuckDB SQL of a value's text.

    Args:
        wall: SQL of a DATE or TIMESTAMP, the value as a clock on the wall shows it; written once or more.
        offset: SQL of its offset from UTC in minutes, or None for a value without time zone.
        model: the format.
    """
    pieces: list[str] = []
    pattern = ""
    for part in elements(model):
        extra = None
        if part.name == "":
            pattern += part.text.replace("%", "%%")
        elif part.name == "FF":
            if part.digits >= 6:  # the engine has microseconds
                pattern += "%f" + "0" * (part.digits - 6)
            elif part.digits:
                extra = f"left(strftime({wall}, '%f'), {part.digits})"
        elif part.name in _STRFTIME:
            pattern += _STRFTIME[part.name]
        elif offset is None:
            pattern = pattern + "Z" if part.name == "TZH" else pattern.removesuffix(":")
        elif part.name == "TZH":
            extra = f"format('{{}}{{:02d}}', CASE WHEN {offset} < 0 THEN '-' ELSE '+' END, abs({offset}) // 60)"
        elif part.name == "TZM":
            extra = f"format('{{:02d}}', abs({offset}) % 60)"
        if extra:
            if pattern:
                pieces.append(f"strftime({wall}, {quote_string(pattern)})")
                pattern = ""
            pieces.append(extra)
    if pattern or not pieces:
        pieces.append(f"strftime({wall}, {quote_string(pattern)})")
    return pieces[0] if len(pieces) == 1 else "(" + " || ".join(pieces) + ")"


@python_function("sf_format_datetime", ["TIMESTAMP", "INTEGER", "VARCHAR"], "VARCHAR")
def format_value(wall: datetime | None, offset: int | None, model: str | None) -> str | None:
    """A value's text by a format model that is not known before the statement runs."""
    if wall is None or model is None:
        return None
    pieces = []
    for part in elements(model):
        match part.name:
            case "":
                pieces.append(part.text)
            case "YYYY":
                pieces.append(f"{wall.year:04d}")
            case "FF":
                pieces.append(f"{wall.microsecond:06d}000"[: part.digits])
            case "TZH" if offset is None:
                pieces.append("Z")
            case "TZM" if offset is None:
                if pieces and pieces[-1] == ":":
                    pieces.pop()
            case "TZH":
                pieces.append(f"{'-' if (offset or 0) < 0 else '+'}{abs(offset or 0) // 60:02d}")
            case "TZM":
                pieces.append(f"{abs(offset or 0) % 60:02d}")
            case "TZD":
                pass
            case _:
                pieces.append(wall.strftime(_STRFTIME[part.name]))
    return "".join(pieces)


# --- text -> value ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=500)
def strptime_pattern(model: str) -> str | None:
    """The engine's pattern for parsing by a format model, or None where it has none that means the same."""
    pattern = ""
    names = [part.name for part in elements(model)]
    # A year not given is 1900 to the engine, and 1970 to Snowflake.
    if "YYYY" not in names or len(set(names) - {""}) != len([name for name in names if name]):
        return None
    if ("HH12" in names) != ("AM" in names):
        return None
    for part in elements(model):
        if part.name == "":
            pattern += part.text.replace("%", "%%")
        elif part.name == "FF":
            pattern += "%f"
        elif part.name == "YY" or part.name not in _STRFTIME:
            return None
        else:
            pattern += _STRFTIME[part.name]
    # Without separators the engine takes digits greedily in another way than the model's widths say.
    return None if re.search(r"%[a-zA-Z]%[a-zA-Z]", pattern) else pattern


_MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december"]  # fmt: skip
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]})?" if len(name) > 3 else name for name in _MONTHS)
_PATTERNS = {
    "YYYY": r"(?P<year>\d{1,4})", "YY": r"(?P<short_year>\d{2})", "MM": r"(?P<month>\d{1,2})",
    "MON": f"(?P<month_name>{_MONTH})", "MMMM": f"(?P<month_name>{'|'.join(_MONTHS)})", "DD": r"(?P<day>\d{1,2})",
    "DY": "(?:mon|tue|wed|thu|fri|sat|sun)", "HH24": r"(?P<hour>\d{1,2})", "HH12": r"(?P<hour12>\d{1,2})",
    "AM": "(?P<meridiem>am|pm)", "MI": r"(?P<minute>\d{1,2})", "SS": r"(?P<second>\d{1,2})",
    "TZH": r"(?P<offset>z|[+-]\d{1,2})", "TZM": r"(?P<offset_minutes>\d{2})?", "TZD": r"(?:[a-z]{1,5})",
}  # fmt: skip


@lru_cache(maxsize=500)
def _compiled(model: str) -> re.Pattern[str]:
    parts = elements(model)
    names = {part.name for part in parts}
    pattern = ""
    seen: set[str] = set()
    for index, part in enumerate(parts):
        following = parts[index + 1].name if index + 1 < len(parts) else ""
        before = parts[index - 1].name if index else ""
        if part.name == "":
            text = re.sub(r"\s+", r"\\s+", re.escape(part.text).replace(r"\ ", " "))
            if following == "FF" and part.text == ".":  # seconds without a fraction are accepted
                continue
            if part.text == ":" and before == "TZH" and following == "TZM":
                text = ":?"
            pattern += text
        elif part.name == "FF":
            dot = before == "" and index and parts[index - 1].text == "."
            pattern += r"(?:\.(?P<fraction>\d{0,9}))?" if dot else r"(?P<fraction>\d{0,9})"
        elif part.name in seen:
            pattern += re.sub(r"\?P<\w+>", "?:", _PATTERNS[part.name])
        elif part.name in ("YYYY", "MM", "DD", "HH24", "MI", "SS") and _runs_on(parts, index):
            digits = 4 if part.name == "YYYY" else 2
            pattern += re.sub(r"\\d\{1,\d\}", rf"\\d{{{digits}}}", _PATTERNS[part.name])
        elif part.name == "HH24" and "AM" in names:
            pattern += _PATTERNS["HH12"]
        else:
            pattern += _PATTERNS[part.name]
        seen.add(part.name)
    return re.compile(rf"\s*{pattern}\s*", re.IGNORECASE)


_DIGITS = {"YYYY", "YY", "MM", "DD", "HH24", "HH12", "MI", "SS", "FF"}


def _runs_on(parts: tuple[Element, ...], index: int) -> bool:
    """Whether another number follows or precedes without a separator: widths are fixed then."""
    after = index + 1 < len(parts) and parts[index + 1].name in _DIGITS
    return after or (index > 0 and parts[index - 1].name in _DIGITS)


_DATES = ["YYYY-MM-DD", "DD-MON-YYYY", "MM/DD/YYYY"]
_TIMES = ["HH24:MI:SS.FF", "HH24:MI:SS", "HH24:MI", "HH12:MI:SS.FF AM", "HH12:MI:SS AM", "HH12:MI AM"]
_ZONES = ["", "TZH:TZM", " TZH:TZM"]
# What AUTO tries, in order; every fraction is optional and TZM and its colon are.
_AUTO = {
    "TIME": [*_TIMES, "HH24:MI:SS.FFTZH:TZM", "HH24:MI:SS.FF TZH:TZM"],
    "TIMESTAMP": [
        *(f"YYYY-MM-DD{separator}HH24:MI:SS.FF{zone}" for separator in (" ", '"T"') for zone in _ZONES),
        *(f"YYYY-MM-DD{separator}HH24:MI{zone}" for separator in (" ", '"T"') for zone in _ZONES),
        *(f"YYYY-MM-DD{separator}HH24{zone}" for separator in (" ", '"T"') for zone in ["", "TZH:TZM"]),
        "YYYY-MM-DDTZH:TZM",
        *_DATES,
        *(f"{date} {time}" for date in ("MM/DD/YYYY", "DD-MON-YYYY") for time in _TIMES),
        *(f"DY, DD MON YYYY {time}{zone}" for time in ("HH24:MI:SS.FF", "HH12:MI:SS.FF AM") for zone in _ZONES),
        *(f"DD MON YYYY {time}{zone}" for time in ("HH24:MI:SS.FF", "HH12:MI:SS.FF AM") for zone in _ZONES),
        "DY MON DD HH24:MI:SS TZHTZM YYYY",
    ],
}
# A date may be read from a timestamp's text.
_AUTO["DATE"] = [*_DATES, *_AUTO["TIMESTAMP"]]


def parse_value(text: str, model: str, kind: str, century_start: int) -> tuple[datetime, int | None] | None:
    """The value that a text stands for, or None if it does not fit the model.

    Args:
        text: what to read.
        model: a format model, or AUTO for the list of those that Snowflake tries.
        kind: DATE, TIME or TIMESTAMP: which list.
        century_start: parameter TWO_DIGIT_CENTURY_START.

    Returns:
        (wall clock, offset from UTC in minutes, or None if the text has none).
    """
    if model.upper() == AUTO:
        for candidate in _AUTO[kind]:
            value = parse_value(text, candidate, kind, century_start)
            if value is not None:
                return value
        return None
    found = _compiled(model).fullmatch(text)
    if found is None:
        return None
    groups = found.groupdict()
    try:
        return _build(groups, century_start)
    except (ValueError, OverflowError):
        return None


def _build(groups: dict[str, Any], century_start: int) -> tuple[datetime, int | None]:
    year = 1970
    if groups.get("year"):
        year = int(groups["year"])
    elif groups.get("short_year"):
        century = century_start - century_start % 100
        year = century + int(groups["short_year"])
        if year < century_start:
            year += 100
    month = int(groups.get("month") or 1)
    if groups.get("month_name"):
        prefix = groups["month_name"].lower()[:3]
        month = next(number for number, name in enumerate(_MONTHS, 1) if name.startswith(prefix))
    hour = int(groups.get("hour") or 0)
    if groups.get("hour12"):
        hour = int(groups["hour12"])
        if groups.get("meridiem"):
            if not 1 <= hour <= 12:
                raise ValueError("hour")
            hour = hour % 12 + (12 if groups["meridiem"].lower() == "pm" else 0)
        elif hour == 12:
            hour = 0  # without a meridiem it is before noon
    extra_day = timedelta(days=1) if hour == 24 and not int(groups.get("minute") or 0) else timedelta()
    wall = datetime(
        year,
        month,
        int(groups.get("day") or 1),
        0 if extra_day else hour,
        int(groups.get("minute") or 0),
        int(groups.get("second") or 0),
        int((groups.get("fraction") or "0").ljust(6, "0")[:6]),
    )
    offset = None
    if groups.get("offset"):
        if groups["offset"] in "zZ":
            offset = 0
        else:
            offset = 60 * abs(int(groups["offset"])) + int(groups.get("offset_minutes") or 0)
            offset = -offset if groups["offset"][0] == "-" else offset
            if abs(offset) > 14 * 60:
                raise ValueError("offset")
    return wall + extra_day, offset


PARSED = 'STRUCT("wall" TIMESTAMP, "offset" SMALLINT)'
_PARSED_ARROW = pa.struct([("wall", pa.timestamp("us")), ("offset", pa.int16())])


@python_function("sf_parse_datetime", ["VARCHAR", "VARCHAR", "VARCHAR", "INTEGER"], PARSED, vectorized=True)
def _parse_column(texts: Any, models: Any, kinds: Any, centuries: Any) -> pa.Array:
    """Texts -> (wall, offset), NULL where a text does not fit its model."""
    seen: dict[tuple, dict | None] = {}
    result = []
    for key in zip(*(column.to_pylist() for column in (texts, models, kinds, centuries)), strict=True):
        if key not in seen:
            value = None if key[0] is None or key[1] is None else parse_value(*key)
            seen[key] = None if value is None else {"wall": value[0], "offset": value[1]}
        result.append(seen[key])
    return pa.array(result, type=_PARSED_ARROW)
