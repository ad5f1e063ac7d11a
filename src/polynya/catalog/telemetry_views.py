"""SNOWFLAKE.TELEMETRY.EVENTS: what handlers printed and logged.

https://docs.snowflake.com/en/developer-guide/logging-tracing/event-table-columns
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from polynya.catalog.information_schema import Request, view
from polynya.types.sqltype import TIMESTAMP_NTZ, VARCHAR, SqlType
from polynya.types.variant import encode

_OBJECT, _VARIANT, _ARRAY = SqlType("OBJECT"), SqlType("VARIANT"), SqlType("ARRAY")
# OpenTelemetry's number of each severity (opentelemetry.io/docs/specs/otel/logs/data-model).
_NUMBERS = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}


@view(
    "TELEMETRY.EVENTS",
    columns=[
        ("TIMESTAMP", TIMESTAMP_NTZ), ("START_TIMESTAMP", TIMESTAMP_NTZ), ("OBSERVED_TIMESTAMP", TIMESTAMP_NTZ),
        ("TRACE", _OBJECT), ("RESOURCE", _OBJECT), ("RESOURCE_ATTRIBUTES", _OBJECT), ("SCOPE", _OBJECT),
        ("SCOPE_ATTRIBUTES", _OBJECT), ("RECORD_TYPE", VARCHAR), ("RECORD", _OBJECT), ("RECORD_ATTRIBUTES", _OBJECT),
        ("VALUE", _VARIANT), ("EXEMPLARS", _ARRAY),
    ],
)  # fmt: skip
def _events(request: Request) -> Iterator[tuple]:
    for event in request.results.events() if request.results is not None else []:
        moment = datetime.fromtimestamp(event.time, UTC).replace(tzinfo=None)
        yield (
            moment, None, moment, None, None, event.resource, _scope(event.scope), None, "LOG",
            _record(event.severity), event.attributes, encode(event.text), None,
        )  # fmt: skip


@lru_cache(maxsize=256)
def _scope(name: str) -> str:
    return encode({"name": name})


@lru_cache(maxsize=16)
def _record(severity: str) -> str:
    return encode({"severity_number": _NUMBERS.get(severity, 9), "severity_text": severity})
