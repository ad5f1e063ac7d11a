"""``sequence.NEXTVAL``: the catalog owns a sequence's counter, a function of the engine draws from it."""

from __future__ import annotations

from polynya.catalog.model import Sequence
from polynya.catalog.rights import require
from polynya.dialect.environment import Environment
from polynya.dialect.expression import Expr
from polynya.errors import does_not_exist
from polynya.types.sqltype import INTEGER


def next_value(env: Environment, parts: list[str]) -> Expr:
    """``parts.NEXTVAL``.

    Raises:
        SnowflakeError: 002003 if there is no such sequence.
    """
    catalog = env.context.catalog
    found = catalog.find(env.context, "SEQUENCE", parts)
    if not isinstance(found, Sequence):
        raise does_not_exist("Sequence", ".".join(parts))
    require(env.context, "USAGE", found)
    return value_of(env, found)


def value_of(env: Environment, sequence: Sequence) -> Expr:
    """The next value of a sequence, one for each row."""
    if env.execution is None:
        # Only types are wanted.
        return Expr("0::DECIMAL(38,0)", INTEGER, False, volatile=True)
    catalog = env.context.catalog
    call = env.execution.connection.engine.counters.use(sequence.id, lambda count: catalog.draw(sequence, count))
    return Expr(f"CAST({call} AS DECIMAL(38,0))", INTEGER, False, volatile=True)
