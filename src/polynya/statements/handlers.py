"""Imports every kind of statement once, which registers its handlers."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from polynya import statements
from polynya.dialect import functions


@cache
def load() -> None:
    """Registers all statements and functions."""
    functions.load()
    for module in pkgutil.iter_modules(statements.__path__):
        importlib.import_module(f"{statements.__name__}.{module.name}")
