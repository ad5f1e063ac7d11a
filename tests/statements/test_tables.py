"""CREATE, ALTER, DROP of tables, views, dynamic tables and sequences, through the connector."""

from decimal import Decimal
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection

from tests.statements.cases import check, run

CREATE: list[tuple[Any, ...]] = [
    ("CREATE TABLE t (a INT)", [("Table T successfully created.",)]),
    ("CREATE OR REPLACE TRANSIENT TABLE \"t t\" (a INT)", [("Table t t successfully created.",)]),
    ("CREATE TABLE t (a INT); CREATE TABLE IF NOT EXISTS t (b INT)", [("T already exists, statement succeeded.",)]),
    ("CREATE TABLE t (a INT); CREATE TABLE t (a INT)", 2002, "already exists."),
    ("CREATE TABLE t (a INT, A INT)", 2025, "duplicate column name 'A'"),
    ("CREATE TABLE t (a NOSUCHTYPE)", 2040, "Unsupported data type 'NOSUCHTYPE'"),
    ("CREATE TABLE nowhere.t (a INT)", 2003, "Schema 'TESTS.NOWHERE' does not exist or not authorized."),
    ("CREATE TABLE t", 1003, "syntax error"),
    ("CREATE TABLE t (a INT) banana", 1003, "unexpected 'banana'"),
    ("CREATE TABLE t (a INT, \"a\" INT); INSERT INTO t VALUES (1, 2); SELECT \"a\", a FROM t", [(2, 1)]),
    ("CREATE TABLE t (a INT DEFAULT 1 + 1, b VARCHAR DEFAULT 'x' NOT NULL); INSERT INTO t (a) VALUES (1); SELECT * FROM t", [(1, "x")]),
    ("CREATE TABLE t (a INT DEFAULT 5); INSERT INTO t VALUES (DEFAULT); SELECT * FROM t", [(5,)]),
    ("CREATE TABLE t (a DATE DEFAULT 5)", 2023, "expecting DATE but got NUMBER(1,0)"),
    ("CREATE TABLE t (a INT NOT NULL); INSERT INTO t VALUES (NULL)", 100072, "NULL result in a non-nullable column"),
    ("CREATE TABLE t (a INT IDENTITY(10, 5), b INT); INSERT INTO t (b) VALUES (1), (2); INSERT INTO t (b) SELECT 3; SELECT a, b FROM t ORDER BY b", [(10, 1), (15, 2), (20, 3)]),
    ("CREATE TABLE t (a INT AUTOINCREMENT START 3 INCREMENT 2 NOORDER, b INT); INSERT INTO t (b) VALUES (1), (2); SELECT a FROM t", [(3,), (5,)]),
    ("CREATE TABLE t (a INT PRIMARY KEY, b INT, CONSTRAINT k UNIQUE (b), FOREIGN KEY (b) REFERENCES t (a)); SELECT 1", [(1,)]),
    ("CREATE TABLE t (a INT, PRIMARY KEY (z))", 904, "invalid identifier 'Z'"),
    ("CREATE TABLE t AS SELECT 1 AS a, 'x' AS b; SELECT * FROM t", [(1, "x")]),
    ("CREATE TABLE t (x, y) AS SELECT 1 AS a, 'x' AS b; SELECT x, y FROM t", [(1, "x")]),
    ("CREATE TABLE t (x NUMBER(10,2), y VARCHAR(3) NOT NULL) AS SELECT 1, 'abc'; SELECT * FROM t", [(Decimal("1.00"), "abc")]),
    ("CREATE TABLE t (x VARCHAR(2)) AS SELECT 'abc'", 100078, "is too long and would be truncated"),
    ("CREATE TABLE t (x, y) AS SELECT 1 AS a", 2020, "Invalid column definition list"),
    ("CREATE TABLE t (a INT) AS SELECT 1 AS a; CREATE OR REPLACE TABLE t AS SELECT a + 1 AS a FROM t; SELECT * FROM t", [(2,)]),
    ("CREATE TABLE s (a INT DEFAULT 7 NOT NULL); INSERT INTO s VALUES (1); CREATE TABLE t LIKE s; INSERT INTO t VALUES (DEFAULT); SELECT * FROM t", [(7,)]),
    ("CREATE TABLE t USING TEMPLATE (SELECT PARSE_JSON('[{\"COLUMN_NAME\": \"a\", \"TYPE\": \"NUMBER(5,1)\", \"NULLABLE\": false}]')); INSERT INTO t VALUES (1.5); SELECT \"a\" FROM t", [(Decimal("1.5"),)]),
    ("CREATE TABLE IDENTIFIER('t') (a INT); SELECT COUNT(*) FROM t", [(0,)]),
    ("CREATE TEMPORARY TABLE t (a INT); CREATE TABLE t (b INT); INSERT INTO t VALUES (1); SELECT a FROM t; DROP TABLE t; SELECT COUNT(b) FROM t", [(0,)]),
    ("CREATE TABLE t (v VECTOR(FLOAT, 2), o OBJECT(a INT), z TIMESTAMP_TZ); INSERT INTO t SELECT [1, 2]::VECTOR(FLOAT, 2), NULL, NULL; SELECT v FROM t", [([1.0, 2.0],)]),
    ("CREATE VIEW v AS SELECT 1 AS a; CREATE OR REPLACE TABLE v (a INT)", 2203, "Object found is of type 'VIEW'"),
]  # fmt: skip

ALTER: list[tuple[Any, ...]] = [
    ("ALTER TABLE t RENAME TO u; SELECT * FROM u", [(1, "x")]),
    ("ALTER TABLE t RENAME TO u; SELECT * FROM t", 2003, "Object 'T' does not exist or not authorized."),
    ("CREATE TABLE u (z INT); ALTER TABLE t RENAME TO u", 2002, "already exists."),
    ("CREATE TABLE u (z INT); ALTER TABLE t SWAP WITH u; SELECT * FROM u", [(1, "x")]),
    ("ALTER TABLE t ADD COLUMN c INT; SELECT * FROM t", [(1, "x", None)]),
    ("ALTER TABLE t ADD c INT DEFAULT 3, d VARCHAR NOT NULL DEFAULT 'q'; SELECT c, d FROM t", [(3, "q")]),
    ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT; SELECT * FROM t", [(1, "x")]),
    ("ALTER TABLE t ADD COLUMN a INT", 1415, "column 'A' already exists"),
    ("ALTER TABLE t DROP COLUMN a; SELECT * FROM t", [("x",)]),
    ("ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a VARCHAR; SELECT * FROM t", [("x", None)]),
    ("ALTER TABLE t DROP COLUMN z", 904, "invalid identifier 'Z'"),
    ("ALTER TABLE t DROP COLUMN IF EXISTS z; SELECT * FROM t", [(1, "x")]),
    ("ALTER TABLE t DROP COLUMN a, b", 2262, "Cannot drop the only column"),
    ("ALTER TABLE t RENAME COLUMN a TO z; SELECT z FROM t", [(1,)]),
    ("ALTER TABLE t RENAME COLUMN a TO b", 1415, "column 'B' already exists"),
    ("ALTER TABLE t ALTER COLUMN a SET NOT NULL; INSERT INTO t VALUES (NULL, 'x')", 100072, "NULL result"),
    ("ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t MODIFY a DROP NOT NULL; INSERT INTO t VALUES (NULL, 'y'); SELECT COUNT(*) FROM t", [(2,)]),
    ("INSERT INTO t VALUES (NULL, 'y'); ALTER TABLE t ALTER COLUMN a SET NOT NULL", 2295, "NULL values are in column 'A'"),
    ("ALTER TABLE t ALTER b SET DATA TYPE VARCHAR(50); INSERT INTO t VALUES (2, '12345678901'); SELECT COUNT(*) FROM t", [(2,)]),
    ("ALTER TABLE t ALTER b TYPE VARCHAR(5)", 2108, "reducing the byte-length"),
    ("ALTER TABLE t ALTER a TYPE VARCHAR", 2108, "cannot change column A"),
    ("ALTER TABLE t MODIFY COLUMN a COMMENT 'one', COLUMN b COMMENT 'two'; SELECT comment FROM information_schema.columns WHERE table_name = 'T' AND table_schema = CURRENT_SCHEMA() ORDER BY 1", [("one",), ("two",)]),
    ("ALTER TABLE t CLUSTER BY (a, b); SELECT clustering_key FROM information_schema.tables WHERE table_name = 'T' AND table_schema = CURRENT_SCHEMA()", [("LINEAR(a, b)",)]),
    ("ALTER TABLE t ADD PRIMARY KEY (a); INSERT INTO t VALUES (1, 'x'); SELECT COUNT(*) FROM t", [(2,)]),
    ("ALTER TABLE IF EXISTS nope ADD COLUMN c INT", [("Statement executed successfully.",)]),
    ("ALTER TABLE nope ADD COLUMN c INT", 2003, "NOPE' does not exist or not authorized."),
    ("ALTER TABLE t FROBNICATE", 1003, "syntax error"),
    ("TRUNCATE TABLE t; SELECT COUNT(*) FROM t", [(0,)]),
]  # fmt: skip

OTHERS: list[tuple[Any, ...]] = [
    ("DROP TABLE nope", 2003, "NOPE' does not exist or not authorized."),
    ("DROP TABLE IF EXISTS nope", [("Drop statement executed successfully (NOPE already dropped).",)]),
    ("CREATE TABLE t (a INT); DROP TABLE t", [("T successfully dropped.",)]),
    ("CREATE TABLE t AS SELECT 5 AS a; DROP TABLE t; UNDROP TABLE t; SELECT * FROM t", [(5,)]),
    ("CREATE TABLE t AS SELECT 5 AS a; DROP TABLE t; CREATE TABLE t (b INT); UNDROP TABLE t", 2002, "already exists."),
    ("UNDROP TABLE nope", 90025, "Table NOPE did not exist or was purged"),
    ("CREATE TABLE t (a INT); DROP VIEW t", 2203, "Object found is of type 'TABLE'"),
    # clones
    ("CREATE TABLE t AS SELECT 1 AS a; CREATE TABLE c CLONE t; INSERT INTO t VALUES (2); SELECT * FROM c", [(1,)]),
    ("CREATE TABLE t AS SELECT 1 AS a; CREATE TABLE c CLONE t; INSERT INTO c VALUES (2); SELECT * FROM t", [(1,)]),
    ("CREATE TABLE t AS SELECT 1 AS a; CREATE TABLE c CLONE t; UPDATE c SET a = 9; SELECT t.a, c.a FROM t, c", [(1, 9)]),
    ("CREATE TABLE t AS SELECT 1 AS a; CREATE TABLE c CLONE t; DROP TABLE t; SELECT * FROM c", [(1,)]),
    ("CREATE TABLE t AS SELECT 1 AS a; CREATE TABLE c CLONE t; CREATE TABLE d CLONE c; ALTER TABLE c ADD COLUMN b INT; SELECT * FROM d", [(1,)]),
    ("CREATE TABLE t AS SELECT 1 AS a; CREATE TEMPORARY TABLE c CLONE t; DELETE FROM t; SELECT * FROM c", [(1,)]),
    ("CREATE TEMPORARY TABLE t (a INT); CREATE TABLE c CLONE t", 2271, "cannot be cloned"),
    # views
    ("CREATE TABLE t AS SELECT 1 AS a; CREATE VIEW v AS SELECT a AS b FROM t; INSERT INTO t VALUES (2); SELECT SUM(b) FROM v", [(3,)]),
    ("CREATE VIEW v (x COMMENT 'c', y) COMMENT = 'w' AS SELECT 1, 'q'; SELECT x, y FROM v", [(1, "q")]),
    ("CREATE VIEW v (x) AS SELECT 1, 2", 2037, "Invalid column definition list"),
    ("CREATE VIEW v AS SELECT * FROM nope", 2003, "Object 'NOPE' does not exist"),
    ("CREATE VIEW v AS SELECT 1 AS a; DROP TABLE v", 2203, "Object found is of type 'VIEW'"),
    ("CREATE VIEW v AS SELECT 1 AS a; INSERT INTO v VALUES (1)", 2098, "cannot be modified"),
    ("CREATE TABLE t (a INT); CREATE VIEW v AS SELECT a FROM t; DROP TABLE t; SELECT * FROM v", 2003, "Object 'T' does not exist"),
    ("CREATE VIEW v AS SELECT 1 AS a; ALTER VIEW v RENAME TO w; SELECT a FROM w", [(1,)]),
    ("CREATE OR REPLACE TEMPORARY VIEW v AS SELECT 3 AS a; SELECT * FROM v", [(3,)]),
    # dynamic tables
    ("CREATE TABLE t AS SELECT 1 AS a; CREATE DYNAMIC TABLE d TARGET_LAG = '1 hour' WAREHOUSE = compute_wh AS SELECT a * 2 AS b FROM t; INSERT INTO t VALUES (5); ALTER DYNAMIC TABLE d REFRESH; SELECT * FROM d ORDER BY 1", [(2,), (10,)]),
    ("CREATE DYNAMIC TABLE d AS SELECT 1 AS a", 2084, "Missing option(s): [TARGET_LAG]"),
    ("CREATE TABLE t AS SELECT 1 AS a; CREATE DYNAMIC TABLE d TARGET_LAG = '1 hour' WAREHOUSE = compute_wh AS SELECT a FROM t; INSERT INTO d VALUES (1)", 2098, "Dynamic table 'D' cannot be modified"),
    ("CREATE TABLE t AS SELECT 1 AS a; CREATE DYNAMIC TABLE d TARGET_LAG = '1 hour' WAREHOUSE = compute_wh AS SELECT a FROM t; UPDATE d SET a = 2", 2098, "Dynamic table 'D' cannot be modified"),
    ("CREATE TABLE t AS SELECT 1 AS a; CREATE DYNAMIC TABLE d TARGET_LAG = '1 hour' WAREHOUSE = compute_wh AS SELECT a FROM t; MERGE INTO d USING t ON d.a = t.a WHEN MATCHED THEN DELETE", 2098, "Dynamic table 'D' cannot be modified"),
    ("CREATE TABLE t AS SELECT 1 AS a; CREATE DYNAMIC TABLE d TARGET_LAG = '1 hour' WAREHOUSE = compute_wh AS SELECT a FROM t; TRUNCATE TABLE d", 2098, "Dynamic table 'D' cannot be modified"),
    ("CREATE TABLE t AS SELECT 1 AS a; CREATE DYNAMIC TABLE d TARGET_LAG = '1 hour' WAREHOUSE = compute_wh AS SELECT a FROM t; COPY INTO d FROM @~", 2098, "Dynamic table 'D' cannot be modified"),
    # sequences
    ("CREATE SEQUENCE s START 10 INCREMENT -3; SELECT s.NEXTVAL; SELECT s.NEXTVAL", [(7,)]),
    ("CREATE SEQUENCE s; CREATE TABLE t (a INT DEFAULT s.NEXTVAL, b INT); INSERT INTO t (b) VALUES (1), (2); SELECT a FROM t ORDER BY b", [(1,), (2,)]),
    ("CREATE SEQUENCE s INCREMENT = 0", 2261, "invalid value [0]"),
    ("SELECT nope.NEXTVAL", 2003, "NOPE' does not exist"),
    # settings
    ("SET x = 5; SET (y, z) = (1 + 1, 'abc'); SELECT $x, $y, $z", [(5, 2, "abc")]),
    ("SET x = (SELECT MAX(a) FROM VALUES (1), (7) AS q (a)); UNSET x; SELECT $x", 2211, "'$X' does not exist"),
    ("SET (x, y) = (1, 2, 3)", 1490, "differs"),
    (f"SET x = '{'a' * 300}'", 1091, "exceeds size limit"),
    ("ALTER SESSION SET TIMEZONE = 'Mars/Olympus'", 1006, "invalid value [Mars/Olympus]"),
    ("ALTER SESSION SET NO_SUCH_THING = 1", 1420, "invalid property 'NO_SUCH_THING' for 'SESSION'"),
    ("ALTER SESSION SET TIMEZONE = 'Asia/Tokyo'; SELECT '2024-01-01 00:00:00 +0000'::TIMESTAMP_TZ::TIMESTAMP_LTZ::VARCHAR", [("2024-01-01 09:00:00.000 +0900",)]),
    ("USE SCHEMA nope", 2043, "Object does not exist, or operation cannot be performed."),
    ("USE DATABASE nope", 2043, "Object does not exist"),
    ("USE ROLE nope", 2043, "Object does not exist"),
    ("CREATE ROLE IF NOT EXISTS not_mine; USE ROLE not_mine", 3013, "is not assigned to the executing user"),
    ("USE SCHEMA information_schema; SELECT COUNT(*) > 5 FROM tables", [(True,)]),
]  # fmt: skip


@pytest.mark.parametrize("case", CREATE, ids=lambda case: case[0][:60])
def test_create_table(connection: SnowflakeConnection, case: tuple) -> None:
    check(connection, *case)


@pytest.mark.parametrize("case", ALTER, ids=lambda case: case[0][:60])
def test_alter_table(connection: SnowflakeConnection, case: tuple) -> None:
    run(connection, "CREATE TABLE t (a INT, b VARCHAR(10)); INSERT INTO t VALUES (1, 'x')")
    check(connection, *case)


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: case[0][:60])
def test_other_statements(connection: SnowflakeConnection, case: tuple) -> None:
    check(connection, *case)
