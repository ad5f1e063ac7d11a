"""Bind values of a statement, as the session hands them to the dialect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from polynya.errors import SnowflakeError

if TYPE_CHECKING:
    from polynya.dialect.expression import Expr


@dataclass(frozen=True, slots=True)
class Bind:
    """One bind variable.

    Args:
        type: Snowflake's bind type: TEXT, FIXED, REAL, BOOLEAN, DATE, TIME, TIMESTAMP_NTZ, TIMESTAMP_LTZ,
            TIMESTAMP_TZ, TIMESTAMP, BINARY, VARIANT ... or ANY for a bare NULL. Dates are milliseconds (binary:
            hexadecimal digits, times and timestamps: nanoseconds since the epoch, ``_TZ`` followed by a space and the
            offset in minutes plus 1440).
        value: the text the client sent, None for NULL; a list of them for an array bind (executemany), one a row.
        literal: the value bound already, with its own type (a variable of Snowflake Scripting); None for a client's.
        written: the value as Snowflake's SQL writes it, where ``literal`` is set.
    """

    type: str
    value: str | list[str | None] | None
    literal: Expr | None = None
    written: str = ""

    @property
    def is_array(self) -> bool:
        return isinstance(self.value, list)


# Bind name -> value: positions from 1 for ``?`` and ``:1``, names in upper case otherwise.
Binds = dict[int | str, Bind]


def read_binds(bindings: Any) -> Binds:
    """The ``bindings`` object of a query request as binds.

    Args:
        bindings: {"1": {"type": "FIXED", "value": "5"}, ...} as clients send it, or None.

    Raises:
        SnowflakeError: 002014 for an object that is not of this form.
    """
    binds: Binds = {}
    if not bindings:
        return binds
    try:
        for name, bind in bindings.items():
            value = bind.get("value")
            if isinstance(value, list):
                value = [None if item is None else _text(item) for item in value]
            elif value is not None:
                value = _text(value)
            binds[int(name) if name.isdigit() else name.upper()] = Bind(str(bind.get("type") or "ANY").upper(), value)
    except AttributeError:
        raise SnowflakeError(
            2014, "22000", "SQL compilation error:\nBind variables of the request are malformed."
        ) from None
    return binds


def _text(value: Any) -> str:
    """Clients send text; some send numbers and booleans as JSON has them."""
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
