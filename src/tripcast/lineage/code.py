"""Which code made a forecast."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

import tripcast

# What shows results does not change them.
_SHOWING = ("app", "cli", "dags", "plots.py", "report.py", "status.py")


@cache
def code_version() -> str:
    """The package's version and a hash of tripcast's source, without what only shows results: ``0.1.0+3f2a9c417d20``."""
    root = Path(tripcast.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        if place.parts[0] not in _SHOWING:
            digest.update(place.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    try:
        version = metadata.version("polynya")
    except metadata.PackageNotFoundError:  # imported from a stage or a zip
        version = "0"
    return f"{version}+{digest.hexdigest()[:12]}"
