"""Synthetic trips as files: one writer for each way in which real files were written over the years."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

SCHEMA2_FROM = date(2021, 2, 1)
SEVERAL_PARTS_FROM = date(2024, 1, 1)
NO_STATION = -1
_LOWER = (
    "tripduration,starttime,stoptime,start station id,start station name,start station latitude,"
    "start station longitude,end station id,end station name,end station latitude,end station longitude,"
    "bikeid,usertype,birth year,gender"
)
_TITLE = (
    "Trip Duration,Start Time,Stop Time,Start Station ID,Start Station Name,Start Station Latitude,"
    "Start Station Longitude,End Station ID,End Station Name,End Station Latitude,End Station Longitude,"
    "Bike ID,User Type,Birth Year,Gender"
)
_SCHEMA2 = (
    "ride_id,rideable_type,started_at,ended_at,start_station_name,start_station_id,end_station_name,end_station_id,"
    "start_lat,start_lng,end_lat,end_lng,member_casual"
)
_QUOTED = ",".join(f'"{name}"' for name in _LOWER.split(","))

Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Stations:
    """The synthetic network: ids before and after 2021-02, names, places in degrees, demand weights."""

    old_ids: list[str]
    new_ids: list[str]
    names: list[str]
    latitude: npt.NDArray[np.float64]
    longitude: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    leisure: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trips:
    """Trips column by column; stations by index, ``end`` may be NO_STATION; ``birth`` 0 is unknown."""

    start: Times
    stop: Times
    station: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    bike: npt.NDArray[np.int64]
    member: npt.NDArray[np.bool_]
    birth: npt.NDArray[np.int64]
    gender: npt.NDArray[np.int64]
    serial: npt.NDArray[np.uint64]

    def select(self, rows: npt.NDArray[np.bool_]) -> Trips:
        return Trips(*(getattr(self, column.name)[rows] for column in fields(self)))

    def and_then(self, other: Trips) -> Trips:
        return Trips(
            *(np.concatenate([getattr(self, column.name), getattr(other, column.name)]) for column in fields(self))
        )


def _iso(times: Times) -> pa.Array:
    return pa.array(times.astype("datetime64[s]")).cast(pa.string())


def _iso_fraction(times: Times) -> pa.Array:
    return pc.binary_join_element_wise(pa.array(times).cast(pa.string()), "0", "")


def _american(seconds: bool, year_digits: int) -> Callable[[Times], pa.Array]:
    """``9/1/2014 00:00:25``, or without seconds ``1/1/2015 0:01``, or with a short year ``5/1/17 0:03``."""

    def write(times: Times) -> pa.Array:
        moment = pa.array(times.astype("datetime64[s]"))
        year = pc.utf8_slice_codeunits(pc.year(moment).cast(pa.string()), 4 - year_digits)
        day = pc.binary_join_element_wise(
            pc.month(moment).cast(pa.string()), pc.day(moment).cast(pa.string()), year, "/"
        )
        clock = pc.utf8_slice_codeunits(moment.cast(pa.string()), 11)
        if not seconds:
            minute = pc.utf8_slice_codeunits(clock, 3, 5)
            clock = pc.binary_join_element_wise(pc.hour(moment).cast(pa.string()), minute, ":")
        return pc.binary_join_element_wise(day, clock, " ")

    return write


@dataclass(frozen=True, slots=True)
class Variant:
    """How schema 1 was written from a month on.

    Args:
        start: the month.
        header: as written.
        time: writes timestamps.
        quoting: ``all_valid`` (every field), ``needed`` (texts only), ``none``.
        null: what stands for no value.
        line_end: ``\\n`` or ``\\r\\n``.
    """

    start: date
    header: str
    time: Callable[[Times], pa.Array]
    quoting: str
    null: str
    line_end: str = "\n"


VARIANTS = (
    Variant(date(2000, 1, 1), _QUOTED, _iso, "all_valid", "\\N"),
    Variant(date(2014, 9, 1), _QUOTED, _american(True, 4), "all_valid", "\\N"),
    Variant(date(2015, 1, 1), _LOWER, _american(False, 4), "none", "", "\r\n"),
    Variant(date(2015, 4, 1), _QUOTED, _american(True, 4), "needed", ""),
    Variant(date(2016, 10, 1), _TITLE, _iso, "none", ""),
    Variant(date(2017, 4, 1), _LOWER, _american(False, 2), "none", "NULL", "\r\n"),
    Variant(date(2017, 6, 1), _QUOTED, _iso, "needed", "NULL"),
    Variant(date(2018, 1, 1), _QUOTED, _iso_fraction, "needed", "NULL"),
)


def write_month(folder: Path, label: str, month: date, trips: Trips, network: Stations) -> list[Path]:
    """Writes one month's file as it would have been published then.

    Args:
        folder: there already.
        label: first word of the file's name.
        month: its first day.
        trips: the rows.
        network: the stations.
    """
    stem = f"{label}-JC-{month:%Y%m}"
    separator = " " if (month.year, month.month) == (2017, 8) else "-"
    name = f"{stem}{separator}citibike-tripdata.csv"
    if month < SCHEMA2_FROM:
        text = _schema1(month, trips, network)
    else:
        text = _schema2(trips, network)
    if date(2017, 11, 1) <= month < date(2018, 1, 1):  # published without a zip
        path = folder / name
        path.write_bytes(text)
        return [path]
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        pieces = [text] if month < SEVERAL_PARTS_FROM else _halves(text)
        for number, piece in enumerate(pieces, 1):
            member = name if len(pieces) == 1 else f"{name.removesuffix('.csv')}_{number}.csv"
            # fixed times: the same arguments give the same bytes
            archive.writestr(_entry(member), piece)
            if month >= SCHEMA2_FROM:
                archive.writestr(_entry(f"__MACOSX/._{member}"), b"\x00\x05\x16\x07" + b"Mac OS X" + bytes(465))
    return [path]


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _halves(text: bytes) -> list[bytes]:
    header_end = text.index(b"\n") + 1
    middle = text.find(b"\n", len(text) // 2) + 1
    return [text[:middle], text[:header_end] + text[middle:]] if middle > header_end else [text]


def _render(header: str, columns: list[pa.Array], quoting: str, line_end: str) -> bytes:
    sink = io.BytesIO()
    sink.write(header.encode() + b"\n")
    table = pa.Table.from_arrays(columns, names=[f"c{number}" for number in range(len(columns))])
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False, quoting_style=quoting))
    text = sink.getvalue()
    return text if line_end == "\n" else text.replace(b"\n", line_end.encode())


def _schema1(month: date, trips: Trips, network: Stations) -> bytes:
    variant = [variant for variant in VARIANTS if variant.start <= month][-1]
    start = pa.array(trips.station)
    docked = trips.end != NO_STATION
    end = pa.array(np.where(docked, trips.end, 0))
    seconds = (trips.stop - trips.start).astype("timedelta64[s]").astype(np.int64)

    def or_null(values: pa.Array, known: npt.NDArray[np.bool_]) -> pa.Array:
        return pc.if_else(pa.array(known), values.cast(pa.string()), variant.null)

    # the writer quotes texts, and where only texts are quoted a station id is a number
    texts = variant.quoting != "needed"
    ids = pa.array(network.old_ids).cast(pa.string() if texts else pa.int64())
    names = pa.array(network.names)
    birth = trips.birth != 0
    columns = [
        pa.array(seconds),
        variant.time(trips.start),
        variant.time(trips.stop),
        ids.take(start),
        names.take(start),
        pa.array(network.latitude).take(start),
        pa.array(network.longitude).take(start),
        or_null(ids.take(end), docked) if texts else ids.take(end),
        or_null(names.take(end), docked) if texts else names.take(end),
        pa.array(network.latitude).take(end),
        pa.array(network.longitude).take(end),
        pa.array(trips.bike),
        pa.array(["Customer", "Subscriber"]).take(pa.array(trips.member.astype(np.int64))),
        or_null(pa.array(trips.birth), birth) if not birth.all() else pa.array(trips.birth),
        pa.array(trips.gender),
    ]
    return _render(variant.header, columns, variant.quoting, variant.line_end)


def _schema2(trips: Trips, network: Stations) -> bytes:
    start = pa.array(trips.station)
    end = pa.array(trips.end, mask=trips.end == NO_STATION)
    names, ids = pa.array(network.names), pa.array(network.new_ids)
    columns = [
        _hexadecimal(trips.serial),
        pa.array(["docked_bike"] * len(trips.start)),
        _iso(trips.start),
        _iso(trips.stop),
        names.take(start),
        ids.take(start),
        names.take(end),
        ids.take(end),
        pa.array(network.latitude).take(start),
        pa.array(network.longitude).take(start),
        pa.array(network.latitude).take(end),
        pa.array(network.longitude).take(end),
        pa.array(["casual", "member"]).take(pa.array(trips.member.astype(np.int64))),
    ]
    return _render(_SCHEMA2, columns, "none", "\r\n")


def _hexadecimal(numbers: npt.NDArray[np.uint64]) -> pa.Array:
    """16 hexadecimal digits each."""
    pairs = np.array([f"{value:02X}" for value in range(256)], dtype="S2")
    octets = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)
    return pa.array(pairs[octets].view("S16").ravel()).cast(pa.string())
