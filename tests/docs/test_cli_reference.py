"""docs/cli.md is what the command lines say, and every command shows an example."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


def test_reference_is_current() -> None:
    spec = importlib.util.spec_from_file_location("generate_cli", PAGE.with_name("generate_cli.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.reference() == PAGE.read_text(), "run: python docs/generate_cli.py"


def test_every_command_has_an_example() -> None:
    sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    assert len(sections) >= 14
    assert not [section.splitlines()[0] for section in sections if "Example:" not in section]
