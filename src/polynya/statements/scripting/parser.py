"""A block's text -> its statements.

Source: docs.snowflake.com/en/sql-reference-snowflake-scripting.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot.tokens import TokenType

from polynya.dialect import types
from polynya.errors import SnowflakeError, compilation_error, unsupported
from polynya.statements.scripting import boundaries
from polynya.statements.scripting.reading import Reader
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
    Query,
    Raise,
    Return,
    Run,
    Statement,
    While,
)

_MAX_NESTING = 60  # blocks, loops and branches inside one another; a block nested deeper is refused
_FIRST_NUMBER, _LAST_NUMBER = -20999, -20000  # of exceptions that users declare


def parse_block(text: str, timestamp_mapping: str = "TIMESTAMP_NTZ") -> Block:
    """The syntax of ``[DECLARE ...] BEGIN ... END``.

    Args:
        text: of the block; a final semicolon is allowed.
        timestamp_mapping: what plain TIMESTAMP means (session parameter TIMESTAMP_TYPE_MAPPING).

    Raises:
        SnowflakeError: 001003 with the line and the position of what was not expected; 000002 for what is refused.
    """
    return _Parser(text, timestamp_mapping).whole()


class _Parser(Reader):
    depth = 0

    def whole(self) -> Block:
        block = self.block()
        self.stream.accept(";")
        if not self.stream.done:
            raise self.error()
        return block

    # --- blocks -------------------------------------------------------------------------------------------------------

    def block(self) -> Block:
        place = self.here()
        declarations: list[Declaration] = []
        if self.stream.accept("DECLARE"):
            while not self.stream.at("BEGIN"):
                declarations.append(self.declaration())
                self.expect(";")
        self.expect("BEGIN")
        statements = self.statements("END", "EXCEPTION")
        handlers: list[Handler] = []
        if self.stream.accept("EXCEPTION"):
            while self.stream.at("WHEN"):
                handlers.append(self.handler())
            if not handlers:
                raise self.error()
        self.expect("END")
        if not statements:
            # Snowflake has no empty blocks: NULL does nothing.
            self.stream.index -= 1
            raise self.error()
        return Block(place, declarations, statements, handlers)

    def handler(self) -> Handler:
        place = self.here()
        self.expect("WHEN")
        names: list[str] = []
        if not self.stream.accept("OTHER"):
            names.append(self.name())
            while self.stream.accept("OR"):
                names.append(self.name())
        resumes = self.stream.accept("CONTINUE")
        if not resumes:
            self.stream.accept("EXIT")
        self.expect("THEN")
        return Handler(names, resumes, self.body("WHEN", "END"), place)

    def statements(self, *ends: str) -> list[Statement]:
        """Statements up to one of these words."""
        self.depth += 1
        if self.depth > _MAX_NESTING:
            raise compilation_error(1002, "42601", f"block nested more than {_MAX_NESTING} levels deep.", self.here())
        found: list[Statement] = []
        while not (self.stream.at_one(*ends) and not self.is_assignment()):
            found.append(self.statement())
            self.expect(";")
        self.depth -= 1
        return found

    def body(self, *ends: str) -> list[Statement]:
        """As ``statements``, one at least."""
        found = self.statements(*ends)
        if not found:
            raise self.error()
        return found

    # --- declarations -------------------------------------------------------------------------------------------------

    def declaration(self, place: Place | None = None) -> Declaration:
        place = place or self.here()
        name = self.name()
        stream = self.stream
        if stream.accept("CURSOR"):
            self.expect("FOR")
            return DeclareCursor(name, place, self.cursor_source())
        if stream.accept("RESULTSET"):
            source, asynchronous = None, False
            if stream.accept_one("DEFAULT", ":="):
                asynchronous = stream.accept("ASYNC")
                source = self.parenthesised_source()
            return DeclareResultSet(name, place, source, asynchronous)
        if stream.at("EXCEPTION") and not stream.at("EXCEPTION", "WHEN"):
            return self.exception(name, place)
        if stream.at("PROCEDURE"):
            raise unsupported("nested stored procedures")
        if stream.accept_one("DEFAULT", ":="):
            return DeclareVariable(name, place, None, self.expression())
        if stream.at(";"):
            raise self.error()
        kind = self.type()
        default = self.expression() if stream.accept_one("DEFAULT", ":=") else None
        return DeclareVariable(name, place, kind, default)

    def type(self) -> types.SqlType:
        word = self.stream.current.text if self.stream.current else ""
        place = self.here()
        try:
            return types.read_type(self.stream, self.timestamp_mapping)
        except SnowflakeError as error:
            if error.code != 1003 or self.stream.done:
                raise
            raise compilation_error(2040, "42601", f"Unsupported data type '{word.upper()}'.", place) from None

    def cursor_source(self) -> Query | str:
        if self.stream.at_one("SELECT", "WITH", "(", "VALUES", "SHOW", "CALL", "DESCRIBE", "DESC"):
            return self.query()
        return self.name()

    def exception(self, name: str, place: Place) -> DeclareException:
        self.expect("EXCEPTION")
        number, text = _LAST_NUMBER, ""
        if self.stream.accept("("):
            where = self.here()
            sign = -1 if self.stream.accept("-") else 1
            token = self.stream.current
            if token is None or not token.text.isdigit():
                raise self.error()
            number = sign * int(self.stream.next().text)
            if not _FIRST_NUMBER <= number <= _LAST_NUMBER:
                raise compilation_error(
                    92235, "P0000",
                    f"exception number {number} must be between {_FIRST_NUMBER} and {_LAST_NUMBER}.", where,
                )  # fmt: skip
            if self.stream.accept(","):
                text = self.string()
            self.expect(")")
        return DeclareException(name, place, number, text)

    def string(self) -> str:
        if not self.stream.at_string():
            raise self.error()
        return self.stream.string()

    # --- statements ---------------------------------------------------------------------------------------------------

    def is_assignment(self) -> bool:
        tokens, index = self.stream.tokens, self.stream.index
        return index + 1 < len(tokens) and tokens[index + 1].token_type == TokenType.COLON_EQ

    def statement(self) -> Statement:
        if self.stream.current is None:
            raise self.error()
        if self.is_assignment():
            return self.assignment()
        word = boundaries.word_at(self.stream.tokens, self.stream.index)
        if boundaries.begins_block(self.stream.tokens, self.stream.index):
            return self.block()
        method = _STATEMENTS.get(word)
        if method is not None:
            return method(self)
        if not word or not (word[0].isalpha() or word == "("):
            raise self.error()
        if word in _MISPLACED:
            raise self.error()
        place = self.here()
        return Run(place, self.query())

    def assignment(self) -> Statement:
        place = self.here()
        name = self.name()
        self.expect(":=")
        asynchronous = self.stream.accept("ASYNC")
        if asynchronous or self.at_source():
            mark = self.stream.index
            source = self.parenthesised_source()
            if self.stream.at(";"):
                # What looks like a query may be a scalar subquery: the variable's kind decides.
                end = self.stream.index
                value = None if asynchronous else self.plain_expression(mark, end)
                return Assign(place, name, value, source, asynchronous)
            self.stream.index = mark
        return Assign(place, name, self.expression())

    def let(self) -> Statement:
        place = self.here()
        self.expect("LET")
        declaration = self.declaration(place)
        if isinstance(declaration, DeclareVariable) and declaration.default is None:
            raise self.error()
        return Let(place, declaration)

    def if_(self) -> Statement:
        place = self.here()
        self.expect("IF")
        branches = []
        otherwise: list[Statement] = []
        while True:
            condition = self.condition()
            self.expect("THEN")
            branches.append((condition, self.body("ELSEIF", "ELSE", "END")))
            if not self.stream.accept("ELSEIF"):
                break
        if self.stream.accept("ELSE"):
            otherwise = self.body("END")
        self.expect("END", "IF")
        return If(place, branches, otherwise)

    def case(self) -> Statement:
        place = self.here()
        self.expect("CASE")
        operand = None if self.stream.at("WHEN") else self.condition()
        branches = []
        while self.stream.accept("WHEN"):
            value = self.expression("THEN")
            self.expect("THEN")
            branches.append((value, self.body("WHEN", "ELSE", "END")))
        if not branches:
            raise self.error()
        otherwise = self.body("END") if self.stream.accept("ELSE") else []
        self.expect("END")
        self.stream.accept("CASE")
        return Case(place, operand, branches, otherwise)

    def for_(self) -> Statement:
        place = self.here()
        self.expect("FOR")
        variable = self.name()
        self.expect("IN")
        tokens, index = self.stream.tokens, self.stream.index
        if index + 1 < len(tokens) and tokens[index + 1].text.upper() in ("DO", "LOOP"):
            source = self.name()
            body, label = self.loop_body("FOR")
            return ForRows(place, variable, source, body, label)
        reverse = self.stream.accept("REVERSE")
        first = self.expression("TO")
        self.expect("TO")
        last = self.expression("DO", "LOOP")
        body, label = self.loop_body("FOR")
        return ForCount(place, variable, first, last, reverse, body, label)

    def loop_body(self, word: str) -> tuple[list[Statement], str | None]:
        """``DO ... END FOR [label]``, or ``LOOP ... END LOOP [label]``."""
        if not self.stream.accept("LOOP"):
            self.expect("DO")
        else:
            word = "LOOP"
        body = self.body("END")
        self.expect("END", word)
        return body, None if self.stream.at(";") else self.name()

    def while_(self) -> Statement:
        place = self.here()
        self.expect("WHILE")
        condition = self.condition()
        body, label = self.loop_body("WHILE")
        return While(place, condition, False, body, label)

    def repeat(self) -> Statement:
        place = self.here()
        self.expect("REPEAT")
        body = self.body("UNTIL")
        self.expect("UNTIL")
        condition = self.condition()
        self.expect("END", "REPEAT")
        return While(place, condition, True, body, None if self.stream.at(";") else self.name())

    def loop(self) -> Statement:
        place = self.here()
        self.expect("LOOP")
        body = self.body("END")
        self.expect("END", "LOOP")
        return While(place, None, False, body, None if self.stream.at(";") else self.name())

    def leave(self) -> Statement:
        place = self.here()
        resumes = self.stream.word() in ("CONTINUE", "ITERATE")
        return Leave(place, resumes, None if self.stream.at(";") else self.name())

    def return_(self) -> Statement:
        place = self.here()
        self.expect("RETURN")
        stream = self.stream
        if stream.at(";"):
            return Return(place)
        if not stream.at("TABLE", "("):
            return Return(place, self.expression())
        stream.next()
        if self.at_source():
            return Return(place, source=self.parenthesised_source())
        self.expect("(")
        if stream.accept("RESULTSET_FROM_CURSOR", "("):
            cursor = self.name()
            self.expect(")", ")")
            return Return(place, cursor=cursor)
        name = self.name()
        self.expect(")")
        return Return(place, table=name)

    def open(self) -> Statement:
        place = self.here()
        self.expect("OPEN")
        return Open(place, self.name(), self.using())

    def fetch(self) -> Statement:
        place = self.here()
        self.expect("FETCH")
        cursor = self.name()
        self.expect("INTO")
        return Fetch(place, cursor, self.variables())

    def close(self) -> Statement:
        place = self.here()
        self.expect("CLOSE")
        return Close(place, self.name())

    def raise_(self) -> Statement:
        place = self.here()
        self.expect("RAISE")
        return Raise(place, None if self.stream.at(";") else self.name())

    def await_(self) -> Statement:
        place = self.here()
        cancels = self.stream.word() == "CANCEL"
        if not cancels and self.stream.accept("ALL"):
            return Await(place, None)
        return Await(place, self.name(), cancels)

    def async_(self) -> Statement:
        place = self.here()
        self.expect("ASYNC")
        return Run(place, self.parenthesised_source(), asynchronous=True)

    def null(self) -> Statement:
        place = self.here()
        self.expect("NULL")
        return Nothing(place)

    def execute(self) -> Statement:
        place = self.here()
        if self.stream.at("EXECUTE", "IMMEDIATE") and not self.stream.at("EXECUTE", "IMMEDIATE", "FROM"):
            return Run(place, self.immediate())
        return Run(place, self.query())


# They begin no statement.
_MISPLACED = {
    "END", "ELSE", "ELSEIF", "THEN", "WHEN", "DO", "UNTIL", "EXCEPTION", "INTO", "DEFAULT", "TO", "IN", "USING",
}  # fmt: skip

_STATEMENTS: dict[str, Callable[[_Parser], Statement]] = {
    "LET": _Parser.let,
    "IF": _Parser.if_,
    "CASE": _Parser.case,
    "FOR": _Parser.for_,
    "WHILE": _Parser.while_,
    "REPEAT": _Parser.repeat,
    "LOOP": _Parser.loop,
    "BREAK": _Parser.leave,
    "EXIT": _Parser.leave,
    "CONTINUE": _Parser.leave,
    "ITERATE": _Parser.leave,
    "RETURN": _Parser.return_,
    "OPEN": _Parser.open,
    "FETCH": _Parser.fetch,
    "CLOSE": _Parser.close,
    "RAISE": _Parser.raise_,
    "AWAIT": _Parser.await_,
    "CANCEL": _Parser.await_,
    "ASYNC": _Parser.async_,
    "NULL": _Parser.null,
    "EXECUTE": _Parser.execute,
}
