"""A stream moves when a transaction that wrote what it read of it commits.

https://docs.snowflake.com/en/user-guide/streams-intro#offset-storage
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from polynya.catalog.access import Reads
from polynya.dialect.streams import lock_name
from polynya.errors import SnowflakeError
from polynya.statements.base import Execution
from polynya.storage import stream_offsets


class StreamMoved(SnowflakeError):
    """Another session has consumed a stream since the statement was bound; the statement is to be bound again."""

    def __init__(self, name: str) -> None:
        super().__init__(625, "57014", f"Statement failed: another session has consumed stream '{name}' meanwhile.")


def advance(execution: Execution, reads: Reads) -> None:
    """Moves the streams that a statement reads to where it has read them, with the open transaction.

    Args:
        execution: of a statement that writes; its connection is inside ``atomic``.
        reads: of its query.

    Raises:
        StreamMoved: if another session was faster.
    """
    connection = execution.connection
    for read in reads.streams.values():
        connection.write_lock(lock_name(read.stream))
        if (
            read.stream.id not in connection.stream_reads
            and stream_offsets.offset_of(connection, read.stream) != read.start
        ):
            raise StreamMoved(execution.context.catalog.full_name(read.stream))
        stream_offsets.advance(connection, read.stream.id, read.end)


@contextmanager
def consuming(execution: Execution, reads: Reads) -> Iterator[None]:
    """A block that writes what a query has read: in one transaction with its streams' advance, if it reads any."""
    if not reads.streams:
        yield
        return
    with execution.connection.atomic():
        advance(execution, reads)
        yield
