"""CREATE, ALTER, DROP, DESCRIBE and SHOW of streams. https://docs.snowflake.com/en/sql-reference/sql/create-stream"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from polynya.catalog.model import Stream, Table
from polynya.catalog.names import join_name
from polynya.catalog.retention import extension_days, retention_days, stream_horizon
from polynya.dialect import time_travel
from polynya.dialect.environment import Environment
from polynya.dialect.streams import TRACKING, base_table, check_readable, offset_at
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, already_exists, unsupported
from polynya.statements import objects, tagging
from polynya.statements.base import Execution, statement
from polynya.statements.objects import Place
from polynya.statements.show.listing import (
    MOMENT,
    TEXT,
    Field,
    answer,
    created,
    database_name,
    in_scope,
    owner_role_type,
    read_request,
    schema_name,
    true_false,
)
from polynya.storage import stream_offsets
from polynya.types.resultset import ResultSet, StatementType, status

_OPTIONS = {"APPEND_ONLY", "SHOW_INITIAL_ROWS", "COMMENT"}


@statement("CREATE STREAM")
def create_stream(execution: Execution, stream: TokenStream) -> ResultSet:
    create = objects.read_create(stream, "STREAM")
    place = objects.place_of(execution, "STREAM", create.parts)
    existing = objects.look(execution, create, "STREAM", place)
    if existing.keep is not None:
        return existing.keep
    if execution.context.catalog.child(place.parent, "TABLE", place.name) is not None:
        raise already_exists(place.text)  # FROM could not tell them apart
    item = _clone(execution, stream, place) if stream.accept("CLONE") else _on_table(execution, stream, place)
    copy_grants = bool(item.options.pop("COPY GRANTS", False))
    objects.put(execution, item, existing.replaced, copy_grants=copy_grants)
    return status(f"Stream {place.name} successfully created.")


def _on_table(execution: Execution, stream: TokenStream, place: Place) -> Stream:
    catalog = execution.context.catalog
    item = _new(execution, place)
    _read_clauses(execution, stream, item)
    stream.expect("ON")
    kind = stream.accept_one("EXTERNAL TABLE", "DYNAMIC TABLE", "EVENT TABLE", "TABLE", "VIEW", "STAGE")
    if kind is None:
        raise stream.error()
    if kind != "TABLE":
        raise unsupported(f"CREATE STREAM ON {kind}")
    table = catalog.get(execution.context, "TABLE", stream.name(), "Table")
    objects.check_type(table, "TABLE")
    check_readable(execution.context, table)
    clause = None
    if stream.at_one("AT", "BEFORE"):
        start = stream.index
        stream.next()
        stream.skip_parenthesis()
        clause = time_travel.clause_of(stream.source(start, stream.index))
    _read_clauses(execution, stream, item)
    stream.expect_end()
    _track(execution, table)
    offset = offset_at(table, clause, Environment(execution.context, execution))
    item.table = table.id
    item.stored_as, item.snapshot, item.moment = offset.stored_as, offset.snapshot, offset.moment
    return item


def _track(execution: Execution, table: Table) -> None:
    """The first stream on a table enables change tracking; nothing else is needed for it."""
    if not table.options.get(TRACKING):
        table.options[TRACKING] = True
        execution.context.catalog.update(table)


def _read_clauses(execution: Execution, stream: TokenStream, item: Stream) -> None:
    """COPY GRANTS, tags, and the options with their values."""
    while not stream.done and not stream.at_one("ON", "AT", "BEFORE"):
        if stream.accept("COPY", "GRANTS"):
            item.options["COPY GRANTS"] = True
        elif not tagging.accept_tag_clause(execution, stream, item):
            before = stream.index
            _set(item, objects.read_properties(stream))
            if stream.index == before:
                raise stream.error()


def _set(item: Stream, properties: dict[str, Any]) -> None:
    for name, value in properties.items():
        if name == "INSERT_ONLY":
            raise unsupported("INSERT_ONLY of a stream: it is for external tables")
        if name not in _OPTIONS:
            raise unsupported(f"{name} of a stream")
        if name == "COMMENT":
            item.comment = str(value)
        elif name == "APPEND_ONLY":
            item.append_only = bool(value)
        else:
            item.show_initial_rows = bool(value)


def _new(execution: Execution, place: Place) -> Stream:
    return Stream(
        id=execution.context.catalog.new_id(), parent=place.parent, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(),
    )  # fmt: skip


def _clone(execution: Execution, stream: TokenStream, place: Place) -> Stream:
    """CLONE: the same definition, where the other stream is now."""
    source: Stream = execution.context.catalog.get(execution.context, "STREAM", stream.name())
    copy_grants = stream.accept("COPY", "GRANTS")
    stream.expect_end()
    offset = stream_offsets.offset_of(execution.connection, source)
    fresh = _new(execution, place)
    item = replace(
        source, id=fresh.id, parent=fresh.parent, name=fresh.name, owner=fresh.owner, created_on=fresh.created_on,
        options={}, tags=dict(source.tags), stored_as=offset.stored_as, snapshot=offset.snapshot, moment=offset.moment,
        show_initial_rows=offset.initial,
    )  # fmt: skip
    if copy_grants:
        item.options["COPY GRANTS"] = True
    return item


@statement("ALTER STREAM")
def alter_stream(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("ALTER", "STREAM")
    item = _find(execution, stream)
    if item is None:
        return objects.done()
    with objects.editing(execution, item):
        if tagging.accept_tag_change(execution, stream, item):
            pass
        elif stream.accept("SET"):
            _set(item, objects.read_properties(stream))
        elif stream.accept("UNSET"):
            objects.unset_properties(stream, item)
        else:
            raise stream.error()
        stream.expect_end()
    return objects.done()


def _find(execution: Execution, stream: TokenStream) -> Stream | None:
    """``[IF EXISTS] name``; None if it need not exist and does not."""
    catalog, context = execution.context.catalog, execution.context
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    if if_exists and catalog.find(context, "STREAM", parts) is None:
        return None
    found: Stream = catalog.get(context, "STREAM", parts)
    return found


@statement("DROP STREAM")
def drop_stream(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("DROP", "STREAM")
    start = stream.index
    item = _find(execution, stream)
    stream.expect_end()
    if item is None:
        name = stream.source(start, stream.index).split()[-1]
        return status(f"Drop statement executed successfully ({name.upper()} already dropped).")
    objects.remove(execution, item)
    return status(f"{item.name} successfully dropped.")


@statement("SHOW STREAMS", "SHOW TERSE STREAMS")
def show_streams(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW")
    terse = stream.accept("TERSE")
    stream.expect("STREAMS")
    request = read_request(execution, stream, terse=terse)
    found = request.select(in_scope(execution, request.scope, "STREAM"))
    fields = _fields(execution)
    if terse:
        wanted = ("created_on", "name", "kind", "database_name", "schema_name")
        fields = [field for field in fields if field[0] in wanted]
    return answer(fields, found)


@statement("DESCRIBE STREAM", "DESC STREAM")
def describe_stream(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.next()
    stream.expect("STREAM")
    item = execution.context.catalog.get(execution.context, "STREAM", stream.name())
    stream.expect_end()
    result = answer(_fields(execution), [item])
    result.statement_type = StatementType.DESCRIBE
    return result


def _fields(execution: Execution) -> list[Field]:
    """SHOW STREAMS' columns. https://docs.snowflake.com/en/sql-reference/sql/show-streams"""
    catalog, connection = execution.context.catalog, execution.connection

    def table_of(item: Stream) -> Table | None:
        try:
            return base_table(catalog, item)
        except SnowflakeError:
            return None

    def table_name(item: Stream) -> str:
        table = table_of(item)
        return "No privilege or table dropped" if table is None else join_name(catalog.path(table))

    def stale(item: Stream) -> bool:
        table = table_of(item)
        return table is None or stream_offsets.offset_of(connection, item).moment < stream_horizon(catalog, table)

    def stale_after(item: Stream) -> Any:
        table = table_of(item)
        if table is None:
            return None
        days = max(retention_days(catalog, table), extension_days(catalog, table))
        return stream_offsets.offset_of(connection, item).moment + timedelta(days=days)

    return [
        ("created_on", MOMENT, created), ("name", TEXT, lambda item: item.name),
        ("database_name", TEXT, database_name(execution)), ("schema_name", TEXT, schema_name(execution)),
        ("owner", TEXT, lambda item: item.owner), ("comment", TEXT, lambda item: item.comment),
        ("table_name", TEXT, table_name), ("source_type", TEXT, lambda item: "Table"), ("base_tables", TEXT, table_name),
        ("type", TEXT, lambda item: "DELTA"), ("stale", TEXT, lambda item: true_false(stale(item))),
        ("mode", TEXT, lambda item: "APPEND_ONLY" if item.append_only else "DEFAULT"), ("stale_after", MOMENT, stale_after),
        ("invalid_reason", TEXT, lambda item: "N/A"), ("owner_role_type", TEXT, owner_role_type),
    ]  # fmt: skip
