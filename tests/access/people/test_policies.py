"""Row access and masking policies: what a role sees and changes through them, wherever it reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from snowflake.connector import SnowflakeConnection

from tests.access.people.conftest import Person, refused, rows

ALL = [(1, "EU", "111-11", 10), (2, "US", "222-22", 20), (3, "US", "333-33", 30)]
SEEN = [(1, "EU", "***", 10)]
ROWS = "SELECT id, region, ssn, pay FROM {} ORDER BY id"


@pytest.fixture
def staff(connection: SnowflakeConnection, person: Person) -> SnowflakeConnection:
    """The administrator; the person may read and write STAFF, but sees the rows of the EU only and no SSN."""
    rows(
        connection,
        "CREATE TABLE map (role VARCHAR, region VARCHAR)",
        f"INSERT INTO map VALUES ('{person.role}', 'EU'), ('ACCOUNTADMIN', 'EU'), ('ACCOUNTADMIN', 'US')",
        "CREATE TABLE staff (id INT, region VARCHAR(5), ssn VARCHAR(6), pay NUMBER(10, 2))",
        "INSERT INTO staff VALUES (1, 'EU', '111-11', 10), (2, 'US', '222-22', 20), (3, 'US', '333-33', 30)",
        "CREATE ROW ACCESS POLICY rap AS (r VARCHAR) RETURNS BOOLEAN -> "
        "EXISTS (SELECT 1 FROM map WHERE role = CURRENT_ROLE() AND region = r)",
        "CREATE MASKING POLICY mask AS (v VARCHAR) RETURNS VARCHAR -> "
        "CASE WHEN CURRENT_ROLE() = 'ACCOUNTADMIN' THEN v ELSE '***' END COMMENT = 'hides numbers'",
        "ALTER TABLE staff ADD ROW ACCESS POLICY rap ON (region)",
        "ALTER TABLE staff MODIFY COLUMN ssn SET MASKING POLICY mask",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE staff TO ROLE {person.role}",
        f"GRANT CREATE TABLE, CREATE VIEW, CREATE STAGE ON SCHEMA {connection.schema} TO ROLE {person.role}",
    )
    return connection


def test_read(staff: SnowflakeConnection, reader: SnowflakeConnection, person: Person, tmp_path: Path) -> None:
    assert rows(staff, ROWS.format("staff")) == ALL
    assert rows(reader, ROWS.format("staff")) == SEEN
    refused(reader, "SELECT * FROM map", 2003, "does not exist or not authorized")
    # A view, a subquery, a join, a table function's input, the past.
    rows(staff, "CREATE VIEW v AS SELECT * FROM staff", f"GRANT SELECT ON VIEW v TO ROLE {person.role}")
    assert rows(reader, ROWS.format("v")) == SEEN
    assert rows(reader, "SELECT count(*), max(s.ssn) FROM staff s JOIN (SELECT id FROM staff) t ON s.id = t.id") == [
        (1, "***")
    ]
    assert rows(reader, "SELECT value::VARCHAR FROM staff, LATERAL SPLIT_TO_TABLE(ssn, '-')") == [("***",)]
    assert rows(reader, ROWS.format("staff AT (OFFSET => 0)")) == SEEN
    # What conditions and errors tell.
    assert rows(reader, "SELECT count(*) FROM staff WHERE ssn = '111-11' OR region = 'US'") == [(0,)]
    assert rows(reader, "SELECT count(*) FROM staff WHERE IFF(region = 'US', 1 / 0, 1) = 1") == [(1,)]
    plan = str(rows(reader, "EXPLAIN SELECT * FROM staff"))
    assert "TableScan" in plan
    assert "***" not in plan
    # Copies hold what was seen.
    rows(reader, "CREATE TABLE mine AS SELECT * FROM staff", "INSERT INTO mine SELECT * FROM staff")
    assert rows(reader, ROWS.format("mine")) == SEEN * 2
    rows(
        reader,
        "CREATE STAGE s",
        "COPY INTO @s/out.csv FROM staff SINGLE = TRUE FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE)",
    )
    assert rows(reader, "SELECT $1, $3 FROM @s") == [("1", "***")]
    # Types are the table's.
    assert [c.type_code for c in reader.cursor().describe("SELECT * FROM staff")] == [
        c.type_code for c in staff.cursor().describe("SELECT * FROM staff")
    ]
    assert rows(reader, "DESCRIBE TABLE staff")[2][1] == "VARCHAR(6)"


def test_temporary_objects_do_not_stand_in(
    staff: SnowflakeConnection, reader: SnowflakeConnection, person: Person
) -> None:
    """A session cannot put a table or function of its own where a policy's or a view's owner reads another one."""
    rows(
        staff,
        "CREATE TABLE facts AS SELECT id FROM staff",
        "CREATE VIEW mine AS SELECT id FROM facts WHERE id IN (SELECT 1 FROM map WHERE role = CURRENT_ROLE())",
        f"GRANT SELECT ON VIEW mine TO ROLE {person.role}",
        f"GRANT ALL ON SCHEMA {staff.schema} TO ROLE {person.role}",
    )
    assert rows(reader, "SELECT * FROM mine") == [(1,)]
    rows(
        reader,
        f"CREATE TEMPORARY TABLE map AS SELECT '{person.role}' AS role, column1 AS region FROM VALUES ('EU'), ('US')",
    )
    assert rows(reader, "SELECT COUNT(*) FROM map") == [(2,)]
    assert rows(reader, ROWS.format("staff")) == SEEN
    rows(reader, "CREATE TEMPORARY TABLE facts AS SELECT 9 AS id")
    assert rows(reader, "SELECT * FROM mine") == [(1,)]


def test_write(staff: SnowflakeConnection, reader: SnowflakeConnection) -> None:
    assert rows(reader, "DELETE FROM staff WHERE id > 1") == [(0,)]
    assert rows(reader, "DELETE FROM staff USING (SELECT 2 AS n) x WHERE staff.id = x.n") == [(0,)]
    assert rows(reader, "UPDATE staff SET pay = pay + 1 WHERE ssn = '***'")[0][0] == 1
    assert rows(reader, "UPDATE staff SET pay = 0 WHERE ssn <> '***'")[0][0] == 0
    assert rows(reader, "UPDATE staff SET pay = x.n FROM (SELECT 2 AS n) x WHERE staff.id = x.n")[0][0] == 0
    merge = (
        "MERGE INTO staff USING (SELECT 1 AS n UNION SELECT 2) x ON staff.id = x.n WHEN MATCHED THEN UPDATE SET pay = 5"
    )
    assert rows(reader, merge) == [(1,)]
    insert = "MERGE INTO staff USING (SELECT 1 AS n UNION SELECT 2) x ON staff.id = x.n WHEN NOT MATCHED THEN INSERT (id) VALUES (9)"
    assert rows(reader, insert) == [(1,)]  # row 2 is not there for this role
    assert rows(staff, "SELECT id, ssn, pay FROM staff ORDER BY id") == [
        (1, "111-11", 5), (2, "222-22", 20), (3, "333-33", 30),
    ]  # fmt: skip
    rows(staff, "ALTER TABLE staff DROP ALL ROW ACCESS POLICIES")
    assert rows(staff, "SELECT count(*) FROM staff") == [(4,)]


def test_clones_keep_their_policies(staff: SnowflakeConnection, reader: SnowflakeConnection, person: Person) -> None:
    rows(staff, "CREATE TABLE twin CLONE staff", f"GRANT SELECT, UPDATE ON TABLE twin TO ROLE {person.role}")
    assert rows(reader, ROWS.format("twin")) == SEEN
    assert rows(reader, "UPDATE twin SET pay = 1")[0][0] == 1
    assert rows(reader, "SELECT pay FROM twin") == [(1,)]
    # A clone of a time before the policies has them, too; a schema's clone has its own.
    rows(staff, "CREATE TABLE open (a INT, ssn VARCHAR)", "INSERT INTO open VALUES (1, 'secret')")
    moment = rows(staff, "SELECT CURRENT_TIMESTAMP()::VARCHAR")[0][0]
    rows(staff, "ALTER TABLE open MODIFY COLUMN ssn SET MASKING POLICY mask")
    rows(staff, f"CREATE TABLE was CLONE open AT (TIMESTAMP => '{moment}'::TIMESTAMP_LTZ)")
    assert rows(staff, "DESCRIBE TABLE was")[1][10] == f"{staff.database}.{staff.schema}.MASK"
    clone = f"{staff.schema}_CLONE"
    rows(staff, f"CREATE SCHEMA {clone} CLONE {staff.schema}", f"USE SCHEMA {staff.schema.removesuffix('_CLONE')}")
    assert rows(staff, f"DESCRIBE TABLE {clone}.open")[1][10] == f"{staff.database}.{clone}.MASK"
    rows(staff, f"DROP SCHEMA {clone}", f"USE SCHEMA {staff.schema.removesuffix('_CLONE')}")


def test_the_same_text_for_two_roles(staff: SnowflakeConnection, person: Person) -> None:
    """No plan or result of one role serves another."""
    rows(staff, f"GRANT ROLE {person.role} TO USER admin", "USE SECONDARY ROLES NONE")
    for _ in range(2):
        assert rows(staff, "USE ROLE accountadmin", ROWS.format("staff")) == ALL
        assert rows(staff, f"USE ROLE {person.role}", ROWS.format("staff")) == SEEN
    rows(staff, "USE ROLE accountadmin", "UPDATE map SET region = 'US' WHERE region = 'EU' AND role <> 'ACCOUNTADMIN'")
    assert len(rows(staff, f"USE ROLE {person.role}", ROWS.format("staff"))) == 2
    rows(staff, "USE ROLE accountadmin", "ALTER ROW ACCESS POLICY rap SET BODY -> FALSE")
    assert rows(staff, ROWS.format("staff")) == []


def test_conditional_masking(connection: SnowflakeConnection) -> None:
    rows(
        connection,
        "CREATE TABLE t (id INT, kind VARCHAR, price NUMBER(8, 2), at DATE)",
        "INSERT INTO t VALUES (1, 'open', 1.25, '2024-05-01'), (2, 'secret', 2.50, '2024-06-01')",
        "CREATE MASKING POLICY by_kind AS (v NUMBER, k VARCHAR) RETURNS NUMBER -> CASE WHEN k = 'open' THEN v ELSE -1 END",
        "CREATE MASKING POLICY year AS (v DATE) RETURNS DATE -> DATE_TRUNC('year', v)",
        "ALTER TABLE t MODIFY COLUMN price SET MASKING POLICY by_kind USING (price, kind), COLUMN at SET MASKING POLICY year",
    )
    assert [(r[0], float(r[1]), str(r[2])) for r in rows(connection, "SELECT id, price, at FROM t ORDER BY id")] == [
        (1, 1.25, "2024-01-01"), (2, -1.0, "2024-01-01"),
    ]  # fmt: skip
    rows(connection, "ALTER TABLE t RENAME COLUMN kind TO sort")
    found = rows(
        connection,
        "SELECT policy_name, ref_entity_name, ref_column_name, ref_arg_column_names FROM TABLE("
        "INFORMATION_SCHEMA.POLICY_REFERENCES(REF_ENTITY_NAME => 't', REF_ENTITY_DOMAIN => 'TABLE'))",
    )
    assert found == [("BY_KIND", "T", "PRICE", '[ "SORT" ]'), ("YEAR", "T", "AT", None)]
    assert rows(
        connection, "SELECT count(*) FROM TABLE(INFORMATION_SCHEMA.POLICY_REFERENCES(POLICY_NAME => 'year'))"
    ) == [(1,)]
    refused(connection, "ALTER TABLE t DROP COLUMN sort", 3552, "a policy is attached to it or uses it")


def test_policies_of_new_tables_and_views(connection: SnowflakeConnection) -> None:
    rows(
        connection,
        "CREATE MASKING POLICY hide AS (v VARCHAR) RETURNS VARCHAR -> 'x'",
        "CREATE ROW ACCESS POLICY odd AS (n NUMBER) RETURNS BOOLEAN -> n % 2 = 1",
        "CREATE TABLE t (n INT, s VARCHAR WITH MASKING POLICY hide COMMENT 'c') WITH ROW ACCESS POLICY odd ON (n)",
        "INSERT INTO t SELECT column1, 'a' FROM VALUES (1), (2), (3)",
        "CREATE TABLE made (n, s MASKING POLICY hide) AS SELECT 1, 'a'",
        "CREATE VIEW v (n, s MASKING POLICY hide) ROW ACCESS POLICY odd ON (n) AS SELECT column1, column2 FROM VALUES (1, 'b'), (2, 'c')",
        "ALTER TABLE made ADD COLUMN more VARCHAR MASKING POLICY hide",
    )
    assert rows(connection, "SELECT * FROM t ORDER BY 1") == [(1, "x"), (3, "x")]
    assert rows(connection, "SELECT * FROM made") == [(1, "x", "x")]
    assert rows(connection, "SELECT * FROM v") == [(1, "x")]
    assert rows(connection, "ALTER VIEW v DROP ROW ACCESS POLICY odd", "SELECT count(*) FROM v") == [(2,)]
    assert rows(connection, "ALTER VIEW v MODIFY COLUMN s UNSET MASKING POLICY", "SELECT max(s) FROM v") == [("c",)]
    assert rows(connection, "SHOW MASKING POLICIES")[0][1] == "HIDE"
    assert [r[1:4] for r in rows(connection, "DESC ROW ACCESS POLICY odd")] == [
        ("(N NUMBER(38,0))", "BOOLEAN", "n % 2 = 1")
    ]


def test_ddl_makes_them_again(connection: SnowflakeConnection) -> None:
    rows(
        connection,
        "CREATE MASKING POLICY hide AS (v VARCHAR, k NUMBER) RETURNS VARCHAR -> IFF(k = 1, v, 'x') COMMENT = 'it''s'",
        "CREATE ROW ACCESS POLICY odd AS (n NUMBER) RETURNS BOOLEAN -> n % 2 = 1",
        "CREATE TABLE t (n INT, k INT, s VARCHAR MASKING POLICY hide USING (s, k)) ROW ACCESS POLICY odd ON (n)",
    )
    asked = "SELECT GET_DDL('{}', '{}', TRUE)"
    made = {
        name: rows(connection, asked.format(kind, name))[0][0] for kind, name in (("POLICY", "hide"), ("TABLE", "t"))
    }
    rows(
        connection,
        "DROP TABLE t",
        made["hide"],
        made["t"],
        "INSERT INTO t VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 1, 'c')",
    )
    assert rows(connection, "SELECT s FROM t ORDER BY k") == [("a",), ("x",)]
    assert "policy ODD" in rows(connection, f"SELECT GET_DDL('SCHEMA', '{connection.schema}')")[0][0]


REFUSED = [
    ("CREATE MASKING POLICY p AS (v VARCHAR) RETURNS NUMBER -> 1", 2023, "returns the type of its first argument"),
    ("CREATE ROW ACCESS POLICY p AS (v VARCHAR) RETURNS VARCHAR -> v", 2023, "A row access policy returns BOOLEAN"),
    ("CREATE ROW ACCESS POLICY p AS (v VARCHAR) RETURNS BOOLEAN -> nobody = v", 904, "invalid identifier 'NOBODY'"),
    ("CREATE ROW ACCESS POLICY p AS (v NUMBER) RETURNS BOOLEAN -> SUM(v) > 0", 2035, "cannot aggregate"),
    ("CREATE MASKING POLICY hide AS (v VARCHAR) RETURNS VARCHAR -> v", 2002, "already exists"),
    ("CREATE OR REPLACE MASKING POLICY hide AS (v VARCHAR) RETURNS VARCHAR -> v", 3551, "Policy HIDE cannot be dropped/replaced"),
    ("DROP MASKING POLICY hide", 3551, "is associated with one or more entities"),
    ("DROP ROW ACCESS POLICY none", 2003, "does not exist or not authorized"),
    ("ALTER TABLE t MODIFY COLUMN s SET MASKING POLICY other", 3545, "already attached to another masking policy"),
    ("ALTER TABLE t MODIFY COLUMN n SET MASKING POLICY hide", 2023, "has the type NUMBER(38,0)"),
    ("ALTER TABLE t ADD ROW ACCESS POLICY odd ON (n)", 3549, "Only one ROW_ACCESS_POLICY is allowed at a time"),
    ("ALTER TABLE t MODIFY COLUMN n SET MASKING POLICY number_mask", 3554, "masked and be an argument"),
    ("ALTER TABLE t ADD AGGREGATION POLICY x", 2, "AGGREGATION POLICY"),
    ("ALTER TAG g UNSET MASKING POLICY hide", 3556, "has no masking policy 'HIDE'"),
    ("SELECT * FROM turning", 3553, "reads what it protects"),
]  # fmt: skip


def test_refused(connection: SnowflakeConnection) -> None:
    rows(
        connection,
        "CREATE MASKING POLICY hide AS (v VARCHAR) RETURNS VARCHAR -> 'x'",
        "CREATE MASKING POLICY other AS (v VARCHAR) RETURNS VARCHAR -> 'y'",
        "CREATE MASKING POLICY number_mask AS (v NUMBER) RETURNS NUMBER -> 0",
        "CREATE ROW ACCESS POLICY odd AS (n NUMBER) RETURNS BOOLEAN -> n % 2 = 1",
        "CREATE TABLE t (n INT, s VARCHAR MASKING POLICY hide) ROW ACCESS POLICY odd ON (n)",
        "CREATE TABLE turning (n INT)",
        "CREATE ROW ACCESS POLICY itself AS (n NUMBER) RETURNS BOOLEAN -> n IN (SELECT n FROM turning)",
        "ALTER TABLE turning ADD ROW ACCESS POLICY itself ON (n)",
        "CREATE TAG g",
    )
    for statement, code, text in REFUSED:
        refused(connection, statement, code, text)
    rows(connection, "ALTER TABLE t MODIFY COLUMN s SET MASKING POLICY other FORCE")
    assert rows(connection, "INSERT INTO t VALUES (1, 'a')", "SELECT s FROM t") == [("y",)]


def test_tags_mask(connection: SnowflakeConnection) -> None:
    """A tag's policies mask the columns that have the tag, be it inherited, unless a column has a policy of its own."""
    rows(
        connection,
        "CREATE TAG level",
        "CREATE MASKING POLICY words AS (v VARCHAR) RETURNS VARCHAR -> "
        "CASE WHEN SYSTEM$GET_TAG_ON_CURRENT_COLUMN('level') = 'open' THEN v ELSE 'x' END",
        "CREATE MASKING POLICY numbers AS (v NUMBER) RETURNS NUMBER -> 0",
        "CREATE MASKING POLICY own AS (v VARCHAR) RETURNS VARCHAR -> 'own'",
        "ALTER TAG level SET MASKING POLICY words, MASKING POLICY numbers",
        "CREATE TABLE t (a VARCHAR, b VARCHAR WITH TAG (level = 'open'), c NUMBER, d VARCHAR MASKING POLICY own, e DATE)",
        "INSERT INTO t VALUES ('a', 'b', 1, 'd', '2024-01-01')",
    )
    assert rows(connection, "SELECT a, b, c, d FROM t") == [("a", "b", 1, "own")]
    rows(connection, "ALTER TABLE t SET TAG level = 'closed'")
    assert rows(connection, "SELECT a, b, c, d FROM t") == [("x", "b", 0, "own")]
    found = "SELECT ref_column_name, policy_name, tag_name FROM TABLE(INFORMATION_SCHEMA.POLICY_REFERENCES("
    assert rows(connection, f"{found}REF_ENTITY_NAME => 't', REF_ENTITY_DOMAIN => 'TABLE'))") == [
        ("A", "WORDS", "LEVEL"), ("B", "WORDS", "LEVEL"), ("C", "NUMBERS", "LEVEL"), ("D", "OWN", None),
    ]  # fmt: skip
    assert rows(connection, "UPDATE t SET e = NULL WHERE a = 'a'")[0][0] == 0
    refused(connection, "DROP TAG level", 3551, "masking policies are set on it")
    refused(connection, "DROP MASKING POLICY words", 3551)
    refused(connection, "ALTER TAG level SET MASKING POLICY own", 3545, "has a masking policy for the type VARCHAR")
    rows(connection, "ALTER TAG level UNSET MASKING POLICY words", "ALTER TAG level SET MASKING POLICY own")
    assert rows(connection, "SELECT a FROM t") == [("own",)]


def test_who_may_attach(staff: SnowflakeConnection, reader: SnowflakeConnection, person: Person) -> None:
    """APPLY on the account, or the table's owner with APPLY on the policy."""
    rows(reader, "CREATE TABLE mine (s VARCHAR)", "INSERT INTO mine VALUES ('secret')")
    refused(
        reader,
        "ALTER TABLE mine MODIFY COLUMN s SET MASKING POLICY mask",
        2003,
        f"'{staff.database}.{staff.schema}.MASK'",
    )
    rows(staff, f"GRANT APPLY ON MASKING POLICY mask TO ROLE {person.role}")
    assert rows(reader, "ALTER TABLE mine MODIFY COLUMN s SET MASKING POLICY mask", "SELECT s FROM mine") == [("***",)]
    refused(reader, "ALTER MASKING POLICY mask SET BODY -> v", 3001, "Insufficient privileges")
    refused(reader, "DROP MASKING POLICY mask", 3001, "Insufficient privileges")
    refused(reader, "ALTER TABLE staff DROP ALL ROW ACCESS POLICIES", 3001, "Insufficient privileges")
    refused(reader, "ALTER TABLE staff MODIFY COLUMN ssn UNSET MASKING POLICY", 3001, "Insufficient privileges")
    # APPLY on the account is for policies, not for the rest of an ALTER TABLE.
    rows(staff, f"GRANT APPLY MASKING POLICY ON ACCOUNT TO ROLE {person.role}")
    rows(
        reader,
        "ALTER TABLE staff MODIFY COLUMN ssn UNSET MASKING POLICY, COLUMN ssn SET MASKING POLICY mask USING (ssn)",
    )
    for more in (
        "COLUMN id DROP NOT NULL",
        "COLUMN region TYPE VARCHAR(50)",
        "COLUMN id COMMENT 'x'",
        "id SET DEFAULT s.NEXTVAL",
    ):
        both = f"ALTER TABLE staff MODIFY COLUMN ssn SET MASKING POLICY mask FORCE, {more}"
        refused(reader, both, 3001, "Insufficient privileges")
    rows(staff, f"REVOKE APPLY MASKING POLICY ON ACCOUNT FROM ROLE {person.role}")
    rows(staff, f"REVOKE APPLY ON MASKING POLICY mask FROM ROLE {person.role}")
    refused(reader, "ALTER TABLE mine MODIFY COLUMN s UNSET MASKING POLICY", 2003)
