"""A planner's first look, in a real browser: the app is started by its command and looked at wide and narrow."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
webdriver = pytest.importorskip("selenium.webdriver", reason="Selenium is not installed")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no chromium with chromedriver here"),
    pytest.mark.timeout(180),
]
WIDTHS = (1280, 420)
# what stands near the end of each page
LAST_WORDS = {
    "forecast": "Where trips start on",
    "plan": "Bikes in the morning",
    "monitor": "Stations with the largest errors",
    "lineage": "To repeat this run",
    "ingest": "Airflow is not configured",
}
# what Streamlit shows while a page is still being drawn
_BUSY = "[data-testid=stSkeleton], [data-testid=stStatusWidget], [data-stale=true]"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def app(filled: dict[str, Any], tmp_path: Path) -> Iterator[str]:
    """The address of the app, started by ``tripcast app``."""
    home = tmp_path / "home"
    home.mkdir()
    lines = [
        f"{key} = {value if isinstance(value, int) else chr(34) + str(value) + chr(34)}"
        for key, value in filled.items()
    ]
    (home / "connections.toml").write_text("\n".join(["[app]", *lines]))
    (home / "connections.toml").chmod(0o600)
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SNOWFLAKE_", "TRIPCAST_"))}
    environment["POLYNYA_HOME"] = str(home)
    command = [sys.executable, "-m", "tripcast", "app", "--port", str(port)]
    with (tmp_path / "app.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=tmp_path)
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(address, process)
            yield address
        finally:
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


def look(browser: Any, page: str) -> str:
    """Waits until a page is drawn; answers its text."""
    until, text = time.monotonic() + 60, ""
    while time.monotonic() < until:
        text = str(browser.execute_script("return document.querySelector('[data-testid=stMain]')?.innerText || ''"))
        if LAST_WORDS[page] in text and not browser.find_elements("css selector", _BUSY):
            return text
        time.sleep(0.1)
    raise AssertionError(f"{page} was not drawn within 60 s: {text}")


def click(browser: Any, page: str) -> None:
    """Follows a page's link in the sidebar."""
    links = browser.find_elements("css selector", "[data-testid=stSidebarNavLink]")
    next(link for link in links if link.text.split()[-1] == page.capitalize()).click()


def test_a_planner_opens_the_app(app: str, browser: Any, tmp_path: Path) -> None:
    for width in WIDTHS:
        size = {"width": width, "height": 2000, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for page in LAST_WORDS:
            if page == "forecast":
                browser.get(app)
            elif width == WIDTHS[0]:
                click(browser, page)
            else:  # the sidebar is hidden
                browser.get(f"{app}/{page}")
            text = look(browser, page)
            if page == "forecast":
                assert "Grove St" in text and "season −4.5" in text
                assert len(browser.find_elements("css selector", ".days td b")) == 7 * 6
                assert len(browser.find_elements("css selector", "[data-testid=stVegaLiteChart]")) == 2
            assert not browser.find_elements(
                "css selector", "[data-testid=stException], [data-testid=stAlertContentError]"
            )
            # wide tables scroll by themselves
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
            picture = tmp_path / f"{page}-{width}.png"
            assert browser.save_screenshot(str(picture))
            assert picture.stat().st_size > 10_000
