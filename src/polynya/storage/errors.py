"""DuckDB's errors as Snowflake's: code, SQLSTATE and text.

The engine's own texts are the fallback: expressions that know Snowflake's text raise it through DuckDB's ``error()``
function with ``raise_sql``.
"""

from __future__ import annotations

import re

from polynya.catalog.imported import no_longer_available
from polynya.errors import SnowflakeError

# Begins the text of an error that an expression raised on purpose: "\x02<code> <SQLSTATE> <message>\x03".
_OWN = re.compile("\x02(\\d+) (\\w{5}) (.*?)\x03", re.DOTALL)


def raise_sql(code: int, sqlstate: str, message: str) -> str:
    """A DuckDB expression that fails with a Snowflake error when it is evaluated.

    Args:
        code: Snowflake's error number.
        sqlstate: five characters.
        message: a DuckDB expression of type VARCHAR, e.g. ``'Numeric value ''' || x || ''' is not recognized'``.
    """
    return f"error(concat(chr(2), '{code} {sqlstate} ', {message}, chr(3)))"


def mark(error: SnowflakeError) -> str:
    """A text from which ``translate`` makes the same error again after it went through the engine."""
    return f"\x02{error.code} {error.sqlstate} {error.message}\x03"


# A file that is not there (any more), or another one than it was when the query began.
_VANISHED = re.compile(r"IO Error: |No files found|No magic bytes|too small to be a Parquet file")


class TransactionConflict(SnowflakeError):
    """Another transaction committed first; the statement can be run again."""

    def __init__(self, message: str) -> None:
        super().__init__(603, "XX000", f"SQL execution internal error:\n{message}")


def interrupted() -> SnowflakeError:
    """The statement was cancelled: 000604."""
    return SnowflakeError(604, "57014", "SQL execution canceled")


_FULL = re.compile(r"No space left on device|File too large|Disk quota exceeded|disk is full")


def full_disk(error: BaseException) -> SnowflakeError | None:
    """The error of a statement for which the disk has no room, if that is what another one says; else None."""
    if not _FULL.search(str(error)):
        return None
    return SnowflakeError(
        603, "53100", "SQL execution internal error:\nThe warehouse's disk is full: nothing of the statement was done."
    )


# (pattern in DuckDB's text, Snowflake's code, SQLSTATE, text with the pattern's groups). First match wins.
_RULES: list[tuple[re.Pattern[str], int, str, str]] = [
    (re.compile(pattern, re.DOTALL), code, sqlstate, text)
    for pattern, code, sqlstate, text in [
        (
            r"NOT NULL constraint failed|column \S+ (?:does not allow|violates).*NULL",
            100072,
            "22000",
            "NULL result in a non-nullable column",
        ),
        (r"[Dd]ivision by zero|Cannot divide by zero", 100051, "22012", "Division by zero"),
        (r"More than one row returned by a subquery", 90150, "22000", "Single-row subquery returns more than one row."),
        (
            r"Could not convert string ['\"](.*)['\"] to (?:U?INT\d+|HUGEINT|UHUGEINT|DECIMAL|DOUBLE|FLOAT)",
            100038,
            "22018",
            "Numeric value '{0}' is not recognized",
        ),
        (
            r"Could not convert string ['\"](.*)['\"] to BOOL(?:EAN)?",
            100037,
            "22018",
            "Boolean value '{0}' is not recognized",
        ),
        (
            r"(?:date field value out of range|invalid date field format): ['\"](.*?)['\"]",
            100040,
            "22007",
            "Date '{0}' is not recognized",
        ),
        (
            r"(?:timestamp field value out of range|invalid timestamp field format): ['\"](.*?)['\"]",
            100035,
            "22007",
            "Timestamp '{0}' is not recognized",
        ),
        (
            r"(?:time field value out of range|invalid time field format): ['\"](.*?)['\"]",
            100108,
            "22007",
            "Time '{0}' is not recognized",
        ),
        (
            r"Could not cast value (\S+) to (DECIMAL\([\d,]+\))",
            100039,
            "22003",
            "Numeric value '{0}' is out of range",
        ),
        (r"Type \w+ with value (\S+) can't be cast", 100039, "22003", "Numeric value '{0}' is out of range"),
        (r"cannot take square root of a negative", 100164, "22003", "Invalid floating point operation: sqrt"),
        (
            r"cannot take logarithm of (?:a negative number|zero)",
            100164,
            "22003",
            "Invalid floating point operation: ln",
        ),
        (r"(ACOS|ASIN) is undefined outside", 100164, "22003", "Invalid floating point operation: {0}"),
        (
            # RE2's messages: what is wrong, then the part of the pattern
            r"Invalid Input Error: ((?:missing|no argument for repetition|bad repetition|invalid (?:escape|character|"
            r"repetition|perl|named|UTF-8)|unexpected|trailing \\\\).*): (.*)",
            100048,
            "2201B",
            "Invalid regular expression: '{1}', {0}",
        ),
        (r"Overflow in|out of range|Out of Range", 100132, "22003", "Number out of representable range"),
        (r"Malformed JSON at byte (\d+)", 100069, "22P02", "Error parsing JSON: at position {0}"),
        (r"Out of Memory Error|could not allocate|failed to pin block", 603, "XX000", "Out of memory"),
    ]
]

_FILE_GONE = re.compile(r'Cannot open file "[^"]*/lake/[^"]*\.parquet": No such file')


def translate(error: Exception, sql: str = "") -> SnowflakeError:
    """The Snowflake error for an error of the engine.

    Args:
        error: a ``duckdb.Error``, or what pyarrow raised while it read the engine's stream (same text).
        sql: the engine's statement, for the log only.
    """
    if isinstance(error, SnowflakeError):
        return error
    text = str(error)
    own = _OWN.search(text)
    if own:
        return SnowflakeError(int(own[1]), own[2], own[3])
    if "INTERRUPT Error" in text:
        return interrupted()
    if "Failed to commit" in text and "onflict" in text:
        return TransactionConflict(text.split("Transaction conflict")[-1].strip(" -"))
    if ("Failed to read inlined" in text or "name ducklake_inlined_" in text) and "does not exist" in text:
        # The lake made or dropped a table of its metadata after this transaction had begun.
        return TransactionConflict(text.split("\n")[0])
    if _FILE_GONE.search(text) and "/* share " not in sql:
        # A file of the lake was deleted as superseded after this statement had looked up which files there are.
        return TransactionConflict(text.split("\n")[0])
    full = full_disk(error)
    if full is not None:
        return full
    head = text.split("\n\nLINE ")[0]
    if "/* share " in sql and _VANISHED.search(head):
        return no_longer_available()
    for pattern, code, sqlstate, message in _RULES:
        found = pattern.search(head)
        if found:
            return SnowflakeError(code, sqlstate, message.format(*found.groups()))
    return SnowflakeError(603, "XX000", f"SQL execution internal error:\n{head}")
