"""The tutorials run as they stand, one after the other on one warehouse, each page's examples in one interpreter.

A Python example that begins with ``# name.py`` is a file of that name. One that cannot run here has a line
``<!-- not run: reason -->`` before it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from polynya.server.local import Warehouse

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "tutorial"
# each goes on where the one before ended
PAGES = ("dba", "data-engineer", "data-scientist", "ml-engineer", "app-developer")
BLOCK = re.compile(
    r"^(?P<skip><!-- not run: [^\n]+ -->\n)?```(?P<kind>python|console)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL
)
FILE = re.compile(r"# (\w+\.py)\n")


def program(page: Path) -> str:
    """A page's examples as one Python program."""
    parts = ["import subprocess", "from pathlib import Path"]
    for block in BLOCK.finditer(page.read_text()):
        text = block["text"]
        if block["skip"]:
            continue
        if block["kind"] == "console":
            typed = "\n".join(line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ "))
            parts.append(f"subprocess.run(['bash', '-e', '-c', {typed!r}], check=True)")
        elif named := FILE.match(text):
            parts.append(f"Path({named[1]!r}).write_text({text!r})")
        else:
            parts.append(text)
    return "\n".join(parts)


@dataclass
class Reader:
    """Somebody who reads the pages in their order, in a folder of their own.

    Args:
        folder: where they type.
        environment: their variables; Snowflake's clients find a warehouse that runs.
        read: pages that they have done.
    """

    folder: Path
    environment: dict[str, str]
    read: list[str] = field(default_factory=list)

    def do(self, name: str) -> None:
        """Does a page, and those before it that are not done yet."""
        for page in PAGES[len(self.read) : PAGES.index(name) + 1]:
            done = subprocess.run(
                [sys.executable, "-c", program(FOLDER / f"{page}.md")],
                env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=240,
            )  # fmt: skip
            assert done.returncode == 0, f"{page}: {done.stdout[-1500:]}{done.stderr[-3000:]}"
            self.read.append(page)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    with Warehouse(folder / "home") as warehouse:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SNOWFLAKE", "TRIPCAST"))}
        path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
        own = {"HOME": str(folder), "PATH": path, "POLYNYA_HOME": str(warehouse.home.path), "MPLBACKEND": "Agg"}
        yield Reader(folder, kept | own | warehouse.environment)


def test_the_tutorials_are_these() -> None:
    assert {page.stem for page in FOLDER.glob("*.md")} == set(PAGES)
    for page in FOLDER.glob("*.md"):
        text = page.read_text()
        assert len(re.findall("^ *```", text, re.MULTILINE)) == 2 * len(BLOCK.findall(text)), page
        assert text.count("<!-- not run") == sum(block["skip"] is not None for block in BLOCK.finditer(text)), page


@pytest.mark.parametrize("name", PAGES)
def test_tutorial_runs_as_it_stands(reader: Reader, name: str) -> None:
    reader.do(name)
