"""Statements as tokens: for those whose syntax is a list of keywords and options, not a query.

Queries and expressions are parsed by sqlglot; SHOW, COPY, GRANT, CREATE STAGE and the like are read word by word here.
"""

from __future__ import annotations

import re

from sqlglot.dialects.snowflake import Snowflake
from sqlglot.errors import TokenError
from sqlglot.tokens import Token, TokenType

from polynya.errors import SnowflakeError, syntax_error

_DIALECT = Snowflake()
_COMMANDS = Snowflake.Tokenizer.COMMANDS
# Inside a scripting block sqlglot would take what follows "; CALL" as one string, too.
Snowflake.Tokenizer.COMMAND_PREFIX_TOKENS = set()


class TokenStream:
    """The tokens of one statement and a position in them.

    Args:
        text: the statement, without its final semicolon.
    """

    def __init__(self, text: str, tokens: list[Token] | None = None) -> None:
        self.text = text
        self.tokens = _single_words(text, tokenize(text)) if tokens is None else tokens
        self.index = 0

    @property
    def current(self) -> Token | None:
        return self.tokens[self.index] if self.index < len(self.tokens) else None

    def words(self, count: int = 12) -> list[str]:
        """The first tokens in upper case, from the statement's start (quoted names and strings as "")."""
        return [
            "" if token.token_type in (TokenType.STRING, TokenType.IDENTIFIER) else token.text.upper()
            for token in self.tokens[:count]
        ]

    def at(self, *words: str) -> bool:
        """Whether the next tokens are these keywords or punctuation."""
        for offset, word in enumerate(words):
            index = self.index + offset
            if index >= len(self.tokens):
                return False
            token = self.tokens[index]
            if token.token_type in (TokenType.STRING, TokenType.IDENTIFIER) or token.text.upper() != word:
                return False
        return True

    def accept(self, *words: str) -> bool:
        """Steps over these keywords if they come next."""
        if self.at(*words):
            self.index += len(words)
            return True
        return False

    def accept_one(self, *words: str) -> str | None:
        """Steps over one of these keywords; answers which."""
        for word in words:
            if self.accept(*word.split()):
                return word
        return None

    def at_one(self, *words: str) -> bool:
        """Whether one of these keywords comes next."""
        return any(self.at(*word.split()) for word in words)

    def expect(self, *words: str) -> None:
        """Steps over these keywords or raises a syntax error."""
        if not self.accept(*words):
            raise self.error()

    @property
    def done(self) -> bool:
        return self.index >= len(self.tokens)

    def expect_end(self) -> None:
        if not self.done:
            raise self.error()

    def error(self) -> SnowflakeError:
        """A syntax error at the current token."""
        token = self.current
        if token is None:
            last = self.tokens[-1] if self.tokens else None
            return syntax_error("<EOF>", last.line if last else 1, last.col if last else 0)
        return syntax_error(token.text, token.line, max(token.col - len(token.text), 0))

    def next(self) -> Token:
        """The current token; steps over it."""
        token = self.current
        if token is None:
            raise self.error()
        self.index += 1
        return token

    def word(self) -> str:
        """The current token's text in upper case; steps over it."""
        return self.next().text.upper()

    def string(self) -> str:
        """A string literal's value ('...' or $$...$$); steps over it."""
        token = self.current
        if token is None or token.token_type not in (TokenType.STRING, TokenType.RAW_STRING, TokenType.HEREDOC_STRING):
            raise self.error()
        self.index += 1
        return token.text

    def at_string(self) -> bool:
        token = self.current
        return token is not None and token.token_type in (
            TokenType.STRING,
            TokenType.RAW_STRING,
            TokenType.HEREDOC_STRING,
        )

    def identifier(self) -> str:
        """One identifier, resolved (upper case unless quoted); steps over it. Also IDENTIFIER('name')."""
        if self.at("IDENTIFIER", "("):
            raise self.error()  # replaced before statements see it: see dialect.binds
        token = self.next()
        if token.token_type == TokenType.IDENTIFIER:
            return token.text
        if token.token_type == TokenType.STRING or not (token.text[:1].isalpha() or token.text[:1] in "_$"):
            self.index -= 1
            raise self.error()
        return token.text.upper()

    def name(self) -> list[str]:
        """A dotted name's parts, resolved, outermost first; an empty part (``db..t``) is ""."""
        parts = [self.identifier()]
        while self.accept("."):
            parts.append("" if self.at(".") else self.identifier())
        return parts

    def rest(self) -> str:
        """The statement's text from the current token to its end."""
        return self.text[self.current.start :] if self.current else ""

    def source(self, start: int, end: int) -> str:
        """The text from token number ``start`` up to, not including, token number ``end``."""
        return self.text[self.tokens[start].start : self.tokens[end - 1].end + 1] if end > start else ""

    def skip_parenthesis(self) -> None:
        """Steps over a balanced (...) that begins at the current token."""
        depth = 0
        while True:
            token = self.next()
            if token.token_type == TokenType.L_PAREN:
                depth += 1
            elif token.token_type == TokenType.R_PAREN:
                depth -= 1
                if depth == 0:
                    return


def tokenize(text: str) -> list[Token]:
    """sqlglot's tokens of a statement in Snowflake's dialect.

    Raises:
        SnowflakeError: 001003 for an unterminated string or comment.
    """
    try:
        tokens = _DIALECT.tokenize(text)
        if tokens and tokens[0].token_type in _COMMANDS:
            # sqlglot takes the rest of CALL, EXECUTE, EXPLAIN ... as one string; behind another word it is tokens.
            first = tokens[0]
            tokens = _DIALECT.tokenize(f"{text[: first.start]}{'_' * len(first.text)}{text[first.end + 1 :]}")
            tokens[0].text = first.text
    except TokenError as error:
        raise syntax_error(str(error).split(" from ")[0], 1, 0) from None
    return _bind_casts_apart(tokens) if "?::" in text else tokens


def is_path(text: str, tokens: list[Token], index: int) -> bool:
    """Whether the colon that is token ``index`` leads into a VARIANT (``v:a``), rather than name a bind (``:a``).

    Args:
        text: of the statement.
        tokens: its tokens.
        index: the colon's number.
    """
    before = tokens[index - 1] if index else None
    if before is None or before.end + 1 != tokens[index].start:
        return False
    if before.token_type in (TokenType.IDENTIFIER, TokenType.R_PAREN, TokenType.R_BRACKET):
        return True
    word = before.text.upper()
    return bool(_NAME.fullmatch(word)) and word not in _BEFORE_OPERAND


_NAME = re.compile(r"[A-Z_][A-Z0-9_$]*")
_BEFORE_OPERAND = {
    "SELECT", "WHERE", "AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "BETWEEN", "THEN", "ELSE", "WHEN", "CASE", "LIMIT",
    "OFFSET", "SET", "VALUES", "INTO", "ON", "BY", "FROM", "HAVING", "QUALIFY", "IMMEDIATE", "IS", "TO",
}  # fmt: skip


def _bind_casts_apart(tokens: list[Token]) -> list[Token]:
    """``?::`` is an operator to sqlglot (of another dialect); here it is a bind variable and a cast."""
    result: list[Token] = []
    for token in tokens:
        if token.token_type == TokenType.QDCOLON:
            line, col, start, end = token.line, token.col, token.start, token.end
            result.append(Token(TokenType.PLACEHOLDER, "?", line, col - 2, start, start, token.comments))
            result.append(Token(TokenType.DCOLON, "::", line, col, start + 1, end, []))
        else:
            result.append(token)
    return result


_WORDS = re.compile(r"\S+")


def _single_words(text: str, tokens: list[Token]) -> list[Token]:
    """The tokens with keywords of several words (``PRIMARY KEY``, ``FILE FORMAT``) split into their words."""
    result: list[Token] = []
    for token in tokens:
        if " " not in token.text or token.token_type in _TEXTS:
            result.append(token)
            continue
        for word in _WORDS.finditer(text, token.start, token.end + 1):
            line = token.line + text.count("\n", token.start, word.start())
            result.append(
                Token(
                    TokenType.VAR, word[0], line=line, col=token.col - (token.end + 1 - word.end()),
                    start=word.start(), end=word.end() - 1,
                )
            )  # fmt: skip
    return result


_TEXTS = {
    TokenType.STRING, TokenType.IDENTIFIER, TokenType.RAW_STRING, TokenType.HEREDOC_STRING, TokenType.NATIONAL_STRING,
    TokenType.BYTE_STRING, TokenType.HEX_STRING,
}  # fmt: skip
