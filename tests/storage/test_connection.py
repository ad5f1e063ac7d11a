"""Transactions, locks and cancellation of the engine's connections."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from polynya.errors import SnowflakeError
from polynya.storage.connection import Connection
from polynya.storage.engine import Engine

TABLE = 'lake.main."t"'


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    opened = Engine.open(tmp_path_factory.mktemp("home"))
    yield opened
    opened.close()


@pytest.fixture
def connect(engine: Engine) -> Iterator[Callable[[], Connection]]:
    """Opens connections to an engine whose table t holds one row, 1."""
    setup = engine.connect()
    setup.execute(f"CREATE OR REPLACE TABLE {TABLE} (x INTEGER)")
    setup.execute(f"INSERT INTO {TABLE} VALUES (1)")
    opened = [setup]

    def open_one() -> Connection:
        opened.append(engine.connect())
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


def rows(connection: Connection, sql: str = f"SELECT x FROM {TABLE} ORDER BY x") -> list:
    return connection.table(sql).column(0).to_pylist()


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list]:
    """Runs a call in a thread; its answer or its error is in the list when the thread has ended."""
    found: list = []

    def run() -> None:
        try:
            found.append(work())
        except SnowflakeError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


FAILING = [
    ("SELECT 'a'::INTEGER", 100038),
    ("SELECT (CASE WHEN i > 300000 THEN 'a' ELSE '1' END)::INTEGER FROM range(400000) AS r(i)", 100038),
    ("SELECT nothing FROM " + TABLE, 603),
    ("INSERT INTO " + TABLE + " SELECT 'a'::INTEGER", 100038),
]


@pytest.mark.parametrize(("sql", "code"), FAILING)
def test_failed_statement_leaves_its_transaction_open(connect: Callable[[], Connection], sql: str, code: int) -> None:
    connection = connect()
    connection.begin()
    connection.execute(f"INSERT INTO {TABLE} SELECT * FROM given", {"given": pa.table({"x": [2]})})
    with pytest.raises(SnowflakeError) as caught:
        connection.table(sql) if sql.startswith("SELECT") else connection.execute(sql)
    assert caught.value.code == code
    assert rows(connection) == [1, 2]
    connection.commit()
    assert rows(connect()) == [1, 2]


def test_rollback_undoes_and_others_never_see(connect: Callable[[], Connection]) -> None:
    connection, other = connect(), connect()
    connection.begin()
    connection.execute(f"DELETE FROM {TABLE}")
    assert (rows(connection), rows(other)) == ([], [1])
    connection.rollback()
    assert rows(connection) == [1]


def test_a_transaction_that_only_reads_sees_what_others_commit(connect: Callable[[], Connection]) -> None:
    connection, other = connect(), connect()
    connection.begin()
    assert rows(connection) == [1]
    other.execute(f"INSERT INTO {TABLE} VALUES (2)")
    assert rows(connection) == [1, 2]


def test_atomic_block_undoes_its_own_statements_only(connect: Callable[[], Connection]) -> None:
    connection = connect()
    connection.begin()
    connection.execute(f"INSERT INTO {TABLE} VALUES (2)")
    with pytest.raises(SnowflakeError), connection.atomic():
        connection.execute(f"INSERT INTO {TABLE} VALUES (3)")
        connection.execute(f"INSERT INTO {TABLE} SELECT 'a'::INTEGER")
    connection.commit()
    assert rows(connection) == [1, 2]


def test_atomic_block_without_a_transaction_is_one(connect: Callable[[], Connection]) -> None:
    connection = connect()
    with pytest.raises(SnowflakeError), connection.atomic():
        connection.execute(f"DELETE FROM {TABLE}")
        connection.execute(f"INSERT INTO {TABLE} SELECT 'a'::INTEGER")
    assert not connection.in_transaction
    assert rows(connection) == [1]


def test_second_update_waits_for_the_first(connect: Callable[[], Connection]) -> None:
    first, second = connect(), connect()
    first.begin()
    first.write_lock(TABLE)
    first.execute(f"UPDATE {TABLE} SET x = x + 10")

    def update() -> int:
        second.begin()
        # The snapshot is taken before the lock is free: it has to be renewed.
        second.execute("CREATE TEMPORARY TABLE temp.main.scratch (y INTEGER)")
        second.write_lock(TABLE)
        changed = second.execute(f"UPDATE {TABLE} SET x = x + 100")
        second.commit()
        return changed

    thread, found = in_thread(update)
    time.sleep(0.2)
    assert thread.is_alive()
    first.commit()
    thread.join()
    assert found == [1]
    assert rows(connect()) == [111]


def test_inserts_do_not_wait_for_each_other(connect: Callable[[], Connection]) -> None:
    first, second = connect(), connect()
    first.begin()
    first.write_lock(TABLE, shared=True)
    first.execute(f"INSERT INTO {TABLE} VALUES (2)")
    with second.write_lock(TABLE, shared=True):
        second.execute(f"INSERT INTO {TABLE} VALUES (3)")
    first.commit()
    assert rows(first) == [1, 2, 3]


def test_deadlock_fails_one_of_the_two(connect: Callable[[], Connection]) -> None:
    first, second = connect(), connect()
    first.begin()
    second.begin()
    first.write_lock(TABLE)
    second.write_lock("other")
    thread, found = in_thread(lambda: first.write_lock("other"))
    time.sleep(0.2)
    with pytest.raises(SnowflakeError) as caught:
        second.write_lock(TABLE)
    second.rollback()
    thread.join()
    assert caught.value.code == 625
    assert not isinstance(found[0], SnowflakeError)


def test_lock_timeout(connect: Callable[[], Connection]) -> None:
    first, second = connect(), connect()
    second.lock_timeout = 0.05
    first.begin()
    first.write_lock(TABLE)
    with pytest.raises(SnowflakeError) as caught:
        second.write_lock(TABLE)
    assert caught.value.code == 625


CANCELLED: list[Callable[[Connection], object]] = [
    lambda connection: connection.table("SELECT count(*) FROM range(1000000000000)"),
    lambda connection: connection.table("SELECT * FROM range(1000000000000)"),
    lambda connection: connection.write_lock(TABLE),
]


@pytest.mark.parametrize("work", CANCELLED, ids=["query", "stream", "lock"])
def test_interrupt(connect: Callable[[], Connection], work: Callable[[Connection], object]) -> None:
    holder, connection = connect(), connect()
    holder.begin()
    holder.write_lock(TABLE)
    thread, found = in_thread(lambda: work(connection))
    time.sleep(0.2)
    connection.interrupt()
    thread.join(10)
    assert isinstance(found[0], SnowflakeError)
    assert found[0].code == 604
    assert rows(connection, "SELECT 1") == [1]


def test_interrupt_of_an_idle_connection_does_nothing(connect: Callable[[], Connection]) -> None:
    connection = connect()
    connection.interrupt()
    assert rows(connection) == [1]


def test_temporary_tables_belong_to_one_connection(connect: Callable[[], Connection]) -> None:
    connection = connect()
    connection.execute("CREATE TEMPORARY TABLE temp.main.own AS SELECT 5 AS x")
    assert rows(connection, "SELECT x FROM temp.main.own") == [5]
    with pytest.raises(SnowflakeError):
        connection.sibling().table("SELECT x FROM temp.main.own")


def test_instants_are_in_utc_whatever_the_time_zone(connect: Callable[[], Connection]) -> None:
    connection = connect()
    connection.set_timezone("Asia/Tokyo")
    table = connection.table(
        "SELECT TIMESTAMPTZ '2024-01-01 00:00:00' AS a, {'instant': TIMESTAMPTZ '2024-01-01 00:00:00'} AS b"
    )
    assert str(table.column(0).type) == "timestamp[us, tz=UTC]"
    assert str(table.column(0)[0]) == "2023-12-31 15:00:00+00:00"
    assert str(table.column(1).type) == "struct<instant: timestamp[us, tz=UTC]>"


def test_inputs_are_gone_after_their_statement(connect: Callable[[], Connection]) -> None:
    connection = connect()
    assert connection.table("SELECT * FROM given", {"given": pa.table({"x": [1, 2]})}).num_rows == 2
    with pytest.raises(SnowflakeError):
        connection.table("SELECT * FROM given")


def test_variables_of_the_server_cannot_be_read(connect: Callable[[], Connection]) -> None:
    secret = pa.table({"x": [1]})
    with pytest.raises(SnowflakeError):
        connect().table("SELECT * FROM secret")
    assert secret.num_rows == 1


def test_counters_continue_and_do_not_stop_writes(engine: Engine, connect: Callable[[], Connection]) -> None:
    state = [100]

    def draw(count: int) -> range:
        state[0] += count
        return range(state[0] - count, state[0])

    call = engine.counters.use(7, draw)
    connection = connect()
    connection.begin()
    connection.execute(f"INSERT INTO {TABLE} SELECT {call} FROM range(3)")
    connection.commit()
    assert rows(connection) == [1, 100, 101, 102]


def test_concurrent_writers_lose_nothing(connect: Callable[[], Connection]) -> None:
    def insert(connection: Connection) -> None:
        for _ in range(5):
            with connection.write_lock(TABLE, shared=True):
                connection.execute(f"INSERT INTO {TABLE} VALUES (7)")

    def update(connection: Connection) -> None:
        for _ in range(5):
            with connection.write_lock(TABLE):
                connection.execute(f"UPDATE {TABLE} SET x = x")

    started = [in_thread(partial(work, connect())) for work in (insert, insert, update, update)]
    for thread, _ in started:
        thread.join()
    assert [found for _, found in started] == [[None]] * 4
    assert len(rows(connect())) == 11


KILLED = """
import os, signal, sys
from pathlib import Path
from polynya.storage.engine import Engine
connection = Engine.open(Path(sys.argv[1])).connect()
connection.execute("CREATE TABLE lake.main.kept AS SELECT * FROM range(100000) AS r(x)")
connection.execute("INSERT INTO lake.main.kept VALUES (-1)")
connection.begin()
connection.execute("DELETE FROM lake.main.kept")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_commits_outlive_a_kill(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)]).returncode == -9
    engine = Engine.open(tmp_path)
    try:
        found = engine.connect().table("SELECT count(*), min(x) FROM lake.main.kept")
        assert (found.column(0)[0].as_py(), found.column(1)[0].as_py()) == (100001, -1)
    finally:
        engine.close()
