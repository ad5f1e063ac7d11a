"""docs/guide.md names only files, functions and tests that exist, and a test in every row."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guide.md"
ROWS = [
    line.strip("| \n").split(" | ")
    for line in PAGE.read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| statement or call"))
]
# The guide's sections that have something to run.
SECTIONS = (
    "Setup", "Data engineering", "Bulk data ingest", "ARIMA baseline", "Data science", "ML engineering", "Operationalizing", "Airflow",
    "Streamlit", "Notebooks",
)  # fmt: skip


@cache
def _names(file: Path) -> frozenset[str]:
    """What a module defines at its top."""
    tree = ast.parse(file.read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef)))


def _module(dotted: str) -> Path | None:
    path = ROOT / "src" / dotted.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def test_every_section_has_rows() -> None:
    headings = re.findall(
        r"^## (.+)\n\n\| statement or call \| where it runs \| test \|\n", PAGE.read_text(), re.MULTILINE
    )
    assert tuple(headings) == SECTIONS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_row_names_what_exists(row: list[str]) -> None:
    _, place, shown = row
    for path in re.findall(r"`((?:src|tests|docs|notebooks)/[^`:]*)`", place):
        assert (ROOT / path).exists(), path
    for dotted in re.findall(r"`(tripcast(?:\.\w+)+)`", place):
        module, _, name = dotted.rpartition(".")
        if _module(dotted) is None:
            file = _module(module)
            assert file is not None and name in _names(file), dotted
    tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", shown)
    assert tests, "no test"
    for path, name in tests:
        assert (ROOT / path).is_file() and name in _names(ROOT / path), f"{path}::{name}"
        assert name.startswith("test_") and Path(path).name.startswith("test_"), "pytest would not collect it"
