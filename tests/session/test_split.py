"""Where one statement ends and the next begins."""

from __future__ import annotations

import pytest

from polynya.errors import SnowflakeError
from polynya.session.multi import share_binds
from polynya.session.query_type import query_type, recorded_text
from polynya.session.split import check_count, split_statements

CASES = [
    ("", []),
    (" ; ;; ", []),
    ("-- nothing;", []),
    ("SELECT 1", ["SELECT 1"]),
    ("SELECT 1;", ["SELECT 1"]),
    ("SELECT 1; SELECT 2 ;", ["SELECT 1", "SELECT 2"]),
    ("SELECT ';', \"a;b\", $$;$$ -- ;\n, 2 /* ; */; SELECT 3", ["SELECT ';', \"a;b\", $$;$$ -- ;\n, 2", "SELECT 3"]),
    ("SELECT 'it''s;' ; SELECT '\\';'", ["SELECT 'it''s;'", "SELECT '\\';'"]),
    ("BEGIN; INSERT INTO t VALUES (1); COMMIT", ["BEGIN", "INSERT INTO t VALUES (1)", "COMMIT"]),
    ("BEGIN TRANSACTION; SELECT 1", ["BEGIN TRANSACTION", "SELECT 1"]),
    ("begin name t1; select 1", ["begin name t1", "select 1"]),
    ("BEGIN SELECT 1; SELECT 2; END; SELECT 3", ["BEGIN SELECT 1; SELECT 2; END", "SELECT 3"]),
    (
        "DECLARE x INT; BEGIN IF (x = 1) THEN RETURN 1; ELSE RETURN CASE WHEN x THEN 1 END; END IF; END; SELECT 1",
        ["DECLARE x INT; BEGIN IF (x = 1) THEN RETURN 1; ELSE RETURN CASE WHEN x THEN 1 END; END IF; END", "SELECT 1"],
    ),
    (
        "BEGIN FOR i IN 1 TO 3 DO LET y := IFF(i = 1, 2, 3); WHILE (y > 1) DO y := 0; END WHILE; END FOR; END; SELECT 1",
        [
            "BEGIN FOR i IN 1 TO 3 DO LET y := IFF(i = 1, 2, 3); WHILE (y > 1) DO y := 0; END WHILE; END FOR; END",
            "SELECT 1",
        ],
    ),
    (
        "BEGIN BEGIN SELECT 1; END; LOOP BREAK; END LOOP; END; SELECT 2",
        ["BEGIN BEGIN SELECT 1; END; LOOP BREAK; END LOOP; END", "SELECT 2"],
    ),
    (
        "CREATE PROCEDURE p() RETURNS INT LANGUAGE SQL AS $$ BEGIN RETURN 1; END; $$; CALL p()",
        ["CREATE PROCEDURE p() RETURNS INT LANGUAGE SQL AS $$ BEGIN RETURN 1; END; $$", "CALL p()"],
    ),
    (
        "CREATE PROCEDURE p() RETURNS INT LANGUAGE SQL AS BEGIN RETURN 1; END; CALL p()",
        ["CREATE PROCEDURE p() RETURNS INT LANGUAGE SQL AS BEGIN RETURN 1; END", "CALL p()"],
    ),
    (
        "EXECUTE IMMEDIATE $$ BEGIN SELECT 1; END $$; SELECT 2",
        ["EXECUTE IMMEDIATE $$ BEGIN SELECT 1; END $$", "SELECT 2"],
    ),
]


@pytest.mark.parametrize(("text", "statements"), CASES, ids=[case[0][:40] or "empty" for case in CASES])
def test_split(text: str, statements: list[str]) -> None:
    assert split_statements(text) == statements


@pytest.mark.parametrize("text", ["SELECT 'a; SELECT 1", "SELECT 1; /* never closed"])
def test_unterminated(text: str) -> None:
    with pytest.raises(SnowflakeError):
        split_statements(text)


@pytest.mark.parametrize(("count", "passes"), [(0, True), (2, True), (1, False), (3, False)])
def test_count(count: int, passes: bool) -> None:
    if passes:
        check_count(["a", "b"], count)
    else:
        with pytest.raises(SnowflakeError, match="Actual statement count 2 did not match"):
            check_count(["a", "b"], count)


def test_binds_are_shared_in_order() -> None:
    from polynya.dialect.binds import Bind

    binds = {number: Bind("FIXED", str(number)) for number in (1, 2, 3)}
    shared = [
        {place: bind.value for place, bind in own.items()}
        for _, own in share_binds(["SELECT ?", "SELECT '?'", "SELECT ?, ?"], dict(binds))
    ]
    assert shared == [{1: "1"}, {1: "1", 2: "2", 3: "3"}, {1: "2", 2: "3"}]


TYPES = [
    ("SELECT 1", "SELECT"),
    (" -- a\n /* b */ ( select 1 )", "SELECT"),
    ("WITH a AS (SELECT 1) SELECT * FROM a", "SELECT"),
    ("create or replace temporary table t (a int)", "CREATE_TABLE"),
    ("CREATE FILE FORMAT f", "CREATE_FILE_FORMAT"),
    ("ALTER SESSION SET a = 1", "ALTER_SESSION"),
    ("DROP TABLE IF EXISTS t", "DROP"),
    ("desc table t", "DESCRIBE"),
    ("ls @s", "LIST_FILES"),
    ("BEGIN", "BEGIN_TRANSACTION"),
    ("begin work;", "BEGIN_TRANSACTION"),
    ("BEGIN NAME t", "BEGIN_TRANSACTION"),
    ("BEGIN LET x := 1; RETURN x; END", "EXECUTE_IMMEDIATE"),
    ("DECLARE x INT; BEGIN RETURN x; END", "EXECUTE_IMMEDIATE"),
    ("", "UNKNOWN"),
    ("💥", "UNKNOWN"),
]


@pytest.mark.parametrize(("text", "kind"), TYPES)
def test_query_type(text: str, kind: str) -> None:
    assert query_type(text) == kind


SECRETS = [
    ("CREATE USER u PASSWORD = 'se''cret' DEFAULT_ROLE = r", "CREATE USER u PASSWORD='****' DEFAULT_ROLE = r"),
    ("alter user u set password='a\\'b'", "alter user u set password='****'"),
    (
        "CREATE STAGE s CREDENTIALS = (AWS_KEY_ID = 'id' AWS_SECRET_KEY = 'k')",
        "CREATE STAGE s CREDENTIALS = (AWS_KEY_ID = 'id' AWS_SECRET_KEY='****')",
    ),
    ("SELECT 1 AS password", "SELECT 1 AS password"),
    ("ALTER USER u SET PASSWORD = $$secret$$ COMMENT = 'x'", "ALTER USER u SET PASSWORD='****' COMMENT = 'x'"),
    ("ALTER USER u SET PASSWORD /* a */ = -- b\n 'secret'", "ALTER USER u SET PASSWORD='****'"),
    (
        "EXECUTE IMMEDIATE 'ALTER USER u SET PASSWORD = ''secret'''",
        "EXECUTE IMMEDIATE 'ALTER USER u SET PASSWORD='****''",
    ),
    ("CREATE USER u PASSWORD = secret", "CREATE USER u PASSWORD='****'"),
    ("ALTER USER u SET \"PASSWORD\" = 'secret'", "ALTER USER u SET \"PASSWORD='****'"),
    ("SELECT '" + "x" * 200_000 + "'", "SELECT '" + "x" * 99_992),
]


@pytest.mark.parametrize(("text", "recorded"), SECRETS, ids=range(len(SECRETS)))
def test_recorded_text(text: str, recorded: str) -> None:
    assert recorded_text(text) == recorded
