"""FILE values: TO_FILE and what can be asked of them.

A FILE is an object that describes a staged file as it was when it was made.

Source: docs.snowflake.com/en/sql-reference/functions-file.
"""

from __future__ import annotations

import mimetypes
from functools import partial

import pyarrow as pa

from polynya.catalog.model import Database, Schema, Stage
from polynya.catalog.rights import has
from polynya.dialect.expression import Expr, derive, once, quote_string
from polynya.dialect.registry import Call, scalar
from polynya.errors import SnowflakeError
from polynya.stages.location import parse_location
from polynya.stages.store import StagedFile
from polynya.storage.errors import raise_sql
from polynya.types import variant
from polynya.types.sqltype import BOOLEAN, INTEGER, TIMESTAMP_NTZ, VARCHAR, SqlType

FILE = SqlType("FILE")
_DOCUMENTS = (
    "text/",
    "application/pdf",
    "application/json",
    "application/xml",
    "application/msword",
    "application/vnd.",
)


@scalar("TO_FILE", "TRY_TO_FILE", args=(1, 2))
def to_file(call: Call) -> Expr:
    parts = call.args(VARCHAR)
    attempt = call.name.startswith("TRY")
    if all(isinstance(part.constant, str) for part in parts):
        text = _described(call, _joined([str(part.constant) for part in parts]), attempt)
        if text is None:
            return Expr("NULL::JSON", FILE, True)
        return Expr(f"{quote_string(text)}::JSON", FILE, False)
    path = parts[0]
    if len(parts) == 2:
        path = derive(f"(rtrim({parts[0].sql}, '/') || '/' || ltrim({parts[1].sql}, '/'))", VARCHAR, *parts)
    relation = call.binder.add_input(_visible_files(call))
    failure = "NULL" if attempt else raise_sql(91016, "22000", "concat('Remote file ''', {0}, ''' was not found.')")

    def look_up(text: str) -> str:
        key = f"lower(split_part({text}, '/', 1)) || substr({text}, length(split_part({text}, '/', 1)) + 1)"
        found = f"(SELECT any_value(f.file) FROM {relation} AS f WHERE f.key = {key})"
        return f"coalesce({found}, CASE WHEN {text} IS NOT NULL THEN {failure.format(text)} END)::JSON"

    return derive(look_up(path.atom), FILE, path, nullable=attempt or path.nullable)


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{parts[0].rstrip('/')}/{parts[1].lstrip('/')}"


def _described(call: Call, text: str, attempt: bool) -> str | None:
    """The FILE of a location, as canonical JSON."""
    stages = call.binder.execution.stages
    try:
        place = stages.resolve(parse_location(text), call.context)
        file = stages.exact(place)
        if file is None:
            raise SnowflakeError(91016, "22000", f"Remote file '{text}' was not found.")
    except SnowflakeError:
        if attempt:
            return None
        raise
    stage = "@" + call.context.catalog.full_name(place.stage) if place.stage is not None else "@~"
    return _json(file, stage, stages.checksum(file))


def _visible_files(call: Call) -> pa.Table:
    """The files of all stages in the current database that the role may read, by every name that SQL may give them: columns key, file."""
    catalog, context, stages = call.context.catalog, call.context, call.binder.execution.stages
    keys: list[str] = []
    files: list[str] = []
    listed = [*catalog.all("STAGE"), *(item for item in context.temporary.values() if isinstance(item, Stage))]
    for stage in listed:
        schema = catalog.by_id(stage.parent)
        database = catalog.by_id(schema.parent) if isinstance(schema, Schema) else None
        if not isinstance(schema, Schema) or not isinstance(database, Database) or database.name != context.database:
            continue
        if stage.url.startswith("s3") or not has(context, "USAGE" if stage.url else "READ", stage):
            continue  # too far away to be listed in passing, or not the role's to read
        full = catalog.full_name(stage)
        names = [f"{database.name}.{schema.name}.{stage.name}", f"{schema.name}.{stage.name}"]
        if schema.name == context.schema:
            names.append(stage.name)
        for file in stages.list_files(stages.resolve(f"@{full}", context)):
            text = _json(file, f"@{full}", stages.checksum(file))
            for name in names:
                keys.append(f"@{name.lower()}/{file.relative}")
                files.append(text)
    return pa.table({"key": pa.array(keys, pa.string()), "file": pa.array(files, pa.string())})


def _json(file: StagedFile, stage: str, checksum: str) -> str:
    content_type = mimetypes.guess_type(file.relative)[0] or "application/octet-stream"
    return variant.encode(
        {
            "CONTENT_TYPE": content_type,
            "ETAG": checksum,
            "LAST_MODIFIED": file.modified.strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "RELATIVE_PATH": file.relative,
            "SIZE": file.size,
            "STAGE": stage,
        }
    )


# --- questions --------------------------------------------------------------------------------------------------------


def _attribute(call: Call, key: str, kind: SqlType) -> Expr:
    file = call.arg(0)
    if file.type.name not in ("FILE", "OBJECT", "VARIANT", "NULL"):
        raise call.wrong_types()
    sql = f"json_extract_string({file.sql}, '$.{key}')"
    return derive(f"CAST({sql} AS {kind.duckdb})" if kind != VARCHAR else sql, kind, file, nullable=True)


for _name, _key, _kind in (
    ("FL_GET_CONTENT_TYPE", "CONTENT_TYPE", VARCHAR),
    ("FL_GET_ETAG", "ETAG", VARCHAR),
    ("FL_GET_RELATIVE_PATH", "RELATIVE_PATH", VARCHAR),
    ("FL_GET_SIZE", "SIZE", INTEGER),
    ("FL_GET_STAGE", "STAGE", VARCHAR),
):
    scalar(_name, args=1)(partial(_attribute, key=_key, kind=_kind))


@scalar("FL_GET_LAST_MODIFIED", args=1)
def last_modified(call: Call) -> Expr:
    text = _attribute(call, "LAST_MODIFIED", VARCHAR)
    return derive(f"strptime({text.sql}, '%a, %d %b %Y %H:%M:%S GMT')", TIMESTAMP_NTZ, text, nullable=True)


def _file_type(call: Call) -> Expr:
    """audio, compressed, document, image, video or unknown."""
    content = _attribute(call, "CONTENT_TYPE", VARCHAR)
    path = _attribute(call, "RELATIVE_PATH", VARCHAR)

    def body(kind: str, name: str) -> str:
        documents = " OR ".join(f"starts_with({kind}, '{prefix}')" for prefix in _DOCUMENTS)
        return (
            f"CASE WHEN {kind} IS NULL THEN NULL WHEN regexp_matches({name}, '\\.(gz|bz2|zst|br|zip|tar|7z)$') THEN 'compressed' "
            f"WHEN split_part({kind}, '/', 1) IN ('audio', 'image', 'video') THEN split_part({kind}, '/', 1) "
            f"WHEN {documents} THEN 'document' ELSE 'unknown' END"
        )

    return derive(once(body, content, path), VARCHAR, content, path, nullable=True)


scalar("FL_GET_FILE_TYPE", args=1)(_file_type)


def _is_type(call: Call, kind: str) -> Expr:
    found = _file_type(call)
    return derive(f"({found.sql} = '{kind}')", BOOLEAN, found, nullable=True)


for _kind_name in ("audio", "compressed", "document", "image", "video"):
    scalar(f"FL_IS_{_kind_name.upper()}", args=1)(partial(_is_type, kind=_kind_name))
