"""Tags through the connector: definition, setting, inheritance, references, limits."""

from __future__ import annotations

from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError


class Client:
    """Runs statements and answers their rows."""

    def __init__(self, connection: SnowflakeConnection) -> None:
        self._cursor = connection.cursor()
        self.database, self.schema = str(connection.database), str(connection.schema)

    def __call__(self, *statements: str) -> list[tuple[Any, ...]]:
        rows: list[Any] = []
        for statement in statements:
            rows = self._cursor.execute(statement).fetchall()  # type: ignore[union-attr]
        return rows

    def columns(self) -> list[str]:
        return [column.name for column in self._cursor.description or []]

    def tag(self, tag: str, item: str, domain: str) -> str | None:
        ((value,),) = self(f"SELECT SYSTEM$GET_TAG('{tag}', '{item}', '{domain}')")
        return value


@pytest.fixture
def run(connection: SnowflakeConnection) -> Client:
    return Client(connection)


def refused(run: Client, statement: str, code: int, text: str) -> None:
    with pytest.raises(ProgrammingError) as raised:
        run(statement)
    assert raised.value.errno == code
    assert text in str(raised.value.msg)


def test_a_tag_is_defined_changed_dropped_and_brought_back(run: Client) -> None:
    run("CREATE TAG color ALLOWED_VALUES 'red', 'green', 'red' COMMENT = 'of a thing'")
    assert run("SELECT SYSTEM$GET_TAG_ALLOWED_VALUES('color')") == [('["red","green"]',)]
    assert run("CREATE TAG IF NOT EXISTS color") == [("COLOR already exists, statement succeeded.",)]
    refused(run, "CREATE TAG color", 2002, "Object 'COLOR' already exists.")
    run("ALTER TAG color ADD ALLOWED_VALUES 'blue'", "ALTER TAG color DROP ALLOWED_VALUES 'red'")
    run("ALTER TAG color SET COMMENT = 'new'", "ALTER TAG color RENAME TO colour")
    (row,) = run("SHOW TAGS LIKE 'colour'")
    shown = dict(zip(run.columns(), row, strict=True))
    assert (shown["comment"], shown["allowed_values"], shown["database_name"], shown["schema_name"]) == (
        "new", '["green","blue"]', run.database, run.schema,
    )  # fmt: skip
    run("ALTER TAG colour UNSET ALLOWED_VALUES", "ALTER TAG colour UNSET COMMENT")
    assert run("SELECT SYSTEM$GET_TAG_ALLOWED_VALUES('colour')") == [(None,)]
    assert dict(run("DESCRIBE TAG colour"))["COMMENT"] == ""
    run("CREATE OR ALTER TAG colour ALLOWED_VALUES 'x'")
    assert run("SELECT SYSTEM$GET_TAG_ALLOWED_VALUES('colour')") == [('["x"]',)]
    run("DROP TAG colour", "DROP TAG IF EXISTS colour")
    assert run("SHOW TAGS") == []
    assert [row[1] for row in run("SHOW TAGS HISTORY")] == ["COLOUR"]
    assert run("UNDROP TAG colour") == [("Tag COLOUR successfully restored.",)]
    refused(run, "UNDROP TAG colour", 90025, "COLOUR")


CREATED = {
    "DATABASE": ("CREATE DATABASE IF NOT EXISTS {unique} WITH TAG ({tag} = 'v')", "{unique}"),
    "SCHEMA": ("CREATE SCHEMA {unique} TAG ({tag} = 'v')", "{unique}"),
    "TABLE": ("CREATE TABLE x (a INT) WITH TAG ({tag} = 'v')", "x"),
    "VIEW": ("CREATE VIEW x WITH TAG ({tag} = 'v') AS SELECT 1 AS a", "x"),
    "DYNAMIC TABLE": (
        "CREATE DYNAMIC TABLE x TARGET_LAG = '1 hour' WAREHOUSE = compute_wh WITH TAG ({tag} = 'v') AS SELECT 1 AS a",
        "x",
    ),
    "STAGE": ("CREATE STAGE x WITH TAG ({tag} = 'v')", "x"),
    "SEQUENCE": ("CREATE SEQUENCE x WITH TAG ({tag} = 'v')", "x"),
    "WAREHOUSE": ("CREATE WAREHOUSE {unique} WITH TAG ({tag} = 'v')", "{unique}"),
    "ROLE": ("CREATE ROLE {unique} WITH TAG ({tag} = 'v')", "{unique}"),
    "USER": ("CREATE USER {unique} WITH TAG ({tag} = 'v')", "{unique}"),
    "SECRET": ("CREATE SECRET x TYPE = GENERIC_STRING SECRET_STRING = 's' WITH TAG ({tag} = 'v')", "x"),
    "SHARE": ("CREATE SHARE {unique}", "{unique}"),
    "TASK": ("CREATE TASK x SCHEDULE = '1 minute' WITH TAG ({tag} = 'v') AS SELECT 1", "x"),
    "STREAM": ("CREATE STREAM x WITH TAG ({tag} = 'v') ON TABLE source", "x"),
    "MASKING POLICY": ("CREATE MASKING POLICY x AS (a VARCHAR) RETURNS VARCHAR -> a", "x"),
    "ROW ACCESS POLICY": ("CREATE ROW ACCESS POLICY x AS (a INT) RETURNS BOOLEAN -> TRUE", "x"),
    "EVENT TABLE": ("CREATE EVENT TABLE x", "x"),
    "FUNCTION": ("CREATE FUNCTION x(n NUMBER) RETURNS NUMBER AS 'n'", "x(NUMBER)"),
    "PROCEDURE": ("CREATE PROCEDURE x(n NUMBER) RETURNS NUMBER AS 'BEGIN RETURN n; END'", "x(NUMBER)"),
}


@pytest.mark.parametrize("domain", CREATED)
def test_every_kind_of_object_takes_tags(run: Client, domain: str) -> None:
    full = f"{run.database}.{run.schema}.t"
    run("CREATE TAG t")
    names = {"tag": full, "unique": f"TAGGED_{run.schema}_{domain.replace(' ', '_')}"}
    statement, name = (text.format(**names) for text in CREATED[domain])
    if domain == "STREAM":
        run("CREATE TABLE source (a INT)")
    run(statement)
    run(f"USE SCHEMA {run.database}.{run.schema}")
    if "TAG" in statement.split("AS SELECT")[0].upper().replace(names["unique"], ""):
        assert run.tag(full, name, domain) == "v"
    run(f"ALTER {domain} {name} SET TAG {full} = 'new'")
    assert run.tag(full, name, domain) == "new"
    run(f"ALTER {domain} {name} UNSET TAG {full}")
    assert run.tag(full, name, domain) is None


def test_the_account_and_columns_take_tags(run: Client) -> None:
    run("CREATE TAG t", "CREATE TABLE x (a INT WITH TAG (t = 'at creation'), b INT)")
    run("CREATE VIEW v (a TAG (t = 'of the view')) AS SELECT a FROM x")
    assert run.tag("t", "x.a", "COLUMN") == "at creation"
    assert run.tag("t", "v.a", "column") == "of the view"
    run("ALTER TABLE x MODIFY COLUMN b SET TAG t = 'later'", "ALTER VIEW v ALTER COLUMN a UNSET TAG t")
    assert run.tag("t", f"{run.database}.{run.schema}.x.b", "COLUMN") == "later"
    run("CREATE TAG u", "ALTER TABLE x MODIFY COLUMN a SET TAG t = '1', u = '2', COLUMN b UNSET TAG t")
    assert [run.tag(*asked, "COLUMN") for asked in (("t", "x.a"), ("u", "x.a"), ("t", "x.b"))] == ["1", "2", None]
    assert run.tag("t", "v.a", "COLUMN") is None
    run("ALTER ACCOUNT SET TAG t = 'everywhere'")
    try:
        assert run.tag("t", "v.a", "COLUMN") == "everywhere"
        assert run.tag("t", "any", "ACCOUNT") == "everywhere"
    finally:
        run("ALTER ACCOUNT UNSET TAG t")
    assert run.tag("t", "v.a", "COLUMN") is None


def test_the_nearest_value_is_inherited(run: Client) -> None:
    run("CREATE TAG t", "CREATE TABLE x (a INT, b INT)")
    place = [run.database, run.schema, "T"]
    levels = [
        ("ACCOUNT", "ALTER ACCOUNT SET TAG t = 'ACCOUNT'"),
        ("DATABASE", f"ALTER DATABASE {run.database} SET TAG t = 'DATABASE'"),
        ("SCHEMA", f"ALTER SCHEMA {run.schema} SET TAG t = 'SCHEMA'"),
        ("TABLE", "ALTER TABLE x SET TAG t = 'TABLE'"),
        ("COLUMN", "ALTER TABLE x ALTER COLUMN a SET TAG t = 'COLUMN'"),
    ]
    try:
        for level, statement in levels:
            run(statement)
            assert run.tag("t", "x.a", "COLUMN") == level
            (row,) = run("SELECT * FROM TABLE(INFORMATION_SCHEMA.TAG_REFERENCES('x.a', 'COLUMN'))")
            method = "MANUAL" if level == "COLUMN" else "INHERITED"
            assert row == (*place, level, method, level, run.database, run.schema, "X", "COLUMN", "A")
        assert run.tag("t", "x.b", "COLUMN") == "TABLE"
        rows = run(
            "SELECT COLUMN_NAME, TAG_VALUE, LEVEL FROM TABLE(INFORMATION_SCHEMA.TAG_REFERENCES_ALL_COLUMNS('x', 'table'))"
        )
        assert rows == [("A", "COLUMN", "COLUMN"), ("B", "TABLE", "TABLE")]
        lineage = run(
            f"SELECT DOMAIN, COLUMN_NAME, TAG_VALUE FROM TABLE(SNOWFLAKE.ACCOUNT_USAGE.TAG_REFERENCES_WITH_LINEAGE("
            f"'{'.'.join(place)}')) WHERE OBJECT_SCHEMA = '{run.schema}' AND OBJECT_NAME = 'X' ORDER BY ALL"
        )
        assert lineage == [("COLUMN", "A", "COLUMN"), ("COLUMN", "B", "TABLE"), ("TABLE", None, "TABLE")]
    finally:
        run("ALTER ACCOUNT UNSET TAG t", f"ALTER DATABASE {run.database} UNSET TAG t")


def test_references_follow_renamed_tags_and_objects(run: Client) -> None:
    run(
        "CREATE TAG t",
        "CREATE TABLE x (a INT) WITH TAG (t = 'v')",
        "ALTER TAG t RENAME TO t2",
        "ALTER TABLE x RENAME TO y",
    )
    assert run.tag("t2", "y", "TABLE") == "v"
    run(f"CREATE SCHEMA {run.schema}_2", f"USE SCHEMA {run.database}.{run.schema}")
    run(f"ALTER TABLE y RENAME TO {run.database}.{run.schema}_2.y")
    sql = (
        "SELECT TAG_NAME, TAG_VALUE, OBJECT_SCHEMA, OBJECT_NAME, OBJECT_DELETED IS NULL FROM SNOWFLAKE.ACCOUNT_USAGE.TAG_REFERENCES "
        f"WHERE TAG_SCHEMA = '{run.schema}'"
    )
    assert run(sql) == [("T2", "v", f"{run.schema}_2", "Y", True)]
    run("DROP TAG t2")
    assert run(sql) == []
    refused(run, f"SELECT SYSTEM$GET_TAG('t2', '{run.schema}_2.y', 'TABLE')", 2003, "T2")
    run("UNDROP TAG t2", f"DROP TABLE {run.schema}_2.y")
    assert run(sql) == [("T2", "v", f"{run.schema}_2", "Y", False)]


def test_clones_take_tags_along(run: Client) -> None:
    run("CREATE TAG t", "CREATE TABLE x (a INT WITH TAG (t = 'c')) WITH TAG (t = 'v')", "CREATE TABLE y CLONE x")
    run("CREATE VIEW w WITH TAG (t = 'w') AS SELECT a FROM x")
    assert (run.tag("t", "y", "TABLE"), run.tag("t", "y.a", "COLUMN")) == ("v", "c")
    run("ALTER TABLE y SET TAG t = 'own'", "CREATE TABLE z LIKE x", "CREATE TABLE q AS SELECT * FROM x")
    assert [run.tag("t", name, "TABLE") for name in ("x", "z", "q")] == ["v", "v", None]
    other = f"{run.schema}_CLONE"
    run(f"CREATE SCHEMA {other} CLONE {run.schema}")
    # The cloned tag stands in for its origin on what was cloned with it.
    assert run.tag(f"{other}.t", f"{other}.x", "TABLE") == "v"
    assert run.tag(f"{other}.t", f"{other}.w", "TABLE") == "w"
    assert run.tag(f"{other}.t", f"{run.schema}.w", "TABLE") is None
    assert run.tag(f"{run.schema}.t", f"{other}.x.a", "COLUMN") is None
    assert run.tag(f"{run.schema}.t", f"{run.schema}.x.a", "COLUMN") == "c"


def test_ddl_has_the_tags(run: Client) -> None:
    run("CREATE TAG t ALLOWED_VALUES 'v', 'it''s' COMMENT = 'of things'", "CREATE TAG gone")
    run(
        "CREATE TABLE x (a INT WITH TAG (t = 'v') COMMENT 'c', b INT NOT NULL) COMMENT = 'x' WITH TAG (t = 'it''s', gone = 'g')"
    )
    run(
        "CREATE DYNAMIC TABLE d TARGET_LAG = '1 hour' WAREHOUSE = compute_wh WITH TAG (t = 'v') AS SELECT a FROM x",
        "DROP TAG gone",
    )
    ((whole,),) = run(f"SELECT GET_DDL('SCHEMA', '{run.schema}')")
    for kind, name in (("TAG", "t"), ("TABLE", "x"), ("DYNAMIC_TABLE", "d")):
        ((ddl,),) = run(f"SELECT GET_DDL('{kind}', '{name}')")
        assert ddl in whole
        run(ddl)
        assert run(f"SELECT GET_DDL('{kind}', '{name}')") == [(ddl,)]
        if kind == "TAG":  # a new one, which nothing has yet
            run("ALTER TAG t RENAME TO new", "UNDROP TAG t")
    assert (run.tag("t", "x.a", "COLUMN"), run.tag("t", "x", "TABLE"), run.tag("t", "d", "TABLE")) == ("v", "it's", "v")


def test_tags_of_the_account(run: Client) -> None:
    run("CREATE TAG t ALLOWED_VALUES 'a'", "DROP TAG t", "CREATE TAG t COMMENT = 'second'")
    rows = run(
        "SELECT TAG_NAME, TAG_COMMENT, ALLOWED_VALUES[0]::VARCHAR, DELETED IS NULL FROM SNOWFLAKE.ACCOUNT_USAGE.TAGS "
        f"WHERE TAG_SCHEMA = '{run.schema}' ORDER BY TAG_ID"
    )
    assert rows == [("T", None, "a", False), ("T", "second", None, True)]


# (statement, error number, text)
REFUSED = {
    "value not allowed": ("ALTER TABLE x SET TAG t = 'blue'", 1008, "Value 'blue' is not allowed for tag"),
    "value not allowed at creation": (
        "CREATE TABLE y (a INT) WITH TAG (t = 'blue')",
        1008,
        "Value 'blue' is not allowed",
    ),
    "value not allowed for a column": ("ALTER TABLE x ALTER COLUMN a SET TAG t = 'b'", 1008, "Allowed values: 'red'"),
    "no such tag": ("ALTER TABLE x SET TAG nope = 'v'", 2003, "NOPE"),
    "no such tag to unset": ("ALTER TABLE x UNSET TAG nope", 2003, "NOPE"),
    "no such object": ("ALTER TABLE nope SET TAG t = 'red'", 2003, "NOPE"),
    "no such column": ("ALTER TABLE x ALTER COLUMN nope SET TAG t = 'red'", 904, "NOPE"),
    "too long": (f"ALTER TABLE x SET TAG free = '{'v' * 257}'", 1008, "257 characters"),
    "too long to be allowed": (f"CREATE TAG t2 ALLOWED_VALUES '{'v' * 257}'", 1008, "257 characters"),
    "value in use": ("ALTER TAG t DROP ALLOWED_VALUES 'red'", 1008, "cannot be dropped"),
    "twice": ("ALTER TABLE x SET TAG t = 'red', t = 'red'", 1008, "more than once"),
    "unknown tag of a function": ("SELECT SYSTEM$GET_TAG('nope', 'x', 'TABLE')", 2003, "NOPE"),
    "unknown object of a function": ("SELECT SYSTEM$GET_TAG('t', 'nope', 'TABLE')", 2003, "NOPE"),
    "unknown column of a function": ("SELECT SYSTEM$GET_TAG('t', 'x.nope', 'COLUMN')", 2003, "x.nope"),
    "unknown domain": ("SELECT SYSTEM$GET_TAG('t', 'x', 'PLANET')", 1008, "PLANET"),
    "too few arguments": ("SELECT * FROM TABLE(INFORMATION_SCHEMA.TAG_REFERENCES('x'))", 938, "TAG_REFERENCES"),
    "propagation": ("CREATE TAG p PROPAGATE = ON_DEPENDENCY", 2, "PROPAGATE of a tag"),
    "missing policy": ("ALTER TAG t SET MASKING POLICY m", 2003, "does not exist or not authorized"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_and_nothing_changes(run: Client, case: str) -> None:
    run("CREATE TAG t ALLOWED_VALUES 'red'", "CREATE TAG free", "CREATE TABLE x (a INT) WITH TAG (t = 'red')")
    refused(run, *REFUSED[case])
    assert run.tag("t", "x", "TABLE") == "red"
    assert run.tag("free", "x", "TABLE") is None


def test_an_object_has_at_most_fifty_tags(run: Client) -> None:
    names = [f"t{index}" for index in range(51)]
    run(*(f"CREATE TAG {name}" for name in names), "CREATE TABLE x (a INT, b INT)")
    values = ", ".join(f"{name} = 'v'" for name in names[:50])
    run(f"ALTER TABLE x SET TAG {values}")
    refused(run, f"ALTER TABLE x SET TAG {names[50]} = 'v'", 1008, "at most 50 tags")
    run("ALTER TABLE x UNSET TAG t0, t1", f"ALTER TABLE x SET TAG {names[50]} = 'v'")
    run(f"ALTER TABLE x ALTER COLUMN a SET TAG {values}")
    refused(run, f"ALTER TABLE x ALTER COLUMN b SET TAG {names[50]} = 'v'", 1008, "at most 50 tags")
