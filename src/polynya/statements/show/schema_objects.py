"""SHOW SEQUENCES, STAGES and FILE FORMATS. https://docs.snowflake.com/en/sql-reference/sql/show-sequences ..."""

from __future__ import annotations

import json

from polynya.catalog.model import FileFormat, Stage
from polynya.dialect.tokens import TokenStream
from polynya.statements.base import Execution, statement
from polynya.statements.show.listing import (
    COUNT,
    MOMENT,
    TEXT,
    answer,
    created,
    database_name,
    in_scope,
    owner_role_type,
    read_request,
    schema_name,
    yes_no,
)
from polynya.types.resultset import ResultSet


@statement("SHOW SEQUENCES", "SHOW TERSE SEQUENCES")
def show_sequences(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW")
    terse = stream.accept("TERSE")
    stream.expect("SEQUENCES")
    request = read_request(execution, stream, terse=terse)
    return answer(
        [
            ("name", TEXT, lambda sequence: sequence.name),
            ("database_name", TEXT, database_name(execution)),
            ("schema_name", TEXT, schema_name(execution)),
            ("next_value", COUNT, lambda sequence: sequence.next_value),
            ("interval", COUNT, lambda sequence: sequence.increment),
            ("created_on", MOMENT, created),
            ("owner", TEXT, lambda sequence: sequence.owner),
            ("comment", TEXT, lambda sequence: sequence.comment),
            ("owner_role_type", TEXT, owner_role_type),
            ("ordered", TEXT, lambda sequence: yes_no(sequence.ordered)),
        ],
        request.select(in_scope(execution, request.scope, "SEQUENCE")),
    )


@statement("SHOW STAGES", "SHOW TERSE STAGES")
def show_stages(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW")
    terse = stream.accept("TERSE")
    stream.expect("STAGES")
    request = read_request(execution, stream, terse=terse)
    return answer(
        [
            ("created_on", MOMENT, created),
            ("name", TEXT, lambda stage: stage.name),
            ("database_name", TEXT, database_name(execution)),
            ("schema_name", TEXT, schema_name(execution)),
            ("url", TEXT, lambda stage: stage.url),
            ("has_credentials", TEXT, lambda stage: yes_no(stage.options.get("CREDENTIALS"))),
            ("has_encryption_key", TEXT, lambda stage: "N"),
            ("owner", TEXT, lambda stage: stage.owner),
            ("comment", TEXT, lambda stage: stage.comment),
            ("region", TEXT, lambda stage: stage.options.get("REGION")),
            ("type", TEXT, _stage_type),
            ("cloud", TEXT, lambda stage: "AWS" if stage.url.startswith("s3") else None),
            ("notification_channel", TEXT, lambda stage: None),
            ("storage_integration", TEXT, lambda stage: stage.options.get("STORAGE_INTEGRATION")),
            ("endpoint", TEXT, lambda stage: stage.options.get("ENDPOINT")),
            ("owner_role_type", TEXT, owner_role_type),
            ("directory_enabled", TEXT, lambda stage: yes_no(stage.directory_table)),
        ],
        request.select(in_scope(execution, request.scope, "STAGE")),
    )


def _stage_type(stage: Stage) -> str:
    where = "EXTERNAL" if stage.url else "INTERNAL"
    return f"{where} TEMPORARY" if stage.temporary else where


@statement("SHOW FILE FORMATS", "SHOW TERSE FILE FORMATS")
def show_file_formats(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW")
    terse = stream.accept("TERSE")
    stream.expect("FILE", "FORMATS")
    request = read_request(execution, stream, terse=terse)
    return answer(
        [
            ("created_on", MOMENT, created),
            ("name", TEXT, lambda found: found.name),
            ("database_name", TEXT, database_name(execution)),
            ("schema_name", TEXT, schema_name(execution)),
            ("type", TEXT, lambda found: str(found.format.get("TYPE", "CSV")).upper()),
            ("owner", TEXT, lambda found: found.owner),
            ("comment", TEXT, lambda found: found.comment),
            ("format_options", TEXT, _format_options),
            ("owner_role_type", TEXT, owner_role_type),
        ],
        request.select(in_scope(execution, request.scope, "FILE FORMAT")),
    )


def _format_options(found: FileFormat) -> str:
    return json.dumps(found.format, separators=(",", ":"))
