"""Finds what the names in a block mean, before any of its statements runs.

Names in expressions become placeholders, whose values the interpreter binds; so do ``:name`` in SQL statements. Names
inside a subquery without a colon are columns, as in Snowflake.

Source: docs.snowflake.com/en/developer-guide/snowflake-scripting/variables.
"""

from __future__ import annotations

from sqlglot import exp

from polynya.dialect.naming import quote_if_needed
from polynya.dialect.parse import parse
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, compilation_error, invalid_identifier
from polynya.statements import files, transactions
from polynya.statements.base import find_handler
from polynya.statements.scripting.expression_names import (
    CURSOR,
    EXCEPTION,
    RESULTSET,
    ROW,
    VALUE,
    Names,
    bind_key,
    moved,
    resolve_expression,
)
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
    Expression,
    Fetch,
    ForCount,
    ForRows,
    Handler,
    If,
    Immediate,
    Leave,
    Let,
    Name,
    Open,
    Place,
    Query,
    Raise,
    Return,
    Run,
    Source,
    Statement,
    While,
)

# Variables that are always there.
BUILT_IN = ("SQLROWCOUNT", "SQLFOUND", "SQLNOTFOUND", "SQLID", "SQLCODE", "SQLERRM", "SQLSTATE")
BUILT_IN_EXCEPTIONS = ("STATEMENT_ERROR", "EXPRESSION_ERROR")
# Statements that the parser of queries reads.
_PARSED = {"SELECT", "WITH", "VALUES", "(", "INSERT", "UPDATE", "DELETE", "MERGE"}


def resolve(block: Block, arguments: list[str]) -> None:
    """Resolves all names of a block.

    Args:
        block: changed: its expressions get their trees, its statements their binds.
        arguments: names of a procedure's arguments.

    Raises:
        SnowflakeError: 000904 for a name that nothing declares, 001003 for an expression's syntax.
    """
    scope = Names(kinds={**dict.fromkeys(BUILT_IN, VALUE), **dict.fromkeys(BUILT_IN_EXCEPTIONS, EXCEPTION)})
    outer = scope.inner()
    outer.kinds.update(dict.fromkeys(arguments, VALUE))
    _block(block, outer)


def _block(block: Block, outer: Names) -> None:
    scope = outer.inner()
    for declaration in block.declarations:
        _declare(declaration, scope)
    _statements(block.statements, scope.inner())
    for handler in block.handlers:
        _handler(handler, scope)


def _handler(handler: Handler, scope: Names) -> None:
    for name in handler.names:
        _expect(scope, name, EXCEPTION, handler.place)
    _statements(handler.statements, scope.inner(handles=True))


def _declare(declaration: Declaration, scope: Names) -> None:
    if declaration.name in scope.kinds:
        raise compilation_error(
            92223, "P0000", f"duplicate declaration of '{quote_if_needed(declaration.name)}'", declaration.place
        )
    match declaration:
        case DeclareVariable():
            if declaration.default is not None:
                resolve_expression(declaration.default, scope)
                if declaration.type is None:
                    _check_inferable(declaration, declaration.default)
            kind = VALUE
        case DeclareCursor():
            if isinstance(declaration.source, str):
                _expect(scope, declaration.source, RESULTSET, declaration.place)
            else:
                _query(declaration.source, scope)
            kind = CURSOR
        case DeclareResultSet():
            if declaration.source is not None:
                _source(declaration.source, scope)
            kind = RESULTSET
        case DeclareException():
            kind = EXCEPTION
    scope.kinds[declaration.name] = kind


def _check_inferable(declaration: DeclareVariable, value: Expression) -> None:
    """NULL has no type, nor has a row's column before the cursor is open: no variable can take its type from them."""
    if isinstance(value.tree, exp.Null) or (value.plain is not None and value.plain[1] is not None):
        raise not_inferred(declaration)


def not_inferred(declaration: DeclareVariable) -> SnowflakeError:
    """092228: a declaration without a type, whose initial value does not say one."""
    return compilation_error(
        92228,
        "P0000",
        f"variable '{quote_if_needed(declaration.name)}' cannot have its type inferred from initializer",
        declaration.place,
    )


def _statements(statements: list[Statement], scope: Names) -> None:
    for statement in statements:
        _statement(statement, scope)


def _statement(statement: Statement, scope: Names) -> None:
    match statement:
        case Block():
            _block(statement, scope)
        case Let():
            _declare(statement.declaration, scope)
        case Assign():
            _assignment(statement, scope)
        case Run():
            _source(statement.source, scope)
        case If():
            for condition, body in statement.branches:
                resolve_expression(condition, scope)
                _statements(body, scope.inner())
            _statements(statement.otherwise, scope.inner())
        case Case():
            if statement.operand is not None:
                resolve_expression(statement.operand, scope)
            for value, body in statement.branches:
                resolve_expression(value, scope)
                _statements(body, scope.inner())
            _statements(statement.otherwise, scope.inner())
        case ForCount():
            resolve_expression(statement.first, scope)
            resolve_expression(statement.last, scope)
            _loop(statement, scope, {statement.variable: VALUE})
        case ForRows():
            if scope.kind(statement.source) != RESULTSET:
                _expect(scope, statement.source, CURSOR, statement.place)
            _loop(statement, scope, {statement.variable: ROW})
        case While():
            _loop(statement, scope, {})
        case Leave():
            _leave(statement, scope)
        case Return():
            _return(statement, scope)
        case Open():
            _expect(scope, statement.cursor, CURSOR, statement.place)
            for value in statement.using:
                resolve_expression(value, scope)
        case Fetch():
            _expect(scope, statement.cursor, CURSOR, statement.place)
            _targets(statement.into, scope, statement.place)
        case Close():
            _expect(scope, statement.cursor, CURSOR, statement.place)
        case Raise():
            if statement.name is not None:
                _expect(scope, statement.name, EXCEPTION, statement.place)
            elif not scope.handles:
                raise compilation_error(
                    92236, "P0000", "RAISE without an exception's name stands outside of a handler.", statement.place
                )
        case Await(name=str(name)):
            _expect(scope, name, RESULTSET, statement.place)


def _assignment(statement: Assign, scope: Names) -> None:
    kind = scope.kind(statement.name)
    if kind == RESULTSET:
        if statement.source is None:
            raise compilation_error(
                92237, "P0000", f"a RESULTSET takes a statement in parentheses: '{statement.name}'", statement.place
            )
        _source(statement.source, scope)
        statement.value = None
        return
    _expect(scope, statement.name, VALUE, statement.place)
    if statement.value is None:
        raise invalid_identifier("ASYNC", statement.place)
    resolve_expression(statement.value, scope)
    statement.source = None


def _loop(statement: ForCount | ForRows | While, scope: Names, variables: dict[str, str]) -> None:
    inner = scope.inner(labels=(*scope.labels, statement.label))
    inner.kinds.update(variables)
    if isinstance(statement, While) and statement.condition is not None:
        resolve_expression(statement.condition, inner)
    _statements(statement.body, inner.inner())


def _leave(statement: Leave, scope: Names) -> None:
    word = "CONTINUE" if statement.resumes else "BREAK"
    if not scope.labels:
        raise compilation_error(92238, "P0000", f"{word} stands outside of a loop.", statement.place)
    if statement.label is not None and statement.label not in scope.labels:
        raise invalid_identifier(quote_if_needed(statement.label), statement.place)


def _return(statement: Return, scope: Names) -> None:
    if statement.value is not None:
        resolve_expression(statement.value, scope)
    if statement.table is not None:
        _expect(scope, statement.table, RESULTSET, statement.place)
    if statement.cursor is not None:
        _expect(scope, statement.cursor, CURSOR, statement.place)
    if statement.source is not None:
        _source(statement.source, scope)


def _expect(scope: Names, name: str, kind: str, place: Place) -> None:
    """The name must stand for something of this kind."""
    found = scope.kind(name)
    if found is None:
        raise invalid_identifier(quote_if_needed(name), place)
    if found != kind:
        raise compilation_error(92239, "P0000", f"'{quote_if_needed(name)}' is a {found}, not a {kind}.", place)


def _targets(names: list[str], scope: Names, place: Place) -> None:
    for name in names:
        _expect(scope, name, VALUE, place)


# --- SQL statements ---------------------------------------------------------------------------------------------------


def _source(source: Source, scope: Names) -> None:
    if isinstance(source, Immediate):
        resolve_expression(source.text, scope)
        for value in source.using:
            resolve_expression(value, scope)
        _targets(source.into, scope, source.place)
    else:
        _query(source, scope)


def _query(query: Query, scope: Names) -> None:
    text = query.text
    for mention in reversed(query.mentions):
        kind = scope.kind(mention.name)
        if kind is None:
            raise compilation_error(
                2049, "42601", f"Bind variable :{quote_if_needed(mention.name)} not set.", mention.place
            )
        if kind == ROW and mention.column is not None:
            name: Name = (mention.name, mention.column)
            text = f"{text[: mention.start]}:{bind_key(name)}{text[mention.column_end :]}"
        elif kind == VALUE:
            name = (mention.name, None)
            if bind_key(name) != mention.name:
                text = f"{text[: mention.start]}:{bind_key(name)}{text[mention.end :]}"
        else:
            raise compilation_error(
                92239, "P0000", f"'{quote_if_needed(mention.name)}' is a {kind}, not a variable.", mention.place
            )
        query.names[bind_key(name)] = name
    query.text = text
    _targets(query.into, scope, query.place)
    _check_syntax(query)


def _check_syntax(query: Query) -> None:
    """A block whose statements cannot be read does not begin to run.

    Raises:
        SnowflakeError: 001003 with the place in the block.
    """
    from polynya.statements.dispatch import unknown_statement

    stream = TokenStream(query.text)
    words = stream.words()
    try:
        if words[0] not in _PARSED:
            known = find_handler(words) or transactions.command(words) or files.is_file_statement(query.text)
            if not known and words[0] != "EXPLAIN":
                raise unknown_statement(stream)
        elif "PROCEDURE" not in words[:6] and "->>" not in query.text:
            parse(query.text)
    except SnowflakeError as error:
        raise moved(error, query.place, 0) from None
