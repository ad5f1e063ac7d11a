"""Raw text of both layouts to TRIPS: typed, one layout for all, each trip once.

What is the same trip? In schema 2, the same ride id. Schema 1 has no id: there it is the same bike that left the same
station at the same moment and came to the same station at the same moment; the rider's attributes do not matter.
On the published files that removes exactly the lines that two months' files share, and no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.elt import report
from tripcast.elt.forgotten import keep_out, remove_staged, ride_hash
from tripcast.elt.manifest import FileEntry
from tripcast.elt.report import Issue
from tripcast.sources.formats import SCHEMA1, SCHEMA2, Schema

FIRST_POSSIBLE = "2010-01-01"  # no public system of these layouts is older
# how times were written over the years: what they look like -> their format; nearly all are without a slash, so that
# is asked first
_TIME_FORMATS = {
    "NOT CONTAINS({0}, '/') AND CONTAINS({0}, '.')": "YYYY-MM-DD HH24:MI:SS.FF",  # 2018-01-01 00:01:45.8140
    "NOT CONTAINS({0}, '/')": "YYYY-MM-DD HH24:MI:SS",
    "{0} LIKE '%/%:%:%'": "MM/DD/YYYY HH24:MI:SS",  # 9/1/2014 00:00:25
    "{0} LIKE '%/%/____ %'": "MM/DD/YYYY HH24:MI",  # 1/1/2015 0:01
    "{0} LIKE '%/%/__ %'": "MM/DD/YY HH24:MI",  # 5/1/17 0:03
}
_NULLS = r"'', 'NULL', '\\N'"
_REPEATED = "REPEATED_ROWS"
ISSUES_PER_REASON = 100  # lines that are named of each file


def _text(column: str) -> str:
    return f"IFF({column} IN ({_NULLS}), NULL, {column})"


def _time(column: str) -> str:
    cases = " ".join(
        f"WHEN {looks.format(column)} THEN TRY_TO_TIMESTAMP_NTZ({column}, '{form}')"
        for looks, form in _TIME_FORMATS.items()
    )
    return f"CASE {cases} END"


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
        marks: name (START_AT and STOP_AT are the times) -> expression over the raw columns; rows of the same trip agree
            in these, and few others do; no trip is without the first.
        required: raw column that must be there, if any.
    """

    schema: Schema
    columns: dict[str, str]
    start: str
    stop: str
    key: tuple[str, ...]
    marks: dict[str, str]
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
    {"START_AT": _time("STARTTIME"), "MARK_BIKE": _number("BIKEID", 9)},
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
    {"MARK_RIDE": _text("RIDE_ID")},
    "RIDE_ID",
)
RULES = {1: _SCHEMA1, 2: _SCHEMA2}


def raw_hash(rules: _Rules) -> str:
    """The expression of a ride's hash over the raw columns, equal to that over TRIPS."""
    if rules.schema.number == SCHEMA2.number:
        return f"SHA2({_text('RIDE_ID')})"
    moments = (_time(rules.start), _time(rules.stop))
    return ride_hash("NULL", _number("BIKEID", 9), *moments, _text("START_STATION_ID"), _text("END_STATION_ID"))


def _in_time(column: str) -> str:
    last = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d %H:%M:%S")
    return f"{column} BETWEEN '{FIRST_POSSIBLE}'::TIMESTAMP_NTZ AND '{last}'::TIMESTAMP_NTZ"


def _quoted(texts: Sequence[str]) -> str:
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts)


def repeated_statement(rules: _Rules, paths: Sequence[str]) -> str:
    """The statement that notes in REPEATED_ROWS the marks that several raw rows share: how many, and two of their files.

    Putting whole rows into groups takes far more memory and time than their marks do, and hardly any trip is repeated.
    For the same reason files are noted by the hashes of their names, the least and the greatest.

    Args:
        rules: of the layout.
        paths: stage paths of the files.
    """
    marks = ", ".join(f"{expression} AS {mark}" for mark, expression in rules.marks.items())
    return f"""CREATE OR REPLACE TEMPORARY TABLE {_REPEATED} AS
SELECT {", ".join(rules.marks)}, COUNT(*) AS N,
  MIN(HASH(SOURCE_FILE)) AS LEAST_FILE, MAX(HASH(SOURCE_FILE)) AS GREATEST_FILE
FROM (SELECT {marks}, SOURCE_FILE FROM {rules.schema.raw_table} WHERE SOURCE_FILE IN ({_quoted(paths)}))
WHERE {next(iter(rules.marks))} IS NOT NULL
GROUP BY {", ".join(rules.marks)} HAVING COUNT(*) > 1"""


def merge_statement(rules: _Rules, paths: Sequence[str], repeated: bool | None = None, table: str = names.TRIPS) -> str:
    """The statement that brings new trips from raw rows into TRIPS.

    A MERGE because it waits for another load's writes to TRIPS and then sees them.

    Args:
        rules: of the layout.
        paths: stage paths of the files.
        repeated: only rows whose marks are in REPEATED_ROWS, each trip of them once; False: only the others; None: all,
            since no marks are repeated.
        table: TRIPS.
    """
    columns = [*rules.columns, "SOURCE_FILE"]
    selected = ", ".join(f"{expression} AS {column}" for column, expression in rules.columns.items())
    complete = f" AND {_text(rules.required)} IS NOT NULL" if rules.required else ""
    same = " AND ".join(f"EQUAL_NULL(T.{column}, S.{column})" for column in rules.key)
    rows = f"{rules.schema.raw_table} WHERE SOURCE_FILE IN ({_quoted(paths)})"
    moments = {"START_AT": _time(rules.start), "STOP_AT": _time(rules.stop)}
    if repeated is not None:
        moments = {column: expression for column, expression in moments.items() if column not in rules.marks}
        marks = ", ".join(f"{expression} AS {mark}" for mark, expression in rules.marks.items())
        shared = " AND ".join(f"EQUAL_NULL(M.{mark}, R.{mark})" for mark in rules.marks)
        join = (
            f"JOIN {_REPEATED} R ON {shared}" if repeated else f"LEFT JOIN {_REPEATED} R ON {shared} WHERE R.N IS NULL"
        )
        rows = f"(SELECT M.* FROM (SELECT *, {marks} FROM {rows}) M {join})"
    typed = ", ".join(f"{expression} AS {column}" for column, expression in moments.items())
    once = (
        f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {', '.join(rules.key)} ORDER BY SOURCE_FILE) = 1" if repeated else ""
    )
    return f"""MERGE INTO {table} T USING (
  -- in a query of its own: beside the raw columns of the same names, these would be the raw ones
  SELECT * FROM (
    SELECT {selected}, SOURCE_FILE
    FROM (SELECT *, {typed} FROM {rows})
    WHERE {_in_time("START_AT")} AND {_in_time("STOP_AT")}{complete}
  )
  {once}
) S ON {same}
WHEN NOT MATCHED THEN INSERT ({", ".join(columns)}) VALUES ({", ".join(f"S.{column}" for column in columns)})"""


def _checks(rules: _Rules) -> list[tuple[str, bool, str]]:
    """What can be wrong with a row: condition, whether it is kept nevertheless, reason; the first that holds counts."""
    checks: list[tuple[str, bool, str]] = []
    if rules.required:
        checks.append((f"{_text(rules.required)} IS NULL", False, f"{rules.required.lower()} is missing"))
    for column, raw, word in (("START_AT", rules.start, "start"), ("STOP_AT", rules.stop, "stop")):
        checks += [
            (f"{column} IS NULL AND {_text(raw)} IS NULL", False, f"{word} time is missing"),
            (f"{column} IS NULL", False, f"impossible {word} time"),
            (f"NOT ({_in_time(column)})", False, f"{word} time before {FIRST_POSSIBLE[:4]} or in the future"),
        ]
    return [
        *checks,
        (f"{_text('START_STATION_ID')} IS NULL", True, "start station id is NULL"),
        (f"{_text('END_STATION_ID')} IS NULL", True, "end station id is NULL"),
        ("STOP_AT < START_AT", True, "stops before it starts"),
    ]


def _reason(rules: _Rules) -> str:
    """What is wrong with a row that has START_AT and STOP_AT; NULL if nothing is, or the row is a line left out."""
    cases = " ".join(f"WHEN {condition} THEN '{text}'" for condition, _, text in _checks(rules))
    # a line that was left out has no field at all; no row without a time is worth a look at all its fields
    empty = f"START_AT IS NULL AND COALESCE({', '.join(rules.schema.columns)}) IS NULL"
    return f"CASE WHEN {empty} THEN NULL {cases} END"


def suspects_statement(rules: _Rules, paths: Sequence[str]) -> str:
    """The query that answers which of these files have rows with something wrong: file, reason, how many."""
    return f"""SELECT SOURCE_FILE, REASON, COUNT(*) AS N FROM (
  SELECT SOURCE_FILE, {_reason(rules)} AS REASON
  FROM (
    SELECT *, {_time(rules.start)} AS START_AT, {_time(rules.stop)} AS STOP_AT
    FROM {rules.schema.raw_table} WHERE SOURCE_FILE IN ({_quoted(paths)})
  )
) WHERE REASON IS NOT NULL GROUP BY SOURCE_FILE, REASON ORDER BY SOURCE_FILE, REASON"""


def issues_statement(rules: _Rules, entry: FileEntry, stage: str) -> str:
    """The statement that notes what is wrong in one staged file, with the lines.

    It reads the file again, since line numbers are not kept for the many rows of which nobody will ask.
    """
    assert entry.staged_as is not None and entry.column_order is not None
    fields = ", ".join(f"${number} AS {column}" for number, column in enumerate(entry.column_order.split(","), 1))
    kept = _quoted([text for _, keeps, text in _checks(rules) if keeps])
    shown = ", ".join(f"COALESCE({column}, '')" for column in (rules.start, rules.stop, "START_STATION_ID"))
    # row numbers begin after the header or with it: the first row's tells
    return f"""INSERT INTO {names.LOAD_ISSUES} (SOURCE, MEMBER, LINE, KEPT, REASON, TEXT)
SELECT {_quoted([entry.source])}, {_quoted([entry.member])}, LINE, REASON IN ({kept}), REASON, SHOWN
FROM (
  SELECT ROW_IN_FILE - MIN(ROW_IN_FILE) OVER () + 2 AS LINE, {_reason(rules)} AS REASON,
    CONCAT_WS(',', {shown}) AS SHOWN
  FROM (
    SELECT *, {_time(rules.start)} AS START_AT, {_time(rules.stop)} AS STOP_AT
    FROM (
      SELECT {fields}, METADATA$FILE_ROW_NUMBER AS ROW_IN_FILE
      FROM @{stage}/{entry.staged_as} (FILE_FORMAT => '{names.CSV_FORMAT}')
    )
  )
)
WHERE REASON IS NOT NULL
QUALIFY ROW_NUMBER() OVER (PARTITION BY REASON ORDER BY LINE) <= {ISSUES_PER_REASON}"""


def _kept_issues_statement(paths: Sequence[str]) -> str:
    """The query that answers which of these files brought trips that are kept although something is wrong with them."""
    return f"""SELECT DISTINCT SOURCE_FILE FROM {names.TRIPS} WHERE SOURCE_FILE IN ({_quoted(paths)})
AND (START_STATION_ID IS NULL OR END_STATION_ID IS NULL OR STOPTIME < STARTTIME)"""


def conform(session: Session, entries: Sequence[FileEntry], stage: str = names.LOAD_STAGE) -> None:
    """Brings the raw rows of these files into TRIPS and notes those with something wrong; safe to run again.

    Args:
        session: whose current schema holds the tables.
        entries: files whose rows are in the raw tables; their ``new_trips`` and ``left_out`` are filled in.
        stage: that holds the files.
    """
    paths = [entry.staged_as for entry in entries if entry.staged_as]
    before = _trips_of(session, paths)
    layouts = {
        number: {entry.staged_as: entry for entry in entries if entry.schema_number == number and entry.staged_as}
        for number in RULES
    }
    forgotten: list[str] = []
    for number, files in layouts.items():
        if files:
            forgotten += keep_out(session, RULES[number].schema, raw_hash(RULES[number]), files)
            _merge(session, RULES[number], list(files))
    counts = _trips_of(session, paths)
    flawed = {row[0] for row in session.sql(_kept_issues_statement(paths)).collect()} if paths else set()

    def is_clean(entry: FileEntry) -> bool:
        """Whether every line became a trip, all at once, and there is nothing to say about any of them."""
        path = entry.staged_as
        whole = path not in before and counts.get(path) == entry.lines - entry.left_out
        return whole and path not in flawed

    for number, files in layouts.items():
        suspects = {path: entry for path, entry in files.items() if not is_clean(entry)}
        if suspects:
            _note_issues(session, RULES[number], suspects, stage)
    remove_staged(session, stage, forgotten)
    for entry in entries:
        entry.new_trips = counts.get(entry.staged_as, 0)


def _merge(session: Session, rules: _Rules, paths: Sequence[str]) -> None:
    """Brings the trips of one layout's raw rows into TRIPS, each once."""
    session.sql(repeated_statement(rules, paths)).collect()
    most = session.table(_REPEATED).agg(F.max("N")).collect()[0][0]
    if most is None:
        session.sql(merge_statement(rules, paths)).collect()
        return
    session.sql(merge_statement(rules, paths, repeated=False)).collect()
    # of more than two rows the two files are not all
    chosen = _files_of_repeated(session, paths) if most == 2 else paths
    session.sql(merge_statement(rules, chosen, repeated=True)).collect()


def _files_of_repeated(session: Session, paths: Sequence[str]) -> list[str]:
    """The files that REPEATED_ROWS notes."""
    ends = session.table(_REPEATED)
    noted = ends.select(F.col("LEAST_FILE").alias("FILE")).union(ends.select(F.col("GREATEST_FILE").alias("FILE")))
    files = session.create_dataframe([[path] for path in paths], ["SOURCE_FILE"])
    return [
        row[0]
        for row in files.join(noted, F.hash("SOURCE_FILE") == F.col("FILE"), "left_semi").sort("SOURCE_FILE").collect()
    ]


def _trips_of(session: Session, paths: Sequence[str]) -> dict[str | None, int]:
    """How many trips came from each of these files, for those of which there are any."""
    trips = session.table(names.TRIPS).filter(F.col("SOURCE_FILE").in_(*paths))
    return {row[0]: row[1] for row in trips.group_by("SOURCE_FILE").agg(F.count(F.lit(1)).alias("N")).collect()}


def _note_issues(session: Session, rules: _Rules, files: Mapping[str, FileEntry], stage: str) -> None:
    suspects = session.sql(suspects_statement(rules, list(files))).collect()
    checks = {text: keeps for _, keeps, text in _checks(rules)}
    for path, rows in groupby(suspects, key=lambda row: row["SOURCE_FILE"]):
        entry, found = files[path], {row["REASON"]: row["N"] for row in rows}
        # what an earlier, stopped run noted here goes; what the extraction noted stays
        report.write(session, [(entry.source, entry.member)], [], reasons=list(checks))
        session.sql(issues_statement(rules, entry, stage)).collect()
        more = [
            Issue(entry.source, entry.member, None, f"{count - ISSUES_PER_REASON} more lines: {reason}", checks[reason])
            for reason, count in found.items()
            if count > ISSUES_PER_REASON
        ]
        report.write(session, [], more)
        entry.left_out += sum(count for reason, count in found.items() if not checks[reason])
