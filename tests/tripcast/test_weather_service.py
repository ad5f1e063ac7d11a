"""A station's weather from the public service, which is a local one here."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Iterator
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from tripcast.cli import main
from tripcast.sources import weather_service
from tripcast.sources.archive import Unreachable
from tripcast.sources.formats import BadFile
from tripcast.sources.weather import read_history
from tripcast.sources.weather_service import download

STATION = "USW00094728"
TODAY = date(2021, 12, 31)


class _Service(BaseHTTPRequestHandler):
    """Answers like the service: days of any station but USW0000NONE; errors for some names."""

    def do_GET(self) -> None:
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        station = asked["stations"]
        if station == "USW0000DOWN":
            self.send_error(503)
            return
        if station == "USW0000BADQ":
            self.send_error(400)
            return
        assert (asked["units"], asked["dataset"], asked["format"]) == ("standard", "daily-summaries", "csv")
        lines = ['"STATION","NAME","DATE","PRCP","TMAX","TMIN"']
        day, last = date(2019, 12, 1), date.fromisoformat(asked["endDate"])
        while day <= min(last, date(2021, 12, 31)):
            lines.append(f'"{station}","PARK, NY US","{day}","0.10","60","40"')
            day += timedelta(days=1)
        text = "\n".join(lines) if station != "USW0000NONE" else ""
        self.send_response(200)
        self.send_header("Content-Length", str(len(text) + (100 if station == "USW0000HALF" else 0)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/data/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_downloads_a_file_that_can_be_published(service: str, tmp_path: Path) -> None:
    file = download(STATION.lower(), tmp_path / "new", TODAY, service)
    history = read_history(file)
    assert (history.station, len(history.days), history.days[-1].day) == (STATION, 762, TODAY)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [f"{STATION}.csv"]


@pytest.mark.parametrize(
    ("station", "error", "text"),
    [
        ("USW0000NONE", BadFile, "answers with no days of USW0000NONE: nothing"),
        ("USW0000BADQ", BadFile, "answers HTTP 400"),
        ("USW0000DOWN", Unreachable, r"127.0.0.1 cannot be reached \(HTTP 503\): give a file with --file"),
        ("USW0000HALF", Unreachable, "cannot be reached"),
        ("Central Park", ValueError, "'CENTRAL PARK' is no GHCN station: an id has 11 characters"),
        ("USW0000../..", ValueError, "is no GHCN station"),
    ],
)
def test_what_the_service_may_say(
    service: str, tmp_path: Path, station: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        download(station, tmp_path, TODAY, service)
    assert not list(tmp_path.iterdir())


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"127.0.0.1 cannot be reached .*refused"):
        download(STATION, tmp_path, TODAY, "http://127.0.0.1:9/data")


def test_command(service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weather_service.download, "__defaults__", (service,))
    arguments = ["weather", "publish", "--folder", str(tmp_path / "w"), "--json"]
    answer = CliRunner().invoke(main, [*arguments, "--download", STATION])
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.output)["days"] == 762
    assert (tmp_path / "w" / "STANDARD_TILE" / "HISTORY_DAY.parquet").exists()
    for more in ([], ["--file", "x.csv", "--download", STATION]):
        answer = CliRunner().invoke(main, [*arguments, *more])
        assert (answer.exit_code, "Give either --file FILE or --download STATION." in answer.output) == (2, True)
    monkeypatch.setattr(weather_service.download, "__defaults__", ("http://127.0.0.1:9",))
    answer = CliRunner().invoke(main, [*arguments, "--download", STATION])
    assert (answer.exit_code, "cannot be reached" in answer.output) == (1, True)
