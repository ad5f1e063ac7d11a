"""Which trips to load: a folder's, the published ones, or synthetic ones if those cannot be reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tripcast.sources.archive import BASE_URL, JERSEY_CITY, Unreachable, listing, month_of
from tripcast.sources.files import SourceFile, trip_files
from tripcast.sources.formats import BadFile
from tripcast.sources.synthetic import LABEL, generate

FIRST_MONTH, LAST_MONTH = "2017-11", "2021-03"  # both layouts, the change of ids, the shock: what the docs speak of
SYNTHETIC_TRIPS = 300_000


@dataclass(frozen=True, slots=True)
class Chosen:
    """Files to load, and a line that says what they are."""

    files: Sequence[SourceFile]
    note: str
    synthetic: bool


def is_synthetic(name: str) -> bool:
    """Whether a source file's name says that its trips are invented."""
    return name.startswith(LABEL)


def in_months(files: Sequence[SourceFile], first: str | None, last: str | None) -> list[SourceFile]:
    """The files whose name has a month from ``first`` to ``last`` (``2020-09``, both included; None is no bound)."""
    if first is None and last is None:
        return list(files)
    return [
        file
        for file in files
        if (month := month_of(file.name)) is not None and (first or "") <= month <= (last or "9999-12")
    ]


def from_folder(folder: Path, first: str | None = None, last: str | None = None) -> Chosen:
    """A folder's trip files.

    Raises:
        BadFile: there are none.
    """
    files = in_months(trip_files(folder), first, last)
    if not files:
        raise BadFile(f"no file of these months in {folder}")
    synthetic = any(is_synthetic(file.name) for file in files)
    kind = "synthetic trips" if synthetic else "trips"
    return Chosen(files, f"{kind} from {len(files)} files in {folder}", synthetic)


def from_archive(
    base_url: str = BASE_URL, prefix: str = JERSEY_CITY, first: str | None = FIRST_MONTH, last: str | None = LAST_MONTH
) -> Chosen:
    """The published files.

    Raises:
        Unreachable: the archive does not answer within a few seconds.
    """
    files = listing(base_url, prefix, first or "", last or "9999-12")
    if not files:
        raise Unreachable(f"{base_url} lists no trip file of these months")
    return Chosen(files, f"{len(files)} published files from {base_url}", False)


def invented(
    folder: Path,
    trips: int = SYNTHETIC_TRIPS,
    first: str = FIRST_MONTH,
    last: str = LAST_MONTH,
    progress: Callable[[int], object] = lambda rows: None,
) -> Chosen:
    """Synthetic trips, written to a folder first."""
    generate(folder, trips, first, last, progress=progress)
    return Chosen(trip_files(folder), f"{trips:,} synthetic trips: invented, nobody rode them", True)
