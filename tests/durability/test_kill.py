"""kill -9 of the server at random moments under the load of two clients: nothing answered is lost, nothing is half there.

``make soak`` kills it 200 times, the suite a few times.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import snowflake.connector
from kill_client import ROWS, content, pieces
from snowflake.connector import SnowflakeConnection
from snowflake.connector.cursor import SnowflakeCursor

from polynya.server.local import Warehouse

KILLS = int(os.environ.get("SOAK_KILLS", "2"))
CLIENTS = ("a", "b")
START_SECONDS = 5.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse with what the clients work on; no server runs."""
    with Warehouse(tmp_path / "home") as running:
        cursor = snowflake.connector.connect(**running.connection_parameters).cursor()
        cursor.execute("CREATE DATABASE SOAK")
        for stage in ("FILES", "LOADS", "CODE"):
            cursor.execute(f"CREATE STAGE {stage}")
        for name in CLIENTS:
            cursor.execute(f"CREATE TABLE LOADED_{name} (PIECE NUMBER, N NUMBER)")
            cursor.execute(f"CREATE TABLE MERGED_{name} (PIECE NUMBER, N NUMBER)")
            cursor.execute(f"INSERT INTO MERGED_{name} VALUES (-1, 0)")
    return tmp_path / "home"


def _counts(cursor: SnowflakeCursor, table: str) -> dict[int, int]:
    return dict(cursor.execute(f"SELECT PIECE, COUNT(*) FROM {table} GROUP BY 1").fetchall())  # type: ignore[union-attr]


class _Check:
    """What must hold of one client's work after a restart."""

    def __init__(self, connection: SnowflakeConnection, log: Path, folder: Path) -> None:
        self.cursor = connection.cursor()
        self.name = log.stem
        self.begun, self.answered = pieces(log)
        self.folder = folder

    def __call__(self) -> None:
        self._rows(_counts(self.cursor, f"LOADED_{self.name}"), "copy")
        merged = _counts(self.cursor, f"MERGED_{self.name}")
        assert merged.pop(-1) == 1
        self._rows(merged, "merge")
        (times,) = self.cursor.execute(f"SELECT N FROM MERGED_{self.name} WHERE PIECE = -1").fetchone()  # type: ignore[union-attr,misc]
        assert times == len(merged), "a MERGE's update and insert must come together"
        self._clones()
        self._files()
        self._functions()

    def _known(self, word: str) -> tuple[set[int], set[int]]:
        """Pieces of a kind that must be there, and that may be."""
        begun = {number for number, other in self.begun.items() if other == word}
        return begun & self.answered, begun

    def _there(self, found: set[int], word: str) -> None:
        must, may = self._known(word)
        assert must <= found, f"{word}: answered and lost: {sorted(must - found)}"
        assert found <= may, f"{word}: nobody asked for {sorted(found - may)}"

    def _rows(self, counts: dict[int, int], word: str) -> None:
        assert set(counts.values()) <= {ROWS}, f"{word}: half there: {counts}"
        self._there(set(counts), word)

    def _names(self, kind: str, prefix: str) -> set[int]:
        rows = self.cursor.execute(f"SHOW {kind} LIKE '{prefix}%'").fetchall()  # type: ignore[union-attr]
        return {int(row[1].rpartition("_")[2]) for row in rows}

    def _clones(self) -> None:
        found = self._names("TABLES", f"CLONE_{self.name}_")
        self._there(found, "clone")
        loaded = {number for number, word in self.begun.items() if word == "copy" and number in self.answered}
        unsure = {number for number, word in self.begun.items() if word == "copy"}
        for number in sorted(found)[-5:]:
            counts = _counts(self.cursor, f"CLONE_{self.name}_{number}")
            assert set(counts.values()) <= {ROWS}
            assert {piece for piece in loaded if piece < number} <= set(counts) <= {p for p in unsure if p < number}

    def _files(self) -> None:
        rows = self.cursor.execute(f"LIST @FILES PATTERN = '.*{self.name.upper()}_[0-9]+[.]csv'").fetchall()  # type: ignore[union-attr]
        found = {int(row[0].rpartition("_")[2].removesuffix(".csv")): row[1] for row in rows}
        self._there(set(found), "put")
        assert found == {number: len(content(number)) for number in found}
        for number in sorted(found)[-2:]:
            self.cursor.execute(f"GET @FILES/{self.name.upper()}_{number}.csv file://{self.folder}")
            assert (self.folder / f"{self.name.upper()}_{number}.csv").read_text() == content(number)

    def _functions(self) -> None:
        found = self._names("USER FUNCTIONS", f"F_{self.name}_")
        self._there(found, "function")
        for number in sorted(found)[-2:]:
            assert self.cursor.execute(f"SELECT F_{self.name}_{number}()").fetchone() == (number,)  # type: ignore[union-attr]


@pytest.fixture
def clients() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes of clients; those that are left are killed."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.timeout(60 + 15 * KILLS)
def test_nothing_is_lost_or_half_there(home: Path, tmp_path: Path, clients: list[subprocess.Popen[bytes]]) -> None:
    chance = random.Random(int(os.environ.get("SOAK_SEED", "0")))
    server = Warehouse(home)
    starts = []
    for kill in range(KILLS + 1):
        began = time.monotonic()
        server.start()
        starts.append(time.monotonic() - began)
        parameters = {**server.connection_parameters, "database": "SOAK", "schema": "PUBLIC"}
        with snowflake.connector.connect(**parameters) as connection:
            for name in CLIENTS:
                _Check(connection, tmp_path / f"{name}.log", tmp_path)()
        if kill == KILLS:
            break
        logs = [tmp_path / f"{name}.log" for name in CLIENTS]
        sizes = [log.stat().st_size if log.exists() else 0 for log in logs]
        for number, log in enumerate(logs):
            command = [
                sys.executable,
                str(Path(__file__).with_name("kill_client.py")),
                str(log),
                str(2 * kill + number),
            ]
            clients.append(subprocess.Popen([*command, json.dumps(parameters)], stderr=subprocess.DEVNULL))
        while any(not log.exists() or log.stat().st_size == size for log, size in zip(logs, sizes, strict=True)):
            time.sleep(0.01)  # the clients are still being loaded
        time.sleep(chance.uniform(0.0, 1.0))
        server.kill()
        while clients:
            client = clients.pop()
            client.kill()
            client.wait()
    server.stop()
    answered = sum(len(pieces(tmp_path / f"{name}.log")[1]) for name in CLIENTS)
    print(f"{KILLS} kills, {answered} answered, start at most {max(starts):.2f} s")
    assert answered >= KILLS
    assert max(starts) < START_SECONDS
