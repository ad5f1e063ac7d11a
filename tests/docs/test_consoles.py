"""The console examples of README.md and docs/ run as typed, a page's in one shell, top to bottom.

A block that cannot run here has a line ``<!-- not run: reason -->`` before it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from polynya.server.local import Warehouse

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?```console\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL
)
BIN = Path(sys.executable).parent
SNOW = Path(sys.prefix) / "snow" / "bin"
TRIPS = 20_000  # in the folder ``trips`` that examples load


def commands(page: Path) -> list[str]:
    """What a reader types on a page, without the blocks that are not run."""
    typed = []
    for block in BLOCK.finditer(page.read_text()):
        if block["reason"] is None:
            typed += [line.removeprefix("$ ") for line in block["text"].splitlines() if line.startswith("$ ")]
    return typed


RUN = [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in PAGES if commands(page)]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A user's home and checkout, with trips to load; a warehouse that the example starts is stopped."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    synthesize = [BIN / "tripcast", "synthesize", tmp_path / "trips", "--trips", str(TRIPS), "--stations", "5"]
    subprocess.run(synthesize, check=True, timeout=60, capture_output=True)
    yield tmp_path
    if (tmp_path / ".polynya").exists():
        subprocess.run([BIN / "polynya", "stop", "--home", tmp_path / ".polynya"], check=False, timeout=60)


def test_every_block_is_understood() -> None:
    assert len(RUN) >= 3
    for page in PAGES:
        text = page.read_text()
        assert len(re.findall(r"^ *```console", text, re.MULTILINE)) == len(list(BLOCK.finditer(text))), page
        assert text.count("<!-- not run") == sum(block["reason"] is not None for block in BLOCK.finditer(text)), page


@pytest.mark.parametrize("page", RUN)
def test_console_example(folder: Path, page: Path) -> None:
    typed = commands(page)
    if any(line.startswith("snow ") for line in typed) and not (SNOW / "snow").exists():
        pytest.skip("the snow command line is not installed")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SNOWFLAKE", "POLYNYA"))}
    path = os.pathsep.join([str(BIN), str(SNOW), kept["PATH"]])
    with ExitStack() as stack:
        environment = {**kept, "HOME": str(folder), "PATH": path}
        if not any("polynya start" in line for line in typed):
            environment |= stack.enter_context(Warehouse()).environment
        done = subprocess.run(
            ["bash", "-e", "-c", "\n".join(typed)],
            env=environment, cwd=folder, capture_output=True, text=True, timeout=180,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
