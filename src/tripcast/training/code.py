"""tripcast itself in the warehouse: its package as a file in MODEL_STAGE that functions import."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from functools import cache
from pathlib import Path

from snowflake.snowpark import Session

import tripcast
from tripcast import names

# what runs inside the warehouse and what it imports
_PARTS = ("__init__.py", "names.py", "models", "training")
# what monthly runs need besides: all but what only shows results
_SHOWING = ("app", "cli", "dags", "__main__.py")
_FOLDER = "code"
# one moment for all files of the archive: the same code gives the same bytes
_MOMENT = (1980, 1, 1, 0, 0, 0)


def in_stage(session: Session, whole: bool = False) -> str:
    """The path in the warehouse of an archive of this package; it is put there once for each state of the code.

    Args:
        session: whose current schema has the stage.
        whole: with what loads trips and keeps runs, too.
    """
    content, digest = archive(whole)
    stage = f"@{names.MODEL_STAGE}/{_FOLDER}"
    path = f"{stage}/tripcast_{digest}.zip"
    session.sql(f"CREATE STAGE IF NOT EXISTS {names.MODEL_STAGE}").collect()
    if not session.sql(f"LIST {stage}/tripcast_{digest}").collect():
        session.file.put_stream(io.BytesIO(content), path, auto_compress=False, overwrite=True)
    return path


@cache
def archive(whole: bool = False) -> tuple[bytes, str]:
    """A zip archive of the package, and 16 hexadecimal digits that tell its content apart."""
    root = Path(tripcast.__file__).parent
    parts = [path.name for path in root.iterdir() if path.name not in _SHOWING] if whole else _PARTS
    files = sorted(
        file
        for part in parts
        for file in ([root / part] if part.endswith(".py") else (root / part).rglob("*.py"))
        if file.is_file()
    )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for file in files:
            target.writestr(
                zipfile.ZipInfo(f"tripcast/{file.relative_to(root).as_posix()}", _MOMENT), file.read_bytes()
            )
    content = made.getvalue()
    return content, hashlib.sha256(content).hexdigest()[:16]


def function_name(*parts: str) -> str:
    """A name for a function that depends on the state of the code."""
    return re.sub(r"\W", "_", "_".join(["TRIPCAST", *parts, archive()[1]]).upper())
