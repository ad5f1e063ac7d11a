"""One statement on its way: what was asked, what came of it, how to stop it."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from polynya.catalog.access import Access
from polynya.dialect.binds import Binds
from polynya.errors import SnowflakeError
from polynya.session.history import QueryRecord

if TYPE_CHECKING:
    from polynya.session.results import StoredResult
    from polynya.session.session import Session
    from polynya.storage.connection import Connection
    from polynya.types.resultset import ResultSet

# Between two interrupts of a statement that is being cancelled: one that falls between two engine calls is lost.
_INTERRUPT_EVERY_SECONDS = 0.05
_INTERRUPT_FOR_SECONDS = 60.0


def cancelled_by_user() -> SnowflakeError:
    """The statement was cancelled: 000604."""
    return SnowflakeError(604, "57014", "SQL execution canceled")


def timed_out(seconds: int) -> SnowflakeError:
    """The statement ran longer than STATEMENT_TIMEOUT_IN_SECONDS: 000630."""
    return SnowflakeError(
        630, "57014", f"Statement reached its statement or warehouse timeout of {seconds} second(s) and was canceled."
    )


def bare(error: SnowflakeError) -> SnowflakeError:
    """An error to remember: without its traceback, which holds on to all that the statement worked with."""
    return SnowflakeError(error.code, error.sqlstate, error.message)


@dataclass(slots=True, eq=False)
class Query:
    """A statement that a client asked for.

    Args:
        id: query id.
        session: in which it runs.
        text: as sent.
        binds: its bind variables.
        bind_stage: where the client uploaded them instead, or "".
        describe_only: answer with the columns and do not run it.
        parameters: session parameters for this statement only.
        request_id: the client's, by which it may send the request again or abort it.
        asynchronous: the client does not wait.
        record: its entry in the history.
        access: what it read and wrote so far.
        warehouse: id of the one on which it has a place, or None.
    """

    id: str
    session: Session
    text: str
    record: QueryRecord
    binds: Binds = field(default_factory=dict)
    bind_stage: str = ""
    describe_only: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)
    request_id: str = ""
    asynchronous: bool = False
    access: Access = field(default_factory=Access)
    warehouse: int | None = None
    # What came of it, once done: one of these two, or neither if the result is stored.
    result: StoredResult | ResultSet | None = None
    error: SnowflakeError | None = None
    future: Future | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _connection: Connection | None = None
    _cancelled: SnowflakeError | None = None
    _done: bool = False

    @property
    def done(self) -> bool:
        return self._done

    @property
    def cancelled(self) -> SnowflakeError | None:
        """Why it is being cancelled, or None."""
        return self._cancelled

    def runs_on(self, connection: Connection | None) -> None:
        """Notes which connection to interrupt; None when it has let go of it.

        Raises:
            SnowflakeError: if it was cancelled before it began.
        """
        with self._lock:
            self._connection = connection
            if self._cancelled is not None and connection is not None:
                raise self._cancelled

    def finish(self) -> None:
        """After this no interrupt is sent: the connection may already serve another statement."""
        with self._lock:
            self._done = True
            self._connection = None

    def release(self) -> None:
        """Lets go of what a finished query no longer needs: queries are remembered for long, results elsewhere."""
        self.binds = {}
        self.text = ""
        if getattr(self.result, "query_id", None) is not None:
            self.result = None  # it is stored

    def cancel(self, reason: SnowflakeError) -> bool:
        """Stops the statement; False if it has ended already."""
        with self._lock:
            if self._done:
                return False
            if self._cancelled is not None:
                return True
            self._cancelled = reason
            if self._connection is not None:
                self._connection.interrupt()
        threading.Thread(target=self._interrupt_on, name="cancel", daemon=True).start()
        return True

    def _interrupt_on(self) -> None:
        pause = threading.Event()
        for _ in range(int(_INTERRUPT_FOR_SECONDS / _INTERRUPT_EVERY_SECONDS)):
            pause.wait(_INTERRUPT_EVERY_SECONDS)
            with self._lock:
                if self._done:
                    return
                if self._connection is not None:
                    self._connection.interrupt()
