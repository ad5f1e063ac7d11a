"""Headers: which layout, which column order, and what is said of others."""

from __future__ import annotations

import pytest

from tripcast.sources.formats import SCHEMA1, SCHEMA2, BadFile, recognise

LOWER = (
    "tripduration,starttime,stoptime,start station id,start station name,start station latitude,start station longitude,"
    "end station id,end station name,end station latitude,end station longitude,bikeid,usertype,birth year,gender"
)
TITLE = (
    "Trip Duration,Start Time,Stop Time,Start Station ID,Start Station Name,Start Station Latitude,"
    "Start Station Longitude,End Station ID,End Station Name,End Station Latitude,End Station Longitude,Bike ID,"
    "User Type,Birth Year,Gender"
)
SECOND = (
    "ride_id,rideable_type,started_at,ended_at,start_station_name,start_station_id,end_station_name,end_station_id,"
    "start_lat,start_lng,end_lat,end_lng,member_casual"
)
QUOTED = ",".join(f'"{name}"' for name in LOWER.split(","))


@pytest.mark.parametrize(
    ("header", "schema"),
    [
        (LOWER, SCHEMA1),
        (QUOTED, SCHEMA1),
        (TITLE, SCHEMA1),
        (LOWER + "\r\n", SCHEMA1),
        ("\ufeff" + LOWER, SCHEMA1),
        (SECOND, SCHEMA2),
        (SECOND + "\r\n", SCHEMA2),
        (", ".join(f'"{name}"' for name in SECOND.split(",")), SCHEMA2),
    ],
)
def test_known_headers(header: str, schema: object) -> None:
    found = recognise(header.encode())
    assert found.schema is schema
    assert found.columns == schema.columns  # type: ignore[attr-defined]


def test_another_column_order_is_kept() -> None:
    names = SECOND.split(",")
    found = recognise(",".join(reversed(names)).encode())
    assert found.columns == tuple(reversed(SCHEMA2.columns))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"\x89PNG\r", "binary"),
        (b"\xff\xfe\x00a", "binary"),
        (b"", "empty"),
        (LOWER.replace(",bikeid", "").encode(), "lacks bikeid"),
        (LOWER.encode() + b",comment", "unknown 'comment'"),
        (LOWER.encode() + b",gender", "repeats 'gender'"),
        (SECOND.replace("ride_id,", "").encode(), "lacks ride_id"),
        (LOWER.replace(",", ";").encode(), "not the header of a trip file"),
        (b'370,"2017-11-01 00:04:26","2017-11-01 00:10:37",3199', "not the header of a trip file"),
        (b"trip_id,starttime,stoptime,bikeid,tripduration,from_station_id,from_station_name", "not the header"),
    ],
)
def test_other_headers_are_refused_with_a_reason(header: bytes, said: str) -> None:
    with pytest.raises(BadFile) as caught:
        recognise(header)
    assert said in caught.value.reason
    assert caught.value.line == 1
