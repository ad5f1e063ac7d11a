"""Trip files to TRIPS: tripcast through the warehouse against DuckDB by hand, from the same gzip files."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from snowflake.snowpark import Session

import by_hand
from polynya.server.local import Warehouse
from report import Figure
from timing import in_turn, median, seconds
from tripcast.elt.load import load
from tripcast.setup import set_up
from tripcast.sources.files import parts, trip_files
from tripcast.sources.synthetic import generate

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "trips"
SYNTHETIC_TRIPS = 10_000_000


def measure_real(quick: bool) -> list[Figure]:
    """The real files, where they are at hand."""
    if not REAL.is_dir():
        return []
    with tempfile.TemporaryDirectory(prefix="polynya-bench-") as scratch:
        files = gzip_files(REAL, Path(scratch) / "gzip")
        return _measure(f"{len(files)} real trip files to TRIPS", files, Path(scratch), 2.0, 3 if quick else 5)


def measure_synthetic(quick: bool) -> list[Figure]:
    """Ten million synthetic trips; a tenth of that if quick."""
    trips = SYNTHETIC_TRIPS // 10 if quick else SYNTHETIC_TRIPS
    with tempfile.TemporaryDirectory(prefix="polynya-bench-") as scratch:
        generate(Path(scratch) / "made", trips)
        files = gzip_files(Path(scratch) / "made", Path(scratch) / "gzip")
        shutil.rmtree(Path(scratch) / "made")
        return _measure(f"{trips:,} synthetic trips to TRIPS", files, Path(scratch), 1.5, 1 if quick else 3)


def gzip_files(source: Path, target: Path) -> list[Path]:
    """Every CSV of a folder of trip files, as one gzip file each."""
    target.mkdir()

    def pack(path: Path) -> list[Path]:
        packed = []
        for part in parts(path, target):
            if isinstance(part, tuple):
                raise part[1]
            name = part.member.replace("/", "_") or path.name
            packed.append(target / f"{name}.gz")
            with part.plain() as text, gzip.open(packed[-1], "wb", compresslevel=6) as out:
                shutil.copyfileobj(text, out, 1 << 20)
        return packed

    with ThreadPoolExecutor(2) as pool:
        return sorted(file for packed in pool.map(pack, [file.path for file in trip_files(source)]) for file in packed)


def _measure(name: str, files: Sequence[Path], scratch: Path, limit: float, runs: int) -> list[Figure]:
    counts: set[int] = set()
    with Warehouse(scratch / "home") as warehouse:
        session = Session.builder.configs(warehouse.connection_parameters).create()
        numbers = count()

        def ours() -> float:
            database = f"BENCHMARK_{next(numbers)}"
            set_up(session, database)
            chosen = trip_files(files[0].parent)
            taken = seconds(lambda: counts.add(load(session, chosen).trips))
            session.sql(f"DROP DATABASE {database}").collect()
            return taken

        def peer(way: Callable[[Sequence[Path], Path], int]) -> float:
            database = scratch / "hand.duckdb"
            taken = seconds(lambda: counts.add(way(files, database)))
            database.unlink()
            return taken

        both: list[float] = []

        def peers() -> float:
            both.append(peer(by_hand.load_directly))
            return peer(by_hand.load_through_raw)

        left, right = in_turn(ours, peers, runs)
        session.close()
    if len(counts) != 1:
        raise AssertionError(f"{name}: the two do not agree on the number of trips: {counts}")
    return [
        Figure(name, median(left), "s", median(right), "DuckDB by hand", limit, runs),
        Figure(f"{name}, no raw tables in DuckDB", median(left), "s", median(both), "DuckDB by hand", None, runs),
    ]
