"""A folder of Parquet files as a provider."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from snowflake.connector.cursor import SnowflakeCursor
from snowflake.connector.errors import ProgrammingError

from polynya.cli import main
from polynya.server.local import Warehouse
from tests.shares.conftest import run

Cursors = Callable[..., SnowflakeCursor]


@pytest.fixture
def folder(tmp_path: Path, consumer: Warehouse) -> Path:
    """A provider LOCAL.<its name> with the table DAILY.TEMPERATURES."""
    root = tmp_path / "provider"
    write(
        root / "daily" / "temperatures.parquet", "SELECT DATE '2024-01-01' + i::INT AS day, i AS f FROM range(100) t(i)"
    )
    run("share", "add", share_name(tmp_path), "--folder", root, "--home", consumer.home.path)
    return root


def share_name(tmp_path: Path) -> str:
    return f"local.f{abs(hash(tmp_path.name)) % 10**8}"


def write(path: Path, sql: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    duckdb.sql(sql).write_parquet(str(part))
    part.replace(path)


@pytest.fixture
def taker(cursor: Cursors, consumer: Warehouse, folder: Path, tmp_path: Path) -> SnowflakeCursor:
    """A cursor in the database DF made from the share."""
    taker = cursor(consumer)
    taker.execute("DROP DATABASE IF EXISTS df")
    taker.execute(f"CREATE DATABASE df FROM SHARE {share_name(tmp_path)}")
    return taker


def test_listed_and_read(taker: SnowflakeCursor, folder: Path, tmp_path: Path) -> None:
    name = share_name(tmp_path).upper()
    taker.execute(f"SHOW SHARES LIKE '{name.split('.')[1]}'")
    row = dict(zip([item.name for item in taker.description], taker.fetchone(), strict=True))  # type: ignore[arg-type]
    assert (row["kind"], row["owner_account"], row["database_name"]) == ("INBOUND", "LOCAL", "DF")
    assert [row[1] for row in taker.execute(f"DESC SHARE {name}").fetchall()] == [  # type: ignore[union-attr]
        "<DB>",
        "<DB>.DAILY",
        "<DB>.DAILY.TEMPERATURES",
    ]
    assert taker.execute("SELECT count(*), max(day)::VARCHAR, sum(f) FROM df.daily.temperatures").fetchone() == (
        100,
        "2024-04-09",
        4950,
    )
    described = taker.execute("DESCRIBE TABLE df.daily.temperatures").fetchall()
    assert [row[:2] for row in described] == [("DAY", "DATE"), ("F", "NUMBER(38,0)")]  # type: ignore[union-attr]
    with pytest.raises(ProgrammingError, match="read-only"):
        taker.execute("INSERT INTO df.daily.temperatures VALUES ('2024-01-01', 1)")
    del folder


def test_new_files_are_seen(taker: SnowflakeCursor, folder: Path) -> None:
    write(folder / "daily" / "temperatures.parquet", "SELECT 'x' AS only_column")
    assert taker.execute("SELECT * FROM df.daily.temperatures").fetchall() == [("x",)]
    write(folder / "daily" / "parts" / "a.parquet", "SELECT 1 AS a")
    write(
        folder / "daily" / "parts" / "b.parquet",
        "SELECT 2 AS a, [1, 2] AS nested, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS at",
    )
    found = taker.execute("SELECT a, nested[1], at::VARCHAR FROM df.daily.parts ORDER BY a").fetchall()
    assert found[0] == (1, None, None)
    assert found[1][:2] == (2, "2")
    assert taker.execute(
        "SELECT count(*) FROM df.information_schema.tables WHERE table_schema = 'DAILY'"
    ).fetchone() == (2,)


def test_files_vanish_and_come_back(taker: SnowflakeCursor, folder: Path) -> None:
    (folder / "daily" / "temperatures.parquet").rename(folder / "kept")
    with pytest.raises(ProgrammingError, match="does not exist or not authorized"):
        taker.execute("SELECT * FROM df.daily.temperatures")
    away = folder.with_name("away")
    folder.rename(away)
    for _ in range(2):
        with pytest.raises(ProgrammingError, match="no longer available") as raised:
            taker.execute("SELECT * FROM df.daily.temperatures")
        assert raised.value.errno == 3030
    assert taker.execute("SELECT 1").fetchone() == (1,)
    taker.execute("SHOW DATABASES LIKE 'df'")
    taker.execute("SHOW SHARES")
    away.rename(folder)
    (folder / "kept").rename(folder / "daily" / "temperatures.parquet")
    assert taker.execute("SELECT count(*) FROM df.daily.temperatures").fetchone() == (100,)


def test_files_vanish_while_they_are_read(taker: SnowflakeCursor, folder: Path) -> None:
    """The query ends with an error that says so, or with all rows; never with some of them. Others go on."""
    for number in range(60):
        write(
            folder / "daily" / "many" / f"{number}.parquet",
            "SELECT i, repeat(i::VARCHAR, 20) AS t FROM range(100000) t(i)",
        )
    outcome: list[object] = []

    def read() -> None:
        try:
            outcome.append(taker.execute("SELECT count(DISTINCT t) + sum(i) - sum(i) FROM df.daily.many").fetchone())
        except ProgrammingError as error:
            outcome.append(error.errno)

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.15)
    shutil.rmtree(folder / "daily" / "many")
    thread.join()
    assert outcome[0] in (3030, 2003, (100000,))
    with pytest.raises(ProgrammingError, match="does not exist"):
        taker.execute("SELECT * FROM df.daily.many")
    assert taker.execute("SELECT count(*) FROM df.daily.temperatures").fetchone() == (100,)


def test_damaged_file(taker: SnowflakeCursor, folder: Path) -> None:
    (folder / "daily" / "bad.parquet").write_bytes(b"PAR1 this is none")
    with pytest.raises(ProgrammingError, match=r"not a valid Parquet file(.|\n)*'bad\.parquet'"):
        taker.execute("SELECT * FROM df.daily.bad")
    assert taker.execute("SELECT count(*) FROM df.daily.temperatures").fetchone() == (100,)
    assert len(taker.execute("SHOW TABLES IN DATABASE df").fetchall()) == 2  # type: ignore[arg-type]


def test_links_out_of_the_folder_are_not_followed(taker: SnowflakeCursor, folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside" / "secret.parquet", "SELECT 42 AS secret")
    (folder / "daily" / "link.parquet").symlink_to(tmp_path / "outside" / "secret.parquet")
    (folder / "linked").symlink_to(tmp_path / "outside")
    (folder / "daily" / "linked").symlink_to(tmp_path / "outside")
    (folder / "daily" / ".hidden.parquet").write_bytes(b"x")
    shown = taker.execute("SHOW TABLES IN DATABASE df").fetchall()
    assert [row[1] for row in shown] == ["TEMPERATURES"]  # type: ignore[union-attr]


def test_quotes_in_names(taker: SnowflakeCursor, folder: Path) -> None:
    columns = """1 AS "a ""b", 2 AS "X", 3 AS "x'" """
    write(folder / "o'clock" / "my table.parquet", f"SELECT {columns}")
    query = """SELECT "a ""b", x, "x'" FROM df."o'clock"."my table" """
    assert taker.execute(query).fetchall() == [(1, 2, 3)]


def test_removed_provider(taker: SnowflakeCursor, consumer: Warehouse, tmp_path: Path) -> None:
    home = consumer.home.path
    assert share_name(tmp_path).upper() in run("share", "list", "--home", home)
    run("share", "remove", share_name(tmp_path), "--home", home)
    with pytest.raises(ProgrammingError, match="no longer available"):
        taker.execute("SELECT * FROM df.daily.temperatures")
    taker.execute("DROP DATABASE df")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["local.x", "--folder", "/nowhere"], "There is no folder /nowhere"),
        (["local.x"], "Say what it is"),
        (["lo cal.x", "--folder", "{tmp}"], "is no name of a share"),
        (["consumer.x", "--folder", "{tmp}"], "this warehouse's own account"),
        (["other", "--from-home", "{tmp}"], "There is no warehouse in"),
        (["provider.x", "--folder", "{tmp}"], "There is a provider of that name"),
    ],
)
def test_bad_input(consumer: Warehouse, tmp_path: Path, arguments: list[str], text: str) -> None:
    arguments = [item.format(tmp=tmp_path) for item in arguments]
    answer = CliRunner().invoke(main, ["share", "add", *arguments, "--home", str(consumer.home.path)])
    assert answer.exit_code in (1, 2)
    assert text in answer.output


def test_damaged_configuration(cursor: Cursors, tmp_path: Path) -> None:
    with Warehouse(tmp_path / "home") as own:
        (own.home.path / "shares.json").write_text("{")
        with pytest.raises(ProgrammingError, match=r"shares\.json cannot be read"):
            cursor(own).execute("SHOW SHARES")
        assert cursor(own).execute("SELECT 1").fetchone() == (1,)
    answer = CliRunner().invoke(main, ["share", "list", "--home", str(own.home.path)])
    assert (answer.exit_code, "shares.json cannot be read" in answer.output) == (1, True)
