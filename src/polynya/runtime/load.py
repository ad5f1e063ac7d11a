"""Loading a handler's code in its worker."""

from __future__ import annotations

import importlib
import linecache
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from polynya.runtime.handler import Handler

# The name that Snowflake gives inline code in tracebacks.
INLINE_FILE = "_udf_code.py"
_INLINE_MODULE = "_udf_code"
_ARCHIVES = (".zip", ".egg", ".whl")
# Lines of pickled code are no help in a traceback.
_LONGEST_LINE = 300


class LoadError(Exception):
    """The handler's entry cannot be found."""


def load(handler: Handler, imports: Path) -> Any:
    """The function or class that is the handler's entry.

    Args:
        handler: what to load.
        imports: the folder that holds the files of its IMPORTS.

    Raises:
        LoadError: if it has no such entry.
        BaseException: whatever its code raises while it is imported.
    """
    sys._xoptions["snowflake_import_directory"] = str(imports) + os.sep
    sys._xoptions["snowflake_home_directory"] = str(imports)
    archives = [str(imports / file.name) for file in handler.imports if file.name.endswith(_ARCHIVES)]
    sys.path[:0] = [str(imports), *archives]
    importlib.invalidate_caches()
    if handler.body:
        return _find(_inline_module(handler.body), handler.entry)
    return _imported(handler.entry)


def _inline_module(body: str) -> ModuleType:
    module = ModuleType(_INLINE_MODULE)
    module.__file__ = INLINE_FILE
    sys.modules[_INLINE_MODULE] = module
    lines = [line if len(line) <= _LONGEST_LINE else "\n" for line in body.splitlines(keepends=True)]
    linecache.cache[INLINE_FILE] = (len(body), None, lines, INLINE_FILE)
    exec(compile(body, INLINE_FILE, "exec", dont_inherit=True), module.__dict__)
    return module


def _find(module: ModuleType, entry: str) -> Any:
    found: Any = module
    for name in entry.split("."):
        if not hasattr(found, name):
            if found is module and "." in entry:  # inline code whose handler lies in an import
                return _imported(entry)
            raise LoadError(f"The handler {entry} is not defined: there is no {name!r} in the function's code.")
        found = getattr(found, name)
    return found


def _imported(entry: str) -> Any:
    parts = entry.split(".")
    for size in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:size])
        try:
            found: Any = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not (name == error.name or name.startswith(error.name + ".")) or size == 1:
                raise
            continue
        for attribute in parts[size:]:
            if not hasattr(found, attribute):
                raise LoadError(f"The handler {entry} is not defined: module {name!r} has no {attribute!r}.")
            found = getattr(found, attribute)
        return found
    raise LoadError(f"The handler {entry} names no module: without inline code it must be of the form module.name.")
