"""The consumer's side of a folder of Parquet files: ``SCHEMA/TABLE.parquet``, or ``SCHEMA/TABLE/*.parquet``.

``share.json`` beside the schemas may hold comments: ``{"comment": ..., "tables": {"SCHEMA.TABLE": {"comment": ...,
"columns": {"NAME": ...}}}}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from polynya.catalog.imported import REFUSED
from polynya.catalog.model import ColumnDef, Schema, Table
from polynya.stages.rows import native
from polynya.statements.sharing.offer import Contents, Head
from polynya.storage.tables import quote, stored_column_names

NOTES = "share.json"
_PLAIN = re.compile(r"[A-Za-z_]\w*\Z")

# (path, time of change, size, inode) of a table's files.
Files = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies in a provider's folder.

    Args:
        root: the folder, resolved.
        tables: (schema, table) -> its files.
        notes: when ``share.json`` changed, or None.
    """

    root: Path
    tables: dict[tuple[str, str], Files]
    notes: int | None

    @property
    def state(self) -> tuple:
        """What tells whether anything has changed."""
        return (self.notes, tuple(sorted(self.tables.items())))


def look(path: Path) -> Folder:
    """Looks at a folder; links that lead out of it, hidden files and what is no Parquet file are left out.

    Raises:
        OSError: if it is not there.
    """
    root = path.resolve(strict=True)
    tables: dict[tuple[str, str], Files] = {}
    for schema in sorted(root.iterdir()):
        if not _counts(schema, root) or not schema.is_dir():
            continue
        for entry in sorted(schema.iterdir()):
            if not _counts(entry, root):
                continue
            if entry.is_dir():
                inside = [file for file in sorted(entry.iterdir()) if _counts(file, root) and _is_parquet(file)]
            else:
                inside = [entry] if _is_parquet(entry) else []
            if inside:
                name = entry.name if entry.is_dir() else entry.stem
                key = (resolved(schema.name), resolved(name))
                tables[key] = tables.get(key, ()) + tuple(_stamp(file) for file in inside)
    notes = root / NOTES
    return Folder(root, tables, notes.stat().st_mtime_ns if _counts(notes, root) and notes.is_file() else None)


def head_of(account: str, share: str, folder: Path) -> Head:
    """How the share of a folder is listed."""
    root = folder.resolve(strict=True)
    created = datetime.fromtimestamp(root.stat().st_mtime, UTC)
    return Head(account, share, str(root), created, str(_notes(root).get("comment", "")))


def resolved(name: str) -> str:
    """A file's or column's name as an identifier: upper case where it could be written without quotes."""
    return name.upper() if _PLAIN.match(name) else name


def contents_of(folder: Folder, duck: Callable[[], duckdb.DuckDBPyConnection]) -> Contents:
    """The schemas and tables of a folder; a table whose files cannot be read says so when it is read.

    Args:
        folder: as it is now.
        duck: makes a connection to look into the files.
    """
    contents = Contents()
    notes = _notes(folder.root).get("tables", {})
    now = datetime.now(UTC)
    for (schema, name), files in folder.tables.items():
        contents.schemas.setdefault(schema, Schema(id=0, parent=0, name=schema, owner="", created_on=now))
        table = Table(id=0, parent=0, name=name, owner="", created_on=now)
        note = notes.get(f"{schema}.{name}", {})
        table.comment = str(note.get("comment", ""))
        try:
            _read_columns(table, files, duck, note.get("columns", {}))
        except duckdb.Error as error:
            table.options[REFUSED] = (
                f"Data is corrupted, not a valid Parquet file: {str(error).splitlines()[0]}\n  File '{Path(files[0][0]).name}'"
            )
        contents.items.setdefault(schema, []).append(table)
    return contents


def _read_columns(
    table: Table, files: Files, duck: Callable[[], duckdb.DuckDBPyConnection], comments: dict[str, Any]
) -> None:
    listed = ", ".join(_quoted(path) for path, *_ in files)
    relation = f"read_parquet([{listed}], union_by_name=true)"
    connection = duck()
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    finally:
        connection.close()
    names = [row[0] for row in described]
    upper = [resolved(name) for name in names]
    shown = upper if len(set(upper)) == len(upper) else names
    items = []
    for name, stored, row in zip(shown, stored_column_names(shown), described, strict=True):
        kind, value = native(quote(row[0]), duckdb.sqltype(row[1]), as_text=False, logical=True)
        table.columns.append(ColumnDef(name, kind, stored, comment=comments.get(name)))
        items.append(f"{value} AS {quote(stored)}")
    # The stamp makes the text another one when the files change; ``storage.errors`` knows the comment.
    stamp = max(changed for _, changed, *_ in files)
    table.stored_as = f"(SELECT {', '.join(items)} FROM {relation} /* share {stamp} */)"


def _counts(path: Path, root: Path) -> bool:
    """Whether an entry is no hidden one and lies inside the folder, wherever links lead."""
    return not path.name.startswith((".", "_")) and path.resolve().is_relative_to(root)


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet" and path.is_file()


def _stamp(path: Path) -> tuple[str, int, int, int]:
    status = path.stat()
    return (str(path), status.st_mtime_ns, status.st_size, status.st_ino)


def _notes(root: Path) -> dict[str, Any]:
    try:
        found = json.loads((root / NOTES).read_text()) if _counts(root / NOTES, root) else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
