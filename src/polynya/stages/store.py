"""Where the files of stages are: internal stages in folders of the home, external ones at their URLs."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlparse
from urllib.request import url2pathname

from polynya.catalog.context import Context
from polynya.catalog.model import Stage, Table
from polynya.catalog.rights import require, require_account
from polynya.errors import SnowflakeError, compilation_error, unsupported
from polynya.stages import s3
from polynya.stages.location import Location, checked_path, parse_location
from polynya.stages.uploads import Uploads
from polynya.stages.workspace import Workspace

_CHECKSUMS = 20_000


@dataclass(frozen=True, slots=True)
class StagedFile:
    """One file of a stage.

    Args:
        name: as LIST and COPY show it: ``stage/path``, or the URL of an external file.
        relative: its path below the stage's root.
        size: bytes.
        modified: UTC.
        path: on this machine, or None (S3).
        etag: the store's checksum of an S3 object, else "".
    """

    name: str
    relative: str
    size: int
    modified: datetime
    path: Path | None
    etag: str = ""

    @property
    def filename(self) -> str:
        """METADATA$FILENAME: the path in the stage, or in the whole bucket."""
        return self.relative if self.path is not None else self.name.split("/", 3)[3]


@dataclass(frozen=True, slots=True)
class StageLocation:
    """A place in a stage, resolved.

    Args:
        stage: the named stage, or None.
        prefix: what LIST puts before a file's relative path.
        root: the stage's folder on this machine, or None (S3).
        url: the external address of the stage's root, or "".
        path: below the root.
        options: credentials, endpoint and region of S3.
    """

    stage: Stage | None
    prefix: str
    root: Path | None
    url: str
    path: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def is_external(self) -> bool:
        return bool(self.url)

    def at(self, path: str) -> StageLocation:
        """The same stage at another path."""
        return StageLocation(self.stage, self.prefix, self.root, self.url, checked_path(path), self.options)


def require_address(context: Context, url: str) -> None:
    """Refuses an address of files on the server's machine to all but who may open the account to the outside.

    Raises:
        SnowflakeError: 003001 on the account.
    """
    if urlparse(url).scheme.lower() == "file":
        require_account(context, "CREATE INTEGRATION")


def _users_folder(name: str) -> str:
    """The folder of a user's stage. A user may be called ``..``."""
    return f"users/{quote(name, safe='').replace('.', '%2E') if set(name) == {'.'} else quote(name, safe='')}"


class StageStore:
    """The files of all stages of a home.

    Args:
        home: the home folder.
    """

    def __init__(self, home: Path) -> None:
        self.root = home / "stages"
        self.workspace = Workspace(home / "tmp" / "stages")
        # Copies of what routines import, named by their content.
        self.imports = Workspace(home / "tmp" / "imports")
        self._checksums: OrderedDict[tuple[str, int, int], str] = OrderedDict()
        self._lock = threading.Lock()
        self.uploads = Uploads(self.root)
        # No session outlives the server, so no temporary stage does.
        self._delete("temporary")

    # --- stages -----------------------------------------------------------------------------------------------------

    def new_directory(self, stage_id: int, *, temporary: bool) -> str:
        """Makes the folder of a new internal stage; its name for ``Stage.directory``."""
        name = f"{'temporary' if temporary else 'named'}/{stage_id}"
        (self.root / name).mkdir(parents=True, exist_ok=True)
        return name

    def drop(self, stage: Stage) -> None:
        """Removes the files of a dropped internal stage."""
        if stage.directory:
            self._delete(stage.directory)

    def drop_table(self, table_id: int) -> None:
        """Removes the files in a dropped table's stage."""
        self._delete(f"tables/{table_id}")

    def drop_user(self, name: str) -> None:
        """Removes the files in a dropped user's stage: another user of the name must not find them."""
        self._delete(_users_folder(name))

    def drop_temporary(self, context: Context) -> None:
        """Removes the files of a session's temporary stages and tables."""
        for item in list(context.temporary.values()):
            if isinstance(item, Stage):
                self.drop(item)
            elif isinstance(item, Table):
                self.drop_table(item.id)

    def resolve(self, location: str | Location, context: Context, privilege: str = "READ") -> StageLocation:
        """Finds a location's stage.

        Args:
            location: as SQL writes it, without quotes around.
            context: the session's names.
            privilege: READ or WRITE on an internal stage; an external stage needs USAGE, a table's stage its
                OWNERSHIP, an address without a stage the right to create integrations.

        Raises:
            SnowflakeError: 002003 if there is no such stage or table, 003001 without the privilege.
        """
        place = parse_location(location) if isinstance(location, str) else location
        if place.kind == "URL":
            require_address(context, place.path)
            return self.external(place.path, "", {}, None)
        if place.kind == "USER":
            return StageLocation(None, "", self._folder(_users_folder(context.user)), "", place.path)
        if place.kind == "TABLE":
            table = context.catalog.get(context, "TABLE", list(place.name))
            if not isinstance(table, Table):
                raise compilation_error(2003, "02000", f"Stage '%{place.name[-1]}' does not exist or not authorized.")
            require(context, "OWNERSHIP", table)
            return StageLocation(None, "", self._folder(f"tables/{table.id}"), "", place.path)
        stage = context.catalog.get(context, "STAGE", list(place.name))
        require(context, "USAGE" if stage.url else privilege, stage)
        if stage.url:
            return self.external(stage.url, place.path, stage.options, stage)
        folder = self._folder(stage.directory)
        return StageLocation(stage, f"{stage.name.lower()}/", folder, "", place.path)

    def external(self, url: str, path: str, options: dict[str, Any], stage: Stage | None) -> StageLocation:
        """A location at a storage address.

        Args:
            url: ``file://`` or ``s3://`` address of the stage's root.
            path: below it.
            options: credentials, endpoint, region.
            stage: the named stage, if any.

        Raises:
            SnowflakeError: 000002 for storage that is not supported.
        """
        scheme = urlparse(url).scheme.lower()
        prefix = url if url.endswith("/") or stage is None else url + "/"
        if scheme == "file":
            root = local_path(url)
            if stage is None:
                # A file or a folder or a prefix of names: the folder is the root, the rest the path.
                folder = url if url.endswith("/") else url[: url.rfind("/") + 1]
                path, root, prefix = url[len(folder) :], local_path(folder), folder
            return StageLocation(stage, prefix, root, url, path, options)
        if scheme in ("s3", "s3gov", "s3china", "s3compat"):
            if stage is None:
                bucket = "/".join(url.split("/")[:3]) + "/"
                prefix, path = bucket, url[len(bucket) :]
            return StageLocation(stage, prefix, None, prefix, path, options)
        raise unsupported(f"storage address {scheme}://")

    def _delete(self, folder: str) -> None:
        self.uploads.forget(self.root / folder)
        shutil.rmtree(self.root / folder, ignore_errors=True)

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # --- files ------------------------------------------------------------------------------------------------------

    def list_files(self, location: StageLocation, pattern: str | None = None) -> list[StagedFile]:
        """The files whose path begins with the location's, by name.

        Args:
            location: a stage and a path in it.
            pattern: a regular expression that the whole path below the stage's root must match, or None.

        Raises:
            SnowflakeError: for a pattern that is no regular expression; if storage cannot be reached.
        """
        files = self._list_local(location) if location.root is not None else self._list_s3(location)
        if pattern is not None:
            try:
                wanted = re.compile(pattern)
            except re.error as error:
                raise compilation_error(1008, "22023", f"Invalid regular expression: '{pattern}', {error}") from None
            files = [file for file in files if wanted.fullmatch(file.relative) or wanted.fullmatch(file.name)]
        return sorted(files, key=lambda file: file.name)

    def find(self, location: StageLocation, name: str) -> StagedFile | None:
        """The file of this name below the location's path, or None."""
        base = location.path
        if base and not base.endswith("/"):
            base += "/"
        wanted = checked_path(base + name)
        candidates = self.list_files(location.at(wanted))
        return next((file for file in candidates if file.relative == wanted), None)

    def exact(self, location: StageLocation) -> StagedFile | None:
        """The file at exactly the location's path, or None."""
        if location.root is not None:
            return self._local_file(location, location.root)
        return next((file for file in self.list_files(location) if file.relative == location.path), None)

    def checksum(self, file: StagedFile) -> str:
        """A file's MD5 (the ETag of an S3 object), in hexadecimal."""
        if file.path is None:
            return file.etag
        status = file.path.stat()
        key = (str(file.path), status.st_size, status.st_mtime_ns)
        with self._lock:
            if key in self._checksums:
                return self._checksums[key]
        with file.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        with self._lock:
            self._checksums[key] = digest
            if len(self._checksums) > _CHECKSUMS:
                self._checksums.popitem(last=False)
        return digest

    def local(self, file: StagedFile, location: StageLocation) -> Path:
        """A file's path on this machine; an S3 object is downloaded first (and kept for a while)."""
        if file.path is not None:
            return file.path
        key = s3.key(location.url, file.relative)
        return self.workspace.derived(
            f"s3:{location.url}{file.relative}:{file.etag}:{file.size}",
            lambda target: s3.download(location.url, location.options, key, target),
            suffix=Path(file.relative).suffix,
        )

    def add(self, location: StageLocation, relative: str, source: Path, *, overwrite: bool) -> StagedFile:
        """Moves a finished file into a stage.

        Args:
            location: the stage.
            relative: the new file's path below the stage's root.
            source: a file on this machine; it is gone afterwards.
            overwrite: whether it may replace another one.

        Raises:
            SnowflakeError: 001032 if it exists already.
        """
        relative = checked_path(relative)
        size = source.stat().st_size
        if not overwrite and self.exact(location.at(relative)) is not None:
            raise SnowflakeError(
                1030, "22000", f"Files already existing at the unload destination: {location.prefix}{relative}. "
                "Use overwrite option to force unloading.",
            )  # fmt: skip
        if location.root is None:
            s3.upload(location.url, location.options, s3.key(location.url, relative), source)
            source.unlink()
            path = None
        else:
            self.uploads.receive(location.root)
            path = self._inside(location.root, relative)
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}.{os.getpid()}.part")
            shutil.move(source, partial)
            partial.replace(path)  # a reader sees the whole file or none
        return StagedFile(location.prefix + relative, relative, size, datetime.now(UTC), path)

    def remove(self, location: StageLocation, files: list[StagedFile]) -> None:
        """Deletes files of one stage; those already gone are no error."""
        if location.root is None:
            s3.delete(location.url, location.options, [s3.key(location.url, file.relative) for file in files])
            return
        for file in files:
            if file.path is not None:
                file.path.unlink(missing_ok=True)
                self._prune(file.path.parent, location.root)

    def upload_folder(self, location: StageLocation) -> Path:
        """The folder of a location on this machine, for PUT and GET: the location's path is a folder.

        Raises:
            SnowflakeError: for an external stage.
        """
        if location.root is None or location.is_external:
            raise compilation_error(1008, "0A000", "PUT and GET are not supported for external stages.")
        self.uploads.receive(location.root)
        folder = self._inside(location.root, location.path)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _list_local(self, location: StageLocation) -> list[StagedFile]:
        root = location.root
        assert root is not None
        self.uploads.receive(root)
        # Only the part of the path up to its last slash is certain to be a folder.
        start = root / location.path[: location.path.rfind("/") + 1]
        found: list[StagedFile] = []
        real_root = os.path.realpath(root)
        if not f"{os.path.realpath(start)}{os.sep}".startswith(real_root + os.sep):
            return found  # a link out of the stage
        for folder, folders, names in os.walk(start, followlinks=False):
            folders.sort()
            for name in names:
                full = Path(folder) / name
                relative = full.relative_to(root).as_posix()
                if not relative.startswith(location.path) or (name.startswith(".") and name.endswith(".part")):
                    continue
                if full.is_symlink() and not os.path.realpath(full).startswith(real_root + os.sep):
                    continue  # a link out of the stage
                try:
                    status = full.stat()
                except FileNotFoundError:
                    continue
                modified = datetime.fromtimestamp(status.st_mtime, UTC)
                found.append(StagedFile(location.prefix + relative, relative, status.st_size, modified, full))
        return found

    def _local_file(self, location: StageLocation, root: Path) -> StagedFile | None:
        """The file at a location's path, without a look at its neighbours."""
        self.uploads.receive(root)
        path = root / location.path
        if location.path.endswith("/") or (path.name.startswith(".") and path.name.endswith(".part")):
            return None
        try:
            if not os.path.realpath(path, strict=True).startswith(os.path.realpath(root) + os.sep):
                return None  # a link out of the stage
            status = path.stat()
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
        return StagedFile(location.prefix + location.path, location.path, status.st_size, modified, path)

    def _list_s3(self, location: StageLocation) -> list[StagedFile]:
        base = s3.key(location.url, "")
        return [
            StagedFile(location.prefix + name[len(base) :], name[len(base) :], size, modified, None, etag)
            for name, size, modified, etag in s3.list_objects(location.url, location.options, base + location.path)
        ]

    @staticmethod
    def _inside(root: Path, relative: str) -> Path:
        """The path below the root, unless a link on the way leads out of it."""
        path = root / relative
        real = os.path.realpath(path)
        if real != os.path.realpath(root) and not real.startswith(os.path.realpath(root) + os.sep):
            raise compilation_error(1014, "22000", f"invalid stage path '{relative}': a path must not leave its stage.")
        return path

    @staticmethod
    def _prune(folder: Path, root: Path) -> None:
        """Removes folders that have become empty: a stage has files only."""
        while folder != root and root in folder.parents:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent


def local_path(url: str) -> Path:
    """The path of a ``file://`` address.

    Raises:
        SnowflakeError: if it names another machine or no absolute path.
    """
    parsed = urlparse(url, allow_fragments=False)
    path = Path(url2pathname(parsed.path + (f"?{parsed.query}" if parsed.query else "")))
    if parsed.netloc not in ("", "localhost") or not path.is_absolute() or ".." in path.parts:
        raise compilation_error(1008, "22023", f"invalid URL '{url}': a file URL is file:///absolute/path")
    return path
