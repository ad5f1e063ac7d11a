"""LOAD_ISSUES: each file or line that was left out, or kept although something is missing, with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from snowflake.snowpark import Session
from snowflake.snowpark import functions as F
from snowflake.snowpark import types as T

from tripcast import names

_FIELDS = T.StructType(
    [
        T.StructField("SOURCE", T.StringType()),
        T.StructField("MEMBER", T.StringType()),
        T.StructField("LINE", T.LongType()),
        T.StructField("KEPT", T.BooleanType()),
        T.StructField("REASON", T.StringType()),
        T.StructField("TEXT", T.StringType()),
    ]
)


@dataclass(frozen=True, slots=True)
class Issue:
    """Something about a file that its owner should know.

    Args:
        source: the file as published.
        member: the CSV in the zip, empty where the source is the CSV.
        line: from 1 (the header), None if it is about the whole file.
        reason: why.
        kept: whether the row is in TRIPS nevertheless.
        text: the line's beginning, where that helps.
    """

    source: str
    member: str
    line: int | None
    reason: str
    kept: bool = False
    text: str = ""


@dataclass(slots=True)
class LoadReport:
    """What a load did.

    Args:
        files: files looked at.
        skipped: of those, loaded by an earlier run.
        loaded: CSV files whose rows are in TRIPS now and were not before.
        rejected: files of which nothing could be loaded.
        lines: data lines in the loaded ones, those left out included.
        new_trips: rows in TRIPS that came from them.
        left_out: lines that could not be loaded.
        repeated: lines whose trip TRIPS held already, or that another line repeats.
        trips: rows in TRIPS now.
        issues: found in this run's files.
        seconds: by step.
    """

    files: int = 0
    skipped: int = 0
    loaded: int = 0
    rejected: int = 0
    lines: int = 0
    new_trips: int = 0
    left_out: int = 0
    repeated: int = 0
    trips: int = 0
    issues: list[Issue] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def write(
    session: Session,
    files: Sequence[tuple[str, str]],
    issues: Sequence[Issue],
    reasons: Sequence[str] | None = None,
) -> None:
    """Notes issues, in place of what was noted before.

    Args:
        files: source and member of those whose earlier issues are void.
        issues: found now.
        reasons: only earlier issues with one of these reasons are void.
    """
    if files:
        keys = [f"{source}/{member}" for source, member in files]
        table = session.table(names.LOAD_ISSUES)
        void = F.concat(table["SOURCE"], F.lit("/"), table["MEMBER"]).in_(keys)
        if reasons is not None:
            numbered = F.regexp_replace(table["REASON"], F.lit("^[0-9]+ more lines: "))
            void = void & numbered.in_(*reasons)
        table.delete(void)
    if issues:
        rows = [(issue.source, issue.member, issue.line, issue.kept, issue.reason, issue.text) for issue in issues]
        session.create_dataframe(rows, schema=_FIELDS).write.save_as_table(names.LOAD_ISSUES, mode="append")


def read(session: Session, sources: Sequence[str]) -> list[Issue]:
    """What is noted about these files, in their order."""
    if not sources:
        return []
    table = session.table(names.LOAD_ISSUES).filter(F.col("SOURCE").in_(*sources))
    rows = table.sort("SOURCE", "MEMBER", F.col("LINE").asc_nulls_first()).collect()
    return [Issue(row["SOURCE"], row["MEMBER"], row["LINE"], row["REASON"], row["KEPT"], row["TEXT"]) for row in rows]


def describe(issues: Sequence[Issue], per_reason: int = 3) -> list[str]:
    """Issues as lines to read: equal reasons in one file are gathered, with the first line numbers.

    Args:
        issues: in any order.
        per_reason: line numbers named for each reason.
    """

    def key(issue: Issue) -> tuple[str, str, bool, str]:
        return issue.source, issue.member, issue.kept, issue.reason

    said = []
    for (source, member, kept, reason), group in groupby(sorted(issues, key=key), key=key):
        lines = sorted(issue.line for issue in group if issue.line is not None)
        where = source if not member or member == source.removesuffix(".zip") else f"{source} ({member})"
        if lines:
            numbers = ", ".join(str(line) for line in lines[:per_reason])
            where += f", line{'s' if len(lines) > 1 else ''} {numbers}"
            if len(lines) > per_reason:
                where += f" and {len(lines) - per_reason} more"
        said.append(f"{where}: {reason}{' (kept)' if kept else ''}")
    return said
