"""What a worker process needs to load a handler and call it: plain data, no server state."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Semaphore
from typing import Any

from polynya.types.sqltype import SqlType

# In Job.environment: the least severity of what ``logging`` hands over, unless the handler sets another.
LOG_LEVEL = "LOG_LEVEL"


@dataclass(frozen=True, slots=True)
class ImportFile:
    """A file that a handler imports.

    Args:
        name: its name in the handler's import directory.
        path: a local copy that the server can read; its content never changes under this path.
    """

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Handler:
    """A function or procedure as the workers see it. Equal handlers share loaded workers.

    Args:
        kind: FUNCTION, TABLE FUNCTION, AGGREGATE FUNCTION or PROCEDURE.
        name: of the routine, for error texts.
        entry: HANDLER: ``function``, ``module.function`` or a class for table and aggregate functions.
        body: inline source, or "" if the handler comes from an import.
        imports: its IMPORTS.
        arguments: (name, type) in order. A PROCEDURE's handler gets a session before them.
        returns: a scalar's type, or None.
        returns_table: columns of a table result; empty for a procedure whose result says them; None for a scalar.
        strict: RETURNS NULL ON NULL INPUT.
        domain: handlers of different domains never share a worker (the user on whose behalf it runs).
        timezone: of the session, an IANA name, for TIMESTAMP_LTZ values.
    """

    kind: str
    name: str
    entry: str
    body: str
    imports: tuple[ImportFile, ...]
    arguments: tuple[tuple[str, SqlType], ...]
    returns: SqlType | None
    returns_table: tuple[tuple[str, SqlType], ...] | None = None
    strict: bool = False
    domain: str = ""
    timezone: str = "UTC"

    @property
    def key(self) -> str:
        """A digest by which loaded workers are found."""
        return hashlib.sha256(pickle.dumps(self)).hexdigest()


@dataclass(frozen=True, slots=True)
class LogRecord:
    """What a handler printed or logged.

    Args:
        handler: the routine's name.
        query_id: of the statement.
        scope: logger's name, or ``stdout`` / ``stderr``.
        severity: DEBUG, INFO, WARN, ERROR, FATAL.
        text: the message.
        time: seconds since the epoch.
        attributes: code.filepath, code.lineno, exception.message ... as Snowflake's event table names them.
    """

    handler: str
    query_id: str
    scope: str
    severity: str
    text: str
    time: float
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """On whose behalf and within which limits a handler runs.

    Args:
        query_id: of the statement.
        cancelled: asked while waiting; True ends the job with 000604.
        memory_bytes: a worker may hold this much.
        seconds: one batch, partition or procedure call may take this long; 0 for no limit of its own.
        log: takes what the handler prints and logs.
        open_file: answers a read-only file descriptor for a stage file or scoped URL that a handler opens; raises
            SnowflakeError if the caller may not read it.
        workers: places of its warehouse's workers, which it takes beside the pool's; None for no limit of its own.
        environment: names and texts that the handler may ask for (current user, database, secrets it was granted ...).
    """

    query_id: str = ""
    cancelled: Callable[[], bool] = lambda: False
    memory_bytes: int = 2 << 30
    seconds: float = 0.0
    log: Callable[[LogRecord], None] = lambda record: None
    open_file: Callable[[str], int] | None = None
    workers: Semaphore | None = None
    environment: dict[str, str] = field(default_factory=dict)
