"""INSERT, UPDATE, DELETE and MERGE.

Sources: docs.snowflake.com/en/sql-reference/sql/insert, .../insert-multi-table, .../update, .../delete, .../merge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

from sqlglot import exp

from polynya.catalog.access import Origin
from polynya.catalog.default_sequences import drawn_from
from polynya.catalog.model import ColumnDef, Sequence, Table
from polynya.catalog.rights import require
from polynya.dialect import casts
from polynya.dialect.binder import Binder, Scope, dynamic_name
from polynya.dialect.binds import Binds
from polynya.dialect.environment import Environment
from polynya.dialect.expression import Expr, null, quote
from polynya.dialect.naming import position, resolve_identifier
from polynya.dialect.parse import parse_expression
from polynya.dialect.policies import protected
from polynya.dialect.query import bind_query_node
from polynya.dialect.scope import Relation, Source
from polynya.dialect.sources import table_source, traced
from polynya.errors import SnowflakeError, compilation_error, does_not_exist, invalid_identifier, unsupported
from polynya.statements.base import Execution
from polynya.statements.objects import check_modifiable
from polynya.types.resultset import Column, ResultSet, StatementType, rows
from polynya.types.sqltype import number

_COUNT = number(19, 0)
_scratch = count(1)
_STORED = '"$target"'


@dataclass(slots=True)
class _Target:
    """The table a statement writes to.

    Args:
        table: the stored one.
        alias: in the scope.
        name: its name or alias in Snowflake's SQL.
        qualifiers: its database and schema.
        rows: SQL for FROM of the rows that the session may see and change, with their row ids; ``_STORED`` in it is the
            table's engine name, which may change when it is first written to.
        written: columns that the statement gives values -> the columns that these are made of.
    """

    table: Table
    alias: str
    name: str
    qualifiers: tuple[str, str]
    rows: str = ""
    written: dict[str, tuple[Origin, ...]] = field(default_factory=dict)

    @property
    def protected(self) -> bool:
        """Whether policies decide which rows and values the session sees."""
        return self.rows != _STORED

    @property
    def readable(self) -> str:
        """SQL for FROM of the rows to change, under the alias."""
        return f"{self.rows.replace(_STORED, self.table.stored_as)} AS {self.alias}"

    def gets(self, column: ColumnDef, origins: tuple[Origin, ...]) -> None:
        self.written[column.name] = (*self.written.get(column.name, ()), *origins)

    def column(self, name: str, node: exp.Expr) -> ColumnDef:
        for column in self.table.columns:
            if column.name == name:
                return column
        raise invalid_identifier(name, position(node))


def run(execution: Execution, tree: exp.Expr, binds: Binds, describe_only: bool = False) -> ResultSet:
    """Runs one DML statement.

    Args:
        execution: of the statement.
        tree: its syntax tree.
        binds: values of its bind variables.
        describe_only: answer the result's columns without changing anything.

    Raises:
        SnowflakeError: nothing has changed then.
    """
    if not execution.context.parameter("AUTOCOMMIT") and not describe_only:
        execution.connection.begin()
    env = Environment(execution.context, execution, binds)
    statement = _STATEMENTS.get(type(tree))
    if statement is None:
        raise unsupported(type(tree).__name__.upper())
    if not describe_only:
        execution.use_warehouse()
    statement_type, counts = statement(env, tree, describe_only)
    columns = [Column(name, _COUNT, False) for name in counts]
    values = [] if describe_only else [tuple(counts.values())]
    return rows_affected(rows(columns, values, statement_type), sum(counts.values()))


def rows_affected(result: ResultSet, total: int) -> ResultSet:
    result.rows_affected = total
    return result


def _target(env: Environment, node: exp.Expr, *privileges: str) -> _Target:
    """The table of INSERT INTO, UPDATE, DELETE FROM or MERGE INTO, on which the session needs privileges."""
    if not isinstance(node, exp.Table):
        raise unsupported(f"writing to {node.sql('snowflake')}")
    if node.args.get("when"):
        raise unsupported("writing to a table AT or BEFORE a moment")
    binder = Binder(env, Scope())
    if isinstance(node.this, exp.DynamicIdentifier):
        parts = dynamic_name(node.this, binder)
    elif isinstance(node.this, exp.Identifier):
        parts = [
            resolve_identifier(part) if isinstance(part, exp.Identifier) else ""
            for part in (node.args.get("catalog"), node.args.get("db"), node.this)
            if part is not None
        ]
    else:
        raise unsupported(f"writing to {node.sql('snowflake')}")
    catalog = env.context.catalog
    table = catalog.get(env.context, "TABLE", parts)
    for privilege in privileges:
        require(env.context, privilege, table)
    check_modifiable(table)
    database, schema, name = catalog.qualify(env.context, parts)
    alias = node.args.get("alias")
    shown = resolve_identifier(alias.this) if alias is not None and alias.this is not None else name
    return _Target(table, env.alias(), shown, (database, schema))


def _scope_of(env: Environment, target: _Target) -> Scope:
    stored = replace(table_source(target.table), sql=_STORED)
    source = protected(traced(stored, target.table, env.reads), target.table, env, row_ids=True)
    target.rows = source.sql
    return Scope(relations=[Relation(source, target.alias, target.name, target.qualifiers)])


def _write(env: Environment, target: _Target, *, shared: bool = False) -> None:
    """Takes the write lock and makes a clone's rows its own before the first write."""
    from polynya.statements.consuming import advance
    from polynya.statements.writing import make_writable

    make_writable(env.execution, target.table, shared=shared)
    advance(env.execution, env.reads)
    env.execution.access.write(target.table, target.written, env.reads)


# --- INSERT -----------------------------------------------------------------------------------------------------------


def _insert(env: Environment, tree: exp.Insert, describe_only: bool) -> tuple[StatementType, dict[str, int]]:
    schema = tree.this if isinstance(tree.this, exp.Schema) else None
    privileges = ("INSERT", "DELETE") if tree.args.get("overwrite") else ("INSERT",)
    target = _target(env, schema.this if schema else tree.this, *privileges)
    chosen = [target.column(resolve_identifier(i), i) for i in schema.expressions] if schema else target.table.columns
    _check_duplicates(chosen)
    if tree.args.get("by_name"):
        raise unsupported("INSERT ... BY NAME")
    select = _insert_rows(env, tree, target, chosen)
    if not describe_only:
        connection = env.execution.connection
        with connection.atomic():
            _write(env, target, shared=not tree.args.get("overwrite"))
            if tree.args.get("overwrite"):
                connection.execute(f"DELETE FROM {target.table.stored_as}")
            inserted = connection.execute(
                f"INSERT INTO {target.table.stored_as} ({_names(target.table.columns)}) {select}", env.inputs
            )
    else:
        inserted = 0
    return StatementType.INSERT, {"number of rows inserted": inserted}


def _check_duplicates(columns: list[ColumnDef]) -> None:
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise compilation_error(2025, "42S21", f"duplicate column name '{column.name}'")
        seen.add(column.name)


def _names(columns: list[ColumnDef]) -> str:
    return ", ".join(quote(column.stored_as) for column in columns)


def _insert_rows(env: Environment, tree: exp.Insert, target: _Target, chosen: list[ColumnDef]) -> str:
    """A query (or VALUES) that yields all columns of the table in order."""
    query = tree.expression
    if query is None:
        raise compilation_error(1003, "42000", "INSERT needs VALUES or a query.")
    clause = tree.args.get("with_")
    if isinstance(query, exp.Values) and clause is None and not query.args.get("alias"):
        return _values(env, query, target, chosen)
    if clause is not None:
        query = query.copy()
        query.set("with_", clause.copy())
    source = bind_query_node(query, env, None, {})
    if len(source.columns) != len(chosen):
        raise _wrong_count(len(chosen), len(source.columns))
    for column, own in zip(chosen, source.columns, strict=True):
        target.gets(column, own.origins)
    alias = env.alias()
    given = {
        column.name: assigned(Expr(f"{alias}.{quote(own.stored_as)}", own.type, own.nullable), column, env)
        for column, own in zip(chosen, source.columns, strict=True)
    }
    items = [_cell(env, column, given) for column in target.table.columns]
    return f"SELECT {', '.join(items)} FROM {source.sql} AS {alias}"


def _wrong_count(expected: int, got: int) -> SnowflakeError:
    return compilation_error(
        2054, "42601", f"Insert value list does not match column list expecting {expected} but got {got}"
    )


def _values(env: Environment, values: exp.Values, target: _Target, chosen: list[ColumnDef]) -> str:
    """``VALUES (...), (...)``: each cell takes its column's type; DEFAULT and array binds are known here."""
    scope = Scope()
    for column in chosen:
        target.gets(column, ())
    arrays = _array_binds(env, scope)
    binder = Binder(env, scope)
    texts = []
    for row in values.expressions:
        cells = row.expressions if isinstance(row, exp.Tuple) else [row]
        if len(cells) != len(chosen):
            raise _wrong_count(len(chosen), len(cells))
        given = {}
        for cell, column in zip(cells, chosen, strict=True):
            if _is_default(cell):
                continue
            given[column.name] = assigned(binder.expression(cell), column, env)
        texts.append([_cell(env, column, given) for column in target.table.columns])
    if arrays:
        if len(texts) != 1:
            raise compilation_error(1003, "42000", "Array binds need exactly one row of VALUES.")
        return f"SELECT {', '.join(texts[0])} FROM {arrays}"
    # UNION ALL rather than VALUES: the first row's types would decide, and sequences must advance row by row.
    return (
        " UNION ALL ".join(f"SELECT {', '.join(text)}" for text in texts)
        if len(texts) == 1
        else ("VALUES " + ", ".join(f"({', '.join(text)})" for text in texts))
    )


def _is_default(cell: exp.Expr) -> bool:
    if isinstance(cell, exp.Var):
        return cell.name.upper() == "DEFAULT"
    return (
        isinstance(cell, exp.Column)
        and not cell.args.get("table")
        and cell.name.upper() == "DEFAULT"
        and not cell.this.args.get("quoted")
    )


def _array_binds(env: Environment, scope: Scope) -> str:
    """Array binds (executemany) as an input relation; its placeholders become columns. "" without array binds."""
    if not any(bind.is_array for bind in env.binds.values()):
        return ""
    from polynya.dialect.array_binds import bind_table

    table, columns = bind_table(env.binds)
    relation = env.add_input(table)
    alias = env.alias()
    for key, (name, sql_type) in columns.items():
        scope.variables[str(key)] = Expr(f"{alias}.{quote(name)}", sql_type, True)
    env.binds = {}
    return f"{relation} AS {alias}"


def _cell(env: Environment, column: ColumnDef, given: dict[str, Expr]) -> str:
    """The value for a column: what was given, else its default, else NULL."""
    if column.name in given:
        return given[column.name].sql
    return default_value(env, column).sql


def default_value(env: Environment, column: ColumnDef) -> Expr:
    """A column's default (or next identity value) as an expression of the column's type."""
    if column.autoincrement is not None:
        from polynya.dialect.sequences import value_of

        sequence = env.context.catalog.by_id(column.autoincrement)
        if not isinstance(sequence, Sequence):
            raise compilation_error(2003, "02000", f"The sequence of column '{column.name}' does not exist.")
        return assigned(value_of(env, sequence), column, env)
    if column.default:
        return _default_expression(env, column)
    return null(column.type)


def _default_expression(env: Environment, column: ColumnDef) -> Expr:
    """A default's value: whoever may insert rows needs no right on the sequence that it draws from."""
    node, caller = parse_expression(str(column.default)), env.context
    if column.sequence is not None:
        from polynya.dialect.sequences import value_of

        sequence = drawn_from(caller.catalog, column)
        if sequence is None:
            raise does_not_exist("Sequence", str(column.default).rpartition(".")[0].upper())
        return assigned(value_of(env, sequence), column, env)
    if isinstance(node, exp.Column) and node.name.upper() == "NEXTVAL":
        env.context = replace(caller, unrestricted=True)
    try:
        return assigned(Binder(env, Scope()).expression(node), column, env)
    finally:
        env.context = caller


def assigned(expr: Expr, column: ColumnDef, env: Environment) -> Expr:
    """A value as it is stored in a column: cast implicitly, too long a string refused.

    Raises:
        SnowflakeError: 002023 if the types do not go together.
    """
    # A string is stored in a BINARY column as the bytes that its hexadecimal digits name, and read as a place.
    fits = expr.type.name == "VARCHAR" and column.type.name in ("BINARY", "GEOGRAPHY", "GEOMETRY")
    if (
        not fits
        and expr.type.name not in (column.type.name, "NULL")
        and casts.coerce(expr, column.type, env.context) is None
    ):
        raise compilation_error(
            2023,
            "22000",
            f"Expression type does not match column data type, expecting {column.type} but got {expr.type} for column {column.name}",
        )
    if expr.type == column.type:
        return expr
    return casts.assign(expr, column.type, env.context)


# --- multi-table INSERT -----------------------------------------------------------------------------------------------


def _insert_many(
    env: Environment, tree: exp.MultitableInserts, describe_only: bool
) -> tuple[StatementType, dict[str, int]]:
    """INSERT ALL | FIRST: the query runs once, into a scratch table, and each branch reads it."""
    source = bind_query_node(tree.args["source"], env, None, {})
    first_only = str(tree.args.get("kind")).upper() == "FIRST"
    scratch = _scratch_name()
    relation = Relation(Source(scratch, source.columns), env.alias())
    binder = Binder(env, Scope(relations=[relation]))
    branches: list[tuple[_Target, str]] = []
    condition: str | None = None
    earlier: list[str] = []
    for item in tree.expressions:
        if item.args.get("else_"):
            where = " AND ".join(f"({c}) IS NOT TRUE" for c in earlier) or "TRUE"
        else:
            if item.expression is not None:
                condition = binder.condition(item.expression).sql
                own = condition
                where = f"({own})" + ("".join(f" AND ({c}) IS NOT TRUE" for c in earlier) if first_only else "")
                earlier.append(own)
                last_where = where
            else:
                where = last_where if condition is not None else "TRUE"
        branches.append(_branch(env, item.this, binder, relation, where))
    counts: dict[str, int] = {}
    if not describe_only:
        connection = env.execution.connection
        with connection.atomic():
            connection.execute(f"CREATE TEMPORARY TABLE {scratch} AS SELECT * FROM {source.sql}", env.inputs)
            for target, statement in branches:
                _write(env, target, shared=True)
                key = f"number of rows inserted into {target.table.name}"
                counts[key] = counts.get(key, 0) + connection.execute(statement)
            connection.execute(f"DROP TABLE {scratch}")
    else:
        counts = {f"number of rows inserted into {target.table.name}": 0 for target, _ in branches}
    return StatementType.MULTI_TABLE_INSERT, counts


def _branch(
    env: Environment, insert: exp.Insert, binder: Binder, relation: Relation, where: str
) -> tuple[_Target, str]:
    schema = insert.this if isinstance(insert.this, exp.Schema) else None
    target = _target(env, schema.this if schema else insert.this, "INSERT")
    chosen = [target.column(resolve_identifier(i), i) for i in schema.expressions] if schema else target.table.columns
    if insert.expression is not None:
        row = insert.expression.expressions[0]
        bound = [(None, ()) if _is_default(c) else binder.traced(c) for c in row.expressions]
        cells = [expr for expr, _ in bound]
        origins = [found for _, found in bound]
    else:
        origins = [column.origins for column in relation.source.columns]
        cells = [Expr(f"{relation.alias}.{quote(c.stored_as)}", c.type, c.nullable) for c in relation.source.columns]
    if len(cells) != len(chosen):
        raise _wrong_count(len(chosen), len(cells))
    for column, found in zip(chosen, origins, strict=True):
        target.gets(column, found)
    given = {
        column.name: assigned(cell, column, env) for column, cell in zip(chosen, cells, strict=True) if cell is not None
    }
    items = ", ".join(_cell(env, column, given) for column in target.table.columns)
    return target, (
        f"INSERT INTO {target.table.stored_as} ({_names(target.table.columns)}) "
        f"SELECT {items} FROM {relation.source.sql} AS {relation.alias} WHERE {where}"
    )


def _scratch_name() -> str:
    return f'temp.main."scratch_{next(_scratch)}"'


# --- UPDATE, DELETE ---------------------------------------------------------------------------------------------------


def _update(env: Environment, tree: exp.Update, describe_only: bool) -> tuple[StatementType, dict[str, int]]:
    target = _target(env, tree.this, "UPDATE", "SELECT")
    scope = _scope_of(env, target)
    binder = Binder(env, scope)
    from_clause = tree.args.get("from_")
    others = _others(from_clause.this, binder) if from_clause is not None else ""
    where = f" WHERE {binder.condition(tree.args['where'].this).sql}" if tree.args.get("where") else ""
    values: dict[str, Expr] = {}
    seen: list[ColumnDef] = []
    for item in tree.expressions:
        column = target.column(resolve_identifier(item.this.this), item.this)
        seen.append(column)
        if _is_default(item.expression):
            target.gets(column, ())
            values[column.stored_as] = default_value(env, column)
            continue
        bound, origins = binder.traced(item.expression)
        target.gets(column, origins)
        values[column.stored_as] = assigned(bound, column, env)
    _check_duplicates(seen)
    updated = multiple = 0
    if not describe_only:
        with env.execution.connection.atomic():
            _write(env, target)
            if others or target.protected:
                updated, multiple = _update_joined(env, target, values, others, where)
            else:
                sets = ", ".join(f"{quote(name)} = {value.sql}" for name, value in values.items())
                updated = env.execution.connection.execute(
                    f"UPDATE {target.table.stored_as} AS {target.alias} SET {sets}{where}", env.inputs
                )
    counts = {"number of rows updated": updated}
    if not env.context.parameter("ERROR_ON_NONDETERMINISTIC_UPDATE"):
        counts["number of multi-joined rows updated"] = multiple
    return StatementType.UPDATE, counts


def _update_joined(
    env: Environment, target: _Target, values: dict[str, Expr], others: str, where: str
) -> tuple[int, int]:
    """UPDATE ... FROM over a scratch table of the joined rows: a row that joins several times is updated once.

    Returns:
        (rows updated, those of them that joined several times).
    """
    connection = env.execution.connection
    scratch = _scratch_name()
    table = target.table.stored_as
    cells = "".join(f", {value.sql} AS {quote(name)}" for name, value in values.items())
    connection.execute(
        f"CREATE TEMPORARY TABLE {scratch} AS SELECT {target.alias}.rowid AS rid{cells} "
        f"FROM {target.readable}{', ' if others else ''}{others}{where}",
        env.inputs,
    )
    if env.context.parameter("ERROR_ON_NONDETERMINISTIC_UPDATE"):
        _refuse_duplicates(env, scratch)
    counted = connection.table(f"SELECT count(*) FROM (SELECT rid FROM {scratch} GROUP BY rid HAVING count(*) > 1)")
    sets = ", ".join(f"{quote(name)} = m.{quote(name)}" for name in values)
    updated = connection.execute(
        f"UPDATE {table} AS {target.alias} SET {sets} FROM (SELECT DISTINCT ON (rid) * FROM {scratch}) AS m "
        f"WHERE {target.alias}.rowid = m.rid"
    )
    connection.execute(f"DROP TABLE {scratch}")
    return updated, counted.column(0)[0].as_py()


def _others(node: exp.Expr, binder: Binder) -> str:
    """The relations of UPDATE ... FROM or DELETE ... USING, bound beside the target."""
    from polynya.dialect.sources import _bind_item, _bind_join

    text = _bind_item(node, binder)
    for join in node.args.get("joins") or []:
        text = _bind_join(join, text, binder)
    return text


def _delete(env: Environment, tree: exp.Delete, describe_only: bool) -> tuple[StatementType, dict[str, int]]:
    target = _target(env, tree.this, "DELETE", "SELECT")
    binder = Binder(env, _scope_of(env, target))
    using = [_others(item, binder) for item in tree.args.get("using") or []]
    where = f" WHERE {binder.condition(tree.args['where'].this).sql}" if tree.args.get("where") else ""
    clause = f" USING {', '.join(using)}" if using else ""
    deleted = 0
    if not describe_only:
        with env.execution.connection.atomic():
            _write(env, target)
            table = target.table.stored_as
            if target.protected:
                seen = ", ".join([target.readable, *using])
                statement = f"DELETE FROM {table} WHERE rowid IN (SELECT {target.alias}.rowid FROM {seen}{where})"
            else:
                statement = f"DELETE FROM {table} AS {target.alias}{clause}{where}"
            deleted = env.execution.connection.execute(statement, env.inputs)
    return StatementType.DELETE, {"number of rows deleted": deleted}


# --- MERGE ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Action:
    """One WHEN clause: its number, kind (UPDATE, DELETE, INSERT), condition, and values by column."""

    index: int
    kind: str
    condition: str
    values: dict[str, Expr]


def _merge(env: Environment, tree: exp.Merge, describe_only: bool) -> tuple[StatementType, dict[str, int]]:
    """MERGE in steps over a scratch table that joins the source with the target's row ids.

    The engine's own MERGE takes one UPDATE or DELETE clause, does not count by action and lets two source rows change
    one target row.
    """
    target = _target(env, tree.this, *_merge_privileges(tree))
    scope = _scope_of(env, target)
    binder = Binder(env, scope)
    source_binder = Binder(env, Scope())
    source_text = _others(tree.args["using"], source_binder)
    scope.relations.extend(source_binder.scope.relations)
    on = binder.condition(tree.args["on"]).sql
    actions = [
        _action(index, when, target, binder, source_binder, env)
        for index, when in enumerate(tree.args["whens"].expressions)
    ]
    matched = [a for a in actions if a.kind != "INSERT"]
    unmatched = [a for a in actions if a.kind == "INSERT"]
    counts = {}
    for kind, label in (("INSERT", "inserted"), ("UPDATE", "updated"), ("DELETE", "deleted")):
        if any(action.kind == kind for action in actions):
            counts[f"number of rows {label}"] = 0
    if describe_only:
        return StatementType.MERGE, counts
    if not matched and len(unmatched) == 1:
        insert = _insert_unmatched(env, unmatched[0], target, source_text, on)
        with env.execution.connection.atomic():
            _write(env, target)
            counts["number of rows inserted"] = env.execution.connection.execute(insert, env.inputs)
        return StatementType.MERGE, counts
    scratch = _scratch_name()
    cells = []
    for action in actions:
        cells += [f"{expr.sql} AS {quote(f'{action.index}_{name}')}" for name, expr in action.values.items()]
    rid = f"{target.alias}.rowid"
    chosen = _chosen(rid, matched, unmatched)
    connection = env.execution.connection
    with connection.atomic():
        _write(env, target)
        text = ", ".join([f"{rid} AS rid", f"{chosen} AS act", *cells])
        connection.execute(
            f"CREATE TEMPORARY TABLE {scratch} AS SELECT * FROM (SELECT {text} FROM {source_text} LEFT JOIN {target.readable} "
            f"ON {on}) WHERE act IS NOT NULL",
            env.inputs,
        )
        if matched and env.context.parameter("ERROR_ON_NONDETERMINISTIC_MERGE"):
            _refuse_duplicates(env, scratch)
        for action in [*matched, *unmatched]:
            label = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}[action.kind]
            counts[f"number of rows {label}"] += connection.execute(_apply(env, action, target, scratch))
        connection.execute(f"DROP TABLE {scratch}")
    return StatementType.MERGE, counts


def _merge_privileges(tree: exp.Merge) -> list[str]:
    """What a MERGE needs on its target: to read it, and what its clauses do."""
    found = dict.fromkeys(["SELECT"])
    for when in tree.args["whens"].expressions:
        then = when.args["then"]
        found["INSERT" if isinstance(then, exp.Insert) else "UPDATE" if isinstance(then, exp.Update) else "DELETE"] = (
            None
        )
    return list(found)


def _insert_unmatched(env: Environment, action: _Action, target: _Target, source: str, on: str) -> str:
    """The statement of a MERGE that only inserts: no row of the target changes, so it needs no scratch table."""
    items = [
        action.values[column.name].sql if column.name in action.values else default_value(env, column).sql
        for column in target.table.columns
    ]
    stored = target.table.stored_as
    return (
        f"INSERT INTO {stored} ({_names(target.table.columns)}) SELECT {', '.join(items)} FROM {source} "
        f"ANTI JOIN {target.readable} ON {on} WHERE {action.condition}"
    )


def _chosen(rid: str, matched: list[_Action], unmatched: list[_Action]) -> str:
    """SQL of the number of the action that a joined row takes, or NULL."""
    whens = [f"WHEN {rid} IS NOT NULL AND ({action.condition}) THEN {action.index}" for action in matched]
    whens += [f"WHEN {rid} IS NULL AND ({action.condition}) THEN {action.index}" for action in unmatched]
    return f"CASE {' '.join(whens)} END"


def _action(
    index: int, when: exp.When, target: _Target, binder: Binder, source_binder: Binder, env: Environment
) -> _Action:
    condition_node, then = when.args.get("condition"), when.args["then"]
    if when.args.get("source"):
        raise unsupported("WHEN NOT MATCHED BY SOURCE")
    is_insert = isinstance(then, exp.Insert)
    if is_insert == bool(when.args.get("matched")):
        raise compilation_error(1003, "42000", "INSERT belongs to WHEN NOT MATCHED, UPDATE and DELETE to WHEN MATCHED.")
    # Not matched rows see the source alone.
    used = source_binder if is_insert else binder
    condition = used.condition(condition_node).sql if condition_node is not None else "TRUE"
    if isinstance(then, exp.Var):
        return _Action(index, "DELETE", condition, {})
    values: dict[str, Expr] = {}
    if isinstance(then, exp.Update):
        pairs = [(item.this, item.expression) for item in then.expressions if isinstance(item, exp.EQ)]
        if any(isinstance(item, exp.Star) for item in then.expressions):
            return _Action(index, "UPDATE", condition, _all_by_name(target, source_binder, env))
        for left, right in pairs:
            column = target.column(resolve_identifier(left.this), left)
            if _is_default(right):
                target.gets(column, ())
                values[column.name] = default_value(env, column)
                continue
            bound, origins = used.traced(right)
            target.gets(column, origins)
            values[column.name] = assigned(bound, column, env)
        return _Action(index, "UPDATE", condition, values)
    if isinstance(then.this, exp.Star):
        return _Action(index, "INSERT", condition, _all_by_name(target, source_binder, env))
    cells = then.expression.expressions if isinstance(then.expression, exp.Tuple) else [then.expression]
    if isinstance(then.this, exp.Tuple):
        columns = [
            target.column(resolve_identifier(c.this if isinstance(c, exp.Column) else c), c)
            for c in then.this.expressions
        ]
    else:
        columns = target.table.columns
    if len(columns) != len(cells):
        raise _wrong_count(len(columns), len(cells))
    for column, cell in zip(columns, cells, strict=True):
        if _is_default(cell):
            target.gets(column, ())
            continue
        bound, origins = used.traced(cell)
        target.gets(column, origins)
        values[column.name] = assigned(bound, column, env)
    return _Action(index, "INSERT", condition, values)


def _all_by_name(target: _Target, source_binder: Binder, env: Environment) -> dict[str, Expr]:
    """``ALL BY NAME``: the source's columns by the target's names."""
    found = dict(source_binder.star_columns(exp.Star()))
    names = {column.name for column in target.table.columns}
    if set(found) != names:
        raise compilation_error(
            2023,
            "42601",
            f"ALL BY NAME needs the same columns on both sides; they differ in {', '.join(sorted(set(found) ^ names))}.",
        )
    for column in target.table.columns:
        target.gets(column, found[column.name].origins)
    return {column.name: assigned(found[column.name], column, env) for column in target.table.columns}


def _refuse_duplicates(env: Environment, scratch: str) -> None:
    twice = env.execution.connection.table(
        f"SELECT rid FROM {scratch} WHERE rid IS NOT NULL GROUP BY rid HAVING count(*) > 1 LIMIT 1"
    )
    if twice.num_rows:
        raise SnowflakeError(
            100090,
            "42P18",
            "Duplicate row detected during DML action\nRow Values: a row of the target is matched by several rows of the source.",
        )


def _apply(env: Environment, action: _Action, target: _Target, scratch: str) -> str:
    """The statement that carries out one action for the scratch rows that take it."""
    stored = {column.name: column for column in target.table.columns}
    if action.kind == "DELETE":
        return f"DELETE FROM {target.table.stored_as} WHERE rowid IN (SELECT rid FROM {scratch} WHERE act = {action.index})"
    if action.kind == "UPDATE":
        sets = ", ".join(
            f"{quote(stored[name].stored_as)} = m.{quote(f'{action.index}_{name}')}" for name in action.values
        )
        return (
            f"UPDATE {target.table.stored_as} AS {target.alias} SET {sets} FROM (SELECT DISTINCT ON (rid) * FROM {scratch} "
            f"WHERE act = {action.index}) AS m WHERE {target.alias}.rowid = m.rid"
        )
    items = [
        f"m.{quote(f'{action.index}_{column.name}')}"
        if column.name in action.values
        else default_value(env, column).sql
        for column in target.table.columns
    ]
    return (
        f"INSERT INTO {target.table.stored_as} ({_names(target.table.columns)}) "
        f"SELECT {', '.join(items)} FROM {scratch} AS m WHERE m.act = {action.index}"
    )


_Statement = Callable[[Environment, exp.Expr, bool], tuple[StatementType, dict[str, int]]]
_STATEMENTS: dict[type, _Statement] = {
    exp.Insert: _insert,  # type: ignore[dict-item]
    exp.MultitableInserts: _insert_many,  # type: ignore[dict-item]
    exp.Update: _update,  # type: ignore[dict-item]
    exp.Delete: _delete,  # type: ignore[dict-item]
    exp.Merge: _merge,  # type: ignore[dict-item]
}
