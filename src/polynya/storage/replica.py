"""A copy of the lake as of one moment, beside the one in use: for a share's readers, and for a backup.

Its metadata is copied in one transaction; its Parquet files, which never change, get a second name (a hard link), so
that the lake may delete its own at any time. https://ducklake.select/docs/stable/specification/introduction
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from polynya.storage.engine import Engine
from polynya.storage.forks import METADATA

# File and folder of a replica, named as in a home.
METADATA_FILE = "lake.ducklake"
DATA_FOLDER = "lake"
# Metadata with a row for each table, and that of the lake as a whole.
_OF_TABLES = (
    "ducklake_column", "ducklake_column_mapping", "ducklake_column_tag", "ducklake_data_file", "ducklake_delete_file",
    "ducklake_file_column_stats", "ducklake_file_partition_value", "ducklake_file_variant_stats",
    "ducklake_inlined_data_tables", "ducklake_partition_column", "ducklake_partition_info", "ducklake_schema_versions",
    "ducklake_sort_expression", "ducklake_sort_info", "ducklake_table", "ducklake_table_column_stats",
    "ducklake_table_stats",
)  # fmt: skip
_OF_LAKE = (
    "ducklake_files_scheduled_for_deletion", "ducklake_macro", "ducklake_macro_impl", "ducklake_macro_parameters",
    "ducklake_metadata", "ducklake_name_mapping", "ducklake_schema", "ducklake_snapshot", "ducklake_snapshot_changes",
    "ducklake_tag", "ducklake_view",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lake:
    """A lake to copy.

    Args:
        duck: a connection that reads its metadata.
        metadata: the metadata's name there.
        data: the folder of its Parquet files.
    """

    duck: duckdb.DuckDBPyConnection
    metadata: str
    data: Path

    def rows(self, sql: str) -> list[tuple]:
        """The rows of a query in which ``{m}`` is the metadata."""
        return self.duck.execute(sql.replace("{m}", self.metadata)).fetchall()


def replicate(engine: Engine, target: Path, tables: Collection[str] | None = None) -> list[str]:
    """Copies the lake that an engine has open, at the present moment; whoever writes goes on.

    Args:
        engine: in use.
        target: an empty folder, best on the lake's own disk.
        tables: only those with these names in the engine (``Table.stored_as``).

    Returns:
        files that the lake lists and that are not there: it was damaged before.
    """
    duck = engine.cursor()
    try:
        with engine.files_lock:  # what is listed is not deleted before it has its second name
            return copy_lake(Lake(duck, METADATA, engine.home / DATA_FOLDER), target, tables)
    finally:
        duck.close()


def replicate_closed(home: Path, target: Path, tables: Collection[str] | None = None) -> list[str]:
    """Copies the lake of a home that no engine has open; the caller holds the home's lock. Else as ``replicate``."""
    duck = duckdb.connect(":memory:")
    try:
        duck.execute(f"ATTACH {_quoted(str(home / METADATA_FILE))} AS origin (READ_ONLY)")
        return copy_lake(Lake(duck, "origin", home / DATA_FOLDER), target, tables)
    finally:
        duck.close()


def copy_lake(lake: Lake, target: Path, tables: Collection[str] | None) -> list[str]:
    """Writes a replica; see ``replicate``."""
    name = f"replica_{secrets.token_hex(8)}"
    lake.duck.execute(f"ATTACH {_quoted(str(target / METADATA_FILE))} AS {name}")
    try:
        if tables is None:
            lake.duck.execute(f"COPY FROM DATABASE {lake.metadata} TO {name}")
        else:
            _copy_tables(lake, name, tables)
        listed = list_files(Lake(lake.duck, name, lake.data))
    except BaseException:
        with suppress(duckdb.Error):  # what went wrong first counts
            lake.duck.execute(f"DETACH {name}")
        raise
    lake.duck.execute(f"DETACH {name}")
    (target / METADATA_FILE).chmod(0o600)
    return link_files(listed, lake.data, target / DATA_FOLDER)


def _copy_tables(lake: Lake, name: str, tables: Collection[str]) -> None:
    """Copies the metadata of some tables, in one transaction."""
    lake.duck.execute("BEGIN")
    try:
        _copy_rows(lake, name, [table.rpartition(".")[2].strip('"') for table in tables])
    except BaseException:
        lake.duck.execute("ROLLBACK")
        raise
    lake.duck.execute("COMMIT")


def _copy_rows(lake: Lake, name: str, tables: list[str]) -> None:
    listed = ", ".join(["''", *(_quoted(table) for table in tables)])
    ids = [
        row[0]
        for row in lake.rows(f"SELECT DISTINCT table_id FROM {{m}}.ducklake_table WHERE table_name IN ({listed})")
    ]
    for table in _OF_LAKE:
        lake.duck.execute(f"CREATE TABLE {name}.{table} AS FROM {lake.metadata}.{table}")
    wanted = f"list_contains({ids}::BIGINT[], table_id)"
    for table in _OF_TABLES:
        lake.duck.execute(f"CREATE TABLE {name}.{table} AS FROM {lake.metadata}.{table} WHERE {wanted}")
    inlined = [row[0] for row in lake.rows(f"SELECT table_name FROM {{m}}.ducklake_inlined_data_tables WHERE {wanted}")]
    deletes = [table for number in ids if has_table(lake, table := f"ducklake_inlined_delete_{number}")]
    for table in inlined + deletes:
        lake.duck.execute(f'CREATE TABLE {name}."{table}" AS FROM {lake.metadata}."{table}"')


def has_table(lake: Lake, name: str) -> bool:
    """Whether the metadata has a table of this name; asked outside of what may fail in a transaction."""
    other = lake.duck.cursor()
    try:
        other.execute(f'FROM {lake.metadata}."{name}" LIMIT 0')
    except duckdb.CatalogException:
        return False
    finally:
        other.close()
    return True


def list_files(lake: Lake) -> list[str]:
    """The Parquet files that a lake's metadata lists, relative to its data folder."""
    parts = "s.path || t.path || f.path"
    found: set[str] = set()
    for table in ("ducklake_data_file", "ducklake_delete_file"):
        found.update(
            row[0]
            for row in lake.rows(
                f"SELECT CASE WHEN NOT f.path_is_relative THEN f.path WHEN NOT t.path_is_relative THEN t.path || f.path "
                f"ELSE {parts} END FROM {{m}}.{table} AS f JOIN (SELECT DISTINCT ON (table_id) * FROM {{m}}.ducklake_table) "
                "AS t USING (table_id) JOIN {m}.ducklake_schema AS s USING (schema_id)"
            )
        )
    return sorted(found)


def link_files(names: Iterable[str], origin: Path, target: Path) -> list[str]:
    """Gives files a second name below another folder; copies them where the file system has no links.

    Args:
        names: relative to ``origin``; others lie outside of it and are read where they are.

    Returns:
        the names of those that are not there.
    """
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    made: set[Path] = set()
    missing: list[str] = []
    for name in names:
        if Path(name).is_absolute():
            continue
        place = target / name
        if place.parent not in made:
            place.parent.mkdir(parents=True, exist_ok=True)
            made.add(place.parent)
        try:
            os.link(origin / name, place)
        except FileExistsError:
            continue
        except FileNotFoundError:
            missing.append(name)
        except OSError:
            shutil.copyfile(origin / name, place)
    return missing


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
