"""A station's history from the public service, in the form that ``weather`` reads.

NOAA's access data service, which needs no key: https://www.ncei.noaa.gov/support/access-data-service-api-user-documentation
"""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from datetime import date
from http.client import HTTPException
from pathlib import Path

from tripcast.sources.archive import Unreachable
from tripcast.sources.formats import BadFile

SERVICE = "https://www.ncei.noaa.gov/access/services/data/v1"
# Trips begin in 2013; a climatology wants years before.
FIRST_DAY = date(2000, 1, 1)
_MEASURES = "TMIN,TMAX,TAVG,PRCP,SNOW,SNWD,AWND"
_STATION = re.compile(r"[A-Z]{2}[A-Z0-9]{9}")
_SECONDS = 20.0
# A century of one station's days is 6 MB.
_MOST_BYTES = 64 << 20
_HEADER = b'"STATION"'


def download(station: str, folder: Path, today: date, service: str = SERVICE) -> Path:
    """Downloads a station's history as a GHCN daily file, in standard units.

    Args:
        station: its GHCN id, such as USW00094728 (Central Park).
        folder: made if missing; the file is STATION.csv there, replaced when the new one is whole.
        today: the last day that is asked for.
        service: the service's address.

    Raises:
        ValueError: the id is none.
        Unreachable: the service does not answer.
        BadFile: it answers with something else than this station's days.
    """
    station = station.strip().upper()
    if not _STATION.fullmatch(station):
        raise ValueError(f"{station!r} is no GHCN station: an id has 11 characters, such as USW00094728")
    query = {
        "dataset": "daily-summaries", "stations": station, "startDate": FIRST_DAY.isoformat(),
        "endDate": today.isoformat(), "dataTypes": _MEASURES, "format": "csv", "units": "standard",
        "includeStationName": "true",
    }  # fmt: skip
    url = f"{service}?{urllib.parse.urlencode(query, safe=',')}"
    answer = _fetch(url)
    if not answer.startswith(_HEADER):
        raise BadFile(f"{url} answers with no days of {station}: {_start(answer)}")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{station}.csv"
    unfinished = file.with_suffix(".part")
    unfinished.write_bytes(answer)
    unfinished.replace(file)
    return file


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as reply:
            announced = reply.headers.get("Content-Length")
            answer: bytes = reply.read(_MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        if error.code < 500:
            raise BadFile(f"{url} answers HTTP {error.code}: {_start(error.read(1000))}") from None
        reason = f"HTTP {error.code}"
    except (OSError, HTTPException) as error:
        reason = str(getattr(error, "reason", "")) or str(error) or type(error).__name__
    else:
        if len(answer) <= _MOST_BYTES and (announced is None or len(answer) == int(announced)):
            return answer
        reason = f"{len(answer)} of {announced or 'fewer'} bytes came"
    host = urllib.parse.urlsplit(url).hostname
    raise Unreachable(f"the weather service {host} cannot be reached ({reason}): give a file with --file")


def _start(answer: bytes) -> str:
    return " ".join(answer[:200].decode("utf-8", "replace").split()) or "nothing"
