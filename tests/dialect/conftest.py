"""Expressions and queries bound and run on an engine alone, without a server or stored objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from polynya.catalog.context import Context
from polynya.dialect import engine_functions
from polynya.dialect.query import bind_query
from polynya.storage.connection import Connection
from polynya.storage.engine import Engine
from polynya.types import variant
from polynya.types.resultset import Column


@dataclass
class _NoCatalog:
    """A catalog without objects."""

    account_parameters: dict[str, Any] = field(default_factory=dict)

    def find(self, *_: Any) -> None:
        return None

    def routines(self, *_: Any) -> list[Any]:
        return []


@dataclass
class Answer:
    """The result of a query: its columns and rows; semi-structured values as JSON in one line, as Snowflake writes it."""

    columns: list[Column]
    rows: list[tuple[Any, ...]]

    @property
    def value(self) -> Any:
        return self.rows[0][0]

    @property
    def type(self) -> str:
        return str(self.columns[0].type)


Run = Callable[..., Answer]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    opened = Engine.open(Path(tmp_path_factory.mktemp("engine")), threads=2, on_open=engine_functions.install)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def engine_connection(engine: Engine) -> Connection:
    return engine.connect()


@pytest.fixture
def context() -> Context:
    """A session's context with default parameters, in UTC."""
    return Context(_NoCatalog(), 1, "ADMIN", "TEST", parameters={"TIMEZONE": "UTC"})  # type: ignore[arg-type]


@pytest.fixture
def run(engine_connection: Connection, context: Context) -> Run:
    """``run("SELECT 1")``; parameters of the session by keyword: ``run(sql, TIMEZONE="Asia/Tokyo")``."""

    def run_query(sql: str, **parameters: Any) -> Answer:
        context.parameters.update(parameters)
        bound = bind_query(sql, context)
        table: pa.Table = engine_connection.table(bound.sql, bound.inputs)
        columns: list[list[Any]] = []
        for column, data in zip(bound.columns, table.columns, strict=True):
            semistructured = column.type.is_semistructured or column.type.name in ("GEOGRAPHY", "GEOMETRY")
            columns.append(variant.display(data, 0).to_pylist() if semistructured else data.to_pylist())
        return Answer(bound.columns, list(zip(*columns, strict=True)))

    return run_query


@pytest.fixture
def evaluate(run: Run) -> Callable[..., tuple[Any, str]]:
    """``evaluate("1 + 1")`` -> (value, type) of one expression."""

    def evaluate_one(expression: str, **parameters: Any) -> tuple[Any, str]:
        answer = run(f"SELECT {expression}", **parameters)
        return answer.value, answer.type

    return evaluate_one
