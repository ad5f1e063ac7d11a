"""What the sizes of warehouses mean on one machine.

Each size has twice as much as the one before, as on Snowflake
(docs.snowflake.com/en/user-guide/warehouses-overview#warehouse-size), as far as the machine goes.
"""

from __future__ import annotations

from polynya.catalog.model import Warehouse

SIZES = (
    "X-Small", "Small", "Medium", "Large", "X-Large", "2X-Large", "3X-Large", "4X-Large", "5X-Large", "6X-Large",
)  # fmt: skip
_XSMALL_THREADS = 2
# Defaults of what a warehouse may be told, as Snowflake has them.
DEFAULTS = {
    "AUTO_SUSPEND": 600,
    "AUTO_RESUME": True,
    "MAX_CLUSTER_COUNT": 1,
    "MAX_CONCURRENCY_LEVEL": 8,
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": 0,
    "STATEMENT_TIMEOUT_IN_SECONDS": 172_800,
}


def threads_of(size: str, cores: int) -> int:
    """The threads of the engine, and the workers of Python handlers, that a warehouse of a size has.

    Args:
        size: as in ``SIZES``.
        cores: of the machine, or as many of them as the server may use.
    """
    return min(cores, _XSMALL_THREADS << SIZES.index(size))


def size_for(cores: int) -> str:
    """The smallest size that uses so many cores."""
    return next((size for size in SIZES if threads_of(size, cores) == cores), SIZES[-1])


def setting(warehouse: Warehouse, name: str) -> int:
    """A number or flag that a warehouse was told, or its default.

    Args:
        warehouse: any.
        name: in ``DEFAULTS``. AUTO_SUSPEND is in seconds, 0 for never.
    """
    value = warehouse.options.get(name, DEFAULTS[name])
    try:
        return int(value)
    except (TypeError, ValueError):  # NULL
        return 0
