"""Tables are made, altered and dropped beside readers: the engine never points into a copy of the schema that is gone.

In a process of its own, which that would end: glibc overwrites freed memory there. Without ``schema_copies`` some
of such runs ended so, and servers under mixed work every few minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

WORK = """
import sys, threading, time
from pathlib import Path
from polynya.storage.engine import Engine

engine = Engine.open(Path(sys.argv[1]))
with engine.cursor() as root:  # many tables: copies of the schema take long to load
    for number in range(150):
        root.execute(f"CREATE TABLE lake.main.wide{number} (a INT, b VARCHAR, c DOUBLE, d INT, e INT, f INT)")
    root.execute("INSERT INTO lake.main.wide0 SELECT range, 'x', 1, 1, 1, 1 FROM range(100)")
until = time.monotonic() + float(sys.argv[2])
made, errors = [], []

def define(own):
    connection = engine.connect()
    while time.monotonic() < until:
        table = f'lake.main."t_{own}_{len(made)}"'
        connection.query_id = table
        connection.execute(f"CREATE TABLE {table} (id INTEGER, x VARCHAR)")
        with connection.atomic():
            connection.execute(f"INSERT INTO {table} VALUES (1, 'a')")
            connection.execute(f"ALTER TABLE {table} ADD COLUMN y INTEGER")
            connection.execute(f"ALTER TABLE {table} ADD COLUMN z INTEGER")
            connection.execute(f"UPDATE {table} SET y = 2")
        assert connection.table(f"SELECT id, x, y, z FROM {table}").to_pylist() == [{"id": 1, "x": "a", "y": 2, "z": None}]
        connection.execute(f"DROP TABLE {table}")
        made.append(table)

def read(own):
    connection = engine.connect()
    while time.monotonic() < until:
        assert connection.table("SELECT a FROM lake.main.wide0 WHERE a = 5").num_rows == 1

def guarded(work, own):
    try:
        work(own)
    except BaseException as error:
        errors.append(repr(error))

threads = [threading.Thread(target=guarded, args=(define if own < 4 else read, own)) for own in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(made), errors)
assert made and not errors
with engine.cursor() as root:  # each commit says which statement it was
    noted = root.execute(
        "SELECT count(*) FROM __ducklake_metadata_lake.ducklake_snapshot_changes WHERE contains(commit_extra_info, 't_')"
    ).fetchall()
    assert noted == [(3 * len(made),)], noted
"""
SECONDS = "12"


def test_definitions_beside_readers(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(tmp_path / "home"), SECONDS],
        env={**os.environ, "MALLOC_PERTURB_": "165"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr[-2000:]}"
