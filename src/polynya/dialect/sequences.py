"""``sequence.NEXTVAL``: the catalog owns a sequence's counter, an engine sequence hands out its values.

An engine sequence lives in memory. It starts where the catalog says, and the catalog always says a value that was
not given out yet: a block is reserved there before the first value is used.
"""

from __future__ import annotations

import threading

from polynya.catalog.model import Sequence
from polynya.dialect.environment import Environment
from polynya.dialect.expression import Expr
from polynya.errors import does_not_exist, unsupported
from polynya.types.sqltype import INTEGER

BLOCK = 1 << 20

_made: dict[tuple[int, int], int] = {}  # (catalog, sequence) -> how often its counter was set
_lock = threading.Lock()


def next_value(env: Environment, parts: list[str]) -> Expr:
    """``parts.NEXTVAL``.

    Raises:
        SnowflakeError: 002003 if there is no such sequence.
    """
    catalog = env.context.catalog
    found = catalog.find(env.context, "SEQUENCE", parts)
    if not isinstance(found, Sequence):
        raise does_not_exist("Sequence", ".".join(parts))
    return value_of(env, found)


def value_of(env: Environment, sequence: Sequence) -> Expr:
    """The next value of a sequence, one for each row."""
    if env.execution is None:
        # Only types are wanted.
        return Expr("0::DECIMAL(38,0)", INTEGER, False, volatile=True)
    name = engine_sequence(env, sequence)
    return Expr(f"CAST(nextval('{name}') AS DECIMAL(38,0))", INTEGER, False, volatile=True)


def engine_sequence(env: Environment, sequence: Sequence) -> str:
    """The engine's sequence for one of the catalog's, made on first use."""
    connection = env.execution.connection
    catalog = env.context.catalog
    key = (id(catalog), sequence.id)
    with _lock:
        name = f"memory.main.seq_{sequence.id}"
        if key not in _made:
            if sequence.increment == 0:
                raise unsupported("INCREMENT 0")
            bounds = "MINVALUE -9223372036854775807"
            connection.execute(
                f"CREATE OR REPLACE SEQUENCE {name} START {sequence.next_value} INCREMENT {sequence.increment} {bounds} NO CYCLE"
            )
            _made[key] = sequence.next_value
            sequence.next_value += BLOCK * sequence.increment
            if not sequence.temporary:
                catalog.update(sequence)
    return name
