"""GET_DDL: the statement that would make an object anew.

Source: docs.snowflake.com/en/sql-reference/functions/get_ddl
"""

from __future__ import annotations

from collections.abc import Callable
from graphlib import TopologicalSorter
from typing import Any

from polynya.catalog.context import Context
from polynya.catalog.default_sequences import default_text
from polynya.catalog.model import (
    Attachment,
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
    Task,
    View,
)
from polynya.catalog.names import join_name, quote_identifier
from polynya.catalog.policies import MASKING, ROW_ACCESS, policy_of
from polynya.catalog.rights import denied, may_read_text, sees
from polynya.catalog.tags import allowed_values, known
from polynya.dialect.expression import Expr, quote_string
from polynya.dialect.functions.context import text
from polynya.dialect.registry import Call, scalar
from polynya.dialect.tokens import TokenStream
from polynya.dialect.types import type_from_text
from polynya.errors import does_not_exist, unsupported

# What the first argument may say -> the kind in the catalog.
_KINDS = {
    "TABLE": "TABLE", "VIEW": "TABLE", "DYNAMIC_TABLE": "TABLE", "DATABASE": "DATABASE", "SCHEMA": "SCHEMA",
    "SEQUENCE": "SEQUENCE", "FILE_FORMAT": "FILE FORMAT", "FUNCTION": "FUNCTION", "PROCEDURE": "PROCEDURE",
    "POLICY": "POLICY", "STREAM": "STREAM", "TASK": "TASK", "TAG": "TAG",
}  # fmt: skip
# Of a task's options, those that no clause of CREATE TASK sets.
_NOT_TASK_SETTINGS = {"PARAMETERS", "GRAPH_VERSION", "RESUMED"}


@scalar("GET_DDL", args=(2, 3))
def get_ddl(call: Call) -> Expr:
    """The third argument asks for qualified names."""
    kind, written, qualified = str(call.constant(0)).upper(), str(call.constant(1)), bool(call.constant(2, False))
    if kind not in _KINDS:
        raise unsupported(f"GET_DDL of {kind}")
    catalog, context = call.context.catalog, call.context
    stream = TokenStream(written)
    parts = stream.name()
    if kind in ("FUNCTION", "PROCEDURE"):
        found = _routine(call, _KINDS[kind], parts, stream)
    else:
        stream.expect_end()
        wanted = _KINDS[kind]
        if kind == "POLICY":
            wanted = MASKING if catalog.find(context, MASKING, parts) is not None else ROW_ACCESS
        found = catalog.get(context, wanted, parts)
    if not may_read_text(context, found):
        raise denied(context, found)
    return text(_Writer(context, qualified).ddl(found))


def _routine(call: Call, kind: str, parts: list[str], stream: TokenStream) -> Routine:
    """The overload whose argument types are written in parentheses."""
    inside = stream.rest().strip().removeprefix("(").removesuffix(")").strip()
    wanted = [type_from_text(item).name for item in _split(inside)] if inside else []
    routine = call.context.catalog.routine(call.context, kind, parts, wanted)
    if routine is not None:
        return routine
    raise does_not_exist(kind.capitalize(), f"{join_name(parts)}({', '.join(wanted)})")


def _split(types: str) -> list[str]:
    """A list of types at its commas, those inside parentheses excepted."""
    items, depth = [""], 0
    for character in types:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            items.append("")
        else:
            items[-1] += character
    return items


class _Writer:
    """Writes DDL.

    Args:
        context: of the session; what its roles may not see is left out.
        qualified: whether names have their schema and database before them.
    """

    def __init__(self, context: Context, qualified: bool) -> None:
        self._context = context
        self._catalog = context.catalog
        self._qualified = qualified

    def _visible(self, item: CatalogObject, kind: str) -> list[CatalogObject]:
        found = self._catalog.visible(self._context, item.id, kind)
        return [child for child in found if may_read_text(self._context, child)]

    def ddl(self, item: CatalogObject) -> str:
        """The statement that makes an object; of a schema or database also those of what it holds."""
        match item:
            case Database():
                inside = [self.ddl(child) for child in self._visible(item, "SCHEMA")]
                transient = "TRANSIENT " if item.transient else ""
                return "\n\n".join([f"create or replace {transient}database {self._name(item)};", *inside])
            case Schema():
                kinds = (
                    "TAG", "SEQUENCE", ROW_ACCESS, MASKING, "TABLE", "FILE FORMAT", "FUNCTION", "PROCEDURE", "STREAM", "TASK",
                )  # fmt: skip
                inside = [
                    self.ddl(child) for kind in kinds for child in _makeable(self._visible(item, kind), self._table_of)
                ]
                transient = "TRANSIENT " if item.transient else ""
                return "\n\n".join([f"create or replace {transient}schema {self._name(item)};", *inside])
            case Table():
                return self._table(item)
            case View():
                return item.text.strip().rstrip(";") + ";"
            case Sequence():
                order = "order" if item.ordered else "noorder"
                return (
                    f"create or replace sequence {self._name(item)} start with {item.start} "
                    f"increment by {item.increment} {order}{_comment(item)};"
                )
            case FileFormat():
                options = "".join(f"\n\t{key} = {_value(value)}" for key, value in item.format.items())
                return f"create or replace file format {self._name(item)}{options}{_comment(item)};"
            case Routine():
                return self._routine(item)
            case Policy():
                return self._policy(item)
            case Stream():
                return self._stream(item)
            case Task():
                return self._task(item)
            case GenericObject(kind="TAG"):
                values = ", ".join(quote_string(value) for value in allowed_values(item))
                comment = f" COMMENT={quote_string(item.comment)}" if item.comment else ""
                return (
                    f"create or replace tag {self._name(item)}{' allowed_values ' if values else ''}{values}{comment};"
                )
        raise unsupported(f"GET_DDL of {type(item).__name__}")

    def _name(self, item: CatalogObject) -> str:
        return self._catalog.full_name(item) if self._qualified else quote_identifier(item.name)

    def _table(self, table: Table) -> str:
        kind = {"TEMPORARY": "TEMPORARY TABLE", "TRANSIENT": "TRANSIENT TABLE"}.get(table.kind, "TABLE")
        cluster = f" cluster by ({_without_parentheses(table.cluster_by)})" if table.cluster_by else ""
        if table.dynamic_query:
            options = "".join(
                f" {key.lower()} = {quote_string(str(table.options[key])) if key == 'TARGET_LAG' else table.options[key]}"
                for key in ("TARGET_LAG", "WAREHOUSE") if key in table.options
            )  # fmt: skip
            head = f"create or replace dynamic table {self._name(table)}{cluster}{options}{_comment(table)}"
            return f"{head}{self._tags(table.tags)}\n as {table.dynamic_query};"
        names = {column.stored_as: quote_identifier(column.name) for column in table.columns}
        lines = [self._column(column, names) for column in table.columns]
        keys = [quote_identifier(column.name) for column in table.columns if column.primary_key]
        if keys:
            lines.append(f"primary key ({', '.join(keys)})")
        lines += [f"unique ({quote_identifier(column.name)})" for column in table.columns if column.unique]
        columns = ",\n\t".join(lines)
        rows = ""
        if table.row_access is not None:
            on = ", ".join(names[stored] for stored in table.row_access.columns)
            rows = f" WITH ROW ACCESS POLICY {self._policy_name(table.row_access)} ON ({on})"
        end = f"{_comment(table)}{rows}{self._tags(table.tags)}"
        return f"create or replace {kind} {self._name(table)}{cluster} (\n\t{columns}\n){end};"

    def _tags(self, tags: dict[int, str]) -> str:
        """The clause with which an object or column has its tags; those that the session may not see have no name."""
        found = [
            f"{self._catalog.full_name(tag)}={quote_string(value)}"
            if sees(self._context, tag)
            else "#UNKNOWN_TAG='#UNKNOWN_VALUE'"
            for tag, value in known(self._catalog, tags)
        ]
        return f" WITH TAG ({', '.join(found)})" if found else ""

    def _policy_name(self, attachment: Attachment) -> str:
        """A policy's full name, if the session may know it."""
        policy = policy_of(self._catalog, attachment)
        return self._catalog.full_name(policy) if sees(self._context, policy) else "#UNKNOWN_POLICY"

    def _policy(self, policy: Policy) -> str:
        arguments = ", ".join(f"{quote_identifier(name)} {kind}" for name, kind, _ in policy.arguments)
        comment = f"\nCOMMENT = {quote_string(policy.comment)}" if policy.comment else ""
        head = f"create or replace {policy.kind.lower()} {self._name(policy)} as ({arguments})"
        return f"{head}\nreturns {policy.returns} ->\n{policy.body}{comment};"

    def _stream(self, stream: Stream) -> str:
        table = self._table_of(stream)
        if table is None:
            raise does_not_exist("Object", f"the table of stream {stream.name}")
        options = " append_only = true" if stream.append_only else ""
        options += " show_initial_rows = true" if stream.show_initial_rows else ""
        comment = f" COMMENT={quote_string(stream.comment)}" if stream.comment else ""
        return f"create or replace stream {self._name(stream)} on table {self._name(table)}{options}{comment};"

    def _table_of(self, stream: Stream) -> CatalogObject | None:
        """A stream's table, unless it was dropped or may not be seen."""
        table = self._catalog.by_id(stream.table)
        return table if table is not None and table.dropped_on is None and sees(self._context, table) else None

    def _task(self, task: Task) -> str:
        lines = [f"create or replace task {self._name(task)}"]
        if task.warehouse:
            lines.append(f"warehouse={quote_identifier(task.warehouse)}")
        options = {"schedule": task.schedule, "config": task.config, "COMMENT": task.comment}
        lines += [f"{key}={quote_string(value)}" for key, value in options.items() if value]
        settings = {**task.options, **task.options.get("PARAMETERS", {})}
        lines += [f"{key}={_value(value)}" for key, value in settings.items() if key not in _NOT_TASK_SETTINGS]
        if finalized := self._task_names([task.finalizes]):
            lines.append(f"finalize={finalized}")
        if predecessors := self._task_names(task.predecessors):
            lines.append(f"after {predecessors}")
        if task.condition:
            lines.append(f"when {task.condition}")
        return "\n\t".join([*lines, f"as {task.definition}"]) + ";"

    def _task_names(self, numbers: list[int]) -> str:
        """Tasks by their ids; those that were dropped are left out."""
        tasks = [self._catalog.by_id(number) for number in numbers]
        return ", ".join(self._name(task) for task in tasks if task is not None and task.dropped_on is None)

    def _column(self, column: ColumnDef, names: dict[str, str]) -> str:
        parts = [quote_identifier(column.name), str(column.type)]
        if column.collation:
            parts.append(f"COLLATE {quote_string(column.collation)}")
        if not column.nullable:
            parts.append("NOT NULL")
        if column.autoincrement is not None:
            sequence = self._catalog.by_id(column.autoincrement)
            if isinstance(sequence, Sequence):
                order = "order" if sequence.ordered else "noorder"
                parts.append(f"autoincrement start {sequence.start} increment {sequence.increment} {order}")
        elif column.default is not None:
            parts.append(f"DEFAULT {default_text(self._catalog, column)}")
        if column.masking is not None:
            parts.append(f"WITH MASKING POLICY {self._policy_name(column.masking)}")
            if len(column.masking.columns) > 1:
                parts.append(f"USING ({', '.join(names[stored] for stored in column.masking.columns)})")
        if column.tags:
            parts.append(self._tags(column.tags).strip())
        if column.comment:
            parts.append(f"COMMENT {quote_string(column.comment)}")
        return " ".join(part for part in parts if part)

    def _routine(self, routine: Routine) -> str:
        secure = "SECURE " if routine.options.get("SECURE") else ""
        temporary = "TEMPORARY " if routine.temporary else ""
        kind = "PROCEDURE" if routine.kind == "PROCEDURE" else "FUNCTION"
        aggregate = "AGGREGATE " if routine.kind == "AGGREGATE FUNCTION" else ""
        arguments = ", ".join(
            f"{_quoted(name)} {sql_type}" + (f" DEFAULT {default}" if default else "")
            for name, sql_type, default in routine.arguments
        )
        head = self._catalog.full_name(routine) if self._qualified else _quoted(routine.name)
        lines = [f"CREATE OR REPLACE {temporary}{secure}{aggregate}{kind} {head}({arguments})"]
        if routine.returns_table is not None:
            columns = ", ".join(f"{_quoted(name)} {sql_type}" for name, sql_type in routine.returns_table)
            lines.append(f"RETURNS TABLE ({columns})")
        elif routine.returns is not None:
            lines.append(f"RETURNS {routine.returns}{' NOT NULL' if routine.options.get('NOT_NULL') else ''}")
        lines += [f"LANGUAGE {routine.language}", *_routine_options(routine)]
        if routine.comment:
            lines.append(f"COMMENT={_escaped(routine.comment)}")
        if routine.options.get("EXECUTE_AS"):
            lines.append(f"EXECUTE AS {routine.options['EXECUTE_AS']}")
        if routine.body:
            lines.append(f"AS {_escaped(routine.body)}")
        return "\n".join(lines) + ";"


def _makeable(items: list[CatalogObject], table_of: Callable[[Stream], CatalogObject | None]) -> list[CatalogObject]:
    """What can be made of a schema's objects of one kind, in an order in which it can: a task after its predecessors."""
    found = {item.id: item for item in items if not isinstance(item, Stream) or table_of(item) is not None}
    before = {
        number: [*item.predecessors, item.finalizes] if isinstance(item, Task) else [] for number, item in found.items()
    }
    return [found[number] for number in TopologicalSorter(before).static_order() if number in found]


def _routine_options(routine: Routine) -> list[str]:
    """A routine's properties as CREATE takes them; those left at their defaults are not written."""
    option = routine.options.get
    lines = []
    if option("STRICT"):
        lines.append("STRICT")
    if option("VOLATILITY") == "IMMUTABLE":
        lines.append("IMMUTABLE")
    if option("MEMOIZABLE"):
        lines.append("MEMOIZABLE")
    for key in ("RUNTIME_VERSION", "PACKAGES", "HANDLER", "IMPORTS"):
        if option(key):
            lines.append(f"{key} = {_value(option(key))}")
    if option("ARTIFACT_REPOSITORY"):
        lines.append(f"ARTIFACT_REPOSITORY = {option('ARTIFACT_REPOSITORY')}")
    integrations, secrets = option("EXTERNAL_ACCESS_INTEGRATIONS"), option("SECRETS")
    if integrations:
        lines.append(f"EXTERNAL_ACCESS_INTEGRATIONS = ({','.join(integrations)})")
    if secrets:
        pairs = ",".join(f"{_escaped(variable)}={secret}" for variable, secret in secrets.items())
        lines.append(f"SECRETS = ({pairs})")
    return lines


def _escaped(text: str) -> str:
    """A string literal in which backslashes stay what they are."""
    return quote_string(text.replace("\\", "\\\\"))


def _quoted(name: str) -> str:
    """A name in double quotes whatever it is, as routines' DDL has it."""
    return '"' + name.replace('"', '""') + '"'


def _without_parentheses(keys: str) -> str:
    stripped = keys.strip().removeprefix("LINEAR")
    return stripped[1:-1] if stripped.startswith("(") and stripped.endswith(")") else stripped


def _comment(item: CatalogObject) -> str:
    return f"COMMENT={quote_string(item.comment)}\n" if item.comment else ""


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "(" + ",".join(_value(item) for item in value) + ")"
    if isinstance(value, bool):
        return str(value).upper()
    return quote_string(value) if isinstance(value, str) else str(value)
