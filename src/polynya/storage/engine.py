"""The engine of one server: DuckDB with DuckLake attached as ``lake``."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from weakref import WeakSet

import duckdb

from polynya.storage import python_calls, spool
from polynya.storage.connection import Connection
from polynya.storage.counters import Counters
from polynya.storage.forks import METADATA
from polynya.storage.locks import TableLocks
from polynya.storage.schema_copies import SchemaCopies
from polynya.storage.tables import PAST
from polynya.storage.turns import Turns

# DuckLake tries a commit again when another one came first; its own pause of 100 ms is long for one machine.
_COMMIT_RETRY_MS = 5
_COMMIT_RETRIES = 30
_METADATA_BLOCK = 16_384
_CHECKPOINT = "1MB"


class Engine:
    """One DuckDB instance; sessions work through their own connections to it.

    Args:
        root: the instance's first connection.
        home: folder with the lake's data and metadata.
        cores: of the machine.
    """

    def __init__(self, root: duckdb.DuckDBPyConnection, home: Path, cores: int) -> None:
        self._root = root
        self._memory = _memory()
        self.home = home
        self.locks = TableLocks()
        self.counters = Counters(root)
        self.schema_copies = SchemaCopies(root)
        self.turns = Turns(cores)
        # Row counts of tables at a snapshot of the lake: see ``sizes``.
        self.row_counts: tuple[int, dict[tuple[str, int | None], int]] = (-1, {})
        # Held while files get another owner or go: see ``forks``.
        self.files_lock = threading.RLock()
        # Held for each commit, and from its first look at the lake for what must not meet another commit: see
        # ``Connection``. Taken after locks of tables and ``files_lock``.
        self.commit_gate = threading.RLock()
        # When the files that are to be deleted were last marked: see ``cleanup``.
        self.files_marked: datetime | None = None
        # Whether a statement may have left unfinished files, which are to be removed soon.
        self.leftovers = False
        # Commits so far; by these the housekeeper sees whether there is anything to do.
        self.commits = 0
        self._connections: WeakSet[Connection] = WeakSet()
        self._connections_lock = threading.Lock()

    @classmethod
    def open(
        cls,
        home: Path,
        *,
        threads: int | None = None,
        cores: int | None = None,
        on_open: Callable[[duckdb.DuckDBPyConnection], None] | None = None,
    ) -> Engine:
        """Opens the lake in a home, or makes it.

        Args:
            home: folder; ``lake.ducklake`` (metadata), ``lake`` (Parquet files) and ``tmp`` (spill) lie in it.
            threads: default one a core.
            cores: how many of the machine's it is to use; default all.
            on_open: called with the new engine's root connection (the dialect registers its functions there).
        """
        config: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            "temp_directory": str(home / "tmp"),
            "memory_limit": f"{_memory()}B",
        }
        if threads:
            config["threads"] = threads
        home.mkdir(parents=True, exist_ok=True)
        metadata = home / "lake.ducklake"
        # A block holds a column of one of its many small tables. That of a home that exists stays as it is.
        blocks = "" if metadata.exists() else f", META_BLOCK_SIZE {_METADATA_BLOCK}"
        root = duckdb.connect(":memory:", config=config)
        root.execute(f"LOAD {_quoted(_ducklake_extension())}")
        root.execute(
            f"ATTACH {_quoted(f'ducklake:{metadata}')} AS lake "
            f"(DATA_PATH {_quoted(str(home / 'lake') + os.sep)}, OVERRIDE_DATA_PATH true{blocks})"
        )
        root.execute(
            f"ATTACH {_quoted(f'ducklake:{metadata}')} AS {PAST} "
            f"(DATA_PATH {_quoted(str(home / 'lake') + os.sep)}, OVERRIDE_DATA_PATH true, METADATA_CATALOG '{METADATA}')"
        )
        root.execute("SET GLOBAL TimeZone = 'UTC'")
        # What a burst of statements needed goes back to the system when it is over.
        root.execute("SET GLOBAL allocator_background_threads = true")
        # Memory that each write of the metadata takes is free again after a checkpoint only.
        root.execute(f"SET GLOBAL checkpoint_threshold = '{_CHECKPOINT}'")
        # The operating system caches files.
        root.execute("SET GLOBAL enable_external_file_cache = false")
        # Generated statements nest deep; statements run on threads with stacks for it.
        root.execute("SET GLOBAL max_expression_depth = 6000")
        root.execute(f"SET GLOBAL ducklake_retry_wait_ms = {_COMMIT_RETRY_MS}")
        root.execute(f"SET GLOBAL ducklake_max_retry_count = {_COMMIT_RETRIES}")
        spool.clear(home)
        python_calls.install(root)
        if on_open is not None:
            on_open(root)
        return cls(root, home, cores or os.cpu_count() or 1)

    def connect(self) -> Connection:
        """A connection with its own temporary tables, for one session."""
        connection = Connection(self._root.cursor(), self)
        with self._connections_lock:
            self._connections.add(connection)
        return connection

    def oldest_work(self) -> datetime | None:
        """Since when the longest running statement or transaction reads, or None if none runs."""
        with self._connections_lock:
            connections = list(self._connections)
        return min((moment for connection in connections if (moment := connection.busy_since)), default=None)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Another connection of the engine itself, for a part of a statement."""
        return self._root.cursor()

    def resize(self, threads: int, share: float) -> None:
        """Gives the engine so many threads and a share of its memory.

        Args:
            threads: at least 1.
            share: of the memory that it was opened with; what is in use stays where it does not fit.
        """
        with self._root.cursor() as cursor:
            cursor.execute(f"SET threads = {threads}")
            with suppress(duckdb.OutOfMemoryException):
                cursor.execute(f"SET memory_limit = '{int(self._memory * share)}B'")

    def lake_tables(self) -> set[str]:
        """The qualified, quoted names of all tables of the lake, as ``Table.stored_as`` has them."""
        rows = (
            self._root.cursor()
            .execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'")
            .fetchall()
        )
        return {f'lake.main."{name}"' for (name,) in rows}

    def close(self) -> None:
        """Closes the lake; connections must not be used afterwards."""
        self._root.close()


def _ducklake_extension() -> str:
    """The extension's file inside the installed wheel, for the installed DuckDB."""
    path = files("duckdb_extension_ducklake") / "extensions" / f"v{duckdb.__version__}" / "ducklake.duckdb_extension"
    return str(path)


def _memory() -> int:
    """Bytes that the engine may have at most: 60 % of the machine's."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 6 // 10


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
