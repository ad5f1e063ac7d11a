"""CLONE: a new object that reads its origin's rows at a snapshot, without copying, until one side writes.

A clone that is written to becomes a table of its own that names the same files (``storage.forks``).
https://docs.snowflake.com/en/sql-reference/sql/create-clone
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from polynya.catalog.access import Reads
from polynya.catalog.default_sequences import follow_sequences
from polynya.catalog.dynamic_queries import follow_clone
from polynya.catalog.imported import imported_from
from polynya.catalog.kinds import key_of
from polynya.catalog.model import (
    CatalogObject,
    ColumnDef,
    Database,
    FileFormat,
    GenericObject,
    Policy,
    Routine,
    Schema,
    Sequence,
    Stream,
    Table,
    TableVersion,
    Task,
    View,
)
from polynya.catalog.policies import MASKING, ROW_ACCESS, follow_policies, keep_policies
from polynya.catalog.retention import is_over
from polynya.catalog.tags import follow_clones
from polynya.catalog.versions import copied
from polynya.dialect import time_travel
from polynya.dialect.environment import Environment
from polynya.dialect.time_travel import Moment
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, compilation_error, unsupported
from polynya.statements import clone_stages, objects, table_build
from polynya.statements.base import Execution
from polynya.statements.objects import Create, Place
from polynya.storage.forks import fork_table
from polynya.storage.snapshots import columns_at, current_snapshot
from polynya.storage.tables import at_snapshot, stored_table_name

# What else than tables a schema's clone takes along.
_COPIED = ("SEQUENCE", "FILE FORMAT", "FUNCTION", "PROCEDURE", "SECRET", "NETWORK RULE")
_NOT_AVAILABLE = 707


@dataclass(slots=True)
class Origin:
    """What is cloned, and how.

    Args:
        item: the table, schema or database.
        moment: as of which, or None for now.
        lenient: IGNORE TABLES WITH INSUFFICIENT DATA RETENTION.
        stages: INCLUDE INTERNAL STAGES.
        snapshot: of the lake, the same for all tables, where there is no moment.
    """

    item: CatalogObject
    moment: Moment | None = None
    lenient: bool = False
    stages: bool = False
    snapshot: int = 0


def read_origin(execution: Execution, stream: TokenStream, kind: str) -> Origin:
    """``source [AT | BEFORE (...)] [IGNORE ...]``, after the word CLONE."""
    origin = Origin(execution.context.catalog.get(execution.context, kind, stream.name()))
    if imported_from(execution.context.catalog, origin.item):
        raise unsupported("CLONE of a shared database")
    execution.require("SELECT" if kind == "TABLE" else "USAGE", origin.item)
    if stream.at_one("AT", "BEFORE"):
        start = stream.index
        stream.next()
        stream.skip_parenthesis()
        clause = time_travel.clause_of(stream.source(start, stream.index))
        origin.moment = time_travel.read_moment(clause, Environment(execution.context, execution))
        if origin.moment.time < origin.item.created_on:
            raise time_travel.not_available(origin.item)
    else:
        origin.snapshot = current_snapshot(execution.connection)
    if kind != "TABLE":
        _read_container_options(stream, origin)
    return origin


def _read_container_options(stream: TokenStream, origin: Origin) -> None:
    while True:
        if stream.accept("IGNORE", "TABLES", "WITH", "INSUFFICIENT", "DATA", "RETENTION"):
            origin.lenient = True
        elif stream.accept("INCLUDE", "INTERNAL", "STAGES"):
            origin.stages = True
        elif not stream.accept("IGNORE", "HYBRID", "TABLES"):  # there are none
            return


def clone_table(execution: Execution, stream: TokenStream, create: Create, place: Place) -> tuple[Table, Table]:
    """``CLONE source`` of CREATE TABLE, after the word CLONE; answers the new table, not yet in the catalog, and its source."""
    origin = read_origin(execution, stream, "TABLE")
    source = origin.item
    objects.check_type(source, "TABLE")
    assert isinstance(source, Table)
    copy_grants = stream.accept("COPY", "GRANTS")
    stream.expect_end()
    schema = execution.context.catalog.by_id(place.parent)
    kind = table_build.table_kind(create, bool(getattr(schema, "transient", False)))
    if source.kind == "TEMPORARY" and kind == "TABLE":
        raise compilation_error(
            2271, "0A000", "Temp table cannot be cloned to a permanent table; clone to a transient table instead"
        )
    if source.kind == "TRANSIENT" and kind == "TABLE":
        raise compilation_error(2120, "0A000", "Transient object cannot be cloned to a permanent object.")
    table = clone_of(execution, origin, source, create, place)
    if copy_grants:
        table.options["COPY GRANTS"] = True
    return table, source


def clone_of(execution: Execution, origin: Origin, source: Table, create: Create, place: Place) -> Table:
    """A clone of a table for another place, not yet in the catalog."""
    version = _version(execution, origin, source)
    table = table_build.new_table(execution, create, place, [])
    table.columns = table_build.copy_columns(execution, replace(source, columns=version.columns), table)
    keep_policies(source, table)
    table_build.copy_options(source, table)
    table.options["CLONE OF"], table.tags = source.id, dict(source.tags)
    reads = Reads({source.id: source})
    reads.touched.update((source.id, column.name) for column in table.columns)
    execution.access.write(table, {column.name: [(source.id, column.name)] for column in table.columns}, reads)
    if table.kind == "TEMPORARY":
        rows = at_snapshot(version.stored_as, version.snapshot)
        execution.connection.execute(f"CREATE TEMPORARY TABLE {table.stored_as} AS SELECT * FROM {rows}")
    elif source.kind == "TEMPORARY":  # its rows are the session's, not the lake's
        table_build.create_physical(execution, table)
        execution.connection.execute(f"INSERT INTO {table.stored_as} SELECT * FROM {version.stored_as}")
    else:
        table.stored_as, table.snapshot = version.stored_as, version.snapshot
    return table


def _version(execution: Execution, origin: Origin, source: Table) -> TableVersion:
    """What the clone reads: the origin's rows now or then, with the columns of that time."""
    if origin.moment is not None:
        version = time_travel.rows_at(source, origin.moment, Environment(execution.context, execution))
        if source.kind == "TEMPORARY":
            return version
        assert version.snapshot is not None
        if not columns_at(execution.connection, version.stored_as, version.snapshot):
            raise time_travel.not_available(source)
        return version
    snapshot = source.snapshot
    if snapshot is None and source.kind != "TEMPORARY":
        snapshot = origin.snapshot
    return TableVersion(source.stored_as, snapshot, source.columns, objects.now())


def database_contents(execution: Execution, origin: Origin, target: Database) -> list[CatalogObject]:
    """The schemas of a cloned database and what lies in them, not yet in the catalog."""
    _check_transient(origin.item, target)
    context = execution.context
    added: list[CatalogObject] = []
    for schema in _then(execution, origin, origin.item, "SCHEMA"):
        assert isinstance(schema, Schema)
        own = Schema(
            id=context.catalog.new_id(), parent=target.id, name=schema.name, owner=schema.owner,
            created_on=objects.now(), transient=schema.transient or target.transient, options=dict(schema.options),
            comment=schema.comment, tags=dict(schema.tags),
        )  # fmt: skip
        added += [own, *_children(execution, origin, schema, own)]
    added += [_copied(execution, role, target) for role in _then(execution, origin, origin.item, "DATABASE ROLE")]
    _follow(execution, origin, added, target)
    return added


def schema_contents(execution: Execution, origin: Origin, target: Schema) -> list[CatalogObject]:
    """Clones of a schema's tables and copies of its other objects, not yet in the catalog."""
    _check_transient(origin.item, target)
    added = _children(execution, origin, origin.item, target)
    _follow(execution, origin, added, target)
    return added


def copy_grants(execution: Execution, source: CatalogObject, target: CatalogObject) -> None:
    """Grants on what lies in a cloned schema or database hold for its clones too; those on itself do not. What a cloned
    database role has there, its clone has in the clone.

    Source: docs.snowflake.com/en/user-guide/object-clone (access control privileges for cloned objects).
    """
    catalog = execution.context.catalog
    old, new = catalog.full_name(source) + ".", catalog.full_name(target) + "."
    kept = [grant for grant in catalog.grants() if grant.on_name.startswith(old) and not grant.future]
    for grant in kept:
        cloned_role = (
            grant.to_kind == "DATABASE ROLE" and isinstance(target, Database) and grant.to_name.startswith(old)
        )
        to_name = new + grant.to_name[len(old) :] if cloned_role else grant.to_name
        catalog.grant(replace(grant, on_name=new + grant.on_name[len(old) :], to_name=to_name))


def _follow(execution: Execution, origin: Origin, added: list[CatalogObject], target: Database | Schema) -> None:
    """What is cloned has its origin's tags, policies and sequences; those that are cloned with it stand in for them."""
    target.tags = {**origin.item.tags, **target.tags}
    followed = (GenericObject, Policy, Sequence)
    pairs = {item.options.pop("CLONE OF", 0): item.id for item in added if isinstance(item, followed)}
    _follow_references(execution, origin, added, target)
    follow_clones(added, pairs, target)
    follow_policies(added, pairs)
    follow_sequences(added, pairs)


def _follow_references(
    execution: Execution, origin: Origin, added: list[CatalogObject], target: Database | Schema
) -> None:
    """Foreign keys between tables that are cloned together are between the clones."""
    old, new = execution.context.catalog.path(origin.item), execution.context.catalog.path(target)
    for item in added:
        for constraint in item.options.get("CONSTRAINTS", []) if isinstance(item, Table) else []:
            if constraint["references"][: len(old)] == old:
                constraint["references"] = [*new, *constraint["references"][len(old) :]]


def _check_transient(source: CatalogObject, target: Database | Schema) -> None:
    if getattr(source, "transient", False) and not target.transient:
        raise compilation_error(2120, "0A000", "Transient object cannot be cloned to a permanent object.")


def _children(execution: Execution, origin: Origin, source: CatalogObject, target: Schema) -> list[CatalogObject]:
    found: list[CatalogObject] = []
    for item in _then(execution, origin, source, "TABLE"):
        if isinstance(item, View):
            found.append(_copied(execution, item, target))
            continue
        assert isinstance(item, Table)
        create = Create(transient=item.kind == "TRANSIENT" or target.transient)
        try:
            table = clone_of(execution, origin, item, create, Place(target.id, item.name, item.name))
            if item.dynamic_query:  # its clone is one too, suspended
                table.dynamic_query, table.options["SUSPENDED"] = item.dynamic_query, True
                follow_clone(execution.context.catalog, item, table, database_too=isinstance(origin.item, Database))
            table.owner = item.owner  # who may clone a schema need not be allowed to read all that lies in it
        except SnowflakeError as error:
            if error.code == _NOT_AVAILABLE and origin.lenient:
                continue
            raise
        found.append(table)
    for kind in _COPIED:
        for item in _then(execution, origin, source, kind):
            if isinstance(item, (Sequence, FileFormat, Routine, GenericObject)):
                copy = _copied(execution, item, target)
                if isinstance(item, (Sequence, GenericObject)):
                    copy.options["CLONE OF"] = item.id
                found.append(copy)
    for stream in _then(execution, origin, source, "STREAM"):
        clones = {item.options.get("CLONE OF"): item for item in found if isinstance(item, Table)}
        found.append(_stream(execution, stream, clones, target))
    tasks = {task.id: _task(execution, task, target) for task in _then(execution, origin, source, "TASK")}
    for task in tasks.values():  # those of one schema go on running after each other
        task.predecessors = [tasks[before].id if before in tasks else before for before in task.predecessors]
        task.finalizes = tasks[task.finalizes].id if task.finalizes in tasks else task.finalizes
    found += tasks.values()
    for kind in ("TAG", ROW_ACCESS, MASKING):
        for item in _then(execution, origin, source, kind):
            copy = _copied(execution, item, target)
            copy.options["CLONE OF"] = item.id
            found.append(copy)
    for stage in execution.context.catalog.children(source.id, "STAGE"):  # as they are now, whatever the moment
        if (stage.url or origin.stages) and (origin.moment is None or stage.created_on <= origin.moment.time):
            found.append(clone_stages.stage_of(execution, stage, target.id))
    return found


def _stream(execution: Execution, source: CatalogObject, clones: dict[Any, Table], target: Schema) -> Stream:
    """A cloned stream is of the cloned table, if that is cloned with it, and begins now: what the other has not consumed
    yet, it does not show."""
    stream = _copied(execution, source, target)
    assert isinstance(source, Stream) and isinstance(stream, Stream)
    table = clones.get(source.table) or execution.context.catalog.by_id(source.table)
    if isinstance(table, Table):
        snapshot = current_snapshot(execution.connection) if table.snapshot is None else table.snapshot
        stream.table, stream.stored_as, stream.snapshot = table.id, table.stored_as, snapshot
    stream.moment, stream.show_initial_rows = stream.created_on, False
    return stream


def _task(execution: Execution, source: CatalogObject, target: Schema) -> Task:
    """A cloned task is suspended. https://docs.snowflake.com/en/user-guide/object-clone#cloning-and-tasks"""
    task = _copied(execution, source, target)
    assert isinstance(source, Task) and isinstance(task, Task)
    task.started, task.failures, task.suspended_reason = False, 0, ""
    task.last_committed_on = task.last_suspended_on = None
    task.predecessors = list(source.predecessors)
    return task


def _then(execution: Execution, origin: Origin, parent: CatalogObject, kind: str) -> list[CatalogObject]:
    """What lay in a schema or database at the origin's moment, those since dropped included."""
    catalog = execution.context.catalog
    now = catalog.children(parent.id, kind)
    if origin.moment is None:
        return now
    found: dict[str, CatalogObject] = {}
    dropped = [item for item in catalog.dropped(parent.id, kind) if not is_over(catalog, item)]
    for item in [*now, *dropped]:
        if item.created_on <= origin.moment.time and not _gone(item, origin.moment.time):
            found.setdefault(key_of(item), item)
    return list(found.values())


def _gone(item: CatalogObject, moment: datetime) -> bool:
    return item.dropped_on is not None and item.dropped_on <= moment


def _copied(execution: Execution, item: CatalogObject, target: Database | Schema) -> CatalogObject:
    values = {field.name: getattr(item, field.name) for field in fields(item)}
    values.update(
        id=execution.context.catalog.new_id(), parent=target.id, created_on=objects.now(), dropped_on=None,
        options=dict(item.options), tags=dict(item.tags),
    )  # fmt: skip
    if isinstance(item, View):
        values["columns"] = copied(item.columns)
    return type(item)(**values)


def own_rows(execution: Execution, table: Table) -> None:
    """Makes a clone that still reads its origin's snapshot a table of its own; outside the session's transaction, since
    it changes nothing that anyone sees.

    The new table names the origin's files. Only where the lake's metadata is not as it is known are rows copied.

    Args:
        execution: of the statement that is about to write.
        table: nothing is done for one that has its own rows.
    """
    if table.snapshot is None:
        return
    connection, catalog = execution.connection, execution.context.catalog
    connection.write_lock(f"clone {table.id}")
    if table.snapshot is None:  # another session was faster
        return
    stored_as = stored_table_name(table.name, catalog.new_id(), temporary=False)
    other = connection.sibling()
    other.query_id = ""
    try:
        with other.write_lock(stored_as), connection.reading():
            if not fork_table(connection.engine, table.stored_as, table.snapshot, stored_as):
                rows = at_snapshot(table.stored_as, table.snapshot)
                other.execute(f"CREATE TABLE {stored_as} AS SELECT * FROM {rows}")
    finally:
        other.close()
    columns: list[ColumnDef] = copied(table.columns)
    same_at = current_snapshot(connection)  # nobody knows of the new table yet
    table.past.append(TableVersion(table.stored_as, table.snapshot, columns, objects.now(), same_at))
    table.stored_as, table.snapshot = stored_as, None
    catalog.update(table)
