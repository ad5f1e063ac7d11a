"""BUILD_SCOPED_FILE_URL and BUILD_STAGE_FILE_URL: addresses of staged files.

Sources: docs.snowflake.com/en/sql-reference/functions/build_scoped_file_url, .../build_stage_file_url.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from polynya.catalog.context import Context
from polynya.dialect.expression import Expr, derive, quote_string
from polynya.dialect.functions.staged_files import location_text
from polynya.dialect.registry import Call, scalar
from polynya.errors import unsupported
from polynya.stages.file_urls import scoped_url, stage_url
from polynya.stages.location import parse_location
from polynya.types.sqltype import VARCHAR


@scalar("BUILD_SCOPED_FILE_URL", args=2)
def build_scoped_file_url(call: Call) -> Expr:
    """Good for a day, for the user of the statement."""
    return _build(call, scoped_url)


@scalar("BUILD_STAGE_FILE_URL", args=2)
def build_stage_file_url(call: Call) -> Expr:
    return _build(call, stage_url)


def _build(call: Call, make: Callable[[Context, str, str], str]) -> Expr:
    """The URL of a constant path; of paths in rows, as the stage lists them now."""
    stages = call.binder.execution.stages
    place = stages.resolve(parse_location(location_text(call.nodes[0])), call.context)
    if place.stage is None:
        raise unsupported(f"{call.name} of user and table stages")
    stage = "@" + call.context.catalog.full_name(place.stage)
    path = call.arg(1, VARCHAR)
    base = place.path.rstrip("/") + "/" if place.path else ""
    if isinstance(path.constant, str):
        return Expr(quote_string(make(call.context, stage, base + path.constant.lstrip("/"))), VARCHAR, False)
    files = [file.relative[len(base) :] for file in stages.list_files(place.at(base))]
    urls = [make(call.context, stage, base + name) for name in files]
    relation = call.binder.add_input(
        pa.table({"path": pa.array(files, pa.string()), "url": pa.array(urls, pa.string())})
    )
    found = f"(SELECT any_value(f.url) FROM {relation} AS f WHERE f.path = ltrim({path.sql}, '/'))"
    return derive(found, VARCHAR, path, nullable=True)
