"""What functions import from stages: files, folders, archives; later versions; files that handlers open."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from snowflake.connector import DatabaseError, SnowflakeConnection
from snowflake.connector.cursor import SnowflakeCursor
from snowflake.snowpark import Session
from snowflake.snowpark.types import IntegerType, StringType

PYTHON = f"LANGUAGE PYTHON RUNTIME_VERSION = '{sys.version_info.major}.{sys.version_info.minor}'"


@pytest.fixture
def cursor(connection: SnowflakeConnection) -> SnowflakeCursor:
    opened = connection.cursor()
    opened.execute("CREATE STAGE code")
    return opened


def _put(cursor: SnowflakeCursor, path: Path, text: str, place: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    cursor.execute(f"PUT 'file://{path}' {place} AUTO_COMPRESS = FALSE OVERWRITE = TRUE")


def _create(cursor: SnowflakeCursor, imports: str, handler: str, body: str = "") -> None:
    cursor.execute(
        f"CREATE OR REPLACE FUNCTION f() RETURNS VARCHAR {PYTHON} IMPORTS = ({imports}) HANDLER = '{handler}' {body}"
    )


def _call(cursor: SnowflakeCursor) -> str:
    return cursor.execute("SELECT f()").fetchone()[0]  # type: ignore[union-attr,index,no-any-return]


def test_module(cursor: SnowflakeCursor, tmp_path: Path) -> None:
    _put(cursor, tmp_path / "m.py", "def f():\n    return 'of m'\n", "@code/lib")
    _create(cursor, "'@code/lib/m.py'", "m.f")
    assert _call(cursor) == "of m"


def test_inline_code_with_imports(cursor: SnowflakeCursor, tmp_path: Path) -> None:
    _put(cursor, tmp_path / "m.py", "x = 'of m'\n", "@code")
    _put(cursor, tmp_path / "data.txt", "of data", "@code")
    body = (
        "AS $$\nimport sys, m\ndef f():\n    folder = sys._xoptions['snowflake_import_directory']\n"
        "    return m.x + ', ' + open(folder + 'data.txt').read()\n$$"
    )
    _create(cursor, "'@code/m.py', '@code/data.txt'", "f", body)
    assert _call(cursor) == "of m, of data"


def test_folder(cursor: SnowflakeCursor, tmp_path: Path) -> None:
    _put(cursor, tmp_path / "__init__.py", "from package.inner.m import x\ndef f(): return x\n", "@code/a/package")
    _put(cursor, tmp_path / "inner" / "__init__.py", "", "@code/a/package/inner")
    _put(cursor, tmp_path / "inner" / "m.py", "x = 'of the folder'\n", "@code/a/package/inner")
    for folder in ("'@code/a/package/'", "'@code/a/package'"):
        _create(cursor, folder, "package.f")
        assert _call(cursor) == "of the folder"


def test_archive_of_the_users_stage(cursor: SnowflakeCursor, tmp_path: Path) -> None:
    archive = tmp_path / "library.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("library/__init__.py", "def f(): return 'of the archive'\n")
    cursor.execute(f"PUT file://{archive} @~ AUTO_COMPRESS = FALSE OVERWRITE = TRUE")
    _create(cursor, "'@~/library.zip'", "library.f")
    assert _call(cursor) == "of the archive"


def test_a_replaced_file_is_taken_by_the_next_call_of_a_later_session(
    cursor: SnowflakeCursor, tmp_path: Path, connect: Callable[..., SnowflakeConnection], schema: str
) -> None:
    _put(cursor, tmp_path / "m.py", "def f(): return 'first'\n", "@code")
    _create(cursor, "'@code/m.py'", "m.f")
    assert _call(cursor) == "first"
    _put(cursor, tmp_path / "m.py", "def f(): return 'other'\n", "@code")
    assert _call(cursor) == "other"
    later = connect().cursor()  # has no current schema: the import's name is a full one
    assert later.execute(f"SELECT {schema}.f()").fetchone() == ("other",)
    cursor.execute("REMOVE @code")
    with pytest.raises(DatabaseError) as caught:
        _call(cursor)
    assert caught.value.errno == 1304
    assert "m.py" in str(caught.value.msg)


def _share(cursor: SnowflakeCursor, schema: str, function: str) -> None:
    """Everybody may call a function."""
    database = schema.partition(".")[0]
    for grant in (
        f"USAGE ON DATABASE {database}",
        f"USAGE ON SCHEMA {schema}",
        f"USAGE ON FUNCTION {schema}.{function}",
    ):
        cursor.execute(f"GRANT {grant} TO ROLE PUBLIC")


def test_the_creators_stage_is_used_whoever_calls(
    cursor: SnowflakeCursor, tmp_path: Path, connect: Callable[..., SnowflakeConnection], schema: str
) -> None:
    _put(cursor, tmp_path / "mine.py", "def f(): return 'of the creator'\n", "@~")
    _create(cursor, "'@~/mine.py'", "mine.f")
    _share(cursor, schema, "f()")
    cursor.execute("CREATE OR REPLACE USER caller PASSWORD = 'Caller-12345'")
    other = connect(user="caller", password="Caller-12345", role="PUBLIC").cursor()
    assert other.execute(f"SELECT {schema}.f()").fetchone() == ("of the creator",)


def test_one_name_twice_is_refused(cursor: SnowflakeCursor, tmp_path: Path) -> None:
    _put(cursor, tmp_path / "a" / "m.py", "def f(): return 'a'\n", "@code/a")
    _put(cursor, tmp_path / "b" / "m.py", "def f(): return 'b'\n", "@code/b")
    _create(cursor, "'@code/a/m.py', '@code/a/m.py'", "m.f")
    assert _call(cursor) == "a"
    with pytest.raises(DatabaseError, match=r"'@code/b/m\.py' and '@code/a/m\.py' have the same name 'm\.py'"):
        _create(cursor, "'@code/a/m.py', '@code/b/m.py'", "m.f")


def test_snowpark_imports(session: Session, tmp_path: Path) -> None:
    package = tmp_path / "helpers"
    package.mkdir()
    (package / "__init__.py").write_text("def plus(x): return x + 1\n")
    session.add_import(str(package))

    def plus_one(x: int) -> int:
        from helpers import plus

        return plus(x)  # type: ignore[no-any-return]

    session.udf.register(
        plus_one, name="plus_one", return_type=IntegerType(), input_types=[IntegerType()], replace=True
    )
    assert session.sql("SELECT plus_one(41)").collect()[0][0] == 42
    (tmp_path / "handler.py").write_text("def shout(text: str) -> str:\n    return text.upper()\n")
    session.sql("CREATE STAGE code").collect()
    session.udf.register_from_file(
        str(tmp_path / "handler.py"), "shout", name="shout", return_type=StringType(), input_types=[StringType()],
        is_permanent=True, stage_location="@code",
    )  # fmt: skip
    assert session.sql("SELECT shout('a')").collect()[0][0] == "A"


# --- files that a handler opens ---------------------------------------------------------------------------------------

READER = f"""CREATE OR REPLACE FUNCTION read(url VARCHAR) RETURNS VARCHAR {PYTHON} PACKAGES = ('snowflake-snowpark-python')
HANDLER = 'read' AS $$
from snowflake.snowpark.files import SnowflakeFile
def read(url):
    with SnowflakeFile.open(url, 'r', require_scoped_url=False) as file:
        return file.read()
$$"""


def test_files_are_opened_by_their_urls(cursor: SnowflakeCursor, tmp_path: Path) -> None:
    _put(cursor, tmp_path / "a b.txt", "text of a", "@code/deep")
    _put(cursor, tmp_path / "c.txt", "text of c", "@code/deep")
    cursor.execute(READER)
    for url in (
        "BUILD_SCOPED_FILE_URL(@code, 'deep/a b.txt')", "BUILD_SCOPED_FILE_URL('@code/deep', '/a b.txt')",
        "BUILD_STAGE_FILE_URL(@code, 'deep/a b.txt')", "'@code/deep/a b.txt'",
    ):  # fmt: skip
        assert cursor.execute(f"SELECT read({url})").fetchone() == ("text of a",), url
    rows = cursor.execute(
        "SELECT relative_path, read(BUILD_SCOPED_FILE_URL(@code, relative_path)) FROM DIRECTORY(@code) ORDER BY 1"
    ).fetchall()
    assert rows == [("deep/a b.txt", "text of a"), ("deep/c.txt", "text of c")]


def test_scoped_urls_are_for_their_user_and_whole(
    cursor: SnowflakeCursor, tmp_path: Path, connect: Callable[..., SnowflakeConnection], schema: str
) -> None:
    _put(cursor, tmp_path / "a.txt", "text", "@code")
    cursor.execute(READER)
    (url,) = cursor.execute("SELECT BUILD_SCOPED_FILE_URL(@code, 'a.txt')").fetchone()  # type: ignore[union-attr,misc]
    assert "a.txt" not in url
    assert cursor.execute("SELECT read(%s)", (url,)).fetchone() == ("text",)
    _share(cursor, schema, "read(VARCHAR)")
    cursor.execute("CREATE OR REPLACE USER reader PASSWORD = 'Reader-12345'")
    other = connect(user="reader", password="Reader-12345", role="PUBLIC").cursor()
    broken = url[:-3] + ("AAA" if url[-3:] != "AAA" else "BBB")
    for asks, asked in ((other, url), (cursor, broken)):
        with pytest.raises(DatabaseError, match="scoped URL is not valid"):
            asks.execute(f"SELECT {schema}.read(%s)", (asked,))
    for place in ("/etc/passwd", "file:///etc/passwd", "@code/../../catalog.sqlite", "@code/missing.txt"):
        with pytest.raises(DatabaseError):
            cursor.execute("SELECT read(%s)", (place,))
