"""Shares between two warehouses on one machine, through real clients."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from snowflake.connector.cursor import SnowflakeCursor
from snowflake.connector.errors import ProgrammingError

from polynya.server.local import Warehouse

Cursors = Callable[..., SnowflakeCursor]
WITHDRAWN = 3030
REFUSED = 3001


def names(cursor: SnowflakeCursor, column: str = "name") -> list[str]:
    """A column of the last result."""
    index = [item.name for item in cursor.description].index(column)
    return [row[index] for row in cursor.fetchall()]


def current_database(cursor: SnowflakeCursor) -> str:
    return str(cursor.execute("SELECT current_database()").fetchone()[0])  # type: ignore[index,union-attr]


def share(cursor: SnowflakeCursor, name: str, *tables: str, account: str = "consumer") -> None:
    """Makes a share of the current database and schema with these tables."""
    database = current_database(cursor)
    cursor.execute(f"CREATE SHARE {name} COMMENT = 'for tests'")
    cursor.execute(f'GRANT USAGE ON DATABASE "{database}" TO SHARE {name}')
    cursor.execute(f'GRANT USAGE ON SCHEMA "{database}".public TO SHARE {name}')
    for table in tables:
        cursor.execute(f"GRANT SELECT ON TABLE {table} TO SHARE {name}")
    cursor.execute(f"ALTER SHARE {name} ADD ACCOUNTS = {account}")


@pytest.fixture
def sales(give: SnowflakeCursor) -> SnowflakeCursor:
    """The provider with a table SALES of 1,000 rows."""
    give.execute("CREATE TABLE sales (id INT, amount NUMBER(12, 2), at TIMESTAMP_LTZ, more VARIANT)")
    give.execute(
        "INSERT INTO sales SELECT seq4(), seq4() / 4, '2024-05-01 12:00:00 +0000', OBJECT_CONSTRUCT('k', seq4()) "
        "FROM TABLE(GENERATOR(ROWCOUNT => 1000))"
    )
    return give


def test_consumer_sees_what_is_granted_and_no_more(
    cursor: Cursors, consumer: Warehouse, sales: SnowflakeCursor
) -> None:
    share(sales, "s1", "sales")
    taker = cursor(consumer)
    taker.execute("SHOW SHARES LIKE 's1'")
    row = dict(zip([item.name for item in taker.description], taker.fetchone(), strict=True))  # type: ignore[arg-type]
    assert (row["kind"], row["owner_account"], row["name"], row["database_name"]) == ("INBOUND", "PROVIDER", "S1", "")
    taker.execute("DESC SHARE provider.s1")
    assert names(taker) == ["<DB>", "<DB>.PUBLIC", "<DB>.PUBLIC.SALES"]
    taker.execute("CREATE DATABASE d1 FROM SHARE provider.s1")
    assert taker.execute("SELECT count(*), sum(amount), max(more:k) FROM d1.public.sales").fetchone() == (
        1000,
        124875,
        "999",
    )
    assert names(taker.execute("SHOW TABLES IN DATABASE d1")) == ["SALES"]  # type: ignore[arg-type]
    with pytest.raises(ProgrammingError, match=r"'D1\.PUBLIC\.KEPT_BACK' does not exist or not authorized"):
        taker.execute("SELECT * FROM d1.public.kept_back")
    rows = taker.execute("SELECT table_name FROM d1.information_schema.tables WHERE table_schema = 'PUBLIC'").fetchall()
    assert rows == [("SALES",)]
    taker.execute("SHOW DATABASES LIKE 'd1'")
    row = dict(zip([item.name for item in taker.description], taker.fetchone(), strict=True))  # type: ignore[arg-type]
    assert (row["origin"], row["kind"]) == ("PROVIDER.S1", "IMPORTED DATABASE")
    taker.execute("SHOW SHARES LIKE 's1'")
    assert names(taker, "database_name") == ["D1"]
    sales.execute("SHOW SHARES LIKE 's1'")
    assert names(sales, "to") == ["CONSUMER"]
    sales.execute("SHOW GRANTS TO SHARE s1")
    assert sorted(names(sales, "privilege")) == ["SELECT", "USAGE", "USAGE"]
    sales.execute("SHOW GRANTS OF SHARE s1")
    assert names(sales, "grantee_name") == ["CONSUMER"]


def test_changes_are_seen_at_once(cursor: Cursors, consumer: Warehouse, sales: SnowflakeCursor) -> None:
    share(sales, "s2", "sales")
    taker = cursor(consumer)
    taker.execute("CREATE DATABASE d2 FROM SHARE provider.s2")
    for change, expected in (
        ("INSERT INTO sales (id) VALUES (-1)", 1001),
        ("DELETE FROM sales WHERE id < 500", 500),
        ("UPDATE sales SET id = 7", 500),
        ("ALTER TABLE sales ADD COLUMN extra INT DEFAULT 5", 500),
    ):
        sales.execute(change)
        assert taker.execute("SELECT count(*) FROM d2.public.sales").fetchone() == (expected,), change
    assert taker.execute("SELECT DISTINCT id, extra FROM d2.public.sales").fetchall() == [(7, 5)]
    sales.execute("CREATE TABLE later (x INT) AS SELECT 1")
    with pytest.raises(ProgrammingError, match="LATER"):
        taker.execute("SELECT * FROM d2.public.later")
    sales.execute("GRANT SELECT ON TABLE later TO SHARE s2")
    assert taker.execute("SELECT x FROM d2.public.later").fetchall() == [(1,)]
    sales.execute("REVOKE SELECT ON TABLE later FROM SHARE s2")
    with pytest.raises(ProgrammingError, match="LATER"):
        taker.execute("SELECT * FROM d2.public.later")
    # What is made anew under the old name was not granted.
    sales.execute("CREATE OR REPLACE TABLE sales (id INT)")
    with pytest.raises(ProgrammingError, match="SALES"):
        taker.execute("SELECT * FROM d2.public.sales")


def test_clones(cursor: Cursors, consumer: Warehouse, sales: SnowflakeCursor) -> None:
    """A clone that nobody has written to has no rows of its own in the lake."""
    sales.execute("CREATE TABLE copied CLONE sales")
    sales.execute("CREATE SECURE VIEW of_copied AS SELECT count(*) AS n FROM copied")
    sales.execute("DELETE FROM sales WHERE id >= 400")
    share(sales, "s11", "sales", "copied")
    sales.execute("GRANT SELECT ON VIEW of_copied TO SHARE s11")
    taker = cursor(consumer)
    taker.execute("CREATE DATABASE d11 FROM SHARE provider.s11")
    query = "SELECT (SELECT count(*) FROM sales), (SELECT count(*) FROM copied), (SELECT n FROM of_copied)"
    assert taker.execute(query).fetchone() == (400, 1000, 1000)
    sales.execute("DELETE FROM copied WHERE id < 10")
    assert taker.execute(query).fetchone() == (400, 990, 990)


def test_nothing_can_be_written(cursor: Cursors, consumer: Warehouse, sales: SnowflakeCursor) -> None:
    share(sales, "s3", "sales")
    taker = cursor(consumer)
    taker.execute("CREATE DATABASE d3 FROM SHARE provider.s3 COMMENT = 'stays the provider s'")
    taker.execute("CREATE DATABASE own")
    for statement in (
        "INSERT INTO d3.public.sales (id) VALUES (1)",
        "UPDATE d3.public.sales SET id = 1",
        "DELETE FROM d3.public.sales",
        "MERGE INTO d3.public.sales t USING (SELECT 1 AS id) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id) VALUES (1)",
        "TRUNCATE TABLE d3.public.sales",
        "DROP TABLE d3.public.sales",
        "ALTER TABLE d3.public.sales ADD COLUMN x INT",
        "ALTER TABLE d3.public.sales RENAME TO d3.public.other",
        "CREATE TABLE d3.public.mine (x INT)",
        "CREATE VIEW d3.public.mine AS SELECT 1 AS x",
        "CREATE STAGE d3.public.mine",
        "CREATE SCHEMA d3.mine",
        "DROP SCHEMA d3.public",
        "COMMENT ON TABLE d3.public.sales IS 'x'",
        "COMMENT ON DATABASE d3 IS 'x'",
        "ALTER DATABASE d3 SET COMMENT = 'x'",
        "CREATE TABLE d3.public.mine CLONE own.public.t",
    ):
        with pytest.raises(ProgrammingError) as raised:
            taker.execute(statement)
        assert raised.value.errno == REFUSED, statement
    for statement in (
        "CREATE TABLE own.public.t CLONE d3.public.sales",
        "CREATE DATABASE other CLONE d3",
        "SELECT * FROM d3.public.sales AT (OFFSET => -1)",
    ):
        with pytest.raises(ProgrammingError, match="shared database"):
            taker.execute(statement)
    for statement in (
        "GRANT SELECT ON TABLE d3.public.sales TO ROLE sysadmin",
        "GRANT USAGE ON DATABASE d3 TO ROLE sysadmin",
    ):
        with pytest.raises(ProgrammingError, match="GRANT IMPORTED PRIVILEGES"):
            taker.execute(statement)
    taker.execute("GRANT IMPORTED PRIVILEGES ON DATABASE d3 TO ROLE sysadmin")
    taker.execute("SHOW GRANTS ON DATABASE d3")
    assert names(taker, "privilege") == ["OWNERSHIP", "USAGE"]
    # It is a source like any other.
    taker.execute("CREATE TABLE own.public.copied AS SELECT id FROM d3.public.sales")
    taker.execute("CREATE VIEW own.public.v AS SELECT sum(amount) AS s FROM d3.public.sales")
    assert taker.execute("SELECT count(*), (SELECT s FROM own.public.v) FROM own.public.copied").fetchone() == (
        1000,
        124875,
    )
    taker.execute("DROP DATABASE d3")
    with pytest.raises(ProgrammingError, match="did not exist or was purged"):
        taker.execute("UNDROP DATABASE d3")
    taker.execute("CREATE DATABASE d3 FROM SHARE provider.s3")


def test_secure_views(cursor: Cursors, consumer: Warehouse, sales: SnowflakeCursor) -> None:
    sales.execute("CREATE VIEW plain AS SELECT id FROM sales")
    sales.execute(
        "CREATE SECURE VIEW big AS SELECT s.id AS sale, k.a AS key, current_account() AS who, 'lake.main.' AS t "
        "FROM sales s JOIN kept_back k ON s.id = k.a WHERE amount >= 0.5"
    )
    share(sales, "s4")
    with pytest.raises(ProgrammingError, match="only secure views"):
        sales.execute("GRANT SELECT ON VIEW plain TO SHARE s4")
    sales.execute("GRANT SELECT ON VIEW big TO SHARE s4")
    taker = cursor(consumer)
    taker.execute("CREATE DATABASE d4 FROM SHARE provider.s4")
    expected = [(2, 2, "CONSUMER", "lake.main."), (3, 3, "CONSUMER", "lake.main.")]
    assert taker.execute("SELECT * FROM d4.public.big ORDER BY 1").fetchall() == expected
    sales.execute("INSERT INTO kept_back VALUES (900)")
    assert taker.execute("SELECT max(key) FROM big").fetchone() == (900,)
    assert taker.execute("SHOW VIEWS IN SCHEMA d4.public").fetchall()[0][1] == "BIG"  # type: ignore[union-attr]
    with pytest.raises(ProgrammingError, match="KEPT_BACK"):
        taker.execute("SELECT * FROM d4.public.kept_back")
    sales.execute("ALTER SHARE s4 SET SECURE_OBJECTS_ONLY = FALSE")
    sales.execute("GRANT SELECT ON VIEW plain TO SHARE s4")
    assert taker.execute("SELECT count(*) FROM d4.public.plain").fetchone() == (1000,)


@pytest.mark.parametrize(
    "end", ["DROP SHARE {0}", "ALTER SHARE {0} REMOVE ACCOUNTS = consumer", "CREATE OR REPLACE SHARE {0}"]
)
def test_withdrawn(cursor: Cursors, consumer: Warehouse, sales: SnowflakeCursor, end: str) -> None:
    name = f"w{abs(hash(end)) % 10**6}"
    share(sales, name, "sales")
    taker = cursor(consumer)
    taker.execute(f"CREATE DATABASE {name} FROM SHARE provider.{name}")
    taker.execute("CREATE DATABASE IF NOT EXISTS own")
    taker.execute(f"USE SCHEMA {name}.public")
    assert taker.execute("SELECT count(*) FROM sales").fetchone() == (1000,)
    sales.execute(end.format(name))
    for statement in ("SELECT count(*) FROM sales", f"SELECT * FROM {name}.public.sales", f"USE SCHEMA {name}.public"):
        with pytest.raises(ProgrammingError, match="no longer available") as raised:
            taker.execute(statement)
        assert raised.value.errno == WITHDRAWN
    assert taker.execute("SELECT 1").fetchone() == (1,)
    taker.execute("CREATE OR REPLACE TABLE own.public.t AS SELECT 1 AS x")
    if end.startswith("CREATE"):  # one of the same name is another share
        sales.execute(f"DROP SHARE {name}")
        share(sales, name, "sales")
        with pytest.raises(ProgrammingError, match="no longer available"):
            taker.execute(f"SELECT * FROM {name}.public.sales")
    taker.execute(f"DROP DATABASE {name}")


def test_while_a_query_runs_and_in_a_transaction(cursor: Cursors, consumer: Warehouse, sales: SnowflakeCursor) -> None:
    share(sales, "s5", "sales")
    taker, other = cursor(consumer), cursor(consumer)
    taker.execute("CREATE DATABASE d5 FROM SHARE provider.s5")
    slow = (
        "SELECT count(DISTINCT a.id), sum(a.id * b.id) > 0 FROM d5.public.sales a, d5.public.sales b, "
        "TABLE(GENERATOR(ROWCOUNT => 20))"
    )
    running = (
        "SELECT 1 FROM TABLE(information_schema.query_history()) WHERE execution_status = 'RUNNING' AND "
        "query_text LIKE 'SELECT count(DISTINCT a.id)%'"
    )
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(taker.execute(slow).fetchone()))
    thread.start()
    while not other.execute(running).fetchone():
        time.sleep(0.01)
    for index in range(5):
        sales.execute(f"DELETE FROM sales WHERE id = {index}")
        assert other.execute("SELECT count(*) FROM d5.public.sales").fetchone() == (999 - index,)
    sales.execute("DROP SHARE s5")
    with pytest.raises(ProgrammingError, match="no longer available"):
        other.execute("SELECT count(*) FROM d5.public.sales")
    thread.join()
    assert answers == [(1000, True)]


def test_transaction(cursor: Cursors, consumer: Warehouse, sales: SnowflakeCursor) -> None:
    share(sales, "s6", "sales")
    taker = cursor(consumer)
    taker.execute("CREATE DATABASE d6 FROM SHARE provider.s6")
    taker.execute("CREATE DATABASE own6")
    taker.execute("CREATE TABLE own6.public.t (n INT)")
    taker.execute("BEGIN")
    for _ in range(3):
        taker.execute("INSERT INTO own6.public.t SELECT count(*) FROM d6.public.sales")
        sales.execute("DELETE FROM sales WHERE id = (SELECT min(id) FROM sales)")
    taker.execute("COMMIT")
    assert taker.execute("SELECT n FROM own6.public.t ORDER BY n").fetchall() == [(998,), (999,), (1000,)]


def test_provider_without_a_server(
    cursor: Cursors, consumer: Warehouse, provider: Warehouse, sales: SnowflakeCursor
) -> None:
    """Also after a crash, whose last commits are in the write-ahead log only."""
    share(sales, "s7", "sales")
    taker = cursor(consumer)
    taker.execute("CREATE DATABASE d7 FROM SHARE provider.s7")
    sales.execute("DELETE FROM sales WHERE id >= 10")
    database = current_database(sales)
    provider.kill()
    try:
        assert taker.execute("SELECT count(*) FROM d7.public.sales").fetchone() == (10,)
        taker.execute("SHOW SHARES LIKE 's7'")
        assert names(taker, "kind") == ["INBOUND"]
    finally:
        provider.start()
    again = cursor(provider)
    again.execute(f'INSERT INTO "{database}".public.sales (id) VALUES (99)')
    assert taker.execute("SELECT count(*) FROM d7.public.sales").fetchone() == (11,)
    provider.stop()
    try:
        assert taker.execute("SELECT count(*) FROM d7.public.sales").fetchone() == (11,)
    finally:
        provider.start()


def test_consumer_starts_again(cursor: Cursors, consumer: Warehouse, sales: SnowflakeCursor) -> None:
    share(sales, "s8", "sales")
    cursor(consumer).execute("CREATE DATABASE d8 FROM SHARE provider.s8")
    consumer.kill()
    consumer.start()
    assert cursor(consumer).execute("SELECT count(*) FROM d8.public.sales").fetchone() == (1000,)


def test_publications_do_not_pile_up(
    cursor: Cursors, consumer: Warehouse, provider: Warehouse, sales: SnowflakeCursor
) -> None:
    share(sales, "s9", "sales")
    taker = cursor(consumer)
    taker.execute("CREATE DATABASE d9 FROM SHARE provider.s9")
    for index in range(3):
        sales.execute(f"DELETE FROM sales WHERE id = {index}")
        taker.execute("SELECT count(*) FROM d9.public.sales")
    from polynya.statements.sharing import publisher

    for folder in (provider.home.path / publisher.FOLDER).iterdir():
        published = sorted(folder.iterdir())
        for old in published:  # as if a minute had gone by
            old.rename(old.with_name(str(int(old.name) - 10**12)))
        publisher.remove_unread(folder)
        # The consumer has the last one open.
        assert len(list(folder.iterdir())) <= 1
    assert taker.execute("SELECT count(*) FROM d9.public.sales").fetchone() == (997,)


def test_bad_input(cursor: Cursors, consumer: Warehouse, provider: Warehouse, sales: SnowflakeCursor) -> None:
    taker = cursor(consumer)
    for statement, text in (
        ("CREATE DATABASE x FROM SHARE provider.nothing", "Share 'PROVIDER.NOTHING' does not exist or not authorized"),
        ("CREATE DATABASE x FROM SHARE nobody.s", "Share 'NOBODY.S' does not exist or not authorized"),
        ("CREATE DATABASE x FROM SHARE consumer.s", "this account's own"),
        ("DESC SHARE provider.nothing", "does not exist or not authorized"),
        ("DROP SHARE nothing", "does not exist or not authorized"),
        ("ALTER SHARE nothing ADD ACCOUNTS = a", "does not exist or not authorized"),
        ("GRANT IMPORTED PRIVILEGES ON DATABASE plain TO ROLE sysadmin", "not a database made from a share"),
    ):
        taker.execute("CREATE DATABASE IF NOT EXISTS plain")
        with pytest.raises(ProgrammingError, match=text):
            taker.execute(statement)
    share(sales, "not_for_all", "sales", account="somebody")
    with pytest.raises(ProgrammingError, match="does not exist or not authorized"):
        taker.execute("CREATE DATABASE x FROM SHARE provider.not_for_all")
    database = current_database(sales)
    sales.execute("CREATE DATABASE second")
    sales.execute(f'USE SCHEMA "{database}".public')
    for statement, text in (
        ("CREATE SHARE not_for_all", "already exists"),
        ("ALTER SHARE not_for_all ADD ACCOUNTS = provider", "own account"),
        ("GRANT INSERT ON TABLE sales TO SHARE not_for_all", "INSERT on TABLE"),
        ("GRANT USAGE ON DATABASE second TO SHARE not_for_all", "a share has one database"),
        ("CREATE SHARE z COLOUR = 'red'", "COLOUR"),
    ):
        with pytest.raises(ProgrammingError, match=text):
            sales.execute(statement)


def test_privileges(cursor: Cursors, consumer: Warehouse, sales: SnowflakeCursor) -> None:
    share(sales, "s10", "sales")
    admin = cursor(consumer)
    admin.execute("CREATE ROLE importer")
    admin.execute("GRANT ROLE importer TO USER admin")
    admin.execute("GRANT CREATE DATABASE ON ACCOUNT TO ROLE importer")
    plain = cursor(consumer, role="IMPORTER")
    for statement, privilege in (
        ("CREATE DATABASE d10 FROM SHARE provider.s10", "IMPORT SHARE"),
        ("CREATE SHARE mine", "CREATE SHARE"),
    ):
        with pytest.raises(ProgrammingError, match=privilege) as raised:
            plain.execute(statement)
        assert raised.value.errno == REFUSED
        admin.execute(f"GRANT {privilege} ON ACCOUNT TO ROLE importer")
        plain.execute(statement)


def test_policies_hold_for_consumers(cursor: Cursors, consumer: Warehouse, sales: SnowflakeCursor) -> None:
    """A consumer has no role of the provider's: policies that ask for one show nothing."""
    for statement in (
        "CREATE ROW ACCESS POLICY few AS (n NUMBER) RETURNS BOOLEAN -> n < 5 OR CURRENT_ROLE() = 'ACCOUNTADMIN'",
        "CREATE MASKING POLICY hide AS (v NUMBER) RETURNS NUMBER -> IFF(CURRENT_ROLE() = 'ACCOUNTADMIN', v, 0)",
        "ALTER TABLE sales ADD ROW ACCESS POLICY few ON (id)",
        "ALTER TABLE sales MODIFY COLUMN amount SET MASKING POLICY hide",
    ):
        sales.execute(statement)
    assert sales.execute("SELECT count(*), max(amount) FROM sales").fetchone() == (1000, 249.75)
    share(sales, "guarded", "sales")
    taker = cursor(consumer)
    taker.execute("CREATE DATABASE guarded FROM SHARE provider.guarded")
    assert taker.execute("SELECT count(*), max(amount) FROM guarded.public.sales").fetchone() == (5, 0)
