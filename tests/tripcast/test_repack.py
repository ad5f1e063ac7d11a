"""Files on disk to gzip for the stage: every way in which they come, and every way in which they are broken."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from pathlib import Path

import pytest
from test_formats import LOWER, SECOND

from tripcast.sources.files import Part, parts, trip_files
from tripcast.sources.formats import BadFile
from tripcast.sources.repack import MAX_LINES_NAMED, Repacked, repack

ROW = "370,2017-11-01 00:04:26,2017-11-01 00:10:37,3199,Newport Pkwy,40.7,-74.0,3639,Harborside,40.7,-74.0,31817,Subscriber,1975,1"
RIDE = "121DD7DD23CB1335,docked_bike,2021-02-03 23:11:28,2021-02-03 23:18:28,A St,JC105,B St,JC034,40.7,-74.0,40.7,-74.0,member"


def csv_text(*rows: str, header: str = LOWER, end: str = "\n") -> bytes:
    return (end.join([header, *rows]) + end).encode()


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_csv", ".csv"), content)
    return path


def only_part(path: Path) -> Part:
    (part,) = parts(path, path.parent)
    assert isinstance(part, Part), part
    return part


def repacked(path: Path) -> tuple[Repacked, bytes]:
    target = path.parent / "target.gz"
    result = repack(only_part(path), target)
    return result, gzip.decompress(target.read_bytes())


@pytest.mark.parametrize("kind", ["csv", "gz", "two gzips in one", "zip", "zip stored", "zip in zip"])
def test_every_container_gives_the_same_lines(tmp_path: Path, kind: str) -> None:
    text = csv_text(*[ROW] * 5000)
    path = tmp_path / f"trips.csv{'.zip' if kind.startswith('zip') else '' if kind == 'csv' else '.gz'}"
    if kind == "csv":
        path.write_bytes(text)
    elif kind == "gz":
        path.write_bytes(gzip.compress(text))
    elif kind == "two gzips in one":
        path.write_bytes(gzip.compress(text[:1000]) + gzip.compress(text[1000:]))
    elif kind == "zip":
        zipped(path, trips_csv=text)
    elif kind == "zip stored":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("trips.csv", text)
    else:
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("trips.csv", text)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("2017/trips.zip", inner.getvalue())
    result, out = repacked(path)
    assert out == text
    assert (result.lines, result.bad_line_count) == (5000, 0)


def test_junk_in_a_zip_is_passed_over_and_parts_are_found(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "a.zip",
        a_1_csv=csv_text(RIDE, header=SECOND),
        a_2_csv=csv_text(RIDE, header=SECOND),
        **{"__MACOSX/._a_1.csv": b"\x00\x05\x16\x07", "notes.txt": b"hello"},
    )
    assert [part.member for part in parts(path, tmp_path) if isinstance(part, Part)] == ["a_1.csv", "a_2.csv"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last_end", [True, False])
def test_line_ends(tmp_path: Path, end: str, last_end: bool) -> None:
    text = csv_text(ROW, ROW, end=end)
    path = tmp_path / "a.csv"
    path.write_bytes(text if last_end else text.removesuffix(end.encode()))
    result, out = repacked(path)
    assert result.lines == 2
    assert out == path.read_bytes()


def test_commas_in_quotes_are_no_fields(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_text(ROW.replace("Newport Pkwy", '"Newport, ""the"" Pkwy"'), ROW))
    result, _ = repacked(path)
    assert (result.lines, result.bad_line_count) == (2, 0)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (ROW + ",9", "16 fields where the header has 15"),
        (ROW.rsplit(",", 1)[0], "14 fields where the header has 15"),
        (ROW + "," * 256, "271 fields where the header has 15"),
        ("\x00\x01" + ROW, "binary"),
        (ROW.replace("Newport", '"Newport'), "quote"),
    ],
)
def test_a_bad_line_is_named_and_the_others_keep_their_numbers(tmp_path: Path, bad: str, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_text(ROW, bad, ROW))
    result, out = repacked(path)
    assert [line.line for line in result.bad_lines] == [3]
    assert said in result.bad_lines[0].reason
    assert result.lines == 2
    lines = out.decode().splitlines()
    assert lines[1] == lines[3] == ROW
    assert lines[2] == "," * 14


def test_text_that_is_not_utf8_is_a_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_text(ROW, ROW).replace(b"Harborside", b"Harb\xf6rside", 1))
    result, _ = repacked(path)
    assert [line.line for line in result.bad_lines] == [2]
    assert "UTF-8" in result.bad_lines[0].reason


def test_many_bad_lines_are_counted_but_not_all_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_text(ROW, *["x"] * 500))
    result, _ = repacked(path)
    assert len(result.bad_lines) == MAX_LINES_NAMED
    assert result.bad_line_count == 500


def test_empty_lines_are_no_complaint(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_text(ROW, "", ROW) + b"\n\n")
    result, _ = repacked(path)
    assert (result.lines, result.bad_line_count) == (2, 0)


def _noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "empty file"),
        ("a.zip", b"", "empty file"),
        ("a.csv", csv_text(), "no line after the header"),
        ("a.csv", _noise(5000), "binary"),
        ("a.csv", b"\x00" * 3_000_000, "binary"),
        ("a.zip", _noise(5000), "not a zip"),
        ("a.csv.gz", _noise(5000), "not a gzip"),
        ("a.csv.gz", gzip.compress(csv_text(*[ROW] * 999))[:-9], "truncated gzip"),
        ("a.csv.gz", gzip.compress(csv_text(*[ROW] * 999))[:-8] + b"\0" * 8, "damaged"),
        ("a.csv", csv_text("x", "y"), "no line that can be loaded"),
    ],
)
def test_broken_files_are_refused_with_a_reason(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadFile) as caught:
        for part in parts(path, tmp_path):
            assert isinstance(part, Part)
            repack(part, tmp_path / "target.gz")
    assert said in caught.value.reason


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_a_zip_cut_anywhere_is_refused(tmp_path: Path, keep: float) -> None:
    path = zipped(tmp_path / "a.zip", a_csv=csv_text(*[f"{n}{ROW}" for n in range(5000)]))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(BadFile, match="truncated zip"):
        list(parts(path, tmp_path))


def test_a_zip_with_flipped_bits_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", a_csv=csv_text(*[f"{n}{ROW}" for n in range(5000)]))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(BadFile, match="damaged"):
        repack(only_part(path), tmp_path / "target.gz")


def test_only_trip_files_of_a_folder_are_taken(tmp_path: Path) -> None:
    for name in ("b.csv", "A.ZIP", "c.csv.gz", ".hidden.csv", "readme.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "sub.csv").mkdir()
    assert [file.name for file in trip_files(tmp_path)] == ["A.ZIP", "b.csv", "c.csv.gz"]
    with pytest.raises(BadFile, match="no such folder"):
        trip_files(tmp_path / "nothing")
    with pytest.raises(BadFile, match="no file that ends in"):
        trip_files(tmp_path / "sub.csv")


@pytest.mark.realdata
def test_the_real_files_are_sound(real_trips: Path, tmp_path: Path) -> None:
    lines = bad = 0
    for file in trip_files(real_trips):
        for part in parts(file.path, tmp_path):
            assert isinstance(part, Part)
            result = repack(part, tmp_path / "target.gz")
            lines += result.lines
            bad += result.bad_line_count
    assert (lines, bad) == (1_168_749, 0)
