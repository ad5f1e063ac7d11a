"""AT and BEFORE on temporary tables: what the session keeps of them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snowflake.connector.errors import ProgrammingError
from snowflake.snowpark import Session

from polynya.storage import temporary_past
from polynya.storage.engine import Engine
from tests.time_travel.conftest import Client


@pytest.fixture
def filled(client: Client) -> dict[str, str]:
    """A temporary table T (A, B) and the ids of what was done to it."""
    ids = {"create": client.run("CREATE TEMPORARY TABLE t (a INT, b VARCHAR)")}
    ids["insert"] = client.run("INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    ids["update"] = client.run("UPDATE t SET b = 'z' WHERE a = 1")
    ids["more"] = client.run("INSERT INTO t VALUES (3, 'w')")
    return ids


def test_by_statement(client: Client, filled: dict[str, str]) -> None:
    for clause, rows in [
        (f"AT (STATEMENT => '{filled['create']}')", []),
        (f"BEFORE (STATEMENT => '{filled['insert']}')", []),
        (f"AT (STATEMENT => '{filled['insert']}')", [(1, "x"), (2, "y")]),
        (f"BEFORE (STATEMENT => '{filled['update']}')", [(1, "x"), (2, "y")]),
        (f"AT (STATEMENT => '{filled['update']}')", [(1, "z"), (2, "y")]),
        (f"AT (STATEMENT => '{filled['more']}')", [(1, "z"), (2, "y"), (3, "w")]),
        ("AT (OFFSET => 0)", [(1, "z"), (2, "y"), (3, "w")]),
    ]:
        assert client(f"SELECT * FROM t {clause} ORDER BY a") == rows, clause


def test_by_time(client: Client, filled: dict[str, str]) -> None:
    ((before,),) = client("SELECT TO_VARCHAR(SYSDATE())")
    time.sleep(1.1)
    client("DELETE FROM t WHERE a < 3")
    assert client("SELECT a FROM t") == [(3,)]
    assert client(f"SELECT COUNT(*) FROM t AT (TIMESTAMP => '{before}')") == [(3,)]
    assert client("SELECT COUNT(*) FROM t AT (OFFSET => -1)") == [(3,)]
    with pytest.raises(ProgrammingError, match="before the object creation time"):
        client("SELECT * FROM t AT (OFFSET => -3600)")


def test_transactions(client: Client, filled: dict[str, str]) -> None:
    """A commit is one moment, a rollback none; one's own uncommitted changes are not of the past."""
    then = f"AT (STATEMENT => '{filled['more']}')"
    rows = [(1, "z"), (2, "y"), (3, "w")]
    client("BEGIN")
    insert = client.run("INSERT INTO t VALUES (4, 'v')")
    client("UPDATE t SET b = 'u'")
    client("DELETE FROM t WHERE a = 2")
    assert client(f"SELECT * FROM t {then} ORDER BY a") == rows
    client("ROLLBACK")
    assert client(f"SELECT * FROM t {then} ORDER BY a") == rows
    assert client("SELECT * FROM t ORDER BY a") == rows
    client("BEGIN")
    insert = client.run("INSERT INTO t VALUES (4, 'v')")
    client("UPDATE t SET b = 'u'")
    with pytest.raises(ProgrammingError):
        client("UPDATE t SET a = 1 / (a - a)")
    client("DELETE FROM t WHERE a = 2")
    client("INSERT INTO t VALUES (5, 's')")
    client("COMMIT")
    after = client("SELECT * FROM t ORDER BY a")
    assert after == [(1, "u"), (3, "u"), (4, "u"), (5, "s")]
    client("DELETE FROM t")
    assert client(f"SELECT * FROM t BEFORE (STATEMENT => '{insert}') ORDER BY a") == rows
    assert client(f"SELECT * FROM t AT (STATEMENT => '{insert}') ORDER BY a") == after
    assert client(f"SELECT * FROM t {then} ORDER BY a") == rows


def test_follows_the_table(client: Client, filled: dict[str, str]) -> None:
    """Through changes of its columns, rebuilding ones too, TRUNCATE, overwriting, MERGE and renaming."""
    then = f"BEFORE (STATEMENT => '{filled['update']}')"
    client("ALTER TABLE t RENAME COLUMN b TO c")
    assert client(f"SELECT a, c FROM t {then} ORDER BY a") == [(1, "x"), (2, "y")]
    added = client.run("ALTER TABLE t ADD COLUMN n INT DEFAULT 7")
    for clause in (then, f"BEFORE (STATEMENT => '{filled['more']}')"):
        assert client(f"SELECT a, n FROM t {clause} ORDER BY a") == [(1, 7), (2, 7)]
    assert client(f"SELECT a, n FROM t AT (STATEMENT => '{added}') ORDER BY a") == [(1, 7), (2, 7), (3, 7)]
    client("ALTER TABLE t DROP COLUMN c")
    client("ALTER TABLE t ADD COLUMN c VARCHAR")  # another one of the old name
    assert client(f"SELECT * FROM t {then} ORDER BY a") == [(1, 7, None), (2, 7, None)]
    client("ALTER TABLE t ADD COLUMN m NUMBER(5, 0)")
    set_m = client.run("UPDATE t SET m = 3")
    client("ALTER TABLE t ALTER COLUMN m SET DATA TYPE NUMBER(30, 0)")
    merge = client.run(
        "MERGE INTO t USING (SELECT 1 AS a UNION ALL SELECT 9) AS s ON t.a = s.a WHEN MATCHED THEN UPDATE SET m = 0 "
        "WHEN NOT MATCHED THEN INSERT (a, m) VALUES (s.a, 1)"
    )
    assert client("SELECT SUM(m) FROM t") == [(7,)]
    for clause in (f"AT (STATEMENT => '{set_m}')", f"BEFORE (STATEMENT => '{merge}')"):
        assert client(f"SELECT SUM(m) FROM t {clause}") == [(9,)]
    truncate = client.run("TRUNCATE TABLE t")
    overwrite = client.run("INSERT OVERWRITE INTO t (a) SELECT 5")
    client("ALTER TABLE t RENAME TO third")
    assert client(f"SELECT SUM(m) FROM third BEFORE (STATEMENT => '{truncate}')") == [(7,)]
    assert client(f"SELECT a FROM third BEFORE (STATEMENT => '{overwrite}')") == []
    assert client(f"SELECT a FROM third {then} ORDER BY a") == [(1,), (2,)]


def test_clones_and_other_uses(client: Client, filled: dict[str, str]) -> None:
    then = f"BEFORE (STATEMENT => '{filled['update']}')"
    client(f"CREATE TEMPORARY TABLE c CLONE t {then}")
    assert client("SELECT * FROM c ORDER BY a") == [(1, "x"), (2, "y")]
    client(f"CREATE TABLE d AS SELECT n.a, o.b FROM t AS n JOIN t {then} AS o USING (a)")
    assert client("SELECT * FROM d ORDER BY a") == [(1, "x"), (2, "y")]
    client(f"INSERT OVERWRITE INTO t SELECT * FROM t {then}")
    assert client("SELECT * FROM t ORDER BY a") == [(1, "x"), (2, "y")]
    client("CREATE OR REPLACE TEMPORARY TABLE t (a INT, b VARCHAR)")
    with pytest.raises(ProgrammingError, match="before the object creation time"):
        client(f"SELECT * FROM t {then}")


def test_large_tables(client: Client) -> None:
    """Rows that were added are known at any size; what changed, if the table's retention time says so."""
    client("CREATE TEMPORARY TABLE t AS SELECT SEQ4() AS a, 0 AS b FROM TABLE(GENERATOR(ROWCOUNT => 60000))")
    insert = client.run("INSERT INTO t SELECT SEQ4() + 60000, 1 FROM TABLE(GENERATOR(ROWCOUNT => 60000))")
    assert client(f"SELECT COUNT(*), SUM(b), MAX(a) FROM t BEFORE (STATEMENT => '{insert}')") == [(60000, 0, 59999)]
    delete = client.run("DELETE FROM t WHERE a % 2 = 0")
    assert client(f"SELECT COUNT(*) FROM t AT (STATEMENT => '{delete}')") == [(60000,)]
    with pytest.raises(ProgrammingError, match="only with DATA_RETENTION_TIME_IN_DAYS = 1") as raised:
        client(f"SELECT * FROM t BEFORE (STATEMENT => '{delete}')")
    assert raised.value.errno == 707
    client("ALTER TABLE t SET DATA_RETENTION_TIME_IN_DAYS = 1")
    update = client.run("UPDATE t SET b = 2")
    assert client(f"SELECT COUNT(*), SUM(b) FROM t BEFORE (STATEMENT => '{update}')") == [(60000, 30000)]
    with pytest.raises(ProgrammingError, match="only with DATA_RETENTION_TIME_IN_DAYS = 1"):
        client(f"SELECT * FROM t BEFORE (STATEMENT => '{delete}')")
    client("ALTER TABLE t SET DATA_RETENTION_TIME_IN_DAYS = 0")
    with pytest.raises(ProgrammingError, match="beyond the allowed time travel period"):
        client(f"SELECT * FROM t BEFORE (STATEMENT => '{update}')")


def test_the_oldest_copies_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary_past, "_HELD_VALUES", 4 * temporary_past._LEAST_VALUES)
    engine = Engine.open(tmp_path)
    connection = engine.connect()
    connection.execute('CREATE TEMPORARY TABLE temp.main."t_1" AS SELECT -1 AS a')
    connection.temporary_past.keep('temp.main."t_1"', 1, 1, chosen=False)
    moments = []
    for number in range(8):
        connection.execute(f'UPDATE temp.main."t_1" SET a = {number}')
        moments.append(datetime.now(UTC))
    for number, moment in enumerate(moments):
        rows = connection.temporary_rows_at('temp.main."t_1"', moment)
        assert (rows is None) == (number < 3)
        if rows is not None:
            assert connection.table(f"SELECT a FROM {rows}").to_pylist() == [{"a": number}]
    tables = "SELECT count(*) AS n FROM duckdb_tables() WHERE database_name = 'temp'"
    assert connection.table(tables).to_pylist() == [{"n": 5}]
    connection.execute('DROP TABLE temp.main."t_1"')
    assert connection.table(tables).to_pylist() == [{"n": 0}]
    connection.close()
    engine.close()


def test_snowpark(session: Session) -> None:
    session.create_dataframe([[1, "a"], [2, "b"]], schema=["id", "name"]).write.save_as_table("p", table_type="temp")
    with session.query_history() as history:
        session.sql("UPDATE p SET name = 'z' WHERE id = 1").collect()
    statement = history.queries[-1].query_id
    for frame, names in [
        (session.table("p", time_travel_mode="before", statement=statement), ["a", "b"]),
        (session.table("p", time_travel_mode="at", statement=statement), ["b", "z"]),
        (session.read.option("time_travel_mode", "before").option("statement", statement).table("p"), ["a", "b"]),
    ]:
        assert sorted(row["NAME"] for row in frame.collect()) == names


_WRITES = st.one_of(
    st.tuples(
        st.just("INSERT INTO t SELECT SEQ4() + {0}, {0} FROM TABLE(GENERATOR(ROWCOUNT => 7))"), st.integers(1, 99)
    ),
    st.tuples(st.just("DELETE FROM t WHERE a % 5 = {0} % 5"), st.integers(0, 4)),
    st.tuples(st.just("UPDATE t SET b = b + 1 WHERE a % 3 = {0} % 3"), st.integers(0, 2)),
    st.tuples(st.sampled_from(["BEGIN", "COMMIT", "ROLLBACK"]), st.just(0)),
)


@given(writes=st.lists(_WRITES, min_size=1, max_size=12))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_past_is_what_was_seen(client: Client, writes: list[tuple[str, int]]) -> None:
    """Whatever is written, each committed state is found again afterwards."""
    client("CREATE OR REPLACE TEMPORARY TABLE t (a INT, b INT)")
    seen: list[tuple[str, list]] = []
    open_transaction = False
    for text, number in writes:
        if text == "BEGIN" and open_transaction:
            continue
        statement = client.run(text.format(number))
        open_transaction = text == "BEGIN" or (open_transaction and text not in ("COMMIT", "ROLLBACK"))
        if not open_transaction:
            seen.append((statement, client("SELECT * FROM t ORDER BY ALL")))
    for statement, rows in seen:
        assert client(f"SELECT * FROM t AT (STATEMENT => '{statement}') ORDER BY ALL") == rows
    client("COMMIT")
