"""What is checked of a function or procedure in Python when it is made.

https://docs.snowflake.com/en/developer-guide/udf/python/udf-python-creating
"""

from __future__ import annotations

import logging
import traceback
from typing import Any

from polynya.catalog.model import Routine
from polynya.catalog.names import split_name
from polynya.catalog.packages import PYTHON_VERSION, SNOWPARK, has_package, resolve_packages
from polynya.catalog.parameters import PYTHON_PACKAGE_VERSIONS
from polynya.errors import SnowflakeError, invalid_value, unsupported
from polynya.stages.imports import resolve_imports
from polynya.statements.base import Execution

log = logging.getLogger(__name__)

# Properties that only Python's routines have.
_PYTHON_ONLY = (
    "RUNTIME_VERSION", "PACKAGES", "IMPORTS", "HANDLER", "TARGET_PATH", "ARTIFACT_REPOSITORY", "SECRETS",
    "ARTIFACT_REPOSITORY_PACKAGES", "RESOURCE_CONSTRAINT",
)  # fmt: skip
# Beyond this the compiler's recursion could outgrow the thread's stack; such a body is compiled by its first call only.
_LONGEST_CHECKED_BODY = 256_000


def check_python(execution: Execution, routine: Routine) -> list[str]:
    """Checks a Python routine and completes its options: full import locations, installed packages, its creator.

    Returns:
        Warnings for whoever makes it.

    Raises:
        SnowflakeError: for a missing property, another Python version, packages or imports that are not there, a body
            that does not compile.
    """
    options = routine.options
    for name in ("RUNTIME_VERSION", "HANDLER"):
        if not str(options.get(name, "")).strip():
            raise invalid_value(f"Missing option(s): [{name}]")
    _check_version(str(options["RUNTIME_VERSION"]))
    if "TARGET_PATH" in options:
        raise unsupported("TARGET_PATH of Python handlers")
    # Packages of an artifact repository are the server's as well.
    packages = [*options.get("PACKAGES", []), *options.pop("ARTIFACT_REPOSITORY_PACKAGES", [])]
    warnings = _check_packages(execution, routine, packages)
    context = execution.context
    options["IMPORTS"] = resolve_imports(options.get("IMPORTS", []), context, execution.stages)
    options["CREATOR"] = context.user
    _check_granted(execution, options)
    if not routine.body and not options["IMPORTS"]:
        raise invalid_value(f"Python {_kind(routine)} {routine.name} has neither a body nor IMPORTS.")
    if not routine.body and "." not in str(options["HANDLER"]):
        raise invalid_value(
            f"HANDLER '{options['HANDLER']}' of an imported handler has to name its module: 'module.function'."
        )
    _check_body(routine)
    if execution.runtime is not None:
        execution.runtime.warm(procedures=routine.kind == "PROCEDURE")
    return warnings


def check_sql(routine: Routine) -> None:
    """Refuses the properties that only routines in Python have.

    Raises:
        SnowflakeError: 001008 with their names.
    """
    found = [name for name in _PYTHON_ONLY if name in routine.options]
    if found:
        raise invalid_value(f"{', '.join(found)} cannot be given for a {_kind(routine)} in {routine.language}.")


def _kind(routine: Routine) -> str:
    return "procedure" if routine.kind == "PROCEDURE" else "function"


def _check_version(wanted: str) -> None:
    if wanted != PYTHON_VERSION:
        raise invalid_value(
            f"Unsupported Python runtime version '{wanted}': this warehouse runs Python {PYTHON_VERSION} only. Use "
            f"RUNTIME_VERSION = '{PYTHON_VERSION}' (Snowpark's client sends its own Python's version: run it in Python "
            f"{PYTHON_VERSION})."
        )


def _check_packages(execution: Execution, routine: Routine, packages: list[str]) -> list[str]:
    strict = str(execution.context.parameter(PYTHON_PACKAGE_VERSIONS)).upper() != "INSTALLED"
    kind = _kind(routine)
    if kind == "procedure" and not has_package(packages, SNOWPARK):
        raise invalid_value(f"Python procedures need the package '{SNOWPARK}': add it to PACKAGES.")
    resolved = resolve_packages(packages, strict=strict, kind=kind)
    routine.options["PACKAGES"] = packages
    routine.options["INSTALLED_PACKAGES"] = resolved.installed
    for warning in resolved.warnings:
        log.warning("%s %s: %s", kind, routine.name, warning)
    return resolved.warnings


def _check_granted(execution: Execution, options: dict[str, Any]) -> None:
    """Finds the integrations and secrets that a routine names; the secrets are kept under their full names.

    Raises:
        SnowflakeError: 002003 if there is none of a name; 003001 if the role may not use it.
    """
    catalog, context = execution.context.catalog, execution.context
    for name in options.get("EXTERNAL_ACCESS_INTEGRATIONS", []):
        execution.require("USAGE", catalog.get(context, "INTEGRATION", split_name(name)))
    secrets = {
        variable: catalog.get(context, "SECRET", split_name(name))
        for variable, name in options.get("SECRETS", {}).items()
    }
    for secret in secrets.values():
        execution.require(("READ", "USAGE"), secret)
    options["SECRETS"] = {variable: catalog.full_name(secret) for variable, secret in secrets.items()}


def _check_body(routine: Routine) -> None:
    """Compiles an inline body.

    Raises:
        SnowflakeError: 100357 with the error's line, as at a call.
    """
    if not routine.body or len(routine.body) > _LONGEST_CHECKED_BODY:
        return
    try:
        compile(routine.body, "_udf_code.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        lines = "".join(traceback.format_exception_only(error)).rstrip()
        if isinstance(error, SyntaxError) and error.lineno is not None and not error.text:
            lines = lines.replace("\n", f"\n    {_line(routine.body, error.lineno)}\n", 1)
        raise SnowflakeError(
            100357, "P0000", f"Python Interpreter Error:\n{lines}\n in function {routine.name} with handler "
            f"{routine.options['HANDLER']}",
        ) from None  # fmt: skip
    except (RecursionError, MemoryError):
        return  # nested too deep to be compiled here; its first call reports it


def _line(body: str, number: int) -> str:
    lines = body.splitlines()
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def created_text(routine: Routine, warnings: list[str]) -> str:
    """The status text of a CREATE, with what there is to warn of."""
    word = "Procedure" if routine.kind == "PROCEDURE" else "Function"
    text = f"{word} {routine.name} successfully created."
    return text + "".join(f" Warning: {warning}." for warning in warnings)
