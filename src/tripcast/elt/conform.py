"""Raw text of both layouts to TRIPS: typed, one layout for all, each trip once.

What is the same trip? In schema 2, the same ride id. Schema 1 has no id: there it is the same bike that left the same
station at the same moment and came to the same station at the same moment; the rider's attributes do not matter.
On the published files that removes exactly the lines that two months' files share, and no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.elt.manifest import FileEntry
from tripcast.sources.formats import SCHEMA1, SCHEMA2, Schema

FIRST_POSSIBLE = "2010-01-01"  # no public system of these layouts is older
# as written from 2018, until 2018, in 2014 and 2016, in 2017, in 2015; a short year is tried before a long one,
# which would take 17 for the year 17
_TIME_FORMATS = (
    "YYYY-MM-DD HH24:MI:SS.FF",
    "YYYY-MM-DD HH24:MI:SS",
    "MM/DD/YYYY HH24:MI:SS",
    "MM/DD/YY HH24:MI",
    "MM/DD/YYYY HH24:MI",
)
_NULLS = r"'', 'NULL', '\\N'"


def _text(column: str) -> str:
    return f"IFF({column} IN ({_NULLS}), NULL, {column})"


def _time(column: str) -> str:
    return "COALESCE(" + ", ".join(f"TRY_TO_TIMESTAMP_NTZ({column}, '{form}')" for form in _TIME_FORMATS) + ")"


def _number(column: str, digits: int) -> str:
    return f"TRY_TO_NUMBER({column}, {digits}, 0)"


def _float(column: str) -> str:
    return f"TRY_TO_DOUBLE({column})"


@dataclass(frozen=True, slots=True)
class _Rules:
    """How one layout becomes TRIPS.

    Args:
        schema: the layout.
        columns: column of TRIPS -> expression over the raw columns; may use STARTTIME and STOPTIME once they are typed.
        start, stop: raw columns of the times.
        key: columns of TRIPS that say which trip it is.
        required: raw column that must be there, if any.
    """

    schema: Schema
    columns: dict[str, str]
    start: str
    stop: str
    key: tuple[str, ...]
    required: str | None = None


_SCHEMA1 = _Rules(
    SCHEMA1,
    {
        "TRIPDURATION": _number("TRIPDURATION", 9),
        "STARTTIME": "START_AT",
        "STOPTIME": "STOP_AT",
        "START_STATION_ID": _text("START_STATION_ID"),
        "START_STATION_NAME": _text("START_STATION_NAME"),
        "START_STATION_LATITUDE": _float("START_STATION_LATITUDE"),
        "START_STATION_LONGITUDE": _float("START_STATION_LONGITUDE"),
        "END_STATION_ID": _text("END_STATION_ID"),
        "END_STATION_NAME": _text("END_STATION_NAME"),
        "END_STATION_LATITUDE": _float("END_STATION_LATITUDE"),
        "END_STATION_LONGITUDE": _float("END_STATION_LONGITUDE"),
        "BIKEID": _number("BIKEID", 9),
        "USERTYPE": _text("USERTYPE"),
        "BIRTH_YEAR": _number("BIRTH_YEAR", 4),
        "GENDER": _number("GENDER", 1),
    },
    "STARTTIME",
    "STOPTIME",
    ("STARTTIME", "BIKEID", "STOPTIME", "START_STATION_ID", "END_STATION_ID"),
)
_SCHEMA2 = _Rules(
    SCHEMA2,
    {
        "TRIPDURATION": "IFF(STOP_AT >= START_AT, DATEDIFF('second', START_AT, STOP_AT), NULL)",
        "STARTTIME": "START_AT",
        "STOPTIME": "STOP_AT",
        "START_STATION_ID": _text("START_STATION_ID"),
        "START_STATION_NAME": _text("START_STATION_NAME"),
        "START_STATION_LATITUDE": _float("START_LAT"),
        "START_STATION_LONGITUDE": _float("START_LNG"),
        "END_STATION_ID": _text("END_STATION_ID"),
        "END_STATION_NAME": _text("END_STATION_NAME"),
        "END_STATION_LATITUDE": _float("END_LAT"),
        "END_STATION_LONGITUDE": _float("END_LNG"),
        "USERTYPE": "CASE MEMBER_CASUAL WHEN 'member' THEN 'Subscriber' WHEN 'casual' THEN 'Customer' END",
        "RIDE_ID": _text("RIDE_ID"),
        "RIDEABLE_TYPE": _text("RIDEABLE_TYPE"),
        "MEMBER_CASUAL": _text("MEMBER_CASUAL"),
    },
    "STARTED_AT",
    "ENDED_AT",
    ("RIDE_ID",),
    "RIDE_ID",
)
RULES = {1: _SCHEMA1, 2: _SCHEMA2}


def _last_possible() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d %H:%M:%S")


def _raw_rows(rules: _Rules, paths: Sequence[str]) -> str:
    """The raw rows of these files with their times typed as START_AT and STOP_AT."""
    files = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    return (
        f"SELECT *, {_time(rules.start)} AS START_AT, {_time(rules.stop)} AS STOP_AT "
        f"FROM {rules.schema.raw_table} WHERE SOURCE_FILE IN ({files})"
    )


def merge_statement(rules: _Rules, paths: Sequence[str], table: str = names.TRIPS) -> str:
    """The statement that brings new trips from raw rows into TRIPS.

    A MERGE because it waits for another load's writes to TRIPS and then sees them.

    Args:
        rules: of the layout.
        paths: stage paths of the files.
        table: TRIPS.
    """
    last = _last_possible()
    columns = [*rules.columns, "SOURCE_FILE"]
    selected = ",\n    ".join(f"{expression} AS {column}" for column, expression in rules.columns.items())
    possible = " AND ".join(
        f"{column} BETWEEN '{FIRST_POSSIBLE}'::TIMESTAMP_NTZ AND '{last}'::TIMESTAMP_NTZ"
        for column in ("START_AT", "STOP_AT")
    )
    complete = f" AND {_text(rules.required)} IS NOT NULL" if rules.required else ""
    same = " AND ".join(f"EQUAL_NULL(T.{column}, S.{column})" for column in rules.key)
    return f"""MERGE INTO {table} T USING (
  SELECT * FROM (
    SELECT {selected}, SOURCE_FILE, SOURCE_ROW
    FROM ({_raw_rows(rules, paths)})
    WHERE {possible}{complete}
  )
  QUALIFY ROW_NUMBER() OVER (PARTITION BY {", ".join(rules.key)} ORDER BY SOURCE_FILE, SOURCE_ROW) = 1
) S ON {same}
WHEN NOT MATCHED THEN INSERT ({", ".join(columns)}) VALUES ({", ".join(f"S.{column}" for column in columns)})"""


def issues_statement(rules: _Rules, paths: Sequence[str]) -> str:
    """The statement that notes raw rows which are not conformed, or lack something, with their line in the file."""
    last = _last_possible()
    checks: list[tuple[str, bool, str]] = []
    if rules.required:
        checks.append((f"{_text(rules.required)} IS NULL", False, f"{rules.required.lower()} is missing"))
    for column, raw, word in (("START_AT", rules.start, "start"), ("STOP_AT", rules.stop, "stop")):
        checks += [
            (f"{_text(raw)} IS NULL", False, f"{word} time is missing"),
            (f"{column} IS NULL", False, f"impossible {word} time"),
            (
                f"{column} NOT BETWEEN '{FIRST_POSSIBLE}'::TIMESTAMP_NTZ AND '{last}'::TIMESTAMP_NTZ",
                False,
                f"{word} time before {FIRST_POSSIBLE[:4]} or in the future",
            ),
        ]
    checks += [
        (f"{_text('START_STATION_ID')} IS NULL", True, "start station id is NULL"),
        (f"{_text('END_STATION_ID')} IS NULL", True, "end station id is NULL"),
        ("STOP_AT < START_AT", True, "stops before it starts"),
    ]
    reason = "CASE " + " ".join(f"WHEN {condition} THEN '{text}'" for condition, _, text in checks) + " END"
    kept = ", ".join(f"'{text}'" for _, keeps, text in checks if keeps)
    text = ", ".join(f"COALESCE({column}, '')" for column in (rules.start, rules.stop, "START_STATION_ID"))
    anything = f"COALESCE({', '.join(rules.schema.columns)}) IS NOT NULL"
    return f"""INSERT INTO {names.LOAD_ISSUES} (SOURCE, MEMBER, LINE, KEPT, REASON, TEXT)
SELECT F.SOURCE, F.MEMBER, R.LINE, R.REASON IN ({kept}), R.REASON, R.TEXT
FROM (
  SELECT SOURCE_FILE, SOURCE_ROW - MIN(SOURCE_ROW) OVER (PARTITION BY SOURCE_FILE) + 2 AS LINE,
    {reason} AS REASON, CONCAT_WS(',', {text}) AS TEXT
  FROM ({_raw_rows(rules, paths)})
  WHERE {anything}
) R JOIN {names.LOAD_FILES} F ON F.STAGED_AS = R.SOURCE_FILE
WHERE R.REASON IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM {names.LOAD_ISSUES} I
  WHERE I.SOURCE = F.SOURCE AND I.MEMBER = F.MEMBER AND I.LINE = R.LINE AND I.REASON = R.REASON
)"""


def conform(session: Session, entries: Sequence[FileEntry]) -> None:
    """Brings the raw rows of these files into TRIPS and notes those with something wrong; safe to run again.

    Args:
        session: whose current schema holds the tables.
        entries: files whose rows are in the raw tables; their ``new_trips`` is filled in.
    """
    for number, rules in RULES.items():
        paths = [entry.staged_as for entry in entries if entry.schema_number == number and entry.staged_as]
        if paths:
            session.sql(merge_statement(rules, paths)).collect()
            session.sql(issues_statement(rules, paths)).collect()
    paths = [entry.staged_as for entry in entries if entry.staged_as]
    trips = session.table(names.TRIPS).filter(F.col("SOURCE_FILE").in_(paths))
    counts = {row[0]: row[1] for row in trips.group_by("SOURCE_FILE").agg(F.count(F.lit(1)).alias("N")).collect()}
    for entry in entries:
        entry.new_trips = counts.get(entry.staged_as, 0)
