"""CREATE, ALTER, DROP and DESCRIBE STAGE.

Source: docs.snowflake.com/en/sql-reference/sql/create-stage.
"""

from __future__ import annotations

import json
from typing import Any

from polynya.catalog.model import Stage
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error, unsupported
from polynya.stages import formats
from polynya.stages.store import local_path, require_address
from polynya.statements import objects, tagging
from polynya.statements.base import Execution, statement
from polynya.statements.clone_stages import clone_stage
from polynya.statements.format_options import read_options
from polynya.types.resultset import Column, ResultSet, StatementType, rows, status
from polynya.types.sqltype import VARCHAR

KIND = "STAGE"
# Kept with the stage and used; what else CREATE STAGE takes is kept and shown only.
_STORAGE = ("CREDENTIALS", "ENDPOINT", "REGION", "STORAGE_INTEGRATION", "ENCRYPTION", "DIRECTORY")
_COPY_DEFAULTS: list[tuple[str, str, Any]] = [
    ("ON_ERROR", "String", "ABORT_STATEMENT"), ("SIZE_LIMIT", "Long", ""), ("PURGE", "Boolean", False),
    ("RETURN_FAILED_ONLY", "Boolean", False), ("ENFORCE_LENGTH", "Boolean", True),
    ("TRUNCATECOLUMNS", "Boolean", False), ("FORCE", "Boolean", False),
]  # fmt: skip


@statement("CREATE STAGE")
def create(execution: Execution, stream: TokenStream) -> ResultSet:
    modifiers = objects.read_create(stream, KIND)
    cloned = stream.accept("CLONE")
    options: dict[str, Any] = {} if cloned else _read(execution, stream)
    _check_outside(execution, options)
    place = objects.place_of(execution, KIND, modifiers.parts)
    existing = objects.look(execution, modifiers, KIND, place)
    if existing.keep is not None:
        return existing.keep
    item = Stage(
        id=execution.context.catalog.new_id(), parent=place.parent, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(), temporary=modifiers.temporary,
    )  # fmt: skip
    if cloned:
        clone_stage(execution, stream, item)
        _check_outside(execution, {"URL": item.url, **item.options})
    else:
        _set(item, options)
    if not item.url:
        item.directory = execution.stages.new_directory(item.id, temporary=item.temporary)
    objects.put(execution, item, existing.replaced)
    if isinstance(existing.replaced, Stage):
        execution.stages.drop(existing.replaced)
    return status(f"Stage area {place.name} successfully created.")


def _check_outside(execution: Execution, options: dict[str, Any]) -> None:
    """Refuses a storage address or integration that the role may not use."""
    context = execution.context
    require_address(context, str(options.get("URL") or ""))
    if integration := options.get("STORAGE_INTEGRATION"):
        found = context.catalog.find(context, "INTEGRATION", [str(integration)])
        if found is not None:
            execution.require("USAGE", found)


@statement("ALTER STAGE")
def alter(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("ALTER", KIND)
    context = execution.context
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    item = context.catalog.find(context, KIND, parts)
    if item is None and if_exists:
        return objects.done()
    item = context.catalog.get(context, KIND, parts)
    wanted = "USAGE" if item.url else "WRITE"
    needed = wanted if stream.at("REFRESH") else tagging.needed(execution, stream, "OWNERSHIP")
    if needed is not None:
        execution.require(needed, item)
    if stream.accept("RENAME", "TO"):
        objects.rename(execution, item, stream.name())
    elif tagging.accept_tag_change(execution, stream, item):
        objects.save(execution, item)
    elif stream.accept("UNSET"):
        objects.unset_properties(stream, item)
        objects.save(execution, item)
    elif stream.accept("REFRESH"):
        if stream.accept("SUBPATH"):
            stream.expect("=")
            stream.string()
        return rows([Column(name, VARCHAR) for name in ("file", "status", "description")], [], StatementType.DDL)
    else:
        stream.expect("SET")
        options = _read(execution, stream)
        if options.get("URL") and not item.url:
            raise compilation_error(1008, "22023", "An internal stage cannot be given a URL.")
        _check_outside(execution, options)
        _set(item, options)
        objects.save(execution, item)
    stream.expect_end()
    return objects.done()


@statement("DROP STAGE")
def drop(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("DROP", KIND)
    context = execution.context
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    stream.expect_end()
    item = context.catalog.find(context, KIND, parts) if if_exists else context.catalog.get(context, KIND, parts)
    if item is None:
        return status(f"Drop statement executed successfully ({parts[-1]} already dropped).")
    objects.remove(execution, item)
    execution.stages.drop(item)
    return status(f"{item.name} successfully dropped.")


@statement("DESCRIBE STAGE", "DESC STAGE")
def describe(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.next()
    stream.expect(KIND)
    item: Stage = execution.context.catalog.get(execution.context, KIND, stream.name())
    stream.expect_end()
    names = ("parent_property", "property", "property_type", "property_value", "property_default")
    return rows([Column(name, VARCHAR) for name in names], _described(item), StatementType.DESCRIBE)


def _described(item: Stage) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]]
    if "FORMAT_NAME" in item.file_format:
        found = [("STAGE_FILE_FORMAT", "FORMAT_NAME", "String", str(item.file_format["FORMAT_NAME"]), "")]
    else:
        found = [("STAGE_FILE_FORMAT", *row) for row in formats.describe(item.file_format)]
    for name, kind, default in _COPY_DEFAULTS:
        found.append(("STAGE_COPY_OPTIONS", name, kind, _text(item.copy_options.get(name, default)), _text(default)))
    found.append(
        ("STAGE_LOCATION", "URL", "String", json.dumps([item.url], separators=(",", ":")) if item.url else "", "")
    )
    found.append(
        ("STAGE_INTEGRATION", "STORAGE_INTEGRATION", "String", str(item.options.get("STORAGE_INTEGRATION", "")), "")
    )
    key = str((item.options.get("CREDENTIALS") or {}).get("AWS_KEY_ID", ""))
    found.append(("STAGE_CREDENTIALS", "AWS_KEY_ID", "String", key, ""))
    found.append(("DIRECTORY", "ENABLE", "Boolean", _text(item.directory_table), "false"))
    return found


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(execution: Execution, stream: TokenStream) -> dict[str, Any]:
    """The options of CREATE STAGE and ALTER STAGE ... SET."""
    options: dict[str, Any] = {}
    while not stream.done:
        tags = tagging.read_tag_clause(execution, stream)
        if tags is not None:
            options["TAG"] = tags
            continue
        stream.accept("WITH")
        found = read_options(stream)
        if not found:
            break
        options.update(found)
    stream.expect_end()
    known = {
        *_STORAGE,
        "URL",
        "FILE_FORMAT",
        "COPY_OPTIONS",
        "COMMENT",
        "TAG",
        "AWS_ACCESS_POINT_ARN",
        "USE_PRIVATELINK_ENDPOINT",
    }
    for name in options:
        if name not in known:
            raise compilation_error(1420, "22023", f"invalid property '{name}' for 'STAGE'")
    return options


def _set(item: Stage, options: dict[str, Any]) -> None:
    if "URL" in options:
        url = str(options["URL"])
        scheme = url.split("://")[0].lower() if "://" in url else ""
        if scheme not in ("s3", "s3gov", "s3china", "s3compat", "file"):
            if scheme in ("gcs", "azure", "https"):
                raise unsupported(f"storage address {scheme}://")
            raise compilation_error(1008, "22023", f"invalid URL prefix found in: '{url}'")
        if scheme == "file":
            local_path(url)
        item.url = url
    if "FILE_FORMAT" in options:
        given = options["FILE_FORMAT"]
        item.file_format = given if isinstance(given, dict) else {"FORMAT_NAME": given}
        if "FORMAT_NAME" not in item.file_format:
            formats.file_format(item.file_format)
    if "COPY_OPTIONS" in options:
        item.copy_options = {name.upper(): value for name, value in dict(options["COPY_OPTIONS"] or {}).items()}
    if "DIRECTORY" in options:
        item.directory_table = bool(dict(options["DIRECTORY"]).get("ENABLE"))
    if "COMMENT" in options:
        item.comment = str(options["COMMENT"])
    item.tags.update(options.get("TAG", {}))
    item.options.update({name: options[name] for name in _STORAGE if name in options})
