"""Calls of Python functions taken out of a SELECT: they run over many rows at a time, and it reads their results.

``SELECT a, f(b) + 1 FROM t WHERE c`` becomes a step whose query is ``SELECT b, a FROM t WHERE c``, and
``SELECT a, r + 1 FROM step``. Only calls that are made for each row anyway go this way, and whose arguments come from
FROM alone; others stay where they are (``dialect.python_calls``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from polynya.catalog.model import Routine
from polynya.dialect.expression import Expr, quote
from polynya.dialect.python_runs import Runner, made_schema, ramped
from polynya.dialect.registry import FUNCTIONS
from polynya.storage.steps import Run, Step

if TYPE_CHECKING:
    from polynya.dialect.binder import Binder
    from polynya.dialect.environment import Environment

# Rows that a scalar function's workers are offered at once, once they have begun.
_MOST_ROWS = 1 << 18
# A string, a quoted name, or a column of one of our relations (alias, name).
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w.])(_\d+)\.("(?:[^"]|"")*")""")
_DEFINED = re.compile(r"\bAS (_\d+)\b")
_STRING = re.compile(r"'(?:[^']|'')*'")
_CTE = re.compile(r'"_\d+_(?:[^"]|"")*"')
# What may stand between a call and the SELECT it is taken out of: it evaluates its operands for each row.
_STRICT = (
    exp.Alias, exp.Paren, exp.Cast, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.DPipe, exp.EQ, exp.NEQ,
    exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.Not, exp.Dot, exp.Anonymous, exp.Distinct, exp.Window, exp.Order,
    exp.Ordered, exp.Group, exp.Having, exp.Qualify, exp.Kwarg, exp.WithinGroup,
)  # fmt: skip
# Functions that may leave arguments unevaluated.
_LAZY = {"IFF", "COALESCE", "NVL", "NVL2", "IFNULL", "DECODE", "CASE", "NULLIF", "NULLIFZERO", "ZEROIFNULL", "FILTER",
         "TRANSFORM", "REDUCE", "BOOLAND", "BOOLOR", "BOOLXOR"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LiftedCall:
    """A call that becomes a column.

    Args:
        routine: what is called.
        runner: how it runs; None where the statement is bound only.
        arguments: SQL of each.
        name: of the column.
        level: the calls among its arguments come from steps below.
    """

    routine: Routine
    runner: Runner | None
    arguments: list[str]
    name: str
    level: int


class Lift:
    """The calls taken out of one SELECT.

    Args:
        binder: of the SELECT.
        source: its FROM and WHERE clauses, bound.
    """

    def __init__(self, binder: Binder, source: str) -> None:
        self._binder = binder
        self._source = source
        self.step: str | None = None  # the step that the SELECT reads from
        # While ORDER BY is bound: a call with arguments as in the SELECT list has that one's value.
        self.again = False
        self._by_node: dict[int, LiftedCall] = {}
        self.alias = binder.env.alias()
        self.calls: list[LiftedCall] = []

    def take(self, routine: Routine, runner: Runner | None, given: list[Expr], node: exp.Expr) -> str | None:
        """Takes a call out, if that changes nothing but the speed.

        Args:
            routine: what is called.
            runner: how it runs.
            given: its arguments, of exactly its types.
            node: the call.

        Returns:
            SQL of its value, or None.
        """
        sqls = [expr.sql for expr in given]
        scope = self._binder.scope
        grouped = scope.group_keys is not None and not self._binder._inside_aggregate
        known = self._by_node.get(id(node))
        if known is not None and known.arguments != sqls:
            known = None
        if known is None and (grouped or self.again or not self._volatile(routine)):
            known = next((c for c in self.calls if c.routine.id == routine.id and c.arguments == sqls), None)
        if grouped:
            # What is computed for each row has one value a group only as a key.
            return self._column(known) if known and self._column(known) in (scope.group_keys or ()) else None
        if known is not None:
            return self._column(known)
        if not given or any(expr.aggregate or expr.window for expr in given) or not _unconditional(node):
            return None
        if not self._from_here(sqls):
            return None
        inner = [call.level for call in self.calls if any(self._column(call) in sql for sql in sqls)]
        call = LiftedCall(
            routine, runner, sqls, f"{self.alias}.{len(self.calls)}", max(inner) + 1 if inner else 0
        )  # fmt: skip
        self.calls.append(call)
        self._by_node[id(node)] = call
        return self._column(call)

    def place(self, with_clause: str, texts: list[str]) -> tuple[str, str, list[str]] | None:
        """Makes the steps and lets a SELECT read from them.

        Args:
            with_clause: of the SELECT.
            texts: its parts but FROM and WHERE.

        Returns:
            FROM and WHERE, WITH, and the other parts as they must be now; None if the SELECT stays as it is.
        """
        env = self._binder.env
        used = self._used(texts)
        if not used:
            return None
        own = {relation.alias for relation in self._binder.scope.relations}
        source = self._source
        head = ctes_of([source, *(sql for call in used for sql in call.arguments)], env)
        moved: set[str] = set()  # aliases whose columns the step below carries
        for level in range(max(call.level for call in used) + 1):
            calls = [call for call in used if call.level == level]
            above = [text for call in used if call.level > level for text in call.arguments]
            items = {
                f"{call.name}.{index}": self._moved(sql, moved)
                for call in calls
                for index, sql in enumerate(call.arguments)
            }
            carried = dict(self._references([*texts, *above], own, moved))
            for call in used:
                if call.level < level:
                    carried[call.name] = self._column(call)
            step = Step(
                items, carried, head, source, _run(calls), _made(calls), tuple(call.routine.name for call in calls)
            )
            self.step = env.add_step(step)
            source, head, moved = f" FROM {self.step} AS {self.alias}", "", own
        return source, self._needed(with_clause, texts), [self._moved(text, own) for text in texts]

    # -- inside

    def _column(self, call: LiftedCall) -> str:
        return f"{self.alias}.{quote(call.name)}"

    @staticmethod
    def _volatile(routine: Routine) -> bool:
        return routine.options.get("VOLATILITY") != "IMMUTABLE"

    def _used(self, texts: list[str]) -> list[LiftedCall]:
        """The calls whose columns these texts read, and those that they read."""
        used: list[LiftedCall] = []
        for call in reversed(self.calls):  # arguments hold earlier calls only
            column = self._column(call)
            if any(column in text for text in texts) or any(column in sql for c in used for sql in c.arguments):
                used.insert(0, call)
        return used

    def _from_here(self, sqls: list[str]) -> bool:
        """Whether these expressions need nothing but this SELECT's FROM, which needs nothing from around it."""
        return is_closed(f"{self._source} {' '.join(sqls)}", {self.alias}, self._binder.env)

    def _references(self, texts: list[str], own: set[str], moved: set[str]) -> Iterator[tuple[str, str]]:
        """(name in the step, SQL in its query) of the columns of FROM that texts read."""
        for text in texts:
            for token in _TOKEN.finditer(text):
                if token[1] in own:
                    yield _moved_name(token), self._moved(token[0], moved)

    def _moved(self, text: str, moved: set[str]) -> str:
        """The text with columns of these relations read from the step."""

        def column(token: re.Match[str]) -> str:
            return f"{self.alias}.{quote(_moved_name(token))}" if token[1] in moved else token[0]

        return _TOKEN.sub(column, text)

    @staticmethod
    def _needed(with_clause: str, texts: list[str]) -> str:
        """The WITH clause, if anything still reads from it."""
        return with_clause if any(_CTE.search(text) for text in texts) else ""


def is_closed(sql: str, known: set[str], env: Environment) -> bool:
    """Whether SQL refers to nothing but these aliases, those it defines itself, and bound common table expressions."""
    defined = known | set(_DEFINED.findall(_STRING.sub("''", sql)))
    if any(token[1] not in defined for token in _TOKEN.finditer(sql) if token[1]):
        return False
    return all(env.ctes.get(name) is not None for name in _CTE.findall(sql) if name in env.ctes)


def moved_columns(sql: str, carried: dict[str, str], alias: str) -> str:
    """SQL with columns read from a relation that carries them.

    Args:
        sql: over other relations.
        carried: the relation's columns: name -> SQL over those.
        alias: of the relation.
    """
    names = {text: name for name, text in carried.items()}
    return _TOKEN.sub(lambda token: f"{alias}.{quote(names[token[0]])}" if token[0] in names else token[0], sql)


def ctes_of(texts: list[str], env: Environment) -> str:
    """A WITH clause with the common table expressions that these texts read, or ""."""
    needed: set[str] = set()
    waiting = [name for text in texts for name in _CTE.findall(text)]
    while waiting:
        name = waiting.pop()
        found = env.ctes.get(name)
        if found is None or name in needed or any(f"{name} AS (" in text for text in texts):
            continue
        needed.add(name)
        waiting.extend(_CTE.findall(found[0]))
    bound = {name: cte for name, cte in env.ctes.items() if name in needed and cte is not None}
    if not bound:
        return ""
    word = "WITH RECURSIVE" if any(recursive for _, recursive in bound.values()) else "WITH"
    return f"{word} {', '.join(f'{name} AS {text}' for name, (text, _) in bound.items())} "


def _moved_name(token: re.Match[str]) -> str:
    return f"{token[1]}.{token[2][1:-1]}".replace('""', '"')


def _unconditional(node: exp.Expr) -> bool:
    """Whether a call is made for every row of its SELECT."""
    current = node.parent
    while current is not None and not isinstance(current, exp.Select):
        if not isinstance(current, _STRICT) or (isinstance(current, exp.Anonymous) and _is_lazy(current)):
            return False
        current = current.parent
    return current is not None


def _is_lazy(call: exp.Anonymous) -> bool:
    name = str(call.this).upper()
    return name in _LAZY or name.startswith("TRY_") or (name in FUNCTIONS and FUNCTIONS[name].kind == "window")


def _made(calls: list[LiftedCall]) -> pa.Schema:
    return made_schema((call.name, call.routine.returns) for call in calls if call.routine.returns is not None)


def _run(calls: list[LiftedCall]) -> Run:
    """What a step does with its query's batches: one call after the other, each over the stream of the one before."""

    def run(batches: Iterator[pa.RecordBatch], stopped: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
        flow = ramped(batches, _MOST_ROWS)
        for call in calls:
            assert call.runner is not None
            flow = call.runner.map(flow, call.name, stopped)
        return flow

    return run
