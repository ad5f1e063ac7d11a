"""Files that functions and procedures import from stages.

https://docs.snowflake.com/en/developer-guide/udf/python/udf-python-creating
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from polynya.catalog.context import Context
from polynya.errors import SnowflakeError, compilation_error, invalid_value, unsupported
from polynya.runtime.handler import ImportFile
from polynya.stages.location import Location, parse_location
from polynya.stages.store import StagedFile, StageLocation, StageStore


def resolve_imports(texts: Iterable[str], context: Context, stages: StageStore) -> list[str]:
    """Imports as they are kept with their routine: names of stages made full, so that they mean the same from any schema.

    Args:
        texts: as IMPORTS has them: files in stages, or folders.
        context: of the session that makes the routine.
        stages: the files.

    Raises:
        SnowflakeError: 001003 for text that is no stage location; 002003 if there is no such stage; 001304 if there is
            no such file in it; 001008 if two files would have one name in the import directory.
    """
    full: list[str] = []
    sources: dict[str, str] = {}
    for text in dict.fromkeys(text.strip() for text in texts):
        place = _parsed(text)
        found = stages.resolve(place, context)
        files = _matching(found, stages)
        if not files:
            raise _missing(text)
        for name, _ in files:
            if name in sources:
                raise invalid_value(f"imports '{text}' and '{sources[name]}' have the same name '{name}'.")
            sources[name] = text
        full.append(_full_name(place, found, context))
    return full


def _full_name(place: Location, found: StageLocation, context: Context) -> str:
    if place.kind == "USER":
        return f"@~/{place.path}"
    if place.kind == "TABLE":
        table = context.catalog.get(context, "TABLE", list(place.name))
        parent, _, name = context.catalog.full_name(table).rpartition(".")
        return f"@{parent}.%{name}/{place.path}"
    assert found.stage is not None
    return f"@{context.catalog.full_name(found.stage)}/{place.path}"


def fetch_imports(
    imports: Iterable[str], context: Context, stages: StageStore, creator: str = ""
) -> tuple[ImportFile, ...]:
    """Local copies of a routine's imports as they are now; what is under a copy's path never changes.

    Args:
        imports: as ``resolve_imports`` answered.
        context: of the session that calls the routine.
        stages: the files.
        creator: whose stage ``@~`` is; the caller's if empty.

    Raises:
        SnowflakeError: 002003 or 001304 if a stage or file is gone.
    """
    if creator:
        context = replace(context, user=creator)
    files: dict[str, ImportFile] = {}
    for text in imports:
        place = stages.resolve(_parsed(text), context)
        found = _matching(place, stages)
        if not found:
            raise _missing(text)
        for name, file in found:
            files[name] = ImportFile(name, _copied(file, place, stages))
    return tuple(files.values())


def _parsed(text: str) -> Location:
    if text.strip().lower().startswith("snow://"):
        raise unsupported(f"IMPORTS from {text}")
    if not text.strip().startswith("@"):
        raise compilation_error(1003, "42000", f"import '{text}' is not a stage location: it has to begin with '@'.")
    place = parse_location(text)
    if not place.path:
        raise compilation_error(1003, "42000", f"import '{text}' names a stage, but no file in it.")
    return place


def _matching(place: StageLocation, stages: StageStore) -> list[tuple[str, StagedFile]]:
    """The file of a location, or those of its folder, with their names in the import directory.

    A file that the client compressed on its way (``f.txt`` is ``f.txt.gz``) is not found under its old name.
    """
    if not place.path.endswith("/"):
        exact = stages.exact(place)
        if exact is not None:
            return [(PurePosixPath(exact.relative).name, exact)]
        place = place.at(place.path + "/")
    above = place.path[: place.path.rstrip("/").rfind("/") + 1]
    return [(file.relative[len(above) :], file) for file in stages.list_files(place)]


def _copied(file: StagedFile, place: StageLocation, stages: StageStore) -> Path:
    """A copy whose name is its content's: another version of the file has another path."""

    def copy(target: Path) -> None:
        shutil.copyfile(stages.local(file, place), target)
        target.chmod(0o444)

    return stages.imports.derived(
        f"{stages.checksum(file)}:{file.size}", copy, suffix=PurePosixPath(file.relative).suffix
    )


def _missing(text: str) -> SnowflakeError:
    return compilation_error(1304, "22023", f"invalid value [{text}] for parameter 'IMPORTS': File not found.")
