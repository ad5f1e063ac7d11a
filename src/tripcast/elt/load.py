"""The load from files to TRIPS: whole or by month, safe to stop anywhere and to run again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from snowflake.snowpark import Session

from tripcast import names
from tripcast.elt import manifest, report
from tripcast.elt.conform import conform
from tripcast.elt.extract import extract
from tripcast.elt.manifest import LOADED, STAGED
from tripcast.elt.raw import load_raw
from tripcast.elt.report import LoadReport
from tripcast.sources.files import SourceFile


def load(
    session: Session,
    files: Sequence[SourceFile],
    stage: str = names.LOAD_STAGE,
    progress: Callable[[str], object] = lambda name: None,
) -> LoadReport:
    """Extracts files to the stage, loads them raw and conforms them; files of an unfinished earlier run as well.

    Args:
        session: whose current schema was set up.
        files: all, or those of a month; a file loaded before with the same content is skipped.
        stage: the name of the stage.
        progress: told the name of each file when it is extracted.
    """
    result = LoadReport()
    with _timed(result, "extract"):
        extracted = extract(session, files, stage, progress)
    result.files, result.skipped, result.rejected = extracted.files, extracted.skipped, extracted.rejected
    pending = manifest.of_status(manifest.read(session), STAGED)
    if pending:
        with _timed(result, "copy"):
            load_raw(session, pending, stage)
        with _timed(result, "conform"):
            conform(session, pending, stage)
            for entry in pending:
                entry.status = LOADED
            manifest.write(session, pending)
    result.loaded = len(pending)
    result.lines = sum(entry.lines for entry in pending)
    result.trips = session.table(names.TRIPS).count()
    result.new_trips = sum(entry.new_trips or 0 for entry in pending)
    result.issues = report.read(session, sorted({entry.source for entry in pending} | set(extracted.sources)))
    result.left_out = sum(entry.left_out for entry in pending)
    result.repeated = result.lines - result.left_out - result.new_trips
    return result


@contextmanager
def _timed(result: LoadReport, step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    result.seconds[step] = round(time.perf_counter() - start, 3)
