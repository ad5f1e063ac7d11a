"""The load by the function names of the guide's notebooks, over the same steps as ``load``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from snowflake.snowpark import Session

from tripcast import names
from tripcast.elt import manifest
from tripcast.elt.conform import conform
from tripcast.elt.extract import extract
from tripcast.elt.load import load
from tripcast.elt.manifest import LOADED, STAGED
from tripcast.elt.raw import load_raw
from tripcast.elt.report import LoadReport
from tripcast.sources.archive import BASE_URL, RemoteFile
from tripcast.sources.files import LocalFile, SourceFile
from tripcast.sources.formats import SCHEMAS


def source_files(files_to_download: Sequence[str], download_base_url: str = BASE_URL) -> list[SourceFile]:
    """The named files below an address: ``https://…/``, ``file://…/`` or a folder's path."""
    parts = urlsplit(download_base_url)
    if parts.scheme in ("http", "https"):
        return [RemoteFile(download_base_url.rstrip("/") + "/", name) for name in files_to_download]
    folder = Path(parts.path if parts.scheme == "file" else download_base_url)
    return [LocalFile(folder / name) for name in files_to_download]


def extract_trips_to_stage(
    session: Session,
    files_to_download: Sequence[str],
    download_base_url: str = BASE_URL,
    load_stage_name: str = names.LOAD_STAGE,
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Brings the named trip files to the stage.

    Returns:
        by layout (``schema1``, ``schema2``): the stage's folder, and the staged files that are not in TRIPS yet.
    """
    files = source_files(files_to_download, download_base_url)
    extract(session, files, load_stage_name)
    wanted = {file.name for file in files}
    pending = [entry for entry in manifest.read(session) if entry.status == STAGED and entry.source in wanted]
    folders = {schema.folder: f"{load_stage_name}/{schema.folder}" for schema in SCHEMAS}
    files_to_load = {
        schema.folder: [str(entry.staged_as) for entry in pending if entry.schema_number == schema.number]
        for schema in SCHEMAS
    }
    return folders, files_to_load


def load_trips_to_raw(
    session: Session,
    files_to_load: Mapping[str, Sequence[str]],
    load_stage_names: Mapping[str, str],
    load_table_name: str = "RAW_",
) -> dict[str, str]:
    """Loads staged files into the raw tables; answers the tables by layout.

    Raises:
        ValueError: another table name than ``RAW_``, for which nothing was set up.
    """
    if load_table_name.upper() != "RAW_":
        raise ValueError("the raw tables are RAW_SCHEMA1 and RAW_SCHEMA2: load_table_name must be 'RAW_'")
    paths = {path for chosen in files_to_load.values() for path in chosen}
    stage = next(iter(load_stage_names.values()), names.LOAD_STAGE).split("/")[0]
    load_raw(session, [entry for entry in manifest.read(session) if entry.staged_as in paths], stage)
    return {schema.folder: schema.raw_table for schema in SCHEMAS}


def transform_trips(session: Session, stage_table_names: Mapping[str, str], trips_table_name: str = names.TRIPS) -> str:
    """Conforms what is in the raw tables and not in TRIPS yet; answers the table's name.

    Raises:
        ValueError: another table than TRIPS, or raw tables that are not ours.
    """
    known = {schema.raw_table for schema in SCHEMAS}
    if trips_table_name.upper() != names.TRIPS or not set(stage_table_names.values()) <= known:
        raise ValueError(f"trips are conformed from {', '.join(sorted(known))} to {names.TRIPS}")
    pending = manifest.of_status(manifest.read(session), STAGED)
    load_raw(session, pending)  # whatever a stopped run left in the stage
    conform(session, pending)
    for entry in pending:
        entry.status = LOADED
    manifest.write(session, pending)
    return trips_table_name


def incremental_elt(
    session: Session,
    load_stage_name: str = names.LOAD_STAGE,
    files_to_download: Sequence[str] = (),
    download_base_url: str = BASE_URL,
    load_table_name: str = "RAW_",
    trips_table_name: str = names.TRIPS,
) -> str:
    """Adds the named files' trips to TRIPS; answers the table's name."""
    folders, files = extract_trips_to_stage(session, files_to_download, download_base_url, load_stage_name)
    tables = load_trips_to_raw(session, files, folders, load_table_name)
    return transform_trips(session, tables, trips_table_name)


def bulk_elt(
    session: Session,
    state_dict: Mapping[str, Any],
    download_base_url: str,
    files_to_download: Sequence[str] | None = None,
) -> LoadReport:
    """Loads all trip files below an address.

    Args:
        session: whose current schema was set up.
        state_dict: the guide's settings; ``load_stage_name`` is read.
        download_base_url: of the archive, or a folder.
        files_to_download: names; by default all that the archive or the folder has.
    """
    stage = str(state_dict.get("load_stage_name", names.LOAD_STAGE))
    if files_to_download is not None:
        return load(session, source_files(files_to_download, download_base_url), stage)
    from tripcast.sources.archive import listing
    from tripcast.sources.files import trip_files

    if download_base_url.startswith("http"):
        return load(session, listing(download_base_url), stage)
    return load(session, trip_files(Path(urlsplit(download_base_url).path)), stage)
