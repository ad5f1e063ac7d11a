"""Synthetic trips: exact in number, the same for the same seed, in all the formats of real files, and lifelike."""

from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tripcast.sources.files import Part, parts, trip_files
from tripcast.sources.repack import repack
from tripcast.sources.synthetic import Generated, generate, months_between
from tripcast.sources.synthetic_files import VARIANTS


def lines_in(folder: Path, scratch: Path) -> int:
    count = 0
    for file in trip_files(folder):
        for part in parts(file.path, scratch):
            assert isinstance(part, Part)
            result = repack(part, scratch / "target.gz")
            assert result.bad_line_count == 0, (file.name, result.bad_lines)
            count += result.lines
    return count


def frame(path: Path) -> pd.DataFrame:
    if path.suffix != ".zip":
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.startswith("__MACOSX")]
        return pd.concat([pd.read_csv(archive.open(name), dtype=str, keep_default_na=False) for name in names])


def test_counts_are_exact(synthetic: tuple[Path, Generated], tmp_path: Path) -> None:
    folder, made = synthetic
    assert made.trips == 20_000
    assert len(made.files) == 41
    assert lines_in(folder, tmp_path) == made.rows > made.trips
    assert (made.first_day, made.last_day) == (date(2017, 11, 1), date(2021, 3, 31))


def test_two_files_share_the_first_days_of_a_month(synthetic: tuple[Path, Generated]) -> None:
    folder, made = synthetic
    september, october = (
        frame(folder / f"SYNTHETIC-JC-2020{month}-citibike-tripdata.csv.zip") for month in ("09", "10")
    )
    shared = september.merge(october)
    assert len(shared) == made.rows - made.trips
    assert shared["starttime"].str.startswith("2020-10").all()


def test_no_bike_starts_twice_at_once(synthetic: tuple[Path, Generated]) -> None:
    _, made = synthetic
    rows = pd.concat([frame(path) for path in made.files if "tripdata" in path.name and "2021-" not in path.name])
    first = rows[rows["bikeid"].notna()].drop_duplicates()
    assert not first.duplicated(["starttime", "bikeid"]).any()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    made = [generate(tmp_path / name, trips=500, first="2020-12", last="2021-03", seed=seed).files for name, seed in
            (("a", 1), ("b", 1), ("c", 2))]  # fmt: skip
    contents = [[path.read_bytes() for path in files] for files in made]
    assert contents[0] == contents[1] != contents[2]


def test_every_format_of_the_real_files_is_written(tmp_path: Path) -> None:
    made = generate(tmp_path / "all", trips=4000, first="2013-06", last="2024-02", stations=10)
    names = [path.name for path in made.files]
    assert all(name.startswith("SYNTHETIC") for name in names)
    assert any(" " in name for name in names)
    assert lines_in(tmp_path / "all", tmp_path) == made.rows
    texts = {}
    for path in made.files:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                texts[path.name] = [archive.read(name) for name in archive.namelist()]
    second = [contents for name, contents in texts.items() if any(b"ride_id" in text[:10] for text in contents)]
    assert second and all(len(contents) % 2 == 0 for contents in second)  # each part with its __MACOSX twin
    assert any(len(contents) == 4 for contents in second)  # several parts
    whole = b"".join(text for contents in texts.values() for text in contents)
    for wanted in (b"Trip Duration,", b'"tripduration",', b"\ntripduration,", b"\r\n", b"\\N", b"NULL"):
        assert wanted in b"\n" + whole, wanted
    assert len({variant.header for variant in VARIANTS}) == 3


def test_demand_is_lifelike(tmp_path: Path) -> None:
    made = generate(tmp_path, trips=60_000, stations=20)
    times = pd.concat(
        [frame(path).rename(columns={"started_at": "starttime"})["starttime"] for path in made.files], ignore_index=True
    )
    days = pd.to_datetime(times, format="ISO8601").dt.floor("D").value_counts().sort_index().asfreq("D", fill_value=0)
    normal = days["2018":"2019"]
    assert normal[normal.index.month == 7].mean() > 1.5 * normal[normal.index.month == 1].mean()
    assert days["2020-03-20":"2020-04-20"].mean() < 0.5 * days["2019-03-20":"2019-04-20"].mean()
    assert (days == 0).any()  # everything stood still
    lag = np.corrcoef(normal[7:], normal[:-7])[0, 1]
    assert lag > 0.4


@pytest.mark.parametrize("arguments", [{"stations": 0}, {"trips": -1}, {"first": "2020-02", "last": "2020-01"}])
def test_impossible_wishes_are_refused(tmp_path: Path, arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="at least"):
        generate(tmp_path, **arguments)  # type: ignore[arg-type]


def test_no_trips_at_all_still_gives_files(tmp_path: Path) -> None:
    made = generate(tmp_path, trips=0, first="2021-01", last="2021-02")
    assert (len(made.files), made.rows) == (2, 0)


def test_months() -> None:
    assert months_between("2020-11", "2021-02") == [
        date(2020, 11, 1),
        date(2020, 12, 1),
        date(2021, 1, 1),
        date(2021, 2, 1),
    ]
