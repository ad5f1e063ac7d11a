"""Exceptions on their way through a block.

Source: docs.snowflake.com/en/developer-guide/snowflake-scripting/exceptions.
"""

from __future__ import annotations

from dataclasses import dataclass

from polynya.errors import SnowflakeError
from polynya.statements.scripting.syntax import Place

STATEMENT_ERROR, EXPRESSION_ERROR = "STATEMENT_ERROR", "EXPRESSION_ERROR"
_USER_STATE = "P0001"


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """An exception that a block declares, or one of the two built-in ones.

    Args:
        name: as declared.
        number: between -20999 and -20000.
        text: its message, or "".
    """

    name: str
    number: int = 0
    text: str = ""


class Raised(Exception):
    """An exception that looks for its handler.

    Args:
        exception: which.
        error: code, SQLSTATE and message.
        place: where it was raised.

    ``beyond`` is the scope of the block whose handler raised it, and whose handlers are not for it.
    """

    def __init__(self, exception: Declared, error: SnowflakeError, place: Place) -> None:
        super().__init__(error.message)
        self.exception = exception
        self.error = error
        self.place = place
        self.beyond: object = None

    def uncaught(self) -> SnowflakeError:
        """The error that the block ends with."""
        line, column = self.place
        text = f"Uncaught exception of type '{self.exception.name}' on line {line} at position {column}"
        if self.error.message:
            text += f" : {self.error.message}"
        return SnowflakeError(self.error.code, self.error.sqlstate, text)


BUILT_IN = {name: Declared(name) for name in (STATEMENT_ERROR, EXPRESSION_ERROR)}


def statement_error(error: SnowflakeError, place: Place) -> Raised:
    """A statement failed."""
    return Raised(BUILT_IN[STATEMENT_ERROR], error, place)


def expression_error(error: SnowflakeError, place: Place) -> Raised:
    """An expression could not be computed."""
    return Raised(BUILT_IN[EXPRESSION_ERROR], error, place)


def user_exception(exception: Declared, place: Place) -> Raised:
    """RAISE of a declared exception."""
    return Raised(exception, SnowflakeError(exception.number, _USER_STATE, exception.text), place)
