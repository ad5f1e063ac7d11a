"""What a statement returns: named, typed columns over Arrow data in the engine's own types."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import pyarrow as pa

from polynya.types.sqltype import VARCHAR, SqlType


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, a view or a result.

    Args:
        name: as Snowflake shows it, case kept.
        type: Snowflake's type.
        nullable: False only where Snowflake would say so.
    """

    name: str
    type: SqlType
    nullable: bool = True


class StatementType(IntEnum):
    """Snowflake's statementTypeId, as the connectors read it (their ``is_dml`` covers 0x3000 to 0x3500)."""

    UNKNOWN = 0x0000
    SELECT = 0x1000
    DML = 0x3000
    INSERT = 0x3000 + 0x100
    UPDATE = 0x3000 + 0x200
    DELETE = 0x3000 + 0x300
    MERGE = 0x3000 + 0x400
    MULTI_TABLE_INSERT = 0x3000 + 0x500
    COPY = 0x3000 + 0x600
    UNLOAD = 0x3000 + 0x700
    SCL = 0x4000
    USE = 0x4000 + 0x300
    SHOW = 0x4000 + 0x400
    DESCRIBE = 0x4000 + 0x500
    TCL = 0x5000
    DDL = 0x6000
    MULTI_STATEMENT = 0xA000


@dataclass(slots=True)
class ResultSet:
    """The result of one statement.

    Args:
        columns: names and types in order; ``data`` has as many columns, in the DuckDB form of these types
            (``SqlType.duckdb``) and with any names.
        data: an Arrow table, or a reader whose batches are produced while they are read.
        statement_type: what kind of statement it was.
        rows_affected: rows changed by DML, else None.
    """

    columns: list[Column]
    data: pa.Table | pa.RecordBatchReader
    statement_type: StatementType = StatementType.SELECT
    rows_affected: int | None = None
    # Set by PUT and GET: the `data` object of the protocol's UPLOAD or DOWNLOAD answer.
    transfer: dict | None = None
    # Set by a statement that holds others: query ids of its children.
    child_query_ids: list[str] = field(default_factory=list)
    # It holds a secret that is shown once: no RESULT_SCAN finds it.
    secret: bool = False


def rows(columns: list[Column], values: list[tuple], statement_type: StatementType = StatementType.SELECT) -> ResultSet:
    """A result from Python rows (SHOW, DESCRIBE, status texts).

    Args:
        columns: names and types.
        values: one tuple a row, Python values fit for the columns' types (semi-structured: JSON text).
        statement_type: of the statement answered.
    """
    from polynya.types.arrow import arrow_type  # the table of Arrow forms imports this module's Column

    arrays = [
        pa.array([row[index] for row in values], type=arrow_type(column.type)) for index, column in enumerate(columns)
    ]
    return ResultSet(
        columns, pa.Table.from_arrays(arrays, names=[f"c{i}" for i in range(len(columns))]), statement_type
    )


def status(message: str, statement_type: StatementType = StatementType.DDL) -> ResultSet:
    """The one-cell answer of DDL: column ``status``."""
    return rows([Column("status", VARCHAR)], [(message,)], statement_type)
