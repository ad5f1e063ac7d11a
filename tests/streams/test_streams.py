"""Streams by the real client: what they show, when they move, what becomes of them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

from polynya.catalog.context import Context
from polynya.session.account import Account
from polynya.session.session import Session
from polynya.storage.cleanup import expire

Run = Callable[[str], list[tuple]]


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    return _runner(connection)


def _runner(connection: SnowflakeConnection) -> Run:
    cursor = connection.cursor()
    return lambda sql: cursor.execute(sql).fetchall()


def _changes(run: Run, stream: str) -> list[tuple]:
    return sorted(run(f"SELECT id, v, METADATA$ACTION, METADATA$ISUPDATE FROM {stream}"), key=repr)


# Statements between two consumptions, from the rows (1, 'a'), (2, 'b'), (3, 'c'); and the net changes.
NET = {
    "inserted": (["INSERT INTO t VALUES (4, 'd')"], [(4, "d", "INSERT", False)]),
    "inserted and deleted": (["INSERT INTO t VALUES (4, 'd')", "DELETE FROM t WHERE id = 4"], []),
    "inserted and updated": (
        ["INSERT INTO t VALUES (4, 'd')", "UPDATE t SET v = 'e' WHERE id = 4"],
        [(4, "e", "INSERT", False)],
    ),
    "updated twice": (
        ["UPDATE t SET v = 'x' WHERE id = 1", "UPDATE t SET v = 'y' WHERE id = 1"],
        [(1, "a", "DELETE", True), (1, "y", "INSERT", True)],
    ),
    "updated and back": (["UPDATE t SET v = 'x' WHERE id = 1", "UPDATE t SET v = 'a' WHERE id = 1"], []),
    "updated and deleted": (
        ["UPDATE t SET v = 'x' WHERE id = 1", "DELETE FROM t WHERE id = 1"],
        [(1, "a", "DELETE", False)],
    ),
    "deleted and inserted": (
        ["DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (1, 'z')"],
        [(1, "a", "DELETE", False), (1, "z", "INSERT", False)],
    ),
    "merged": (
        [
            "MERGE INTO t USING (SELECT * FROM VALUES (1, 'm'), (2, NULL), (9, 'n') AS s(k, w)) s ON t.id = s.k "
            "WHEN MATCHED AND s.w IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.w "
            "WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.w)"
        ],
        [
            (1, "a", "DELETE", True),
            (1, "m", "INSERT", True),
            (2, "b", "DELETE", False),
            (9, "n", "INSERT", False),
        ],
    ),
    "truncated": (
        ["TRUNCATE TABLE t", "INSERT INTO t VALUES (3, 'c')"],
        [(1, "a", "DELETE", False), (2, "b", "DELETE", False), (3, "c", "DELETE", False), (3, "c", "INSERT", False)],
    ),
    "loaded": (
        ["COPY INTO @~/streams/rows FROM (SELECT 7, 'q') OVERWRITE = TRUE", "COPY INTO t FROM @~/streams/"],
        [(7, "q", "INSERT", False)],
    ),
    "column added": (
        ["ALTER TABLE t ADD COLUMN w INT NOT NULL DEFAULT 5", "INSERT INTO t VALUES (4, 'd', 6)"],
        [(4, "d", "INSERT", False)],
    ),
    "column renamed and back": (
        ["ALTER TABLE t RENAME COLUMN v TO u", "UPDATE t SET u = 'x' WHERE id = 1", "ALTER TABLE t RENAME COLUMN u TO v"],
        [(1, "a", "DELETE", True), (1, "x", "INSERT", True)],
    ),
    "in one transaction": (
        ["BEGIN", "INSERT INTO t VALUES (4, 'd')", "UPDATE t SET v = 'w' WHERE id > 2", "DELETE FROM t WHERE id = 4", "COMMIT"],
        [(3, "c", "DELETE", True), (3, "w", "INSERT", True)],
    ),
    "rolled back": (["BEGIN", "DELETE FROM t", "ROLLBACK"], []),
}  # fmt: skip


# Cases that are tried with a clone as well.
CLONED = ("updated twice", "merged", "column added", "rolled back")


def test_net_changes(run: Run) -> None:
    """Of the table itself, and of a clone of it that is written to for the first time."""
    for what, (statements, expected) in NET.items():
        run("CREATE OR REPLACE TABLE origin (id INT, v VARCHAR)")
        run("INSERT INTO origin VALUES (1, 'a'), (2, 'b'), (3, 'c')")
        for table in ("TABLE t LIKE origin", "TABLE t CLONE origin")[: 2 if what in CLONED else 1]:
            run(f"CREATE OR REPLACE {table}")
            if "LIKE" in table:
                run("INSERT INTO t SELECT * FROM origin")
            run("CREATE OR REPLACE STREAM s ON TABLE t")
            assert run("SELECT SYSTEM$STREAM_HAS_DATA('s')") == [(False,)], (what, table)
            for statement in statements:
                run(statement)
            assert _changes(run, "s") == sorted(expected, key=repr), (what, table)
            assert run("SELECT SYSTEM$STREAM_HAS_DATA('s')") == [(bool(expected),)], (what, table)


# Statements that write what they read of a stream.
CONSUMING = {
    "INSERT": "INSERT INTO target SELECT id, v FROM s",
    "INSERT of no row": "INSERT INTO target SELECT id, v FROM s WHERE FALSE",
    "INSERT from a view": "INSERT INTO target SELECT id, v FROM over_s",
    "INSERT ALL": "INSERT ALL INTO target INTO target SELECT id, v FROM s",
    "MERGE": "MERGE INTO target USING s ON target.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v)",
    "UPDATE": "UPDATE target SET v = s.v FROM s WHERE target.id = s.id",
    "DELETE": "DELETE FROM target USING s WHERE target.id = s.id",
    "CREATE TABLE AS": "CREATE OR REPLACE TABLE copied AS SELECT * FROM s",
    "CREATE TEMPORARY TABLE AS": "CREATE OR REPLACE TEMPORARY TABLE kept AS SELECT * FROM s",
    "COPY INTO location": "COPY INTO @~/streams/out FROM (SELECT id, v FROM s) OVERWRITE = TRUE",
}


def test_what_moves_a_stream(run: Run) -> None:
    run("CREATE TABLE t (id INT, v VARCHAR)")
    run("CREATE TABLE target (id INT, v VARCHAR)")
    run("CREATE STREAM s ON TABLE t")
    run("CREATE STREAM other ON TABLE t")
    run("CREATE VIEW over_s AS SELECT id, v FROM s")
    for number, (what, statement) in enumerate(CONSUMING.items()):
        run(f"INSERT INTO t VALUES ({number}, 'x')")
        before = run("SELECT SYSTEM$STREAM_GET_TABLE_TIMESTAMP('s')")
        assert run("SELECT id FROM s") == run("SELECT id FROM s") == [(number,)], what
        with pytest.raises(ProgrammingError):
            run("INSERT INTO target SELECT 1 / (id - id), v FROM s")
        assert run("SELECT id FROM s") == [(number,)], what
        run(statement)
        assert run("SELECT id FROM s") == [], what
        assert int(run("SELECT SYSTEM$STREAM_GET_TABLE_TIMESTAMP('s')")[0][0]) > int(before[0][0])
    assert run("SELECT count(*) FROM other") == [(len(CONSUMING),)]
    # what does not
    run("INSERT INTO t VALUES (99, 'x')")
    for statement in (
        "CREATE OR REPLACE VIEW v AS SELECT * FROM s", "SELECT * FROM s", "EXPLAIN SELECT * FROM s", "DESCRIBE STREAM s",
        "SHOW STREAMS", "INSERT INTO target SELECT id, v FROM t", "ALTER STREAM s SET COMMENT = 'x'",
    ):  # fmt: skip
        run(statement)
    assert run("SELECT id FROM s") == [(99,)]


def test_inside_a_transaction_a_stream_stays_the_same(run: Run, connect: Callable[..., Any], schema: str) -> None:
    run("CREATE TABLE t (id INT)")
    run("CREATE TABLE target (id INT)")
    run("CREATE STREAM s ON TABLE t")
    run("INSERT INTO t VALUES (1)")
    run("BEGIN")
    assert run("SELECT id FROM s") == [(1,)]
    run("INSERT INTO t VALUES (2)")
    run("INSERT INTO target SELECT id FROM s")
    database, _, name = schema.partition(".")
    beside = _runner(connect(database=database, schema=name))
    beside("INSERT INTO t VALUES (3)")
    assert run("SELECT id FROM s") == [(1,)]
    run("INSERT INTO target SELECT id FROM s")
    run("ROLLBACK")
    assert sorted(run("SELECT id FROM s")) == [(1,), (3,)]
    run("BEGIN")
    run("INSERT INTO target SELECT id FROM s")
    beside("INSERT INTO t VALUES (4)")
    assert sorted(beside("SELECT id FROM s")) == [(1,), (3,), (4,)]
    run("COMMIT")
    assert run("SELECT id FROM s") == [(4,)]
    assert sorted(run("SELECT id FROM target")) == [(1,), (3,)]


def test_append_only_and_initial_rows(run: Run) -> None:
    run("CREATE TABLE t (id INT, v VARCHAR)")
    run("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    run("CREATE STREAM appended ON TABLE t APPEND_ONLY = TRUE")
    run("CREATE STREAM initial ON TABLE t SHOW_INITIAL_ROWS = TRUE")
    run("CREATE STREAM both_of ON TABLE t APPEND_ONLY = TRUE SHOW_INITIAL_ROWS = TRUE")
    run("INSERT INTO t VALUES (3, 'c'), (4, 'd')")
    run("UPDATE t SET v = 'x' WHERE id IN (1, 3)")
    run("DELETE FROM t WHERE id IN (2, 4)")
    inserted = [(3, "c", "INSERT", False), (4, "d", "INSERT", False)]
    assert _changes(run, "appended") == inserted
    assert _changes(run, "initial") == [(1, "x", "INSERT", False), (3, "x", "INSERT", False)]
    assert _changes(run, "both_of") == [(1, "a", "INSERT", False), (2, "b", "INSERT", False), *inserted]
    for stream in ("appended", "initial", "both_of"):
        run(f"CREATE OR REPLACE TABLE target AS SELECT * FROM {stream}")
        assert _changes(run, stream) == []
    run("DELETE FROM t")
    assert _changes(run, "initial") == [(1, "x", "DELETE", False), (3, "x", "DELETE", False)]
    assert _changes(run, "appended") == []


def test_rows_have_ids(run: Run) -> None:
    run("CREATE TABLE t (id INT, v VARCHAR, o VARIANT)")
    run("INSERT INTO t SELECT 1, 'a', PARSE_JSON('{\"k\": [1]}')")
    run("CREATE STREAM s ON TABLE t")
    run("UPDATE t SET v = 'b'")
    first = run("SELECT DISTINCT METADATA$ROW_ID FROM s")
    run("UPDATE t SET o = PARSE_JSON('2')")
    run("INSERT INTO t(id) VALUES (2)")
    assert run("SELECT METADATA$ROW_ID FROM s WHERE id = 1 AND METADATA$ACTION = 'INSERT'") == first
    assert len(first) == 1 and len(first[0][0]) == 40
    assert run("SELECT COUNT(DISTINCT METADATA$ROW_ID), COUNT(*) FROM s") == [(2, 3)]
    found = run("SELECT * FROM s WHERE id = 2")
    assert found == [(2, None, None, "INSERT", False, found[0][-1])]


def test_two_consumers_share_the_rows(run: Run, connect: Callable[..., Any], schema: str) -> None:
    """Each row is consumed once, whoever comes first, while others insert."""
    run("CREATE TABLE t (id INT)")
    run("CREATE TABLE target (id INT)")
    run("CREATE STREAM s ON TABLE t")
    database, _, name = schema.partition(".")
    inserting = threading.Event()
    errors: list[Exception] = []

    def consume() -> None:
        own = _runner(connect(database=database, schema=name))
        try:
            while not inserting.is_set():
                own("INSERT INTO target SELECT id FROM s")
        except Exception as error:
            errors.append(error)

    consumers = [threading.Thread(target=consume) for _ in range(2)]
    for consumer in consumers:
        consumer.start()
    for number in range(15):
        run(f"INSERT INTO t SELECT {number} * 10 + SEQ4() FROM TABLE(GENERATOR(ROWCOUNT => 10))")
    inserting.set()
    for consumer in consumers:
        consumer.join()
    assert errors == []
    run("INSERT INTO target SELECT id FROM s")
    assert run("SELECT COUNT(*), COUNT(DISTINCT id) FROM target") == [(150, 150)]


def test_a_mirror_stays_equal(run: Run) -> None:
    """Random DML; at random moments the stream's changes go to another table, which is the same afterwards."""
    chance = random.Random(4)
    run("CREATE TABLE t (id INT, v INT)")
    run("CREATE TABLE mirror (id INT, v INT)")
    run("CREATE STREAM s ON TABLE t")
    for _ in range(40):
        first, part = chance.randrange(200), chance.randrange(2, 6)
        run(
            chance.choice(
                [
                    f"INSERT INTO t SELECT {first} + SEQ4(), {part} FROM TABLE(GENERATOR(ROWCOUNT => {part * 6}))",
                    f"UPDATE t SET v = v + 1 WHERE id % {part} = 0",
                    f"DELETE FROM t WHERE id % {part} = 1",
                    f"MERGE INTO t USING (SELECT {first} AS k) s ON t.id = s.k WHEN MATCHED THEN DELETE "
                    "WHEN NOT MATCHED THEN INSERT VALUES (s.k, 0)",
                ]
            )
        )
        if chance.random() < 0.3:
            run("BEGIN")
            run(
                "DELETE FROM mirror USING (SELECT DISTINCT id FROM s WHERE METADATA$ACTION = 'DELETE') gone "
                "WHERE mirror.id = gone.id"
            )
            # rows have no key: of an id of which any row is gone all come again
            run(
                "INSERT INTO mirror SELECT id, v FROM t WHERE id IN (SELECT id FROM s WHERE METADATA$ACTION = 'DELETE')"
            )
            run(
                "INSERT INTO mirror SELECT id, v FROM s WHERE METADATA$ACTION = 'INSERT' AND id NOT IN "
                "(SELECT id FROM s WHERE METADATA$ACTION = 'DELETE')"
            )
            run("COMMIT")
            assert sorted(run("SELECT id, v FROM mirror")) == sorted(run("SELECT id, v FROM t"))


def test_the_table_goes(run: Run) -> None:
    run("CREATE TABLE t (id INT)")
    run("CREATE STREAM s ON TABLE t COMMENT = 'c'")
    run("INSERT INTO t VALUES (1)")
    run("ALTER TABLE t RENAME TO t2")
    assert run("SELECT id FROM s") == [(1,)]
    run("DROP TABLE t2")
    for statement in ("SELECT * FROM s", "CREATE TABLE x AS SELECT * FROM s", "SELECT SYSTEM$STREAM_HAS_DATA('s')"):
        with pytest.raises(ProgrammingError, match="dropped, cannot read from stream") as raised:
            run(statement)
        assert raised.value.errno == 91901
    shown = dict(zip([column[0] for column in _described(run)], run("SHOW STREAMS")[0], strict=True))
    assert (shown["stale"], shown["table_name"]) == ("true", "No privilege or table dropped")
    run("UNDROP TABLE t2")
    assert run("SELECT id FROM s") == [(1,)]
    run("CREATE OR REPLACE TABLE t2 (id INT)")
    with pytest.raises(ProgrammingError, match="dropped"):
        run("SELECT * FROM s")
    run("CREATE TABLE brief (id NUMBER(5, 0)) DATA_RETENTION_TIME_IN_DAYS = 0 MAX_DATA_EXTENSION_TIME_IN_DAYS = 0")
    run("CREATE STREAM short ON TABLE brief")
    with pytest.raises(ProgrammingError, match="has become stale"):
        run("SELECT * FROM short")
    run("CREATE TABLE changed (id NUMBER(5, 0))")
    run("INSERT INTO changed VALUES (1)")
    run("CREATE STREAM anew ON TABLE changed")
    run("ALTER TABLE changed ALTER COLUMN id SET DATA TYPE NUMBER(9, 0)")
    with pytest.raises(ProgrammingError, match="has become stale"):
        run("SELECT * FROM anew")


def _described(run: Run) -> list[Any]:
    del run
    return [(name,) for name in (
        "created_on", "name", "database_name", "schema_name", "owner", "comment", "table_name", "source_type",
        "base_tables", "type", "stale", "mode", "stale_after", "invalid_reason", "owner_role_type",
    )]  # fmt: skip


def test_statements(run: Run) -> None:
    run("CREATE TABLE t (id INT)")
    run("CREATE STREAM s ON TABLE t APPEND_ONLY = TRUE COMMENT = 'first'")
    assert run("CREATE STREAM IF NOT EXISTS s ON TABLE t") == [("S already exists, statement succeeded.",)]
    with pytest.raises(ProgrammingError, match="already exists"):
        run("CREATE STREAM s ON TABLE t")
    with pytest.raises(ProgrammingError, match="already exists"):
        run("CREATE STREAM t ON TABLE t")
    run("INSERT INTO t VALUES (1)")
    run("CREATE STREAM copied CLONE s")
    assert run("SELECT id FROM copied") == [(1,)]
    run("CREATE STREAM from_start ON TABLE t AT (STREAM => 's')")
    assert run("SELECT id FROM from_start") == [(1,)]
    run("CREATE OR REPLACE STREAM s ON TABLE t")
    assert run("SELECT id FROM s") == []
    run("ALTER STREAM s SET COMMENT = 'second'")
    run("ALTER STREAM IF EXISTS nobody SET COMMENT = 'x'")
    names = [column[0] for column in _described(run)]
    shown = {row[1]: dict(zip(names, row, strict=True)) for row in run("SHOW STREAMS LIKE '%'")}
    assert set(shown) == {"S", "COPIED", "FROM_START"}
    assert (shown["S"]["mode"], shown["COPIED"]["mode"]) == ("DEFAULT", "APPEND_ONLY")
    assert (shown["S"]["comment"], shown["S"]["stale"], shown["S"]["type"]) == ("second", "false", "DELTA")
    assert shown["S"]["stale_after"] - shown["S"]["created_on"] == pytest.approx(
        timedelta(days=14), abs=timedelta(minutes=1)
    )
    assert run("DESCRIBE STREAM s")[0][1] == "S"
    assert run("DROP STREAM s") == [("S successfully dropped.",)]
    assert run("DROP STREAM IF EXISTS s") == [("Drop statement executed successfully (S already dropped).",)]
    with pytest.raises(ProgrammingError, match="does not exist"):
        run("SELECT * FROM s")


def test_changes_between_moments(run: Run) -> None:
    run("CREATE TABLE t (id INT, v VARCHAR)")
    with pytest.raises(ProgrammingError, match="Change tracking is not enabled") as raised:
        run("SELECT * FROM t CHANGES (INFORMATION => DEFAULT) AT (OFFSET => 0)")
    assert raised.value.errno == 91930
    run("ALTER TABLE t SET CHANGE_TRACKING = TRUE")
    run("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    begin = run("SELECT LAST_QUERY_ID()")[0][0]
    run("UPDATE t SET v = 'x' WHERE id = 1")
    end = run("SELECT LAST_QUERY_ID()")[0][0]
    run("INSERT INTO t VALUES (3, 'c')")
    run("DELETE FROM t WHERE id = 2")
    between = f"t CHANGES (INFORMATION => DEFAULT) AT (STATEMENT => '{begin}') END (STATEMENT => '{end}')"
    assert _changes(run, between) == [(1, "a", "DELETE", True), (1, "x", "INSERT", True)]
    since = f"t CHANGES (INFORMATION => {{}}) AT (STATEMENT => '{begin}')"
    assert _changes(run, since.format("APPEND_ONLY")) == [(3, "c", "INSERT", False)]
    assert _changes(run, f"{since.format('DEFAULT')} AS c") == [
        (1, "a", "DELETE", True),
        (1, "x", "INSERT", True),
        (2, "b", "DELETE", False),
        (3, "c", "INSERT", False),
    ]


def test_a_cloned_schema_has_streams_of_its_own(run: Run, schema: str) -> None:
    run("CREATE TABLE t (id INT)")
    run("CREATE STREAM s ON TABLE t")
    run("INSERT INTO t VALUES (1)")
    run(f"CREATE SCHEMA {schema}_CLONE CLONE {schema}")
    assert run("SELECT id FROM s") == []  # that is the clone's: what was not consumed before it does not show
    run("INSERT INTO t VALUES (2)")
    assert run("SELECT id FROM s") == [(2,)]
    assert run(f"SELECT id FROM {schema}.s") == [(1,)]


def test_rights(run: Run, connect: Callable[..., Any], schema: str) -> None:
    run("CREATE TABLE t (id INT)")
    run("CREATE STREAM s ON TABLE t")
    database = schema.partition(".")[0]
    for statement in (
        "CREATE OR REPLACE ROLE streams_reader", "GRANT ROLE streams_reader TO ROLE ACCOUNTADMIN",
        f"GRANT USAGE ON DATABASE {database} TO ROLE streams_reader", f"GRANT USAGE ON SCHEMA {schema} TO ROLE streams_reader",
        "USE ROLE streams_reader", "USE SECONDARY ROLES NONE",
    ):  # fmt: skip
        run(statement)
    try:
        with pytest.raises(ProgrammingError, match="does not exist or not authorized"):
            run("SELECT * FROM s")
        for granted in ("STREAM s", "TABLE t"):
            run("USE ROLE ACCOUNTADMIN")
            run(f"GRANT SELECT ON {granted} TO ROLE streams_reader")
            run("USE ROLE streams_reader")
            if granted == "STREAM s":
                with pytest.raises(ProgrammingError, match=r"not authorized|Insufficient privileges"):
                    run("SELECT * FROM s")
        assert run("SELECT * FROM s") == []
        with pytest.raises(ProgrammingError, match="Insufficient privileges"):
            run("DROP STREAM s")
        with pytest.raises(ProgrammingError, match="Insufficient privileges"):
            run("CREATE STREAM mine ON TABLE t")
    finally:
        run("USE ROLE ACCOUNTADMIN")
        run("DROP ROLE streams_reader")


def test_a_stream_keeps_its_tables_past(tmp_path: Path) -> None:
    """Beyond the table's retention time, as long as the stream is not stale; then the past goes."""
    account = Account(tmp_path)
    try:
        context = Context(catalog=account.catalog, session_id=0, user="U", account="A", role="ACCOUNTADMIN")
        context.unrestricted = True
        session = Session(account, context)
        account.open_session(session)

        def run(sql: str) -> list[dict]:
            answer: Any = session.execute(sql)
            table = answer.result_set().data
            return (table.read_all() if hasattr(table, "read_all") else table).to_pylist()

        for sql in (
            "CREATE WAREHOUSE IF NOT EXISTS wh", "CREATE DATABASE d", "CREATE TABLE t (id INT)",
            "INSERT INTO t VALUES (1), (2), (3)", "CREATE STREAM s ON TABLE t", "CREATE STREAM a ON TABLE t APPEND_ONLY = TRUE",
            "UPDATE t SET id = 20 WHERE id = 2", "INSERT INTO t VALUES (4), (5)", "DELETE FROM t WHERE id = 4",
        ):  # fmt: skip
            run(sql)
        net, appended = run("SELECT * FROM s ORDER BY 1, 2"), run("SELECT * FROM a ORDER BY 1, 2")
        assert len(net) == 3 and len(appended) == 2
        expire(account.engine, account.catalog, datetime.now(UTC) + timedelta(days=5))
        assert run("SELECT * FROM s ORDER BY 1, 2") == net
        assert run("SELECT * FROM a ORDER BY 1, 2") == appended
        gone = expire(account.engine, account.catalog, datetime.now(UTC) + timedelta(days=20))
        assert gone > 0
    finally:
        account.close()
