"""Since when deleted rows are deleted: set right where DuckLake has it wrong.

A DELETE (or UPDATE) of many rows writes a file that tells the deleted rows of a data file, those of earlier deletes
included, each with the snapshot that deleted it. DuckLake 1.5.5 writes there the number that the commit would have if no
other came first. If one did, the rows are missing from the snapshots in between: AT, and clones made just then, would
read a state that never was.

So then the file of before stays listed until the commit's snapshot, and the new one counts from that on; some
milliseconds after the commit, during which a query of just these snapshots may still read the wrong one.
https://ducklake.select/docs/stable/specification/tables/ducklake_delete_file
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import duckdb

from polynya.storage.forks import METADATA

if TYPE_CHECKING:
    from polynya.storage.engine import Engine

# Deletes of up to so many rows are written to the metadata, with the right number.
_INLINED_ROWS = 10
_DELETING = re.compile(r'\s*(?:UPDATE|DELETE FROM) lake\.main\."([^"]+)"')
_LISTED = (
    f"SELECT d.* FROM {METADATA}.ducklake_delete_file AS d WHERE d.end_snapshot IS NULL AND d.table_id IN "
    f"(SELECT table_id FROM {METADATA}.ducklake_table WHERE table_name IN ({{0}}))"
)


@contextmanager
def dated_deletes(engine: Engine, writes: list[tuple[str, int]]) -> Iterator[None]:
    """A block around a commit, during which nobody else commits.

    Args:
        engine: of the lake.
        writes: (SQL, rows changed) of the transaction.
    """
    deleting = [(found[1], rows) for sql, rows in writes if (found := _DELETING.match(sql))]
    if sum(rows for _, rows in deleting) <= _INLINED_ROWS:
        yield
        return
    names = ", ".join(f"'{name}'" for name in {name for name, _ in deleting})
    duck = engine.cursor()
    try:
        duck.execute(f"CREATE TEMPORARY TABLE listed AS {_LISTED.format(names)}")
        yield
        _set_right(duck, names)
    finally:
        duck.close()


def _set_right(duck: duckdb.DuckDBPyConnection, names: str) -> None:
    snapshot = duck.execute(f"SELECT max(snapshot_id) FROM {METADATA}.ducklake_snapshot").fetchall()[0][0]
    wrong = duck.execute(
        f"SELECT n.delete_file_id, o.delete_file_id, o.path FROM ({_LISTED.format(names)}) AS n JOIN listed AS o "
        f"USING (data_file_id) WHERE n.delete_file_id != o.delete_file_id AND n.partial_max < {snapshot}"
    ).fetchall()
    if not wrong:
        return
    duck.execute("BEGIN")
    try:
        for new, old, path in wrong:
            duck.execute(
                f"UPDATE {METADATA}.ducklake_delete_file SET begin_snapshot = {snapshot}, partial_max = NULL "
                f"WHERE delete_file_id = {new}"
            )
            duck.execute(
                f"INSERT INTO {METADATA}.ducklake_delete_file SELECT * REPLACE ({snapshot} AS end_snapshot) FROM listed "
                f"WHERE delete_file_id = {old}"
            )
            quoted = path.replace("'", "''")
            duck.execute(f"DELETE FROM {METADATA}.ducklake_files_scheduled_for_deletion WHERE path = '{quoted}'")
        duck.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.TransactionException):  # a failed COMMIT has ended it
            duck.execute("ROLLBACK")
        raise
