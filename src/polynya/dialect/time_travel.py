"""AT and BEFORE: which moment is meant, and a table's rows then.

As in Snowflake, the rows of then are shown under the columns of now.
https://docs.snowflake.com/en/sql-reference/constructs/at-before
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlglot import exp

from polynya.catalog.kinds import kind_of
from polynya.catalog.model import CatalogObject, ColumnDef, Table, TableVersion
from polynya.catalog.retention import horizon
from polynya.catalog.versions import version_at
from polynya.dialect import casts
from polynya.dialect.binder import Binder, Scope
from polynya.dialect.environment import Environment
from polynya.dialect.expression import null, quote
from polynya.dialect.parse import parse_expression
from polynya.dialect.scope import Source, SourceColumn
from polynya.errors import SnowflakeError, compilation_error, invalid_value, unsupported
from polynya.storage import snapshots, stream_offsets
from polynya.storage.tables import at_snapshot, storage_type
from polynya.storage.temporary_past import COPIED_VALUES
from polynya.types.sqltype import TIMESTAMP_LTZ, TIMESTAMP_NTZ

if TYPE_CHECKING:
    from polynya.storage.connection import Connection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in the past.

    Args:
        time: in UTC.
        snapshot: the lake's, where a statement decides it rather than the time; else None.
    """

    time: datetime
    snapshot: int | None = None


def read_moment(clause: exp.HistoricalData, env: Environment) -> Moment:
    """The moment that an AT or BEFORE clause means.

    Args:
        clause: ``AT (TIMESTAMP => ...)`` and the like.
        env: of the statement, with its execution.

    Raises:
        SnowflakeError: 000002 for a kind that the warehouse does not have; 000709 for an unknown statement; 000707 for
            one that runs; 001008 for a value that is none, or lies in the future.
    """
    before = str(clause.args["this"]).upper() == "BEFORE"
    kind = str(clause.args["kind"]).upper()
    if kind not in ("TIMESTAMP", "OFFSET", "STATEMENT", "STREAM") or (kind == "STREAM" and before):
        raise unsupported(f"{clause.args['this']} ({kind} => ...)")
    own = Environment(env.context, env.execution, env.binds)
    value = Binder(own, Scope()).expression(clause.expression)
    connection: Connection = env.execution.connection
    if kind == "STREAM":
        return _stream(env, str(value.constant))
    if kind == "STATEMENT":
        sql = casts.as_text(value, env.context).sql
    elif kind == "OFFSET":
        sql = f"CAST(CAST({value.sql} AS DECIMAL(38, 6)) * 1000000 AS BIGINT)"
    elif value.type.name == "TIMESTAMP_TZ":
        sql = f"epoch_us({casts.cast(value, TIMESTAMP_LTZ, env.context).sql})"
    elif value.type.name == "TIMESTAMP_LTZ":
        sql = f"epoch_us({value.sql})"
    else:  # without a zone, UTC is meant
        sql = f"epoch_us({casts.cast(value, TIMESTAMP_NTZ, env.context).sql})"
    found = connection.table(f"SELECT {sql}", own.inputs).column(0)[0].as_py()
    if found is None:
        raise invalid_value(f"invalid value [NULL] for parameter '{kind}' of {clause.args['this']}")
    if kind == "STATEMENT":
        return _statement(env, str(found), before)
    start = env.context.statement_start if kind == "OFFSET" else _EPOCH
    try:
        time = start + timedelta(microseconds=found)
    except OverflowError:
        raise invalid_value(f"invalid value [{found}] for parameter '{kind}' of {clause.args['this']}") from None
    if time > datetime.now(UTC):
        raise invalid_value(f"the {kind} of {clause.args['this']} is in the future: {time.isoformat(sep=' ')}")
    return Moment(time - _INSTANT if before else time)


def _statement(env: Environment, query_id: str, before: bool) -> Moment:
    """The moment at which a statement's changes became visible, or the one just before."""
    connection: Connection = env.execution.connection
    commit = snapshots.commit_of(connection, query_id)
    if commit is not None:
        snapshot, time = commit
        if not before:
            return Moment(time, snapshot)
        return Moment(time - _INSTANT, snapshots.snapshot_before(connection, snapshot))
    written = connection.temporary_past.moment_of(query_id)
    if written is not None:
        return Moment(written - _INSTANT if before else written)
    times = env.execution.results.times(query_id)
    if times is None:
        raise SnowflakeError(709, "02000", f"Statement {query_id} not found")
    began, ended = times
    if ended is None:
        raise SnowflakeError(707, "02000", f"Statement {query_id} has not finished yet.")
    return Moment(began if before else ended)


def _stream(env: Environment, name: str) -> Moment:
    """The moment of a stream's offset."""
    from polynya.dialect.streams import find_stream

    offset = stream_offsets.offset_of(env.execution.connection, find_stream(env.context, name))
    return Moment(offset.moment, offset.snapshot)


def rows_at(table: Table, moment: Moment, env: Environment) -> TableVersion:
    """Where a table's rows as of a moment are: its engine name and a snapshot of the lake; of a temporary table SQL for
    FROM, without a snapshot.

    Raises:
        SnowflakeError: 000707 if the moment is before the table's creation or its retention time is over, or if a
            temporary table was too large to keep what it was.
    """
    now = env.context.statement_start
    if moment.time < max(table.created_on, horizon(env.context.catalog, table, now)):
        raise not_available(table)
    version = version_at(table, moment.time)
    if version.snapshot is not None:
        return version
    connection: Connection = env.execution.connection
    if table.kind == "TEMPORARY":
        rows = connection.temporary_rows_at(table.stored_as, moment.time)
        if rows is None:
            raise SnowflakeError(
                707,
                "02000",
                f"Time travel data is not available for table {table.name}: a temporary table of more than "
                f"{COPIED_VALUES:,} values keeps what it was before a change only with DATA_RETENTION_TIME_IN_DAYS = 1.",
            )
        return TableVersion(rows, None, version.columns, version.until)
    snapshot = moment.snapshot if moment.snapshot is not None else snapshots.snapshot_at(connection, moment.time)
    if snapshot is None:
        raise not_available(table)
    return TableVersion(version.stored_as, snapshot, version.columns, version.until)


def table_at(table: Table, moment: Moment, env: Environment) -> Source:
    """A table's rows as of a moment, under its columns of now."""
    version = rows_at(table, moment, env)
    connection: Connection = env.execution.connection
    if table.kind == "TEMPORARY":
        then, now = (_columns(connection, relation) for relation in (version.stored_as, table.stored_as))
    else:
        assert version.snapshot is not None
        then = snapshots.columns_at(connection, version.stored_as, version.snapshot)
        if not then:
            raise not_available(table)
        newest = table.snapshot if table.snapshot is not None else snapshots.current_snapshot(connection)
        now = snapshots.columns_at(connection, table.stored_as, newest)
    items = ", ".join(f"{value_then(column, then, now, env)} AS {quote(column.stored_as)}" for column in table.columns)
    columns = [SourceColumn(column.name, column.type, column.nullable, column.stored_as) for column in table.columns]
    return Source(f"(SELECT {items} FROM {at_snapshot(version.stored_as, version.snapshot)})", columns)


def _columns(connection: Connection, relation: str) -> dict[str, str]:
    """Names and types of a relation's columns."""
    found = connection.table(f"DESCRIBE SELECT * FROM {relation}")
    return dict(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))


def value_then(column: ColumnDef, then: dict[str, str], now: dict[str, str], env: Environment) -> str:
    """SQL of a column's value in a row of then: a column that was not there yet has its default."""
    name = column.stored_as
    if name not in then:
        if column.default is None or column.sequence is not None:
            return null(column.type).sql
        default = Binder(env, Scope()).expression(parse_expression(column.default))
        return casts.assign(default, column.type, env.context).sql
    if then[name] == now.get(name):
        return quote(name)
    return f"CAST({quote(name)} AS {storage_type(column.type)})"


def not_available(item: CatalogObject) -> SnowflakeError:
    """The past of a table, schema or database does not reach back so far: 000707."""
    return SnowflakeError(
        707,
        "02000",
        f"Time travel data is not available for {kind_of(item).lower()} {item.name}. The requested time is either beyond the allowed "
        "time travel period or before the object creation time.",
    )


def clause_of(text: str) -> exp.HistoricalData:
    """The syntax tree of ``AT (...)`` or ``BEFORE (...)``, for statements that are not queries."""
    from polynya.dialect.parse import parse

    clause = next(parse(f"SELECT * FROM t {text}").find_all(exp.HistoricalData), None)
    if clause is None:
        raise compilation_error(1003, "42000", f"syntax error: {text}")
    return clause
