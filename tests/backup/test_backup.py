"""polynya backup and restore, while others write."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector
from click.testing import CliRunner
from snowflake.connector.cursor import SnowflakeCursor

from polynya.backup import NOTE, back_up, read_note, restore
from polynya.cli import main
from polynya.home import Home, HomeError
from polynya.server.local import Warehouse

ROWS = 200
TOTAL = ROWS * 100


def cursor(warehouse: Warehouse, **parameters: Any) -> SnowflakeCursor:
    return snowflake.connector.connect(**{**warehouse.connection_parameters, **parameters}).cursor()


def one(cursor: SnowflakeCursor, sql: str) -> Any:
    return cursor.execute(sql).fetchone()[0]  # type: ignore[index,union-attr]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """With two tables between which amounts move: their sum stays."""
    with Warehouse(tmp_path_factory.mktemp("backup") / "home") as running:
        own = cursor(running)
        own.execute("CREATE DATABASE bank")
        for name in ("left_side", "right_side"):
            own.execute(
                f"CREATE TABLE {name} AS SELECT seq4() AS id, 50 AS amount FROM TABLE(GENERATOR(ROWCOUNT => {ROWS}))"
            )
        own.execute("CREATE STAGE files")
        own.execute("CREATE SEQUENCE numbers")
        own.execute("CREATE USER anna PASSWORD = 'Secret-1234'")
        own.execute("CREATE TABLE cloned CLONE left_side")
        own.close()
        yield running


@pytest.fixture
def busy(warehouse: Warehouse) -> Iterator[list[int]]:
    """Three sessions that move amounts in transactions, one that makes and drops tables, one that clones and alters them;
    counts what they did."""
    done = [0] * 5
    stop = threading.Event()
    problems: list[Exception] = []

    def work(number: int, step: Callable[[SnowflakeCursor, int], None]) -> None:
        try:
            with closing(cursor(warehouse, database="BANK", schema="PUBLIC")) as own:
                while not stop.is_set():
                    step(own, done[number])
                    done[number] += 1
        except Exception as error:
            problems.append(error)

    def move(own: SnowflakeCursor, count: int) -> None:
        own.execute("BEGIN")
        own.execute(f"UPDATE left_side SET amount = amount - 1 WHERE id = {count % ROWS}")
        own.execute(f"UPDATE right_side SET amount = amount + 1 WHERE id = {count % ROWS}")
        own.execute("COMMIT")

    def make(own: SnowflakeCursor, count: int) -> None:
        name = f"made_{count % 3}"
        own.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT {count} AS n")
        own.execute(f"INSERT INTO {name} VALUES ({count})")
        own.execute(f"DROP TABLE {name}")

    def alter(own: SnowflakeCursor, count: int) -> None:
        name = f"altered_{count % 3}"
        own.execute(f"CREATE OR REPLACE TABLE {name} CLONE left_side")
        own.execute(f"UPDATE {name} SET amount = 0 WHERE id < 40")
        own.execute(f"ALTER TABLE {name} ADD COLUMN kept INT DEFAULT {count}")
        own.execute(f"ALTER TABLE {name} RENAME COLUMN amount TO value")
        assert one(own, f"SELECT count(*) FROM {name} WHERE kept = {count}") == ROWS
        own.execute(f"ALTER TABLE left_side ADD COLUMN extra_{count % 3} INT")
        own.execute(f"ALTER TABLE left_side DROP COLUMN extra_{count % 3}")

    steps = [move, move, move, make, alter]
    threads = [threading.Thread(target=work, args=(number, step)) for number, step in enumerate(steps)]
    for thread in threads:
        thread.start()
    yield done
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems
    with closing(cursor(warehouse, database="BANK", schema="PUBLIC")) as own:
        assert total(own) == TOTAL  # else it is not the backups that lost something


def total(own: SnowflakeCursor) -> int:
    return int(one(own, "SELECT (SELECT sum(amount) FROM left_side) + (SELECT sum(amount) FROM right_side)"))


def check(home: Path) -> None:
    """The restored warehouse is whole: the sum is as ever, every table can be read and written."""
    with Warehouse(home) as restored, closing(cursor(restored, database="BANK", schema="PUBLIC")) as own:
        assert total(own) == TOTAL
        assert one(own, "SELECT sum(amount) FROM cloned") == TOTAL // 2
        tables = [row[1] for row in own.execute("SHOW TABLES").fetchall()]  # type: ignore[union-attr]
        assert {"LEFT_SIDE", "RIGHT_SIDE", "CLONED"} <= set(tables)
        for table in tables:
            rows = own.execute(f"SELECT * FROM {table}").fetchall()  # type: ignore[union-attr]
            if table.startswith("ALTERED"):
                assert len(rows) == ROWS
        own.execute("UPDATE left_side SET amount = 0")
        own.execute("INSERT INTO cloned SELECT * FROM right_side")
        own.execute("CREATE TABLE later (x INT)")


def test_backups_under_load_are_of_one_moment(warehouse: Warehouse, busy: list[int], tmp_path: Path) -> None:
    folders = []
    for number in range(3):
        before = list(busy)
        made = back_up(warehouse.home, tmp_path / f"backup{number}")
        assert (made.missing, made.differ) == ([], [])
        folders.append(tmp_path / f"backup{number}")
        while all(now == then for now, then in zip(busy, before, strict=True)):  # nobody was stopped
            pass
    for number, folder in enumerate(folders):
        home = Home(tmp_path / f"home{number}")
        restore(folder, home)
        check(home.path)


def test_what_a_backup_holds(warehouse: Warehouse, tmp_path: Path) -> None:
    staged = tmp_path / "staged.csv"
    staged.write_text("1\n2\n")
    with closing(cursor(warehouse, database="BANK", schema="PUBLIC")) as own:
        own.execute(f"PUT file://{staged} @files AUTO_COMPRESS = FALSE")
        number = one(own, "SELECT numbers.NEXTVAL")
        own.execute("DELETE FROM right_side WHERE id = 0")
        query_id = own.sfqid
    half = warehouse.home.path / "stages" / "uploads" / "0123456789abcdef" / "named" / "1" / "half.csv"
    half.parent.mkdir(parents=True)
    with half.open("wb") as file:
        file.truncate(1000)
    (warehouse.home.path / "stages" / "out").symlink_to("/etc")
    back_up(warehouse.home, tmp_path / "backup")
    (warehouse.home.path / "stages" / "out").unlink()
    for path in (tmp_path / "backup").rglob("*"):
        assert not path.is_symlink()
        assert path.name not in ("half.csv", "uploads"), "a PUT that has not ended"
    for name in ("connections.toml", "catalog.sqlite", "lake.ducklake", "history.sqlite", NOTE):
        assert stat.S_IMODE((tmp_path / "backup" / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700
    home = Home(tmp_path / "restored")
    made, port = restore(tmp_path / "backup", home)
    assert made.account == "POLYNYA"
    assert port is not None  # the old one is in use
    assert home.connection()["port"] == port
    assert home.connection()["password"] == warehouse.home.connection()["password"]
    assert stat.S_IMODE(home.connections.stat().st_mode) == 0o600
    with Warehouse(home.path) as restored, closing(cursor(restored, database="BANK", schema="PUBLIC")) as own:
        assert own.execute("SELECT $1 FROM @files ORDER BY 1").fetchall() == [("1",), ("2",)]  # type: ignore[union-attr]
        assert one(own, "SELECT numbers.NEXTVAL") > number
        assert one(own, "SELECT count(*) FROM right_side") == ROWS - 1
        assert one(own, f"SELECT count(*) FROM right_side BEFORE (STATEMENT => '{query_id}')") == ROWS
    with closing(cursor(warehouse, database="BANK", schema="PUBLIC")) as own:
        own.execute(f"INSERT INTO right_side SELECT * FROM right_side BEFORE (STATEMENT => '{query_id}') WHERE id = 0")
        assert total(own) == TOTAL


def test_commands(warehouse: Warehouse, tmp_path: Path) -> None:
    home = str(warehouse.home.path)
    answer = CliRunner().invoke(main, ["backup", str(tmp_path / "b"), "--home", home])
    assert answer.exit_code == 0, answer.output
    assert "Backed up" in answer.output
    answer = CliRunner().invoke(main, ["restore", str(tmp_path / "b"), "--home", str(tmp_path / "h")])
    assert answer.exit_code == 0, answer.output
    assert f"polynya start --home {tmp_path / 'h'}" in answer.output
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    (tmp_path / "file").touch()
    for arguments, text in (
        (["backup", str(tmp_path / "b"), "--home", home], "holds other files"),
        (["backup", str(warehouse.home.path / "stages" / "b"), "--home", home], "lies in the home"),
        (["backup", str(tmp_path / "c"), "--home", str(tmp_path / "none")], "There is no warehouse"),
        (["backup", str(tmp_path / "file" / "c"), "--home", home], "is no folder"),
        (["restore", str(tmp_path / "full"), "--home", str(tmp_path / "new")], "is no backup"),
        (["restore", str(tmp_path / "b"), "--home", str(tmp_path / "full")], "holds other files"),
        (["restore", str(tmp_path / "b"), "--home", home], "holds other files"),
    ):
        answer = CliRunner().invoke(main, arguments)
        assert (answer.exit_code, text in answer.output) == (1, True), answer.output
    assert not list(tmp_path.glob(".*part"))
    assert not list((warehouse.home.path / "tmp").glob("backup-*"))


def test_without_a_server_and_after_a_crash(warehouse: Warehouse, tmp_path: Path) -> None:
    with closing(cursor(warehouse, database="BANK", schema="PUBLIC")) as own:
        own.execute("CREATE OR REPLACE TABLE last_words AS SELECT 'here' AS w")
        assert total(own) == TOTAL
    warehouse.kill()
    try:
        back_up(warehouse.home, tmp_path / "backup")
    finally:
        warehouse.start()
    home = Home(tmp_path / "restored")
    restore(tmp_path / "backup", home)
    check(home.path)
    with Warehouse(home.path) as restored, closing(cursor(restored, database="BANK", schema="PUBLIC")) as own:
        assert one(own, "SELECT w FROM last_words") == "here"


def test_a_backup_that_is_not_whole(warehouse: Warehouse, tmp_path: Path) -> None:
    back_up(warehouse.home, tmp_path / "backup")
    assert read_note(tmp_path / "backup").files > 3
    next((tmp_path / "backup" / "lake").rglob("*.parquet")).unlink()
    with pytest.raises(HomeError, match="is not whole: 1 of its"):
        restore(tmp_path / "backup", Home(tmp_path / "restored"))
    assert not (tmp_path / "restored").exists()


def test_only_the_owner_may_ask(warehouse: Warehouse) -> None:
    import json
    import urllib.request

    address = warehouse.home.address()
    assert address is not None
    for path in ("backup", "share"):
        for key in ("", "Bearer wrong"):
            request = urllib.request.Request(
                f"{address.url}/polynya/{path}", data=b'{"folder": "/tmp/x"}', headers={"Authorization": key}
            )
            with urllib.request.urlopen(request) as reply:
                assert json.load(reply)["success"] is False
    request = urllib.request.Request(
        f"{address.url}/polynya/backup",
        data=b'{"folder": "/tmp/backup-elsewhere"}',
        headers={"Authorization": f"Bearer {warehouse.home.owner_key()}"},
    )
    with urllib.request.urlopen(request) as reply:
        assert "no folder for a backup" in json.load(reply)["message"]
    assert stat.S_IMODE(warehouse.home.owner_key_file.stat().st_mode) == 0o600
