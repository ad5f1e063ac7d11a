"""Trip files written by hand."""

from __future__ import annotations

from pathlib import Path

from test_formats import LOWER, SECOND


def old(
    start: str = "2018-01-01 00:01:45.8140",
    stop: str = "2018-01-01 00:03:58.4750",
    bike: str = "31929",
    station: str = "3183",
    name: str = "Exchange Place",
    end: str = "3199",
    birth: str = "1992",
) -> str:
    """A line of schema 1."""
    return f"132,{start},{stop},{station},{name},40.7162469,-74.0334588,{end},Newport Pkwy,40.7,-74.0,{bike},Subscriber,{birth},1"


def new(
    ride: str = "121DD7DD23CB1335",
    start: str = "2021-02-03 23:11:28",
    stop: str = "2021-02-03 23:18:28",
    station: str = "JC105",
    name: str = "Hoboken Ave at Monmouth St",
    end: str = "JC034",
) -> str:
    """A line of schema 2."""
    return f"{ride},docked_bike,{start},{stop},{name},{station},Christ Hospital,{end},40.735208,-74.046964,40.7,-74.0,member"


def write_old(path: Path, *rows: str, header: str = LOWER) -> Path:
    """A CSV file of schema 1."""
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def write_new(path: Path, *rows: str) -> Path:
    """A CSV file of schema 2."""
    path.write_bytes("\r\n".join([SECOND, *rows, ""]).encode())
    return path
