"""Steps: rows made in Python of a query's rows, streamed into the SQL around it or spooled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from polynya.errors import SnowflakeError
from polynya.storage import steps
from polynya.storage.connection import Connection
from polynya.storage.engine import Engine
from polynya.storage.python_calls import EngineCall, call_sql
from polynya.storage.steps import Run, Step
from polynya.types.sqltype import number

TABLE = 'lake.main."t"'
MADE = pa.schema([pa.field("s.y", pa.int64())])
READ = 'SELECT sum("s.y") AS y FROM "s" AS s'
BIG = 200_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(tmp_path, threads=2)
    yield opened
    opened.close()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A connection to an engine whose table t holds 0, 1, 2, 3."""
    opened = engine.connect()
    opened.execute(f"CREATE TABLE {TABLE} AS SELECT range::BIGINT AS x FROM range(4)")
    yield opened
    opened.close()
    assert files(engine) == []


def files(engine: Engine) -> list[Path]:
    return list((engine.home / "tmp" / "steps").iterdir())


class Doubled:
    """Twice x; counts how often it ran, and how many batches went through."""

    def __init__(self) -> None:
        self.runs = 0
        self.batches = 0

    def __call__(self, batches: Iterator[pa.RecordBatch], stopped: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
        self.runs += 1
        for batch in batches:
            self.batches += 1
            values = pa.array([2 * value for value in batch.column(0).to_pylist()], pa.int64())
            yield pa.RecordBatch.from_arrays(
                [*batch.columns[1:], values], names=[*batch.schema.names[1:], "s.y"]
            )  # fmt: skip


def step(run: Run, source: str = TABLE, carried: dict[str, str] | None = None) -> Step:
    return Step({"s.a": "t.x"}, carried or {}, "", f" FROM {source} AS t", run, MADE)


def test_streamed_where_nothing_else_is_read(connection: Connection, engine: Engine) -> None:
    seen: list[list[Path]] = []
    doubled = Doubled()

    def run(batches: Iterator[pa.RecordBatch], stopped: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
        for batch in doubled(batches, stopped):
            seen.append(files(engine))
            yield batch

    assert connection.table(READ, {"s": step(run)}).to_pylist() == [{"y": 12}]
    assert doubled.runs == 1
    assert seen == [[]]


@pytest.mark.parametrize(
    "sql",
    [
        f'SELECT sum("s.y") AS y FROM "s" AS s WHERE "s.y" IN (SELECT x * 2 FROM {TABLE})',
        'SELECT sum("s.y") / 2 AS y FROM (SELECT * FROM "s" UNION ALL SELECT * FROM "s")',
        'WITH c AS (SELECT "s.y" AS y FROM "s") SELECT sum(a.y) AS y FROM c AS a JOIN c AS b ON a.y = b.y',
        """SELECT sum("s.y") AS y FROM "s" AS s WHERE "s.y" IN (SELECT "s.y" FROM "s")""",
    ],
)
def test_spooled_where_rows_are_read_again(connection: Connection, sql: str) -> None:
    doubled = Doubled()
    assert connection.table(sql, {"s": step(doubled)}).to_pylist()[0]["y"] == 12
    assert doubled.runs == 1


def test_a_stream_that_is_read_twice_is_spooled(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_streams", lambda sql, inputs, *_: bool(steps._steps(sql, inputs)))
    doubled = Doubled()
    sql = 'SELECT sum(a."s.y") AS y FROM "s" AS a JOIN "s" AS b ON a."s.y" = b."s.y"'
    assert connection.table(sql, {"s": step(doubled)}).to_pylist() == [{"y": 12}]
    assert doubled.runs == 2
    connection.execute('CREATE TEMPORARY TABLE "c" AS ' + sql, {"s": step(doubled)})
    assert connection.table('SELECT y FROM temp."c"').to_pylist() == [{"y": 12}]


def test_temporary_and_uncommitted_rows_are_seen(connection: Connection) -> None:
    connection.execute('CREATE TEMPORARY TABLE temp."u" AS SELECT 5::BIGINT AS x')
    assert connection.table(READ, {"s": step(Doubled(), 'temp."u"')}).to_pylist() == [{"y": 10}]
    connection.begin()
    connection.execute(f"INSERT INTO {TABLE} VALUES (10)")
    assert connection.table(READ, {"s": step(Doubled())}).to_pylist() == [{"y": 32}]
    connection.rollback()
    assert connection.table(READ, {"s": step(Doubled())}).to_pylist() == [{"y": 12}]


def test_dml_reads_steps(connection: Connection) -> None:
    select = 'SELECT "s.y" FROM "s" AS s'
    assert connection.execute(f"INSERT INTO {TABLE} {select}", {"s": step(Doubled())}) == 4
    delete = f'DELETE FROM {TABLE} WHERE x IN ({select} WHERE "s.y" > 5)'
    assert connection.execute(delete, {"s": step(Doubled())}) == 1  # the 6 that was made of 3
    assert sorted(connection.table(f"SELECT x FROM {TABLE}").column(0).to_pylist()) == [0, 0, 1, 2, 2, 3, 4]


def test_carried_columns_that_nothing_reads_are_left_out(connection: Connection) -> None:
    seen: list[list[str]] = []

    def run(batches: Iterator[pa.RecordBatch], stopped: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
        for batch in Doubled()(batches, stopped):
            seen.append(batch.schema.names)
            yield batch

    carried = {"s.k": "t.x", "s.unread": "'a long text'"}
    rows = connection.table('SELECT "s.k" AS k, "s.y" AS y FROM "s"', {"s": step(run, carried=carried)}).to_pylist()
    assert rows == [{"k": value, "y": 2 * value} for value in range(4)]
    assert seen == [["s.k", "s.y"]]


def test_steps_read_steps(connection: Connection) -> None:
    second = Step(
        {"u.a": 's."s.y"'}, {}, "", ' FROM "s" AS s', renamed("u.y"), pa.schema([pa.field("u.y", pa.int64())])
    )
    sql = 'SELECT sum("u.y") AS y FROM "u" AS u'
    assert connection.table(sql, {"s": step(Doubled()), "u": second}).to_pylist() == [{"y": 24}]
    # read by the statement and by the other step: made once
    doubled = Doubled()
    both = 'SELECT sum(u."u.y") AS y FROM "u" AS u JOIN "s" AS s ON s."s.y" * 2 = u."u.y"'
    assert connection.table(both, {"s": step(doubled), "u": second}).to_pylist() == [{"y": 24}]
    assert doubled.runs == 1


def renamed(name: str) -> Run:
    def run(batches: Iterator[pa.RecordBatch], stopped: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
        for batch in Doubled()(batches, stopped):
            yield batch.rename_columns([*batch.schema.names[:-1], name])

    return run


@pytest.mark.parametrize("source", [TABLE, '(SELECT * FROM lake.main."t" WHERE x < 9)'])
@pytest.mark.parametrize("sql", [READ, f'SELECT * FROM "s" WHERE "s.y" IN (SELECT x FROM {TABLE})'])
def test_errors_reach_the_caller_unchanged(connection: Connection, sql: str, source: str) -> None:
    def run(batches: Iterator[pa.RecordBatch], stopped: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
        yield from Doubled()(iter([next(batches)]), stopped)
        raise SnowflakeError(100357, "P0000", 'Traceback:\n  "line" 1\nValueError: no')

    with pytest.raises(SnowflakeError) as caught:
        connection.table(sql, {"s": step(run, source)})
    assert (caught.value.code, caught.value.message) == (100357, 'Traceback:\n  "line" 1\nValueError: no')
    assert connection.table(READ, {"s": step(Doubled())}).to_pylist() == [{"y": 12}]


def test_errors_of_the_query_below(connection: Connection) -> None:
    with pytest.raises(SnowflakeError) as caught:
        connection.table(READ, {"s": step(Doubled(), f"(SELECT CAST(error('bad ' || x) AS BIGINT) AS x FROM {TABLE})")})
    assert "bad" in caught.value.message


def test_unread_rows_end_with_the_next_statement(connection: Connection) -> None:
    ended = threading.Event()

    def run(batches: Iterator[pa.RecordBatch], stopped: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
        try:
            yield from Doubled()(batches, stopped)
        finally:
            ended.set()

    reader = connection.query('SELECT "s.y" FROM "s"', {"s": step(run, f"(SELECT range AS x FROM range({BIG * 200}))")})
    assert reader.read_next_batch().num_rows > 0
    assert not ended.is_set()
    assert connection.table("SELECT 1 AS one").to_pylist() == [{"one": 1}]
    assert ended.is_set()


def test_limit_stops_early(connection: Connection) -> None:
    doubled = Doubled()
    source = f"(SELECT range AS x FROM range({BIG * 20}))"
    assert len(connection.table('SELECT "s.y" FROM "s" LIMIT 3', {"s": step(doubled, source)})) == 3
    assert doubled.batches < 20


@pytest.mark.parametrize("limit", [1, 3, 10])
def test_a_step_ends_after_its_limit(connection: Connection, limit: int) -> None:
    def run(batches: Iterator[pa.RecordBatch], stopped: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
        yield from Doubled()(batches, stopped)
        raise AssertionError("asked for more")

    few = replace(step(run, f"(SELECT * FROM {TABLE} UNION ALL SELECT 4 FROM range(9))"), limit=limit)
    assert len(connection.table(f'SELECT "s.y" FROM "s" LIMIT {limit}', {"s": few})) == limit


def test_interrupt_ends_the_query_of_a_step(connection: Connection) -> None:
    slow = "(SELECT count(*) AS x FROM range(100000000) a JOIN range(100000000) b ON a.range + b.range = -1)"
    threading.Timer(0.5, connection.interrupt).start()
    started = time.monotonic()
    with pytest.raises(SnowflakeError) as caught:
        connection.table(READ, {"s": step(Doubled(), slow)})
    assert caught.value.code == 604
    assert time.monotonic() - started < 30


def test_explain_runs_nothing(connection: Connection) -> None:
    doubled = Doubled()
    assert "ARROW_SCAN" in str(connection.table(f"EXPLAIN {READ}", {"s": step(doubled)}).to_pylist())
    assert doubled.batches == 0


def test_a_start_clears_what_a_crash_left(tmp_path: Path) -> None:
    Engine.open(tmp_path).close()
    (tmp_path / "tmp" / "steps" / "left.arrow").write_bytes(b"rows")
    engine = Engine.open(tmp_path)
    assert files(engine) == []
    engine.close()


def test_time_zone_of_a_step_is_the_session_s(connection: Connection) -> None:
    connection.set_timezone("Asia/Tokyo")
    source = "(SELECT date_part('hour', TIMESTAMPTZ '2024-01-01 00:00:00+00')::BIGINT AS x)"
    assert connection.table(READ, {"s": step(Doubled(), source)}).to_pylist() == [{"y": 18}]


# --- calls ------------------------------------------------------------------------------------------------------------


def test_calls_exist_while_their_statement_runs(connection: Connection) -> None:
    call = EngineCall(
        lambda batch: pa.array([value + 1 for value in batch.column(0).to_pylist()], pa.decimal128(10, 0))
    )
    sql = f"SELECT {call_sql('call_test', ['x'], number(10, 0), volatile=True)} AS y FROM {TABLE}"
    assert [row["y"] for row in connection.table(sql, {"call_test": call}).to_pylist()] == [1, 2, 3, 4]
    with pytest.raises(SnowflakeError):
        connection.table(sql)


@pytest.mark.parametrize(("volatile", "calls"), [(True, 4), (False, 1)])
def test_volatile_calls_are_made_for_each_row(connection: Connection, volatile: bool, calls: int) -> None:
    rows: list[int] = []

    def body(batch: pa.RecordBatch) -> pa.Array:
        rows.append(batch.num_rows)
        return pa.array([7] * batch.num_rows, pa.decimal128(10, 0))

    sql = f"SELECT {call_sql('call_test', ['1'], number(10, 0), volatile=volatile)} AS y FROM {TABLE}"
    assert len(connection.table(sql, {"call_test": EngineCall(body)})) == 4
    assert sum(rows) == calls
    rows.clear()
    sql = f"SELECT {call_sql('call_test', [], number(10, 0), volatile=True)} AS y FROM {TABLE}"
    assert len(connection.table(sql, {"call_test": EngineCall(body)})) == 4
    assert sum(rows) == 4


def test_errors_of_calls_reach_the_caller_unchanged(connection: Connection) -> None:
    def body(batch: pa.RecordBatch) -> pa.Array:
        raise SnowflakeError(100357, "P0000", "Traceback:\n  line 1\nValueError: 'no'")

    sql = f"SELECT {call_sql('call_test', ['x'], number(10, 0), volatile=True)} AS y FROM {TABLE}"
    with pytest.raises(SnowflakeError) as caught:
        connection.table(sql, {"call_test": EngineCall(body)})
    assert (caught.value.code, caught.value.message) == (100357, "Traceback:\n  line 1\nValueError: 'no'")
