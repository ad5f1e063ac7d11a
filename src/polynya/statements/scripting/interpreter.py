"""Runs the statements of a block."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from polynya.errors import SnowflakeError
from polynya.statements.base import Execution
from polynya.statements.scripting import evaluation, exceptions, names, values
from polynya.statements.scripting.cursors import Cursor, row_types, rows_of
from polynya.statements.scripting.exceptions import Declared, Raised
from polynya.statements.scripting.sql_runner import SqlRunner
from polynya.statements.scripting.syntax import (
    Assign,
    Await,
    Block,
    Case,
    Close,
    Declaration,
    DeclareCursor,
    DeclareException,
    DeclareResultSet,
    DeclareVariable,
    Fetch,
    ForCount,
    ForRows,
    Handler,
    If,
    Leave,
    Let,
    Nothing,
    Open,
    Place,
    Raise,
    Return,
    Run,
    Statement,
    While,
)
from polynya.statements.scripting.values import NOTHING, Value
from polynya.statements.scripting.variables import ResultSetVariable, Row, Scope, Variable
from polynya.types.resultset import ResultSet
from polynya.types.sqltype import INTEGER, VARCHAR

_STATE = "P0000"


class _Leaving(Exception):
    """BREAK or CONTINUE on its way to its loop."""

    def __init__(self, resumes: bool, label: str | None) -> None:
        super().__init__()
        self.resumes = resumes
        self.label = label


class Returned(Exception):
    """RETURN on its way out of the block.

    Args:
        value: what it returns, a table or a value.
    """

    def __init__(self, value: Value | ResultSet, place: Place) -> None:
        super().__init__()
        self.value = value
        self.place = place


class Interpreter(SqlRunner):
    """Runs one block, with those inside it.

    Args:
        execution: of the statement that holds the block.
        arguments: variables that are there before the block begins.
    """

    def __init__(self, execution: Execution, arguments: dict[str, Variable]) -> None:
        super().__init__(execution)
        self.globals = Scope()
        self.globals.names.update(
            SQLROWCOUNT=self.row_count, SQLFOUND=self.found, SQLNOTFOUND=self.not_found, SQLID=self.query_id,
            SQLCODE=Variable(INTEGER), SQLERRM=Variable(VARCHAR), SQLSTATE=Variable(VARCHAR),
            **exceptions.BUILT_IN,
        )  # fmt: skip
        self.arguments = Scope(self.globals, dict(arguments))
        # The exceptions that are being handled, innermost last.
        self.handling: list[Raised] = []
        # The blocks that run, and the scopes of their declarations, innermost last.
        self.active: list[tuple[Block, Scope]] = []

    def run(self, block: Block) -> Value | ResultSet:
        """Runs the block to its end or its RETURN.

        Raises:
            SnowflakeError: an exception that no handler took.
        """
        try:
            self.block(block, self.arguments)
        except Returned as returned:
            return returned.value
        except Raised as raised:
            raise raised.uncaught() from None
        return NOTHING

    # --- blocks and their exceptions ------------------------------------------------------------------------------

    def block(self, block: Block, outer: Scope) -> None:
        scope = outer.inner()
        for declaration in block.declarations:
            self.declare(declaration, scope)
        self.active.append((block, scope))
        try:
            self.statements(block.statements, scope.inner())
            return
        except Raised as error:
            raised = error
        finally:
            self.active.pop()
        handler = self.handler_of(block, scope, raised)
        if handler is None:
            raise raised
        self.handle(handler, scope, raised)

    def handler_of(self, block: Block, scope: Scope, raised: Raised) -> Handler | None:
        """The first handler of a block for an exception; what its own handlers raise is for the blocks around it."""
        if raised.beyond is scope:
            return None
        for handler in block.handlers:
            if not handler.names or any(scope.find(name) is raised.exception for name in handler.names):
                return handler
        return None

    def handle(self, handler: Handler, outer: Scope, raised: Raised) -> None:
        scope = outer.inner()
        scope.names["SQLCODE"] = Variable(INTEGER, raised.error.code)
        scope.names["SQLERRM"] = Variable(VARCHAR, raised.error.message)
        scope.names["SQLSTATE"] = Variable(VARCHAR, raised.error.sqlstate)
        self.handling.append(raised)
        kept, self.active = self.active, []
        try:
            self.statements(handler.statements, scope)
        except Raised as another:
            another.beyond = outer
            raise
        finally:
            self.handling.pop()
            self.active = kept

    def statements(self, statements: Iterable[Statement], scope: Scope) -> None:
        for statement in statements:
            if self.execution.cancelled():
                raise SnowflakeError(604, "57014", "SQL execution canceled")
            try:
                _RUN[type(statement)](self, statement, scope)
            except Raised as raised:
                if not self.resumed(raised):
                    raise

    def resumed(self, raised: Raised) -> bool:
        """Runs the handler with CONTINUE that the innermost block has for an exception, if it has one."""
        if not self.active:
            return False
        block, scope = self.active[-1]
        handler = self.handler_of(block, scope, raised)
        if handler is None or not handler.resumes:
            return False
        self.handle(handler, scope, raised)
        return True

    # --- declarations -------------------------------------------------------------------------------------------------

    def declare(self, declaration: Declaration, scope: Scope) -> None:
        match declaration:
            case DeclareVariable():
                scope.names[declaration.name] = self.variable(declaration, scope)
            case DeclareCursor():
                scope.names[declaration.name] = Cursor(declaration, scope)
            case DeclareResultSet():
                variable = ResultSetVariable()
                if declaration.source is not None:
                    self.fill(variable, declaration.source, declaration.asynchronous, scope, declaration.place)
                scope.names[declaration.name] = variable
            case DeclareException():
                scope.names[declaration.name] = Declared(declaration.name, declaration.number, declaration.text)

    def variable(self, declaration: DeclareVariable, scope: Scope) -> Variable:
        default = declaration.default
        value = NOTHING if default is None else evaluation.evaluate(self.execution, default, scope)
        kind = declaration.type
        if kind is None:
            kind = values.inferred(value.type)
            if kind is None:
                raise names.not_inferred(declaration)
        variable = Variable(kind)
        if default is not None:
            evaluation.assign(self.execution, variable, value, default.place)
        return variable

    def let(self, statement: Let, scope: Scope) -> None:
        self.declare(statement.declaration, scope)

    def assign(self, statement: Assign, scope: Scope) -> None:
        target = scope.find(statement.name)
        if statement.source is not None:
            self.fill(target, statement.source, statement.asynchronous, scope, statement.place)
            return
        assert statement.value is not None
        value = evaluation.evaluate(self.execution, statement.value, scope)
        evaluation.assign(self.execution, target, value, statement.value.place)

    def run_statement(self, statement: Run, scope: Scope) -> None:
        if statement.asynchronous:
            job = ResultSetVariable()
            self.fill(job, statement.source, True, scope, statement.place)
            return
        self.execute(statement.source, scope, statement.place)

    # --- branches and loops ---------------------------------------------------------------------------------------

    def if_(self, statement: If, scope: Scope) -> None:
        for condition, body in statement.branches:
            if evaluation.condition(self.execution, condition, scope):
                self.statements(body, scope.inner())
                return
        self.statements(statement.otherwise, scope.inner())

    def case(self, statement: Case, scope: Scope) -> None:
        operand = statement.operand
        value = None if operand is None else evaluation.evaluate(self.execution, operand, scope)
        for branch, body in statement.branches:
            if value is None:
                chosen = evaluation.condition(self.execution, branch, scope)
            else:
                other = evaluation.evaluate(self.execution, branch, scope)
                chosen = evaluation.equal(self.execution, value, other, branch.place)
            if chosen:
                self.statements(body, scope.inner())
                return
        self.statements(statement.otherwise, scope.inner())

    def turn(self, body: list[Statement], scope: Scope, label: str | None) -> bool:
        """One turn of a loop; False if it ends the loop."""
        if self.execution.cancelled():
            raise SnowflakeError(604, "57014", "SQL execution canceled")
        try:
            self.statements(body, scope.inner())
        except _Leaving as leaving:
            if leaving.label is not None and leaving.label != label:
                raise
            return leaving.resumes
        return True

    def for_count(self, statement: ForCount, scope: Scope) -> None:
        first = evaluation.whole_number(self.execution, statement.first, scope)
        last = evaluation.whole_number(self.execution, statement.last, scope)
        if first is None or last is None:
            empty = statement.first if first is None else statement.last
            raise exceptions.expression_error(
                SnowflakeError(92243, _STATE, "the bounds of a FOR loop must not be NULL"), empty.place
            )
        numbers = range(first, last + 1)
        for number in reversed(numbers) if statement.reverse else numbers:
            inner = scope.inner()
            inner.names[statement.variable] = Variable(INTEGER, number)
            if not self.turn(statement.body, inner, statement.label):
                break

    def for_rows(self, statement: ForRows, scope: Scope) -> None:
        source = scope.find(statement.source)
        cursor: Cursor | None = None
        if isinstance(source, Cursor):
            cursor = source
            if not cursor.is_open:
                self.open_cursor(cursor, {}, statement.place)
            assert cursor.result is not None and cursor.rows is not None
            result, rows = cursor.result, cursor.rows
        else:
            result = self.rows_held(statement.source, scope, statement.place)
            rows = rows_of(result)
        row = Row.of(result.columns, row_types(result))
        for values_of_row in rows:
            row.values = values_of_row
            inner = scope.inner()
            inner.names[statement.variable] = row
            if not self.turn(statement.body, inner, statement.label):
                break
        if cursor is not None:
            cursor.close()

    def while_(self, statement: While, scope: Scope) -> None:
        condition, until = statement.condition, statement.until
        while True:
            if condition is not None and not until and not evaluation.condition(self.execution, condition, scope):
                break
            if not self.turn(statement.body, scope, statement.label):
                break
            if condition is not None and until and evaluation.condition(self.execution, condition, scope):
                break

    def leave(self, statement: Leave, scope: Scope) -> None:
        raise _Leaving(statement.resumes, statement.label)

    # --- the rest -----------------------------------------------------------------------------------------------------

    def return_(self, statement: Return, scope: Scope) -> None:
        if statement.table is not None:
            raise Returned(self.rows_held(statement.table, scope, statement.place), statement.place)
        if statement.cursor is not None:
            cursor = self.opened(statement.cursor, scope, statement.place)
            assert cursor.result is not None
            raise Returned(cursor.result, statement.place)
        if statement.source is not None:
            raise Returned(self.execute(statement.source, scope, statement.place), statement.place)
        value = NOTHING if statement.value is None else evaluation.evaluate(self.execution, statement.value, scope)
        raise Returned(value, statement.place)

    def open(self, statement: Open, scope: Scope) -> None:
        cursor: Cursor = scope.find(statement.cursor)
        if cursor.is_open:
            raise self.cursor_error(statement.cursor, "is open already", statement.place)
        self.open_cursor(cursor, self.using(statement.using, scope), statement.place)

    def fetch(self, statement: Fetch, scope: Scope) -> None:
        """Behind the last row there are NULLs; variables without a column keep their values."""
        cursor = self.opened(statement.cursor, scope, statement.place)
        assert cursor.result is not None and cursor.rows is not None
        types = row_types(cursor.result)
        row = next(cursor.rows, None) or (None,) * len(types)
        for name, kind, item in zip(statement.into, types, row, strict=False):
            evaluation.assign(self.execution, scope.find(name), Value(kind, item), statement.place)

    def close(self, statement: Close, scope: Scope) -> None:
        self.opened(statement.cursor, scope, statement.place).close()

    def raise_(self, statement: Raise, scope: Scope) -> None:
        if statement.name is None:
            raise self.handling[-1]
        raise exceptions.user_exception(scope.find(statement.name), statement.place)

    def nothing(self, statement: Nothing, scope: Scope) -> None:
        """NULL does nothing."""


_RUN: dict[type, Callable[[Interpreter, Any, Scope], None]] = {
    Block: Interpreter.block,
    Let: Interpreter.let,
    Assign: Interpreter.assign,
    Run: Interpreter.run_statement,
    If: Interpreter.if_,
    Case: Interpreter.case,
    ForCount: Interpreter.for_count,
    ForRows: Interpreter.for_rows,
    While: Interpreter.while_,
    Leave: Interpreter.leave,
    Return: Interpreter.return_,
    Open: Interpreter.open,
    Fetch: Interpreter.fetch,
    Close: Interpreter.close,
    Raise: Interpreter.raise_,
    Await: Interpreter.await_,
    Nothing: Interpreter.nothing,
}
