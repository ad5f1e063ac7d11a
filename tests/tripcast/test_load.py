"""From files to TRIPS through a server: nothing twice, nothing half, every quirk survived."""

from __future__ import annotations

import gzip
import random
import shutil
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from snowflake.snowpark import Session
from test_formats import LOWER
from trip_rows import new, old, write_new, write_old

from tripcast import elt
from tripcast.elt import load as load_module
from tripcast.elt.report import LoadReport, describe
from tripcast.setup import make_objects
from tripcast.sources.choose import in_months
from tripcast.sources.files import trip_files
from tripcast.sources.synthetic import Generated


@pytest.fixture
def trips(session: Session) -> Session:
    """A session whose schema is ready for a load."""
    make_objects(session)
    return session


def load_folder(session: Session, folder: Path) -> LoadReport:
    return load_module.load(session, trip_files(folder))


def rows(session: Session, columns: str, order: str = "1") -> list[tuple[object, ...]]:
    return [tuple(row) for row in session.sql(f"SELECT {columns} FROM TRIPS ORDER BY {order}").collect()]


def test_synthetic_files_load_exactly_once(trips: Session, synthetic: tuple[Path, Generated]) -> None:
    folder, made = synthetic
    report = load_folder(trips, folder)
    assert (report.files, report.loaded, report.rejected) == (41, 41, 0)
    assert (report.lines, report.trips, report.repeated) == (made.rows, made.trips, made.rows - made.trips)
    assert not [issue for issue in report.issues if not issue.kept]
    again = load_folder(trips, folder)
    assert (again.skipped, again.loaded, again.new_trips, again.trips) == (41, 0, 0, made.trips)


@pytest.mark.realdata
def test_the_real_files_load_exactly_once(trips: Session, real_trips: Path) -> None:
    report = load_folder(trips, real_trips)
    assert (report.lines, report.trips, report.repeated) == (1_168_749, 1_155_298, 13_451)
    assert not [issue for issue in report.issues if not issue.kept]
    again = load_folder(trips, real_trips)
    assert (again.skipped, again.new_trips, again.trips) == (41, 0, 1_155_298)
    by_schema = trips.sql("SELECT COUNT_IF(RIDE_ID IS NULL), COUNT(DISTINCT RIDE_ID) FROM TRIPS").collect()[0]
    assert tuple(by_schema) == (1_133_294, 22_004)


def test_every_published_format_loads(trips: Session, tmp_path: Path) -> None:
    from tripcast.sources.synthetic import generate

    made = generate(tmp_path, trips=3000, first="2013-06", last="2024-02", stations=10)
    report = load_folder(trips, tmp_path)
    assert report.trips == made.trips
    first, last, stations, unknown = trips.sql(
        "SELECT MIN(STARTTIME)::DATE, MAX(STARTTIME)::DATE, COUNT(DISTINCT START_STATION_NAME), COUNT_IF(END_STATION_ID "
        "IN ('NULL', '\\\\N', '')) FROM TRIPS"
    ).collect()[0]
    assert (stations, unknown) == (10, 0)
    assert made.first_day <= first <= last <= made.last_day


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2013-07-01 00:00:00", datetime(2013, 7, 1)),
        ("9/1/2014 00:00:25", datetime(2014, 9, 1, 0, 0, 25)),
        ("12/31/2014 23:59:59", datetime(2014, 12, 31, 23, 59, 59)),
        ("1/1/2015 0:01", datetime(2015, 1, 1, 0, 1)),
        ("5/1/17 0:03", datetime(2017, 5, 1, 0, 3)),
        ("2018-01-01 00:01:45.8140", datetime(2018, 1, 1, 0, 1, 45, 814000)),
        ("2020-02-29 12:00:00.0001", datetime(2020, 2, 29, 12, 0, 0, 100)),
    ],
)
def test_times_as_written_over_the_years(trips: Session, tmp_path: Path, text: str, wanted: datetime) -> None:
    write_old(tmp_path / "a.csv", old(start=text, stop=text))
    load_folder(trips, tmp_path)
    assert rows(trips, "STARTTIME, STOPTIME") == [(wanted, wanted)]


def test_the_columns_of_both_layouts(trips: Session, tmp_path: Path) -> None:
    write_old(tmp_path / "old.csv", old())
    write_new(tmp_path / "new.csv", new())
    load_folder(trips, tmp_path)
    columns = (
        "STARTTIME, STOPTIME, TRIPDURATION, START_STATION_ID, START_STATION_NAME, START_STATION_LATITUDE, END_STATION_ID, "
        "BIKEID, USERTYPE, BIRTH_YEAR, GENDER, RIDE_ID, RIDEABLE_TYPE, MEMBER_CASUAL, SOURCE_FILE"
    )
    first, second = rows(trips, columns)
    assert first == (
        datetime(2018, 1, 1, 0, 1, 45, 814000), datetime(2018, 1, 1, 0, 3, 58, 475000), 132, "3183", "Exchange Place",
        40.7162469, "3199", 31929, "Subscriber", 1992, 1, None, None, None, "schema1/old.csv.gz",
    )  # fmt: skip
    assert second == (
        datetime(2021, 2, 3, 23, 11, 28), datetime(2021, 2, 3, 23, 18, 28), 420, "JC105", "Hoboken Ave at Monmouth St",
        40.735208, "JC034", None, "Subscriber", None, None, "121DD7DD23CB1335", "docked_bike", "member",
        "schema2/new.csv.gz",
    )  # fmt: skip


@pytest.mark.parametrize("null", ["", "NULL", "\\N"])
def test_what_stands_for_null(trips: Session, tmp_path: Path, null: str) -> None:
    write_old(tmp_path / "a.csv", old(birth=null, end=null, bike=null))
    write_old(tmp_path / "quoted.csv", old(birth=f'"{null}"', end=f'"{null}"', start="2018-01-02 00:00:00"))
    load_folder(trips, tmp_path)
    assert rows(trips, "BIRTH_YEAR, END_STATION_ID") == [(None, None)] * 2


def test_columns_in_another_order_load_by_name(trips: Session, tmp_path: Path) -> None:
    names, values = LOWER.split(","), old().split(",")
    write_old(tmp_path / "a.csv", ",".join(reversed(values)), header=",".join(reversed(names)))
    load_folder(trips, tmp_path)
    assert rows(trips, "START_STATION_ID, BIKEID, GENDER") == [("3183", 31929, 1)]


@pytest.mark.parametrize(
    ("second", "trips_wanted"),
    [
        (old(), 1),
        (old(birth="1950"), 1),  # a corrected birth year: still that trip
        (old(start="2018-01-01 00:01:45.814"), 1),
        (old(bike="1"), 2),
        (old(start="2018-01-01 00:01:46.8140"), 2),
        (old(station="3184"), 2),
        (old(end="3184"), 2),
        (old(bike=""), 2),
    ],
)
def test_what_is_the_same_trip(trips: Session, tmp_path: Path, second: str, trips_wanted: int) -> None:
    write_old(tmp_path / "a.csv", old())
    write_old(tmp_path / "b.csv", second, second)
    assert load_folder(trips, tmp_path).trips == trips_wanted


def test_a_ride_id_is_one_trip(trips: Session, tmp_path: Path) -> None:
    write_new(tmp_path / "a.csv", new(), new(ride="B"))
    write_new(tmp_path / "b.csv", new(start="2021-02-03 23:11:29"), new(ride="C"))
    assert load_folder(trips, tmp_path).trips == 3


def test_rides_of_one_bike_and_moment_in_many_files(trips: Session, tmp_path: Path) -> None:
    other = old(start="2018-01-02 00:01:45.8140")
    write_old(tmp_path / "a.csv", old(), other)
    write_old(tmp_path / "b.csv", old(end="3200"), old(bike=""))
    write_old(tmp_path / "c.csv", old(), "", "x", old(bike=""))
    write_old(tmp_path / "d.csv", other, old(station="3184"))
    report = load_folder(trips, tmp_path)
    assert (report.trips, report.repeated, report.left_out) == (5, 3, 1)
    assert rows(trips, "SOURCE_FILE, END_STATION_ID, START_STATION_ID, BIKEID", "1, STARTTIME, 2 DESC") == [
        ("schema1/a.csv.gz", "3199", "3183", 31929),
        ("schema1/a.csv.gz", "3199", "3183", 31929),
        ("schema1/b.csv.gz", "3200", "3183", 31929),
        ("schema1/b.csv.gz", "3199", "3183", None),
        ("schema1/d.csv.gz", "3199", "3184", 31929),
    ]


def test_a_trip_that_came_before_is_not_loaded_from_a_later_file(trips: Session, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    write_old(tmp_path / "one" / "202009.csv", old(), old(bike="2"))
    write_old(tmp_path / "two" / "202010.csv", old(bike="2"), old(bike="3"))
    assert load_folder(trips, tmp_path / "one").trips == 2
    report = load_folder(trips, tmp_path / "two")
    assert (report.new_trips, report.repeated, report.trips) == (1, 1, 3)


def test_month_by_month_gives_the_same_as_all_at_once(trips: Session, synthetic: tuple[Path, Generated]) -> None:
    folder, made = synthetic
    for month in ("2020-08", "2020-10", "2020-09"):
        report = load_module.load(trips, in_months(trip_files(folder), month, month))
        assert report.loaded == 1
    first, last = trips.sql("SELECT MIN(STARTTIME)::DATE, MAX(STARTTIME)::DATE FROM TRIPS").collect()[0]
    assert (first.isoformat(), last.isoformat()) == ("2020-08-01", "2020-10-31")
    assert load_folder(trips, folder).trips == made.trips


def test_a_file_published_anew_replaces_its_lines(trips: Session, tmp_path: Path) -> None:
    write_old(tmp_path / "a.csv", old())
    load_folder(trips, tmp_path)
    write_old(tmp_path / "a.csv", old(), old(bike="2"))
    report = load_folder(trips, tmp_path)
    assert (report.skipped, report.loaded, report.trips) == (0, 1, 2)
    assert trips.table("RAW_SCHEMA1").count() == 2


def test_a_bad_line_of_a_file_published_anew_is_told(trips: Session, tmp_path: Path) -> None:
    """Also where as many trips of that file are there already as the new one has lines."""
    write_old(tmp_path / "a.csv", old(bike="1"), old(bike="2"))
    load_folder(trips, tmp_path)
    write_old(tmp_path / "a.csv", old(bike="1"), old(bike="3", start="2018-02-30 00:00:00"))
    report = load_folder(trips, tmp_path)
    assert [(issue.line, issue.reason, issue.kept) for issue in report.issues] == [(3, "impossible start time", False)]
    assert report.trips == 2


def test_lines_that_are_kept_are_told_though_every_line_became_a_trip(trips: Session, tmp_path: Path) -> None:
    write_old(tmp_path / "a.csv", old(bike="1"), old(bike="2", end="NULL"))
    write_old(tmp_path / "b.csv", old(bike="3"), old(bike="4", stop="2017-12-31 00:00:00"))
    report = load_folder(trips, tmp_path)
    said = [(issue.source, issue.line, issue.reason, issue.kept) for issue in report.issues]
    assert said == [("a.csv", 3, "end station id is NULL", True), ("b.csv", 3, "stops before it starts", True)]
    assert (report.trips, report.left_out) == (4, 0)


def test_two_files_whose_names_become_the_same_in_the_stage(trips: Session, tmp_path: Path) -> None:
    write_old(tmp_path / "a b.csv", old(bike="1"))
    write_old(tmp_path / "a_b.csv", old(bike="2"))
    with zipfile.ZipFile(tmp_path / "a b.csv.zip", "w") as archive:
        archive.writestr("a b.csv", f"{LOWER}\n{old(bike='3')}\n")
    assert load_folder(trips, tmp_path).trips == 3
    assert load_folder(trips, tmp_path).skipped == 3


def test_a_run_stopped_after_any_step_is_finished_by_the_next(
    trips: Session, synthetic: tuple[Path, Generated], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, made = synthetic

    class Stopped(Exception):
        pass

    for step in ("load_raw", "conform"):
        genuine = getattr(load_module, step)

        def stop(*args: object, genuine: object = genuine) -> None:
            genuine(*args)  # type: ignore[operator]
            raise Stopped

        monkeypatch.setattr(load_module, step, stop)
        with pytest.raises(Stopped):
            load_folder(trips, folder)
        monkeypatch.setattr(load_module, step, genuine)
    report = load_folder(trips, folder)
    assert (report.skipped, report.loaded, report.trips) == (41, 41, made.trips)
    raw = trips.table("RAW_SCHEMA1").count() + trips.table("RAW_SCHEMA2").count()
    assert raw == made.rows


def bad_folder(folder: Path) -> None:
    """Two good files and one of each kind of bad one."""
    write_old(folder / "good-201801.csv", *[old(bike=str(n)) for n in range(10)])
    write_new(folder / "good-202102.csv", *[new(ride=f"R{n}") for n in range(10)])
    whole = folder / "truncated.zip"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("truncated.csv", "\n".join([LOWER, *[old(bike=f"9{n}") for n in range(1000)]]))
    whole.write_bytes(whole.read_bytes()[:-200])
    write_old(folder / "missing-column.csv", old(), header=LOWER.replace(",bikeid", ""))
    write_old(folder / "extra-column.csv", old() + ",x", header=LOWER + ",comment")
    (folder / "noise.csv").write_bytes(random.Random(3).randbytes(10_000))
    (folder / "noise.zip").write_bytes(random.Random(4).randbytes(10_000))
    (folder / "empty.csv").write_bytes(b"")
    (folder / "other-city.csv").write_text(
        "trip_id,start_time,end_time,bikeid,tripduration,from_station_id,from_station_name,to_station_id,to_station_name\n"
        "21742443,2019-01-01 00:04:37,2019-01-01 00:11:07,2167,390.0,199,Wabash,84,Milwaukee\n"
    )
    write_old(folder / "no-header.csv", old(), header=old())
    write_old(
        folder / "mixed.csv",
        old(bike="500"),
        old(start="2018-02-30 00:00:00", bike="501"),
        old(bike="502") + ",surplus",
        old(station="NULL", name="NULL", bike="503"),
        old(start="2999-01-01 00:00:00", stop="2999-01-01 00:10:00", bike="504"),
        old(bike="505"),
    )
    with zipfile.ZipFile(folder / "half-good.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("part_1.csv", f"{LOWER}\n{old(bike='600')}\n")
        archive.writestr("part_2.csv", "nonsense\n1\n")
    (folder / "cut.csv.gz").write_bytes(gzip.compress(f"{LOWER}\n{old()}\n".encode() * 99)[:-20])


def test_bad_files_and_lines_are_named_and_the_rest_loads(trips: Session, tmp_path: Path) -> None:
    bad_folder(tmp_path)
    report = load_folder(trips, tmp_path)
    # two good files, two good lines and one without a station in the mixed file, one good part of a zip
    assert report.trips == 10 + 10 + 3 + 1
    said = {(issue.source, issue.line): (issue.reason, issue.kept) for issue in report.issues}
    wanted = {
        ("truncated.zip", None): "truncated zip",
        ("missing-column.csv", 1): "lacks bikeid",
        ("extra-column.csv", 1): "unknown 'comment'",
        ("noise.csv", 1): "binary",
        ("noise.zip", None): "not a zip",
        ("empty.csv", None): "empty file",
        ("other-city.csv", 1): "not the header of a trip file",
        ("no-header.csv", 1): "not the header of a trip file",
        ("mixed.csv", 3): "impossible start time",
        ("mixed.csv", 4): "16 fields",
        ("mixed.csv", 5): "start station id is NULL",
        ("mixed.csv", 6): "in the future",
        ("half-good.zip", 1): "not the header",
        ("cut.csv.gz", None): "truncated gzip",
    }
    assert set(said) == set(wanted)
    for key, reason in wanted.items():
        assert reason in said[key][0], key
    assert [key for key, (_, kept) in said.items() if kept] == [("mixed.csv", 5)]
    assert report.rejected == 10
    assert report.repeated == 0
    again = load_folder(trips, tmp_path)
    assert (again.trips, again.new_trips, again.rejected) == (24, 0, 10)
    assert len(trips.table("LOAD_ISSUES").collect()) == len(wanted)


def test_a_repaired_file_loads_and_its_complaint_goes(trips: Session, tmp_path: Path) -> None:
    write_old(tmp_path / "a.csv", old(), header="wrong")
    assert load_folder(trips, tmp_path).rejected == 1
    write_old(tmp_path / "a.csv", old())
    report = load_folder(trips, tmp_path)
    assert (report.trips, report.issues) == (1, [])


def test_an_unreadable_folder_changes_nothing(trips: Session, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\0" * 100)
    report = load_folder(trips, tmp_path)
    assert (report.trips, report.loaded, report.rejected) == (0, 0, 1)


def test_a_report_gathers_equal_reasons(trips: Session, tmp_path: Path) -> None:
    write_old(tmp_path / "a.csv", *[old(start="nonsense", bike=str(n)) for n in range(6)], old())
    report = load_folder(trips, tmp_path)
    assert describe(report.issues) == ["a.csv, lines 2, 3, 4 and 3 more: impossible start time"]


def test_the_functions_of_the_guide(trips: Session, synthetic: tuple[Path, Generated], tmp_path: Path) -> None:
    folder, made = synthetic
    names = [path.name for path in made.files]
    for name in names[:3]:
        shutil.copy(folder / name, tmp_path)
    base = f"file://{tmp_path}/"
    load_stage_names, files_to_load = elt.extract_trips_to_stage(
        session=trips, files_to_download=names[:3], download_base_url=base, load_stage_name="LOAD_STAGE"
    )
    assert [len(files_to_load[schema]) for schema in ("schema1", "schema2")] == [3, 0]
    tables = elt.load_trips_to_raw(trips, files_to_load, load_stage_names, "RAW_")
    assert elt.transform_trips(trips, tables, "TRIPS") == "TRIPS"
    some = trips.table("TRIPS").count()
    assert some > 0
    report = elt.bulk_elt(
        session=trips, state_dict={"load_stage_name": "LOAD_STAGE"}, download_base_url=f"file://{folder}/"
    )
    assert report.skipped == 3
    assert report.trips == made.trips
