"""Procedures made by SQL, so that each test shows its handler."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest
from snowflake.snowpark import Session

Make = Callable[..., None]


@pytest.fixture
def make(session: Session) -> Make:
    """Makes a procedure: ``make("p(x INT)", "INT", "def main(session, x): ...", "EXECUTE AS CALLER")``."""

    def create(signature: str, returns: str, body: str, more: str = "") -> None:
        session.sql(
            f"CREATE OR REPLACE PROCEDURE {signature} RETURNS {returns} LANGUAGE PYTHON RUNTIME_VERSION = '3.11' "
            f"PACKAGES = ('snowflake-snowpark-python') HANDLER = 'main' {more} AS $$\n{textwrap.dedent(body)}\n$$"
        ).collect()

    return create
