"""Snowflake's built-in functions, one file per family; importing this package registers them all."""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    """Imports every family, which registers its functions."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
