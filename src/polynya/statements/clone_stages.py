"""Clones of stages: alone, and with the schema or database in which they lie.

An external stage's clone has the same address; an internal one is cloned only with its schema or database and only on request,
with the files of its directory table, or empty where it has none.
https://docs.snowflake.com/en/user-guide/object-clone (cloning and stages)
"""

from __future__ import annotations

import shutil

from polynya.catalog.model import Stage
from polynya.dialect.tokens import TokenStream
from polynya.errors import unsupported
from polynya.stages.store import StageLocation
from polynya.statements import objects
from polynya.statements.base import Execution


def clone_stage(execution: Execution, stream: TokenStream, item: Stage) -> None:
    """Makes a new stage the clone of the one that the statement names, after the word CLONE.

    Raises:
        SnowflakeError: 002003 if there is none, 000002 for an internal one.
    """
    source: Stage = execution.context.catalog.get(execution.context, "STAGE", stream.name())
    execution.require("USAGE" if source.url else "READ", source)
    stream.expect_end()
    if not source.url:
        raise unsupported(
            "CLONE of an internal stage: CREATE SCHEMA ... CLONE ... INCLUDE INTERNAL STAGES clones those"
        )
    _copy_settings(source, item)


def stage_of(execution: Execution, source: Stage, schema: int) -> Stage:
    """A clone of a stage for another schema, not yet in the catalog, with its files.

    Raises:
        OSError: if they cannot be copied; what was copied is gone.
    """
    item = Stage(
        id=execution.context.catalog.new_id(), parent=schema, name=source.name, owner=source.owner, created_on=objects.now(),
    )  # fmt: skip
    _copy_settings(source, item)
    if not source.url:
        stages = execution.stages
        item.directory = stages.new_directory(item.id, temporary=False)
        try:
            if source.directory_table:
                _copy_files(execution, source, item)
        except BaseException:
            stages.drop(item)
            raise
    return item


def _copy_settings(source: Stage, item: Stage) -> None:
    item.url, item.directory_table, item.comment = source.url, source.directory_table, source.comment
    item.file_format, item.copy_options = dict(source.file_format), dict(source.copy_options)
    item.options, item.tags = dict(source.options), dict(source.tags)


def _copy_files(execution: Execution, source: Stage, item: Stage) -> None:
    stages = execution.stages
    origin = StageLocation(source, "", stages.root / source.directory, "", "")
    target = StageLocation(item, "", stages.root / item.directory, "", "")
    for file in stages.list_files(origin):
        scratch = stages.workspace.new(".clone")
        shutil.copyfile(stages.local(file, origin), scratch)
        stages.add(target, file.relative, scratch, overwrite=True)
