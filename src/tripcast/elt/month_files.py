"""Which trip files a month's run loads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from snowflake.snowpark import Session

from tripcast.elt import manifest
from tripcast.elt.guide import source_files
from tripcast.sources.archive import BASE_URL, Unreachable, month_of
from tripcast.sources.choose import Chosen, from_archive, in_months, is_synthetic
from tripcast.sources.files import SourceFile, trip_files


def month_files(
    session: Session, month: str, folder: Path | None, named: Sequence[str] = ()
) -> tuple[Chosen | None, str]:
    """The files of a month, and where they are: a folder's path or the archive's address.

    Args:
        session: whose current schema has LOAD_FILES.
        month: ``2020-04``.
        folder: of trip files; None for the published ones.
        named: the files to take; by default those whose name has the month.

    Returns:
        None in place of files where there is nothing to fetch, as they are loaded.

    Raises:
        ValueError: there are none; the text says where they were looked for.
    """
    if folder is not None:
        return _in_folder(folder, month, named), str(folder)
    loaded = {entry.source for entry in manifest.read(session) if entry.status == manifest.LOADED}
    if named:
        left = [name for name in named if name not in loaded]
        return (_chosen(source_files(left)) if left else None), BASE_URL
    if any(month_of(source) == month for source in loaded):
        return None, BASE_URL
    try:
        return from_archive(first=month, last=month), BASE_URL
    except Unreachable as error:
        raise ValueError(f"no trip file of {month}: {error}; name a folder that has one (--trips FOLDER)") from error


def _in_folder(folder: Path, month: str, named: Sequence[str]) -> Chosen:
    there = trip_files(folder)
    of_month = in_months(there, month, month)
    if named:
        missing = sorted(set(named) - {file.name for file in there})
        if missing:
            listed = ", ".join(file.name for file in of_month) or "none"
            raise ValueError(f"there is no file {missing[0]} in {folder}; of {month} it has {listed}")
        return _chosen([file for file in there if file.name in set(named)])
    if not of_month:
        raise ValueError(f"no trip file of {month} in {folder}")
    return _chosen(of_month)


def _chosen(files: Sequence[SourceFile]) -> Chosen:
    return Chosen(files, "", any(is_synthetic(file.name) for file in files))
