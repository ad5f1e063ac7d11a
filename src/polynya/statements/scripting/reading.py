"""The parts of a block's text that its statements are made of: names, expressions, SQL statements."""

from __future__ import annotations

from bisect import bisect_right

from sqlglot.tokens import Token, TokenType

from polynya.dialect.tokens import TokenStream, is_path
from polynya.errors import SnowflakeError, syntax_error
from polynya.statements.scripting import boundaries
from polynya.statements.scripting.syntax import Expression, Immediate, Mention, Place, Query, Source


class Reader:
    """A position in a block's text, and what can be read there.

    Args:
        text: of the block.
        timestamp_mapping: what plain TIMESTAMP means.
    """

    def __init__(self, text: str, timestamp_mapping: str) -> None:
        self.text = text
        self.stream = TokenStream(text)
        self.timestamp_mapping = timestamp_mapping
        self._lines = [0, *(index + 1 for index, character in enumerate(text) if character == "\n")]

    # --- places and errors --------------------------------------------------------------------------------------------

    def place_at(self, offset: int) -> Place:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1]

    def here(self) -> Place:
        token = self.stream.current
        return self.place_at(token.start if token else len(self.text))

    def error(self) -> SnowflakeError:
        """The current token was not expected."""
        token = self.stream.current
        line, column = self.here()
        return syntax_error(token.text if token else "<EOF>", line, column)

    def expect(self, *words: str) -> None:
        for word in words:
            if not self.stream.accept(word):
                raise self.error()

    def name(self) -> str:
        """A variable's, a cursor's, a label's name: one identifier."""
        token = self.stream.current
        if token is None:
            raise self.error()
        plain = token.token_type != TokenType.IDENTIFIER
        if plain and (token.text in _PUNCTUATION or token.text.upper() in _RESERVED):
            raise self.error()
        try:
            return self.stream.identifier()
        except SnowflakeError:
            raise self.error() from None

    def variable(self) -> str:
        """A name with or without a colon before it."""
        self.stream.accept(":")
        return self.name()

    # --- expressions --------------------------------------------------------------------------------------------------

    def condition(self) -> Expression:
        """An expression in parentheses."""
        if not self.stream.at("("):
            raise self.error()
        start = self.stream.index
        self.skip_parenthesis()
        if self.stream.index - start < 3:
            self.stream.index -= 1
            raise self.error()
        return self.plain_expression(start + 1, self.stream.index - 1)

    def skip_parenthesis(self) -> None:
        try:
            self.stream.skip_parenthesis()
        except SnowflakeError:
            raise self.error() from None

    def expression(self, *ends: str) -> Expression:
        """An expression up to the semicolon, or up to one of these words outside parentheses and CASE ... END."""
        stream = self.stream
        start = stream.index
        depth = cases = 0
        while (token := stream.current) is not None and token.token_type != TokenType.SEMICOLON:
            word = boundaries.word_at(stream.tokens, stream.index)
            if depth == cases == 0 and word in ends:
                break
            if token.token_type in _OPENING:
                depth += 1
            elif token.token_type in _CLOSING:
                depth -= 1
                if depth < 0:
                    raise self.error()
            elif word == "CASE":
                cases += 1
            elif word == "END":
                cases -= 1
                if cases < 0:
                    raise self.error()
            stream.index += 1
        if stream.index == start or stream.current is None or depth:
            raise self.error()
        return self.plain_expression(start, stream.index)

    def plain_expression(self, start: int, end: int) -> Expression:
        tokens = self.stream.tokens
        return Expression(self.stream.source(start, end), self.place_at(tokens[start].start))

    # --- SQL statements -----------------------------------------------------------------------------------------------

    def query(self) -> Query:
        """A SQL statement up to its semicolon."""
        start = self.stream.index
        end = boundaries.statement_end(self.stream.tokens, start)
        return self.query_between(start, end)

    def parenthesised_source(self) -> Source:
        """``(statement)``, ``(EXECUTE IMMEDIATE ...)``."""
        if not self.stream.at("("):
            raise self.error()
        start = self.stream.index
        if self.stream.at("(", "EXECUTE", "IMMEDIATE"):
            self.stream.next()
            found: Source = self.immediate()
            self.expect(")")
            return found
        self.skip_parenthesis()
        end = self.stream.index - 1
        if end == start + 1:
            self.stream.index = end
            raise self.error()
        found = self.query_between(start + 1, end)
        self.stream.index = end + 1
        return found

    def immediate(self) -> Immediate:
        place = self.here()
        self.expect("EXECUTE", "IMMEDIATE")
        text = self.expression("USING", "INTO", ")")
        using = self.using()
        into = self.variables() if self.stream.accept("INTO") else []
        return Immediate(text, place, using, into)

    def query_between(self, start: int, end: int) -> Query:
        """The statement of these tokens, its INTO taken out."""
        tokens = self.stream.tokens
        if end <= start:
            raise self.error()
        first, last = tokens[start].start, tokens[end - 1].end + 1
        text = self.text[first:last]
        into: list[str] = []
        taken = self.find_into(start, end)
        if taken is not None:
            self.stream.index = taken + 1
            into = self.variables()
            begin = tokens[taken].start - first
            behind = tokens[self.stream.index - 1].end + 1 - first
            # Blanks in its place: errors keep their positions.
            blank = "".join("\n" if character == "\n" else " " for character in text[begin:behind])
            text = text[:begin] + blank + text[behind:]
            skipped = range(taken, self.stream.index)
        else:
            skipped = range(0)
        mentions = [
            found for index in range(start, end) if index not in skipped and (found := self.mention(index, start, end))
        ]
        self.stream.index = end
        return Query(text, self.place_at(first), mentions, into)

    def find_into(self, start: int, end: int) -> int | None:
        """The INTO of SELECT ... INTO :x and CALL ... INTO :x, by its token's number."""
        tokens = self.stream.tokens
        if boundaries.word_at(tokens, start) not in ("SELECT", "WITH", "CALL"):
            return None
        depth = 0
        for index in range(start, end):
            depth += (tokens[index].token_type in _OPENING) - (tokens[index].token_type in _CLOSING)
            if depth == 0 and boundaries.word_at(tokens, index) == "INTO":
                before = boundaries.word_at(tokens, index - 1)
                return None if before in ("INSERT", "MERGE", "COPY") else index
        return None

    def mention(self, index: int, start: int, end: int) -> Mention | None:
        """The variable named behind the colon that is token ``index``, if it is one."""
        tokens = self.stream.tokens
        if tokens[index].token_type != TokenType.COLON or index + 1 >= end:
            return None
        if is_path(self.text, tokens, index):
            return None
        name = tokens[index + 1]
        if not (name.text[:1].isalpha() or name.text[:1] == "_") or name.token_type == TokenType.STRING:
            return None
        first = tokens[start].start
        column, column_end = None, 0
        if index + 3 < end and tokens[index + 2].token_type == TokenType.DOT:
            column = _resolved(tokens[index + 3])
            column_end = tokens[index + 3].end + 1 - first
        return Mention(
            tokens[index].start - first, name.end + 1 - first, _resolved(name), column, column_end,
            self.place_at(tokens[index].start),
        )  # fmt: skip

    def at_source(self) -> bool:
        """Whether a statement in parentheses follows."""
        return self.stream.at("(") and boundaries.word_at(self.stream.tokens, self.stream.index + 1) in _SOURCES

    def using(self) -> list[Expression]:
        """[USING (expression, ...)]."""
        values: list[Expression] = []
        if self.stream.accept("USING"):
            self.expect("(")
            while True:
                values.append(self.expression(",", ")"))
                if not self.stream.accept(","):
                    break
            self.expect(")")
        return values

    def variables(self) -> list[str]:
        names = [self.variable()]
        while self.stream.accept(","):
            names.append(self.variable())
        return names


def _resolved(token: Token) -> str:
    return token.text if token.token_type == TokenType.IDENTIFIER else token.text.upper()


_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_PUNCTUATION = {";", "(", ")", ",", ".", ":", ":=", "=", "$"}
# Words that cannot be names of variables.
_RESERVED = {
    "BEGIN", "END", "DECLARE", "IF", "ELSE", "ELSEIF", "THEN", "WHEN", "FOR", "WHILE", "DO", "UNTIL", "EXCEPTION",
    "SELECT", "INSERT", "UPDATE", "DELETE", "FROM", "WHERE", "INTO", "AND", "OR", "NOT", "IN", "IS", "NULL", "CASE",
    "TABLE", "DEFAULT", "CURSOR", "RETURN", "LET",
}  # fmt: skip
# Statements whose rows a RESULTSET may hold.
_SOURCES = {
    "SELECT", "WITH", "VALUES", "SHOW", "DESCRIBE", "DESC", "LIST", "LS", "CALL", "EXECUTE", "INSERT", "UPDATE",
    "DELETE", "MERGE", "COPY", "EXPLAIN",
}  # fmt: skip
