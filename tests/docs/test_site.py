"""The site's pages: each is in the navigation, every link and picture leads somewhere, nothing is fetched from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?: \"[^\"]*\")?\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def _settings() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "mkdocs.yml").read_text())


def _pages_of(entry: Any) -> list[str]:
    """The pages that a part of the navigation names."""
    if isinstance(entry, str):
        return [entry]
    if isinstance(entry, dict):
        return [page for part in entry.values() for page in _pages_of(part)]
    return [page for part in entry for page in _pages_of(part)]


def _anchors(page: Path) -> set[str]:
    """A page's headings as the address names them: lower case, hyphens for blanks, nothing else but letters and digits."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub(_kept, page.read_text()), re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def _kept(code: re.Match[str]) -> str:
    """Code inside a line is a part of its heading; a block is not."""
    return "" if code[0].startswith("```") else code[0].strip("`")


def test_navigation_has_every_page_once() -> None:
    named = _pages_of(_settings()["nav"])
    assert sorted(named) == [page.relative_to(DOCS).as_posix() for page in PAGES], "mkdocs.yml: nav"


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in LINK.findall(text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert (page.name == "README.md" and page.parent == ROOT) or file.is_relative_to(DOCS), (
            f"{target} is not in the site"
        )
        assert not anchor or anchor in _anchors(file), target


def test_nothing_is_fetched_from_elsewhere() -> None:
    settings = _settings()
    assert settings["theme"]["font"] is False
    assert "extra_javascript" not in settings
    assert all((DOCS / name).is_file() for name in settings["extra_css"])
    for page in PAGES:
        text = page.read_text()
        assert not re.search(r"!\[[^\]]*\]\(https?:|```mermaid|<script|<img", text), page
