"""What all sessions of a server share: catalog, engine, stages, results, history, and the threads statements run in."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path
from typing import Any

from polynya.catalog.store import Catalog
from polynya.dialect import engine_functions
from polynya.errors import SnowflakeError
from polynya.runtime.pool import Door, Pool, usable_cores
from polynya.session.accesses import Accesses
from polynya.session.events import Events
from polynya.session.history import History
from polynya.session.login_history import LoginHistory
from polynya.session.query import Query, cancelled_by_user
from polynya.session.results import ResultStore, StoredResult
from polynya.session.session import Session
from polynya.session.tasks import Tasks
from polynya.session.warehouses import Warehouses
from polynya.stages.history import open_history
from polynya.stages.store import StageStore
from polynya.statements.sharing.imports import ImportedDatabases
from polynya.statements.sharing.publisher import Publisher
from polynya.storage.cleanup import clean_up
from polynya.storage.engine import Engine
from polynya.storage.replica import replicate
from polynya.storage.stream_offsets import open_offsets
from polynya.storage.upkeep import keep_house

# Deeply nested SQL is parsed, bound and written by recursion, much of it in compiled code on the thread's own stack.
# Address space only: memory is taken as it is used.
STACK_BYTES = 256 << 20
RECURSION_LIMIT = 200_000
# More statements than this at once wait for one another. Threads are made as they are needed.
MAX_THREADS = 512
# Finished queries whose outcome is kept at hand; older ones are found in results and history.
_RECENT = 5000
# A stopping server waits this long for cancelled statements to end.
_CLOSE_SECONDS = 8.0


class Account:
    """An open home: the account's state while a server runs.

    Args:
        home: the home folder.
        cores: that it uses; default the machine's.
    """

    def __init__(self, home: Path, cores: int | None = None) -> None:
        self.home = home
        self.catalog = Catalog.open(home / "catalog.sqlite")
        cores = cores or usable_cores()
        self.engine = Engine.open(home, cores=cores, on_open=engine_functions.install)
        clean_up(self.engine, self.catalog)
        self.stages = StageStore(home)
        self.imports = ImportedDatabases(home, self.engine, self.catalog)
        self.catalog.imports = self.imports
        self.publisher = Publisher(home, self.catalog, partial(replicate, self.engine))
        with closing(self.engine.connect()) as connection:
            open_history(connection)
            open_offsets(connection)
        self.runtime = Pool(home / "tmp" / "runtime", cores, hide=(home,))
        self.warehouses = Warehouses(self.catalog, self.engine, self.runtime.size)
        # How a procedure's handler reaches its session; set by the server.
        self.open_door: Callable[[Session], AbstractContextManager[Door]] | None = None
        self.results = ResultStore(home / "results")
        self.history = History(home / "history.sqlite")
        self.logins = LoginHistory(home / "logins.sqlite")
        self.accesses = Accesses(home / "access.sqlite", self.catalog)
        self.events = Events(home / "events.sqlite")
        self.tasks = Tasks(self)
        self.sessions: dict[int, Session] = {}
        self._queries: OrderedDict[str, Query] = OrderedDict()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._housekeeper = threading.Thread(
            target=keep_house, args=(self.engine, self.catalog, self._stop), name="housekeeper", daemon=True
        )
        self._housekeeper.start()
        sys.setrecursionlimit(max(RECURSION_LIMIT, sys.getrecursionlimit()))
        threading.stack_size(STACK_BYTES)
        self._workers = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="statement")
        self.tasks.start()

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future:
        """Runs a call in a thread with a deep stack."""
        return self._workers.submit(work, *arguments)

    def open_session(self, session: Session) -> None:
        self.sessions[session.id] = session

    def close_session(self, session: Session) -> None:
        """Ends a session: what it runs is cancelled, its transaction rolled back, its temporary objects dropped."""
        if self.sessions.get(session.id) is session:  # a procedure's session has its caller's id
            del self.sessions[session.id]
        session.close()

    def end_sessions(self, user: str) -> None:
        """Ends all sessions of a user: none of their requests is answered from now on, what they run is cancelled."""
        ended = [session for session in list(self.sessions.values()) if session.context.user == user]
        for session in ended:
            session.expel()
        for session in ended:
            self.submit(self.close_session, session)

    def remember(self, query: Query) -> None:
        """Keeps a query at hand by its id."""
        with self._lock:
            self._queries[query.id] = query
            while len(self._queries) > _RECENT:
                oldest = next(iter(self._queries.values()))
                if not oldest.done:
                    break
                del self._queries[oldest.id]

    def query(self, query_id: str) -> Query | None:
        """A query that runs or recently ran."""
        return self._queries.get(query_id)

    def result(self, query_id: str) -> StoredResult:
        """The result of a finished query.

        Raises:
            SnowflakeError: its own error if it failed; 000709 if none is kept; 000707 while it runs.
        """
        query = self._queries.get(query_id)
        if query is not None:
            if not query.done:
                raise SnowflakeError(707, "02000", f"Statement {query_id} has not finished yet.")
            if query.error is not None:
                raise query.error
        record = self.history.find(query_id)
        if record is not None and record.error_code is not None:
            raise SnowflakeError(record.error_code, record.sqlstate or "00000", record.error_message or "")
        return self.results.get(query_id)

    def abort(self, query_id: str) -> bool:
        """Cancels a running statement; False if none of that id runs."""
        query = self._queries.get(query_id)
        return query is not None and query.cancel(cancelled_by_user())

    def abort_all(self, session_id: int) -> int:
        """Cancels a session's running statements; how many there were."""
        running = [query for query in list(self._queries.values()) if query.session.id == session_id and not query.done]
        return sum(query.cancel(cancelled_by_user()) for query in running)

    def running(self) -> list[Query]:
        return [query for query in list(self._queries.values()) if not query.done]

    def cancel_all(self) -> None:
        """Cancels whatever runs: the server stops."""
        for query in self.running():
            query.cancel(SnowflakeError(604, "57014", "SQL execution canceled: the server is shutting down."))

    def close(self) -> bool:
        """Ends all sessions and closes what the home holds.

        Returns:
            False if a statement does not react to being cancelled; the engine is left open then.
        """
        self._stop.set()
        tasks = self.tasks.close()
        self.cancel_all()
        running = [query.future for query in self.running() if query.future is not None] + tasks
        stuck = wait(running, timeout=_CLOSE_SECONDS).not_done
        self._workers.shutdown(wait=not stuck, cancel_futures=True)
        if not stuck:
            for session in list(self.sessions.values()):
                self.close_session(session)
        self.warehouses.close()
        self.runtime.close()
        self.results.close()
        self.history.close()
        self.logins.close()
        self.accesses.close()
        self.events.close()
        self.tasks.close_history()
        if not stuck:
            self._housekeeper.join()
            self.imports.close()
            self.engine.close()
        self.catalog.close()
        return not stuck
