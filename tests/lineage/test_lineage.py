"""Lineage through Snowpark: GET_LINEAGE, session.lineage, OBJECT_DEPENDENCIES, ACCESS_HISTORY."""

from __future__ import annotations

import json
from typing import Any

import pytest
from snowflake.snowpark import Session
from snowflake.snowpark import functions as F
from snowflake.snowpark.exceptions import SnowparkSQLException
from snowflake.snowpark.types import IntegerType


def run(session: Session, *statements: str) -> list[Any]:
    rows: list[Any] = []
    for statement in statements:
        rows = session.sql(statement).collect()
    return rows


def edges(
    session: Session, name: str, direction: str, domain: str = "TABLE", distance: int = 5
) -> set[tuple[str, str, int]]:
    """(source, target, distance) of the edges that GET_LINEAGE answers; columns as ``table.column``."""
    rows = run(
        session,
        f"SELECT SOURCE_OBJECT_NAME || NVL2(SOURCE_COLUMN_NAME, '.' || SOURCE_COLUMN_NAME, ''), "
        f"TARGET_OBJECT_NAME || NVL2(TARGET_COLUMN_NAME, '.' || TARGET_COLUMN_NAME, ''), DISTANCE "
        f"FROM TABLE(SNOWFLAKE.CORE.GET_LINEAGE('{name}', '{domain}', '{direction}', {distance}))",
    )
    return {tuple(row) for row in rows}


def full(session: Session, name: str) -> str:
    return f"{session.get_current_database()}.{session.get_current_schema()}.{name}".replace('"', "")


def history(session: Session, text: str) -> dict[str, Any]:
    """The entry in ACCESS_HISTORY of the last statement that begins with a text."""
    rows = run(
        session,
        "SELECT a.* FROM SNOWFLAKE.ACCOUNT_USAGE.ACCESS_HISTORY a JOIN SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY q USING (QUERY_ID) "
        f"WHERE STARTSWITH(q.QUERY_TEXT, $${text}$$) AND q.SCHEMA_NAME = CURRENT_SCHEMA() ORDER BY q.START_TIME DESC LIMIT 1",
    )
    (row,) = rows
    found = row.as_dict()
    for name in ("DIRECT_OBJECTS_ACCESSED", "BASE_OBJECTS_ACCESSED", "OBJECTS_MODIFIED"):
        found[name] = {
            item["objectName"].split(".")[-1]: {
                column["columnName"]: {
                    kind: {f"{source['objectName'].split('.')[-1]}.{source['columnName']}" for source in column[kind]}
                    for kind in ("directSources", "baseSources")
                    if kind in column
                }
                for column in item.get("columns", [])
            }
            for item in json.loads(found[name])
        }
    return found


@pytest.fixture
def chain(session: Session) -> Session:
    """A table, views on it, tables made of these, a stage."""
    run(
        session,
        "CREATE TABLE raw (a INT, b INT, c VARCHAR)",
        "INSERT INTO raw VALUES (1, 2, 'x')",
        "CREATE VIEW v AS SELECT a + b AS ab, c FROM raw WHERE a > 0",
        "CREATE VIEW w AS SELECT ab * 2 AS q FROM v",
        "CREATE TABLE made AS SELECT q AS z, 1 AS one FROM w",
    )
    return session


def test_views_and_tables_made_of_them(chain: Session) -> None:
    assert edges(chain, "raw", "DOWNSTREAM") == {("RAW", "V", 1), ("V", "W", 2), ("W", "MADE", 3)}
    assert edges(chain, "made", "UPSTREAM") == {("W", "MADE", 1), ("V", "W", 2), ("RAW", "V", 3)}
    assert edges(chain, "made", "UPSTREAM", distance=1) == {("W", "MADE", 1)}
    assert edges(chain, "made.z", "UPSTREAM", "COLUMN") == {
        ("W.Q", "MADE.Z", 1), ("V.AB", "W.Q", 2), ("RAW.A", "V.AB", 3), ("RAW.B", "V.AB", 3),
    }  # fmt: skip
    assert edges(chain, "made.one", "UPSTREAM", "COLUMN") == set()
    assert edges(chain, "raw.c", "DOWNSTREAM", "COLUMN") == {("RAW.C", "V.C", 1)}


WRITES = {
    "insert": "INSERT INTO target SELECT a, b FROM raw",
    "insert some columns": "INSERT INTO target (k) SELECT r.a FROM raw r JOIN v USING (c)",
    "insert overwrite": "INSERT OVERWRITE INTO target SELECT a, b FROM raw",
    "insert with a CTE": "INSERT INTO target WITH r AS (SELECT a, b FROM raw) SELECT * FROM r UNION ALL SELECT * FROM r",
    "insert all": "INSERT ALL INTO target VALUES (a, b) SELECT a, b FROM raw",
    "merge": "MERGE INTO target USING raw ON target.k = raw.a WHEN MATCHED THEN UPDATE SET x = raw.b "
    "WHEN NOT MATCHED THEN INSERT (k, x) VALUES (raw.a, raw.b)",
    "update": "UPDATE target SET x = raw.a FROM raw WHERE target.k = raw.b",
    "delete": "DELETE FROM target USING raw WHERE target.k = raw.a",
}


@pytest.mark.parametrize("case", WRITES)
def test_every_write_leads_from_what_it_read(chain: Session, case: str) -> None:
    run(chain, "CREATE TABLE target (k INT, x INT)", "INSERT INTO target VALUES (1, 1)", WRITES[case])
    assert ("RAW", "TARGET", 1) in edges(chain, "target", "UPSTREAM")
    assert ("RAW", "TARGET", 1) in edges(chain, "raw", "DOWNSTREAM", distance=1)


def test_clones_stages_and_table_functions(chain: Session) -> None:
    run(
        chain,
        "CREATE TABLE cloned CLONE raw",
        "CREATE STAGE files",
        "COPY INTO @files/f FROM (SELECT a, b FROM cloned)",
        "CREATE TABLE loaded (a INT, b INT)",
        "COPY INTO loaded FROM @files",
        "CREATE TABLE flat AS SELECT f.VALUE::INT AS item FROM raw, LATERAL FLATTEN(ARRAY_CONSTRUCT(a, b)) f",
    )
    assert edges(chain, "loaded", "UPSTREAM") == {("FILES", "LOADED", 1), ("CLONED", "FILES", 2), ("RAW", "CLONED", 3)}
    assert edges(chain, "files", "DOWNSTREAM", "STAGE") == {("FILES", "LOADED", 1)}
    run(
        chain,
        "CREATE TABLE wide AS SELECT * FROM (SELECT a, c FROM raw) PIVOT (SUM(a) FOR c IN ('x', 'y')) AS p (x, y)",
    )
    assert edges(chain, "wide.x", "UPSTREAM", "COLUMN") == {("RAW.A", "WIDE.X", 1), ("RAW.C", "WIDE.X", 1)}
    assert edges(chain, "flat.item", "UPSTREAM", "COLUMN") == {("RAW.A", "FLAT.ITEM", 1), ("RAW.B", "FLAT.ITEM", 1)}


def test_a_cloned_schema(chain: Session) -> None:
    schema = full(chain, "").split(".")[1]
    run(chain, f"CREATE SCHEMA {schema}_C CLONE {schema}", f"USE SCHEMA {schema}")
    found = edges(chain, f"{schema}_C.made", "UPSTREAM", distance=1)
    assert found == {("MADE", "MADE", 1)}


def test_temporary_objects_are_seen_through(chain: Session) -> None:
    cached = chain.table("RAW").select((F.col("A") + 1).as_("A1"), "C").cache_result()
    cached.create_or_replace_temp_view("looking")
    chain.table("looking").select("A1").write.save_as_table("KEPT")
    assert edges(chain, "kept", "UPSTREAM") == {("RAW", "KEPT", 1)}
    assert edges(chain, "kept.a1", "UPSTREAM", "COLUMN") == {("RAW.A", "KEPT.A1", 1)}


def test_what_procedures_and_python_functions_do(chain: Session) -> None:
    chain.sql("CREATE TABLE out (a INT)").collect()
    double = chain.udf.register(lambda x: 2 * x, return_type=IntegerType(), input_types=[IntegerType()])

    def fill(inner: Session) -> str:
        inner.table("RAW").select("B").write.save_as_table("FROM_PYTHON")
        return "done"

    procedure = chain.sproc.register(fill, packages=["snowflake-snowpark-python"], execute_as="caller")
    assert procedure() == "done"
    run(
        chain,
        "CREATE PROCEDURE scripted() RETURNS INT EXECUTE AS CALLER AS "
        "'BEGIN INSERT INTO out SELECT a FROM v JOIN raw USING (c); RETURN 1; END'",
        "CALL scripted()",
    )
    chain.table("RAW").select(double("B").as_("TWICE")).write.save_as_table("BY_FUNCTION")
    assert edges(chain, "from_python", "UPSTREAM") == {("RAW", "FROM_PYTHON", 1)}
    assert ("RAW", "OUT", 1) in edges(chain, "out", "UPSTREAM")
    assert edges(chain, "by_function.twice", "UPSTREAM", "COLUMN") == {("RAW.B", "BY_FUNCTION.TWICE", 1)}
    entry = history(chain, "INSERT INTO out")
    (parent,) = run(
        chain,
        f"SELECT QUERY_TEXT FROM SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY WHERE QUERY_ID = '{entry['PARENT_QUERY_ID']}'",
    )
    assert parent[0] == "CALL scripted()"
    assert entry["ROOT_QUERY_ID"] == entry["PARENT_QUERY_ID"]


def test_lineage_follows_renames_and_shows_what_was_dropped(chain: Session) -> None:
    run(
        chain,
        "ALTER TABLE made RENAME TO model_input",
        "CREATE TABLE end AS SELECT * FROM model_input",
        "DROP TABLE model_input",
    )
    rows = run(
        chain,
        "SELECT SOURCE_OBJECT_NAME, SOURCE_STATUS FROM TABLE(SNOWFLAKE.CORE.GET_LINEAGE('end', 'TABLE', 'UPSTREAM')) ORDER BY DISTANCE",
    )
    # A view that was dropped leads nowhere, a table that was dropped did give its rows.
    assert [tuple(row) for row in rows] == [
        ("MODEL_INPUT", "DELETED"),
        ("W", "ACTIVE"),
        ("V", "ACTIVE"),
        ("RAW", "ACTIVE"),
    ]
    run(chain, "DROP VIEW w")
    assert edges(chain, "v", "DOWNSTREAM") == set()


def test_the_process_is_the_statement(chain: Session) -> None:
    (row,) = run(
        chain,
        "SELECT PROCESS:queryId::VARCHAR, SOURCE_OBJECT_DATABASE, SOURCE_OBJECT_DOMAIN, SOURCE_STATUS "
        "FROM TABLE(SNOWFLAKE.CORE.GET_LINEAGE('made', 'table', 'upstream', 1))",
    )
    (text,) = run(chain, f"SELECT QUERY_TEXT FROM SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY WHERE QUERY_ID = '{row[0]}'")
    assert text[0].startswith("CREATE TABLE made AS")
    assert tuple(row)[1:] == (full(chain, "").split(".")[0], "TABLE", "ACTIVE")


def test_snowpark_traces(chain: Session) -> None:
    def traced(name: str, domain: str, **options: Any) -> list[tuple[str, str, str, int]]:
        rows = chain.lineage.trace(full(chain, name), domain, **options).collect()
        sides = [(json.loads(row[0]), json.loads(row[1]), row[2], row[3]) for row in rows]
        prefix = full(chain, "")
        return [
            (
                f"{s['domain']} {s['name'].removeprefix(prefix)}",
                f"{t['domain']} {t['name'].removeprefix(prefix)}",
                way,
                far,
            )
            for s, t, way, far in sides
        ]

    assert traced("RAW", "table", direction="downstream", distance=3) == [
        ("TABLE RAW", "VIEW V", "Downstream", 1), ("VIEW V", "VIEW W", "Downstream", 2), ("VIEW W", "TABLE MADE", "Downstream", 3),
    ]  # fmt: skip
    assert sorted(traced("W", "view", distance=1)) == [
        ("VIEW V", "VIEW W", "Upstream", 1), ("VIEW W", "TABLE MADE", "Downstream", 1),
    ]  # fmt: skip
    assert traced("W.Q", "COLUMN", direction="upstream", distance=2) == [
        ("COLUMN V.AB", "COLUMN W.Q", "Upstream", 1),
        *(("COLUMN RAW." + name, "COLUMN V.AB", "Upstream", 2) for name in ("A", "B")),
    ]
    assert traced("NOTHING", "table") == []


def test_snowpark_traces_quoted_names(chain: Session) -> None:
    run(chain, """CREATE VIEW "o'b\"\"rien" AS SELECT a FROM raw""", 'CREATE VIEW "lower" AS SELECT a FROM raw')
    place = full(chain, "").rstrip(".")
    (row,) = chain.lineage.trace(f'{place}."lower"', "view", direction="upstream").collect()
    assert (json.loads(row[0])["name"], json.loads(row[1])["name"]) == (f"{place}.RAW", f'{place}."lower"')
    rows = chain.lineage.trace(f"{place}.RAW", "table", direction="downstream", distance=1).collect()
    assert f"""{place}."o'b""rien\"""" in {json.loads(row[1])["name"] for row in rows}
    assert chain.lineage.trace(f"""{place}."it's not there\"""", "table").collect() == []


def test_object_dependencies(chain: Session) -> None:
    run(
        chain,
        "CREATE FUNCTION most() RETURNS NUMBER AS 'SELECT MAX(a) FROM raw'",
        "CREATE FUNCTION rows_of(n NUMBER) RETURNS TABLE (z NUMBER) AS 'SELECT z FROM made WHERE z > n'",
        "CREATE DYNAMIC TABLE dynamic TARGET_LAG = '1 hour' WAREHOUSE = compute_wh AS SELECT a FROM raw",
    )
    rows = run(
        chain,
        "SELECT REFERENCED_OBJECT_NAME, REFERENCED_OBJECT_DOMAIN, REFERENCING_OBJECT_NAME, REFERENCING_OBJECT_DOMAIN, "
        "DEPENDENCY_TYPE FROM SNOWFLAKE.ACCOUNT_USAGE.OBJECT_DEPENDENCIES WHERE REFERENCING_SCHEMA = CURRENT_SCHEMA()",
    )
    assert {tuple(row) for row in rows} == {
        ("RAW", "TABLE", "V", "VIEW", "BY_NAME"), ("V", "VIEW", "W", "VIEW", "BY_NAME"),
        ("RAW", "TABLE", "MOST", "FUNCTION", "BY_NAME"), ("MADE", "TABLE", "ROWS_OF", "FUNCTION", "BY_NAME"),
        ("RAW", "TABLE", "DYNAMIC", "DYNAMIC TABLE", "BY_NAME"),
    }  # fmt: skip


def test_access_history_of_a_read_through_views(chain: Session) -> None:
    run(chain, "SELECT q FROM w WHERE q > 0")
    found = history(chain, "SELECT q FROM w")
    assert found["DIRECT_OBJECTS_ACCESSED"] == {"W": {"Q": {}}}
    assert found["BASE_OBJECTS_ACCESSED"] == {"RAW": {"A": {}, "B": {}, "C": {}}}
    assert (found["OBJECTS_MODIFIED"], found["USER_NAME"], found["PARENT_QUERY_ID"]) == ({}, "ADMIN", None)


def test_access_history_of_writes(chain: Session) -> None:
    run(chain, "INSERT INTO made (z) SELECT ab FROM v", "UPDATE made SET one = z + 1", "DELETE FROM made WHERE z = 0")
    found = history(chain, "INSERT INTO made")
    assert found["OBJECTS_MODIFIED"] == {"MADE": {"Z": {"directSources": {"V.AB"}, "baseSources": {"RAW.A", "RAW.B"}}}}
    assert list(found["DIRECT_OBJECTS_ACCESSED"]) == ["V"]
    found = history(chain, "UPDATE made")
    assert found["OBJECTS_MODIFIED"] == {"MADE": {"ONE": {"directSources": {"MADE.Z"}, "baseSources": {"MADE.Z"}}}}
    assert found["DIRECT_OBJECTS_ACCESSED"] == {"MADE": {"Z": {}}}
    found = history(chain, "DELETE FROM made")
    assert (found["OBJECTS_MODIFIED"], found["DIRECT_OBJECTS_ACCESSED"]) == ({"MADE": {}}, {"MADE": {"Z": {}}})


def test_statements_without_objects_and_failed_ones_leave_nothing(session: Session) -> None:
    run(session, "CREATE TABLE t (a INT)", "SELECT 4711")
    with pytest.raises(SnowparkSQLException):
        run(session, "INSERT INTO t SELECT 1 / 0 + a FROM (SELECT 1 AS a)")
    rows = run(
        session,
        "SELECT COUNT(*) FROM SNOWFLAKE.ACCOUNT_USAGE.ACCESS_HISTORY JOIN SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY q USING (QUERY_ID) "
        "WHERE q.SCHEMA_NAME = CURRENT_SCHEMA() AND q.QUERY_TEXT NOT ILIKE '%ACCESS_HISTORY%'",
    )
    assert rows[0][0] == 0


# (arguments of GET_LINEAGE, error number, text)
REFUSED = {
    "direction": ("'raw', 'TABLE', 'SIDEWAYS'", 1008, "SIDEWAYS"),
    "domain": ("'raw', 'PLANET', 'UPSTREAM'", 1008, "PLANET"),
    "distance": ("'raw', 'TABLE', 'UPSTREAM', 6", 1008, "between 1 and 5"),
    "object": ("'nope', 'TABLE', 'UPSTREAM'", 2003, "NOPE"),
    "column": ("'raw.nope', 'COLUMN', 'UPSTREAM'", 2003, "raw.nope"),
    "version": ("'raw', 'TABLE', 'UPSTREAM', 1, 'v1'", 2, "GET_LINEAGE of an object's version"),
    "model": ("'raw', 'MODULE', 'UPSTREAM'", 2, "GET_LINEAGE in domain MODULE"),
    "too few": ("'raw', 'TABLE'", 939, "GET_LINEAGE"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(session: Session, case: str) -> None:
    arguments, code, text = REFUSED[case]
    run(session, "CREATE TABLE raw (a INT)")
    with pytest.raises(SnowparkSQLException) as raised:
        run(session, f"SELECT * FROM TABLE(SNOWFLAKE.CORE.GET_LINEAGE({arguments}))")
    assert raised.value.sql_error_code == code
    assert text in str(raised.value)


def test_a_graph_query_that_is_not_understood(session: Session) -> None:
    with pytest.raises(SnowparkSQLException, match="not understood"):
        run(session, "SELECT SYSTEM$DGQL('{V(everything)}')")
