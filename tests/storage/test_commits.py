"""Sessions that update beside one that makes, alters, clones and drops tables, while the housekeeper flushes: the sums hold.

Before commits kept out of each other's way, two of three such runs ended with rows twice, or with DDL refused for a
broken id.
"""

from __future__ import annotations

import threading
import time

import snowflake.connector
from snowflake.connector.cursor import SnowflakeCursor

from polynya.server.local import Warehouse

ROWS, AMOUNT = 200, 50
# The housekeeper looks every 15 seconds.
SECONDS = 20.0
SUMS = "SELECT (SELECT sum(amount) FROM l) + (SELECT sum(amount) FROM r), (SELECT count(*) FROM l), (SELECT count(*) FROM r)"


def test_sums_hold_beside_ddl() -> None:
    with Warehouse() as warehouse:

        def cursor() -> SnowflakeCursor:
            client = snowflake.connector.connect(**warehouse.connection_parameters)
            opened = client.cursor()
            opened.execute("USE SCHEMA bank.public")
            return opened

        snowflake.connector.connect(**warehouse.connection_parameters).cursor().execute("CREATE DATABASE bank")
        reader = cursor()
        for name in ("l", "r"):
            reader.execute(
                f"CREATE TABLE {name} AS SELECT SEQ4() id, {AMOUNT} amount FROM TABLE(GENERATOR(ROWCOUNT => {ROWS}))"
            )
        until = time.monotonic() + SECONDS
        errors: list[Exception] = []
        moved: list[int] = []

        def move() -> None:
            own = cursor()
            while time.monotonic() < until:
                row = len(moved) % ROWS
                own.execute("BEGIN")
                own.execute(f"UPDATE l SET amount = amount - 1 WHERE id = {row}")
                own.execute(f"UPDATE r SET amount = amount + 1 WHERE id = {row}")
                own.execute("COMMIT")
                moved.append(row)

        def define() -> None:
            own = cursor()
            while time.monotonic() < until:
                own.execute("CREATE OR REPLACE TABLE made AS SELECT 1 AS n")
                own.execute("INSERT INTO made (n) VALUES (2)")
                own.execute("ALTER TABLE made ADD COLUMN more INT")
                own.execute("CREATE OR REPLACE TABLE cloned CLONE made")
                own.execute("INSERT INTO cloned (n) VALUES (3)")
                own.execute("ALTER TABLE made DROP COLUMN more")
                assert own.execute("SELECT sum(n) FROM cloned").fetchall() == [(6,)]
                own.execute("DROP TABLE cloned")

        def guarded(work: object) -> None:
            try:
                work()  # type: ignore[operator]
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=guarded, args=(work,)) for work in (move, move, move, define)]
        for thread in threads:
            thread.start()
        while time.monotonic() < until and not errors:
            assert reader.execute(SUMS).fetchall() == [(2 * ROWS * AMOUNT, ROWS, ROWS)]
        for thread in threads:
            thread.join()
        assert not errors
        assert len(moved) > 5  # on a busy machine, too
        assert reader.execute(SUMS).fetchall() == [(2 * ROWS * AMOUNT, ROWS, ROWS)]
