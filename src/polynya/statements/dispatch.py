"""One statement's text -> its result: a query, DML, a transaction command, or a kind with a handler of its own."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from polynya.catalog.names import join_name
from polynya.dialect.binds import Binds
from polynya.dialect.parse import parse
from polynya.dialect.query import BoundQuery, bind_query
from polynya.dialect.quoted_names import ignore_case
from polynya.dialect.tokens import TokenStream, is_path
from polynya.errors import SnowflakeError, compilation_error, syntax_error, unsupported
from polynya.statements import call, dml, files, handlers, immediate, scripting, transactions
from polynya.statements.base import Execution, Handler, find_handler
from polynya.statements.consuming import StreamMoved
from polynya.statements.scripting import boundaries
from polynya.types.arrow import arrow_type, conform
from polynya.types.resultset import ResultSet, StatementType, rows

_QUERY_WORDS = {"SELECT", "WITH", "VALUES", "("}
_DML_WORDS = {"INSERT", "UPDATE", "DELETE", "MERGE"}
# Statements that end an open transaction by committing it, as Snowflake does.
COMMITTING = {"CREATE", "ALTER", "DROP", "UNDROP", "GRANT", "REVOKE", "COMMENT", "TRUNCATE"}
# A statement is bound anew so often when others consume the streams that it reads.
_CONSUMED_BY_OTHERS = 20
# Statements that change nothing: where only their columns are asked for, they are run and their rows dropped.
_READING = {"SHOW", "DESCRIBE", "DESC", "LIST", "LS", "EXPLAIN", "PUT", "GET"}


def run(execution: Execution, text: str, binds: Binds | None = None, describe_only: bool = False) -> ResultSet:
    """Runs one statement.

    Args:
        execution: what it runs with.
        text: one statement; a final semicolon is allowed.
        binds: values of its bind variables.
        describe_only: answer the result's columns without running it.

    Raises:
        SnowflakeError: with Snowflake's code; nothing of the statement remains then.
    """
    for _ in range(_CONSUMED_BY_OTHERS):
        try:
            return _run(execution, text, binds, describe_only)
        except StreamMoved:
            if execution.connection.in_transaction:
                raise
    return _run(execution, text, binds, describe_only)


def _run(execution: Execution, text: str, binds: Binds | None, describe_only: bool) -> ResultSet:
    handlers.load()
    binds = binds or {}
    if files.is_file_statement(text):  # before its paths are taken for tokens and comments
        return files.run(execution, text, binds, describe_only)
    if execution.context.parameter("QUOTED_IDENTIFIERS_IGNORE_CASE"):
        text = ignore_case(text)
    stream = TokenStream(text)
    while stream.tokens and stream.tokens[-1].token_type == TokenType.SEMICOLON:
        last = stream.tokens.pop()
        text = text[: last.start]
        stream.text = text
    if not stream.tokens:
        raise compilation_error(900, "42601", "Empty SQL statement.")
    words = stream.words()
    first = words[0]
    if boundaries.begins_block(stream.tokens, 0):
        return scripting.describe_block() if describe_only else scripting.run_block(execution, text)
    pipe = _pipe(stream)
    if pipe is not None:
        return _piped(execution, text, stream, pipe, binds, describe_only)
    if first in _QUERY_WORDS and not _anonymous_procedure(words):
        return _query(execution, text, binds, describe_only)
    if first in _DML_WORDS:
        return dml.run(execution, parse(text), binds, describe_only)
    command = transactions.command(words)
    if command is not None:
        return transactions.run(execution, command, describe_only)
    if binds and first == "CREATE" and {"VIEW", "FUNCTION", "PROCEDURE"} & set(words[1:6]):
        raise compilation_error(2210, "42601", "Bind variables not allowed in view and UDF definitions.")
    left = immediate.binds_left(stream, binds) if first == "EXECUTE" else {}
    if binds or _has_identifier_function(stream):
        stream = _substituted(stream, binds, execution)
        words = stream.words()
    if first == "EXPLAIN":
        return _explain(execution, stream)
    handler = find_handler(words)
    if handler is None:
        raise unknown_statement(stream)
    if handler is immediate.execute_immediate and left:
        handler = partial(immediate.run_with, given=left)
    if describe_only and first in ("CALL", "WITH"):
        return call.describe(execution, stream, binds)
    if describe_only and first not in _READING:
        return _described(first)
    if first in COMMITTING and execution.connection.in_transaction:
        result = _ddl_in_transaction(execution, handler, stream, words)
    else:
        result = handler(execution, stream)
    if describe_only:
        result.data = _no_rows(result)
    return result


def _anonymous_procedure(words: list[str]) -> bool:
    return words[0] == "WITH" and "PROCEDURE" in words[:6]


def _query(execution: Execution, text: str, binds: Binds, describe_only: bool) -> ResultSet:
    tree = parse(text)
    if isinstance(tree, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):  # WITH ... INSERT
        return dml.run(execution, tree, binds, describe_only)
    bound = bind_query(tree, execution.context, execution=execution, binds=binds, describe_only=describe_only)
    return run_query(execution, bound, describe_only)


def run_query(execution: Execution, bound: BoundQuery, describe_only: bool = False) -> ResultSet:
    """The result of a bound query; its rows are produced while they are read.

    Args:
        execution: of the statement.
        bound: the query.
        describe_only: answer no rows and run nothing.
    """
    if describe_only:
        return ResultSet(bound.columns, rows(bound.columns, []).data)
    execution.access.read(bound.reads)
    if bound.needs_warehouse:
        execution.use_warehouse()
    reader = execution.connection.query(bound.sql, bound.inputs)
    return ResultSet(bound.columns, conform(reader, [arrow_type(column.type) for column in bound.columns]))


def _described(first: str) -> ResultSet:
    """The columns of a statement that answers with a status."""
    from polynya.types.resultset import Column
    from polynya.types.sqltype import VARCHAR

    return rows([Column("status", VARCHAR)], [], StatementType.DDL)


def _no_rows(result: ResultSet) -> object:
    return rows(result.columns, []).data


def _ddl_in_transaction(execution: Execution, handler: Handler, stream: TokenStream, words: list[str]) -> ResultSet:
    """DDL commits an open transaction first; Snowpark asks to spare it for objects that it makes on its own."""
    if not execution.context.parameter("SNOWPARK_SKIP_TXN_COMMIT_IN_DDL"):
        execution.connection.commit()
        return handler(execution, stream)
    # A DROP of a temporary object does not say that it is one.
    if words[0] == "DROP" or {"TEMP", "TEMPORARY"} & set(words[:6]):
        return handler(execution, stream)
    # What outlives the session must not depend on how the transaction ends.
    beside = execution.connection.sibling()
    try:
        return handler(replace(execution, connection=beside), stream)
    finally:
        beside.close()


def unknown_statement(stream: TokenStream) -> SnowflakeError:
    """Why a statement that no one handles is refused."""
    token = stream.tokens[0]
    if re.fullmatch(r"[A-Za-z_]+", token.text) and token.text.upper() in _KNOWN_STATEMENTS:
        return unsupported(" ".join(word for word in stream.words(3) if word))
    return syntax_error(token.text, token.line, max(token.col - len(token.text), 0))


_KNOWN_STATEMENTS = {
    "CREATE", "ALTER", "DROP", "UNDROP", "SHOW", "DESCRIBE", "DESC", "GRANT", "REVOKE", "CALL", "EXECUTE", "COPY",
    "PUT", "GET", "LIST", "LS", "REMOVE", "RM", "USE", "SET", "UNSET", "COMMENT", "TRUNCATE", "DECLARE", "BEGIN",
    "LET", "IF", "FOR", "WHILE", "RETURN", "WITH", "EXPLAIN",
}  # fmt: skip


# --- EXPLAIN ----------------------------------------------------------------------------------------------------------


def _explain(execution: Execution, stream: TokenStream) -> ResultSet:
    """EXPLAIN [USING TABULAR | TEXT | JSON] statement."""
    from polynya.statements.explain import explain

    return explain(execution, stream)


# --- pipes: SHOW ... ->> SELECT ... FROM $1 ------------------------------------------------------------------------------


def _pipe(stream: TokenStream) -> int | None:
    """The number of the first ``->>`` token, or None. The tokenizer may see ``->`` and ``>``."""
    for index, token in enumerate(stream.tokens):
        if token.token_type not in (TokenType.STRING, TokenType.IDENTIFIER) and stream.text.startswith(
            "->>", token.start
        ):
            return index
    return None


def _piped(
    execution: Execution, text: str, stream: TokenStream, pipe: int, binds: Binds, describe_only: bool
) -> ResultSet:
    """``first ->> second``: ``$1`` in the second's FROM is the first's result.

    Source: docs.snowflake.com/en/sql-reference/operators-flow.
    """
    at = stream.tokens[pipe].start
    first = run(execution, text[:at], binds)
    table = first.data.read_all() if hasattr(first.data, "read_all") else first.data
    first.data = table
    rest = text[at + 3 :]
    from polynya.dialect.flow import piped_results

    with piped_results(first):
        return _drained(run(execution, rest, binds, describe_only))


def _drained(result: ResultSet) -> ResultSet:
    if hasattr(result.data, "read_all"):
        result.data = result.data.read_all()
    return result


# --- binds and IDENTIFIER() in statements that are not queries ------------------------------------------------------------


def _has_identifier_function(stream: TokenStream) -> bool:
    tokens = stream.tokens
    return any(
        token.token_type != TokenType.IDENTIFIER
        and token.text.upper() == "IDENTIFIER"
        and index + 1 < len(tokens)
        and tokens[index + 1].token_type == TokenType.L_PAREN
        for index, token in enumerate(tokens)
    )


def _substituted(stream: TokenStream, binds: Binds, execution: Execution) -> TokenStream:
    """The statement with its binds as literals and ``IDENTIFIER('name')`` as the name."""
    pieces: list[str] = []
    tokens, index, copied, question = stream.tokens, 0, 0, 0
    while index < len(tokens):
        token = tokens[index]
        if token.token_type == TokenType.PLACEHOLDER or token.text == "?":
            question += 1
            pieces += [stream.text[copied : token.start], _bind_text(binds, question)]
            copied = token.end + 1
        elif (
            token.token_type == TokenType.COLON
            and index + 1 < len(tokens)
            and _is_bind(tokens[index + 1], binds)
            and not is_path(stream.text, tokens, index)
        ):
            name = tokens[index + 1].text
            pieces += [
                stream.text[copied : token.start],
                _bind_text(binds, int(name) if name.isdigit() else name.upper()),
            ]
            index += 1
            copied = tokens[index].end + 1
        elif (
            token.text.upper() == "IDENTIFIER"
            and token.token_type != TokenType.IDENTIFIER
            and index + 1 < len(tokens)
            and tokens[index + 1].token_type == TokenType.L_PAREN
        ):
            close = index + 2
            while close < len(tokens) and tokens[close].token_type != TokenType.R_PAREN:
                close += 1
            if tokens[index + 2].text == "?":
                question += 1
            name = _one_name(_identifier_argument(tokens[index + 2 : close], binds, question, execution))
            pieces += [stream.text[copied : token.start], name]
            index = close
            copied = tokens[close].end + 1
        index += 1
    pieces.append(stream.text[copied:])
    return TokenStream("".join(pieces))


def _is_bind(token: Token, binds: Binds) -> bool:
    return (int(token.text) if token.text.isdigit() else token.text.upper()) in binds


def _bind_text(binds: Binds, key: int | str) -> str:
    if key not in binds:
        raise compilation_error(2049, "42601", f"Bind variable {key} not set.")
    if binds[key].literal is not None:
        return binds[key].written
    value = binds[key].value
    if isinstance(value, list):
        raise unsupported("array binds outside INSERT")
    if value is None:
        return "NULL"
    if binds[key].type in ("FIXED", "REAL", "BOOLEAN"):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _one_name(text: str) -> str:
    """The text of IDENTIFIER(...), which is to stand in the statement: a name or an id, and nothing behind it.

    Raises:
        SnowflakeError: 001003 for anything else.
    """
    if text.isdigit():
        return text
    stream = TokenStream(text)
    parts = stream.name()
    stream.expect_end()
    return join_name(parts)


def _identifier_argument(tokens: list[Token], binds: Binds, question: int, execution: Execution) -> str:
    first = tokens[0]
    if first.text == "?":
        return str(binds[question].value) if question in binds else ""
    if first.token_type == TokenType.COLON and len(tokens) > 1 and _is_bind(tokens[1], binds):
        name = tokens[1].text
        return str(binds[int(name) if name.isdigit() else name.upper()].value)
    if first.token_type == TokenType.STRING:
        return first.text
    if first.text.startswith("$") or first.token_type == TokenType.PARAMETER:
        name = (tokens[1].text if len(tokens) > 1 else first.text[1:]).upper()
        if name not in execution.context.variables:
            raise compilation_error(2211, "02000", f"Session variable '${name}' does not exist")
        return str(execution.context.variables[name])
    return "".join(f'"{t.text}"' if t.token_type == TokenType.IDENTIFIER else t.text for t in tokens)
