"""The SQL statements of a block: run, with what they leave in variables, RESULTSETs and cursors."""

from __future__ import annotations

import re
from collections.abc import Iterable

from polynya.dialect.binds import Binds
from polynya.errors import SnowflakeError, compilation_error
from polynya.statements.base import Execution
from polynya.statements.scripting import evaluation, exceptions, values
from polynya.statements.scripting.cursors import Cursor, row_types, rows_of
from polynya.statements.scripting.exceptions import Raised
from polynya.statements.scripting.syntax import Await, Expression, Immediate, Place, Source
from polynya.statements.scripting.values import Value
from polynya.statements.scripting.variables import ResultSetVariable, Scope, Variable
from polynya.types.resultset import ResultSet
from polynya.types.sqltype import BOOLEAN, INTEGER, VARCHAR

_STATE = "P0000"
_COPIES_FILES = re.compile(r"(?:\s|--[^\n]*\n|//[^\n]*\n|/\*.*?\*/)*(PUT|GET)\b", re.IGNORECASE | re.DOTALL)


class SqlRunner:
    """Runs statements for a block.

    Args:
        execution: of the statement that holds the block.
    """

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.row_count = Variable(INTEGER)
        self.found, self.not_found = Variable(BOOLEAN), Variable(BOOLEAN)
        self.query_id = Variable(VARCHAR)
        self.jobs: list[ResultSetVariable] = []

    def execute(self, source: Source, scope: Scope, place: Place, extra: Binds | None = None) -> ResultSet:
        """Runs a statement and notes what it did.

        Raises:
            Raised: STATEMENT_ERROR.
        """
        text, binds = self.statement_of(source, scope)
        if extra:
            binds = {**binds, **extra}
        copies = _COPIES_FILES.match(text)
        if copies:  # a client would have to copy them
            message = f"Stored procedure execution error: Unsupported statement type '{copies[1].upper()}_FILES'."
            raise exceptions.statement_error(SnowflakeError(90236, "42601", message), place)
        try:
            result = self.execution.execute(text, binds)
        except SnowflakeError as error:
            if self.execution.cancelled():
                raise
            raise exceptions.statement_error(error, place) from None
        rows = result.rows_affected
        self.row_count.value = rows
        self.found.value = None if rows is None else rows > 0
        self.not_found.value = None if rows is None else rows == 0
        ids = self.execution.context.last_query_ids
        self.query_id.value = ids[-1] if ids else None
        if source.into:
            self.take(source.into, result, scope, place)
        return result

    def statement_of(self, source: Source, scope: Scope) -> tuple[str, Binds]:
        """A statement's text and its binds."""
        if not isinstance(source, Immediate):
            try:
                return source.text, evaluation.binds_of(source.names, scope)
            except SnowflakeError as error:
                raise exceptions.statement_error(error, source.place) from None
        text = evaluation.evaluate(self.execution, source.text, scope)
        string = evaluation.convert(self.execution, text, VARCHAR, source.text.place)
        if string is None:
            raise exceptions.statement_error(compilation_error(900, "42601", "Empty SQL statement."), source.place)
        return string, self.using(source.using, scope)

    def using(self, expressions: Iterable[Expression], scope: Scope) -> Binds:
        """The values of USING (...) as the binds of a statement's question marks."""
        given = [evaluation.evaluate(self.execution, expression, scope) for expression in expressions]
        return {index: values.bind(value) for index, value in enumerate(given, start=1)}

    def take(self, into: list[str], result: ResultSet, scope: Scope, place: Place) -> None:
        """Puts the one row of a result into variables; without a row they become NULL."""
        rows = rows_of(result)
        row = next(rows, None)
        if row is not None and next(rows, None) is not None:
            count = result.data.num_rows
            raise exceptions.statement_error(
                SnowflakeError(
                    92240, "21000", f"A SELECT INTO statement expects exactly 1 returned row, but got {count}."
                ),
                place,
            )
        if len(into) != len(result.columns):
            raise exceptions.statement_error(
                compilation_error(
                    92241, "42601",
                    f"SELECT INTO has {len(into)} variables for {len(result.columns)} columns.",
                ),
                place,
            )  # fmt: skip
        for name, kind, item in zip(into, row_types(result), row or (None,) * len(into), strict=True):
            evaluation.assign(self.execution, scope.find(name), Value(kind, item), place)

    def fill(self, variable: ResultSetVariable, source: Source, asynchronous: bool, scope: Scope, place: Place) -> None:
        """Runs a statement whose rows a RESULTSET holds. An ASYNC one runs at once as well, but fails at AWAIT."""
        variable.pending, variable.awaited, variable.result = None, not asynchronous, None
        if not asynchronous:
            variable.result = self.execute(source, scope, place)
        else:
            self.jobs.append(variable)
            try:
                variable.result = self.execute(source, scope, place)
            except Raised as raised:
                variable.pending = raised.error
        variable.query_id = self.query_id.value or ""

    def await_(self, statement: Await, scope: Scope) -> None:
        jobs = self.jobs if statement.name is None else [scope.find(statement.name)]
        self.jobs = [job for job in self.jobs if job not in jobs]
        for job in jobs:
            job.awaited = True
            error, job.pending = job.pending, None
            if error is not None and not statement.cancels:
                raise exceptions.statement_error(error, statement.place)

    def rows_held(self, name: str, scope: Scope, place: Place) -> ResultSet:
        """The rows of a RESULTSET."""
        variable: ResultSetVariable = scope.find(name)
        if variable.result is None or not variable.awaited:
            why = "its ASYNC job has not been awaited" if not variable.awaited else "no statement was assigned to it"
            raise exceptions.statement_error(
                SnowflakeError(92242, _STATE, f"RESULTSET '{name}' has no rows: {why}."), place
            )
        return variable.result

    def open_cursor(self, cursor: Cursor, using: Binds, place: Place) -> None:
        source = cursor.declaration.source
        if isinstance(source, str):
            cursor.read(self.rows_held(source, cursor.scope, place))
        else:
            cursor.read(self.execute(source, cursor.scope, place, using))

    def opened(self, name: str, scope: Scope, place: Place) -> Cursor:
        cursor: Cursor = scope.find(name)
        if not cursor.is_open:
            raise self.cursor_error(name, "is not open", place)
        return cursor

    def cursor_error(self, name: str, what: str, place: Place) -> Raised:
        return exceptions.statement_error(SnowflakeError(92244, _STATE, f"Cursor '{name}' {what}."), place)
