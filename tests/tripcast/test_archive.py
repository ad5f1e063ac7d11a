"""The published archive, played by a local server."""

from __future__ import annotations

import threading
import time
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tripcast.sources import archive
from tripcast.sources.archive import RemoteFile, Unreachable, listing, month_of
from tripcast.sources.formats import BadFile

NAMES = [
    "201306-citibike-tripdata.zip",
    "2013-citibike-tripdata.zip",
    "202402-citibike-tripdata.zip",
    "JC-201708 citibike-tripdata.csv.zip",
    "JC-201711-citibike-tripdata.csv.zip",
    "JC-202009-citibike-tripdata.csv.zip",
    "JC-202207-citbike-tripdata.csv.zip",
    "index.html",
]


class _Bucket(BaseHTTPRequestHandler):
    failures = 0

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if url.path == "/":
            self._listing(query.get("prefix", [""])[0], query.get("marker", [""])[0])
        elif url.path.endswith("missing.zip"):
            self.send_error(404)
        elif url.path.endswith("slow.zip"):
            time.sleep(3)
        else:
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            if "cut" in url.path and type(self).failures > 0:
                type(self).failures -= 1
                self.wfile.write(b"01234")
            else:
                self.wfile.write(b"0123456789")

    def _listing(self, prefix: str, marker: str) -> None:
        chosen = [name for name in NAMES if name.startswith(prefix) and name > marker]
        page, rest = chosen[:3], chosen[3:]
        entries = "".join(
            f"<Contents><Key>{name}</Key><ETag>&quot;{len(name)}&quot;</ETag><Size>10</Size></Contents>"
            for name in page
        )
        body = (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{'true' if rest else 'false'}</IsTruncated>{entries}</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def bucket() -> Iterator[str]:
    _Bucket.failures = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Bucket)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_the_listing_gives_the_wanted_system_and_months(bucket: str) -> None:
    names = [file.name for file in listing(bucket, first="2017-08", last="2020-12")]
    assert names == [
        "JC-201708 citibike-tripdata.csv.zip",
        "JC-201711-citibike-tripdata.csv.zip",
        "JC-202009-citibike-tripdata.csv.zip",
    ]
    assert [file.name for file in listing(bucket, archive.NEW_YORK)] == [NAMES[0], NAMES[2]]


def test_a_file_with_a_space_in_its_name_is_fetched(bucket: str, tmp_path: Path) -> None:
    (file,) = listing(bucket, first="2017-08", last="2017-08")
    assert file.fetch(tmp_path).read_bytes() == b"0123456789"
    assert file.fingerprint() == "etag:35:10"


def test_a_download_that_breaks_off_is_tried_again(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    _Bucket.failures = 1
    assert RemoteFile(bucket, "cut.zip").fetch(tmp_path).read_bytes() == b"0123456789"
    _Bucket.failures = 99
    with pytest.raises(BadFile, match="cannot be downloaded"):
        RemoteFile(bucket, "cut.zip").fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_said_to_be_missing(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="HTTP 404"):
        RemoteFile(bucket, "missing.zip").fetch(tmp_path)


def test_an_archive_that_does_not_answer_is_given_up_soon() -> None:
    start = time.monotonic()
    with pytest.raises(Unreachable):
        listing("http://127.0.0.1:9/", timeout=1)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("name", "month"),
    [
        ("JC-201708 citibike-tripdata.csv.zip", "2017-08"),
        ("JC-202207-citbike-tripdata.csv.zip", "2022-07"),
        ("SYNTHETIC-JC-202102-citibike-tripdata.csv.zip", "2021-02"),
        ("2013-citibike-tripdata.zip", None),
        ("201313-citibike-tripdata.zip", None),
        ("trips.csv", None),
    ],
)
def test_month_of_a_name(name: str, month: str | None) -> None:
    assert month_of(name) == month
