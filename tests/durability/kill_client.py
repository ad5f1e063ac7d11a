"""A client's mixed load, as a process of its own: ``python kill_client.py LOG SEED`` works until it is killed.

LOG gets a line before each piece of work and one after it was answered: what the server acknowledged. Numbers of the
pieces go on where the log ends.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.snowpark import Session
from snowflake.snowpark.types import LongType

# Rows that a piece of work writes.
ROWS = 50
WORDS = ("copy", "merge", "clone", "put", "function")


def content(number: int) -> str:
    """What the file of a piece of work holds."""
    return "".join(f"{number},{row}\n" for row in range(ROWS))


def pieces(log: Path) -> tuple[dict[int, str], set[int]]:
    """What a log says: the pieces that were begun, and the numbers of those that were answered."""
    begun: dict[int, str] = {}
    answered: set[int] = set()
    for line in log.read_text().splitlines() if log.exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:  # the last line of a killed client
            continue
        if entry["done"]:
            answered.add(entry["number"])
        else:
            begun[entry["number"]] = entry["word"]
    return begun, answered


class _Client:
    def __init__(self, parameters: dict[str, Any], name: str) -> None:
        self.name = name
        self.connection: SnowflakeConnection = snowflake.connector.connect(**parameters)
        self.session = Session.builder.configs({"connection": self.connection}).create()
        self.cursor = self.connection.cursor()
        self.folder = Path(tempfile.mkdtemp())

    def put(self, number: int) -> None:
        path = self.folder / f"{self.name}_{number}.csv"
        path.write_text(content(number))
        self.cursor.execute(f"PUT file://{path} @FILES AUTO_COMPRESS = FALSE")
        path.unlink()

    def copy(self, number: int) -> None:
        path = self.folder / f"{self.name}_{number}.csv"
        path.write_text(content(number))
        self.cursor.execute(f"PUT file://{path} @LOADS AUTO_COMPRESS = FALSE")
        self.cursor.execute(f"COPY INTO LOADED_{self.name} FROM @LOADS FILES = ('{path.name}') PURGE = TRUE")
        path.unlink()

    def merge(self, number: int) -> None:
        """Inserts rows and counts itself in a row that is there, both or none."""
        self.cursor.execute(
            f"MERGE INTO MERGED_{self.name} T USING (SELECT {number} AS PIECE, SEQ4() AS N FROM TABLE(GENERATOR("
            f"ROWCOUNT => {ROWS})) UNION ALL SELECT -1, -1) S ON T.PIECE = S.PIECE "
            "WHEN MATCHED THEN UPDATE SET T.N = T.N + 1 WHEN NOT MATCHED THEN INSERT VALUES (S.PIECE, S.N)"
        )

    def clone(self, number: int) -> None:
        self.cursor.execute(f"CREATE TABLE CLONE_{self.name}_{number} CLONE LOADED_{self.name}")

    def function(self, number: int) -> None:
        self.session.udf.register(
            lambda: number, return_type=LongType(), input_types=[], name=f"F_{self.name}_{number}", is_permanent=True,
            stage_location="@CODE",
        )  # fmt: skip


def main(log: Path, seed: int, parameters: dict[str, Any]) -> None:
    """Works until it is killed."""
    chance = random.Random(seed)
    client = _Client(parameters, log.stem.upper())
    work: dict[str, Callable[[int], None]] = {word: getattr(client, word) for word in WORDS}
    number = max(pieces(log)[0], default=0)
    with log.open("a", buffering=1) as notes:
        while True:
            number += 1
            word = chance.choice(WORDS)
            notes.write(json.dumps({"number": number, "word": word, "done": False}) + "\n")
            work[word](number)
            notes.write(json.dumps({"number": number, "word": word, "done": True}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
