"""The operator's published archive of trip files: a public S3 bucket read over HTTP.

https://citibikenyc.com/system-data describes it. The bucket's listing names the files, since some names are odd
(``JC-201708 citibike-tripdata.csv.zip``, ``JC-202207-citbike-tripdata.csv.zip``).
"""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from xml.etree import ElementTree

from tripcast.sources.files import CHUNK
from tripcast.sources.formats import BadFile

BASE_URL = "https://s3.amazonaws.com/tripdata/"
JERSEY_CITY = "JC-"
NEW_YORK = ""
CONNECT_SECONDS = 4.0
ATTEMPTS = 3
_MONTH = re.compile(r"(?<!\d)(20\d\d)(0[1-9]|1[0-2])(?!\d)")
_TRIP_FILE = re.compile(r"^(JC-)?20\d{4}\D.*\.(zip|csv|gz)$", re.IGNORECASE)


class Unreachable(Exception):
    """The archive does not answer."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A trip file of the archive.

    Args:
        base_url: of the archive, with the final slash.
        name: as listed.
        size: bytes, where listed.
        tag: the server's content tag, where listed.
    """

    base_url: str
    name: str
    size: int | None = None
    tag: str = ""

    def fingerprint(self) -> str:
        return f"etag:{self.tag}:{self.size}" if self.tag else f"url:{self.base_url}{self.name}"

    def fetch(self, folder: Path) -> Path:
        """Downloads the file.

        Raises:
            BadFile: it cannot be had whole.
        """
        target = folder / Path(self.name).name
        url = self.base_url + urllib.parse.quote(self.name)
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(2**attempt / 2)
            try:
                with urllib.request.urlopen(url, timeout=30) as reply, target.open("wb") as out:
                    announced = reply.headers.get("Content-Length")
                    while chunk := reply.read(CHUNK):
                        out.write(chunk)
                received = target.stat().st_size
                if announced is None or received == int(announced):
                    return target
                reason = f"{received} of {announced} bytes came"
            except urllib.error.HTTPError as error:
                reason = f"HTTP {error.code}"
                if error.code in (403, 404):
                    break
            except (OSError, HTTPException) as error:
                reason = str(error) or type(error).__name__
        target.unlink(missing_ok=True)
        raise BadFile(f"cannot be downloaded from {url}: {reason}")


def month_of(name: str) -> str | None:
    """The month in a trip file's name, ``2020-09``; None if there is none."""
    match = _MONTH.search(name)
    return f"{match[1]}-{match[2]}" if match else None


def listing(
    base_url: str = BASE_URL,
    prefix: str = JERSEY_CITY,
    first: str = "",
    last: str = "9999-12",
    timeout: float = CONNECT_SECONDS,
) -> list[RemoteFile]:
    """The archive's monthly files.

    Args:
        base_url: of the archive, with the final slash.
        prefix: of the names: ``JC-`` for Jersey City, empty for New York.
        first, last: months, ``2017-11``, both included.
        timeout: seconds within which the archive must answer.

    Raises:
        Unreachable: it does not.
    """
    files: list[RemoteFile] = []
    marker = ""
    while True:
        query = urllib.parse.urlencode({"prefix": prefix, "marker": marker})
        try:
            with urllib.request.urlopen(f"{base_url}?{query}", timeout=timeout) as reply:
                tree = ElementTree.fromstring(reply.read())
        except (OSError, HTTPException, ElementTree.ParseError) as error:
            raise Unreachable(f"{base_url} does not answer: {error}") from error
        keys = tree.findall("{*}Contents")
        for entry in keys:
            name = entry.findtext("{*}Key", "")
            month = month_of(name)
            match = _TRIP_FILE.match(name)
            if match and month and (match[1] or "").upper() == prefix.upper() and first <= month <= last:
                size = entry.findtext("{*}Size")
                tag = entry.findtext("{*}ETag", "").strip('"')
                files.append(RemoteFile(base_url, name, int(size) if size else None, tag))
        if tree.findtext("{*}IsTruncated") != "true" or not keys:
            return sorted(files, key=lambda file: (month_of(file.name) or "", file.name))
        marker = keys[-1].findtext("{*}Key", "")
