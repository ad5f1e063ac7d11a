"""Pages and drawings that are made from the code are as the code is now."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_configuration_is_what_the_code_reads() -> None:
    made = _script("generate_configuration").page()
    assert made == (DOCS / "configuration.md").read_text(), "run: python docs/generate_configuration.py"


def test_drawings_are_of_the_code() -> None:
    made = _script("draw_diagrams").drawings()
    kept = {name: (DOCS / "images" / name).read_text() for name in made}
    assert made == kept, "run: python docs/draw_diagrams.py"


def test_extras_are_those_of_the_project() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    section = (DOCS / "start.md").read_text().split("| extra | adds |")[1].split("## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == extras.keys()
