"""SHOW, DESCRIBE and INFORMATION_SCHEMA: columns in Snowflake's order, rows of what exists."""

from collections.abc import Callable

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.snowpark import Session

from tests.statements.cases import run

SETUP = """
    CREATE TABLE t (a INT NOT NULL COMMENT 'first', b VARCHAR(10) DEFAULT 'x', PRIMARY KEY (a)) COMMENT = 'tt';
    INSERT INTO t (a) VALUES (1), (2);
    CREATE TEMPORARY TABLE tmp_1 (v VARIANT);
    CREATE VIEW v AS SELECT a FROM t;
    CREATE SEQUENCE q START 5;
    CREATE STAGE st;
    CREATE FILE FORMAT ff TYPE = JSON
"""

# Statement, the columns it answers (None: not looked at), and what it shows in some of them.
SHOW = [
    (
        "SHOW TABLES",
        "created_on name database_name schema_name kind comment cluster_by rows bytes owner retention_time "
        "automatic_clustering change_tracking search_optimization search_optimization_progress "
        "search_optimization_bytes is_external enable_schema_evolution owner_role_type is_event budget is_hybrid "
        "is_iceberg is_dynamic is_immutable",
        ["name", "kind", "rows", "comment"],
        [("T", "TABLE", 2, "tt"), ("TMP_1", "TEMPORARY", 0, "")],
    ),
    (
        "SHOW TERSE TABLES LIKE 't__\\\\_%'",
        "created_on name kind database_name schema_name",
        ["name"],
        [("TMP_1",)],
    ),
    ("SHOW TABLES STARTS WITH 'T' LIMIT 1 FROM 'T'", None, ["name"], [("TMP_1",)]),
    ("SHOW TABLES STARTS WITH 't'", None, ["name"], []),
    (
        "SHOW VIEWS",
        "created_on name reserved database_name schema_name owner comment text is_secure is_materialized "
        "owner_role_type change_tracking",
        ["name", "text", "is_secure"],
        [("V", "CREATE VIEW v AS SELECT a FROM t", "false")],
    ),
    ("SHOW OBJECTS", None, ["name", "kind"], [("T", "TABLE"), ("TMP_1", "TEMPORARY"), ("V", "VIEW")]),
    (
        "SHOW COLUMNS IN TABLE t",
        "table_name schema_name column_name data_type null? default kind expression comment database_name "
        "autoincrement schema_evolution_record",
        ["column_name", "data_type", "null?", "default", "comment"],
        [
            ("A", '{"type":"FIXED","precision":38,"scale":0,"nullable":false}', "NOT_NULL", "", "first"),
            ("B", '{"type":"TEXT","length":10,"byteLength":40,"nullable":true,"fixed":false}', "true", "'x'", ""),
        ],
    ),
    ("SHOW PRIMARY KEYS IN t", None, ["table_name", "column_name", "key_sequence"], [("T", "A", 1)]),
    ("SHOW SEQUENCES", None, ["name", "next_value", "interval"], [("Q", 5, 1)]),
    ("SHOW STAGES", None, ["name", "type"], [("ST", "INTERNAL")]),
    ("SHOW FILE FORMATS", None, ["name", "type"], [("FF", "JSON")]),
    ("SHOW SCHEMAS LIKE 'information%'", None, ["name", "database_name"], [("INFORMATION_SCHEMA", "TESTS")]),
    ("SHOW DATABASES LIKE 'tests'", None, ["name", "is_current", "kind"], [("TESTS", "Y", "STANDARD")]),
    (
        "SHOW PARAMETERS LIKE 'query_tag'",
        "key value default level description type",
        ["key", "value", "level"],
        [("QUERY_TAG", "", "")],
    ),
    ("SHOW PARAMETERS LIKE '%RETENTION%' IN TABLE t", None, ["key", "value"], [("DATA_RETENTION_TIME_IN_DAYS", "1")]),
    ("SHOW ROLES LIKE 'public'", None, ["name", "is_inherited"], [("PUBLIC", "Y")]),
    ("SHOW WAREHOUSES LIKE 'compute%'", None, ["name", "state", "size"], [("COMPUTE_WH", "STARTED", "X-Small")]),
    (
        "DESCRIBE TABLE t",
        "name type kind null? default primary key unique key check expression comment policy name privacy domain",
        ["name", "type", "null?", "default", "primary key", "comment"],
        [("A", "NUMBER(38,0)", "N", None, "Y", "first"), ("B", "VARCHAR(10)", "Y", "'x'", "N", None)],
    ),
    ("DESC VIEW v", None, ["name", "type"], [("A", "NUMBER(38,0)")]),
    ("DESC TABLE information_schema.enabled_roles", None, ["name"], [("ROLE_NAME",), ("ROLE_OWNER",)]),
    ("SELECT 1 AS a, 'x' AS b; DESCRIBE RESULT LAST_QUERY_ID()", None, ["name", "type"], [("A", "NUMBER(1,0)"), ("B", "VARCHAR(1)")]),
    (
        "SELECT table_name, table_type, row_count FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA() ORDER BY 1",
        None,
        ["TABLE_NAME", "TABLE_TYPE", "ROW_COUNT"],
        [("T", "BASE TABLE", 2), ("TMP_1", "LOCAL TEMPORARY", 0), ("V", "VIEW", None)],
    ),
    (
        "SELECT column_name, ordinal_position, data_type, character_maximum_length, is_nullable "
        "FROM information_schema.columns WHERE table_schema = CURRENT_SCHEMA() AND table_name = 'T' ORDER BY 2",
        None,
        ["COLUMN_NAME", "ORDINAL_POSITION", "DATA_TYPE", "CHARACTER_MAXIMUM_LENGTH", "IS_NULLABLE"],
        [("A", 1, "NUMBER", None, "NO"), ("B", 2, "TEXT", 10, "YES")],
    ),
    ("SELECT COUNT(*) > 0 AS n FROM information_schema.packages WHERE language = 'python' AND package_name = 'pyarrow'", None, ["N"], [(True,)]),
    ("SELECT name FROM snowflake.account_usage.users WHERE name = 'ADMIN'", None, ["NAME"], [("ADMIN",)]),
]  # fmt: skip


@pytest.fixture
def filled(connection: SnowflakeConnection) -> SnowflakeConnection:
    run(connection, SETUP)
    return connection


@pytest.mark.parametrize(("statement", "columns", "chosen", "expected"), SHOW, ids=lambda value: str(value)[:40])
def test_show(
    filled: SnowflakeConnection, statement: str, columns: str | None, chosen: list[str], expected: list[tuple]
) -> None:
    cursor = filled.cursor()
    for one in statement.split(";"):
        cursor.execute(one)
    names = [column.name for column in cursor.description]
    if columns is not None:
        assert " ".join(names) == columns
    places = [names.index(name) for name in chosen]
    assert [tuple(row[place] for place in places) for row in cursor.fetchall()] == expected


def test_describe_only_answers_the_same_columns(filled: SnowflakeConnection) -> None:
    for statement in ("SHOW TABLES", "DESCRIBE TABLE t", "SHOW PARAMETERS", "SHOW GRANTS"):
        described = [column.name for column in filled.cursor().describe(statement)]
        executed = [column.name for column in filled.cursor().execute(statement).description]
        assert described == executed


def test_history_shows_dropped_tables_until_they_come_back(connection: SnowflakeConnection) -> None:
    run(connection, "CREATE TABLE t (a INT); DROP TABLE t")
    assert [(row[1], row[-1] is not None) for row in run(connection, "SHOW TABLES HISTORY")] == [("T", True)]
    run(connection, "UNDROP TABLE t")
    assert [(row[1], row[-1] is not None) for row in run(connection, "SHOW TABLES HISTORY")] == [("T", False)]


def test_others_do_not_see_temporary_tables(
    filled: SnowflakeConnection, connect: Callable[..., SnowflakeConnection]
) -> None:
    other = connect(database=filled.database, schema=filled.schema)
    assert [row[1] for row in run(other, "SHOW TABLES")] == ["T"]


def test_load_history_names_table_and_rows(connection: SnowflakeConnection) -> None:
    run(connection, "CREATE STAGE st; CREATE TABLE t (a INT); COPY INTO @st/one.csv FROM (SELECT 1) SINGLE = TRUE")
    run(connection, "COPY INTO t FROM @st")
    found = run(
        connection,
        "SELECT table_name, status, row_count FROM information_schema.load_history WHERE schema_name = CURRENT_SCHEMA()",
    )
    assert found == [("T", "LOADED", 1)]


def test_result_scan_of_show(filled: SnowflakeConnection) -> None:
    rows = run(filled, 'SHOW TABLES; SELECT "name" FROM TABLE(RESULT_SCAN(LAST_QUERY_ID())) WHERE "rows" = 2')
    assert rows == [("T",)]


def test_catalog_api_lists_and_finds(session: Session) -> None:
    session.sql("CREATE TABLE t (a INT, b VARCHAR)").collect()
    session.sql("CREATE VIEW v AS SELECT a FROM t").collect()
    catalog = session.catalog
    assert [table.name for table in catalog.list_tables()] == ["T"]
    assert [column.datatype for column in catalog.list_columns("T")] == ["NUMBER(38,0)", "VARCHAR(16777216)"]
    assert [view.name for view in catalog.list_views()] == ["V"]
    assert catalog.table_exists("t")
    assert not catalog.table_exists("u")
    catalog.drop_table("t")
    assert not catalog.table_exists("t")
