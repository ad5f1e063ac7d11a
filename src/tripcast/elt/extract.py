"""Trip files to the stage: unpack, check, gzip, PUT; several files at once, memory and disk bounded."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from snowflake.snowpark import Session

from tripcast import names
from tripcast.elt import manifest, report
from tripcast.elt.manifest import LOADED, REJECTED, STAGED, FileEntry
from tripcast.elt.raw import forget_raw
from tripcast.elt.report import Issue
from tripcast.sources.files import Part, SourceFile, parts
from tripcast.sources.formats import SCHEMAS, BadFile
from tripcast.sources.repack import Repacked, repack

JOBS = 2
BATCH_BYTES = 256 << 20
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(slots=True)
class Extracted:
    """What extraction did: files looked at, skipped as known, parts staged and rejected, issues found."""

    files: int = 0
    skipped: int = 0
    staged: list[FileEntry] = field(default_factory=list)
    rejected: int = 0
    issues: list[Issue] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Prepared:
    """One source file, ready: its parts as gzip files in a folder of their own, or nothing new to do."""

    source: str
    fingerprint: str
    parts: list[tuple[str, Repacked]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    known: bool = False
    folder: Path | None = None

    @property
    def bytes(self) -> int:
        return sum(repacked.path.stat().st_size for _, repacked in self.parts)

    @property
    def members(self) -> list[str]:
        return [member for member, _ in self.parts] + self.rejected

    def accept(self, member: str, repacked: Repacked) -> None:
        self.parts.append((member, repacked))
        self.issues += [Issue(self.source, member, bad.line, bad.reason, text=bad.text) for bad in repacked.bad_lines]
        if (more := repacked.bad_line_count - len(repacked.bad_lines)) > 0:
            self.issues.append(Issue(self.source, member, None, f"{more} more lines were left out"))

    def reject(self, member: str, error: BadFile) -> None:
        self.rejected.append(member)
        self.issues.append(Issue(self.source, member, error.line, error.reason))


def extract(
    session: Session,
    files: Sequence[SourceFile],
    stage: str = names.LOAD_STAGE,
    progress: Callable[[str], object] = lambda name: None,
) -> Extracted:
    """Brings files to the stage, except those that were staged or loaded before with the same content.

    Args:
        session: whose current schema holds the stage and LOAD_FILES.
        files: to bring.
        stage: the name of the stage.
        progress: told the name of each file when it is done.
    """
    known: dict[str, list[FileEntry]] = {}
    for entry in manifest.read(session):
        known.setdefault(entry.source, []).append(entry)
    result = Extracted(files=len(files))
    with tempfile.TemporaryDirectory(prefix="tripcast-") as scratch, ThreadPoolExecutor(JOBS) as pool:
        ready = _in_order(pool, lambda file: _prepare(file, known.get(file.name, []), Path(scratch)), files)
        batch: list[_Prepared] = []
        for prepared in ready:
            batch.append(prepared)
            if sum(each.bytes for each in batch) >= BATCH_BYTES:
                _stage(session, stage, batch, known, result)
                batch = []
            progress(prepared.source)
        _stage(session, stage, batch, known, result)
    return result


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[SourceFile], _Prepared], items: Sequence[SourceFile]
) -> Iterator[_Prepared]:
    """Results in the items' order, never more than a few items ahead of who reads them (disk is bounded)."""
    rest = iter(items)
    running = [pool.submit(work, item) for item in islice(rest, JOBS * 2)]
    while running:
        yield running.pop(0).result()
        running.extend(pool.submit(work, item) for item in islice(rest, 1))


def _prepare(file: SourceFile, known: list[FileEntry], scratch: Path) -> _Prepared:
    """Checks and repacks one source file; runs in a thread and does not touch the session."""
    fingerprint = file.fingerprint()
    prepared = _Prepared(file.name, fingerprint)
    same = [entry for entry in known if entry.fingerprint == fingerprint]
    if same and all(entry.status in (STAGED, LOADED) for entry in same):
        prepared.known = True
        return prepared
    prepared.folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        path = file.fetch(prepared.folder)
        for number, part in enumerate(parts(path, prepared.folder)):
            if not isinstance(part, Part):
                prepared.reject(*part)
            elif not any(entry.member == part.member and entry.status in (STAGED, LOADED) for entry in same):
                try:
                    prepared.accept(part.member, repack(part, prepared.folder / f"{number}.csv.gz"))
                except BadFile as error:
                    prepared.reject(part.member, error)
    except BadFile as error:
        prepared.reject("", error)
    except OSError as error:
        prepared.reject("", BadFile(f"cannot be read: {error}"))
    return prepared


def _stage(
    session: Session,
    stage: str,
    batch: list[_Prepared],
    known: dict[str, list[FileEntry]],
    result: Extracted,
) -> None:
    """Puts a batch into the stage, then notes it; a kill in between only makes the next run put it again."""
    entries: list[FileEntry] = []
    earlier = {entry.staged_as: entry for group in known.values() for entry in group if entry.staged_as}
    taken = {path: entry.source for path, entry in earlier.items()}
    new = [prepared for prepared in batch if not prepared.known]
    result.skipped += len(batch) - len(new)
    for prepared in new:
        entries += [FileEntry(prepared.source, member, prepared.fingerprint, REJECTED) for member in prepared.rejected]
        for member, repacked in prepared.parts:
            schema = repacked.header.schema
            entry = FileEntry(prepared.source, member, prepared.fingerprint, STAGED, schema.number)
            entry.column_order = ",".join(repacked.header.columns)
            entry.staged_as = _stage_path(schema.folder, prepared.source, member, len(prepared.parts), taken)
            entry.lines, entry.bytes = repacked.lines + repacked.bad_line_count, repacked.size
            entry.left_out = repacked.bad_line_count
            entries.append(entry)
    staged = [entry for entry in entries if entry.status == STAGED]
    forget_raw(session, [entry for entry in staged if entry.staged_as in earlier])
    _put(session, stage, new, staged)
    issues = [issue for prepared in new for issue in prepared.issues]
    report.write(session, [(prepared.source, member) for prepared in new for member in prepared.members], issues)
    manifest.write(session, entries)
    result.sources += [prepared.source for prepared in new]
    result.issues += issues
    result.rejected += len(entries) - len(staged)
    result.staged += staged
    for prepared in new:
        if prepared.folder is not None:
            shutil.rmtree(prepared.folder, ignore_errors=True)


def _stage_path(folder: str, source: str, member: str, parts_of_it: int, taken: dict[str, str]) -> str:
    """Where a CSV lies in the stage: a name without odd characters, no two sources with the same."""
    stem = re.sub(r"(\.csv)?(\.zip|\.gz)?$", "", source, flags=re.IGNORECASE)
    inner = re.sub(r"\.csv$", "", Path(member).name, flags=re.IGNORECASE)
    name = stem if not member or (parts_of_it == 1 and inner == stem) else f"{stem}--{inner}"
    name = _ODD.sub("_", name)
    path, number = f"{folder}/{name}.csv.gz", 1
    while taken.get(path, source) != source:
        number += 1
        path = f"{folder}/{name}~{number}.csv.gz"
    taken[path] = source
    return path


def _put(session: Session, stage: str, batch: list[_Prepared], entries: list[FileEntry]) -> None:
    """One PUT for each layout: the files are moved under their stage names into one folder first."""
    repacked = {(each.source, member): part.path for each in batch for member, part in each.parts}
    for schema in SCHEMAS:
        chosen = [entry for entry in entries if entry.schema_number == schema.number]
        if not chosen:
            continue
        with tempfile.TemporaryDirectory(prefix="tripcast-put-") as folder:
            for entry in chosen:
                assert entry.staged_as is not None
                shutil.move(repacked[entry.source, entry.member], Path(folder) / Path(entry.staged_as).name)
            session.file.put(
                f"{Path(folder).as_posix()}/*", f"@{stage}/{schema.folder}", auto_compress=False, overwrite=True
            )
