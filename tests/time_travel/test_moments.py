"""AT and BEFORE: what a table held, by statement, time and offset."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from snowflake.connector.errors import ProgrammingError

from tests.time_travel.conftest import Client


@pytest.fixture
def filled(client: Client) -> dict[str, str]:
    """A table T (A, B) and the ids of what was done to it."""
    ids = {"create": client.run("CREATE TABLE t (a INT, b VARCHAR)")}
    ids["insert"] = client.run("INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    ids["update"] = client.run("UPDATE t SET b = 'z' WHERE a = 1")
    return ids


def test_by_statement(client: Client, filled: dict[str, str]) -> None:
    for clause, rows in [
        (f"AT (STATEMENT => '{filled['create']}')", []),
        (f"BEFORE (STATEMENT => '{filled['insert']}')", []),
        (f"AT(STATEMENT => '{filled['insert']}')", [(1, "x"), (2, "y")]),
        (f"BEFORE(STATEMENT => '{filled['update']}')", [(1, "x"), (2, "y")]),
        (f"AT (STATEMENT => '{filled['update']}')", [(1, "z"), (2, "y")]),
    ]:
        assert client(f"SELECT * FROM t {clause} ORDER BY a") == rows, clause


def test_by_a_statement_that_wrote_nothing(client: Client, filled: dict[str, str]) -> None:
    query = client.run("SELECT 1")
    client("DELETE FROM t")
    assert client(f"SELECT COUNT(*) FROM t AT (STATEMENT => '{query}')") == [(2,)]
    assert client("SELECT COUNT(*) FROM t") == [(0,)]


def test_by_time(client: Client, filled: dict[str, str]) -> None:
    ((before, local),) = client("SELECT TO_VARCHAR(SYSDATE()), TO_VARCHAR(CURRENT_TIMESTAMP())")
    time.sleep(0.01)
    client("DELETE FROM t WHERE a = 2")
    client("ALTER SESSION SET TIMEZONE = 'Asia/Tokyo'")
    for moment in [
        f"'{before}'",  # without a zone: UTC
        f"'{before}'::TIMESTAMP_NTZ",
        f"'{local}'::TIMESTAMP_TZ",
        f"'{local}'::TIMESTAMP_LTZ",
        f"CONVERT_TIMEZONE('America/New_York', '{local}'::TIMESTAMP_TZ)",
    ]:
        assert client(f"SELECT COUNT(*) FROM t AT (TIMESTAMP => {moment})") == [(2,)], moment
        assert client(f"SELECT COUNT(*) FROM t BEFORE (TIMESTAMP => {moment})") == [(2,)], moment
    assert client("SELECT COUNT(*) FROM t AT (TIMESTAMP => CURRENT_TIMESTAMP())") == [(1,)]


def test_by_offset(client: Client, filled: dict[str, str]) -> None:
    time.sleep(1.2)
    client("DELETE FROM t")
    assert client("SELECT COUNT(*) FROM t AT (OFFSET => -1)") == [(2,)]
    assert client("SELECT COUNT(*) FROM t AT (OFFSET => -60 * 0 - 0.5) AS u") == [(2,)]
    assert client("SELECT COUNT(*) FROM t AT (OFFSET => 0)") == [(0,)]


def test_a_long_transaction_counts_from_its_commit(client: Client, another: Callable[[], Client]) -> None:
    client("CREATE TABLE t AS SELECT 1 AS a")
    other = another()
    other("BEGIN")
    insert = other.run("INSERT INTO t VALUES (2)")
    time.sleep(0.3)
    ((between,),) = client("SELECT TO_VARCHAR(SYSDATE())")
    time.sleep(0.05)
    commit = other.run("COMMIT")
    assert client(f"SELECT COUNT(*) FROM t AT (TIMESTAMP => '{between}')") == [(1,)]
    for statement in (insert, commit):
        assert client(f"SELECT COUNT(*) FROM t BEFORE (STATEMENT => '{statement}')") == [(1,)]
        assert client(f"SELECT COUNT(*) FROM t AT (STATEMENT => '{statement}')") == [(2,)]


def test_in_every_from(client: Client, filled: dict[str, str]) -> None:
    then = f"BEFORE (STATEMENT => '{filled['update']}')"
    client("CREATE VIEW v AS SELECT b, a FROM t WHERE a = 1")
    client("CREATE VIEW w AS SELECT b FROM v")
    assert client(f"SELECT n.b, o.b FROM t AS n JOIN t {then} AS o USING (a) WHERE a = 1") == [("z", "x")]
    assert client(f"SELECT b FROM v {then}") == [("x",)]
    assert client(f"SELECT b FROM w {then}") == [("x",)]
    assert client(f"SELECT a FROM t WHERE b NOT IN (SELECT b FROM t {then})") == [(1,)]
    assert client(f"WITH o AS (SELECT * FROM t {then}) SELECT b FROM o WHERE a = 1") == [("x",)]
    assert client(f"SELECT b FROM IDENTIFIER('t') {then} WHERE a = 1") == [("x",)]
    client(f"CREATE TABLE copy AS SELECT * FROM t {then}")
    client(f"INSERT INTO copy SELECT a + 10, b FROM t {then}")
    client(f"UPDATE t SET b = o.b FROM t {then} AS o WHERE t.a = o.a")
    assert client("SELECT * FROM t ORDER BY a") == [(1, "x"), (2, "y")]
    assert client("SELECT COUNT(*) FROM copy") == [(4,)]
    client("SET id = '" + filled["insert"] + "'")
    assert client("SELECT COUNT(*) FROM t AT (STATEMENT => $id)") == [(2,)]


def test_follows_the_table(client: Client, filled: dict[str, str]) -> None:
    """Through changes of its columns, rebuilding ones too, TRUNCATE, overwriting, renaming, SWAP, DROP and UNDROP."""
    then = f"BEFORE (STATEMENT => '{filled['update']}')"
    client("ALTER TABLE t RENAME COLUMN b TO c")
    assert client(f"SELECT a, c FROM t {then} ORDER BY a") == [(1, "x"), (2, "y")]
    added = client.run("ALTER TABLE t ADD COLUMN n INT DEFAULT 7")
    for clause in (then, f"AT (STATEMENT => '{added}')", f"BEFORE (STATEMENT => '{added}')"):
        assert client(f"SELECT a, n FROM t {clause} ORDER BY a") == [(1, 7), (2, 7)]
    client("ALTER TABLE t DROP COLUMN c")
    client("ALTER TABLE t ADD COLUMN c VARCHAR")  # another one of the old name
    assert client(f"SELECT * FROM t {then} ORDER BY a") == [(1, 7, None), (2, 7, None)]
    client("ALTER TABLE t ADD COLUMN m NUMBER(5, 0)")
    set_m = client.run("UPDATE t SET m = 3")
    client("ALTER TABLE t ALTER COLUMN m SET DATA TYPE NUMBER(30, 0)")
    assert client(f"SELECT SUM(m) FROM t AT (STATEMENT => '{set_m}')") == [(6,)]
    truncate = client.run("TRUNCATE TABLE t")
    overwrite = client.run("INSERT OVERWRITE INTO t (a) SELECT 5")
    assert client(f"SELECT a FROM t BEFORE (STATEMENT => '{truncate}') ORDER BY a") == [(1,), (2,)]
    assert client(f"SELECT a FROM t BEFORE (STATEMENT => '{overwrite}')") == []
    client("CREATE TABLE other (a INT)")
    client("ALTER TABLE t SWAP WITH other")
    client("DROP TABLE other")
    client("UNDROP TABLE other")
    client("ALTER TABLE other RENAME TO third")
    assert client(f"SELECT a FROM third {then} ORDER BY a") == [(1,), (2,)]


def test_uncommitted_changes_are_not_of_the_past(client: Client, filled: dict[str, str]) -> None:
    client("BEGIN")
    client("INSERT INTO t VALUES (3, 'n')")
    client("DELETE FROM t WHERE a = 1")
    assert client(f"SELECT * FROM t AT (STATEMENT => '{filled['insert']}') ORDER BY a") == [(1, "x"), (2, "y")]
    assert client(f"SELECT * FROM t AT (STATEMENT => '{filled['update']}') ORDER BY a") == [(1, "z"), (2, "y")]
    client("ROLLBACK")


def test_survives_many_writers(client: Client, another: Callable[[], Client]) -> None:
    """Each statement's own moment is right while others commit all the time."""
    client("CREATE TABLE t (session INT, n INT)")
    found: list[bool] = []

    def work(session: int) -> None:
        own = another()
        for n in range(8):
            insert = own.run(f"INSERT INTO t VALUES ({session}, {n})")
            before = own(f"SELECT COUNT(*) FROM t BEFORE (STATEMENT => '{insert}') WHERE session = {session}")
            at = own(f"SELECT COUNT(*) FROM t AT (STATEMENT => '{insert}') WHERE session = {session}")
            found.append((before, at) == ([(n,)], [(n + 1,)]))

    threads = [threading.Thread(target=work, args=(session,)) for session in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 32


REFUSED = [
    ("AT (OFFSET => -3600)", 707, "Time travel data is not available for table T"),
    ("AT (TIMESTAMP => '2020-01-01'::TIMESTAMP)", 707, "before the object creation time"),
    ("AT (OFFSET => -86400 * 100)", 707, "beyond the allowed time travel period"),
    ("AT (OFFSET => 3600)", 1008, "in the future"),
    ("AT (TIMESTAMP => DATEADD(DAY, 1, SYSDATE()))", 1008, "in the future"),
    ("AT (TIMESTAMP => 'yesterday')", 100035, "Timestamp 'yesterday' is not recognized"),
    ("AT (OFFSET => NULL)", 1008, "NULL"),
    ("AT (OFFSET => 1e300)", 100039, "out of range"),
    ("AT (OFFSET => a)", 904, "invalid identifier 'A'"),
    ("BEFORE (STATEMENT => '01b2c3d4-0000-0000-0000-000000000000')", 709, "01b2c3d4-0000-0000-0000-000000000000 not found"),
    ("AT (STATEMENT => 'x'' OR 1=1')", 709, "not found"),
    ("AT (STREAM => 's')", 2003, "does not exist or not authorized"),
    ("BEFORE (STREAM => 's')", 2, "BEFORE (STREAM => ...)"),
    ("AT (VERSION => 3)", 2, "AT (VERSION => ...)"),
    ("AT (OFFSET => )", 1003, "syntax error"),
]  # fmt: skip


@pytest.mark.parametrize(("clause", "code", "text"), REFUSED)
def test_what_cannot_be(client: Client, clause: str, code: int, text: str) -> None:
    client("CREATE TABLE t AS SELECT 1 AS a")
    with pytest.raises(ProgrammingError) as raised:
        client(f"SELECT * FROM t {clause}")
    assert raised.value.errno == code, raised.value.msg
    assert text in str(raised.value.msg)
    assert client("SELECT * FROM t") == [(1,)]


def test_where_there_is_no_past(client: Client) -> None:
    older = client.run("SELECT 1")
    client("CREATE TABLE young AS SELECT 1 AS a")
    client("CREATE TABLE brief (a INT) DATA_RETENTION_TIME_IN_DAYS = 0")
    insert = client.run("INSERT INTO brief VALUES (1)")
    for sql, code, text in [
        (f"SELECT * FROM young AT (STATEMENT => '{older}')", 707, "YOUNG"),
        (f"SELECT * FROM brief AT (STATEMENT => '{insert}')", 707, "BRIEF"),
        ("WITH c AS (SELECT 1 AS a) SELECT * FROM c AT (OFFSET => 0)", 2, "AT on anything but a stored table or view"),
        ("SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID())) AT (OFFSET => 0)", 2, "AT on anything but"),
        ("SELECT * FROM information_schema.tables AT (OFFSET => 0)", 2, "AT on anything but"),
        ("INSERT INTO young AT (OFFSET => 0) VALUES (1)", 2, "writing to a table AT"),
    ]:
        with pytest.raises(ProgrammingError) as raised:
            client(sql)
        assert raised.value.errno == code, (sql, raised.value.msg)
        assert text in str(raised.value.msg)
