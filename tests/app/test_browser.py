"""A planner's journey in a real browser: the app is started by its command, looked at wide and narrow, and loads a month.

With TRIPCAST_SCREENSHOTS=folder (`make screenshots`) the pictures of docs/app.md are taken on the way.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from snowflake.snowpark import Session
from warehouse_data import NAMES, fill

from tripcast.pipeline import load_trips
from tripcast.setup import make_objects
from tripcast.sources.choose import Chosen, in_months
from tripcast.sources.files import trip_files
from tripcast.sources.synthetic import generate

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
webdriver = pytest.importorskip("selenium.webdriver", reason="Selenium is not installed")
Keys = webdriver.Keys
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no chromium with chromedriver here"),
    pytest.mark.timeout(900 if "TRIPCAST_SCREENSHOTS" in os.environ else 400),
]
WIDTHS = (1280, 420)
SCHEMES = ("light", "dark") if "TRIPCAST_SCREENSHOTS" in os.environ else ("light",)
MOST_PIXELS = 3000
# what stands on each page, near its end among others
WORDS = {
    "forecast": ("Grove St", "weekday −9.0", "Where trips start on"),
    "plan": ("Bikes in the morning",),
    "monitor": ("Stations with the largest errors",),
    "lineage": ("To repeat this run",),
    "ingest": ("Airflow is not configured",),
}
# what else a page shows, when it is asked, and a word of that
MORE = {"plan": {"Moves": "Covered by moves"}, "monitor": {"Models": "Champion: lightgbm", "Drift": "A fall since"}}
# what Streamlit shows while a page is still being drawn
_BUSY = "[data-testid=stSkeleton], [data-testid=stStatusWidget], [data-stale=true]"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


StartApp = Callable[[dict[str, Any]], str]


@pytest.fixture
def start_app(tmp_path: Path) -> Iterator[StartApp]:
    """Starts the app by ``tripcast app`` on a connection; answers its address."""
    home = tmp_path / "home"
    home.mkdir()
    running: list[subprocess.Popen[bytes]] = []

    def start(connection: dict[str, Any]) -> str:
        lines = [
            f"{key} = {value if isinstance(value, int) else chr(34) + str(value) + chr(34)}"
            for key, value in connection.items()
        ]
        (home / "connections.toml").write_text("\n".join(["[app]", *lines]))
        (home / "connections.toml").chmod(0o600)
        port = free_port()
        ours = ("SNOWFLAKE_", "TRIPCAST_", "AIRFLOW_")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        environment["POLYNYA_HOME"] = str(home)
        command = [sys.executable, "-m", "tripcast", "app", "--port", str(port)]
        with (tmp_path / "app.log").open("wb") as log:
            running.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=tmp_path))
        _wait_for(f"http://127.0.0.1:{port}", running[-1])
        return f"http://127.0.0.1:{port}"

    yield start
    for process in running:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0, (tmp_path / "app.log").read_text()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, "the app ended"
        try:
            urllib.request.urlopen(address, timeout=1).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError("the app did not answer within 60 s")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                 "--disable-dev-shm-usage", f"--user-data-dir={tmp_path / 'profile'}"):  # fmt: skip
        options.add_argument(flag)
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield opened
    opened.quit()


def look(browser: Any, *words: str, seconds: float = 60) -> str:
    """Waits until a page is drawn that has these words; answers its text."""
    until, text = time.monotonic() + seconds, ""
    while time.monotonic() < until:
        text = str(browser.execute_script("return document.querySelector('[data-testid=stMain]')?.innerText || ''"))
        if all(one in text for one in words) and not browser.find_elements("css selector", _BUSY):
            return text
        time.sleep(0.1)
    raise AssertionError(f"{words} were not shown within {seconds:.0f} s: {text}")


def click(browser: Any, page: str) -> None:
    """Follows a page's link in the sidebar."""
    links = browser.find_elements("css selector", "[data-testid=stSidebarNavLink]")
    next(link for link in links if link.text.split()[-1] == page.capitalize()).click()


def choose(browser: Any, title: str) -> None:
    """Chooses a tab or a radio button."""
    choices = browser.find_elements("css selector", "button[role=tab], [role=tab], [data-testid=stRadio] label")
    next(one for one in choices if one.text.strip() == title).click()


def resize(browser: Any, width: int, height: int = 2000) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def picture(browser: Any, name: str, width: int) -> None:
    """Takes a picture of the whole page for the docs, if pictures are wanted."""
    folder = os.environ.get("TRIPCAST_SCREENSHOTS")
    if not folder:
        return
    image = pytest.importorskip("PIL.Image")
    tall = "return document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight"
    resize(browser, width, min(int(browser.execute_script(tall)), MOST_PIXELS))
    time.sleep(1.5)  # charts draw themselves anew
    taken = image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    # flat colours: a palette keeps the file small
    taken.quantize(256, dither=image.Dither.NONE).save(Path(folder) / f"app-{name}-{width}.png", optimize=True)
    resize(browser, width)


def test_a_planner_looks_at_all_pages(
    start_app: StartApp, filled: dict[str, Any], empty: dict[str, Any], browser: Any
) -> None:
    stations = len(NAMES)
    if "TRIPCAST_SCREENSHOTS" in os.environ:  # a picture needs more
        filled, stations = empty, 60
        with Session.builder.configs(filled).create() as session:
            fill(session, stations)
    app = start_app(filled)
    for scheme in SCHEMES:
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        suffix = "" if scheme == "light" else f"-{scheme}"
        for width in WIDTHS if scheme == "light" else WIDTHS[:1]:
            resize(browser, width)
            for page, words in WORDS.items():
                if page == "forecast":
                    browser.get(app)
                elif width == WIDTHS[0]:
                    click(browser, page)
                else:  # the sidebar is hidden
                    browser.get(f"{app}/{page}")
                look(browser, *words)
                if page == "forecast":
                    assert len(browser.find_elements("css selector", ".days td b")) == 7 * min(stations, 8)
                    assert len(browser.find_elements("css selector", "[data-testid=stVegaLiteChart]")) == 2
                wrong = "[data-testid=stException], [data-testid=stAlertContentError]"
                assert not browser.find_elements("css selector", wrong)
                # wide tables scroll by themselves
                assert browser.execute_script("return document.documentElement.scrollWidth") <= width
                picture(browser, f"{page}{suffix}", width)
                for part, said in MORE.get(page, {}).items() if width == WIDTHS[0] else ():
                    choose(browser, part)
                    look(browser, said)
                    picture(browser, f"{page}-{part.lower()}{suffix}", width)


@pytest.mark.long
def test_a_planner_loads_a_month(start_app: StartApp, empty: dict[str, Any], browser: Any, tmp_path: Path) -> None:
    trips = tmp_path / "trips"
    generate(trips, trips=600, first="2019-03", last="2019-04", stations=3, seed=3)
    with Session.builder.configs(empty).create() as session:
        make_objects(session)
        load_trips(session, Chosen(in_months(trip_files(trips), None, "2019-03"), "", True))
    resize(browser, WIDTHS[0])
    browser.get(start_app(empty))
    look(browser, "There is no forecast yet")
    click(browser, "ingest")
    look(browser, "Trips are loaded up to")  # what came in the file of March
    fill_in(browser, "Folder of trip files", str(trips))
    fill_in(browser, "Model", "seasonal_naive")
    browser.find_element("css selector", "[data-testid=stFormSubmitButton] button").click()
    done = ("Month 2019-04 is done", "30 days are forecast from 2019-05-01", "Trips are loaded up to 30 Apr 2019")
    look(browser, *done, seconds=240)  # 15 where nothing else runs
    click(browser, "forecast")
    look(browser, "Trips on Wed 01 May 2019", "Where trips start on")
    assert len(browser.find_elements("css selector", ".days td b")) == 7 * 3


def fill_in(browser: Any, label: str, text: str) -> None:
    """Types into a field, whose label begins so, and leaves it."""
    field = browser.find_element("css selector", f"input[aria-label^='{label}'], input[aria-label*='{label}']")
    field.send_keys(text, Keys.ENTER if field.get_attribute("role") == "combobox" else Keys.TAB)
